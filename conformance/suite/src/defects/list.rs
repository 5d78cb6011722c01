//! The list of all defects.

/// One way in which a store can be wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Defect {
    /// What is wrong, as one word.
    pub name: &'static str,
    /// What is wrong, as a sentence.
    pub description: &'static str,
    /// The line of the storage contract, 1 to 13, that forbids it: "The storage contract" in `docs/src/architecture.md`.
    pub line: u8,
    /// How it is made.
    pub fault: Fault,
}

macro_rules! defects {
    ($($(#[doc = $text:literal])+ $name:ident, $line:literal;)*) => {
        /// How a store is wrong.
        #[derive(Debug, Clone, Copy, PartialEq, Eq)]
        pub enum Fault {
            $($(#[doc = $text])+ $name,)*
        }

        /// Every defect.
        pub const DEFECTS: &[Defect] = &[$(
            Defect {
                name: stringify!($name),
                description: concat!($($text),+).trim_ascii(),
                line: $line,
                fault: Fault::$name,
            },
        )*];
    };
}

defects! {
    // Fields.
    /// The slot of a block comes back as 0.
    DropsSlot, 1;
    /// The hash of a block comes back as zeros.
    DropsBlockHash, 1;
    /// The time of a block comes back as 1970.
    DropsBlockTime, 1;
    /// The id of a transaction comes back as zeros.
    DropsTransactionId, 1;
    /// The bytes of an operation come back empty.
    DropsOperationBytes, 1;
    /// The hash of the cursor comes back as zeros.
    DropsCursorHash, 6;
    /// The reason for ignoring an operation comes back empty.
    DropsReason, 7;
    /// Whether an operation lists its DID comes back as no.
    DropsListing, 7;
    /// The hash of an indexed operation comes back as zeros.
    DropsOperationHash, 7;
    /// `absn` and `osn` change places.
    SwapsAbsnAndOsn, 3;
    /// Ignored operations come back as undecodable, and the other way round.
    SwapsIgnoredAndUndecodable, 7;
    /// Storage operations come back as operations of the DID itself.
    TakesStorageForDid, 7;

    // Instants.
    /// Block times are truncated to milliseconds.
    TruncatesToMilliseconds, 5;
    /// Block times are kept as seconds, rounded toward zero, and the microseconds after them.
    RoundsSecondsTowardZero, 5;
    /// Block times are kept as nanoseconds, which 64 bits hold from 1677 to 2262.
    KeepsNanosecondsIn64Bits, 5;
    /// A block that is older than the one before is refused.
    RefusesDescendingTimes, 5;
    /// Block times are an hour later from April to October.
    KeepsLocalTime, 5;
    /// All new blocks of a call get the time of its first.
    SharesTimeWithinCall, 1;
    /// The new blocks of a call are sorted, and their times are not.
    PairsTimesInOrderOfDelivery, 1;

    // Ranges.
    /// Slots are kept in 32 bits.
    KeepsSlotIn32Bits, 5;
    /// Block numbers are kept as floating-point numbers, exact to 2^53.
    KeepsBlockNumberAsFloat, 5;
    /// `absn` is kept in 16 bits.
    KeepsAbsnIn16Bits, 5;
    /// A slot of 2^62 or more comes back negative, which is read as damage.
    WrapsSlotToNegative, 5;
    /// A block number of 2^62 or more makes the call panic.
    PanicsOnHighBlockNumber, 5;
    /// A DID of zeros is taken for none.
    TakesZerosForNull, 5;
    /// The lowest position as a page's start is taken for none.
    TakesLowestPositionForNone, 3;
    /// A watermark at the lowest position is taken for none.
    TakesLowestWatermarkForNone, 7;
    /// A cursor at slot 0 is taken for none.
    TakesLowestCursorForNone, 6;
    /// A cursor whose hash is zeros is taken for none.
    TakesZeroHashForNoCursor, 6;
    /// Slots are compared in 32 bits.
    ComparesSlotsIn32Bits, 5;
    /// The page after the highest index of an operation begins at the lowest of the same transaction.
    StartsOverAfterHighestIndex, 5;

    // Bytes.
    /// Operations without bytes are not stored.
    DropsEmptyOperations, 4;
    /// Operations that can't be decoded are not stored.
    DropsUndecodableOperations, 4;
    /// Operations are decoded and encoded again.
    EncodesOperationsAgain, 4;
    /// Operations end at their first zero byte.
    CutsOperationsAtZero, 4;
    /// Operations are kept as text.
    KeepsOperationsAsText, 4;
    /// Operations of more than a million bytes are refused.
    RefusesLongestOperations, 5;
    /// An operation that was published before is not stored again.
    StoresRepeatedOperationOnce, 3;
    /// Reasons are cut to 100 characters.
    CutsReasons, 7;
    /// Blanks around reasons are removed.
    TrimsReasons, 7;
    /// Reasons come back in lower case.
    LowercasesReasons, 7;
    /// Letters and their accents come back as one character.
    NormalizesReasons, 7;

    // Order and pages.
    /// Rows come in the order of their delivery.
    ListsInOrderOfDelivery, 3;
    /// Rows come in the order of their positions as text.
    ListsInTextOrder, 3;
    /// The operations of a DID come from the last to the first.
    ListsOperationsOfDidBackward, 3;
    /// A page begins with the row that it should begin after.
    PageRepeatsItsStart, 9;
    /// A page holds one row more than its limit.
    PageHoldsOneMore, 9;
    /// A full page holds one row less than its limit.
    PageHoldsOneLess, 9;
    /// Each page but the first lacks its first row.
    PageSkipsItsFirstRow, 9;
    /// A page begins at the block above its start.
    PageBeginsAtNextBlock, 9;
    /// A page begins at the transaction above its start.
    PageBeginsAtNextTransaction, 9;
    /// A page holds at most 1,000 rows, whatever its limit.
    PageHoldsAtMost1000, 9;
    /// A page holds at most 9,999 rows, whatever its limit.
    PageHoldsAtMost9999, 9;
    /// A page with a bound of bytes has as many rows as its limit, however long they are.
    PageIgnoresItsBytes, 9;
    /// A page holds one byte more than its limit.
    PageHoldsOneByteMore, 9;
    /// A page is empty where its first operation has more bytes than the limit.
    PageEndsBeforeLongOperation, 9;
    /// The last row of a full page has no outcome of indexing.
    LastRowOfFullPageIsUnindexed, 9;
    /// A page of what was published leaves out the indexed operations.
    PublishedPageLacksIndexed, 9;
    /// Rows of what was published have the slot of the first row of their page.
    PublishedRowsShareTheirSlot, 1;
    /// DIDs are listed in the order of their suffixes.
    ListsDidsInOrderOfSuffix, 3;
    /// The operations of a DID lack those of its storage entries.
    HidesStorageOperationsOfDid, 7;
    /// More than 200 operations of a DID are not listed.
    CutsOperationsOfDidAt200, 7;
    /// Blocks that do not come in order are refused.
    RefusesUnorderedBlocks, 1;
    /// Index entries that do not come in order are refused.
    RefusesUnorderedEntries, 7;
    /// Index entries are sorted, and their outcomes are not.
    PairsOutcomesInOrderOfDelivery, 7;

    // Look-ups.
    /// An operation published twice is found at its highest position.
    FindsLatestOperation, 4;
    /// An operation published twice is found where it was routed to a DID.
    FindsRoutedOperationFirst, 4;
    /// The id of a transaction finds its first operation.
    FindsTransactionsAsOperations, 4;
    /// An operation that is not indexed is not found by its id.
    HidesUnindexedOperations, 4;
    /// An ignored or undecodable operation is not found by its id.
    HidesIgnoredOperations, 4;
    /// A transaction is found with its indexed operations alone.
    TransactionHidesUnindexedOperations, 4;
    /// A transaction is found with at most 1,000 operations.
    CutsTransactionsAt1000, 4;
    /// A transaction is found with at most 10,000 operations.
    CutsTransactionsAt10000, 4;
    /// The number of operations of a transaction is that of its page.
    TransactionCountsItsPage, 4;
    /// A transaction is not found where its page is empty.
    TransactionEndsWithItsOperations, 4;
    /// Every page of a transaction is its first one.
    TransactionStartsOver, 9;
    /// Transactions are found by the first 31 bytes of their ids.
    ComparesTransactionIdsByPrefix, 3;
    /// DIDs are found by their first 31 bytes.
    ComparesDidsByPrefix, 7;
    /// Block hashes, ids and storage operations are compared in their first 31 bytes.
    ComparesHashesByPrefix, 1;
    /// Hashes of storage operations are compared as text, in which upper and lower case are equal.
    ComparesHashesIgnoringCase, 7;
    /// The owner of a storage operation is the one at its highest position.
    FindsLatestOwner, 7;
    /// Operations of a DID own what follows them, as storage operations do.
    TakesDidOperationsForOwners, 7;
    /// Owners come in the order of the question.
    OwnersComeInOrderOfQuestion, 3;
    /// A hash that is asked for twice is answered twice.
    RepeatsOwnersOfRepeatedHashes, 7;
    /// Of the hashes asked for, the first 32,766 are looked up.
    CutsQuestionsAt32766Hashes, 7;
    /// Of each DID's storage operations, the first 200 have an owner.
    CutsChainsAt200, 7;
    /// The owner of an unknown storage operation is the one that was found last.
    FindsOwnersOfUnknown, 7;
    /// A DID is listed as soon as any operation is routed to it.
    ListsUncreatedDids, 7;
    /// A DID that is created again is listed at the later position.
    ListsLatestCreate, 7;
    /// A DID that is created again is found at the later position, and listed at the first.
    FindsListedDidAtLatestCreate, 7;
    /// A DID that is not listed, or an operation that is not stored, is an error.
    NotFoundIsAnError, 11;
    /// What is not found is answered with the first that is stored.
    AnswersUnknownWithFirst, 11;

    // Conflicts that are ignored: the call succeeds and changes nothing.
    /// Another block hash is ignored.
    IgnoresOtherBlockHash, 1;
    /// Another slot is ignored.
    IgnoresOtherSlot, 1;
    /// Another block time is ignored.
    IgnoresOtherBlockTime, 1;
    /// Another transaction id is ignored.
    IgnoresOtherTransactionId, 1;
    /// Other bytes of an operation are ignored.
    IgnoresOtherOperation, 1;
    /// A missing operation is ignored.
    IgnoresMissingOperation, 1;
    /// An added operation is ignored.
    IgnoresAddedOperation, 1;
    /// A block below the cursor is ignored.
    IgnoresBlockBelowCursor, 1;
    /// Slots that do not ascend with the numbers are ignored.
    IgnoresSlotOrder, 1;
    /// A transaction id at a second position is ignored.
    IgnoresTransactionElsewhere, 1;
    /// A cursor below the blocks of its call is ignored.
    IgnoresCursorBelowBlocks, 1;
    /// A cursor with another hash is ignored.
    IgnoresCursorFork, 6;
    /// A cursor that raises slot or number alone is ignored.
    IgnoresCursorOrder, 6;
    /// A call that contradicts several stored blocks is refused naming the highest of them.
    NamesHighestContradiction, 1;
    /// The cursor that a write expects to be stored is not looked at.
    IgnoresExpectedCursor, 6;
    /// A move of the cursor does not look at the one that it expects.
    MovesIgnoreExpectedCursor, 6;
    /// A call that brings nothing new does not look at the cursor that it expects.
    IgnoresExpectedCursorOfRedelivery, 6;
    /// A write that expects an empty cursor is taken for one that expects nothing.
    TakesEmptyExpectationForAny, 6;
    /// A store without a cursor takes every expectation.
    TakesAnyExpectationOfEmptyStore, 6;
    /// The expected cursor is compared without its hash.
    ComparesExpectedCursorByPlace, 6;
    /// A stored cursor above the expected one is accepted.
    AcceptsExpectationsBelowTheCursor, 6;
    /// A stored cursor below the expected one is accepted: a database that went back.
    AcceptsExpectationsAboveTheCursor, 6;
    /// The refusal names the stored cursor as the expected one.
    ExchangesExpectedAndStored, 11;
    /// Another stored cursor than the expected one is called a conflict.
    TakesMovedCursorForConflict, 11;
    /// A batch with an unknown position is ignored.
    IgnoresUnknownPosition, 7;
    /// A batch with a gap is ignored.
    IgnoresIndexGap, 7;
    /// A batch with two entries for one position is ignored.
    IgnoresEntryTwice, 7;

    // Conflicts that are handled wrongly.
    /// What contradicts a stored block is dropped silently, and the rest of the call is stored.
    KeepsStoredBlockSilently, 1;
    /// A stored block is replaced by what is delivered under its number.
    ReplacesStoredBlock, 1;
    /// The rows of a fork are stored beside those of the stored block.
    AddsRowsToStoredBlock, 1;
    /// Of the stored blocks of a call, the lowest alone is compared.
    JudgesLowestBlockAlone, 1;
    /// Of a block that is delivered again, the first transaction alone is compared.
    ComparesFirstTransactionAlone, 1;
    /// Of a block that is delivered again, the first operation alone is compared.
    ComparesFirstOperationAlone, 1;
    /// Operations that are delivered again are compared by their lengths.
    ComparesLengthsOfOperations, 1;
    /// Of a transaction that is delivered again, the first 32,766 operations are compared.
    ComparesFirst32766Operations, 1;
    /// Block times are compared in seconds.
    ComparesTimesInSeconds, 1;
    /// A block below the cursor is stored.
    StoresLateBlocks, 1;
    /// A transaction id is stored at a second position.
    StoresTransactionIdTwice, 1;
    /// Of the new blocks of a call, the lowest alone has the ids of its transactions looked up.
    ChecksTransactionIdsOfLowestBlockAlone, 1;
    /// A call ends at the first stored block that comes after a new one.
    StopsAtStoredBlockAfterNewOnes, 1;
    /// The other blocks of a refused call are stored.
    StoresRestOfRefusedCall, 1;
    /// A refused write is committed up to the conflict.
    CommitsRefusedWrites, 2;
    /// The append after a refused one is lost.
    LosesCallAfterConflict, 11;
    /// A refused call moves the cursor.
    RefusedCallMovesCursor, 2;
    /// The ids of a refused call's transactions are taken for stored.
    RemembersRefusedTransactionIds, 1;
    /// The blocks of a refused call are taken for stored.
    RemembersRefusedBlocks, 1;
    /// A conflict names the first block of its call instead of the one that contradicts.
    NamesFirstBlockInConflict, 1;
    /// A conflict is reported as damage.
    ConflictIsDamage, 11;
    /// A conflict is reported as if waiting could help.
    ConflictIsRetryable, 11;

    // Appends.
    /// A stored block delivered again is refused, and its call with it.
    RefusesRedelivery, 1;
    /// Blocks that were stored before count as added.
    CountsRedeliveredBlocks, 1;
    /// Each block of a call is a transaction of its own.
    StoresBlockByBlock, 2;
    /// The last operation of a block is stored in a transaction of its own.
    StoresOperationsOneByOne, 2;
    /// The cursor is written before the blocks, in a transaction of its own.
    WritesCursorBeforeBlocks, 2;
    /// The cursor is written after the blocks, in a transaction of its own.
    WritesCursorAfterBlocks, 2;
    /// The cursor of a call is set to the last block of the call.
    LowersCursorToLastBlock, 1;
    /// A call without blocks does not move the cursor.
    PassesOverCallsWithoutBlocks, 1;
    /// Blocks without operations are stored.
    StoresEmptyBlocks, 1;
    /// One call stores at most 32,766 operations.
    CutsCallsAt32766Operations, 1;
    /// One call stores at most 65,535 blocks.
    CutsCallsAt65535Blocks, 1;
    /// One call stores at most 32 MiB of operations.
    CutsCallsAt32Mebibytes, 1;
    /// What was indexed of a block is lost when the block is delivered again.
    RedeliveryResetsOutcomes, 1;

    // Loads.
    /// A load accepts a store whatever it holds.
    LoadsOntoAnything, 2;
    /// A load accepts a store that holds as many operations as expected.
    LoadComparesCountsAlone, 2;
    /// A load asks its source before it compares what is stored.
    LoadAsksBeforeItJudges, 2;
    /// A load removes what is stored.
    LoadReplacesWhatIsStored, 2;
    /// Each chunk of a load is a transaction of its own.
    LoadsChunkByChunk, 2;
    /// What came before a failure of the source is stored.
    LoadKeepsWhatCameBeforeAFailure, 2;
    /// The first chunk of a load is stored, and no other.
    LoadsFirstChunkAlone, 2;
    /// A load refuses chunks whose blocks do not come in order.
    LoadRefusesUnorderedChunks, 3;
    /// A load passes over blocks that are not above what is stored.
    LoadPassesOverKnownBlocks, 2;
    /// A load passes over transactions whose id is stored.
    LoadPassesOverKnownTransactions, 2;
    /// A load stores at most 65,535 operations of a transaction.
    LoadCutsTransactionsAt65535Operations, 2;
    /// A load ends at its last block, whatever cursor it brings.
    LoadEndsAtLastBlock, 2;
    /// A load that brings the cursor alone changes nothing.
    LoadForgetsCursorAlone, 2;
    /// A load that brings no cursor leaves the one that was stored.
    LoadWithoutCursorLeavesTheOldOne, 2;
    /// A store opened to read accepts a load and stores nothing.
    ReadersMayLoad, 10;

    // The cursor.
    /// No cursor comes back as slot 0 and block 0.
    TakesNoCursorForZero, 6;
    /// A lower cursor replaces a higher one.
    MovesCursorBackward, 6;
    /// A cursor with another hash replaces the stored one.
    MovesCursorToFork, 6;
    /// A cursor with a higher slot replaces the stored one, whatever its number.
    MovesCursorBySlotAlone, 6;
    /// A lower cursor is refused.
    RefusesLowerCursors, 6;
    /// The stored cursor itself is refused.
    RefusesEqualCursors, 6;
    /// The cursor is removed, then written.
    RemovesCursorToWriteIt, 6;
    /// A clone returns the cursor that it has last seen.
    ClonesRememberTheCursor, 9;

    // Indexing.
    /// Operations that a batch leaves out are marked as ignored.
    IgnoresOperationsInGaps, 7;
    /// Entries for unknown positions are passed over, and the rest is indexed.
    PassesOverUnknownPositions, 7;
    /// Unknown positions are passed over, but for the first and the last of a batch.
    PassesOverUnknownPositionsInside, 7;
    /// A batch may leave out whole blocks.
    AcceptsGapsOfWholeBlocks, 7;
    /// A batch with as many entries as there are stored operations in its range is taken for complete.
    CountsEntriesToFindGaps, 7;
    /// One batch indexes at most 32,766 operations.
    CutsBatchesAt32766Entries, 7;
    /// A refused batch is indexed up to the conflict.
    RefusedBatchIsIndexedUpToItsConflict, 7;
    /// Nothing from an undecodable operation on is indexed.
    StopsAtUndecodable, 7;
    /// A batch that begins below the watermark is refused.
    RefusesEntriesBelowWatermark, 7;
    /// Entries below the watermark replace what is stored.
    ReplacesEntriesBelowWatermark, 7;
    /// Entries that were passed over count as added.
    CountsPassedEntries, 7;
    /// The last entry of a batch is written in a transaction of its own.
    IndexesOneByOne, 7;
    /// An empty batch removes the watermark from its answer.
    EmptyBatchHasNoWatermark, 7;
    /// An empty batch moves the watermark by one.
    EmptyBatchMovesWatermark, 7;
    /// A batch below the watermark moves it back.
    LowerBatchMovesWatermarkBack, 7;
    /// The watermark of an answer is the last position of its batch.
    AnswersLastEntryAsWatermark, 7;

    // State.
    /// The last indexed block is the highest of which any operation is indexed.
    LastIndexedIsBlockOfWatermark, 8;
    /// The last indexed block is the last one stored.
    LastIndexedIsLastStored, 8;
    /// The last stored position is the watermark.
    LastStoredIsWatermark, 8;
    /// No watermark comes back as the lowest position.
    TakesNoWatermarkForLowest, 8;
    /// The bound counts an operation published twice once.
    CountsDistinctOperations, 9;
    /// The bound counts operations again that are delivered again.
    BoundCountsRedelivered, 1;
    /// The bound counts the operations of refused calls.
    BoundCountsRefused, 2;
    /// The bound counts from 0 when the store is opened again.
    ForgetsCountOnReopening, 2;
    /// The last position of the bound is the one that was delivered last.
    BoundNamesLastDelivered, 3;
    /// Cursor and count of the bound are read one after another.
    ReadsBoundInParts, 9;
    /// Watermark and last indexed block are read one after another.
    ReadsStateInParts, 9;

    // Openings.
    /// Opening with another network is accepted.
    AcceptsAnotherNetwork, 10;
    /// Opening with another network is accepted, to read.
    AcceptsAnotherNetworkToRead, 10;
    /// Opening with another network is refused, and renames the store.
    RefusedOpeningRenamesTheNetwork, 10;
    /// The refusal of another network names the two the wrong way round.
    SwapsNetworksInRefusal, 10;
    /// A store of another network is refused as one of another program.
    AnotherNetworkIsForeign, 11;
    /// Only an opening that may migrate names the network.
    OnlyMigratingOpeningsNameTheNetwork, 10;
    /// `preprod` comes back as `preview`.
    TakesPreprodForPreview, 10;
    /// A store opened to read accepts writes.
    ReadersMayWrite, 10;
    /// A store opened to read moves the cursor.
    ReadersMayMoveTheCursor, 10;
    /// A store opened to read indexes.
    ReadersMayIndex, 10;
    /// A store opened to read refuses writes only where they would change something.
    ReadersRefuseChangesAlone, 11;
    /// A write to a store opened to read is refused as if the store were out of order.
    ReadOnlyIsUnavailable, 11;
    /// A store opened to read returns what was stored when it was opened.
    ReadersSeeContentOfOpening, 9;
    /// Nobody can read while somebody else may write.
    WriterLocksReadersOut, 9;
    /// Opening to read names the network.
    ReadersNameTheNetwork, 10;
    /// The network is not found.
    HidesNetwork, 10;
    /// A refused opening keeps the store locked.
    RefusedOpeningHoldsTheStore, 11;
    /// What was stored is gone when the store is closed.
    ForgetsContentOnClosing, 2;
    /// What was indexed is gone when the store is closed.
    ForgetsIndexOnClosing, 7;
    /// The watermark is unknown to all openings but the first.
    ForgetsWatermarkOnReopening, 7;
    /// The cursor is gone when the store is closed.
    ForgetsCursorOnClosing, 6;
    /// The last block is gone when the store is closed.
    ForgetsLastBlockOnClosing, 2;
    /// Blocks that were stored before the store was opened again are not compared.
    ForgetsBlocksOnReopening, 1;
    /// Transaction ids that were stored before the store was opened again are not known.
    ForgetsTransactionIdsOnReopening, 1;
    /// The hash of the cursor is not compared after the store was opened again.
    ForgetsCursorHashOnReopening, 6;
    /// The factory hands out a store that something has written to.
    HandsOutAFilledStore, 10;

    // Concurrency.
    /// A write changes what it read before it waited for other writes.
    WritesWhatItReadBefore, 6;
    /// One of two appends at the same time is lost.
    LosesConcurrentAppends, 6;
    /// One of two index batches at the same time is lost.
    LosesConcurrentBatches, 7;
    /// One of two moves of the cursor at the same time is lost.
    LosesConcurrentCursorMoves, 6;
    /// A refused call keeps its connection.
    RefusalKeepsConnection, 11;
    /// A dropped call keeps its connection.
    DroppedCallKeepsConnection, 2;
    /// More than ten calls at a time are refused.
    RefusesCallsBeyondTen, 11;
    /// More than ten calls at a time are never answered.
    CallsBeyondTenHang, 11;
    /// Dropping one clone closes the store of all.
    DroppedCloneClosesTheStore, 9;
}
