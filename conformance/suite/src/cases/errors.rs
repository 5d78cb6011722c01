//! Errors are a taxonomy, and leave a store that works (line 11 of the storage contract).

use node_storage_contract::{Access, BlockNo, Conflict, ConflictReason, Network, StorageError};

use crate::StoreFactory;
use crate::assertions::{append, assert_holds};
use crate::data::{blocks, cursor_after, cursor_at, other_hash};
use crate::factory::{WRITE, open};
use crate::writes::{deliver, move_cursor};

/// A conflict does not pass by waiting, says where it stands and that nothing was changed.
pub async fn conflict_is_not_retryable_and_names_its_position(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2]);
    append(&store, &all).await;
    let mut fork = all.clone();
    fork[0].hash = other_hash(1);
    let error = deliver(&store, &fork, cursor_after(&fork)).await.unwrap_err();
    assert!(!error.is_retryable());
    assert!(error.to_string().contains("block 1"), "{error}");
    assert!(error.to_string().contains("nothing was changed"), "{error}");
    let again = deliver(&store, &fork, cursor_after(&fork)).await.unwrap_err();
    match (error, again) {
        (StorageError::Conflict(first), StorageError::Conflict(second)) => {
            assert_eq!(first, second);
            let at = BlockNo::try_from(1_u64).unwrap().into();
            assert_eq!(
                first,
                Conflict {
                    at,
                    reason: ConflictReason::OtherBlockHash
                }
            );
        }
        other => panic!("not two conflicts: {other:?}"),
    }
}

/// After refusals of every kind, more than there are connections, the store reads and writes as before.
pub async fn store_works_after_refusals(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let all = blocks([1, 2, 3]);
    append(&store, &all[..2]).await;
    let mut fork = all[1].clone();
    fork.hash = other_hash(2);
    for _ in 0..30 {
        deliver(&store, std::slice::from_ref(&fork), cursor_at(&fork))
            .await
            .unwrap_err();
        move_cursor(&store, cursor_at(&fork)).await.unwrap_err();
    }
    append(&store, &all).await;
    assert_holds(&store, &all, cursor_after(&all), &[]).await;
}

/// A refused opening leaves nothing behind: the next one goes through.
pub async fn refused_opening_holds_nothing(factory: &impl StoreFactory) {
    let store = factory.open(Network::Mainnet, WRITE).await.unwrap();
    factory.close(store).await;
    for _ in 0..3 {
        let refused = factory.open(Network::Preview, WRITE).await.err();
        assert!(
            matches!(refused, Some(StorageError::WrongNetwork { .. })),
            "{refused:?}"
        );
    }
    let store = factory
        .open(Network::Mainnet, Access::Write { migrate: false })
        .await
        .unwrap();
    append(&store, &blocks([1])).await;
}
