//! One call may hold more than any statement takes: more rows than SQLite (32,766) or PostgreSQL (65,535) has parameters.

use node_storage_contract::{
    Appended, Conflict, ConflictReason, IndexEntry, Indexed, IndexedOperationRepo, IndexerStateRepo, ListedDid,
    OperationPosition, OperationRecord, PageLimit, PublishedBlock, PublishedRecord, RawOperationRepo, StorageError,
    StorageOwner,
};

use crate::StoreFactory;
use crate::assertions::{append, assert_rows, index};
use crate::data::{
    absn, block_no, block_with, bytes, cursor_after, did, of_did, of_storage, osn, positions, slot_no, slot_of,
    storage_hash, transaction, transaction_id, transaction_of,
};
use crate::expected::records;
use crate::factory::open;
use crate::lens::author::Kind;
use crate::lens::handles::Handles;
use crate::lens::look;
use crate::lens::read::Read;
use crate::lens::stepped::Stepped;
use crate::lens::write::{Chunks, End, Write};
use crate::observe::{all_listed_dids, all_operations, whole_transaction};
use crate::streams::short;
use crate::writes::deliver;

/// More than either engine has parameters of a statement.
const MANY: u64 = 70_000;

/// 70,000 operations of one transaction: stored, delivered again, indexed, listed, and looked up in one call each.
pub async fn seventy_thousand_operations_in_one_transaction(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let operations = (0..MANY).map(|index| (osn(index), bytes(index.to_be_bytes())));
    let blocks = [block_with(1, vec![transaction_of(1, absn(1), operations)])];
    let appended = append(&store, &blocks).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 1,
            operations: 70_000
        }
    );
    assert_eq!(append(&store, &blocks).await, Appended::default());

    let places = positions(&blocks);
    let entries: Vec<IndexEntry> = (0..)
        .zip(&places)
        .map(|(number, at)| {
            if number % 2 == 0 {
                of_did(*at, number, true)
            } else {
                of_storage(*at, number, number)
            }
        })
        .collect();
    let indexed = store.index(&entries).await.unwrap();
    let watermark = places.last().copied();
    assert_eq!(
        indexed,
        Indexed {
            entries: 70_000,
            watermark
        }
    );
    assert_eq!(store.index(&entries).await.unwrap(), Indexed { entries: 0, watermark });

    let expected = records(&blocks, &entries);
    assert_rows(&all_operations(&store).await, &expected, "operation");
    let transaction = whole_transaction(&store, &blocks[0].transactions[0].id).await;
    let transaction = transaction.expect("the transaction is stored");
    assert_eq!(transaction.operation_count, 70_000);
    assert_rows(&transaction.operations, &expected, "operation of the transaction");
    let listed: Vec<_> = numbered(&places, 0)
        .map(|(number, position)| ListedDid {
            did: did(number),
            position,
        })
        .collect();
    assert_rows(&all_listed_dids(&store).await, &listed, "DID");
    let hashes: Vec<_> = (0..MANY).rev().map(storage_hash).collect();
    let owners: Vec<_> = numbered(&places, 1)
        .map(|(number, position)| StorageOwner {
            operation_hash: storage_hash(number),
            position,
            did: did(number),
        })
        .collect();
    let found = store.storage_owners(&hashes).await.unwrap();
    assert_rows(&found, &owners, "owner");

    // The last of them is judged as the first.
    let mut changed = blocks;
    let last = changed[0].transactions[0].operations.last_mut().expect("an operation");
    last.bytes = bytes(*b"changed");
    let refused = deliver(&store, &changed, cursor_after(&changed)).await;
    let expected = Conflict {
        at: places[places.len() - 1].into(),
        reason: ConflictReason::OtherOperation,
    };
    assert!(
        matches!(&refused, Err(StorageError::Conflict(conflict)) if *conflict == expected),
        "no {expected:?}, but {refused:?}"
    );
}

/// Pages of the highest limit are full in every listing while there are rows, and the next page has the rest.
pub async fn pages_of_the_highest_limit_are_full(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let most = usize::try_from(PageLimit::MAX.get()).unwrap();
    let many = PageLimit::MAX.get() + 1;
    let blocks = [block_with(1, vec![transaction(1, 0, many), transaction(1, 1, many)])];
    append(&store, &blocks).await;
    let places = positions(&blocks);
    // The first transaction's operations belong to one DID, those of the second to one each.
    let (of_one, of_many) = places.split_at(most + 1);
    let one = of_one.iter().map(|at| of_did(*at, 0, false));
    let others = (1..).zip(of_many).map(|(number, at)| of_did(*at, number, true));
    index(&store, &one.chain(others).collect::<Vec<_>>()).await;

    let at =
        |records: Vec<OperationRecord>| -> Vec<_> { records.iter().map(|record| record.operation.position).collect() };
    let page = at(store.operations_after(None, PageLimit::MAX).await.unwrap());
    assert_rows(&page, &places[..most], "operation");
    let page = store.published_after(None, PageLimit::MAX).await.unwrap();
    let page: Vec<_> = page.iter().map(|record| record.operation.position).collect();
    assert_rows(&page, &places[..most], "published operation");
    let page = at(store.operations_of_did(&did(0), None, PageLimit::MAX).await.unwrap());
    assert_rows(&page, &of_one[..most], "operation of a DID");
    let rest = store
        .operations_of_did(&did(0), page.last().copied(), PageLimit::MAX)
        .await;
    assert_rows(&at(rest.unwrap()), &of_one[most..], "operation of a DID");
    let page = store.listed_dids_after(None, PageLimit::MAX).await.unwrap();
    let listed: Vec<_> = page.iter().map(|listed| listed.position).collect();
    assert_rows(&listed, &of_many[..most], "DID");
    let rest = store
        .listed_dids_after(listed.last().copied(), PageLimit::MAX)
        .await
        .unwrap();
    assert_eq!(rest.len(), 1, "the rest of the DIDs");
}

/// Each second position from `first` on, with its number.
fn numbered(places: &[OperationPosition], first: usize) -> impl Iterator<Item = (u64, OperationPosition)> {
    (0..).zip(places.iter().copied()).skip(first).step_by(2)
}

/// 70,000 blocks, each with one transaction of one operation: stored, and delivered again, in one call each.
pub async fn seventy_thousand_blocks_in_one_call(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let blocks: Vec<_> = (1..=MANY)
        .map(|number| {
            let operation = (osn(3), bytes(number.to_be_bytes()));
            block_with(number, vec![transaction_of(number, absn(2), [operation])])
        })
        .collect();
    let appended = append(&store, &blocks).await;
    assert_eq!(
        appended,
        Appended {
            blocks: 70_000,
            operations: 70_000
        }
    );
    assert_eq!(append(&store, &blocks).await, Appended::default());
    let bound = store.bound().await.unwrap();
    assert_eq!((bound.cursor, bound.operations), (Some(cursor_after(&blocks)), 70_000));
    assert_rows(&all_operations(&store).await, &records(&blocks, &[]), "operation");
    assert_eq!(
        store.indexer_state().await.unwrap().last_stored,
        positions(&blocks).last().copied()
    );

    // As many once more, the last of which has the transaction of the first.
    let mut more: Vec<_> = blocks
        .into_iter()
        .map(|block| PublishedBlock {
            number: block_no(block.number.get() + MANY),
            slot: slot_no(slot_of(block.number.get() + MANY)),
            ..block
        })
        .collect();
    let stored = transaction_id(1, 2);
    for block in &mut more {
        for transaction in &mut block.transactions {
            transaction.id = transaction_id(block.number.get(), 2);
        }
    }
    let last = more.last_mut().expect("a block");
    last.transactions[0].id = stored;
    let refused = deliver(&store, &more, cursor_after(&more)).await;
    let expected = Conflict {
        at: node_storage_contract::Subject::Transaction(block_no(2 * MANY), absn(2)),
        reason: ConflictReason::TransactionElsewhere {
            id: stored,
            block: block_no(1),
            absn: absn(2),
        },
    };
    assert!(
        matches!(&refused, Err(StorageError::Conflict(conflict)) if *conflict == expected),
        "no {expected:?}, but {refused:?}"
    );
}

/// 40 operations of 1 MiB in one call: more bytes than one statement should carry.
pub async fn forty_longest_operations_in_one_call(factory: &impl StoreFactory) {
    let store = open(factory).await;
    let operations = (0..40_u8).map(|index| (osn(index.into()), bytes(vec![index; 1 << 20])));
    let blocks = [block_with(1, vec![transaction_of(1, absn(1), operations)])];
    append(&store, &blocks).await;
    let expected = records(&blocks, &[]);
    // Each in one page: only its rows bound it.
    let page = store.operations_after(None, PageLimit::MAX).await.unwrap();
    assert_rows(&page, &expected, "operation");
    let page = store.published_after(None, PageLimit::MAX).await.unwrap();
    let published: Vec<PublishedRecord> = expected.into_iter().map(Into::into).collect();
    assert_rows(&page, &published, "published operation");
    assert_eq!(append(&store, &blocks).await, Appended::default());
}

/// A load of more operations than a store may have reason to hold back is nothing to anybody until it ends, and nothing at all where
/// its source fails at the end.
pub async fn long_load_is_nothing_until_it_ends(factory: &impl StoreFactory) {
    const CHUNKS: u64 = 12;
    const OPERATIONS: u64 = 3_000;
    let mut handles = Handles::open(factory).await;
    let stored = Kind::AppendMany.next(&handles.model);
    handles.write(0, &stored).await;
    let bound = handles.model.content().bound();
    let first = bound.cursor.map_or(0, |cursor| cursor.block.get()) + 1;
    let chunk = |number: u64| {
        let content = |index: u64| bytes([number.to_be_bytes(), index.to_be_bytes()].concat());
        let operations = (0..OPERATIONS).map(|index| (osn(index), content(index)));
        vec![block_with(number, vec![transaction_of(number, absn(0), operations)])]
    };
    let chunks: Vec<_> = (first..first + CHUNKS).map(chunk).collect();
    let loaded = chunks[0][0].number;
    let state = [
        Read::Cursor,
        Read::Bound,
        Read::IndexerState,
        Read::Block(loaded),
        Read::Transaction(chunks[0][0].transactions[0].id, None, PageLimit::MAX),
    ];
    let load = Write::Load(bound, Chunks::new(chunks, End::Failure));
    let store = handles.writer(0).1.clone();
    let mut call = Stepped::new(load.ask(&store));
    let mut asked = load.chunks_asked_for();
    while !call.step().await {
        if load.chunks_asked_for() > asked {
            asked = load.chunks_asked_for();
            let (handle, other) = handles.nth(asked);
            let lens = format!("through {handle}, after {asked} chunks of a load that has not ended");
            look(other, &state, &handles.model, &lens).await;
        }
    }
    let answer = call.into_output().expect("it has ended");
    assert!(
        answer.is_err(),
        "the source has failed, and the answer is {}",
        short(&answer)
    );
    drop(store);
    "a long load whose source fails at its end".clone_into(&mut handles.last);
    handles.glance(&state).await;
    handles.reopen().await;
    handles.look().await;
    handles.close().await;
}
