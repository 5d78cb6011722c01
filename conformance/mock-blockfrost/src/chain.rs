//! The chain, and what Blockfrost says of it.

use std::collections::HashSet;

use data_encoding::HEXLOWER;
use serde_json::{Value, json};

/// A hash.
pub type Hash = [u8; 32];

/// A block.
#[derive(Debug, Clone)]
pub struct MockBlock {
    /// Its number.
    pub number: u64,
    /// Its slot.
    pub slot: u64,
    /// Its hash.
    pub hash: Hash,
    /// Its time, in seconds since 1970.
    pub time: i64,
    /// Its transactions that are of interest, by their index.
    pub transactions: Vec<MockTransaction>,
}

/// A transaction with an entry under the label that is asked for.
#[derive(Debug, Clone)]
pub struct MockTransaction {
    /// Its id.
    pub id: Hash,
    /// Its index in the block.
    pub index: u64,
    /// Whether its scripts passed.
    pub is_valid: bool,
    /// Its entry.
    pub metadata: Metadata,
}

/// How an entry is shown.
#[derive(Debug, Clone)]
pub enum Metadata {
    /// In `metadata`.
    Newer(Vec<u8>),
    /// In `cbor_metadata`, in answers without `metadata`.
    Older(Vec<u8>),
    /// In both.
    Both(Vec<u8>),
    /// Null in both, and as JSON elsewhere.
    Json(Value),
    /// As this text in `metadata`.
    Text(String),
    /// Nowhere.
    Null,
}

/// A chain.
#[derive(Debug, Clone, Default)]
pub struct Chain {
    /// Its blocks, ascending.
    pub blocks: Vec<MockBlock>,
    /// Transactions that the list leaves out.
    pub unlisted: HashSet<Hash>,
    /// Transactions at the end of the list that are in no block.
    pub listed: Vec<Hash>,
    /// Whether a page behind the last one is an empty list. It is 404 otherwise.
    pub has_empty_pages: bool,
}

impl Chain {
    /// Takes back every block above this number.
    pub fn roll_back_to(&mut self, number: u64) {
        self.blocks.retain(|block| block.number <= number);
    }

    fn transactions(&self) -> impl Iterator<Item = (&MockBlock, &MockTransaction)> {
        self.blocks
            .iter()
            .flat_map(|block| block.transactions.iter().map(move |transaction| (block, transaction)))
    }

    fn transaction(&self, id: &str) -> Option<(&MockBlock, &MockTransaction)> {
        let id = HEXLOWER.decode(id.as_bytes()).ok()?;
        self.transactions()
            .find(|(_, transaction)| transaction.id.as_slice() == id)
    }

    /// `blocks/latest`, `blocks/{hash_or_number}`.
    pub(crate) fn block(&self, name: &str) -> Option<Value> {
        let index = match name {
            "latest" => self.blocks.len().checked_sub(1),
            name => self
                .blocks
                .iter()
                .position(|block| block.number.to_string() == name || HEXLOWER.encode(&block.hash) == name),
        }?;
        let block = &self.blocks[index];
        let previous = index.checked_sub(1).map(|index| &self.blocks[index]);
        let next = self.blocks.get(index + 1);
        let tip = self.blocks.last().map_or(0, |tip| tip.number);
        Some(json!({
            "time": block.time,
            "height": block.number,
            "hash": HEXLOWER.encode(&block.hash),
            "slot": block.slot,
            "epoch": 1,
            "epoch_slot": block.slot,
            "slot_leader": "pool1pu5jlj4q9w9jlxeu370a3c9myx47md5j5m2str0naunn2qnikdy",
            "size": 1_000,
            "tx_count": block.transactions.len(),
            "output": null,
            "fees": null,
            "block_vrf": null,
            "op_cert": null,
            "op_cert_counter": null,
            "previous_block": previous.map(|block| HEXLOWER.encode(&block.hash)),
            "next_block": next.map(|block| HEXLOWER.encode(&block.hash)),
            "confirmations": tip - block.number,
        }))
    }

    /// `txs/{hash}`.
    pub(crate) fn position(&self, id: &str) -> Option<Value> {
        let (block, transaction) = self.transaction(id)?;
        Some(json!({
            "hash": id,
            "block": HEXLOWER.encode(&block.hash),
            "block_height": block.number,
            "block_time": block.time,
            "slot": block.slot,
            "index": transaction.index,
            "output_amount": [{"unit": "lovelace", "quantity": "42000000"}],
            "fees": "182485",
            "deposit": "0",
            "size": 433,
            "invalid_before": null,
            "invalid_hereafter": "13885913",
            "utxo_count": 4,
            "valid_contract": transaction.is_valid,
        }))
    }

    /// `txs/{hash}/metadata`.
    pub(crate) fn view(&self, id: &str) -> Option<Value> {
        let (_, transaction) = self.transaction(id)?;
        let message = json!({"label": "674", "json_metadata": {"msg": ["hello"]}});
        Some(match &transaction.metadata {
            Metadata::Json(entry) => json!([message, {"label": "21325", "json_metadata": entry}]),
            _ => json!([message]),
        })
    }

    /// A page of `metadata/txs/labels/21325/cbor`, ascending; pages count from 1.
    pub(crate) fn list(&self, count: usize, page: usize) -> Option<Value> {
        let listed = self
            .transactions()
            .map(|(_, transaction)| transaction)
            .filter(|transaction| !self.unlisted.contains(&transaction.id));
        let entries = listed.map(Ok).chain(self.listed.iter().map(Err));
        let entries: Vec<Value> = entries
            .skip(count * (page - 1))
            .take(count)
            .map(|listed| match listed {
                Ok(transaction) => entry(transaction),
                Err(id) => json!({"tx_hash": HEXLOWER.encode(id), "cbor_metadata": null, "metadata": "a0"}),
            })
            .collect();
        (self.has_empty_pages || !entries.is_empty()).then(|| Value::Array(entries))
    }
}

fn entry(transaction: &MockTransaction) -> Value {
    let id = HEXLOWER.encode(&transaction.id);
    match &transaction.metadata {
        Metadata::Newer(bytes) => json!({"tx_hash": id, "cbor_metadata": null, "metadata": HEXLOWER.encode(bytes)}),
        Metadata::Older(bytes) => json!({"tx_hash": id, "cbor_metadata": former(bytes)}),
        Metadata::Both(bytes) => {
            json!({"tx_hash": id, "cbor_metadata": former(bytes), "metadata": HEXLOWER.encode(bytes)})
        }
        Metadata::Text(text) => json!({"tx_hash": id, "cbor_metadata": null, "metadata": text}),
        Metadata::Json(_) | Metadata::Null => json!({"tx_hash": id, "cbor_metadata": null, "metadata": null}),
    }
}

fn former(bytes: &[u8]) -> String {
    format!("\\x{}", HEXLOWER.encode(bytes))
}
