//! Being the one that writes a database: getting the right to, the work, and what happens when the right is lost.

use std::convert::Infallible;
use std::future::pending;
use std::time::Duration;

use node_service::index::{IndexProgress, IndexWorker};
use node_service::sync::{SyncProgress, SyncUntil, SyncWorker};
use node_storage::contract::{Access, OtherWriter, OwnedStore, StorageError, WriterLease};
use node_storage::{DbBackendConfig, NodeStorageBackend};
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep};

use crate::exit::Failure;
use crate::logging::Console;
use crate::progress;
use crate::serve::PublishedStorage;

/// How often a standing-by process tries to become the writer, and the writer makes sure that it is.
const HEARTBEAT: Duration = Duration::from_secs(1);
/// How long a writer that lost the right, and does not stand by, tries to get it back: the server may not have noticed the end
/// of its old connection, and notices it after 8 s.
const REGAIN: Duration = Duration::from_secs(15);

/// What to do while another process is the writer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Standby {
    /// Wait, for as long as it takes.
    Wait,
    /// End.
    Refuse,
}

/// What a process that wants to write is doing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum WriterState {
    /// Opening the database, or getting the right to write it back.
    #[default]
    Starting,
    /// Waiting for another process, which writes.
    StandingBy,
    /// Writing.
    Writing,
    /// Waiting for the database, which does not take what is to be written.
    Waiting,
}

/// How long to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Until {
    /// Until a signal comes.
    Signal,
    /// Until everything that the source has for now is stored and indexed.
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
    /// Where to publish what it is doing.
    pub(crate) state: &'a watch::Sender<WriterState>,
    pub(crate) console: &'a Console,
}

impl Writer<'_> {
    /// Opens the database for writing, and syncs and indexes it.
    pub(crate) async fn run(&self, index: &IndexWorker, sync: &mut SyncWorker<'_>) -> Result<(), Failure> {
        let (storage, mut lease) = self.open().await?;
        tracing::info!("writing {}, network {}", self.config.location(), self.config.network());
        let started = Instant::now();
        let (sync_progress, index_progress) = (sync.progress(), index.progress());
        let telling = progress::tell(
            self.console,
            sync_progress.clone(),
            sync.heard(),
            index_progress.clone(),
        );
        let work = async {
            loop {
                let lost = tokio::select! {
                    result = self.work(sync, index, &storage) => return result,
                    error = lost_lease(lease.as_mut()) => error,
                    never = self.tell_state(sync_progress.clone(), index_progress.clone()) => match never {},
                };
                tracing::warn!(
                    "stopped writing, since it is not certain any more that no other process writes: {lost}"
                );
                self.state.send_replace(WriterState::Starting);
                self.regain(lease.as_mut(), &storage).await?;
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

    /// Publishes whether what is to be written is written, for as long as the right to write is held.
    async fn tell_state(
        &self,
        mut sync: watch::Receiver<SyncProgress>,
        mut index: watch::Receiver<IndexProgress>,
    ) -> Infallible {
        loop {
            let waits = sync.borrow_and_update().store_waits || index.borrow_and_update().waiting;
            let state = if waits {
                WriterState::Waiting
            } else {
                WriterState::Writing
            };
            self.state
                .send_if_modified(|known| std::mem::replace(known, state) != state);
            let changed = tokio::select! {
                changed = sync.changed() => changed,
                changed = index.changed() => changed,
            };
            if changed.is_err() {
                return pending().await;
            }
        }
    }

    async fn work(
        &self,
        sync: &mut SyncWorker<'_>,
        index: &IndexWorker,
        storage: &NodeStorageBackend,
    ) -> Result<(), Failure> {
        let stored = Notify::new();
        let indexing = index.run(storage, &stored);
        match self.until {
            Until::Signal => {
                let syncing = async { sync.run(storage, &stored, SyncUntil::End).await.map_err(Failure::from) };
                let indexing = async { indexing.await.map_err(Failure::from) };
                tokio::try_join!(syncing, indexing)?;
            }
            Until::Synced => {
                tokio::select! {
                    result = sync.run(storage, &stored, SyncUntil::CaughtUp) => result?,
                    result = indexing => result?,
                }
                index.index_all(storage).await?;
            }
        }
        Ok(())
    }

    /// The store, opened for writing, and the right to write it.
    pub(crate) async fn open(&self) -> Result<OwnedStore, Failure> {
        let mut reader = None;
        let mut is_standing_by = false;
        let mut told = false;
        // A store that was never reached may have been misspelt; what fails later passes.
        let mut was_reached = false;
        loop {
            match self.config.open_as_writer(self.migrate).await {
                Ok(Ok((store, lease))) => {
                    self.publish(&store);
                    return Ok((store, lease));
                }
                Ok(Err(other)) if self.standby == Standby::Refuse => return Err(self.held(&other)),
                Ok(Err(other)) => {
                    was_reached = true;
                    if !is_standing_by {
                        self.stand_by(&other);
                        is_standing_by = true;
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
                Err(error) if was_reached && error.is_retryable() => tell_once(&mut told, &error),
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
    async fn regain(&self, lease: &mut dyn WriterLease, storage: &NodeStorageBackend) -> Result<(), Failure> {
        let deadline = Instant::now() + REGAIN;
        let mut told = false;
        let mut is_standing_by = false;
        loop {
            match lease.regain().await {
                Ok(Ok(())) => {
                    // Another version of the program may have been the writer meanwhile.
                    match storage.check_ready().await {
                        Ok(()) => return Ok(()),
                        Err(error) if error.is_retryable() => {}
                        Err(error) => return Err(error.into()),
                    }
                }
                Ok(Err(other)) if self.standby == Standby::Refuse && Instant::now() >= deadline => {
                    return Err(self.held(&other));
                }
                Ok(Err(other)) if self.standby == Standby::Wait && !is_standing_by => {
                    self.stand_by(&other);
                    is_standing_by = true;
                }
                Ok(Err(_)) => {}
                Err(error) if error.is_retryable() => tell_once(&mut told, &error),
                Err(error) => return Err(error.into()),
            }
            sleep(HEARTBEAT).await;
        }
    }

    fn publish(&self, store: &NodeStorageBackend) {
        if let Some(storage) = self.storage {
            storage.send_replace(Some(store.clone()));
        }
    }

    fn stand_by(&self, other: &OtherWriter) {
        tracing::info!("standing by: {}", other.describe(&self.config.location()));
        self.state.send_replace(WriterState::StandingBy);
    }

    fn held(&self, other: &OtherWriter) -> Failure {
        let detail = other.describe(&self.config.location());
        StorageError::Busy { detail }.into()
    }
}

/// What is waited for before it can be written, the first time.
fn tell_once(told: &mut bool, error: &StorageError) {
    if !std::mem::replace(told, true) {
        tracing::warn!("waiting for the right to write: {error}");
    }
}

/// Keeps the right to write, for work that goes on without it: it was lost between two looks, and is taken again if nobody else has
/// it.
pub(crate) async fn keep(lease: &mut dyn WriterLease) -> Infallible {
    loop {
        let lost = lost_lease(lease).await;
        let regained = lease.regain().await;
        tracing::debug!("the right to write was lost ({lost}), and then: {regained:?}");
    }
}

/// Waits until the right to write is lost, and says how that was seen.
async fn lost_lease(lease: &mut dyn WriterLease) -> StorageError {
    loop {
        sleep(HEARTBEAT).await;
        if let Err(error) = lease.check().await {
            return error;
        }
    }
}
