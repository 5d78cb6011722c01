//! Whatever happens to an archive, reading it ends with an error, never with other content.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

mod common;

use common::{archive, boundaries, cursor_of, entries, forged, read, records, small, write};
use node_storage_archive::{ArchiveError, CHUNK_BYTES, Compression, Entry, Summary};
use node_storage_contract::OperationBytes;
use prism_fixtures::LedgerShape;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// A full archive, a compressed one, and an increment.
fn archives() -> [Vec<u8>; 3] {
    let all = entries(&small());
    let (first, rest) = all.split_at(8);
    let (base, _) = write(None, first, cursor_of(first), Compression::None);
    let (_, increment) = write(Some(base.as_base()), rest, cursor_of(rest), Compression::None);
    [
        archive(&all, Compression::None),
        archive(&all, Compression::Zstd),
        increment,
    ]
}

fn is_damage(result: &Result<Summary, ArchiveError>) -> bool {
    matches!(
        result,
        Err(ArchiveError::Damaged { .. } | ArchiveError::Truncated { .. })
    )
}

#[test]
fn untouched_archives_are_read() {
    for bytes in archives() {
        let summary = read(&bytes).unwrap();
        assert_eq!(summary.content.operations, 12);
        assert_eq!(summary.file_bytes, u64::try_from(bytes.len()).unwrap());
    }
}

#[test]
fn every_changed_byte_is_found() {
    for bytes in archives() {
        for index in 0..bytes.len() {
            for mask in [0x01, 0x80, 0xff] {
                let mut changed = bytes.clone();
                changed[index] ^= mask;
                let result = read(&changed);
                assert!(is_damage(&result), "byte {index} of {}: {result:?}", bytes.len());
            }
        }
    }
}

#[test]
fn every_truncation_is_found() {
    for bytes in archives() {
        for length in 0..bytes.len() {
            let result = read(&bytes[..length]);
            assert!(
                matches!(result, Err(ArchiveError::Truncated { .. })),
                "{length}: {result:?}"
            );
        }
    }
}

/// 120 long operations: three chunks.
fn large() -> Vec<u8> {
    let shape = LedgerShape {
        blocks: 12,
        ..LedgerShape::small(9)
    };
    let blocks: Vec<_> = prism_fixtures::ledger(&shape).collect();
    let mut all = entries(&blocks);
    for entry in &mut all {
        let mut bytes = entry.bytes.as_slice().to_vec();
        bytes.resize(20_000, 0);
        entry.bytes = OperationBytes::try_from(bytes).unwrap();
    }
    archive(&all, Compression::None)
}

#[test]
fn truncation_at_record_boundaries_and_at_a_thousand_other_bytes_is_found() {
    let bytes = large();
    assert!(records(&bytes).len() > 5, "several chunks");
    let mut random = ChaCha8Rng::seed_from_u64(1);
    let mut lengths = boundaries(&bytes);
    lengths.pop();
    lengths.extend((0..1_000).map(|_| random.random_range(12..u32::try_from(bytes.len()).unwrap()) as usize));
    for length in lengths {
        let result = read(&bytes[..length]);
        assert!(
            matches!(result, Err(ArchiveError::Truncated { .. })),
            "{length}: {result:?}"
        );
    }
}

#[test]
fn missing_repeated_and_exchanged_records_are_found() {
    let bytes = large();
    let boundaries = boundaries(&bytes);
    let pieces: Vec<&[u8]> = boundaries.windows(2).map(|pair| &bytes[pair[0]..pair[1]]).collect();
    for index in 0..pieces.len() {
        for other in 0..=pieces.len() {
            let mut changed = pieces.clone();
            if other == pieces.len() {
                changed.remove(index);
            } else if other == index {
                changed.insert(index, pieces[index]);
            } else {
                changed.swap(index, other);
            }
            let file = [&bytes[..12], &changed.concat()].concat();
            assert!(is_damage(&read(&file)), "record {index} and {other}");
        }
    }
}

#[test]
fn bytes_behind_the_trailer_are_found() {
    for bytes in archives() {
        for more in [&[0_u8][..], &bytes] {
            assert!(is_damage(&read(&[&bytes, more].concat())));
        }
    }
}

#[test]
fn records_exchanged_by_somebody_who_means_it_are_found() {
    let bytes = large();
    let records = records(&bytes);
    let chunks = 2..records.len() - 1;
    for index in chunks {
        let mut missing = records.clone();
        missing.remove(index);
        let mut twice = records.clone();
        twice.insert(index, records[index].clone());
        let mut exchanged = records.clone();
        exchanged.swap(index, if index == 2 { 3 } else { 2 });
        for forgery in [missing, twice, exchanged] {
            assert!(is_damage(&read(&forged(&forgery))), "record {index}");
        }
    }
}

#[test]
fn chunks_that_are_cut_elsewhere_are_found() {
    let all = entries(&small());
    let mut records = records(&archive(&all, Compression::None));
    // The length of the first operation, from the second archive, which holds it alone.
    let first = common::records(&archive(&all[..1], Compression::None))[2].1.len();
    let (front, back) = records[2].1.split_at(first);
    let (front, back) = ((3, front.to_vec()), (3, back.to_vec()));
    records.splice(2..3, [front, back]);
    assert!(is_damage(&read(&forged(&records))));
    records.splice(2..4, [(3, Vec::new())]);
    assert!(is_damage(&read(&forged(&records))), "an empty chunk");
}

#[test]
fn huge_lengths_are_refused_without_making_room_for_them() {
    let bytes = archive(&entries(&small()), Compression::None);
    for start in boundaries(&bytes).into_iter().rev().skip(1) {
        for length in [u64::MAX, 1 << 63, (1 << 63) - 1, 1 << 40, 1 << 21] {
            let mut changed = bytes.clone();
            changed[start + 1..start + 9].copy_from_slice(&length.to_be_bytes());
            assert!(is_damage(&read(&changed)), "{length} at {start}");
            // A record that may be passed over ends where the file does.
            changed[start] = 0xfe;
            assert!(matches!(read(&changed), Err(ArchiveError::Truncated { .. })));
        }
    }
}

/// A compressed chunk of these bytes, said to be `length` long.
fn zstd_chunk(length: u64, frame: &[u8]) -> (u8, Vec<u8>) {
    let mut payload = Vec::new();
    let mut encoder = minicbor::Encoder::new(&mut payload);
    encoder.array(2).unwrap().u64(length).unwrap().bytes(frame).unwrap();
    (4, payload)
}

#[test]
fn frames_that_hold_something_else_than_they_say_are_refused() {
    let records = records(&archive(&entries(&small()), Compression::None));
    let content = &records[2].1;
    let length = u64::try_from(content.len()).unwrap();
    let frame = zstd::bulk::compress(content, 3).unwrap();
    let with = |chunk| {
        let mut records = records.clone();
        records[2] = chunk;
        read(&forged(&records))
    };
    with(zstd_chunk(length, &frame)).unwrap();
    let bomb = zstd::bulk::compress(&vec![0; 1 << 28], 1).unwrap();
    assert!(bomb.len() < CHUNK_BYTES);
    // Of unknown length, as streams make them.
    let stream = zstd::stream::encode_all(&vec![0; 1 << 26][..], 1).unwrap();
    let empty = zstd::bulk::compress(&[], 3).unwrap();
    let skippable = [&[0x50, 0x2a, 0x4d, 0x18, 4, 0, 0, 0][..], &[0; 4]].concat();
    let most = u64::try_from(CHUNK_BYTES).unwrap();
    for (length, frame) in [
        (1 << 28, bomb.clone()),
        (most, bomb.clone()),
        (most, stream),
        (length, [frame.clone(), empty.clone()].concat()),
        (length, [empty, frame.clone()].concat()),
        (length, [skippable.clone(), frame.clone()].concat()),
        (length, skippable),
        (length - 1, frame.clone()),
        (length + 1, frame.clone()),
        (length, frame[..frame.len() - 1].to_vec()),
        (u64::MAX, frame),
        (length, Vec::new()),
        (length, content.clone()),
    ] {
        let result = with(zstd_chunk(length, &frame));
        assert!(is_damage(&result), "{length} in {}: {result:?}", frame.len());
    }
}

#[test]
fn unknown_record_is_passed_over_or_not_as_its_type_says() {
    let plain = archive(&entries(&small()), Compression::None);
    let root = read(&plain).unwrap().root;
    let known = records(&plain);
    for place in 1..known.len() {
        let mut with = known.clone();
        with.insert(place, (0x80, vec![7; 100_000]));
        let file = forged(&with);
        assert_eq!(read(&file).unwrap().root, root);
        // It is covered by the checks, too.
        let mut changed = file.clone();
        let index = boundaries(&file)[place] + 500;
        changed[index] ^= 1;
        assert!(is_damage(&read(&changed)));
        with[place] = (0x7f, Vec::new());
        assert!(matches!(
            read(&forged(&with)),
            Err(ArchiveError::UnknownRecord { kind: 0x7f, .. })
        ));
    }
    for place in [0, known.len()] {
        let mut with = known.clone();
        with.insert(place, (0x80, Vec::new()));
        assert!(is_damage(&read(&forged(&with))), "beside version and trailer");
    }
}

#[test]
fn future_version_is_refused_by_its_number() {
    let mut records = records(&archive(&entries(&small()), Compression::None));
    records[0].1 = vec![2];
    assert!(matches!(
        read(&forged(&records)),
        Err(ArchiveError::UnknownVersion { version: 2, .. })
    ));
    records[0].1 = vec![0x18, 1];
    assert!(is_damage(&read(&forged(&records))), "1 in a longer encoding");
}

#[test]
fn something_else_is_not_an_archive() {
    for bytes in [&b"SQLite format 3\0"[..], b"PGDMP", b"{}", b"\x89PNG\r\n\x1a\n"] {
        assert!(matches!(read(bytes), Err(ArchiveError::NotAnArchive { .. })));
    }
}

/// Each field of an operation, changed to another value that it could have.
fn changes(entry: &Entry) -> Vec<Entry> {
    let mut changes = vec![entry.clone(); 8];
    changes[0].position.block = (entry.position.block.get() + 1).try_into().unwrap();
    changes[1].position.absn = u64::from(entry.position.absn.get() + 1).try_into().unwrap();
    changes[2].position.osn = u64::from(entry.position.osn.get() + 1).try_into().unwrap();
    changes[3].slot = (entry.slot.get() + 1).try_into().unwrap();
    let flipped = |hash: &[u8; 32]| {
        let mut hash = *hash;
        hash[31] ^= 1;
        hash
    };
    changes[4].block_hash = flipped(entry.block_hash.as_bytes())[..].try_into().unwrap();
    changes[5].transaction_id = flipped(entry.transaction_id.as_bytes())[..].try_into().unwrap();
    changes[6].block_time =
        node_storage_contract::BlockTime::from_unix_micros(entry.block_time.unix_micros() + 1).unwrap();
    let longer = [entry.bytes.as_slice(), &[0]].concat();
    changes[7].bytes = OperationBytes::try_from(longer).unwrap();
    changes
}

#[test]
fn every_field_of_every_operation_changes_the_root() {
    // One operation a block, so that each field can change alone.
    let blocks: Vec<_> = (0..20)
        .map(|number| prism_fixtures::block(3, number * 2, number * 40, [[vec![u8::try_from(number).unwrap()]]]))
        .collect();
    let all = entries(&blocks);
    let end = prism_fixtures::block(3, 1000, 20_000, [[vec![]]]);
    let cursor = cursor_of(&entries(&[end]));
    let (original, _) = write(None, &all, cursor, Compression::None);
    let mut roots = std::collections::BTreeSet::from([original.root.to_string()]);
    let mut expected = 1;
    for index in 0..all.len() {
        for change in changes(&all[index]) {
            let mut changed = all.clone();
            changed[index] = change;
            let (summary, bytes) = write(None, &changed, cursor, Compression::None);
            assert_eq!(read(&bytes).unwrap().root, summary.root);
            roots.insert(summary.root.to_string());
            expected += 1;
        }
    }
    for cursor in [
        cursor_of(&all),
        None.or(cursor_of(&all)).map(|cursor| node_storage_contract::Cursor {
            slot: 19_999_u64.try_into().unwrap(),
            block: 999_u64.try_into().unwrap(),
            ..cursor
        }),
    ] {
        roots.insert(write(None, &all, cursor, Compression::None).0.root.to_string());
        expected += 1;
    }
    assert_eq!(roots.len(), expected);
    assert_ne!(
        original.content.root(node_storage_contract::Network::Preprod),
        original.content.root(node_storage_contract::Network::Mainnet)
    );
}

#[test]
fn changed_operation_is_found_although_the_checks_agree() {
    let records = records(&archive(&entries(&small()), Compression::None));
    for index in 0..records[2].1.len() {
        let mut forgery = records.clone();
        forgery[2].1[index] ^= 1;
        assert!(is_damage(&read(&forged(&forgery))), "byte {index}");
    }
    for record in [1, 3] {
        for index in 0..records[record].1.len() {
            let mut forgery = records.clone();
            forgery[record].1[index] ^= 1;
            assert!(is_damage(&read(&forged(&forgery))), "byte {index} of record {record}");
        }
    }
}

#[test]
fn random_bytes_never_make_an_archive() {
    let bytes = archive(&entries(&small()), Compression::Zstd);
    let mut random = ChaCha8Rng::seed_from_u64(2);
    for _ in 0..2_000 {
        let mut changed = bytes.clone();
        for _ in 0..random.random_range(1..20_u32) {
            let index = random.random_range(0..u32::try_from(bytes.len()).unwrap()) as usize;
            changed[index] = random.random_range(0..=255_u8);
        }
        if changed != bytes {
            assert!(read(&changed).is_err());
        }
    }
}
