//! Storage entries.

use axum::http::StatusCode;
use did_prism::digest::OperationHash;
use did_prism::proto::StatusListEntry;
use prism_fixtures::Identity;
use prism_fixtures::message::{self, EntryData};
use serde_json::{Value, json};

use super::support::TestApi;

fn data_path(reference: OperationHash) -> String {
    format!("/api/vdr-data/{reference}")
}

async fn metadata(api: &TestApi, reference: OperationHash) -> Value {
    let answer = api.get(&format!("/api/vdr-data/{reference}/metadata")).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    answer.json()
}

#[tokio::test]
async fn an_entry_is_read_as_it_was_published_last() {
    let mut owner = Identity::new(4, 1);
    let (create, entry) = (owner.create(), owner.create_entry(b"<script>first</script>"));
    let api = TestApi::with_operations([&create, &entry]).await;
    let answer = api.get(&data_path(entry.hash)).await;
    assert_eq!(
        (answer.status, answer.content_type()),
        (StatusCode::OK, "application/octet-stream")
    );
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(answer.body, b"<script>first</script>");

    let update = owner.update_entry(entry.hash, b"");
    let api = TestApi::with_operations([&create, &entry, &update]).await;
    let answer = api.get(&data_path(entry.hash)).await;
    assert_eq!((answer.status, answer.body.len()), (StatusCode::OK, 0));
    assert_eq!(
        metadata(&api, entry.hash).await,
        json!({
            "entry_hash": entry.hash.to_string(),
            "latest_event_hash": update.hash.to_string(),
            "status": "active",
            "did": owner.did(),
        })
    );
    // The update is an event of the entry, not an entry.
    api.get(&data_path(update.hash)).await.problem(StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn data_that_is_not_bytes_is_answered_as_json() {
    let owner = Identity::new(4, 1);
    let entry = |data: EntryData| {
        let operation = message::create_storage_entry(owner.suffix().as_slice(), b"nonce", Some(data));
        owner.sign_storage(&operation)
    };
    let ipfs = entry(EntryData::Ipfs("bafy".to_owned()));
    let status = StatusListEntry {
        state: -1,
        name: "revoked".to_owned(),
        details: String::new(),
    };
    let status_list = entry(EntryData::StatusList(status));
    let api = TestApi::with_operations([&owner.create(), &ipfs, &status_list]).await;
    for (reference, expected) in [
        (ipfs.hash, json!({"ipfs": "bafy"})),
        (
            status_list.hash,
            json!({"status_list_entry": {"state": -1, "name": "revoked", "details": ""}}),
        ),
    ] {
        let answer = api.get(&data_path(reference)).await;
        assert_eq!(
            (answer.status, answer.content_type()),
            (StatusCode::OK, "application/json")
        );
        assert_eq!(answer.json(), expected);
    }
}

#[tokio::test]
async fn a_deactivated_entry_has_a_status_and_no_data() {
    let mut owner = Identity::new(4, 1);
    let (create, entry) = (owner.create(), owner.create_entry(b"data"));
    let deactivate = owner.deactivate_entry(entry.hash);
    let api = TestApi::with_operations([&create, &entry, &deactivate]).await;
    let detail = api.get(&data_path(entry.hash)).await.problem(StatusCode::NOT_FOUND);
    assert!(detail.contains("deactivated"), "{detail}");
    let metadata = metadata(&api, entry.hash).await;
    assert_eq!(metadata["status"], "deactivated");
    assert_eq!(metadata["latest_event_hash"], deactivate.hash.to_string());
}

#[tokio::test]
async fn the_entries_of_a_deactivated_did_have_no_data() {
    let mut owner = Identity::new(4, 1);
    let operations = [owner.create(), owner.create_entry(b"data"), owner.deactivate()];
    let entry = operations[1].hash;
    let api = TestApi::with_operations(&operations).await;
    api.get(&data_path(entry)).await.problem(StatusCode::NOT_FOUND);
    assert_eq!(metadata(&api, entry).await["status"], "deactivated");
}

#[tokio::test]
async fn an_entry_that_was_refused_is_404() {
    let owner = Identity::new(4, 1);
    let operation = message::create_storage_entry(owner.suffix().as_slice(), b"", Some(EntryData::Bytes(vec![1])));
    let by_master_key = owner.sign(&operation);
    let api = TestApi::with_operations([&owner.create(), &by_master_key]).await;
    let path = data_path(by_master_key.hash);
    api.get(&path).await.problem(StatusCode::NOT_FOUND);
    api.get(&format!("{path}/metadata"))
        .await
        .problem(StatusCode::NOT_FOUND);
}

// edge-cases.md#h12
#[tokio::test]
async fn malformed_hashes_are_400_and_unknown_ones_404() {
    let api = TestApi::empty().await;
    let hash = "ab".repeat(32);
    for route in ["", "/metadata"] {
        for wrong in ["xyz", &hash[1..], &hash.to_uppercase(), &format!("{hash}ab"), "%FF"] {
            let answer = api.get(&format!("/api/vdr-data/{wrong}{route}")).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
        let answer = api.get(&format!("/api/vdr-data/{hash}{route}")).await;
        answer.problem(StatusCode::NOT_FOUND);
    }
}
