//! Storage entries of a DID (verifiable data registry). Each entry is a chain of its own, apart from that of the DID.

use std::collections::HashMap;

use crate::digest::OperationHash;
use crate::proto;
use crate::proto::{proto_create_storage_entry, proto_update_storage_entry, storage_data};

/// What a storage entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageData {
    /// Nothing: an event need not have data. The content is empty.
    Absent,
    /// Bytes, possibly none.
    Bytes(Vec<u8>),
    /// An IPFS content identifier, as published.
    Ipfs(String),
    /// An entry of a status list, replaced as a whole by an update.
    StatusList(proto::StatusListEntry),
    /// Data of a kind that this version of the protocol does not know. What can be shown of it is empty.
    Unknown,
}

/// What is known of a storage entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StorageStatus {
    /// It holds its data.
    Active,
    /// It, or its DID, was deactivated, which is final.
    Deactivated,
    /// One of its events has a validation field that this version of the protocol does not know, so that the entry may
    /// be active or deactivated, with this or other data. Only the deactivation of its DID ends that.
    Unsupported,
}

/// A storage entry, kept also when it is no longer active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEntry {
    /// Hash of the operation that created the entry; its name for good.
    pub reference: OperationHash,
    /// Hash of the last operation on the entry: what the next one must name.
    pub latest_event: OperationHash,
    /// The data after that operation; after a deactivation the last data. It is the content of an active entry only.
    pub data: StorageData,
    /// Whether the entry is active.
    pub status: StorageStatus,
}

/// A validly signed event of a storage entry.
#[derive(Debug)]
pub(super) struct StorageEvent {
    /// Hash of the operation.
    pub(super) hash: OperationHash,
    /// What it does to the entry.
    pub(super) change: StorageChange,
    /// Whether it has a validation field that is not known.
    pub(super) unsupported: bool,
}

/// What an event does to its entry.
#[derive(Debug)]
pub(super) enum StorageChange {
    /// The entry holds this from then on.
    Data(StorageData),
    /// The entry ends.
    Deactivation,
}

/// The entries of one DID.
#[derive(Debug, Clone, Default, PartialEq)]
pub(super) struct StorageEntries {
    entries: Vec<StorageEntry>,
    index_of_reference: HashMap<OperationHash, usize>,
    index_of_latest_event: HashMap<OperationHash, usize>,
}

impl StorageEntries {
    pub(super) fn iter(&self) -> impl Iterator<Item = &StorageEntry> {
        self.entries.iter()
    }

    pub(super) fn get(&self, reference: &OperationHash) -> Option<&StorageEntry> {
        self.entries.get(*self.index_of_reference.get(reference)?)
    }

    /// Adds an entry, made by `event`. Its reference must be new.
    pub(super) fn add(&mut self, event: StorageEvent) {
        let index = self.entries.len();
        self.index_of_reference.insert(event.hash, index);
        self.index_of_latest_event.insert(event.hash, index);
        let mut entry = StorageEntry {
            reference: event.hash,
            latest_event: event.hash,
            data: StorageData::Absent,
            status: StorageStatus::Active,
        };
        entry.apply(event);
        self.entries.push(entry);
    }

    /// Whether an entry that was not deactivated has `event` as its last one.
    pub(super) fn is_latest_event(&self, event: &OperationHash) -> bool {
        self.index_of_latest_event
            .get(event)
            .and_then(|index| self.entries.get(*index))
            .is_some_and(|entry| entry.status != StorageStatus::Deactivated)
    }

    /// Appends `event` to the entry whose last one is `previous`. There must be one, and not deactivated.
    pub(super) fn append(&mut self, previous: &OperationHash, event: StorageEvent) {
        let Some(index) = self.index_of_latest_event.remove(previous) else {
            return;
        };
        self.index_of_latest_event.insert(event.hash, index);
        if let Some(entry) = self.entries.get_mut(index) {
            entry.apply(event);
        }
    }

    /// The DID was deactivated.
    pub(super) fn deactivate_all(&mut self) {
        for entry in &mut self.entries {
            entry.status = StorageStatus::Deactivated;
        }
    }
}

impl StorageEntry {
    fn apply(&mut self, event: StorageEvent) {
        self.latest_event = event.hash;
        match event.change {
            StorageChange::Data(data) => self.data = data,
            // What is unsupported stays it: the event that made it so may have been the last valid one, or none at all.
            StorageChange::Deactivation if self.status == StorageStatus::Unsupported => {}
            StorageChange::Deactivation => self.status = StorageStatus::Deactivated,
        }
        if event.unsupported {
            self.status = StorageStatus::Unsupported;
        }
    }
}

impl From<Option<proto_create_storage_entry::Data>> for StorageData {
    fn from(data: Option<proto_create_storage_entry::Data>) -> Self {
        match data {
            None => Self::Absent,
            Some(proto_create_storage_entry::Data::Bytes(bytes)) => Self::Bytes(bytes),
            Some(proto_create_storage_entry::Data::Ipfs(cid)) => Self::Ipfs(cid),
            Some(proto_create_storage_entry::Data::StatusListEntry(entry)) => Self::StatusList(entry),
        }
    }
}

impl From<Option<proto_update_storage_entry::Data>> for StorageData {
    fn from(data: Option<proto_update_storage_entry::Data>) -> Self {
        match data {
            None => Self::Absent,
            Some(proto_update_storage_entry::Data::Bytes(bytes)) => Self::Bytes(bytes),
            Some(proto_update_storage_entry::Data::Ipfs(cid)) => Self::Ipfs(cid),
            Some(proto_update_storage_entry::Data::StatusListEntry(entry)) => Self::StatusList(entry),
        }
    }
}

impl From<&StorageEntry> for proto::StorageData {
    fn from(entry: &StorageEntry) -> Self {
        Self {
            init_operation_hash: entry.reference.as_bytes().to_vec(),
            prev_operation_hash: entry.latest_event.as_bytes().to_vec(),
            data: match &entry.data {
                StorageData::Absent | StorageData::Unknown => None,
                StorageData::Bytes(bytes) => Some(storage_data::Data::Bytes(bytes.clone())),
                StorageData::Ipfs(cid) => Some(storage_data::Data::Ipfs(cid.clone())),
                StorageData::StatusList(entry) => Some(storage_data::Data::StatusListEntry(entry.clone())),
            },
        }
    }
}
