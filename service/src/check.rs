//! Whether what a store answers agrees with itself, and with what indexing makes of its operations.

use std::fmt;

use did_prism::digest::{DidSuffix, OperationId};
use did_prism::ledger::{BlockNo, OperationIndex, OperationPosition, TransactionIndex};
use node_storage_contract::{
    BlockHeader, Cursor, IndexEntry, IndexOutcome, IndexerState, LedgerBound, ListedDid, NodeStorage, OperationRecord,
    PageLimit, PublishedRecord, StorageError, TransactionRecord,
};

use crate::index::entries_of;

/// Most rows that are read at a time.
const PAGE: u64 = 1_000;
/// Most bytes of operations that are read at a time.
const PAGE_BYTES: u64 = 8 * 1024 * 1024;

/// What a finding is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Part {
    /// Blocks, transactions, operations and the cursor: what the ledger published. Nothing here repairs it.
    Content,
    /// What indexing has made of the operations, which can be made anew.
    Index,
    /// What look-ups answer, beside what the listing of all operations answers.
    Views,
}

impl fmt::Display for Part {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Content => "content",
            Self::Index => "index",
            Self::Views => "views",
        })
    }
}

/// Something that is wrong.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What it is about.
    pub part: Part,
    /// Where: an operation, a block, the cursor.
    pub subject: String,
    /// What is wrong with it.
    pub detail: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}: {}", self.part, self.subject, self.detail)
    }
}

/// What was looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Checked {
    /// Operations.
    pub operations: u64,
    /// Index entries.
    pub entries: u64,
    /// Listed DIDs.
    pub listed_dids: u64,
    /// The cursor, up to which the content was checked.
    pub cursor: Option<Cursor>,
    /// The watermark, up to which the index was checked.
    pub watermark: Option<OperationPosition>,
}

/// Reads everything that the store holds, compares what its methods answer with each other and with what indexing makes of the
/// operations, and hands what is wrong to `each`. `progress` is told how many operations were checked, of how many.
///
/// Beside a writer, it judges the operations up to the last one stored when it began, and index entries up to the watermark of that
/// time: neither changes any more. Memory is bounded by a page of 1,000 operations or 8 MiB. For each operation, each look-up that
/// leads to it is made once.
///
/// What stands once and can't be derived, the hash and the time of a block, is compared between the answers alone: one that is
/// wrong in all of them shows in a comparison with an archive.
///
/// # Errors
/// Why the store could not be read. Damage is no error but a finding.
pub async fn check<S: NodeStorage>(
    storage: &S,
    each: impl FnMut(Finding),
    progress: impl Fn(u64, u64),
) -> Result<Checked, StorageError> {
    // In this order: what is indexed in the meantime is not above the bound.
    let mut checker = Checker {
        storage,
        limit: PageLimit::try_from(PAGE)?.within_bytes(PAGE_BYTES),
        each,
        state: IndexerState::default(),
        bound: LedgerBound::default(),
        checked: Checked::default(),
        previous: None,
        block: None,
        transaction: None,
        last_indexed_block: None,
        reached_watermark: false,
        first_creates: 0,
    };
    let Some(state) = checker.read(Part::Index, storage.indexer_state().await)? else {
        return Ok(checker.checked);
    };
    let Some(bound) = checker.read(Part::Content, storage.bound().await)? else {
        return Ok(checker.checked);
    };
    checker.state = state;
    checker.bound = bound;
    checker.checked.cursor = bound.cursor;
    checker.checked.watermark = state.watermark;
    if checker.operations(&progress).await? {
        checker.ends();
        checker.listed_dids().await?;
    }
    Ok(checker.checked)
}

/// A transaction whose operations are being read.
#[derive(Debug, Clone, Copy)]
struct OpenTransaction {
    place: (BlockNo, TransactionIndex),
    /// What the look-up has said.
    operation_count: u64,
    read: u64,
}

struct Checker<'a, S, F> {
    storage: &'a S,
    limit: PageLimit,
    each: F,
    state: IndexerState,
    bound: LedgerBound,
    checked: Checked,
    /// The operation before.
    previous: Option<OperationPosition>,
    /// The block that is being read.
    block: Option<BlockHeader>,
    transaction: Option<OpenTransaction>,
    /// The highest block so far whose operations are all indexed.
    last_indexed_block: Option<BlockHeader>,
    reached_watermark: bool,
    /// Creates that list a DID for the first time.
    first_creates: u64,
}

impl<S: NodeStorage, F: FnMut(Finding)> Checker<'_, S, F> {
    fn find(&mut self, part: Part, subject: impl fmt::Display, detail: impl fmt::Display) {
        (self.each)(Finding {
            part,
            subject: subject.to_string(),
            detail: detail.to_string(),
        });
    }

    /// What was read; that it is damaged is a finding.
    fn read<T>(&mut self, part: Part, answer: Result<T, StorageError>) -> Result<Option<T>, StorageError> {
        match answer {
            Ok(found) => Ok(Some(found)),
            Err(StorageError::Corrupt { subject, detail }) => {
                self.find(part, subject, detail);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    /// Goes through all operations. `false` where they can't be read to their end.
    async fn operations(&mut self, progress: &impl Fn(u64, u64)) -> Result<bool, StorageError> {
        loop {
            let answer = self.storage.operations_after(self.previous, self.limit).await;
            let Some(mut page) = self.read(Part::Content, answer)? else {
                return Ok(false);
            };
            let length = page.len();
            page.retain(|record| Some(record.operation.position) <= self.bound.last);
            if page.len() < length {
                self.must_have_grown().await?;
            }
            if page.is_empty() {
                return Ok(true);
            }
            if !self.ascends(&page) {
                return Ok(false);
            }
            self.compare_published(&page).await?;
            self.compare_index(&page).await?;
            for chunk in page.chunk_by(|one, other| place(one) == place(other)) {
                self.compare_transaction(chunk).await?;
                for record in chunk {
                    self.operation(record).await?;
                    self.previous = Some(record.operation.position);
                    self.checked.operations += 1;
                }
            }
            progress(self.checked.operations, self.bound.operations);
        }
    }

    /// Operations above the bound are there where somebody has written meanwhile, and not otherwise.
    async fn must_have_grown(&mut self) -> Result<(), StorageError> {
        let answer = self.storage.bound().await;
        if let Some(bound) = self.read(Part::Content, answer)?
            && bound.last <= self.bound.last
        {
            let subject = "the last position";
            self.find(Part::Views, subject, "operations stand above it");
        }
        Ok(())
    }

    fn ascends(&mut self, page: &[OperationRecord]) -> bool {
        let mut previous = self.previous;
        for record in page {
            let position = record.operation.position;
            if Some(position) <= previous {
                let subject = operation_at(position);
                self.find(Part::Content, subject, "it is listed behind a higher position");
                return false;
            }
            previous = Some(position);
        }
        true
    }

    /// The same page without the index.
    async fn compare_published(&mut self, page: &[OperationRecord]) -> Result<(), StorageError> {
        let answer = self.storage.published_after(self.previous, self.limit).await;
        let Some(mut published) = self.read(Part::Views, answer)? else {
            return Ok(());
        };
        published.truncate(page.len());
        let expected: Vec<_> = page.iter().cloned().map(PublishedRecord::from).collect();
        if published != expected {
            let different = expected
                .iter()
                .zip(&published)
                .find(|(one, other)| one != other)
                .map_or(expected.last(), |(one, _)| Some(one));
            if let Some(different) = different {
                let subject = operation_at(different.operation.position);
                let detail = "it is listed otherwise without what indexing made of it";
                self.find(Part::Views, subject, detail);
            }
        }
        Ok(())
    }

    /// What indexing makes of the operations up to the watermark, and that there is nothing above it.
    async fn compare_index(&mut self, page: &[OperationRecord]) -> Result<(), StorageError> {
        let watermark = self.state.watermark;
        let indexed = page.partition_point(|record| Some(record.operation.position) <= watermark);
        let (indexed, above) = page.split_at_checked(indexed).unwrap_or((page, &[]));
        let operations = indexed
            .iter()
            .map(|record| (record.operation.position, record.operation.bytes.as_slice()));
        let answer = entries_of(self.storage, operations).await;
        if let Some(entries) = self.read(Part::Index, answer)? {
            for (record, IndexEntry { position, outcome }) in indexed.iter().zip(entries) {
                match &record.indexing {
                    Some(stored) if *stored == outcome => self.checked.entries += 1,
                    Some(stored) => {
                        let detail = format!("it is stored as {}, and is {}", of(stored), of(&outcome));
                        self.find(Part::Index, operation_at(position), detail);
                    }
                    None => {
                        let detail = format!("it stands below the watermark and has no entry; it is {}", of(&outcome));
                        self.find(Part::Index, operation_at(position), detail);
                    }
                }
            }
        }
        if above.iter().any(|record| record.indexing.is_some()) {
            let answer = self.storage.indexer_state().await;
            let now = self.read(Part::Index, answer)?.and_then(|state| state.watermark);
            let extra = above
                .iter()
                .filter(|record| record.indexing.is_some() && Some(record.operation.position) > now);
            for record in extra {
                let subject = operation_at(record.operation.position);
                self.find(Part::Index, subject, "it stands above the watermark and has an entry");
            }
        }
        self.reached_watermark |= indexed.last().map(|record| record.operation.position) == watermark;
        Ok(())
    }

    /// The operations of one transaction that follow each other on a page, as the look-up of the transaction answers them.
    async fn compare_transaction(&mut self, chunk: &[OperationRecord]) -> Result<(), StorageError> {
        let Some(first) = chunk.first() else { return Ok(()) };
        let id = first.transaction_id;
        if self.transaction.is_none_or(|open| open.place != place(first)) {
            self.end_transaction();
        }
        let rows = u64::try_from(chunk.len()).unwrap_or(PAGE);
        let limit = PageLimit::try_from(rows)?.within_bytes(PAGE_BYTES);
        let answer = self.storage.transaction(&id, self.previous, limit).await;
        let Some(found) = self.read(Part::Views, answer)? else {
            return Ok(());
        };
        let subject = format!("the transaction {id}");
        let Some(found) = found else {
            self.find(Part::Views, subject, "it is not found by its id");
            return Ok(());
        };
        let expected = TransactionRecord {
            id,
            block: header(first),
            absn: first.operation.position.absn,
            operation_count: found.operation_count,
            operations: chunk.to_vec(),
        };
        if found != expected {
            let detail = "it is found by its id with another block, place or operations than the listing has";
            self.find(Part::Views, subject, detail);
        }
        let open = self.transaction.get_or_insert(OpenTransaction {
            place: place(first),
            operation_count: found.operation_count,
            read: 0,
        });
        open.read += rows;
        Ok(())
    }

    /// Compares how many operations a transaction was said to have with how many there were.
    fn end_transaction(&mut self) {
        if let Some(OpenTransaction {
            place: (block, absn),
            operation_count,
            read,
        }) = self.transaction.take()
            && operation_count != read
        {
            let subject = format!("the transaction at block {block}, absn {absn}");
            self.find(
                Part::Views,
                subject,
                format!("it is said to have {operation_count} operations, and {read} are listed"),
            );
        }
    }

    /// One operation, beside the one before, and what is found of it by its keys.
    async fn operation(&mut self, record: &OperationRecord) -> Result<(), StorageError> {
        let position = record.operation.position;
        let subject = operation_at(position);
        if OperationId::of(record.operation.bytes.as_slice()) != record.id {
            self.find(Part::Content, &subject, "its id is not the hash of its bytes");
        }
        let expected = match self.previous {
            Some(previous) if (previous.block, previous.absn) == (position.block, position.absn) => {
                u64::from(previous.osn.get()) + 1
            }
            _ => 0,
        };
        if u64::from(position.osn.get()) != expected {
            let detail = format!(
                "the operation before it, osn {}, is missing",
                u64::from(position.osn.get()) - 1
            );
            self.find(Part::Content, &subject, detail);
        }
        self.block_of(record).await?;
        let answer = self.storage.operation(&record.id).await;
        if let Some(found) = self.read(Part::Views, answer)? {
            match found {
                // Published before, too: found there, as it has to be.
                Some(found) if found.operation.position < position && found.id == record.id => {}
                Some(found) if found == *record => {}
                Some(found) => {
                    let detail = format!("its id finds {}, or other values", found.operation.position);
                    self.find(Part::Views, &subject, detail);
                }
                None => self.find(Part::Views, &subject, "it is not found by its id"),
            }
        }
        if Some(position) <= self.state.watermark {
            self.entry_of(record).await?;
        }
        Ok(())
    }

    /// The block of an operation, beside the one before.
    async fn block_of(&mut self, record: &OperationRecord) -> Result<(), StorageError> {
        let own = header(record);
        let subject = format!("block {}", own.number);
        match self.block {
            Some(block) if block == own => return Ok(()),
            Some(block) if block.number == own.number => {
                let detail = "its operations have different slots, hashes or times";
                self.find(Part::Content, &subject, detail);
            }
            Some(block) if block.slot >= own.slot => {
                let detail = format!(
                    "its slot {} is not above {}, that of block {}",
                    own.slot, block.slot, block.number
                );
                self.find(Part::Content, &subject, detail);
            }
            _ => {}
        }
        self.end_block();
        self.block = Some(own);
        let answer = self.storage.block(own.number).await;
        if let Some(found) = self.read(Part::Views, answer)?
            && found != Some(own)
        {
            self.find(Part::Views, &subject, "it is found otherwise by its number");
        }
        Ok(())
    }

    /// The last operation of a block was read.
    fn end_block(&mut self) {
        if self.previous.is_some() && self.previous <= self.state.watermark {
            self.last_indexed_block = self.block;
        }
    }

    /// What is found of an indexed operation by what indexing made of it.
    async fn entry_of(&mut self, record: &OperationRecord) -> Result<(), StorageError> {
        let Some(outcome) = &record.indexing else { return Ok(()) };
        let Some(did) = outcome.did() else { return Ok(()) };
        let position = record.operation.position;
        let subject = operation_at(position);
        let one = PageLimit::try_from(1)?;
        let answer = self.storage.operations_of_did(&did, self.previous, one).await;
        if let Some(page) = self.read(Part::Views, answer)?
            && page.first() != Some(record)
        {
            self.find(
                Part::Views,
                &subject,
                format!("it is not listed, or otherwise, with the DID {did}"),
            );
        }
        match outcome {
            IndexOutcome::Storage { operation_hash, .. } => {
                let answer = self.storage.storage_owners(&[*operation_hash]).await;
                if let Some(owners) = self.read(Part::Views, answer)? {
                    let is_found = owners.first().is_some_and(|owner| {
                        let is_own = owner.position == position && owner.did == did;
                        owner.operation_hash == *operation_hash && (is_own || owner.position < position)
                    });
                    if !is_found {
                        self.find(
                            Part::Views,
                            &subject,
                            "its hash does not find the owner of the storage entry",
                        );
                    }
                }
            }
            IndexOutcome::Did { lists_did: true, .. } => {
                let answer = self.storage.listed_did(&did).await;
                if let Some(listed) = self.read(Part::Index, answer)? {
                    match listed {
                        Some(listed) if listed.did == did && listed.position < position => {}
                        Some(listed) if listed == (ListedDid { did, position }) => self.first_creates += 1,
                        Some(listed) => {
                            let detail = format!("its DID {did} is listed at {}", listed.position);
                            self.find(Part::Index, &subject, detail);
                        }
                        None => self.find(Part::Index, &subject, format!("its DID {did} is not listed")),
                    }
                }
            }
            _ => {}
        }
        Ok(())
    }

    /// Where operations, blocks and the index end.
    fn ends(&mut self) {
        self.end_transaction();
        self.end_block();
        let LedgerBound {
            cursor,
            last,
            operations,
        } = self.bound;
        if (self.previous, self.checked.operations) != (last, operations) {
            let at = |position: Option<OperationPosition>| position.map_or("none".to_owned(), |at| at.to_string());
            let detail = format!(
                "{operations} are counted, the last one at {}; {} are listed, the last one at {}",
                at(last),
                self.checked.operations,
                at(self.previous)
            );
            self.find(Part::Views, "the number of operations", detail);
        }
        match (self.block, cursor) {
            (None, _) => {}
            (Some(block), None) => {
                let detail = format!("it is empty, and block {} is stored", block.number);
                self.find(Part::Content, "the cursor", detail);
            }
            (Some(block), Some(cursor)) => {
                let at_block = Cursor::at(&block);
                let is_above = cursor.block > at_block.block && cursor.slot > at_block.slot;
                if cursor != at_block && !is_above {
                    let detail = format!("it stands at {cursor}, and the last block is {at_block}");
                    self.find(Part::Content, "the cursor", detail);
                }
            }
        }
        if self.state.watermark.is_some() && !self.reached_watermark {
            self.find(Part::Index, "the watermark", "no operation stands there");
        }
        if self.state.last_indexed_block != self.last_indexed_block {
            let number = |block: Option<BlockHeader>| block.map_or("none".to_owned(), |block| block.number.to_string());
            let detail = format!(
                "it is said to be {}, and is {}",
                number(self.state.last_indexed_block),
                number(self.last_indexed_block)
            );
            self.find(Part::Views, "the last indexed block", detail);
        }
        if self.state.last_stored > last {
            self.find(Part::Views, "the last position", "two look-ups answer it differently");
        }
    }

    /// The listed DIDs: each at its first valid create, and no others.
    async fn listed_dids(&mut self) -> Result<(), StorageError> {
        let mut after = None;
        loop {
            let answer = self.storage.listed_dids_after(after, self.limit).await;
            let Some(page) = self.read(Part::Index, answer)? else {
                return Ok(());
            };
            for listed in &page {
                if Some(listed.position) <= after {
                    self.find(
                        Part::Views,
                        listed_subject(listed.did),
                        "it is listed behind a higher position",
                    );
                    return Ok(());
                }
                after = Some(listed.position);
                // What was indexed meanwhile is not judged.
                if after > self.state.watermark {
                    let answer = self.storage.indexer_state().await;
                    let now = self.read(Part::Index, answer)?.and_then(|state| state.watermark);
                    if after > now {
                        let detail = "it is listed at a position above the watermark";
                        self.find(Part::Index, listed_subject(listed.did), detail);
                    }
                    continue;
                }
                self.listed_did(listed).await?;
            }
            if page.is_empty() {
                break;
            }
        }
        if self.checked.listed_dids != self.first_creates {
            let detail = format!(
                "{} are listed, and {} have a valid create",
                self.checked.listed_dids, self.first_creates
            );
            self.find(Part::Index, "the listed DIDs", detail);
        }
        Ok(())
    }

    async fn listed_did(&mut self, listed: &ListedDid) -> Result<(), StorageError> {
        self.checked.listed_dids += 1;
        let one = PageLimit::try_from(1)?;
        let below = just_below(listed.position);
        let answer = self.storage.operations_of_did(&listed.did, below, one).await;
        if let Some(page) = self.read(Part::Views, answer)? {
            let lists = page.first().is_some_and(|record| {
                record.operation.position == listed.position
                    && matches!(&record.indexing, Some(IndexOutcome::Did { did, lists_did: true, .. }) if *did == listed.did)
            });
            if !lists {
                let detail = format!(
                    "no valid create of it stands at {}, where it is listed",
                    listed.position
                );
                self.find(Part::Index, listed_subject(listed.did), detail);
            }
        }
        let answer = self.storage.listed_did(&listed.did).await;
        if let Some(found) = self.read(Part::Views, answer)?
            && found != Some(*listed)
        {
            self.find(
                Part::Views,
                listed_subject(listed.did),
                "it is found otherwise than it is listed",
            );
        }
        Ok(())
    }
}

fn operation_at(position: OperationPosition) -> String {
    format!("the operation at {position}")
}

fn listed_subject(did: DidSuffix) -> String {
    format!("the DID {did}")
}

/// The transaction that an operation stands in.
const fn place(record: &OperationRecord) -> (BlockNo, TransactionIndex) {
    let position = record.operation.position;
    (position.block, position.absn)
}

const fn header(record: &OperationRecord) -> BlockHeader {
    BlockHeader {
        number: record.operation.position.block,
        slot: record.slot,
        hash: record.block_hash,
        time: record.operation.block_time,
    }
}

/// An index entry in words.
fn of(outcome: &IndexOutcome) -> String {
    match outcome {
        IndexOutcome::Did {
            did,
            operation_hash,
            lists_did,
        } => {
            let listing = if *lists_did { ", a create that lists it" } else { "" };
            format!("the operation {operation_hash} of the DID {did}{listing}")
        }
        IndexOutcome::Storage { did, operation_hash } => {
            format!("the operation {operation_hash} on a storage entry of the DID {did}")
        }
        IndexOutcome::Ignored { reason } => format!("ignored ({reason})"),
        IndexOutcome::Undecodable { reason } => format!("undecodable ({reason})"),
    }
}

/// The highest position below this one that there may be.
fn just_below(position: OperationPosition) -> Option<OperationPosition> {
    let OperationPosition { block, absn, osn } = position;
    let below = |number: u32| number.checked_sub(1).map(u64::from);
    if let Some(osn) = below(osn.get()).and_then(|osn| OperationIndex::try_from(osn).ok()) {
        return Some(OperationPosition { osn, ..position });
    }
    let osn = OperationIndex::MAX;
    if let Some(absn) = below(absn.get()).and_then(|absn| TransactionIndex::try_from(absn).ok()) {
        return Some(OperationPosition { absn, osn, ..position });
    }
    let block = BlockNo::try_from(block.get().checked_sub(1)?).ok()?;
    let absn = TransactionIndex::MAX;
    Some(OperationPosition { block, absn, osn })
}
