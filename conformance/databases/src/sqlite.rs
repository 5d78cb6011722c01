//! An SQLite file of its own for each test.

use std::fs::{self, OpenOptions, Permissions};
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};
use std::thread;
use std::time::Instant;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions, Connection};
use tempfile::TempDir;

use crate::once::OncePerName;
use crate::shared_directory::SharedDirectory;
use crate::timings::Timings;
use crate::{Error, Migrations, Result, background};

const FILE_NAME: &str = "test.db";

/// The bytes of migrated files by the hash of their migrations, as this process has seen them.
static TEMPLATES: LazyLock<OncePerName<Arc<[u8]>>> = LazyLock::new(OncePerName::default);

/// An SQLite file in a directory of its own that only its owner can enter.
///
/// Both are removed when this is dropped, unless the thread is panicking: then they stay, and the path is printed.
#[derive(Debug)]
pub struct SqliteFile {
    /// `None` only while dropping.
    directory: Option<TempDir>,
    path: PathBuf,
    url: String,
    timings: Option<Timings>,
}

impl SqliteFile {
    /// A database with no table, as a file of 0 bytes.
    pub fn empty() -> Result<Self> {
        Self::with_content(&[], None)
    }

    /// A database that the migrations were applied to.
    pub async fn migrated(migrations: &Migrations) -> Result<Self> {
        let timings = Timings::start("sqlite");
        let template = {
            let migrations = migrations.clone();
            async || background::run(async move || template(&migrations).await).await
        };
        let content = TEMPLATES.get_or_try_init(migrations.hash(), template).await?;
        let mut file = Self::with_content(&content, timings)?;
        if let Some(timings) = &mut file.timings {
            timings.cloned();
            let options = SqliteConnectOptions::new().filename(&file.path);
            let connection = SqliteConnection::connect_with(&options).await;
            let connected = async { connection?.close().await };
            connected.await.map_err(Error::sqlite("open the file of a test"))?;
            timings.connected();
        }
        Ok(file)
    }

    fn with_content(content: &[u8], timings: Option<Timings>) -> Result<Self> {
        let directory = private_directory()?;
        let path = directory.path().join(FILE_NAME);
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&path)
            .and_then(|mut file| file.write_all(content))
            .map_err(Error::io(format!("write {}", path.display())))?;
        let url = SqliteConnectOptions::new().filename(&path).to_url_lossy();
        Ok(Self {
            directory: Some(directory),
            url: without_parameters(url),
            path,
            timings,
        })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// `sqlite://` and the path; opens the file for reading and writing.
    pub fn url(&self) -> &str {
        &self.url
    }
}

impl Drop for SqliteFile {
    fn drop(&mut self) {
        let Some(directory) = self.directory.take() else { return };
        let started = Instant::now();
        if thread::panicking() {
            let _ = directory.keep();
            eprintln!(
                "test-databases: the SQLite file stays for inspection: {}",
                self.path.display()
            );
        } else if let Err(error) = directory.close() {
            eprintln!(
                "test-databases: the directory of {} can't be removed: {error}",
                self.path.display()
            );
        } else if let Some(timings) = &self.timings {
            timings.dropped(started.elapsed());
        }
    }
}

fn private_directory() -> Result<TempDir> {
    tempfile::Builder::new()
        .prefix("test-databases-sqlite-")
        .permissions(Permissions::from_mode(0o700))
        .tempdir()
        .map_err(Error::io("make a temporary directory"))
}

/// The same address for every reader: what the file is opened for is up to the test.
fn without_parameters(mut url: url::Url) -> String {
    url.set_query(None);
    url.into()
}

/// The template that some process of this user has built, or a new one, which the next process finds.
async fn template(migrations: &Migrations) -> Result<Arc<[u8]>> {
    let directory = SharedDirectory::open()?;
    if let Some(content) = directory.sqlite_template(migrations.hash()) {
        return Ok(content.into());
    }
    let content = build_template(migrations).await?;
    directory.write_sqlite_template(migrations.hash(), &content)?;
    Ok(content)
}

async fn build_template(migrations: &Migrations) -> Result<Arc<[u8]>> {
    let directory = private_directory()?;
    let path = directory.path().join(FILE_NAME);
    let options = SqliteConnectOptions::new().filename(&path).create_if_missing(true);
    let mut connection = SqliteConnection::connect_with(&options)
        .await
        .map_err(Error::sqlite("make the template file"))?;
    migrations.apply("SQLite", &mut connection).await?;
    // Migrations may have switched to write-ahead logging: then the main file is complete only after a checkpoint.
    sqlx::raw_sql("PRAGMA wal_checkpoint(TRUNCATE)")
        .execute(&mut connection)
        .await
        .map_err(Error::sqlite("write the template's log back into its file"))?;
    connection
        .close()
        .await
        .map_err(Error::sqlite("close the template file"))?;
    fs::read(&path)
        .map(Arc::from)
        .map_err(Error::io(format!("read {}", path.display())))
}
