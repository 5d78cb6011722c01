//! The judgement of an append: what is new, what is known, what contradicts.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use did_prism::digest::{OperationId, TransactionId};
use did_prism::ledger::{
    BlockNo, OperationBytes, OperationIndex, OperationPosition, PublishedBlock, PublishedTransaction, TransactionIndex,
};

use crate::{BlockHeader, Conflict, ConflictReason, Cursor, Result, Subject};

/// The blocks of one call in ledger order, free of contradictions among themselves and with the call's cursor.
///
/// A backend makes the plan, opens its write transaction, locks and reads the cursor, compares it with the expected one
/// ([`CursorMoved::check`](crate::CursorMoved::check)), reads the [`StoredBlocks`] that [`AppendPlan::known_numbers`] names, and
/// writes what [`AppendPlan::against`] answers.
#[derive(Debug)]
pub struct AppendPlan<'a> {
    blocks: BTreeMap<BlockNo, PlannedBlock<'a>>,
    cursor: Cursor,
}

#[derive(Debug, PartialEq)]
struct PlannedBlock<'a> {
    header: BlockHeader,
    transactions: BTreeMap<TransactionIndex, PlannedTransaction<'a>>,
}

#[derive(Debug, PartialEq)]
struct PlannedTransaction<'a> {
    id: TransactionId,
    operations: BTreeMap<OperationIndex, (OperationId, &'a OperationBytes)>,
}

/// What a store holds of the blocks that an append delivers again.
#[derive(Debug, Default)]
pub struct StoredBlocks(BTreeMap<BlockNo, StoredBlock>);

#[derive(Debug)]
struct StoredBlock {
    header: BlockHeader,
    transactions: BTreeMap<TransactionIndex, (TransactionId, BTreeMap<OperationIndex, OperationId>)>,
}

/// What an append has to write, in ledger order.
#[derive(Debug, Default)]
pub struct Addition<'a> {
    /// New blocks.
    pub blocks: Vec<BlockHeader>,
    /// New transactions: block, absn, id. None of the ids may be stored; see [`Addition::transaction_elsewhere`].
    pub transactions: Vec<(BlockNo, TransactionIndex, TransactionId)>,
    /// New operations: position, id, bytes.
    pub operations: Vec<(OperationPosition, OperationId, &'a OperationBytes)>,
    /// The new cursor, where it moves.
    pub cursor: Option<Cursor>,
}

impl<'a> AppendPlan<'a> {
    /// Brings the blocks of one call into ledger order and leaves out transactions without operations.
    ///
    /// # Errors
    /// `Conflict` for contradictions within the call.
    pub fn new(blocks: &'a [PublishedBlock], cursor: Cursor) -> Result<Self> {
        let mut planned: BTreeMap<BlockNo, PlannedBlock<'a>> = BTreeMap::new();
        for block in blocks {
            let block = PlannedBlock::new(block)?;
            match planned.entry(block.header.number) {
                Entry::Vacant(vacant) => {
                    vacant.insert(block);
                }
                Entry::Occupied(known) => block.must_equal(&StoredBlock::from(known.get()))?,
            }
        }
        let plan = Self {
            blocks: planned,
            cursor,
        };
        plan.slots_ascend()?;
        plan.transaction_ids_differ()?;
        plan.cursor_is_not_below()?;
        Ok(plan)
    }

    /// Numbers of the delivered blocks that stand at or below the stored cursor: those that may be stored already.
    pub fn known_numbers(&self, stored_cursor: Option<Cursor>) -> Vec<BlockNo> {
        let cursor = stored_cursor.map(|cursor| cursor.block);
        self.blocks
            .keys()
            .copied()
            .take_while(|number| cursor.is_some_and(|cursor| *number <= cursor))
            .collect()
    }

    /// What is to be written, given the stored cursor and the stored blocks among [`AppendPlan::known_numbers`].
    ///
    /// # Errors
    /// `Conflict` for contradictions with what is stored.
    pub fn against(&self, stored_cursor: Option<Cursor>, stored: &StoredBlocks) -> Result<Addition<'a>> {
        let moved = self.cursor.advance(stored_cursor)?;
        let mut addition = self.additions(stored_cursor, stored)?;
        addition.cursor = moved;
        Ok(addition)
    }

    /// As [`AppendPlan::against`], but for the cursor of the call, which is left aside.
    pub(crate) fn additions(&self, stored_cursor: Option<Cursor>, stored: &StoredBlocks) -> Result<Addition<'a>> {
        let mut addition = Addition::default();
        for (number, block) in &self.blocks {
            if let Some(cursor) = stored_cursor {
                block.fits_beside(cursor)?;
                if let Some(known) = stored.0.get(number) {
                    block.must_equal(known)?;
                    continue;
                }
                if *number <= cursor.block && !block.transactions.is_empty() {
                    return Err(Conflict::error(*number, ConflictReason::BelowCursor));
                }
            }
            block.add_to(&mut addition);
        }
        Ok(addition)
    }

    fn slots_ascend(&self) -> Result<()> {
        let pairs = self.blocks.values().zip(self.blocks.values().skip(1));
        for (lower, higher) in pairs {
            if lower.header.slot >= higher.header.slot {
                return Err(Conflict::error(higher.header.number, ConflictReason::SlotOrder));
            }
        }
        Ok(())
    }

    fn transaction_ids_differ(&self) -> Result<()> {
        let mut seen: BTreeMap<TransactionId, (BlockNo, TransactionIndex)> = BTreeMap::new();
        for (number, block) in &self.blocks {
            for (absn, transaction) in &block.transactions {
                if let Some((block, other)) = seen.insert(transaction.id, (*number, *absn)) {
                    return Err(Conflict::error(
                        Subject::Transaction(*number, *absn),
                        ConflictReason::TransactionElsewhere {
                            id: transaction.id,
                            block,
                            absn: other,
                        },
                    ));
                }
            }
        }
        Ok(())
    }

    fn cursor_is_not_below(&self) -> Result<()> {
        let Some((last, block)) = self.blocks.last_key_value() else {
            return Ok(());
        };
        if self.cursor.is_at_or_above(Cursor::at(&block.header)) {
            Ok(())
        } else {
            Err(Conflict::error(
                self.cursor,
                ConflictReason::CursorBelowBlocks { last: *last },
            ))
        }
    }
}

impl<'a> PlannedBlock<'a> {
    fn new(block: &'a PublishedBlock) -> Result<Self> {
        let mut transactions: BTreeMap<TransactionIndex, PlannedTransaction<'a>> = BTreeMap::new();
        for transaction in block
            .transactions
            .iter()
            .filter(|transaction| !transaction.operations.is_empty())
        {
            let planned = PlannedTransaction::new(block.number, transaction)?;
            match transactions.entry(transaction.absn) {
                Entry::Vacant(vacant) => {
                    vacant.insert(planned);
                }
                Entry::Occupied(known) => {
                    planned.must_equal(block.number, transaction.absn, &known.get().digest())?;
                }
            }
        }
        Ok(Self {
            header: block.into(),
            transactions,
        })
    }

    /// A block that neither contradicts the stored cursor's block nor the order of numbers and slots.
    fn fits_beside(&self, cursor: Cursor) -> Result<()> {
        let header = &self.header;
        if header.number.cmp(&cursor.block) != header.slot.cmp(&cursor.slot) {
            let reason = if header.number == cursor.block {
                ConflictReason::OtherSlot
            } else {
                ConflictReason::SlotOrder
            };
            return Err(Conflict::error(header.number, reason));
        }
        if header.number == cursor.block && header.hash != cursor.hash {
            return Err(Conflict::error(header.number, ConflictReason::OtherBlockHash));
        }
        Ok(())
    }

    fn must_equal(&self, known: &StoredBlock) -> Result<()> {
        let (header, other) = (&self.header, &known.header);
        let differs = [
            (header.hash != other.hash, ConflictReason::OtherBlockHash),
            (header.slot != other.slot, ConflictReason::OtherSlot),
            (header.time != other.time, ConflictReason::OtherBlockTime),
        ];
        if let Some((_, reason)) = differs.into_iter().find(|(differs, _)| *differs) {
            return Err(Conflict::error(header.number, reason));
        }
        let nothing = (None, BTreeMap::new());
        for absn in union(&self.transactions, &known.transactions) {
            let delivered = self.transactions.get(absn).map_or(nothing.clone(), |planned| {
                let (id, operations) = planned.digest();
                (Some(id), operations)
            });
            let stored = known
                .transactions
                .get(absn)
                .map_or(nothing.clone(), |(id, operations)| (Some(*id), operations.clone()));
            same_operations(header.number, *absn, &delivered.1, &stored.1)?;
            if delivered.0 != stored.0 {
                return Err(Conflict::error(
                    Subject::Transaction(header.number, *absn),
                    ConflictReason::OtherTransactionId,
                ));
            }
        }
        Ok(())
    }

    fn add_to(&self, addition: &mut Addition<'a>) {
        if self.transactions.is_empty() {
            return;
        }
        let block = self.header.number;
        addition.blocks.push(self.header);
        for (absn, transaction) in &self.transactions {
            addition.transactions.push((block, *absn, transaction.id));
            for (osn, (id, bytes)) in &transaction.operations {
                addition.operations.push((
                    OperationPosition {
                        block,
                        absn: *absn,
                        osn: *osn,
                    },
                    *id,
                    bytes,
                ));
            }
        }
    }
}

impl<'a> PlannedTransaction<'a> {
    fn new(block: BlockNo, transaction: &'a PublishedTransaction) -> Result<Self> {
        let mut operations: BTreeMap<OperationIndex, (OperationId, &'a OperationBytes)> = BTreeMap::new();
        for operation in &transaction.operations {
            let id = operation.bytes.id();
            if let Some((other, _)) = operations.insert(operation.osn, (id, &operation.bytes))
                && other != id
            {
                let position = OperationPosition {
                    block,
                    absn: transaction.absn,
                    osn: operation.osn,
                };
                return Err(Conflict::error(position, ConflictReason::OtherOperation));
            }
        }
        Ok(Self {
            id: transaction.id,
            operations,
        })
    }

    fn digest(&self) -> (TransactionId, BTreeMap<OperationIndex, OperationId>) {
        (
            self.id,
            self.operations.iter().map(|(osn, (id, _))| (*osn, *id)).collect(),
        )
    }

    fn must_equal(
        &self,
        block: BlockNo,
        absn: TransactionIndex,
        (id, operations): &(TransactionId, BTreeMap<OperationIndex, OperationId>),
    ) -> Result<()> {
        if self.id != *id {
            return Err(Conflict::error(
                Subject::Transaction(block, absn),
                ConflictReason::OtherTransactionId,
            ));
        }
        same_operations(block, absn, &self.digest().1, operations)
    }
}

fn same_operations(
    block: BlockNo,
    absn: TransactionIndex,
    delivered: &BTreeMap<OperationIndex, OperationId>,
    known: &BTreeMap<OperationIndex, OperationId>,
) -> Result<()> {
    for osn in union(delivered, known) {
        let reason = match (delivered.get(osn), known.get(osn)) {
            (Some(delivered), Some(known)) if delivered == known => continue,
            (Some(_), Some(_)) => ConflictReason::OtherOperation,
            (Some(_), None) => ConflictReason::OperationAdded,
            (None, _) => ConflictReason::OperationMissing,
        };
        return Err(Conflict::error(OperationPosition { block, absn, osn: *osn }, reason));
    }
    Ok(())
}

/// The keys of both maps, ascending, each once.
fn union<'m, K: Ord, A, B>(left: &'m BTreeMap<K, A>, right: &'m BTreeMap<K, B>) -> std::collections::BTreeSet<&'m K> {
    left.keys().chain(right.keys()).collect()
}

impl From<&PlannedBlock<'_>> for StoredBlock {
    fn from(block: &PlannedBlock<'_>) -> Self {
        Self {
            header: block.header,
            transactions: block
                .transactions
                .iter()
                .map(|(absn, transaction)| (*absn, transaction.digest()))
                .collect(),
        }
    }
}

impl StoredBlocks {
    /// Takes over one stored operation and the block and transaction it stands in. Rows may come in any order.
    pub fn insert(
        &mut self,
        header: BlockHeader,
        absn: TransactionIndex,
        transaction: TransactionId,
        osn: OperationIndex,
        operation: OperationId,
    ) {
        let block = self.0.entry(header.number).or_insert_with(|| StoredBlock {
            header,
            transactions: BTreeMap::new(),
        });
        let (_, operations) = block
            .transactions
            .entry(absn)
            .or_insert_with(|| (transaction, BTreeMap::new()));
        operations.insert(osn, operation);
    }
}

impl<'a> Addition<'a> {
    /// The new operations in runs of at most `rows` operations and about `bytes` bytes, for statements of bounded size.
    pub fn operation_chunks(
        &self,
        rows: usize,
        bytes: usize,
    ) -> impl Iterator<Item = &[(OperationPosition, OperationId, &'a OperationBytes)]> {
        let mut rest = self.operations.as_slice();
        std::iter::from_fn(move || {
            let mut length = 0_usize;
            let mut taken = 0;
            for (_, _, operation) in rest.iter().take(rows) {
                length += operation.as_slice().len();
                if taken > 0 && length > bytes {
                    break;
                }
                taken += 1;
            }
            let (chunk, others) = rest.split_at_checked(taken)?;
            rest = others;
            (!chunk.is_empty()).then_some(chunk)
        })
    }

    /// The conflict of a new transaction whose id is stored at `block`, `absn` already.
    pub fn transaction_elsewhere(
        &self,
        id: TransactionId,
        block: BlockNo,
        absn: TransactionIndex,
    ) -> crate::StorageError {
        let at = self
            .transactions
            .iter()
            .find(|(_, _, new)| *new == id)
            .map_or(Subject::Transaction(block, absn), |(new_block, new_absn, _)| {
                Subject::Transaction(*new_block, *new_absn)
            });
        Conflict::error(at, ConflictReason::TransactionElsewhere { id, block, absn })
    }
}
