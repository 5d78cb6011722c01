//! How the server of the tests was found.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};

/// How the server was found. `Display` gives one line: `PostgreSQL 17.6 from a container of postgres:17-bookworm`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Found {
    /// The server's version, such as `17.6`.
    pub version: String,
    /// Where it comes from.
    pub source: Source,
}

/// Where a server comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// `TEST_POSTGRES_URL` names it.
    Url {
        /// Host, port and database, without user and password.
        address: String,
    },
    /// It runs in a container.
    Container {
        /// The image.
        image: String,
    },
    /// It was started from server binaries on this machine.
    Binaries {
        /// Where `initdb` and `postgres` are.
        directory: PathBuf,
    },
}

impl Found {
    /// `17` of `17.6`; `None` if the version does not begin with a number.
    pub(super) fn major_version(&self) -> Option<u32> {
        let digits = self.version.split(|character: char| !character.is_ascii_digit()).next();
        digits?.parse().ok()
    }
}

impl fmt::Display for Found {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "PostgreSQL {} from ", self.version)?;
        match &self.source {
            Source::Url { address } => write!(formatter, "TEST_POSTGRES_URL ({address})"),
            Source::Container { image } => write!(formatter, "a container of {image}"),
            Source::Binaries { directory } => write!(formatter, "server binaries in {}", directory.display()),
        }
    }
}
