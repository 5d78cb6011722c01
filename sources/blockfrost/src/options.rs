//! Which Blockfrost is read, and how.

use std::fmt;
use std::num::NonZeroUsize;
use std::time::Duration;

use dlt_source::DEFAULT_CONFIRMATION_BLOCKS;
use node_storage_contract::Network;
use reqwest::Url;

use crate::ApiKey;

/// Requests under way at the same time where nothing else is said.
const CONCURRENCY: NonZeroUsize = NonZeroUsize::new(4).unwrap();

/// Where the hosted service is. It takes 10 requests a second of one address, and a burst of 500 beside them.
const HOSTED: &str = "blockfrost.io";

/// How far apart requests are where 10 a second are taken.
const TEN_A_SECOND: Duration = Duration::from_millis(100);

/// Which Blockfrost is read, and how.
#[derive(Clone)]
pub struct BlockfrostOptions {
    pub(crate) base: Url,
    pub(crate) key: Option<ApiKey>,
    pub(crate) network: Network,
    pub(crate) confirmations: u32,
    pub(crate) poll_interval: Duration,
    pub(crate) concurrency: NonZeroUsize,
    pub(crate) limits: TimeLimits,
}

/// How long things may take, and how long to wait after a failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct TimeLimits {
    /// Connecting.
    pub connect: Duration,
    /// Waiting for the next part of an answer.
    pub read: Duration,
    /// A request with its whole answer.
    pub answer: Duration,
    /// The pause after the first failure of a request. Each one after it is twice as long.
    pub first_pause: Duration,
    /// The longest pause within a request, whatever `Retry-After` says.
    pub longest_pause: Duration,
    /// The pause after the limit of the day was reached, or the address was banned.
    pub rest: Duration,
    /// How far apart requests are sent once there were too many of them.
    pub interval: Duration,
}

impl Default for TimeLimits {
    /// 10 s, 30 s, 2 min; pauses of 0.5 s to 1 min, a rest of 10 min, and 10 requests a second.
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(10),
            read: Duration::from_secs(30),
            answer: Duration::from_mins(2),
            first_pause: Duration::from_millis(500),
            longest_pause: Duration::from_mins(1),
            rest: Duration::from_mins(10),
            interval: TEN_A_SECOND,
        }
    }
}

impl BlockfrostOptions {
    /// The hosted Blockfrost of this network. `None` for a custom one, which has none.
    pub fn hosted(network: Network) -> Option<Self> {
        if network == Network::Custom {
            return None;
        }
        Self::new(&format!("https://cardano-{network}.{HOSTED}/api/v0"), network).ok()
    }

    /// The Blockfrost of `network` at this address. 112 block numbers below its highest one are held back, and it is looked at
    /// every 10 s where it had nothing new.
    ///
    /// # Errors
    /// A text that does not show the address, which may hold a password.
    pub fn new(base_url: &str, network: Network) -> Result<Self, String> {
        let base = Url::parse(base_url).ok().filter(|url| {
            let is_http = matches!(url.scheme(), "http" | "https") && url.has_host();
            is_http && url.query().is_none() && url.fragment().is_none()
        });
        let Some(base) = base else {
            let text = "--blockfrost-base-url can't be understood; write https://host/api/v0, or http://127.0.0.1:3000 for one of \
                        your own";
            return Err(text.to_owned());
        };
        Ok(Self {
            base,
            key: None,
            network,
            confirmations: DEFAULT_CONFIRMATION_BLOCKS,
            poll_interval: Duration::from_secs(10),
            concurrency: CONCURRENCY,
            limits: TimeLimits::default(),
        })
    }

    /// The key that is sent with each request.
    #[must_use]
    pub fn key(mut self, key: ApiKey) -> Self {
        self.key = Some(key);
        self
    }

    /// How many block numbers below the highest one are held back.
    #[must_use]
    pub fn confirmations(mut self, blocks: u32) -> Self {
        self.confirmations = blocks;
        self
    }

    /// How long to wait before Blockfrost is looked at again, where it had nothing new.
    #[must_use]
    pub fn poll_interval(mut self, interval: Duration) -> Self {
        self.poll_interval = interval;
        self
    }

    /// How many requests may be under way at the same time.
    #[must_use]
    pub fn concurrency(mut self, requests: NonZeroUsize) -> Self {
        self.concurrency = requests;
        self
    }

    /// How long things may take.
    #[must_use]
    pub fn limits(mut self, limits: TimeLimits) -> Self {
        self.limits = limits;
        self
    }

    /// The address without user name and password.
    pub fn location(&self) -> String {
        let base = &self.base;
        let host = base.host_str().unwrap_or_default();
        let port = base.port().map(|port| format!(":{port}")).unwrap_or_default();
        let path = base.path().trim_end_matches('/');
        format!("Blockfrost at {}://{host}{port}{path}", base.scheme())
    }

    /// The address of a resource.
    pub(crate) fn url(&self, resource: &str) -> Result<Url, String> {
        let base = self.base.as_str().trim_end_matches('/');
        Url::parse(&format!("{base}/{resource}")).map_err(|error| error.to_string())
    }

    /// How far apart requests are.
    pub(crate) fn pace(&self) -> Duration {
        let host = self.base.host_str().unwrap_or_default();
        let is_hosted = host.strip_suffix(HOSTED).is_some_and(|name| name.ends_with('.'));
        if is_hosted { TEN_A_SECOND } else { Duration::ZERO }
    }

    /// A text of the other side, in which neither the key nor the password of the address stands.
    pub(crate) fn without_secrets(&self, text: &str) -> String {
        let password = self.base.password().filter(|password| !password.is_empty());
        let user = Some(self.base.username()).filter(|user| !user.is_empty());
        let secrets = [self.key.as_ref().map(ApiKey::as_str), password, user];
        secrets
            .into_iter()
            .flatten()
            .fold(text.to_owned(), |text, secret| text.replace(secret, "…"))
    }
}

impl fmt::Debug for BlockfrostOptions {
    /// Shows neither the key nor the password of the address.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BlockfrostOptions")
            .field("location", &self.location())
            .field("key", &self.key)
            .field("network", &self.network)
            .field("confirmations", &self.confirmations)
            .field("poll_interval", &self.poll_interval)
            .field("concurrency", &self.concurrency)
            .field("limits", &self.limits)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn public_networks_have_their_addresses() {
        for (network, location) in [
            (
                Network::Mainnet,
                "Blockfrost at https://cardano-mainnet.blockfrost.io/api/v0",
            ),
            (
                Network::Preprod,
                "Blockfrost at https://cardano-preprod.blockfrost.io/api/v0",
            ),
            (
                Network::Preview,
                "Blockfrost at https://cardano-preview.blockfrost.io/api/v0",
            ),
        ] {
            let options = BlockfrostOptions::hosted(network).unwrap();
            assert_eq!(options.location(), location);
            assert_eq!(options.pace(), TEN_A_SECOND);
        }
        assert!(BlockfrostOptions::hosted(Network::Custom).is_none());
    }

    #[test]
    fn resources_are_below_any_address() {
        for (base, expected) in [
            ("http://127.0.0.1:3000", "http://127.0.0.1:3000/genesis"),
            ("http://127.0.0.1:3000/", "http://127.0.0.1:3000/genesis"),
            ("https://host/api/v0/", "https://host/api/v0/genesis"),
        ] {
            let options = BlockfrostOptions::new(base, Network::Mainnet).unwrap();
            assert_eq!(options.url("genesis").unwrap().as_str(), expected);
            assert_eq!(options.pace(), Duration::ZERO);
        }
    }

    #[test]
    fn key_and_password_are_neither_in_an_error_nor_in_debug() {
        for wrong in [
            "ftp://user:secret@host",
            "user:secret@host",
            "https://user:secret@host:port",
            "https://host?project_id=secret",
            "https://host/#secret",
            "",
        ] {
            let error = BlockfrostOptions::new(wrong, Network::Mainnet).unwrap_err();
            assert!(
                !error.contains("secret") && error.contains("--blockfrost-base-url"),
                "{error}"
            );
        }
        let options = BlockfrostOptions::new("https://reader:secret@host:8443/v0/", Network::Mainnet)
            .unwrap()
            .key(ApiKey::new("mainnetHidden").unwrap());
        let shown = format!("{options:?}");
        assert!(
            !shown.contains("secret") && !shown.contains("reader") && !shown.contains("Hidden"),
            "{shown}"
        );
        assert!(shown.contains("Blockfrost at https://host:8443/v0\""), "{shown}");
        assert_eq!(
            options.without_secrets("mainnetHidden and secret are wrong"),
            "… and … are wrong"
        );
    }
}
