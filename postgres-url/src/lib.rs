//! URLs of PostgreSQL databases: what the driver understands of one, what belongs to whoever asks, and what is neither.
//!
//! No text of this crate, errors and log included, shows a part of a URL that could be a part of a password.

use std::path::{Path, PathBuf};

use sqlx::ConnectOptions;
use sqlx::postgres::{PgConnectOptions, PgSslMode};
use url::Url;

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

/// A URL, taken apart.
#[derive(Clone)]
pub struct PostgresUrl {
    /// What the driver understands.
    pub connect: PgConnectOptions,
    /// The parameters that the caller has asked for, by name, each as often as it stands there.
    pub own: Vec<(String, String)>,
    /// Files that have to be readable, each with the parameter that names it.
    pub files: Vec<(&'static str, PathBuf)>,
}

/// What to do about a URL that can't be understood, or was perhaps misunderstood. Nothing of it is shown: where a password is not
/// encoded, any part may be a part of it.
const HINT: &str = "write postgres://user:password@host:5432/database; in user and password, %2F stands for /, %40 for @, %3A for :, \
    %3F for ?, %23 for # and %25 for %";

/// Parses a `postgres://` or `postgresql://` URL, as libpq understands it. `own` are the parameters that are the caller's.
///
/// # Errors
/// A text without any part of the URL, for one that can't be understood or can't be meant.
pub fn parse(text: &str, own: &[&str]) -> Result<PostgresUrl, String> {
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
    // The value of a parameter, or the rest of a password and the host behind that: then a name is a part of it.
    let may_hold_rest = url.query().is_some_and(|query| query.contains('@'));
    let mut of_caller = Vec::new();
    let mut root = std::env::var("PGSSLROOTCERT").ok();
    let mut files = Vec::new();
    let mut known = url::form_urlencoded::Serializer::new(String::new());
    for (key, value) in &pairs {
        match key.as_str() {
            key if own.contains(&key) => of_caller.push((key.to_owned(), value.clone())),
            "sslrootcert" | "ssl-root-cert" | "ssl-ca" => root = Some(value.clone()),
            key_name => {
                if !is_known(key_name) {
                    let shown = if may_hold_rest {
                        "a parameter".to_owned()
                    } else {
                        format!("the parameter {key_name:?}")
                    };
                    tracing::warn!("{shown} of the PostgreSQL URL has no meaning here and was left out");
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
    Ok(PostgresUrl {
        connect,
        own: of_caller,
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_belongs_to_the_caller_is_handed_over_and_no_parameter_of_the_driver() {
        let url = parse(
            "postgres://u:p@h:5433/d?pool_mode=session&application_name=a",
            &["pool_mode"],
        )
        .unwrap();
        assert_eq!(url.own, [("pool_mode".to_owned(), "session".to_owned())]);
        assert_eq!((url.connect.get_host(), url.connect.get_port()), ("h", 5433));
        assert_eq!(url.connect.get_application_name(), Some("a"));
    }

    #[test]
    fn a_password_that_is_not_encoded_is_refused_and_no_part_of_it_is_shown() {
        for password in [
            "a/secret",
            "12/secret",
            "12?secret",
            "12?x=secret",
            "12#secret",
            "secret/",
            "secret#",
        ] {
            let error = parse(&format!("postgres://user:{password}@host:5432/database"), &[]);
            let error = error.err().unwrap();
            assert!(!error.contains("secret") && error.contains("%2F"), "{error}");
        }
        for password in ["sec@ret", "sec:ret", "sec%2Fret"] {
            let url = parse(&format!("postgres://user:{password}@host:5432/database"), &[]).unwrap();
            assert_eq!((url.connect.get_host(), url.connect.get_port()), ("host", 5432));
        }
    }
}
