//! Relays as applications know them: the name and the flags.

use clap::{ArgMatches, Args, Command, FromArgMatches};
use did_prism::ledger::BlockTime;
use dlt_source::{AnySource, BatchLimits, SourceConfig, SourceError, SourceKind, SourceSettings};
use node_storage_contract::{AnyStore, BoxFuture, Cursor, Network};

use crate::{Genesis, Point, RelayAddress, RelayOptions, RelaySource, SlotTimes, TimeLimits};

/// Cardano relays.
#[derive(Debug)]
pub struct RelayKind;

/// The name as `--dlt-source` takes it.
const NAME: &str = "relay";

/// Blocks held back where nothing else is said: the confirmations of the method (protocol.md#confirmations).
const CONFIRMATIONS: u32 = 112;

/// Which relays, and of which network.
#[derive(Debug, Args)]
struct RelayFlags {
    /// The relays to read, of which one is read at a time: HOST:PORT, several with commas between them.
    #[arg(
        long,
        env = "NPRISM_CARDANO_RELAY_ADDR",
        value_name = "HOST:PORT",
        value_delimiter = ',',
        required_if_eq("dlt_source", NAME)
    )]
    cardano_relay: Vec<RelayAddress>,
    /// The block after which reading starts where nothing is stored [default: that of the network].
    #[arg(long, value_name = "SLOT.HASH")]
    start_point: Option<Point>,
    /// The magic of the network, for --network custom.
    #[arg(long, env = "NPRISM_CARDANO_NETWORK_MAGIC", value_name = "N")]
    cardano_network_magic: Option<u32>,
    /// When slot 0 begins, for --network custom; its slots take 1 s.
    #[arg(long, env = "NPRISM_CARDANO_SYSTEM_START", value_name = "RFC3339")]
    cardano_system_start: Option<BlockTime>,
}

impl RelayFlags {
    fn genesis(&self, network: Network) -> Result<Genesis, String> {
        if let Some(genesis) = Genesis::of(network) {
            for (flag, is_given) in [
                ("--cardano-network-magic", self.cardano_network_magic.is_some()),
                ("--cardano-system-start", self.cardano_system_start.is_some()),
            ] {
                if is_given {
                    return Err(format!(
                        "{flag} is for --network custom; leave it out, that of {network} is known"
                    ));
                }
            }
            return Ok(genesis);
        }
        let needs = |flag: &str, what: &str| format!("--network {network} needs {flag}, {what}");
        Ok(Genesis {
            magic: self
                .cardano_network_magic
                .ok_or_else(|| needs("--cardano-network-magic N", "networkMagic of its genesis file"))?,
            times: SlotTimes::since(
                self.cardano_system_start
                    .ok_or_else(|| needs("--cardano-system-start RFC3339", "systemStart of its genesis file"))?,
            ),
            start: None,
        })
    }
}

impl SourceKind for RelayKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add_flags(&self, command: Command) -> Command {
        RelayFlags::augment_args(command)
    }

    fn configure(&self, flags: &ArgMatches, settings: SourceSettings) -> Result<Box<dyn SourceConfig>, String> {
        let flags = RelayFlags::from_arg_matches(flags).map_err(|error| error.to_string())?;
        let genesis = flags.genesis(settings.network)?;
        if flags.cardano_relay.is_empty() {
            return Err("give --cardano-relay HOST:PORT".to_owned());
        }
        Ok(Box::new(RelayConfig(RelayOptions {
            relays: flags.cardano_relay,
            genesis,
            start: flags.start_point,
            confirmations: settings.confirmation_blocks.unwrap_or(CONFIRMATIONS),
            limits: TimeLimits::default(),
            batch: BatchLimits::default(),
        })))
    }
}

/// Relays that have been named.
#[derive(Debug)]
struct RelayConfig(RelayOptions);

impl SourceConfig for RelayConfig {
    fn open(&self, cursor: Option<Cursor>, storage: AnyStore) -> BoxFuture<'_, Result<AnySource, SourceError>> {
        let source = RelaySource::new(self.0.clone(), cursor, storage);
        Box::pin(async { Ok(AnySource::new(source)) })
    }
}
