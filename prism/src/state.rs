//! The state machine of one DID: judges its operations in ledger order.

mod replay;
mod storage;

pub use replay::{LedgerOperation, Replay};
pub use storage::{StorageData, StorageEntry, StorageStatus};

use storage::{StorageChange, StorageEntries, StorageEvent};

use crate::content::DidContent;
use crate::digest::{DidSuffix, OperationHash};
use crate::key::{KeyUsage, PublicKey};
use crate::ledger::BlockTime;
use crate::operation::SignedOperation;
use crate::proto;
use crate::rejection::Rejection;

/// The state of a DID that was created on the ledger.
#[derive(Debug, Clone, PartialEq)]
pub struct DidState {
    did: DidSuffix,
    content: DidContent,
    last_operation: OperationHash,
    created: BlockTime,
    updated: Option<BlockTime>,
    deactivated: bool,
    storage: StorageEntries,
}

impl DidState {
    /// The DID's suffix.
    pub fn did(&self) -> DidSuffix {
        self.did
    }

    /// Keys, services and context. After a deactivation no key and no service is active; the context stays.
    pub fn content(&self) -> &DidContent {
        &self.content
    }

    /// Hash of the last operation that was applied to the DID, storage operations aside: its `versionId`.
    pub fn last_operation(&self) -> OperationHash {
        self.last_operation
    }

    /// Time of the block of the create.
    pub fn created(&self) -> BlockTime {
        self.created
    }

    /// Time of the block of the last update or of the deactivation; none if there was neither.
    pub fn updated(&self) -> Option<BlockTime> {
        self.updated
    }

    /// Whether the DID was deactivated, which is final.
    pub fn is_deactivated(&self) -> bool {
        self.deactivated
    }

    /// The storage entry that the operation with this hash created, whatever its status.
    pub fn storage_entry(&self, reference: &OperationHash) -> Option<&StorageEntry> {
        self.storage.get(reference)
    }

    /// All storage entries, in the order in which they were created.
    pub fn storage_entries(&self) -> impl Iterator<Item = &StorageEntry> {
        self.storage.iter()
    }

    /// The message that the read side serves: active keys, services and storage entries, each in the order of creation,
    /// and the context. All lists are empty after a deactivation.
    pub fn to_did_data(&self) -> proto::DidData {
        let mut data = self.content.to_did_data(self.did);
        if self.deactivated {
            data.context.clear();
        }
        data.storage_data = self
            .storage
            .iter()
            .filter(|entry| entry.status == StorageStatus::Active)
            .map(proto::StorageData::from)
            .collect();
        data
    }
}

/// Judges a create by every rule except that the DID must be new (protocol.md#create, rules 1 to 7), and returns the
/// content it gives.
pub(crate) fn judge_create(signed: &SignedOperation, create: &proto::ProtoCreateDid) -> Result<DidContent, Rejection> {
    let content = DidContent::created_by(create)?;
    require_signature(signed, signer(signed, &content, KeyUsage::Master)?)?;
    Ok(content)
}

/// The active key of `content` that signed, if it has the usage that is needed.
fn signer<'content>(
    signed: &SignedOperation,
    content: &'content DidContent,
    needed: KeyUsage,
) -> Result<&'content PublicKey, Rejection> {
    let keys = &content.keys;
    let key = keys.get(&signed.signed_with).map_err(|unknown| {
        if keys.revoked().any(|key| key.id().as_str() == unknown.id) {
            Rejection::RevokedSigner(unknown.id)
        } else {
            Rejection::UnknownSigner(unknown)
        }
    })?;
    if key.usage() == needed {
        Ok(key)
    } else {
        Err(Rejection::SignerUsage {
            found: key.usage(),
            needed,
        })
    }
}

/// The costly check: every other rule is judged before it.
fn require_signature(signed: &SignedOperation, key: &PublicKey) -> Result<(), Rejection> {
    if signed.is_signed_by(key) {
        Ok(())
    } else {
        Err(Rejection::Signature)
    }
}
