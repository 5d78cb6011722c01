//! Plans: whether both engines answer each hot query from the index that it relies on.

mod queries;

use std::collections::BTreeSet;
use std::fs;

use serde::Serialize;
use serde_json::Value;
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, PgConnection, Row};

pub use queries::Queries;
use queries::{Statements, relied_tables};

use crate::engine::Engine;
use crate::lexer::{self, Kind};
use crate::model::Schema;
use crate::side::{self, Database, Loaded};
use crate::split;
use crate::{Error, Result};

/// Fewer rows than this in a table that a query relies on, and an engine may rightly read all of it.
const ENOUGH_ROWS: i64 = 10_000;

/// What is wrong with a plan.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// The query's name.
    pub query: String,
    /// Whose plan it is.
    pub engine: Engine,
    /// What is wrong, in a sentence.
    pub problem: String,
    /// The plan, a step a line.
    pub plan: Vec<String>,
}

/// The result of reading all plans.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Plans {
    /// How many plans were read.
    pub read: usize,
    /// What is wrong.
    pub findings: Vec<Finding>,
}

/// Fills the databases that were made for this, gathers statistics, and reads the plan of every query on both engines.
pub async fn plan(postgres: &Loaded, sqlite: &Loaded, queries: &Queries) -> Result<Plans> {
    let mut plans = Plans::default();
    let mut connection = side::connect_postgres(&postgres.url).await?;
    read_postgres(&mut connection, postgres, queries, &mut plans).await?;
    let _ = connection.close().await;

    let named = matches!(sqlite.database, Database::Named);
    let options: SqliteConnectOptions = sqlite
        .url
        .parse()
        .map_err(Error::database(Engine::Sqlite, "read the URL"))?;
    let mut connection = SqliteConnection::connect_with(&options.read_only(named).disable_statement_logging())
        .await
        .map_err(Error::database(Engine::Sqlite, "open the file"))?;
    read_sqlite(&mut connection, sqlite, queries, &mut plans).await?;
    let _ = connection.close().await;
    Ok(plans)
}

fn fill_statements(queries: &Queries, loaded: &Loaded) -> Result<Vec<String>> {
    let engine = loaded.schema.engine;
    let (Some(fill), false) = (&queries.fill, matches!(loaded.database, Database::Named)) else {
        return Ok(Vec::new());
    };
    let path = queries.directory.join(if engine == Engine::Postgres {
        &fill.postgres
    } else {
        &fill.sqlite
    });
    let text = fs::read_to_string(&path).map_err(Error::file("read", &path))?;
    Ok(split::statements(engine, &text)
        .into_iter()
        .map(|statement| statement.text)
        .collect())
}

async fn read_postgres(
    connection: &mut PgConnection,
    loaded: &Loaded,
    queries: &Queries,
    plans: &mut Plans,
) -> Result<()> {
    let engine = Engine::Postgres;
    for statement in fill_statements(queries, loaded)? {
        let run = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await;
        run.map_err(Error::database(engine, "fill its tables"))?;
    }
    if !matches!(loaded.database, Database::Named) {
        // VACUUM too: index-only scans count on it.
        let run = sqlx::raw_sql("VACUUM ANALYZE").execute(&mut *connection).await;
        run.map_err(Error::database(engine, "gather statistics"))?;
    }
    let Statements { statements, findings } = queries.statements(engine)?;
    plans.findings.extend(findings);
    for (query, text) in statements {
        plans.read += 1;
        let finding = |problem: String, plan: Vec<String>| Finding {
            query: query.name.clone(),
            engine,
            problem,
            plan,
        };
        let prepare = format!("DEALLOCATE ALL; PREPARE hot AS {text}");
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await {
            plans.findings.push(finding(
                format!("PostgreSQL can't prepare it: {error}"),
                vec![text.clone()],
            ));
            continue;
        }
        let count = parameters(&text);
        let (mode, values) = if query.values.is_empty() {
            ("force_generic_plan", vec!["NULL".to_owned(); count])
        } else {
            ("auto", query.values.iter().cycle().take(count).cloned().collect())
        };
        let values = if count == 0 {
            String::new()
        } else {
            format!("({})", values.join(", "))
        };
        let explain = format!("SET plan_cache_mode = {mode}; EXPLAIN (FORMAT JSON) EXECUTE hot{values}");
        let row = match sqlx::raw_sql(AssertSqlSafe(explain)).fetch_one(&mut *connection).await {
            Ok(row) => row,
            Err(error) => {
                plans.findings.push(finding(
                    format!("PostgreSQL can't explain it: {error}"),
                    vec![text.clone()],
                ));
                continue;
            }
        };
        let json: String = row
            .try_get_unchecked(0)
            .map_err(Error::database(engine, "explain a query"))?;
        let plan: Value = serde_json::from_str(&json).unwrap_or_default();
        let mut steps = Vec::new();
        postgres_steps(&plan[0]["Plan"], 0, &mut steps);
        let lines: Vec<String> = steps.iter().map(|step| step.line.clone()).collect();
        for step in &steps {
            if step.node == "Seq Scan" && !queries.small.contains(&step.relation) {
                plans
                    .findings
                    .push(finding(format!("it reads {} whole", step.relation), lines.clone()));
            }
            if step.node.ends_with("Sort") && query.may_sort.is_none() {
                plans.findings.push(finding(
                    "it sorts, which an index should spare it".to_owned(),
                    lines.clone(),
                ));
            }
        }
        let used: BTreeSet<String> = steps
            .iter()
            .map(|step| step.index.clone())
            .filter(|name| !name.is_empty())
            .collect();
        for wanted in query.indexes.list() {
            let names = index_names(&loaded.schema, &wanted);
            if !names.iter().any(|name| used.contains(name)) {
                plans
                    .findings
                    .push(finding(other_index(&wanted, &names, &used), lines.clone()));
            }
        }
    }
    let tables = relied_tables(queries);
    for table in tables {
        let Some(known) = loaded.schema.tables.get(&table) else {
            continue;
        };
        let name: Vec<String> = known.name.split('.').map(|part| format!("\"{part}\"")).collect();
        let count = format!("SELECT count(*) FROM {}", name.join("."));
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await
            .map_err(Error::database(engine, "count rows"))?;
        too_few(plans, engine, &table, rows);
    }
    Ok(())
}

fn too_few(plans: &mut Plans, engine: Engine, table: &str, rows: i64) {
    if rows < ENOUGH_ROWS {
        plans.findings.push(Finding {
            query: format!("rows of {table}"),
            engine,
            problem: format!("{rows} rows are too few for an honest plan: fill in {ENOUGH_ROWS} or more"),
            plan: Vec::new(),
        });
    }
}

fn other_index(wanted: &str, names: &[String], used: &BTreeSet<String>) -> String {
    let used = if used.is_empty() {
        "none".to_owned()
    } else {
        used.iter().cloned().collect::<Vec<_>>().join(", ")
    };
    if names.is_empty() {
        format!("it relies on {wanted}, which does not exist; it uses {used}")
    } else {
        format!("it relies on {wanted}, and uses {used}")
    }
}

struct Step {
    node: String,
    relation: String,
    index: String,
    line: String,
}

fn postgres_steps(plan: &Value, depth: usize, steps: &mut Vec<Step>) {
    let text = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
    let (node, relation, index) = (text("Node Type"), text("Relation Name"), text("Index Name"));
    let line = format!("{}{node} {relation} {index} {}", "  ".repeat(depth), text("Index Cond"));
    steps.push(Step {
        node,
        relation,
        index,
        line: line.trim_end().to_owned(),
    });
    for child in plan["Plans"].as_array().into_iter().flatten() {
        postgres_steps(child, depth + 1, steps);
    }
}

async fn read_sqlite(
    connection: &mut SqliteConnection,
    loaded: &Loaded,
    queries: &Queries,
    plans: &mut Plans,
) -> Result<()> {
    let engine = Engine::Sqlite;
    let fill = fill_statements(queries, loaded)?;
    if !fill.is_empty() {
        let mut run = sqlx::raw_sql("PRAGMA foreign_keys = OFF; PRAGMA synchronous = OFF; BEGIN")
            .execute(&mut *connection)
            .await;
        for statement in fill {
            if run.is_ok() {
                run = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await;
            }
        }
        run.map_err(Error::database(engine, "fill its tables"))?;
        sqlx::raw_sql("COMMIT")
            .execute(&mut *connection)
            .await
            .map_err(Error::database(engine, "fill its tables"))?;
    }
    let Statements { statements, findings } = queries.statements(engine)?;
    plans.findings.extend(findings);
    // An application may never gather statistics: both plans count.
    let rounds: &[&str] = if matches!(loaded.database, Database::Named) {
        &["SELECT 1"]
    } else {
        &["SELECT 1", "ANALYZE"]
    };
    for round in rounds {
        sqlx::raw_sql(*round)
            .execute(&mut *connection)
            .await
            .map_err(Error::database(engine, "gather statistics"))?;
        for (query, text) in &statements {
            plans.read += 1;
            let finding = |problem: String, plan: Vec<String>| Finding {
                query: query.name.clone(),
                engine,
                problem,
                plan,
            };
            let explain = format!("EXPLAIN QUERY PLAN {text}");
            let rows = match sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut *connection).await {
                Ok(rows) => rows,
                Err(error) => {
                    plans
                        .findings
                        .push(finding(format!("SQLite can't explain it: {error}"), vec![text.clone()]));
                    continue;
                }
            };
            let mut steps: Vec<String> = Vec::new();
            for row in rows {
                steps.push(
                    row.try_get("detail")
                        .map_err(Error::database(engine, "explain a query"))?,
                );
            }
            let names: Vec<Vec<String>> = query
                .indexes
                .list()
                .iter()
                .map(|wanted| index_names(&loaded.schema, wanted))
                .collect();
            for problem in sqlite_problems(&steps, text, &names, &queries.small, query.may_sort.is_some()) {
                plans.findings.push(finding(problem, steps.clone()));
            }
            let used: BTreeSet<String> = steps.iter().filter_map(|step| used_index(step)).collect();
            for (wanted, names) in query.indexes.list().iter().zip(&names) {
                if !names.iter().any(|name| used.contains(name)) {
                    plans
                        .findings
                        .push(finding(other_index(wanted, names, &used), steps.clone()));
                }
            }
        }
    }
    for table in relied_tables(queries) {
        let Some(known) = loaded.schema.tables.get(&table) else {
            continue;
        };
        let count = format!("SELECT count(*) FROM \"{}\"", known.name);
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut *connection)
            .await
            .map_err(Error::database(engine, "count rows"))?;
        too_few(plans, engine, &table, rows);
    }
    let mut seen = BTreeSet::new();
    plans
        .findings
        .retain(|finding| seen.insert((finding.query.clone(), finding.engine, finding.problem.clone())));
    Ok(())
}

/// What is wrong with the steps of SQLite's plan.
fn sqlite_problems(
    steps: &[String],
    text: &str,
    relied: &[Vec<String>],
    small: &[String],
    may_sort: bool,
) -> Vec<String> {
    let limited = text.to_ascii_uppercase().contains("LIMIT");
    // The first or the last entry of an index.
    let extreme = ["MAX(", "MIN("]
        .iter()
        .any(|call| text.to_ascii_uppercase().contains(call));
    // Rows that a part of the query has made: as many as it was asked for.
    let made: Vec<&str> = steps
        .iter()
        .filter_map(|step| {
            step.strip_prefix("CO-ROUTINE ")
                .or_else(|| step.strip_prefix("MATERIALIZE "))
        })
        .collect();
    let mut problems = Vec::new();
    for step in steps {
        if let Some(scanned) = step.strip_prefix("SCAN ") {
            let table = scanned.split_whitespace().next().unwrap_or_default();
            let virtual_table =
                scanned.contains("VIRTUAL TABLE") || scanned.starts_with("CONSTANT ROW") || scanned.starts_with('(');
            // An index that is walked in order until the page is full.
            let walked = (limited || extreme)
                && used_index(step).is_some_and(|index| relied.iter().flatten().any(|name| *name == index));
            if !virtual_table && !walked && !made.contains(&table) && !small.iter().any(|name| name == table) {
                problems.push(format!("it reads {table} whole"));
            }
        }
        if step.starts_with("USE TEMP B-TREE FOR ORDER BY") && !may_sort {
            problems.push("it sorts, which an index should spare it".to_owned());
        }
        if step.contains("AUTOMATIC") {
            problems.push("it builds an index for itself each time".to_owned());
        }
    }
    problems
}

/// The index of a step: its name, or `primary key of table`.
fn used_index(step: &str) -> Option<String> {
    let table = step.split_whitespace().nth(1)?.to_lowercase();
    let (_, rest) = step.split_once(" USING ")?;
    if rest.starts_with("INTEGER PRIMARY KEY") || rest.starts_with("PRIMARY KEY") {
        return Some(format!("primary key of {table}"));
    }
    let (_, name) = rest.split_once("INDEX ")?;
    name.split_whitespace().next().map(str::to_lowercase)
}

/// What an engine calls the indexes that `table(column, …)` or a name means.
fn index_names(schema: &Schema, wanted: &str) -> Vec<String> {
    let Some((table, columns)) = wanted.trim_end_matches(')').split_once('(') else {
        return vec![wanted.to_lowercase()];
    };
    let plain = |text: &str| {
        text.chars()
            .filter(|c| !c.is_whitespace() && *c != '"')
            .collect::<String>()
            .to_lowercase()
    };
    let columns: Vec<String> = columns.split(',').map(plain).collect();
    let table = table.trim().to_lowercase();
    let Some(known) = schema.tables.get(&table) else {
        return Vec::new();
    };
    let mut names = Vec::new();
    let key = known
        .primary_key
        .as_ref()
        .map(|key| key.columns.iter().map(|name| plain(name)).collect::<Vec<_>>());
    if key.as_ref() == Some(&columns) {
        names.push(format!("primary key of {table}"));
        names.push(format!("{table}_pkey"));
        // SQLite numbers them with the unique constraints, in their order.
        names.extend(
            (1..=9)
                .map(|number| format!("sqlite_autoindex_{table}_{number}"))
                .filter(|name| !known.indexes.iter().any(|index| index.name.to_lowercase() == *name)),
        );
    }
    for index in &known.indexes {
        let own: Vec<String> = index.columns.iter().map(|column| plain(&column.text)).collect();
        if own == columns {
            names.push(index.name.to_lowercase());
        }
    }
    names
}

/// How many parameters a statement of PostgreSQL has.
fn parameters(text: &str) -> usize {
    let tokens = lexer::tokens(Engine::Postgres, text);
    let numbers = tokens
        .windows(2)
        .filter(|pair| pair[0].is_symbol('$') && pair[1].kind == Kind::Number);
    numbers.filter_map(|pair| pair[1].text.parse().ok()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn problems(step: &str, text: &str, relied: &str) -> Vec<String> {
        sqlite_problems(
            &[step.to_owned()],
            text,
            &[vec![relied.to_owned()]],
            &["small".to_owned()],
            false,
        )
    }

    #[test]
    fn whole_tables_sorts_and_indexes_made_on_the_way_are_problems() {
        assert_eq!(problems("SCAN t", "SELECT 1", ""), ["it reads t whole"]);
        assert_eq!(
            problems("SCAN t USING COVERING INDEX i", "SELECT 1", "i"),
            ["it reads t whole"]
        );
        assert_eq!(problems("USE TEMP B-TREE FOR ORDER BY", "SELECT 1", "").len(), 1);
        assert_eq!(
            problems("SEARCH t USING AUTOMATIC COVERING INDEX (a=?)", "SELECT 1", "").len(),
            1
        );
    }

    #[test]
    fn a_page_that_an_index_gives_in_order_is_none() {
        assert!(problems("SCAN t USING INDEX i", "SELECT a FROM t ORDER BY b LIMIT 5", "i").is_empty());
        assert!(problems("SCAN small", "SELECT 1", "").is_empty());
        assert!(problems("SEARCH t USING INTEGER PRIMARY KEY (rowid=?)", "SELECT 1", "").is_empty());
    }

    #[test]
    fn parameters_are_counted_once_and_not_in_texts() {
        assert_eq!(parameters("SELECT $2, $1, $2, '$9', $$ $8 $$"), 2);
    }
}
