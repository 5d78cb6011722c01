//! Which ledger a store is of (line 10 of the storage contract).

use node_storage_contract::{
    Access, Appended, DltCursorRepo, IndexedOperationRepo, IndexerState, IndexerStateRepo, LedgerBound, Network,
    RawOperationRepo, StorageError,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_answers};
use crate::data::{blocks, cursor, cursor_after, did, ignored, limit, position, storage_hash};
use crate::factory::{NETWORK, WRITE, open, open_read_only};
use crate::observe::observe;
use crate::writes::{deliver, move_cursor};

/// The first opening that writes names the network, and later ones find it.
pub async fn first_writing_opening_names_the_network(factory: &impl StoreFactory) {
    for _ in 0..2 {
        let store = factory.open(Network::Preview, WRITE).await.unwrap();
        assert_eq!(store.network().await.unwrap(), Some(Network::Preview));
        factory.close(store).await;
    }
    let store = factory.open(Network::Preview, Access::Read).await.unwrap();
    assert_eq!(store.network().await.unwrap(), Some(Network::Preview));
    factory.close(store).await;
}

/// An opening that writes and does not migrate names the network too; the name is there when the store is opened again.
pub async fn opening_without_migrating_names_the_network(factory: &impl StoreFactory) {
    let store = factory
        .open(Network::Preprod, Access::Write { migrate: false })
        .await
        .unwrap();
    assert_eq!(store.network().await.unwrap(), Some(Network::Preprod));
    factory.close(store).await;
    for access in [WRITE, Access::Read] {
        let store = factory.open(Network::Preprod, access).await.unwrap();
        assert_eq!(store.network().await.unwrap(), Some(Network::Preprod));
        factory.close(store).await;
    }
}

/// Opening a store of mainnet with another network is refused, naming both, to write and to read, and nothing is changed.
pub async fn another_network_is_refused_naming_both(factory: &impl StoreFactory) {
    is_of_no_other_network(factory, Network::Mainnet).await;
}

/// Opening a store of preprod with another network is refused.
pub async fn another_network_than_preprod_is_refused(factory: &impl StoreFactory) {
    is_of_no_other_network(factory, Network::Preprod).await;
}

/// Opening a store of preview with another network is refused.
pub async fn another_network_than_preview_is_refused(factory: &impl StoreFactory) {
    is_of_no_other_network(factory, Network::Preview).await;
}

/// Opening a store of a custom network with another one is refused.
pub async fn another_network_than_custom_is_refused(factory: &impl StoreFactory) {
    is_of_no_other_network(factory, Network::Custom).await;
}

/// A store that is filled as one of this network can be opened as one of no other, in no way; and as one of this, in every way.
async fn is_of_no_other_network(factory: &impl StoreFactory, network: Network) {
    let accesses = [WRITE, Access::Write { migrate: false }, Access::Read];
    let store = factory.open(network, WRITE).await.unwrap();
    append(&store, &blocks([1, 2])).await;
    let before = observe(&store).await;
    factory.close(store).await;
    for access in accesses {
        for other in Network::ALL.into_iter().filter(|other| *other != network) {
            match factory.open(other, access).await {
                Err(StorageError::WrongNetwork { stored, requested }) => {
                    assert_eq!((stored, requested), (network, other), "{access:?}");
                }
                Err(error) => panic!("not WrongNetwork: {error}"),
                Ok(_) => panic!("a store of {network} was opened as one of {other}, {access:?}"),
            }
        }
        let store = factory.open(network, access).await.unwrap();
        assert_eq!(store.network().await.unwrap(), Some(network), "{access:?}");
        assert_answers(&store, &before).await;
        factory.close(store).await;
    }
}

/// Opened to read before anybody wrote, a store has no network and is an empty store.
pub async fn store_that_nobody_wrote_is_an_empty_store_to_readers(factory: &impl StoreFactory) {
    // Of any network: there is none to contradict.
    for network in Network::ALL {
        let store = factory.open(network, Access::Read).await.unwrap();
        assert_eq!(store.network().await.unwrap(), None);
        assert_eq!(store.cursor().await.unwrap(), None);
        assert_eq!(store.bound().await.unwrap(), LedgerBound::default());
        assert_eq!(store.indexer_state().await.unwrap(), IndexerState::default());
        assert_eq!(store.operations_after(None, limit(1)).await.unwrap(), vec![]);
        assert_eq!(store.listed_dids_after(None, limit(1)).await.unwrap(), vec![]);
        assert_eq!(store.operations_of_did(&did(1), None, limit(1)).await.unwrap(), vec![]);
        assert_eq!(store.storage_owners(&[storage_hash(1)]).await.unwrap(), vec![]);
        factory.close(store).await;
    }
    let store = open(factory).await;
    assert_eq!(store.network().await.unwrap(), Some(NETWORK));
}

/// Opened to read, every write is refused as `ReadOnly` and changes nothing, also one that would have no effect.
pub async fn store_opened_to_read_refuses_writes(factory: &impl StoreFactory) {
    let writer = open(factory).await;
    let all = blocks([1, 2]);
    append(&writer, &all[..1]).await;
    let before = observe(&writer).await;
    let reader = open_read_only(factory).await;
    let cursor_of_both = cursor_after(&all);
    let refusals = [
        deliver(&reader, &all, cursor_of_both).await.map(drop),
        deliver(&reader, &all[..1], cursor_after(&all[..1])).await.map(drop),
        deliver(&reader, &[], cursor(0, 0)).await.map(drop),
        move_cursor(&reader, cursor_of_both).await,
        reader.index(&[ignored(position(1, 2, 0))]).await.map(drop),
        reader.index(&[]).await.map(drop),
    ];
    for (number, refusal) in refusals.into_iter().enumerate() {
        assert!(
            matches!(refusal, Err(StorageError::ReadOnly)),
            "write {number}: {refusal:?}"
        );
    }
    assert_answers(&writer, &before).await;
    assert_answers(&reader, &before).await;
    assert_eq!(
        append(&writer, &all).await,
        Appended {
            blocks: 1,
            operations: 5
        }
    );
}

/// A store opened to read before anybody wrote sees the network and the content that come later.
pub async fn reader_that_came_first_sees_what_is_written_later(factory: &impl StoreFactory) {
    let reader = open_read_only(factory).await;
    assert_eq!(reader.network().await.unwrap(), None);
    let writer = open(factory).await;
    assert_eq!(reader.network().await.unwrap(), Some(NETWORK));
    append(&writer, &blocks([1, 2])).await;
    assert_answers(&reader, &observe(&writer).await).await;
    assert_eq!(reader.bound().await.unwrap().operations, 10);
}

/// A store opened to read sees what the one that writes has written, whole, as soon as that call has ended.
pub async fn reader_sees_what_a_writer_has_written(factory: &impl StoreFactory) {
    let writer = open(factory).await;
    let reader = open_read_only(factory).await;
    let all = blocks([1, 2, 3]);
    for block in &all {
        append(&writer, std::slice::from_ref(block)).await;
        assert_answers(&reader, &observe(&writer).await).await;
    }
    assert_eq!(reader.bound().await.unwrap().operations, 15);
}
