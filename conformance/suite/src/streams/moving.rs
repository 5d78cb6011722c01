//! Archives of a store, and their way into another one.

use std::io::Cursor as Bytes;

use node_storage_archive::{
    ArchiveError, Archives, BackupOptions, BaseArchive, Compression, Hash, Input, backup, restore,
};
use node_storage_contract::{IndexEntry, NodeStorage};

use crate::factory::NETWORK;
use crate::observe::Observation;

/// What a store holds, as an archive.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Archive {
    root: Hash,
    bytes: Vec<u8>,
}

impl Archive {
    /// An archive of the store, an increment where there is a base. Uncompressed, so that equal content has equal bytes.
    pub(super) async fn of<S: NodeStorage>(store: &S, base: Option<&Self>) -> Result<Self, ArchiveError> {
        let base = match base {
            Some(base) => Some(BaseArchive::read("the base", base.bytes.as_slice())?),
            None => None,
        };
        let options = BackupOptions {
            network: NETWORK,
            compression: Compression::None,
            base,
            progress: None,
        };
        let (summary, bytes) = backup(store, Vec::new(), options).await?;
        Ok(Self {
            root: summary.root,
            bytes,
        })
    }

    fn input(&self) -> Input {
        Input {
            name: "the archive".to_owned(),
            bytes: Box::new(Bytes::new(self.bytes.clone())),
        }
    }
}

/// What a store held, on its way into an empty one.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Moving {
    /// All of it.
    whole: Archive,
    /// The same as an increment, and its base.
    increment: Option<(Archive, Archive)>,
    /// Archives don't tell what was made of the operations.
    indexed: Vec<IndexEntry>,
}

impl Moving {
    /// Packs what the store holds, which was observed to be this: in one archive, or as an increment to an earlier one.
    pub(super) async fn pack<S: NodeStorage>(
        store: &S,
        base: Option<&Archive>,
        observed: &Observation,
    ) -> Result<Self, ArchiveError> {
        let indexed = observed.operations.iter().filter_map(|record| {
            Some(IndexEntry {
                position: record.operation.position,
                outcome: record.indexing.clone()?,
            })
        });
        let increment = match base {
            Some(base) => Some((Archive::of(store, Some(base)).await?, base.clone())),
            None => None,
        };
        Ok(Self {
            whole: Archive::of(store, None).await?,
            increment,
            indexed: indexed.collect(),
        })
    }

    /// Puts all of it into an empty store.
    ///
    /// # Errors
    /// What is wrong.
    pub(super) async fn unpack_into<S: NodeStorage>(&self, store: &S) -> Result<(), String> {
        let (first, increments) = match &self.increment {
            Some((increment, base)) => (base.input(), vec![increment.input()]),
            None => (self.whole.input(), Vec::new()),
        };
        let restoring = async {
            let archives = Archives::open(first, increments).await?;
            let restored = restore(archives, store, NETWORK, None).await?;
            Ok::<_, ArchiveError>((restored.root, Archive::of(store, None).await?))
        };
        let (root, again) = restoring
            .await
            .map_err(|error| format!("an archive of it is not restored: {error}"))?;
        if root != self.whole.root {
            return Err(format!("the restored root is {root} instead of {}", self.whole.root));
        }
        if again != self.whole {
            return Err("another archive is made of what was restored".to_owned());
        }
        if let Err(error) = store.index(&self.indexed).await {
            return Err(format!("what was restored is not indexed: {error}"));
        }
        Ok(())
    }
}
