//! Answers about one DID, from the operations that are indexed for it.

use std::collections::{BTreeMap, BTreeSet};

use did_prism::did::PrismDid;
use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::document::DocumentStyle;
use did_prism::ledger::OperationPosition;
use did_prism::proto;
use did_prism::rejection::Rejection;
use did_prism::resolution::{EntryLinks, EntryNotFound, EntryResolver, NotFound, Resolution, Resolver, Version};
use did_prism::state::{DidState, Replay, StorageEntry};
use node_storage_contract::{IndexOutcome, NodeStorage, OperationRecord, PageLimit, Result, StorageError};

use crate::status::OperationStatus;

/// Why a DID was not resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveError {
    /// The DID, or the version of it that was asked for, does not exist.
    #[error(transparent)]
    NotFound(#[from] NotFound),
    /// The store could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Why a storage entry was not resolved.
#[derive(Debug, thiserror::Error)]
pub enum ResolveEntryError {
    /// The entry, or the version of it that was asked for, does not exist.
    #[error(transparent)]
    NotFound(#[from] EntryNotFound),
    /// The store could not be read.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// A storage entry and the DID it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedEntry {
    /// The owner.
    pub owner: DidSuffix,
    /// The entry, whatever its status.
    pub entry: StorageEntry,
}

/// An operation whose link leads to a storage entry.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryEvent {
    /// The operation.
    pub record: OperationRecord,
    /// What became of it. Where it was applied, it made a version of the entry.
    pub status: OperationStatus,
}

/// What a replay made of operations, by position.
type Judgements = BTreeMap<OperationPosition, std::result::Result<(), Rejection>>;

/// What became of an operation that the judgements are about.
fn status_of(record: &OperationRecord, judgements: &Judgements) -> OperationStatus {
    match &record.indexing {
        Some(IndexOutcome::Ignored { reason }) => OperationStatus::Ignored(reason.clone()),
        Some(IndexOutcome::Undecodable { reason }) => OperationStatus::Undecodable(reason.clone()),
        // A replica that lags behind the one that answered before does not have the entry yet.
        None | Some(IndexOutcome::Did { .. } | IndexOutcome::Storage { .. }) => judgements
            .get(&record.operation.position)
            .cloned()
            .map_or(OperationStatus::Pending, OperationStatus::from),
    }
}

/// A part of the events of a storage entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EventPage {
    /// Only events above this position.
    pub after: Option<OperationPosition>,
    /// As many as it admits.
    pub limit: PageLimit,
}

/// Events of a storage entry, by position.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryEvents {
    /// The events of the page.
    pub events: Vec<EntryEvent>,
    /// Whether further ones stand above them.
    pub has_next: bool,
}

/// Most bytes of operations that are read at a time.
const PAGE_BYTES: u64 = 16 * 1024 * 1024;

/// Replays the operations of a DID out of a store. Clones share the store.
///
/// What is stored and not yet indexed is not seen. Operations are read a page at a time, so that memory does not grow
/// with their number. Those that are indexed while a DID is being read stand above the ones read, so that an answer is
/// always the state at some position.
#[derive(Debug, Clone)]
pub struct DidResolver<S> {
    storage: S,
    page: PageLimit,
}

impl<S: NodeStorage> DidResolver<S> {
    /// A resolver on this store that reads 256 operations at a time.
    pub fn new(storage: S) -> Self {
        let page = PageLimit::try_from(256).unwrap_or(PageLimit::MAX);
        Self {
            storage,
            page: page.within_bytes(PAGE_BYTES),
        }
    }

    /// The same with pages of another length.
    #[must_use]
    pub fn page_limit(self, page: PageLimit) -> Self {
        Self { page, ..self }
    }

    /// Resolves a DID to its document, in this style, and its metadata.
    ///
    /// # Errors
    /// `NotFound` where the DID or the version does not exist, `Storage` where the store can't be read.
    pub async fn resolve(
        &self,
        did: &PrismDid,
        version: Version,
        style: DocumentStyle,
    ) -> std::result::Result<Resolution, ResolveError> {
        let mut resolver = Resolver::new(did, version);
        self.read_operations(&did.suffix(), |record| {
            resolver.push(&record.operation);
            !resolver.is_complete()
        })
        .await?;
        Ok(resolver.finish(style)?)
    }

    /// The state of a DID that was created on the ledger.
    pub async fn state(&self, did: &DidSuffix) -> Result<Option<DidState>> {
        let mut replay = Replay::new(*did);
        self.read_operations(did, |record| {
            // A rejected operation leaves the state as it was, which is all that matters here.
            let _rejection = replay.apply(&record.operation);
            true
        })
        .await?;
        Ok(replay.into_state())
    }

    /// The `DIDData` message of a DID: its state on the ledger, or what an unpublished long form carries.
    pub async fn did_data(&self, did: &PrismDid) -> Result<Option<proto::DidData>> {
        Ok(match (self.state(&did.suffix()).await?, did) {
            (Some(state), _) => Some(state.to_did_data()),
            (None, PrismDid::LongForm(long_form)) => Some(long_form.to_did_data()),
            (None, PrismDid::Canonical(_)) => None,
        })
    }

    /// What became of one operation, at the position where the record has it. The same operation may stand at other
    /// positions too, and something else have become of it there.
    ///
    /// The operations of its DID up to it are replayed: reading and time grow with their number. What is pending, ignored or
    /// undecodable is answered from the record.
    pub async fn status(&self, record: &OperationRecord) -> Result<OperationStatus> {
        let judgements = self.judgements(std::slice::from_ref(record)).await?;
        Ok(status_of(record, &judgements))
    }

    /// What became of each of these operations, in their order.
    ///
    /// Every DID among them is replayed once, up to its last operation here, however many of its operations are asked for.
    pub async fn statuses(&self, records: &[OperationRecord]) -> Result<Vec<OperationStatus>> {
        let judgements = self.judgements(records).await?;
        Ok(records.iter().map(|record| status_of(record, &judgements)).collect())
    }

    /// How the replay of their DIDs judges those of these operations that belong to one.
    async fn judgements(&self, records: &[OperationRecord]) -> Result<Judgements> {
        let mut wanted: BTreeMap<DidSuffix, BTreeSet<OperationPosition>> = BTreeMap::new();
        for record in records {
            if let Some(did) = record.indexing.as_ref().and_then(IndexOutcome::did) {
                wanted.entry(did).or_default().insert(record.operation.position);
            }
        }
        let mut judgements = Judgements::new();
        for (did, positions) in wanted {
            let last = positions.last().copied();
            let mut replay = Replay::new(did);
            self.read_operations(&did, |record| {
                let position = record.operation.position;
                let judgement = replay.apply(&record.operation);
                if positions.contains(&position) {
                    judgements.insert(position, judgement);
                }
                Some(position) < last
            })
            .await?;
        }
        Ok(judgements)
    }

    /// The storage entry that the operation with this hash created, whatever its status.
    ///
    /// # Errors
    /// `NotFound` where the entry or the version does not exist, `Storage` where the store can't be read.
    pub async fn storage_entry(
        &self,
        reference: &OperationHash,
        version: Version,
    ) -> std::result::Result<OwnedEntry, ResolveEntryError> {
        let owner = self.entry_owner(reference, version).await?;
        let mut resolver = EntryResolver::new(owner, *reference, version);
        self.read_operations(&owner, |record| {
            let _judgement = resolver.push(&record.operation);
            !resolver.is_complete()
        })
        .await?;
        let entry = resolver.finish()?;
        Ok(OwnedEntry { owner, entry })
    }

    /// The events of a storage entry up to a version, by position: every operation whose link leads to its create, valid or
    /// not. There are events also where no create is valid, so that there is no entry.
    ///
    /// All operations of the owner up to the end of the page are replayed, those of a version id up to its event.
    ///
    /// # Errors
    /// `NotFound` where there is no event at all up to the version, or no version with the id; `Storage` where the store
    /// can't be read.
    pub async fn storage_events(
        &self,
        reference: &OperationHash,
        version: Version,
        page: EventPage,
    ) -> std::result::Result<EntryEvents, ResolveEntryError> {
        let owner = self.entry_owner(reference, version).await?;
        let mut resolver = EntryResolver::new(owner, *reference, version);
        let mut links = EntryLinks::new(*reference);
        let mut has_events = false;
        let mut events = Vec::new();
        let mut bytes = 0;
        let mut has_next = false;
        self.read_operations(&owner, |record| {
            let Some(judgement) = resolver.push(&record.operation) else {
                return false;
            };
            if links.follow(&record.operation) {
                has_events = true;
                let is_wanted = page.after.is_none_or(|after| record.operation.position > after);
                let length = length(record);
                if is_wanted && !has_next && page.limit.admits(events.len(), bytes, length) {
                    bytes += length;
                    events.push(EntryEvent {
                        record: record.clone(),
                        status: judgement.into(),
                    });
                } else if is_wanted {
                    has_next = true;
                }
            }
            // Whether a version has the id shows only at its event.
            !resolver.is_complete() && (!has_next || matches!(version, Version::Id(_)))
        })
        .await?;
        if matches!(version, Version::Id(_)) {
            resolver.finish()?;
        }
        if has_events {
            Ok(EntryEvents { events, has_next })
        } else {
            Err(EntryNotFound::at(version).into())
        }
    }

    /// The DID that the storage operation with this hash is routed to.
    async fn entry_owner(
        &self,
        reference: &OperationHash,
        version: Version,
    ) -> std::result::Result<DidSuffix, ResolveEntryError> {
        let owners = self.storage.storage_owners(&[*reference]).await?;
        let owner = owners.first().map(|owner| owner.did);
        Ok(owner.ok_or_else(|| EntryNotFound::at(version))?)
    }

    /// Hands over the operations of a DID by position, until `take` answers that it needs no more.
    async fn read_operations(&self, did: &DidSuffix, mut take: impl FnMut(&OperationRecord) -> bool) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.storage.operations_of_did(did, after, self.page).await?;
            for record in &page {
                if !take(record) {
                    return Ok(());
                }
            }
            match page.last() {
                Some(last) if !self.page.has_room(page.len(), page.iter().map(length).sum()) => {
                    after = Some(last.operation.position);
                }
                _ => return Ok(()),
            }
        }
    }
}

/// The length of an operation, in bytes.
fn length(record: &OperationRecord) -> u64 {
    u64::try_from(record.operation.bytes.as_slice().len()).unwrap_or(u64::MAX)
}
