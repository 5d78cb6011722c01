//! What is stored where, and the two ways to look into a table: one key, or a run of keys.
//!
//! All tables map bytes to bytes, and redb orders keys as bytes. A position is a key of 16 bytes that order as positions do.
//! So whatever is listed by position is a run of keys, and no query takes longer as the database grows.

use std::ops::Bound;

use node_storage_contract::{OperationPosition, Result, StorageError};
use redb::{ReadTransaction, ReadableTable, TableDefinition, WriteTransaction};

use crate::encoding::{decode_position, position_key};
use crate::error::classify;

/// Bytes by bytes.
pub(crate) type Definition = TableDefinition<'static, &'static [u8], &'static [u8]>;
/// One of the tables, in a transaction that reads.
pub(crate) type ReadTable = redb::ReadOnlyTable<&'static [u8], &'static [u8]>;
/// One of the tables, in a transaction that writes.
pub(crate) type WriteTable<'t> = redb::Table<'t, &'static [u8], &'static [u8]>;

/// Block number → slot, time and hash.
pub(crate) const BLOCKS: Definition = Definition::new("block");
/// Block number, absn → transaction id.
pub(crate) const TRANSACTIONS: Definition = Definition::new("transaction");
/// Transaction id → block number, absn.
pub(crate) const TRANSACTION_PLACES: Definition = Definition::new("transaction_place");
/// Position → operation id and bytes.
pub(crate) const OPERATIONS: Definition = Definition::new("operation");
/// Operation id, position → nothing: one entry for each time the operation was published.
pub(crate) const OPERATION_PLACES: Definition = Definition::new("operation_place");
/// Position → what indexing made of the operation.
pub(crate) const INDEX: Definition = Definition::new("index");
/// DID, position → nothing: the operations routed to the DID.
pub(crate) const DID_OPERATIONS: Definition = Definition::new("did_operation");
/// Hash of a storage operation → the lowest position it is indexed at, and its owner.
pub(crate) const STORAGE_OWNERS: Definition = Definition::new("storage_owner");
/// DID → position of its first valid create.
pub(crate) const LISTED_DIDS: Definition = Definition::new("listed_did");
/// Position → the DID whose first valid create stands there.
pub(crate) const LISTED_DIDS_BY_POSITION: Definition = Definition::new("listed_did_by_position");
/// One entry each: the keys are below.
pub(crate) const SINGLETONS: Definition = Definition::new("singleton");

pub(crate) const CURSOR: &[u8] = b"cursor";
pub(crate) const WATERMARK: &[u8] = b"watermark";
pub(crate) const NETWORK: &[u8] = b"network";

/// All tables.
pub(crate) const ALL: [Definition; 11] = [
    BLOCKS,
    TRANSACTIONS,
    TRANSACTION_PLACES,
    OPERATIONS,
    OPERATION_PLACES,
    INDEX,
    DID_OPERATIONS,
    STORAGE_OWNERS,
    LISTED_DIDS,
    LISTED_DIDS_BY_POSITION,
    SINGLETONS,
];

/// The table as this transaction sees it.
pub(crate) fn to_read(transaction: &ReadTransaction, definition: Definition) -> Result<ReadTable> {
    transaction.open_table(definition).map_err(classify)
}

/// The table, to read and to change it; nobody else may hold it in this transaction.
pub(crate) fn to_write(transaction: &WriteTransaction, definition: Definition) -> Result<WriteTable<'_>> {
    transaction.open_table(definition).map_err(classify)
}

/// What stands at this key.
pub(crate) fn get<T>(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
    key: &[u8],
    decode: impl FnOnce(&[u8]) -> Result<T>,
) -> Result<Option<T>> {
    let value = table.get(key).map_err(classify)?;
    value.map(|value| decode(value.value())).transpose()
}

/// Puts a value at this key.
pub(crate) fn put(table: &mut WriteTable<'_>, key: &[u8], value: &[u8]) -> Result<()> {
    table.insert(key, value).map(drop).map_err(classify)
}

/// The entries whose key is `prefix` and then a position from `from` on, ascending. `prefix` may reach into the position:
/// then `from` is unbounded.
pub(crate) fn entries<'t, T>(
    table: &'t impl ReadableTable<&'static [u8], &'static [u8]>,
    prefix: &[u8],
    from: Bound<OperationPosition>,
    decode: impl Fn(OperationPosition, &[u8]) -> Result<T> + 't,
) -> Result<impl Iterator<Item = Result<T>> + 't> {
    let lowest = match from {
        Bound::Unbounded => Bound::Included(prefix.to_vec()),
        bound => bound.map(|position| [prefix, &position_key(position)].concat()),
    };
    let highest = [prefix, &[u8::MAX; 16]].concat();
    let keys = (lowest.as_ref().map(Vec::as_slice), Bound::Included(highest.as_slice()));
    let found = table.range::<&[u8]>(keys).map_err(classify)?;
    Ok(found.map(move |entry| {
        let (key, value) = entry.map_err(classify)?;
        decode(position_of(key.value())?, value.value())
    }))
}

/// The positions of these entries.
pub(crate) fn positions<'t>(
    table: &'t impl ReadableTable<&'static [u8], &'static [u8]>,
    prefix: &[u8],
    from: Bound<OperationPosition>,
) -> Result<impl Iterator<Item = Result<OperationPosition>> + 't> {
    entries(table, prefix, from, |position, _| Ok(position))
}

/// The highest position of a table whose keys are positions.
pub(crate) fn last_position(
    table: &impl ReadableTable<&'static [u8], &'static [u8]>,
) -> Result<Option<OperationPosition>> {
    let last = table.last().map_err(classify)?;
    last.map(|(key, _)| position_of(key.value())).transpose()
}

/// The bound of a page that starts above this position.
pub(crate) fn above(position: Option<OperationPosition>) -> Bound<OperationPosition> {
    position.map_or(Bound::Unbounded, Bound::Excluded)
}

/// The position that a key ends with.
fn position_of(key: &[u8]) -> Result<OperationPosition> {
    let position = key.last_chunk::<16>();
    decode_position(position.ok_or_else(|| StorageError::corrupt("a key", "it is too short for a position"))?)
}
