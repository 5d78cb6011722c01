//! What a store answers otherwise than the model.

use std::fmt;
use std::mem::discriminant;

use node_storage_contract::StorageError;

use super::call::Answer;
use crate::observe::Observation;

/// What the two answers differ in.
pub(super) fn difference(
    expected: &Result<Answer, StorageError>,
    found: &Result<Answer, StorageError>,
    is_one_contradiction: bool,
) -> Option<String> {
    let is_same = match (expected, found) {
        (Ok(expected), Ok(found)) => expected == found,
        (Err(StorageError::Conflict(expected)), Err(StorageError::Conflict(found))) if is_one_contradiction => {
            expected == found
        }
        (Err(StorageError::Conflict(_)), Err(StorageError::Conflict(_))) => true,
        (Err(expected), Err(found)) => same_refusal(expected, found),
        (Ok(_), Err(_)) | (Err(_), Ok(_)) => false,
    };
    (!is_same).then(|| format!("the answer is {} instead of {}", short(found), short(expected)))
}

/// Whether two refusals are the same, with every field that says what was wrong.
pub(crate) fn same_refusal(expected: &StorageError, found: &StorageError) -> bool {
    match (expected, found) {
        (StorageError::Conflict(expected), StorageError::Conflict(found)) => expected == found,
        (StorageError::CursorMoved(expected), StorageError::CursorMoved(found)) => expected == found,
        (StorageError::BoundMismatch(expected), StorageError::BoundMismatch(found)) => expected == found,
        (StorageError::OutOfRange(expected), StorageError::OutOfRange(found)) => expected == found,
        (
            StorageError::WrongNetwork { stored, requested },
            StorageError::WrongNetwork {
                stored: found_stored,
                requested: found_requested,
            },
        ) => (stored, requested) == (found_stored, found_requested),
        // What an engine says in words is its own.
        (expected, found) => discriminant(expected) == discriminant(found),
    }
}

/// The first thing that is observed differently.
pub(crate) fn first_difference(expected: &Observation, found: &Observation) -> Option<String> {
    // Named, so that a new field can't be forgotten.
    let Observation {
        cursor,
        bound,
        state,
        operations,
        published,
        blocks,
        transactions,
        by_id,
        of_dids,
        storage_owners,
        listed_dids,
        found_dids,
    } = expected;
    one("cursor", cursor, &found.cursor)
        .or_else(|| one("bound", bound, &found.bound))
        .or_else(|| one("indexer's state", state, &found.state))
        .or_else(|| list("operation", operations, &found.operations))
        .or_else(|| list("published operation", published, &found.published))
        .or_else(|| list("block", blocks, &found.blocks))
        .or_else(|| list("transaction", transactions, &found.transactions))
        .or_else(|| list("operation by id", by_id, &found.by_id))
        .or_else(|| list("DID with operations", of_dids, &found.of_dids))
        .or_else(|| list("storage owner", storage_owners, &found.storage_owners))
        .or_else(|| list("listed DID", listed_dids, &found.listed_dids))
        .or_else(|| list("found DID", found_dids, &found.found_dids))
}

fn one<T: PartialEq + fmt::Debug>(what: &str, expected: &T, found: &T) -> Option<String> {
    (expected != found).then(|| format!("the {what} is {} instead of {}", short(found), short(expected)))
}

/// The first row of a list that is another than expected, and how many rows there are.
pub(crate) fn list<T: PartialEq + fmt::Debug>(what: &str, expected: &[T], found: &[T]) -> Option<String> {
    let longest = expected.len().max(found.len());
    let index = (0..longest).find(|index| expected.get(*index) != found.get(*index))?;
    let lengths = format!("{} found, {} expected", found.len(), expected.len());
    let (expected, found) = (short(&expected.get(index)), short(&found.get(index)));
    Some(format!("{what} {index} is {found} instead of {expected} ({lengths})"))
}

/// The beginning of what `Debug` writes; operations may be long.
pub(crate) fn short(value: &impl fmt::Debug) -> String {
    const CHARACTERS: usize = 800;
    let text = format!("{value:?}");
    match text.char_indices().nth(CHARACTERS) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}
