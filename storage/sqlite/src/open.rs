//! Opening a store: the file, the schema, the network.

use std::fs::{DirBuilder, OpenOptions};
use std::io::ErrorKind;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use node_storage_connections::{Connections, Settings};
use node_storage_contract::{Access, DltCursorRepo, Network, Result, StorageError};
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions, Connection, SqliteConnection};

use crate::error::classify;
use crate::file_identity::FileIdentity;
use crate::lock_file::LockFile;
use crate::{SqliteDb, Writer, schema};

/// `application_id` of our files, set by the first migration: "NPRI".
const APPLICATION_ID: i64 = 0x4E50_5249;

/// Connections that read.
const READERS: u32 = 4;

/// Which file to open, and how patiently.
#[derive(Debug, Clone)]
pub struct SqliteOptions {
    path: PathBuf,
    patience: Duration,
    writer_timeout: Option<Duration>,
}

impl SqliteOptions {
    /// The file at `path`. Opened for writing, it and its directory are made where they are missing, for this user alone.
    pub fn new(path: impl Into<PathBuf>) -> Self {
        Self {
            path: path.into(),
            patience: Duration::from_secs(10),
            writer_timeout: None,
        }
    }

    /// How long to wait for a process, or for a lock, that is in the way; 10 s unless said otherwise.
    #[must_use]
    pub fn patience(mut self, patience: Duration) -> Self {
        self.patience = patience;
        self
    }

    /// How long opening waits for another process that writes the file, if that is less than its patience.
    #[must_use]
    pub fn writer_timeout(mut self, timeout: Duration) -> Self {
        self.writer_timeout = Some(timeout);
        self
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    fn connect(&self) -> SqliteConnectOptions {
        SqliteConnectOptions::new()
            .filename(&self.path)
            .create_if_missing(false)
            .foreign_keys(true)
            .busy_timeout(self.patience)
            .disable_statement_logging()
    }
}

impl SqliteDb {
    /// Opens the store in this file for `network`.
    ///
    /// # Errors
    /// `Unavailable` where the file can't be made, opened or (for reading) does not exist, `Busy` where another process writes it,
    /// `Foreign` for a file of somebody else, `Migration` for a schema that is not this program's, `WrongNetwork` for a store of
    /// another network.
    pub async fn open(options: &SqliteOptions, network: Network, access: Access) -> Result<Self> {
        let lease = if access.is_write() {
            Some(make_file(options).await?)
        } else {
            None
        };
        refuse_foreign_file(options).await?;
        let file = Arc::new(FileIdentity::of(options.path())?);
        let writer = lease.map(|lease| Writer {
            // Rows and cursor commit together and can be read from the ledger again. NORMAL may lose the last commits when the
            // power fails, never a part of one, so it is safe here and spares a sync for each commit.
            connection: Connections::new(
                options
                    .connect()
                    .journal_mode(SqliteJournalMode::Wal)
                    .synchronous(SqliteSynchronous::Normal),
                &Settings {
                    most: 1,
                    patience: options.patience * 3,
                    kept: true,
                    remote: false,
                    prepare: None,
                },
            ),
            lease: Arc::new(lease),
        });
        let reader = Connections::new(
            // Rows come from a thread of SQLite's own. Where a page of a backup fits, the two wait for each other less.
            options.connect().read_only(true).row_buffer_size(1_000),
            &Settings {
                most: READERS,
                patience: options.patience,
                kept: true,
                remote: false,
                prepare: None,
            },
        );
        let store = Self { writer, reader, file };
        store.prepare(network, access).await?;
        Ok(store)
    }

    /// Brings the schema up to date where that is asked for, and checks or fills the network.
    async fn prepare(&self, network: Network, access: Access) -> Result<()> {
        let checked = match &self.writer {
            Some(writer) => schema::check(&writer.connection).await,
            None => schema::check(&self.reader).await,
        };
        match (checked, &self.writer) {
            (Err(StorageError::Migration(error)), Some(writer))
                if error.is_mended_by_migrating() && access == (Access::Write { migrate: true }) =>
            {
                schema::migrate(&writer.connection).await?;
            }
            (checked, _) => checked?,
        }
        if let Some(writer) = &self.writer {
            sqlx::query!(
                "INSERT INTO network (singleton, name) VALUES (1, ?1) ON CONFLICT DO NOTHING",
                network.name()
            )
            .execute(&writer.connection)
            .await
            .map_err(classify)?;
        }
        match self.network().await? {
            Some(stored) if stored != network => Err(StorageError::WrongNetwork {
                stored,
                requested: network,
            }),
            _ => Ok(()),
        }
    }

    /// Whether the database answers, its files are those that were opened, and its schema is this program's.
    pub async fn check_ready(&self) -> Result<()> {
        schema::check(&self.reader).await?;
        // Connections answer out of a file that nobody else finds, too.
        self.check_files()
    }
}

/// Makes the directory and the file where they are missing, and takes the lease.
async fn make_file(options: &SqliteOptions) -> Result<LockFile> {
    let path = options.path();
    let unavailable = |what: &Path, error: std::io::Error| StorageError::Unavailable {
        retryable: false,
        detail: format!(
            "{} can't be made: {error}; choose another --data-dir or --db-url",
            what.display()
        ),
    };
    if let Some(directory) = path.parent().filter(|directory| !directory.as_os_str().is_empty()) {
        DirBuilder::new()
            .recursive(true)
            .mode(0o700)
            .create(directory)
            .map_err(|error| unavailable(directory, error))?;
    }
    let patience = options
        .writer_timeout
        .map_or(options.patience, |timeout| timeout.min(options.patience));
    let lease = LockFile::acquire(path, patience).await?;
    // Made here, since SQLite would make it readable for everybody. Its journal and shared memory get the same permissions.
    match OpenOptions::new().write(true).create_new(true).mode(0o600).open(path) {
        Ok(_) => Ok(lease),
        Err(error) if error.kind() == ErrorKind::AlreadyExists => {
            warn_of_others(path);
            Ok(lease)
        }
        Err(error) => Err(unavailable(path, error)),
    }
}

/// Warns where others than the owner may do anything with a file that was there before, or with its directory. Who made them
/// so may have a reason, so nothing is changed.
fn warn_of_others(path: &Path) {
    let directory = path.parent().filter(|directory| !directory.as_os_str().is_empty());
    for (what, right) in [(directory.unwrap_or(Path::new(".")), "700"), (path, "600")] {
        let Ok(metadata) = std::fs::metadata(what) else {
            continue;
        };
        let mode = metadata.permissions().mode() & 0o777;
        if mode & 0o077 != 0 {
            let what = what.display();
            tracing::warn!(
                "others than its owner have access to {what} (mode {mode:03o}); `chmod {right} {what}` ends that"
            );
        }
    }
}

/// Looks whether the file is ours, or empty, before anything is changed in it.
async fn refuse_foreign_file(options: &SqliteOptions) -> Result<()> {
    let path = options.path();
    let foreign = |detail: String| StorageError::Foreign {
        subject: path.display().to_string(),
        detail,
    };
    let metadata = std::fs::metadata(path).map_err(|error| StorageError::Unavailable {
        retryable: error.kind() == ErrorKind::NotFound,
        detail: format!(
            "{} can't be opened: {error}; check --data-dir, --network and --db-url, or make it with `neoprism-node db migrate`",
            path.display()
        ),
    })?;
    if !metadata.is_file() {
        return Err(foreign("it is not a file".to_owned()));
    }
    let name_file = |error| match classify(error) {
        StorageError::Foreign { detail, .. } => foreign(detail),
        // What can't be opened at first needs somebody's help.
        StorageError::Unavailable { detail, .. } => StorageError::Unavailable {
            retryable: false,
            detail: format!("{}: {detail}", path.display()),
        },
        other => other,
    };
    let mut connection = options.connect().read_only(true).connect().await.map_err(name_file)?;
    let owner = owner(&mut connection).await.map_err(name_file);
    connection.close().await.map_err(classify)?;
    match owner? {
        (APPLICATION_ID, _) | (0, 0) => Ok(()),
        (0, _) => Err(foreign("it is an SQLite database with other tables".to_owned())),
        (application, _) => Err(foreign(format!(
            "its SQLite application_id is {application}, not {APPLICATION_ID}"
        ))),
    }
}

/// `application_id` and number of objects of the database, but for the migration runner's table: that is all there is where a
/// process was interrupted before the first migration, which sets the `application_id`.
async fn owner(connection: &mut SqliteConnection) -> std::result::Result<(i64, i64), sqlx::Error> {
    // A pragma has no columns that the macros could check.
    let application = sqlx::query_scalar::<_, i64>("PRAGMA application_id")
        .fetch_one(&mut *connection)
        .await?;
    let objects = sqlx::query_scalar!(
        r#"SELECT count(*) AS "objects!: i64" FROM sqlite_schema WHERE tbl_name <> '_sqlx_migrations'"#
    )
    .fetch_one(&mut *connection)
    .await?;
    Ok((application, objects))
}
