//! Known differences between SQLite and PostgreSQL, and for each what fails if it does harm here.
//!
//! Each of these has made a project behave one way on SQLite and another on PostgreSQL. If a caller of the storage contract can
//! see the difference, a case of the suite shows that every backend answers alike. If no caller can see it, a test of this crate
//! looks below the contract.

/// A difference between the engines that has caused defects in projects.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Divergence {
    /// The difference, in a few words.
    pub name: &'static str,
    /// What differs, and why it does no harm here.
    pub description: &'static str,
    /// The cases and tests that fail if it does harm. Never empty.
    pub shown_by: &'static [Proof],
}

/// A check that fails if a divergence does harm.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proof {
    /// A case of the conformance suite: its concern and its name.
    Case(&'static str, &'static str),
    /// A test of this crate: the name of its file in `tests`, without `.rs`, and the function.
    Test(&'static str, &'static str),
}

use Proof::{Case, Test};

/// Every known divergence.
pub const DIVERGENCES: &[Divergence] = &[
    Divergence {
        name: "TEXT timestamps compared bytewise",
        description: "Text instants of different length or year sort otherwise than the instants. Instants are integers on both \
                      engines, and nothing is ordered by them.",
        shown_by: &[
            Case("instants", "block_times_need_not_ascend"),
            Test("divergences", "columns_have_the_types_of_the_contract_on_both_engines"),
        ],
    },
    Divergence {
        name: "space versus T",
        description: "Engines write the separator of date and time differently. No instant is stored as text.",
        shown_by: &[
            Case("instants", "finer_fractions_are_floored"),
            Test("divergences", "columns_have_the_types_of_the_contract_on_both_engines"),
        ],
    },
    Divergence {
        name: "µs versus ns versus ms rounding",
        description: "Engines round fractions of a second to what they can hold. Instants are whole microseconds, floored.",
        shown_by: &[
            Case("instants", "microseconds_are_kept"),
            Case("instants", "finer_fractions_are_floored"),
            Case("instants", "years_1_and_9999_are_stored"),
        ],
    },
    Divergence {
        name: "naive versus aware times",
        description: "A session's time zone shifts what has none. Instants are UTC from the moment they are read.",
        shown_by: &[
            Case("instants", "instants_before_1970_are_stored"),
            Case("instants", "finer_fractions_are_floored"),
        ],
    },
    Divergence {
        name: "NULL first versus last",
        description: "SQLite sorts NULL first, PostgreSQL last. Lists are ordered by positions, which have no NULL.",
        shown_by: &[
            Case("paging", "rows_of_small_pages_are_those_of_large_ones"),
            Test("divergences", "keys_have_no_null"),
        ],
    },
    Divergence {
        name: "linguistic collation in keyset cursors",
        description: "Text keys sort by the collation of the database. Keys are numbers and bytes.",
        shown_by: &[
            Case("order", "positions_are_ordered_as_numbers"),
            Case("paging", "pages_of_any_size_are_the_whole_listing"),
            Test("divergences", "no_index_depends_on_a_collation"),
        ],
    },
    Divergence {
        name: "wrong-collation index unused",
        description: "An index in another collation than a query's is not used. No index holds text, and each hot query uses one.",
        shown_by: &[
            Test("divergences", "no_index_depends_on_a_collation"),
            Test("plans", "sqlite_searches_an_index_for_every_hot_query"),
            Test(
                "plans",
                "postgres_searches_an_index_and_touches_few_rows_for_every_hot_query",
            ),
        ],
    },
    Divergence {
        name: "case folding in LIKE",
        description: "LIKE ignores the case of letters in SQLite. Everything is looked up by equal bytes.",
        shown_by: &[Case("lookup", "hashes_that_differ_in_one_byte_are_different")],
    },
    Divergence {
        name: "NUL in text",
        description: "PostgreSQL refuses U+0000 in text, SQLite may cut there. Reasons have no control characters, operations are bytes.",
        shown_by: &[
            Case("indexing", "reasons_are_kept_to_the_longest"),
            Case("bytes", "any_bytes_come_back_as_delivered"),
        ],
    },
    Divergence {
        name: "int4 overflow",
        description: "An integer of 32 bits overflows on one engine alone. Both hold 0 to 2^31-1 in indexes and 2^63-1 in numbers.",
        shown_by: &[
            Case("ranges", "lowest_and_highest_values_are_stored"),
            Test("schema", "schema_refuses_rows_outside_the_ranges"),
        ],
    },
    Divergence {
        name: "over-i64 becomes float",
        description: "SQLite turns integers beyond 63 bits into floating-point numbers. They are refused before, and by the schema.",
        shown_by: &[
            Case("ranges", "values_outside_are_refused_naming_field_and_value"),
            Case("cursor", "cursor_takes_the_highest_values"),
            Test("schema", "schema_refuses_rows_outside_the_ranges"),
        ],
    },
    Divergence {
        name: "bool as int",
        description: "SQLite has no truth values, and takes 2 for one. Yes and no come back as such, and the schema refuses others.",
        shown_by: &[
            Case("indexing", "every_outcome_passes_the_watermark"),
            Test("divergences", "values_of_another_type_are_refused"),
        ],
    },
    Divergence {
        name: "UUID and bytes affinity",
        description: "A hash may be kept as text, number or bytes. All are 32 bytes in strict columns.",
        shown_by: &[
            Case("ranges", "hashes_of_zeros_and_ones_are_stored"),
            Test("divergences", "values_of_another_type_are_refused"),
        ],
    },
    Divergence {
        name: "BLOB versus TEXT keys",
        description: "SQLite finds no text where bytes are stored, though they print alike. Keys are bytes in strict columns.",
        shown_by: &[
            Case("lookup", "hashes_that_differ_in_one_byte_are_different"),
            Test("divergences", "values_of_another_type_are_refused"),
        ],
    },
    Divergence {
        name: "VARCHAR length unenforced",
        description: "SQLite ignores the length of VARCHAR(n). Lengths are CHECKs on both engines, counted in characters.",
        shown_by: &[
            Case("indexing", "reasons_are_kept_to_the_longest"),
            Test("divergences", "reason_of_201_characters_is_refused"),
        ],
    },
    Divergence {
        name: "foreign keys off",
        description: "SQLite enforces foreign keys only where a connection asks for it. Ours do, and no row lacks its parent.",
        shown_by: &[
            Test("schema", "schema_refuses_rows_outside_the_ranges"),
            Test("divergences", "no_row_lacks_its_parent"),
        ],
    },
    Divergence {
        name: "rowid reuse after delete",
        description: "SQLite gives the number of a deleted row to a new one. The position is the key, and nothing is deleted.",
        shown_by: &[
            Case("order", "equal_operations_at_two_positions_are_two"),
            Test("divergences", "no_table_counts_its_rows"),
        ],
    },
    Divergence {
        name: "sequences not advanced after import",
        description: "Imported rows do not move a sequence, and the next row collides. No table has one.",
        shown_by: &[
            Case("reopening", "work_goes_on_where_it_was_left"),
            Test("divergences", "no_table_counts_its_rows"),
        ],
    },
    Divergence {
        name: "ids committing out of order",
        description: "A lower id may become visible after a higher one was read. Writers queue, so positions appear in order.",
        shown_by: &[
            Case("concurrency", "readers_see_whole_blocks_with_their_cursor"),
            Case("paging", "pages_are_stable_while_others_write"),
        ],
    },
    Divergence {
        name: "aborted transaction after an error",
        description: "PostgreSQL refuses all of a transaction after an error, and a pool may hand that connection on. Refusals leave \
                      a store that works.",
        shown_by: &[
            Case("errors", "store_works_after_refusals"),
            Case("atomicity", "store_works_after_many_dropped_calls"),
        ],
    },
    Divergence {
        name: "BUSY at once when reading turns to writing",
        description: "SQLite refuses a transaction that has read and then writes beside another. Writes take the lock first.",
        shown_by: &[
            Case("concurrency", "many_calls_at_once_are_all_answered"),
            Case("concurrency", "overlapping_deliveries_add_each_block_once"),
        ],
    },
    Divergence {
        name: "lost update at READ COMMITTED",
        description: "Two that read before they write overwrite one another. The row is locked before it is read.",
        shown_by: &[
            Case("cursor", "concurrent_moves_leave_the_highest"),
            Case("concurrency", "cursor_moves_do_not_lose_blocks"),
        ],
    },
    Divergence {
        name: "serialization failure not retried",
        description: "Stricter isolation refuses transactions that the caller must repeat. None of ours needs that.",
        shown_by: &[
            Case("concurrency", "one_of_competing_forks_wins"),
            Case("concurrency", "several_indexers_index_each_operation_once"),
        ],
    },
    Divergence {
        name: "bind limits of 32,766 and 65,535",
        description: "A statement takes so many values on SQLite and PostgreSQL. A call takes any number of rows.",
        shown_by: &[
            Case("large_batches", "seventy_thousand_operations_in_one_transaction"),
            Case("large_batches", "seventy_thousand_blocks_in_one_call"),
        ],
    },
    Divergence {
        name: "pooled :memory: databases are distinct",
        description: "Each connection to `:memory:` has a database of its own. Clones share one store, and such a path is refused.",
        shown_by: &[
            Case("reopening", "clones_read_each_others_writes"),
            Test("divergences", "database_in_memory_is_refused"),
        ],
    },
    Divergence {
        name: "quoted identifier becomes literal",
        description: "SQLite takes a misspelt \"column\" for text, in an index for good. Every index holds columns of its table.",
        shown_by: &[
            Test("divergences", "both_engines_have_indexes_on_the_same_columns"),
            Test("plans", "sqlite_searches_an_index_for_every_hot_query"),
        ],
    },
    Divergence {
        name: "untyped NULL parameter",
        description: "PostgreSQL must know the type of a NULL that is bound. A page without a start is asked for like any other.",
        shown_by: &[
            Case("paging", "page_after_the_lowest_position_begins_at_the_next"),
            Case("lookup", "nothing_is_found_in_an_empty_store"),
        ],
    },
    Divergence {
        name: "index present on one engine only",
        description: "A query is fast on one engine and slow on the other. Both have indexes on the same columns.",
        shown_by: &[
            Test("divergences", "both_engines_have_indexes_on_the_same_columns"),
            Test("plans", "sqlite_searches_an_index_for_every_hot_query"),
            Test(
                "plans",
                "postgres_searches_an_index_and_touches_few_rows_for_every_hot_query",
            ),
        ],
    },
    Divergence {
        name: "non-unique sort key skips rows",
        description: "Rows with equal keys change places between two pages. The position is unique.",
        shown_by: &[
            Case("paging", "pages_of_any_size_are_the_whole_listing"),
            Case("order", "operations_of_a_did_come_by_position"),
        ],
    },
];
