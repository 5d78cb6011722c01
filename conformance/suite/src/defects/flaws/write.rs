//! Writes that do not become visible as one, or forget something.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;
use std::time::Duration;

use node_storage_contract::{
    Appended, Conflict, ConflictReason, Cursor, IndexEntry, Indexed, OperationBytes, OperationPosition, PublishedBlock,
    Result, StorageError, Subject,
};
use tokio::sync::MutexGuard;
use tokio::time::timeout;

use super::store::{FlawedStore, Held, Shared, Taken, lock, pause};
use super::{Between, Flaw, Kept, Method};
use crate::model::{Content, ModelStore};

/// How long a write waits that gives up.
const PATIENCE: Duration = Duration::from_secs(10);

/// Leaves a state behind where the future that holds this is dropped.
struct Leaves<'a> {
    model: &'a ModelStore,
    state: Option<Content>,
}

impl Drop for Leaves<'_> {
    fn drop(&mut self) {
        if let Some(state) = self.state.take() {
            *self.model.content() = state;
        }
    }
}

/// Notes a write for the next opening where the future that holds this is dropped.
struct Journaled<'a>(&'a Shared, Option<(Content, Content)>);

impl Drop for Journaled<'_> {
    fn drop(&mut self) {
        if let Some(states) = self.1.take() {
            *lock(&self.0.journal) = Some(states);
        }
    }
}

impl FlawedStore {
    /// The turn of a write, unless the flaw takes none.
    pub(super) async fn turn_of(&self, method: Method) -> Result<Option<MutexGuard<'_, ()>>> {
        Ok(match self.flaw {
            Flaw::GivesUp(flawed) if flawed == method => match timeout(PATIENCE, self.model.turn()).await {
                Ok(turn) => Some(turn),
                Err(_) => {
                    return Err(StorageError::Unavailable {
                        retryable: true,
                        detail: "it has waited for ten seconds".to_owned(),
                    });
                }
            },
            Flaw::Race(flawed) | Flaw::DoesNotWait(flawed) if flawed == method => None,
            Flaw::WaitsConnected(flawed) if flawed == method => {
                let _connection = Taken::of(&self.shared);
                Some(self.model.turn().await)
            }
            Flaw::Keeps(Kept::DroppedWaiter(flawed)) if flawed == method => {
                let mut held = Held(Some(&*self.shared));
                let turn = self.model.turn().await;
                held.0 = None;
                Some(turn)
            }
            _ => Some(self.model.turn().await),
        })
    }

    pub(super) async fn store<T>(&self, method: Method, change: impl Fn(&mut Content) -> Result<T>) -> Result<T> {
        if self.flaw == Flaw::JudgedEarly(method) {
            // Only a refusal counts: what was judged is done in its turn, whatever has happened since.
            let mut judged = self.model.content().clone();
            let accepted = change(&mut judged)?;
            pause().await;
            let _turn = self.model.turn().await;
            let mut content = self.model.content();
            let now = content.clone();
            if let Ok(answer) = change(&mut content) {
                return Ok(answer);
            }
            let mut merged = judged;
            merged.blocks.extend(now.blocks);
            merged.ids.extend(now.ids);
            merged.index.extend(now.index);
            merged.cursor = merged.cursor.max_by_block(now.cursor);
            *content = merged;
            return Ok(accepted);
        }
        let _turn = self.turn_of(method).await?;
        self.write_what_is_unwritten();
        self.install(method, change).await
    }

    /// Makes the new state out of the old one, and stores it.
    pub(super) async fn install<T>(&self, method: Method, change: impl Fn(&mut Content) -> Result<T>) -> Result<T> {
        let before = self.model.content().clone();
        let mut after = before.clone();
        let answer = change(&mut after)?;
        match self.flaw {
            Flaw::Shown(flawed, between) if flawed == method => {
                *self.model.content() = between.of(&before, &after);
                pause().await;
            }
            Flaw::Left(flawed, between) if flawed == method => {
                let mut leaves = Leaves {
                    model: &self.model,
                    state: Some(between.of(&before, &after)),
                };
                pause().await;
                leaves.state = None;
            }
            Flaw::Replays(flawed) if flawed == method => {
                let mut journaled = Journaled(&self.shared, Some((before.clone(), after.clone())));
                pause().await;
                journaled.1 = None;
            }
            Flaw::InParts(flawed, rows) if flawed == method => {
                let open =
                    |content: &Content| content.bound().operations + u64::try_from(content.index.len()).unwrap_or(0);
                if open(&after) - open(&before) > u64::try_from(rows).unwrap_or(0) {
                    *self.model.content() = Between::Half.of(&before, &after);
                    pause().await;
                }
            }
            Flaw::WatermarkLater if method == Method::Index => {
                *lock(&self.shared.watermark_of) = Some(before.clone());
                *self.model.content() = after.clone();
                pause().await;
                *lock(&self.shared.watermark_of) = None;
            }
            Flaw::Race(flawed) if flawed == method => pause().await,
            Flaw::Late(flawed, scope) if flawed == method => {
                self.hold_back(scope, after);
                return Ok(answer);
            }
            _ => {}
        }
        *self.model.content() = after;
        self.forget();
        let mut before_last = self.opening.before_last.lock().unwrap_or_else(PoisonError::into_inner);
        *before_last = (self.flaw == Flaw::Lost(method)).then_some(before);
        Ok(answer)
    }

    pub(super) fn append_to(
        &self,
        content: &mut Content,
        expected: Option<Cursor>,
        blocks: &[PublishedBlock],
        cursor: Cursor,
    ) -> Result<Appended> {
        let expected = self.expected_of(Method::Append, expected, content.cursor);
        let mut blocks = self.blind_to(content, blocks);
        let mut appended = Appended::default();
        if let Flaw::CutsValues(most) = self.flaw {
            for operation in operations_of(&mut blocks) {
                let cut = operation.as_slice().get(..most).map(<[u8]>::to_vec);
                *operation = cut
                    .and_then(|cut| OperationBytes::try_from(cut).ok())
                    .unwrap_or_else(|| operation.clone());
            }
        }
        let count = operations_of(&mut blocks).count();
        if self.flaw == Flaw::LosesLastOf(Method::Append, count) {
            let last = blocks.iter_mut().max_by_key(|block| block.number);
            if let Some(transaction) = last.and_then(|block| block.transactions.last_mut()) {
                transaction.operations.pop();
                appended.operations = 1;
            }
        }
        self.must_be_free(&blocks)?;
        let before = matches!(self.flaw, Flaw::ChecksFirstIds(_) | Flaw::NamesInTurn).then(|| content.clone());
        let added = match content.append(expected, &blocks, cursor) {
            Ok(added) => added,
            Err(refusal) => {
                self.reserve(Method::Append, &blocks);
                let Some(before) = before else {
                    return Err(refusal);
                };
                // What was refused may have changed some of it.
                *content = before;
                self.named_in_turn(content, expected, &mut blocks, cursor, refusal)?
            }
        };
        appended.blocks += added.blocks;
        appended.operations += added.operations;
        Ok(appended)
    }

    /// Refuses what takes a place that a refused call has kept.
    fn must_be_free(&self, blocks: &[PublishedBlock]) -> Result<()> {
        let (ids, hashes) = (lock(&self.shared.reserved_ids), lock(&self.shared.reserved_hashes));
        for block in blocks {
            if hashes.get(&block.number).is_some_and(|hash| *hash != block.hash) {
                return Err(conflict(block.number.into(), ConflictReason::OtherBlockHash));
            }
            for transaction in &block.transactions {
                if let Some((number, absn)) = ids.get(&transaction.id)
                    && (*number, *absn) != (block.number, transaction.absn)
                {
                    let reason = ConflictReason::TransactionElsewhere {
                        id: transaction.id,
                        block: *number,
                        absn: *absn,
                    };
                    return Err(conflict(Subject::Transaction(block.number, transaction.absn), reason));
                }
            }
        }
        Ok(())
    }

    /// What becomes of a refused append: nothing else, unless it is refused for a transaction that is stored elsewhere.
    fn named_in_turn(
        &self,
        content: &mut Content,
        expected: Option<Cursor>,
        blocks: &mut [PublishedBlock],
        cursor: Cursor,
        refusal: StorageError,
    ) -> Result<Appended> {
        let StorageError::Conflict(Conflict {
            reason: ConflictReason::TransactionElsewhere { id, .. },
            ..
        }) = &refusal
        else {
            return Err(refusal);
        };
        let mut places = blocks.iter().flat_map(|block| &block.transactions);
        let place = places.position(|transaction| transaction.id == *id).unwrap_or(0);
        let is_passed_over = match self.flaw {
            Flaw::ChecksFirstIds(count) => place >= count,
            Flaw::NamesInTurn => self.shared.refusals.fetch_add(1, Ordering::Relaxed) % 2 == 1,
            _ => false,
        };
        if !is_passed_over {
            return Err(refusal);
        }
        for block in blocks.iter_mut() {
            block.transactions.retain(|transaction| transaction.id != *id);
        }
        match content.append(expected, blocks, cursor) {
            Err(StorageError::Conflict(other))
                if matches!(other.reason, ConflictReason::TransactionElsewhere { .. }) =>
            {
                Err(other.into())
            }
            _ if self.flaw == Flaw::NamesInTurn => Err(refusal),
            answer => answer,
        }
    }

    pub(super) fn index_in(&self, content: &mut Content, batch: &[IndexEntry]) -> Result<Indexed> {
        let mut batch = self.blind_to_entries(batch);
        if self.flaw == Flaw::LosesLastOf(Method::Index, batch.len()) {
            let last = batch.iter().map(|entry| entry.position).max();
            batch.retain(|entry| Some(entry.position) != last);
            let mut indexed = content.index(&batch)?;
            if indexed.entries > 0 {
                indexed.entries += 1;
                indexed.watermark = last;
            }
            return Ok(indexed);
        }
        content.index(&batch)
    }

    pub(super) fn advance_in(&self, content: &mut Content, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        let expected = self.expected_of(Method::AdvanceCursor, expected, content.cursor);
        content.must_stand_at(expected)?;
        content.move_cursor(cursor)
    }
}

fn conflict(at: Subject, reason: ConflictReason) -> StorageError {
    Conflict { at, reason }.into()
}

fn operations_of(blocks: &mut [PublishedBlock]) -> impl Iterator<Item = &mut OperationBytes> {
    let transactions = blocks.iter_mut().flat_map(|block| &mut block.transactions);
    transactions.flat_map(|transaction| transaction.operations.iter_mut().map(|operation| &mut operation.bytes))
}

/// The higher of two cursors.
trait Higher {
    fn max_by_block(self, other: Self) -> Self;
}

impl Higher for Option<Cursor> {
    fn max_by_block(self, other: Self) -> Self {
        [self, other].into_iter().flatten().max_by_key(|cursor| cursor.block)
    }
}

impl Between {
    fn of(self, before: &Content, after: &Content) -> Content {
        let middle = |old: usize, new: usize| old + new.saturating_sub(old) / 2;
        match self {
            Self::CursorAlone => Content {
                cursor: after.cursor,
                ..before.clone()
            },
            Self::WithoutCursor => Content {
                cursor: before.cursor,
                ..after.clone()
            },
            Self::Half => {
                let blocks = middle(before.blocks.len(), after.blocks.len());
                let entries = middle(before.index.len(), after.index.len());
                let mut half = before.clone();
                half.blocks = after
                    .blocks
                    .iter()
                    .take(blocks)
                    .map(|(number, block)| (*number, block.clone()))
                    .collect();
                half.index = after
                    .index
                    .iter()
                    .take(entries)
                    .map(|(at, outcome)| (*at, outcome.clone()))
                    .collect();
                let known = |at: &OperationPosition| half.blocks.contains_key(&at.block);
                half.ids = after
                    .ids
                    .iter()
                    .filter(|(_, at)| known(at))
                    .map(|(id, at)| (*id, *at))
                    .collect();
                half
            }
        }
    }
}
