//! Which database to use, checked before anything is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use etcetera::BaseStrategy;
use node_storage_contract::Network;
#[cfg(feature = "postgres")]
use node_storage_postgres::PostgresOptions;
#[cfg(feature = "sqlite-backend")]
use node_storage_sqlite::SqliteOptions;

use crate::sqlite_url;

/// A database engine.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum DbBackend {
    /// PostgreSQL, the default.
    #[default]
    Postgres,
    /// An embedded SQLite file.
    Sqlite,
}

impl DbBackend {
    /// The name as `--db-backend` takes it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Postgres => "postgres",
            Self::Sqlite => "sqlite",
        }
    }

    /// The engine that a URL's scheme (before the first colon) names.
    fn of_scheme(scheme: &str) -> Option<Self> {
        match scheme {
            "postgres" | "postgresql" => Some(Self::Postgres),
            "sqlite" => Some(Self::Sqlite),
            _ => None,
        }
    }
}

impl fmt::Display for DbBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no engine's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown database backend {0:?}; the backends are postgres and sqlite")]
pub struct UnknownBackend(pub String);

impl FromStr for DbBackend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        [Self::Postgres, Self::Sqlite]
            .into_iter()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| UnknownBackend(name.to_owned()))
    }
}

/// A configuration that can't work, whatever the database says. Nothing was opened. No text shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// PostgreSQL has no default URL.
    #[error(
        "the postgres backend needs a URL: give --db-url postgres://user:password@host:5432/database (NPRISM_DB_URL), or use \
         the embedded database with --db-backend sqlite"
    )]
    MissingUrl,
    /// The URL has no scheme, or one that no backend has.
    #[error("the database URL has {0}; write postgres://user:password@host:5432/database or sqlite:///path/to/node.db")]
    UnknownScheme(String),
    /// The URL's scheme is another backend's.
    #[error("--db-backend {backend} and a database URL of scheme {scheme}:// disagree; change one of them")]
    BackendMismatch {
        /// The backend that was chosen.
        backend: DbBackend,
        /// The scheme of the URL.
        scheme: String,
    },
    /// The rest of the URL can't be understood.
    #[error("the {backend} URL can't be used: {detail}")]
    InvalidUrl {
        /// The backend.
        backend: DbBackend,
        /// Why.
        detail: String,
    },
    /// The platform names no directory for application data.
    #[error(
        "no directory for application data is known on this machine (is HOME set?); give --data-dir DIR or --db-url sqlite:///path/to/node.db"
    )]
    NoDataDirectory,
    /// The program was built without this engine.
    #[error("this program was built without the {0} backend; use the other one, or build it with its default features")]
    NotBuilt(DbBackend),
}

/// Where a store lies and how to reach it. `Debug` and [`DbBackendConfig::location`] never show a password.
#[derive(Clone)]
pub struct DbBackendConfig {
    pub(crate) target: Target,
    pub(crate) network: Network,
}

#[derive(Clone)]
pub(crate) enum Target {
    #[cfg(feature = "postgres")]
    Postgres(Box<PostgresOptions>),
    #[cfg(feature = "sqlite-backend")]
    Sqlite(SqliteOptions),
}

impl DbBackendConfig {
    /// Checks a backend and a URL for a store of `network`.
    ///
    /// Without a URL, SQLite uses `<data_dir>/<network>/node.db`, and without a `data_dir` the platform's directory for
    /// application data with `neoprism` below it.
    ///
    /// # Errors
    /// See [`ConfigError`]; each is a matter of usage.
    pub fn new(
        backend: DbBackend,
        url: Option<&str>,
        data_dir: Option<&Path>,
        network: Network,
    ) -> Result<Self, ConfigError> {
        let target = match (backend, url) {
            (DbBackend::Postgres, None) => return Err(ConfigError::MissingUrl),
            (DbBackend::Sqlite, None) => sqlite(default_file(data_dir, network)?)?,
            (_, Some(url)) => {
                let Some((scheme, rest)) = url.split_once(':') else {
                    return Err(ConfigError::UnknownScheme("no scheme".to_owned()));
                };
                match DbBackend::of_scheme(scheme) {
                    // What stands before a colon may also be a password that lost its scheme, so it is shown only if it can be one.
                    None => return Err(ConfigError::UnknownScheme(describe_scheme(scheme))),
                    Some(named) if named != backend => {
                        return Err(ConfigError::BackendMismatch {
                            backend,
                            scheme: scheme.to_owned(),
                        });
                    }
                    Some(DbBackend::Postgres) => postgres(url)?,
                    Some(DbBackend::Sqlite) => {
                        sqlite(sqlite_url::file(rest).map_err(|detail| ConfigError::InvalidUrl {
                            backend,
                            detail: detail.to_owned(),
                        })?)?
                    }
                }
            }
        };
        Ok(Self { target, network })
    }

    /// How long opening waits for a PostgreSQL server that can't be reached, or for another process that writes the SQLite
    /// file: for that 10 s at most.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        match &mut self.target {
            #[cfg(feature = "postgres")]
            Target::Postgres(options) => **options = options.as_ref().clone().connect_timeout(timeout),
            #[cfg(feature = "sqlite-backend")]
            Target::Sqlite(options) => *options = options.clone().writer_timeout(timeout),
        }
        self
    }

    /// The most connections to a PostgreSQL server. SQLite has one that writes and a few that read.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        match &mut self.target {
            #[cfg(feature = "postgres")]
            Target::Postgres(options) => **options = options.as_ref().clone().max_connections(connections),
            #[cfg(feature = "sqlite-backend")]
            Target::Sqlite(_) => {
                let _ = connections;
            }
        }
        self
    }

    /// The engine.
    pub fn backend(&self) -> DbBackend {
        match self.target {
            #[cfg(feature = "postgres")]
            Target::Postgres(_) => DbBackend::Postgres,
            #[cfg(feature = "sqlite-backend")]
            Target::Sqlite(_) => DbBackend::Sqlite,
        }
    }

    /// The network whose store this is to be.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The SQLite file, for an embedded store.
    pub fn file(&self) -> Option<&Path> {
        match &self.target {
            #[cfg(feature = "postgres")]
            Target::Postgres(_) => None,
            #[cfg(feature = "sqlite-backend")]
            Target::Sqlite(options) => Some(options.path()),
        }
    }

    /// Where the store lies, for people: the file, or the server and database.
    pub fn location(&self) -> String {
        match &self.target {
            #[cfg(feature = "postgres")]
            Target::Postgres(options) => options.location(),
            #[cfg(feature = "sqlite-backend")]
            Target::Sqlite(options) => options.path().display().to_string(),
        }
    }
}

impl fmt::Debug for DbBackendConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbBackendConfig")
            .field("backend", &self.backend())
            .field("location", &self.location())
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

#[cfg(feature = "postgres")]
fn postgres(url: &str) -> Result<Target, ConfigError> {
    PostgresOptions::new(url)
        .map(|options| Target::Postgres(Box::new(options)))
        .map_err(|detail| ConfigError::InvalidUrl {
            backend: DbBackend::Postgres,
            detail,
        })
}

#[cfg(not(feature = "postgres"))]
fn postgres(_url: &str) -> Result<Target, ConfigError> {
    Err(ConfigError::NotBuilt(DbBackend::Postgres))
}

#[cfg(feature = "sqlite-backend")]
#[allow(
    clippy::unnecessary_wraps,
    reason = "a build without this engine answers with an error"
)]
fn sqlite(file: PathBuf) -> Result<Target, ConfigError> {
    Ok(Target::Sqlite(SqliteOptions::new(file)))
}

#[cfg(not(feature = "sqlite-backend"))]
fn sqlite(_file: PathBuf) -> Result<Target, ConfigError> {
    Err(ConfigError::NotBuilt(DbBackend::Sqlite))
}

fn describe_scheme(scheme: &str) -> String {
    let is_scheme = scheme.starts_with(|first: char| first.is_ascii_alphabetic())
        && scheme
            .chars()
            .all(|character| character.is_ascii_alphanumeric() || "+-.".contains(character));
    if is_scheme {
        format!("the unknown scheme {scheme}:")
    } else {
        "no scheme".to_owned()
    }
}

fn default_file(data_dir: Option<&Path>, network: Network) -> Result<PathBuf, ConfigError> {
    let data_dir = if let Some(directory) = data_dir {
        directory.to_owned()
    } else {
        etcetera::base_strategy::choose_native_strategy()
            .map_err(|_| ConfigError::NoDataDirectory)?
            .data_dir()
            .join("neoprism")
    };
    Ok(data_dir.join(network.name()).join("node.db"))
}

#[cfg(all(test, feature = "postgres", feature = "sqlite-backend"))]
mod tests {
    use super::*;

    const DIRECTORY: &str = "/var/lib/neoprism";

    fn config(backend: DbBackend, url: Option<&str>) -> Result<DbBackendConfig, ConfigError> {
        DbBackendConfig::new(backend, url, Some(Path::new(DIRECTORY)), Network::Preprod)
    }

    #[test]
    fn sqlite_without_a_url_lies_below_the_data_directory_by_network() {
        let config = config(DbBackend::Sqlite, None).unwrap();
        assert_eq!(config.file(), Some(Path::new("/var/lib/neoprism/preprod/node.db")));
    }

    #[test]
    fn postgres_without_a_url_is_refused_with_both_ways_out() {
        let error = config(DbBackend::Postgres, None).unwrap_err().to_string();
        assert!(
            error.contains("--db-url") && error.contains("--db-backend sqlite"),
            "{error}"
        );
    }

    #[test]
    fn a_url_of_the_other_backend_is_refused_naming_both() {
        for (backend, url) in [
            (DbBackend::Sqlite, "postgres://u:secret@h/d"),
            (DbBackend::Postgres, "sqlite:///x.db"),
        ] {
            let error = config(backend, Some(url)).unwrap_err().to_string();
            assert!(error.contains("postgres") && error.contains("sqlite"), "{error}");
            assert!(!error.contains("secret"), "{error}");
        }
    }

    #[test]
    fn unknown_schemes_are_refused() {
        for url in ["mysql://u:secret@h/d", "node.db", "", "u secret:x"] {
            let error = config(DbBackend::Sqlite, Some(url)).unwrap_err();
            assert!(matches!(error, ConfigError::UnknownScheme(_)), "{url}: {error}");
            assert!(!error.to_string().contains("secret"), "{error}");
        }
    }

    #[test]
    fn no_text_of_a_configuration_shows_the_password() {
        let config = config(DbBackend::Postgres, Some("postgres://user:secret@db.example:5433/node")).unwrap();
        let shown = format!("{config:?} {}", config.location());
        assert!(
            shown.contains("db.example:5433") && !shown.contains("secret"),
            "{shown}"
        );
        let error = DbBackendConfig::new(
            DbBackend::Postgres,
            Some("postgres://u:secret@h:port/d"),
            None,
            Network::Custom,
        );
        assert!(!format!("{:?}", error.unwrap_err()).contains("secret"));
    }
}
