//! The order of the ledger, judged entry by entry.

use node_storage_contract::{BlockHash, BlockTime, Cursor, OperationPosition, SlotNo, TransactionId};

use crate::entry::Entry;

/// What came last, and where the cursor of the base stands.
#[derive(Debug, Clone, Default)]
pub(crate) struct Order {
    floor: Option<Cursor>,
    last: Option<Last>,
}

#[derive(Debug, Clone, Copy)]
struct Last {
    position: OperationPosition,
    slot: SlotNo,
    block_hash: BlockHash,
    block_time: BlockTime,
    transaction_id: TransactionId,
}

impl Order {
    /// The order of what follows a state with this cursor.
    pub(crate) fn above(floor: Option<Cursor>) -> Self {
        Self { floor, last: None }
    }

    /// The next entry, which stands above those before it and agrees with them about its block and its transaction.
    pub(crate) fn accept(&mut self, entry: &Entry) -> Result<(), String> {
        let position = entry.position;
        match &self.last {
            Some(last) if last.position >= position => {
                return Err(format!("the operation at {position} follows that at {}", last.position));
            }
            Some(last) if last.position.block == position.block => {
                if (last.slot, last.block_hash, last.block_time) != (entry.slot, entry.block_hash, entry.block_time) {
                    return Err(format!("block {} has two slots, hashes or times", position.block));
                }
                let is_same = last.position.absn == position.absn;
                if is_same != (last.transaction_id == entry.transaction_id) {
                    return Err(format!(
                        "the transaction at block {}, absn {} has two ids, or the id of another one",
                        position.block, position.absn
                    ));
                }
            }
            Some(last) if last.slot >= entry.slot => {
                return Err(format!("the slot of block {} does not ascend", position.block));
            }
            Some(_) => {}
            None => {
                if let Some(floor) = self.floor
                    && (position.block <= floor.block || entry.slot <= floor.slot)
                {
                    return Err(format!(
                        "block {} does not stand above the cursor of the base, {floor}",
                        position.block
                    ));
                }
            }
        }
        self.last = Some(Last {
            position,
            slot: entry.slot,
            block_hash: entry.block_hash,
            block_time: entry.block_time,
            transaction_id: entry.transaction_id,
        });
        Ok(())
    }

    /// The cursor behind everything: at the last block or above, and at the base's cursor or above.
    pub(crate) fn end(&self, cursor: Option<Cursor>) -> Result<(), String> {
        let Some(cursor) = cursor else {
            return if self.last.is_none() && self.floor.is_none() {
                Ok(())
            } else {
                Err("there is no cursor".to_owned())
            };
        };
        let last = self.last.map(|last| Cursor {
            slot: last.slot,
            block: last.position.block,
            hash: last.block_hash,
        });
        for below in [last, self.floor].into_iter().flatten() {
            if !cursor.is_at_or_above(below) {
                return Err(format!("the cursor {cursor} does not stand at or above {below}"));
            }
        }
        Ok(())
    }
}
