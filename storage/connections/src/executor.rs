//! Statements that read, on a connection each.

use async_stream::try_stream;
use futures_util::future::BoxFuture;
use futures_util::stream::BoxStream;
use futures_util::{FutureExt, StreamExt, TryStreamExt};
use sqlx::{Database, Either, Error, Execute, Executor, SqlStr};
use sqlx_core::describe::Describe;

use crate::silence::is_silence;
use crate::{Connections, Lent, lost};

/// A statement that can be sent once more.
struct Statement<DB: Database> {
    sql: SqlStr,
    arguments: Option<DB::Arguments>,
    persistent: bool,
}

impl<DB: Database> Statement<DB>
where
    DB::Arguments: Clone,
{
    fn new<'q, E: Execute<'q, DB>>(mut query: E) -> Result<Self, Error> {
        let arguments = query.take_arguments().map_err(Error::Encode)?;
        let persistent = query.persistent();
        Ok(Self {
            sql: query.sql(),
            arguments,
            persistent,
        })
    }

    fn again(&self) -> Self {
        Self {
            sql: self.sql.clone(),
            arguments: self.arguments.clone(),
            persistent: self.persistent,
        }
    }
}

impl<DB: Database> Execute<'_, DB> for Statement<DB> {
    fn sql(self) -> SqlStr {
        self.sql
    }

    fn statement(&self) -> Option<&DB::Statement> {
        None
    }

    fn take_arguments(&mut self) -> Result<Option<DB::Arguments>, sqlx::error::BoxDynError> {
        Ok(self.arguments.take())
    }

    fn persistent(&self) -> bool {
        self.persistent
    }
}

/// Reads on this connection. A statement that finds it lost before the first row came is sent once more, on a new one.
impl<'c, DB: Database> Executor<'c> for &'c mut Lent<DB>
where
    DB::Arguments: Clone,
    for<'a> &'a mut DB::Connection: Executor<'a, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q, E>(self, query: E) -> BoxStream<'e, Result<Either<DB::QueryResult, DB::Row>, Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, DB>,
    {
        try_stream! {
            let statement = Statement::<DB>::new(query)?;
            let mut may_repeat = true;
            let home = self.home();
            loop {
                let mut answer = (&mut **self).fetch_many(statement.again());
                let failure = loop {
                    match home.answered(answer.try_next()).await {
                        Ok(Some(step)) => {
                            may_repeat = false;
                            yield step;
                        }
                        Ok(None) => break None,
                        Err(error) => break Some(error),
                    }
                };
                drop(answer);
                match failure {
                    None => break,
                    Some(error) if may_repeat && lost(&error) => {
                        may_repeat = false;
                        if self.renew().await.is_err() {
                            // What is in the way of another connection is for the next call, which asks for one, to say.
                            Err(error)?;
                        }
                    }
                    Some(error) => {
                        if is_silence(&error) {
                            self.give_up();
                        }
                        Err(error)?;
                    }
                }
            }
            self.settle();
        }
        .boxed()
    }

    /// The first row. The others, which a statement for one row does not have, are read and passed over.
    fn fetch_optional<'e, 'q, E>(self, query: E) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        'c: 'e,
        'q: 'e,
        E: 'q + Execute<'q, DB>,
    {
        let mut rows = self.fetch(query);
        async move {
            let row = rows.try_next().await?;
            while rows.try_next().await?.is_some() {}
            Ok(row)
        }
        .boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'c: 'e,
    {
        (&mut **self).prepare_with(sql, parameters)
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'c: 'e,
    {
        (&mut **self).describe(sql)
    }
}

/// Reads, each statement on a connection that is lent for it.
impl<'p, DB: Database> Executor<'p> for &Connections<DB>
where
    DB::Arguments: Clone,
    for<'a> &'a mut DB::Connection: Executor<'a, Database = DB>,
{
    type Database = DB;

    fn fetch_many<'e, 'q: 'e, E>(self, query: E) -> BoxStream<'e, Result<Either<DB::QueryResult, DB::Row>, Error>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let connections = self.clone();
        try_stream! {
            let mut lent = connections.lend().await?;
            let mut answer = lent.fetch_many(query);
            while let Some(step) = answer.try_next().await? {
                yield step;
            }
        }
        .boxed()
    }

    fn fetch_optional<'e, 'q: 'e, E>(self, query: E) -> BoxFuture<'e, Result<Option<DB::Row>, Error>>
    where
        E: 'q + Execute<'q, DB>,
    {
        let connections = self.clone();
        async move { connections.lend().await?.fetch_optional(query).await }.boxed()
    }

    fn prepare_with<'e>(
        self,
        sql: SqlStr,
        parameters: &'e [DB::TypeInfo],
    ) -> BoxFuture<'e, Result<DB::Statement, Error>>
    where
        'p: 'e,
    {
        let connections = self.clone();
        async move { connections.lend().await?.prepare_with(sql, parameters).await }.boxed()
    }

    fn describe<'e>(self, sql: SqlStr) -> BoxFuture<'e, Result<Describe<DB>, Error>>
    where
        'p: 'e,
    {
        let connections = self.clone();
        async move { connections.lend().await?.describe(sql).await }.boxed()
    }
}
