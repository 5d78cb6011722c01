//! Which wallet publishes, and how.

use std::time::Duration;

use node_storage_contract::Network;
use reqwest::Url;

use crate::Passphrase;

/// Digits of a wallet's id.
const ID_LENGTH: usize = 40;

/// Which wallet publishes, and how.
#[derive(Debug, Clone)]
pub struct WalletOptions {
    pub(crate) base: Url,
    pub(crate) wallet_id: String,
    pub(crate) passphrase: Passphrase,
    pub(crate) payment_address: String,
    pub(crate) limits: TimeLimits,
}

/// How long things may take. A submission takes the sum of all at most.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Waiting for the submissions before it.
    pub queue: Duration,
    /// Connecting.
    pub connect: Duration,
    /// Asking for the state of the wallet.
    pub state: Duration,
    /// Making, signing and submitting the transaction.
    pub transaction: Duration,
}

impl Default for TimeLimits {
    /// 30 s, 5 s, 10 s and 60 s.
    fn default() -> Self {
        Self {
            queue: Duration::from_secs(30),
            connect: Duration::from_secs(5),
            state: Duration::from_secs(10),
            transaction: Duration::from_mins(1),
        }
    }
}

impl WalletOptions {
    /// The wallet with this id behind the API at `base_url`, with or without its `/v2`, which pays to `payment_address`.
    ///
    /// # Errors
    /// What is wrong, and what to give in its place.
    pub fn new(
        base_url: &str,
        wallet_id: &str,
        passphrase: Passphrase,
        payment_address: &str,
        network: Network,
    ) -> Result<Self, String> {
        if wallet_id.len() != ID_LENGTH || !wallet_id.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(format!(
                "the wallet id has to be {ID_LENGTH} hexadecimal digits, as GET /v2/wallets lists it"
            ));
        }
        Ok(Self {
            base: base(base_url)?,
            wallet_id: wallet_id.to_ascii_lowercase(),
            passphrase,
            payment_address: payment_address_of(network, payment_address)?,
            limits: TimeLimits::default(),
        })
    }

    /// How long things may take.
    #[must_use]
    pub fn limits(mut self, limits: TimeLimits) -> Self {
        self.limits = limits;
        self
    }
}

/// The address of the API, with `/v2/` at its end.
fn base(text: &str) -> Result<Url, String> {
    // The text is not repeated: it may have a password in it.
    let wrong = || "the wallet's base URL can't be understood; write http://127.0.0.1:8090".to_owned();
    let mut url = Url::parse(text).map_err(|_| wrong())?;
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() {
        return Err(wrong());
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("the wallet's base URL has a user or password in it; cardano-wallet has neither".to_owned());
    }
    if url.query().is_some() || url.fragment().is_some() {
        return Err(wrong());
    }
    let path = url.path().trim_end_matches('/');
    let path = path.strip_suffix("/v2").unwrap_or(path);
    let path = format!("{path}/v2/");
    url.set_path(&path);
    Ok(url)
}

/// The address, if it is one of the network.
fn payment_address_of(network: Network, address: &str) -> Result<String, String> {
    let (expected, other) = match network {
        Network::Mainnet => ("addr1", "addr_test1"),
        Network::Preprod | Network::Preview | Network::Custom => ("addr_test1", "addr1"),
    };
    if address.starts_with(other) {
        return Err(format!(
            "the payment address begins with {other}, but those of the network {network} with {expected}"
        ));
    }
    let is_address = address
        .strip_prefix(expected)
        .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric()));
    if !is_address {
        return Err(format!(
            "the payment address has to be one of the wallet's own, {expected}…, as GET /v2/wallets/ID/addresses lists them"
        ));
    }
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "2512a00e9653fe49a44a5886202e24d77eeb998f";

    fn options(base: &str, id: &str, address: &str, network: Network) -> Result<WalletOptions, String> {
        WalletOptions::new(base, id, Passphrase::new("secret").unwrap(), address, network)
    }

    #[test]
    fn the_base_url_may_have_the_version_or_not() {
        for (given, base) in [
            ("http://127.0.0.1:8090", "http://127.0.0.1:8090/v2/"),
            ("http://127.0.0.1:8090/", "http://127.0.0.1:8090/v2/"),
            ("http://127.0.0.1:8090/v2", "http://127.0.0.1:8090/v2/"),
            ("https://wallet.example/a/v2/", "https://wallet.example/a/v2/"),
        ] {
            let options = options(given, ID, "addr1q9", Network::Mainnet).unwrap();
            assert_eq!(options.base.as_str(), base);
        }
        for wrong in [
            "127.0.0.1:8090",
            "ftp://a",
            "http://u:secret@a",
            "http://a?b=secret",
            "",
        ] {
            let error = options(wrong, ID, "addr1q9", Network::Mainnet).unwrap_err();
            assert!(error.contains("base URL") && !error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn an_address_of_another_network_is_refused_with_both() {
        let error = options("http://a", ID, "addr_test1q9", Network::Mainnet).unwrap_err();
        assert!(error.contains("addr_test1") && error.contains("mainnet"), "{error}");
        let error = options("http://a", ID, "addr1q9", Network::Preprod).unwrap_err();
        assert!(error.contains("addr1") && error.contains("preprod"), "{error}");
        assert!(options("http://a", ID, "addr_test1q9", Network::Custom).is_ok());
        for wrong in ["", "addr1", "stake1abc", "addr1 9"] {
            assert!(options("http://a", ID, wrong, Network::Mainnet).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_wallet_id_has_forty_digits_and_debug_no_secret() {
        for wrong in ["", "25", &"g".repeat(40), "../../../2512a00e9653fe49a44a5886202e24d7"] {
            let error = options("http://a", wrong, "addr1q9", Network::Mainnet).unwrap_err();
            assert!(error.contains("40 hexadecimal"), "{error}");
        }
        let options = options("http://a", ID, "addr1q9", Network::Mainnet).unwrap();
        assert!(!format!("{options:?}").contains("secret"));
    }
}
