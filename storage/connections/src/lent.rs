//! A connection for the time of one call.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::{Connection, Database, Error};
use tokio::runtime::Handle;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::{Instant, timeout};

use crate::{Connections, RELEASE};

/// A connection for the time of one call. Dropping it gives it back.
///
/// One whose call came to its end, as [`Lent::settled`] says, goes back at once. Any other is waited for in the background,
/// until it has read what the server still sends and has rolled back what was begun. One that nobody answers on does not go back.
pub struct Lent<DB: Database> {
    /// `None` only while it is dropped.
    parts: Option<Parts<DB>>,
    stage: Stage,
}

/// What is known of the call that has a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// It may have begun something.
    AtWork,
    /// It came to its end: every answer was read, and no transaction is open.
    Settled,
    /// Nobody answers.
    Unanswered,
}

struct Parts<DB: Database> {
    home: Connections<DB>,
    connection: DB::Connection,
    made: Instant,
    permit: OwnedSemaphorePermit,
}

impl<DB: Database> Lent<DB> {
    pub(crate) fn new(
        home: Connections<DB>,
        connection: DB::Connection,
        made: Instant,
        permit: OwnedSemaphorePermit,
    ) -> Self {
        Self {
            parts: Some(Parts {
                home,
                connection,
                made,
                permit,
            }),
            stage: Stage::AtWork,
        }
    }

    /// Gives the connection back. The call came to its end: every answer was read, and no transaction is open.
    pub fn settled(mut self) {
        self.settle();
    }

    /// Says that the call came to its end: the connection goes back as it is once this value is dropped.
    pub(crate) fn settle(&mut self) {
        self.stage = Stage::Settled;
    }

    /// Says that nobody answers: the connection is dropped with this value.
    pub(crate) fn give_up(&mut self) {
        self.stage = Stage::Unanswered;
    }

    /// The connections that this one belongs to.
    #[expect(clippy::expect_used, reason = "they are missing only while it is dropped")]
    pub(crate) fn home(&self) -> Connections<DB> {
        self.parts.as_ref().expect("a connection that is lent").home.clone()
    }

    /// Drops the connection, which was lost, and makes a new one in its place.
    ///
    /// # Errors
    /// What connecting answers. The lost one is kept then.
    pub(crate) async fn renew(&mut self) -> Result<(), Error> {
        self.stage = Stage::AtWork;
        if let Some(parts) = &mut self.parts {
            (parts.connection, parts.made) = parts.home.connect_in_place_of_lost().await?;
        }
        Ok(())
    }
}

impl<DB: Database> Parts<DB> {
    fn give_back(self) {
        self.home.take_back(self.connection, self.made);
        // Only now may the next call look for it.
        drop(self.permit);
    }
}

impl<DB: Database> Drop for Lent<DB> {
    fn drop(&mut self) {
        let Some(mut parts) = self.parts.take() else {
            return;
        };
        match self.stage {
            Stage::Settled => parts.give_back(),
            Stage::Unanswered => {}
            Stage::AtWork => {
                if let Ok(runtime) = Handle::try_current() {
                    runtime.spawn(async move {
                        // What the driver has put off goes out with it: the rollback of a transaction that was dropped.
                        match timeout(RELEASE, parts.connection.ping()).await {
                            Ok(Ok(())) => parts.give_back(),
                            Ok(Err(_)) | Err(_) => parts.home.drop_idle(),
                        }
                    });
                }
            }
        }
    }
}

impl<DB: Database> Deref for Lent<DB> {
    type Target = DB::Connection;

    #[expect(clippy::expect_used, reason = "they are missing only while it is dropped")]
    fn deref(&self) -> &Self::Target {
        &self.parts.as_ref().expect("a connection that is lent").connection
    }
}

impl<DB: Database> DerefMut for Lent<DB> {
    #[expect(clippy::expect_used, reason = "they are missing only while it is dropped")]
    fn deref_mut(&mut self) -> &mut Self::Target {
        // Whoever has it may begin something.
        self.stage = Stage::AtWork;
        &mut self.parts.as_mut().expect("a connection that is lent").connection
    }
}

impl<DB: Database> fmt::Debug for Lent<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Lent")
            .field("stage", &self.stage)
            .finish_non_exhaustive()
    }
}
