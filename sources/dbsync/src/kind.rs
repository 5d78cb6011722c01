//! db-sync as applications know it: its name and its flags.

use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use dlt_source::{AnySource, SourceConfig, SourceError, SourceKind, SourceSettings};
use node_storage_contract::{AnyStore, BoxFuture, Cursor};

use crate::{DbSyncOptions, DbSyncSource};

/// The database of cardano-db-sync.
#[derive(Debug)]
pub struct DbSyncKind;

/// The name as `--dlt-source` takes it.
const NAME: &str = "dbsync";

/// The shortest time between two looks. A block comes every 20 s.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// Which database, and how often to look.
#[derive(Debug, Args)]
struct DbSyncFlags {
    /// The database of db-sync.
    #[arg(
        long,
        help = "The database of cardano-db-sync: postgres://user:password@host:5432/cexplorer. A role that may read is enough",
        env = "NPRISM_CARDANO_DBSYNC_URL",
        value_name = "URL",
        hide_env_values = true,
        required_if_eq("dlt_source", NAME)
    )]
    dbsync_url: Option<String>,
    /// How long to wait before db-sync is looked at again, where it had nothing new: 10s, 500ms, 1m.
    #[arg(long, env = "NPRISM_CARDANO_DBSYNC_POLL_INTERVAL", value_name = "DURATION", default_value = "10s", value_parser = interval)]
    dbsync_poll_interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| format!("{error}; write 10s, 500ms or 1m"))?;
    if interval < SHORTEST_INTERVAL {
        return Err("give 100ms or more".to_owned());
    }
    Ok(interval)
}

impl SourceKind for DbSyncKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add_flags(&self, command: Command) -> Command {
        DbSyncFlags::augment_args(command)
    }

    fn configure(&self, flags: &ArgMatches, settings: SourceSettings) -> Result<Box<dyn SourceConfig>, String> {
        let flags = DbSyncFlags::from_arg_matches(flags).map_err(|error| error.to_string())?;
        let Some(url) = flags.dbsync_url else {
            return Err("give --dbsync-url URL, the database of db-sync".to_owned());
        };
        let options = DbSyncOptions::new(&url, settings.network)?.poll_interval(flags.dbsync_poll_interval);
        let options = match settings.confirmation_blocks {
            Some(blocks) => options.confirmations(blocks),
            None => options,
        };
        Ok(Box::new(DbSyncConfig(options)))
    }
}

/// A db-sync that has been named.
#[derive(Debug)]
struct DbSyncConfig(DbSyncOptions);

impl SourceConfig for DbSyncConfig {
    fn open(&self, cursor: Option<Cursor>, _storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>> {
        Box::pin(async move { Ok(AnySource::new(DbSyncSource::new(self.0.clone(), cursor))) })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interval_has_a_unit_and_is_no_busy_loop() {
        assert_eq!(interval("10s"), Ok(Duration::from_secs(10)));
        assert_eq!(interval("1m 30s"), Ok(Duration::from_secs(90)));
        assert_eq!(interval("100ms"), Ok(SHORTEST_INTERVAL));
        for wrong in ["10", "0s", "99ms", "-1s", "", "soon"] {
            assert!(interval(wrong).is_err(), "{wrong}");
        }
    }
}
