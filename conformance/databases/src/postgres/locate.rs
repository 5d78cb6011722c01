//! Finds the server that is shared, or starts it.

use std::env;
use std::fs;
use std::time::Duration;

use sqlx::ConnectOptions;
use sqlx::postgres::PgConnectOptions;
use url::Url;

use super::container::{self, Image};
use super::found::{Found, Source};
use super::{binaries, probe};
use crate::shared_directory::{Record, Remains, SharedDirectory};
use crate::{Error, Result};

const DEFAULT_IMAGE: &str = "postgres:17-bookworm";

/// How long a server that should be running may take to answer a query.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// What the environment says.
pub(super) struct Settings {
    url: Option<Url>,
    image: String,
    /// Whether databases are made hostile.
    pub(super) hostile: bool,
}

impl Settings {
    pub(super) fn from_environment() -> Result<Self> {
        let set = |name| env::var(name).ok().filter(|value| !value.is_empty());
        let url = match set("TEST_POSTGRES_URL") {
            None => None,
            Some(text) => Some(parse_url(&text)?),
        };
        Ok(Self {
            url,
            image: set("TEST_POSTGRES_IMAGE").unwrap_or_else(|| DEFAULT_IMAGE.to_owned()),
            hostile: set("TEST_POSTGRES_HOSTILE").is_some_and(|value| value != "0"),
        })
    }
}

fn parse_url(text: &str) -> Result<Url> {
    let refuse = |reason: String| Error::NamedServer {
        address: "not shown".to_owned(),
        reason,
    };
    let url = Url::parse(text).map_err(|error| refuse(format!("it is not a URL: {error}")))?;
    if !matches!(url.scheme(), "postgres" | "postgresql") {
        return Err(refuse(format!("its scheme is {}, not postgres", url.scheme())));
    }
    PgConnectOptions::from_url(&url).map_err(|error| refuse(error.to_string()))?;
    Ok(url)
}

/// A server that answers.
pub(super) struct Located {
    pub(super) found: Found,
    pub(super) url: Url,
}

impl From<Record> for Located {
    fn from(record: Record) -> Self {
        Self {
            found: record.found,
            url: record.url,
        }
    }
}

/// The server that is shared, in the order that the crate's documentation gives.
pub(super) async fn find_or_start(settings: &Settings) -> Result<Located> {
    if let Some(url) = &settings.url {
        return named(url).await;
    }
    let directory = SharedDirectory::open()?;
    let image = Image::new(&settings.image);
    if let Some(located) = recorded(&directory, &image).await {
        return Ok(located);
    }
    let _lock = directory.lock().await?;
    // Another process may have started it meanwhile.
    if let Some(located) = recorded(&directory, &image).await {
        return Ok(located);
    }
    let stale = directory.record(image.name());
    let record = start(&directory, &image).await?;
    directory.write_record(image.name(), &record)?;
    if let Some(stale) = stale
        && stale.remains != record.remains
        && stale.remains.is_unused(&directory)?
    {
        stale.remains.remove(&stale.url).await?;
    }
    Ok(record.into())
}

async fn named(url: &Url) -> Result<Located> {
    let address = address_of(url);
    match probe::running_version(url, ANSWER_LIMIT).await {
        Ok(version) => Ok(Located {
            found: Found {
                version,
                source: Source::Url { address },
            },
            url: url.clone(),
        }),
        Err(reason) => Err(Error::NamedServer { address, reason }),
    }
}

fn address_of(url: &Url) -> String {
    let host = url.host_str().filter(|host| !host.is_empty()).unwrap_or("local socket");
    let port = url.port().map(|port| format!(":{port}")).unwrap_or_default();
    format!("{host}{port}{}", url.path())
}

/// The server of the record, if it answers and is still the first choice.
async fn recorded(directory: &SharedDirectory, image: &Image) -> Option<Located> {
    let record = directory.record(image.name())?;
    // Binaries served since there was no image. Somebody may have made one since.
    if matches!(record.remains, Remains::Process { .. }) && image.is_present().await == Ok(true) {
        return None;
    }
    probe::running_version(&record.url, ANSWER_LIMIT).await.ok()?;
    Some(record.into())
}

async fn start(directory: &SharedDirectory, image: &Image) -> Result<Record> {
    let no_container = match image.obtain().await {
        Ok(()) => return container::start(image, &directory.container_mark()?).await,
        Err(reason) => reason,
    };
    eprintln!("test-databases: no container of {}: {no_container}", image.name());

    // The binaries that another image could not replace serve this one too.
    for (_, record) in directory.records()? {
        if matches!(record.remains, Remains::Process { .. })
            && probe::running_version(&record.url, ANSWER_LIMIT).await.is_ok()
        {
            return Ok(record);
        }
    }
    match binaries::newest() {
        Some(binaries) => binaries::start(&binaries).await,
        None => Err(Error::NoServer { no_container }),
    }
}

/// Stops every server that a record names, and removes what it consists of.
pub(super) async fn stop_started() -> Result<Vec<Found>> {
    let directory = SharedDirectory::open()?;
    let _lock = directory.lock().await?;
    directory.remove_sqlite_templates(Duration::ZERO)?;
    let mut stopped: Vec<Record> = Vec::new();
    for (path, record) in directory.records()? {
        if !stopped.iter().any(|earlier| earlier.remains == record.remains) {
            record.remains.remove(&record.url).await?;
            stopped.push(record);
        }
        fs::remove_file(&path).map_err(Error::io(format!("remove {}", path.display())))?;
    }
    Ok(stopped.into_iter().map(|record| record.found).collect())
}

impl Remains {
    /// Whether no record names it.
    fn is_unused(&self, directory: &SharedDirectory) -> Result<bool> {
        Ok(!directory.records()?.iter().any(|(_, record)| record.remains == *self))
    }

    /// Stops the server, if it runs, and removes its container or its directory.
    async fn remove(&self, url: &Url) -> Result<()> {
        match self {
            Self::Container { id } => container::remove(id).await,
            Self::Process { directory } => binaries::remove(directory, url).await,
        }
    }
}
