//! What the parts of a step stand for.

use std::collections::BTreeSet;

use node_storage_contract::{
    BlockNo, BlockTime, IndexOutcome, OperationHash, OperationIndex, PublishedBlock, PublishedOperation,
    PublishedTransaction, Reason, TransactionId, TransactionIndex,
};

use super::step::{Change, Order, Outcome, Time, Transaction};
use super::vocabulary::{routed, suffix};
use crate::data::{SEED, osn, other_hash, slot_no, storage_hash, transaction_id};
use crate::lens::differences;

/// A number above another one, at most the highest that blocks and slots may have.
pub(super) fn above(number: u64, gap: u64) -> u64 {
    number.saturating_add(gap).min(BlockNo::MAX.get())
}

pub(super) fn published(block: u64, transaction: &Transaction) -> PublishedTransaction {
    let absn = TransactionIndex::try_from(transaction.absn).unwrap_or(TransactionIndex::MAX);
    PublishedTransaction {
        absn,
        id: transaction_id(block, absn.get()),
        operations: transaction
            .operations
            .iter()
            .map(|(index, operation)| PublishedOperation {
                osn: OperationIndex::try_from(*index).unwrap_or(OperationIndex::MAX),
                bytes: operation.bytes(),
            })
            .collect(),
    }
}

pub(super) fn set_last_id(blocks: &mut [PublishedBlock], id: Option<TransactionId>) {
    let last = blocks.last_mut().and_then(|block| block.transactions.last_mut());
    if let (Some(transaction), Some(id)) = (last, id) {
        transaction.id = id;
    }
}

impl Order {
    pub(super) fn arrange<T>(self, items: Vec<T>) -> Vec<T> {
        match self {
            Self::Ascending => items,
            Self::Descending => items.into_iter().rev().collect(),
            Self::Alternating => {
                let (mut even, mut odd) = (Vec::new(), Vec::new());
                for (index, item) in items.into_iter().enumerate() {
                    if index % 2 == 0 { &mut even } else { &mut odd }.push(item);
                }
                odd.append(&mut even);
                odd
            }
        }
    }
}

impl Time {
    pub(super) fn at(self, of_slot: BlockTime) -> BlockTime {
        match self {
            Self::OfSlot => of_slot,
            Self::Earliest => BlockTime::MIN,
            Self::BeforeEpoch => BlockTime::from_unix_micros(-1).expect("a time in range"),
            Self::Latest => BlockTime::MAX,
        }
    }
}

impl Change {
    pub(super) fn apply(self, block: &mut PublishedBlock) {
        let number = block.number.get();
        match self {
            Self::Hash => block.hash = other_hash(number),
            Self::LaterSlot => block.slot = slot_no(above(block.slot.get(), 1)),
            Self::EarlierSlot => block.slot = slot_no(block.slot.get().saturating_sub(1)),
            Self::BlockTime => {
                let moved = block.time.unix_micros().checked_add(1).map(BlockTime::from_unix_micros);
                block.time = moved.and_then(Result::ok).unwrap_or(BlockTime::MIN);
            }
            Self::Less => {
                if let Some(transaction) = block.transactions.last_mut() {
                    transaction.operations.pop();
                }
            }
            Self::More(operation) => {
                if block.transactions.is_empty() {
                    block.transactions.push(published(
                        number,
                        &Transaction {
                            absn: 0,
                            operations: Vec::new(),
                        },
                    ));
                }
                if let Some(transaction) = block.transactions.last_mut() {
                    let taken: BTreeSet<_> = transaction.operations.iter().map(|known| known.osn.get()).collect();
                    let free = (0..=OperationIndex::MAX.get()).find(|index| !taken.contains(index));
                    transaction.operations.extend(free.map(|index| PublishedOperation {
                        osn: osn(u64::from(index)),
                        bytes: operation.bytes(),
                    }));
                }
            }
            Self::Bytes(operation) => {
                let last = block.transactions.last_mut();
                if let Some(last) = last.and_then(|transaction| transaction.operations.last_mut()) {
                    last.bytes = operation.bytes();
                }
            }
            Self::Id => set_last_id(
                std::slice::from_mut(block),
                Some(prism_fixtures::transaction_id(SEED + 1, number, 0)),
            ),
            Self::Bare => block.transactions.clear(),
            Self::Any(number) => {
                let neighbour = crate::data::block(block.number.get());
                let differences = differences::of_block(block, &neighbour);
                if let Some(difference) = number
                    .checked_rem(differences.len())
                    .and_then(|number| differences.into_iter().nth(number))
                {
                    *block = difference.thing;
                }
            }
        }
    }
}

impl Outcome {
    pub(super) fn of(self, operation: &[u8]) -> IndexOutcome {
        let operation_hash = OperationHash::of(operation);
        match self {
            Self::Routed => routed(operation),
            Self::Lists(did) => IndexOutcome::Did {
                did: suffix(did),
                operation_hash,
                lists_did: true,
            },
            Self::OfDid(did) => IndexOutcome::Did {
                did: suffix(did),
                operation_hash,
                lists_did: false,
            },
            Self::OfStorage(did, hash) => IndexOutcome::Storage {
                did: suffix(did),
                operation_hash: storage_hash(u64::try_from(hash % 3).unwrap_or_default()),
            },
            Self::NoDid => IndexOutcome::Ignored {
                reason: Reason::new("x".repeat(Reason::MAX_LENGTH)),
            },
            Self::NoMessage => IndexOutcome::Undecodable {
                reason: Reason::new("žluťoučký 🦄 'quoted' \\ %_"),
            },
        }
    }
}
