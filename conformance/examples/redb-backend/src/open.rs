//! Opening a store: the file, its tables, the network.

use std::path::Path;
use std::sync::Arc;

use node_storage_contract::{Access, Network, Result, StorageError};
use redb::{Builder, ConcurrencyMode, Database, TableHandle, WriteTransaction};

use tokio::sync::Mutex;

use crate::cursor::stored_network;
use crate::error::classify;
use crate::tables::{ALL, NETWORK, SINGLETONS, put, to_read, to_write};
use crate::{File, RedbStore};

impl RedbStore {
    /// Makes the file where it is missing, and the tables in it, and closes it: a store of no network yet.
    ///
    /// # Errors
    /// As [`RedbStore::open`].
    pub fn migrate(path: &Path) -> Result<()> {
        make(path).map(drop)
    }

    /// Opens the store in this file for `network`. One process writes it, any number read it meanwhile.
    ///
    /// # Errors
    /// `Unavailable` where the file can't be opened, `Busy` where it is open for writing already, `Foreign` for a file of
    /// somebody else, `Migration` for a file without our tables, `WrongNetwork` for a store of another network.
    pub async fn open(path: &Path, network: Network, access: Access) -> Result<Self> {
        let file = match access {
            Access::Read => File::Reader(builder().open_read_only(path).map_err(classify)?),
            Access::Write { migrate: true } => File::Writer(make(path)?, Mutex::default()),
            Access::Write { migrate: false } => File::Writer(builder().open(path).map_err(classify)?, Mutex::default()),
        };
        let store = Self(Arc::new(file));
        let stored = store.read(|transaction| stored_network(&to_read(transaction, SINGLETONS)?))?;
        match stored {
            Some(stored) if stored != network => Err(StorageError::WrongNetwork {
                stored,
                requested: network,
            }),
            None if access.is_write() => {
                store
                    .write(|transaction| {
                        let mut singletons = to_write(transaction, SINGLETONS)?;
                        put(&mut singletons, NETWORK, network.name().as_bytes())
                    })
                    .await?;
                Ok(store)
            }
            _ => Ok(store),
        }
    }
}

/// The mode in which one writes and others read.
fn builder() -> Builder {
    let mut builder = Builder::new();
    builder.set_concurrency_mode(ConcurrencyMode::SingleWriter);
    builder
}

/// The file, open to write it, with every table.
fn make(path: &Path) -> Result<Database> {
    let database = builder().create(path).map_err(classify)?;
    let transaction = database.begin_write().map_err(classify)?;
    refuse_foreign_tables(&transaction, path)?;
    for table in ALL {
        // Opened to write it, a table that is missing is made.
        to_write(&transaction, table)?;
    }
    transaction.commit().map_err(classify)?;
    Ok(database)
}

fn refuse_foreign_tables(transaction: &WriteTransaction, path: &Path) -> Result<()> {
    let foreign = transaction
        .list_tables()
        .map_err(classify)?
        .find(|table| ALL.iter().all(|ours| ours.name() != table.name()));
    foreign.map_or(Ok(()), |table| {
        Err(StorageError::Foreign {
            subject: path.display().to_string(),
            detail: format!("it is a redb database with a table {:?}", table.name()),
        })
    })
}
