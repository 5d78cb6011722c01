//! From transactions in ledger order to whole blocks with enough confirmations.

use std::collections::VecDeque;

use did_prism::ledger::{BlockNo, PublishedBlock, PublishedTransaction, TransactionIndex};
use node_storage_contract::BlockHeader;

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
    last: Option<(BlockHeader, TransactionIndex)>,
    /// The block of `last`, if it is to be delivered.
    open: Option<PublishedBlock>,
    /// Complete and not confirmed.
    held: VecDeque<PublishedBlock>,
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

    /// Whether the next transaction may stand in `block` at `absn`; `Ok(true)` where it begins a new block.
    pub(crate) fn check(&self, block: &BlockHeader, absn: TransactionIndex) -> Result<bool, OrderError> {
        let Some((last, last_absn)) = &self.last else {
            return Ok(true);
        };
        let wrong = |field, detail: String| Err(OrderError { field, detail });
        if block.number > last.number {
            if block.slot <= last.slot {
                let detail = format!(
                    "{} is not above {}, the slot of block {}",
                    block.slot, last.slot, last.number
                );
                return wrong("slot", detail);
            }
            return Ok(true);
        }
        if block.number < last.number {
            let detail = format!(
                "{} is below {}, the block of the line before",
                block.number, last.number
            );
            return wrong("block_number", detail);
        }
        if absn <= *last_absn {
            let detail = format!("{absn} is not above {last_absn}, that of the line before in the same block");
            return wrong("absn", detail);
        }
        if block.hash != last.hash {
            return wrong(
                "block_hash",
                format!("the line before gives block {} another hash", block.number),
            );
        }
        if block.slot != last.slot {
            return wrong(
                "slot",
                format!("the line before gives block {} another slot", block.number),
            );
        }
        if block.time != last.time {
            return wrong(
                "cbt",
                format!("the line before gives block {} another time", block.number),
            );
        }
        Ok(false)
    }

    /// Takes a transaction that [`Blocks::check`] found in order, or passes over it, where its block is not to be delivered.
    pub(crate) fn push(&mut self, block: BlockHeader, absn: TransactionIndex, content: Content) {
        if self.last.as_ref().is_none_or(|(last, _)| last.number < block.number) {
            self.close();
        }
        self.last = Some((block, absn));
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

    /// No further transaction of the open block will come.
    pub(crate) fn close(&mut self) {
        self.held.extend(self.open.take());
    }

    /// The block that the last line belongs to.
    pub(crate) fn last_number(&self) -> Option<BlockNo> {
        self.last.as_ref().map(|(block, _)| block.number)
    }

    /// The next complete block with enough confirmations.
    pub(crate) fn next_confirmed(&mut self) -> Option<PublishedBlock> {
        let confirmed = self.last_number()?.get().checked_sub(self.confirmations)?;
        self.held.pop_front_if(|block| block.number.get() <= confirmed)
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
            .map(|block| block.number.get())
            .collect()
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
            assert_eq!(blocks.check(&block, absn(index)).unwrap_err().field, field, "{block:?}");
        }
        assert_eq!(blocks.check(&header(5), absn(4)), Ok(false));
        assert_eq!(blocks.check(&header(6), absn(0)), Ok(true));
    }
}
