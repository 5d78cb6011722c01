//! Progress of a backup or a restore.

use std::sync::Arc;

/// How far a backup or a restore has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Progress {
    /// Operations read.
    pub operations: u64,
    /// How many there are, where that is known beforehand.
    pub total: Option<u64>,
    /// Bytes of archives written or read.
    pub bytes: u64,
}

/// Is told of progress now and then, from any thread.
pub type ProgressFn = Arc<dyn Fn(Progress) + Send + Sync>;
