//! The connections of clients: how many there may be, and how long each of them may keep the node waiting.

use std::future::pending;
use std::io::{self, ErrorKind};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::graceful::GracefulShutdown;
use hyper_util::service::TowerToHyperService;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_io_timeout::TimeoutStream;
use tokio_util::sync::CancellationToken;

/// How long the head of a request may take, from the end of the answer before it on. An idle connection ends after it too.
const HEAD: Duration = Duration::from_secs(10);
/// How long a client may take nothing of what is sent to it.
const UNREAD: Duration = Duration::from_secs(30);
/// How long accepting rests after the system could not give a connection.
const REST: Duration = Duration::from_secs(1);
/// The most connections, however many files may be open.
const MOST: usize = 10_000;

/// Serves every connection until it is told to stop, and then ends once the requests that have begun are answered.
pub(crate) async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let mut http = http1::Builder::new();
    http.timer(TokioTimer::new()).header_read_timeout(HEAD);
    let ending = GracefulShutdown::new();
    let mut places = Places::new(most_connections(raise_open_files()));
    loop {
        let (place, stream) = tokio::select! {
            () = stop.cancelled() => break,
            accepted = places.accept(&listener) => accepted,
        };
        // An answer is written at once and has nothing to wait for.
        let _ = stream.set_nodelay(true);
        let mut stream = TimeoutStream::new(stream);
        stream.set_write_timeout(Some(UNREAD));
        let service = TowerToHyperService::new(router.clone());
        let connection = ending.watch(http.serve_connection(TokioIo::new(Box::pin(stream)), service));
        tokio::spawn(async move {
            if let Err(error) = connection.await {
                tracing::debug!("a connection ended early: {error}");
            }
            drop(place);
        });
    }
    drop(listener);
    ending.shutdown().await;
}

/// Places for connections.
struct Places {
    free: Arc<Semaphore>,
    /// Whether there was none when one was asked for last.
    was_full: bool,
}

impl Places {
    fn new(number: usize) -> Self {
        Self {
            free: Arc::new(Semaphore::new(number)),
            was_full: false,
        }
    }

    /// The next connection, once there is a place for it. Others wait in the queue of the system meanwhile.
    async fn accept(&mut self, listener: &TcpListener) -> (OwnedSemaphorePermit, TcpStream) {
        loop {
            let is_full = self.free.available_permits() == 0;
            if is_full && !self.was_full {
                tracing::warn!(
                    "as many clients are connected as there may be; further ones wait until one of them ends"
                );
            }
            self.was_full = is_full;
            // The semaphore is never closed.
            let Ok(place) = Arc::clone(&self.free).acquire_owned().await else {
                return pending().await;
            };
            match listener.accept().await {
                Ok((stream, _)) => return (place, stream),
                // It was gone before it was accepted.
                Err(error) if is_of_the_client(&error) => {}
                Err(error) => {
                    tracing::warn!("no connection can be accepted at the moment: {error}");
                    drop(place);
                    sleep(REST).await;
                }
            }
        }
    }
}

fn is_of_the_client(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        ErrorKind::ConnectionAborted | ErrorKind::ConnectionRefused | ErrorKind::ConnectionReset
    )
}

/// Raises the number of files that this process may have open to what the administrator allows, as servers do, and answers
/// with it. The lower limit that a shell gives is there for programs that can't handle more.
fn raise_open_files() -> Option<u64> {
    let Rlimit { current, maximum } = getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: maximum,
        maximum,
    };
    if current != maximum && setrlimit(Resource::Nofile, raised).is_ok() {
        maximum
    } else {
        current
    }
}

/// Half of the files that may be open: the other half is for the database, the ledger and what else the node does.
fn most_connections(open_files: Option<u64>) -> usize {
    let half = open_files.and_then(|limit| usize::try_from(limit / 2).ok());
    half.unwrap_or(MOST).clamp(1, MOST)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_of_the_open_files_are_for_other_things() {
        assert_eq!(most_connections(Some(1024)), 512);
        assert_eq!(most_connections(Some(1)), 1);
        assert_eq!(most_connections(Some(1 << 40)), MOST);
        assert_eq!(most_connections(None), MOST);
    }
}
