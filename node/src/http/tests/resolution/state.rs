//! What DIDs resolve to.

use axum::http::StatusCode;
use did_prism::did::PrismDid;
use did_prism::document::DocumentStyle;
use did_prism::proto::KeyUsage;
use did_prism::resolution::Version;
use node_service::resolver::DidResolver;
use node_storage::contract::PageLimit;
use prism_fixtures::{Identity, TestKey, assemble, block, block_time, message};
use serde_json::{Value, json};

use super::{History, RESULT, error, path, service_ids};
use crate::http::tests::support::{TestApi, long_form};

#[tokio::test]
async fn a_version_is_resolved_by_id_and_by_time() {
    let history = History::updated();
    let api = history.published().await;
    let [create, update, _] = history.operations.as_slice() else {
        panic!()
    };
    let ask = async |query: String| api.get_as(&format!("{}?{query}", history.path()), RESULT).await;
    for (query, services) in [
        (format!("versionId={}", create.hash), vec![]),
        (format!("versionId={}", update.hash), vec!["first"]),
        (format!("versionTime={}", block_time(20)), vec![]),
        (format!("versionTime={}", block_time(59)), vec!["first"]),
        ("versionTime=2099-01-01T00:00:00.5Z".to_owned(), vec!["first", "second"]),
        (
            "versionTime=2099-01-01T00:00:00%2B02:00".to_owned(),
            vec!["first", "second"],
        ),
    ] {
        let answer = ask(query).await;
        assert_eq!(answer.status, StatusCode::OK);
        assert_eq!(service_ids(&answer.json()["didDocument"]), services);
    }
    let at_update = ask(format!("versionId={}", update.hash)).await.json();
    assert_eq!(at_update["didDocumentMetadata"]["versionId"], update.hash.to_string());
    assert_eq!(at_update["didDocumentMetadata"]["updated"], block_time(40).to_string());
    for query in [
        format!("versionTime={}", block_time(19)),
        format!("versionId={}", "0".repeat(64)),
    ] {
        error(&ask(query).await, StatusCode::NOT_FOUND, "NOT_FOUND");
    }
}

// edge-cases.md#d1, edge-cases.md#h8
#[tokio::test]
async fn a_deactivated_did_is_410_without_document_in_every_form() {
    let history = History::deactivated();
    let api = history.published().await;
    let metadata = json!({
        "created": block_time(20).to_string(),
        "updated": block_time(40).to_string(),
        "versionId": history.identity.last_hash().to_string(),
        "deactivated": true,
    });
    for accept in [RESULT, "application/did", "application/json", "*/*"] {
        let answer = api.get_as(&history.path(), accept).await;
        assert_eq!((answer.status, answer.content_type()), (StatusCode::GONE, RESULT));
        assert_eq!(answer.header("vary"), "Accept");
        assert_eq!(
            answer.json(),
            json!({"didResolutionMetadata": {}, "didDocument": null, "didDocumentMetadata": metadata})
        );
    }
    let before = format!("{}?versionTime={}", history.path(), block_time(39));
    assert_eq!(api.get(&before).await.status, StatusCode::OK);
}

// edge-cases.md#d7
#[tokio::test]
async fn the_long_form_of_a_deactivated_did_is_410_with_its_canonical_id() {
    let history = History::deactivated();
    let answer = history.published().await.get(&path(&history.long_form())).await;
    assert_eq!(answer.status, StatusCode::GONE);
    let body = answer.json();
    assert_eq!(body["didDocument"], Value::Null);
    assert_eq!(body["didDocumentMetadata"]["canonicalId"], history.identity.did());
}

// edge-cases.md#i5
#[tokio::test]
async fn an_unpublished_long_form_resolves_to_what_it_carries() {
    let history = History::updated();
    let api = TestApi::empty().await;
    let did = history.long_form();
    let body = api.get_as(&path(&did), RESULT).await.json();
    assert_eq!(body["didDocument"]["id"], did);
    assert_eq!(body["didDocument"]["controller"], did);
    for method in body["didDocument"]["verificationMethod"].as_array().unwrap() {
        assert!(method["id"].as_str().unwrap().starts_with(&format!("{did}#")));
    }
    let version_id = history.identity.suffix().to_string();
    assert_eq!(
        body["didDocumentMetadata"],
        json!({"versionId": version_id, "deactivated": false})
    );
    error(&api.get(&history.path()).await, StatusCode::NOT_FOUND, "NOT_FOUND");
}

// edge-cases.md#i6
#[tokio::test]
async fn a_published_long_form_resolves_to_the_present_state() {
    let history = History::updated();
    let api = history.published().await;
    let did = history.long_form();
    let body = api.get_as(&path(&did), RESULT).await.json();
    assert_eq!(body["didDocument"]["id"], did);
    assert_eq!(service_ids(&body["didDocument"]), ["first", "second"]);
    assert_eq!(body["didDocumentMetadata"]["canonicalId"], history.identity.did());
}

// edge-cases.md#i8
#[tokio::test]
async fn an_invalid_publication_does_not_publish_a_long_form() {
    let identity = Identity::new(1, 3);
    let unsigned = assemble(&identity.create_operation(), "master0", Vec::new());
    let api = TestApi::with_operations([&unsigned]).await;
    let body = api
        .get_as(&path(&long_form(&identity.create_operation())), RESULT)
        .await
        .json();
    assert!(body["didDocument"].is_object());
    assert_eq!(body["didDocumentMetadata"].get("canonicalId"), None);
    error(
        &api.get(&path(&identity.did())).await,
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
    );
}

// edge-cases.md#i12
#[tokio::test]
async fn documents_hold_no_null_and_no_relative_id() {
    let master = TestKey::derive(1, "master");
    let keys = vec![message::public_key("master0", KeyUsage::MasterKey, &master)];
    let operation = message::create_did(keys, Vec::new(), &[]);
    let create = prism_fixtures::sign(&operation, "master0", &master);
    let api = TestApi::with_operations([&create]).await;
    let did = format!("did:prism:{}", create.hash);
    let answer = api.get(&path(&did)).await;
    assert!(!answer.text().contains("null"), "{}", answer.text());
    let document = answer.json();
    assert_eq!(document["@context"][0], "https://www.w3.org/ns/did/v1");
    assert_eq!(document["id"], did);
    assert_eq!(document["verificationMethod"], json!([]));
}

#[tokio::test]
async fn what_is_not_indexed_is_not_resolved() {
    let identity = Identity::new(1, 4);
    let api = TestApi::empty().await;
    api.append(&[block(1, 1, 20, [[identity.create().bytes]])]).await;
    error(
        &api.get(&path(&identity.did())).await,
        StatusCode::NOT_FOUND,
        "NOT_FOUND",
    );
}

// edge-cases.md#o20
#[tokio::test]
async fn a_did_with_more_operations_than_a_page_resolves() {
    let history = History::updated();
    let api = history.published().await;
    let did = PrismDid::from(history.identity.suffix());
    for page in 1..=4 {
        let resolver = DidResolver::new(api.storage.clone()).page_limit(PageLimit::try_from(page).unwrap());
        let resolution = resolver
            .resolve(&did, Version::Latest, DocumentStyle::Spec)
            .await
            .unwrap();
        assert_eq!(resolution.document.unwrap().service.len(), 2);
        let state = resolver.state(&did.suffix()).await.unwrap().unwrap();
        assert_eq!(state.last_operation(), history.identity.last_hash());
    }
}

/// Real ledger data, read from the directory that `PRISM_REAL_DATA` names.
mod real_data {
    use super::*;
    use crate::http::tests::support::percent_encoded;

    #[tokio::test]
    async fn long_forms_in_use_resolve_plain_and_percent_encoded() {
        let Ok(directory) = std::env::var("PRISM_REAL_DATA") else {
            return;
        };
        let file = std::path::Path::new(&directory).join("long_form_dids.json");
        let entries: Value = serde_json::from_slice(&std::fs::read(file).unwrap()).unwrap();
        let api = TestApi::empty().await;
        let mut resolved = 0;
        for did in strings(&entries).into_iter().filter(|text| is_long_form(text)) {
            let plain = api.get(&path(did)).await;
            assert_eq!(plain.status, StatusCode::OK, "{did}");
            assert_eq!(plain.json()["id"], did);
            assert_eq!(api.get(&path(&percent_encoded(did))).await.body, plain.body);
            resolved += 1;
        }
        assert!(resolved > 0);
    }

    fn is_long_form(text: &str) -> bool {
        text.starts_with("did:prism:") && text.split(':').count() == 4
    }

    fn strings(value: &Value) -> Vec<&str> {
        match value {
            Value::String(text) => vec![text],
            Value::Array(items) => items.iter().flat_map(strings).collect(),
            Value::Object(members) => members.values().flat_map(strings).collect(),
            _ => Vec::new(),
        }
    }
}
