//! Blocks of operations and the operations in them.

use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::envelope::{encode_object, operations_in_object};
use did_prism::ledger::OperationBytes;
use did_prism::operation::{Operation, SignedOperation};
use did_prism::proto::{PrismOperation, SignedPrismOperation};
use did_prism::route::{IgnoredReason, Route, route};
use did_prism::state::Replay;
use prism_fixtures::protobuf::{field, number_field};
use prism_fixtures::{block, ledger_operations, refused, sample};
use prost::Message;

use crate::{Seed, assert_tells};

/// A block is read as a whole or not at all. An operation is read as any other implementation of protobuf reads it: encoded anew
/// it is the same, and unknown fields change nothing but its hash.
pub fn protobuf(data: &[u8]) {
    match operations_in_object(data) {
        Ok(operations) => {
            let bytes: Vec<_> = operations
                .iter()
                .map(|operation| operation.bytes.as_slice().to_vec())
                .collect();
            assert_eq!(operations_in_object(&encode_object(&bytes)).as_ref(), Ok(&operations));
            for operation in bytes {
                assert!(
                    SignedOperation::decode(&operation).is_ok(),
                    "a block with an undecodable operation"
                );
                signed_operation(&operation);
            }
        }
        Err(error) => assert_tells(&error),
    }
    signed_operation(data);
    // The same bytes as what is signed.
    signed_operation(&field(3, data));
}

fn signed_operation(bytes: &[u8]) {
    let decoded = SignedOperation::decode(bytes);
    assert_eq!(decoded, SignedOperation::decode(bytes), "the same bytes, decoded twice");
    let signed = match decoded {
        Ok(signed) => signed,
        Err(error) => {
            assert_tells(&error);
            assert_eq!(route(bytes), Err(error));
            return;
        }
    };
    assert_eq!(signed.hash, OperationHash::of(&signed.bytes));
    encoded_anew(&signed);
    with_unknown_fields(bytes, &signed);
    routed(bytes, &signed);
}

fn encoded_anew(signed: &SignedOperation) {
    let again = |operation: Vec<u8>| {
        let message = SignedPrismOperation {
            signed_with: signed.signed_with.clone(),
            signature: signed.signature.clone(),
            operation: vec![operation],
        };
        SignedOperation::decode(&message.encode_to_vec()).expect("what was encoded is decoded")
    };
    assert_eq!(again(signed.bytes.clone()), *signed);
    let canonical = PrismOperation {
        operation: signed.operation.clone(),
    }
    .encode_to_vec();
    let again = again(canonical.clone());
    assert_eq!(again.operation, signed.operation);
    assert_eq!(again.bytes, canonical);
}

/// A field of an unknown number, and one of a known number with another type, are passed over at both levels.
fn with_unknown_fields(bytes: &[u8], signed: &SignedOperation) {
    for unknown in [number_field(1000, 7), number_field(1, 7)] {
        let outside = [bytes, &unknown].concat();
        assert_eq!(SignedOperation::decode(&outside).as_ref(), Ok(signed));
        // A second occurrence of a message is merged with the first.
        let inside = [bytes, &field(3, &unknown)].concat();
        let inside = SignedOperation::decode(&inside).expect("an unknown field is no error");
        assert_eq!(inside.operation, signed.operation);
        assert_eq!(inside.bytes, [&signed.bytes[..], &unknown].concat());
    }
}

fn routed(bytes: &[u8], signed: &SignedOperation) {
    let route = route(bytes).expect("what is decoded is routed");
    match (&signed.operation, route) {
        (None, route) => assert_eq!(route, Route::Ignored(IgnoredReason::NoOperation)),
        (
            Some(Operation::CreateDid(_)),
            Route::Did {
                did,
                operation_hash,
                lists_did,
            },
        ) => {
            assert_eq!(operation_hash, signed.hash);
            assert_eq!(did, DidSuffix::from(signed.hash));
            if OperationBytes::try_from(bytes.to_vec()).is_ok() {
                let block = block(0, 1, 20, [[bytes.to_vec()]]);
                let mut replay = Replay::new(did);
                let applied = ledger_operations(&block)
                    .iter()
                    .all(|operation| replay.apply(operation).is_ok());
                assert_eq!(applied, lists_did, "a DID is listed if its create has an effect");
            }
        }
        (Some(Operation::CreateDid(_)), route) => panic!("a create was routed to {route:?}"),
        (
            Some(_),
            Route::Did {
                operation_hash,
                lists_did,
                ..
            },
        ) => {
            assert_eq!(operation_hash, signed.hash);
            assert!(!lists_did, "only a create lists its DID");
        }
        (Some(_), Route::StorageCreate { operation_hash, .. } | Route::StorageChange { operation_hash, .. }) => {
            assert_eq!(operation_hash, signed.hash);
        }
        (Some(_), Route::Ignored(reason)) => {
            assert_tells(&reason);
            assert_eq!(IgnoredReason::from_text(&reason.to_string()), Some(reason));
        }
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let mut seeds: Vec<_> = sample()
        .iter()
        .flat_map(|did| did.operations.clone())
        .zip(0..)
        .map(|(operation, number): (_, u32)| Seed::new(format!("operation-{number:02}"), operation.bytes))
        .collect();
    let wanted = [
        "protocol_version_update",
        "no_operation",
        "key_curve",
        "service_endpoint",
        "storage_owner_syntax",
    ];
    for rule in wanted {
        let case = refused(7).into_iter().find(|case| case.rule == rule);
        seeds.extend(case.map(|case| Seed::new(format!("refused-{rule}"), case.operation.bytes)));
    }
    let bytes: Vec<_> = sample()
        .iter()
        .flat_map(|did| did.operations.iter().map(|one| one.bytes.clone()))
        .take(3)
        .collect();
    seeds.push(Seed::new("block", encode_object(&bytes)));
    seeds
}
