//! Opening a database that others write, for reading: now, or as soon as there is one.

use std::time::Duration;

use node_storage::contract::{Access, StorageError};
use node_storage::{DbBackendConfig, DltCursorRepo, NodeStorageBackend};
use tokio::time::sleep;

use crate::exit::Failure;
use crate::serve::PublishedStorage;

/// How often a database that can't be read yet is looked at again.
pub(crate) const LOOK_AGAIN: Duration = Duration::from_secs(1);

/// How often it is looked whether a database that could be read still can.
const LOOK: Duration = Duration::from_secs(5);

/// Publishes the store for reading as soon as it can be read, and keeps an eye on its network until that is known.
///
/// # Errors
/// What waiting does not mend: another network, a newer schema, a server that can't be reached at the first attempt.
pub(crate) async fn keep_open(config: &DbBackendConfig, storage: &PublishedStorage) -> Result<(), Failure> {
    let store = open(config).await?;
    storage.send_replace(Some(store.clone()));
    wait_for_network(config, &store).await?;
    tell_of_faults(config, &store).await;
    Ok(())
}

/// Says when the database can't be read any more, and when it can again: whoever reads it only when asked would not know.
async fn tell_of_faults(config: &DbBackendConfig, store: &NodeStorageBackend) {
    let mut told = false;
    loop {
        sleep(LOOK).await;
        match store.check_ready().await {
            Ok(()) if told => {
                tracing::info!("reading {} again", config.location());
                told = false;
            }
            Err(error) if !told => {
                tracing::warn!("waiting for the database: {error}");
                told = true;
            }
            Ok(()) | Err(_) => {}
        }
    }
}

/// The store, once it can be read.
pub(crate) async fn open(config: &DbBackendConfig) -> Result<NodeStorageBackend, Failure> {
    // The file of an embedded database appears with its first writer.
    let mut reached = config.backend().is_embedded();
    let mut told = false;
    loop {
        match NodeStorageBackend::connect(config, Access::Read).await {
            Ok(store) => {
                tracing::info!("reading {}", config.location());
                return Ok(store);
            }
            Err(error) if is_awaited(&error, reached) => {
                if !told {
                    tracing::warn!("waiting for a database that can be read: {error}");
                    told = true;
                }
            }
            Err(error) => return Err(error.into()),
        }
        reached = true;
        sleep(LOOK_AGAIN).await;
    }
}

/// Whether somebody else's work, or time, may mend it. A server that was never `reached` may have been misspelt.
fn is_awaited(error: &StorageError, reached: bool) -> bool {
    match error {
        StorageError::Migration(error) => error.is_mended_by_migrating(),
        error => reached && error.is_retryable(),
    }
}

/// The first writer names the network. Whoever opened before that has to look whether it is the right one.
async fn wait_for_network(config: &DbBackendConfig, store: &NodeStorageBackend) -> Result<(), Failure> {
    loop {
        match store.network().await {
            Ok(Some(stored)) if stored != config.network() => {
                let requested = config.network();
                return Err(StorageError::WrongNetwork { stored, requested }.into());
            }
            Ok(Some(_)) => return Ok(()),
            // What can't be read just now is looked at again; requests tell of it meanwhile.
            Ok(None) | Err(_) => sleep(LOOK_AGAIN).await,
        }
    }
}
