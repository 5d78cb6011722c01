//! Blockfrost as applications know it: its name and its flags.

use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use dlt_source::{AnySource, SourceConfig, SourceError, SourceKind, SourceSettings};
use node_storage_contract::{AnyStore, BoxFuture, Cursor};

use crate::client::Client;
use crate::{ApiKey, BlockfrostOptions, BlockfrostSource};

/// The API of Blockfrost.
#[derive(Debug)]
pub struct BlockfrostKind;

/// The name as `--dlt-source` takes it.
const NAME: &str = "blockfrost";

/// The shortest time between two looks. A block comes every 20 s.
const SHORTEST_INTERVAL: Duration = Duration::from_millis(100);

/// The most requests that may be under way at the same time.
const MOST_REQUESTS: usize = 64;

/// Which Blockfrost, with which key, and how often to look.
#[derive(Debug, Args)]
#[expect(
    clippy::struct_field_names,
    reason = "a field is an argument, known by the name of its flag"
)]
struct BlockfrostFlags {
    /// The key of a project at blockfrost.io, its `project_id`. Other users of the machine see what is on a command line: rather give
    /// it in the environment or in a file.
    #[arg(
        long,
        env = "NPRISM_BLOCKFROST_API_KEY",
        value_name = "KEY",
        hide_env_values = true,
        conflicts_with = "blockfrost_api_key_file"
    )]
    blockfrost_api_key: Option<String>,
    /// A file with the key.
    #[arg(long, value_name = "FILE")]
    blockfrost_api_key_file: Option<PathBuf>,
    /// The address of a Blockfrost of your own [default: the hosted one of the network].
    #[arg(long, env = "NPRISM_BLOCKFROST_BASE_URL", value_name = "URL", hide_env_values = true)]
    blockfrost_base_url: Option<String>,
    /// How many requests may be under way at the same time.
    #[arg(
        long,
        env = "NPRISM_BLOCKFROST_CONCURRENCY_LIMIT",
        value_name = "N",
        default_value = "4",
        value_parser = concurrency
    )]
    blockfrost_concurrency: NonZeroUsize,
    /// How long to wait before Blockfrost is looked at again, where it had nothing new: 10s, 500ms, 1m.
    #[arg(
        long,
        env = "NPRISM_BLOCKFROST_POLL_INTERVAL",
        value_name = "DURATION",
        default_value = "10s",
        value_parser = interval
    )]
    blockfrost_poll_interval: Duration,
}

fn interval(text: &str) -> Result<Duration, String> {
    let interval = humantime::parse_duration(text).map_err(|error| format!("{error}; write 10s, 500ms or 1m"))?;
    if interval < SHORTEST_INTERVAL {
        return Err("give 100ms or more".to_owned());
    }
    Ok(interval)
}

fn concurrency(text: &str) -> Result<NonZeroUsize, String> {
    let number = text
        .parse()
        .ok()
        .filter(|number: &NonZeroUsize| number.get() <= MOST_REQUESTS);
    number.ok_or_else(|| format!("give a number from 1 to {MOST_REQUESTS}"))
}

impl SourceKind for BlockfrostKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add_flags(&self, command: Command) -> Command {
        BlockfrostFlags::augment_args(command)
    }

    fn configure(&self, flags: &ArgMatches, settings: SourceSettings) -> Result<Box<dyn SourceConfig>, String> {
        Ok(Box::new(config(flags, settings)?))
    }
}

/// The Blockfrost that these flags describe.
fn config(flags: &ArgMatches, settings: SourceSettings) -> Result<BlockfrostConfig, String> {
    let flags = BlockfrostFlags::from_arg_matches(flags).map_err(|error| error.to_string())?;
    let network = settings.network;
    // An environment variable without a value is one that is not set.
    let is_given = |text: &String| !text.trim().is_empty();
    let key = flags.blockfrost_api_key.filter(is_given);
    let key = key.map(|key| ApiKey::new(&key)).transpose();
    let key = key.map_err(|error| format!("--blockfrost-api-key: {error}"))?;
    let options = if let Some(url) = flags.blockfrost_base_url.filter(is_given) {
        BlockfrostOptions::new(&url, network)?
    } else {
        let options = BlockfrostOptions::hosted(network).ok_or_else(|| {
            format!("--network {network} needs --blockfrost-base-url URL, the address of its Blockfrost")
        })?;
        if key.is_none() && flags.blockfrost_api_key_file.is_none() {
            let text = "give --blockfrost-api-key-file FILE, or NPRISM_BLOCKFROST_API_KEY in the environment: the key of a project at \
                        blockfrost.io; a Blockfrost of your own, which needs none, is --blockfrost-base-url URL";
            return Err(text.to_owned());
        }
        options
    };
    let options = options
        .poll_interval(flags.blockfrost_poll_interval)
        .concurrency(flags.blockfrost_concurrency);
    let options = key.into_iter().fold(options, BlockfrostOptions::key);
    let options = match settings.confirmation_blocks {
        Some(blocks) => options.confirmations(blocks),
        None => options,
    };
    Ok(BlockfrostConfig {
        options,
        key_file: flags.blockfrost_api_key_file,
        client: Mutex::default(),
    })
}

/// A Blockfrost that has been named.
#[derive(Debug)]
struct BlockfrostConfig {
    options: BlockfrostOptions,
    key_file: Option<PathBuf>,
    /// Made once: it knows when Blockfrost wants rest.
    client: Mutex<Option<Arc<Client>>>,
}

impl BlockfrostConfig {
    fn client(&self) -> Result<Arc<Client>, SourceError> {
        let mut client = self.client.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(client) = client.as_ref() {
            return Ok(Arc::clone(client));
        }
        let mut options = self.options.clone();
        if let Some(file) = &self.key_file {
            let key = ApiKey::read(file).map_err(|error| SourceError::Unavailable {
                retryable: false,
                subject: format!("the key file {}", file.display()),
                detail: format!(
                    "{error}; give --blockfrost-api-key-file FILE with the key of a project at blockfrost.io"
                ),
            })?;
            options = options.key(key);
        }
        let made = Arc::new(Client::new(options)?);
        Ok(Arc::clone(client.insert(made)))
    }
}

impl SourceConfig for BlockfrostConfig {
    fn open(&self, cursor: Option<Cursor>, _storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>> {
        Box::pin(async move {
            let source = BlockfrostSource::open_with(self.client()?, cursor).await?;
            Ok(AnySource::new(source))
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::Arg;
    use node_storage_contract::Network;

    use super::*;

    /// What the flags come to, for this network.
    fn configured(network: Network, flags: &[&str]) -> Result<BlockfrostConfig, String> {
        let command = Command::new("node").arg(Arg::new("dlt_source").long("dlt-source"));
        let arguments = ["node", "--dlt-source", NAME].iter().chain(flags);
        let matches = BlockfrostFlags::augment_args(command)
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        let settings = SourceSettings {
            network,
            confirmation_blocks: None,
        };
        config(&matches, settings)
    }

    #[test]
    fn defaults_are_those_of_the_network() {
        let options = configured(Network::Preprod, &["--blockfrost-api-key", "preprodX"])
            .unwrap()
            .options;
        assert_eq!(
            options.location(),
            "Blockfrost at https://cardano-preprod.blockfrost.io/api/v0"
        );
        assert_eq!((options.concurrency.get(), options.confirmations), (4, 112));
        assert_eq!(options.poll_interval, Duration::from_secs(10));
        assert_eq!(options.key, ApiKey::new("preprodX").ok());
    }

    #[test]
    fn blockfrost_of_ones_own_needs_no_key() {
        let config = configured(Network::Custom, &["--blockfrost-base-url", "http://127.0.0.1:3000"]).unwrap();
        assert_eq!(config.options.key, None);
        let error = configured(Network::Custom, &["--blockfrost-api-key", "key"]).unwrap_err();
        assert!(
            error.contains("--blockfrost-base-url") && error.contains("custom"),
            "{error}"
        );
    }

    #[test]
    fn flags_that_are_wrong_are_named_and_the_key_is_not_shown() {
        for (flags, text) in [
            (&[][..], "--blockfrost-api-key-file"),
            (&["--blockfrost-api-key", " "], "--blockfrost-api-key-file"),
            (&["--blockfrost-api-key", "sec ret"], "--blockfrost-api-key"),
            (
                &["--blockfrost-api-key", "secret", "--blockfrost-api-key-file", "x"],
                "cannot be used with",
            ),
            (
                &["--blockfrost-base-url", "https://u:secret@h:p"],
                "--blockfrost-base-url",
            ),
            (&["--blockfrost-concurrency", "0"], "1 to 64"),
            (&["--blockfrost-concurrency", "65"], "1 to 64"),
            (&["--blockfrost-poll-interval", "10"], "10s"),
            (&["--blockfrost-poll-interval", "99ms"], "100ms"),
        ] {
            let error = configured(Network::Mainnet, flags).unwrap_err();
            assert!(error.contains(text), "{flags:?}: {error}");
            assert!(!error.contains("sec ret") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn key_is_read_from_its_file_when_the_source_is_opened() {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("key");
        let path = file.display().to_string();
        let config = configured(Network::Mainnet, &["--blockfrost-api-key-file", &path]).unwrap();
        let error = config.client().unwrap_err();
        assert!(!error.is_retryable() && error.to_string().contains(&path), "{error}");
        std::fs::write(&file, "mainnetSecret\n").unwrap();
        let client = config.client().unwrap();
        assert_eq!(client.options.key, ApiKey::new("mainnetSecret").ok());
        let shown = format!("{config:?} {client:?}");
        assert!(!shown.contains("Secret"), "{shown}");
    }
}
