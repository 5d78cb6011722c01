//! `db`: looking at the database, or preparing it. Checking it is in `check.rs`.

use node_storage::contract::{
    Access, Cursor, IndexerState, LedgerBound, MigrationError, Network, OperationPosition, StorageError,
};
use node_storage::{DbBackendConfig, DltCursorRepo, IndexerStateRepo, NodeStorageBackend, RawOperationRepo};
use serde_json::{Value, json};

use crate::answer::print_answer;
use crate::check;
use crate::cli::{DbCommand, StatusArguments};
use crate::exit::Failure;
use crate::logging::Console;
use crate::summary::cursor;

/// Runs the command.
pub(crate) async fn run(command: DbCommand, console: &Console) -> Result<(), Failure> {
    match command {
        DbCommand::Path(database) => {
            let config = database.config(Network::Mainnet)?;
            print_answer(&config.location())
        }
        DbCommand::Migrate(database) => {
            let config = database.config(Network::Mainnet)?;
            let store = NodeStorageBackend::connect(&config, Access::Write { migrate: true }).await?;
            store.close().await;
            tracing::info!("the schema of {} is up to date", config.location());
            Ok(())
        }
        DbCommand::Status(arguments) => status(&arguments).await,
        DbCommand::Check(arguments) => check::run(&arguments, console).await,
        DbCommand::Optimize(arguments) => check::optimize(&arguments).await,
    }
}

async fn status(arguments: &StatusArguments) -> Result<(), Failure> {
    let config = arguments.database.config(Network::Mainnet)?;
    let content = match NodeStorageBackend::connect(&config, Access::Read).await {
        Ok(store) => {
            let mut content = Content::read(&store).await?;
            if arguments.root {
                content.root = Some(node_storage_archive::root(&store, None).await?);
            }
            store.close().await;
            Some(content)
        }
        Err(StorageError::Migration(MigrationError::NotMigrated)) => None,
        Err(error) => return Err(error.into()),
    };
    let status = Status { config, content };
    if arguments.json {
        print_answer(&format!("{:#}", status.to_json()))
    } else {
        print_answer(&status.to_text())
    }
}

struct Status {
    config: DbBackendConfig,
    /// `None` where the database was never migrated.
    content: Option<Content>,
}

struct Content {
    network: Option<Network>,
    bound: LedgerBound,
    state: IndexerState,
    /// Where it was asked for; of a later instant than the rest.
    root: Option<node_storage_archive::Content>,
}

impl Content {
    async fn read(store: &NodeStorageBackend) -> Result<Self, StorageError> {
        Ok(Self {
            network: store.network().await?,
            bound: store.bound().await?,
            state: store.indexer_state().await?,
            root: None,
        })
    }
}

impl Status {
    fn schema(&self) -> &'static str {
        if self.content.is_some() {
            "current"
        } else {
            "not migrated"
        }
    }

    fn to_json(&self) -> Value {
        let mut status = json!({
            "backend": self.config.backend().name(),
            "location": self.config.location(),
            "schema": self.schema(),
        });
        if let (Some(members), Some(content)) = (status.as_object_mut(), &self.content) {
            let Content {
                network,
                bound,
                state,
                root,
            } = content;
            members.insert("network".to_owned(), json!(network.map(Network::name)));
            members.insert("cursor".to_owned(), json!(bound.cursor.map(cursor)));
            members.insert("operations".to_owned(), json!(bound.operations));
            members.insert("last_position".to_owned(), json!(bound.last.map(position)));
            members.insert("watermark".to_owned(), json!(state.watermark.map(position)));
            let block = state.last_indexed_block.map(|block| cursor(Cursor::at(&block)));
            members.insert("last_indexed_block".to_owned(), json!(block));
            if let Some(root) = root {
                let network = network.unwrap_or(self.config.network());
                members.insert("operations_root".to_owned(), json!(root.operations_root.to_string()));
                members.insert("root".to_owned(), json!(root.root(network).to_string()));
            }
        }
        status
    }

    fn to_text(&self) -> String {
        let mut lines = vec![
            ("backend", self.config.backend().to_string()),
            ("location", self.config.location()),
            ("schema", self.schema().to_owned()),
        ];
        if let Some(Content {
            network,
            bound,
            state,
            root,
        }) = &self.content
        {
            let shown = |value: Option<String>| value.unwrap_or_else(|| "none".to_owned());
            lines.extend([
                ("network", shown(network.map(|network| network.to_string()))),
                ("cursor", shown(bound.cursor.map(|cursor| cursor.to_string()))),
                ("operations", bound.operations.to_string()),
                ("last position", shown(bound.last.map(|position| position.to_string()))),
                ("watermark", shown(state.watermark.map(|position| position.to_string()))),
                (
                    "last indexed block",
                    shown(state.last_indexed_block.map(|block| Cursor::at(&block).to_string())),
                ),
            ]);
            if let Some(root) = root {
                let network = network.unwrap_or(self.config.network());
                lines.extend([
                    ("operations root", root.operations_root.to_string()),
                    ("root", root.root(network).to_string()),
                ]);
            }
        }
        crate::summary::lines(&lines)
    }
}

fn position(position: OperationPosition) -> Value {
    json!({
        "block_number": position.block.get(),
        "absn": position.absn.get(),
        "osn": position.osn.get(),
    })
}
