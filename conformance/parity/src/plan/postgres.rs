//! PostgreSQL's plans: how each table is read, and how many rows an execution touches.

use std::collections::BTreeSet;
use std::fmt::Write;

use serde_json::Value;
use sqlx::{AssertSqlSafe, Connection, PgConnection, Row};

use super::finding::{Plans, Problem};
use super::indexes;
use super::queries::{Queries, Query, Statement};
use super::scenario::Scenario;
use crate::engine::Engine;
use crate::lexer::{self, Kind};
use crate::model::Schema;
use crate::side::{self, Loaded};
use crate::{Error, Result};

const ENGINE: Engine = Engine::Postgres;

/// The plan for the values of an execution, and the one for any values, which PostgreSQL may choose for a prepared statement after
/// its fifth execution. Which it chooses depends on the values, so both have to be right.
const PLAN_CACHE_MODES: [&str; 2] = ["force_custom_plan", "force_generic_plan"];

/// Fills the database, reads the plan of each statement, and counts the rows that it touches.
pub(super) async fn read(
    loaded: &Loaded,
    queries: &Queries,
    scenario: &Scenario,
    statements: &[Statement<'_>],
    plans: &mut Plans,
) -> Result<()> {
    let mut connection = side::connect_postgres(&loaded.url).await?;
    if !loaded.is_named() {
        fill(&mut connection, queries, scenario).await?;
    }
    let reader = Reader {
        schema: &loaded.schema,
        small: &queries.small,
        judges_steps: scenario.statistics,
    };
    for Statement { query, text } in statements {
        plans.read += 1;
        let run = Run {
            values: query.values.of(&scenario.name),
            // A database that was named is only read, which a function in a query need not keep to.
            most_rows: query.most_rows(scenario).filter(|_| !loaded.is_named()),
        };
        for problem in reader.problems(&mut connection, query, text, run).await? {
            plans.findings.push(scenario.finding(ENGINE, &query.name, problem));
        }
    }
    if scenario.statistics {
        for table in queries.relied_tables() {
            let Some(known) = loaded.schema.tables.get(&table) else {
                continue;
            };
            let name: Vec<String> = known.name.split('.').map(|part| format!("\"{part}\"")).collect();
            let count = format!("SELECT count(*) FROM {}", name.join("."));
            let rows: i64 = sqlx::query_scalar(AssertSqlSafe(count))
                .fetch_one(&mut connection)
                .await
                .map_err(Error::database(ENGINE, "count rows"))?;
            plans.findings.extend(scenario.too_few(ENGINE, &table, rows));
        }
    }
    let _ = connection.close().await;
    Ok(())
}

/// Statistics are gathered on demand alone.
const NO_AUTOVACUUM: &str = "DO $$
DECLARE
    a_table REGCLASS;
BEGIN
    FOR a_table IN
        SELECT oid FROM pg_class
        WHERE relkind = 'r' AND relnamespace <> 'pg_catalog'::REGNAMESPACE
            AND relnamespace <> 'information_schema'::REGNAMESPACE
    LOOP
        EXECUTE format('ALTER TABLE %s SET (autovacuum_enabled = off)', a_table);
    END LOOP;
END $$";

async fn fill(connection: &mut PgConnection, queries: &Queries, scenario: &Scenario) -> Result<()> {
    let run = sqlx::raw_sql(NO_AUTOVACUUM).execute(&mut *connection).await;
    run.map_err(Error::database(ENGINE, "switch autovacuum off"))?;
    for statement in queries.fill(scenario, ENGINE)? {
        let run = sqlx::raw_sql(AssertSqlSafe(statement)).execute(&mut *connection).await;
        run.map_err(Error::database(ENGINE, "fill its tables"))?;
    }
    if scenario.statistics {
        // VACUUM too: index-only scans count on it.
        let run = sqlx::raw_sql("VACUUM ANALYZE").execute(&mut *connection).await;
        run.map_err(Error::database(ENGINE, "gather statistics"))?;
    }
    Ok(())
}

/// What plans are judged by.
struct Reader<'a> {
    schema: &'a Schema,
    /// Tables that may be read whole.
    small: &'a [String],
    /// Whether it matters how tables are read, and not only how many rows that takes.
    judges_steps: bool,
}

/// How a statement is executed.
#[derive(Clone, Copy)]
struct Run<'a> {
    /// SQL for its parameters.
    values: &'a [String],
    /// The most rows that an execution may touch; without it, nothing is executed.
    most_rows: Option<u32>,
}

impl Reader<'_> {
    /// What is wrong with the first plan of a statement that is not right.
    async fn problems(
        &self,
        connection: &mut PgConnection,
        query: &Query,
        text: &str,
        Run { values, most_rows }: Run<'_>,
    ) -> Result<Vec<Problem>> {
        let problem = |problem: String| {
            Ok(vec![Problem {
                text: problem,
                plan: vec![text.to_owned()],
            }])
        };
        let prepare = format!("DEALLOCATE ALL; PREPARE hot AS {text}");
        if let Err(error) = sqlx::raw_sql(AssertSqlSafe(prepare)).execute(&mut *connection).await {
            return problem(format!("PostgreSQL can't prepare it: {error}"));
        }
        let count = parameters(text);
        if most_rows.is_some() && values.len() != count {
            return problem(format!(
                "it has {count} parameters and {} values: give one for each",
                values.len()
            ));
        }
        let (modes, values) = match values {
            [] => (&PLAN_CACHE_MODES[1..], vec!["NULL".to_owned(); count]),
            _ => (&PLAN_CACHE_MODES[..], values.to_vec()),
        };
        let values = if values.is_empty() {
            String::new()
        } else {
            format!("({})", values.join(", "))
        };
        let options = if most_rows.is_some() {
            "ANALYZE, TIMING OFF, FORMAT JSON"
        } else {
            "FORMAT JSON"
        };
        for mode in modes {
            let explain = format!("SET plan_cache_mode = {mode}; EXPLAIN ({options}) EXECUTE hot{values}");
            let run = sqlx::raw_sql(AssertSqlSafe(explain));
            let row = match run.fetch_one(&mut *connection).await {
                Ok(row) => row,
                Err(error) => return problem(format!("PostgreSQL can't explain it: {error}")),
            };
            let json: String = row
                .try_get_unchecked(0)
                .map_err(Error::database(ENGINE, "explain a query"))?;
            let plan: Value = serde_json::from_str(&json).unwrap_or_default();
            let problems = self.problems_of(&plan[0]["Plan"], query, most_rows);
            if !problems.is_empty() {
                return Ok(problems);
            }
        }
        Ok(Vec::new())
    }

    /// What is wrong with one plan.
    fn problems_of(&self, plan: &Value, query: &Query, most_rows: Option<u32>) -> Vec<Problem> {
        let mut steps = Vec::new();
        collect_steps(plan, 0, &mut steps);
        let mut problems = BTreeSet::new();
        if self.judges_steps {
            for step in &steps {
                if step.node == "Seq Scan" && !self.small.contains(&step.relation) {
                    problems.insert(format!("it reads {} whole", step.relation));
                }
                if step.node.ends_with("Sort") && !query.may_sort_on(ENGINE) {
                    problems.insert("it sorts, which an index should spare it".to_owned());
                }
            }
            let used: BTreeSet<String> = steps
                .iter()
                .map(|step| step.index.clone())
                .filter(|name| !name.is_empty())
                .collect();
            for wanted in query.indexes.list() {
                let names = indexes::names(self.schema, &wanted);
                problems.extend(indexes::problem(&wanted, &names, &used));
            }
        }
        let touched: f64 = steps.iter().map(|step| step.touched).sum();
        if let Some(most) = most_rows.filter(|most| touched > f64::from(*most)) {
            problems.insert(format!("it touches {touched:.0} rows, and may touch {most}"));
        }
        let lines: Vec<String> = steps.into_iter().map(|step| step.line).collect();
        problems
            .into_iter()
            .map(|text| Problem {
                text,
                plan: lines.clone(),
            })
            .collect()
    }
}

struct Step {
    node: String,
    relation: String,
    index: String,
    /// Rows that it has answered with or looked at in vain, in all its loops.
    touched: f64,
    line: String,
}

fn collect_steps(plan: &Value, depth: usize, steps: &mut Vec<Step>) {
    let text = |name: &str| plan[name].as_str().unwrap_or_default().to_owned();
    let number = |name: &str| plan[name].as_f64().unwrap_or(0.0);
    let (node, relation, index) = (text("Node Type"), text("Relation Name"), text("Index Name"));
    let rows: f64 = [
        "Actual Rows",
        "Rows Removed by Filter",
        "Rows Removed by Join Filter",
        "Rows Removed by Index Recheck",
    ]
    .map(number)
    .into_iter()
    .sum();
    let touched = rows * number("Actual Loops");
    let mut line = format!("{}{node} {relation} {index} {}", "  ".repeat(depth), text("Index Cond"));
    line.truncate(line.trim_end().len());
    if touched > 0.0 {
        // Writing to a String can't fail.
        let _ = write!(line, ": {touched:.0} rows");
    }
    steps.push(Step {
        node,
        relation,
        index,
        touched,
        line,
    });
    for child in plan["Plans"].as_array().into_iter().flatten() {
        collect_steps(child, depth + 1, steps);
    }
}

/// How many parameters a statement has.
fn parameters(text: &str) -> usize {
    let tokens = lexer::tokens(ENGINE, text);
    let numbers = tokens
        .windows(2)
        .filter(|pair| pair[0].is_symbol('$') && pair[1].kind == Kind::Number);
    numbers.filter_map(|pair| pair[1].text.parse().ok()).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// A page of 50 rows, each looked up among the 1,000 of its group.
    fn plan() -> Value {
        json!({
            "Node Type": "Nested Loop", "Actual Rows": 50.0, "Actual Loops": 1, "Rows Removed by Join Filter": 50,
            "Plans": [
                {"Node Type": "Index Scan", "Relation Name": "t", "Index Name": "t_pkey", "Actual Rows": 50, "Actual Loops": 1},
                {"Node Type": "Index Scan", "Relation Name": "u", "Index Name": "u_pkey", "Actual Rows": 1,
                 "Rows Removed by Filter": 998, "Rows Removed by Index Recheck": 1, "Actual Loops": 50},
            ],
        })
    }

    fn problems(plan: &Value, judges_steps: bool, most_rows: Option<u32>) -> Vec<String> {
        let reader = Reader {
            schema: &Schema::new(ENGINE),
            small: &["small".to_owned()],
            judges_steps,
        };
        let query = Query::named("q", &["t_pkey"]);
        let problems = reader.problems_of(plan, &query, most_rows);
        problems.into_iter().map(|problem| problem.text).collect()
    }

    #[test]
    fn rows_are_counted_in_all_loops_whether_or_not_they_were_wanted() {
        let touched = 100 + 50 + 50 * 1_000;
        assert!(problems(&plan(), true, Some(touched)).is_empty());
        assert_eq!(
            problems(&plan(), true, Some(touched - 1)),
            ["it touches 50150 rows, and may touch 50149"]
        );
    }

    #[test]
    fn whole_tables_sorts_and_other_indexes_are_problems_unless_only_rows_are_judged() {
        let plan = json!({"Node Type": "Incremental Sort", "Plans": [
            {"Node Type": "Seq Scan", "Relation Name": "t"},
            {"Node Type": "Seq Scan", "Relation Name": "small"},
        ]});
        assert_eq!(
            problems(&plan, true, None),
            [
                "it reads t whole",
                "it relies on t_pkey, and uses none",
                "it sorts, which an index should spare it",
            ]
        );
        assert!(problems(&plan, false, None).is_empty());
    }

    #[test]
    fn parameters_are_counted_once_and_not_in_texts() {
        assert_eq!(parameters("SELECT $2, $1, $2, '$9', $$ $8 $$"), 2);
    }
}
