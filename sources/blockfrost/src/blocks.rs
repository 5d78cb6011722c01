//! From entries to blocks.

use data_encoding::HEXLOWER_PERMISSIVE;
use did_prism::digest::TransactionId;
use did_prism::envelope::{EnvelopeError, METADATA_LABEL, operations_in_json, operations_in_metadata};
use did_prism::ledger::{PublishedBlock, PublishedOperation, PublishedTransaction};
use dlt_source::SourceError;

use crate::answer::{Entry, JsonEntry, Position};
use crate::client::{Client, SHORT_ANSWER};

/// An entry of ours, and where it stands.
#[derive(Debug, Clone)]
pub(crate) struct Located {
    pub(crate) id: TransactionId,
    pub(crate) position: Position,
    pub(crate) entry: Entry,
}

/// The blocks with operations among these entries, which come by block number and `absn`.
///
/// A malformed entry is told and passed over (edge-cases.md#o14). So is a transaction whose scripts failed: by the rules of the ledger
/// it has no effect but taking the collateral (protocol.md#envelope).
pub(crate) async fn blocks(client: &Client, entries: &[Located]) -> Result<Vec<PublishedBlock>, SourceError> {
    let mut blocks: Vec<PublishedBlock> = Vec::new();
    for located in entries.iter().filter(|located| located.position.is_valid) {
        let Position { block, absn, .. } = located.position;
        let operations = match operations(client, located).await? {
            Ok(operations) if operations.is_empty() => continue,
            Ok(operations) => operations,
            Err(error) => {
                tracing::warn!(
                    "block {}: transaction {} is passed over: {error}",
                    block.number,
                    located.id
                );
                continue;
            }
        };
        let transaction = PublishedTransaction {
            absn,
            id: located.id,
            operations,
        };
        match blocks.last_mut() {
            Some(last) if last.number == block.number => last.transactions.push(transaction),
            _ => blocks.push(PublishedBlock {
                number: block.number,
                slot: block.slot,
                hash: block.hash,
                time: block.time,
                transactions: vec![transaction],
            }),
        }
    }
    Ok(blocks)
}

/// The operations of an entry.
///
/// Its metadata is a CBOR map of the one label with its entry, which tells byte strings from text. The JSON view is for entries
/// without it, as a db-sync behind it may have them.
async fn operations(
    client: &Client,
    located: &Located,
) -> Result<Result<Vec<PublishedOperation>, EnvelopeError>, SourceError> {
    let Some(digits) = located.entry.metadata() else {
        return operations_of_view(client, located.id).await;
    };
    let metadata = HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).map_err(|error| {
        let detail = format!("its metadata is not hexadecimal: {error}");
        client.malformed(&format!("transaction {}", located.id), detail)
    })?;
    let operations = operations_in_metadata(&metadata);
    Ok(operations.and_then(|operations| {
        operations.ok_or(EnvelopeError::Shape(
            "the metadata has no entry with the label that was asked for",
        ))
    }))
}

async fn operations_of_view(
    client: &Client,
    id: TransactionId,
) -> Result<Result<Vec<PublishedOperation>, EnvelopeError>, SourceError> {
    let resource = format!("txs/{id}/metadata");
    let entries: Option<Vec<JsonEntry>> = client.get(&resource, SHORT_ANSWER).await?;
    let label = METADATA_LABEL.to_string();
    let entry = entries
        .unwrap_or_default()
        .into_iter()
        .find(|entry| entry.label == label);
    Ok(match entry {
        Some(entry) => operations_in_json(&entry.json_metadata),
        None => Err(EnvelopeError::Shape("the entry is neither CBOR nor JSON")),
    })
}
