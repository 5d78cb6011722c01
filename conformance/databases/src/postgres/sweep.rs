//! What earlier runs have left on the server.
//!
//! A database's name says when it was made: PostgreSQL does not. A template's comment says on which day it was last
//! used. Only databases of these two forms are ever dropped, and none that somebody is connected to.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use sqlx::postgres::{PgConnection, PgPool};
use sqlx::{AssertSqlSafe, Row};

use crate::{Error, Result};

/// How the names of templates begin.
pub(super) const TEMPLATE_PREFIX: &str = "template_";
const DATABASE_PREFIX: &str = "test_databases_";
const COMMENT_PREFIX: &str = "test-databases: last used on day ";

const DATABASE_LIFE: Duration = Duration::from_hours(24);
const TEMPLATE_LIFE_IN_DAYS: u64 = 7;
/// How many databases one process drops at most, so that no test waits long for others' leftovers.
const AT_MOST: usize = 20;

/// `test_databases_`, the Unix time in seconds, the process, and something random: 8 hexadecimal digits.
pub(super) fn database_name(process: u32, random: &str) -> String {
    format!("{DATABASE_PREFIX}{}_{process}_{random}", now().as_secs())
}

fn now() -> Duration {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default()
}

fn today() -> u64 {
    now().as_secs() / (24 * 60 * 60)
}

/// Writes down that the template is in use, on this day.
pub(super) async fn note_use(maintenance: &mut PgConnection, template: &str) -> Result<()> {
    let statement = format!("COMMENT ON DATABASE {template} IS '{COMMENT_PREFIX}{}'", today());
    sqlx::raw_sql(AssertSqlSafe(statement))
        .execute(maintenance)
        .await
        .map(drop)
        .map_err(Error::postgres("comment on a template"))
}

/// Whether the comment is of this day: then there is nothing to write down.
pub(super) fn used_today(comment: Option<&str>) -> bool {
    comment.and_then(day_of_last_use) == Some(today())
}

fn day_of_last_use(comment: &str) -> Option<u64> {
    comment.strip_prefix(COMMENT_PREFIX)?.parse().ok()
}

fn time_of_creation(database: &str) -> Option<Duration> {
    let mut parts = database.strip_prefix(DATABASE_PREFIX)?.split('_');
    let (seconds, process, random) = (parts.next()?, parts.next()?, parts.next()?);
    let complete = parts.next().is_none() && process.parse::<u32>().is_ok() && random.len() == 8;
    if complete {
        seconds.parse().ok().map(Duration::from_secs)
    } else {
        None
    }
}

fn is_template_name(database: &str) -> bool {
    database
        .strip_prefix(TEMPLATE_PREFIX)
        .is_some_and(|hash| hash.len() == 32 && hash.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f')))
}

/// Whether the database is one that nobody needs any more.
fn is_leftover(database: &str, comment: Option<&str>) -> bool {
    if let Some(created) = time_of_creation(database) {
        return now().saturating_sub(created) > DATABASE_LIFE;
    }
    is_template_name(database)
        && comment
            .and_then(day_of_last_use)
            .is_some_and(|day| today().saturating_sub(day) > TEMPLATE_LIFE_IN_DAYS)
}

/// Drops databases older than a day and templates unused for a week, as far as that is possible.
pub(super) async fn drop_leftovers(maintenance: &PgPool) {
    // What can't be dropped now (somebody is connected, or has dropped it meanwhile) is the next process's.
    let Ok(rows) = sqlx::query(
        "SELECT datname, datistemplate, shobj_description(oid, 'pg_database') AS comment
         FROM pg_database
         WHERE pg_has_role(datdba, 'USAGE')",
    )
    .fetch_all(maintenance)
    .await
    else {
        return;
    };
    let leftovers = rows.into_iter().filter_map(|row| {
        let name: String = row.try_get("datname").ok()?;
        let comment: Option<String> = row.try_get("comment").ok()?;
        is_leftover(&name, comment.as_deref()).then_some((name, row.try_get("datistemplate").unwrap_or_default()))
    });
    for (name, is_template) in leftovers.take(AT_MOST) {
        if is_template {
            let unmark = format!("ALTER DATABASE {name} WITH IS_TEMPLATE false");
            let _ = sqlx::raw_sql(AssertSqlSafe(unmark)).execute(maintenance).await;
        }
        let _ = sqlx::raw_sql(AssertSqlSafe(format!("DROP DATABASE IF EXISTS {name}")))
            .execute(maintenance)
            .await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn databases_are_leftovers_after_a_day() {
        assert!(!is_leftover(&database_name(7, "0123abcd"), None));
        let two_days_ago = now().as_secs() - 2 * 24 * 60 * 60;
        assert!(is_leftover(&format!("test_databases_{two_days_ago}_7_0123abcd"), None));
    }

    #[test]
    fn templates_are_leftovers_after_a_week_without_use() {
        let template = "template_0123456789abcdef0123456789abcdef";
        let used = |days_ago| format!("{COMMENT_PREFIX}{}", today() - days_ago);
        assert!(!is_leftover(template, Some(&used(7))));
        assert!(is_leftover(template, Some(&used(8))));
    }

    #[test]
    fn databases_of_others_are_never_leftovers() {
        let old = format!("{COMMENT_PREFIX}1");
        for other in [
            "postgres",
            "template1",
            "template_mine",
            "test_databases_1",
            "test_databases_1_2_x",
            "test_1_2_0123abcd",
        ] {
            assert!(!is_leftover(other, Some(&old)), "{other}");
        }
        assert!(!is_leftover(
            "template_0123456789abcdef0123456789abcdef",
            Some("the one that I keep")
        ));
        assert!(!is_leftover("template_0123456789abcdef0123456789abcdef", None));
    }
}
