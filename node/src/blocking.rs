//! Work that blocks its thread.

use std::io;

use tokio::task::spawn_blocking;

use crate::exit::Failure;

/// Runs what waits for files beside the tasks that wait for databases and signals.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, Failure> + Send + 'static,
) -> Result<T, Failure> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(error) => Err(Failure::io("a thread has ended early")(io::Error::other(error))),
    }
}
