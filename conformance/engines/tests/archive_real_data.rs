//! Real ledgers move from one engine to the other and back: the same bytes, the same root, and every DID resolves alike.
#![allow(
    clippy::unwrap_used,
    clippy::panic,
    reason = "a file that is not as described fails the test"
)]

use std::io::Cursor as Bytes;

use did_prism::did::PrismDid;
use did_prism::document::DocumentStyle;
use did_prism::resolution::Version;
use engine_tests::database::Database;
use engine_tests::real_data::{blocks, text, text_of};
use node_service::index::index_all;
use node_service::resolver::DidResolver;
use node_storage::contract::{Access, Cursor, Network};
use node_storage::{DbBackend, NodeStorageBackend};
use node_storage_archive::{Archives, BackupOptions, Compression, Input, backup, restore, root};
use node_storage_conformance::deliver;
use rstest::rstest;
use serde_json::{Value, json};

async fn archive_of(store: &NodeStorageBackend, network: Network, compression: Compression) -> Vec<u8> {
    let options = BackupOptions {
        network,
        compression,
        base: None,
        progress: None,
    };
    backup(store, Vec::new(), options).await.unwrap().1
}

async fn restored(database: &Database, network: Network, archive: &[u8]) -> NodeStorageBackend {
    let store = database.open(network, Access::Write { migrate: true }).await.unwrap();
    let input = Input {
        name: "the archive".to_owned(),
        bytes: Box::new(Bytes::new(archive.to_vec())),
    };
    let archives = Archives::open(input, Vec::new()).await.unwrap();
    restore(archives, &store, network, None).await.unwrap();
    index_all(&store).await.unwrap();
    store
}

/// What the store says of every DID that is known, as text, so that the order of members counts.
async fn resolutions(store: &NodeStorageBackend, states: &[Value]) -> Vec<String> {
    let resolver = DidResolver::new(store.clone());
    let mut resolutions = Vec::new();
    for state in states {
        let did: PrismDid = text(&state["did"]).parse().unwrap();
        for (style, member) in [
            (DocumentStyle::Spec, "did_document_spec_context"),
            (DocumentStyle::Minimal, "did_document_minimal_context"),
        ] {
            let resolution = resolver.resolve(&did, Version::Latest, style).await.unwrap();
            let document = json!(resolution.document);
            assert_eq!(document, state[member], "{did}");
            resolutions.push(format!("{document} {:?}", resolution.metadata));
        }
    }
    resolutions
}

#[rstest]
#[case::sqlite_to_postgres(DbBackend::Sqlite, DbBackend::Postgres)]
#[case::postgres_to_sqlite(DbBackend::Postgres, DbBackend::Sqlite)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn real_data_moves_to_the_other_engine_and_back(#[case] from: DbBackend, #[case] to: DbBackend) {
    let Some(states) = text_of("expected_states.json") else {
        return;
    };
    let states: Vec<Value> = serde_json::from_str(&states).unwrap();
    for network in [Network::Mainnet, Network::Preprod] {
        let states: Vec<_> = states
            .iter()
            .filter(|state| state["network"] == network.name())
            .cloned()
            .collect();
        assert!(!states.is_empty());
        let (Some(first), Some(second)) = (Database::migrated(from).await, Database::migrated(to).await) else {
            return;
        };
        let original = first.open(network, Access::Write { migrate: true }).await.unwrap();
        let blocks = blocks(network).unwrap();
        let cursor = Cursor::at(&blocks.last().unwrap().into());
        deliver(&original, &blocks, cursor).await.unwrap();
        index_all(&original).await.unwrap();
        let plain = archive_of(&original, network, Compression::None).await;

        let moved = restored(
            &second,
            network,
            &archive_of(&original, network, Compression::Zstd).await,
        )
        .await;
        assert!(archive_of(&moved, network, Compression::None).await == plain);
        let roots = [
            root(&original, None).await.unwrap().root(network),
            root(&moved, None).await.unwrap().root(network),
        ];
        assert_eq!(roots[0], roots[1]);
        assert_eq!(
            resolutions(&moved, &states).await,
            resolutions(&original, &states).await
        );

        let third = Database::migrated(from).await.unwrap();
        let back = restored(&third, network, &plain).await;
        assert!(archive_of(&back, network, Compression::None).await == plain);
        assert_eq!(resolutions(&back, &states).await, resolutions(&original, &states).await);
    }
}
