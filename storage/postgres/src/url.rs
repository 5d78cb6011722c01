//! What stands in a URL: what the driver understands of it, what is ours, and what is neither.

use std::path::{Path, PathBuf};

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

use crate::session::Sessions;

/// What the driver understands (its `PgConnectOptions`), each name with the others it has there. Whatever else stands in a URL is
/// left out: the driver would log it, value and all.
const PARAMETERS: [&str; 18] = [
    "sslmode",
    "ssl-mode",
    "sslrootcert",
    "ssl-root-cert",
    "ssl-ca",
    "sslcert",
    "ssl-cert",
    "sslkey",
    "ssl-key",
    "statement-cache-capacity",
    "host",
    "hostaddr",
    "port",
    "dbname",
    "user",
    "password",
    "application_name",
    "options",
];

/// Whom a connection leads to: `session` or `transaction`, as the `pool_mode` of a PgBouncer that stands between.
const POOL_MODE: &str = "pool_mode";

/// A URL, taken apart.
pub(crate) struct Parsed {
    pub(crate) connect: PgConnectOptions,
    /// Where the URL says it.
    pub(crate) sessions: Option<Sessions>,
    /// Files that have to be readable, each with the parameter that names it.
    pub(crate) files: Vec<(&'static str, PathBuf)>,
}

/// What to do about a URL that can't be understood, or was perhaps misunderstood. Nothing of it is shown: where a password is not
/// encoded, any part may be a part of it.
const HINT: &str = "write postgres://user:password@host:5432/database; in user and password, %2F stands for /, %40 for @, %3A for :, \
    %3F for ?, %23 for # and %25 for %";

/// Parses a `postgres://` or `postgresql://` URL.
///
/// # Errors
/// A text without any part of the URL, for one that can't be understood or can't be meant.
pub(crate) fn parse(text: &str) -> Result<Parsed, String> {
    let not_understood = || format!("the PostgreSQL URL can't be understood; {HINT}");
    let mut url: Url = text.parse().map_err(|_| not_understood())?;
    // The rest of a password with a slash, a question mark or a number sign in it, and the host behind that.
    let is_split = url.path().contains('@') || url.query().is_some_and(has_rest_with_at) || url.fragment().is_some();
    if is_split {
        return Err(format!(
            "an @ stands in the PostgreSQL URL behind the host, or a #; perhaps the password is not percent-encoded: {HINT}"
        ));
    }
    let pairs: Vec<(String, String)> = url.query_pairs().into_owned().collect();
    let mut sessions = None;
    let mut root = std::env::var("PGSSLROOTCERT").ok();
    let mut files = Vec::new();
    let mut known = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in &pairs {
        match key.as_str() {
            POOL_MODE => {
                sessions = Some(match value.as_str() {
                    "session" => Sessions::Own,
                    "transaction" => Sessions::PerTransaction,
                    _ => return Err(format!("{POOL_MODE} in the PostgreSQL URL is session or transaction")),
                });
            }
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => root = Some(value.clone()),
            key_name => {
                if !is_known(key_name) {
                    tracing::warn!(
                        "the parameter {key_name:?} of the PostgreSQL URL has no meaning here and was left out"
                    );
                    continue;
                }
                match key_name {
                    "sslcert" | "ssl-cert" => files.push(("sslcert", value.into())),
                    "sslkey" | "ssl-key" => files.push(("sslkey", value.into())),
                    _ => {}
                }
                known.append_pair(key, value);
            }
        }
    }
    let known = known.finish();
    url.set_query((!known.is_empty()).then_some(known.as_str()));
    let mut connect = PgConnectOptions::from_url(&url).map_err(|_| not_understood())?;
    if let Some(root) = root.filter(|root| !root.is_empty()) {
        connect = connect.ssl_root_cert(Path::new(&root));
        // As libpq does: whoever names the authority wants it to be asked.
        if matches!(connect.get_ssl_mode(), PgSslMode::Require) {
            connect = connect.ssl_mode(PgSslMode::VerifyCa);
        }
        if !root.starts_with("-----BEGIN") {
            files.push(("sslrootcert", root.into()));
        }
    }
    Ok(Parsed {
        connect,
        sessions,
        files,
    })
}

/// Whether it is a parameter of the driver's.
fn is_known(key: &str) -> bool {
    PARAMETERS.contains(&key) || key.starts_with("options[")
}

/// Whether an @ stands where no parameter is that is known: the value of one may have any character.
fn has_rest_with_at(query: &str) -> bool {
    query
        .split('&')
        .any(|pair| pair.contains('@') && !pair.split_once('=').is_some_and(|(key, _)| is_known(key)))
}
