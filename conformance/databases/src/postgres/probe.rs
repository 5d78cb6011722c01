//! Whether a server answers a query.

use std::io::ErrorKind;
use std::time::Duration;

use sqlx::Connection;
use sqlx::postgres::PgConnection;
use url::Url;

use super::connect;
use crate::background::{self, Attempt};

/// The version of the server, once a query succeeds.
///
/// Goes on asking a server that is starting up or has no connection to spare; `still_running` ends the wait early for
/// one that never will answer. The error says what came last.
pub(super) async fn version(
    url: &Url,
    limit: Duration,
    mut still_running: impl AsyncFnMut() -> Result<(), String>,
) -> Result<String, String> {
    background::poll(limit, async || match ask(url).await {
        Ok(version) => Attempt::Done(version),
        Err(error) => match still_running().await {
            Ok(()) => Attempt::NotYet(error.to_string()),
            Err(reason) => Attempt::Hopeless(reason),
        },
    })
    .await
}

/// The version of a server that should be running already, or why nothing usable is there.
pub(super) async fn running_version(url: &Url, limit: Duration) -> Result<String, String> {
    background::poll(limit, async || match ask(url).await {
        Ok(version) => Attempt::Done(version),
        Err(error) if may_pass(&error) => Attempt::NotYet(error.to_string()),
        Err(error) => Attempt::Hopeless(error.to_string()),
    })
    .await
}

/// Whether an error is of a server that is alive, but busy or starting.
fn may_pass(error: &sqlx::Error) -> bool {
    match error {
        sqlx::Error::Io(error) => !matches!(error.kind(), ErrorKind::ConnectionRefused | ErrorKind::NotFound),
        // too_many_connections, cannot_connect_now
        sqlx::Error::Database(error) => error.code().is_some_and(|code| code == "53300" || code == "57P03"),
        _ => false,
    }
}

async fn ask(url: &Url) -> Result<String, sqlx::Error> {
    let mut connection = PgConnection::connect_with(&connect::options(url)).await?;
    // 15.18 (Debian 15.18-0+deb12u1)
    let version: String = sqlx::query_scalar("SELECT split_part(current_setting('server_version'), ' ', 1)")
        .fetch_one(&mut connection)
        .await?;
    let _ = connection.close().await;
    Ok(version)
}
