//! The connections of a store, for the faults that are about them.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use node_storage_contract::{Result, StorageError};

use super::list::Fault;
use super::shared::{Shared, busy};

/// How many connections a store has.
const CONNECTIONS: usize = 10;

/// What a call holds until it ends.
pub(super) struct Connection {
    shared: Arc<Shared>,
    fault: Option<Fault>,
    is_kept: bool,
}

impl Connection {
    /// Takes a connection, or fails with `Busy` if all are taken.
    pub(super) async fn take(shared: &Arc<Shared>, fault: Option<Fault>) -> Result<Self> {
        let held = shared.connections.fetch_add(1, Ordering::Relaxed);
        let mut connection = Self {
            shared: Arc::clone(shared),
            fault,
            is_kept: false,
        };
        let is_limited = matches!(
            fault,
            Some(Fault::RefusalKeepsConnection | Fault::DroppedCallKeepsConnection | Fault::RefusesCallsBeyondTen)
        );
        if fault == Some(Fault::CallsBeyondTenHang) && held >= CONNECTIONS {
            std::future::pending::<()>().await;
        }
        if is_limited && held >= CONNECTIONS {
            return Err(busy());
        }
        connection.is_kept = fault == Some(Fault::DroppedCallKeepsConnection);
        Ok(connection)
    }

    /// Gives the connection back, after the call has got this answer.
    pub(super) fn give_back<T, E>(mut self, answer: &Result<T, E>) {
        self.is_kept = self.fault == Some(Fault::RefusalKeepsConnection) && answer.is_err();
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        if !self.is_kept {
            self.shared.connections.fetch_sub(1, Ordering::Relaxed);
        }
    }
}

/// A clone that has not been dropped.
#[derive(Debug)]
pub(super) struct OpenClone {
    shared: Arc<Shared>,
    fault: Option<Fault>,
}

impl OpenClone {
    pub(super) fn new(shared: &Arc<Shared>, fault: Option<Fault>) -> Self {
        Self {
            shared: Arc::clone(shared),
            fault,
        }
    }

    /// Refuses calls if the fault has closed the store.
    pub(super) fn must_be_open(&self) -> Result<()> {
        if self.fault == Some(Fault::DroppedCloneClosesTheStore) && self.shared.notes(|notes| notes.is_closed) {
            return Err(StorageError::Unavailable {
                retryable: false,
                detail: "the connection is closed".to_owned(),
            });
        }
        Ok(())
    }
}

impl Drop for OpenClone {
    fn drop(&mut self) {
        self.shared.notes(|notes| notes.is_closed = true);
    }
}
