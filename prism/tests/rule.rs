//! Which rule an operation without effect breaks (protocol.md#rules).
#![allow(clippy::unwrap_used, reason = "a surprise in a helper fails the test that asked")]

mod common;

use std::collections::{BTreeMap, BTreeSet};

use common::{SEED, creation};
use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::ledger::OperationPosition;
use did_prism::rejection::Rejection;
use did_prism::route::{IgnoredReason, Route, route};
use did_prism::rule::Rule;
use did_prism::state::{LedgerOperation, Replay};
use prism_fixtures::{Refused, Signed, block, ledger_operations, refused};

/// The DID of each storage event that was routed so far.
type Owners = BTreeMap<OperationHash, DidSuffix>;

/// Where an operation is replayed, as an index decides it.
fn routed(operation: &LedgerOperation, owners: &mut Owners) -> Result<DidSuffix, Rule> {
    let (did, event) = match route(operation.bytes.as_slice()) {
        Err(_) => return Err(Rule::Undecodable),
        Ok(Route::Ignored(reason)) => return Err(reason.rule()),
        Ok(Route::Did { did, .. }) => return Ok(did),
        Ok(Route::StorageCreate { did, operation_hash }) => (did, operation_hash),
        Ok(Route::StorageChange {
            predecessor,
            operation_hash,
        }) => match owners.get(&predecessor) {
            None => return Err(IgnoredReason::UnknownPreviousEvent.rule()),
            Some(did) => (*did, operation_hash),
        },
    };
    owners.insert(event, did);
    Ok(did)
}

/// These operations on a ledger of their own, each in a block.
fn ledger<'a>(operations: impl IntoIterator<Item = &'a Signed>) -> Vec<LedgerOperation> {
    (1..)
        .zip(operations)
        .flat_map(|(number, signed)| ledger_operations(&block(SEED, number, number * 20, [[signed.bytes.clone()]])))
        .collect()
}

/// The rule that each of these operations breaks; none for those that have an effect.
fn broken_rules(operations: &[LedgerOperation]) -> Vec<Option<Rule>> {
    let mut owners = Owners::new();
    let mut replays: BTreeMap<DidSuffix, Replay> = BTreeMap::new();
    operations
        .iter()
        .map(|operation| {
            let did = match routed(operation, &mut owners) {
                Ok(did) => did,
                Err(rule) => return Some(rule),
            };
            let replay = replays.entry(did).or_insert_with(|| Replay::new(did));
            replay.apply(operation).err().map(|rejection| rejection.rule())
        })
        .collect()
}

// edge-cases.md#h18
#[test]
fn each_operation_that_is_refused_breaks_the_rule_that_it_was_made_to_break() {
    for Refused {
        rule,
        description,
        before,
        operation,
        ..
    } in refused(SEED)
    {
        let operations = ledger(before.iter().chain([&operation]));
        let mut expected: Vec<Option<&str>> = vec![None; before.len()];
        expected.push(Some(rule));
        let tokens: Vec<_> = broken_rules(&operations)
            .into_iter()
            .map(|rule| rule.map(Rule::token))
            .collect();
        assert_eq!(tokens, expected, "{rule}: {description}");
    }
}

/// No ledger can break these: a store keeps operations in order and by DID, and the routing knows all of its reasons.
const OF_NO_LEDGER: [Rule; 3] = [Rule::Other, Rule::OtherDid, Rule::OutOfOrder];

#[test]
fn there_is_a_refused_operation_for_each_rule() {
    let shown: BTreeSet<&str> = refused(SEED).into_iter().map(|case| case.rule).collect();
    let expected: BTreeSet<&str> = Rule::ALL
        .iter()
        .filter(|rule| !OF_NO_LEDGER.contains(rule))
        .map(|rule| rule.token())
        .collect();
    assert_eq!(shown, expected);
}

#[test]
fn operations_of_another_did_and_out_of_order_are_told_apart() {
    let create = creation(vec![], vec![], &[]);
    let operations = ledger([&create, &create]);
    let rule = |result: Result<(), Rejection>| result.unwrap_err().rule();

    let mut replay = Replay::new(DidSuffix::new([0; 32]));
    assert_eq!(rule(replay.apply(&operations[0])), Rule::OtherDid);
    let mut replay = Replay::new(create.hash.into());
    assert_eq!(replay.apply(&operations[1]), Ok(()));
    let position: OperationPosition = operations[0].position;
    assert!(position < operations[1].position);
    assert_eq!(rule(replay.apply(&operations[0])), Rule::OutOfOrder);
}

/// Clients keep them.
#[test]
fn tokens_are_snake_case_and_each_is_used_once() {
    let tokens: BTreeSet<&str> = Rule::ALL.iter().map(|rule| rule.token()).collect();
    assert_eq!(tokens.len(), Rule::ALL.len());
    for token in tokens {
        let is_token = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
        assert!(token.starts_with(|c: char| c.is_ascii_lowercase()), "{token}");
        assert!(token.chars().all(is_token), "{token}");
    }
}

/// An index keeps the text.
#[test]
fn the_text_of_a_reason_is_read_back() {
    for (text, rule) in [
        ("no operation", Rule::NoOperation),
        ("protocol version update", Rule::ProtocolVersionUpdate),
        ("DID id is not 64 lowercase hexadecimal digits", Rule::DidIdSyntax),
        ("storage owner is not a 32-byte hash", Rule::StorageOwnerSyntax),
        ("previous event is not a 32-byte hash", Rule::PreviousEventSyntax),
        (
            "no storage operation that it follows stands before it",
            Rule::PreviousEventUnknown,
        ),
    ] {
        let reason = IgnoredReason::from_text(text).unwrap();
        assert_eq!((reason.to_string().as_str(), reason.rule()), (text, rule));
    }
    assert_eq!(IgnoredReason::from_text("No operation"), None);
}
