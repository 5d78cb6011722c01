//! Which operation belongs to which DID.

use std::collections::BTreeSet;
use std::ops::Bound;

use node_storage_contract::{
    DidSuffix, IndexEntry, IndexOutcome, IndexPlan, Indexed, IndexedOperationRepo, ListedDid, OperationHash,
    OperationPosition, OperationRecord, PageLimit, Result, StorageOwner,
};
use redb::WriteTransaction;

use crate::RedbStore;
use crate::encoding::{decode_did, decode_owner, decode_position, encode_outcome, encode_owner, position_key};
use crate::error::classify;
use crate::indexer_state::{store_watermark, stored_watermark};
use crate::raw_operation::{Records, rows};
use crate::tables::{
    DID_OPERATIONS, INDEX, LISTED_DIDS, LISTED_DIDS_BY_POSITION, OPERATIONS, SINGLETONS, STORAGE_OWNERS, WATERMARK, above,
    entries, get, positions, put, to_read, to_write,
};

impl IndexedOperationRepo for RedbStore {
    async fn index(&self, batch: &[IndexEntry]) -> Result<Indexed> {
        let plan = IndexPlan::new(batch)?;
        self.write(|transaction| {
            let mut singletons = to_write(transaction, SINGLETONS)?;
            let watermark = stored_watermark(&singletons)?;
            let operations = to_write(transaction, OPERATIONS)?;
            let next = positions(&operations, &[], above(watermark))?.next().transpose()?;
            let mut stored = Vec::new();
            if let Some((first, last)) = plan.span() {
                let needed = usize::try_from(plan.positions_needed()).unwrap_or(usize::MAX);
                stored = positions(&operations, &[], Bound::Included(first))?
                    .take(needed)
                    .take_while(|position| !matches!(position, Ok(position) if *position > last))
                    .collect::<Result<_>>()?;
            }
            let new = plan.against(watermark, &stored, next)?;
            add(transaction, &new)?;
            let last = new.last().map(|(position, _)| *position);
            if let Some(position) = last {
                store_watermark(&mut singletons, position)?;
            }
            Ok(Indexed {
                entries: new.len(),
                watermark: last.or(watermark),
            })
        })
        .await
    }

    async fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> Result<Vec<OperationRecord>> {
        self.read(|transaction| {
            let of_dids = to_read(transaction, DID_OPERATIONS)?;
            let of_did = positions(&of_dids, did.as_slice(), above(after))?;
            Records::in_transaction(transaction)?.page(of_did, limit)
        })
    }

    async fn storage_owners(&self, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
        self.read(|transaction| {
            let owners = to_read(transaction, STORAGE_OWNERS)?;
            let mut found = Vec::new();
            for hash in hashes.iter().collect::<BTreeSet<_>>() {
                found.extend(get(&owners, hash.as_slice(), |value| decode_owner(*hash, value))?);
            }
            found.sort_by_key(|owner| owner.position);
            Ok(found)
        })
    }

    async fn listed_did(&self, did: &DidSuffix) -> Result<Option<ListedDid>> {
        self.read(|transaction| {
            let listed = to_read(transaction, LISTED_DIDS)?;
            let position = get(&listed, did.as_slice(), decode_position)?;
            Ok(position.map(|position| ListedDid { did: *did, position }))
        })
    }

    async fn listed_dids_after(&self, after: Option<OperationPosition>, limit: PageLimit) -> Result<Vec<ListedDid>> {
        self.read(|transaction| {
            let listed = to_read(transaction, LISTED_DIDS_BY_POSITION)?;
            entries(&listed, &[], above(after), |position, value| {
                let did = decode_did(value)?;
                Ok(ListedDid { did, position })
            })?
            .take(rows(limit))
            .collect()
        })
    }
}

/// Writes these entries, all above the watermark and ascending: what is found already stands lower, and stays.
fn add(transaction: &WriteTransaction, entries: &[(OperationPosition, &IndexOutcome)]) -> Result<()> {
    let mut index = to_write(transaction, INDEX)?;
    let mut of_dids = to_write(transaction, DID_OPERATIONS)?;
    let mut owners = to_write(transaction, STORAGE_OWNERS)?;
    for (position, outcome) in entries {
        let key = position_key(*position);
        put(&mut index, &key, &encode_outcome(outcome))?;
        if let Some(did) = outcome.did() {
            put(&mut of_dids, &[did.as_slice(), &key].concat(), &[])?;
        }
        if let IndexOutcome::Storage { did, operation_hash } = outcome
            && get(&owners, operation_hash.as_slice(), |_| Ok(()))?.is_none()
        {
            put(&mut owners, operation_hash.as_slice(), &encode_owner(*position, did))?;
        }
    }
    let mut listed = to_write(transaction, LISTED_DIDS)?;
    let mut by_position = to_write(transaction, LISTED_DIDS_BY_POSITION)?;
    for ListedDid { did, position } in ListedDid::lowest_of(entries) {
        if get(&listed, did.as_slice(), |_| Ok(()))?.is_none() {
            let key = position_key(position);
            put(&mut listed, did.as_slice(), &key)?;
            put(&mut by_position, &key, did.as_slice())?;
        }
    }
    Ok(())
}

impl RedbStore {
    /// Removes everything that indexing has made, and the watermark.
    pub(crate) async fn clear_index(&self) -> Result<()> {
        self.write(|transaction| {
            for table in [
                INDEX,
                DID_OPERATIONS,
                STORAGE_OWNERS,
                LISTED_DIDS,
                LISTED_DIDS_BY_POSITION,
            ] {
                transaction.delete_table(table).map_err(classify)?;
                to_write(transaction, table)?;
            }
            let mut singletons = to_write(transaction, SINGLETONS)?;
            singletons.remove(WATERMARK).map_err(classify)?;
            Ok(())
        })
        .await
    }
}
