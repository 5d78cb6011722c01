//! The server.

use std::convert::Infallible;
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use futures_util::stream;
use serde_json::{Value, json};
use tokio::net::TcpListener;
use tokio::task::JoinSet;

use crate::chain::Chain;

/// What is before the names of resources.
const BASE: &str = "/api/v0/";

/// A Blockfrost, until it is dropped.
pub struct MockBlockfrost {
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
    /// Ended with it.
    _server: JoinSet<()>,
}

struct Shared {
    magic: u64,
    /// Requests without it are refused, if there is one.
    key: Option<String>,
    chain: Chain,
    interventions: Vec<Intervention>,
    requests: Vec<String>,
}

/// What happens when something is asked for.
struct Intervention {
    resource: String,
    times: usize,
    act: Act,
}

type Act = Box<dyn FnMut(&mut Chain) -> Option<Answer> + Send>;

/// What is answered in place of the truth.
#[derive(Debug, Clone)]
pub struct Answer {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: String,
    is_cut: bool,
}

impl Answer {
    /// An error, as Blockfrost tells it.
    pub fn error(status: u16, message: &str) -> Self {
        let body = json!({"status_code": status, "error": "Error", "message": message});
        Self::text(status, &body.to_string())
    }

    /// This text.
    pub fn text(status: u16, body: &str) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.to_owned(),
            is_cut: false,
        }
    }

    /// A body that breaks off after this text.
    pub fn cut(body: &str) -> Self {
        Self {
            is_cut: true,
            ..Self::text(200, body)
        }
    }

    /// The same with a header.
    #[must_use]
    pub fn with_header(mut self, name: &'static str, value: &str) -> Self {
        self.headers.push((name, value.to_owned()));
        self
    }

    fn response(self) -> Response {
        let body = if self.is_cut {
            let broken = io::Error::from(io::ErrorKind::ConnectionReset);
            Body::from_stream(stream::iter([Ok(self.body), Err(broken)]))
        } else {
            Body::from(self.body)
        };
        let mut response = Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response.body(body).unwrap()
    }
}

impl MockBlockfrost {
    /// Serves an empty chain of the network with this magic. With a key, it refuses requests without that key.
    pub async fn start(magic: u64, key: Option<&str>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let shared = Arc::new(Mutex::new(Shared {
            magic,
            key: key.map(str::to_owned),
            chain: Chain::default(),
            interventions: Vec::new(),
            requests: Vec::new(),
        }));
        let router = Router::new().fallback(answer).with_state(Arc::clone(&shared));
        let mut server = JoinSet::new();
        server.spawn(async move {
            axum::serve(listener, router).await.unwrap();
        });
        Self {
            address,
            shared,
            _server: server,
        }
    }

    /// The address of its API.
    pub fn url(&self) -> String {
        format!("http://{}/api/v0", self.address)
    }

    /// Looks at the chain, or changes it.
    pub fn chain<T>(&self, change: impl FnOnce(&mut Chain) -> T) -> T {
        change(&mut self.shared().chain)
    }

    /// Acts so many times when something is asked for whose name begins with this text, before it is answered. What the action answers
    /// is answered in place of the truth.
    pub fn when_asked(
        &self,
        resource: &str,
        times: usize,
        act: impl FnMut(&mut Chain) -> Option<Answer> + Send + 'static,
    ) {
        self.shared().interventions.push(Intervention {
            resource: resource.to_owned(),
            times,
            act: Box::new(act),
        });
    }

    /// Answers so many requests for this with that.
    pub fn answer(&self, resource: &str, times: usize, answer: Answer) {
        self.when_asked(resource, times, move |_| Some(answer.clone()));
    }

    /// What was asked for since the last call.
    pub fn take_requests(&self) -> Vec<String> {
        std::mem::take(&mut self.shared().requests)
    }

    fn shared(&self) -> MutexGuard<'_, Shared> {
        self.shared.lock().unwrap()
    }
}

impl fmt::Debug for MockBlockfrost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("MockBlockfrost")
            .field("address", &self.address)
            .finish_non_exhaustive()
    }
}

async fn answer(
    State(shared): State<Arc<Mutex<Shared>>>,
    uri: Uri,
    headers: HeaderMap,
) -> Result<Response, Infallible> {
    let mut shared = shared.lock().unwrap();
    let asked = uri.path_and_query().map(ToString::to_string).unwrap_or_default();
    let Some(resource) = asked.strip_prefix(BASE) else {
        return Ok(Answer::error(404, "The requested component has not been found.").response());
    };
    shared.requests.push(resource.to_owned());
    let Shared {
        chain, interventions, ..
    } = &mut *shared;
    let intervention = interventions
        .iter_mut()
        .find(|intervention| intervention.times > 0 && resource.starts_with(&intervention.resource));
    if let Some(intervention) = intervention {
        intervention.times -= 1;
        if let Some(answer) = (intervention.act)(chain) {
            return Ok(answer.response());
        }
    }
    let given = headers.get("project_id").map(|key| key.to_str().unwrap());
    if shared.key.is_some() && shared.key.as_deref() != given {
        return Ok(Answer::error(403, "Invalid project token.").response());
    }
    let found = found(&shared, &uri, resource.split('?').next().unwrap());
    let answer = match found {
        Some(value) => Answer::text(StatusCode::OK.as_u16(), &value.to_string()),
        None => Answer::error(404, "The requested component has not been found."),
    };
    Ok(answer.response())
}

fn found(shared: &Shared, uri: &Uri, resource: &str) -> Option<Value> {
    let chain = &shared.chain;
    let parts: Vec<_> = resource.split('/').collect();
    match parts.as_slice() {
        ["genesis"] => Some(json!({"network_magic": shared.magic, "system_start": 0, "security_param": 2160})),
        ["blocks", name] => chain.block(name),
        ["txs", id] => chain.position(id),
        ["txs", id, "metadata"] => chain.view(id),
        ["metadata", "txs", "labels", "21325", "cbor"] => {
            let number = |name: &str, default: usize| {
                let members = uri.query().unwrap_or_default().split('&');
                let value = members
                    .filter_map(|member| member.split_once('='))
                    .find(|(key, _)| *key == name);
                value.map_or(default, |(_, value)| value.parse().unwrap())
            };
            let (count, page) = (number("count", 100), number("page", 1));
            assert!((1..=100).contains(&count) && page >= 1, "{resource} is no page");
            chain.list(count, page)
        }
        _ => None,
    }
}
