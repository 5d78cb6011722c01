//! `restore`: archives into a database of either engine, and then its index.

use std::fs;
use std::path::{Path, PathBuf};

use node_service::index::IndexWorker;
use node_storage::contract::{Access, MigrationError, Network, OwnedStore, StorageError};
use node_storage::{DbBackendConfig, NodeStorageBackend};
use node_storage_archive::{Archives, Input, Restored, dry_run, restore};
use serde_json::json;
use tokio::sync::watch;
use tokio::time::Instant;

use crate::answer::print_answer;
use crate::cli::RestoreArguments;
use crate::exit::Failure;
use crate::logging::Console;
use crate::progress::{Bar, Unit};
use crate::shutdown::Shutdown;
use crate::summary::Described;
use crate::writer::{Standby, Until, Writer, keep};

/// Restores and indexes, or leaves the database as it was.
pub(crate) async fn run(arguments: &RestoreArguments, console: &Console) -> Result<(), Failure> {
    let config = arguments.database.config(Network::Mainnet)?;
    let mut shutdown = Shutdown::listen()?;
    let restored = tokio::select! {
        result = write(arguments, &config, console) => result?,
        signal = shutdown.requested() => return Err(Failure::Interrupted {
            signal,
            // A commit that was under way may still have come through.
            state: "everything was restored or nothing was, and `neoprism-node db status` says which",
        }),
    };
    let Written { restored, writing } = restored;
    if let Some((store, mut lease)) = writing {
        tokio::select! {
            never = keep(lease.as_mut()) => match never {},
            result = index(&store, console, restored.content.operations) => result?,
            signal = shutdown.requested() => return Err(Failure::Interrupted {
                signal,
                state: "everything is restored; `neoprism-node indexer` finishes the indexing",
            }),
        }
        store.close().await;
        lease.release().await?;
    }
    tell(arguments, config.network(), &restored)
}

struct Written {
    restored: Restored,
    /// The store, to be indexed, and the right to write it; none where nothing was written.
    writing: Option<OwnedStore>,
}

async fn write(arguments: &RestoreArguments, config: &DbBackendConfig, console: &Console) -> Result<Written, Failure> {
    let (inputs, length) = inputs(&arguments.inputs)?;
    let mut inputs = inputs.into_iter();
    let Some(first) = inputs.next() else {
        return Err(Failure::Usage("give --input FILE".to_owned()));
    };
    let archives = Archives::open(first, inputs.collect()).await?;
    if archives.network() != config.network() {
        return Err(Failure::Usage(format!(
            "the archive holds the network {}, not {}; nothing was changed, give --network {} and its database",
            archives.network(),
            config.network(),
            archives.network()
        )));
    }
    let started = Instant::now();
    let bar = Bar::new(
        console,
        if arguments.dry_run { "verifying" } else { "restoring" },
        Unit::Bytes,
        length,
    );
    let progress = Some(bar.progress());
    let written = if arguments.dry_run {
        let store = look(config).await?;
        let restored = dry_run(archives, store.as_ref(), config.network(), progress).await?;
        Written {
            restored,
            writing: None,
        }
    } else {
        let writer = Writer {
            config,
            migrate: !arguments.migration.skip_migration,
            standby: Standby::Refuse,
            until: Until::Synced,
            storage: None,
            state: &watch::Sender::default(),
            console,
        };
        let (store, mut lease) = writer.open().await?;
        let restored = tokio::select! {
            never = keep(lease.as_mut()) => match never {},
            result = restore(archives, &store, config.network(), progress) => result?,
        };
        Written {
            restored,
            writing: Some((store, lease)),
        }
    };
    bar.finish();
    if !arguments.dry_run {
        tracing::info!(
            "restored {} operations to root {}, committed, in {:.1} s",
            written.restored.added.operations,
            written.restored.root,
            started.elapsed().as_secs_f64()
        );
    }
    Ok(written)
}

/// The store for reading; none where there is nothing yet.
async fn look(config: &DbBackendConfig) -> Result<Option<NodeStorageBackend>, Failure> {
    if config.file().is_some_and(|file| !file.exists()) {
        return Ok(None);
    }
    match NodeStorageBackend::connect(config, Access::Read).await {
        Ok(store) => Ok(Some(store)),
        Err(StorageError::Migration(MigrationError::NotMigrated)) => Ok(None),
        Err(error) => Err(error.into()),
    }
}

async fn index(store: &NodeStorageBackend, console: &Console, operations: u64) -> Result<(), Failure> {
    let started = Instant::now();
    let worker = IndexWorker::new();
    let bar = Bar::new(console, "indexing", Unit::Operations, Some(operations));
    let mut progress = worker.progress();
    let telling = async {
        while progress.changed().await.is_ok() {
            bar.set(progress.borrow().operations);
        }
    };
    tokio::select! {
        result = worker.index_all(store) => drop(result?),
        () = telling => {}
    }
    bar.finish();
    let indexed = worker.progress().borrow().operations;
    tracing::info!(
        "indexed {indexed} operations in {:.1} s",
        started.elapsed().as_secs_f64()
    );
    Ok(())
}

/// The archives, and their length together where all of them are files.
fn inputs(paths: &[PathBuf]) -> Result<(Vec<Input>, Option<u64>), Failure> {
    if paths.iter().filter(|path| path.as_os_str() == "-").count() > 1 {
        return Err(Failure::Usage("standard input can be one --input only".to_owned()));
    }
    let mut inputs = Vec::new();
    for path in paths {
        let (name, bytes) = crate::archive::open(path)?;
        inputs.push(Input { name, bytes });
    }
    let length = |path: &PathBuf| Some(fs::metadata(path).ok().filter(fs::Metadata::is_file)?.len());
    let length = paths.iter().map(length).sum::<Option<u64>>();
    Ok((
        inputs,
        length.filter(|_| paths.iter().all(|path| path != Path::new("-"))),
    ))
}

fn tell(arguments: &RestoreArguments, network: Network, restored: &Restored) -> Result<(), Failure> {
    let mut described = Described::new();
    described.content(network, &restored.content);
    let (blocks, operations) = (restored.added.blocks, restored.added.operations);
    let (added, text) = if arguments.dry_run {
        ("would add", "nothing was written")
    } else {
        ("added", "committed and indexed")
    };
    described
        .add(
            added,
            format!("{blocks} blocks, {operations} operations; {text}"),
            "added",
            json!({"blocks": blocks, "operations": operations}),
        )
        .json
        .insert("dry_run".to_owned(), json!(arguments.dry_run));
    if arguments.json {
        print_answer(&described.to_json())
    } else {
        print_answer(&described.to_text())
    }
}
