//! The database of one test.

use std::fmt;
use std::thread;
use std::time::{Duration, Instant};

use sqlx::postgres::PgPool;
use url::Url;

use crate::timings::Timings;
use crate::{Error, background};

/// How long dropping may take before the test goes on without it.
const DROP_LIMIT: Duration = Duration::from_secs(30);

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
        // The name is this crate's own: it needs no quotes.
        let statement = format!("DROP DATABASE IF EXISTS {} WITH (FORCE)", self.name);
        let maintenance = self.maintenance.clone();
        let started = Instant::now();
        let dropped = background::run_blocking(DROP_LIMIT, async move || {
            sqlx::raw_sql(sqlx::AssertSqlSafe(statement))
                .execute(&maintenance)
                .await
                .map_err(Error::postgres("drop the database of a test"))
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
