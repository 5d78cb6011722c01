//! Deliveries that are not stored as they came.

use did_prism::operation::SignedOperation;
use did_prism::proto::SignedPrismOperation;
use node_storage_contract::{ConflictReason, OperationBytes, PublishedBlock, Result, StorageError};
use prost::Message;

use super::conflicts::conflict;
use super::list::Fault;
use crate::model::Content;

/// Returns what the fault stores of a delivery.
///
/// # Errors
/// A refusal that the contract does not know.
pub(super) fn changed(fault: Fault, content: &Content, delivered: &[PublishedBlock]) -> Result<Vec<PublishedBlock>> {
    must_please(fault, content, delivered)?;
    let mut blocks = delivered.to_vec();
    if fault == Fault::StopsAtStoredBlockAfterNewOnes {
        let is_stored = |block: &PublishedBlock| content.blocks.contains_key(&block.number);
        let first_new = blocks.iter().position(|block| !is_stored(block)).unwrap_or(0);
        let end = blocks.iter().skip(first_new).position(is_stored);
        blocks.truncate(end.map_or(blocks.len(), |end| first_new + end));
    }
    if fault == Fault::CutsCallsAt65535Blocks && blocks.len() > 65_535 {
        blocks.sort_by_key(|block| block.number);
        blocks.truncate(65_535);
    }
    let (mut operations, mut bytes) = (0, 0);
    for transaction in blocks.iter_mut().flat_map(|block| &mut block.transactions) {
        transaction.operations.retain_mut(|operation| {
            operations += 1;
            bytes += operation.bytes.as_slice().len();
            if let Some(changed) = changed_bytes(fault, operation.bytes.as_slice())
                && let Ok(changed) = OperationBytes::try_from(changed)
            {
                operation.bytes = changed;
            }
            let content = operation.bytes.as_slice();
            match fault {
                Fault::DropsEmptyOperations => !content.is_empty(),
                Fault::DropsUndecodableOperations => SignedOperation::decode(content).is_ok(),
                Fault::CutsCallsAt32766Operations => operations <= 32_766,
                Fault::CutsCallsAt32Mebibytes => bytes <= 32 << 20,
                _ => true,
            }
        });
    }
    Ok(blocks)
}

fn changed_bytes(fault: Fault, content: &[u8]) -> Option<Vec<u8>> {
    match fault {
        Fault::EncodesOperationsAgain => Some(SignedPrismOperation::decode(content).ok()?.encode_to_vec()),
        Fault::CutsOperationsAtZero => Some(content.split(|byte| *byte == 0).next()?.to_vec()),
        Fault::KeepsOperationsAsText => Some(String::from_utf8_lossy(content).into_owned().into_bytes()),
        _ => None,
    }
}

fn must_please(fault: Fault, content: &Content, delivered: &[PublishedBlock]) -> Result<()> {
    let low_bits = |block: &PublishedBlock| block.slot.get() & 0xffff_ffff;
    let disorder = match fault {
        Fault::ComparesSlotsIn32Bits => delivered
            .windows(2)
            .find(|pair| matches!(pair, [one, next] if one.number < next.number && low_bits(one) > low_bits(next))),
        Fault::RefusesUnorderedBlocks => delivered
            .windows(2)
            .find(|pair| matches!(pair, [one, next] if one.number > next.number)),
        Fault::RefusesDescendingTimes => delivered
            .windows(2)
            .find(|pair| matches!(pair, [one, next] if one.number < next.number && one.time > next.time)),
        _ => None,
    };
    if let Some([_, next]) = disorder {
        return Err(conflict(next.number, ConflictReason::SlotOrder));
    }
    let stored = delivered
        .iter()
        .find(|block| content.blocks.contains_key(&block.number));
    if let Some(stored) = stored.filter(|_| fault == Fault::RefusesRedelivery) {
        return Err(conflict(stored.number, ConflictReason::OtherBlockHash));
    }
    let operations = delivered
        .iter()
        .flat_map(|block| &block.transactions)
        .flat_map(|transaction| &transaction.operations);
    let longest = operations.map(|operation| operation.bytes.as_slice().len()).max();
    if fault == Fault::RefusesLongestOperations && longest > Some(1_000_000) {
        return Err(StorageError::Unavailable {
            retryable: false,
            detail: "the packet is too long".to_owned(),
        });
    }
    Ok(())
}
