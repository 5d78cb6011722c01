//! From transactions in ledger order to whole blocks with enough confirmations.

use std::collections::VecDeque;

use did_prism::ledger::{BlockNo, BlockTime, PublishedBlock, PublishedTransaction, TransactionIndex};
use node_storage_contract::{BlockHeader, Cursor};

/// A transaction that does not stand where it may: the field, and what is wrong with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct OrderError {
    /// The field of the line.
    pub(crate) field: &'static str,
    /// What is wrong.
    pub(crate) detail: String,
}

/// Puts transactions, as they come, together to blocks, and holds back those that are not confirmed.
///
/// What is held back is held in memory.
#[derive(Debug)]
pub(crate) struct Blocks {
    /// A block is released when the highest number seen is higher by this.
    confirmations: u64,
    last: Option<Last>,
    /// The block of `last`, if it is to be delivered.
    open: Option<PublishedBlock>,
    /// Complete and not confirmed.
    held: VecDeque<Complete>,
}

/// What the line before was about.
#[derive(Debug)]
struct Last {
    block: Cursor,
    /// The time of the block and the transaction; `None` where the block has none.
    transaction: Option<(BlockTime, TransactionIndex)>,
}

/// What can be delivered once it is confirmed.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Complete {
    /// A block with all of its transactions.
    Block(PublishedBlock),
    /// A block without any.
    Cursor(Cursor),
}

impl Complete {
    const fn number(&self) -> BlockNo {
        match self {
            Self::Block(block) => block.number,
            Self::Cursor(cursor) => cursor.block,
        }
    }
}

impl Blocks {
    pub(crate) const fn new(confirmations: u64) -> Self {
        Self {
            confirmations,
            last: None,
            open: None,
            held: VecDeque::new(),
        }
    }

    /// Whether the next line may be about this block and, where it is about a transaction, about one of this time and index.
    pub(crate) fn check(
        &self,
        block: Cursor,
        transaction: Option<(BlockTime, TransactionIndex)>,
    ) -> Result<(), OrderError> {
        let Some(last) = &self.last else {
            return Ok(());
        };
        let wrong = |field, detail: String| Err(OrderError { field, detail });
        let number = block.block;
        if number > last.block.block {
            if block.slot <= last.block.slot {
                let detail = format!(
                    "{} is not above {}, the slot of block {}",
                    block.slot, last.block.slot, last.block.block
                );
                return wrong("slot", detail);
            }
            return Ok(());
        }
        if number < last.block.block {
            let detail = format!("{number} is below {}, the block of the line before", last.block.block);
            return wrong("block_number", detail);
        }
        let (Some((time, absn)), Some((last_time, last_absn))) = (transaction, last.transaction) else {
            let detail =
                format!("the line before is about block {number} too, and one of them says that it has no transaction");
            return wrong("block_number", detail);
        };
        if absn <= last_absn {
            let detail = format!("{absn} is not above {last_absn}, that of the line before in the same block");
            return wrong("absn", detail);
        }
        let differing = if block.hash != last.block.hash {
            ("block_hash", "hash")
        } else if block.slot != last.block.slot {
            ("slot", "slot")
        } else if time != last_time {
            ("cbt", "time")
        } else {
            return Ok(());
        };
        let (field, what) = differing;
        wrong(field, format!("the line before gives block {number} another {what}"))
    }

    /// Takes a transaction that [`Blocks::check`] found in order, or passes over it, where its block is not to be delivered.
    pub(crate) fn push(&mut self, block: BlockHeader, absn: TransactionIndex, content: Content) {
        self.begin(Cursor::at(&block), Some((block.time, absn)));
        let transaction = match content {
            Content::PassOver => return,
            Content::Deliver(transaction) => transaction,
        };
        let open = self.open.get_or_insert_with(|| PublishedBlock {
            number: block.number,
            slot: block.slot,
            hash: block.hash,
            time: block.time,
            transactions: Vec::new(),
        });
        open.transactions.extend(transaction);
    }

    /// Takes a block without transactions that [`Blocks::check`] found in order, or passes over it.
    pub(crate) fn push_cursor(&mut self, cursor: Cursor, is_passed_over: bool) {
        self.begin(cursor, None);
        if !is_passed_over {
            self.held.push_back(Complete::Cursor(cursor));
        }
    }

    fn begin(&mut self, block: Cursor, transaction: Option<(BlockTime, TransactionIndex)>) {
        if self.last_number().is_none_or(|last| last < block.block) {
            self.close();
        }
        self.last = Some(Last { block, transaction });
    }

    /// No further transaction of the open block will come.
    pub(crate) fn close(&mut self) {
        self.held.extend(self.open.take().map(Complete::Block));
    }

    /// The block that the last line belongs to.
    pub(crate) fn last_number(&self) -> Option<BlockNo> {
        self.last.as_ref().map(|last| last.block.block)
    }

    /// The next complete block with enough confirmations.
    pub(crate) fn next_confirmed(&mut self) -> Option<Complete> {
        let confirmed = self.last_number()?.get().checked_sub(self.confirmations)?;
        self.held.pop_front_if(|block| block.number().get() <= confirmed)
    }
}

/// What becomes of a transaction.
#[derive(Debug)]
pub(crate) enum Content {
    /// Nothing: its block was stored earlier.
    PassOver,
    /// Its block is delivered, and it with it if it has operations.
    Deliver(Option<PublishedTransaction>),
}

#[cfg(test)]
mod tests {
    use prism_fixtures::block_of;

    use super::*;

    fn header(number: u64) -> BlockHeader {
        BlockHeader::from(&block_of(1, number, number * 20, Vec::new()))
    }

    fn absn(number: u64) -> TransactionIndex {
        number.try_into().unwrap()
    }

    fn with_last(number: u64, index: u64) -> Blocks {
        let mut blocks = Blocks::new(0);
        blocks.push(header(number), absn(index), Content::Deliver(None));
        blocks
    }

    fn confirmed(blocks: &mut Blocks) -> Vec<u64> {
        std::iter::from_fn(|| blocks.next_confirmed())
            .map(|block| block.number().get())
            .collect()
    }

    fn check(blocks: &Blocks, block: &BlockHeader, index: u64) -> Result<(), OrderError> {
        blocks.check(Cursor::at(block), Some((block.time, absn(index))))
    }

    // edge-cases.md#o19
    #[test]
    fn a_block_without_transactions_completes_the_one_before_and_is_held_back_itself() {
        let mut blocks = with_last(3, 0);
        blocks.push_cursor(Cursor::at(&header(5)), false);
        assert_eq!(confirmed(&mut blocks), [3, 5]);
        let mut blocks = Blocks::new(2);
        blocks.push_cursor(Cursor::at(&header(5)), false);
        assert_eq!(confirmed(&mut blocks), [0_u64; 0]);
        blocks.push_cursor(Cursor::at(&header(7)), true);
        assert_eq!(confirmed(&mut blocks), [5]);
    }

    #[test]
    fn a_block_has_transactions_or_none() {
        let mut blocks = with_last(5, 3);
        let field = |blocks: &Blocks, transaction| blocks.check(Cursor::at(&header(5)), transaction).unwrap_err().field;
        assert_eq!(field(&blocks, None), "block_number");
        blocks = Blocks::new(0);
        blocks.push_cursor(Cursor::at(&header(5)), false);
        assert_eq!(field(&blocks, None), "block_number");
        assert_eq!(field(&blocks, Some((header(5).time, absn(0)))), "block_number");
    }

    #[test]
    fn a_block_is_complete_when_a_higher_one_begins_or_the_input_ends() {
        let mut blocks = Blocks::new(0);
        let mut seen = Vec::new();
        for (number, index) in [(3, 0), (3, 5), (4, 1), (9, 0)] {
            blocks.push(header(number), absn(index), Content::Deliver(None));
            seen.push(confirmed(&mut blocks));
        }
        blocks.close();
        seen.push(confirmed(&mut blocks));
        assert_eq!(seen, [vec![], vec![], vec![3], vec![4], vec![9]]);
    }

    // edge-cases.md#o18
    #[test]
    fn the_last_block_numbers_below_the_highest_are_held_back() {
        let mut blocks = Blocks::new(2);
        for number in [1, 2, 3, 6] {
            blocks.push(header(number), absn(0), Content::Deliver(None));
        }
        blocks.close();
        assert_eq!(confirmed(&mut blocks), [1, 2, 3]);
        blocks.push(header(8), absn(0), Content::Deliver(None));
        assert_eq!(confirmed(&mut blocks), [6]);
    }

    #[test]
    fn a_block_that_is_passed_over_is_not_delivered() {
        let mut blocks = Blocks::new(0);
        blocks.push(header(1), absn(0), Content::PassOver);
        blocks.push(header(2), absn(0), Content::Deliver(None));
        blocks.close();
        assert_eq!(confirmed(&mut blocks), [2]);
    }

    #[test]
    fn transactions_out_of_order_are_refused_by_field() {
        let blocks = with_last(5, 3);
        let of_block_five = |change: fn(&mut BlockHeader)| {
            let mut block = header(5);
            change(&mut block);
            block
        };
        for (block, index, field) in [
            (header(4), 9, "block_number"),
            (header(5), 3, "absn"),
            (header(5), 2, "absn"),
            (of_block_five(|block| block.hash = header(6).hash), 4, "block_hash"),
            (of_block_five(|block| block.slot = header(6).slot), 4, "slot"),
            (of_block_five(|block| block.time = header(6).time), 4, "cbt"),
            (
                BlockHeader {
                    slot: header(5).slot,
                    ..header(6)
                },
                0,
                "slot",
            ),
        ] {
            assert_eq!(check(&blocks, &block, index).unwrap_err().field, field, "{block:?}");
        }
        assert_eq!(check(&blocks, &header(5), 4), Ok(()));
        assert_eq!(check(&blocks, &header(6), 0), Ok(()));
    }
}
