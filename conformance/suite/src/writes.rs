//! Writes by somebody who goes on from whatever cursor is stored, as the cases do that are not about the expected one.

use node_storage_contract::{Appended, Cursor, NodeStorage, PublishedBlock, Result, StorageError};

/// More often than this, nobody else moves the cursor between the reading of it and the write.
const ATTEMPTS: usize = 1_000;

/// Appends, expecting the cursor that is stored. Another writer may move it in between: then it is read again.
///
/// # Errors
/// Those of [`append`](node_storage_contract::RawOperationRepo::append).
pub async fn deliver<S: NodeStorage>(store: &S, blocks: &[PublishedBlock], cursor: Cursor) -> Result<Appended> {
    let mut attempts = ATTEMPTS;
    loop {
        let expected = store.cursor().await?;
        match store.append(expected, blocks, cursor).await {
            Err(StorageError::CursorMoved(_)) if attempts > 0 => attempts -= 1,
            answer => return answer,
        }
    }
}

/// Moves the cursor, expecting the one that is stored. Another writer may move it in between: then it is read again.
///
/// # Errors
/// Those of [`advance_cursor`](node_storage_contract::DltCursorRepo::advance_cursor).
pub async fn move_cursor<S: NodeStorage>(store: &S, cursor: Cursor) -> Result<()> {
    let mut attempts = ATTEMPTS;
    loop {
        let expected = store.cursor().await?;
        match store.advance_cursor(expected, cursor).await {
            Err(StorageError::CursorMoved(_)) if attempts > 0 => attempts -= 1,
            answer => return answer,
        }
    }
}
