//! Whatever is asked of a backend in whatever order, it answers as the reference model does.

use std::collections::BTreeMap;
use std::panic::catch_unwind;

use engine_tests::{PostgresFactory, SqliteFactory};
use node_storage::contract::{Access, ConflictReason, Network, Result};
use node_storage_conformance::model::{Model, ModelStore};
use node_storage_conformance::streams::{
    self, Order, Place, Step, assert_same_as_model, configuration, refusals, to_test_source,
};
use node_storage_conformance::{StoreFactory, is_chosen};
use proptest::strategy::{Strategy, ValueTree};
use proptest::test_runner::{Config, RngSeed, TestRunner};
use tokio::runtime::Runtime;

/// Both engines try what has once found something on either.
const REGRESSIONS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/proptest-regressions/streams.txt");

#[test]
fn sqlite_answers_every_stream_as_the_model_does() {
    if is_chosen("sqlite") {
        assert_same_as_model(
            configuration(Some(REGRESSIONS)),
            "SqliteFactory::new().await",
            SqliteFactory::new,
        );
    }
}

#[test]
fn postgres_answers_every_stream_as_the_model_does() {
    if is_chosen("postgres") {
        // One database for all streams, made empty before each.
        let factory = Runtime::new().unwrap().block_on(PostgresFactory::new());
        let factory = &factory;
        assert_same_as_model(
            configuration(Some(REGRESSIONS)),
            "PostgresFactory::new().await",
            async || {
                factory.clear().await;
                factory
            },
        );
    }
}

/// Every reason for a conflict, in the contract's order.
const REASONS: [&str; 16] = [
    "other block hash",
    "other slot",
    "other block time",
    "other transaction id",
    "other operation",
    "operation missing",
    "operation added",
    "below cursor",
    "slot order",
    "transaction elsewhere",
    "cursor below blocks",
    "cursor fork",
    "cursor order",
    "unknown position",
    "index gap",
    "indexed twice",
];

/// Exhaustive, so that a new reason has to be written down here.
const fn name(reason: &ConflictReason) -> &'static str {
    match reason {
        ConflictReason::OtherBlockHash => "other block hash",
        ConflictReason::OtherSlot => "other slot",
        ConflictReason::OtherBlockTime => "other block time",
        ConflictReason::OtherTransactionId => "other transaction id",
        ConflictReason::OtherOperation => "other operation",
        ConflictReason::OperationMissing => "operation missing",
        ConflictReason::OperationAdded => "operation added",
        ConflictReason::BelowCursor => "below cursor",
        ConflictReason::SlotOrder => "slot order",
        ConflictReason::TransactionElsewhere { .. } => "transaction elsewhere",
        ConflictReason::CursorBelowBlocks { .. } => "cursor below blocks",
        ConflictReason::CursorFork { .. } => "cursor fork",
        ConflictReason::CursorOrder { .. } => "cursor order",
        ConflictReason::UnknownPosition => "unknown position",
        ConflictReason::IndexGap => "index gap",
        ConflictReason::IndexedTwice => "indexed twice",
    }
}

#[tokio::test]
async fn two_hundred_streams_have_steps_of_every_kind_and_conflicts_of_every_reason() {
    let mut runner = TestRunner::new(configuration(None));
    let mut counts: BTreeMap<&str, (u32, u32)> = BTreeMap::new();
    let mut reasons: BTreeMap<&str, u32> = BTreeMap::new();
    for _ in 0..200 {
        let steps = streams::streams().new_tree(&mut runner).unwrap().current();
        for (step, refusal) in steps.iter().zip(refusals(&steps).await) {
            let (taken, refused) = counts.entry(step.kind()).or_default();
            *taken += 1;
            if let Some(reason) = refusal {
                *refused += 1;
                *reasons.entry(name(&reason)).or_default() += 1;
            }
        }
    }
    println!("steps and how many of them were refused: {counts:?}\nreasons: {reasons:?}");
    let missing: Vec<_> = Step::KINDS.iter().filter(|kind| !counts.contains_key(*kind)).collect();
    assert!(missing.is_empty(), "no step of the kinds {missing:?}");
    let missing: Vec<_> = REASONS.iter().filter(|name| !reasons.contains_key(*name)).collect();
    assert!(missing.is_empty(), "no conflict for the reasons {missing:?}");
    // What is refused changes nothing: most calls have to be accepted for the rest to mean something.
    for kind in ["append", "redeliver", "index", "move cursor"] {
        let (taken, refused) = counts.get(kind).copied().unwrap_or_default();
        assert!(
            refused * 2 < taken,
            "{refused} of {taken} steps of the kind {kind:?} were refused"
        );
    }
}

/// A value, and the source that made it, without blanks.
macro_rules! with_source {
    ($value:expr) => {
        ($value, stringify!($value).replace([' ', '\n'], ""))
    };
}

#[test]
fn printed_step_is_the_expression_that_makes_it() {
    use streams::literals::*;
    let steps: [(Step, String); 7] = [
        with_source!(Append {
            blocks: vec![Block {
                number_gap: 1,
                slot_gap: 2,
                time: BeforeEpoch,
                transactions: vec![Transaction {
                    absn: 3,
                    operations: vec![(0, Create(1)), (4, NoBytes)]
                }]
            }],
            order: Alternating,
            cursor: Ahead(1, 2)
        }),
        with_source!(Fork {
            stored: 2,
            change: More(Noise(1)),
            new: vec![],
            cursor: Kept
        }),
        with_source!(Contradict {
            blocks: vec![],
            flaw: Twice(Hash)
        }),
        with_source!(Index {
            from: -2,
            length: 4,
            outcomes: vec![Routed, Lists(1)],
            flaw: Some(Disputed(1)),
            order: Descending
        }),
        with_source!(Read(Page(JustBelow(1), 7))),
        with_source!(Reopen),
        with_source!(Move),
    ];
    for (step, source) in steps {
        assert_eq!(step.to_string().replace(' ', ""), source);
    }
}

/// A store whose openings know nothing of each other.
struct Forgetful;

impl StoreFactory for Forgetful {
    type Store = ModelStore;

    async fn open(&self, network: Network, access: Access) -> Result<ModelStore> {
        Model::default().open(network, access).await
    }
}

#[test]
fn wrong_store_is_found_and_its_shortest_stream_printed_as_a_test() {
    let found = catch_unwind(|| {
        let config = Config {
            cases: 64,
            rng_seed: RngSeed::Fixed(1),
            ..configuration(None)
        };
        assert_same_as_model(config, "Forgetful", async || Forgetful);
    })
    .unwrap_err();
    let message = found.downcast_ref::<String>().unwrap();
    let moves_the_cursor = Step::Append {
        blocks: vec![],
        order: Order::Ascending,
        cursor: Place::There,
    };
    let steps = [moves_the_cursor];
    assert!(message.contains(&to_test_source("Forgetful", &steps)), "{message}");
    assert!(
        message.contains("at step 0, the cursor is None instead of Some"),
        "{message}"
    );
}
