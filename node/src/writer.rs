//! Being the one that writes a database: getting the right to, the work, and what happens when the right is lost.

use std::time::Duration;

use node_service::index::IndexWorker;
use node_service::source::DltSource;
use node_service::sync::SyncWorker;
use node_storage::contract::{Access, StorageError};
use node_storage::{DbBackend, DbBackendConfig, NodeStorageBackend, WriterLease};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep, timeout};

use crate::exit::Failure;
use crate::logging::Console;
use crate::progress;
use crate::serve::PublishedStorage;

/// How often a standing-by process tries to become the writer, and the writer makes sure that it is.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long the server may take to answer either.
const ANSWER: Duration = Duration::from_secs(10);
/// How long a writer that lost the right, and does not stand by, tries to get it back: the server may not have noticed the end
/// of its old connection.
const REGAIN: Duration = Duration::from_secs(10);

/// What to do while another process is the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standby {
    /// Wait, for as long as it takes.
    Wait,
    /// End.
    Refuse,
}

/// How long to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until a signal comes.
    Signal,
    /// Until the source has ended and everything is indexed.
    Synced,
}

/// Writes a database.
#[derive(Debug)]
pub(crate) struct Writer<'a> {
    pub(crate) config: &'a DbBackendConfig,
    /// Whether to bring the schema up to date.
    pub(crate) migrate: bool,
    pub(crate) standby: Standby,
    pub(crate) until: Until,
    /// Where to publish the store, unless the API reads elsewhere.
    pub(crate) storage: Option<&'a PublishedStorage>,
    pub(crate) console: &'a Console,
}

impl Writer<'_> {
    /// Opens the database for writing, and syncs and indexes it.
    pub(crate) async fn run<D: DltSource>(
        &self,
        index: &IndexWorker,
        make_source: impl AsyncFnOnce(&NodeStorageBackend) -> Result<D, Failure>,
    ) -> Result<(), Failure> {
        let (storage, mut lease) = self.open().await?;
        tracing::info!("writing {}, network {}", self.config.location(), self.config.network());
        let mut sync = SyncWorker::new(make_source(&storage).await?);
        let started = Instant::now();
        let (sync_progress, index_progress) = (sync.progress(), index.progress());
        let telling = progress::tell(self.console, sync_progress.clone(), index_progress.clone());
        let work = async {
            loop {
                let lost = tokio::select! {
                    result = self.work(&mut sync, index, &storage) => return result,
                    error = lost_lease(&mut lease) => error,
                };
                tracing::warn!(
                    "stopped writing, since it is not certain any more that no other process writes: {lost}"
                );
                lease = self.regain(&storage).await?;
                tracing::info!("writing again");
            }
        };
        tokio::select! {
            result = work => {
                result?;
                progress::tell_synced(started, &sync_progress.borrow(), &index_progress.borrow());
                Ok(())
            }
            () = telling => Ok(()),
        }
    }

    async fn work<D: DltSource>(
        &self,
        sync: &mut SyncWorker<D>,
        index: &IndexWorker,
        storage: &NodeStorageBackend,
    ) -> Result<(), Failure> {
        let stored = Notify::new();
        let indexing = index.run(storage, &stored);
        match self.until {
            Until::Signal => {
                let syncing = async { sync.run(storage, &stored).await.map_err(Failure::from) };
                let indexing = async { indexing.await.map_err(Failure::from) };
                tokio::try_join!(syncing, indexing)?;
            }
            Until::Synced => {
                tokio::select! {
                    result = sync.run(storage, &stored) => result?,
                    result = indexing => result?,
                }
                index.index_all(storage).await?;
            }
        }
        Ok(())
    }

    /// The store, opened for writing, and the right to write it.
    pub(crate) async fn open(&self) -> Result<(NodeStorageBackend, WriterLease), Failure> {
        let (store, lease) = match self.config.backend() {
            // Opening the file takes its lease, and waits for it.
            DbBackend::Sqlite => {
                let store = NodeStorageBackend::connect(self.config, self.access()).await?;
                let lease = self.try_lease().await?.ok_or_else(|| self.held())?;
                (store, lease)
            }
            DbBackend::Postgres => self.open_server().await?,
        };
        self.publish(&store);
        Ok((store, lease))
    }

    async fn open_server(&self) -> Result<(NodeStorageBackend, WriterLease), Failure> {
        // Waits for a server that is not up yet, and finds out what can't be mended.
        let mut reader = self.look().await?;
        let mut told = false;
        loop {
            match self.try_lease().await {
                Ok(Some(lease)) => match NodeStorageBackend::connect(self.config, self.access()).await {
                    Ok(store) => return Ok((store, lease)),
                    Err(error) if error.is_retryable() => tracing::warn!("trying again: {error}"),
                    Err(error) => return Err(error.into()),
                },
                Ok(None) if self.standby == Standby::Refuse => return Err(self.held()),
                Ok(None) => {
                    if !told {
                        tracing::info!("standing by: another process writes {}", self.config.location());
                        told = true;
                    }
                    if reader.is_none() {
                        reader = match self.look().await {
                            Err(Failure::Storage(error)) if error.is_retryable() => None,
                            looked => looked?,
                        };
                    }
                    if let Some(store) = &reader {
                        self.publish(store);
                    }
                }
                Err(error) if error.is_retryable() => tracing::debug!("trying again: {error}"),
                Err(error) => return Err(error.into()),
            }
            sleep(HEARTBEAT).await;
        }
    }

    /// The store for reading, if it has been migrated.
    async fn look(&self) -> Result<Option<NodeStorageBackend>, Failure> {
        match NodeStorageBackend::connect(self.config, Access::Read).await {
            Ok(store) => Ok(Some(store)),
            Err(StorageError::Migration(error)) if error.is_mended_by_migrating() => Ok(None),
            Err(error) => Err(error.into()),
        }
    }

    /// Gets the right to write back, once it was lost.
    async fn regain(&self, storage: &NodeStorageBackend) -> Result<WriterLease, Failure> {
        let deadline = Instant::now() + REGAIN;
        loop {
            match self.try_lease().await {
                Ok(Some(lease)) => {
                    // Another version of the program may have been the writer meanwhile.
                    match storage.check_ready().await {
                        Ok(()) => return Ok(lease),
                        Err(error) if error.is_retryable() => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(None) if self.standby == Standby::Refuse && Instant::now() >= deadline => return Err(self.held()),
                Ok(None) => {}
                Err(error) if error.is_retryable() => {}
                Err(error) => return Err(error.into()),
            }
            sleep(HEARTBEAT).await;
        }
    }

    async fn try_lease(&self) -> Result<Option<WriterLease>, StorageError> {
        let no_answer = |_| StorageError::Unavailable {
            retryable: true,
            detail: format!("{} does not answer", self.config.location()),
        };
        timeout(ANSWER, WriterLease::try_acquire(self.config))
            .await
            .map_err(no_answer)?
    }

    fn publish(&self, store: &NodeStorageBackend) {
        if let Some(storage) = self.storage {
            storage.send_replace(Some(store.clone()));
        }
    }

    fn access(&self) -> Access {
        Access::Write { migrate: self.migrate }
    }

    fn held(&self) -> Failure {
        let detail = format!("another process writes {}", self.config.location());
        StorageError::Busy { detail }.into()
    }
}

/// Waits until the right to write is lost, and says how that was seen.
async fn lost_lease(lease: &mut WriterLease) -> StorageError {
    loop {
        sleep(HEARTBEAT).await;
        match timeout(ANSWER, lease.check()).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => return error,
            Err(_) => {
                return StorageError::Unavailable {
                    retryable: true,
                    detail: "the database does not answer".to_owned(),
                };
            }
        }
    }
}
