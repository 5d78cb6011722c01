//! What the cases assert of writes.

use std::fmt::Debug;
use std::future::Future;
use std::panic::Location;

use node_storage_contract::{
    Appended, Conflict, ConflictReason, Cursor, CursorMoved, IndexEntry, NodeStorage, PublishedBlock, Result,
    StorageError, Subject,
};

use crate::data::cursor_after;
use crate::expected;
use crate::observe::{Observation, observe};
use crate::streams::{first_difference, list, same_refusal};
use crate::writes::deliver;

/// Delivers blocks, with the cursor at the last of them, all of which must be accepted.
#[track_caller]
pub(crate) fn append<'a, S: NodeStorage>(
    store: &'a S,
    blocks: &'a [PublishedBlock],
) -> impl Future<Output = Appended> + 'a {
    let place = Location::caller();
    async move {
        match deliver(store, blocks, cursor_after(blocks)).await {
            Ok(appended) => appended,
            Err(error) => panic!("{place}: blocks that contradict nothing were refused: {error}"),
        }
    }
}

/// Indexes a batch, which must be accepted.
#[track_caller]
pub(crate) fn index<'a, S: NodeStorage>(store: &'a S, batch: &'a [IndexEntry]) -> impl Future<Output = ()> + 'a {
    let place = Location::caller();
    async move {
        if let Err(error) = store.index(batch).await {
            panic!("{place}: a batch that contradicts nothing was refused: {error}");
        }
    }
}

/// Awaits a write that must be refused as this conflict, and must leave everything as it was.
#[track_caller]
pub(crate) fn assert_conflict<'a, S: NodeStorage, T: Debug>(
    store: &'a S,
    write: impl Future<Output = Result<T>> + 'a,
    at: impl Into<Subject>,
    reason: ConflictReason,
) -> impl Future<Output = ()> + 'a {
    assert_refused(store, write, Conflict { at: at.into(), reason }.into())
}

/// Awaits a write that must be refused since another cursor is stored than it expects, and must leave everything as it was.
#[track_caller]
pub(crate) fn assert_moved<'a, S: NodeStorage, T: Debug>(
    store: &'a S,
    write: impl Future<Output = Result<T>> + 'a,
    expected: CursorMoved,
) -> impl Future<Output = ()> + 'a {
    assert_refused(store, write, Box::new(expected).into())
}

#[track_caller]
fn assert_refused<'a, S: NodeStorage, T: Debug>(
    store: &'a S,
    write: impl Future<Output = Result<T>> + 'a,
    expected: StorageError,
) -> impl Future<Output = ()> + 'a {
    let place = Location::caller();
    async move {
        let before = observe(store).await;
        match write.await {
            Err(error) if same_refusal(&expected, &error) => {}
            other => panic!("{place}: no {expected:?}, but {other:?}"),
        }
        assert_same(
            &observe(store).await,
            &before,
            place,
            "a refused write changed the store",
        );
    }
}

/// Awaits a write that must be accepted, and must leave everything as it was.
#[track_caller]
pub(crate) fn assert_no_op<'a, S: NodeStorage, T: Debug + PartialEq + 'a>(
    store: &'a S,
    write: impl Future<Output = Result<T>> + 'a,
    answer: T,
) -> impl Future<Output = ()> + 'a {
    let place = Location::caller();
    async move {
        let before = observe(store).await;
        match write.await {
            Ok(given) => assert_eq!(given, answer, "{place}: the wrong answer"),
            Err(error) => panic!("{place}: refused: {error}"),
        }
        assert_same(
            &observe(store).await,
            &before,
            place,
            "a write without effect changed the store",
        );
    }
}

/// The store must answer as one that holds exactly this.
#[track_caller]
pub(crate) fn assert_holds<'a, S: NodeStorage>(
    store: &'a S,
    blocks: &'a [PublishedBlock],
    cursor: Cursor,
    entries: &'a [IndexEntry],
) -> impl Future<Output = ()> + 'a {
    let place = Location::caller();
    async move {
        let expected = expected::observation(blocks, cursor, entries);
        assert_same(
            &observe(store).await,
            &expected,
            place,
            "the store does not hold what was delivered",
        );
    }
}

/// The store must answer everything as another one did, or this one before.
#[track_caller]
pub(crate) fn assert_answers<'a, S: NodeStorage>(
    store: &'a S,
    expected: &'a Observation,
) -> impl Future<Output = ()> + 'a {
    let place = Location::caller();
    async move {
        assert_same(
            &observe(store).await,
            expected,
            place,
            "the store does not answer as before",
        );
    }
}

/// Compares two observations, and says where they differ first.
fn assert_same(found: &Observation, expected: &Observation, place: &Location<'_>, consequence: &str) {
    if let Some(difference) = first_difference(expected, found) {
        panic!("{place}: {consequence}: {difference}");
    }
}

/// Two lists must be equal; otherwise the panic says where they differ first. `what` is one of their rows.
#[track_caller]
pub(crate) fn assert_rows<Row: PartialEq + Debug>(found: &[Row], expected: &[Row], what: &str) {
    if let Some(difference) = list(what, expected, found) {
        panic!("{difference}");
    }
}
