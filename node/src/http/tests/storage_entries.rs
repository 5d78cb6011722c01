//! Storage entries.

use axum::http::StatusCode;
use did_prism::digest::OperationHash;
use did_prism::proto::{PrismOperation, StatusListEntry};
use prism_fixtures::message::{self, EntryData};
use prism_fixtures::protobuf::{field, with_event_fields};
use prism_fixtures::{Identity, Signed, block, block_time, sign_bytes};
use serde_json::{Value, json};

use super::support::TestApi;
use crate::http::openapi;

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
            "data_kind": "bytes",
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
    assert_eq!(metadata(&api, ipfs.hash).await["data_kind"], "ipfs");
    assert_eq!(metadata(&api, status_list.hash).await["data_kind"], "status_list");
}

/// An entry without data, and one whose data is of a kind that no node knows yet.
#[tokio::test]
async fn v12_content_that_there_is_not_and_content_of_an_unknown_kind_are_empty() {
    let owner = Identity::new(4, 1);
    let operation = message::create_storage_entry(owner.suffix().as_slice(), b"nonce", None);
    let absent = owner.sign_storage(&operation);
    let unknown = with_fields(&owner, &operation, &field(103, b"future"));
    let api = TestApi::with_operations([&owner.create(), &absent, &unknown]).await;
    for (reference, kind) in [(absent.hash, "none"), (unknown.hash, "unknown")] {
        let answer = api.get(&data_path(reference)).await;
        assert_eq!(
            (answer.status, answer.content_type(), answer.body.len()),
            (StatusCode::OK, "application/octet-stream", 0)
        );
        let metadata = metadata(&api, reference).await;
        assert_eq!(
            (&metadata["data_kind"], &metadata["status"]),
            (&json!(kind), &json!("active"))
        );
    }
}

/// An unknown validation field, until the DID is deactivated.
#[tokio::test]
async fn v13_an_unsupported_entry_has_a_status_and_events_and_no_data() {
    let mut owner = Identity::new(4, 1);
    let (create, entry) = (owner.create(), owner.create_entry(b"first"));
    let update = message::update_storage_entry(entry.hash.as_slice(), Some(EntryData::from(&b"second"[..])));
    let update = with_fields(&owner, &update, &field(49, b""));
    let end = owner.sign_storage(&message::deactivate_storage_entry(update.hash.as_slice()));
    let operations = [&create, &entry, &update, &end];
    let api = TestApi::with_operations(operations).await;
    let path = data_path(entry.hash);
    let detail = api.get(&path).await.problem(StatusCode::NOT_IMPLEMENTED);
    assert!(detail.contains("validation field"), "{detail}");
    let metadata_of_entry = metadata(&api, entry.hash).await;
    assert_eq!(metadata_of_entry["status"], "unsupported");
    assert_eq!(metadata_of_entry["latest_event_hash"], end.hash.to_string());
    assert_eq!(
        events(&api, &format!("{path}/events")).await,
        [&entry, &update, &end].map(|event| (event.hash.to_string(), true))
    );
    // The entry was supported before that event.
    for version in [
        format!("versionId={}", entry.hash),
        format!("versionTime={}", block_time(59)),
    ] {
        assert_eq!(api.get(&format!("{path}?{version}")).await.body, b"first");
    }

    let deactivation = owner.deactivate();
    let api = TestApi::with_operations(operations.into_iter().chain([&deactivation])).await;
    api.get(&path).await.problem(StatusCode::NOT_FOUND);
    assert_eq!(metadata(&api, entry.hash).await["status"], "deactivated");
}

#[tokio::test]
async fn every_version_of_an_entry_is_answered() {
    let mut owner = Identity::new(4, 1);
    let (create, entry) = (owner.create(), owner.create_entry(b"first"));
    let second = owner.update_entry(entry.hash, b"second");
    let end = owner.deactivate_entry(entry.hash);
    // Slots 20, 40, 60 and 80.
    let api = TestApi::with_operations([&create, &entry, &second, &end]).await;
    let path = data_path(entry.hash);
    for (version, body, latest) in [
        (format!("versionTime={}", block_time(40)), "first", &entry),
        (format!("versionTime={}", block_time(59)), "first", &entry),
        (format!("versionTime={}", block_time(60)), "second", &second),
        (format!("versionId={}", entry.hash), "first", &entry),
        (format!("versionId={}", second.hash), "second", &second),
    ] {
        let answer = api.get(&format!("{path}?{version}")).await;
        assert_eq!((answer.status, answer.text()), (StatusCode::OK, body), "{version}");
        let metadata = api.get(&format!("{path}/metadata?{version}")).await.json();
        assert_eq!(metadata["latest_event_hash"], latest.hash.to_string(), "{version}");
        assert_eq!(metadata["status"], "active", "{version}");
    }
    // Ended: no data, and a status.
    for version in [
        format!("versionTime={}", block_time(80)),
        format!("versionId={}", end.hash),
    ] {
        api.get(&format!("{path}?{version}"))
            .await
            .problem(StatusCode::NOT_FOUND);
        let metadata = api.get(&format!("{path}/metadata?{version}")).await.json();
        assert_eq!(metadata["status"], "deactivated", "{version}");
    }
    // Not there.
    for version in [
        format!("versionTime={}", block_time(39)),
        format!("versionId={}", create.hash),
        format!("versionId={}", OperationHash::of(b"unknown")),
    ] {
        for route in ["", "/metadata", "/events"] {
            api.get(&format!("{path}{route}?{version}"))
                .await
                .problem(StatusCode::NOT_FOUND);
        }
    }
}

#[tokio::test]
async fn queries_that_are_no_version_are_400() {
    let mut owner = Identity::new(4, 1);
    let (create, entry) = (owner.create(), owner.create_entry(b"data"));
    let api = TestApi::with_operations([&create, &entry]).await;
    let path = data_path(entry.hash);
    let hash = entry.hash;
    for query in [
        "version=1",
        "versionId=",
        "versionId=1",
        "versionTime=",
        "versionTime=yesterday",
        &format!("versionId={hash}&versionTime=2023-01-01T00:00:00Z"),
        &format!("versionId={hash}&versionId={hash}"),
        &format!("version_id={hash}"),
    ] {
        for route in ["", "/metadata", "/events"] {
            let answer = api.get(&format!("{path}{route}?{query}")).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
    }
    for query in ["limit=1", "after=1:0:0"] {
        for route in ["", "/metadata"] {
            let answer = api.get(&format!("{path}{route}?{query}")).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
    }
    for query in ["limit=0", "limit=1001", "limit=x", "after=", "after=1:0"] {
        let answer = api.get(&format!("{path}/events?{query}")).await;
        answer.problem(StatusCode::BAD_REQUEST);
    }
}

#[test]
fn what_a_query_may_have_is_described() {
    let document = serde_json::to_value(openapi()).unwrap();
    for (route, expected) in [
        ("", &["entry_hash", "versionId", "versionTime"][..]),
        ("/metadata", &["entry_hash", "versionId", "versionTime"]),
        ("/events", &["entry_hash", "versionId", "versionTime", "after", "limit"]),
    ] {
        let parameters = &document["paths"][format!("/api/vdr-data/{{entry_hash}}{route}")]["get"]["parameters"];
        let parameters = parameters.as_array().unwrap();
        let names: Vec<_> = parameters.iter().map(|parameter| &parameter["name"]).collect();
        assert_eq!(names, expected, "{route}");
    }
}

/// Valid or not (edge-cases.md#v7, edge-cases.md#v8, edge-cases.md#v11), with their positions; not those of another entry, nor
/// what comes before its predecessor.
#[tokio::test]
async fn events_are_all_operations_whose_link_leads_to_the_entry() {
    let mut owner = Identity::new(4, 1);
    let stranger = Identity::new(4, 2);
    let create = owner.create();
    let (entry, other) = (owner.create_entry(b"first"), owner.create_entry(b"other"));
    let refused = stranger.sign_storage(&message::update_storage_entry(entry.hash.as_slice(), None));
    let after_refused = owner.sign_storage(&message::update_storage_entry(refused.hash.as_slice(), None));
    let other_update = owner.update_entry(other.hash, b"other");
    let update = owner.update_entry(entry.hash, b"second");
    let end = owner.deactivate_entry(entry.hash);
    let too_late = owner.sign_storage(&message::update_storage_entry(end.hash.as_slice(), None));
    let blocks = [
        block(
            7,
            1,
            20,
            [vec![create.bytes.clone(), update.bytes.clone(), entry.bytes.clone()]],
        ),
        block(
            7,
            2,
            40,
            [
                vec![other.bytes.clone(), entry.bytes.clone()],
                vec![
                    refused.bytes.clone(),
                    after_refused.bytes.clone(),
                    other_update.bytes.clone(),
                ],
            ],
        ),
        block(
            7,
            3,
            60,
            [vec![update.bytes.clone(), end.bytes.clone(), too_late.bytes.clone()]],
        ),
    ];
    let api = TestApi::with_blocks(&blocks).await;
    let path = format!("{}/events", data_path(entry.hash));
    let expected = [
        (&entry, "1:0:2", true),
        (&entry, "2:0:1", false),
        (&refused, "2:1:0", false),
        (&after_refused, "2:1:1", false),
        (&update, "3:0:0", true),
        (&end, "3:0:1", true),
        (&too_late, "3:0:2", false),
    ];
    let listed = |expected: &[(&Signed, &str, bool)]| -> Vec<_> {
        let item = |(event, position, took_effect): &(&Signed, &str, bool)| {
            (event.id().to_string(), (*position).to_owned(), *took_effect)
        };
        expected.iter().map(item).collect()
    };
    assert_eq!(list(&api, &path).await, (listed(&expected), Value::Null));
    let first = &api.get(&path).await.json()["items"][0];
    assert_eq!(first["block_timestamp"], block_time(20).to_string());
    assert_eq!(first["did"], owner.did());
    assert_eq!(first["operation_hash"], entry.hash.to_string());

    // Page by page.
    assert_eq!(
        list(&api, &format!("{path}?limit=3")).await,
        (listed(&expected[..3]), json!("2:1:0"))
    );
    assert_eq!(
        list(&api, &format!("{path}?limit=4&after=2:1:0")).await,
        (listed(&expected[3..]), Value::Null)
    );
    assert_eq!(list(&api, &format!("{path}?after=3:0:2")).await, (vec![], Value::Null));
    // Up to a version.
    for (version, length) in [
        (format!("versionTime={}", block_time(20)), 1),
        (format!("versionTime={}", block_time(59)), 4),
        (format!("versionTime={}", block_time(60)), 7),
        (format!("versionId={}", entry.hash), 1),
        (format!("versionId={}", update.hash), 5),
        (format!("versionId={}&limit=7", end.hash), 6),
    ] {
        let (items, next) = list(&api, &format!("{path}?{version}")).await;
        assert_eq!((items, next), (listed(&expected[..length]), Value::Null), "{version}");
    }
    // A page that is full before the version does not hide whether there is one.
    let (items, next) = list(&api, &format!("{path}?versionId={}&limit=2", update.hash)).await;
    assert_eq!((items, next), (listed(&expected[..2]), json!("2:0:1")));
    for refused in [refused.hash, too_late.hash, other.hash] {
        let answer = api.get(&format!("{path}?versionId={refused}&limit=1")).await;
        answer.problem(StatusCode::NOT_FOUND);
    }
    // An update is no entry.
    let answer = api.get(&format!("{}/events", data_path(update.hash))).await;
    answer.problem(StatusCode::NOT_FOUND);
}

/// The storage operation with these fields after those of its event, signed by the VDR key.
fn with_fields(owner: &Identity, operation: &PrismOperation, fields: &[u8]) -> Signed {
    let bytes = with_event_fields(operation, fields);
    sign_bytes(&bytes, Identity::STORAGE_KEY_ID, owner.storage_key())
}

/// Hash of each event of the list, and whether it took effect.
async fn events(api: &TestApi, path: &str) -> Vec<(String, bool)> {
    let answer = api.get(path).await.json();
    let hash = |item: &Value| item["operation_hash"].as_str().unwrap().to_owned();
    let items = answer["items"].as_array().unwrap();
    items
        .iter()
        .map(|item| (hash(item), item["took_effect"].as_bool().unwrap()))
        .collect()
}

/// Id and position of each event of the list, whether it took effect, and where the next page starts.
async fn list(api: &TestApi, path: &str) -> (Vec<(String, String, bool)>, Value) {
    let answer = api.get(path).await;
    assert_eq!(answer.status, StatusCode::OK, "{}", answer.text());
    let answer = answer.json();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let items = answer["items"].as_array().unwrap();
    let items = items.iter().map(|item| {
        (
            text(&item["operation_id"]),
            text(&item["position"]),
            item["took_effect"].as_bool().unwrap(),
        )
    });
    (items.collect(), answer["next"].clone())
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
    let listed = events(&api, &format!("{}/events", data_path(entry.hash))).await;
    assert_eq!(listed.len(), 2);
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
    // Why it was refused shows in what was published.
    assert_eq!(
        events(&api, &format!("{path}/events")).await,
        [(by_master_key.hash.to_string(), false)]
    );
}

// edge-cases.md#h12
#[tokio::test]
async fn malformed_hashes_are_400_and_unknown_ones_404() {
    let api = TestApi::empty().await;
    let hash = "ab".repeat(32);
    for route in ["", "/metadata", "/events"] {
        for wrong in ["xyz", &hash[1..], &hash.to_uppercase(), &format!("{hash}ab"), "%FF"] {
            let answer = api.get(&format!("/api/vdr-data/{wrong}{route}")).await;
            answer.problem(StatusCode::BAD_REQUEST);
        }
        let answer = api.get(&format!("/api/vdr-data/{hash}{route}")).await;
        answer.problem(StatusCode::NOT_FOUND);
    }
}
