//! The engine as applications know it: its URLs, its stores, its one writer.

use std::path::Path;
use std::time::Duration;

use node_storage_contract::{
    Access, AnyStore, BoxFuture, Connection, Engine, Network, OwnedStore, Result, StorageError, StoreConfig,
    WriterLease,
};
use tokio::time::{Instant, sleep, timeout};

use crate::advisory_lock::AdvisoryLock;
use crate::open::reach;
use crate::{PostgresDb, PostgresOptions};

/// How long a server that accepts connections may take to say whether the lease is free.
const ANSWER: Duration = Duration::from_secs(10);

/// Between attempts to open a store.
const PAUSE: Duration = Duration::from_millis(250);

/// PostgreSQL, 14 or newer.
#[derive(Debug)]
pub struct PostgresEngine;

impl Engine for PostgresEngine {
    fn schemes(&self) -> &'static [&'static str] {
        &["postgres", "postgresql"]
    }

    fn example_url(&self) -> &'static str {
        "postgres://user:password@host:5432/database"
    }

    fn is_embedded(&self) -> bool {
        false
    }

    fn at_url(&self, url: &str) -> std::result::Result<Box<dyn StoreConfig>, String> {
        Ok(Box::new(PostgresOptions::new(url)?))
    }

    fn in_directory(&self, _directory: &Path) -> Option<Box<dyn StoreConfig>> {
        None
    }
}

impl StoreConfig for PostgresOptions {
    fn boxed_clone(&self) -> Box<dyn StoreConfig> {
        Box::new(self.clone())
    }

    fn set_connect_timeout(&mut self, timeout: Duration) {
        *self = self.clone().connect_timeout(timeout);
    }

    fn set_max_connections(&mut self, connections: u32) {
        *self = self.clone().max_connections(connections);
    }

    fn location(&self) -> String {
        Self::location(self)
    }

    fn file(&self) -> Option<&Path> {
        None
    }

    fn open(&self, network: Network, access: Access) -> BoxFuture<'_, Result<AnyStore>> {
        Box::pin(async move { Ok(AnyStore::connected(PostgresDb::open(self, network, access).await?)) })
    }

    fn open_as_writer(&self, network: Network, migrate: bool) -> BoxFuture<'_, Result<Option<OwnedStore>>> {
        Box::pin(async move {
            // A server that was reached may still refuse what follows for a reason that passes.
            let deadline = Instant::now() + self.patience();
            loop {
                match take_and_open(self, network, migrate).await {
                    Err(error) if error.is_retryable() && Instant::now() < deadline => sleep(PAUSE).await,
                    answer => return answer,
                }
            }
        })
    }
}

async fn take_and_open(options: &PostgresOptions, network: Network, migrate: bool) -> Result<Option<OwnedStore>> {
    // Waits for a server that is not up yet.
    reach(options).await?;
    let Some(lease) = PostgresLease::take(options.clone()).await? else {
        return Ok(None);
    };
    let store = PostgresDb::open(options, network, Access::Write { migrate }).await?;
    Ok(Some((AnyStore::connected(store), Box::new(lease) as _)))
}

impl Connection for PostgresDb {
    async fn check_ready(&self) -> Result<()> {
        Self::check_ready(self).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }
}

/// The lock that makes this process the writer, and the way to take it again.
#[derive(Debug)]
struct PostgresLease {
    options: PostgresOptions,
    /// `None` from the moment that it was let go of until it is taken again.
    lock: Option<AdvisoryLock>,
}

impl PostgresLease {
    async fn take(options: PostgresOptions) -> Result<Option<Self>> {
        let lock = try_lock(&options).await?;
        Ok(lock.map(|lock| Self {
            options,
            lock: Some(lock),
        }))
    }
}

async fn try_lock(options: &PostgresOptions) -> Result<Option<AdvisoryLock>> {
    timeout(ANSWER, AdvisoryLock::try_acquire(options))
        .await
        .unwrap_or_else(|_| Err(no_answer(options)))
}

fn no_answer(options: &PostgresOptions) -> StorageError {
    StorageError::Unavailable {
        retryable: true,
        detail: format!("{} does not answer", options.location()),
    }
}

impl WriterLease for PostgresLease {
    fn check(&mut self) -> BoxFuture<'_, Result<()>> {
        Box::pin(async move {
            let Self { options, lock } = self;
            match lock {
                Some(lock) => timeout(ANSWER, lock.check())
                    .await
                    .unwrap_or_else(|_| Err(no_answer(options))),
                None => Err(no_answer(options)),
            }
        })
    }

    fn regain(&mut self) -> BoxFuture<'_, Result<bool>> {
        Box::pin(async move {
            // The session of the old lock goes first: one that still lives would keep the lock from this very process.
            self.lock = None;
            self.lock = try_lock(&self.options).await?;
            Ok(self.lock.is_some())
        })
    }

    fn release(self: Box<Self>) -> BoxFuture<'static, Result<()>> {
        Box::pin(async move {
            match self.lock {
                Some(lock) => lock.release().await,
                None => Ok(()),
            }
        })
    }
}
