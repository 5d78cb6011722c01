//! A refused call leaves nothing behind: no change, no lock, no connection, not for a later opening either (lines 2, 10 and 11
//! of the storage contract).

use std::mem::{Discriminant, discriminant};

use node_storage_contract::{Access, ConflictReason, Network, StorageError};

use crate::StoreFactory;
use crate::factory::{NETWORK, WRITE, open, open_read_only};
use crate::lens::author::Kind;
use crate::lens::handles::{Handles, same_answer};
use crate::lens::look;
use crate::lens::read::questions;
use crate::lens::refusals::{accepted, base, otherwise, refusals, refusals_from, several, shifted_base};
use crate::lens::write::Write;
use crate::streams::short;

/// More often than any pool has connections.
const OFTEN: usize = 50;

/// Each takes several connections where there is a pool.
const OPENINGS: usize = 30;

async fn with_base<F: StoreFactory>(factory: &F) -> Handles<'_, F> {
    let mut handles = Handles::open(factory).await;
    for (step, write) in base().iter().enumerate() {
        handles.write(step, write).await;
    }
    handles
}

/// Each way to be refused: with its own error, naming what is wrong, and everybody sees the state as before, now and after
/// opening again.
pub async fn every_refusal_says_why_and_changes_nothing(factory: &impl StoreFactory) {
    let mut handles = with_base(factory).await;
    let reads = questions(&handles.model.content());
    for (step, (what, write)) in refusals(&handles.model).into_iter().enumerate() {
        let (_, expected) = write.expected(&handles.model).await;
        assert!(expected.is_err(), "the model accepts it, though {what}");
        let (handle, store) = handles.writer(step);
        let answer = write.ask(store).await;
        assert!(
            same_answer(&expected, &answer),
            "{what}: the {} through {handle} answers {} instead of {}",
            write.describe(),
            short(&answer),
            short(&expected)
        );
        handles.last = format!("a refusal, since {what}");
        let (handle, store) = handles.nth(step);
        look(
            store,
            &reads,
            &handles.model,
            &format!("after {}, through {handle}", handles.last),
        )
        .await;
    }
    handles.look().await;
    handles.reopen().await;
    handles.look().await;
    for step in 0..3 {
        let write = accepted(&handles.model, step);
        handles.write(step, &write).await;
    }
    handles.look().await;
    handles.close().await;
}

/// Nothing of a refused call is known afterwards: what it brought may come again otherwise. Its transactions come in other blocks
/// and at other places, and its blocks with other content.
pub async fn content_of_any_refused_call_is_forgotten(factory: &impl StoreFactory) {
    let mut handles = with_base(factory).await;
    let all = refusals(&handles.model).len();
    for number in 0..all {
        // What is refused goes on from where the base ends, so the base comes once more, above what is stored.
        let above = handles
            .model
            .content()
            .cursor
            .map_or(0, |cursor| cursor.block.get() + 10);
        let shifted = shifted_base(&handles.model, above);
        for (step, write) in shifted.iter().enumerate() {
            handles.write(step, write).await;
        }
        let Some((what, write)) = refusals_from(&handles.model, above).into_iter().nth(number) else {
            continue;
        };
        let (_, expected) = write.expected(&handles.model).await;
        let answer = write.ask(handles.writer(number).1).await;
        assert!(
            same_answer(&expected, &answer),
            "{what}: the answer is {}",
            short(&answer)
        );
        let Some(again) = otherwise(&handles.model, &write) else {
            continue;
        };
        handles.last = format!("a call that was refused, since {what}");
        handles.write(number + 1, &again).await;
    }
    handles.look().await;
    handles.close().await;
}

/// Each way to be refused, far more often than there are connections: then the store reads and writes.
pub async fn any_number_of_refusals_leaves_nothing_behind(factory: &impl StoreFactory) {
    let mut handles = with_base(factory).await;
    let mut kinds: Vec<RefusalKind> = Vec::new();
    for (step, (what, write)) in refusals(&handles.model).into_iter().enumerate() {
        let refusal = write
            .expected(&handles.model)
            .await
            .1
            .expect_err("the model accepts it");
        // Others of a kind are refused at the same point, as far as anybody can know.
        let kind = kind(&write, &refusal);
        let often = if kinds.contains(&kind) { 3 } else { OFTEN };
        kinds.push(kind);
        for _ in 0..often {
            let answer = write.ask(handles.writer(step).1).await;
            assert!(answer.is_err(), "accepted, though {what}");
        }
        if step % 7 == 0 {
            let stored = handles.model.content().cursor.expect("the base has a cursor");
            let write = Write::AdvanceCursor(Some(stored), stored);
            handles.last = format!("{often} refusals, since {what}");
            handles.write(step, &write).await;
        }
    }
    "refusals of every kind".clone_into(&mut handles.last);
    handles.look().await;
    for step in 0..Kind::ALL.len() {
        let write = accepted(&handles.model, step);
        handles.write(step, &write).await;
    }
    handles.look().await;
    handles.close().await;
}

/// What was called, and why it was refused.
type RefusalKind = (
    &'static str,
    Discriminant<StorageError>,
    Option<Discriminant<ConflictReason>>,
);

fn kind(write: &Write, refusal: &StorageError) -> RefusalKind {
    let reason = match refusal {
        StorageError::Conflict(conflict) => Some(discriminant(&conflict.reason)),
        _ => None,
    };
    (write.method(), discriminant(refusal), reason)
}

/// A store that was opened to read refuses every write that can be refused or accepted, far more often than it has connections,
/// and goes on reading.
pub async fn any_number_of_writes_to_a_reader_leaves_nothing_behind(factory: &impl StoreFactory) {
    let handles = with_base(factory).await;
    let reader = open_read_only(factory).await;
    let accepted = Kind::ALL.map(|kind| kind.next(&handles.model));
    for round in 0..OFTEN {
        for write in &accepted {
            match write.ask(&reader).await {
                Err(StorageError::ReadOnly) => {}
                answer => panic!(
                    "the {} number {round} to a store that was opened to read answers {} instead of ReadOnly",
                    write.describe(),
                    short(&answer)
                ),
            }
        }
        if round == 0 {
            for (what, write) in refusals(&handles.model) {
                let answer = write.ask(&reader).await;
                assert!(
                    matches!(answer, Err(StorageError::ReadOnly | StorageError::Conflict(_))),
                    "a store that was opened to read answers {} instead of ReadOnly to a write in which {what}",
                    short(&answer)
                );
            }
        }
    }
    let reads = questions(&handles.model.content());
    look(
        &reader,
        &reads,
        &handles.model,
        "through a reader, after writes that were refused",
    )
    .await;
    factory.close(reader).await;
    handles.look().await;
    handles.close().await;
}

/// Of several blocks of a call that contradict what is stored the lowest is named, and the cursor before all of them.
pub async fn lowest_of_several_contradictions_is_named(factory: &impl StoreFactory) {
    let handles = with_base(factory).await;
    let stored = handles.model.content().cursor.expect("the base has a cursor");
    for (what, blocks) in several() {
        for backwards in [false, true] {
            let mut blocks = blocks.clone();
            if backwards {
                blocks.reverse();
            }
            let last = crate::data::cursor_after(&blocks);
            let cursor = if last.block > stored.block { last } else { stored };
            let write = Write::Append(Some(stored), blocks.clone(), cursor);
            let (_, expected) = write.expected(&handles.model).await;
            let answer = write.ask(handles.writer(0).1).await;
            assert!(
                same_answer(&expected, &answer),
                "{what}: the answer is {} instead of {}",
                short(&answer),
                short(&expected)
            );
            let fork = node_storage_contract::Cursor {
                hash: crate::data::other_hash(stored.block.get()),
                ..stored
            };
            let answer = Write::Append(Some(stored), blocks, fork).ask(handles.writer(1).1).await;
            if last.block <= stored.block {
                match answer {
                    Err(StorageError::Conflict(conflict)) => {
                        assert_eq!(
                            conflict.reason,
                            ConflictReason::CursorFork { stored },
                            "{what}, and another fork"
                        );
                    }
                    answer => panic!("{what}, and another fork: the answer is {}", short(&answer)),
                }
            }
        }
    }
    handles.look().await;
    handles.close().await;
}

/// Where several transaction ids of a call are stored elsewhere, one of them is named, and the same one each time.
pub async fn one_of_several_known_transactions_is_named_each_time(factory: &impl StoreFactory) {
    let handles = with_base(factory).await;
    let (stored, known) = {
        let content = handles.model.content();
        let known: Vec<_> = content
            .blocks
            .values()
            .flat_map(|block| block.transactions.values().copied())
            .collect();
        (content.cursor.expect("the base has a cursor"), known)
    };
    let new = crate::data::blocks([11, 12, 13, 14]);
    let mut delivered = new.clone();
    let transactions = delivered.iter_mut().rev().flat_map(|block| &mut block.transactions);
    for (transaction, id) in transactions.zip(&known) {
        transaction.id = *id;
    }
    let write = Write::Append(Some(stored), delivered, crate::data::cursor_after(&new));
    let mut first = None;
    for round in 0..20 {
        let answer = write.ask(handles.writer(round).1).await;
        let Err(StorageError::Conflict(conflict)) = &answer else {
            panic!(
                "a call whose transactions are all stored elsewhere answers {}",
                short(&answer)
            );
        };
        assert!(
            matches!(conflict.reason, ConflictReason::TransactionElsewhere { id, .. } if known.contains(&id)),
            "the conflict is {conflict:?}"
        );
        let first = first.get_or_insert_with(|| conflict.clone());
        assert_eq!(conflict, first, "in round {round} another one is named than at first");
    }
    handles.look().await;
    handles.close().await;
}

/// Reads that find what they ask for, far more often than there are connections, leave nothing behind: pages that are full, too.
pub async fn any_number_of_reads_leaves_nothing_behind(factory: &impl StoreFactory) {
    const READS: usize = 1_100;
    let handles = with_base(factory).await;
    let reads = questions(&handles.model.content());
    for method in crate::lens::read::Read::METHODS {
        // Those that answer little are answered fast.
        let Some(read) = reads.iter().rfind(|read| read.method() == method && read.is_brief()) else {
            continue;
        };
        let expected = read.expected(&handles.model).await;
        for round in 0..READS {
            let (handle, store) = handles.writer(0);
            match read.ask(store).await {
                Ok(found) if found == expected => {}
                answer => panic!(
                    "{method}, asked for time {round} through {handle}, answers {} instead of {}",
                    short(&answer),
                    short(&expected)
                ),
            }
        }
    }
    handles.look().await;
    handles.close().await;
}

/// Openings with every network and to every end, accepted and refused, far more often than any limit: none leaves anything
/// behind, for those that are open or for later ones.
pub async fn any_number_of_openings_leaves_nothing_behind(factory: &impl StoreFactory) {
    let mut handles = with_base(factory).await;
    let accesses = [Access::Read, WRITE, Access::Write { migrate: false }];
    for round in 0..OPENINGS {
        let others: Vec<_> = Network::ALL.into_iter().filter(|network| *network != NETWORK).collect();
        let requested = others[round % others.len()];
        // Beside one that writes, only those that read are opened.
        let opened = open_as(factory, requested, Access::Read, round).await;
        assert!(
            opened.is_none(),
            "a store of {NETWORK} was opened as one of {requested}"
        );
        let reader = open_read_only(factory).await;
        if round % 10 == 0 {
            let write = accepted(&handles.model, round / 10);
            handles.write(round, &write).await;
        }
        let reads = questions(&handles.model.content());
        look(
            &reader,
            &reads[..4],
            &handles.model,
            &format!("through reader number {round}"),
        )
        .await;
        factory.close(reader).await;
    }
    handles.look().await;
    let model = handles.model.clone();
    handles.close().await;
    for round in 0..OPENINGS {
        let requested = Network::ALL[round % 4];
        let access = accesses[round % 3];
        if let Some(store) = open_as(factory, requested, access, round).await {
            assert_eq!(
                requested, NETWORK,
                "a store of {NETWORK} was opened as one of {requested}"
            );
            let reads = questions(&model.content());
            look(&store, &reads[..6], &model, &format!("through opening number {round}")).await;
            factory.close(store).await;
        }
    }
    let store = open(factory).await;
    let reads = questions(&model.content());
    look(&store, &reads, &model, "through the last opening").await;
    factory.close(store).await;
}

/// Opens a store of [`NETWORK`]; `None` where that is refused as it has to be.
async fn open_as<F: StoreFactory>(factory: &F, requested: Network, access: Access, round: usize) -> Option<F::Store> {
    match factory.open(requested, access).await {
        Ok(store) => Some(store),
        Err(StorageError::WrongNetwork {
            stored,
            requested: named,
        }) => {
            assert_eq!((stored, named), (NETWORK, requested), "opening number {round}");
            None
        }
        Err(error) => panic!("opening number {round} of a store of {NETWORK}, as {requested}, fails with {error}"),
    }
}

/// The first opening that writes names the network, for every pair of networks and whatever was opened to read before.
pub async fn refused_opening_of_an_empty_store_names_no_network(factory: &impl StoreFactory) {
    for network in Network::ALL {
        let reader = factory
            .open(network, Access::Read)
            .await
            .expect("a store without a network is read as any");
        assert_eq!(
            node_storage_contract::DltCursorRepo::network(&reader)
                .await
                .expect("it can be read"),
            None,
            "a store that was opened to read as {network} is of that network, though nobody has opened it for writing"
        );
        factory.close(reader).await;
    }
    let store = open(factory).await;
    factory.close(store).await;
    for network in Network::ALL.into_iter().filter(|network| *network != NETWORK) {
        for access in [Access::Read, WRITE, Access::Write { migrate: false }] {
            let refused = factory.open(network, access).await.err();
            assert!(
                matches!(refused, Some(StorageError::WrongNetwork { stored, requested })
                    if stored == NETWORK && requested == network),
                "opening a store of {NETWORK} as {network}: {refused:?}"
            );
        }
        let store = open(factory).await;
        let found = node_storage_contract::DltCursorRepo::network(&store)
            .await
            .expect("it can be read");
        assert_eq!(found, Some(NETWORK), "after an opening as {network} that was refused");
        factory.close(store).await;
    }
}
