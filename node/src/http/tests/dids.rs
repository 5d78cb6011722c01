//! The listing of DIDs, their operations, and their state as a message.

use axum::http::StatusCode;
use did_prism::proto::DidData;
use prism_fixtures::message::service;
use prism_fixtures::{Identity, Signed, assemble, block};
use prost::Message;
use serde_json::{Value, json};

use super::support::{TestApi, get, long_form, without_storage};

const UNKNOWN: &str = "did:prism:9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b";

fn names(page: &Value) -> Vec<&str> {
    let items = page["items"].as_array().unwrap().iter();
    items.map(|item| item["did"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn dids_are_listed_page_by_page_in_the_order_of_their_creation() {
    let identities: Vec<_> = (0..5).map(|index| Identity::new(2, index)).collect();
    let dids: Vec<_> = identities.iter().map(Identity::did).collect();
    let api = TestApi::with_operations(&identities.iter().map(Identity::create).collect::<Vec<_>>()).await;
    let all = api.get("/api/dids").await.json();
    assert_eq!(names(&all), dids);
    assert_eq!(all["next"], Value::Null);
    assert_eq!(
        all["items"][2],
        json!({"did": dids[2], "block_number": 3, "absn": 0, "osn": 0})
    );

    let mut listed = Vec::new();
    let mut uri = "/api/dids?limit=2".to_owned();
    loop {
        let page = api.get(&uri).await.json();
        listed.extend(names(&page).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(names(&page).len(), 2);
        uri = format!("/api/dids?limit=2&after={next}");
    }
    assert_eq!(listed, dids);
    // A page that ends with the listing has nothing behind it.
    assert_eq!(api.get("/api/dids?limit=5").await.json()["next"], Value::Null);
}

#[tokio::test]
async fn a_did_without_a_valid_create_is_not_listed() {
    let mut never_created = Identity::new(2, 1);
    let update = never_created.add_service(service("s", "LinkedDomains", "https://example.com"));
    let badly_signed = assemble(&Identity::new(2, 2).create_operation(), "master0", vec![1]);
    let api = TestApi::with_operations([&update, &badly_signed]).await;
    assert_eq!(api.get("/api/dids").await.json(), json!({"items": [], "next": null}));
    let answer = api.get(&format!("/api/dids?after={}", never_created.did())).await;
    let detail = answer.problem(StatusCode::BAD_REQUEST);
    assert!(detail.contains("is not listed"), "{detail}");
}

#[tokio::test]
async fn malformed_page_queries_are_400() {
    let identity = Identity::new(2, 1);
    let api = TestApi::with_operations([&identity.create()]).await;
    let of_did = format!("/api/dids/{}/operations", identity.did());
    for path in ["/api/dids", &of_did] {
        for query in [
            "limit=0",
            "limit=1001",
            "limit=-1",
            "limit=many",
            "limit=18446744073709551616",
            "limit=1&limit=2",
            "page=2",
            "after=",
            "after=1",
            "after=1:2:3:4",
            "after=1:+2:3",
            "after=9223372036854775808:0:0",
            "after=1:2147483648:0",
        ] {
            api.get(&format!("{path}?{query}"))
                .await
                .problem(StatusCode::BAD_REQUEST);
        }
        assert_eq!(api.get(&format!("{path}?limit=1000")).await.status, StatusCode::OK);
    }
}

fn history() -> (Identity, Vec<Signed>) {
    let mut identity = Identity::new(2, 1);
    let operations = vec![
        identity.create(),
        identity.add_service(service("s", "LinkedDomains", "https://example.com")),
        identity.create_entry(b"data"),
        identity.deactivate(),
    ];
    (identity, operations)
}

#[tokio::test]
async fn the_operations_of_a_did_are_listed_in_ledger_order() {
    let (identity, operations) = history();
    let ids: Vec<_> = operations.iter().map(|signed| signed.id().to_string()).collect();
    let api = TestApi::with_operations(&operations).await;
    let path = format!("/api/dids/{}/operations", identity.did());
    let mut listed = Vec::new();
    let mut uri = format!("{path}?limit=3");
    loop {
        let page = api.get(&uri).await.json();
        let items = page["items"].as_array().unwrap().clone();
        listed.extend(
            items
                .iter()
                .map(|item| item["operation_id"].as_str().unwrap().to_owned()),
        );
        let Some(next) = page["next"].as_str() else { break };
        assert_eq!(next, "3:0:0");
        uri = format!("{path}?limit=3&after={next}");
    }
    assert_eq!(listed, ids);
    assert_eq!(
        api.get(&format!("{path}?after=9:0:0")).await.json(),
        json!({"items": [], "next": null})
    );
}

#[tokio::test]
async fn an_operation_of_a_did_says_where_it_stands() {
    let (identity, operations) = history();
    let api = TestApi::with_operations(&operations).await;
    let long = long_form(&identity.create_operation());
    let page = api
        .get(&format!("/api/dids/{long}/operations?after=1:0:0&limit=1"))
        .await
        .json();
    let item = &page["items"][0];
    assert_eq!(
        *item,
        json!({
            "operation_id": operations[1].id().to_string(),
            "tx_id": item["tx_id"],
            "position": "2:0:0",
            "slot_number": 40,
            "block_number": 2,
            "block_hash": item["block_hash"],
            "block_timestamp": "2020-09-13T12:27:20Z",
            "absn": 0,
            "osn": 0,
            "signed_operation_data": data_encoding::HEXLOWER.encode(&operations[1].bytes),
            "did": identity.did(),
            "operation_hash": operations[1].hash.to_string(),
            "status": "applied",
            "rule": null,
            "reason": null,
        })
    );
}

#[tokio::test]
async fn the_operations_of_an_unknown_did_are_404() {
    let api = TestApi::empty().await;
    for query in ["", "?after=1:0:0"] {
        let answer = api.get(&format!("/api/dids/{UNKNOWN}/operations{query}")).await;
        let detail = answer.problem(StatusCode::NOT_FOUND);
        assert!(detail.contains(UNKNOWN), "{detail}");
    }
}

async fn did_data(api: &TestApi, did: &str) -> DidData {
    let answer = api.get(&format!("/api/dids/{did}/protobuf")).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.content_type(), "text/plain; charset=utf-8");
    let bytes = data_encoding::HEXLOWER.decode(answer.text().as_bytes()).unwrap();
    DidData::decode(bytes.as_slice()).unwrap()
}

#[tokio::test]
async fn the_state_of_a_did_is_served_as_a_message() {
    let (identity, operations) = history();
    let api = TestApi::with_operations(&operations[..3]).await;
    let data = did_data(&api, &identity.did()).await;
    assert_eq!(data.id, identity.suffix().to_string());
    assert_eq!(
        (data.public_keys.len(), data.services.len(), data.storage_data.len()),
        (4, 1, 1)
    );
}

// edge-cases.md#d6
#[tokio::test]
async fn the_message_of_a_deactivated_did_is_empty() {
    let (identity, operations) = history();
    let api = TestApi::with_operations(&operations).await;
    for did in [identity.did(), long_form(&identity.create_operation())] {
        let data = did_data(&api, &did).await;
        assert_eq!(
            data,
            DidData {
                id: identity.suffix().to_string(),
                ..DidData::default()
            }
        );
    }
}

#[tokio::test]
async fn the_message_of_an_unpublished_did_is_what_its_long_form_carries() {
    let identity = Identity::new(2, 1);
    let api = TestApi::empty().await;
    let data = did_data(&api, &long_form(&identity.create_operation())).await;
    assert_eq!(data.public_keys.len(), 4);
    let answer = api.get(&format!("/api/dids/{}/protobuf", identity.did())).await;
    answer.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn dids_that_are_none_are_refused_with_problem_details() {
    let api = TestApi::empty().await;
    for route in ["protobuf", "operations"] {
        for did in ["not-a-did", "did:prism:xyz", "%FF", &format!("{UNKNOWN}%23key")] {
            let answer = api.get(&format!("/api/dids/{did}/{route}")).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
        let answer = api.get(&format!("/api/dids/did:web:example.com/{route}")).await;
        answer.problem(StatusCode::NOT_IMPLEMENTED);
    }
}

#[tokio::test]
async fn before_the_database_is_there_every_look_up_is_503() {
    let router = without_storage();
    let hash = "0".repeat(64);
    for path in [
        "/api/dids".to_owned(),
        format!("/api/dids/{UNKNOWN}/operations"),
        format!("/api/dids/{UNKNOWN}/protobuf"),
        format!("/api/transactions/{hash}"),
        format!("/api/operations/{hash}"),
        format!("/api/vdr-data/{hash}"),
        format!("/api/vdr-data/{hash}/metadata"),
        "/api/indexer-stats".to_owned(),
    ] {
        get(&router, &path).await.problem(StatusCode::SERVICE_UNAVAILABLE);
    }
}

#[tokio::test]
async fn what_is_stored_and_not_indexed_is_not_listed() {
    let identity = Identity::new(2, 1);
    let api = TestApi::empty().await;
    api.append(&[block(2, 1, 20, [[identity.create().bytes]])]).await;
    assert_eq!(names(&api.get("/api/dids").await.json()), Vec::<&str>::new());
    let answer = api.get(&format!("/api/dids/{}/operations", identity.did())).await;
    answer.problem(StatusCode::NOT_FOUND);
}
