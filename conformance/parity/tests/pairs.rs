//! Pairs of migrations that look unlike each other: alike as they are, and each planted drift is reported as itself alone.
#![allow(clippy::unwrap_used, clippy::panic, reason = "all of this is test code")]

mod common;

use std::fmt::Write;
use std::fs;
use std::path::Path;

use common::{Plant, Project, drifts, load_directory, plant, postgres_is_left_out};
use dialect_parity::Engine::{Postgres, Sqlite};
use dialect_parity::{Config, compare};

async fn project(name: &str) -> Project {
    let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/pairs").join(name);
    Project::new(directory.join("postgres"), directory.join("sqlite"), Config::default()).await
}

const CREATE_PATIENTS: &str = "2021-03-04-101112_create_patients/up.sql";
const VISITS: &str = "2021-05-01-000000_visits/up.sql";
const DOCTOR: &str = "2022-01-01-000000_visit_doctor/up.sql";

/// UUID keys, enumerations, JSON, booleans, triggers, a domain, a rebuilt table; the layout of diesel.
const CLINIC: &[Plant] = &[
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "id TEXT NOT NULL PRIMARY KEY",
        "id TEXT PRIMARY KEY",
        &["primary_key.patients.null"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        " COLLATE NOCASE",
        "",
        &["column.patients.email.collation"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "('other', 'male', 'female')",
        "('other', 'male')",
        &["check.patients.sex in ('female', 'male', 'other')"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "CHECK (sex IN ('other', 'male', 'female')) ",
        "",
        &["check.patients.sex in ('female', 'male', 'other')"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        " CHECK (length(full_name) > 0)",
        "",
        &["check.patients.0 < length(full_name)"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "DEFAULT 1 CHECK",
        "DEFAULT 0 CHECK",
        &["column.patients.is_active.default"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "photo BLOB",
        "photo TEXT",
        &["column.patients.photo.type"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "created_at DATETIME NOT NULL",
        "created_at DATETIME",
        &["column.patients.created_at.null"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "updated_at DATETIME",
        "updated_at TEXT",
        &["column.patients.updated_at.type"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "VARCHAR(80)",
        "VARCHAR(60)",
        &["column.patients.full_name.length"],
    ),
    plant(
        Sqlite,
        CREATE_PATIENTS,
        "AFTER UPDATE ON",
        "AFTER INSERT ON",
        &["trigger.patients.patients_touch", "trigger.patients.patients_touch"],
    ),
    plant(
        Postgres,
        CREATE_PATIENTS,
        "BEFORE UPDATE ON",
        "BEFORE INSERT OR UPDATE ON",
        &["trigger.patients.patients_touch"],
    ),
    plant(
        Postgres,
        CREATE_PATIENTS,
        "photo BYTEA,",
        "",
        &["column.patients.photo"],
    ),
    plant(
        Postgres,
        VISITS,
        "BETWEEN 1 AND 99",
        "BETWEEN 1 AND 98",
        &["check.visits.room_number <= 98"],
    ),
    plant(Postgres, VISITS, "DEFAULT 0.00", "", &["column.visits.fee.default"]),
    plant(
        Postgres,
        VISITS,
        "ON DELETE CASCADE",
        "",
        &["foreign_key.visits(patient_id)"],
    ),
    plant(
        Postgres,
        VISITS,
        ",\n    CONSTRAINT one_a_day UNIQUE (patient_id, visit_day)",
        "",
        &["index.visits.(patient_id, visit_day)"],
    ),
    plant(
        Postgres,
        VISITS,
        "visit_day DESC",
        "visit_day",
        &["index.visits.visits_open"],
    ),
    plant(
        Sqlite,
        DOCTOR,
        "CREATE INDEX visits_doctor ON visits (doctor_id);",
        "",
        &["index.visits.visits_doctor"],
    ),
    plant(
        Sqlite,
        DOCTOR,
        "CREATE INDEX visits_open",
        "CREATE UNIQUE INDEX visits_open",
        &["index.visits.visits_open"],
    ),
    plant(
        Sqlite,
        DOCTOR,
        " AND room_number IS NOT NULL",
        "",
        &["index.visits.visits_open"],
    ),
    plant(
        Sqlite,
        DOCTOR,
        "UNIQUE (patient_id, visit_day)",
        "UNIQUE (patient_id, room_number)",
        &[
            "index.visits.(patient_id, room_number)",
            "index.visits.(patient_id, visit_day)",
        ],
    ),
    plant(
        Sqlite,
        DOCTOR,
        "CREATE TABLE doctors",
        "-- CREATE\nCREATE TABLE IF NOT EXISTS \"doctors\"",
        &[],
    ),
    plant(Postgres, DOCTOR, "USING btree (doctor_id)", "(doctor_id ASC)", &[]),
];

#[tokio::test]
async fn drifts_of_keys_enumerations_booleans_and_rebuilt_tables_are_found() {
    if postgres_is_left_out() {
        return;
    }
    project("clinic").await.assert_reports(CLINIC).await;
}

/// Sequences and AUTOINCREMENT, expression and partial indexes, composite keys, generated columns, full-text search, views;
/// the layout of golang-migrate, numbers without padding.
const CHAT: &[Plant] = &[
    plant(
        Sqlite,
        "1_users.up.sql",
        "INTEGER PRIMARY KEY AUTOINCREMENT",
        "BIGINT NOT NULL PRIMARY KEY",
        &["column.users.id.numbered"],
    ),
    plant(
        Sqlite,
        "1_users.up.sql",
        " COLLATE NOCASE",
        "",
        &["index.users.users_login"],
    ),
    plant(
        Sqlite,
        "1_users.up.sql",
        "length(password_hash) = 32",
        "length(password_hash) = 64",
        &["check.users.32 = length(password_hash)"],
    ),
    plant(
        Sqlite,
        "1_users.up.sql",
        "score < 1000",
        "score <= 1000",
        &["check.users.score < 1000"],
    ),
    plant(
        Sqlite,
        "1_users.up.sql",
        "login VARCHAR(64)",
        "login STRING",
        &["column.users.login.type"],
    ),
    plant(
        Sqlite,
        "1_users.up.sql",
        "last_ip TEXT",
        "last_address TEXT",
        &["column.users.last_address", "column.users.last_ip"],
    ),
    plant(
        Postgres,
        "2_rooms.up.sql",
        "PRIMARY KEY (room_id, user_id)",
        "PRIMARY KEY (user_id, room_id)",
        &["primary_key.members"],
    ),
    plant(
        Postgres,
        "2_rooms.up.sql",
        " WHERE role = 'owner'",
        " WHERE role = 'admin'",
        &["index.members.one_owner"],
    ),
    plant(
        Postgres,
        "2_rooms.up.sql",
        " DEFERRABLE INITIALLY DEFERRED",
        "",
        &["foreign_key.members(user_id)"],
    ),
    plant(
        Postgres,
        "2_rooms.up.sql",
        "char_length(name)",
        "char_length(name) + 1",
        &["column.rooms.name_length.generated"],
    ),
    plant(
        Sqlite,
        "2_rooms.up.sql",
        " ON UPDATE CASCADE",
        "",
        &["foreign_key.members(room_id)"],
    ),
    plant(
        Sqlite,
        "2_rooms.up.sql",
        "REFERENCES rooms ON",
        "REFERENCES room ON",
        &["foreign_key.members(room_id)"],
    ),
    plant(
        Sqlite,
        "2_rooms.up.sql",
        "room_id DESC",
        "room_id",
        &["index.members.members_by_user"],
    ),
    plant(
        Sqlite,
        "10_messages.up.sql",
        "deleted = 0 OR body",
        "deleted = 1 OR body",
        &["check.messages.body = '' or not (deleted)"],
    ),
    plant(
        Sqlite,
        "10_messages.up.sql",
        "m.id, r.name AS room",
        "r.name AS room, m.id",
        &["view.live_messages"],
    ),
    plant(
        Sqlite,
        "10_messages.up.sql",
        "m.body FROM",
        "m.body, m.author FROM",
        &["view.live_messages"],
    ),
    plant(
        Sqlite,
        "10_messages.up.sql",
        "UPDATE OF sent_at ON",
        "UPDATE OF body ON",
        &["trigger.messages.messages_fixed"],
    ),
    plant(
        Sqlite,
        "10_messages.up.sql",
        "BEFORE DELETE ON messages",
        "BEFORE DELETE ON rooms",
        &["trigger.messages.messages_fixed", "trigger.rooms.messages_fixed_delete"],
    ),
    plant(
        Sqlite,
        "10_messages.up.sql",
        "CREATE INDEX messages_live ON messages (room_id, sent_at) WHERE deleted = 0;",
        "",
        &["index.messages.messages_live"],
    ),
    plant(
        Postgres,
        "10_messages.up.sql",
        "DEFAULT (extract(epoch FROM now()))::bigint",
        "DEFAULT 0",
        &["column.messages.sent_at.default"],
    ),
    plant(
        Postgres,
        "10_messages.up.sql",
        "body TEXT NOT NULL",
        "body TEXT",
        &["column.messages.body.null"],
    ),
    plant(Sqlite, "10_messages.up.sql", "", "10_posts.up.sql", &["migration.10"]),
    plant(
        Sqlite,
        "10_messages.up.sql",
        "",
        "11_messages.up.sql",
        &["migration.10", "migration.11"],
    ),
    plant(Sqlite, "10_messages.up.sql", "", "0010_messages.up.sql", &[]),
];

#[tokio::test]
async fn drifts_of_numbering_indexes_views_and_triggers_are_found() {
    if postgres_is_left_out() {
        return;
    }
    project("chat").await.assert_reports(CHAT).await;
}

/// A second schema, renamed and dropped columns, DO blocks, fixed lengths; the layout of goose.
const BILLING: &[Plant] = &[
    plant(
        Postgres,
        "001_init.sql",
        "kind IN (1, 2, 3)",
        "kind IN (1, 2, 3, 4)",
        &["check.bank_accounts.kind in (1, 2, 3, 4)"],
    ),
    plant(
        Postgres,
        "001_init.sql",
        "amount <> 0",
        "amount > 0",
        &["check.ledger.entries.0 < amount"],
    ),
    plant(
        Postgres,
        "001_init.sql",
        "ON DELETE RESTRICT",
        "ON DELETE CASCADE",
        &["foreign_key.ledger.entries(account_id)"],
    ),
    plant(
        Postgres,
        "002_alter.sql",
        "SET DEFAULT 'nobody'",
        "SET DEFAULT 'somebody'",
        &["column.bank_accounts.owner.default"],
    ),
    plant(
        Postgres,
        "002_alter.sql",
        "ALTER TABLE accounts DROP COLUMN temporary;",
        "",
        &["column.bank_accounts.temporary"],
    ),
    plant(
        Postgres,
        "002_alter.sql",
        "RENAME TO bank_accounts",
        "RENAME TO money_accounts",
        &[
            "foreign_key.ledger.entries(account_id)",
            "table.bank_accounts",
            "table.money_accounts",
        ],
    ),
    plant(
        Sqlite,
        "001_init.sql",
        "amount BIGINT",
        "amount TEXT",
        &["column.ledger.entries.amount.type"],
    ),
    plant(
        Sqlite,
        "001_init.sql",
        " REFERENCES accounts (id) ON DELETE RESTRICT",
        "",
        &["foreign_key.ledger.entries(account_id)"],
    ),
    plant(
        Sqlite,
        "001_init.sql",
        "number TEXT NOT NULL UNIQUE",
        "number TEXT NOT NULL",
        &["index.bank_accounts.(number)"],
    ),
    plant(
        Sqlite,
        "002_alter.sql",
        " AND memo NOT NULL",
        "",
        &["index.ledger.entries.entries_memo"],
    ),
    plant(
        Sqlite,
        "002_alter.sql",
        "tax INTEGER DEFAULT 0",
        "tax INTEGER",
        &["column.ledger.entries.tax.default"],
    ),
    plant(
        Sqlite,
        "002_alter.sql",
        "-- +goose Down",
        "CREATE TRIGGER t AFTER INSERT ON entries BEGIN SELECT 1; END;\n-- +goose Down",
        &["trigger.entries.t"],
    ),
    plant(
        Sqlite,
        "002_alter.sql",
        "-- +goose Down",
        "CREATE TABLE extra (a INTEGER);\n-- +goose Down",
        &["table.extra"],
    ),
    plant(
        Sqlite,
        "002_alter.sql",
        "-- +goose Down",
        "\r\n\r\n/* nothing; */ -- +goose\n-- +goose Down",
        &[],
    ),
];

#[tokio::test]
async fn drifts_of_schemas_and_altered_histories_are_found() {
    if postgres_is_left_out() {
        return;
    }
    project("billing").await.assert_reports(BILLING).await;
}

#[tokio::test]
async fn sixty_tables_are_compared_and_one_odd_column_is_found() {
    if postgres_is_left_out() {
        return;
    }
    let directory = tempfile::tempdir().unwrap();
    let (postgres, sqlite) = (directory.path().join("postgres"), directory.path().join("sqlite"));
    fs::create_dir_all(&postgres).unwrap();
    fs::create_dir_all(&sqlite).unwrap();
    for table in 1..=60 {
        let parent = if table > 1 {
            format!("REFERENCES t{} (id)", table - 1)
        } else {
            String::new()
        };
        let mut a = format!(
            "CREATE TABLE t{table} (id BIGINT GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY, parent BIGINT {parent}"
        );
        let mut b = format!("CREATE TABLE t{table} (id INTEGER PRIMARY KEY, parent INTEGER {parent}");
        for column in 1..=10 {
            write!(a, ",\n c{column} TEXT NOT NULL DEFAULT '{column}'").unwrap();
            let not_null = if (table, column) == (40, 7) { "" } else { "NOT NULL" };
            write!(b, ",\n c{column} TEXT {not_null} DEFAULT '{column}'").unwrap();
        }
        let index = format!(");\nCREATE INDEX i{table} ON t{table} (c1, c2 DESC);\n");
        fs::write(postgres.join(format!("{table}_t.sql")), a + &index).unwrap();
        fs::write(sqlite.join(format!("{table}_t.sql")), b + &index).unwrap();
    }
    let (postgres, sqlite) = (
        load_directory(Postgres, &postgres).await,
        load_directory(Sqlite, &sqlite).await,
    );
    let comparison = compare(&postgres, &sqlite, &Config::default());
    assert_eq!(drifts(&comparison), ["column.t40.c7.null"]);
    let drift = &comparison.drifts[0];
    assert_eq!(drift.postgres_origin.as_deref(), Some("40_t.sql:1"));
    assert_eq!(drift.sqlite_origin.as_deref(), Some("40_t.sql:1"));
}
