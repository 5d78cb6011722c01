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
        Ok(Box::new(RelayConfig(options(flags, settings)?)))
    }
}

/// How relays are read, by these flags.
fn options(flags: &ArgMatches, settings: SourceSettings) -> Result<RelayOptions, String> {
    let flags = RelayFlags::from_arg_matches(flags).map_err(|error| error.to_string())?;
    let genesis = flags.genesis(settings.network)?;
    if flags.cardano_relay.is_empty() {
        return Err("give --cardano-relay HOST:PORT".to_owned());
    }
    Ok(RelayOptions {
        relays: flags.cardano_relay,
        genesis,
        start: flags.start_point,
        confirmations: settings.confirmation_blocks.unwrap_or(CONFIRMATIONS),
        limits: TimeLimits::default(),
        batch: BatchLimits::default(),
    })
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

#[cfg(test)]
mod tests {
    use clap::Arg;

    use super::*;

    const HASH: &str = "4df807a0246569860bbfe70642b9931a5dffbab7f56319a32bbef378dddfaf30";

    /// What the flags come to, for this network.
    fn configured(network: Network, confirmation_blocks: Option<u32>, flags: &[&str]) -> Result<RelayOptions, String> {
        let command = Command::new("node").arg(Arg::new("dlt_source").long("dlt-source"));
        let arguments = ["node", "--dlt-source", NAME].iter().chain(flags);
        let matches = RelayFlags::augment_args(command)
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        let settings = SourceSettings {
            network,
            confirmation_blocks,
        };
        options(&matches, settings)
    }

    #[test]
    fn relays_stand_with_commas_between_them() {
        let options = configured(Network::Mainnet, None, &["--cardano-relay", "a:1,b:2"]).unwrap();
        let relays: Vec<_> = options.relays.iter().map(ToString::to_string).collect();
        assert_eq!(relays, ["a:1", "b:2"]);
        assert_eq!(Some(options.genesis), Genesis::of(Network::Mainnet));
        assert_eq!((options.start, options.confirmations), (None, 112));
    }

    #[test]
    fn confirmations_and_starting_point_are_as_given() {
        let start = format!("71482583.{HASH}");
        let flags = ["--cardano-relay", "a:1", "--start-point", &start];
        let options = configured(Network::Preprod, Some(5), &flags).unwrap();
        assert_eq!(options.start.map(|point| point.to_string()), Some(start));
        assert_eq!(options.confirmations, 5);
    }

    #[test]
    fn a_custom_network_needs_its_magic_and_its_start() {
        let relay = ["--cardano-relay", "a:1"];
        let magic = ["--cardano-network-magic", "42"];
        let start = ["--cardano-system-start", "2023-11-14T22:13:20Z"];
        let options = configured(Network::Custom, None, &[relay, magic, start].concat()).unwrap();
        assert_eq!((options.genesis.magic, options.genesis.start), (42, None));
        let second = options.genesis.times.time_of(1_u64.try_into().unwrap()).unwrap();
        assert_eq!(second.to_string(), "2023-11-14T22:13:21Z");
        for (given, missing) in [(magic, "--cardano-system-start"), (start, "--cardano-network-magic")] {
            let error = configured(Network::Custom, None, &[relay, given].concat()).unwrap_err();
            assert!(error.contains(missing) && error.contains("custom"), "{error}");
            let error = configured(Network::Preview, None, &[relay, given].concat()).unwrap_err();
            assert!(error.contains(given[0]) && error.contains("preview"), "{error}");
        }
    }

    #[test]
    fn flags_that_are_wrong_are_named() {
        for (flags, text) in [
            (&[][..], "--cardano-relay"),
            (&["--cardano-relay", "a"], "HOST:PORT"),
            (&["--cardano-relay", "a:1,"], "HOST:PORT"),
            (&["--cardano-relay", "a:1", "--start-point", HASH], "SLOT.HASH"),
            (
                &["--cardano-relay", "a:1", "--cardano-network-magic", "4294967296"],
                "4294967296",
            ),
            (
                &["--cardano-relay", "a:1", "--cardano-system-start", "yesterday"],
                "RFC 3339",
            ),
        ] {
            let error = configured(Network::Mainnet, None, flags).unwrap_err();
            assert!(error.contains(text), "{flags:?}: {error}");
        }
    }
}
