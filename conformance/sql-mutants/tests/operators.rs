//! Each operator makes exactly the mutants it is for, and leaves the rest of the text as it is.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

use sql_mutants::{Catalog, Engine, Error, mutations};

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for (column, type_name) in [
        ("number", "bigint"),
        ("slot", "bigint"),
        ("hash", "bytea"),
        ("name", "text"),
    ] {
        catalog.insert("block", column, type_name);
    }
    catalog
}

fn made(engine: Engine, text: &str) -> Vec<(String, String)> {
    mutations(engine, text, &catalog())
        .unwrap()
        .into_iter()
        .map(|mutation| (mutation.description.clone(), mutation.apply(text)))
        .collect()
}

/// Both engines make these mutants of a text, and no others.
fn assert_mutants(text: &str, expected: &[(&str, &str)]) {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        assert_mutants_on(engine, text, expected);
    }
}

fn assert_mutants_on(engine: Engine, text: &str, expected: &[(&str, &str)]) {
    let expected: Vec<(String, String)> = expected
        .iter()
        .map(|(description, mutated)| ((*description).to_owned(), (*mutated).to_owned()))
        .collect();
    assert_eq!(made(engine, text), expected, "{engine:?}");
}

#[test]
fn statement_without_anything_to_get_wrong_has_no_mutants() {
    assert_mutants("SELECT count(*) FROM block", &[]);
}

#[test]
fn order_is_lost_and_each_term_flipped() {
    assert_mutants(
        "SELECT name  FROM block\n ORDER BY number, slot DESC",
        &[
            ("`ORDER BY number, slot DESC` lost", "SELECT name  FROM block\n "),
            (
                "`ORDER BY number, slot DESC`: `number` descends",
                "SELECT name  FROM block\n ORDER BY number DESC, slot DESC",
            ),
            (
                "`ORDER BY number, slot DESC`: `slot` ascends",
                "SELECT name  FROM block\n ORDER BY number, slot ASC",
            ),
        ],
    );
}

#[test]
fn each_term_of_a_condition_is_lost_and_keeps_its_parameters() {
    assert_mutants(
        "SELECT name FROM block WHERE number = $1 AND (slot = $2 OR slot = $3) AND hash BETWEEN $4 AND $5",
        &[
            (
                "WHERE: `number = $1` lost",
                "SELECT name FROM block WHERE (number = $1 OR TRUE) AND (slot = $2 OR slot = $3) AND hash BETWEEN $4 AND $5",
            ),
            (
                "WHERE: `(slot = $2 OR slot = $3)` lost",
                "SELECT name FROM block WHERE number = $1 AND ((slot = $2 OR slot = $3) OR TRUE) AND hash BETWEEN $4 AND $5",
            ),
            (
                "WHERE: `hash BETWEEN $4 AND $5` lost",
                "SELECT name FROM block WHERE number = $1 AND (slot = $2 OR slot = $3) AND (hash BETWEEN $4 AND $5 OR TRUE)",
            ),
        ],
    );
}

#[test]
fn each_alternative_of_a_condition_is_lost() {
    assert_mutants(
        "SELECT name FROM block WHERE number = 1 OR slot = 2 LIMIT 1 OFFSET 3",
        &[
            (
                "WHERE: `number = 1` lost",
                "SELECT name FROM block WHERE (number = 1 AND FALSE) OR slot = 2 LIMIT 1 OFFSET 3",
            ),
            (
                "WHERE: `slot = 2` lost",
                "SELECT name FROM block WHERE number = 1 OR (slot = 2 AND FALSE) LIMIT 1 OFFSET 3",
            ),
            (
                "`LIMIT 1`: + 1",
                "SELECT name FROM block WHERE number = 1 OR slot = 2 LIMIT 2 OFFSET 3",
            ),
            (
                "`LIMIT 1`: - 1",
                "SELECT name FROM block WHERE number = 1 OR slot = 2 LIMIT 0 OFFSET 3",
            ),
            (
                "`LIMIT 1` lost",
                "SELECT name FROM block WHERE number = 1 OR slot = 2  OFFSET 3",
            ),
            (
                "`OFFSET 3`: + 1",
                "SELECT name FROM block WHERE number = 1 OR slot = 2 LIMIT 1 OFFSET 4",
            ),
            (
                "`OFFSET 3`: - 1",
                "SELECT name FROM block WHERE number = 1 OR slot = 2 LIMIT 1 OFFSET 2",
            ),
            (
                "`OFFSET 3` lost",
                "SELECT name FROM block WHERE number = 1 OR slot = 2 LIMIT 1 ",
            ),
        ],
    );
}

#[test]
fn limit_that_is_a_parameter_is_shifted_and_made_ineffective() {
    assert_mutants(
        "SELECT name FROM block LIMIT $1",
        &[
            ("`LIMIT $1`: + 1", "SELECT name FROM block LIMIT $1 + CAST(1 AS BIGINT)"),
            ("`LIMIT $1`: - 1", "SELECT name FROM block LIMIT $1 - CAST(1 AS BIGINT)"),
            (
                "`LIMIT $1` lost",
                "SELECT name FROM block LIMIT $1 + CAST(1000000 AS BIGINT)",
            ),
        ],
    );
}

#[test]
fn bounds_are_shifted() {
    let found: Vec<_> = made(Engine::Postgres, "SELECT name FROM block WHERE slot <= $1::BIGINT")
        .into_iter()
        .filter(|(description, _)| !description.ends_with("lost"))
        .collect();
    assert_eq!(
        found,
        [
            (
                "`slot <= $1::BIGINT`: <".to_owned(),
                "SELECT name FROM block WHERE slot < $1::BIGINT".to_owned()
            ),
            (
                "`slot <= $1::BIGINT`: bound + 1".to_owned(),
                "SELECT name FROM block WHERE slot <= $1::BIGINT + CAST(1 AS BIGINT)".to_owned()
            ),
        ]
    );
}

#[test]
fn each_column_of_a_key_is_taken_for_equal() {
    let found: Vec<_> = made(Engine::Sqlite, "SELECT name FROM block WHERE (number, slot) > (?1, ?2)")
        .into_iter()
        .map(|(_, mutated)| mutated)
        .collect();
    assert_eq!(
        found,
        [
            "SELECT name FROM block WHERE ((number, slot) > (?1, ?2) OR TRUE)",
            "SELECT name FROM block WHERE (number, slot) >= (?1, ?2)",
            "SELECT name FROM block WHERE (number, slot) > (?1, ?2 + CAST(1 AS BIGINT))",
            "SELECT name FROM block WHERE (?1, slot) > (?1, ?2)",
            "SELECT name FROM block WHERE (number, ?2) > (?1, ?2)",
        ]
    );
}

#[test]
fn conflict_is_not_ignored_or_updates() {
    assert_mutants(
        "INSERT INTO block (number, name) VALUES (1, 'ON CONFLICT') ON CONFLICT (number) DO NOTHING",
        &[
            (
                "`ON CONFLICT (number) DO NOTHING` lost",
                "INSERT INTO block (number, name) VALUES (1, 'ON CONFLICT') ",
            ),
            (
                "`ON CONFLICT (number) DO NOTHING`: update instead",
                "INSERT INTO block (number, name) VALUES (1, 'ON CONFLICT') \
                 ON CONFLICT (number) DO UPDATE SET name = excluded.name",
            ),
        ],
    );
    assert_mutants(
        "INSERT INTO block (number, name) VALUES (1, 'x') ON CONFLICT (number) DO UPDATE SET name = 'y' RETURNING number",
        &[
            (
                "`ON CONFLICT (number) DO UPDATE SET name = 'y'` lost",
                "INSERT INTO block (number, name) VALUES (1, 'x')  RETURNING number",
            ),
            (
                "`DO UPDATE SET name = 'y'`: nothing instead",
                "INSERT INTO block (number, name) VALUES (1, 'x') ON CONFLICT (number) DO NOTHING RETURNING number",
            ),
        ],
    );
}

#[test]
fn columns_of_one_type_are_exchanged_under_their_names() {
    assert_mutants(
        "SELECT number, b.slot AS \"slot!\", hash, name FROM block AS b",
        &[(
            "`number` and `b.slot` exchanged",
            "SELECT b.slot AS number, number AS \"slot!\", hash, name FROM block AS b",
        )],
    );
    assert_mutants(
        "INSERT INTO block (slot, hash, number) VALUES ($1, $2, $3)",
        &[(
            "`slot` and `number` exchanged",
            "INSERT INTO block (number, hash, slot) VALUES ($1, $2, $3)",
        )],
    );
    assert_mutants(
        "UPDATE block SET slot = 1, name = 'x', number = 2",
        &[(
            "`slot` and `number` exchanged",
            "UPDATE block SET number = 1, name = 'x', slot = 2",
        )],
    );
}

#[test]
fn cast_column_has_the_type_of_its_cast() {
    assert_mutants_on(
        Engine::Postgres,
        "SELECT number, hash::BIGINT AS hash FROM block",
        &[(
            "`number` and `hash::BIGINT` exchanged",
            "SELECT hash::BIGINT AS number, number AS hash FROM block",
        )],
    );
}

#[test]
fn joins_are_exchanged() {
    let joins = |engine, text: &str| -> Vec<String> {
        made(engine, text)
            .into_iter()
            .filter(|(description, _)| description.ends_with("join"))
            .map(|(_, mutated)| mutated)
            .collect()
    };
    for engine in [Engine::Postgres, Engine::Sqlite] {
        assert_eq!(
            joins(
                engine,
                "SELECT 1 FROM a INNER JOIN b ON a.c = b.c LEFT JOIN d ON TRUE JOIN e ON TRUE"
            ),
            [
                "SELECT 1 FROM a LEFT JOIN b ON a.c = b.c LEFT JOIN d ON TRUE JOIN e ON TRUE",
                "SELECT 1 FROM a INNER JOIN b ON a.c = b.c INNER JOIN d ON TRUE JOIN e ON TRUE",
                "SELECT 1 FROM a INNER JOIN b ON a.c = b.c LEFT JOIN d ON TRUE LEFT JOIN e ON TRUE",
            ]
        );
    }
    assert_eq!(
        joins(
            Engine::Postgres,
            "SELECT 1 FROM a CROSS JOIN LATERAL (SELECT 2) AS b WHERE a.c"
        ),
        ["SELECT 1 FROM a LEFT JOIN LATERAL (SELECT 2) AS b ON TRUE WHERE a.c"]
    );
}

#[test]
fn lock_is_lost() {
    assert_mutants_on(
        Engine::Postgres,
        "SELECT name FROM block FOR UPDATE",
        &[("`FOR UPDATE` lost", "SELECT name FROM block ")],
    );
}

#[test]
fn transaction_locks_later_or_sees_another_state() {
    assert_mutants_on(Engine::Sqlite, "BEGIN IMMEDIATE", &[("`IMMEDIATE` lost", "BEGIN ")]);
    assert_mutants_on(
        Engine::Postgres,
        "BEGIN ISOLATION LEVEL READ COMMITTED",
        &[(
            "`ISOLATION LEVEL READ COMMITTED`: REPEATABLE READ",
            "BEGIN ISOLATION LEVEL REPEATABLE READ",
        )],
    );
}

#[test]
fn nulls_sets_and_functions_are_turned_round() {
    assert_mutants(
        "SELECT DISTINCT max(slot), coalesce(name, 'x'), hash IS NOT NULL, name IN ('a'), EXISTS (SELECT 1) FROM block",
        &[
            (
                "`DISTINCT` lost",
                "SELECT  max(slot), coalesce(name, 'x'), hash IS NOT NULL, name IN ('a'), EXISTS (SELECT 1) FROM block",
            ),
            (
                "`max(slot)`: min",
                "SELECT DISTINCT min(slot), coalesce(name, 'x'), hash IS NOT NULL, name IN ('a'), EXISTS (SELECT 1) FROM block",
            ),
            (
                "`coalesce(name, 'x')`: NULL as the last choice",
                "SELECT DISTINCT max(slot), coalesce(name, NULL), hash IS NOT NULL, name IN ('a'), EXISTS (SELECT 1) FROM block",
            ),
            (
                "`hash IS NOT NULL`: negated",
                "SELECT DISTINCT max(slot), coalesce(name, 'x'), hash IS NULL, name IN ('a'), EXISTS (SELECT 1) FROM block",
            ),
            (
                "`IN ('a')`: negated",
                "SELECT DISTINCT max(slot), coalesce(name, 'x'), hash IS NOT NULL, name NOT IN ('a'), EXISTS (SELECT 1) FROM block",
            ),
            (
                "`EXISTS (SELECT 1)`: negated",
                "SELECT DISTINCT max(slot), coalesce(name, 'x'), hash IS NOT NULL, name IN ('a'), NOT EXISTS (SELECT 1) FROM block",
            ),
        ],
    );
}

#[test]
fn number_that_is_subtracted_is_shifted() {
    assert_mutants(
        "SELECT slot - 1 FROM block",
        &[("`slot - 1`: number + 1", "SELECT slot - 2 FROM block")],
    );
}

#[test]
fn texts_names_and_comments_are_left_alone() {
    assert_mutants(
        "SELECT 'ORDER BY é LIMIT 1', \"LIMIT\" /* WHERE a > b */ FROM block -- ORDER BY name",
        &[],
    );
}

#[test]
fn places_are_right_behind_characters_of_several_bytes() {
    assert_mutants(
        "SELECT 'äöü😀' FROM block\nLIMIT 5",
        &[
            ("`LIMIT 5`: + 1", "SELECT 'äöü😀' FROM block\nLIMIT 6"),
            ("`LIMIT 5`: - 1", "SELECT 'äöü😀' FROM block\nLIMIT 4"),
            ("`LIMIT 5` lost", "SELECT 'äöü😀' FROM block\n"),
        ],
    );
}

#[test]
fn broken_sql_is_an_error() {
    for engine in [Engine::Postgres, Engine::Sqlite] {
        for text in ["SELECT FROM WHERE", "SELECT (1", "SELECT 1; SELECT 2", "", "SELECT 'x"] {
            let error = mutations(engine, text, &catalog()).unwrap_err();
            assert!(matches!(error, Error::BrokenSql { .. }), "{text}: {error}");
        }
    }
}
