//! The cases find what they are there for: every store that is wrong on purpose fails one, and every case fails some store.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

use node_storage_conformance::defects::{DEFECTS, Defect, Defective, Fault};
use node_storage_conformance::{AnyFactory, CASES, Case, EmptyAtFirst};

/// How long a case may wait. No time passes while anything can run, so it waits for something that never comes.
const LIMIT: Duration = Duration::from_secs(1);

thread_local! {
    /// Whether what panics here is a case, which is counted and not printed.
    static RUNS_CASES: Cell<bool> = const { Cell::new(false) };
}

/// Whether the store fails the case.
fn fails(case: &Case, store: Defective) -> bool {
    let store = AnyFactory::new(store);
    !matches!(catch_unwind(AssertUnwindSafe(|| run(case.run(&store)))), Ok(Some(())))
}

/// Runs a case; `None` where it waits for something that never comes. The runtime has one thread and no time of its own, so that
/// the calls of a case take the same turns in every run.
fn run(case: impl Future<Output = ()>) -> Option<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .start_paused(true)
        .build()
        .unwrap();
    runtime.block_on(async { tokio::time::timeout(LIMIT, case).await.ok() })
}

/// Does something with each of these in as many threads as there are processors; answers what it gave, in their order.
fn in_parallel<T: Sync, Answer: Send>(items: &[T], work: impl Fn(&T) -> Answer + Sync) -> Vec<Answer> {
    let print = panic::take_hook();
    panic::set_hook(Box::new(move |info| {
        if !RUNS_CASES.get() {
            print(info);
        }
    }));
    let next = AtomicUsize::new(0);
    let take = || {
        RUNS_CASES.set(true);
        let mut answers = Vec::new();
        while let index = next.fetch_add(1, Ordering::Relaxed)
            && let Some(item) = items.get(index)
        {
            answers.push((index, work(item)));
        }
        answers
    };
    let mut answers: Vec<_> = thread::scope(|scope| {
        let threads = thread::available_parallelism().map_or(2, usize::from);
        let workers: Vec<_> = (0..threads).map(|_| scope.spawn(take)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    answers.sort_by_key(|(index, _)| *index);
    answers.into_iter().map(|(_, answer)| answer).collect()
}

/// How long a case takes. A defect meets the cases of one cost only if none that costs less finds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Cost {
    /// A millisecond or so.
    Low,
    /// Ten times as long, or more.
    High,
    /// A second.
    Highest,
}

const COSTS: [Cost; 3] = [Cost::Low, Cost::High, Cost::Highest];

fn cost(case: &Case) -> Cost {
    const HIGH: &[&str] = &[
        "bytes::shortest_and_longest_operations_are_stored",
        "concurrency::overlapping_deliveries_add_each_block_once",
        "concurrency::readers_see_entries_with_their_watermark",
        "concurrency::readers_see_whole_blocks_with_their_cursor",
        "indexing::indexer_of_the_node_indexes_everything",
        "lookup::transaction_is_found_with_all_operations",
        "order::order_within_an_append_does_not_matter",
        "reopening::clones_read_each_others_writes",
        "storage_chains::chain_of_a_thousand_updates_is_followed",
        "storage_chains::chain_within_one_transaction_is_followed",
    ];
    /// Those that walk the tables of the contract.
    const WALKS: &[&str] = &["visibility", "in_flight", "dropped", "refused", "schedules"];
    const HIGHEST: &[&str] = &[
        "load::seventy_thousand_operations_come_in_one_chunk",
        "order::operations_of_a_did_come_by_position",
        "order::positions_are_ordered_as_numbers",
        "streams::long_stream_is_answered_as_the_model_answers_it",
    ];
    let name = case.to_string();
    if HIGHEST.contains(&name.as_str()) || case.concern == "large_batches" {
        Cost::Highest
    } else if HIGH.contains(&name.as_str()) || WALKS.contains(&case.concern) {
        Cost::High
    } else {
        Cost::Low
    }
}

/// The cases that a store with each defect fails, in the order of [`DEFECTS`]: all of the lowest cost that finds it.
fn killers() -> Vec<Vec<String>> {
    let fails = |case: &Case, defect: usize| fails(case, DEFECTS[defect].store());
    let mut found = vec![Vec::new(); DEFECTS.len()];
    // Those that cost more to find come first: the cases that still have to find something are for them.
    let mut order: Vec<usize> = (0..DEFECTS.len()).collect();
    for cost in COSTS {
        let cases = || CASES.iter().filter(|case| self::cost(case) == cost);
        let left: Vec<usize> = (0..DEFECTS.len()).filter(|defect| found[*defect].is_empty()).collect();
        order.sort_by_key(|defect| !left.contains(defect));
        let pairs: Vec<(usize, &Case)> = left
            .iter()
            .flat_map(|defect| cases().map(|case| (*defect, case)))
            .collect();
        let failed = in_parallel(&pairs, |(defect, case)| fails(case, *defect));
        for ((defect, case), _) in pairs.into_iter().zip(failed).filter(|(_, failed)| *failed) {
            found[defect].push(case.to_string());
        }
    }
    let idle: Vec<&Case> = CASES
        .iter()
        .filter(|case| !found.iter().flatten().any(|name| *name == case.to_string()))
        .collect();
    let firsts = in_parallel(&idle, |case| order.iter().find(|defect| fails(case, **defect)));
    for (case, first) in idle.into_iter().zip(firsts) {
        if let Some(defect) = first {
            found[*defect].push(case.to_string());
        }
    }
    found
}

#[test]
fn correct_store_fails_no_case() {
    let failed = in_parallel(CASES, |case| {
        fails(case, Defective::new(None)).then(|| case.to_string())
    });
    let failed: Vec<_> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "the correct store fails {failed:?}");
}

#[test]
fn every_defect_fails_a_case_and_every_case_finds_a_defect() {
    let found = killers();
    if let Some(directory) = env::var_os("CONFORMANCE_RESULTS") {
        write_table(Path::new(&directory), &found);
    }
    let survivors: Vec<_> = DEFECTS
        .iter()
        .zip(&found)
        .filter(|(_, killers)| killers.is_empty())
        .map(|(defect, _)| defect.name)
        .collect();
    let useful: BTreeSet<_> = found.iter().flatten().cloned().collect();
    let useless: BTreeSet<_> = CASES
        .iter()
        .map(Case::to_string)
        .filter(|name| !useful.contains(name))
        .collect();
    assert!(
        survivors.is_empty() && useless.is_empty(),
        "defects that fail no case: {survivors:#?}\ncases that find no defect: {useless:#?}"
    );
}

/// Writes which cases find which defect, as Markdown.
fn write_table(directory: &Path, found: &[Vec<String>]) {
    let mut table = String::from(
        "| defect | what is wrong | forbidden by | cases that find it | for example |\n|---|---|---|---:|---|\n",
    );
    for (defect, killers) in DEFECTS.iter().zip(found) {
        let first = killers.iter().take(3).cloned().collect::<Vec<_>>().join(", ");
        let Defect {
            name,
            description,
            line,
            ..
        } = defect;
        writeln!(
            table,
            "| {name} | {description} | line {line} | {} | {first} |",
            killers.len()
        )
        .unwrap();
    }
    fs::create_dir_all(directory).unwrap();
    fs::write(directory.join("defects.md"), table).unwrap();
}

/// Every case says of such a store that it is not the case's own, and not that an answer is wrong.
#[test]
fn store_that_is_not_empty_is_reported_as_such() {
    let failures = in_parallel(CASES, |case| {
        let store = EmptyAtFirst::new(Defective::new(Some(Fault::HandsOutAFilledStore)));
        let store = AnyFactory::new(store);
        let failure = catch_unwind(AssertUnwindSafe(|| run(case.run(&store))));
        let message = failure.err().and_then(|payload| payload.downcast::<String>().ok());
        (*case, message.map_or_else(String::new, |message| *message))
    });
    for (case, message) in failures {
        assert!(
            message.starts_with("the factory handed out a store that is not empty: its cursor is "),
            "{case}: {message:?}"
        );
    }
}

#[test]
fn every_defect_has_a_name_of_its_own_and_says_what_is_wrong() {
    let names: BTreeSet<_> = DEFECTS.iter().map(|defect| defect.name).collect();
    assert_eq!(names.len(), DEFECTS.len());
    for defect in DEFECTS {
        assert!(defect.description.ends_with('.'), "{}", defect.name);
        assert!((1..=13).contains(&defect.line), "{}", defect.name);
    }
}
