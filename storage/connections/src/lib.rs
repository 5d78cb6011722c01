//! Connections to one database, lent for one call each.
//!
//! sqlx's own pool asks a connection whether it is still there before it lends it, and again when it comes back. Each time is an
//! exchange with the server. Here a connection goes back as it is if its call came to its end, and one that was used a moment ago
//! is lent as it is. What went wrong meanwhile is met where it shows. A read, and the beginning of a transaction, that finds its
//! connection lost is sent once more on another one: neither has changed anything. One that is not answered for long ends if the
//! server says nothing on another connection either.

mod executor;
mod lent;
mod silence;
mod transaction;

pub use lent::Lent;
pub use transaction::Transaction;

use std::fmt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::future::BoxFuture;
use sqlx::{ConnectOptions, Connection, Database, Error};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, sleep, timeout_at};

use crate::silence::is_silence;

/// A connection that nobody has used for this long is asked whether it is there: what is between may have forgotten it.
const UNASKED: Duration = Duration::from_secs(1);
/// How long a connection that is asked may take to answer. The others are most likely as silent as one that does not.
const ANSWER: Duration = Duration::from_secs(1);
/// How long a connection whose call was broken off may take to come to its end. Another one is made then.
const RELEASE: Duration = Duration::from_secs(5);
/// A connection that nobody has used for this long is closed.
const IDLE: Duration = Duration::from_mins(10);
/// A connection is closed at this age: a server's process grows with what it has seen.
const LIFETIME: Duration = Duration::from_mins(30);
/// Between attempts to reach a server that refuses connections just now.
const PAUSE: Duration = Duration::from_millis(100);

/// The options by which a database is connected to.
pub type Options<DB> = <<DB as Database>::Connection as Connection>::Options;

/// What is done with each new connection before it is lent.
pub type Prepare<DB> = for<'c> fn(&'c mut <DB as Database>::Connection) -> BoxFuture<'c, Result<(), Error>>;

/// How many connections there are, and how they are treated.
#[derive(Debug)]
pub struct Settings<DB: Database> {
    /// The most at a time; at least one.
    pub most: u32,
    /// How long a call waits for one, connecting included.
    pub patience: Duration,
    /// Whether they are kept whatever their age. Connections to a file do not grow old, and opening another one takes a descriptor
    /// that may not be there. Others are closed when they are half an hour old, or were not used for ten minutes.
    pub kept: bool,
    /// Whether the other side may go silent: a server, or whoever is between. A connection that nobody used for a second is then
    /// asked before it is lent. What reads, or begins a transaction, waits for a third of the patience, and longer only if the server
    /// answers on another connection. A file does not go silent.
    pub remote: bool,
    /// What is done with a new one first.
    pub prepare: Option<Prepare<DB>>,
}

/// Connections to one database, made when they are needed. Clones share them.
///
/// As an [`Executor`](sqlx::Executor) it reads: a statement whose connection was lost before the first row came is sent once
/// more. Statements that write take a connection by [`Connections::lend`].
pub struct Connections<DB: Database>(Arc<Shared<DB>>);

struct Shared<DB: Database> {
    options: Options<DB>,
    /// One for each connection that may be lent at a time.
    permits: Arc<Semaphore>,
    most: u32,
    patience: Duration,
    kept: bool,
    remote: bool,
    prepare: Option<Prepare<DB>>,
    idle: Mutex<Vec<Idle<DB>>>,
    closed: AtomicBool,
}

struct Idle<DB: Database> {
    connection: DB::Connection,
    made: Instant,
    since: Instant,
}

impl<DB: Database> Connections<DB> {
    /// Connections to the database of these options. None is made yet.
    pub fn new(options: Options<DB>, settings: &Settings<DB>) -> Self {
        let Settings {
            most,
            patience,
            kept,
            remote,
            prepare,
        } = *settings;
        let most = most.max(1);
        let permits = usize::try_from(most).unwrap_or(Semaphore::MAX_PERMITS);
        Self(Arc::new(Shared {
            options,
            permits: Arc::new(Semaphore::new(permits.min(Semaphore::MAX_PERMITS))),
            most,
            patience,
            kept,
            remote,
            prepare,
            idle: Mutex::new(Vec::new()),
            closed: AtomicBool::new(false),
        }))
    }

    /// A connection for one call.
    ///
    /// # Errors
    /// `PoolTimedOut` where none becomes free in time, `PoolClosed` after [`Connections::close`], and what connecting answers.
    pub async fn lend(&self) -> Result<Lent<DB>, Error> {
        let deadline = Instant::now() + self.0.patience;
        let permit = self.permit(deadline).await?;
        let connection = self.at_hand(deadline, UNASKED).await?;
        Ok(self.lent(connection, permit))
    }

    /// A connection that does not come back, for a call that may leave it unusable. Another one may be lent in its place. It is there:
    /// one that was used before has answered.
    ///
    /// # Errors
    /// As [`Connections::lend`].
    pub async fn take(&self) -> Result<DB::Connection, Error> {
        let deadline = Instant::now() + self.0.patience;
        let _permit = self.permit(deadline).await?;
        let (connection, _made) = self.at_hand(deadline, Duration::ZERO).await?;
        Ok(connection)
    }

    /// Takes in a connection that was made elsewhere with the same options, to lend it.
    pub fn take_in(&self, connection: DB::Connection) {
        self.take_back(connection, Instant::now());
    }

    /// A connection made now, after one was lost: the others at hand were most likely lost with it.
    async fn connect_in_place_of_lost(&self) -> Result<(DB::Connection, Instant), Error> {
        self.drop_idle();
        self.connect_until(Instant::now() + self.0.patience).await
    }

    /// Closes the connections. Calls that have begun end first; later ones answer `PoolClosed`.
    pub async fn close(&self) {
        self.0.closed.store(true, Ordering::Release);
        // Fails only where another call has closed everything already.
        if let Ok(_all) = self.0.permits.acquire_many(self.0.most).await {
            self.0.permits.close();
            let idle = std::mem::take(&mut *self.idle());
            for Idle { connection, .. } in idle {
                // There is nothing to do about a server that does not say good-bye.
                let _ = connection.close().await;
            }
        }
    }

    async fn permit(&self, deadline: Instant) -> Result<OwnedSemaphorePermit, Error> {
        self.must_be_open()?;
        let permit = timeout_at(deadline, Arc::clone(&self.0.permits).acquire_owned()).await;
        let permit = permit
            .map_err(|_| Error::PoolTimedOut)?
            .map_err(|_| Error::PoolClosed)?;
        // It may have been closed while this call waited.
        self.must_be_open()?;
        Ok(permit)
    }

    fn must_be_open(&self) -> Result<(), Error> {
        if self.0.closed.load(Ordering::Acquire) {
            return Err(Error::PoolClosed);
        }
        Ok(())
    }

    /// The connection that was used last, or a new one. One that nobody has used for so long is asked first.
    async fn at_hand(&self, deadline: Instant, unasked: Duration) -> Result<(DB::Connection, Instant), Error> {
        if let Some(Idle {
            mut connection,
            made,
            since,
        }) = self.pop()
        {
            if !self.0.remote || since.elapsed() < unasked {
                return Ok((connection, made));
            }
            let until = deadline.min(Instant::now() + ANSWER);
            if let Ok(Ok(())) = timeout_at(until, connection.ping()).await {
                return Ok((connection, made));
            }
            self.drop_idle();
        }
        self.connect_until(deadline).await
    }

    async fn connect(&self) -> Result<DB::Connection, Error> {
        let mut connection = self.0.options.connect().await?;
        if let Some(prepare) = self.0.prepare {
            prepare(&mut connection).await?;
        }
        Ok(connection)
    }

    async fn connect_until(&self, deadline: Instant) -> Result<(DB::Connection, Instant), Error> {
        loop {
            let attempt = timeout_at(deadline, self.connect()).await;
            match attempt.map_err(|_| Error::PoolTimedOut)? {
                Err(error) if passes(&error) && Instant::now() + PAUSE < deadline => sleep(PAUSE).await,
                answer => return answer.map(|connection| (connection, Instant::now())),
            }
        }
    }

    fn lent(&self, (connection, made): (DB::Connection, Instant), permit: OwnedSemaphorePermit) -> Lent<DB> {
        Lent::new(self.clone(), connection, made, permit)
    }

    /// The connection that was used last.
    fn pop(&self) -> Option<Idle<DB>> {
        self.idle().pop()
    }

    /// Takes a connection back that has ended its call.
    fn take_back(&self, connection: DB::Connection, made: Instant) {
        let now = Instant::now();
        let mut idle = self.idle();
        if !self.0.kept {
            // The one that was used last is lent first, so those that nobody needs any more are the first ones.
            let unused = idle.iter().take_while(|idle| now - idle.since > IDLE).count();
            idle.drain(..unused);
            if now - made > LIFETIME {
                return;
            }
        }
        idle.push(Idle {
            connection,
            made,
            since: now,
        });
    }

    /// Drops the connections that nobody uses: where one was lost, the others most often are too.
    fn drop_idle(&self) {
        self.idle().clear();
    }

    fn idle(&self) -> MutexGuard<'_, Vec<Idle<DB>>> {
        // No call under this lock can leave the list half changed.
        self.0.idle.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an error says that the connection is lost, and nothing of the statement.
fn lost(error: &Error) -> bool {
    match error {
        // Another connection would be as silent.
        Error::Io(_) => !is_silence(error),
        Error::WorkerCrashed => true,
        // 57P01 admin_shutdown, 57P02 crash_shutdown: the server's last words on a connection.
        Error::Database(error) => error.code().is_some_and(|code| code == "57P01" || code == "57P02"),
        _ => false,
    }
}

/// Whether connecting may succeed a moment later.
fn passes(error: &Error) -> bool {
    match error {
        Error::Io(error) => error.kind() == std::io::ErrorKind::ConnectionRefused,
        Error::Database(error) => error.is_transient_in_connect_phase(),
        _ => false,
    }
}

impl<DB: Database> Clone for Connections<DB> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

impl<DB: Database> fmt::Debug for Connections<DB> {
    /// Never shows the options, which may have a password.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connections")
            .field("most", &self.0.most)
            .finish_non_exhaustive()
    }
}
