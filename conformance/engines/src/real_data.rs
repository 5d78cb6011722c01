//! The real ledgers, where `PRISM_REAL_DATA` says where they are.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use data_encoding::HEXLOWER;
use did_prism::envelope::operations_in_metadata;
use node_storage::contract::{Network, PublishedBlock, PublishedTransaction};
use serde_json::Value;

/// The text of a file of real data; none where `PRISM_REAL_DATA` is unset.
pub fn text_of(file: &str) -> Option<String> {
    let directory = PathBuf::from(std::env::var_os("PRISM_REAL_DATA")?);
    Some(fs::read_to_string(directory.join(file)).unwrap())
}

/// A member that is a text.
pub fn text(value: &Value) -> &str {
    value.as_str().unwrap()
}

/// The blocks of a ledger file. Metadata that is malformed gives a transaction without operations, as in the node.
pub fn blocks(network: Network) -> Option<Vec<PublishedBlock>> {
    let mut blocks: BTreeMap<u64, PublishedBlock> = BTreeMap::new();
    for line in text_of(&format!("ledger-{network}.jsonl"))?.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let number = line["block_number"].as_u64().unwrap();
        let block = blocks.entry(number).or_insert_with(|| PublishedBlock {
            number: number.try_into().unwrap(),
            slot: line["slot"].as_u64().unwrap().try_into().unwrap(),
            hash: text(&line["block_hash"]).parse().unwrap(),
            time: text(&line["cbt"]).parse().unwrap(),
            transactions: Vec::new(),
        });
        let operations = operations_in_metadata(&HEXLOWER.decode(text(&line["metadata_cbor"]).as_bytes()).unwrap());
        block.transactions.push(PublishedTransaction {
            absn: line["absn"].as_u64().unwrap().try_into().unwrap(),
            id: text(&line["tx_id"]).parse().unwrap(),
            operations: operations.ok().flatten().unwrap_or_default(),
        });
    }
    Some(blocks.into_values().collect())
}
