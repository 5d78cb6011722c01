//! What a step asks of a store, given what the model holds.

use std::collections::{BTreeMap, BTreeSet};

use node_storage_contract::{
    BlockNo, Cursor, IndexEntry, IndexOutcome, OperationIndex, OperationPosition, PageLimit, PublishedBlock,
    PublishedOperation, PublishedTransaction, Reason, SlotNo, TransactionId, TransactionIndex,
};

use super::call::Call;
use super::detail::{above, published, set_last_id};
use super::step::{After, BatchFlaw, Belief, Block, Flaw, Order, Outcome, Place, Question, Step};
use super::vocabulary::{storage_hashes, suffix};
use crate::data::{SEED, block_no, cursor_at, limit, osn, other_hash, slot_no, storage_hash};
use crate::lens::read::Read;
use crate::observe::Observation;

/// What the model holds when a step comes.
pub(super) struct Known<'a> {
    observation: &'a Observation,
    /// The stored blocks, by number.
    blocks: Vec<PublishedBlock>,
}

impl<'a> Known<'a> {
    pub(super) fn new(observation: &'a Observation) -> Self {
        Self {
            observation,
            blocks: stored_blocks(observation),
        }
    }

    pub(super) fn call(&self, step: &Step) -> Call {
        match step {
            Step::Append { blocks, order, cursor } => self.append(self.new_blocks(blocks), *order, *cursor),
            Step::Redeliver {
                stored,
                new,
                order,
                cursor,
            } => {
                let mut blocks: Vec<_> = stored.iter().filter_map(|index| self.stored(*index)).cloned().collect();
                blocks.extend(self.new_blocks(new));
                self.append(blocks, *order, *cursor)
            }
            Step::Fork {
                stored,
                change,
                new,
                cursor,
            } => {
                let mut blocks: Vec<_> = self.stored(*stored).cloned().into_iter().collect();
                if let Some(block) = blocks.first_mut() {
                    change.apply(block);
                }
                blocks.extend(self.new_blocks(new));
                self.append(blocks, Order::Ascending, *cursor)
            }
            Step::Contradict { blocks, flaw } => self.contradict(self.new_blocks(blocks), *flaw),
            Step::MoveCursor(place) => Call::AdvanceCursor(self.observation.cursor, self.cursor_of(&[], *place)),
            Step::Mistake { blocks, belief } => self.mistake(self.new_blocks(blocks), *belief),
            Step::Index {
                from,
                length,
                outcomes,
                flaw,
                order,
            } => Call::Index(order.arrange(self.batch(*from, *length, outcomes, *flaw))),
            Step::IndexAll => Call::IndexAll,
            Step::Read(question) => Call::Read(self.read(question)),
            Step::Reopen => Call::Reopen,
            Step::BackUp => Call::BackUp,
            Step::Move => Call::Move,
        }
    }

    fn append(&self, blocks: Vec<PublishedBlock>, order: Order, cursor: Place) -> Call {
        let cursor = self.cursor_of(&blocks, cursor);
        let mut blocks = order.arrange(blocks);
        for block in &mut blocks {
            block.transactions = order.arrange(std::mem::take(&mut block.transactions));
            for transaction in &mut block.transactions {
                transaction.operations = order.arrange(std::mem::take(&mut transaction.operations));
            }
        }
        Call::Append(self.observation.cursor, blocks, cursor)
    }

    fn mistake(&self, blocks: Vec<PublishedBlock>, belief: Belief) -> Call {
        let stored = self.observation.cursor;
        let expected = match belief {
            Belief::Empty => None,
            Belief::At(place) => Some(self.cursor_of(&[], place)),
            Belief::AtLastBlock => blocks.last().map(cursor_at).or(stored),
            Belief::AtStored(index) => self.stored(index).map(cursor_at).or(stored),
        };
        let cursor = self.cursor_of(&blocks, Place::There);
        if blocks.is_empty() {
            Call::AdvanceCursor(expected, cursor)
        } else {
            Call::Append(expected, blocks, cursor)
        }
    }

    fn contradict(&self, mut blocks: Vec<PublishedBlock>, flaw: Flaw) -> Call {
        let slot_before = blocks
            .iter()
            .rev()
            .nth(1)
            .map(|block| block.slot)
            .or(self.observation.cursor.map(|cursor| cursor.slot));
        let first_id = blocks
            .iter()
            .flat_map(|block| &block.transactions)
            .map(|first| first.id)
            .next();
        let mut place = Place::There;
        match flaw {
            Flaw::Twice(change) => {
                if let Some(mut block) = blocks.last().cloned() {
                    change.apply(&mut block);
                    blocks.push(block);
                }
            }
            Flaw::SameSlot => {
                if let (Some(block), Some(slot)) = (blocks.last_mut(), slot_before) {
                    block.slot = slot;
                }
            }
            Flaw::SameId => set_last_id(&mut blocks, first_id),
            Flaw::StoredId(index) => set_last_id(&mut blocks, self.stored_transaction(index)),
            Flaw::Below => {
                if let (Some(block), Some(cursor)) = (blocks.first_mut(), self.observation.cursor) {
                    let taken: BTreeSet<_> = self.blocks.iter().map(|block| block.number).collect();
                    let free = (0..cursor.block.get())
                        .rev()
                        .map(block_no)
                        .find(|number| !taken.contains(number));
                    if let Some(number) = free {
                        *block = PublishedBlock {
                            number,
                            slot: slot_no(cursor.slot.get().saturating_sub(1)),
                            hash: prism_fixtures::block_hash(SEED, number.get()),
                            ..block.clone()
                        };
                        place = Place::Kept;
                    }
                }
            }
            Flaw::Cursor(other) => place = other,
        }
        let cursor = self.cursor_of(&blocks, place);
        Call::Append(self.observation.cursor, blocks, cursor)
    }

    /// Blocks above the stored cursor.
    fn new_blocks(&self, blocks: &[Block]) -> Vec<PublishedBlock> {
        let cursor = self.observation.cursor;
        let mut last = cursor.map(|cursor| (cursor.block.get(), cursor.slot.get()));
        let mut new = Vec::new();
        for block in blocks {
            // The first block of a ledger may have number and slot 0.
            let (number, slot) = last.map_or(
                (
                    above(0, block.number_gap.saturating_sub(1)),
                    above(0, block.slot_gap.saturating_sub(1)),
                ),
                |(number, slot)| (above(number, block.number_gap), above(slot, block.slot_gap)),
            );
            last = Some((number, slot));
            let transactions = block
                .transactions
                .iter()
                .map(|transaction| published(number, transaction));
            let made = prism_fixtures::block_of(SEED, number, slot, transactions.collect());
            new.push(PublishedBlock {
                time: block.time.at(made.time),
                ..made
            });
        }
        new
    }

    /// The cursor at this place, seen from the last of these blocks, from the stored cursor where there are none.
    fn cursor_of(&self, blocks: &[PublishedBlock], place: Place) -> Cursor {
        let stored = self.observation.cursor;
        let last = blocks.iter().max_by_key(|block| block.number).map(cursor_at);
        let there = last.or(stored).unwrap_or_else(|| at(0, 0));
        let (number, slot) = (there.block.get(), there.slot.get());
        match place {
            Place::There => there,
            Place::Ahead(numbers, slots) => at(above(number, numbers), above(slot, slots)),
            Place::Behind => at(number.saturating_sub(1), slot.saturating_sub(1)),
            Place::OtherFork => Cursor {
                hash: other_hash(number),
                ..there
            },
            Place::NumberAhead => at(above(number, 1), slot),
            Place::SlotAhead => Cursor {
                slot: slot_no(above(slot, 1)),
                ..there
            },
            Place::Crossing => at(above(number, 1), slot.saturating_sub(1)),
            Place::Kept => stored.filter(|stored| stored.block > there.block).unwrap_or(there),
            Place::Highest => at(BlockNo::MAX.get(), SlotNo::MAX.get()),
        }
    }

    fn stored(&self, index: usize) -> Option<&PublishedBlock> {
        nth(&self.blocks, index)
    }

    fn stored_transaction(&self, index: usize) -> Option<TransactionId> {
        nth(&self.observation.transactions, index).map(|transaction| transaction.id)
    }

    fn stored_position(&self, index: usize) -> Option<OperationPosition> {
        nth(&self.observation.operations, index).map(|record| record.operation.position)
    }

    fn batch(&self, from: i8, length: usize, outcomes: &[Outcome], flaw: Option<BatchFlaw>) -> Vec<IndexEntry> {
        let operations = &self.observation.operations;
        let indexed = operations.iter().filter(|record| record.indexing.is_some()).count();
        let offset = usize::from(from.unsigned_abs());
        let first = if from < 0 {
            indexed.saturating_sub(offset)
        } else {
            indexed.saturating_add(offset)
        };
        let run = operations.iter().skip(first).take(length);
        let mut entries: Vec<_> = run
            .zip(outcomes.iter().cycle())
            .map(|(record, outcome)| IndexEntry {
                position: record.operation.position,
                outcome: outcome.of(record.operation.bytes.as_slice()),
            })
            .collect();
        match flaw {
            Some(BatchFlaw::LeftOut(index)) if !entries.is_empty() => {
                entries.remove(index % entries.len());
            }
            Some(BatchFlaw::Unknown(index)) => {
                let taken: BTreeSet<_> = operations.iter().map(|record| record.operation.position).collect();
                let beside = nth(&entries, index).map_or(crate::data::position(0, 0, 0), |entry| entry.position);
                let free = (beside.osn.get()..OperationIndex::MAX.get())
                    .map(|index| OperationPosition {
                        osn: osn(u64::from(index)),
                        ..beside
                    })
                    .find(|position| !taken.contains(position));
                entries.extend(free.map(crate::data::ignored));
            }
            Some(BatchFlaw::UnknownHighest) => entries.push(crate::data::ignored(HIGHEST)),
            Some(BatchFlaw::Repeated(index)) => entries.extend(nth(&entries, index).cloned()),
            Some(BatchFlaw::Disputed(index)) => {
                let other = nth(&entries, index).map(|entry| IndexEntry {
                    position: entry.position,
                    outcome: IndexOutcome::Ignored {
                        reason: Reason::new("disputed"),
                    },
                });
                entries.extend(other);
            }
            Some(BatchFlaw::LeftOut(_)) | None => {}
        }
        entries
    }

    fn read(&self, question: &Question) -> Read {
        let rows = |rows: u64| limit(rows.clamp(1, u64::from(PageLimit::MAX.get())));
        match question {
            Question::Page(after, limit) => Read::Operations(self.position(*after), rows(*limit)),
            Question::PublishedPage(after, limit) => Read::Published(self.position(*after), rows(*limit)),
            Question::DidPage(did, after, limit) => {
                Read::OperationsOfDid(suffix(*did), self.position(*after), rows(*limit))
            }
            Question::ListedPage(after, limit) => Read::ListedDids(self.position(*after), rows(*limit)),
            Question::Number(number) => Read::Block(block_no((*number).min(BlockNo::MAX.get()))),
            Question::IdOf(operation) => Read::Operation(operation.bytes().id()),
            Question::StoredTransaction(index, after, limit) => Read::Transaction(
                self.stored_transaction(*index).unwrap_or_else(unknown_transaction),
                self.position(*after),
                rows(*limit),
            ),
            Question::UnknownTransaction => Read::Transaction(unknown_transaction(), None, PageLimit::MAX),
            Question::Did(did) => Read::ListedDid(suffix(*did)),
            Question::Owners => {
                let mut hashes: Vec<_> = storage_hashes();
                hashes.extend((0..3).map(storage_hash));
                hashes.extend(hashes.first().copied());
                hashes.reverse();
                Read::StorageOwners(hashes)
            }
            Question::NetworkName => Read::Network,
        }
    }

    fn position(&self, after: After) -> Option<OperationPosition> {
        match after {
            After::Start => None,
            After::Stored(index) => self.stored_position(index),
            After::JustBelow(index) => {
                let position = self.stored_position(index)?;
                Some(match position.osn.get().checked_sub(1) {
                    Some(below) => OperationPosition {
                        osn: osn(u64::from(below)),
                        ..position
                    },
                    None => OperationPosition {
                        block: block_no(position.block.get().checked_sub(1)?),
                        ..HIGHEST
                    },
                })
            }
            After::End => Some(HIGHEST),
        }
    }
}

const HIGHEST: OperationPosition = OperationPosition {
    block: BlockNo::MAX,
    absn: TransactionIndex::MAX,
    osn: OperationIndex::MAX,
};

fn unknown_transaction() -> TransactionId {
    TransactionId::new([0xee; 32])
}

/// The item of this index; indexes above the last begin again at the first.
fn nth<T>(items: &[T], index: usize) -> Option<&T> {
    items.get(index.checked_rem(items.len())?)
}

/// The cursor at this number and slot, with the hash that blocks of this number have.
fn at(number: u64, slot: u64) -> Cursor {
    crate::data::cursor(slot, number)
}

/// The blocks that these records tell of.
fn stored_blocks(observation: &Observation) -> Vec<PublishedBlock> {
    let mut blocks: BTreeMap<BlockNo, PublishedBlock> = BTreeMap::new();
    for record in &observation.operations {
        let position = record.operation.position;
        let block = blocks.entry(position.block).or_insert_with(|| PublishedBlock {
            number: position.block,
            slot: record.slot,
            hash: record.block_hash,
            time: record.operation.block_time,
            transactions: Vec::new(),
        });
        if block.transactions.last().is_none_or(|last| last.absn != position.absn) {
            block.transactions.push(PublishedTransaction {
                absn: position.absn,
                id: record.transaction_id,
                operations: Vec::new(),
            });
        }
        if let Some(transaction) = block.transactions.last_mut() {
            transaction.operations.push(PublishedOperation {
                osn: position.osn,
                bytes: record.operation.bytes.clone(),
            });
        }
    }
    blocks.into_values().collect()
}
