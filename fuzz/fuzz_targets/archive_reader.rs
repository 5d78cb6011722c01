//! The reader of archives takes any bytes: it answers with an error, or with content that, written again, has the same root.
#![no_main]

use libfuzzer_sys::fuzz_target;
use node_storage_archive::{ArchiveError, ArchiveWriter, Compression, entries};

const SIGNATURE_BYTES: usize = 12;

fuzz_target!(|data: &[u8]| {
    read(data);
    // Once more with checks that agree, so that what lies behind them is reached.
    read(&with_checks(data));
});

fn read(bytes: &[u8]) {
    let mut all = Vec::new();
    let read = entries("the input", bytes, |entry| {
        all.push(entry);
        Ok::<_, ArchiveError>(())
    });
    let Ok(summary) = read else { return };
    let mut writer = ArchiveWriter::new(Vec::new(), summary.header.clone(), Compression::None).expect("a Vec takes all");
    for entry in &all {
        writer.push(entry).expect("what was read in order is written in order");
    }
    let (written, _) = writer.finish(summary.content.cursor).expect("the cursor was right");
    assert_eq!(written.root, summary.root);
    assert_eq!(written.chunks, summary.chunks);
}

/// The same records, as far as they can be told apart, each with the check that belongs there.
fn with_checks(data: &[u8]) -> Vec<u8> {
    let mut file = b"\x89PRISMAR\r\n\x1a\n".to_vec();
    let mut covered = crc32fast::Hasher::new();
    covered.update(&file);
    let mut rest = data.get(SIGNATURE_BYTES..).unwrap_or_default();
    while let Some((head, behind)) = rest.split_first_chunk::<9>() {
        let length = u64::from_be_bytes(head[1..].try_into().expect("8 bytes"));
        let length = usize::try_from(length).unwrap_or(usize::MAX).min(behind.len());
        let (payload, behind) = behind.split_at(length);
        let mut record = vec![head[0]];
        record.extend_from_slice(&u64::try_from(length).expect("a length").to_be_bytes());
        record.extend_from_slice(payload);
        covered.update(&record);
        file.extend_from_slice(&record);
        file.extend_from_slice(&covered.clone().finalize().to_be_bytes());
        rest = behind.get(4..).unwrap_or_default();
    }
    file
}
