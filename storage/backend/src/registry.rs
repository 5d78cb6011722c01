//! The engines that a node can be built with. A further one is a crate, a feature and one line here.

use std::fmt;
use std::str::FromStr;

use node_storage_contract::Engine;

macro_rules! engines {
    ($($(#[$attribute:meta])* $backend:ident = $name:literal => $engine:path;)+) => {
        /// A database engine, by the name that `--db-backend` takes.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
        pub enum DbBackend {
            $($(#[$attribute])* $backend,)+
        }

        impl DbBackend {
            /// Every engine, whether or not this program was built with it.
            pub const ALL: &'static [Self] = &[$(Self::$backend),+];

            /// The name as `--db-backend` takes it, and the feature that builds the engine in.
            pub const fn name(self) -> &'static str {
                match self {
                    $(Self::$backend => $name,)+
                }
            }

            /// The engine, if this program was built with it.
            pub(crate) fn engine(self) -> Option<&'static dyn Engine> {
                match self {
                    $(
                        #[cfg(feature = $name)]
                        Self::$backend => Some(&$engine),
                        #[cfg(not(feature = $name))]
                        Self::$backend => None,
                    )+
                }
            }
        }
    };
}

engines! {
    /// PostgreSQL, the default.
    #[default]
    Postgres = "postgres" => node_storage_postgres::PostgresEngine;
    /// An embedded SQLite file.
    Sqlite = "sqlite" => node_storage_sqlite::SqliteEngine;
}

impl DbBackend {
    /// The engines that this program was built with.
    pub(crate) fn built() -> impl Iterator<Item = (Self, &'static dyn Engine)> {
        Self::ALL
            .iter()
            .filter_map(|backend| Some((*backend, backend.engine()?)))
    }

    /// The engine that a URL's scheme (what is before the first colon) names.
    pub(crate) fn of_scheme(scheme: &str) -> Option<Self> {
        Self::built()
            .find(|(_, engine)| engine.schemes().contains(&scheme))
            .map(|(backend, _)| backend)
    }

    /// Whether its stores are files that the process opens itself; `false` for one that this program was built without.
    pub fn is_embedded(self) -> bool {
        self.engine().is_some_and(Engine::is_embedded)
    }

    /// An example of a URL of each engine that this program was built with, for messages: `a, b or c`.
    pub fn example_urls() -> String {
        listed(Self::built().map(|(_, engine)| engine.example_url()))
    }
}

/// `a, b or c`.
pub(crate) fn listed<'a>(items: impl IntoIterator<Item = &'a str>) -> String {
    let mut items: Vec<&str> = items.into_iter().collect();
    match items.pop() {
        Some(last) if !items.is_empty() => format!("{} or {last}", items.join(", ")),
        Some(only) => only.to_owned(),
        None => String::new(),
    }
}

impl fmt::Display for DbBackend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A name that is no engine's.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("unknown database backend {0:?}; give {names}", names = listed(DbBackend::ALL.iter().map(|backend| backend.name())))]
pub struct UnknownBackend(pub String);

impl FromStr for DbBackend {
    type Err = UnknownBackend;

    fn from_str(name: &str) -> Result<Self, UnknownBackend> {
        Self::ALL
            .iter()
            .copied()
            .find(|backend| backend.name() == name)
            .ok_or_else(|| UnknownBackend(name.to_owned()))
    }
}
