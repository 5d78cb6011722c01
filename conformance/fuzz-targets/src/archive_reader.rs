//! Archives.

use node_storage_archive::{ArchiveError, ArchiveWriter, Compression, Entry, Summary, entries, verify};

use crate::{Seed, assert_tells};

const SIGNATURE: &[u8; 12] = b"\x89PRISMAR\r\n\x1a\n";

/// Reading answers with an error, or with content that, written again in either form, has the same root.
pub fn archive_reader(data: &[u8]) {
    read(data);
    // Once more with checks that agree, so that what lies behind them is reached.
    read(&with_checks(data));
}

fn read(bytes: &[u8]) {
    let (all, summary) = match content(bytes) {
        Ok(read) => read,
        Err(error) => {
            assert_tells(&error);
            let again = verify("the input", bytes).expect_err("an error stays one");
            assert_eq!(again.to_string(), error.to_string());
            return;
        }
    };
    assert_eq!(summary.operations, u64::try_from(all.len()).expect("a length"));
    assert_eq!(summary.file_bytes, u64::try_from(bytes.len()).expect("a length"));
    for compression in [Compression::None, Compression::Zstd] {
        let mut writer = ArchiveWriter::new(Vec::new(), summary.header.clone(), compression).expect("a Vec takes all");
        for entry in &all {
            writer.push(entry).expect("what was read in order is written in order");
        }
        let (written, file) = writer.finish(summary.content.cursor).expect("the cursor was right");
        assert_eq!(written.root, summary.root);
        assert_eq!(written.chunks, summary.chunks);
        let (entries, again) = content(&file).expect("what was written is read");
        assert_eq!(entries, all);
        assert_eq!(again, written);
    }
}

fn content(bytes: &[u8]) -> Result<(Vec<Entry>, Summary), ArchiveError> {
    let mut all = Vec::new();
    let summary = entries("the input", bytes, |entry| {
        all.push(entry);
        Ok::<_, ArchiveError>(())
    })?;
    Ok((all, summary))
}

/// The same records, as far as they can be told apart, each with the check that belongs there.
fn with_checks(data: &[u8]) -> Vec<u8> {
    let mut file = SIGNATURE.to_vec();
    let mut covered = crc32fast::Hasher::new();
    covered.update(&file);
    let mut rest = data.get(SIGNATURE.len()..).unwrap_or_default();
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let [kind, length @ ..] = *head;
        let length = usize::try_from(u64::from_be_bytes(length)).unwrap_or(usize::MAX);
        let (payload, behind) = behind.split_at(length.min(behind.len()));
        let mut record = vec![kind];
        record.extend_from_slice(&u64::try_from(payload.len()).expect("a length").to_be_bytes());
        record.extend_from_slice(payload);
        covered.update(&record);
        file.extend_from_slice(&record);
        file.extend_from_slice(&covered.clone().finalize().to_be_bytes());
        rest = behind.get(4..).unwrap_or_default();
    }
    file
}

pub(crate) fn seeds() -> Vec<Seed> {
    use did_prism::ledger::OperationPosition;
    use node_storage::contract::{Cursor, Network};
    use node_storage_archive::Header;
    use prism_fixtures::{LedgerShape, ledger};

    let shape = LedgerShape {
        blocks: 2,
        transactions_per_block: 2,
        operations_per_transaction: 2,
        ..LedgerShape::small(5)
    };
    let mut all = Vec::new();
    for block in ledger(&shape) {
        for transaction in &block.transactions {
            all.extend(transaction.operations.iter().map(|operation| Entry {
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
            }));
        }
    }
    let write = |base, entries: &[Entry], compression| {
        let header = Header {
            network: Network::Preprod,
            base,
        };
        let mut writer = ArchiveWriter::new(Vec::new(), header, compression).expect("a Vec takes all");
        for entry in entries {
            writer.push(entry).expect("entries in order");
        }
        let cursor = entries.last().map(|entry| Cursor {
            slot: entry.slot,
            block: entry.position.block,
            hash: entry.block_hash,
        });
        writer.finish(cursor).expect("the cursor of the last entry")
    };
    let (first, rest) = all.split_at(4);
    let (base, full) = write(None, first, Compression::None);
    vec![
        Seed::new("empty", write(None, &[], Compression::None).1),
        Seed::new("full", full),
        Seed::new("increment", write(Some(base.as_base()), rest, Compression::None).1),
        Seed::new("zstd", write(None, &all, Compression::Zstd).1),
    ]
}
