//! The state of the node, the description of its API, and what has no route.

use std::collections::BTreeSet;

use axum::http::{Method, StatusCode};
use axum::response::IntoResponse;
use dlt_sources::contract::{Tip, TipSender};
use node_service::sync::{SyncPhase, SyncProgress};
use prism_fixtures::{Identity, block};
use serde_json::{Value, json};
use tokio::sync::watch;

use super::support::{TestApi, get, without_storage};
use crate::http::problem::Problem;
use crate::http::{SyncWatch, openapi};
use crate::writer::WriterState;

/// Every route, as the documentation lists them.
const ROUTES: [(&str, &str); 20] = [
    ("get", "/1.0/identifiers/{did}"),
    ("get", "/api/1.0/identifiers/{did}"),
    ("get", "/api/_system/health"),
    ("get", "/api/_system/metadata"),
    ("get", "/api/_system/status"),
    ("get", "/api/dids"),
    ("get", "/api/dids/{did}"),
    ("get", "/api/dids/{did}/operations"),
    ("get", "/api/dids/{did}/protobuf"),
    ("get", "/api/indexer-stats"),
    ("get", "/api/operations/{operation_id}"),
    ("post", "/api/submissions/objects"),
    ("post", "/api/submissions/signed-operations"),
    ("get", "/api/transactions/{tx_id}"),
    ("get", "/api/vdr-data/{entry_hash}"),
    ("get", "/api/vdr-data/{entry_hash}/events"),
    ("get", "/api/vdr-data/{entry_hash}/metadata"),
    ("get", "/healthz"),
    ("get", "/openapi.json"),
    ("get", "/readyz"),
];

// edge-cases.md#h15
#[tokio::test]
async fn health_and_metadata_are_answered_without_a_database() {
    let router = without_storage();
    for path in ["/api/_system/health", "/healthz"] {
        let answer = get(&router, path).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, "Ok"));
    }
    let metadata = get(&router, "/api/_system/metadata").await;
    assert_eq!(
        metadata.json(),
        json!({"version": env!("CARGO_PKG_VERSION"), "mode": "resolver"})
    );
}

#[tokio::test]
async fn readiness_follows_the_database() {
    get(&without_storage(), "/readyz")
        .await
        .problem(StatusCode::SERVICE_UNAVAILABLE);
    let api = TestApi::empty().await;
    let answer = api.get("/readyz").await;
    assert_eq!((answer.status, answer.text()), (StatusCode::OK, "Ok"));
    api.storage.close().await;
    let problem = api.get("/readyz").await.problem(StatusCode::SERVICE_UNAVAILABLE);
    // The kind of fault, for anybody; what the driver says of it stands in the log.
    assert_eq!(problem, "the database is not available");
}

/// A node that reads a ledger, and what is said of it.
struct Watched {
    router: axum::Router,
    writer: watch::Sender<WriterState>,
    tips: TipSender,
    _progress: watch::Sender<SyncProgress>,
}

fn watched(api: &TestApi, max_lag: Option<u64>) -> Watched {
    let (writer, tips) = (watch::Sender::new(WriterState::Writing), TipSender::default());
    let progress = watch::Sender::new(SyncProgress {
        phase: SyncPhase::CaughtUp,
        ..SyncProgress::default()
    });
    let router = api.router_with(SyncWatch {
        progress: progress.subscribe(),
        heard: tips.subscribe(),
        writer: writer.subscribe(),
        max_lag,
    });
    Watched {
        router,
        writer,
        tips,
        _progress: progress,
    }
}

fn tip(block: u64) -> Tip {
    Tip {
        slot: (block * 20).try_into().unwrap(),
        block: block.try_into().unwrap(),
    }
}

#[tokio::test]
async fn status_tells_how_far_the_node_is_below_the_tip() {
    let api = TestApi::with_operations([&Identity::new(6, 1).create()]).await;
    let watched = watched(&api, None);
    let status = get(&watched.router, "/api/_system/status").await.json();
    assert_eq!(status["tip"], Value::Null);
    assert_eq!(status["lag"], Value::Null);
    assert_eq!(status["seconds_since_source_spoke"], Value::Null);
    watched.tips.tell(tip(113));
    let status = get(&watched.router, "/api/_system/status").await.json();
    let block = json!({"slot": 20, "block_number": 1, "block_hash": status["cursor"]["block_hash"]});
    let expected = json!({
        "mode": "indexer",
        "network": "custom",
        "cursor": block,
        "tip": {"slot": 2_260, "block_number": 113},
        "lag": {"blocks": 112, "seconds": 2_240},
        "watermark": {"block_number": 1, "absn": 0, "osn": 0},
        "last_indexed_block": block,
        "writer": "writing",
        "source": "caught_up",
        "seconds_since_source_spoke": 0,
    });
    assert_eq!(status, expected);
    // What was heard before another process took over is old.
    watched.writer.send_replace(WriterState::StandingBy);
    let status = get(&watched.router, "/api/_system/status").await.json();
    assert_eq!(
        (&status["tip"], &status["writer"], &status["source"]),
        (&Value::Null, &json!("standing_by"), &Value::Null)
    );
    let resolver = api.get("/api/_system/status").await.json();
    assert_eq!((&resolver["writer"], &resolver["cursor"]), (&Value::Null, &block));
}

#[tokio::test]
async fn a_node_that_lags_too_much_is_not_ready() {
    let api = TestApi::with_operations([&Identity::new(6, 1).create()]).await;
    let watched = watched(&api, Some(112));
    let unready = async || {
        let answer = get(&watched.router, "/readyz").await;
        answer.problem(StatusCode::SERVICE_UNAVAILABLE)
    };
    let detail = unready().await;
    assert!(detail.contains("has not said yet"), "{detail}");
    watched.tips.tell(tip(113));
    assert_eq!(get(&watched.router, "/readyz").await.status, StatusCode::OK);
    watched.tips.tell(tip(114));
    let detail = unready().await;
    assert!(
        detail.contains("113 blocks below") && detail.contains("--max-lag is 112"),
        "{detail}"
    );
    watched.writer.send_replace(WriterState::StandingBy);
    assert_eq!(get(&watched.router, "/readyz").await.status, StatusCode::OK);
}

// edge-cases.md#o22
#[tokio::test]
async fn stats_are_null_before_the_first_block_and_name_the_last_indexed_one_after() {
    let api = TestApi::empty().await;
    assert_eq!(
        api.get("/api/indexer-stats").await.json(),
        json!({"last_prism_slot_number": null, "last_prism_block_number": null})
    );
    let api = TestApi::with_operations([&Identity::new(6, 1).create()]).await;
    api.append(&[block(6, 2, 40, [[Identity::new(6, 2).create().bytes]])])
        .await;
    assert_eq!(
        api.get("/api/indexer-stats").await.json(),
        json!({"last_prism_slot_number": 20, "last_prism_block_number": 1})
    );
}

#[tokio::test]
async fn a_database_that_fails_is_a_problem_without_internals() {
    let api = TestApi::empty().await;
    api.storage.close().await;
    let answer = api.get("/api/indexer-stats").await;
    assert!(answer.status.is_server_error());
    let detail = answer.problem(answer.status);
    assert!(detail.starts_with("the database"), "{detail}");
    assert!(!detail.contains("pool"), "{detail}");
}

#[tokio::test]
async fn unknown_routes_and_methods_are_problems() {
    let api = TestApi::empty().await;
    for path in [
        "/",
        "/api",
        "/api/",
        "/1.0/properties",
        "/docs",
        "/api/transactions",
        "/api/vdr-data/",
    ] {
        api.get(path).await.problem(StatusCode::NOT_FOUND);
    }
    let answer = api.send(Method::DELETE, "/api/dids", &[]).await;
    answer.problem(StatusCode::METHOD_NOT_ALLOWED);
    assert_eq!(answer.header("allow"), "GET,HEAD");
}

#[tokio::test]
async fn a_panic_is_answered_without_its_words() {
    let response = Problem::of_panic(Box::new("password is hunter2")).into_response();
    assert_eq!(response.status(), StatusCode::INTERNAL_SERVER_ERROR);
    let body = axum::body::to_bytes(response.into_body(), usize::MAX).await.unwrap();
    let body: Value = serde_json::from_slice(&body).unwrap();
    assert_eq!(body["detail"], "the node failed on this request; its log says why");
}

#[test]
fn every_route_is_described() {
    let document = serde_json::to_value(openapi()).unwrap();
    let described: BTreeSet<_> = document["paths"]
        .as_object()
        .unwrap()
        .iter()
        .flat_map(|(path, item)| {
            let methods = item.as_object().unwrap().keys();
            methods.map(|method| (method.clone(), path.clone()))
        })
        .collect();
    let routes: BTreeSet<_> = ROUTES
        .iter()
        .map(|(method, path)| ((*method).to_owned(), (*path).to_owned()))
        .collect();
    assert_eq!(described, routes);
}

#[tokio::test]
async fn every_described_route_is_served() {
    let router = without_storage();
    for (method, path) in ROUTES {
        let path = path.replace(['{', '}'], "");
        let method = Method::from_bytes(method.to_uppercase().as_bytes()).unwrap();
        let answer = super::support::send(&router, method, &path, &[], axum::body::Body::empty()).await;
        assert!(
            !answer.text().contains("no such route") && answer.status != StatusCode::METHOD_NOT_ALLOWED,
            "{path}: {}",
            answer.text()
        );
    }
}

#[test]
fn the_description_is_the_same_each_time_and_its_operations_have_distinct_names() {
    let document = openapi();
    assert_eq!(document.to_json().unwrap(), openapi().to_json().unwrap());
    let document = serde_json::to_value(document).unwrap();
    let paths = document["paths"].as_object().unwrap();
    assert!(paths.keys().is_sorted());
    let schemas = document["components"]["schemas"].as_object().unwrap();
    assert!(schemas.keys().is_sorted() && schemas.contains_key("Problem"));
    let mut names = BTreeSet::new();
    for operation in paths.values().flat_map(|item| item.as_object().unwrap().values()) {
        assert!(names.insert(operation["operationId"].as_str().unwrap()), "{operation}");
        assert!(operation["summary"].is_string(), "{operation}");
    }
}

#[tokio::test]
async fn the_description_is_served() {
    let answer = get(&without_storage(), "/openapi.json").await;
    assert_eq!(
        (answer.status, answer.content_type()),
        (StatusCode::OK, "application/json")
    );
    assert_eq!(answer.json(), serde_json::to_value(openapi()).unwrap());
}
