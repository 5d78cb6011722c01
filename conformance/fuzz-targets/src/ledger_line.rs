//! A line of a ledger file.

use did_prism::envelope::operations_in_metadata;
use did_prism::ledger::{PublishedBlock, PublishedTransaction};
use dlt_source_file::{LedgerLine, LedgerWriter, Line};
use node_storage::contract::{Cursor, Network};
use prism_fixtures::{LedgerShape, ledger};
use serde_json::Value;

use crate::{Seed, assert_tells};

/// Most bytes that an error about a line needs, however long the line.
const LONGEST_ERROR: usize = 2048;

/// The members of a line.
const FIELDS: [&str; 8] = [
    "network",
    "block_number",
    "slot",
    "block_hash",
    "cbt",
    "absn",
    "tx_id",
    "metadata_cbor",
];

/// A line is of one network at most. What it holds is written as a line that reads the same, and an error names its field and is
/// short.
pub fn ledger_line(data: &[u8]) {
    // What a line is cut at.
    if data.contains(&b'\n') {
        return;
    }
    let mut of_networks = 0;
    for network in Network::ALL {
        let parsed = Line::parse(data, network);
        assert_eq!(parsed, Line::parse(data, network), "the same line, read twice");
        match parsed {
            Ok(line) => {
                of_networks += 1;
                assert_eq!(in_other_words(data, network), Some(line.clone()));
                assert_written(&line, network);
            }
            Err(error) => {
                assert_tells(&error);
                assert!(
                    error.to_string().len() <= LONGEST_ERROR,
                    "{} bytes",
                    error.to_string().len()
                );
                assert!(error.field.is_none_or(|field| FIELDS.contains(&field)));
            }
        }
    }
    assert!(of_networks <= 1, "a line of {of_networks} networks");
}

/// The same line, its JSON written by somebody else.
fn in_other_words(data: &[u8], network: Network) -> Option<Line> {
    let value: Value = serde_json::from_slice(data).ok()?;
    let pretty = serde_json::to_string_pretty(&value).ok()?.replace('\n', " ");
    Line::parse(pretty.as_bytes(), network).ok()
}

fn assert_written(line: &Line, network: Network) {
    match line {
        Line::Cursor(cursor) => {
            assert_eq!(written(&[], Some(*cursor), network).as_ref(), Some(line));
        }
        Line::Transaction(of_line) => {
            let Ok(Some(operations)) = operations_in_metadata(&of_line.metadata) else {
                return;
            };
            let block = PublishedBlock {
                number: of_line.block.number,
                slot: of_line.block.slot,
                hash: of_line.block.hash,
                time: of_line.block.time,
                transactions: vec![PublishedTransaction {
                    absn: of_line.absn,
                    id: of_line.transaction,
                    operations: operations.clone(),
                }],
            };
            let Some(written) = written(&[block], None, network) else {
                assert!(operations.is_empty(), "a transaction was left out");
                return;
            };
            let Line::Transaction(written) = written else {
                panic!("a transaction became a block");
            };
            let operations = operations_in_metadata(&written.metadata);
            assert_eq!(operations, operations_in_metadata(&of_line.metadata));
            // The metadata are encoded anew.
            let metadata = of_line.metadata.clone();
            assert_eq!(LedgerLine { metadata, ..written }, *of_line);
        }
    }
}

/// What these are as a ledger file, read again.
fn written(blocks: &[PublishedBlock], cursor: Option<Cursor>, network: Network) -> Option<Line> {
    let mut writer = LedgerWriter::new(Vec::new(), network, false).expect("a Vec takes all");
    for block in blocks {
        writer.push(block).expect("what was read is written");
    }
    let file = writer.finish(cursor).expect("a Vec takes all");
    let line = file.strip_suffix(b"\n")?;
    Some(Line::parse(line, network).expect("what was written is read"))
}

pub(crate) fn seeds() -> Vec<Seed> {
    let shape = LedgerShape {
        undecodable: false,
        blocks: 2,
        transactions_per_block: 1,
        operations_per_transaction: 1,
        ..LedgerShape::small(11)
    };
    let mut writer = LedgerWriter::new(Vec::new(), Network::Custom, false).expect("a Vec takes all");
    let mut cursor = None;
    for block in ledger(&shape) {
        writer.push(&block).expect("a ledger is written");
        cursor = Some(Cursor {
            slot: u64::MAX.midpoint(0).try_into().expect("a slot"),
            block: (block.number.get() + 1).try_into().expect("a block number"),
            hash: block.hash,
        });
    }
    let file = writer.finish(cursor).expect("a Vec takes all");
    let mut seeds = Seed::numbered(file.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()));
    let zeros = "00".repeat(32);
    seeds.push(Seed::new(
        "foreign-metadata",
        format!(
            r#" {{"tx_id":"{zeros}","absn":0,"cbt":"2022-09-12T12:00:00.1234567+02:00","block_hash":"{zeros}","slot":1,"block_number":0,"network":"mainnet","metadata_cbor":"A1"}}"#
        ),
    ));
    seeds.push(Seed::new(
        "wrong-type",
        r#"{"network":7,"block_number":5,"slot":1,"block_hash":""}"#,
    ));
    seeds
}
