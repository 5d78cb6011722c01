//! Writes that do not become visible as one, or forget something.

use std::sync::PoisonError;

use node_storage_contract::{
    Appended, Cursor, IndexEntry, Indexed, OperationBytes, OperationPosition, PublishedBlock, Result,
};
use tokio::sync::MutexGuard;

use super::store::{FlawedStore, pause};
use super::{Between, Flaw, Method};
use crate::model::{Content, ModelStore};

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

impl FlawedStore {
    /// The turn of a write, unless the flaw takes none.
    pub(super) async fn turn_of(&self, method: Method) -> Option<MutexGuard<'_, ()>> {
        match self.flaw {
            Flaw::Race(flawed) | Flaw::DoesNotWait(flawed) if flawed == method => None,
            _ => Some(self.model.turn().await),
        }
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
        let _turn = self.turn_of(method).await;
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
        let added = content.append(expected, &blocks, cursor)?;
        appended.blocks += added.blocks;
        appended.operations += added.operations;
        Ok(appended)
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
