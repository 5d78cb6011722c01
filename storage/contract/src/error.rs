//! The error taxonomy that all backends share.

use std::fmt;

use did_prism::digest::TransactionId;
use did_prism::ledger::{BlockNo, OperationPosition, OutOfRange, TransactionIndex};

use crate::{BoundMismatch, Cursor, CursorMoved, Network};

/// Result of a storage method.
pub type Result<T, E = StorageError> = std::result::Result<T, E>;

/// Why a store did not do what it was asked. A refused write has changed nothing. Where the connection to a server breaks while it
/// commits, `Unavailable` may stand for a write that has happened, as a whole: repeating it tells, since it names the cursor that
/// it expects, or passes over what is indexed.
///
/// "Not found" is not an error: look-ups answer `None` or an empty list.
#[derive(Debug, thiserror::Error)]
pub enum StorageError {
    /// What was delivered contradicts what is stored, or itself. Delivering it again gives the same answer.
    #[error(transparent)]
    Conflict(#[from] Conflict),

    /// The cursor is not where the caller believes it to be: the database went back, or another process has written.
    #[error(transparent)]
    CursorMoved(#[from] Box<CursorMoved>),

    /// A load was to be put onto something else than the store holds.
    #[error(transparent)]
    BoundMismatch(#[from] Box<BoundMismatch>),

    /// A value is outside the range that the contract allows.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),

    /// What is stored breaks the contract: damage, or a change made behind the store's back.
    #[error("{subject} is damaged: {detail}; nothing was changed, restore the database from a backup or sync it anew")]
    Corrupt {
        /// The record or file.
        subject: String,
        /// What is wrong with it.
        detail: String,
    },

    /// The database can't be used just now (`retryable`), or not without somebody's help.
    #[error("the database is unavailable: {detail}; nothing was changed")]
    Unavailable {
        /// Whether the same call may succeed later without a change of the configuration.
        retryable: bool,
        /// What the engine or the operating system said, without credentials.
        detail: String,
    },

    /// Another process or transaction holds what this one needs, longer than the time-out. The call may be repeated.
    #[error("the database is held by another process: {detail}; nothing was changed, try again when it has ended")]
    Busy {
        /// What is held, and by whom where that is known.
        detail: String,
    },

    /// The schema is not the one this program works with.
    #[error(transparent)]
    Migration(#[from] MigrationError),

    /// The database belongs to another network.
    #[error(
        "the database holds the network {stored}, not {requested}; nothing was changed, name another database or the network {stored}"
    )]
    WrongNetwork {
        /// The network that the database names.
        stored: Network,
        /// The network that was asked for.
        requested: Network,
    },

    /// The file or database was not made by this program.
    #[error("{subject} is not a database of this program: {detail}; it was left as it is, give another path")]
    Foreign {
        /// The file or database.
        subject: String,
        /// How that was seen.
        detail: String,
    },

    /// The file of an embedded store was deleted, or another one was put in its place, while the store was open. What was
    /// acknowledged before stands in the file that was opened, which nobody else finds any more.
    #[error(
        "{file} was {what} while this process had the database open; nothing was changed since that was seen, start again with the file that is to be used"
    )]
    Replaced {
        /// The file.
        file: String,
        /// `deleted` or `replaced`.
        what: &'static str,
    },

    /// A write was asked of a store that was opened for reading.
    #[error("the database was opened for reading only; nothing was changed")]
    ReadOnly,
}

impl StorageError {
    /// Whether repeating the same call later may succeed without anybody's help.
    pub const fn is_retryable(&self) -> bool {
        matches!(self, Self::Unavailable { retryable: true, .. } | Self::Busy { .. })
    }

    /// A stored `subject` that breaks the contract, as `detail` says.
    pub fn corrupt(subject: impl fmt::Display, detail: impl fmt::Display) -> Self {
        Self::Corrupt {
            subject: subject.to_string(),
            detail: detail.to_string(),
        }
    }
}

/// How the schema differs from what the program needs.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MigrationError {
    /// The database has no schema yet.
    #[error("the database has not been migrated; nothing was changed, run `neoprism-node db migrate` first")]
    NotMigrated,
    /// The schema is older than the program.
    #[error(
        "the schema of the database is at version {found}, this program needs {required}; nothing was changed, run `neoprism-node db migrate`"
    )]
    Outdated {
        /// The version of the database.
        found: i64,
        /// The version of the program.
        required: i64,
    },
    /// The schema is newer than the program.
    #[error(
        "the schema of the database is at version {found}, this program knows up to {supported}; nothing was changed, use a newer program"
    )]
    Newer {
        /// The version of the database.
        found: i64,
        /// The newest version the program knows.
        supported: i64,
    },
    /// A migration was applied from another text than the program carries.
    #[error(
        "migration {version} of the database differs from the one of this program; nothing was changed, use the program that made the database"
    )]
    Changed {
        /// The version of the migration.
        version: i64,
    },
    /// A migration could not be applied.
    #[error("migrating failed: {detail}; the migration that failed was rolled back")]
    Failed {
        /// What the engine said.
        detail: String,
    },
}

impl MigrationError {
    /// Compares the migrations that a database has applied with those the program carries; each is a version and the
    /// checksum of its text, ascending.
    ///
    /// # Errors
    /// `NotMigrated` or `Outdated` where the program's migrations bring the schema up to date, `Newer` or `Changed` where
    /// they can't.
    pub fn check(applied: &[(i64, Vec<u8>)], known: &[(i64, &[u8])]) -> std::result::Result<(), Self> {
        let supported = known.last().map_or(0, |(version, _)| *version);
        let Some((found, _)) = applied.last() else {
            return Err(Self::NotMigrated);
        };
        for (version, checksum) in applied {
            match known.iter().find(|(known, _)| known == version) {
                Some((_, known)) if *known == checksum.as_slice() => {}
                None if *version > supported => {
                    return Err(Self::Newer {
                        found: *found,
                        supported,
                    });
                }
                _ => return Err(Self::Changed { version: *version }),
            }
        }
        if applied.len() < known.len() {
            return Err(Self::Outdated {
                found: *found,
                required: supported,
            });
        }
        Ok(())
    }

    /// Whether applying the program's migrations would mend it.
    pub const fn is_mended_by_migrating(&self) -> bool {
        matches!(self, Self::NotMigrated | Self::Outdated { .. })
    }
}

/// A contradiction, and where it stands.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("conflict at {at}: {reason}; nothing was changed")]
pub struct Conflict {
    /// Where.
    pub at: Subject,
    /// What contradicts.
    pub reason: ConflictReason,
}

impl Conflict {
    pub(crate) fn error(at: impl Into<Subject>, reason: ConflictReason) -> StorageError {
        StorageError::Conflict(Self { at: at.into(), reason })
    }
}

/// What a conflict is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Subject {
    /// A block.
    Block(BlockNo),
    /// A transaction, by its place.
    Transaction(BlockNo, TransactionIndex),
    /// An operation.
    Operation(OperationPosition),
    /// The cursor that was to be stored.
    Cursor(Cursor),
}

impl From<BlockNo> for Subject {
    fn from(number: BlockNo) -> Self {
        Self::Block(number)
    }
}

impl From<OperationPosition> for Subject {
    fn from(position: OperationPosition) -> Self {
        Self::Operation(position)
    }
}

impl From<Cursor> for Subject {
    fn from(cursor: Cursor) -> Self {
        Self::Cursor(cursor)
    }
}

impl fmt::Display for Subject {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Block(number) => write!(f, "block {number}"),
            Self::Transaction(block, absn) => write!(f, "block {block}, absn {absn}"),
            Self::Operation(position) => position.fmt(f),
            Self::Cursor(cursor) => write!(f, "cursor {cursor}"),
        }
    }
}

/// What contradicts what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConflictReason {
    /// A number is stored, or stands in the call, with another block hash.
    #[error("the block is known with another hash")]
    OtherBlockHash,
    /// A number is stored, or stands in the call, with another slot.
    #[error("the block is known with another slot")]
    OtherSlot,
    /// A number is stored, or stands in the call, with another block time.
    #[error("the block is known with another time")]
    OtherBlockTime,
    /// A transaction is stored, or stands in the call, with another id.
    #[error("the transaction is known with another id")]
    OtherTransactionId,
    /// An operation is stored, or stands in the call, with other bytes.
    #[error("the operation is known with other bytes")]
    OtherOperation,
    /// A known block lacks an operation here.
    #[error("the block is known with this operation, and was delivered without it")]
    OperationMissing,
    /// A known block has no such operation.
    #[error("the block is known without this operation")]
    OperationAdded,
    /// A block with operations at or below the cursor that is not stored.
    #[error("the block has operations, stands at or below the cursor and is not stored")]
    BelowCursor,
    /// Block numbers and slots do not ascend together.
    #[error("block numbers and slots do not ascend together")]
    SlotOrder,
    /// The id of the transaction stands at another position already.
    #[error("transaction {id} stands at block {block}, absn {absn}")]
    TransactionElsewhere {
        /// The id.
        id: TransactionId,
        /// The other position's block.
        block: BlockNo,
        /// The other position's index in its block.
        absn: TransactionIndex,
    },
    /// The cursor of a call stands below the last block of the call.
    #[error("the cursor stands below block {last}, the last of the call")]
    CursorBelowBlocks {
        /// The last block of the call.
        last: BlockNo,
    },
    /// The cursor names another block hash for the slot and number of the stored one.
    #[error("the stored cursor, {stored}, has another block hash")]
    CursorFork {
        /// The stored cursor.
        stored: Cursor,
    },
    /// The cursor raises one of slot and number and not the other.
    #[error("slot and number do not both ascend from the stored cursor, {stored}")]
    CursorOrder {
        /// The stored cursor.
        stored: Cursor,
    },
    /// An index entry for a position that holds no operation.
    #[error("no operation is stored at this position")]
    UnknownPosition,
    /// An operation that the index batch passes over.
    #[error("the operation is not indexed, and the batch leaves it out")]
    IndexGap,
    /// Two different index entries for one position.
    #[error("the batch has two different entries for this position")]
    IndexedTwice,
}
