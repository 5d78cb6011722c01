//! The four repositories and their bundle.

use std::future::Future;

use did_prism::digest::{DidSuffix, OperationHash, OperationId, TransactionId};
use did_prism::ledger::{BlockNo, OperationPosition, PublishedBlock};

use crate::{
    Appended, BlockHeader, Cursor, IndexEntry, Indexed, IndexerState, LedgerBound, ListedDid, LoadSource, Network,
    OperationRecord, PageLimit, PublishedRecord, Result, StorageOwner, TransactionRecord,
};

/// What the ledger published, as it was published.
pub trait RawOperationRepo: Sync {
    /// Adds whole blocks in ledger order, and moves the cursor to where the source stands after them, in one transaction.
    ///
    /// `expected` is the cursor that the caller believes to be stored, the one from which it read on; `None` for an empty one.
    /// A database may go back under a living node (a replica that lagged is promoted, a snapshot is restored). Without it the
    /// cursor would pass what was lost.
    ///
    /// `blocks`, their transactions and operations come in any order; those without operations store nothing. A block above the
    /// stored cursor is added; a stored block delivered again with identical content is a no-op; both may come in one call. What
    /// comes twice within the call, a number, an `absn` or an `osn`, is one where both are alike. `cursor` stands at the last block
    /// of the call or above; where the stored cursor is higher, that one stays. The answer counts what was added; a block without
    /// operations is not among it.
    ///
    /// # Errors
    /// `CursorMoved` where another cursor than `expected` is stored, even if the call would change nothing.
    /// `Conflict`, naming the position, for everything else: another hash, slot or time for a block number; operations missing,
    /// added or changed in a stored block; a block with operations at or below the stored cursor that is not stored; one number
    /// twice in the call with different content; a transaction id at a second position; numbers and slots that do not ascend
    /// together; a cursor below the call's last block, or one that [`Cursor::advance`] refuses. Then nothing of the call is stored.
    /// Of several contradictions, those within the call come first (what comes twice with different content, then slots, then
    /// transaction ids, then the cursor below the blocks), then `CursorMoved`, the cursor's next, then those of blocks in
    /// their order. Within a block: hash, slot and time, then operations by position, then ids of transactions. Which of several
    /// transaction ids that are stored elsewhere is named is left open; the same one each time.
    fn append(
        &self,
        expected: Option<Cursor>,
        blocks: &[PublishedBlock],
        cursor: Cursor,
    ) -> impl Future<Output = Result<Appended>> + Send;

    /// Adds everything that `source` delivers to what the store holds now, which has to be `onto`, in one transaction.
    ///
    /// It commits once the source has come to its end; an error of the source, or of the store, leaves everything as it was, and so
    /// does dropping the future before the end. Until the commit, nobody sees anything of it; every other write waits, `index`
    /// too. Reads do not wait for it. The store is judged before the source is asked for anything. One chunk of the source is held
    /// at a time; a chunk may be empty. Where the source ends with a cursor and without a block, the cursor moves as
    /// [`Cursor::advance`] says. The answer counts what all chunks have added, as that of `append` does.
    ///
    /// # Errors
    /// `BoundMismatch` for a store that holds something else than `onto`. `Conflict`, naming the position, for a block with
    /// operations that does not stand above the stored cursor and the chunks before, for contradictions as `append` finds them
    /// (a transaction id that is stored, or came in a chunk before, too), and for a cursor below the last block. Errors of the source
    /// as they are.
    fn load<L: LoadSource>(
        &self,
        onto: LedgerBound,
        source: &mut L,
    ) -> impl Future<Output = Result<Appended, L::Error>> + Send;

    /// The stored block with this number, if one with operations is stored.
    fn block(&self, number: BlockNo) -> impl Future<Output = Result<Option<BlockHeader>>> + Send;

    /// Stored operations above `after` (from the first on, without one), by position, as many as `limit` admits. A page that is not
    /// full is the last one; so is it with every listing of this contract.
    ///
    /// A page is full when it has the rows of the limit or, where the limit has a number of bytes, when the next operation would
    /// bring it above that. An operation that is longer by itself is a page of its own. What a store reads for a page is bounded
    /// by the limit too. Listings of other things than operations have no bytes.
    fn operations_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<OperationRecord>>> + Send;

    /// The same page without the results of indexing: what an indexer and a backup read, which go through the whole ledger.
    ///
    /// It answers what [`RawOperationRepo::operations_after`] answers, each record turned into a [`PublishedRecord`]. A backend
    /// may read less for it.
    fn published_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<PublishedRecord>>> + Send;

    /// The operation with this id, at its lowest position where it was published several times, indexed or not.
    fn operation(&self, id: &OperationId) -> impl Future<Output = Result<Option<OperationRecord>>> + Send;

    /// The transaction with this id, with its operations above `after` by position, indexed or not, as many as `limit` admits.
    ///
    /// It is found whatever `after` is: where none of its operations stands above, the page is empty.
    fn transaction(
        &self,
        id: &TransactionId,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Option<TransactionRecord>>> + Send;

    /// Cursor, last position and number of operations, read at one instant. Counts every row: not for a hot path.
    fn bound(&self) -> impl Future<Output = Result<LedgerBound>> + Send;
}

/// Which operation belongs to which DID.
pub trait IndexedOperationRepo {
    /// Adds index entries and moves the watermark to the last of them, in one transaction.
    ///
    /// The entries, in any order, cover a contiguous run of stored operations that starts at or below the one after the
    /// watermark. Those at or below the watermark are part of the run and otherwise passed over, whatever they say; the rest is
    /// added. Every outcome passes the watermark, ignored and undecodable operations too. A DID that an entry lists keeps its lowest
    /// position. A batch without entries changes nothing, and the answer names the watermark.
    ///
    /// # Errors
    /// `Conflict`, naming the position, for an operation that the run leaves out, an entry for a position where nothing is
    /// stored, or two different entries for one position. Then nothing of the batch is stored.
    fn index(&self, batch: &[IndexEntry]) -> impl Future<Output = Result<Indexed>> + Send;

    /// Operations routed to this DID above `after`, by position, as many as `limit` admits: those of the DID and of its storage
    /// entries.
    fn operations_of_did(
        &self,
        did: &DidSuffix,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<OperationRecord>>> + Send;

    /// For each of these hashes that an indexed storage operation has: the lowest position of one, and its owner. By position. There
    /// may be any number of hashes, and some of them twice; each owner is answered once.
    fn storage_owners(&self, hashes: &[OperationHash]) -> impl Future<Output = Result<Vec<StorageOwner>>> + Send;

    /// The DID, if an indexed operation validly created it.
    fn listed_did(&self, did: &DidSuffix) -> impl Future<Output = Result<Option<ListedDid>>> + Send;

    /// DIDs that were validly created above `after`, by the position of their first valid create, at most `limit`.
    fn listed_dids_after(
        &self,
        after: Option<OperationPosition>,
        limit: PageLimit,
    ) -> impl Future<Output = Result<Vec<ListedDid>>> + Send;
}

/// How far indexing has come.
pub trait IndexerStateRepo {
    /// Watermark, last stored position and last indexed block, read at one instant.
    fn indexer_state(&self) -> impl Future<Output = Result<IndexerState>> + Send;
}

/// How far the ledger has been read, and which ledger it is.
pub trait DltCursorRepo {
    /// The cursor; `None` before the first block.
    fn cursor(&self) -> impl Future<Output = Result<Option<Cursor>>> + Send;

    /// Moves the cursor forward, without blocks. An equal or lower one is a no-op.
    ///
    /// # Errors
    /// `CursorMoved` where another cursor than `expected` is stored, as [`append`](RawOperationRepo::append) says. `Conflict`
    /// where [`Cursor::advance`] says so.
    fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> impl Future<Output = Result<()>> + Send;

    /// The network the store belongs to; `None` where nothing has opened it for writing yet.
    fn network(&self) -> impl Future<Output = Result<Option<Network>>> + Send;
}

/// The storage of a node. Clones share one store.
///
/// What was acknowledged is there at once, through every handle: this one, clones, and stores that were opened to read, before or
/// after. A store that was opened to read outlives the writer that it was opened beside, and sees what the next one commits.
/// Closing or dropping one handle harms no other.
///
/// A write that waits for another one does not block its thread meanwhile: the other may need the thread to end. It may give up
/// after a time-out of its own, which is ten seconds or longer, and then answers `Busy`: never `Unavailable`, which says that the
/// database is out of reach. A read waits for no write, however many writes wait for each other: those that wait leave
/// connections to the reads.
///
/// Clones are one opening; whether a store can be opened to write twice at once is left open: a backend may answer `Busy`.
///
/// A call that is refused, or whose future is dropped, leaves nothing behind: no change, no lock and no connection, not for a
/// later opening either. An opening is such a call too. A dropped write has happened as a whole or not at all. A server may
/// still be at its commit when the future is dropped; but no later than the next write is acknowledged, it is decided: a
/// backend keeps no write to carry it out afterwards.
///
/// One that was opened to read answers `ReadOnly` to every write, to one that would change nothing too, and to a load without
/// asking its source. To a call that contradicts itself it may answer `Conflict` instead: whether the call or the access is
/// judged first is left open, and either way nothing changes. What is stored is not judged: it never answers `CursorMoved` or
/// `BoundMismatch`. A store that nobody has opened to write belongs to no network, and is empty to those who read it.
pub trait NodeStorage:
    RawOperationRepo + IndexedOperationRepo + IndexerStateRepo + DltCursorRepo + Clone + Send + Sync + 'static
{
}

impl<S> NodeStorage for S where
    S: RawOperationRepo + IndexedOperationRepo + IndexerStateRepo + DltCursorRepo + Clone + Send + Sync + 'static
{
}
