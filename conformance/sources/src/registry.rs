//! The list of cases, and what runs them.

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

use tokio::runtime::Builder;
use tokio::time::timeout;

use crate::{Ability, AnyLedger, TestLedger, cases};

/// How long a case may take. The longest takes seconds: a case that takes this long waits for something that never comes.
const LIMIT: Duration = Duration::from_mins(2);

/// A case of the suite.
#[derive(Clone, Copy)]
pub struct Case {
    /// What it is about: a module of [`cases`].
    pub concern: &'static str,
    /// Its name, unique within the concern.
    pub name: &'static str,
    /// What the ledger has to be able to do.
    pub needs: &'static [Ability],
    run: for<'a> fn(&'a AnyLedger) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

impl Case {
    /// The case with this name, `concern::name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.to_string() == name)
    }

    /// The abilities that the ledger lacks for this case.
    pub fn lacks(&self, ledger: &AnyLedger) -> Vec<Ability> {
        self.needs
            .iter()
            .copied()
            .filter(|ability| !ledger.has(*ability))
            .collect()
    }

    /// Runs the case on an empty ledger.
    pub async fn run(&self, ledger: &AnyLedger) {
        (self.run)(ledger).await;
    }
}

impl fmt::Display for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.concern, self.name)
    }
}

impl fmt::Debug for Case {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

/// Hands the list of all cases to a macro: concern, and cases with the abilities that they need.
#[doc(hidden)]
#[macro_export]
macro_rules! with_all_source_cases {
    ([$($macro:tt)*] $($argument:tt)*) => {
        $($macro)*! { $($argument)*;
            start {
                reads_the_whole_ledger_without_a_cursor []
                starts_after_the_cursor [KeepsBlocks, Rereads]
                ledger_that_contradicts_the_cursor_is_named [KeepsBlocks, Rereads]
            }
            blocks {
                come_whole_ascending_and_each_once []
                come_with_every_field [KeepsBlocks]
                published_later_come_later []
                without_operations_move_the_cursor [KeepsBlocks]
                come_in_batches_within_their_limits [KeepsBlocks, Rereads]
            }
            waiting {
                everything_is_delivered_before_the_source_has_caught_up [Rereads]
                source_that_has_caught_up_says_so_once_and_waits []
                dropped_call_loses_nothing []
                nothing_follows_the_end [Ends]
            }
            errors {
                one_that_passes_is_followed_by_what_would_have_come [Interrupts]
            }
            confirmations {
                blocks_with_too_few_are_held_back [KeepsBlocks, Confirms]
                none_are_needed_for_the_highest_block_where_that_is_asked_for [KeepsBlocks, DeliversTheHighest]
                block_that_is_rolled_back_before_is_never_delivered [KeepsBlocks, Confirms, RollsBack]
            }
            tip {
                is_told_with_what_is_delivered []
                is_the_highest_block_confirmed_or_not [KeepsBlocks, Confirms]
                rises_while_the_source_waits []
            }
            root {
                is_that_of_the_ledger [KeepsBlocks]
                is_the_same_when_reading_is_interrupted_anywhere [KeepsBlocks, Rereads]
                is_the_same_after_the_database_went_back [KeepsBlocks, Rereads]
            }
        }
    };
}

macro_rules! registry {
    (; $($concern:ident { $($case:ident [$($ability:ident),*])* })*) => {
        /// Every case, by concern.
        pub const CASES: &[Case] = &[$($(
            Case {
                concern: stringify!($concern),
                name: stringify!($case),
                needs: &[$(Ability::$ability),*],
                run: |ledger| Box::pin(cases::$concern::$case(ledger)),
            },
        )*)*];
    };
}

with_all_source_cases!([registry]);

/// Runs the case of this name, `concern::name`, on a new ledger.
///
/// # Panics
/// Where the case does, where it does not end within two minutes, and where there is no such case.
pub fn run_case<L: TestLedger + 'static>(source: &str, name: &str, ledger: impl AsyncFnOnce() -> L) {
    run(source, name, false, ledger);
}

/// The same with a clock that stands still while something happens and jumps where nothing does, for ledgers in memory: a source
/// that never answers is noticed at once.
///
/// # Panics
/// As [`run_case`].
pub fn run_case_in_no_time<L: TestLedger + 'static>(source: &str, name: &str, ledger: impl AsyncFnOnce() -> L) {
    run(source, name, true, ledger);
}

fn run<L: TestLedger + 'static>(source: &str, name: &str, pause: bool, ledger: impl AsyncFnOnce() -> L) {
    let Some(case) = Case::named(name) else {
        panic!("there is no case {name:?}; write it as CASES has it, concern::name");
    };
    let runtime = Builder::new_current_thread()
        .enable_all()
        .start_paused(pause)
        .build()
        .expect("a runtime for the case");
    runtime.block_on(async {
        let ledger = AnyLedger::new(ledger().await);
        let lacks = case.lacks(&ledger);
        if !lacks.is_empty() {
            eprintln!("{source}::{case} does not apply: the source has not the abilities {lacks:?}");
            return;
        }
        let ended = timeout(LIMIT, case.run(&ledger)).await;
        assert!(
            ended.is_ok(),
            "{source}::{case} did not end within {} s",
            LIMIT.as_secs()
        );
    });
    // Does not wait for what a source may have left running.
    runtime.shutdown_background();
}

/// Makes a module of tests, one for each case, of a source: its name, and an expression that makes a new
/// [`TestLedger`](crate::TestLedger) and may `.await`.
#[macro_export]
macro_rules! source_tests {
    ($source:ident, $ledger:expr $(,)?) => {
        $crate::with_all_source_cases!([$crate::tests_of_all_source_cases] $source, $ledger);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! tests_of_all_source_cases {
    ($source:ident, $ledger:expr; $($concern:ident { $($case:ident $abilities:tt)* })*) => {
        mod $source {
            mod run {
                #[allow(unused_imports, reason = "the expression of a ledger may need none")]
                use super::super::*;

                pub(super) fn case(name: &str) {
                    $crate::run_case(stringify!($source), name, async || $ledger);
                }
            }

            $(mod $concern {
                $(
                    #[test]
                    fn $case() {
                        super::run::case(concat!(stringify!($concern), "::", stringify!($case)));
                    }
                )*
            })*
        }
    };
}
