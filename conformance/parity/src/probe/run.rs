//! Tries rows on both engines, inside transactions that are rolled back.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::engine::Engine;
use crate::model::Table;
use crate::side::{self, Loaded};
use crate::{Error, Result};

use super::parents::Family;
use super::table::TablePlan;
use super::{Outcome, Probe, Row};

/// Connections to both databases.
pub(super) struct Runner {
    postgres: PgConnection,
    sqlite: SqliteConnection,
}

impl Runner {
    pub(super) async fn open(postgres: &Loaded, sqlite: &Loaded) -> Result<Self> {
        let options: SqliteConnectOptions = sqlite
            .url
            .parse()
            .map_err(Error::database(Engine::Sqlite, "read the URL"))?;
        let sqlite = SqliteConnection::connect_with(&options.disable_statement_logging().foreign_keys(true))
            .await
            .map_err(Error::database(Engine::Sqlite, "open the file"))?;
        Ok(Self {
            postgres: side::connect_postgres(&postgres.url).await?,
            sqlite,
        })
    }

    pub(super) async fn close(self) {
        let _ = self.postgres.close().await;
        let _ = self.sqlite.close().await;
    }

    async fn execute(&mut self, engine: Engine, sql: String) -> Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(sql);
        match engine {
            Engine::Postgres => sqlx::raw_sql(sql).execute(&mut self.postgres).await.map(|_| ()),
            Engine::Sqlite => sqlx::raw_sql(sql).execute(&mut self.sqlite).await.map(|_| ()),
        }
    }

    async fn must(&mut self, engine: Engine, sql: &str) -> Result<()> {
        let done = self.execute(engine, sql.to_owned()).await;
        done.map_err(Error::database(engine, format!("run {sql}")))
    }

    /// What both engines do with each probe's last row, unless one refuses a row before it; or why no probe could be made.
    pub(super) async fn run(
        &mut self,
        plan: &TablePlan<'_>,
        family: &Family<'_>,
        probes: &[Probe],
    ) -> Result<Result<Vec<Option<(Outcome, Outcome)>>, String>> {
        let postgres = self.run_engine(Engine::Postgres, plan, family, probes).await?;
        let sqlite = self.run_engine(Engine::Sqlite, plan, family, probes).await?;
        Ok(match (postgres, sqlite) {
            (Ok(a), Ok(b)) => Ok(a.into_iter().zip(b).map(|(a, b)| a.zip(b)).collect()),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        })
    }

    async fn run_engine(
        &mut self,
        engine: Engine,
        plan: &TablePlan<'_>,
        family: &Family<'_>,
        probes: &[Probe],
    ) -> Result<Result<Vec<Option<Outcome>>, String>> {
        self.must(engine, "BEGIN").await?;
        let outcomes = match self.prepare(engine, plan, family).await? {
            Ok(()) => {
                let mut outcomes = Vec::new();
                for probe in probes {
                    outcomes.push(self.try_probe(engine, plan, family, probe).await?);
                }
                Ok(outcomes)
            }
            Err(reason) => Err(reason),
        };
        self.must(engine, "ROLLBACK").await?;
        Ok(outcomes)
    }

    /// Removes the rows of migrations: they would be in the way of rows that there may be one of.
    async fn empty(&mut self, engine: Engine, plan: &TablePlan<'_>, family: &Family<'_>) -> Result<()> {
        let delete = |plan: &TablePlan<'_>| format!("DELETE FROM {}", name(plan.side(engine)));
        let mut left = vec![delete(plan)];
        left.extend(family.parents.iter().rev().map(|parent| delete(parent)));
        if self.attempt(engine, left.join("; ")).await? == Outcome::Accepted {
            return Ok(());
        }
        left.splice(0..0, family.children.iter().map(|child| delete(child)));
        // One by one only where that is needed: a table may have a hundred others behind it.
        if self.attempt(engine, left.join("; ")).await? == Outcome::Accepted {
            return Ok(());
        }
        loop {
            let mut refused = Vec::new();
            for sql in &left {
                if self.attempt(engine, sql.clone()).await? != Outcome::Accepted {
                    refused.push(sql.clone());
                }
            }
            if refused.is_empty() || refused.len() == left.len() {
                return Ok(());
            }
            left = refused;
        }
    }

    /// Empties the tables, writes the parents' rows, and finds out whether a row of the table itself can be written.
    async fn prepare(
        &mut self,
        engine: Engine,
        plan: &TablePlan<'_>,
        family: &Family<'_>,
    ) -> Result<Result<(), String>> {
        self.empty(engine, plan, family).await?;
        let written: Vec<String> = family
            .parents
            .iter()
            .map(|parent| insertion(engine, parent.side(engine), &family.row_of(parent), true))
            .collect();
        if self.attempt(engine, written.join("; ")).await? != Outcome::Accepted {
            for (parent, insert) in family.parents.iter().zip(written) {
                if let Outcome::Refused(reason) = self.attempt(engine, insert).await? {
                    return Ok(Err(format!("{engine} refuses the row of {}: {reason}", parent.key)));
                }
            }
        }
        self.must(engine, "SAVEPOINT base").await?;
        let base = insertion(engine, plan.side(engine), &family.row(plan, plan.base()), true);
        let outcome = self.attempt(engine, base).await?;
        self.must(engine, "ROLLBACK TO base").await?;
        Ok(match outcome {
            Outcome::Accepted => Ok(()),
            Outcome::Refused(reason) => Err(format!("{engine} refuses the row that should do: {reason}")),
        })
    }

    /// What the engine does with the last row; nothing if it refuses one before it.
    async fn try_probe(
        &mut self,
        engine: Engine,
        plan: &TablePlan<'_>,
        family: &Family<'_>,
        probe: &Probe,
    ) -> Result<Option<Outcome>> {
        self.must(engine, "SAVEPOINT probe").await?;
        let mut last = None;
        for row in &probe.rows {
            if matches!(last, Some(Outcome::Refused(_))) {
                last = None;
                break;
            }
            let sql = insertion(engine, plan.side(engine), &family.row(plan, row), probe.overriding);
            last = Some(self.attempt(engine, sql).await?);
        }
        self.must(engine, "ROLLBACK TO probe").await?;
        Ok(last)
    }

    async fn attempt(&mut self, engine: Engine, sql: String) -> Result<Outcome> {
        self.must(engine, "SAVEPOINT attempt").await?;
        match self.execute(engine, sql).await {
            Ok(()) => {
                self.must(engine, "RELEASE attempt").await?;
                Ok(Outcome::Accepted)
            }
            Err(sqlx::Error::Database(error)) => {
                self.must(engine, "ROLLBACK TO attempt").await?;
                Ok(Outcome::Refused(error.message().to_owned()))
            }
            Err(error) => Err(Error::database(engine, "try a row")(error)),
        }
    }
}

/// The statement that writes a row.
fn insertion(engine: Engine, table: &Table, row: &Row, overriding: bool) -> String {
    let (columns, values): (Vec<String>, Vec<String>) = row
        .iter()
        .filter_map(|(column, value)| Some((table.column(column)?, value)))
        .filter(|(column, _)| column.generated.is_none())
        .map(|(column, value)| (quoted_name(&column.name), value.sql(engine)))
        .unzip();
    if columns.is_empty() {
        return format!("INSERT INTO {} DEFAULT VALUES", name(table));
    }
    let overriding = if engine == Engine::Postgres && overriding {
        "OVERRIDING SYSTEM VALUE "
    } else {
        ""
    };
    format!(
        "INSERT INTO {} ({}) {overriding}VALUES ({})",
        name(table),
        columns.join(", "),
        values.join(", ")
    )
}

fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table's name as a statement writes it.
fn name(table: &Table) -> String {
    table.name.split('.').map(quoted_name).collect::<Vec<_>>().join(".")
}
