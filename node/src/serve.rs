//! Serving the API while the node works, and ending both.

use std::io::ErrorKind;
use std::time::Duration;

use axum::Router;
use node_storage::NodeStorageBackend;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::cli::ServerArguments;
use crate::connections;
use crate::exit::Failure;
use crate::logging::say;
use crate::shutdown::Shutdown;

/// How long requests, and then the database, may take to end after the node was told to.
const PATIENCE: Duration = Duration::from_secs(5);

/// The store that requests are answered from, as soon as there is one.
pub(crate) type PublishedStorage = watch::Sender<Option<NodeStorageBackend>>;

/// A socket that listens, unless the node does without.
#[derive(Debug)]
pub(crate) struct Server(Option<TcpListener>);

impl Server {
    /// Listens, and tells where on stderr.
    pub(crate) async fn bind(arguments: &ServerArguments) -> Result<Self, Failure> {
        let ServerArguments { address, port, .. } = arguments;
        let listener = TcpListener::bind((address.as_str(), *port))
            .await
            .map_err(Failure::io(format!(
                "can't listen on {address}:{port}; choose another --address or --port"
            )))?;
        let server = Self(Some(listener));
        let url = server.url();
        if tracing::enabled!(tracing::Level::INFO) {
            tracing::info!("listening on {url}");
        } else if *port == 0 {
            // Nobody could know it otherwise.
            say(&format!("listening on {url}"));
        }
        Ok(server)
    }

    /// The same, for a node that ends by itself: where another process has the port, it does its work without serving.
    pub(crate) async fn bind_if_free(arguments: &ServerArguments) -> Result<Self, Failure> {
        match Self::bind(arguments).await {
            Err(Failure::Io { source, .. }) if source.kind() == ErrorKind::AddrInUse => {
                let ServerArguments { address, port, .. } = arguments;
                tracing::warn!("another process listens on {address}:{port}; the API is not served during this run");
                Ok(Self(None))
            }
            bound => bound,
        }
    }

    /// `http://` with address and port; empty where nothing listens.
    pub(crate) fn url(&self) -> String {
        let address = self.0.as_ref().and_then(|listener| listener.local_addr().ok());
        address.map_or_else(String::new, |address| format!("http://{address}"))
    }

    /// Serves while `work` runs, until that or a signal ends it. Requests that have begun are answered, then the store is closed.
    ///
    /// Dropping `work` is how a signal ends it.
    pub(crate) async fn serve_while(
        self,
        router: Router,
        storage: &PublishedStorage,
        work: impl Future<Output = Result<(), Failure>>,
    ) -> Result<(), Failure> {
        let mut shutdown = Shutdown::listen()?;
        let stop = CancellationToken::new();
        let stopped = stop.clone();
        let serving = self
            .0
            .map(|listener| tokio::spawn(connections::serve(listener, router, stopped)));
        let result = tokio::select! {
            signal = shutdown.requested() => {
                tracing::info!("{signal}: ending");
                Ok(())
            }
            result = work => result,
        };
        stop.cancel();
        if let Some(mut serving) = serving
            && timeout(PATIENCE, &mut serving).await.is_err()
        {
            tracing::warn!("requests that did not end in time were cut off");
            serving.abort();
        }
        if let Some(store) = storage.send_replace(None)
            && timeout(PATIENCE, store.close()).await.is_err()
        {
            tracing::warn!("the database did not answer in time and was left to itself");
        }
        result
    }
}
