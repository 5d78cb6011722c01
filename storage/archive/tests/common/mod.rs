//! Archives without a database.
#![allow(dead_code, unreachable_pub, reason = "each test file uses its part")]
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use node_storage_archive::{ArchiveError, ArchiveWriter, Base, Compression, Entry, Header, Summary, verify};
use node_storage_contract::{Cursor, Network, OperationPosition, PublishedBlock};
use prism_fixtures::LedgerShape;

/// The operations of these blocks.
pub fn entries(blocks: &[PublishedBlock]) -> Vec<Entry> {
    let mut entries = Vec::new();
    for block in blocks {
        for transaction in &block.transactions {
            for operation in &transaction.operations {
                entries.push(Entry {
                    position: OperationPosition {
                        block: block.number,
                        absn: transaction.absn,
                        osn: operation.osn,
                    },
                    slot: block.slot,
                    block_hash: block.hash,
                    block_time: block.time,
                    transaction_id: transaction.id,
                    bytes: operation.bytes.clone(),
                });
            }
        }
    }
    entries
}

/// Three blocks of two transactions of two operations.
pub fn small() -> Vec<PublishedBlock> {
    let shape = LedgerShape {
        blocks: 3,
        operations_per_transaction: 2,
        ..LedgerShape::small(5)
    };
    prism_fixtures::ledger(&shape).collect()
}

pub fn cursor_of(entries: &[Entry]) -> Option<Cursor> {
    entries.last().map(|entry| Cursor {
        slot: entry.slot,
        block: entry.position.block,
        hash: entry.block_hash,
    })
}

/// An archive of these operations, with the cursor at the last of them.
pub fn archive(entries: &[Entry], compression: Compression) -> Vec<u8> {
    write(None, entries, cursor_of(entries), compression).1
}

/// An archive of these operations above a base.
pub fn write(
    base: Option<Base>,
    entries: &[Entry],
    cursor: Option<Cursor>,
    compression: Compression,
) -> (Summary, Vec<u8>) {
    let header = Header {
        network: Network::Preprod,
        base,
    };
    let mut writer = ArchiveWriter::new(Vec::new(), header, compression).unwrap();
    for entry in entries {
        writer.push(entry).unwrap();
    }
    writer.finish(cursor).unwrap()
}

/// Verifies an archive in memory.
pub fn read(bytes: &[u8]) -> Result<Summary, ArchiveError> {
    verify("the archive", bytes)
}

/// Where each record begins, and where the last one ends.
pub fn boundaries(bytes: &[u8]) -> Vec<usize> {
    let mut boundaries = vec![12];
    while *boundaries.last().unwrap() < bytes.len() {
        let start = *boundaries.last().unwrap();
        let length = u64::from_be_bytes(bytes[start + 1..start + 9].try_into().unwrap());
        boundaries.push(start + 9 + usize::try_from(length).unwrap() + 4);
    }
    assert_eq!(boundaries.last(), Some(&bytes.len()));
    boundaries
}

/// Type and payload of each record.
pub fn records(bytes: &[u8]) -> Vec<(u8, Vec<u8>)> {
    boundaries(bytes)
        .windows(2)
        .map(|pair| (bytes[pair[0]], bytes[pair[0] + 9..pair[1] - 4].to_vec()))
        .collect()
}

/// A file of these records, each with the check that belongs there: what only somebody who means it would make.
pub fn forged(records: &[(u8, Vec<u8>)]) -> Vec<u8> {
    let mut file = b"\x89PRISMAR\r\n\x1a\n".to_vec();
    let mut covered = file.clone();
    for (kind, payload) in records {
        let mut record = vec![*kind];
        record.extend_from_slice(&u64::try_from(payload.len()).unwrap().to_be_bytes());
        record.extend_from_slice(payload);
        covered.extend_from_slice(&record);
        file.extend_from_slice(&record);
        file.extend_from_slice(&crc32fast::hash(&covered).to_be_bytes());
    }
    file
}
