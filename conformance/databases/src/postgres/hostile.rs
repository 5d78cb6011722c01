//! Databases in which nothing is as a developer's own: collation, time zone, locale and formats.
//!
//! What a program stores and answers must not depend on them. Only what this server can do is asked of it.

use std::fmt;

use sqlx::postgres::PgPool;
use sqlx::{AssertSqlSafe, Row};

use crate::{Error, Result};

/// Numbers in order of their values and upper case first: as far from the order of bytes as a deterministic collation gets.
const ICU_LOCALE: &str = "en-US-u-kn-true-kf-upper";

/// Half an hour off, with daylight-saving time.
const TIME_ZONE: &str = "America/St_Johns";

/// The formats of a session, none of them the default. A client that sets its own when it connects overrides them.
const FORMATS: [(&str, &str); 5] = [
    ("timezone", TIME_ZONE),
    ("datestyle", "SQL, DMY"),
    ("intervalstyle", "sql_standard"),
    ("extra_float_digits", "-15"),
    ("bytea_output", "escape"),
];

/// How hostile databases are made on a server. `Display` says what differs.
#[derive(Debug, Clone)]
pub(super) struct Hostile {
    /// Since 15 a database's own collation may be of ICU.
    icu: bool,
    /// A locale of the operating system that is not C.
    locale: Option<String>,
}

impl Hostile {
    /// What this server can do.
    pub(super) async fn on_server(maintenance: &PgPool) -> Result<Self> {
        let row = sqlx::query(
            "SELECT current_setting('server_version_num')::int >= 150000
                        AND EXISTS (SELECT FROM pg_collation WHERE collprovider = 'i') AS icu,
                    (SELECT min(collcollate) FROM pg_collation
                     WHERE collprovider = 'c' AND collencoding IN (-1, pg_char_to_encoding('UTF8'))
                         AND collcollate NOT IN ('C', 'POSIX') AND collcollate NOT LIKE 'C.%') AS locale",
        )
        .fetch_one(maintenance)
        .await
        .map_err(Error::postgres("say which collations it has"))?;
        let read = |error| Error::postgres("say which collations it has")(error);
        let hostile = Self {
            icu: row.try_get("icu").map_err(read)?,
            locale: row.try_get("locale").map_err(read)?,
        };
        if !hostile.icu && hostile.locale.is_none() {
            return Err(Error::NotHostile);
        }
        Ok(hostile)
    }

    /// What to add to the statement that makes a database from `template0`.
    pub(super) fn creation(&self) -> String {
        let icu = self
            .icu
            .then(|| format!(" LOCALE_PROVIDER icu ICU_LOCALE '{ICU_LOCALE}'"));
        let locale = self.locale.as_deref().map(quoted);
        let locale = locale.map(|locale| format!(" LC_COLLATE {locale} LC_CTYPE {locale}"));
        [icu, locale].into_iter().flatten().collect()
    }

    /// Sets what a database does not have from its template. The name is this crate's own: it needs no quotes.
    pub(super) async fn change(&self, maintenance: &PgPool, database: &str) -> Result<()> {
        let locale_settings = ["lc_messages", "lc_monetary", "lc_numeric", "lc_time"];
        let of_locale = self
            .locale
            .iter()
            .flat_map(|locale| locale_settings.map(|name| (name, locale.as_str())));
        let statements: Vec<String> = FORMATS
            .into_iter()
            .chain(of_locale)
            .map(|(name, value)| {
                let list: Vec<String> = value.split(", ").map(quoted).collect();
                format!("ALTER DATABASE {database} SET {name} TO {}", list.join(", "))
            })
            .collect();
        sqlx::raw_sql(AssertSqlSafe(statements.join(";\n")))
            .execute(maintenance)
            .await
            .map(drop)
            .map_err(Error::postgres("make a database hostile (which needs a superuser)"))
    }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "''"))
}

impl fmt::Display for Hostile {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let locale = self.locale.as_deref().unwrap_or("C, for the server has no other");
        if self.icu {
            write!(formatter, "collation {ICU_LOCALE} of ICU, ")?;
        }
        write!(formatter, "locale {locale}, time zone {TIME_ZONE}")
    }
}
