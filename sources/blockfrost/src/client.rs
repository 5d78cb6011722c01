//! Requests to Blockfrost, and what its status codes mean.

use std::error::Error;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use dlt_source::SourceError;
use node_storage_contract::{BlockNo, Network};
use reqwest::header::{HeaderMap, HeaderValue, RETRY_AFTER};
use reqwest::redirect::Policy;
use reqwest::{Response, StatusCode};
use serde::de::{DeserializeOwned, IgnoredAny};

use crate::BlockfrostOptions;
use crate::answer::{Block, ChainBlock, ErrorBody, Genesis};
use crate::pace::Pace;

/// The longest answer about a block or a transaction, in bytes. A transaction is 16 KiB at most.
pub(crate) const SHORT_ANSWER: usize = 2 * 1024 * 1024;

/// The longest page of entries, in bytes. A hundred entries of 16 KiB, twice each in hexadecimal digits, are 7 MB.
pub(crate) const PAGE_ANSWER: usize = 16 * 1024 * 1024;

/// How often a request is sent before its failure is reported.
const ATTEMPTS: u32 = 4;

/// The longest text of the other side that is shown, in characters.
const LONGEST_TEXT: usize = 200;

/// The name of the header that carries the key.
const KEY_HEADER: &str = "project_id";

/// Sends requests to one Blockfrost.
#[derive(Debug)]
pub(crate) struct Client {
    http: reqwest::Client,
    pub(crate) options: BlockfrostOptions,
    pace: Pace,
    /// Whether anything was ever answered.
    has_answered: AtomicBool,
    /// Whether it is known to be of the right network.
    is_checked: AtomicBool,
}

/// Why a request was not answered as it should be.
#[derive(Debug)]
enum Failure {
    /// Nobody could be connected to.
    Unreachable(String),
    /// It may pass, perhaps after the time that the other side has named.
    Passing { detail: String, after: Option<Duration> },
    /// Too many requests: the same, and fewer are to be sent from now on.
    TooFast { detail: String, after: Option<Duration> },
    /// It passes after a long time, before which nothing is to be asked.
    Resting(String),
    /// Somebody has to do something.
    Lasting(String),
    /// The answer is none that there can be.
    Malformed(String),
}

impl Client {
    pub(crate) fn new(options: BlockfrostOptions) -> Result<Self, SourceError> {
        let http = http(&options).map_err(|detail| SourceError::Unavailable {
            retryable: false,
            subject: options.location(),
            detail,
        })?;
        Ok(Self {
            http,
            pace: Pace::new(options.pace()),
            options,
            has_answered: AtomicBool::new(false),
            is_checked: AtomicBool::new(false),
        })
    }

    /// Refuses the Blockfrost of another network.
    pub(crate) async fn check_network(&self) -> Result<(), SourceError> {
        if self.is_checked.load(Ordering::Relaxed) {
            return Ok(());
        }
        let Some(Genesis { network_magic }) = self.get("genesis", SHORT_ANSWER).await? else {
            let detail = "it answers 404, so there is no Blockfrost at this address; check --blockfrost-base-url, which ends in \
                          /api/v0 for the hosted one";
            return Err(self.unavailable(false, detail.to_owned()));
        };
        let network = self.options.network;
        if !is_of(network, network_magic) {
            let detail = format!(
                "it serves the network with magic {network_magic}, and --network is {network}; give the Blockfrost of that \
                 network, or another --network"
            );
            return Err(self.unavailable(false, detail));
        }
        self.is_checked.store(true, Ordering::Relaxed);
        Ok(())
    }

    /// The highest block.
    pub(crate) async fn tip(&self) -> Result<ChainBlock, SourceError> {
        let resource = "blocks/latest";
        let block: Option<Block> = self.get(resource, SHORT_ANSWER).await?;
        let block = block.map(|block| block.checked()).transpose();
        block
            .map_err(|detail| self.malformed(resource, detail))?
            .flatten()
            .ok_or_else(|| self.unavailable(true, "it has no block yet".to_owned()))
    }

    /// The block with this number, at which or above which the chain ends.
    pub(crate) async fn block(&self, number: BlockNo) -> Result<ChainBlock, SourceError> {
        let resource = format!("blocks/{number}");
        let block: Option<Block> = self.get(&resource, SHORT_ANSWER).await?;
        let Some(block) = block else {
            let detail = format!("it lacks block {number}, though its chain goes on above; is it being restored?");
            return Err(self.unavailable(true, detail));
        };
        match block.checked() {
            Ok(Some(block)) if block.cursor.block == number => Ok(block),
            Ok(_) => Err(self.malformed(&resource, "it is a block with another number".to_owned())),
            Err(detail) => Err(self.malformed(&resource, detail)),
        }
    }

    /// What there is at this address. `None` where there is nothing (404).
    ///
    /// What passes is waited for, a few times and a few minutes at most.
    pub(crate) async fn get<T: DeserializeOwned>(
        &self,
        resource: &str,
        longest: usize,
    ) -> Result<Option<T>, SourceError> {
        let limits = &self.options.limits;
        let mut pause = limits.first_pause;
        let mut attempt = 0;
        loop {
            attempt += 1;
            self.pace.turn().await;
            let failure = match self.ask(resource, longest).await {
                Ok(answer) => return Ok(answer),
                Err(failure) => failure,
            };
            let (detail, after) = match failure {
                Failure::Unreachable(detail) if !self.has_answered.load(Ordering::Relaxed) => {
                    // What was never reached may be named wrongly: whoever waits is to know at once.
                    let detail = format!("{detail}; check --blockfrost-base-url and the network, if it does not pass");
                    return Err(self.unavailable(true, detail));
                }
                Failure::Unreachable(detail) => (detail, None),
                Failure::Passing { detail, after } => (detail, after),
                Failure::TooFast { detail, after } => {
                    self.pace.slow_down(limits.interval);
                    (detail, after)
                }
                Failure::Resting(detail) => {
                    self.pace.rest(limits.rest);
                    return Err(self.unavailable(true, detail));
                }
                Failure::Lasting(detail) => return Err(self.unavailable(false, detail)),
                Failure::Malformed(detail) => return Err(self.malformed(resource, detail)),
            };
            self.pace.rest(after.unwrap_or(pause).min(limits.longest_pause));
            if attempt >= ATTEMPTS {
                return Err(self.unavailable(true, detail));
            }
            tracing::debug!("{resource} is asked for again: {detail}");
            pause = pause.saturating_mul(2);
        }
    }

    /// Sends one request.
    async fn ask<T: DeserializeOwned>(&self, resource: &str, longest: usize) -> Result<Option<T>, Failure> {
        let url = self.options.url(resource).map_err(Failure::Lasting)?;
        let response = self.http.get(url).send().await.map_err(|error| self.failure(error))?;
        self.has_answered.store(true, Ordering::Relaxed);
        match response.status() {
            StatusCode::OK => {}
            StatusCode::NOT_FOUND => return self.absence(response).await.map(|()| None),
            status => return Err(self.refusal(status, response).await),
        }
        let Some(body) = self.body(response, longest).await? else {
            let detail = format!("its answer to {resource} is longer than {longest} bytes");
            return Err(Failure::Lasting(detail));
        };
        serde_json::from_slice(&body).map(Some).map_err(|error| {
            if serde_json::from_slice::<IgnoredAny>(&body).is_ok() {
                return Failure::Malformed(error.to_string());
            }
            // Cut, or of a proxy that has a page of its own to show.
            Failure::Passing {
                detail: format!("its answer to {resource} is no JSON: {error}"),
                after: None,
            }
        })
    }

    /// Makes certain that it is Blockfrost that says that there is nothing, and not something before it that does not find Blockfrost:
    /// a list of nothing would let the cursor pass over what there is.
    async fn absence(&self, response: Response) -> Result<(), Failure> {
        let body = self.body(response, SHORT_ANSWER).await?.unwrap_or_default();
        let is_said = serde_json::from_slice(&body).is_ok_and(|body: ErrorBody| body.status_code == 404);
        if is_said {
            return Ok(());
        }
        let detail = "it answers 404, and not as Blockfrost does; check --blockfrost-base-url".to_owned();
        Err(if self.is_checked.load(Ordering::Relaxed) {
            Failure::Passing { detail, after: None }
        } else {
            Failure::Lasting(detail)
        })
    }

    /// The body. `None` where it is longer than it may be.
    async fn body(&self, mut response: Response, longest: usize) -> Result<Option<Vec<u8>>, Failure> {
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| self.failure(error))? {
            if body.len().saturating_add(part.len()) > longest {
                return Ok(None);
            }
            body.extend_from_slice(&part);
        }
        Ok(Some(body))
    }

    /// What a status code means, by the [description of the API](https://docs.blockfrost.io/#section/Errors).
    async fn refusal(&self, status: StatusCode, response: Response) -> Failure {
        let after = retry_after(response.headers(), SystemTime::now());
        let detail = match self.body(response, SHORT_ANSWER).await {
            Ok(Some(body)) => self.text(status, &body),
            _ => status.to_string(),
        };
        match status.as_u16() {
            401 | 403 if self.options.key.is_some() => Failure::Lasting(format!(
                "it refuses the key: {detail}; check --blockfrost-api-key, and that the key is one of --network {}",
                self.options.network
            )),
            401 | 403 => Failure::Lasting(format!(
                "it asks for a key: {detail}; give --blockfrost-api-key or --blockfrost-api-key-file"
            )),
            402 => Failure::Resting(format!(
                "the requests of the day are used up: {detail}; the count begins anew at midnight UTC"
            )),
            418 => Failure::Resting(format!(
                "it has banned this address for a time, for too many requests: {detail}"
            )),
            429 => Failure::TooFast { detail, after },
            408 | 425 | 500..=599 => Failure::Passing { detail, after },
            300..=399 => Failure::Lasting(format!(
                "it is elsewhere: {detail}; give --blockfrost-base-url of where it is"
            )),
            _ => Failure::Lasting(format!("{detail}; check --blockfrost-base-url")),
        }
    }

    /// The status with what the body says of it.
    fn text(&self, status: StatusCode, body: &[u8]) -> String {
        match serde_json::from_slice::<ErrorBody>(body) {
            Ok(ErrorBody { message, .. }) => format!("{status}: {}", self.shown(&message)),
            Err(_) => status.to_string(),
        }
    }

    fn failure(&self, error: reqwest::Error) -> Failure {
        let is_connect = error.is_connect();
        let error = error.without_url();
        let mut detail = error.to_string();
        let mut cause = error.source();
        while let Some(error) = cause {
            detail = format!("{detail}: {error}");
            cause = error.source();
        }
        let detail = self.shown(&detail);
        if is_connect {
            Failure::Unreachable(detail)
        } else {
            Failure::Passing { detail, after: None }
        }
    }

    /// A text of the other side as it can be shown: short, on one line, without secrets.
    fn shown(&self, text: &str) -> String {
        let text = self.options.without_secrets(text);
        text.chars()
            .map(|character| if character.is_control() { ' ' } else { character })
            .take(LONGEST_TEXT)
            .collect()
    }

    pub(crate) fn unavailable(&self, retryable: bool, detail: String) -> SourceError {
        SourceError::Unavailable {
            retryable,
            subject: self.options.location(),
            detail,
        }
    }

    pub(crate) fn malformed(&self, resource: &str, detail: String) -> SourceError {
        SourceError::Malformed {
            at: format!("{}, {resource}", self.options.location()),
            detail,
        }
    }
}

/// Whether a network has this magic. A custom one has any but those of the public ones.
fn is_of(network: Network, magic: u64) -> bool {
    match magic_of(network) {
        Some(expected) => magic == expected,
        None => Network::ALL.iter().all(|public| magic_of(*public) != Some(magic)),
    }
}

/// `networkMagic` of the genesis files of the public networks.
const fn magic_of(network: Network) -> Option<u64> {
    match network {
        Network::Mainnet => Some(764_824_073),
        Network::Preprod => Some(1),
        Network::Preview => Some(2),
        Network::Custom => None,
    }
}

/// How long `Retry-After` asks to wait from `now` on. It has a number of seconds, or a date (RFC 9110, section 10.2.3); one that is past
/// asks for nothing.
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let text = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = text.parse() {
        return Some(Duration::from_secs(seconds));
    }
    let date = httpdate::parse_http_date(text).ok()?;
    Some(date.duration_since(now).unwrap_or_default())
}

/// The HTTP client: proxies as the environment names them, no redirects, since they would take the key along.
fn http(options: &BlockfrostOptions) -> Result<reqwest::Client, String> {
    let mut headers = HeaderMap::new();
    if let Some(key) = &options.key {
        let mut value = HeaderValue::from_str(key.as_str()).map_err(|_| "the key is none".to_owned())?;
        value.set_sensitive(true);
        headers.insert(KEY_HEADER, value);
    }
    let limits = &options.limits;
    reqwest::Client::builder()
        .user_agent("neoprism-node")
        .default_headers(headers)
        .redirect(Policy::none())
        // Requests are repeated here, where each is counted.
        .retry(reqwest::retry::never())
        .connect_timeout(limits.connect)
        .read_timeout(limits.read)
        .timeout(limits.answer)
        .tls_backend_preconfigured(
            trusted_tls::client_config().map_err(|error| format!("TLS is not to be had: {error}"))?,
        )
        .build()
        .map_err(|error| error.without_url().to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_network_has_any_magic_but_a_public_ones() {
        assert!(is_of(Network::Mainnet, 764_824_073) && is_of(Network::Preprod, 1) && is_of(Network::Preview, 2));
        assert!(!is_of(Network::Mainnet, 1) && !is_of(Network::Preprod, 2) && !is_of(Network::Preview, 42));
        assert!(is_of(Network::Custom, 42) && is_of(Network::Custom, 0));
        assert!(!is_of(Network::Custom, 1) && !is_of(Network::Custom, 764_824_073));
    }

    #[test]
    fn retry_after_is_in_seconds_or_a_date() {
        let now = SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777);
        let after = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(RETRY_AFTER, HeaderValue::from_str(text).unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Sun, 06 Nov 1994 08:49:07 GMT"), Some(Duration::ZERO));
        for none in ["-1", "soon", "Sun, 06 Nov 1994 25:00:00 GMT"] {
            assert_eq!(after(none), None, "{none}");
        }
        assert_eq!(retry_after(&HeaderMap::new(), now), None);
    }

    #[test]
    fn text_of_the_other_side_is_short_and_on_one_line() {
        let options = BlockfrostOptions::new("http://127.0.0.1", Network::Custom).unwrap();
        let client = Client::new(options).unwrap();
        let body = format!(r#"{{"status_code": 403, "message": "a\nb{}"}}"#, "c".repeat(1_000));
        let text = client.text(StatusCode::FORBIDDEN, body.as_bytes());
        assert!(text.starts_with("403 Forbidden: a bccc"), "{text}");
        assert!(text.len() < 300, "{text}");
        assert_eq!(client.text(StatusCode::BAD_GATEWAY, b"<html>"), "502 Bad Gateway");
    }
}
