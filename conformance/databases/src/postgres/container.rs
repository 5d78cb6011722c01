//! A server in a container.

use std::mem;
use std::time::Duration;

use futures_util::StreamExt;
use testcontainers_modules::postgres::Postgres;
use testcontainers_modules::testcontainers::bollard::Docker;
use testcontainers_modules::testcontainers::bollard::errors::Error as DockerError;
use testcontainers_modules::testcontainers::bollard::query_parameters::{
    CreateImageOptionsBuilder, ListContainersOptionsBuilder, RemoveContainerOptionsBuilder,
};
use testcontainers_modules::testcontainers::core::Mount;
use testcontainers_modules::testcontainers::core::client::docker_client_instance;
use testcontainers_modules::testcontainers::runners::AsyncRunner;
use testcontainers_modules::testcontainers::{ContainerAsync, ImageExt, TestcontainersError};
use tokio::time::timeout;
use url::Url;

use super::found::{Found, Source};
use super::{binaries, probe};
use crate::shared_directory::{Record, Remains};
use crate::{Error, Result, random};

/// Every container of this crate has this label, for a person who looks for them.
const LABEL: (&str, &str) = ("test-databases", "postgres");
const MARK_LABEL: &str = "test-databases.directory";

/// How long Docker may take for an answer that needs no registry.
const DOCKER_LIMIT: Duration = Duration::from_secs(5);
/// How long a pull may go without any progress: a registry that can't be reached shows none.
const PULL_SILENCE_LIMIT: Duration = Duration::from_secs(20);
/// How long a container may take to answer its first query: `initdb` runs in it.
const START_LIMIT: Duration = Duration::from_mins(1);

/// Where the data directory is; not where the image has it, which is a volume on disk.
const DATA: &str = "/test-databases";

/// The image's own default is 64 MiB, too little for parallel queries.
const SHARED_MEMORY: u64 = 256 * 1024 * 1024;

/// What stands for no image: server binaries are used at once.
const NO_IMAGE: &str = "none";

/// The name of an image.
pub(super) struct Image {
    name: String,
}

impl Image {
    pub(super) fn new(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// Name and tag, or name with `@sha256` and digest: testcontainers puts a colon between the two.
    fn parts(&self) -> (&str, &str) {
        match self.name.rsplit_once(':') {
            // The colon of a registry's port is followed by a path.
            Some((name, tag)) if !tag.contains('/') => (name, tag),
            _ => (&self.name, "latest"),
        }
    }

    /// Whether Docker has the image; an error if there is no Docker.
    pub(super) async fn is_present(&self) -> Result<bool, String> {
        if self.name == NO_IMAGE {
            return Ok(false);
        }
        let (name, tag) = self.parts();
        let descriptor = format!("{name}:{tag}");
        match timeout(DOCKER_LIMIT, docker().await?.inspect_image(&descriptor)).await {
            Ok(Ok(_)) => Ok(true),
            Ok(Err(DockerError::DockerResponseServerError { status_code: 404, .. })) => Ok(false),
            Ok(Err(error)) => Err(format!("Docker can't be used: {error}")),
            Err(_) => Err(format!("Docker does not answer within {} s", DOCKER_LIMIT.as_secs())),
        }
    }

    /// Pulls the image unless it is present; the error says why it can't be had.
    pub(super) async fn obtain(&self) -> Result<(), String> {
        if self.is_present().await? {
            return Ok(());
        }
        if self.name == NO_IMAGE {
            return Err("TEST_POSTGRES_IMAGE wants none".to_owned());
        }
        let (name, tag) = self.parts();
        let options = CreateImageOptionsBuilder::default().from_image(name).tag(tag).build();
        let mut progress = docker().await?.create_image(Some(options), None, None);
        loop {
            match timeout(PULL_SILENCE_LIMIT, progress.next()).await {
                Ok(None) => break,
                Ok(Some(Ok(_))) => {}
                Ok(Some(Err(error))) => return Err(format!("it can't be pulled: {error}")),
                Err(_) => {
                    return Err(format!(
                        "no progress in pulling it for {} s",
                        PULL_SILENCE_LIMIT.as_secs()
                    ));
                }
            }
        }
        if self.is_present().await? {
            Ok(())
        } else {
            Err("it is not there after pulling it".to_owned())
        }
    }
}

async fn docker() -> Result<Docker, String> {
    docker_client_instance()
        .await
        .map_err(|error| format!("Docker can't be used: {error}"))
}

/// Starts a container of an image that is present.
///
/// `mark` is this directory's: other containers with it have lost their record, and are removed.
pub(super) async fn start(image: &Image, mark: &str) -> Result<Record> {
    let failed = |reason: String| Error::Container {
        image: image.name.clone(),
        reason,
    };
    remove_lost(image, mark).await.map_err(failed)?;

    let password = random::hexadecimal::<16>()?;
    let (name, tag) = image.parts();
    let started = Postgres::default()
        .with_password(&password)
        .with_name(name)
        .with_tag(tag)
        .with_cmd(binaries::SETTINGS.iter().flat_map(|setting| ["-c", setting]))
        .with_label(LABEL.0, LABEL.1)
        .with_label(MARK_LABEL, mark)
        .with_shm_size(SHARED_MEMORY)
        // In memory: making and dropping databases is writing files, and several times as fast there.
        .with_mount(Mount::tmpfs_mount(DATA))
        .with_env_var("PGDATA", format!("{DATA}/data"))
        // Ready means that a query succeeds, not that the log says so.
        .with_ready_conditions(Vec::new())
        .with_startup_timeout(START_LIMIT)
        .start()
        .await;
    let container = match started {
        Ok(container) => container,
        Err(error) => {
            // It may have been created before it failed. The reason is what the caller needs; if this fails too, the
            // next start removes it.
            let _ = remove_lost(image, mark).await;
            return Err(failed(error.to_string()));
        }
    };

    match ready(&container, &password).await {
        Ok((version, url)) => {
            let remains = Remains::Container {
                id: container.id().to_owned(),
            };
            // The container outlives this process on purpose: dropping the handle would remove it.
            mem::forget(container);
            let source = Source::Container {
                image: image.name.clone(),
            };
            Ok(Record {
                found: Found { version, source },
                url,
                remains,
            })
        }
        Err(reason) => {
            let log = container.stderr_to_vec().await.unwrap_or_default();
            let log = binaries::end_of_log(&log);
            let _ = container.rm().await;
            Err(failed(format!("{reason}{log}")))
        }
    }
}

async fn ready(container: &ContainerAsync<Postgres>, password: &str) -> Result<(String, Url), String> {
    let text = |error: TestcontainersError| error.to_string();
    let host = container.get_host().await.map_err(text)?;
    let port = container.get_host_port_ipv4(5432).await.map_err(text)?;
    let url = Url::parse(&format!("postgres://postgres:{password}@{host}:{port}/postgres"))
        .map_err(|error| error.to_string())?;
    let version = probe::version(&url, START_LIMIT, async || match container.is_running().await {
        Ok(true) => Ok(()),
        Ok(false) => Err("the container has ended".to_owned()),
        Err(error) => Err(error.to_string()),
    });
    Ok((version.await?, url))
}

/// Removes containers of this image and this directory. The lock is held, and no record names them.
async fn remove_lost(image: &Image, mark: &str) -> Result<(), String> {
    let filters = [
        ("label", vec![format!("{MARK_LABEL}={mark}")]),
        ("ancestor", vec![image.name.clone()]),
    ];
    let options = ListContainersOptionsBuilder::default()
        .all(true)
        .filters(&filters.into())
        .build();
    let lost = docker()
        .await?
        .list_containers(Some(options))
        .await
        .map_err(|error| error.to_string())?;
    for id in lost.into_iter().filter_map(|container| container.id) {
        remove(&id).await.map_err(|error| error.to_string())?;
    }
    Ok(())
}

/// Stops and removes a container with its volumes; one that is gone already is fine.
pub(super) async fn remove(id: &str) -> Result<()> {
    let failed = |reason: String| Error::Io {
        action: format!("remove the container {id}"),
        source: std::io::Error::other(reason),
    };
    let options = RemoveContainerOptionsBuilder::default().force(true).v(true).build();
    match docker()
        .await
        .map_err(failed)?
        .remove_container(id, Some(options))
        .await
    {
        Ok(()) | Err(DockerError::DockerResponseServerError { status_code: 404, .. }) => Ok(()),
        Err(error) => Err(failed(error.to_string())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn image_names_are_split_where_the_tag_begins() {
        for (image, parts) in [
            ("postgres", ("postgres", "latest")),
            ("postgres:17-bookworm", ("postgres", "17-bookworm")),
            ("localhost:5000/postgres", ("localhost:5000/postgres", "latest")),
            ("localhost:5000/postgres:17", ("localhost:5000/postgres", "17")),
            ("postgres@sha256:0123", ("postgres@sha256", "0123")),
        ] {
            assert_eq!(Image::new(image).parts(), parts);
        }
    }
}
