//! Transactions and operations.

use axum::http::StatusCode;
use did_prism::ledger::OperationBytes;
use node_service::index::index_all;
use prism_fixtures::{Identity, block, message, transaction_id};
use serde_json::{Value, json};

use super::support::TestApi;

// edge-cases.md#h13
#[tokio::test]
async fn a_transaction_shows_all_of_its_operations_before_and_after_indexing() {
    let identity = Identity::new(3, 1);
    let create = identity.create();
    let version_update = identity.sign(&message::protocol_version_update("x", (2, 0), 1));
    let garbage = vec![0xff];
    let operations = [create.bytes.clone(), version_update.bytes.clone(), garbage.clone()];
    let api = TestApi::empty().await;
    api.append(&[block(3, 5, 100, [operations])]).await;
    let id = transaction_id(3, 5, 0);
    let hex = |bytes: &[u8]| data_encoding::HEXLOWER.encode(bytes);
    let operation_id = |bytes: &[u8]| OperationBytes::try_from(bytes.to_vec()).unwrap().id().to_string();
    let expected = |indexing: [Value; 3]| {
        let operations: Vec<_> = [&create.bytes, &version_update.bytes, &garbage]
            .into_iter()
            .zip(indexing)
            .enumerate()
            .map(|(osn, (bytes, mut indexing))| {
                indexing["osn"] = json!(osn);
                indexing["signed_operation_data"] = json!(hex(bytes));
                indexing["operation_id"] = json!(operation_id(bytes));
                indexing
            })
            .collect();
        json!(operations)
    };
    let none =
        |status: &str, reason: Value| json!({"did": null, "operation_hash": null, "status": status, "reason": reason});

    let pending = api.get(&format!("/api/transactions/{id}")).await.json();
    assert_eq!(
        pending["operations"],
        expected([
            none("pending", Value::Null),
            none("pending", Value::Null),
            none("pending", Value::Null)
        ])
    );

    index_all(&api.storage).await.unwrap();
    let transaction = api.get(&format!("/api/transactions/{id}")).await.json();
    let undecodable = transaction["operations"][2]["reason"].clone();
    assert!(undecodable.as_str().unwrap().starts_with("not a SignedPrismOperation"));
    assert_eq!(
        transaction,
        json!({
            "tx_id": id.to_string(),
            "operation_count": 3,
            "slot_number": 100,
            "block_number": 5,
            "block_hash": prism_fixtures::block_hash(3, 5).to_string(),
            "block_timestamp": "2020-09-13T12:28:20Z",
            "absn": 0,
            "operations": expected([
                json!({
                    "did": identity.did(),
                    "operation_hash": create.hash.to_string(),
                    "status": "indexed",
                    "reason": null,
                }),
                none("ignored", json!("protocol version update")),
                none("undecodable", undecodable),
            ]),
        })
    );
}

#[tokio::test]
async fn an_operation_is_found_by_its_id_where_it_was_published_first() {
    let identity = Identity::new(3, 1);
    let create = identity.create();
    let api = TestApi::with_operations([&create, &create]).await;
    let operation = api.get(&format!("/api/operations/{}", create.id())).await.json();
    assert_eq!(operation["operation_id"], create.id().to_string());
    assert_eq!(operation["position"], "1:0:0");
    assert_eq!(operation["did"], identity.did());
}

// edge-cases.md#h13
#[tokio::test]
async fn unknown_ids_are_404_and_malformed_ones_400() {
    let api = TestApi::empty().await;
    let id = "a".repeat(64);
    for route in ["transactions", "operations"] {
        let unknown = api.get(&format!("/api/{route}/{id}")).await;
        unknown.problem(StatusCode::NOT_FOUND);
        for wrong in [
            &id[1..],
            &id.to_uppercase(),
            &format!("0x{}", &id[2..]),
            &format!("{id}0"),
            "%FF",
        ] {
            let answer = api.get(&format!("/api/{route}/{wrong}")).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
    }
    let answer = api.get("/api/transactions/xyz").await;
    assert_eq!(
        answer.problem(StatusCode::BAD_REQUEST),
        "transaction id must be 64 lowercase hexadecimal digits"
    );
}
