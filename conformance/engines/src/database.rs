//! One database of either engine: opened as a store, and looked into with SQL.

use node_storage::contract::{Access, Cursor, Network, Result};
use node_storage::{DbBackend, NodeStorageBackend};
use node_storage_conformance::deliver;
use prism_fixtures::LedgerShape;
use sqlx::migrate::Migrator;
use sqlx::{AssertSqlSafe, Connection, PgConnection, SqliteConnection};
use test_databases::{PostgresDatabase, PostgresServer, SqliteFile};

use crate::{connect, migrations};

/// A database of its own for one test.
pub enum Database {
    Sqlite(SqliteFile),
    Postgres(PostgresDatabase),
}

impl Database {
    /// A database with the schema and no content; `None` where `TEST_BACKENDS` leaves this engine out.
    pub async fn migrated(backend: DbBackend) -> Option<Self> {
        if !node_storage_conformance::is_chosen(backend.name()) {
            return None;
        }
        let migrations = migrations(backend.name());
        Some(match backend {
            DbBackend::Sqlite => Self::Sqlite(SqliteFile::migrated(&migrations).await.unwrap()),
            DbBackend::Postgres => {
                let server = PostgresServer::shared().await.unwrap();
                Self::Postgres(server.database(&migrations).await.unwrap())
            }
        })
    }

    /// A database without any table; `None` where `TEST_BACKENDS` leaves this engine out.
    pub async fn empty(backend: DbBackend) -> Option<Self> {
        if !node_storage_conformance::is_chosen(backend.name()) {
            return None;
        }
        Some(match backend {
            DbBackend::Sqlite => Self::Sqlite(SqliteFile::empty().unwrap()),
            DbBackend::Postgres => {
                let server = PostgresServer::shared().await.unwrap();
                Self::Postgres(server.empty_database().await.unwrap())
            }
        })
    }

    pub fn backend(&self) -> DbBackend {
        match self {
            Self::Sqlite(_) => DbBackend::Sqlite,
            Self::Postgres(_) => DbBackend::Postgres,
        }
    }

    pub fn url(&self) -> &str {
        match self {
            Self::Sqlite(file) => file.url(),
            Self::Postgres(database) => database.url(),
        }
    }

    /// Opens the store in it.
    pub async fn open(&self, network: Network, access: Access) -> Result<NodeStorageBackend> {
        connect(self.backend(), self.url(), network, access).await
    }

    /// Stores and indexes a ledger of 100 operations of every kind in it, migrating it where it has to be.
    pub async fn filled(&self) -> NodeStorageBackend {
        let store = self
            .open(Network::Custom, Access::Write { migrate: true })
            .await
            .unwrap();
        let ledger: Vec<_> = prism_fixtures::ledger(&LedgerShape::small(3)).collect();
        let cursor = Cursor::at(&ledger.last().unwrap().into());
        deliver(&store, &ledger, cursor).await.unwrap();
        node_service::index::index_all(&store).await.unwrap();
        store
    }

    /// Applies this program's migrations up to a version.
    pub async fn migrate_to(&self, version: i64) {
        let directory = migrations(self.backend().name()).directory().to_owned();
        let migrator = Migrator::new(directory).await.unwrap();
        match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::connect(file.url()).await.unwrap();
                migrator.run_to(version, &mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
            Self::Postgres(database) => {
                let mut connection = PgConnection::connect(database.url()).await.unwrap();
                migrator.run_to(version, &mut connection).await.unwrap();
                connection.close().await.unwrap();
            }
        }
    }

    /// Runs statements as one connection's. What the engines spell differently is marked: `{32 bytes}` is a string of so many
    /// zero bytes, `{hex did}` the lowercase digits of that column.
    pub async fn execute(&self, sql: &str) -> std::result::Result<(), sqlx::Error> {
        let sql = AssertSqlSafe(self.dialect(sql));
        match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::connect(file.url()).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
            Self::Postgres(database) => {
                let mut connection = PgConnection::connect(database.url()).await?;
                sqlx::raw_sql(sql).execute(&mut connection).await?;
                connection.close().await
            }
        }
    }

    /// The rows of a query with one column of text; it may be marked as for [`Database::execute`].
    pub async fn texts(&self, sql: &str) -> Vec<String> {
        let sql = AssertSqlSafe(self.dialect(sql));
        match self {
            Self::Sqlite(file) => {
                let mut connection = SqliteConnection::connect(file.url()).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
            Self::Postgres(database) => {
                let mut connection = PgConnection::connect(database.url()).await.unwrap();
                sqlx::query_scalar(sql).fetch_all(&mut connection).await.unwrap()
            }
        }
    }

    /// Writes what is marked, as [`Database::execute`] says, in this engine's words.
    fn dialect(&self, sql: &str) -> String {
        let mut written = String::new();
        let mut rest = sql;
        while let Some((before, marked)) = rest.split_once('{') {
            let (marker, behind) = marked.split_once('}').unwrap();
            let word = match (self, marker.split_once(' ')) {
                (Self::Sqlite(_), Some((length, "bytes"))) => format!("zeroblob({length})"),
                (Self::Postgres(_), Some((length, "bytes"))) => format!("decode(repeat('00', {length}), 'hex')"),
                (Self::Sqlite(_), Some(("hex", column))) => format!("lower(hex({column}))"),
                (Self::Postgres(_), Some(("hex", column))) => format!("encode({column}, 'hex')"),
                _ => panic!("unknown marker {marker:?}"),
            };
            written += before;
            written += &word;
            rest = behind;
        }
        written + rest
    }
}
