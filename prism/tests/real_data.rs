//! What real transactions and public test vectors are, read from the directory that `PRISM_REAL_DATA` names.
//!
//! Without that variable nothing is asserted here.
#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    reason = "a file that is not as described fails the test"
)]

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use did_prism::did::PrismDid;
use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::document::{DidDocument, DocumentStyle};
use did_prism::envelope::{metadata_in_auxiliary_data, operations_in_metadata};
use did_prism::key::PublicKey;
use did_prism::ledger::{BlockNo, OperationBytes, OperationIndex, OperationPosition, TransactionIndex};
use did_prism::operation::SignedOperation;
use did_prism::proto;
use did_prism::resolution::{Resolution, Resolver, Version};
use did_prism::route::{IgnoredReason, Route, route};
use did_prism::state::{DidState, LedgerOperation, Replay, StorageData, StorageStatus};
use serde_json::{Value, json};

/// The text of a file of real data; none where the variable is unset.
fn text_of(file: &str) -> Option<String> {
    let directory = PathBuf::from(std::env::var_os("PRISM_REAL_DATA")?);
    Some(fs::read_to_string(directory.join(file)).expect("PRISM_REAL_DATA names a directory with this file"))
}

fn json_of(file: &str) -> Option<Value> {
    text_of(file).map(|text| serde_json::from_str(&text).unwrap())
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

fn hex(value: &Value) -> Vec<u8> {
    HEXLOWER.decode(text(value).as_bytes()).unwrap()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().unwrap()
}

fn hash(value: &Value) -> OperationHash {
    text(value).parse().unwrap()
}

fn did(value: &Value) -> PrismDid {
    text(value).parse().unwrap()
}

/// The operations, one block each, 20 seconds apart.
fn in_blocks(operations: impl IntoIterator<Item = Vec<u8>>) -> Vec<LedgerOperation> {
    (0_u64..)
        .zip(operations)
        .map(|(number, bytes)| LedgerOperation {
            position: OperationPosition {
                block: BlockNo::try_from(number).unwrap(),
                absn: TransactionIndex::MIN,
                osn: OperationIndex::MIN,
            },
            block_time: format!("2024-01-01T00:{:02}:00Z", number % 60).parse().unwrap(),
            bytes: OperationBytes::try_from(bytes).unwrap(),
        })
        .collect()
}

fn replay(did: DidSuffix, operations: &[LedgerOperation]) -> DidState {
    let mut replay = Replay::new(did);
    for operation in operations {
        // Some of the sequences hold operations without effect on purpose.
        let _rejection = replay.apply(operation);
    }
    replay.into_state().expect("the create is valid")
}

fn resolve(did: &PrismDid, operations: &[LedgerOperation], style: DocumentStyle) -> Resolution {
    let mut resolver = Resolver::new(did, Version::Latest);
    for operation in operations {
        resolver.push(operation);
    }
    resolver.finish(style).unwrap()
}

/// Asserts what `expected` says of one signed operation.
fn assert_decodes_as(signed_operation: &[u8], expected: &Value) -> SignedOperation {
    let signed = SignedOperation::decode(signed_operation).unwrap();
    let id = OperationBytes::try_from(signed_operation.to_vec()).unwrap().id();
    assert_eq!(id.to_string(), text(&expected["operation_id"]));
    assert_eq!(signed.signed_with, text(&expected["signed_with"]));
    assert_eq!(signed.signature, hex(&expected["signature_hex"]));
    assert_eq!(signed.bytes, hex(&expected["operation_hex"]));
    assert_eq!(signed.hash, hash(&expected["decoded"]["operation_hash"]));
    signed
}

#[test]
fn real_data_signed_operations_have_the_effect_that_is_known() {
    let Some(vectors) = json_of("signed_operations.json") else {
        return;
    };
    let vectors = list(&vectors);
    let by_hash: BTreeMap<String, &Value> = vectors
        .iter()
        .map(|vector| (text(&vector["decoded"]["operation_hash"]).to_owned(), vector))
        .collect();
    for vector in vectors {
        let name = text(&vector["name"]);
        let bytes = hex(&vector["signed_operation_hex"]);
        assert_decodes_as(&bytes, vector);
        let suffix = did(&vector["did"]).suffix();

        // The operation behind those that it links to, and behind the create of its DID.
        let mut chain = vec![bytes.clone()];
        let mut decoded = &vector["decoded"];
        while let Some(previous) = ["previous_operation_hash", "previous_event_hash"]
            .iter()
            .find_map(|link| by_hash.get(decoded[link].as_str()?))
        {
            chain.push(hex(&previous["signed_operation_hex"]));
            decoded = &previous["decoded"];
        }
        if let Some(owner) = decoded.get("did_prism_hash") {
            chain.push(hex(&by_hash[text(owner)]["signed_operation_hex"]));
        }
        chain.reverse();

        let mut replay = Replay::new(suffix);
        let outcomes: Vec<bool> = in_blocks(chain)
            .iter()
            .map(|operation| replay.apply(operation).is_ok())
            .collect();
        let applied = text(&vector["verification"]["result"]) == "applied";
        assert_eq!(outcomes.last(), Some(&applied), "{name}");
        match text(&vector["decoded"]["type"]) {
            "create_did" => {
                let operation_hash = hash(&vector["decoded"]["operation_hash"]);
                let expected = Route::Did {
                    did: suffix,
                    operation_hash,
                    lists_did: true,
                };
                assert_eq!(route(&bytes), Ok(expected), "{name}");
            }
            "update_did" if !applied => {
                assert_eq!(route(&bytes), Ok(Route::Ignored(IgnoredReason::InvalidDidId)), "{name}");
            }
            _ => assert!(!matches!(route(&bytes), Ok(Route::Ignored(_))), "{name}"),
        }
    }
}

#[test]
fn real_data_long_forms_resolve_to_the_state_they_carry() {
    let Some(vectors) = json_of("long_form_dids.json") else {
        return;
    };
    for vector in list(&vectors) {
        let long_form = did(&vector["did"]);
        assert_eq!(long_form.canonical(), text(&vector["canonical_did"]));
        assert_eq!(long_form.to_string(), text(&vector["did"]));
        let resolution = resolve(&long_form, &[], DocumentStyle::Spec);
        let document = resolution.document.unwrap();
        assert_eq!(document.id, text(&vector["did"]));
        assert_eq!(document.service.len(), list(&vector["decoded"]["services"]).len());
        assert_eq!(
            serde_json::to_value(resolution.metadata).unwrap(),
            json!({"versionId": vector["decoded"]["operation_hash"], "deactivated": false})
        );
    }
}

#[test]
fn real_data_storage_entries_hold_what_their_events_left() {
    let Some(vectors) = json_of("vdr_sequences.json") else {
        return;
    };
    let suffix = did(&vectors["did"]).suffix();
    for sequence in list(&vectors["sequences"]) {
        let name = text(&sequence["name"]);
        let operations = in_blocks(list(&sequence["signed_operations_hex"]).iter().map(hex));
        let state = replay(suffix, &operations);
        let entry = state.storage_entry(&hash(&sequence["entry"])).expect(name);
        let reference = &sequence["reference_result"];
        let status = if reference["deactivated"].as_bool().unwrap() {
            StorageStatus::Deactivated
        } else {
            StorageStatus::Active
        };
        assert_eq!(entry.status, status, "{name}");
        assert_eq!(entry.latest_event, hash(&reference["last"]), "{name}");
        assert_eq!(
            entry.data,
            StorageData::Bytes(hex(&reference["data"]["bytes"])),
            "{name}"
        );
        assert_eq!(
            state.to_did_data().storage_data.len(),
            usize::from(status == StorageStatus::Active),
            "{name}"
        );
    }
}

#[test]
fn real_data_signatures_verify_with_s_in_either_half() {
    let Some(vectors) = json_of("secp256k1_signatures.json") else {
        return;
    };
    for vector in list(&vectors["vectors"]) {
        let key = PublicKey::try_from(&proto::PublicKey {
            id: "key".to_owned(),
            usage: proto::KeyUsage::MasterKey.into(),
            key_data: Some(proto::public_key::KeyData::CompressedEcKeyData(
                proto::CompressedEcKeyData {
                    curve: "secp256k1".to_owned(),
                    data: hex(&vector["public_key_compressed_hex"]),
                },
            )),
        })
        .unwrap();
        let message = hex(&vector["message_hex"]);
        let mut signed = SignedOperation {
            signed_with: "key".to_owned(),
            signature: hex(&vector["signature_der_hex"]),
            hash: OperationHash::of(&message),
            bytes: message,
            operation: None,
        };
        assert!(signed.is_signed_by(&key), "{vector}");
        signed.signature.push(0);
        assert!(!signed.is_signed_by(&key), "trailing byte: {vector}");
    }
}

#[test]
fn real_data_transactions_with_other_labels_have_no_operations() {
    let Some(vectors) = json_of("other_label_transactions.json") else {
        return;
    };
    for transaction in list(&vectors["transactions"]) {
        let bytes = hex(&transaction["full_tx_cbor_hex"]);
        // [body, witnesses, script validity, auxiliary data]
        let mut decoder = minicbor::Decoder::new(&bytes);
        assert_eq!(decoder.array().unwrap(), Some(4));
        (0..3).for_each(|_| decoder.skip().unwrap());
        let metadata = metadata_in_auxiliary_data(&bytes[decoder.position()..])
            .unwrap()
            .unwrap();
        assert_eq!(operations_in_metadata(&metadata), Ok(None));
    }
}

#[test]
fn real_data_transactions_hold_the_operations_that_are_known() {
    let Some(transactions) = json_of("transactions.json") else {
        return;
    };
    for transaction in list(&transactions) {
        let operations = operations_in_metadata(&hex(&transaction["metadata_cbor_hex"]));
        if transaction["envelope"]["valid"] == json!(false) {
            assert!(operations.is_err(), "{}", transaction["tx_id"]);
            continue;
        }
        let operations = operations.unwrap().unwrap();
        let expected = list(&transaction["operations"]);
        assert_eq!(operations.len(), expected.len());
        for (operation, expected) in operations.iter().zip(expected) {
            let bytes = operation.bytes.as_slice();
            assert_eq!(u64::from(operation.osn.get()), expected["osn"].as_u64().unwrap());
            assert_eq!(bytes, hex(&expected["signed_operation_hex"]));
            let signed = assert_decodes_as(bytes, expected);
            let expected_route = match text(&expected["decoded"]["type"]) {
                kind if kind.ends_with("(legacy)") => Route::Ignored(IgnoredReason::NoOperation),
                kind => Route::Did {
                    did: did(&expected["did"]).suffix(),
                    operation_hash: signed.hash,
                    lists_did: kind == "create_did",
                },
            };
            assert_eq!(route(bytes), Ok(expected_route));
        }
    }
}

/// The operations of each DID of a ledger file, as a node would collect them.
fn ledger_by_did(network: &str) -> Option<BTreeMap<DidSuffix, Vec<LedgerOperation>>> {
    let mut by_did: BTreeMap<DidSuffix, Vec<LedgerOperation>> = BTreeMap::new();
    for line in text_of(&format!("ledger-{network}.jsonl"))?.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        // Some lines are the malformed transactions of the ledger.
        let Ok(Some(operations)) = operations_in_metadata(&hex(&line["metadata_cbor"])) else {
            continue;
        };
        for operation in operations {
            if let Ok(Route::Did { did, .. }) = route(operation.bytes.as_slice()) {
                by_did.entry(did).or_default().push(LedgerOperation {
                    position: OperationPosition {
                        block: line["block_number"].as_u64().unwrap().try_into().unwrap(),
                        absn: line["absn"].as_u64().unwrap().try_into().unwrap(),
                        osn: operation.osn,
                    },
                    block_time: text(&line["cbt"]).parse().unwrap(),
                    bytes: operation.bytes,
                });
            }
        }
    }
    Some(by_did)
}

#[test]
fn real_data_ledgers_give_the_states_and_documents_that_are_known() {
    let Some(states) = json_of("expected_states.json") else {
        return;
    };
    for network in ["mainnet", "preprod"] {
        let ledger = ledger_by_did(network).unwrap();
        let states: Vec<&Value> = list(&states)
            .iter()
            .filter(|state| state["network"] == network)
            .collect();
        assert_eq!(ledger.len(), states.len(), "{network}");
        for expected in states {
            let did = did(&expected["did"]);
            let operations = &ledger[&did.suffix()];
            assert_state(&replay(did.suffix(), operations), expected);
            for (style, member) in [
                (DocumentStyle::Spec, "did_document_spec_context"),
                (DocumentStyle::Minimal, "did_document_minimal_context"),
            ] {
                let resolution = resolve(&did, operations, style);
                assert_document(resolution.document.as_ref(), &expected[member]);
                assert_eq!(resolution.metadata.version_id, hash(&expected["last_operation_hash"]));
                assert_eq!(json!(resolution.metadata.deactivated), expected["deactivated"]);
            }
        }
    }
}

fn assert_state(state: &DidState, expected: &Value) {
    assert_eq!(state.last_operation(), hash(&expected["last_operation_hash"]));
    assert_eq!(json!(state.is_deactivated()), expected["deactivated"]);
    let keys = state.content().keys();
    let active: Vec<&str> = keys.active().map(|key| key.id().as_str()).collect();
    assert_eq!(json!(active), expected["active_key_ids"]);
    let mut revoked: Vec<&str> = keys.revoked().map(|key| key.id().as_str()).collect();
    let mut expected_revoked: Vec<&str> = list(&expected["revoked_key_ids"]).iter().map(text).collect();
    revoked.sort_unstable();
    expected_revoked.sort_unstable();
    assert_eq!(revoked, expected_revoked);
    assert_eq!(json!(state.content().context()), expected["context"]);
    assert_eq!(state.to_did_data().public_keys.len(), active.len());
}

/// Compares texts, so that the order of members counts, of values, so that blanks in published JSON don't.
fn assert_document(document: Option<&DidDocument>, expected: &Value) {
    assert_eq!(
        serde_json::to_string_pretty(&json!(document)).unwrap(),
        serde_json::to_string_pretty(expected).unwrap()
    );
}
