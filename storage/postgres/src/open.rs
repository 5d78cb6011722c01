//! Opening a store: connecting, the schema, the network.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use node_storage_connections::Connections;
use node_storage_contract::{Access, DltCursorRepo, Network, Result, StorageError};
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep};

use crate::error::classify;
use crate::{PostgresDb, schema};

/// How to reach a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresOptions {
    connect: PgConnectOptions,
    max_connections: u32,
    connect_timeout: Duration,
}

impl PostgresOptions {
    /// Parses a `postgres://` or `postgresql://` URL as libpq understands it.
    ///
    /// # Errors
    /// A text without the password for a URL that can't be understood.
    pub fn new(url: &str) -> std::result::Result<Self, String> {
        let connect = PgConnectOptions::from_str(url)
            .map_err(|_| {
                "the PostgreSQL URL can't be understood; write postgres://user:password@host:5432/database".to_owned()
            })?
            .application_name("neoprism-node")
            // Statements are logged by whoever asks for it through the server; here they would repeat what spans say.
            .disable_statement_logging();
        Ok(Self {
            connect,
            max_connections: 10,
            connect_timeout: Duration::from_secs(30),
        })
    }

    /// The most connections held at a time; at least 2.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(2);
        self
    }

    /// How long opening, and later each call, waits for a connection.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long opening waits.
    pub(crate) fn patience(&self) -> Duration {
        self.connect_timeout
    }

    pub(crate) fn connect_options(&self) -> &PgConnectOptions {
        &self.connect
    }

    /// The server and the database, without the password.
    pub fn location(&self) -> String {
        format!(
            "PostgreSQL at {}:{}, database {}",
            self.connect.get_host(),
            self.connect.get_port(),
            self.connect
                .get_database()
                .unwrap_or_else(|| self.connect.get_username())
        )
    }
}

impl fmt::Debug for PostgresOptions {
    /// Never shows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PostgresOptions({})", self.location())
    }
}

impl PostgresDb {
    /// Opens the store in this database for `network`.
    ///
    /// # Errors
    /// `Unavailable` where the server can't be reached within the time-out or refuses the log-in, `Migration` for a schema that is
    /// not this program's, `WrongNetwork` for a store of another network.
    pub async fn open(options: &PostgresOptions, network: Network, access: Access) -> Result<Self> {
        reach(options).await?;
        let connections = Connections::new(
            options.connect.clone(),
            options.max_connections,
            options.connect_timeout,
        );
        let writers = usize::try_from(options.max_connections / 2).unwrap_or(Semaphore::MAX_PERMITS);
        let writers = Arc::new(Semaphore::new(writers.clamp(1, Semaphore::MAX_PERMITS)));
        let store = Self {
            connections,
            writers,
            access,
        };
        store.prepare(network).await?;
        Ok(store)
    }

    /// Brings the schema up to date where that is asked for, and checks or fills the network.
    async fn prepare(&self, network: Network) -> Result<()> {
        match schema::check(&self.connections).await {
            Err(StorageError::Migration(error))
                if error.is_mended_by_migrating() && self.access == (Access::Write { migrate: true }) =>
            {
                schema::migrate(&self.connections).await?;
            }
            checked => checked?,
        }
        if self.access.is_write() {
            // Two first openings at once: one inserts, the other waits for its commit and then reads the same row.
            sqlx::query!(
                "INSERT INTO network (singleton, name) VALUES (1, $1) ON CONFLICT DO NOTHING",
                network.name()
            )
            .execute(&self.connections)
            .await
            .map_err(classify)?;
        }
        match self.network().await? {
            Some(stored) if stored != network => Err(StorageError::WrongNetwork {
                stored,
                requested: network,
            }),
            _ => Ok(()),
        }
    }

    /// Whether the database answers and its schema is this program's.
    pub async fn check_ready(&self) -> Result<()> {
        schema::check(&self.connections).await
    }
}

/// Connects once, waiting for a server that is not there yet until the time-out.
pub(crate) async fn reach(options: &PostgresOptions) -> Result<()> {
    let deadline = Instant::now() + options.connect_timeout;
    loop {
        let attempt = tokio::time::timeout_at(deadline, options.connect.connect()).await;
        let (retryable, detail) = match attempt {
            Ok(Ok(connection)) => return connection.close().await.map_err(classify),
            Ok(Err(error)) => match classify(error) {
                StorageError::Unavailable { retryable, detail } => (retryable, detail),
                other => return Err(other),
            },
            Err(_) => (true, "no answer".to_owned()),
        };
        let pause = Duration::from_millis(250);
        if !retryable || Instant::now() + pause >= deadline {
            let waited = if retryable {
                format!(" within {} s", options.connect_timeout.as_secs())
            } else {
                String::new()
            };
            return Err(StorageError::Unavailable {
                retryable,
                detail: format!(
                    "{} can't be used{waited}: {detail}; check --db-url and that the server runs",
                    options.location()
                ),
            });
        }
        sleep(pause).await;
    }
}
