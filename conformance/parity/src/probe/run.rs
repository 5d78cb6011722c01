//! Tries rows on both engines, inside transactions that are rolled back.

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection};

use crate::lexer::Engine;
use crate::model::Table;
use crate::side::{self, Loaded};
use crate::{Error, Result};

use super::values::Literal;
use super::{Outcome, Probe, Row, TablePlan};

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

    /// What both engines do with each probe's last row; or why no probe could be made.
    pub(super) async fn run(
        &mut self,
        plan: &TablePlan<'_>,
        parents: &[TablePlan<'_>],
        probes: &[Probe],
    ) -> Result<Result<Vec<(Outcome, Outcome)>, String>> {
        let postgres = self.run_engine(Engine::Postgres, plan, parents, probes).await?;
        let sqlite = self.run_engine(Engine::Sqlite, plan, parents, probes).await?;
        Ok(match (postgres, sqlite) {
            (Ok(a), Ok(b)) => Ok(a.into_iter().zip(b).collect()),
            (Err(reason), _) | (_, Err(reason)) => Err(reason),
        })
    }

    async fn run_engine(
        &mut self,
        engine: Engine,
        plan: &TablePlan<'_>,
        parents: &[TablePlan<'_>],
        probes: &[Probe],
    ) -> Result<Result<Vec<Outcome>, String>> {
        self.must(engine, "BEGIN").await?;
        let table = |plan: &TablePlan<'_>| {
            if engine == Engine::Postgres {
                plan.postgres.clone()
            } else {
                plan.sqlite.clone()
            }
        };
        // Rows of the migrations would be in the way of rows that there may be one of.
        let mut ready = Ok(());
        for with_rows in std::iter::once(plan).chain(parents.iter().rev()) {
            let _ = self
                .attempt(engine, format!("DELETE FROM {}", name(&table(with_rows))))
                .await?;
        }
        for parent in parents {
            let row = with_parents(parent, parents);
            if let Outcome::Refused(reason) = self.insert(engine, &table(parent), &row).await? {
                ready = Err(format!("{engine} refuses the row of {}: {reason}", parent.key));
                break;
            }
        }
        let own = table(plan);
        let mut outcomes = Vec::new();
        if ready.is_ok() {
            self.must(engine, "SAVEPOINT base").await?;
            if let Outcome::Refused(reason) = self.insert(engine, &own, &with_parents(plan, parents)).await? {
                ready = Err(format!("{engine} refuses the row that should do: {reason}"));
            }
            self.must(engine, "ROLLBACK TO base").await?;
        }
        if ready.is_ok() {
            for probe in probes {
                self.must(engine, "SAVEPOINT probe").await?;
                let mut outcome = Outcome::Accepted;
                for row in &probe.rows {
                    outcome = self.insert(engine, &own, &refer(row, plan, parents)).await?;
                }
                outcomes.push(outcome);
                self.must(engine, "ROLLBACK TO probe").await?;
            }
        }
        self.must(engine, "ROLLBACK").await?;
        Ok(ready.map(|()| outcomes))
    }

    async fn insert(&mut self, engine: Engine, table: &Table, row: &Row) -> Result<Outcome> {
        let known: Vec<(&String, &Literal)> = row
            .iter()
            .filter(|(column, _)| table.column(column).is_some())
            .collect();
        let columns: Vec<String> = known
            .iter()
            .filter_map(|(column, _)| table.column(column))
            .map(|column| quoted_name(&column.name))
            .collect();
        let values: Vec<String> = known.iter().map(|(_, value)| value.sql(engine)).collect();
        let overriding = if engine == Engine::Postgres {
            "OVERRIDING SYSTEM VALUE "
        } else {
            ""
        };
        let sql = if columns.is_empty() {
            format!("INSERT INTO {} DEFAULT VALUES", name(table))
        } else {
            format!(
                "INSERT INTO {} ({}) {overriding}VALUES ({})",
                name(table),
                columns.join(", "),
                values.join(", ")
            )
        };
        self.attempt(engine, sql).await
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

fn with_parents(plan: &TablePlan<'_>, parents: &[TablePlan<'_>]) -> Row {
    refer(&plan.base(), plan, parents)
}

/// The row with the keys of the rows that its parents have, where it has those of its own plan.
fn refer(row: &Row, plan: &TablePlan<'_>, parents: &[TablePlan<'_>]) -> Row {
    let mut row = row.clone();
    for key in &plan.postgres.foreign_keys {
        let Some(parent) = parents.iter().find(|parent| parent.key == key.parent) else {
            continue;
        };
        let parent_row = refer(&parent.base(), parent, parents);
        for (column, parent_column) in key.columns.iter().zip(&key.parent_columns) {
            let column = column.to_lowercase();
            let own = plan.rows.iter().any(|base| base.get(&column) == row.get(&column));
            if own
                && row.get(&column).is_some_and(|value| *value != Literal::Null)
                && let Some(value) = parent_row.get(&parent_column.to_lowercase())
            {
                row.insert(column, value.clone());
            }
        }
    }
    row
}

fn quoted_name(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table's name as a statement writes it.
fn name(table: &Table) -> String {
    table.name.split('.').map(quoted_name).collect::<Vec<_>>().join(".")
}
