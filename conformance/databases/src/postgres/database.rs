//! The database of one test.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use sqlx::AssertSqlSafe;
use sqlx::postgres::PgPool;
use url::Url;

use crate::background::{self, Attempt};
use crate::timings::Timings;
use crate::{Error, Result};

/// How long dropping may take before the test goes on without it.
const DROP_LIMIT: Duration = Duration::from_secs(30);
/// How long connections may take to end before they are left to `DROP DATABASE` itself.
const END_LIMIT: Duration = Duration::from_secs(5);

/// A database of its own for one test.
///
/// It is dropped, with the connections that are still open, when this is dropped; the drop blocks the thread meanwhile.
/// If the thread is panicking, the database stays for a day, and its URL is printed (without the password if that is of
/// `TEST_POSTGRES_URL`). `Debug` shows the name, and no password.
pub struct PostgresDatabase {
    name: String,
    url: String,
    printable_url: String,
    maintenance: PgPool,
    timings: Option<Timings>,
}

impl fmt::Debug for PostgresDatabase {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter
            .debug_struct("PostgresDatabase")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

impl PostgresDatabase {
    pub(super) fn new(name: String, server: &Url, password_is_ours: bool, maintenance: PgPool) -> Self {
        let mut url = server.clone();
        url.set_path(&name);
        let mut printable_url = url.clone();
        if !password_is_ours && url.password().is_some() {
            // Can't fail: a URL with a password has an authority to set one in.
            let _ = printable_url.set_password(Some("***"));
        }
        Self {
            name,
            url: url.into(),
            printable_url: printable_url.into(),
            maintenance,
            timings: None,
        }
    }

    /// Has what it costs written down when it is dropped.
    pub(super) fn with_timings(mut self, timings: Option<Timings>) -> Self {
        self.timings = timings;
        self
    }

    /// The database's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The URL to connect to it, with the password.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for PostgresDatabase {
    fn drop(&mut self) {
        if thread::panicking() {
            eprintln!(
                "test-databases: the database stays for inspection, for a day: {}",
                self.printable_url
            );
            return;
        }
        let (name, maintenance) = (self.name.clone(), self.maintenance.clone());
        let started = Instant::now();
        let dropped = background::run_blocking(DROP_LIMIT, async move || {
            end_connections(&maintenance, &name).await;
            drop_database(&maintenance, &name).await
        });
        if let Err(error) = dropped {
            eprintln!(
                "test-databases: {} stays until it is swept in a day: {error}",
                self.name
            );
        } else if let Some(timings) = &self.timings {
            timings.dropped(started.elapsed());
        }
    }
}

/// Ends the connections to a database and waits until they are gone, as far as that is possible.
///
/// `WITH (FORCE)` does so too, but looks only every tenth of a second whether they are, which is longer than all the rest.
async fn end_connections(maintenance: &PgPool, name: &str) {
    let ended = background::poll(END_LIMIT, async || {
        let left = sqlx::query_scalar(
            "SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
             WHERE datname = $1 AND backend_type = 'client backend'",
        )
        .bind(name)
        .fetch_one(maintenance);
        match left.await {
            Ok(0_i64) => Attempt::Done(()),
            Ok(left) => Attempt::NotYet(format!("{left} connections")),
            // Of another role, say.
            Err(error) => Attempt::Hopeless(error.to_string()),
        }
    });
    // Where it is not possible, dropping says why.
    let _ = ended.await;
}

async fn drop_database(maintenance: &PgPool, name: &str) -> Result<()> {
    // The name is this crate's own: it needs no quotes.
    let statement = format!("DROP DATABASE IF EXISTS {name} WITH (FORCE)");
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(maintenance)
        .await
        .map(drop)
        .map_err(Error::postgres("drop the database of a test"))
}
