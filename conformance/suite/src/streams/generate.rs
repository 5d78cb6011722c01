//! Streams at random.
//!
//! Numbers come from a small dense range, so that the same block, DID or transaction is met again, and now and then from the
//! end of what the contract allows.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;

use super::step::{
    After, BatchFlaw, Belief, Block, Change, Flaw, Operation, Order, Outcome, Place, Question, Step, Time, Transaction,
};
use super::vocabulary::DIDS;

/// The most steps that a stream has.
const STEPS: usize = 14;
/// Indexes of stored things: more than most streams have.
const STORED: std::ops::Range<usize> = 0..12;

/// Streams of one to fourteen steps.
pub fn streams() -> impl Strategy<Value = Vec<Step>> {
    vec(step(), 1..=STEPS)
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        8 => (vec(block(), 0..4), order(), ahead()).prop_map(|(blocks, order, cursor)| Step::Append {
            blocks, order, cursor
        }),
        3 => redelivery(),
        4 => fork(),
        4 => (vec(block(), 1..3), flaw()).prop_map(|(blocks, flaw)| Step::Contradict { blocks, flaw }),
        2 => place().prop_map(Step::MoveCursor),
        2 => (vec(block(), 0..2), belief()).prop_map(|(blocks, belief)| Step::Mistake { blocks, belief }),
        6 => index(),
        1 => Just(Step::IndexAll),
        4 => question().prop_map(Step::Read),
        1 => Just(Step::Reopen),
        1 => Just(Step::BackUp),
        2 => Just(Step::Move),
    ]
}

fn redelivery() -> impl Strategy<Value = Step> {
    let new = prop_oneof![Just(Vec::new()), vec(block(), 1..3)];
    let cursor = prop_oneof![4 => Just(Place::Kept), 3 => ahead(), 1 => place()];
    (vec(STORED, 1..4), new, order(), cursor).prop_map(|(stored, new, order, cursor)| Step::Redeliver {
        stored,
        new,
        order,
        cursor,
    })
}

fn fork() -> impl Strategy<Value = Step> {
    let new = prop_oneof![4 => Just(Vec::new()), 1 => vec(block(), 1..3)];
    let cursor = prop_oneof![4 => Just(Place::Kept), 2 => ahead()];
    (STORED, change(), new, cursor).prop_map(|(stored, change, new, cursor)| Step::Fork {
        stored,
        change,
        new,
        cursor,
    })
}

fn index() -> impl Strategy<Value = Step> {
    let from = prop_oneof![6 => Just(0_i8), 2 => -4_i8..0, 1 => 1_i8..3, 1 => Just(i8::MIN)];
    let flaw = prop_oneof![4 => Just(None), 2 => batch_flaw().prop_map(Some)];
    (from, 0_usize..8, vec(outcome(), 1..4), flaw, order()).prop_map(|(from, length, outcomes, flaw, order)| {
        Step::Index {
            from,
            length,
            outcomes,
            flaw,
            order,
        }
    })
}

fn block() -> impl Strategy<Value = Block> {
    // One block in hundreds takes all the numbers there are; nothing can be added above it.
    let gap = || prop_oneof![300 => 1_u64..4, 1 => Just(u64::MAX)];
    let time = prop_oneof![
        6 => Just(Time::OfSlot),
        1 => Just(Time::Earliest),
        1 => Just(Time::BeforeEpoch),
        1 => Just(Time::Latest),
    ];
    let operations = btree_map(index_in_block(), operation(), 0..4);
    let transactions = btree_map(index_in_block(), operations, 0..3);
    (gap(), gap(), time, transactions).prop_map(|(number_gap, slot_gap, time, transactions)| Block {
        number_gap,
        slot_gap,
        time,
        transactions: transactions
            .into_iter()
            .map(|(absn, operations)| Transaction {
                absn,
                operations: operations.into_iter().collect(),
            })
            .collect(),
    })
}

fn index_in_block() -> impl Strategy<Value = u64> {
    prop_oneof![12 => 0_u64..5, 1 => Just((1 << 31) - 1)]
}

fn operation() -> impl Strategy<Value = Operation> {
    let of_a_did = prop_oneof![
        4 => Just(Operation::Create as fn(usize) -> Operation),
        2 => Just(Operation::AddService as fn(usize) -> Operation),
        1 => Just(Operation::RotateKey as fn(usize) -> Operation),
        1 => Just(Operation::Deactivate as fn(usize) -> Operation),
        3 => Just(Operation::CreateEntry as fn(usize) -> Operation),
        2 => Just(Operation::UpdateEntry as fn(usize) -> Operation),
        1 => Just(Operation::DeactivateEntry as fn(usize) -> Operation),
        1 => Just(Operation::LooseEntry as fn(usize) -> Operation),
        1 => Just(Operation::WrongSignature as fn(usize) -> Operation),
        1 => Just(Operation::CutOff as fn(usize) -> Operation),
        1 => Just(Operation::NoSuffix as fn(usize) -> Operation),
        1 => Just(Operation::ProtocolVersion as fn(usize) -> Operation),
        1 => Just(Operation::NoKind as fn(usize) -> Operation),
        1 => Just(Operation::Legacy as fn(usize) -> Operation),
    ];
    prop_oneof![
        1 => Just(Operation::NoBytes),
        2 => (0_u8..3).prop_map(Operation::Noise),
        20 => (of_a_did, 0..DIDS).prop_map(|(of, did)| of(did)),
        1 => Just(Operation::Long),
        1 => (0_usize..60).prop_map(Operation::Sized),
    ]
}

fn order() -> impl Strategy<Value = Order> {
    prop_oneof![
        Just(Order::Ascending),
        Just(Order::Descending),
        Just(Order::Alternating)
    ]
}

/// Cursors that blocks above the stored one may come with.
fn ahead() -> impl Strategy<Value = Place> {
    prop_oneof![4 => Just(Place::There), 1 => (1_u64..3, 1_u64..3).prop_map(|(number, slot)| Place::Ahead(number, slot))]
}

fn place() -> impl Strategy<Value = Place> {
    prop_oneof![
        3 => Just(Place::There),
        6 => (1_u64..3, 1_u64..3).prop_map(|(number, slot)| Place::Ahead(number, slot)),
        3 => Just(Place::Behind),
        3 => Just(Place::OtherFork),
        2 => Just(Place::NumberAhead),
        2 => Just(Place::SlotAhead),
        2 => Just(Place::Crossing),
        1 => Just(Place::Kept),
        1 => Just(Place::Highest),
    ]
}

fn belief() -> impl Strategy<Value = Belief> {
    prop_oneof![
        2 => Just(Belief::Empty),
        5 => place().prop_map(Belief::At),
        1 => Just(Belief::AtLastBlock),
        2 => STORED.prop_map(Belief::AtStored),
    ]
}

fn change() -> impl Strategy<Value = Change> {
    prop_oneof![
        1 => Just(Change::Hash),
        1 => Just(Change::LaterSlot),
        1 => Just(Change::EarlierSlot),
        1 => Just(Change::BlockTime),
        1 => Just(Change::Less),
        1 => operation().prop_map(Change::More),
        1 => operation().prop_map(Change::Bytes),
        1 => Just(Change::Id),
        1 => Just(Change::Bare),
        9 => (0_usize..200).prop_map(Change::Any),
    ]
}

fn flaw() -> impl Strategy<Value = Flaw> {
    prop_oneof![
        4 => change().prop_map(Flaw::Twice),
        2 => Just(Flaw::SameSlot),
        2 => Just(Flaw::SameId),
        3 => STORED.prop_map(Flaw::StoredId),
        3 => Just(Flaw::Below),
        3 => place().prop_map(Flaw::Cursor),
    ]
}

fn outcome() -> impl Strategy<Value = Outcome> {
    prop_oneof![
        4 => Just(Outcome::Routed),
        3 => (0..DIDS).prop_map(Outcome::Lists),
        1 => (0..DIDS).prop_map(Outcome::OfDid),
        2 => (0..DIDS, 0_usize..3).prop_map(|(did, hash)| Outcome::OfStorage(did, hash)),
        1 => Just(Outcome::NoDid),
        1 => Just(Outcome::NoMessage),
    ]
}

fn batch_flaw() -> impl Strategy<Value = BatchFlaw> {
    prop_oneof![
        (0_usize..8).prop_map(BatchFlaw::LeftOut),
        (0_usize..8).prop_map(BatchFlaw::Unknown),
        Just(BatchFlaw::UnknownHighest),
        (0_usize..8).prop_map(BatchFlaw::Repeated),
        (0_usize..8).prop_map(BatchFlaw::Disputed),
    ]
}

fn question() -> impl Strategy<Value = Question> {
    let limit = || prop_oneof![Just(1_u64), Just(2), Just(3), Just(7), Just(10_000)];
    let number = prop_oneof![6 => 0_u64..16, 1 => Just(u64::MAX)];
    prop_oneof![
        (after(), limit()).prop_map(|(after, limit)| Question::Page(after, limit)),
        (after(), limit()).prop_map(|(after, limit)| Question::PublishedPage(after, limit)),
        (0..DIDS, after(), limit()).prop_map(|(did, after, limit)| Question::DidPage(did, after, limit)),
        (after(), limit()).prop_map(|(after, limit)| Question::ListedPage(after, limit)),
        number.prop_map(Question::Number),
        operation().prop_map(Question::IdOf),
        (STORED, after(), limit()).prop_map(|(index, after, limit)| Question::StoredTransaction(index, after, limit)),
        Just(Question::UnknownTransaction),
        (0..DIDS).prop_map(Question::Did),
        Just(Question::Owners),
        Just(Question::NetworkName),
    ]
}

fn after() -> impl Strategy<Value = After> {
    prop_oneof![
        2 => Just(After::Start),
        3 => STORED.prop_map(After::Stored),
        3 => STORED.prop_map(After::JustBelow),
        1 => Just(After::End),
    ]
}
