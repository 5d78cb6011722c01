//! Replaying the operations of one DID.

use super::{
    DidState, StorageChange, StorageData, StorageEntries, StorageEvent, judge_create, require_signature, signer,
};
use crate::digest::{DidSuffix, OperationHash};
use crate::key::KeyUsage;
use crate::ledger::{BlockTime, OperationBytes, OperationPosition};
use crate::operation::{Operation, SignedOperation};
use crate::proto;
use crate::rejection::Rejection;

/// An operation as found on the ledger.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerOperation {
    /// Where it stands.
    pub position: OperationPosition,
    /// Time of its block.
    pub block_time: BlockTime,
    /// The serialized `SignedPrismOperation`.
    pub bytes: OperationBytes,
}

/// The state of one DID after the operations that were applied so far.
#[derive(Debug, Clone)]
pub struct Replay {
    did: DidSuffix,
    last_position: Option<OperationPosition>,
    state: Option<DidState>,
}

impl Replay {
    /// Starts before the first operation of `did`.
    pub fn new(did: DidSuffix) -> Self {
        Self {
            did,
            last_position: None,
            state: None,
        }
    }

    /// The state; none as long as no valid create was applied.
    pub fn state(&self) -> Option<&DidState> {
        self.state.as_ref()
    }

    /// The state, owned.
    pub fn into_state(self) -> Option<DidState> {
        self.state
    }

    /// Judges the next operation and applies it, whole or, on a rejection, not at all.
    ///
    /// Operations come in ascending position. Those of other DIDs may be among them; they are rejected.
    pub fn apply(&mut self, operation: &LedgerOperation) -> Result<(), Rejection> {
        let position = operation.position;
        if let Some(last) = self.last_position.filter(|last| position <= *last) {
            return Err(Rejection::OutOfOrder { position, last });
        }
        self.last_position = Some(position);

        let mut signed = SignedOperation::decode(operation.bytes.as_slice())?;
        let time = operation.block_time;
        match signed.operation.take().ok_or(Rejection::NoOperation)? {
            Operation::CreateDid(create) => self.create(&signed, &create, time),
            Operation::UpdateDid(update) => self.named_state(&update.id)?.update(&signed, &update, time),
            Operation::DeactivateDid(deactivate) => {
                self.named_state(&deactivate.id)?.deactivate(&signed, &deactivate, time)
            }
            Operation::CreateStorageEntry(create) => {
                if create.did_prism_hash != self.did.as_bytes() {
                    return Err(Rejection::OtherDid);
                }
                self.active_state()?.create_storage_entry(&signed, create.data.into())
            }
            Operation::UpdateStorageEntry(update) => {
                let change = StorageChange::Data(update.data.into());
                self.active_state()?
                    .append_storage_event(&signed, &update.previous_event_hash, change)
            }
            Operation::DeactivateStorageEntry(deactivate) => {
                let change = StorageChange::Deactivation;
                self.active_state()?
                    .append_storage_event(&signed, &deactivate.previous_event_hash, change)
            }
            Operation::ProtocolVersionUpdate(_) => Err(Rejection::ProtocolVersionUpdate),
        }
    }

    fn create(
        &mut self,
        signed: &SignedOperation,
        create: &proto::ProtoCreateDid,
        time: BlockTime,
    ) -> Result<(), Rejection> {
        if DidSuffix::from(signed.hash) != self.did {
            return Err(Rejection::OtherDid);
        }
        if self.state.is_some() {
            return Err(Rejection::AlreadyCreated);
        }
        self.state = Some(DidState {
            did: self.did,
            content: judge_create(signed, create)?,
            last_operation: signed.hash,
            created: time,
            updated: None,
            deactivated: false,
            storage: StorageEntries::default(),
        });
        Ok(())
    }

    /// The state for an operation whose `id` names the DID: the suffix, exactly as written.
    fn named_state(&mut self, id: &str) -> Result<&mut DidState, Rejection> {
        match id.parse::<DidSuffix>() {
            Ok(did) if did == self.did => self.active_state(),
            _ => Err(Rejection::OtherDid),
        }
    }

    fn active_state(&mut self) -> Result<&mut DidState, Rejection> {
        let state = self.state.as_mut().ok_or(Rejection::NotCreated)?;
        if state.deactivated {
            return Err(Rejection::Deactivated);
        }
        Ok(state)
    }
}

/// The operations on a DID that exists. Each checks the links and rules first and the signature last, and changes the
/// state only after that.
impl DidState {
    fn update(
        &mut self,
        signed: &SignedOperation,
        update: &proto::ProtoUpdateDid,
        time: BlockTime,
    ) -> Result<(), Rejection> {
        self.require_link(&update.previous_operation_hash)?;
        let key = signer(signed, &self.content, KeyUsage::Master)?;
        if update.actions.is_empty() {
            return Err(Rejection::NoActions);
        }
        let mut content = self.content.clone();
        for (index, action) in update.actions.iter().enumerate() {
            content
                .apply(action)
                .map_err(|reason| Rejection::Action { index, reason })?;
        }
        content.require_limits()?;
        require_signature(signed, key)?;
        self.content = content;
        self.last_operation = signed.hash;
        self.updated = Some(time);
        Ok(())
    }

    fn deactivate(
        &mut self,
        signed: &SignedOperation,
        deactivate: &proto::ProtoDeactivateDid,
        time: BlockTime,
    ) -> Result<(), Rejection> {
        self.require_link(&deactivate.previous_operation_hash)?;
        require_signature(signed, signer(signed, &self.content, KeyUsage::Master)?)?;
        self.content.keys.revoke_all();
        self.content.services.revoke_all();
        self.storage.deactivate_all();
        self.deactivated = true;
        self.last_operation = signed.hash;
        self.updated = Some(time);
        Ok(())
    }

    fn require_link(&self, previous_operation_hash: &[u8]) -> Result<(), Rejection> {
        if previous_operation_hash == self.last_operation.as_bytes() {
            Ok(())
        } else {
            Err(Rejection::PreviousOperation)
        }
    }

    fn create_storage_entry(&mut self, signed: &SignedOperation, data: StorageData) -> Result<(), Rejection> {
        if self.storage.get(&signed.hash).is_some() {
            return Err(Rejection::StorageEntryExists);
        }
        require_signature(signed, signer(signed, &self.content, KeyUsage::Vdr)?)?;
        self.storage.add(storage_event(signed, StorageChange::Data(data)));
        Ok(())
    }

    /// An update of the entry or its deactivation.
    fn append_storage_event(
        &mut self,
        signed: &SignedOperation,
        previous_event_hash: &[u8],
        change: StorageChange,
    ) -> Result<(), Rejection> {
        let previous = OperationHash::try_from(previous_event_hash)
            .ok()
            .filter(|previous| self.storage.is_latest_event(previous))
            .ok_or(Rejection::PreviousEvent)?;
        require_signature(signed, signer(signed, &self.content, KeyUsage::Vdr)?)?;
        self.storage.append(&previous, storage_event(signed, change));
        Ok(())
    }
}

/// The event with what this version of the protocol does not know about it.
fn storage_event(signed: &SignedOperation, change: StorageChange) -> StorageEvent {
    let unknown = signed.unknown_event_fields();
    StorageEvent {
        hash: signed.hash,
        change: match change {
            StorageChange::Data(_) if unknown.data => StorageChange::Data(StorageData::Unknown),
            change => change,
        },
        unsupported: unknown.validation,
    }
}
