//! The lowest position is the lowest by block, then by transaction, then by operation, wherever one of several is chosen;
//! and lists come in this order, however the engine reads them.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use engine_tests::database::Database;
use node_storage::contract::{
    Access, Conflict, ConflictReason, Cursor, DidSuffix, IndexEntry, IndexOutcome, IndexerState, LedgerBound,
    ListedDid, Network, OperationHash, OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord,
    StorageError, StorageOwner,
};
use node_storage::{DbBackend, IndexedOperationRepo, IndexerStateRepo, NodeStorageBackend, RawOperationRepo};
use node_storage_conformance::deliver;
use rstest::rstest;

/// Blocks of two transactions of two operations each, and their positions in order.
fn ledger(blocks: u8) -> (Vec<PublishedBlock>, Vec<OperationPosition>) {
    let blocks: Vec<_> = (1..=u64::from(blocks))
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
    deliver(&store, blocks, Cursor::at(&last.into())).await.unwrap();
    store
}

/// Whatever stands first among the operations that share a hash, in another block, transaction or place of one, owns it.
#[rstest]
#[case::sqlite(DbBackend::Sqlite)]
#[case::postgres(DbBackend::Postgres)]
#[tokio::test]
async fn storage_owner_is_the_first_by_block_transaction_and_operation(#[case] backend: DbBackend) {
    let (blocks, positions) = ledger(2);
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
    let (blocks, _) = ledger(2);
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
        match deliver(&store, &[again], cursor).await {
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

/// What is answered in an order, each list in pages of three.
#[derive(Debug, PartialEq)]
struct Answers {
    operations: Vec<OperationRecord>,
    published: Vec<PublishedRecord>,
    of_each_did: Vec<Vec<OperationRecord>>,
    listed: Vec<ListedDid>,
    owners: Vec<StorageOwner>,
    state: IndexerState,
    bound: LedgerBound,
}

async fn pages<Row>(
    position: impl Fn(&Row) -> OperationPosition,
    read: impl AsyncFn(Option<OperationPosition>, PageLimit) -> Vec<Row>,
) -> Vec<Row> {
    let mut rows: Vec<Row> = Vec::new();
    loop {
        let page = read(rows.last().map(&position), PageLimit::try_from(3).unwrap()).await;
        if page.is_empty() {
            return rows;
        }
        rows.extend(page);
    }
}

impl Answers {
    async fn of(store: &NodeStorageBackend, dids: &[DidSuffix], hashes: &[OperationHash]) -> Self {
        let of_record = |record: &OperationRecord| record.operation.position;
        let mut of_each_did = Vec::new();
        for did in dids {
            let read = async |after, limit| store.operations_of_did(did, after, limit).await.unwrap();
            of_each_did.push(pages(of_record, read).await);
        }
        let all = async |after, limit| store.operations_after(after, limit).await.unwrap();
        let published = async |after, limit| store.published_after(after, limit).await.unwrap();
        let listed = async |after, limit| store.listed_dids_after(after, limit).await.unwrap();
        Self {
            operations: pages(of_record, all).await,
            published: pages(|record: &PublishedRecord| record.operation.position, published).await,
            of_each_did,
            listed: pages(|listed: &ListedDid| listed.position, listed).await,
            owners: store.storage_owners(hashes).await.unwrap(),
            state: store.indexer_state().await.unwrap(),
            bound: store.bound().await.unwrap(),
        }
    }
}

const BACKWARDS: &str = "block_number DESC, absn DESC, osn DESC";

/// A table that was rewritten in another order, as `CLUSTER` leaves it.
fn rewritten(table: &str, by: &str) -> String {
    format!("CREATE INDEX other_order ON {table} ({by}); CLUSTER {table} USING other_order; DROP INDEX other_order;")
}

/// With tables that lie backwards, read without an index, no order comes by itself.
#[tokio::test]
async fn answers_of_postgres_come_in_order_whatever_the_plan() {
    let (blocks, positions) = ledger(10);
    let dids: Vec<_> = (1..=3_u8).map(|number| DidSuffix::new([number; 32])).collect();
    let hashes: Vec<_> = (1..=2_u8).map(|number| OperationHash::of(&[number])).collect();
    let outcome = |place: usize| match place % 2 {
        0 => IndexOutcome::Did {
            did: if place < 20 {
                DidSuffix::new([u8::try_from(100 - place).unwrap(); 32])
            } else {
                dids[place % 3]
            },
            operation_hash: OperationHash::of(&[u8::try_from(place).unwrap(), 1]),
            lists_did: place < 20,
        },
        _ => IndexOutcome::Storage {
            did: dids[place % 3],
            operation_hash: hashes[place / 2 % 2],
        },
    };
    let entries: Vec<_> = positions
        .iter()
        .enumerate()
        .map(|(place, position)| IndexEntry {
            position: *position,
            outcome: outcome(place),
        })
        .collect();

    let mut answers = Vec::new();
    for is_rewritten in [false, true] {
        let Some(database) = Database::migrated(DbBackend::Postgres).await else {
            return;
        };
        let rewrite = async |tables: &[(&str, &str)]| {
            for (table, by) in tables.iter().filter(|_| is_rewritten) {
                database.execute(&rewritten(table, by)).await.unwrap();
            }
        };
        if is_rewritten {
            // What is disabled costs so much that it would be compiled.
            for setting in [
                "enable_indexscan",
                "enable_indexonlyscan",
                "enable_bitmapscan",
                "enable_nestloop",
                "enable_mergejoin",
                "jit",
            ] {
                let set = format!("format('ALTER DATABASE %I SET {setting} = off', current_database())");
                database
                    .execute(&format!("DO $$ BEGIN EXECUTE {set}; END $$"))
                    .await
                    .unwrap();
            }
        }
        store_with(&database, &blocks).await.close().await;
        rewrite(&[
            ("block", "block_number DESC"),
            ("ledger_transaction", "block_number DESC, absn DESC"),
            ("raw_operation", BACKWARDS),
        ])
        .await;
        let store = database
            .open(Network::Custom, Access::Write { migrate: false })
            .await
            .unwrap();
        let (first, rest) = entries.split_at(27);
        store.index(first).await.unwrap();
        rewrite(&[("indexed_operation", BACKWARDS), ("listed_did", BACKWARDS)]).await;
        let half = Answers::of(&store, &dids, &hashes).await;
        store.index(rest).await.unwrap();
        let all = Answers::of(&store, &dids, &hashes).await;
        store.close().await;

        // A program of later must be named by its own version, the highest.
        database
            .execute(
                "INSERT INTO _sqlx_migrations
                SELECT 90000000000000, description, installed_on, success, checksum, execution_time
                FROM _sqlx_migrations LIMIT 1",
            )
            .await
            .unwrap();
        rewrite(&[("_sqlx_migrations", "version DESC")]).await;
        let newer = database.open(Network::Custom, Access::Read).await.unwrap_err();
        answers.push((half, all, newer.to_string()));
    }
    assert_eq!(answers[0], answers[1]);
}
