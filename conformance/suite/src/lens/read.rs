//! Every reading method of the contract, and what it has to answer of a given state.

use std::collections::{BTreeMap, BTreeSet};

use node_storage_contract::{
    BlockHeader, BlockNo, Cursor, DidSuffix, IndexOutcome, IndexerState, LedgerBound, ListedDid, Network, NodeStorage,
    OperationHash, OperationId, OperationPosition, OperationRecord, PageLimit, PublishedRecord, Result, StorageOwner,
    TransactionId, TransactionRecord,
};

use crate::data::{did, limit, storage_hash};
use crate::model::{Content, ModelStore};

/// Bytes of a page that two or three of the shortest operations of the tables fill.
const FEW_BYTES: u64 = 40;

/// A call that changes nothing.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Read {
    Cursor,
    Network,
    Bound,
    IndexerState,
    Block(BlockNo),
    Operations(Option<OperationPosition>, PageLimit),
    Published(Option<OperationPosition>, PageLimit),
    Operation(OperationId),
    Transaction(TransactionId, Option<OperationPosition>, PageLimit),
    OperationsOfDid(DidSuffix, Option<OperationPosition>, PageLimit),
    StorageOwners(Vec<OperationHash>),
    ListedDid(DidSuffix),
    ListedDids(Option<OperationPosition>, PageLimit),
}

/// What a store answers to a [`Read`].
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Reading {
    Cursor(Option<Cursor>),
    Network(Option<Network>),
    Bound(LedgerBound),
    IndexerState(IndexerState),
    Block(Option<BlockHeader>),
    Operations(Vec<OperationRecord>),
    Published(Vec<PublishedRecord>),
    Operation(Option<OperationRecord>),
    Transaction(Option<TransactionRecord>),
    Owners(Vec<StorageOwner>),
    ListedDid(Option<ListedDid>),
    ListedDids(Vec<ListedDid>),
}

impl Reading {
    /// How many rows it has.
    pub(crate) fn rows(&self) -> usize {
        match self {
            Self::Cursor(_) | Self::Network(_) | Self::Bound(_) | Self::IndexerState(_) => 1,
            Self::Block(found) => usize::from(found.is_some()),
            Self::Operation(found) => usize::from(found.is_some()),
            Self::ListedDid(found) => usize::from(found.is_some()),
            Self::Operations(rows) => rows.len(),
            Self::Published(rows) => rows.len(),
            Self::Transaction(found) => found.as_ref().map_or(0, |transaction| transaction.operations.len()),
            Self::Owners(rows) => rows.len(),
            Self::ListedDids(rows) => rows.len(),
        }
    }
}

impl Read {
    /// The names of all reading methods.
    pub(crate) const METHODS: [&'static str; 13] = [
        "cursor",
        "network",
        "bound",
        "indexer_state",
        "block",
        "operations_after",
        "published_after",
        "operation",
        "transaction",
        "operations_of_did",
        "storage_owners",
        "listed_did",
        "listed_dids_after",
    ];

    /// The method that is called, as the contract names it.
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Cursor => "cursor",
            Self::Network => "network",
            Self::Bound => "bound",
            Self::IndexerState => "indexer_state",
            Self::Block(_) => "block",
            Self::Operations(..) => "operations_after",
            Self::Published(..) => "published_after",
            Self::Operation(_) => "operation",
            Self::Transaction(..) => "transaction",
            Self::OperationsOfDid(..) => "operations_of_did",
            Self::StorageOwners(_) => "storage_owners",
            Self::ListedDid(_) => "listed_did",
            Self::ListedDids(..) => "listed_dids_after",
        }
    }

    /// Whether a few rows answer it, however much is stored.
    pub(crate) fn is_brief(&self) -> bool {
        match self {
            Self::Operations(_, limit)
            | Self::Published(_, limit)
            | Self::Transaction(_, _, limit)
            | Self::OperationsOfDid(_, _, limit)
            | Self::ListedDids(_, limit) => limit.get() != PageLimit::MAX.get(),
            Self::StorageOwners(_) => false,
            _ => true,
        }
    }

    /// Asks a store.
    pub(crate) async fn ask<S: NodeStorage>(&self, store: &S) -> Result<Reading> {
        Ok(match self {
            Self::Cursor => Reading::Cursor(store.cursor().await?),
            Self::Network => Reading::Network(store.network().await?),
            Self::Bound => Reading::Bound(store.bound().await?),
            Self::IndexerState => Reading::IndexerState(store.indexer_state().await?),
            Self::Block(number) => Reading::Block(store.block(*number).await?),
            Self::Operations(after, limit) => Reading::Operations(store.operations_after(*after, *limit).await?),
            Self::Published(after, limit) => Reading::Published(store.published_after(*after, *limit).await?),
            Self::Operation(id) => Reading::Operation(store.operation(id).await?),
            Self::Transaction(id, after, limit) => Reading::Transaction(store.transaction(id, *after, *limit).await?),
            Self::OperationsOfDid(did, after, limit) => {
                Reading::Operations(store.operations_of_did(did, *after, *limit).await?)
            }
            Self::StorageOwners(hashes) => Reading::Owners(store.storage_owners(hashes).await?),
            Self::ListedDid(did) => Reading::ListedDid(store.listed_did(did).await?),
            Self::ListedDids(after, limit) => Reading::ListedDids(store.listed_dids_after(*after, *limit).await?),
        })
    }

    /// What a store that holds this has to answer.
    pub(crate) async fn expected(&self, model: &ModelStore) -> Reading {
        self.ask(model).await.expect("the model answers every read")
    }
}

/// A read, and what it has to answer before and after a write; the two differ.
#[derive(Debug, Clone)]
pub(crate) struct Telling {
    pub(crate) read: Read,
    pub(crate) before: Reading,
    pub(crate) after: Reading,
}

/// The reads whose answers differ between two states, at most `each` of a method.
pub(crate) async fn telling(before: &ModelStore, after: &ModelStore, each: usize) -> Vec<Telling> {
    let mut found: Vec<Telling> = Vec::new();
    for read in questions_about(&[before, after]) {
        let known = found.iter().filter(|known| known.read.method() == read.method());
        if known.count() >= each {
            continue;
        }
        let (before, after) = (read.expected(before).await, read.expected(after).await);
        if before != after {
            found.push(Telling { read, before, after });
        }
    }
    found
}

/// Those that are answered by a few rows.
pub(crate) fn brief(telling: Vec<Telling>) -> Vec<Telling> {
    telling.into_iter().filter(|telling| telling.read.is_brief()).collect()
}

/// What is worth asking about any of these states. The last state's things come first.
pub(crate) fn questions_about(models: &[&ModelStore]) -> Vec<Read> {
    let mut asked = Vec::new();
    for model in models.iter().rev() {
        let reads = questions(&model.content());
        asked.extend(
            reads
                .into_iter()
                .filter(|read| !asked.contains(read))
                .collect::<Vec<_>>(),
        );
    }
    asked
}

/// What is worth asking about a state: every method, about what is stored first, last and in between, and about what is not.
pub(crate) fn questions(content: &Content) -> Vec<Read> {
    let positions: Vec<_> = content.positions().into_iter().collect();
    let (one, two, all) = (limit(1), limit(2), PageLimit::MAX);
    let starts: Vec<_> = some(&positions);
    let mut reads = vec![Read::Cursor, Read::Network, Read::Bound, Read::IndexerState];
    let mut numbers: BTreeSet<BlockNo> = some(&content.blocks.keys().copied().collect::<Vec<_>>())
        .into_iter()
        .flat_map(|number| [number.get(), number.get().saturating_add(1)])
        .filter_map(|number| BlockNo::try_from(number).ok())
        .collect();
    numbers.extend(content.cursor.map(|cursor| cursor.block));
    reads.extend(numbers.into_iter().rev().map(Read::Block));
    for (after, limit) in [(None, all), (None, one), (None, all.within_bytes(FEW_BYTES))]
        .into_iter()
        .chain(starts.iter().map(|after| (Some(*after), two)))
    {
        reads.push(Read::Operations(after, limit));
        reads.push(Read::Published(after, limit));
    }
    for position in &starts {
        let record = content.record(*position).expect("it is stored");
        reads.push(Read::Operation(record.id));
        reads.push(Read::Transaction(record.transaction_id, None, all));
        reads.push(Read::Transaction(record.transaction_id, None, one));
        reads.push(Read::Transaction(record.transaction_id, Some(*position), two));
        reads.push(Read::Transaction(
            record.transaction_id,
            None,
            all.within_bytes(FEW_BYTES),
        ));
    }
    reads.push(Read::Operation(OperationId::new([0xee; 32])));
    reads.push(Read::Transaction(TransactionId::new([0xee; 32]), None, all));
    let mut operations_of: BTreeMap<DidSuffix, usize> = BTreeMap::new();
    for did in content.index.values().filter_map(IndexOutcome::did) {
        *operations_of.entry(did).or_default() += 1;
    }
    let dids: Vec<_> = operations_of.keys().copied().collect();
    let mut asked = some(&dids);
    // The one with most operations: its page tells most.
    let busiest = operations_of.iter().max_by_key(|(_, operations)| **operations);
    asked.extend(busiest.map(|(did, _)| *did).filter(|did| !asked.contains(did)));
    for did in asked.into_iter().chain([did(u64::MAX)]) {
        reads.push(Read::OperationsOfDid(did, None, all));
        reads.push(Read::OperationsOfDid(did, None, one));
        reads.push(Read::OperationsOfDid(did, None, all.within_bytes(FEW_BYTES)));
        reads.push(Read::ListedDid(did));
    }
    if let (Some(did), Some(after)) = (dids.first(), positions.first()) {
        reads.push(Read::OperationsOfDid(*did, Some(*after), all));
    }
    let hashes: BTreeSet<OperationHash> = content
        .index
        .values()
        .filter_map(|outcome| match outcome {
            IndexOutcome::Storage { operation_hash, .. } => Some(*operation_hash),
            _ => None,
        })
        .collect();
    let mut hashes: Vec<_> = hashes.into_iter().rev().collect();
    hashes.push(storage_hash(u64::MAX));
    reads.push(Read::StorageOwners(hashes));
    reads.push(Read::ListedDids(None, all));
    reads.push(Read::ListedDids(None, one));
    reads.extend(starts.first().map(|after| Read::ListedDids(Some(*after), all)));
    reads
}

/// The last, the first, and some between.
fn some<T: Clone>(items: &[T]) -> Vec<T> {
    let Some(last) = items.len().checked_sub(1) else {
        return Vec::new();
    };
    let places: BTreeSet<usize> = [0, last / 3, last / 2, last.saturating_sub(1), last].into();
    places
        .into_iter()
        .rev()
        .filter_map(|place| items.get(place))
        .cloned()
        .collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;
    use std::path::Path;

    use super::*;
    use crate::lens::author::Kind;
    use crate::lens::write::copy;
    use crate::model::Model;

    /// The methods of the repositories' traits.
    fn methods_of_the_contract() -> BTreeSet<String> {
        let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../storage/contract/src/repo.rs");
        let source = std::fs::read_to_string(source).unwrap();
        let names = source.lines().filter_map(|line| line.trim_start().strip_prefix("fn "));
        names
            .map(|name| {
                name.chars()
                    .take_while(|letter| letter.is_alphanumeric() || *letter == '_')
                    .collect()
            })
            .collect()
    }

    #[tokio::test]
    async fn tables_have_every_method_of_the_contract() {
        let model = crate::factory::open(&Model::default()).await;
        let mut writes = BTreeSet::new();
        for kind in Kind::ALL {
            let write = kind.next(&model);
            write.ask(&model).await.unwrap();
            writes.insert(write.method().to_owned());
        }
        let reads = Read::METHODS.map(str::to_owned);
        let tables: BTreeSet<String> = writes.into_iter().chain(reads).collect();
        assert_eq!(tables, methods_of_the_contract());
    }

    #[tokio::test]
    async fn every_method_is_asked_of_any_state_and_each_is_told_by_some_write() {
        let model = crate::factory::open(&Model::default()).await;
        let mut told = BTreeSet::new();
        for kind in Kind::ALL.into_iter().chain(Kind::ALL) {
            let asked: BTreeSet<_> = questions(&model.content()).iter().map(Read::method).collect();
            // Nothing is there to be asked for in an empty store.
            if model.content().cursor.is_some() {
                assert_eq!(asked, BTreeSet::from(Read::METHODS));
            }
            let before = copy(&model).await;
            kind.next(&model).ask(&model).await.unwrap();
            told.extend(
                telling(&before, &model, 1)
                    .await
                    .iter()
                    .map(|telling| telling.read.method()),
            );
        }
        // The first opening names the network, and nothing changes it.
        told.insert("network");
        assert_eq!(told, BTreeSet::from(Read::METHODS));
    }
}
