//! A cardano-wallet as applications know it: its name and its flags.

use std::path::PathBuf;

use clap::{ArgMatches, Args, Command, FromArgMatches};
use dlt_sink::{AnySink, SinkKind, SinkSettings};

use crate::{Passphrase, WalletOptions, WalletSink};

/// The HTTP API of cardano-wallet.
#[derive(Debug)]
pub struct WalletKind;

/// The name as `--dlt-sink` takes it.
const NAME: &str = "wallet";

/// The environment variable with the passphrase. There is no flag for it, since other users of the machine see those.
const PASSPHRASE_VARIABLE: &str = "NPRISM_CARDANO_WALLET_PASSPHRASE";

/// Which wallet, and what it pays to.
#[derive(Debug, Args)]
#[command(next_help_heading = "Wallet")]
#[expect(
    clippy::struct_field_names,
    reason = "the names of the flags, among those of all sources and sinks"
)]
struct WalletFlags {
    /// The address of cardano-wallet's API.
    #[arg(
        long,
        help = "The address of cardano-wallet's API: http://127.0.0.1:8090",
        env = "NPRISM_CARDANO_WALLET_BASE_URL",
        value_name = "URL",
        hide_env_values = true,
        required_if_eq("dlt_sink", NAME)
    )]
    cardano_wallet_base_url: Option<String>,
    /// The wallet that pays: 40 hexadecimal digits.
    #[arg(
        long,
        env = "NPRISM_CARDANO_WALLET_WALLET_ID",
        value_name = "ID",
        required_if_eq("dlt_sink", NAME)
    )]
    cardano_wallet_wallet_id: Option<String>,
    /// A file whose first line is the passphrase of the wallet. Without it, the environment variable
    /// `NPRISM_CARDANO_WALLET_PASSPHRASE` has the passphrase.
    #[arg(long, value_name = "FILE")]
    cardano_wallet_passphrase_file: Option<PathBuf>,
    /// The address that each transaction pays 1 ada to: one of the wallet's own, so that only the fee is spent.
    #[arg(
        long,
        env = "NPRISM_CARDANO_WALLET_PAYMENT_ADDR",
        value_name = "ADDRESS",
        required_if_eq("dlt_sink", NAME)
    )]
    cardano_wallet_payment_addr: Option<String>,
}

impl SinkKind for WalletKind {
    fn name(&self) -> &'static str {
        NAME
    }

    fn add_flags(&self, command: Command) -> Command {
        WalletFlags::augment_args(command)
    }

    fn configure(&self, flags: &ArgMatches, settings: SinkSettings) -> Result<AnySink, String> {
        let options = options(flags, settings, || std::env::var(PASSPHRASE_VARIABLE).ok())?;
        Ok(AnySink::new(WalletSink::new(options)?))
    }
}

/// The wallet that these flags name. The file goes before the environment.
fn options(
    flags: &ArgMatches,
    settings: SinkSettings,
    environment: impl FnOnce() -> Option<String>,
) -> Result<WalletOptions, String> {
    let flags = WalletFlags::from_arg_matches(flags).map_err(|error| error.to_string())?;
    let missing = |flag: &str| format!("give {flag}");
    let base = flags
        .cardano_wallet_base_url
        .ok_or_else(|| missing("--cardano-wallet-base-url URL"))?;
    let id = flags
        .cardano_wallet_wallet_id
        .ok_or_else(|| missing("--cardano-wallet-wallet-id ID"))?;
    let address = flags
        .cardano_wallet_payment_addr
        .ok_or_else(|| missing("--cardano-wallet-payment-addr ADDRESS"))?;
    let passphrase = if let Some(path) = flags.cardano_wallet_passphrase_file {
        Passphrase::from_file(&path)?
    } else {
        let text = environment().ok_or_else(|| {
            format!("give --cardano-wallet-passphrase-file FILE, or the passphrase in {PASSPHRASE_VARIABLE}")
        })?;
        Passphrase::new(text).map_err(|error| format!("{PASSPHRASE_VARIABLE}: {error}"))?
    };
    WalletOptions::new(&base, &id, passphrase, &address, settings.network)
}

#[cfg(test)]
mod tests {
    use clap::Arg;
    use node_storage_contract::Network;

    use super::*;

    const FLAGS: [&str; 6] = [
        "--cardano-wallet-base-url",
        "http://127.0.0.1:8090",
        "--cardano-wallet-wallet-id",
        "2512a00e9653fe49a44a5886202e24d77eeb998f",
        "--cardano-wallet-payment-addr",
        "addr1q9",
    ];

    fn configured(flags: &[&str], environment: Option<&str>) -> Result<WalletOptions, String> {
        let command = Command::new("node").arg(Arg::new("dlt_sink").long("dlt-sink"));
        let arguments = ["node", "--dlt-sink", NAME].iter().chain(flags);
        let matches = WalletFlags::augment_args(command)
            .try_get_matches_from(arguments)
            .map_err(|error| error.to_string())?;
        let settings = SinkSettings {
            network: Network::Mainnet,
        };
        options(&matches, settings, || environment.map(str::to_owned))
    }

    #[test]
    fn the_file_goes_before_the_environment() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("passphrase");
        std::fs::write(&path, "of the file\n").unwrap();
        let path = path.display().to_string();
        let with_file = [&FLAGS[..], &["--cardano-wallet-passphrase-file", &path]].concat();
        let options = configured(&with_file, Some("of the environment")).unwrap();
        assert_eq!(options.passphrase.expose(), "of the file");
        let options = configured(&FLAGS, Some("of the environment")).unwrap();
        assert_eq!(options.passphrase.expose(), "of the environment");
    }

    #[test]
    fn flags_that_are_missing_are_named() {
        for (flags, text) in [
            (&FLAGS[2..], "--cardano-wallet-base-url"),
            (&FLAGS[..4], "--cardano-wallet-payment-addr"),
            (&[&FLAGS[..2], &FLAGS[4..]].concat()[..], "--cardano-wallet-wallet-id"),
        ] {
            let error = configured(flags, Some("secret")).unwrap_err();
            assert!(error.contains(text) && !error.contains("secret"), "{error}");
        }
        let error = configured(&FLAGS, None).unwrap_err();
        assert!(
            error.contains("passphrase-file") && error.contains(PASSPHRASE_VARIABLE),
            "{error}"
        );
    }
}
