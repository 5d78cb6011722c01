//! What one store backs up any other restores, to the same content, the same root and the same bytes; and what can't be restored
//! changes nothing.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that can't go on has failed")]

use std::future::{Future, poll_fn};
use std::io::Cursor as Bytes;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use engine_tests::database::Database;
use node_service::index::index_all;
use node_storage::contract::{
    Access, Cursor, LedgerBound, ListedDid, Network, NodeStorage, OperationRecord, PageLimit, PublishedBlock,
    PublishedRecord,
};
use node_storage::{
    DbBackend, DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, NodeStorageBackend, RawOperationRepo,
};
use node_storage_archive::{
    ArchiveError, Archives, BackupOptions, BaseArchive, Compression, Input, Restored, Summary, backup, dry_run,
    entries, restore, root,
};
use node_storage_conformance::StoreFactory;
use node_storage_conformance::model::Model;
use node_storage_conformance::{deliver, move_cursor};
use prism_fixtures::LedgerShape;
use rstest::rstest;

const NETWORK: Network = Network::Custom;
const WRITE: Access = Access::Write { migrate: true };

/// What the store holds, as an archive.
async fn archive_of<S: NodeStorage>(store: &S, compression: Compression, base: Option<&[u8]>) -> (Summary, Vec<u8>) {
    try_archive_of(store, compression, base).await.unwrap()
}

async fn try_archive_of<S: NodeStorage>(
    store: &S,
    compression: Compression,
    base: Option<&[u8]>,
) -> Result<(Summary, Vec<u8>), ArchiveError> {
    let options = BackupOptions {
        network: NETWORK,
        compression,
        base: base.map(|base| BaseArchive::read("the base", base).unwrap()),
        progress: None,
    };
    backup(store, Vec::new(), options).await
}

async fn plain_archive_of<S: NodeStorage>(store: &S) -> Vec<u8> {
    archive_of(store, Compression::None, None).await.1
}

fn input(bytes: &[u8]) -> Input {
    Input {
        name: "the archive".to_owned(),
        bytes: Box::new(Bytes::new(bytes.to_vec())),
    }
}

async fn restore_into<S: NodeStorage>(store: &S, archives: &[&[u8]]) -> Result<Restored, ArchiveError> {
    let (first, increments) = archives.split_first().unwrap();
    let increments = increments.iter().map(|bytes| input(bytes)).collect();
    let archives = Archives::open(input(first), increments).await?;
    restore(archives, store, NETWORK, None).await
}

async fn dry_run_onto<S: NodeStorage>(store: Option<&S>, archives: &[&[u8]]) -> Result<Restored, ArchiveError> {
    let (first, increments) = archives.split_first().unwrap();
    let increments = increments.iter().map(|bytes| input(bytes)).collect();
    let archives = Archives::open(input(first), increments).await?;
    dry_run(archives, store, NETWORK, None).await
}

/// Everything that is listed, and the bound.
#[derive(Debug, PartialEq)]
struct Content {
    bound: LedgerBound,
    operations: Vec<OperationRecord>,
    listed: Vec<ListedDid>,
}

async fn content<S: NodeStorage>(store: &S) -> Content {
    let mut operations: Vec<OperationRecord> = Vec::new();
    loop {
        let after = operations.last().map(|record| record.operation.position);
        let page = store.operations_after(after, PageLimit::MAX).await.unwrap();
        if page.is_empty() {
            break;
        }
        operations.extend(page);
    }
    Content {
        bound: store.bound().await.unwrap(),
        operations,
        listed: store.listed_dids_after(None, PageLimit::MAX).await.unwrap(),
    }
}

/// Without what indexing made of it.
async fn published<S: NodeStorage>(store: &S) -> (LedgerBound, Vec<PublishedRecord>) {
    let Content { bound, operations, .. } = content(store).await;
    (bound, operations.into_iter().map(Into::into).collect())
}

/// The blocks of a ledger of this many blocks of ten operations.
fn blocks(count: u64) -> Vec<PublishedBlock> {
    let shape = LedgerShape {
        blocks: count,
        ..LedgerShape::small(11)
    };
    prism_fixtures::ledger(&shape).collect()
}

async fn append<S: NodeStorage>(store: &S, blocks: &[PublishedBlock]) {
    let cursor = Cursor::at(&blocks.last().unwrap().into());
    deliver(store, blocks, cursor).await.unwrap();
}

async fn model() -> node_storage_conformance::model::ModelStore {
    Model::default().open(NETWORK, WRITE).await.unwrap()
}

async fn open(database: &Database) -> NodeStorageBackend {
    database.open(NETWORK, WRITE).await.unwrap()
}

#[rstest]
#[case::sqlite_to_postgres(DbBackend::Sqlite, DbBackend::Postgres)]
#[case::postgres_to_sqlite(DbBackend::Postgres, DbBackend::Sqlite)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ledger_moves_from_one_engine_to_the_other_and_back(#[case] from: DbBackend, #[case] to: DbBackend) {
    let (Some(from), Some(to)) = (Database::migrated(from).await, Database::migrated(to).await) else {
        return;
    };
    let original = from.filled().await;
    let (summary, archive) = archive_of(&original, Compression::None, None).await;
    assert_eq!(summary.content.operations, 100);
    let store = open(&to).await;
    let restored = restore_into(&store, &[&archive]).await.unwrap();
    assert_eq!(restored.root, summary.root);
    index_all(&store).await.unwrap();
    assert_eq!(content(&store).await, content(&original).await);
    assert!(plain_archive_of(&store).await == archive);
    let back = Database::migrated(from.backend()).await.unwrap();
    let back = open(&back).await;
    restore_into(&back, &[&plain_archive_of(&store).await]).await.unwrap();
    assert!(plain_archive_of(&back).await == archive);
    // What is delivered next continues there.
    append(&back, &blocks(11)[10..]).await;
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn bytes_do_not_depend_on_how_content_was_delivered(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let all = blocks(120);
    let mut archives = Vec::new();
    for size in [1, 7, 120] {
        let Some(database) = Database::migrated(backend).await else {
            return;
        };
        let store = open(&database).await;
        for batch in all.chunks(size) {
            append(&store, batch).await;
        }
        archives.push(plain_archive_of(&store).await);
    }
    let model = model().await;
    append(&model, &all).await;
    archives.push(plain_archive_of(&model).await);
    assert!(archives.windows(2).all(|pair| pair[0] == pair[1]));
}

/// The recipe of the book: a full archive, restored while the node goes on, one increment, and the other engine goes on.
#[rstest]
#[case::sqlite_to_postgres(DbBackend::Sqlite, DbBackend::Postgres)]
#[case::postgres_to_sqlite(DbBackend::Postgres, DbBackend::Sqlite)]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn live_node_moves_with_a_full_archive_and_an_increment(#[case] from: DbBackend, #[case] to: DbBackend) {
    let (Some(from), Some(to)) = (Database::migrated(from).await, Database::migrated(to).await) else {
        return;
    };
    let all = blocks(30);
    let node = open(&from).await;
    append(&node, &all[..20]).await;
    index_all(&node).await.unwrap();
    let (full, full_bytes) = archive_of(&node, Compression::Zstd, None).await;

    append(&node, &all[20..25]).await;
    let moved = open(&to).await;
    restore_into(&moved, &[&full_bytes]).await.unwrap();
    index_all(&moved).await.unwrap();

    let (increment, bytes) = archive_of(&node, Compression::Zstd, Some(&full_bytes)).await;
    assert_eq!(increment.operations, 50);
    assert_eq!(increment.header.base, Some(full.as_base()));
    let restored = restore_into(&moved, &[&bytes]).await.unwrap();
    assert_eq!(restored.added.operations, 50);
    assert_eq!(restored.root, root(&node, None).await.unwrap().root(NETWORK));
    index_all(&moved).await.unwrap();
    index_all(&node).await.unwrap();
    assert_eq!(content(&moved).await, content(&node).await);

    append(&moved, &all[25..]).await;
    index_all(&moved).await.unwrap();
    append(&node, &all[25..]).await;
    index_all(&node).await.unwrap();
    assert_eq!(content(&moved).await, content(&node).await);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn chain_of_archives_is_restored_as_a_whole_or_not_at_all(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let (Some(from), Some(to)) = (Database::migrated(backend).await, Database::migrated(backend).await) else {
        return;
    };
    let all = blocks(12);
    let node = open(&from).await;
    let mut chain = Vec::new();
    for part in all.chunks(4) {
        append(&node, part).await;
        let base = chain.last().map(Vec::as_slice);
        let (_, bytes) = archive_of(&node, Compression::None, base).await;
        chain.push(bytes);
    }
    // One more, in which nothing has happened.
    let (empty, bytes) = archive_of(&node, Compression::None, chain.last().map(Vec::as_slice)).await;
    assert_eq!(empty.operations, 0);
    chain.push(bytes);
    let chain: Vec<&[u8]> = chain.iter().map(Vec::as_slice).collect();
    let target = open(&to).await;
    let nothing = LedgerBound::default();

    for (wrong, is_expected) in [
        (
            vec![chain[0], chain[2]],
            (|error| matches!(error, ArchiveError::OtherBase { .. })) as fn(&_) -> bool,
        ),
        (vec![chain[0], chain[1], chain[1]], |error| {
            matches!(error, ArchiveError::OtherBase { .. })
        }),
        (vec![chain[1], chain[2]], |error| {
            matches!(error, ArchiveError::OtherBase { .. })
        }),
        (vec![chain[0], chain[0]], |error| {
            matches!(error, ArchiveError::NotAnIncrement { .. })
        }),
        (vec![chain[0], &chain[1][..chain[1].len() - 1]], |error| {
            matches!(error, ArchiveError::Truncated { .. })
        }),
    ] {
        let error = dry_run_onto(Some(&target), &wrong).await.unwrap_err();
        assert!(is_expected(&error), "{error}");
        let error = restore_into(&target, &wrong).await.unwrap_err();
        assert!(is_expected(&error), "{error}");
        assert_eq!(target.bound().await.unwrap(), nothing);
    }

    let expected = dry_run_onto(None::<&NodeStorageBackend>, &chain).await.unwrap();
    assert_eq!(dry_run_onto(Some(&target), &chain).await.unwrap(), expected);
    assert_eq!(target.bound().await.unwrap(), nothing);
    assert_eq!(restore_into(&target, &chain).await.unwrap(), expected);
    assert_eq!(content(&target).await, content(&node).await);
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn archive_is_put_onto_nothing_but_what_it_was_made_for(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let all = blocks(8);
    let store = open(&database).await;
    append(&store, &all[..4]).await;
    let (_, full) = archive_of(&store, Compression::None, None).await;
    append(&store, &all[4..6]).await;
    let (_, increment) = archive_of(&store, Compression::None, Some(&full)).await;
    let before = content(&store).await;

    // Not empty; further than the base.
    let error = restore_into(&store, &[&full]).await.unwrap_err();
    assert!(matches!(error, ArchiveError::TargetNotEmpty { .. }), "{error}");
    let error = restore_into(&store, &[&increment]).await.unwrap_err();
    assert!(matches!(error, ArchiveError::OtherBase { .. }), "{error}");
    assert_eq!(content(&store).await, before);

    // The same number of operations and the same cursor, and other bytes.
    let mut other = all[..4].to_vec();
    let operation = &mut other[1].transactions[0].operations[0];
    operation.bytes = b"other".to_vec().try_into().unwrap();
    let database = Database::migrated(backend).await.unwrap();
    let forked = open(&database).await;
    append(&forked, &other).await;
    let before = content(&forked).await;
    let error = restore_into(&forked, &[&increment]).await.unwrap_err();
    assert!(matches!(error, ArchiveError::OtherBase { .. }), "{error}");
    assert_eq!(content(&forked).await, before);
    // And no increment can be made from one to the other.
    let error = try_archive_of(&forked, Compression::None, Some(&full))
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::NotAPrefix { .. }), "{error}");

    // A cursor alone is content.
    let database = Database::migrated(backend).await.unwrap();
    let moved = open(&database).await;
    move_cursor(&moved, Cursor::at(&(&all[0]).into())).await.unwrap();
    let error = restore_into(&moved, &[&full]).await.unwrap_err();
    assert!(matches!(error, ArchiveError::TargetNotEmpty { .. }), "{error}");

    // Another network.
    let database = Database::migrated(backend).await.unwrap();
    let preview = database.open(Network::Preview, WRITE).await.unwrap();
    let archives = Archives::open(input(&full), Vec::new()).await.unwrap();
    let error = restore(archives, &preview, Network::Preview, None).await.unwrap_err();
    assert!(matches!(error, ArchiveError::WrongNetwork { .. }), "{error}");
    assert_eq!(preview.bound().await.unwrap(), LedgerBound::default());
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn base_that_is_further_or_elsewhere_is_no_base(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let (Some(one), Some(other)) = (Database::migrated(backend).await, Database::migrated(backend).await) else {
        return;
    };
    let all = blocks(8);
    let (ahead, behind) = (open(&one).await, open(&other).await);
    append(&ahead, &all).await;
    append(&behind, &all[..5]).await;
    let (_, base) = archive_of(&ahead, Compression::None, None).await;
    let error = try_archive_of(&behind, Compression::None, Some(&base))
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::NotAPrefix { .. }), "{error}");
    // The cursor of the base has passed a block in which the database has operations.
    let passed = model().await;
    append(&passed, &all[..5]).await;
    move_cursor(&passed, Cursor::at(&(&all[6]).into())).await.unwrap();
    let (_, base) = archive_of(&passed, Compression::None, None).await;
    let error = try_archive_of(&ahead, Compression::None, Some(&base))
        .await
        .unwrap_err();
    assert!(matches!(error, ArchiveError::NotAPrefix { .. }), "{error}");
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn damaged_archive_restores_nothing(#[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let original = model().await;
    append(&original, &blocks(10)).await;
    let store = open(&database).await;
    let archive = plain_archive_of(&original).await;
    for index in (0..archive.len()).step_by(997) {
        let mut damaged = archive.clone();
        damaged[index] ^= 4;
        restore_into(&store, &[&damaged]).await.unwrap_err();
        restore_into(&store, &[&archive[..index]]).await.unwrap_err();
        assert_eq!(store.bound().await.unwrap(), LedgerBound::default());
    }
    restore_into(&store, &[&archive]).await.unwrap();
}

/// The one contradiction that only a database sees.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn transaction_id_at_two_positions_is_not_restored(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let original = model().await;
    append(&original, &blocks(10)).await;
    let archive = plain_archive_of(&original).await;
    let mut all = Vec::new();
    let summary = entries("the archive", archive.as_slice(), |entry| {
        all.push(entry);
        Ok::<_, ArchiveError>(())
    })
    .unwrap();
    let repeated = all[0].transaction_id;
    let last = all.last().unwrap().position;
    for entry in all
        .iter_mut()
        .filter(|entry| (entry.position.block, entry.position.absn) == (last.block, last.absn))
    {
        entry.transaction_id = repeated;
    }
    let mut writer = node_storage_archive::ArchiveWriter::new(Vec::new(), summary.header, Compression::None).unwrap();
    for entry in &all {
        writer.push(entry).unwrap();
    }
    let (_, forged) = writer.finish(summary.content.cursor).unwrap();
    let store = open(&database).await;
    let error = restore_into(&store, &[&forged]).await.unwrap_err();
    assert!(matches!(error, ArchiveError::Contradiction { .. }), "{error}");
    assert_eq!(store.bound().await.unwrap(), LedgerBound::default());
}

/// Polls a future at most `steps` times, then drops it.
async fn interrupted_after<F: Future>(steps: usize, future: F) -> Option<F::Output> {
    let mut future = pin!(future);
    let mut polled = 0;
    poll_fn(move |context| {
        polled += 1;
        match future.as_mut().poll(context) {
            Poll::Ready(output) => Poll::Ready(Some(output)),
            Poll::Pending if polled >= steps => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn restore_that_is_dropped_anywhere_restores_everything_or_nothing(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let original = model().await;
    append(&original, &blocks(40)).await;
    let archive = plain_archive_of(&original).await;
    let complete = original.bound().await.unwrap();
    let store = open(&database).await;
    for steps in 1..10_000 {
        let archives = Archives::open(input(&archive), Vec::new()).await.unwrap();
        let ended = interrupted_after(steps, restore(archives, &store, NETWORK, None)).await;
        // Another write of blocks waits for what may still be ending.
        restore_into(&store, &[&archive[..archive.len() - 1]])
            .await
            .unwrap_err();
        let cursor = store.cursor().await.unwrap();
        let bound = store.bound().await.unwrap();
        assert!(
            bound == LedgerBound::default() || bound == complete,
            "{bound:?} after {steps} steps"
        );
        assert_eq!(bound.cursor, cursor);
        if let Some(result) = ended {
            result.unwrap();
            break;
        }
        if bound == complete {
            break;
        }
    }
    assert_eq!(store.bound().await.unwrap(), complete);
    assert!(plain_archive_of(&store).await == archive);
}

/// Whatever is read while four writers deliver overlapping batches and an index worker runs is a state that existed.
#[rstest]
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn backup_of_a_busy_node_is_a_state_that_existed(
    #[values(DbBackend::Sqlite, DbBackend::Postgres)] backend: DbBackend,
) {
    let Some(database) = Database::migrated(backend).await else {
        return;
    };
    let all = Arc::new(blocks(150));
    let known = model().await;
    append(&known, &all).await;
    let (_, whole) = published(&known).await;
    let store = open(&database).await;
    let ended = Arc::new(AtomicBool::new(false));
    let mut writers = tokio::task::JoinSet::new();
    for writer in 0..4 {
        let (store, all) = (store.clone(), Arc::clone(&all));
        writers.spawn(async move {
            let size = 3 + 2 * writer;
            for start in (0..all.len()).step_by(size) {
                let from = start.saturating_sub(writer);
                append(&store, &all[from..(start + size).min(all.len())]).await;
            }
        });
    }
    let indexing = {
        let (store, ended) = (store.clone(), Arc::clone(&ended));
        tokio::spawn(async move {
            while !ended.load(Ordering::SeqCst) {
                // A hand-written loop, since its future need not be Send everywhere.
                tokio::task::yield_now().await;
                let page = store.indexer_state().await.unwrap();
                let next = store
                    .operations_after(page.watermark, PageLimit::try_from(50).unwrap())
                    .await
                    .unwrap();
                let batch: Vec<_> = next
                    .iter()
                    .map(|record| node_storage::contract::IndexEntry {
                        position: record.operation.position,
                        outcome: node_storage::contract::IndexOutcome::Ignored {
                            reason: node_storage::contract::Reason::new("test"),
                        },
                    })
                    .collect();
                store.index(&batch).await.unwrap();
            }
        })
    };
    let mut seen = std::collections::BTreeSet::new();
    let mut last: Option<Vec<u8>> = None;
    loop {
        let is_over = writers.is_empty();
        let (summary, bytes) = archive_of(&store, Compression::None, last.as_deref()).await;
        let mut found = Vec::new();
        entries("the archive", bytes.as_slice(), |entry| {
            found.push(entry);
            Ok::<_, ArchiveError>(())
        })
        .unwrap();
        // Whole blocks from the first on, and the cursor at the last of them.
        let count = usize::try_from(summary.content.operations).unwrap();
        assert_eq!(count % 10, 0);
        let expected = whole[count - found.len()..count]
            .iter()
            .cloned()
            .map(node_storage_archive::Entry::from);
        assert!(expected.eq(found));
        if count > 0 {
            let cursor = summary.content.cursor.unwrap();
            assert_eq!(cursor.block, whole[count - 1].operation.position.block);
        }
        seen.insert(count);
        last = Some(bytes);
        if is_over {
            break;
        }
        while let Some(result) = writers.try_join_next() {
            result.unwrap();
        }
    }
    ended.store(true, Ordering::SeqCst);
    indexing.await.unwrap();
    assert_eq!(seen.last(), Some(&whole.len()), "{seen:?}");
    assert_eq!(published(&store).await, published(&known).await);
}

#[tokio::test]
async fn golden_archives_are_read_by_every_version() {
    let directory = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fixtures/archives");
    let read = |name: &str| std::fs::read(directory.join(name)).unwrap();
    let (full, compressed, increment) = (
        read("v1-full.archive"),
        read("v1-full-zstd.archive"),
        read("v1-increment.archive"),
    );
    let store = model().await;
    let restored = restore_into(&store, &[&full, &increment]).await.unwrap();
    let known_root = read("v1-root.txt");
    assert_eq!(restored.root.to_string().as_bytes(), known_root.trim_ascii());
    let store = model().await;
    restore_into(&store, &[&compressed, &increment]).await.unwrap();
    let all = blocks(6);
    let known = model().await;
    append(&known, &all).await;
    assert_eq!(content(&store).await, content(&known).await);
    // What this version writes is the same.
    let known = model().await;
    append(&known, &all[..4]).await;
    let written = plain_archive_of(&known).await;
    assert!(written == full, "the bytes of a full archive have changed");
    append(&known, &all[4..]).await;
    let (_, written) = archive_of(&known, Compression::None, Some(&full)).await;
    assert!(written == increment, "the bytes of an increment have changed");
}
