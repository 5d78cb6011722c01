//! Storage operations find their owner through their predecessor, however long the chain (lines 7 and 12 of the contract).

use did_prism::digest::OperationHash;
use node_storage_contract::{IndexOutcome, IndexedOperationRepo, PublishedBlock};
use prism_fixtures::Identity;

use crate::StoreFactory;
use crate::assertions::append;
use crate::data::{SEED, absn, block_with, bytes, limit, osn, transaction_of};
use crate::factory::open;
use crate::observe::{all_operations, all_operations_of};

/// A DID, and the bytes of the operations that create it and a storage entry, which is then updated `updates` times.
fn chain(updates: u64) -> (Identity, OperationHash, Vec<Vec<u8>>) {
    let mut identity = Identity::new(SEED, 1);
    let create = identity.create_entry(b"0");
    let mut operations = vec![identity.create().bytes, create.bytes];
    for number in 1..=updates {
        operations.push(identity.update_entry(create.hash, number.to_string().as_bytes()).bytes);
    }
    (identity, create.hash, operations)
}

/// Blocks of one transaction with at most this many operations.
fn published(operations: &[Vec<u8>], per_block: usize) -> Vec<PublishedBlock> {
    (1_u64..)
        .zip(operations.chunks(per_block))
        .map(|(number, chunk)| {
            let operations = (0_u64..)
                .zip(chunk)
                .map(|(index, content)| (osn(index), bytes(content.clone())));
            block_with(number, vec![transaction_of(number, absn(1), operations)])
        })
        .collect()
}

/// Every link of a chain of 1,000 updates is found, across blocks and batches.
// edge-cases.md#v17
pub async fn chain_of_a_thousand_updates_is_followed(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let (identity, _, operations) = chain(1_000);
    let blocks = published(&operations, 90);
    // Half of it is indexed before the rest is there.
    append(&store, &blocks[..6]).await;
    node_service::index::index_all(&store).await.unwrap();
    append(&store, &blocks).await;
    node_service::index::index_all(&store).await.unwrap();
    let found = all_operations_of(&store, &identity.suffix()).await;
    let found: Vec<_> = found.iter().map(|record| record.operation.bytes.as_slice()).collect();
    assert_eq!(found.len(), 1_002);
    assert!(found.iter().copied().eq(operations.iter().map(Vec::as_slice)));
}

/// A chain within one transaction is followed as one across blocks is.
pub async fn chain_within_one_transaction_is_followed(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let (identity, _, operations) = chain(400);
    append(&store, &published(&operations, 1_000)).await;
    node_service::index::index_all(&store).await.unwrap();
    assert_eq!(all_operations_of(&store, &identity.suffix()).await.len(), 402);
}

/// An update that stands before the operation it follows is ignored for good, also when that one comes.
// edge-cases.md#v8
pub async fn update_before_its_predecessor_is_ignored_for_good(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let (identity, _, mut operations) = chain(2);
    // create DID, update 1, create entry, update 2
    operations.swap(1, 2);
    let blocks = published(&operations, 1);
    append(&store, &blocks[..2]).await;
    node_service::index::index_all(&store).await.unwrap();
    append(&store, &blocks).await;
    node_service::index::index_all(&store).await.unwrap();
    let outcomes: Vec<_> = all_operations(&store)
        .await
        .into_iter()
        .map(|record| record.indexing)
        .collect();
    let did = identity.suffix();
    let hash = |index: usize| {
        let signed = did_prism::operation::SignedOperation::decode(&operations[index]).unwrap();
        signed.hash
    };
    assert!(
        matches!(&outcomes[1], Some(IndexOutcome::Ignored { .. })),
        "{outcomes:?}"
    );
    assert_eq!(
        outcomes[2],
        Some(IndexOutcome::Storage {
            did,
            operation_hash: hash(2)
        })
    );
    // The second update follows the first, which belongs to nobody.
    assert!(
        matches!(&outcomes[3], Some(IndexOutcome::Ignored { .. })),
        "{outcomes:?}"
    );
    let page = store.operations_of_did(&did, None, limit(10)).await.unwrap();
    assert_eq!(page.len(), 2);
}
