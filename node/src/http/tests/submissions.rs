//! Submissions.

use axum::body::Body;
use axum::http::{Method, StatusCode};
use data_encoding::{HEXLOWER, HEXUPPER};
use did_prism::envelope::encode_object;
use prism_fixtures::message::service;
use prism_fixtures::{Identity, Signed};
use serde_json::json;

use super::support::{TestApi, get, post_json, send, with_held_index, with_ledger};

const OPERATIONS: &str = "/api/submissions/signed-operations";
const OBJECTS: &str = "/api/submissions/objects";

fn operations() -> (Identity, [Signed; 2]) {
    let mut identity = Identity::new(5, 1);
    let create = identity.create();
    let update = identity.add_service(service("s", "LinkedDomains", "https://example.com"));
    (identity, [create, update])
}

#[tokio::test]
async fn submitted_operations_are_resolved_by_the_next_request() {
    with_ledger(async |router| {
        let (identity, [create, update]) = operations();
        let body = json!({"signed_operations": [HEXLOWER.encode(&create.bytes), HEXUPPER.encode(&update.bytes)]});
        let answer = post_json(&router, OPERATIONS, body.to_string()).await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        let submitted = answer.json();
        assert_eq!(
            submitted["operation_ids"],
            json!([create.id().to_string(), update.id().to_string()])
        );
        let tx_id = submitted["tx_id"].as_str().unwrap();
        let transaction = get(&router, &format!("/api/transactions/{tx_id}")).await.json();
        assert_eq!(transaction["operation_count"], 2);
        let document = get(&router, &format!("/1.0/identifiers/{}", identity.did()))
            .await
            .json();
        assert_eq!(document["service"].as_array().unwrap().len(), 1);
    })
    .await;
}

/// As a client sees it that asks for its operation before the submission is answered.
#[tokio::test]
async fn a_submitted_operation_is_pending_and_then_applied() {
    with_held_index(async |router, index| {
        let (_, [create, _]) = operations();
        let path = format!("/api/operations/{}", create.id());
        get(&router, &path).await.problem(StatusCode::NOT_FOUND);
        let body = json!({"signed_operations": [HEXLOWER.encode(&create.bytes)]}).to_string();
        let submitting = post_json(&router, OPERATIONS, body);
        let polling = async {
            index.stored.notified().await;
            let pending = get(&router, &path).await.json();
            assert_eq!(pending["status"], "pending");
            let unconfirmed = get(&router, &format!("{path}?confirmed=true")).await;
            unconfirmed.problem(StatusCode::NOT_FOUND);
            assert!(unconfirmed.header("retry-after").parse::<u64>().is_ok());
            index.begin.notify_one();
        };
        let (submitted, ()) = tokio::join!(submitting, polling);
        assert_eq!(submitted.status, StatusCode::OK, "{}", submitted.text());
        let applied = get(&router, &format!("{path}?confirmed=true")).await.json();
        assert_eq!(
            (&applied["status"], &applied["reason"]),
            (&json!("applied"), &json!(null))
        );
    })
    .await;
}

// edge-cases.md#h14
#[tokio::test]
async fn a_submitted_object_is_published_in_its_order() {
    with_ledger(async |router| {
        let (_, [create, update]) = operations();
        let object = encode_object(&[create.bytes.clone(), update.bytes.clone()]);
        let answer = post_json(
            &router,
            OBJECTS,
            json!({"object": HEXLOWER.encode(&object)}).to_string(),
        )
        .await;
        assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
        assert_eq!(
            answer.json()["operation_ids"],
            json!([create.id().to_string(), update.id().to_string()])
        );
    })
    .await;
}

// edge-cases.md#h14
#[tokio::test]
async fn what_is_no_submission_is_400_and_publishes_nothing() {
    with_ledger(async |router| {
        let (_, [create, _]) = operations();
        let valid = HEXLOWER.encode(&create.bytes);
        for body in [
            json!({"signed_operations": []}).to_string(),
            json!({"signed_operations": [valid, "ff"]}).to_string(),
            json!({"signed_operations": [valid, "xyz"]}).to_string(),
            json!({"signed_operations": [valid, "0"]}).to_string(),
            json!({"signed_operations": [1]}).to_string(),
            json!({"signed_operations": valid}).to_string(),
            json!({"object": valid}).to_string(),
            "{".to_owned(),
            String::new(),
            "null".to_owned(),
        ] {
            let answer = post_json(&router, OPERATIONS, body).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
        for object in ["", "ff", "xyz"] {
            let answer = post_json(&router, OBJECTS, json!({"object": object}).to_string()).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
        let stats = get(&router, "/api/indexer-stats").await.json();
        assert_eq!(stats["last_prism_block_number"], json!(null));
    })
    .await;
}

#[tokio::test]
async fn the_problem_names_the_operation_that_is_malformed() {
    with_ledger(async |router| {
        let (_, [create, _]) = operations();
        let valid = HEXLOWER.encode(&create.bytes);
        let answer = post_json(
            &router,
            OPERATIONS,
            json!({"signed_operations": [valid, "0x12"]}).to_string(),
        )
        .await;
        let detail = answer.problem(StatusCode::BAD_REQUEST);
        assert!(
            detail.starts_with("signed_operations[1] is not hexadecimal"),
            "{detail}"
        );
        let answer = post_json(
            &router,
            OPERATIONS,
            json!({"signed_operations": [valid, "ff"]}).to_string(),
        )
        .await;
        let detail = answer.problem(StatusCode::BAD_REQUEST);
        assert!(detail.contains("operation 1"), "{detail}");
    })
    .await;
}

#[tokio::test]
async fn bodies_that_are_too_long_or_no_json_are_refused() {
    with_ledger(async |router| {
        let long = format!(r#"{{"signed_operations":["{}"]}}"#, "0".repeat(4 * 1024 * 1024));
        let answer = post_json(&router, OPERATIONS, long).await;
        answer.problem(StatusCode::PAYLOAD_TOO_LARGE);
        let body = Body::from(r#"{"signed_operations":[]}"#);
        let answer = send(
            &router,
            Method::POST,
            OPERATIONS,
            &[("content-type", "text/plain")],
            body,
        )
        .await;
        answer.problem(StatusCode::UNSUPPORTED_MEDIA_TYPE);
        let answer = get(&router, OPERATIONS).await;
        answer.problem(StatusCode::METHOD_NOT_ALLOWED);
        assert_eq!(answer.header("allow"), "POST");
    })
    .await;
}

#[tokio::test]
async fn a_node_without_a_ledger_of_its_own_says_so() {
    let api = TestApi::empty().await;
    for path in [OPERATIONS, OBJECTS] {
        for body in ["{}", ""] {
            let detail = api.post_json(path, body).await.problem(StatusCode::NOT_FOUND);
            assert!(detail.contains("runs as indexer and publishes nothing"), "{detail}");
        }
    }
}
