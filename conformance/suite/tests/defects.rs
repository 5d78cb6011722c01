//! The cases find what they are there for: every store that is wrong on purpose fails one, and every case fails some store.
#![allow(clippy::unwrap_used, reason = "all of this is test code")]

use std::cell::Cell;
use std::collections::BTreeSet;
use std::env;
use std::fmt::Write as _;
use std::fs;
use std::panic::{self, AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use node_storage_conformance::defects::{DEFECTS, Defective, Fault, Flaw};
use node_storage_conformance::{AnyFactory, CASES, Case, EmptyAtFirst};

/// How long a case may wait. No time passes while anything can run, and the longest that a case waits on purpose is a little more than
/// ten seconds: beyond this, it waits for something that never comes.
const LIMIT: Duration = Duration::from_secs(20);

/// Set, the table of what finds what is written: what holds of the committed one, and what was found for the rest.
const WRITE_TABLE: &str = "CONFORMANCE_WRITE_DEFECTS";

thread_local! {
    /// Whether what panics here is a case, which is counted and not printed.
    static RUNS_CASES: Cell<bool> = const { Cell::new(false) };
}

/// A store that is wrong on purpose.
struct Wrong {
    /// What is wrong.
    text: String,
    /// The line of the storage contract that forbids it.
    line: u8,
    store: Box<dyn Fn() -> AnyFactory<'static> + Sync>,
}

/// Every one: those that somebody thought of, and those that tables make.
fn wrongs() -> Vec<Wrong> {
    let defects = DEFECTS.iter().map(|defect| Wrong {
        text: format!("{}: {}", defect.name, defect.description),
        line: defect.line,
        store: Box::new(|| AnyFactory::new(defect.store())),
    });
    let flaws = Flaw::all().into_iter().map(|flaw| Wrong {
        text: format!("{flaw}."),
        line: flaw.line(),
        store: Box::new(move || AnyFactory::new(flaw.store())),
    });
    defects.chain(flaws).collect()
}

/// Whether the store fails the case.
fn fails(case: &Case, store: &AnyFactory<'_>) -> bool {
    !matches!(catch_unwind(AssertUnwindSafe(|| run(case.run(store)))), Ok(Some(())))
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

/// Every case, those first that take least time on a correct store.
fn fastest_first() -> Vec<&'static Case> {
    let times = in_parallel(CASES, |case| {
        let begin = Instant::now();
        let failed = fails(case, &AnyFactory::new(Defective::new(None)));
        assert!(!failed, "the correct store fails {case}");
        begin.elapsed()
    });
    let mut cases: Vec<_> = times.into_iter().zip(CASES).collect();
    cases.sort_by_key(|(time, case)| (*time, case.to_string()));
    cases.into_iter().map(|(_, case)| case).collect()
}

/// What finds what: the place of a store in [`wrongs`], and a case that it fails.
type Finds = Vec<(usize, &'static Case)>;

/// The table as it was committed.
fn table_path() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("defects.md")
}

const HEAD: &str = "\
# Stores that are wrong on purpose, and what finds them

Each is found by the case beside it, or by each of several. The first ones were thought of one by one; behind them come those
that `defects/flaws.rs` makes out of tables: no case was made for one of these. `just defects` keeps what is still so, works out
the rest and writes it here; without this file, all of it.

";

const COLUMNS: &str = "\
| what is wrong | forbidden by | found by |
|---|---|---|
";

/// The pairs of a table, as far as there are such stores and cases.
fn read_table(text: &str, wrongs: &[Wrong]) -> Finds {
    let rows = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.strip_suffix(" |"));
    rows.filter_map(|row| {
        let (rest, case) = row.rsplit_once(" | ")?;
        let (wrong, _) = rest.rsplit_once(" | ")?;
        let place = wrongs.iter().position(|known| known.text == wrong)?;
        Some((place, Case::named(case)?))
    })
    .collect()
}

fn write_table(wrongs: &[Wrong], finds: &Finds) -> String {
    let mut table = COLUMNS.to_owned();
    for (place, wrong) in wrongs.iter().enumerate() {
        for (_, case) in finds.iter().filter(|(of, _)| *of == place) {
            writeln!(table, "| {} | line {} | {case} |", wrong.text, wrong.line).unwrap();
        }
    }
    table
}

/// A case for every store, and a store for every case, as far as there are any; those of `known` are not looked for again.
fn complete(wrongs: &[Wrong], known: Finds) -> Finds {
    let mut finds = known;
    let open: Vec<usize> = (0..wrongs.len())
        .filter(|place| !finds.iter().any(|(of, _)| of == place))
        .collect();
    let lacks = |case: &&'static Case| !finds.iter().any(|(_, by)| by == case);
    if open.is_empty() && !CASES.iter().any(|case| lacks(&case)) {
        return finds;
    }
    let cases = fastest_first();
    let first = in_parallel(&open, |place| {
        cases
            .iter()
            .copied()
            .find(|case| fails(case, &(wrongs[*place].store)()))
    });
    finds.extend(
        open.into_iter()
            .zip(first)
            .filter_map(|(place, case)| Some((place, case?))),
    );
    let idle: Vec<&'static Case> = cases
        .iter()
        .copied()
        .filter(|case| !finds.iter().any(|(_, by)| by == case))
        .collect();
    // What takes long to find is found by few: those are tried first.
    let mut order: Vec<usize> = (0..wrongs.len()).collect();
    order.sort_by_key(|place| {
        let fastest = cases
            .iter()
            .position(|case| finds.iter().any(|(of, by)| of == place && by == case));
        std::cmp::Reverse(fastest)
    });
    let first = in_parallel(&idle, |case| {
        order
            .iter()
            .copied()
            .find(|place| fails(case, &(wrongs[*place].store)()))
    });
    finds.extend(
        first
            .into_iter()
            .zip(idle)
            .filter_map(|(place, case)| Some((place?, case))),
    );
    finds.sort_by_key(|(place, case)| (*place, case.to_string()));
    finds
}

#[test]
fn correct_store_fails_no_case() {
    let failed = in_parallel(CASES, |case| {
        fails(case, &AnyFactory::new(Defective::new(None))).then(|| case.to_string())
    });
    let failed: Vec<_> = failed.into_iter().flatten().collect();
    assert!(failed.is_empty(), "the correct store fails {failed:?}");
}

#[test]
fn every_defect_fails_a_case_and_every_case_finds_a_defect() {
    let wrongs = wrongs();
    let is_written = env::var_os(WRITE_TABLE).is_some();
    let committed = fs::read_to_string(table_path()).unwrap_or_default();
    let claimed = read_table(&committed, &wrongs);
    let holds = in_parallel(&claimed, |(place, case)| fails(case, &(wrongs[*place].store)()));
    let known: Finds = claimed
        .iter()
        .copied()
        .zip(holds)
        .filter(|(_, holds)| *holds)
        .map(|(find, _)| find)
        .collect();
    let is_stale = known.len() < claimed.len();
    let finds = complete(&wrongs, known);
    let table = write_table(&wrongs, &finds);
    if is_written {
        fs::write(table_path(), format!("{HEAD}{table}")).unwrap();
    }
    if let Some(directory) = env::var_os("CONFORMANCE_RESULTS") {
        fs::create_dir_all(&directory).unwrap();
        fs::write(Path::new(&directory).join("defects.md"), &table).unwrap();
    }
    let survivors: Vec<_> = wrongs
        .iter()
        .enumerate()
        .filter(|(place, _)| !finds.iter().any(|(of, _)| of == place))
        .map(|(_, wrong)| &wrong.text)
        .collect();
    let useless: Vec<_> = CASES
        .iter()
        .filter(|case| !finds.iter().any(|(_, by)| by == case))
        .map(Case::to_string)
        .collect();
    assert!(
        survivors.is_empty() && useless.is_empty(),
        "defects that fail no case: {survivors:#?}\ncases that find no defect: {useless:#?}"
    );
    assert!(
        is_written || (format!("{HEAD}{table}") == committed && !is_stale),
        "conformance/suite/defects.md does not say what finds what; run `just defects`, and read what changes"
    );
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
fn every_defect_says_what_is_wrong_in_words_of_its_own() {
    let wrongs = wrongs();
    let texts: BTreeSet<_> = wrongs.iter().map(|wrong| &wrong.text).collect();
    assert_eq!(texts.len(), wrongs.len());
    for Wrong { text, line, .. } in &wrongs {
        assert!(text.ends_with('.') && !text.contains('|'), "{text}");
        assert!((1..=13).contains(line), "{text}");
    }
}
