//! Opening a store: connecting, the schema, the network.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use node_storage_connections::{Connections, Settings};
use node_storage_contract::{Access, Network, Result, StorageError};
use postgres_url::PostgresUrl;
use sqlx::postgres::PgConnectOptions;
use sqlx::{ConnectOptions, Connection, PgConnection, Row};
use tokio::sync::Semaphore;
use tokio::time::{Instant, sleep, sleep_until};

use crate::cursor::stored_network;
use crate::error::{classify, classify_connecting};
use crate::session::{BEGIN, Session, Sessions};
use crate::{PostgresDb, schema};

/// Between attempts to connect.
const PAUSE: Duration = Duration::from_millis(250);
/// Waiting for so long is told.
const TOLD_AFTER: Duration = Duration::from_secs(1);
/// The server gives a connection up whose other end is silent for a quarter of a minute, in place of two hours. Not every platform
/// knows each of them.
const KEEP_ALIVE: &str = "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 4; \
    SET tcp_user_timeout = '15s'";

/// Whom a connection leads to: `session` or `transaction`, as the `pool_mode` of a PgBouncer that stands between.
const POOL_MODE: &str = "pool_mode";

/// How to reach a PostgreSQL database.
#[derive(Clone)]
pub struct PostgresOptions {
    connect: PgConnectOptions,
    max_connections: u32,
    connect_timeout: Duration,
    answer_timeout: Option<Duration>,
    files: Arc<[(&'static str, PathBuf)]>,
    /// What is known of the way to the server, shared by all clones.
    way: Arc<Way>,
}

#[derive(Debug, Default)]
struct Way {
    /// Whether the server was reached: what fails from then on is not misspelt, and may pass.
    was_reached: AtomicBool,
    sessions: OnceLock<Sessions>,
}

impl PostgresOptions {
    /// Parses a `postgres://` or `postgresql://` URL as libpq understands it.
    ///
    /// # Errors
    /// A text without the password for a URL that can't be understood.
    pub fn new(url: &str) -> std::result::Result<Self, String> {
        let PostgresUrl { connect, own, files } = postgres_url::parse(url, &[POOL_MODE])?;
        let mut sessions = None;
        for (_, mode) in own {
            sessions = Some(match mode.as_str() {
                "session" => Sessions::Own,
                "transaction" => Sessions::PerTransaction,
                _ => return Err(format!("{POOL_MODE} in the PostgreSQL URL is session or transaction")),
            });
        }
        let connect = connect
            .application_name("neoprism-node")
            // Nothing here is a float, and PgBouncer refuses to start a session with this setting.
            .extra_float_digits(None)
            // Statements are logged by whoever asks for it through the server; here they would repeat what spans say.
            .disable_statement_logging();
        Ok(Self {
            connect,
            max_connections: 10,
            connect_timeout: Duration::from_secs(30),
            answer_timeout: None,
            files: files.into(),
            way: Arc::new(Way {
                was_reached: AtomicBool::new(false),
                sessions: sessions.map_or_else(OnceLock::new, OnceLock::from),
            }),
        })
    }

    /// The most connections held at a time, with that of the lease; at least 2.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.max_connections = connections.max(2);
        self
    }

    /// How long opening waits for the server.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.connect_timeout = timeout;
        self
    }

    /// How long each call of an open store waits for a connection: as long as opening does, unless this says otherwise.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.answer_timeout = Some(timeout);
        self
    }

    /// How long opening waits.
    pub(crate) fn patience(&self) -> Duration {
        self.connect_timeout
    }

    /// A connection of its own.
    pub(crate) async fn connect(&self) -> Result<PgConnection> {
        self.connect.connect().await.map_err(|error| self.connecting(error))
    }

    /// Why there is no connection. Once the server was reached, all of it may pass: a password that somebody has changed will be
    /// known here too, a certificate be renewed, a database restored.
    pub(crate) fn connecting(&self, error: sqlx::Error) -> StorageError {
        if matches!(error, sqlx::Error::PoolTimedOut) {
            let waited = self.answer_timeout.unwrap_or(self.connect_timeout);
            return StorageError::Unavailable {
                retryable: true,
                detail: format!("no connection to {} within {waited:?}", self.location()),
            };
        }
        match classify_connecting(error) {
            StorageError::Unavailable { retryable, detail } => StorageError::Unavailable {
                retryable: retryable || self.way.was_reached.load(Ordering::Relaxed),
                detail: format!("{} can't be used: {detail}", self.location()),
            },
            other => other,
        }
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
        Self::open_beside(options, network, access, 0).await
    }

    /// The same for a process that holds so many connections already.
    pub(crate) async fn open_beside(
        options: &PostgresOptions,
        network: Network,
        access: Access,
        connections: u32,
    ) -> Result<Self> {
        let mut connection = reach(options).await?;
        let sessions = sessions(options, &mut connection).await?;
        let mut session = Session::alone(connection);
        prepare(&mut session, network, access).await?;
        let connections = options.max_connections.saturating_sub(connections).max(1);
        let settings = Settings {
            most: connections,
            patience: options.answer_timeout.unwrap_or(options.connect_timeout),
            kept: false,
            remote: true,
            prepare: match sessions {
                Sessions::Own => Some(|connection| Box::pin(keep_alive(connection))),
                Sessions::PerTransaction => None,
            },
        };
        let writers = usize::try_from(connections / 2).unwrap_or(Semaphore::MAX_PERMITS);
        let writers = Arc::new(Semaphore::new(writers.clamp(1, Semaphore::MAX_PERMITS)));
        let options = options.clone();
        let connections = Connections::new(options.connect.clone(), &settings);
        if let Some(mut connection) = session.into_connection() {
            if sessions == Sessions::Own {
                keep_alive(&mut connection).await.map_err(classify)?;
            }
            connections.take_in(connection);
        }
        Ok(Self {
            options,
            connections,
            sessions,
            writers,
            access,
        })
    }

    /// Whether the database answers and its schema is this program's.
    pub async fn check_ready(&self) -> Result<()> {
        schema::check(&mut self.read().await?).await
    }
}

/// Brings the schema up to date where that is asked for, and checks or fills the network.
async fn prepare(session: &mut Session, network: Network, access: Access) -> Result<()> {
    session.begin(BEGIN).await?;
    match schema::check(session).await {
        Err(StorageError::Migration(error))
            if error.is_mended_by_migrating() && access == (Access::Write { migrate: true }) =>
        {
            session.commit().await?;
            schema::migrate(session).await?;
            session.begin(BEGIN).await?;
        }
        checked => checked?,
    }
    if access.is_write() {
        // Two first openings at once: one inserts, the other waits for its commit and then reads the same row.
        sqlx::query!(
            "INSERT INTO network (singleton, name) VALUES (1, $1) ON CONFLICT DO NOTHING",
            network.name()
        )
        .execute(&mut *session)
        .await
        .map_err(classify)?;
    }
    match stored_network(session).await? {
        Some(stored) if stored != network => Err(StorageError::WrongNetwork {
            stored,
            requested: network,
        }),
        _ => session.commit().await,
    }
}

/// Connects, waiting for a server that is not there yet until the time-out. What is waited for is told.
pub(crate) async fn reach(options: &PostgresOptions) -> Result<PgConnection> {
    for (parameter, file) in &*options.files {
        if let Err(error) = tokio::fs::File::open(file).await {
            return Err(StorageError::Unavailable {
                retryable: options.way.was_reached.load(Ordering::Relaxed),
                detail: format!(
                    "{} ({parameter} of the database URL) can't be read: {error}",
                    file.display()
                ),
            });
        }
    }
    let started = Instant::now();
    let deadline = started + options.connect_timeout;
    let told = sleep_until(started + TOLD_AFTER);
    tokio::pin!(told);
    let mut is_told = false;
    let mut last = "it does not answer".to_owned();
    loop {
        let attempt = tokio::time::timeout_at(deadline, options.connect.connect());
        tokio::pin!(attempt);
        let attempt = loop {
            tokio::select! {
                attempt = &mut attempt => break attempt,
                () = &mut told, if !is_told => {
                    tracing::warn!("waiting for {}: {last}", options.location());
                    is_told = true;
                }
            }
        };
        let retryable = match attempt {
            Ok(Ok(connection)) => {
                options.way.was_reached.store(true, Ordering::Relaxed);
                return Ok(connection);
            }
            Ok(Err(error)) => match classify_connecting(error) {
                StorageError::Unavailable { retryable, detail } => {
                    last = detail;
                    retryable || options.way.was_reached.load(Ordering::Relaxed)
                }
                other => return Err(other),
            },
            Err(_) => true,
        };
        if !retryable || Instant::now() + PAUSE >= deadline {
            let waited = if retryable {
                format!(" within {} s", options.connect_timeout.as_secs())
            } else {
                String::new()
            };
            return Err(StorageError::Unavailable {
                retryable,
                detail: format!(
                    "{} can't be used{waited}: {last}; check --db-url and that the server runs",
                    options.location()
                ),
            });
        }
        sleep(PAUSE).await;
    }
}

/// The number of the process that serves a connection.
const SESSION: &str = "SELECT pg_backend_pid()";
/// The same, of one that is kept until the end of the transaction.
const SESSION_HELD: &str = "BEGIN; SELECT pg_backend_pid()";

/// Whom connections lead to: two that stand at a time have two sessions, unless a pooler is between.
pub(crate) async fn sessions(options: &PostgresOptions, first: &mut PgConnection) -> Result<Sessions> {
    if let Some(sessions) = options.way.sessions.get() {
        return Ok(*sessions);
    }
    let before = server_process(first, SESSION).await?;
    let mut second = options.connect().await?;
    // The transaction keeps the session that a pooler has given it, which was the first's a moment ago.
    let other = server_process(&mut second, SESSION_HELD).await?;
    let after = server_process(first, SESSION).await?;
    second.close().await.map_err(classify)?;
    let sessions = if other == before || after != before {
        tracing::info!(
            "{} is reached through a pooler of transactions; statements are prepared anew each time",
            options.location()
        );
        Sessions::PerTransaction
    } else {
        Sessions::Own
    };
    Ok(*options.way.sessions.get_or_init(|| sessions))
}

/// The number of the process that serves a connection. Nothing is prepared.
async fn server_process(connection: &mut PgConnection, statement: &'static str) -> Result<i32> {
    let row = sqlx::raw_sql(statement).fetch_one(connection).await.map_err(classify)?;
    row.try_get(0).map_err(classify)
}

/// Has the server notice the end of a client whose host is gone.
async fn keep_alive(connection: &mut PgConnection) -> sqlx::Result<()> {
    match sqlx::raw_sql(KEEP_ALIVE).execute(connection).await {
        // Where the platform does not know one of them, it does without.
        Ok(_) | Err(sqlx::Error::Database(_)) => Ok(()),
        Err(error) => Err(error),
    }
}
