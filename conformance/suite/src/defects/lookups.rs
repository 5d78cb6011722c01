//! Look-ups that find the wrong thing or nothing.

use std::collections::{BTreeMap, BTreeSet};

use node_storage_contract::{
    DidSuffix, IndexOutcome, IndexedOperationRepo, ListedDid, OperationHash, OperationId, OperationPosition,
    OperationRecord, PageLimit, RawOperationRepo, Result, StorageError, StorageOwner, TransactionId, TransactionRecord,
};

use super::list::Fault;
use super::stored::{all, all_operations};
use super::writes::same_prefix;
use crate::expected::transaction_of;
use crate::model::ModelStore;

/// How many storage operations of a DID have an owner, with the fault that cuts chains.
const LONGEST_CHAIN: usize = 200;

/// Returns the operation that the fault finds under an id.
pub(super) async fn operation(fault: Fault, store: &ModelStore, id: &OperationId) -> Result<Option<OperationRecord>> {
    let found = store.operation(id).await?;
    match (fault, &found) {
        (Fault::FindsLatestOperation, Some(_)) => {
            let all = all_operations(store).await?;
            Ok(all.into_iter().rfind(|record| record.id == *id))
        }
        (Fault::HidesUnindexedOperations, Some(record)) if record.indexing.is_none() => Ok(None),
        (
            Fault::HidesIgnoredOperations,
            Some(OperationRecord {
                indexing: Some(IndexOutcome::Ignored { .. } | IndexOutcome::Undecodable { .. }),
                ..
            }),
        ) => Ok(None),
        (Fault::FindsTransactionsAsOperations, None) => {
            let id = TransactionId::new(*id.as_bytes());
            let transaction = store.transaction(&id, None, PageLimit::MAX).await?;
            Ok(transaction.and_then(|transaction| transaction.operations.into_iter().next()))
        }
        (Fault::FindsRoutedOperationFirst, Some(_)) => {
            let all = all_operations(store).await?;
            let is_routed =
                |record: &OperationRecord| record.indexing.as_ref().is_some_and(|outcome| outcome.did().is_some());
            let routed = all.into_iter().find(|record| record.id == *id && is_routed(record));
            Ok(routed.or(found))
        }
        (Fault::NotFoundIsAnError, None) => Err(StorageError::corrupt("the operation", "there is none")),
        (Fault::AnswersUnknownWithFirst, None) => Ok(all_operations(store).await?.into_iter().next()),
        _ => Ok(found),
    }
}

/// Returns the page of a transaction that the fault leaves of all of its operations.
pub(super) async fn transaction(
    fault: Fault,
    store: &ModelStore,
    id: &TransactionId,
    (after, limit): (Option<OperationPosition>, PageLimit),
) -> Result<Option<TransactionRecord>> {
    let Some(found) = store.transaction(id, after, limit).await? else {
        return Ok(None);
    };
    let most = match fault {
        Fault::CutsTransactionsAt1000 => 1_000,
        Fault::CutsTransactionsAt10000 => 10_000,
        Fault::TransactionHidesUnindexedOperations
        | Fault::TransactionCountsItsPage
        | Fault::TransactionEndsWithItsOperations
        | Fault::TransactionStartsOver => usize::MAX,
        _ => return Ok(Some(found)),
    };
    match fault {
        Fault::TransactionCountsItsPage => {
            let operation_count = u64::try_from(found.operations.len()).unwrap_or(u64::MAX);
            return Ok(Some(TransactionRecord {
                operation_count,
                ..found
            }));
        }
        Fault::TransactionEndsWithItsOperations => return Ok((!found.operations.is_empty()).then_some(found)),
        Fault::TransactionStartsOver => return store.transaction(id, None, limit).await,
        _ => {}
    }
    let operations = all(
        |record: &OperationRecord| record.operation.position,
        |after, limit| async move {
            let page = store.transaction(id, after, limit).await?;
            Ok(page.map_or_else(Vec::new, |page| page.operations))
        },
    )
    .await?;
    let mut left = operations;
    left.truncate(most);
    if fault == Fault::TransactionHidesUnindexedOperations {
        left.retain(|record| record.indexing.is_some());
    }
    let Some(whole) = transaction_of(left) else {
        return Ok(None);
    };
    let is_on_page = |record: &OperationRecord| {
        let position = record.operation.position;
        after.is_none_or(|after| position > after)
    };
    let rows = usize::try_from(limit.get()).unwrap_or(usize::MAX);
    let operations = whole.operations.into_iter().filter(is_on_page).take(rows).collect();
    Ok(Some(TransactionRecord { operations, ..whole }))
}

/// Returns the DIDs that the fault lists; `None` if it lists the right ones.
pub(super) async fn listed_dids(fault: Fault, store: &ModelStore) -> Result<Option<Vec<ListedDid>>> {
    let is_wrong = matches!(
        fault,
        Fault::ListsUncreatedDids | Fault::ListsLatestCreate | Fault::ListsDidsInOrderOfSuffix
    );
    if !is_wrong {
        return Ok(None);
    }
    let mut listed: BTreeMap<DidSuffix, ListedDid> = BTreeMap::new();
    for record in all_operations(store).await? {
        let position = record.operation.position;
        match record.indexing {
            Some(IndexOutcome::Did {
                did, lists_did: true, ..
            }) if fault == Fault::ListsLatestCreate => {
                listed.insert(did, ListedDid { did, position });
            }
            Some(IndexOutcome::Did { did, lists_did, .. }) if lists_did || fault == Fault::ListsUncreatedDids => {
                listed.entry(did).or_insert(ListedDid { did, position });
            }
            _ => {}
        }
    }
    let mut listed: Vec<_> = listed.into_values().collect();
    if fault != Fault::ListsDidsInOrderOfSuffix {
        listed.sort_by_key(|listed| listed.position);
    }
    Ok(Some(listed))
}

/// Returns the owners of storage operations with the fault.
pub(super) async fn storage_owners(
    fault: Fault,
    store: &ModelStore,
    hashes: &[OperationHash],
) -> Result<Vec<StorageOwner>> {
    let mut owners = store.storage_owners(hashes).await?;
    if hashes.is_empty() {
        return Ok(owners);
    }
    let place_in_question = |owner: &StorageOwner| hashes.iter().position(|hash| *hash == owner.operation_hash);
    match fault {
        Fault::RepeatsOwnersOfRepeatedHashes => {
            let asked = |owner: &StorageOwner| hashes.iter().filter(|hash| **hash == owner.operation_hash).count();
            owners = owners
                .iter()
                .flat_map(|owner| std::iter::repeat_n(*owner, asked(owner)))
                .collect();
        }
        Fault::CutsQuestionsAt32766Hashes => {
            let bound: BTreeSet<_> = hashes.iter().take(32_766).collect();
            owners.retain(|owner| bound.contains(&owner.operation_hash));
        }
        Fault::ComparesHashesIgnoringCase | Fault::ComparesHashesByPrefix => {
            let all = other_owners(fault, store, &[]).await?;
            let is_asked = |owner: &StorageOwner| {
                let own = owner.operation_hash.as_bytes();
                hashes.iter().any(|hash| match fault {
                    Fault::ComparesHashesByPrefix => same_prefix(hash.as_bytes(), own),
                    _ => hash.as_bytes().eq_ignore_ascii_case(own),
                })
            };
            owners = all.into_iter().filter(is_asked).collect();
        }
        Fault::OwnersComeInOrderOfQuestion => owners.sort_by_key(place_in_question),
        Fault::FindsLatestOwner | Fault::TakesDidOperationsForOwners | Fault::CutsChainsAt200 => {
            owners = other_owners(fault, store, hashes).await?;
        }
        Fault::FindsOwnersOfUnknown => {
            let any = other_owners(Fault::FindsLatestOwner, store, &[]).await?;
            for hash in hashes {
                if let Some(last) = any.last()
                    && !owners.iter().any(|owner| owner.operation_hash == *hash)
                {
                    owners.push(StorageOwner {
                        operation_hash: *hash,
                        ..*last
                    });
                }
            }
        }
        _ => {}
    }
    Ok(owners)
}

/// Computes the owners of these operations, or of all if none is given, from all stored operations.
async fn other_owners(fault: Fault, store: &ModelStore, hashes: &[OperationHash]) -> Result<Vec<StorageOwner>> {
    let wanted: BTreeSet<_> = hashes.iter().collect();
    let mut owners: BTreeMap<OperationHash, StorageOwner> = BTreeMap::new();
    let mut chains: BTreeMap<DidSuffix, usize> = BTreeMap::new();
    for record in all_operations(store).await? {
        let (did, operation_hash) = match record.indexing {
            Some(IndexOutcome::Storage { did, operation_hash }) => (did, operation_hash),
            Some(IndexOutcome::Did {
                did, operation_hash, ..
            }) if fault == Fault::TakesDidOperationsForOwners => (did, operation_hash),
            _ => continue,
        };
        let owner = StorageOwner {
            operation_hash,
            position: record.operation.position,
            did,
        };
        let length = chains.entry(did).or_default();
        *length += 1;
        if fault == Fault::FindsLatestOwner {
            owners.insert(operation_hash, owner);
        } else if fault != Fault::CutsChainsAt200 || *length <= LONGEST_CHAIN {
            owners.entry(operation_hash).or_insert(owner);
        }
    }
    let mut owners: Vec<_> = owners.into_values().collect();
    owners.retain(|owner| hashes.is_empty() || wanted.contains(&owner.operation_hash));
    owners.sort_by_key(|owner| owner.position);
    Ok(owners)
}

/// Returns the first stored transaction whose id differs from this one at most in its last byte.
pub(super) fn first_with_prefix(store: &ModelStore, id: &TransactionId) -> Option<TransactionId> {
    let content = store.content();
    let mut ids = content.blocks.values().flat_map(|block| block.transactions.values());
    ids.find(|stored| same_prefix(stored.as_bytes(), id.as_bytes()))
        .copied()
}

/// Returns the first indexed DID that differs from this one at most in its last byte.
pub(super) fn first_did_with_prefix(store: &ModelStore, did: &DidSuffix) -> Option<DidSuffix> {
    let content = store.content();
    let mut dids = content.index.values().filter_map(IndexOutcome::did);
    dids.find(|stored| same_prefix(stored.as_bytes(), did.as_bytes()))
}

/// Returns a listed DID at the position of its last valid create.
pub(super) fn latest_create(store: &ModelStore, listed: ListedDid) -> ListedDid {
    let content = store.content();
    let mut entries = content.index.iter().rev();
    let latest = entries
        .find(|(_, outcome)| matches!(outcome, IndexOutcome::Did { did, lists_did: true, .. } if *did == listed.did));
    latest.map_or(listed, |(position, _)| ListedDid {
        position: *position,
        ..listed
    })
}

/// Whether an operation is not one on a storage entry, as indexing has routed it.
pub(super) const fn is_no_storage_operation(record: &OperationRecord) -> bool {
    !matches!(record.indexing, Some(IndexOutcome::Storage { .. }))
}
