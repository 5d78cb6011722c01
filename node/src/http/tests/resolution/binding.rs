//! The HTTP binding: forms, errors, options and methods.

use std::future::IntoFuture;

use axum::http::{Method, StatusCode};
use did_prism::proto::KeyUsage;
use prism_fixtures::TestKey;
use prism_fixtures::message::{self, service};
use prost::Message;
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use super::{History, RESULT, UNKNOWN, error, path, service_ids};
use crate::http::tests::support::{TestApi, get, long_form, percent_encoded, without_storage};

// edge-cases.md#h6
#[tokio::test]
async fn a_result_has_document_metadata_and_the_form_in_its_content_type() {
    let history = History::updated();
    let answer = history.published().await.get_as(&history.path(), RESULT).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.content_type(), RESULT);
    assert_eq!(answer.header("vary"), "Accept");
    let body = answer.json();
    assert_eq!(body.as_object().unwrap().len(), 3);
    assert_eq!(body["didResolutionMetadata"], json!({"contentType": "application/did"}));
    assert_eq!(body["didDocument"]["id"], history.identity.did());
    assert_eq!(service_ids(&body["didDocument"]), ["first", "second"]);
    // Without fraction, in UTC; no canonical id for a canonical form.
    assert_eq!(
        body["didDocumentMetadata"],
        json!({
            "created": prism_fixtures::block_time(20).to_string(),
            "updated": prism_fixtures::block_time(60).to_string(),
            "versionId": history.identity.last_hash().to_string(),
            "deactivated": false,
        })
    );
    assert_eq!(prism_fixtures::block_time(20).to_string(), "2020-09-13T12:27:00Z");
}

// edge-cases.md#h3, edge-cases.md#h6
#[tokio::test]
async fn the_document_alone_is_what_the_result_has_in_it() {
    let history = History::updated();
    let api = history.published().await;
    let result = api.get_as(&history.path(), RESULT).await.json();
    for accept in [
        "application/did",
        "application/did+json",
        "application/did+ld+json",
        "application/json",
        "application/ld+json",
    ] {
        let answer = api.get_as(&history.path(), accept).await;
        assert_eq!((answer.status, answer.content_type()), (StatusCode::OK, accept));
        assert_eq!(answer.header("vary"), "Accept");
        assert_eq!(answer.json(), result["didDocument"], "{accept}");
    }
    let profile = r#"application/ld+json;profile="https://w3id.org/did-resolution""#;
    let answer = api
        .get_as(&history.path(), &format!("{profile}, application/did"))
        .await;
    assert_eq!(answer.content_type(), profile);
    assert_eq!(answer.json(), result);
}

// edge-cases.md#h1
#[tokio::test]
async fn without_a_preference_the_document_is_sent() {
    let history = History::updated();
    let api = history.published().await;
    assert_eq!(api.get(&history.path()).await.content_type(), "application/did");
    for accept in ["*/*", "application/*", "text/html, application/xhtml+xml, */*;q=0.8"] {
        let answer = api.get_as(&history.path(), accept).await;
        assert_eq!(
            (answer.status, answer.content_type()),
            (StatusCode::OK, "application/did")
        );
    }
    let repeated = [
        ("accept", "text/html"),
        ("accept", "Application/DID-Resolution ; q=0.5"),
    ];
    let answer = api.send(Method::GET, &history.path(), &repeated).await;
    assert_eq!(answer.content_type(), RESULT);
}

// edge-cases.md#h4
#[tokio::test]
async fn nothing_acceptable_is_406() {
    let history = History::updated();
    let api = history.published().await;
    for accept in ["text/html", "image/png", "application/did-url-dereferencing"] {
        let answer = api.get_as(&history.path(), accept).await;
        error(&answer, StatusCode::NOT_ACCEPTABLE, "REPRESENTATION_NOT_SUPPORTED");
    }
}

// edge-cases.md#h5, edge-cases.md#h6, edge-cases.md#h7
#[tokio::test]
async fn errors_are_results_whatever_form_was_asked_for() {
    let api = TestApi::empty().await;
    for accept in ["application/did", "application/json", RESULT, "*/*"] {
        let answer = api.get_as(&path(UNKNOWN), accept).await;
        let detail = error(&answer, StatusCode::NOT_FOUND, "NOT_FOUND");
        assert!(detail.contains(UNKNOWN), "{detail}");
        let answer = api.get_as(&path("not-a-did"), accept).await;
        error(&answer, StatusCode::BAD_REQUEST, "INVALID_DID");
    }
}

// edge-cases.md#i9
#[tokio::test]
async fn text_that_is_no_did_is_told_from_did_urls_and_from_other_methods() {
    let api = TestApi::empty().await;
    for text in [
        "",
        "did:",
        "not-a-did",
        "did:example",
        "did:prism:xyz",
        &UNKNOWN.to_uppercase(),
        &format!("{UNKNOWN}:"),
        &format!("{UNKNOWN}%0A"),
        &format!("{UNKNOWN}:AAAA"),
    ] {
        error(&api.get(&path(text)).await, StatusCode::BAD_REQUEST, "INVALID_DID");
    }
    for text in ["/path", "/", "%2Fpath", "%3Fa=b", "%23key-1", "/a%23b"] {
        let answer = api.get(&path(&format!("{UNKNOWN}{text}"))).await;
        error(&answer, StatusCode::BAD_REQUEST, "INVALID_DID_URL");
    }
    for text in ["did:unsupported:123456789abcdefghi", "did:web:example.com"] {
        let answer = api.get(&path(text)).await;
        error(&answer, StatusCode::NOT_IMPLEMENTED, "METHOD_NOT_SUPPORTED");
    }
}

// edge-cases.md#h17, edge-cases.md#i10
#[tokio::test]
async fn a_did_may_be_percent_encoded_once() {
    let history = History::updated();
    let api = history.published().await;
    let did = history.identity.did();
    let plain = api.get(&path(&did)).await;
    for encoded in [did.replace(':', "%3A"), did.replace(':', "%3a"), percent_encoded(&did)] {
        let answer = api.get(&path(&encoded)).await;
        assert_eq!(
            (answer.status, &answer.body),
            (StatusCode::OK, &plain.body),
            "{encoded}"
        );
    }
    for wrong in [did.replace(':', "%253A"), format!("{did}%FF"), "%FF".to_owned()] {
        error(&api.get(&path(&wrong)).await, StatusCode::BAD_REQUEST, "INVALID_DID");
    }
    let answer = api.get(&path(&format!("{did}/%FF"))).await;
    error(&answer, StatusCode::BAD_REQUEST, "INVALID_DID");
}

// edge-cases.md#h11
#[tokio::test]
async fn every_resolution_path_gives_the_same() {
    let history = History::updated();
    let api = history.published().await;
    let did = history.identity.did();
    let first = api.get_as(&path(&did), RESULT).await;
    for prefix in ["/api/dids/", "/api/1.0/identifiers/"] {
        let other = api.get_as(&format!("{prefix}{did}"), RESULT).await;
        assert_eq!(
            (other.status, &other.headers, &other.body),
            (first.status, &first.headers, &first.body)
        );
        let url = api.get(&format!("{prefix}{did}/path")).await;
        error(&url, StatusCode::BAD_REQUEST, "INVALID_DID_URL");
    }
}

// edge-cases.md#h9
#[tokio::test]
async fn head_options_and_post_are_answered() {
    let history = History::updated();
    let api = history.published().await;
    let get = api.get(&history.path()).await;
    let head = api.send(Method::HEAD, &history.path(), &[]).await;
    assert_eq!((head.status, head.content_type()), (get.status, get.content_type()));
    assert_eq!(head.header("content-length"), get.body.len().to_string());
    assert!(head.body.is_empty());

    let post = api.send(Method::POST, &history.path(), &[]).await;
    let detail = post.problem(StatusCode::METHOD_NOT_ALLOWED);
    assert!(detail.contains("POST"), "{detail}");
    assert_eq!(post.header("allow"), "GET,HEAD");

    let preflight = [
        ("origin", "https://wallet.example"),
        ("access-control-request-method", "GET"),
        ("access-control-request-headers", "accept"),
    ];
    let options = api.send(Method::OPTIONS, &history.path(), &preflight).await;
    assert_eq!(options.status, StatusCode::OK);
    assert_eq!(options.header("access-control-allow-origin"), "*");
    let from_browser = api.send(Method::GET, &history.path(), &preflight[..1]).await;
    assert_eq!(from_browser.header("access-control-allow-origin"), "*");
    assert_eq!(from_browser.header("vary"), "Accept");
}

// edge-cases.md#h10, edge-cases.md#y11
#[tokio::test]
async fn options_that_are_unknown_malformed_or_contradict_are_refused() {
    let history = History::updated();
    let api = history.published().await;
    let id = history.identity.last_hash();
    for query in [
        "versionid=1",
        "accept=application/did",
        "service=first",
        "versionId=",
        "versionId=1",
        &format!("versionId={}", id.to_string().to_uppercase()),
        "versionTime=",
        "versionTime=yesterday",
        "versionTime=2023-01-01",
        "versionTime=2023-02-30T00:00:00Z",
        "versionTime=9999-12-31T23:59:59-00:01",
        "versionTime=0001-01-01T00:00:00%2B00:01",
        &format!("versionId={id}&versionTime=2023-01-01T00:00:00Z"),
        &format!("versionId={id}&versionId={id}"),
        "versionTime=2023-01-01T00:00:00Z&versionTime=2023-01-01T00:00:00Z",
        "versionTime=%FF",
    ] {
        let answer = api.get(&format!("{}?{query}", history.path())).await;
        error(&answer, StatusCode::BAD_REQUEST, "INVALID_OPTIONS");
    }
    assert_eq!(api.get(&format!("{}?", history.path())).await.status, StatusCode::OK);
}

// edge-cases.md#h16
#[tokio::test]
async fn a_database_that_fails_is_an_internal_error_without_internals() {
    let history = History::updated();
    let api = history.published().await;
    api.storage.close().await;
    let answer = api.get(&history.path()).await;
    let detail = error(&answer, StatusCode::INTERNAL_SERVER_ERROR, "INTERNAL_ERROR");
    assert_eq!(detail, "the database could not answer; the log of the node says why");
}

// edge-cases.md#h15
#[tokio::test]
async fn before_the_database_is_there_resolution_is_503() {
    let answer = get(&without_storage(), &path(UNKNOWN)).await;
    error(&answer, StatusCode::SERVICE_UNAVAILABLE, "INTERNAL_ERROR");
}

/// The long form of a DID with as much in it as the protocol allows.
fn longest_form() -> String {
    let master = TestKey::derive(1, "master");
    let keys = (0..50).map(|index| {
        let usage = if index == 0 {
            KeyUsage::MasterKey
        } else {
            KeyUsage::AuthenticationKey
        };
        message::public_key(&format!("{index:050}"), usage, &master)
    });
    let endpoint = format!("https://example.com/{}", "x".repeat(280));
    let services = (0..50).map(|index| service(&format!("{index:050}"), "LinkedDomains", &endpoint));
    long_form(&message::create_did(keys.collect(), services.collect(), &[]).encode_to_vec())
}

// edge-cases.md#i11
#[tokio::test]
async fn a_long_form_of_tens_of_kilobytes_resolves() {
    let did = longest_form();
    assert!(did.len() > 30_000, "{}", did.len());
    let answer = TestApi::empty().await.get(&path(&did.replace(':', "%3A"))).await;
    assert_eq!(answer.status, StatusCode::OK);
    assert_eq!(answer.json()["service"].as_array().unwrap().len(), 50);
}

// edge-cases.md#i11
#[tokio::test]
async fn the_server_takes_a_request_line_of_tens_of_kilobytes() {
    let api = TestApi::empty().await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n",
        path(&longest_form())
    );
    let mut response = String::new();
    tokio::select! {
        ended = axum::serve(listener, api.router()).into_future() => panic!("{ended:?}"),
        read = async {
            client.write_all(request.as_bytes()).await?;
            client.read_to_string(&mut response).await
        } => { read.unwrap(); }
    }
    assert!(response.starts_with("HTTP/1.1 200 OK\r\n"), "{response}");
}
