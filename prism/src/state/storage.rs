//! Storage entries of a DID (verifiable data registry). Each entry is a chain of its own, apart from that of the DID.

use std::collections::HashMap;

use crate::digest::OperationHash;
use crate::proto;
use crate::proto::{proto_create_storage_entry, proto_update_storage_entry, storage_data};

/// What a storage entry holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StorageData {
    /// Bytes, possibly none.
    Bytes(Vec<u8>),
    /// An IPFS content identifier, as published.
    Ipfs(String),
    /// An entry of a status list, replaced as a whole by an update.
    StatusList(proto::StatusListEntry),
}

/// A storage entry, kept also when it is no longer active.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StorageEntry {
    /// Hash of the operation that created the entry; its name for good.
    pub reference: OperationHash,
    /// Hash of the last operation on the entry: what the next one must name.
    pub latest_event: OperationHash,
    /// The data after that operation; after a deactivation the last data.
    pub data: StorageData,
    /// False once the entry, or its DID, was deactivated.
    pub active: bool,
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

    /// Adds an entry. Its reference must be new.
    pub(super) fn add(&mut self, reference: OperationHash, data: StorageData) {
        let index = self.entries.len();
        self.index_of_reference.insert(reference, index);
        self.index_of_latest_event.insert(reference, index);
        self.entries.push(StorageEntry {
            reference,
            latest_event: reference,
            data,
            active: true,
        });
    }

    /// Whether an active entry has `event` as its last one.
    pub(super) fn is_latest_event(&self, event: &OperationHash) -> bool {
        self.index_of_latest_event
            .get(event)
            .and_then(|index| self.entries.get(*index))
            .is_some_and(|entry| entry.active)
    }

    /// Appends `event` to the entry whose last one is `previous`: it replaces the data, or without data deactivates the
    /// entry. There must be an active entry of that kind.
    pub(super) fn append(&mut self, previous: &OperationHash, event: OperationHash, data: Option<StorageData>) {
        let Some(index) = self.index_of_latest_event.remove(previous) else {
            return;
        };
        self.index_of_latest_event.insert(event, index);
        if let Some(entry) = self.entries.get_mut(index) {
            entry.latest_event = event;
            match data {
                Some(data) => entry.data = data,
                None => entry.active = false,
            }
        }
    }

    /// The DID was deactivated.
    pub(super) fn deactivate_all(&mut self) {
        for entry in &mut self.entries {
            entry.active = false;
        }
    }
}

impl From<proto_create_storage_entry::Data> for StorageData {
    fn from(data: proto_create_storage_entry::Data) -> Self {
        match data {
            proto_create_storage_entry::Data::Bytes(bytes) => Self::Bytes(bytes),
            proto_create_storage_entry::Data::Ipfs(cid) => Self::Ipfs(cid),
            proto_create_storage_entry::Data::StatusListEntry(entry) => Self::StatusList(entry),
        }
    }
}

impl From<proto_update_storage_entry::Data> for StorageData {
    fn from(data: proto_update_storage_entry::Data) -> Self {
        match data {
            proto_update_storage_entry::Data::Bytes(bytes) => Self::Bytes(bytes),
            proto_update_storage_entry::Data::Ipfs(cid) => Self::Ipfs(cid),
            proto_update_storage_entry::Data::StatusListEntry(entry) => Self::StatusList(entry),
        }
    }
}

impl From<&StorageEntry> for proto::StorageData {
    fn from(entry: &StorageEntry) -> Self {
        Self {
            init_operation_hash: entry.reference.as_bytes().to_vec(),
            prev_operation_hash: entry.latest_event.as_bytes().to_vec(),
            data: Some(match &entry.data {
                StorageData::Bytes(bytes) => storage_data::Data::Bytes(bytes.clone()),
                StorageData::Ipfs(cid) => storage_data::Data::Ipfs(cid.clone()),
                StorageData::StatusList(entry) => storage_data::Data::StatusListEntry(entry.clone()),
            }),
        }
    }
}
