//! The requests to cardano-wallet, each once.

use std::time::Duration;

use did_prism::digest::TransactionId;
use dlt_sink::SubmitError;
use reqwest::header::{CONTENT_TYPE, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{RequestBuilder, StatusCode, Url};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::WalletOptions;
use crate::refusal::ApiError;

/// Most bytes of an answer that are read. That to a transaction repeats its metadata, which is some 50 KB of JSON.
const MAX_ANSWER_LENGTH: usize = 1024 * 1024;

/// What each transaction pays: 1 ada, a little more than the least that the ledger allows.
const PAYMENT_LOVELACE: u64 = 1_000_000;

/// The API of a wallet.
#[derive(Debug)]
pub(crate) struct Api {
    http: reqwest::Client,
    options: WalletOptions,
}

/// The part of a wallet's description that is read.
#[derive(Debug, Deserialize)]
struct Wallet {
    state: State,
}

#[derive(Debug, Deserialize)]
struct State {
    status: String,
    progress: Option<Progress>,
}

#[derive(Debug, Deserialize)]
struct Progress {
    quantity: serde_json::Number,
}

/// The part of an accepted transaction that is read.
#[derive(Debug, Deserialize)]
struct Accepted {
    id: String,
}

/// Why there is no answer that can be read.
enum NoAnswer {
    /// The request was not sent.
    NotSent(String),
    /// It may have been sent.
    Lost(String),
}

impl Api {
    pub(crate) fn new(options: WalletOptions) -> Result<Self, String> {
        let http = reqwest::Client::builder()
            .user_agent("neoprism-node")
            // A redirect or a proxy would take the passphrase elsewhere.
            .redirect(Policy::none())
            .no_proxy()
            // A transaction that is sent twice may be published twice. A connection that was kept may be closed by the other side
            // while a request is on its way, so that nobody knows whether it was read: each request has a new one.
            .retry(reqwest::retry::never())
            .pool_max_idle_per_host(0)
            .http1_only()
            .connect_timeout(options.limits.connect)
            .tls_backend_preconfigured(
                trusted_tls::client_config().map_err(|error| format!("TLS is not to be had: {error}"))?,
            )
            .build()
            .map_err(|error| error.without_url().to_string())?;
        Ok(Self { http, options })
    }

    pub(crate) fn options(&self) -> &WalletOptions {
        &self.options
    }

    /// Whether the passphrase would cross a network that others may read.
    pub(crate) fn is_open_to_others(&self) -> bool {
        let host = self.options.base.host_str().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let is_local = host == "localhost"
            || host
                .parse::<std::net::IpAddr>()
                .is_ok_and(|address| address.is_loopback());
        self.options.base.scheme() == "http" && !is_local
    }

    fn url(&self, rest: &str) -> Result<Url, SubmitError> {
        let path = format!("wallets/{}{rest}", self.options.wallet_id);
        let url = self.options.base.join(&path);
        url.map_err(|error| SubmitError::Refused(format!("the wallet's address can't be made: {error}")))
    }

    /// Whether the wallet is there, and has read the chain to its end.
    pub(crate) async fn check_state(&self) -> Result<(), SubmitError> {
        let request = self.http.get(self.url("")?);
        let (status, body) = match self.answer(request, self.options.limits.state).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(detail) | NoAnswer::Lost(detail)) => {
                return Err(SubmitError::Unavailable(format!(
                    "cardano-wallet does not answer: {detail}"
                )));
            }
        };
        if status != StatusCode::OK {
            return Err(self.refusal(status, &body).unwrap_or_else(|| {
                let text = format!("cardano-wallet answered {status} when it was asked for the wallet");
                if status.is_server_error() {
                    SubmitError::Unavailable(text)
                } else {
                    SubmitError::Refused(text)
                }
            }));
        }
        let wallet: Wallet = serde_json::from_slice(&body).map_err(|_| {
            SubmitError::Refused("what answers at the wallet's base URL is no cardano-wallet".to_owned())
        })?;
        match wallet.state.status.as_str() {
            "ready" => Ok(()),
            "syncing" => {
                let progress = wallet
                    .state
                    .progress
                    .map(|progress| format!(" ({} %)", progress.quantity));
                Err(SubmitError::Unavailable(format!(
                    "the wallet is still synchronizing with the chain{}",
                    progress.unwrap_or_default()
                )))
            }
            _ => Err(SubmitError::Unavailable(
                "the wallet does not respond to its own server".to_owned(),
            )),
        }
    }

    /// Makes, signs and submits a transaction with this metadata.
    pub(crate) async fn publish(&self, metadata: &Value) -> Result<TransactionId, SubmitError> {
        let body = json!({
            "passphrase": self.options.passphrase.expose(),
            "payments": [{
                "address": self.options.payment_address,
                "amount": {"quantity": PAYMENT_LOVELACE, "unit": "lovelace"},
            }],
            "metadata": metadata,
        });
        let request = self
            .http
            .post(self.url("/transactions")?)
            .header(CONTENT_TYPE, HeaderValue::from_static("application/json"))
            .body(body.to_string());
        let (status, body) = match self.answer(request, self.options.limits.transaction).await {
            Ok(answer) => answer,
            Err(NoAnswer::NotSent(detail)) => {
                return Err(SubmitError::Unavailable(format!(
                    "cardano-wallet can't be reached: {detail}"
                )));
            }
            Err(NoAnswer::Lost(detail)) => {
                return Err(SubmitError::Unknown(format!(
                    "cardano-wallet was given the transaction and did not answer: {detail}"
                )));
            }
        };
        if status == StatusCode::ACCEPTED {
            return serde_json::from_slice(&body)
                .ok()
                .and_then(|accepted: Accepted| accepted.id.parse().ok())
                .ok_or_else(|| {
                    SubmitError::Unknown(
                        "cardano-wallet accepted the transaction without an id that can be read".to_owned(),
                    )
                });
        }
        Err(self
            .refusal(status, &body)
            .unwrap_or_else(|| SubmitError::Unknown(format!("cardano-wallet answered {status} to the transaction"))))
    }

    /// What a status and a body say, where they say that nothing was published.
    fn refusal(&self, status: StatusCode, body: &[u8]) -> Option<SubmitError> {
        let passphrase = &self.options.passphrase;
        let error: Option<ApiError> = serde_json::from_slice(body).ok();
        if let Some(refusal) = error.as_ref().and_then(|error| error.refusal(passphrase)) {
            return Some(refusal);
        }
        if status.is_redirection() {
            return Some(SubmitError::Refused(format!(
                "cardano-wallet answered {status}; give the address that it redirects to as the wallet's base URL"
            )));
        }
        if !status.is_client_error() {
            return None;
        }
        Some(error.map_or_else(
            || {
                SubmitError::Refused(format!(
                    "cardano-wallet answered {status}; is the wallet's base URL right?"
                ))
            },
            |error| error.unknown_refusal(passphrase),
        ))
    }

    /// Status and body of an answer, within this time.
    async fn answer(&self, request: RequestBuilder, limit: Duration) -> Result<(StatusCode, Vec<u8>), NoAnswer> {
        let no_answer = |error: reqwest::Error| {
            let never_sent = error.is_connect() || error.is_builder();
            let text = describe(error);
            if never_sent {
                NoAnswer::NotSent(text)
            } else {
                NoAnswer::Lost(text)
            }
        };
        let mut response = request.timeout(limit).send().await.map_err(no_answer)?;
        let status = response.status();
        let mut body = Vec::new();
        while let Some(part) = response
            .chunk()
            .await
            .map_err(|error| NoAnswer::Lost(describe(error)))?
        {
            if body.len() + part.len() > MAX_ANSWER_LENGTH {
                return Err(NoAnswer::Lost(format!(
                    "its answer is longer than {MAX_ANSWER_LENGTH} bytes"
                )));
            }
            body.extend_from_slice(&part);
        }
        Ok((status, body))
    }
}

/// An error with its causes, without the address.
fn describe(error: reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let error = error.without_url();
    let mut text = error.to_string();
    let mut cause = std::error::Error::source(&error);
    while let Some(error) = cause {
        text.push_str(": ");
        text.push_str(&error.to_string());
        cause = error.source();
    }
    text
}
