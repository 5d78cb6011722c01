//! Transactions and operations.

use axum::http::StatusCode;
use did_prism::digest::OperationHash;
use did_prism::ledger::OperationBytes;
use did_prism::rule::Rule;
use node_service::index::index_all;
use node_storage::contract::{IndexEntry, IndexOutcome, PageLimit};
use node_storage::{IndexedOperationRepo, RawOperationRepo};
use prism_fixtures::{Identity, block, message, transaction_id};
use serde_json::{Value, json};

use super::support::TestApi;
use crate::http::openapi;

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
    let none = |status: &str, rule: Value, reason: Value| json!({"did": null, "operation_hash": null, "status": status, "rule": rule, "reason": reason});

    let pending = api.get(&format!("/api/transactions/{id}")).await.json();
    assert_eq!(
        pending["operations"],
        expected([
            none("pending", Value::Null, Value::Null),
            none("pending", Value::Null, Value::Null),
            none("pending", Value::Null, Value::Null)
        ])
    );

    index_all(&api.storage).await.unwrap();
    let transaction = api.get(&format!("/api/transactions/{id}")).await.json();
    let undecodable = transaction["operations"][2]["reason"].clone();
    let detail = undecodable.as_str().unwrap();
    assert!(detail.starts_with("not a SignedPrismOperation"), "{detail}");
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
                    "status": "applied",
                    "rule": null,
                    "reason": null,
                }),
                none("ignored", json!("protocol_version_update"), json!("protocol version update")),
                none("undecodable", json!("undecodable"), undecodable),
            ]),
            "next": null,
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
    assert_eq!(
        (&operation["status"], &operation["reason"]),
        (&json!("applied"), &Value::Null)
    );
}

/// Status of each of these operations of a list, and the name of the rule that it broke.
fn outcomes(operations: &Value) -> Vec<(&str, Option<&str>)> {
    let operations = operations.as_array().unwrap().iter();
    operations
        .map(|operation| (operation["status"].as_str().unwrap(), operation["rule"].as_str()))
        .collect()
}

/// edge-cases.md#h19: the update before its create, after it, and once more.
#[tokio::test]
async fn each_occurrence_of_an_operation_has_a_status_of_its_own() {
    let mut identity = Identity::new(3, 1);
    let (create, update) = (identity.create(), identity.rotate_key());
    let api = TestApi::with_operations([&update, &create, &update, &update, &create]).await;
    let of_did = format!("/api/dids/{}/operations", identity.did());
    let expected = [
        ("no_effect", Some("not_created")),
        ("applied", None),
        ("applied", None),
        ("no_effect", Some("previous_operation_hash")),
        ("no_effect", Some("already_created")),
    ];
    assert_eq!(outcomes(&api.get(&of_did).await.json()["items"]), expected);
    // A page is judged against what stands before it.
    for (index, expected) in expected.iter().enumerate() {
        let after = if index == 0 {
            String::new()
        } else {
            format!("&after={index}:0:0")
        };
        let page = api.get(&format!("{of_did}?limit=1{after}")).await.json();
        assert_eq!(outcomes(&page["items"]), [*expected], "{index}");
    }
    // By its id, it is the first one.
    let first = api.get(&format!("/api/operations/{}", update.id())).await.json();
    assert_eq!(first["position"], "1:0:0");
    assert_eq!(
        (&first["rule"], &first["reason"]),
        (&json!("not_created"), &json!("DID was not created before"))
    );
}

#[tokio::test]
async fn the_operations_of_a_transaction_are_judged_in_their_order_whichever_dids_they_are_of() {
    let mut first = Identity::new(3, 1);
    let mut second = Identity::new(3, 2);
    let operations = [
        first.create(),
        second.rotate_key(),
        first.create_entry(b"data"),
        second.create(),
        first.deactivate(),
        first.rotate_key(),
    ];
    let api = TestApi::with_blocks(&[block(3, 5, 100, [operations.map(|signed| signed.bytes)])]).await;
    let path = format!("/api/transactions/{}", transaction_id(3, 5, 0));
    assert_eq!(
        outcomes(&api.get(&path).await.json()["operations"]),
        [
            ("applied", None),
            ("no_effect", Some("not_created")),
            ("applied", None),
            ("applied", None),
            ("applied", None),
            ("no_effect", Some("deactivated")),
        ]
    );
}

/// The pages that a listing has from its first one on, each `next` followed.
async fn pages(api: &TestApi, path: &str, limit: usize) -> Vec<Value> {
    let mut pages: Vec<Value> = Vec::new();
    loop {
        let after = pages.last().and_then(|page| page["next"].as_str());
        let after = after.map_or_else(String::new, |after| format!("&after={after}"));
        let page = api.get(&format!("{path}?limit={limit}{after}")).await.json();
        let is_last = page["next"].is_null();
        pages.push(page);
        if is_last {
            return pages;
        }
    }
}

fn lengths(pages: &[Value], items: &str) -> Vec<usize> {
    pages.iter().map(|page| page[items].as_array().unwrap().len()).collect()
}

#[tokio::test]
async fn a_transaction_is_answered_in_pages_that_have_each_operation_once() {
    let operations: Vec<Vec<u8>> = (0..7_u8).map(|number| vec![number]).collect();
    let others = vec![vec![9]];
    let api = TestApi::with_blocks(&[block(3, 5, 100, [operations.clone(), others])]).await;
    let path = format!("/api/transactions/{}", transaction_id(3, 5, 0));
    for (limit, expected) in [(3, vec![3, 3, 1]), (7, vec![7]), (6, vec![6, 1]), (1000, vec![7])] {
        let pages = pages(&api, &path, limit).await;
        assert_eq!(lengths(&pages, "operations"), expected);
        let mut found = Vec::new();
        for page in &pages {
            assert_eq!(page["operation_count"], 7, "that of the whole transaction");
            assert_eq!((&page["block_number"], &page["absn"]), (&json!(5), &json!(0)));
            found.extend(page["operations"].as_array().unwrap().clone());
        }
        let found: Vec<_> = found
            .iter()
            .map(|one| one["signed_operation_data"].as_str().unwrap())
            .collect();
        assert_eq!(found, ["00", "01", "02", "03", "04", "05", "06"]);
    }
    // What stands above its last operation is not of it.
    let end = api.get(&format!("{path}?after=5:0:6")).await.json();
    assert_eq!((&end["operations"], &end["next"]), (&json!([]), &Value::Null));
    assert_eq!(end["operation_count"], 7);
    for wrong in ["limit=0", "limit=1001", "after=5", "offset=1"] {
        let answer = api.get(&format!("{path}?{wrong}")).await;
        answer.problem(StatusCode::BAD_REQUEST);
    }
}

/// 8 MiB of operations at a time, whatever their number: a page of a thousand of the longest would be a gibibyte.
#[tokio::test]
async fn pages_of_operations_end_at_a_number_of_bytes() {
    let identity = Identity::new(3, 1);
    let longest = |number: u8| vec![number; OperationBytes::MAX_LENGTH];
    let operations: Vec<Vec<u8>> = (0..19).map(longest).collect();
    let api = TestApi::empty().await;
    api.append(&[block(3, 5, 100, [operations])]).await;
    let stored = api.storage.published_after(None, PageLimit::MAX).await.unwrap();
    let entries: Vec<_> = stored
        .iter()
        .map(|record| IndexEntry {
            position: record.operation.position,
            outcome: IndexOutcome::Did {
                did: identity.suffix(),
                operation_hash: OperationHash::new(*record.id.as_bytes()),
                lists_did: false,
            },
        })
        .collect();
    api.storage.index(&entries).await.unwrap();
    let of_transaction = pages(&api, &format!("/api/transactions/{}", transaction_id(3, 5, 0)), 1000).await;
    assert_eq!(lengths(&of_transaction, "operations"), [8, 8, 3]);
    let of_did = pages(&api, &format!("/api/dids/{}/operations", identity.did()), 1000).await;
    assert_eq!(lengths(&of_did, "items"), [8, 8, 3]);
    // As many as fit are no reason to promise a further page.
    let last = api
        .get(&format!("/api/dids/{}/operations?after=5:0:10", identity.did()))
        .await
        .json();
    assert_eq!(lengths(std::slice::from_ref(&last), "items"), [8]);
    assert_eq!(last["next"], Value::Null);
}

/// The events of an entry stand among the operations of its owner, with the same statuses.
#[tokio::test]
async fn events_have_the_same_status_among_the_operations_of_their_owner_and_among_those_of_the_entry() {
    let mut owner = Identity::new(3, 1);
    let (create, entry) = (owner.create(), owner.create_entry(b"first"));
    let update = message::update_storage_entry(entry.hash.as_slice(), None);
    let refused = owner.sign(&update);
    let applied = owner.sign_storage(&update);
    let api = TestApi::with_operations([&create, &entry, &refused, &applied]).await;
    let expected = [
        ("applied", None),
        ("applied", None),
        ("no_effect", Some("signer_usage")),
        ("applied", None),
    ];
    let of_did = api.get(&format!("/api/dids/{}/operations", owner.did())).await.json();
    assert_eq!(outcomes(&of_did["items"]), expected);
    let events = api.get(&format!("/api/vdr-data/{}/events", entry.hash)).await.json();
    assert_eq!(outcomes(&events["items"]), expected[1..]);
    assert_eq!(events["items"][1]["took_effect"], false);
    assert_eq!(events["items"][1]["reason"], "signer is a MASTER key, VDR is needed");
}

// edge-cases.md#h20
#[tokio::test]
async fn a_client_that_takes_200_for_done_waits_for_the_index() {
    let identity = Identity::new(3, 1);
    let (create, bad) = (identity.create(), identity.sign(&message::empty()));
    let api = TestApi::empty().await;
    let path = format!("/api/operations/{}", create.id());
    // What is not there at all says nothing about when to ask again.
    let answer = api.get(&format!("{path}?confirmed=true")).await;
    answer.problem(StatusCode::NOT_FOUND);
    assert_eq!(answer.header("retry-after"), "");

    api.append(&[block(3, 1, 20, [[create.bytes.clone(), bad.bytes.clone()]])])
        .await;
    for query in ["", "?confirmed=false"] {
        let answer = api.get(&format!("{path}{query}")).await;
        assert_eq!(answer.status, StatusCode::OK);
        let pending = answer.json();
        assert_eq!(
            (&pending["status"], &pending["reason"]),
            (&json!("pending"), &Value::Null)
        );
    }
    let answer = api.get(&format!("{path}?confirmed=true")).await;
    let detail = answer.problem(StatusCode::NOT_FOUND);
    assert!(detail.contains("waits for being indexed"), "{detail}");
    assert_eq!(answer.header("retry-after"), "5");

    index_all(&api.storage).await.unwrap();
    let confirmed = api.get(&format!("{path}?confirmed=true")).await;
    assert_eq!(confirmed.status, StatusCode::OK);
    assert_eq!(confirmed.json(), api.get(&path).await.json());
    assert_eq!(confirmed.json()["status"], "applied");
    // What had no effect is done too.
    let answer = api.get(&format!("/api/operations/{}?confirmed=true", bad.id())).await;
    assert_eq!(
        (answer.status, &answer.json()["status"]),
        (StatusCode::OK, &json!("ignored"))
    );
}

// edge-cases.md#h20
#[tokio::test]
async fn a_query_that_an_operation_does_not_have_is_400() {
    let create = Identity::new(3, 1).create();
    let api = TestApi::with_operations([&create]).await;
    for query in [
        "confirm=true",
        "confirmed",
        "confirmed=1",
        "confirmed=true&confirmed=true",
    ] {
        let answer = api.get(&format!("/api/operations/{}?{query}", create.id())).await;
        answer.problem(StatusCode::BAD_REQUEST);
    }
}

#[test]
fn every_rule_is_described_with_its_sections() {
    let document = serde_json::to_value(openapi()).unwrap();
    let schema = &document["components"]["schemas"]["Outcome"]["properties"]["rule"];
    let tokens: Vec<_> = Rule::ALL.iter().map(|rule| Some(rule.token())).chain([None]).collect();
    assert_eq!(schema["enum"], json!(tokens));
    let description = schema["description"].as_str().unwrap();
    for line in [
        "\n- `undecodable`: The bytes are no signed operation. (protocol.md#decoding)\n",
        "\n- `no_master_key`: No MASTER key would be active. (protocol.md#create, protocol.md#update)\n",
    ] {
        assert!(description.contains(line), "{description}");
    }
    let operation = &document["paths"]["/api/operations/{operation_id}"]["get"];
    assert_eq!(operation["parameters"][1]["name"], "confirmed");
    assert!(operation["responses"]["404"]["headers"]["Retry-After"].is_object());
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
