//! Which db-sync is read, and how.

use std::fmt;
use std::time::Duration;

use dlt_source::DEFAULT_CONFIRMATION_BLOCKS;
use node_storage_contract::Network;
use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;

/// Which db-sync is read, and how.
#[derive(Clone)]
pub struct DbSyncOptions {
    pub(crate) connect: PgConnectOptions,
    pub(crate) network: Network,
    pub(crate) confirmations: u32,
    pub(crate) poll_interval: Duration,
}

impl DbSyncOptions {
    /// The db-sync of `network` in this database: a `postgres://` or `postgresql://` URL as libpq understands it. 112 block
    /// numbers below its highest one are held back, and it is looked at every 10 s where it had nothing new.
    ///
    /// # Errors
    /// A text without any part of the URL, for one that can't be understood or can't be meant.
    pub fn new(url: &str, network: Network) -> Result<Self, String> {
        let url = postgres_url::parse(url, &[]).map_err(|detail| format!("--dbsync-url: {detail}"))?;
        let connect = url
            .connect
            .application_name("neoprism-node")
            .disable_statement_logging();
        Ok(Self {
            connect,
            network,
            confirmations: DEFAULT_CONFIRMATION_BLOCKS,
            poll_interval: Duration::from_secs(10),
        })
    }

    /// How many block numbers below the highest one are held back.
    #[must_use]
    pub fn confirmations(mut self, blocks: u32) -> Self {
        self.confirmations = blocks;
        self
    }

    /// How long to wait before db-sync is looked at again, where it had nothing new.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// The server and the database, without the password.
    pub fn location(&self) -> String {
        let connect = &self.connect;
        format!(
            "db-sync at {}:{}, database {}",
            connect.get_host(),
            connect.get_port(),
            connect.get_database().unwrap_or_else(|| connect.get_username())
        )
    }
}

impl fmt::Debug for DbSyncOptions {
    /// Never shows the password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbSyncOptions")
            .field("location", &self.location())
            .field("network", &self.network)
            .field("confirmations", &self.confirmations)
            .field("poll_interval", &self.poll_interval)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_neither_in_an_error_nor_in_debug() {
        for host in [
            "secret@host:port",
            "12/secret@host",
            "12?x=secret@host",
            "12#secret@host",
        ] {
            let url = format!("postgres://reader:{host}/cexplorer");
            let error = DbSyncOptions::new(&url, Network::Mainnet).unwrap_err();
            assert!(!error.contains("secret") && error.contains("--dbsync-url"), "{error}");
        }
        let options = DbSyncOptions::new("postgres://reader:secret@relay:5433/cexplorer", Network::Mainnet).unwrap();
        let shown = format!("{options:?}");
        assert!(!shown.contains("secret"), "{shown}");
        assert!(shown.contains("db-sync at relay:5433, database cexplorer"), "{shown}");
    }
}
