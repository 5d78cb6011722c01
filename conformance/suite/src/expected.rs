//! What a store has to answer, worked out from what was delivered, without a store.

use std::collections::BTreeMap;

use did_prism::route::{Route, route};
use node_storage_contract::{
    BlockHeader, Cursor, DidSuffix, IndexEntry, IndexOutcome, IndexerState, LedgerBound, LedgerOperation, ListedDid,
    OperationHash, OperationId, OperationPosition, OperationRecord, PublishedBlock, Reason, StorageOwner,
    TransactionRecord,
};

use crate::observe::Observation;

/// What a store answers after `blocks` and `cursor` were delivered and `entries`, from the first operation on, indexed.
pub(crate) fn observation(blocks: &[PublishedBlock], cursor: Cursor, entries: &[IndexEntry]) -> Observation {
    let operations = records(blocks, entries);
    let mut headers: Vec<BlockHeader> = blocks
        .iter()
        .filter(|block| has_operations(block))
        .map(Into::into)
        .collect();
    headers.sort_by_key(|header| header.number);
    let mut by_id: BTreeMap<OperationId, OperationRecord> = BTreeMap::new();
    let mut of_dids: BTreeMap<DidSuffix, Vec<OperationRecord>> = BTreeMap::new();
    let mut owners: BTreeMap<OperationHash, StorageOwner> = BTreeMap::new();
    let mut listed: BTreeMap<DidSuffix, ListedDid> = BTreeMap::new();
    for record in &operations {
        let position = record.operation.position;
        by_id.entry(record.id).or_insert_with(|| record.clone());
        if let Some(did) = record.indexing.as_ref().and_then(IndexOutcome::did) {
            of_dids.entry(did).or_default().push(record.clone());
        }
        match record.indexing {
            Some(IndexOutcome::Storage { did, operation_hash }) => {
                owners.entry(operation_hash).or_insert(StorageOwner {
                    operation_hash,
                    position,
                    did,
                });
            }
            Some(IndexOutcome::Did {
                did, lists_did: true, ..
            }) => {
                listed.entry(did).or_insert(ListedDid { did, position });
            }
            _ => {}
        }
    }
    let last = operations.last().map(|record| record.operation.position);
    Observation {
        cursor: Some(cursor),
        bound: LedgerBound {
            cursor: Some(cursor),
            last,
            operations: u64::try_from(operations.len()).expect("fewer than 2^64 operations"),
        },
        state: IndexerState {
            watermark: entries.iter().map(|entry| entry.position).max(),
            last_stored: last,
            last_indexed_block: last_indexed_block(&headers, &operations),
        },
        published: operations.iter().cloned().map(Into::into).collect(),
        blocks: headers,
        transactions: transactions(&operations),
        by_id: in_order(by_id.into_values(), |record| record.operation.position),
        of_dids: of_dids.into_iter().collect(),
        storage_owners: in_order(owners.into_values(), |owner| owner.position),
        listed_dids: in_order(listed.values().copied(), |listed| listed.position),
        found_dids: in_order(listed.into_values(), |listed| listed.position),
        operations,
    }
}

/// The records of all operations of these blocks, by position.
pub(crate) fn records(blocks: &[PublishedBlock], entries: &[IndexEntry]) -> Vec<OperationRecord> {
    let outcomes: BTreeMap<OperationPosition, &IndexOutcome> =
        entries.iter().map(|entry| (entry.position, &entry.outcome)).collect();
    let mut records = Vec::new();
    for block in blocks {
        for transaction in &block.transactions {
            for operation in &transaction.operations {
                let position = OperationPosition {
                    block: block.number,
                    absn: transaction.absn,
                    osn: operation.osn,
                };
                records.push(OperationRecord {
                    operation: LedgerOperation {
                        position,
                        block_time: block.time,
                        bytes: operation.bytes.clone(),
                    },
                    id: OperationId::of(operation.bytes.as_slice()),
                    slot: block.slot,
                    block_hash: block.hash,
                    transaction_id: transaction.id,
                    indexing: outcomes.get(&position).map(|outcome| (*outcome).clone()),
                });
            }
        }
    }
    in_order(records.into_iter(), |record| record.operation.position)
}

/// What indexing makes of all operations of these blocks: the rules of the contract, in a few lines over memory.
pub(crate) fn index_entries(blocks: &[PublishedBlock]) -> Vec<IndexEntry> {
    let mut owners: BTreeMap<OperationHash, DidSuffix> = BTreeMap::new();
    let mut entries = Vec::new();
    for record in records(blocks, &[]) {
        let outcome = match route(record.operation.bytes.as_slice()) {
            Err(reason) => IndexOutcome::Undecodable {
                reason: Reason::new(reason),
            },
            Ok(Route::Ignored(reason)) => IndexOutcome::Ignored {
                reason: Reason::new(reason),
            },
            Ok(Route::Did {
                did,
                operation_hash,
                lists_did,
            }) => IndexOutcome::Did {
                did,
                operation_hash,
                lists_did,
            },
            Ok(Route::StorageCreate { did, operation_hash }) => IndexOutcome::Storage { did, operation_hash },
            Ok(Route::StorageChange {
                predecessor,
                operation_hash,
            }) => match owners.get(&predecessor) {
                Some(did) => IndexOutcome::Storage {
                    did: *did,
                    operation_hash,
                },
                None => IndexOutcome::Ignored {
                    reason: Reason::new("the storage operation it follows is unknown"),
                },
            },
        };
        if let IndexOutcome::Storage { did, operation_hash } = outcome {
            owners.entry(operation_hash).or_insert(did);
        }
        entries.push(IndexEntry {
            position: record.operation.position,
            outcome,
        });
    }
    entries
}

fn has_operations(block: &PublishedBlock) -> bool {
    block
        .transactions
        .iter()
        .any(|transaction| !transaction.operations.is_empty())
}

fn last_indexed_block(headers: &[BlockHeader], operations: &[OperationRecord]) -> Option<BlockHeader> {
    let next = operations.iter().find(|record| record.indexing.is_none());
    let mut complete = headers
        .iter()
        .filter(|header| next.is_none_or(|next| header.number < next.operation.position.block));
    complete.next_back().copied()
}

fn transactions(operations: &[OperationRecord]) -> Vec<TransactionRecord> {
    operations
        .chunk_by(|one, other| one.transaction_id == other.transaction_id)
        .filter_map(|chunk| transaction_of(chunk.to_vec()))
        .collect()
}

/// The transaction that all of these operations, by position, stand in, with all of them; `None` without operations.
pub(crate) fn transaction_of(operations: Vec<OperationRecord>) -> Option<TransactionRecord> {
    let first = operations.first()?;
    Some(TransactionRecord {
        id: first.transaction_id,
        block: BlockHeader {
            number: first.operation.position.block,
            slot: first.slot,
            hash: first.block_hash,
            time: first.operation.block_time,
        },
        absn: first.operation.position.absn,
        operation_count: u64::try_from(operations.len()).unwrap_or(u64::MAX),
        operations,
    })
}

fn in_order<T>(items: impl Iterator<Item = T>, position: impl Fn(&T) -> OperationPosition) -> Vec<T> {
    let mut items: Vec<T> = items.collect();
    items.sort_by_key(position);
    items
}
