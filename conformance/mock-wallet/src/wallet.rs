//! The wallet and its server.

use std::collections::VecDeque;
use std::future::pending;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use data_encoding::HEXLOWER;
use mock_relay::{Era, MockRelay, MockTransaction};
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::metadata::metadata_cbor;

/// The id of the only wallet.
pub const WALLET_ID: &str = "2512a00e9653fe49a44a5886202e24d77eeb998f";

/// Slots between two blocks.
const SLOTS: u64 = 20;

/// What the wallet answers to a transaction, once, in place of accepting it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// An error of the API. Nothing is published.
    Error {
        /// The status.
        status: u16,
        /// The code.
        code: &'static str,
        /// The text for people.
        message: String,
    },
    /// A status with a body that is no JSON. Nothing is published.
    Text {
        /// The status.
        status: u16,
        /// The body.
        body: String,
    },
    /// Nothing, for ever. Nothing is published.
    Silence,
    /// The transaction is published, and nothing is answered, for ever.
    SilenceAfterPublishing,
    /// The transaction is published, and the answer has no id.
    AcceptedWithoutId,
}

/// A wallet, its server and the chain that it publishes on. It listens until it is dropped.
#[derive(Debug)]
pub struct MockWallet {
    shared: Arc<Shared>,
    address: SocketAddr,
    _server: JoinSet<()>,
}

#[derive(Debug)]
struct Shared {
    relay: Arc<MockRelay>,
    passphrase: String,
    inside: Mutex<Inside>,
}

#[derive(Debug)]
struct Inside {
    state: Value,
    answers: VecDeque<Answer>,
    requests: usize,
    published: Vec<Vec<u8>>,
}

impl Shared {
    fn inside(&self) -> MutexGuard<'_, Inside> {
        self.inside.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Puts a transaction with this metadata on the chain, in a block of its own, and tells its id.
    fn publish(&self, metadata: Vec<u8>) -> String {
        let number = self.relay.blocks().last().map_or(1, |block| block.number + 1);
        let transaction = MockTransaction::with_metadata(Era::Conway, &metadata);
        let block = self
            .relay
            .publish(Era::Conway, (number, number * SLOTS), 1, &[transaction]);
        self.inside().published.push(metadata);
        HEXLOWER.encode(&block.transaction_ids[0])
    }
}

impl MockWallet {
    /// A wallet with this passphrase on a free port, which publishes on the chain of this relay.
    pub async fn start(relay: Arc<MockRelay>, passphrase: &str) -> Self {
        Self::start_at(relay, passphrase, "127.0.0.1:0").await
    }

    /// The same, at this address.
    pub async fn start_at(relay: Arc<MockRelay>, passphrase: &str, address: &str) -> Self {
        let listener = TcpListener::bind(address).await.expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let shared = Arc::new(Shared {
            relay,
            passphrase: passphrase.to_owned(),
            inside: Mutex::new(Inside {
                state: json!({"status": "ready"}),
                answers: VecDeque::new(),
                requests: 0,
                published: Vec::new(),
            }),
        });
        let router = Router::new()
            .route("/v2/wallets/{id}", get(wallet))
            .route("/v2/wallets/{id}/transactions", post(transaction))
            .with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, router).await.expect("serving does not end");
        });
        Self {
            shared,
            address,
            _server: server,
        }
    }

    /// The address of the API.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Answers a transaction like this once, after what was asked for before.
    pub fn answer(&self, answer: Answer) {
        self.shared.inside().answers.push_back(answer);
    }

    /// Has this state from now on: `ready`, `syncing` or `not_responding`.
    pub fn set_state(&self, status: &str) {
        self.shared.inside().state = match status {
            "syncing" => json!({"status": status, "progress": {"quantity": 93.5, "unit": "percent"}}),
            _ => json!({"status": status}),
        };
    }

    /// How often a transaction was asked for.
    pub fn requests(&self) -> usize {
        self.shared.inside().requests
    }

    /// The metadata of every transaction that was published, in CBOR.
    pub fn published(&self) -> Vec<Vec<u8>> {
        self.shared.inside().published.clone()
    }
}

fn error(status: u16, code: &str, message: impl AsRef<str>) -> Response {
    answer(status, &json!({"code": code, "message": message.as_ref()}))
}

fn answer(status: u16, body: &Value) -> Response {
    let status = StatusCode::from_u16(status).unwrap();
    (
        status,
        [(header::CONTENT_TYPE, "application/json;charset=utf-8")],
        body.to_string(),
    )
        .into_response()
}

fn no_such_wallet(id: &str) -> Response {
    error(
        404,
        "no_such_wallet",
        format!("I couldn't find a wallet with the given id: {id}"),
    )
}

async fn wallet(State(shared): State<Arc<Shared>>, Path(id): Path<String>) -> Response {
    if id != WALLET_ID {
        return no_such_wallet(&id);
    }
    let state = shared.inside().state.clone();
    answer(200, &json!({"id": id, "name": "mock", "state": state}))
}

/// Status, code and text of an error.
type Refusal = (u16, &'static str, String);

/// The metadata of a request, if the API takes it.
fn metadata_of(shared: &Shared, headers: &HeaderMap, body: &[u8]) -> Result<Vec<u8>, Refusal> {
    let bad = |message: String| (400, "bad_request", message);
    let media_type = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    if !media_type.is_some_and(|value| value.starts_with("application/json")) {
        return Err((
            415,
            "unsupported_media_type",
            "I'm really sorry but I only understand 'application/json'.".to_owned(),
        ));
    }
    let request: Value = serde_json::from_slice(body).map_err(|error| bad(error.to_string()))?;
    let passphrase = request["passphrase"]
        .as_str()
        .ok_or_else(|| bad("passphrase".to_owned()))?;
    let [payment] = request["payments"].as_array().map_or(&[][..], Vec::as_slice) else {
        return Err(bad("payments".to_owned()));
    };
    let pays = payment["amount"]["unit"] == "lovelace" && payment["amount"]["quantity"].as_u64() >= Some(969_750);
    if !pays
        || !payment["address"]
            .as_str()
            .is_some_and(|address| address.starts_with("addr"))
    {
        return Err(bad(format!("payment {payment}")));
    }
    let metadata = metadata_cbor(&request["metadata"]).map_err(bad)?;
    if passphrase != shared.passphrase {
        let text = "The given encryption passphrase doesn't match the one I use to encrypt the root private key";
        return Err((403, "wrong_encryption_passphrase", text.to_owned()));
    }
    Ok(metadata)
}

async fn transaction(
    State(shared): State<Arc<Shared>>,
    Path(id): Path<String>,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    if id != WALLET_ID {
        return no_such_wallet(&id);
    }
    let next = {
        let mut inside = shared.inside();
        inside.requests += 1;
        inside.answers.pop_front()
    };
    let metadata = match metadata_of(&shared, &headers, &body) {
        Ok(metadata) => metadata,
        Err((status, code, message)) => return error(status, code, message),
    };
    match next {
        Some(Answer::Error { status, code, message }) => error(status, code, message),
        Some(Answer::Text { status, body }) => (StatusCode::from_u16(status).unwrap(), body).into_response(),
        Some(Answer::Silence) => pending().await,
        Some(Answer::SilenceAfterPublishing) => {
            shared.publish(metadata);
            pending().await
        }
        Some(Answer::AcceptedWithoutId) => {
            shared.publish(metadata);
            answer(202, &json!({"status": "pending"}))
        }
        None => {
            let id = shared.publish(metadata);
            answer(202, &json!({"id": id, "status": "pending", "direction": "outgoing"}))
        }
    }
}
