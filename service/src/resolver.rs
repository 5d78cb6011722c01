//! Answers about one DID, from the operations that are indexed for it.

use did_prism::did::PrismDid;
use did_prism::digest::{DidSuffix, OperationHash};
use did_prism::document::DocumentStyle;
use did_prism::proto;
use did_prism::resolution::{NotFound, Resolution, Resolver, Version};
use did_prism::state::{DidState, LedgerOperation, Replay, StorageEntry};
use node_storage_contract::{NodeStorage, PageLimit, Result, StorageError};

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

/// A storage entry and the DID it belongs to.
#[derive(Debug, Clone, PartialEq)]
pub struct OwnedEntry {
    /// The owner.
    pub owner: DidSuffix,
    /// The entry, active or not.
    pub entry: StorageEntry,
}

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
        Self { storage, page }
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
        self.read_operations(&did.suffix(), |operation| {
            resolver.push(operation);
            !resolver.is_complete()
        })
        .await?;
        Ok(resolver.finish(style)?)
    }

    /// The state of a DID that was created on the ledger.
    pub async fn state(&self, did: &DidSuffix) -> Result<Option<DidState>> {
        let mut replay = Replay::new(*did);
        self.read_operations(did, |operation| {
            // A rejected operation leaves the state as it was, which is all that matters here.
            let _rejection = replay.apply(operation);
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

    /// The storage entry that the operation with this hash created, active or not.
    pub async fn storage_entry(&self, reference: &OperationHash) -> Result<Option<OwnedEntry>> {
        let owners = self.storage.storage_owners(&[*reference]).await?;
        let Some(owner) = owners.first().map(|owner| owner.did) else {
            return Ok(None);
        };
        let state = self.state(&owner).await?;
        let entry = state.and_then(|state| state.storage_entry(reference).cloned());
        Ok(entry.map(|entry| OwnedEntry { owner, entry }))
    }

    /// Hands over the operations of a DID by position, until `take` answers that it needs no more.
    async fn read_operations(&self, did: &DidSuffix, mut take: impl FnMut(&LedgerOperation) -> bool) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.storage.operations_of_did(did, after, self.page).await?;
            for record in &page {
                if !take(&record.operation) {
                    return Ok(());
                }
            }
            // A page that is not full is the last one.
            match page.last() {
                Some(last) if u32::try_from(page.len()).is_ok_and(|length| length >= self.page.get()) => {
                    after = Some(last.operation.position);
                }
                _ => return Ok(()),
            }
        }
    }
}
