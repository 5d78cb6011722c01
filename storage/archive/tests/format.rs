//! The bytes of an archive follow from the content alone, and increments continue what their base began.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use common::{archive, cursor_of, entries, read, records, small, write};
use node_storage_archive::{
    ArchiveError, ArchiveReader, ArchiveWriter, CHUNK_BYTES, Compression, Difference, Header, diff,
};
use node_storage_contract::{Network, OperationBytes};

#[test]
fn what_is_written_is_read() {
    let all = entries(&small());
    for compression in [Compression::None, Compression::Zstd] {
        let (written, bytes) = write(None, &all, cursor_of(&all), compression);
        let mut found = Vec::new();
        let summary = node_storage_archive::entries("archive", bytes.as_slice(), |entry| {
            found.push(entry);
            Ok::<_, ArchiveError>(())
        })
        .unwrap();
        assert_eq!(found, all);
        assert_eq!(summary, written);
        assert_eq!(summary.compression, compression);
    }
}

#[test]
fn archive_of_nothing_is_read() {
    for cursor in [None, cursor_of(&entries(&small()))] {
        let (written, bytes) = write(None, &[], cursor, Compression::Zstd);
        let summary = read(&bytes).unwrap();
        assert_eq!(summary, written);
        assert_eq!(summary.content.cursor, cursor);
    }
}

#[test]
fn compression_does_not_change_the_root() {
    let all = entries(&small());
    let [plain, compressed] = [Compression::None, Compression::Zstd].map(|compression| archive(&all, compression));
    assert_eq!(read(&plain).unwrap().root, read(&compressed).unwrap().root);
    assert!(compressed.len() < plain.len());
}

#[test]
fn chunk_is_filled_as_far_as_whole_operations_fit() {
    let mut all = entries(&small());
    for (index, entry) in all.iter_mut().enumerate() {
        // What cannot be compressed makes a plain chunk in a compressed archive.
        let mut state = u32::try_from(index).unwrap() + 1;
        let noise = (0..400_000).map(|_| {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state.to_be_bytes()[0]
        });
        entry.bytes = OperationBytes::try_from(noise.collect::<Vec<_>>()).unwrap();
    }
    let chunks: Vec<_> = records(&archive(&all, Compression::Zstd))
        .into_iter()
        .filter(|(kind, _)| [3, 4].contains(kind))
        .collect();
    assert_eq!(chunks.len(), 6, "two of twelve operations fit into each");
    assert!(
        chunks
            .iter()
            .all(|(kind, payload)| *kind == 3 && payload.len() <= CHUNK_BYTES)
    );
}

#[test]
fn longest_operation_fits_into_a_chunk() {
    let mut all = entries(&small());
    for entry in &mut all {
        entry.bytes = OperationBytes::try_from(vec![7; OperationBytes::MAX_LENGTH]).unwrap();
    }
    let summary = read(&archive(&all, Compression::None)).unwrap();
    assert_eq!(summary.chunks, 12);
}

#[test]
fn increments_continue_to_the_root_of_the_whole() {
    let all = entries(&small());
    let whole = read(&archive(&all, Compression::None)).unwrap();
    // Blocks of four operations.
    for (first, second) in [(0, 4), (4, 8), (4, 4), (8, 12), (12, 12)] {
        let (base, _) = write(None, &all[..first], cursor_of(&all[..first]), Compression::None);
        let next = &all[first..second];
        let (middle, bytes) = write(
            Some(base.as_base()),
            next,
            cursor_of(next).or(base.content.cursor),
            Compression::Zstd,
        );
        assert_eq!(read(&bytes).unwrap(), middle);
        let rest = &all[second..];
        let (end, _) = write(
            Some(middle.as_base()),
            rest,
            cursor_of(rest).or(middle.content.cursor),
            Compression::None,
        );
        assert_eq!(end.content, whole.content);
        assert_eq!(end.root, whole.root);
    }
}

#[test]
fn operation_that_does_not_ascend_is_not_written() {
    let all = entries(&small());
    let header = || Header {
        network: Network::Preprod,
        base: None,
    };
    for (first, second) in [(1, 0), (3, 3)] {
        let mut writer = ArchiveWriter::new(Vec::new(), header(), Compression::None).unwrap();
        writer.push(&all[first]).unwrap();
        assert!(writer.push(&all[second]).is_err());
    }
    let mut writer = ArchiveWriter::new(Vec::new(), header(), Compression::None).unwrap();
    writer.push(&all[11]).unwrap();
    assert!(writer.finish(cursor_of(&all[..4])).is_err(), "a cursor below");
}

fn differences(first: &[u8], second: &[u8]) -> Vec<Difference> {
    let mut differences = Vec::new();
    diff(
        ArchiveReader::open("first", first).unwrap(),
        ArchiveReader::open("second", second).unwrap(),
        |difference| {
            differences.push(difference);
            Ok::<_, ArchiveError>(())
        },
    )
    .unwrap();
    differences
}

#[test]
fn diff_names_what_either_has_alone_and_what_is_changed() {
    let all = entries(&small());
    let whole = archive(&all, Compression::None);
    assert_eq!(differences(&whole, &archive(&all, Compression::Zstd)), []);
    let mut other = all.clone();
    other[5].bytes = OperationBytes::try_from(vec![1]).unwrap();
    let removed = other.remove(3);
    other.pop();
    let found = differences(&whole, &archive(&other, Compression::None));
    assert_eq!(
        found,
        [
            Difference::OnlyInFirst(Box::new(removed)),
            Difference::Changed(Box::new(all[5].clone()), Box::new(other[4].clone())),
            Difference::OnlyInFirst(Box::new(all[11].clone())),
        ]
    );
    let found = differences(&archive(&all[..8], Compression::None), &whole);
    assert_eq!(found.len(), 5);
    assert_eq!(
        found.last(),
        Some(&Difference::Cursor(cursor_of(&all[..8]), cursor_of(&all)))
    );
}
