//! Which database to use, checked before anything is opened.

use std::fmt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use etcetera::BaseStrategy;
use node_storage_contract::{
    Access, AnyStore, BoxFuture, Connect, Engine, Network, OtherWriter, OwnedStore, Result, StoreConfig,
};

use crate::registry::{DbBackend, listed};

/// A configuration that can't work, whatever the database says. Nothing was opened. No text shows a password.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Only embedded engines have a default place.
    #[error(
        "the {backend} backend needs a URL: give --db-url {example} (NPRISM_DB_URL){embedded}",
        embedded = use_embedded()
    )]
    MissingUrl {
        /// The backend.
        backend: DbBackend,
        /// An example of its URLs.
        example: &'static str,
    },
    /// The URL has no scheme, or one that no backend has.
    #[error("the database URL has {0}; write {urls}", urls = DbBackend::example_urls())]
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
        "no directory for application data is known on this machine (is HOME set?); give --data-dir DIR or --db-url {example}"
    )]
    NoDataDirectory {
        /// An example of the backend's URLs.
        example: &'static str,
    },
    /// The program was built without this engine.
    #[error("this program was built without the {0} backend; use another one, or build it with the feature {0}")]
    NotBuilt(DbBackend),
}

/// The other way out for somebody without a database server.
fn use_embedded() -> String {
    let names: Vec<_> = DbBackend::built()
        .filter(|(_, engine)| engine.is_embedded())
        .map(|(backend, _)| format!("--db-backend {backend}"))
        .collect();
    if names.is_empty() {
        return String::new();
    }
    let names = listed(names.iter().map(String::as_str));
    format!(", or use the embedded database with {names}")
}

/// Where a store is and how to reach it. `Debug` and [`DbBackendConfig::location`] never show a password.
pub struct DbBackendConfig {
    backend: DbBackend,
    network: Network,
    store: Box<dyn StoreConfig>,
}

impl DbBackendConfig {
    /// Checks a backend and a URL for a store of `network`.
    ///
    /// Without a URL, an embedded engine uses a file in `<data_dir>/<network>`, and without a `data_dir` the platform's directory
    /// for application data with `neoprism` below it.
    ///
    /// # Errors
    /// See [`ConfigError`]; each is a matter of usage.
    pub fn new(
        backend: DbBackend,
        url: Option<&str>,
        data_dir: Option<&Path>,
        network: Network,
    ) -> std::result::Result<Self, ConfigError> {
        let store = match url {
            Some(url) => at_url(backend, url)?,
            None => in_data_directory(backend, data_dir, network)?,
        };
        Ok(Self {
            backend,
            network,
            store,
        })
    }

    /// How long opening waits for a server that can't be reached, or for another process that writes an embedded file: for
    /// that 10 s at most.
    #[must_use]
    pub fn connect_timeout(mut self, timeout: Duration) -> Self {
        self.store.set_connect_timeout(timeout);
        self
    }

    /// How long a call of an open store waits for a connection to a server: as long as opening does, unless this says otherwise.
    #[must_use]
    pub fn answer_timeout(mut self, timeout: Duration) -> Self {
        self.store.set_answer_timeout(timeout);
        self
    }

    /// The most connections to a server, the one of the lease included. Embedded engines decide for themselves.
    #[must_use]
    pub fn max_connections(mut self, connections: u32) -> Self {
        self.store.set_max_connections(connections);
        self
    }

    /// The engine.
    pub fn backend(&self) -> DbBackend {
        self.backend
    }

    /// The network whose store this is to be.
    pub fn network(&self) -> Network {
        self.network
    }

    /// The file of an embedded store.
    pub fn file(&self) -> Option<&Path> {
        self.store.file()
    }

    /// Where the store is, for people: the file, or the server and database.
    pub fn location(&self) -> String {
        self.store.location()
    }

    /// Opens the store for writing, as the one process that does. [`OtherWriter`] while another process is the writer and
    /// one can stand by for it.
    ///
    /// # Errors
    /// As [`AnyStore::connect`]; `Busy` while another process is the writer and standing by is not possible.
    pub async fn open_as_writer(&self, migrate: bool) -> Result<std::result::Result<OwnedStore, OtherWriter>> {
        self.store.open_as_writer(self.network, migrate).await
    }
}

impl Connect for DbBackendConfig {
    fn connect(&self, access: Access) -> BoxFuture<'_, Result<AnyStore>> {
        self.store.open(self.network, access)
    }
}

impl Clone for DbBackendConfig {
    fn clone(&self) -> Self {
        Self {
            store: self.store.boxed_clone(),
            ..*self
        }
    }
}

impl fmt::Debug for DbBackendConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("DbBackendConfig")
            .field("backend", &self.backend)
            .field("location", &self.location())
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

fn built(backend: DbBackend) -> std::result::Result<&'static dyn Engine, ConfigError> {
    backend.engine().ok_or(ConfigError::NotBuilt(backend))
}

fn at_url(backend: DbBackend, url: &str) -> std::result::Result<Box<dyn StoreConfig>, ConfigError> {
    let Some((scheme, _)) = url.split_once(':') else {
        return Err(ConfigError::UnknownScheme("no scheme".to_owned()));
    };
    let engine = built(backend)?;
    if engine.schemes().contains(&scheme) {
        return engine
            .at_url(url)
            .map_err(|detail| ConfigError::InvalidUrl { backend, detail });
    }
    match DbBackend::of_scheme(scheme) {
        Some(_) => Err(ConfigError::BackendMismatch {
            backend,
            scheme: scheme.to_owned(),
        }),
        // The text before a colon may also be a password that lost its scheme, so it is shown only if it can be a scheme.
        None => Err(ConfigError::UnknownScheme(describe_scheme(scheme))),
    }
}

fn in_data_directory(
    backend: DbBackend,
    data_dir: Option<&Path>,
    network: Network,
) -> std::result::Result<Box<dyn StoreConfig>, ConfigError> {
    let engine = built(backend)?;
    let example = engine.example_url();
    if !engine.is_embedded() {
        return Err(ConfigError::MissingUrl { backend, example });
    }
    let data_dir = match data_dir {
        Some(directory) => directory.to_owned(),
        None => default_data_directory().ok_or(ConfigError::NoDataDirectory { example })?,
    };
    engine
        .in_directory(&data_dir.join(network.name()))
        .ok_or(ConfigError::MissingUrl { backend, example })
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

fn default_data_directory() -> Option<PathBuf> {
    let strategy = etcetera::base_strategy::choose_native_strategy().ok()?;
    Some(strategy.data_dir().join("neoprism"))
}

#[cfg(all(test, feature = "postgres", feature = "sqlite"))]
mod tests {
    use super::*;

    const DIRECTORY: &str = "/var/lib/neoprism";

    fn config(backend: DbBackend, url: Option<&str>) -> std::result::Result<DbBackendConfig, ConfigError> {
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
