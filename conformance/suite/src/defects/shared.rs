//! What all stores of one factory share.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use node_storage_contract::{
    BlockNo, OperationPosition, PublishedBlock, StorageError, TransactionId, TransactionIndex,
};

/// More calls than any case makes.
const MOST_CALLS: usize = 60_000;

/// What all stores of a factory share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// Calls so far.
    calls: AtomicUsize,
    /// Calls that hold a connection.
    pub(super) connections: AtomicUsize,
    /// Openings so far.
    pub(super) openings: AtomicUsize,
    notes: Mutex<Notes>,
}

/// What faulty stores remember.
#[derive(Debug, Default)]
pub(super) struct Notes {
    /// Whether the last append was refused.
    pub(super) was_refused: bool,
    /// Whether an opening was refused.
    pub(super) was_opening_refused: bool,
    /// Whether a clone was dropped.
    pub(super) is_closed: bool,
    /// Openings for writing that have not been closed.
    pub(super) writers: usize,
    /// The delivered positions, in order of delivery.
    pub(super) delivered: Vec<OperationPosition>,
    /// How many operations were delivered again.
    pub(super) again: usize,
    /// How many operations refused calls had.
    pub(super) refused_operations: usize,
    /// The blocks of refused calls.
    pub(super) refused_blocks: BTreeMap<BlockNo, PublishedBlock>,
    /// The transactions of refused calls.
    pub(super) refused_transactions: BTreeMap<TransactionId, (BlockNo, TransactionIndex)>,
}

impl Shared {
    /// Reads or changes the notes.
    pub(super) fn notes<T>(&self, with: impl FnOnce(&mut Notes) -> T) -> T {
        let mut notes = self.notes.lock().unwrap_or_else(PoisonError::into_inner);
        with(&mut notes)
    }

    /// Lets other calls run: one to three times, so that calls that began one after another do not stay in that order.
    ///
    /// After [`MOST_CALLS`] it never returns, so that a case that asks again and again is cut by its limit.
    pub(super) async fn take_turns(&self) {
        let call = self.calls.fetch_add(1, Ordering::Relaxed);
        if call > MOST_CALLS {
            std::future::pending::<()>().await;
        }
        for _ in 0..=call % 3 {
            pause().await;
        }
    }
}

/// Lets other calls run once.
pub(super) async fn pause() {
    tokio::task::yield_now().await;
}

/// The refusal of a call for which no connection is free.
pub(super) fn busy() -> StorageError {
    StorageError::Busy {
        detail: "all connections are in use".to_owned(),
    }
}
