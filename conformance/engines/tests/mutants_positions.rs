//! The lowest position is the lowest by block, then by transaction, then by operation, wherever one of several is chosen.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use engine_tests::database::Database;
use node_storage::contract::{
    Access, Conflict, ConflictReason, Cursor, DidSuffix, IndexEntry, IndexOutcome, Network, OperationHash,
    OperationPosition, PublishedBlock, StorageError, StorageOwner,
};
use node_storage::{DbBackend, IndexedOperationRepo, NodeStorageBackend, RawOperationRepo};
use rstest::rstest;

/// Two blocks of two transactions of two operations each, and their positions in order.
fn ledger() -> (Vec<PublishedBlock>, Vec<OperationPosition>) {
    let blocks: Vec<_> = (1..=2_u64)
        .map(|number| {
            let operations = |absn: u8| (0..2_u8).map(move |osn| vec![u8::try_from(number).unwrap(), absn, osn]);
            prism_fixtures::block(1, number, number * 20, [operations(0), operations(1)])
        })
        .collect();
    let positions = blocks
        .iter()
        .flat_map(prism_fixtures::ledger_operations)
        .map(|operation| operation.position)
        .collect();
    (blocks, positions)
}

async fn store_with(database: &Database, blocks: &[PublishedBlock]) -> NodeStorageBackend {
    let store = database
        .open(Network::Custom, Access::Write { migrate: true })
        .await
        .unwrap();
    let last = blocks.last().unwrap();
    store.append(blocks, Cursor::at(&last.into())).await.unwrap();
    store
}

/// Whatever stands first among the operations that share a hash, in another block, transaction or place of one, owns it.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn storage_owner_is_the_first_by_block_transaction_and_operation(#[case] backend: DbBackend) {
    let (blocks, positions) = ledger();
    let shared = OperationHash::of(b"shared");
    // All operations from `first` on share the hash; those before have one of their own.
    for first in 0..positions.len() {
        let Some(database) = Database::migrated(backend).await else {
            return;
        };
        let store = store_with(&database, &blocks).await;
        let owner = |place: usize| DidSuffix::new([u8::try_from(place).unwrap() + 1; 32]);
        let entries: Vec<_> = positions
            .iter()
            .enumerate()
            .map(|(place, position)| IndexEntry {
                position: *position,
                outcome: IndexOutcome::Storage {
                    did: owner(place),
                    operation_hash: if place < first {
                        OperationHash::of(&[u8::try_from(place).unwrap()])
                    } else {
                        shared
                    },
                },
            })
            .collect();
        store.index(&entries).await.unwrap();
        let found = store.storage_owners(&[shared]).await.unwrap();
        let expected = StorageOwner {
            operation_hash: shared,
            position: positions[first],
            did: owner(first),
        };
        assert_eq!(found, [expected], "from {} on", positions[first]);
    }
}

/// Of several transactions that are delivered at a second position, the one that is stored first is named.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn known_transaction_that_is_named_is_the_first_by_block_and_transaction(#[case] backend: DbBackend) {
    let (blocks, _) = ledger();
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let store = store_with(&database, &blocks).await;
    let known: Vec<_> = blocks
        .iter()
        .flat_map(|block| block.transactions.iter().map(|transaction| (block.number, transaction)))
        .collect();
    for first in 0..known.len() {
        let contents = known[first..].iter().map(|_| [vec![7]]);
        let mut again = prism_fixtures::block(1, 3, 60, contents);
        // Delivered in the other order.
        for (transaction, (_, stored)) in again.transactions.iter_mut().zip(known[first..].iter().rev()) {
            transaction.id = stored.id;
        }
        let cursor = Cursor::at(&(&again).into());
        let (block, stored) = known[first];
        match store.append(&[again], cursor).await {
            Err(StorageError::Conflict(Conflict { reason, .. })) => assert_eq!(
                reason,
                ConflictReason::TransactionElsewhere {
                    id: stored.id,
                    block,
                    absn: stored.absn,
                },
            ),
            result => panic!("no conflict: {result:?}"),
        }
    }
}
