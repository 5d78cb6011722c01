//! How to connect to a server.

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

/// How to connect, without writing every statement to the test's log.
pub(super) fn options(url: &Url) -> PgConnectOptions {
    // Every URL here was parsed before, or was made by this crate.
    PgConnectOptions::from_url(url)
        .unwrap_or_default()
        .application_name("test-databases")
        .disable_statement_logging()
}
