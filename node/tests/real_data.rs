//! The real ledgers, where `PRISM_REAL_DATA` says where they are.

mod common;

use std::path::PathBuf;

use common::{Content, Database, run};
use node_storage::contract::{Access, Network};
use node_storage::{DbBackend, NodeStorageBackend};
use rstest::rstest;

#[rstest]
#[tokio::test]
async fn real_data_is_synced_and_indexed_and_syncing_again_changes_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
    #[values(Network::Mainnet, Network::Preprod)] network: Network,
) {
    let Some(directory) = std::env::var_os("PRISM_REAL_DATA").map(PathBuf::from) else {
        return;
    };
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let ledger = directory.join(format!("ledger-{network}.jsonl"));
    let transactions: serde_json::Value =
        serde_json::from_slice(&std::fs::read(directory.join("expected_states.json")).unwrap()).unwrap();
    let mut contents = Vec::new();
    for _ in 0..2 {
        let mut command = database.node(&[
            "indexer",
            "--port",
            "0",
            "--network",
            network.name(),
            "--exit-when-synced",
        ]);
        command.args(["--dlt-source", "file", "--ledger-file"]).arg(&ledger);
        let outcome = run(command);
        assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
        let store = NodeStorageBackend::connect(&database.config(network), Access::Read)
            .await
            .unwrap();
        contents.push(Content::read(&store).await);
    }
    let [once, twice] = contents.as_slice() else {
        panic!("two runs")
    };
    assert_eq!(once, twice);
    assert!(once.state.is_complete());
    assert_eq!(once.network, Some(network));
    let expected = transactions.to_string();
    assert!(!once.listed.is_empty());
    for listed in &once.listed {
        assert!(expected.contains(&listed.did.to_string()), "{} is expected", listed.did);
    }
}
