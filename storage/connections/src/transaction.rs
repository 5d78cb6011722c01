//! A transaction on a connection of its own.

use std::fmt;
use std::ops::{Deref, DerefMut};

use sqlx::{Database, Error, SqlSafeStr, SqlStr};
use sqlx_core::transaction::TransactionManager;

use crate::silence::is_silence;
use crate::{Connections, Lent, lost};

/// A transaction, which is rolled back unless it is committed.
pub struct Transaction<DB: Database> {
    lent: Lent<DB>,
    open: bool,
}

impl<DB: Database> Connections<DB> {
    /// Begins a transaction.
    ///
    /// # Errors
    /// As [`Connections::lend`], and what the server answers.
    pub async fn begin(&self) -> Result<Transaction<DB>, Error> {
        self.begin_by(None).await
    }

    /// Begins a transaction by this statement.
    ///
    /// # Errors
    /// As [`Connections::begin`].
    pub async fn begin_with(&self, statement: impl SqlSafeStr) -> Result<Transaction<DB>, Error> {
        self.begin_by(Some(statement.into_sql_str())).await
    }

    async fn begin_by(&self, statement: Option<SqlStr>) -> Result<Transaction<DB>, Error> {
        let mut lent = self.lend().await?;
        let begun = self.answered(DB::TransactionManager::begin(&mut lent, statement.clone()));
        if let Err(error) = begun.await {
            if !lost(&error) {
                if is_silence(&error) {
                    lent.give_up();
                }
                return Err(error);
            }
            lent.renew().await?;
            self.answered(DB::TransactionManager::begin(&mut lent, statement))
                .await?;
        }
        Ok(Transaction { lent, open: true })
    }
}

impl<DB: Database> Transaction<DB> {
    /// Commits, and gives the connection back.
    ///
    /// # Errors
    /// What the server answers. Where the connection breaks meanwhile, it may have committed.
    pub async fn commit(mut self) -> Result<(), Error> {
        DB::TransactionManager::commit(&mut self.lent).await?;
        self.open = false;
        self.lent.settle();
        Ok(())
    }
}

impl<DB: Database> Drop for Transaction<DB> {
    fn drop(&mut self) {
        if self.open {
            // Goes out while the connection goes back.
            DB::TransactionManager::start_rollback(&mut self.lent);
        }
    }
}

impl<DB: Database> Deref for Transaction<DB> {
    type Target = DB::Connection;

    fn deref(&self) -> &Self::Target {
        &self.lent
    }
}

impl<DB: Database> DerefMut for Transaction<DB> {
    fn deref_mut(&mut self) -> &mut Self::Target {
        &mut self.lent
    }
}

impl<DB: Database> fmt::Debug for Transaction<DB> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Transaction")
            .field("open", &self.open)
            .finish_non_exhaustive()
    }
}
