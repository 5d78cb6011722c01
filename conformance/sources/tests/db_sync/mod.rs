//! A db-sync that a test writes, as db-sync does.

mod behaviour;

use std::path::Path;
use std::time::Duration;

use did_prism::envelope::{encode_metadata, encode_object};
use dlt_source::SourceError;
use dlt_source_conformance::{Ability, TestLedger};
use dlt_source_dbsync::{DbSyncOptions, DbSyncSource};
use node_storage_contract::{AnyStore, BlockNo, Cursor, Network, PublishedBlock, PublishedTransaction};
use serde_json::json;
use sqlx::postgres::{PgConnection, PgPool, PgPoolOptions};
use test_databases::{Migrations, PostgresDatabase, PostgresServer};

/// The tables of a db-sync. Byte strings are left to the JSON view in every third block, and blocks come with what db-sync stores
/// besides: transactions with other labels, failed scripts, blocks without a number.
pub(crate) struct DbSyncLedger {
    pool: PgPool,
    database: PostgresDatabase,
}

impl DbSyncLedger {
    pub(crate) async fn new() -> Self {
        Self::of_network("custom").await
    }

    pub(crate) async fn of_network(name: &str) -> Self {
        let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../sources/dbsync/schema");
        let server = PostgresServer::shared().await.unwrap();
        let database = server.database(&Migrations::new(schema).unwrap()).await.unwrap();
        let pool = PgPoolOptions::new()
            .max_connections(1)
            .connect(database.url())
            .await
            .unwrap();
        sqlx::query("INSERT INTO meta (start_time, network_name, version) VALUES ('2022-09-12', $1, '13.6')")
            .bind(name)
            .execute(&pool)
            .await
            .unwrap();
        Self { pool, database }
    }

    pub(crate) fn options(&self, network: Network) -> DbSyncOptions {
        DbSyncOptions::new(self.database.url(), network)
            .unwrap()
            .poll_interval(Duration::from_millis(2))
    }

    /// A source that reads on after `start`.
    pub(crate) fn source(&self, start: Option<Cursor>, confirmations: u32) -> DbSyncSource {
        DbSyncSource::new(self.options(Network::Custom).confirmations(confirmations), start)
    }
}

impl TestLedger for DbSyncLedger {
    type Source = DbSyncSource;

    fn abilities(&self) -> &'static [Ability] {
        &[
            Ability::KeepsBlocks,
            Ability::DeliversTheHighest,
            Ability::Rereads,
            Ability::Confirms,
            Ability::RollsBack,
            Ability::Interrupts,
        ]
    }

    async fn publish(&self, block: &PublishedBlock) {
        let mut transaction = self.pool.begin().await.unwrap();
        let id: i64 = sqlx::query_scalar(
            "INSERT INTO block (hash, epoch_no, slot_no, block_no, slot_leader_id, size, time, tx_count, proto_major, \
             proto_minor) VALUES ($1, 0, $2, $3::int8, 1, 1000, timestamp 'epoch' + $4::int8 * interval '1 microsecond', 1, 9, 0) \
             RETURNING id",
        )
        .bind(block.hash.as_bytes().as_slice())
        .bind(i64::from(block.slot))
        .bind(i64::from(block.number))
        .bind(block.time.unix_micros())
        .fetch_one(&mut *transaction)
        .await
        .unwrap();
        let number = block.number.get();
        for published in &block.transactions {
            let entry = Entry::of(published, number.is_multiple_of(3));
            let absn = i32::from(published.absn);
            entry
                .insert(&mut transaction, id, absn, published.id.as_bytes(), true)
                .await;
        }
        if number.is_multiple_of(4) {
            // The label in a transaction whose script failed.
            let failed = Entry::with_key(21325);
            failed
                .insert(&mut transaction, id, 1_000_000, &noise(block, 1), false)
                .await;
        }
        if number.is_multiple_of(5) {
            let message = Entry::with_key(674);
            message
                .insert(&mut transaction, id, 1_000_001, &noise(block, 2), true)
                .await;
            insert_block_without_number(&mut transaction, &noise(block, 3)).await;
        }
        transaction.commit().await.unwrap();
    }

    async fn roll_back_to(&self, number: BlockNo) {
        let mut transaction = self.pool.begin().await.unwrap();
        for statement in [
            "DELETE FROM tx_metadata WHERE tx_id IN (SELECT t.id FROM tx t JOIN block b ON b.id = t.block_id WHERE b.block_no > $1)",
            "DELETE FROM tx WHERE block_id IN (SELECT id FROM block WHERE block_no > $1)",
            "DELETE FROM block WHERE id > (SELECT max(id) FROM block WHERE block_no <= $1)",
        ] {
            let deleting = sqlx::query(statement).bind(i64::from(number));
            deleting.execute(&mut *transaction).await.unwrap();
        }
        transaction.commit().await.unwrap();
    }

    async fn interrupt(&self) {
        sqlx::query(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity \
             WHERE datname = current_database() AND application_name = 'neoprism-node'",
        )
        .execute(&self.pool)
        .await
        .unwrap();
    }

    async fn end(&self) {
        unimplemented!("a chain goes on");
    }

    async fn open(
        &self,
        start: Option<Cursor>,
        confirmations: u32,
        _storage: &AnyStore,
    ) -> Result<Self::Source, SourceError> {
        Ok(self.source(start, confirmations))
    }
}

/// A row of `tx_metadata`.
struct Entry {
    key: i64,
    json: serde_json::Value,
    bytes: Vec<u8>,
}

impl Entry {
    fn of(transaction: &PublishedTransaction, in_json: bool) -> Self {
        let operations: Vec<_> = transaction
            .operations
            .iter()
            .map(|operation| operation.bytes.as_slice().to_vec())
            .collect();
        let object = encode_object(&operations);
        let chunks: Vec<_> = object
            .chunks(64)
            .map(|chunk| format!("0x{}", data_encoding::HEXLOWER.encode(chunk)))
            .collect();
        Self {
            key: 21325,
            json: if in_json {
                json!({"v": 1, "c": chunks})
            } else {
                json!(null)
            },
            bytes: if in_json { Vec::new() } else { encode_metadata(&object) },
        }
    }

    /// An entry of one operation, under this label.
    fn with_key(key: i64) -> Self {
        let operation = prism_fixtures::Identity::new(9, 9).create().bytes;
        Self {
            key,
            json: json!({}),
            bytes: encode_metadata(&encode_object(&[operation])),
        }
    }

    async fn insert(self, connection: &mut PgConnection, block: i64, absn: i32, transaction: &[u8], valid: bool) {
        sqlx::query(
            "WITH added AS (INSERT INTO tx (hash, block_id, block_index, out_sum, fee, size, valid_contract, script_size) \
             VALUES ($1, $2, $3::int4, 0, 0, 300, $4, 0) RETURNING id) \
             INSERT INTO tx_metadata (key, json, bytes, tx_id) SELECT $5::int8, $6, $7, id FROM added",
        )
        .bind(transaction)
        .bind(block)
        .bind(absn)
        .bind(valid)
        .bind(self.key)
        .bind(sqlx::types::Json(self.json))
        .bind(self.bytes)
        .execute(connection)
        .await
        .unwrap();
    }
}

/// A hash that nothing else has.
fn noise(block: &PublishedBlock, kind: u8) -> [u8; 32] {
    let mut content = block.hash.as_bytes().to_vec();
    content.push(kind);
    did_prism::digest::sha256(&content)
}

/// A boundary block of the Byron era.
async fn insert_block_without_number(connection: &mut PgConnection, hash: &[u8]) {
    sqlx::query(
        "INSERT INTO block (hash, epoch_no, slot_leader_id, size, time, tx_count, proto_major, proto_minor) \
         VALUES ($1, 1, 1, 1000, '2022-09-12', 0, 0, 0)",
    )
    .bind(hash)
    .execute(connection)
    .await
    .unwrap();
}
