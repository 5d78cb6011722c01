//! Statements that nobody answers.

use std::fmt;
use std::io;
use std::pin::pin;

use sqlx::{ConnectOptions, Connection, Database, Error};
use tokio::time::{Instant, timeout};

use crate::Connections;

/// What is not answered for so many times the patience never is, even if the server speaks to others: it has lost this connection.
const LONGEST: u32 = 20;

impl<DB: Database> Connections<DB> {
    /// Waits for what a server answers.
    ///
    /// Where nothing comes for a third of the patience, another connection is made. A server that takes part in that works on the
    /// statement and is given as long again, up to 20 times the patience. So this ends within the patience where nobody is there, and
    /// not before a statement that takes its time.
    ///
    /// # Errors
    /// What the server answers, and `Io` where nobody does. The connection can't be used any more then.
    pub(crate) async fn answered<T>(&self, answer: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
        if !self.0.remote {
            return answer.await;
        }
        let silence = self.0.patience / 3;
        let mut answer = pin!(answer);
        let longest = Instant::now() + self.0.patience * LONGEST;
        loop {
            if let Ok(answer) = timeout(silence, &mut answer).await {
                return answer;
            }
            tokio::select! {
                biased;
                answer = &mut answer => return answer,
                is_there = self.server_is_there() => if !is_there || Instant::now() >= longest {
                    self.drop_idle();
                    return Err(Error::Io(io::Error::new(io::ErrorKind::TimedOut, Silence)));
                }
            }
        }
    }

    /// Whether a server takes part in making a connection, by refusing it for example.
    async fn server_is_there(&self) -> bool {
        match timeout(self.0.patience / 2, self.0.options.connect()).await {
            Ok(Ok(connection)) => {
                // It has served its purpose, whether or not the server hears of its end.
                let _ = timeout(self.0.patience / 10, connection.close()).await;
                true
            }
            Ok(Err(Error::Io(_))) | Err(_) => false,
            Ok(Err(_)) => true,
        }
    }
}

/// Nobody answers, on whatever connection.
#[derive(Debug)]
struct Silence;

/// Whether this is what [`Connections::answered`] says where nobody answers.
pub(crate) fn is_silence(error: &Error) -> bool {
    match error {
        Error::Io(error) => error
            .get_ref()
            .is_some_and(<dyn std::error::Error + Send + Sync>::is::<Silence>),
        _ => false,
    }
}

impl std::error::Error for Silence {}

impl fmt::Display for Silence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the server does not answer")
    }
}
