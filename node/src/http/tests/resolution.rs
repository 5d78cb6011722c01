//! DID resolution (edge-cases.md#http, edge-cases.md#resolution, edge-cases.md#deactivate), and the statuses of the W3C test
//! suite.

mod binding;
mod state;

use axum::http::StatusCode;
use prism_fixtures::message::service;
use prism_fixtures::{Identity, Signed};
use serde_json::{Value, json};

use super::support::{Answer, TestApi, long_form};

const RESULT: &str = "application/did-resolution";
const UNKNOWN: &str = "did:prism:9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b";

/// A DID with three operations, in blocks 1 to 3.
struct History {
    identity: Identity,
    operations: Vec<Signed>,
}

impl History {
    fn updated() -> Self {
        let mut identity = Identity::new(1, 1);
        let operations = vec![
            identity.create(),
            identity.add_service(service("first", "LinkedDomains", "https://example.com")),
            identity.add_service(service("second", "LinkedDomains", "https://example.org")),
        ];
        Self { identity, operations }
    }

    fn deactivated() -> Self {
        let mut identity = Identity::new(1, 2);
        let operations = vec![identity.create(), identity.deactivate()];
        Self { identity, operations }
    }

    async fn published(&self) -> TestApi {
        TestApi::with_operations(&self.operations).await
    }

    fn path(&self) -> String {
        path(&self.identity.did())
    }

    fn long_form(&self) -> String {
        long_form(&self.identity.create_operation())
    }
}

fn path(did: &str) -> String {
    format!("/1.0/identifiers/{did}")
}

/// Asserts that it is an error with this status and code, as DID Resolution writes it, and returns its detail.
fn error(answer: &Answer, status: StatusCode, code: &str) -> String {
    assert_eq!(answer.status, status, "{}", answer.text());
    assert_eq!(answer.content_type(), RESULT);
    assert_eq!(answer.header("vary"), "Accept");
    let body = answer.json();
    assert_eq!(body["didDocument"], Value::Null);
    assert!(body.as_object().unwrap().contains_key("didDocument"));
    assert_eq!(body["didDocumentMetadata"], json!({}));
    let error = &body["didResolutionMetadata"]["error"];
    assert_eq!(error["type"], format!("https://www.w3.org/ns/did#{code}"));
    assert!(error["title"].is_string());
    error["detail"].as_str().unwrap().to_owned()
}

fn service_ids(document: &Value) -> Vec<String> {
    let services = document["service"].as_array().unwrap().iter();
    services
        .map(|service| service["id"].as_str().unwrap().rsplit('#').next().unwrap().to_owned())
        .collect()
}
