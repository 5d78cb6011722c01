//! What became of operations, asked of a node by the ids of the operations.
#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod common;

use common::{Database, Running, http_with_head};
use node_service::index::index_all;
use node_storage::contract::{Access, Network};
use node_storage::{DbBackend, NodeStorageBackend};
use prism_fixtures::{Identity, Refused, Signed, block, refused};
use rstest::rstest;
use serde_json::{Value, json};

const SEED: u64 = 11;

/// Stores operations, each in a block of its own, as a ledger has them that a node has read and not yet indexed.
async fn store<'a>(database: &Database, operations: impl IntoIterator<Item = &'a Signed>) {
    let blocks: Vec<_> = (1..)
        .zip(operations)
        .map(|(number, signed)| block(SEED, number, number * 20, [[signed.bytes.clone()]]))
        .collect();
    database.append(&blocks).await;
}

async fn index(database: &Database) {
    let config = database.config(Network::Custom);
    let store = NodeStorageBackend::connect(&config, Access::Write { migrate: false })
        .await
        .unwrap();
    index_all(&store).await.unwrap();
    store.close().await;
}

fn resolver(database: &Database) -> Running {
    let node = Running::start(database.node(&["resolver", "--port", "0", "--network", "custom"]));
    node.wait_until_ready(200);
    node
}

fn get(node: &Running, path: &str) -> Value {
    let (status, body) = node.get(path);
    assert_eq!(status, 200, "{path}: {body}");
    serde_json::from_str(&body).unwrap()
}

// edge-cases.md#h18
#[rstest]
#[tokio::test]
async fn an_operation_without_effect_names_the_rule_that_refused_it(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let cases = refused(SEED);
    store(
        &database,
        cases
            .iter()
            .flat_map(|case| case.before.iter().chain([&case.operation])),
    )
    .await;
    index(&database).await;
    let node = resolver(&database);
    for Refused {
        rule,
        status,
        description,
        before,
        operation,
    } in &cases
    {
        for before in before {
            let answer = get(&node, &format!("/api/operations/{}", before.id()));
            assert_eq!(
                (&answer["status"], &answer["reason"]),
                (&json!("applied"), &Value::Null),
                "before {rule}, {description}"
            );
        }
        let answer = get(&node, &format!("/api/operations/{}", operation.id()));
        assert_eq!(answer["status"], *status, "{rule}, {description}");
        assert_eq!(answer["rule"], *rule, "{description}: {answer}");
        assert!(!answer["reason"].as_str().unwrap().is_empty(), "{rule}");
        // Among the operations of its DID it stands with the same, if it has one.
        let Some(did) = answer["did"].as_str() else {
            assert_ne!(*status, "no_effect", "{rule}, {description}");
            continue;
        };
        let list = get(&node, &format!("/api/dids/{did}/operations"));
        assert_eq!(list["items"].as_array().unwrap().last(), Some(&answer));
    }
}

// edge-cases.md#h20
#[rstest]
#[tokio::test]
async fn an_operation_is_confirmed_once_it_is_indexed(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::fresh(backend).await else {
        return;
    };
    let create = Identity::new(SEED, 1).create();
    store(&database, [&create]).await;
    let node = resolver(&database);
    let path = format!("/api/operations/{}", create.id());
    assert_eq!(get(&node, &path)["status"], "pending");
    let confirmed = format!("{path}?confirmed=true");
    let (status, head, body) = http_with_head(&node.address(), "GET", &confirmed, "");
    assert_eq!(status, 404, "{body}");
    let head = head.to_ascii_lowercase();
    assert!(head.contains("retry-after: 5"), "{head}");
    assert!(head.contains("content-type: application/problem+json"), "{head}");

    index(&database).await;
    assert_eq!(get(&node, &confirmed)["status"], "applied");
}
