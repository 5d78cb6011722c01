//! Answers whose fields are not what was stored.

use node_storage_contract::{
    BlockHash, BlockHeader, BlockNo, BlockTime, Cursor, IndexOutcome, OperationBytes, OperationHash, OperationIndex,
    OperationPosition, OperationRecord, Reason, Result, SlotNo, StorageError, TransactionId, TransactionIndex,
};

use super::list::Fault;

/// Numbers from this one on are high.
const HIGH: u64 = 1 << 62;

/// Returns the header of a block with the fault.
pub(super) fn header(fault: Fault, stored: BlockHeader) -> Result<BlockHeader> {
    Ok(BlockHeader {
        number: block_no(fault, stored.number)?,
        slot: slot(fault, stored.slot)?,
        hash: block_hash(fault, stored.hash),
        time: time(fault, stored.time)?,
    })
}

/// Returns the cursor with the fault.
pub(super) fn cursor(fault: Fault, stored: Option<Cursor>) -> Result<Option<Cursor>> {
    match (stored, fault) {
        (None, Fault::TakesNoCursorForZero) => Ok(Some(Cursor {
            slot: SlotNo::MIN,
            block: BlockNo::MIN,
            hash: BlockHash::new([0; 32]),
        })),
        (Some(stored), Fault::TakesLowestCursorForNone) if stored.slot == SlotNo::MIN => Ok(None),
        (Some(stored), Fault::TakesZeroHashForNoCursor) if *stored.hash.as_bytes() == [0; 32] => Ok(None),
        (Some(stored), Fault::DropsCursorHash) => Ok(Some(Cursor {
            hash: BlockHash::new([0; 32]),
            ..stored
        })),
        (Some(stored), _) => Ok(Some(Cursor {
            slot: slot(fault, stored.slot)?,
            block: block_no(fault, stored.block)?,
            hash: stored.hash,
        })),
        (None, _) => Ok(None),
    }
}

/// Returns an operation with the fault.
pub(super) fn record(fault: Fault, mut stored: OperationRecord) -> Result<OperationRecord> {
    let position = &mut stored.operation.position;
    position.block = block_no(fault, position.block)?;
    match fault {
        Fault::SwapsAbsnAndOsn => {
            *position = OperationPosition {
                block: position.block,
                absn: TransactionIndex::try_from(u64::from(position.osn.get()))?,
                osn: OperationIndex::try_from(u64::from(position.absn.get()))?,
            };
        }
        Fault::KeepsAbsnIn16Bits => {
            position.absn = TransactionIndex::try_from(u64::from(position.absn.get()) & 0xffff)?;
        }
        Fault::DropsTransactionId => stored.transaction_id = TransactionId::new([0; 32]),
        Fault::DropsOperationBytes => stored.operation.bytes = OperationBytes::try_from(Vec::new())?,
        _ => {}
    }
    stored.slot = slot(fault, stored.slot)?;
    stored.block_hash = block_hash(fault, stored.block_hash);
    stored.operation.block_time = time(fault, stored.operation.block_time)?;
    stored.indexing = stored.indexing.and_then(|stored| outcome(fault, stored));
    Ok(stored)
}

fn block_no(fault: Fault, stored: BlockNo) -> Result<BlockNo> {
    let number = stored.get();
    // A floating-point number of 64 bits has 53 digits; the lower ones of a high number are lost.
    Ok(match fault {
        Fault::KeepsBlockNumberAsFloat if number >= 1 << 53 => BlockNo::try_from(number & !0x7ff)?,
        #[allow(clippy::panic, reason = "this is the fault")]
        Fault::PanicsOnHighBlockNumber if number >= HIGH => panic!("block number {number} is too high"),
        _ => stored,
    })
}

fn slot(fault: Fault, stored: SlotNo) -> Result<SlotNo> {
    match fault {
        Fault::DropsSlot => Ok(SlotNo::MIN),
        Fault::KeepsSlotIn32Bits => Ok(SlotNo::try_from(stored.get() & 0xffff_ffff)?),
        Fault::WrapsSlotToNegative if stored.get() >= HIGH => Err(StorageError::corrupt("slot", "-1")),
        _ => Ok(stored),
    }
}

const fn block_hash(fault: Fault, stored: BlockHash) -> BlockHash {
    match fault {
        Fault::DropsBlockHash => BlockHash::new([0; 32]),
        _ => stored,
    }
}

fn time(fault: Fault, stored: BlockTime) -> Result<BlockTime> {
    const SECOND: i64 = 1_000_000;
    let micros = stored.unix_micros();
    Ok(BlockTime::from_unix_micros(match fault {
        Fault::DropsBlockTime => 0,
        Fault::KeepsLocalTime if (85..300).contains(&(micros.div_euclid(86_400 * SECOND).rem_euclid(365))) => {
            micros.saturating_add(3_600 * SECOND)
        }
        Fault::TruncatesToMilliseconds => micros - micros.rem_euclid(1_000),
        Fault::RoundsSecondsTowardZero => micros / SECOND * SECOND + micros.rem_euclid(SECOND),
        Fault::KeepsNanosecondsIn64Bits => micros.wrapping_mul(1_000) / 1_000,
        _ => micros,
    })?)
}

fn outcome(fault: Fault, stored: IndexOutcome) -> Option<IndexOutcome> {
    let none = OperationHash::new([0; 32]);
    Some(match (fault, stored) {
        (Fault::TakesZerosForNull, stored) if stored.did().is_some_and(|did| *did.as_bytes() == [0; 32]) => {
            return None;
        }
        (
            Fault::DropsListing,
            IndexOutcome::Did {
                did, operation_hash, ..
            },
        )
        | (Fault::TakesStorageForDid, IndexOutcome::Storage { did, operation_hash }) => IndexOutcome::Did {
            did,
            operation_hash,
            lists_did: false,
        },
        (Fault::DropsOperationHash, IndexOutcome::Did { did, lists_did, .. }) => IndexOutcome::Did {
            did,
            operation_hash: none,
            lists_did,
        },
        (Fault::DropsOperationHash, IndexOutcome::Storage { did, .. }) => IndexOutcome::Storage {
            did,
            operation_hash: none,
        },
        (Fault::SwapsIgnoredAndUndecodable, IndexOutcome::Ignored { reason }) => IndexOutcome::Undecodable { reason },
        (Fault::SwapsIgnoredAndUndecodable, IndexOutcome::Undecodable { reason }) => IndexOutcome::Ignored { reason },
        (_, IndexOutcome::Ignored { reason: text }) => IndexOutcome::Ignored {
            reason: reason(fault, text),
        },
        (_, IndexOutcome::Undecodable { reason: text }) => IndexOutcome::Undecodable {
            reason: reason(fault, text),
        },
        (_, stored) => stored,
    })
}

fn reason(fault: Fault, stored: Reason) -> Reason {
    match fault {
        Fault::DropsReason => Reason::new(""),
        Fault::CutsReasons => Reason::new(stored.as_str().chars().take(100).collect::<String>()),
        Fault::LowercasesReasons => Reason::new(stored.as_str().to_lowercase()),
        Fault::NormalizesReasons => Reason::new(stored.as_str().replace("e\u{301}", "é")),
        Fault::TrimsReasons => Reason::new(stored.as_str().trim()),
        _ => stored,
    }
}
