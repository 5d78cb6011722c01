//! The list of all cases, and what is made of it.

use std::fmt;
use std::pin::Pin;

use crate::{AnyFactory, Level, cases};

/// A registered case.
#[derive(Debug, Clone, Copy)]
pub struct Case {
    /// The concern: the module of [`cases`] that the case stands in.
    pub concern: &'static str,
    /// The name of the case, a fact about a store that keeps the contract.
    pub name: &'static str,
    /// The lines of the storage contract, 1 to 13, that the concern is about: [`LINES`](crate::LINES) says what they are.
    pub lines: &'static [u8],
    /// The lowest level at which the case is run.
    pub level: Level,
    run: for<'a> fn(&'a AnyFactory<'_>) -> Pin<Box<dyn Future<Output = ()> + 'a>>,
}

impl Case {
    /// The case of this name, `concern::name`.
    pub fn named(name: &str) -> Option<&'static Self> {
        CASES.iter().find(|case| case.to_string() == name)
    }

    /// Calls the case. It panics where the store does not keep the contract.
    pub async fn run(&self, factory: &AnyFactory<'_>) {
        (self.run)(factory).await;
    }
}

impl PartialEq for Case {
    /// Two cases of one name are one case.
    fn eq(&self, other: &Self) -> bool {
        (self.concern, self.name) == (other.concern, other.name)
    }
}

impl Eq for Case {}

impl fmt::Display for Case {
    /// `concern::name`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}::{}", self.concern, self.name)
    }
}

/// Calls the macro in brackets with the arguments behind it, a semicolon, and the list of cases: by concern, with the lines of the
/// storage contract that it is about, and the lowest level at which it is run. A case that is missing
/// here is dead code to the compiler's eyes only; the test `every_case_is_registered` finds it.
#[doc(hidden)]
#[macro_export]
macro_rules! with_all_cases {
    ([$($macro:tt)*] $($argument:tt)*) => {
        $($macro)*! { $($argument)*;
            append [1] Basic {
                new_block_is_stored_with_every_field
                blocks_above_the_cursor_are_added
                cursor_above_the_last_block_is_stored
                higher_stored_cursor_stays
                redelivered_block_is_a_no_op
                stored_and_new_blocks_come_in_one_call
                stored_and_new_blocks_come_in_any_order
                redelivered_block_keeps_what_was_indexed
                block_without_operations_stores_nothing
                transaction_without_operations_stores_nothing
                call_without_blocks_moves_the_cursor
                identical_content_twice_in_a_call_is_stored_once
            }
            order [1, 3, 13] Basic {
                order_within_an_append_does_not_matter
                order_within_an_index_batch_does_not_matter
                content_of_one_call_is_the_ledger
                content_of_many_calls_is_the_ledger
                positions_are_ordered_as_numbers
                equal_operations_at_two_positions_are_two
                operations_of_a_did_come_by_position
            }
            conflict [1] Basic {
                other_hash_for_a_number_is_a_conflict
                fork_of_the_last_block_is_a_conflict
                other_slot_for_a_number_is_a_conflict
                other_time_for_a_number_is_a_conflict
                missing_operation_is_a_conflict
                added_operation_is_a_conflict
                changed_operation_is_a_conflict
                other_transaction_id_is_a_conflict
                unknown_block_below_the_cursor_is_a_conflict
                block_at_the_cursor_that_grows_is_a_conflict
                number_twice_with_different_content_is_a_conflict
                index_twice_with_different_content_is_a_conflict
                transaction_id_twice_in_a_call_is_a_conflict
                stored_transaction_id_elsewhere_is_a_conflict
                content_of_a_refused_call_is_forgotten
                slots_that_do_not_ascend_within_a_call_are_a_conflict
                block_whose_slot_contradicts_the_cursor_is_a_conflict
                cursor_below_the_last_block_is_a_conflict
                cursor_that_contradicts_the_stored_one_refuses_the_blocks
            }
            atomicity [2, 7] Basic {
                dropped_append_is_stored_whole_or_not_at_all
                dropped_index_batch_is_stored_whole_or_not_at_all
                dropped_cursor_move_leaves_one_of_both_cursors
                store_works_after_many_dropped_calls
            }
            cursor [6] Basic {
                cursor_is_empty_at_first
                cursor_moves_forward_alone
                lowest_cursor_is_a_cursor
                cursor_takes_the_highest_values
                cursor_moves_with_and_without_blocks
                equal_or_lower_cursor_is_a_no_op
                cursor_with_another_hash_is_a_conflict
                cursor_that_raises_one_of_slot_and_number_is_a_conflict
                concurrent_moves_leave_the_highest
                concurrent_forks_of_the_cursor_leave_one
                write_that_expects_another_cursor_is_refused_naming_both
                expected_cursor_is_judged_after_the_call_and_before_the_store
                of_writers_with_one_expectation_one_is_accepted
            }
            ranges [5] Basic {
                lowest_and_highest_values_are_stored
                highest_position_is_indexed
                page_after_the_highest_position_is_empty
                hashes_of_zeros_and_ones_are_stored
                values_outside_are_refused_naming_field_and_value
            }
            instants [5] Basic {
                years_1_and_9999_are_stored
                instants_before_1970_are_stored
                microseconds_are_kept
                block_times_need_not_ascend
                finer_fractions_are_floored
            }
            bytes [4, 5] Basic {
                shortest_and_longest_operations_are_stored
                any_bytes_come_back_as_delivered
                every_operation_counts
                other_encodings_of_an_operation_keep_their_bytes_and_id
            }
            lookup [4, 7, 11] Basic {
                nothing_is_found_in_an_empty_store
                unknown_is_not_found_beside_known
                operation_is_found_by_id_indexed_or_not
                operation_published_twice_is_found_at_its_lowest_position
                transaction_is_found_with_all_operations
                hashes_that_differ_in_one_byte_are_different
                equal_ids_of_a_transaction_and_an_operation_are_kept_apart
                storage_owners_are_found_at_their_lowest_positions
                operations_of_a_did_are_no_storage_owners
            }
            indexing [7] Basic {
                batch_moves_the_watermark_to_its_last_position
                entries_below_the_watermark_are_passed_over
                empty_batch_does_nothing
                every_outcome_passes_the_watermark
                reasons_are_kept_to_the_longest
                gap_within_a_batch_is_a_conflict
                batch_that_leaves_out_whole_blocks_is_a_conflict
                unknown_position_does_not_make_up_for_a_gap
                outcomes_of_a_refused_batch_are_forgotten
                gap_before_a_batch_is_a_conflict
                gap_below_the_watermark_is_a_conflict
                unknown_position_is_a_conflict
                unknown_position_below_the_watermark_is_a_conflict
                two_entries_for_one_position_are_a_conflict
                listed_did_keeps_its_lowest_position
                did_without_a_valid_create_is_not_listed
                indexer_of_the_node_indexes_everything
            }
            storage_chains [7, 12] Basic {
                chain_of_a_thousand_updates_is_followed
                chain_within_one_transaction_is_followed
                update_before_its_predecessor_is_ignored_for_good
            }
            state [8] Basic {
                state_of_an_empty_store_is_empty
                stored_blocks_are_not_indexed_yet
                last_indexed_block_is_the_highest_complete_one
                lowest_position_is_a_watermark
                new_block_does_not_change_the_last_indexed_one
                block_without_operations_is_never_the_last_indexed
            }
            paging [3, 9] Basic {
                pages_of_any_size_are_the_whole_listing
                page_starts_after_any_position
                page_after_the_lowest_position_begins_at_the_next
                rows_of_small_pages_are_those_of_large_ones
                pages_are_stable_while_others_write
                page_limit_is_1_to_10000
                pages_end_at_a_number_of_bytes
            }
            network [10] Basic {
                first_writing_opening_names_the_network
                opening_without_migrating_names_the_network
                another_network_is_refused_naming_both
                another_network_than_preprod_is_refused
                another_network_than_preview_is_refused
                another_network_than_custom_is_refused
                store_that_nobody_wrote_is_an_empty_store_to_readers
                store_opened_to_read_refuses_writes
                reader_that_came_first_sees_what_is_written_later
                reader_sees_what_a_writer_has_written
            }
            concurrency [2, 6, 7, 9] Basic {
                overlapping_deliveries_add_each_block_once
                one_of_competing_forks_wins
                cursor_moves_do_not_lose_blocks
                several_indexers_index_each_operation_once
                indexers_and_a_sync_run_at_once
                readers_see_whole_blocks_with_their_cursor
                readers_see_entries_with_their_watermark
                many_calls_at_once_are_all_answered
            }
            reopening [2] Basic {
                content_survives_closing
                contradictions_are_found_after_reopening
                work_goes_on_where_it_was_left
                clones_read_each_others_writes
            }
            load [2] Basic {
                chunks_into_an_empty_store_are_the_ledger
                what_follows_is_loaded_onto_what_is_stored
                order_within_a_chunk_does_not_matter
                load_may_bring_the_cursor_alone_or_nothing
                store_that_holds_something_else_is_refused_naming_both
                failing_source_stores_nothing
                block_that_does_not_ascend_is_a_conflict
                two_forks_of_a_block_are_a_conflict
                transaction_id_at_a_second_position_is_a_conflict
                cursor_that_contradicts_the_blocks_is_a_conflict
                readers_see_nothing_of_a_load_before_its_end
                store_opened_to_read_refuses_a_load
                seventy_thousand_operations_come_in_one_chunk
                dropped_load_is_stored_whole_or_not_at_all
                loads_of_every_shape_end_as_they_have_to
                transaction_of_any_earlier_chunk_is_a_conflict
            }
            large_batches [1, 2, 7, 9] Full {
                seventy_thousand_operations_in_one_transaction
                seventy_thousand_blocks_in_one_call
                pages_of_the_highest_limit_are_full
                forty_longest_operations_in_one_call
                long_load_is_nothing_until_it_ends
            }
            errors [11] Basic {
                conflict_is_not_retryable_and_names_its_position
                store_works_after_refusals
                refused_opening_holds_nothing
            }
            visibility [2, 6, 7, 9] Basic {
                acknowledged_write_is_seen_through_every_handle
                what_was_read_before_a_write_is_not_answered_after_it
                closing_a_handle_harms_no_other
            }
            in_flight [2, 7, 9] Full {
                reads_beside_a_write_see_the_state_before_or_after_it
                read_answers_one_state_however_much_is_written_meanwhile
                reads_beside_a_large_write_see_the_state_before_or_after_it
                long_answers_are_of_one_state
                every_write_waits_for_a_load
                write_that_waits_long_waits_on_or_is_busy
                reads_wait_for_no_write
            }
            dropped [2, 6, 7] Full {
                append_dropped_at_any_step_is_whole_or_nothing
                load_dropped_at_any_step_is_whole_or_nothing
                index_dropped_at_any_step_is_whole_or_nothing
                cursor_move_dropped_at_any_step_is_whole_or_nothing
                large_writes_dropped_at_any_step_are_whole_or_nothing
                waiting_write_dropped_at_any_step_leaves_nothing_behind
                long_reads_dropped_at_any_step_leave_nothing_behind
                reads_dropped_at_any_step_leave_nothing_behind
            }
            refused [2, 10, 11] Full {
                every_refusal_says_why_and_changes_nothing
                content_of_any_refused_call_is_forgotten
                any_number_of_refusals_leaves_nothing_behind
                any_number_of_writes_to_a_reader_leaves_nothing_behind
                any_number_of_reads_leaves_nothing_behind
                lowest_of_several_contradictions_is_named
                one_of_several_known_transactions_is_named_each_time
                any_number_of_openings_leaves_nothing_behind
                refused_opening_of_an_empty_store_names_no_network
            }
            differences [1, 6, 7] Full {
                appended_block_that_comes_otherwise_is_refused
                loaded_block_that_comes_otherwise_is_refused
                block_of_long_ago_that_comes_otherwise_is_refused
                one_of_thousands_that_comes_otherwise_is_refused
                block_that_comes_twice_otherwise_is_refused
                any_other_expected_cursor_is_refused
                any_other_cursor_is_refused_or_changes_nothing
                any_other_bound_is_refused_by_a_load
                two_entries_with_any_difference_are_a_conflict
                what_is_indexed_stays_whatever_comes_again
                what_differs_in_anything_is_kept_apart
            }
            scales [1, 3, 5, 9] Full {
                calls_around_every_limit_are_stored_compared_and_indexed
                pages_around_every_limit_are_full
                any_number_of_hashes_is_looked_up_in_one_call
                values_around_every_size_come_back
                numbers_around_every_width_keep_value_and_order
                cursors_around_every_width_are_ordered
                contradiction_last_in_a_call_of_any_size_is_found
            }
            schedules [2, 6, 7, 9] Full {
                two_calls_at_once_are_explained_by_an_order
                three_calls_at_once_are_explained_by_an_order
                tasks_on_threads_leave_what_was_acknowledged
            }
            streams [1, 2, 3, 4, 5, 6, 7, 8, 9, 11] Full {
                long_stream_is_answered_as_the_model_answers_it
            }
        }
    };
}

macro_rules! registry {
    (; $($concern:ident $lines:tt $level:ident { $($case:ident)* })*) => {
        /// Every case, by concern.
        pub const CASES: &[Case] = &[$($(
            Case {
                concern: stringify!($concern),
                name: stringify!($case),
                lines: &$lines,
                level: Level::$level,
                run: |factory| Box::pin(cases::$concern::$case(factory)),
            },
        )*)*];
    };
}

with_all_cases!([registry]);

/// Makes a module of tests, one for each case, of a backend: its name, and an expression that makes a new
/// [`StoreFactory`](crate::StoreFactory) and may `.await`.
///
/// A case that the backend can't pass is excluded with a reason, `exclude = [("concern::name", "reason"), …]`. It is not
/// run, appears in every report, and never counts as passed.
#[macro_export]
macro_rules! conformance_tests {
    ($backend:ident, $factory:expr $(,)?) => {
        $crate::conformance_tests!($backend, $factory, exclude = []);
    };
    ($backend:ident, $factory:expr, exclude = [$(($case:expr, $reason:expr)),* $(,)?] $(,)?) => {
        $crate::with_all_cases!([$crate::tests_of_all_cases] $backend, $factory, [$(($case, $reason)),*]);
    };
}

#[doc(hidden)]
#[macro_export]
macro_rules! tests_of_all_cases {
    ($backend:ident, $factory:expr, $exclusions:tt; $($concern:ident $lines:tt $level:ident { $($case:ident)* })*) => {
        mod $backend {
            /// What the tests beside it certify; `--nocapture` shows it.
            #[test]
            fn level_and_version() {
                $crate::print_level(stringify!($backend), &$exclusions);
            }

            // By itself, so that no name here hides one that the expression of the factory means.
            mod run {
                #[allow(unused_imports, reason = "the expression of a factory may need none")]
                use super::super::*;

                pub(super) fn case(name: &str) {
                    $crate::run_case(stringify!($backend), name, &$exclusions, async || $factory);
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

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::fs;
    use std::path::Path;

    use super::*;

    #[test]
    fn every_case_is_registered() {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/cases");
        let mut written = BTreeSet::new();
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let concern = path.file_stem().unwrap().to_str().unwrap().to_owned();
            for line in fs::read_to_string(&path).unwrap().lines() {
                if let Some(rest) = line.strip_prefix("pub async fn ") {
                    let (name, _) = rest.split_once(['(', '<']).unwrap();
                    written.insert((concern.clone(), name.to_owned()));
                }
            }
        }
        let registered: BTreeSet<_> = CASES
            .iter()
            .map(|case| (case.concern.to_owned(), case.name.to_owned()))
            .collect();
        assert_eq!(written, registered);
        assert_eq!(registered.len(), CASES.len(), "a case is listed twice");
    }
}
