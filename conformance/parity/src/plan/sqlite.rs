//! SQLite's plans: how each table is read.

use std::collections::BTreeSet;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{AssertSqlSafe, ConnectOptions, Connection, Row};

use super::finding::{Plans, Problem};
use super::indexes;
use super::queries::{Queries, Query, Statement};
use super::scenario::Scenario;
use crate::engine::Engine;
use crate::model::Schema;
use crate::side::Loaded;
use crate::{Error, Result};

const ENGINE: Engine = Engine::Sqlite;

/// Fills the database and reads the plan of each statement, before statistics exist and after.
pub(super) async fn read(
    loaded: &Loaded,
    queries: &Queries,
    scenario: &Scenario,
    statements: &[Statement<'_>],
    plans: &mut Plans,
) -> Result<()> {
    let options: SqliteConnectOptions = loaded.url.parse().map_err(Error::database(ENGINE, "read the URL"))?;
    let options = options.read_only(loaded.is_named()).disable_statement_logging();
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(Error::database(ENGINE, "open the file"))?;
    // An application may never gather statistics: both plans count.
    let mut rounds = vec!["SELECT 1"];
    if !loaded.is_named() {
        fill(&mut connection, queries, scenario).await?;
        rounds.push("ANALYZE");
    }
    for round in rounds {
        sqlx::raw_sql(round)
            .execute(&mut connection)
            .await
            .map_err(Error::database(ENGINE, "gather statistics"))?;
        for Statement { query, text } in statements {
            plans.read += 1;
            for problem in problems(&mut connection, &loaded.schema, &queries.small, query, text).await? {
                let finding = scenario.finding(ENGINE, &query.name, problem);
                let is_known = plans.findings.iter().any(|known| {
                    (&known.query, &known.scenario, &known.problem)
                        == (&finding.query, &finding.scenario, &finding.problem)
                });
                if !is_known {
                    plans.findings.push(finding);
                }
            }
        }
    }
    for table in queries.relied_tables() {
        let Some(known) = loaded.schema.tables.get(&table) else {
            continue;
        };
        let count = format!("SELECT count(*) FROM \"{}\"", known.name);
        let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
            .fetch_one(&mut connection)
            .await
            .map_err(Error::database(ENGINE, "count rows"))?;
        plans.findings.extend(scenario.too_few(ENGINE, &table, rows));
    }
    let _ = connection.close().await;
    Ok(())
}

async fn fill(connection: &mut SqliteConnection, queries: &Queries, scenario: &Scenario) -> Result<()> {
    let statements = queries.fill(scenario, ENGINE)?;
    let begin = ["PRAGMA foreign_keys = OFF", "PRAGMA synchronous = OFF", "BEGIN"].map(str::to_owned);
    for statement in begin.into_iter().chain(statements).chain(["COMMIT".to_owned()]) {
        let run = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await;
        run.map_err(Error::database(ENGINE, "fill its tables"))?;
    }
    Ok(())
}

/// What is wrong with the plan of a statement.
async fn problems(
    connection: &mut SqliteConnection,
    schema: &Schema,
    small: &[String],
    query: &Query,
    text: &str,
) -> Result<Vec<Problem>> {
    let explain = format!("EXPLAIN QUERY PLAN {text}");
    let rows = match sqlx::query(AssertSqlSafe(explain)).fetch_all(&mut *connection).await {
        Ok(rows) => rows,
        Err(error) => {
            return Ok(vec![Problem {
                text: format!("SQLite can't explain it: {error}"),
                plan: vec![text.to_owned()],
            }]);
        }
    };
    let steps = rows.iter().map(|row| row.try_get("detail"));
    let steps: Vec<String> = steps
        .collect::<Result<_, _>>()
        .map_err(Error::database(ENGINE, "explain a query"))?;
    let relied: Vec<(String, Vec<String>)> = query
        .indexes
        .list()
        .into_iter()
        .map(|wanted| {
            let names = indexes::names(schema, &wanted);
            (wanted, names)
        })
        .collect();
    let problems = problems_of(&steps, query, &relied, small);
    Ok(problems
        .into_iter()
        .map(|text| Problem {
            text,
            plan: steps.clone(),
        })
        .collect())
}

/// What is wrong with the steps of a plan. `relied` has the names of each index that the query relies on.
fn problems_of(
    steps: &[String],
    query: &Query,
    relied: &[(String, Vec<String>)],
    small: &[String],
) -> BTreeSet<String> {
    // Rows that a part of the query has made: as many as it was asked for.
    let made: Vec<&str> = steps.iter().filter_map(|step| made_by(step)).collect();
    let mut problems = BTreeSet::new();
    for (at, step) in steps.iter().enumerate() {
        if let Some(scanned) = step.strip_prefix("SCAN ") {
            let table = scanned.split_whitespace().next().unwrap_or_default();
            let virtual_table =
                scanned.contains("VIRTUAL TABLE") || scanned.starts_with("CONSTANT ROW") || scanned.starts_with('(');
            // The first rows of an index are asked for at the beginning, or at that of a part.
            let above = at.checked_sub(1).and_then(|above| steps.get(above));
            let part = above.map(|above| made_by(above));
            let walks = part != Some(None) && query.may_walk.after(part.flatten());
            let relies_on = |index: String| relied.iter().any(|(_, names)| names.contains(&index));
            let walked = walks && used_index(step).is_some_and(relies_on);
            if !virtual_table && !walked && !made.contains(&table) && !small.iter().any(|name| name == table) {
                problems.insert(format!("it reads {table} whole"));
            }
        }
        if step.starts_with("USE TEMP B-TREE FOR") && step.ends_with("ORDER BY") && !query.may_sort_on(ENGINE) {
            problems.insert("it sorts, which an index should spare it".to_owned());
        }
        if step.contains("AUTOMATIC") {
            problems.insert("it builds an index for itself each time".to_owned());
        }
    }
    let used: BTreeSet<String> = steps.iter().filter_map(|step| used_index(step)).collect();
    for (wanted, names) in relied {
        problems.extend(indexes::problem(wanted, names, &used));
    }
    problems
}

/// The part of the query, a CTE or a subquery, whose rows a step makes.
fn made_by(step: &str) -> Option<&str> {
    step.strip_prefix("CO-ROUTINE ")
        .or_else(|| step.strip_prefix("MATERIALIZE "))
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::queries::Walks;

    const SEARCH: &str = "SEARCH t USING INDEX i (a>?)";

    fn problems(query: &Query, steps: &[&str]) -> Vec<String> {
        let steps: Vec<String> = steps.iter().map(ToString::to_string).collect();
        let relied = [("t(a)".to_owned(), vec!["i".to_owned()])];
        problems_of(&steps, query, &relied, &["small".to_owned()])
            .into_iter()
            .collect()
    }

    #[test]
    fn whole_tables_sorts_and_indexes_made_on_the_way_are_problems() {
        let query = Query::named("q", &["t(a)"]);
        for (step, problem) in [
            ("SCAN t", "it reads t whole"),
            // Also in the order of an index: its rows may all be passed over.
            ("SCAN t USING COVERING INDEX i", "it reads t whole"),
            (
                "USE TEMP B-TREE FOR ORDER BY",
                "it sorts, which an index should spare it",
            ),
            (
                "USE TEMP B-TREE FOR LAST TERM OF ORDER BY",
                "it sorts, which an index should spare it",
            ),
            (
                "SEARCH t USING AUTOMATIC COVERING INDEX (a=?)",
                "it builds an index for itself each time",
            ),
        ] {
            assert_eq!(problems(&query, &[SEARCH, step]), [problem], "{step}");
        }
        assert_eq!(
            problems(&query, &["SEARCH t USING INDEX j (b=?)"]),
            ["it relies on t(a), and uses j"]
        );
    }

    #[test]
    fn what_an_index_finds_and_what_the_query_has_made_are_none() {
        let query = Query::named("q", &["t(a)"]);
        let steps = [
            "CO-ROUTINE wanted",
            SEARCH,
            "SCAN wanted",
            "SCAN small",
            "SCAN json_each VIRTUAL TABLE INDEX 1:",
            "SEARCH t USING INTEGER PRIMARY KEY (rowid=?)",
        ];
        assert!(problems(&query, &steps).is_empty());
    }

    #[test]
    fn an_index_is_walked_where_a_part_of_the_query_has_a_reason() {
        let mut query = Query::named("q", &["t(a)"]);
        query.may_walk = Walks::In([("last".to_owned(), "one row".to_owned())].into());
        let walk = "SCAN t USING COVERING INDEX i";
        assert!(problems(&query, &["MATERIALIZE last", walk, "SCAN last"]).is_empty());
        for steps in [
            &["MATERIALIZE last", walk, walk][..],
            &["MATERIALIZE next", walk],
            &["MATERIALIZE last", "SEARCH t USING INDEX i (a>?)", walk],
            &["MATERIALIZE last", "SCAN t", SEARCH],
            &["MATERIALIZE last", "SCAN t USING INDEX j", SEARCH],
            &[walk],
        ] {
            assert_eq!(problems(&query, steps), ["it reads t whole"], "{steps:?}");
        }
        query.may_walk = Walks::First("a page".to_owned());
        assert!(problems(&query, &[walk]).is_empty());
        for steps in [&[walk, walk][..], &["MATERIALIZE last", walk]] {
            assert_eq!(problems(&query, steps), ["it reads t whole"], "{steps:?}");
        }
    }
}
