//! Backup and restore of a did:prism node's storage, in one format for every backend.
//!
//! An archive holds what the ledger published, every stored block, transaction and operation in order, and the cursor: nothing
//! that can be derived from it, and nothing that belongs to an engine. Equal content gives an equal [`Content::root`], whichever
//! store it came from. The book's page "Archive format" specifies the file byte by byte.
//!
//! [`backup`] writes an archive of any [`NodeStorage`](node_storage_contract::NodeStorage), also while others write to it.
//! [`Archives::open`] and [`restore`] put one, or a chain of a full archive and increments, into any other, verified and in one
//! transaction. [`root`] computes the root of a store. Without a database, [`verify`] reads archives to their end, [`entries`] goes
//! through their operations, and [`diff`] compares two of them.

mod backup;
mod cbor;
mod content;
mod diff;
mod entry;
mod error;
mod format;
mod order;
mod progress;
mod read;
mod record;
mod restore;
mod tree;
mod verify;
mod write;

pub use backup::{BackupOptions, BaseArchive, backup, root};
pub use content::{Base, Content, Header, Summary};
pub use diff::{Difference, diff};
pub use entry::Entry;
pub use error::{ArchiveError, Result};
pub use format::{CHUNK_BYTES, Compression, VERSION};
pub use progress::{Progress, ProgressFn};
pub use read::ArchiveReader;
pub use restore::{Archives, Input, Restored, dry_run, restore};
pub use tree::Hash;
pub use verify::{entries, verify};
pub use write::ArchiveWriter;
