//! Writes that do not change what they should. Each function is the work of one transaction.

use std::collections::BTreeSet;
use std::sync::Arc;

use node_storage_contract::{
    Appended, BlockNo, BlockTime, Conflict, ConflictReason, Cursor, CursorMoved, IndexEntry, IndexOutcome, Indexed,
    OperationPosition, PublishedBlock, Reason, Result, StorageError, Subject,
};

use super::conflicts::conflict;
use super::list::Fault;
use crate::model::{Block, Content};

/// Appends with the fault, which may change and accept what a correct store refuses.
pub(super) fn append(
    fault: Fault,
    content: &mut Content,
    expected: Option<Cursor>,
    mut delivered: Vec<PublishedBlock>,
    cursor: Cursor,
) -> Result<Appended> {
    let before = content.cursor;
    let brings_nothing = delivered.iter().all(|block| content.blocks.contains_key(&block.number));
    let mut expected = if fault == Fault::IgnoresExpectedCursorOfRedelivery && brings_nothing {
        before
    } else {
        believed(fault, before, expected)
    };
    let known: BTreeSet<BlockNo> = content.blocks.keys().copied().collect();
    let lowest = delivered.iter().map(|block| block.number).min();
    for block in &mut delivered {
        if let Some(known) = content.blocks.get(&block.number) {
            let is_lowest = Some(block.number) == lowest;
            forgive(fault, known, block, is_lowest);
        }
    }
    let mut mended = BTreeSet::new();
    let appended = loop {
        let mut attempt = content.clone();
        match attempt.append(expected, &delivered, cursor) {
            Ok(appended) => {
                *content = attempt;
                break appended;
            }
            Err(StorageError::Conflict(conflict)) => {
                let is_mended = match conflict.at {
                    Subject::Cursor(at) => {
                        let is_mended = mend_cursor(fault, conflict.reason, content, at);
                        if expected == before {
                            expected = content.cursor;
                        }
                        is_mended
                    }
                    at => {
                        let number = block_of(at);
                        number.is_some_and(|number| mended.insert(number))
                            && mend_block(fault, &conflict, content, &mut delivered)
                    }
                };
                if !is_mended {
                    match fault {
                        Fault::NamesHighestContradiction => {
                            return Err(highest(content, expected, delivered, cursor, conflict).into());
                        }
                        Fault::CommitsRefusedWrites => *content = attempt,
                        Fault::RefusedCallMovesCursor
                            if content.cursor.is_none_or(|stored| stored.slot < cursor.slot) =>
                        {
                            content.cursor = Some(cursor);
                        }
                        _ => {}
                    }
                    return Err(conflict.into());
                }
            }
            Err(error) => return Err(misnamed(fault, error)),
        }
    };
    after_append(fault, content, &known, &delivered)?;
    if fault == Fault::MovesCursorBackward && before.is_some_and(|before| cursor.slot < before.slot) {
        content.cursor = Some(cursor);
    }
    Ok(appended)
}

/// Returns the conflict of the highest block that has one.
fn highest(
    content: &Content,
    expected: Option<Cursor>,
    mut delivered: Vec<PublishedBlock>,
    cursor: Cursor,
    first: Conflict,
) -> Conflict {
    let mut last = first;
    while let Some(number) = block_of(last.at) {
        delivered.retain(|block| block.number != number);
        match content.clone().append(expected, &delivered, cursor) {
            Err(StorageError::Conflict(next)) => last = next,
            _ => break,
        }
    }
    last
}

/// Returns the cursor by which the fault judges what the caller expects.
fn believed(fault: Fault, stored: Option<Cursor>, expected: Option<Cursor>) -> Option<Cursor> {
    let is_forgiven = match (fault, expected, stored) {
        (Fault::IgnoresExpectedCursor, ..)
        | (Fault::TakesEmptyExpectationForAny, None, _)
        | (Fault::TakesAnyExpectationOfEmptyStore, _, None) => true,
        (Fault::ComparesExpectedCursorByPlace, Some(expected), Some(stored)) => {
            (expected.slot, expected.block) == (stored.slot, stored.block)
        }
        (Fault::AcceptsExpectationsBelowTheCursor, Some(expected), Some(stored)) => expected.block <= stored.block,
        (Fault::AcceptsExpectationsAboveTheCursor, Some(expected), Some(stored)) => expected.block >= stored.block,
        _ => false,
    };
    if is_forgiven { stored } else { expected }
}

/// Returns the refusal with its cursors exchanged, if the fault does that.
fn misnamed(fault: Fault, error: StorageError) -> StorageError {
    match error {
        StorageError::CursorMoved(moved) if fault == Fault::ExchangesExpectedAndStored => Box::new(CursorMoved {
            expected: moved.stored,
            stored: moved.expected,
        })
        .into(),
        StorageError::CursorMoved(moved) if fault == Fault::TakesMovedCursorForConflict => match moved.stored {
            Some(stored) => conflict(stored, ConflictReason::CursorFork { stored }),
            None => moved.into(),
        },
        error => error,
    }
}

/// Does what the fault does after an append that was accepted.
fn after_append(
    fault: Fault,
    content: &mut Content,
    known: &BTreeSet<BlockNo>,
    delivered: &[PublishedBlock],
) -> Result<()> {
    let added: Vec<BlockNo> = content
        .blocks
        .keys()
        .filter(|number| !known.contains(number))
        .copied()
        .collect();
    match fault {
        Fault::StoresEmptyBlocks => {
            for block in delivered {
                if let std::collections::btree_map::Entry::Vacant(new) = content.blocks.entry(block.number) {
                    new.insert(Arc::new(Block::delivered(block)?));
                }
            }
        }
        Fault::StoresRepeatedOperationOnce => {
            let Content { blocks, ids, .. } = content;
            for (number, block) in blocks {
                Arc::make_mut(block).operations.retain(|(absn, osn), bytes| {
                    let position = OperationPosition {
                        block: *number,
                        absn: *absn,
                        osn: *osn,
                    };
                    ids.get(&bytes.id()) == Some(&position)
                });
            }
        }
        Fault::RedeliveryResetsOutcomes => {
            for (position, outcome) in &mut content.index {
                if delivered.iter().any(|block| block.number == position.block) {
                    *outcome = left_out();
                }
            }
        }
        Fault::SharesTimeWithinCall => {
            let first = delivered.first().map(|block| block.time);
            set_times(content, &added, std::iter::repeat_n(first, added.len()).flatten());
        }
        Fault::PairsTimesInOrderOfDelivery => {
            let new = delivered.iter().filter(|block| added.contains(&block.number));
            set_times(content, &added, new.map(|block| block.time));
        }
        _ => {}
    }
    Ok(())
}

fn set_times(content: &mut Content, numbers: &[BlockNo], times: impl Iterator<Item = BlockTime>) {
    for (number, time) in numbers.iter().zip(times) {
        if let Some(block) = content.blocks.get_mut(number).map(Arc::make_mut) {
            block.header.time = time;
        }
    }
}

/// Makes a block that is delivered again equal to the stored one, in everything that the fault does not compare.
fn forgive(fault: Fault, known: &Block, delivered: &mut PublishedBlock, is_lowest: bool) {
    match fault {
        Fault::KeepsStoredBlockSilently | Fault::ForgetsBlocksOnReopening => *delivered = known.published(),
        Fault::JudgesLowestBlockAlone if !is_lowest => *delivered = known.published(),
        Fault::ComparesHashesByPrefix if same_prefix(delivered.hash.as_bytes(), known.header.hash.as_bytes()) => {
            delivered.hash = known.header.hash;
        }
        Fault::ComparesTimesInSeconds => {
            let seconds = |time: BlockTime| time.unix_micros().div_euclid(1_000_000);
            if seconds(delivered.time) == seconds(known.header.time) {
                delivered.time = known.header.time;
            }
        }
        _ => {}
    }
    for (place, transaction) in delivered.transactions.iter_mut().enumerate() {
        let absn = transaction.absn;
        if let Some(id) = known.transactions.get(&absn) {
            let is_unseen = match fault {
                Fault::ComparesFirstTransactionAlone => place > 0,
                Fault::ComparesHashesByPrefix => same_prefix(id.as_bytes(), transaction.id.as_bytes()),
                _ => false,
            };
            if is_unseen {
                transaction.id = *id;
            }
        }
        for (index, operation) in transaction.operations.iter_mut().enumerate() {
            let Some(bytes) = known.operations.get(&(absn, operation.osn)) else {
                continue;
            };
            let is_unseen = match fault {
                Fault::ComparesFirstTransactionAlone => place > 0,
                Fault::ComparesFirstOperationAlone => place > 0 || index > 0,
                Fault::ComparesLengthsOfOperations => operation.bytes.as_slice().len() == bytes.as_slice().len(),
                Fault::ComparesFirst32766Operations => index >= 32_766,
                _ => false,
            };
            if is_unseen {
                operation.bytes = bytes.clone();
            }
        }
    }
}

/// Whether two hashes differ at most in their last byte.
pub(super) fn same_prefix(one: &[u8; 32], other: &[u8; 32]) -> bool {
    one.iter().zip(other).take(31).all(|(one, other)| one == other)
}

const fn block_of(at: Subject) -> Option<BlockNo> {
    match at {
        Subject::Block(number) | Subject::Transaction(number, _) => Some(number),
        Subject::Operation(position) => Some(position.block),
        Subject::Cursor(_) => None,
    }
}

/// Changes the content or the delivery so that the conflict is gone. Returns whether the fault does that.
fn mend_block(fault: Fault, conflict: &Conflict, content: &mut Content, delivered: &mut [PublishedBlock]) -> bool {
    let lowest = delivered.iter().map(|block| block.number).min();
    let Some(number) = block_of(conflict.at) else {
        return false;
    };
    let Some(block) = delivered.iter_mut().find(|block| block.number == number) else {
        return false;
    };
    let Ok(new) = Block::delivered(block) else { return false };
    let is_elsewhere = matches!(conflict.reason, ConflictReason::TransactionElsewhere { .. });
    match (fault, content.blocks.get_mut(&number).map(Arc::make_mut)) {
        (Fault::ReplacesStoredBlock, Some(known)) => *known = new,
        (Fault::AddsRowsToStoredBlock, Some(known)) => {
            for (absn, id) in new.transactions {
                known.transactions.entry(absn).or_insert(id);
            }
            for (key, bytes) in new.operations {
                known.operations.entry(key).or_insert(bytes);
            }
            *block = known.published();
        }
        (Fault::StoresLateBlocks, None) if conflict.reason == ConflictReason::BelowCursor => content.add(new),
        (Fault::StoresTransactionIdTwice | Fault::ForgetsTransactionIdsOnReopening, None) if is_elsewhere => {
            content.add(new);
        }
        (Fault::ChecksTransactionIdsOfLowestBlockAlone, None) if is_elsewhere && Some(number) != lowest => {
            content.add(new);
        }
        _ => return false,
    }
    true
}

/// Does the same for a conflict of the cursor `at`.
fn mend_cursor(fault: Fault, reason: ConflictReason, content: &mut Content, at: Cursor) -> bool {
    let ConflictReason::CursorFork { stored } = reason else {
        let ConflictReason::CursorOrder { stored } = reason else {
            return false;
        };
        let is_mended = fault == Fault::MovesCursorBySlotAlone && at.slot > stored.slot;
        if is_mended {
            content.cursor = Some(at);
        }
        return is_mended;
    };
    let is_mended = match fault {
        Fault::MovesCursorToFork | Fault::ForgetsCursorHashOnReopening => true,
        Fault::ComparesHashesByPrefix => same_prefix(at.hash.as_bytes(), stored.hash.as_bytes()),
        _ => false,
    };
    if is_mended {
        content.cursor = Some(at);
    }
    is_mended
}

/// Moves the cursor with the fault.
pub(super) fn move_cursor(fault: Fault, content: &mut Content, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
    let before = content.cursor;
    if fault != Fault::MovesIgnoreExpectedCursor {
        let judged = content.must_stand_at(believed(fault, before, expected));
        judged.map_err(|error| misnamed(fault, error))?;
    }
    match content.move_cursor(cursor) {
        Err(StorageError::Conflict(conflict)) if mend_cursor(fault, conflict.reason, content, cursor) => Ok(()),
        Ok(()) => {
            let order = before.map(|before| cursor.slot.cmp(&before.slot));
            match (fault, before) {
                (Fault::MovesCursorBackward, Some(_)) if order == Some(std::cmp::Ordering::Less) => {
                    content.cursor = Some(cursor);
                }
                (Fault::RefusesLowerCursors, Some(stored)) if order == Some(std::cmp::Ordering::Less) => {
                    return Err(conflict(cursor, ConflictReason::CursorOrder { stored }));
                }
                (Fault::RefusesEqualCursors, Some(stored)) if stored == cursor => {
                    return Err(conflict(cursor, ConflictReason::CursorOrder { stored }));
                }
                _ => {}
            }
            Ok(())
        }
        refused => refused,
    }
}

/// The outcome of an operation that a batch leaves out, with a fault that accepts such a batch.
fn left_out() -> IndexOutcome {
    IndexOutcome::Ignored {
        reason: Reason::new("left out"),
    }
}

/// Indexes a batch with the fault.
pub(super) fn index(fault: Fault, content: &mut Content, mut batch: Vec<IndexEntry>) -> Result<Indexed> {
    let watermark = content.watermark();
    change_batch(fault, content, &mut batch)?;
    let mut indexed = loop {
        match content.index(&batch) {
            Err(StorageError::Conflict(conflict)) => {
                if !mend_batch(fault, &conflict, &mut batch) {
                    if fault == Fault::RefusedBatchIsIndexedUpToItsConflict {
                        index_up_to(&conflict, content, &batch);
                    }
                    return Err(conflict.into());
                }
            }
            answer => break answer?,
        }
    };
    let last = batch.iter().map(|entry| entry.position).max();
    match fault {
        Fault::ReplacesEntriesBelowWatermark => {
            let entries = batch.iter().map(|entry| (entry.position, entry.outcome.clone()));
            content.index.extend(entries);
        }
        Fault::LowerBatchMovesWatermarkBack => content
            .index
            .retain(|position, _| last.is_none_or(|last| *position <= last)),
        Fault::CountsPassedEntries => indexed.entries = batch.len(),
        Fault::EmptyBatchHasNoWatermark if batch.is_empty() => indexed.watermark = None,
        Fault::AnswersLastEntryAsWatermark => indexed.watermark = last.or(watermark),
        _ => {}
    }
    Ok(indexed)
}

/// Changes a batch before it is judged, if the fault does that.
fn change_batch(fault: Fault, content: &Content, batch: &mut Vec<IndexEntry>) -> Result<()> {
    let watermark = content.watermark();
    match fault {
        Fault::StopsAtUndecodable => {
            batch.sort_by_key(|entry| entry.position);
            let is_undecodable = |entry: &IndexEntry| matches!(entry.outcome, IndexOutcome::Undecodable { .. });
            let end = batch.iter().position(is_undecodable).unwrap_or(batch.len());
            batch.truncate(end);
        }
        Fault::CutsBatchesAt32766Entries => batch.truncate(32_766),
        Fault::RefusesUnorderedEntries => {
            let mut pairs = batch.windows(2);
            let disorder = pairs.find(|pair| matches!(pair, [one, next] if one.position > next.position));
            if let Some([_, next]) = disorder {
                return Err(conflict(next.position, ConflictReason::IndexGap));
            }
        }
        Fault::RefusesEntriesBelowWatermark => {
            if let Some(entry) = batch.iter().find(|entry| Some(entry.position) <= watermark) {
                return Err(conflict(entry.position, ConflictReason::IndexedTwice));
            }
        }
        Fault::PairsOutcomesInOrderOfDelivery => {
            let outcomes: Vec<_> = batch.iter().map(|entry| entry.outcome.clone()).collect();
            batch.sort_by_key(|entry| entry.position);
            for (entry, outcome) in batch.iter_mut().zip(outcomes) {
                entry.outcome = outcome;
            }
        }
        Fault::CountsEntriesToFindGaps => {
            let stored = content.positions();
            let first = batch.iter().map(|entry| entry.position).min();
            let last = batch.iter().map(|entry| entry.position).max();
            let within: Vec<_> = stored
                .iter()
                .filter(|position| first <= Some(**position) && Some(**position) <= last)
                .collect();
            if within.len() == batch.len() {
                let named: BTreeSet<_> = batch.iter().map(|entry| entry.position).collect();
                batch.retain(|entry| stored.contains(&entry.position));
                let missing = within.into_iter().filter(|position| !named.contains(position));
                batch.extend(missing.map(|position| IndexEntry {
                    position: *position,
                    outcome: left_out(),
                }));
            }
        }
        Fault::EmptyBatchMovesWatermark if batch.is_empty() => {
            let next = content
                .positions()
                .into_iter()
                .find(|position| Some(*position) > watermark);
            batch.extend(next.map(|position| IndexEntry {
                position,
                outcome: left_out(),
            }));
        }
        _ => {}
    }
    Ok(())
}

/// Changes the batch so that the conflict is gone. Returns whether the fault does that.
fn mend_batch(fault: Fault, conflict: &Conflict, batch: &mut Vec<IndexEntry>) -> bool {
    let Subject::Operation(position) = conflict.at else {
        return false;
    };
    let (first, last) = (
        batch.iter().map(|entry| entry.position).min(),
        batch.iter().map(|entry| entry.position).max(),
    );
    let is_mended = match (conflict.reason, fault) {
        (ConflictReason::IndexGap, Fault::IgnoresOperationsInGaps)
        | (ConflictReason::UnknownPosition, Fault::PassesOverUnknownPositions) => true,
        (ConflictReason::IndexGap, Fault::AcceptsGapsOfWholeBlocks) => {
            batch.iter().all(|entry| entry.position.block != position.block)
                && first.is_some_and(|first| first < position)
        }
        (ConflictReason::UnknownPosition, Fault::PassesOverUnknownPositionsInside) => {
            Some(position) != first && Some(position) != last
        }
        _ => false,
    };
    if is_mended && conflict.reason == ConflictReason::UnknownPosition {
        batch.retain(|entry| entry.position != position);
    } else if is_mended {
        batch.push(IndexEntry {
            position,
            outcome: left_out(),
        });
    }
    is_mended
}

/// Indexes what is above the watermark and below the conflict.
fn index_up_to(conflict: &Conflict, content: &mut Content, batch: &[IndexEntry]) {
    let watermark = content.watermark();
    let stored = content.positions();
    for entry in batch {
        if let Subject::Operation(end) = conflict.at
            && entry.position < end
            && Some(entry.position) > watermark
            && stored.contains(&entry.position)
        {
            content.index.insert(entry.position, entry.outcome.clone());
        }
    }
}

/// Returns what others see of a write before its end; `None` if the write is one transaction.
pub(super) fn uncommitted(fault: Fault, before: &Content, changed: &Content) -> Option<Content> {
    let mut shown = match fault {
        Fault::WritesCursorAfterBlocks => Content {
            cursor: before.cursor,
            ..changed.clone()
        },
        Fault::WritesCursorBeforeBlocks => Content {
            cursor: changed.cursor,
            ..before.clone()
        },
        Fault::RemovesCursorToWriteIt => Content {
            cursor: None,
            ..changed.clone()
        },
        Fault::StoresOperationsOneByOne | Fault::IndexesOneByOne => changed.clone(),
        _ => return None,
    };
    if fault == Fault::StoresOperationsOneByOne {
        for (number, block) in &mut shown.blocks {
            if !before.blocks.contains_key(number) {
                Arc::make_mut(block).operations.pop_last();
            }
        }
    }
    if fault == Fault::IndexesOneByOne && before.index.len() + 1 < changed.index.len() {
        shown.index.pop_last();
    }
    Some(shown)
}
