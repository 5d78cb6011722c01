//! What a did:prism node asks of its storage, and what every backend must answer alike.
//!
//! [`NodeStorage`] bundles four repositories. [`RawOperationRepo`] keeps what the ledger published, [`IndexedOperationRepo`]
//! routes it to DIDs, [`IndexerStateRepo`] says how far that has come, and [`DltCursorRepo`] how far the ledger has been read.
//!
//! Rules that hold for every method, on every backend:
//!
//! * The position (block number, absn, osn) is the key. Lists are ordered by position; nothing depends on the order within a
//!   call, on a collation, a locale or a time zone.
//! * A write is one transaction: it becomes visible as a whole or not at all, whatever fails, also when its future is dropped.
//! * A read sees a committed state, and at least everything that a completed write of any clone of the store has written.
//! * Values outside the contract's ranges can't be built (see [`OutOfRange`]), so they are refused before anything is written.
//! * Nothing reads a clock: what is stored is a function of what was published.
//! * The same cause gives the same [`StorageError`] variant on every backend.
//!
//! The judgements that don't need a database ([`AppendPlan`], [`LoadPlan`], [`IndexPlan`], [`CursorMoved::check`],
//! [`Cursor::advance`]) are made here, once, so that a backend is left with reading, locking and writing.

mod access;
mod any;
mod append;
mod cursor;
mod engine;
mod error;
mod index;
mod load;
mod network;
mod record;
mod repo;
pub mod row;

pub use access::Access;
pub use any::{AnyStore, BoxFuture, Connect, Connection, EngineCheck};
pub use append::{Addition, AppendPlan, StoredBlocks};
pub use cursor::{Cursor, CursorMoved};
pub use engine::{Engine, OtherWriter, OwnedStore, StoreConfig, WriterLease};
pub use error::{Conflict, ConflictReason, MigrationError, Result, StorageError, Subject};
pub use index::{IndexEntry, IndexOutcome, IndexPlan, Reason};
pub use load::{BoundMismatch, Delivery, LoadPlan, LoadSource};
pub use network::{Network, UnknownNetwork};
pub use record::{
    Appended, BlockHeader, Indexed, IndexerState, LedgerBound, ListedDid, OperationRecord, PageLimit, PublishedRecord,
    StorageOwner, TransactionRecord,
};
pub use repo::{DltCursorRepo, IndexedOperationRepo, IndexerStateRepo, NodeStorage, RawOperationRepo};

pub use did_prism::digest::{BlockHash, DidSuffix, OperationHash, OperationId, TransactionId};
pub use did_prism::ledger::{
    BlockNo, BlockTime, OperationBytes, OperationIndex, OperationPosition, OutOfRange, PublishedBlock,
    PublishedOperation, PublishedTransaction, SlotNo, TransactionIndex,
};
pub use did_prism::state::LedgerOperation;
