//! Who holds what a process waits for.

use std::fmt;

use node_storage_contract::Result;

use crate::error::classify;
use crate::session::Session;

/// A session of the server that holds a lock. What the role may not see of others' sessions is missing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Holder {
    /// The process of the server.
    pub(crate) pid: i32,
    /// When that began, which tells it from a later one of the same number.
    pub(crate) started: Option<String>,
    pub(crate) application: Option<String>,
    /// The address of the client; none on a Unix-domain socket.
    pub(crate) client: Option<String>,
    /// What it is doing, in the words of `pg_stat_activity`.
    pub(crate) state: Option<String>,
}

impl Holder {
    /// The session that has held a lock on the tables of this store longest and does not wait itself.
    pub(crate) async fn of_tables(session: &mut Session) -> Result<Option<Self>> {
        sqlx::query_as!(
            Self,
            r#"
            SELECT
                activity.pid AS "pid!",
                activity.backend_start::TEXT AS started,
                activity.application_name AS application,
                host(activity.client_addr) AS client,
                activity.state
            FROM pg_locks AS held
            INNER JOIN pg_stat_activity AS activity ON held.pid = activity.pid
            INNER JOIN pg_class AS locked ON held.relation = locked.oid
            WHERE
                held.granted
                AND held.mode <> 'AccessShareLock'
                AND locked.relkind = 'r'
                AND locked.relnamespace = (SELECT relnamespace FROM pg_class WHERE oid = to_regclass('dlt_cursor'))
                AND activity.datname = current_database()
                AND activity.pid <> pg_backend_pid()
                AND activity.wait_event_type IS DISTINCT FROM 'Lock'
            ORDER BY activity.xact_start, activity.pid
            LIMIT 1
            "#
        )
        .fetch_optional(session)
        .await
        .map_err(classify)
    }

    /// The session that holds an advisory lock of one number.
    pub(crate) async fn of_advisory_lock(session: &mut Session, lock: i64) -> Result<Option<Self>> {
        sqlx::query_as!(
            Self,
            r#"
            SELECT
                activity.pid AS "pid!",
                activity.backend_start::TEXT AS started,
                activity.application_name AS application,
                host(activity.client_addr) AS client,
                activity.state
            FROM pg_locks AS held
            INNER JOIN pg_stat_activity AS activity ON held.pid = activity.pid
            WHERE
                held.locktype = 'advisory'
                AND held.granted
                AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
                AND held.objsubid = 1
                AND (held.classid::BIGINT << 32) | held.objid::BIGINT = $1
            LIMIT 1
            "#,
            lock
        )
        .fetch_optional(session)
        .await
        .map_err(classify)
    }
}

impl fmt::Display for Holder {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let about: Vec<&str> = [&self.application, &self.client, &self.state]
            .into_iter()
            .filter_map(|text| text.as_deref().filter(|text| !text.is_empty()))
            .collect();
        write!(f, "process {} of the server", self.pid)?;
        if about.is_empty() {
            return Ok(());
        }
        write!(f, " ({})", about.join(", "))
    }
}
