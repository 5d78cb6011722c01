//! The engine as applications know it: its URLs, its stores, its one writer.

use std::path::Path;
use std::time::Duration;

use node_storage_contract::{
    Access, AnyStore, BoxFuture, Connection, Engine, EngineCheck, Network, OtherWriter, OwnedStore, Result,
    StorageError, StoreConfig, WriterLease,
};
use sqlx::Connection as _;
use tokio::time::{Instant, sleep, timeout};

use crate::advisory_lock::{AdvisoryLock, Attempt, ServerProcess};
use crate::error::classify;
use crate::holder::Holder;
use crate::open::{reach, sessions};
use crate::{PostgresDb, PostgresOptions};

/// How long a server may take to say that the lease is still held: less than the silence after which it gives it away.
const STILL_HELD: Duration = Duration::from_secs(5);
/// How long a server that accepts connections may take to say whether the lease is free.
const ANSWER: Duration = Duration::from_secs(10);
/// How long the server may take to end the session of a lease that this process has given up.
const OWN_END: Duration = Duration::from_secs(3);
/// Between looks whether it has.
const OWN_LOOK: Duration = Duration::from_millis(50);

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

    fn set_answer_timeout(&mut self, timeout: Duration) {
        *self = self.clone().answer_timeout(timeout);
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

    fn open_as_writer(
        &self,
        network: Network,
        migrate: bool,
    ) -> BoxFuture<'_, Result<std::result::Result<OwnedStore, OtherWriter>>> {
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

async fn take_and_open(
    options: &PostgresOptions,
    network: Network,
    migrate: bool,
) -> Result<std::result::Result<OwnedStore, OtherWriter>> {
    // Waits for a server that is not up yet. What is to be found out of the way to it is found out while there is no lease.
    let mut connection = reach(options).await?;
    sessions(options, &mut connection).await?;
    connection.close().await.map_err(classify)?;
    let lock = match try_lock(options, None).await? {
        Attempt::Taken(lock) => lock,
        Attempt::Held(holder) => return Ok(Err(other_writer(holder))),
    };
    let access = Access::Write { migrate };
    let store = PostgresDb::open_beside(options, network, access, 1).await?;
    let lease = PostgresLease {
        options: options.clone(),
        lock: Some(lock),
        own: None,
    };
    Ok(Ok((AnyStore::connected(store), Box::new(lease) as _)))
}

fn other_writer(holder: Option<Holder>) -> OtherWriter {
    OtherWriter {
        holder: holder.map(|holder| holder.to_string()),
    }
}

impl Connection for PostgresDb {
    async fn check_ready(&self) -> Result<()> {
        Self::check_ready(self).await
    }

    async fn close(&self) {
        Self::close(self).await;
    }

    async fn check_engine(&self) -> Result<EngineCheck> {
        Self::check_engine(self).await
    }

    async fn clear_index(&self) -> Result<()> {
        Self::clear_index(self).await
    }

    async fn optimize(&self, rewrite: bool) -> Result<Vec<String>> {
        Self::optimize(self, rewrite).await
    }
}

/// The lock that makes this process the writer, and the way to take it again.
#[derive(Debug)]
struct PostgresLease {
    options: PostgresOptions,
    /// `None` from the moment that it was let go of until it is taken again.
    lock: Option<AdvisoryLock>,
    /// Who served the lock that was let go of last.
    own: Option<ServerProcess>,
}

async fn try_lock(options: &PostgresOptions, own: Option<&ServerProcess>) -> Result<Attempt> {
    timeout(ANSWER, AdvisoryLock::try_acquire(options, own))
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
            let Self { options, lock, .. } = self;
            match lock {
                Some(lock) => timeout(STILL_HELD, lock.check())
                    .await
                    .unwrap_or_else(|_| Err(no_answer(options))),
                None => Err(no_answer(options)),
            }
        })
    }

    fn regain(&mut self) -> BoxFuture<'_, Result<std::result::Result<(), OtherWriter>>> {
        Box::pin(async move {
            // The session of the old lock goes first: one that still lives would keep the lock from this very process. Where the
            // connection stalls, the server learns of that from the new one.
            if let Some(lock) = self.lock.take() {
                self.own = Some(lock.server);
            }
            let deadline = Instant::now() + OWN_END;
            loop {
                let holder = match try_lock(&self.options, self.own.as_ref()).await? {
                    Attempt::Taken(lock) => {
                        self.lock = Some(lock);
                        return Ok(Ok(()));
                    }
                    Attempt::Held(holder) => holder,
                };
                let is_own = match (&self.own, &holder) {
                    (Some(own), Some(holder)) => own.is(holder),
                    (_, None) => true,
                    (None, Some(_)) => false,
                };
                if !is_own || Instant::now() >= deadline {
                    return Ok(Err(other_writer(holder)));
                }
                sleep(OWN_LOOK).await;
            }
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
