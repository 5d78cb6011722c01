//! Reading a ledger through a relay and through db-sync, beside decoding the same from memory: `node-bench sources`.
//!
//! The relay and the database are this machine's, so that they share its processors with what is measured.

use std::path::Path;
use std::process::Command;
use std::time::Instant;

use clap::Arg;
use data_encoding::HEXLOWER;
use did_prism::envelope::{encode_metadata, encode_object, operations_in_metadata};
use dlt_sources::contract::{SourceError, SourceSettings};
use mock_relay::{Era, MockRelay, MockTransaction};
use node_service::reading::LedgerReader;
use node_storage::contract::Network;
use pallas_traverse::MultiEraBlock;
use prism_fixtures::Identity;
use serde_json::{Value, json};
use test_databases::{Migrations, PostgresServer};

use crate::{Line, peak_memory, postgres_tool, run};

/// The memory that reading may take, in MiB, however long the ledger is.
const MEMORY: f64 = 120.0;
/// Blocks a second of a relay, and transactions a second of a db-sync, at least.
const BLOCKS: f64 = 3_000.0;
const TRANSACTIONS: f64 = 10_000.0;
/// Each figure is measured so often, and the best one counts: whatever else the machine does makes a run slower.
const RUNS: usize = 3;

/// Prints the figures of both sources; answers whether all meet their targets.
pub(crate) async fn compare() -> bool {
    let mut met = true;
    for blocks in [20_000, 80_000] {
        met &= relay(blocks).await;
    }
    for transactions in [50_000, 200_000] {
        met &= db_sync(transactions).await;
    }
    met
}

/// Small blocks: two transactions of others each, and in every tenth one of ours.
async fn relay(count: u64) -> bool {
    let relay = MockRelay::start(42).await;
    let ours = metadata();
    for number in 1..=count {
        let mut transactions = vec![MockTransaction::plain(), MockTransaction::plain()];
        if number % 10 == 0 {
            transactions.push(MockTransaction::with_metadata(Era::Conway, &ours));
        }
        relay.publish(Era::Conway, (number, number * 20), 1, &transactions);
    }
    let blocks = relay.blocks();
    let decoded = best(|| {
        let started = Instant::now();
        let transactions: usize = blocks.iter().map(|block| of_block(block.bytes())).sum();
        assert!(transactions > 0, "there are transactions of ours");
        started.elapsed().as_secs_f64()
    });
    let (seconds, memory) = read(
        &[
            "relay",
            "--cardano-relay",
            &relay.address(),
            "--cardano-network-magic",
            "42",
            "--cardano-system-start",
            "2023-11-14T22:13:20Z",
        ],
        count,
        count / 10,
    )
    .await;
    println!("\nrelay, {count} small blocks            ours            decoding them");
    print(&format!("{count} blocks"), count, (seconds, decoded, memory), BLOCKS)
}

/// How many transactions of ours are in a block that is decoded by pallas.
fn of_block(bytes: &[u8]) -> usize {
    let block = MultiEraBlock::decode(bytes).unwrap();
    let transactions = block.txs();
    let ours = transactions.iter().filter(|transaction| {
        let _id = transaction.hash();
        transaction.metadata().find(21_325).is_some()
    });
    ours.count()
}

/// Every transaction has our label.
async fn db_sync(count: u64) -> bool {
    let schema = Path::new(env!("CARGO_MANIFEST_DIR")).join("../sources/dbsync/schema");
    let server = PostgresServer::shared().await.unwrap();
    let database = server.database(&Migrations::new(schema).unwrap()).await.unwrap();
    let ours = metadata();
    let hex = HEXLOWER.encode(&ours);
    let blocks = count / 10;
    let text = format!(
        "INSERT INTO meta (start_time, network_name, version) VALUES ('2023-11-14 22:13:20', 'custom', '13.6');
         INSERT INTO block (hash, epoch_no, slot_no, block_no, slot_leader_id, size, time, tx_count, proto_major, proto_minor)
         SELECT sha256(('b' || n)::bytea), 0, n * 20, n, 1, 1000, timestamp '2023-11-14' + n * interval '20 s', 10, 9, 0
         FROM generate_series(1, {blocks}) n;
         INSERT INTO tx (hash, block_id, block_index, out_sum, fee, size, valid_contract, script_size)
         SELECT sha256((b.id || ' ' || i)::bytea), b.id, i, 0, 0, 300, true, 0 FROM block b, generate_series(0, 9) i ORDER BY b.id, i;
         INSERT INTO tx_metadata (key, bytes, tx_id) SELECT 21325, '\\x{hex}', id FROM tx ORDER BY id;
         ANALYZE;"
    );
    let mut command = Command::new(postgres_tool("psql"));
    command.args(["-q", "-v", "ON_ERROR_STOP=1", "-d", database.url(), "-c", &text]);
    assert!(command.status().unwrap().success(), "psql");
    let decoded = best(|| {
        let started = Instant::now();
        let operations: usize = (0..count)
            .map(|_| operations_in_metadata(&ours).unwrap().unwrap().len())
            .sum();
        assert!(operations > 0, "there are operations");
        started.elapsed().as_secs_f64()
    });
    let (seconds, memory) = read(
        &["dbsync", "--dbsync-url", database.url(), "--dbsync-poll-interval", "1s"],
        blocks,
        count,
    )
    .await;
    println!("\ndb-sync, {count} transactions          ours            decoding them");
    print(
        &format!("{count} transactions"),
        count,
        (seconds, decoded, memory),
        TRANSACTIONS,
    )
}

fn print(what: &str, count: u64, (seconds, decoded, memory): (f64, f64, f64), target: f64) -> bool {
    #[allow(clippy::cast_precision_loss, clippy::as_conversions, reason = "a rate for people")]
    let count = count as f64;
    println!(
        "  {:.0} a second, where {target:.0} are the target; decoding alone {:.0}",
        count / seconds,
        count / decoded
    );
    let lines = [
        Line {
            what: format!("reading {what}"),
            ours: seconds,
            theirs: Some(decoded),
            most: None,
            unit: "s",
        },
        Line {
            what: format!("reading {what}, at most"),
            ours: seconds,
            theirs: None,
            most: Some(count / target),
            unit: "s",
        },
        Line {
            what: "peak memory".to_owned(),
            ours: memory,
            theirs: None,
            most: Some(MEMORY),
            unit: "MiB",
        },
    ];
    lines.iter().filter(|line| !line.print()).count() == 0
}

fn metadata() -> Vec<u8> {
    encode_metadata(&encode_object(&[Identity::new(1, 1).create().bytes]))
}

fn best(mut measure: impl FnMut() -> f64) -> f64 {
    (0..RUNS).map(|_| measure()).fold(f64::INFINITY, f64::min)
}

/// Reads a source, which has so many operations up to this block, in processes of their own: the shortest time in seconds, and the most
/// memory in MiB.
async fn read(source: &[&str], block: u64, operations: u64) -> (f64, f64) {
    let (mut seconds, mut memory) = (f64::INFINITY, 0.0_f64);
    for _ in 0..RUNS {
        let words: Vec<String> = ["read"].iter().chain(source).map(|word| (*word).to_owned()).collect();
        let reading = tokio::task::spawn_blocking(move || run(&words.iter().map(String::as_str).collect::<Vec<_>>()));
        let step = reading.await.unwrap();
        assert_eq!(
            (step["block"].as_u64(), step["operations"].as_u64()),
            (Some(block), Some(operations)),
            "all of it was read"
        );
        seconds = seconds.min(step["seconds"].as_f64().unwrap());
        memory = memory.max(step["memory"].as_f64().unwrap());
    }
    (seconds, memory)
}

/// The measured step: reads the source from its beginning to its end for now, and keeps nothing.
pub(crate) async fn step(name: &str, flags: &[&str]) -> Value {
    let kind = dlt_sources::named(name).unwrap();
    let command = kind.add_flags(clap::Command::new("read").arg(Arg::new("dlt_source").long("dlt-source")));
    let matches = command.get_matches_from([&["read", "--dlt-source", name], flags].concat());
    let settings = SourceSettings {
        network: Network::Custom,
        // All that there is, so that the rates are over what was read.
        confirmation_blocks: Some(0),
    };
    let config = kind.configure(&matches, settings).unwrap();
    let reader = LedgerReader::new(&*config);
    let started = Instant::now();
    let cursor = reader.read(async |_blocks| Ok::<_, SourceError>(())).await.unwrap();
    let seconds = started.elapsed().as_secs_f64();
    let block = cursor.unwrap().block.get();
    let operations = reader.progress().borrow().operations;
    json!({"seconds": seconds, "memory": peak_memory(), "block": block, "operations": operations})
}
