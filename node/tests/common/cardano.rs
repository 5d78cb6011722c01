//! One chain, as every source sees it: a file, a relay, a db-sync and a Blockfrost.
#![allow(dead_code, unreachable_pub, reason = "as in the other modules of tests")]

use std::path::{Path, PathBuf};
use std::process::Command;

use did_prism::digest::{BlockHash, TransactionId};
use did_prism::envelope::{encode_metadata, encode_object};
use did_prism::ledger::{BlockTime, PublishedBlock, PublishedTransaction};
use mock_blockfrost::{Metadata, MockBlock, MockBlockfrost, MockTransaction as ListedTransaction};
use mock_relay::{Era, MockRelay, MockTransaction};
use node_storage::DbBackend;
use prism_fixtures::{LedgerShape, block_of, ledger};
use sqlx::{Connection as _, PgConnection};
use test_databases::{Migrations, PostgresDatabase, PostgresServer};

use crate::common::{Database, Outcome, is_chosen, lines, node, run, write_lines};

const MAGIC: u32 = 42;
/// When slot 0 begins, in seconds since 1970.
const SYSTEM_START: i64 = 1_700_000_000;
/// The eras of a chain, in equal parts.
const ERAS: [Era; 5] = [Era::Shelley, Era::Mary, Era::Alonzo, Era::Babbage, Era::Conway];

/// How a node reads the chain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Source {
    File,
    Relay,
    DbSync,
    Blockfrost,
}

impl Source {
    pub const ALL: [Self; 4] = [Self::File, Self::Relay, Self::DbSync, Self::Blockfrost];
}

/// The chain.
pub struct Chain {
    relay: MockRelay,
    blockfrost: MockBlockfrost,
    /// `None` where `TEST_BACKENDS` leaves PostgreSQL out.
    db_sync: Option<PostgresDatabase>,
    file: PathBuf,
    /// How many blocks the eras are made for.
    length: u64,
}

impl Chain {
    /// A chain of these blocks, of which number, slot, indexes and operations count: hashes, ids and times are those of the chain.
    pub async fn new(directory: &Path, blocks: &[PublishedBlock]) -> Self {
        let db_sync = if is_chosen(DbBackend::Postgres) {
            let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sources/dbsync/schema");
            let server = PostgresServer::shared().await.unwrap();
            let database = server.database(&Migrations::new(schema).unwrap()).await.unwrap();
            let mut connection = PgConnection::connect(database.url()).await.unwrap();
            let meta =
                "INSERT INTO meta (start_time, network_name, version) VALUES ('2023-11-14 22:13:20', 'custom', '13.6')";
            sqlx::query(meta).execute(&mut connection).await.unwrap();
            Some(database)
        } else {
            None
        };
        let chain = Self {
            relay: MockRelay::start(MAGIC).await,
            blockfrost: MockBlockfrost::start(MAGIC.into(), None).await,
            db_sync,
            file: directory.join("chain.jsonl"),
            length: blocks.last().map_or(1, |block| block.number.get()),
        };
        chain.change_above(0, blocks).await;
        chain
    }

    /// Whether this source can be read.
    pub fn has(&self, source: Source) -> bool {
        source != Source::DbSync || self.db_sync.is_some()
    }

    /// Puts these blocks in the place of those above a number, at once for whoever looks.
    pub async fn change_above(&self, number: u64, blocks: &[PublishedBlock]) {
        let of_relay = blocks.iter().map(|block| {
            let era = self.era_of(block.number.get());
            let transactions = transactions_of(era, block);
            (era, (block.number.get(), block.slot.get()), transactions)
        });
        self.relay.change_chain(number, of_relay.collect::<Vec<_>>());
        let on_chain = self.relay.blocks();
        let blocks: Vec<PublishedBlock> = blocks
            .iter()
            .zip(&on_chain[on_chain.len() - blocks.len()..])
            .map(|(block, on_chain)| {
                let mut block = block.clone();
                assert_eq!(block.number.get(), on_chain.number);
                block.hash = BlockHash::new(on_chain.hash);
                let seconds = SYSTEM_START + i64::try_from(on_chain.slot).unwrap();
                block.time = BlockTime::from_unix_micros(seconds * 1_000_000).unwrap();
                for transaction in &mut block.transactions {
                    let index = usize::try_from(transaction.absn.get()).unwrap();
                    transaction.id = TransactionId::new(on_chain.transaction_ids[index]);
                }
                block
            })
            .collect();
        self.blockfrost.chain(|chain| {
            chain.roll_back_to(number);
            chain.blocks.extend(blocks.iter().map(listed_block));
        });
        if let Some(database) = &self.db_sync {
            let mut connection = PgConnection::connect(database.url()).await.unwrap();
            change_db_sync(&mut connection, number, &blocks).await;
        }
        if number == 0 {
            write_lines(&self.file, &lines(&blocks));
        }
    }

    /// The hash of the block with this number.
    pub fn hash_of(&self, number: u64) -> String {
        let blocks = self.relay.blocks();
        let block = blocks.iter().find(|block| block.number == number).unwrap();
        BlockHash::new(block.hash).to_string()
    }

    fn era_of(&self, number: u64) -> Era {
        let part = number.saturating_sub(1) * u64::try_from(ERAS.len()).unwrap() / self.length;
        ERAS[usize::try_from(part).unwrap().min(ERAS.len() - 1)]
    }

    /// The flags with which `indexer` and `ledger export` read the chain.
    pub fn flags(&self, source: Source) -> Vec<String> {
        let mut flags = vec!["--network".to_owned(), "custom".to_owned(), "--dlt-source".to_owned()];
        let more = match source {
            Source::File => vec![
                "file".to_owned(),
                "--ledger-file".to_owned(),
                self.file.display().to_string(),
            ],
            Source::Relay => {
                let start = "2023-11-14T22:13:20Z";
                let magic = MAGIC.to_string();
                let address = self.relay.address();
                [
                    "relay",
                    "--cardano-relay",
                    &address,
                    "--cardano-network-magic",
                    &magic,
                    "--cardano-system-start",
                    start,
                ]
                .map(str::to_owned)
                .into()
            }
            Source::DbSync => {
                let url = self.db_sync.as_ref().unwrap().url();
                ["dbsync", "--dbsync-url", url, "--dbsync-poll-interval", "100ms"]
                    .map(str::to_owned)
                    .into()
            }
            Source::Blockfrost => {
                let url = self.blockfrost.url();
                [
                    "blockfrost",
                    "--blockfrost-base-url",
                    &url,
                    "--blockfrost-poll-interval",
                    "100ms",
                ]
                .map(str::to_owned)
                .into()
            }
        };
        flags.extend(more);
        flags
    }

    /// `ledger export --json` of the chain.
    pub fn export(&self, source: Source, output: &Path) -> Command {
        let mut command = node(&["ledger", "export", "--json", "--output"]);
        command
            .arg(output)
            .args(self.flags(source))
            .env("NO_PROXY", "127.0.0.1");
        command
    }
}

fn metadata_of(transaction: &PublishedTransaction) -> Vec<u8> {
    let operations = transaction.operations.iter().map(|one| one.bytes.as_slice().to_vec());
    encode_metadata(&encode_object(&operations.collect::<Vec<_>>()))
}

/// The transactions of a block, with those of others between them.
fn transactions_of(era: Era, block: &PublishedBlock) -> Vec<MockTransaction> {
    let highest = block
        .transactions
        .iter()
        .map(|transaction| transaction.absn.get())
        .max();
    (0..=highest.unwrap_or(0))
        .map(|absn| {
            let published = block.transactions.iter().find(|one| one.absn.get() == absn);
            published.map_or_else(MockTransaction::plain, |transaction| {
                MockTransaction::with_metadata(era, &metadata_of(transaction))
            })
        })
        .collect()
}

fn listed_block(block: &PublishedBlock) -> MockBlock {
    MockBlock {
        number: block.number.get(),
        slot: block.slot.get(),
        hash: *block.hash.as_bytes(),
        time: block.time.unix_micros().div_euclid(1_000_000),
        transactions: block
            .transactions
            .iter()
            .map(|transaction| ListedTransaction {
                id: *transaction.id.as_bytes(),
                index: transaction.absn.get().into(),
                is_valid: true,
                metadata: Metadata::Both(metadata_of(transaction)),
            })
            .collect(),
    }
}

/// Replaces the blocks above a number in a db-sync.
async fn change_db_sync(connection: &mut PgConnection, number: u64, blocks: &[PublishedBlock]) {
    let mut transaction = connection.begin().await.unwrap();
    let above = i64::try_from(number).unwrap();
    for statement in [
        "DELETE FROM tx_metadata WHERE tx_id IN (SELECT t.id FROM tx t JOIN block b ON b.id = t.block_id WHERE b.block_no > $1)",
        "DELETE FROM tx WHERE block_id IN (SELECT id FROM block WHERE block_no > $1)",
        "DELETE FROM block WHERE block_no > $1",
    ] {
        sqlx::query(statement)
            .bind(above)
            .execute(&mut *transaction)
            .await
            .unwrap();
    }
    let column = |of: fn(&PublishedBlock) -> i64| blocks.iter().map(of).collect::<Vec<i64>>();
    sqlx::query(
        "INSERT INTO block (hash, epoch_no, slot_no, block_no, slot_leader_id, size, time, tx_count, proto_major, proto_minor) \
         SELECT hash, 0, slot, number, 1, 1000, timestamp 'epoch' + micros * interval '1 microsecond', 1, 9, 0 \
         FROM unnest($1::bytea[], $2::int8[], $3::int8[], $4::int8[]) AS added (hash, slot, number, micros)",
    )
    .bind(blocks.iter().map(|block| block.hash.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(column(|block| block.slot.into()))
    .bind(column(|block| block.number.into()))
    .bind(column(|block| block.time.unix_micros()))
    .execute(&mut *transaction)
    .await
    .unwrap();
    let published: Vec<_> = blocks
        .iter()
        .flat_map(|block| block.transactions.iter().map(move |transaction| (block, transaction)))
        .collect();
    sqlx::query(
        "WITH added AS (SELECT * FROM unnest($1::bytea[], $2::int8[], $3::int4[], $4::bytea[]) AS added (hash, number, absn, bytes)), \
         inserted AS (INSERT INTO tx (hash, block_id, block_index, out_sum, fee, size, valid_contract, script_size) \
         SELECT added.hash, block.id, absn, 0, 0, 300, true, 0 FROM added JOIN block ON block_no = number RETURNING id, hash) \
         INSERT INTO tx_metadata (key, bytes, tx_id) SELECT 21325, bytes, id FROM added JOIN inserted USING (hash)",
    )
    .bind(published.iter().map(|(_, one)| one.id.as_bytes().to_vec()).collect::<Vec<_>>())
    .bind(published.iter().map(|(block, _)| i64::from(block.number)).collect::<Vec<_>>())
    .bind(published.iter().map(|(_, one)| i32::from(one.absn)).collect::<Vec<_>>())
    .bind(published.iter().map(|(_, one)| metadata_of(one)).collect::<Vec<_>>())
    .execute(&mut *transaction)
    .await
    .unwrap();
    transaction.commit().await.unwrap();
    sqlx::query("ANALYZE").execute(connection).await.unwrap();
}

/// How many of the highest blocks are held back where that is not what is tested.
pub const HELD_BACK: &str = "2";

/// Blocks of 20 operations in two transactions, every kind of them, with a block without operations before each 10th. The
/// operations of a small ledger are published again and again, since making them costs more than reading them.
pub fn blocks(count: u64) -> Vec<PublishedBlock> {
    let shape = LedgerShape {
        blocks: 40,
        operations_per_transaction: 10,
        undecodable: false,
        ..LedgerShape::small(7)
    };
    let made: Vec<_> = ledger(&shape).collect();
    let with_operations = made.iter().cycle().take(usize::try_from(count).unwrap());
    let mut number = 0;
    let mut blocks = Vec::new();
    for (block, index) in with_operations.zip(1_u64..) {
        if index.is_multiple_of(10) {
            number += 1;
            blocks.push(block_of(7, number, number * 20, Vec::new()));
        }
        number += 1;
        blocks.push(block_of(7, number, number * 20, block.transactions.clone()));
    }
    blocks
}

/// `indexer` of the chain.
pub fn indexer(database: &Database, chain: &Chain, source: Source, confirmations: &str, arguments: &[&str]) -> Command {
    let mut command = database.node(&["indexer", "--port", "0", "--confirmation-blocks", confirmations]);
    command
        .args(chain.flags(source))
        .args(arguments)
        .env("NO_PROXY", "127.0.0.1");
    command
}

/// Reads the chain to its end, which has to work.
pub fn sync(database: &Database, chain: &Chain, source: Source, confirmations: &str) {
    let outcome = run(indexer(database, chain, source, confirmations, &["--exit-when-synced"]));
    assert_eq!(outcome.code, Some(0), "{source:?}: {}", outcome.stderr);
}

/// The root of what the database holds.
pub fn root(database: &Database) -> String {
    let outcome = run(database.node(&["db", "status", "--root", "--json", "--network", "custom"]));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    let status: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    assert_eq!(status["watermark"], status["last_position"], "everything is indexed");
    status["root"].as_str().unwrap().to_owned()
}

/// The root of what an export through this source holds, and how many operations that are.
pub fn exported(chain: &Chain, source: Source, output: &Path) -> (String, u64) {
    let mut command = chain.export(source, output);
    let outcome = run_with(&mut command, &["--confirmation-blocks", HELD_BACK]);
    assert_eq!(outcome.code, Some(0), "{source:?}: {}", outcome.stderr);
    let told: serde_json::Value = serde_json::from_str(&outcome.stdout).unwrap();
    (
        told["root"].as_str().unwrap().to_owned(),
        told["operations"].as_u64().unwrap(),
    )
}

fn run_with(command: &mut Command, arguments: &[&str]) -> Outcome {
    command.args(arguments);
    run(std::mem::replace(command, Command::new("true")))
}
