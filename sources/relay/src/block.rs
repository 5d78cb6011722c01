//! From the bytes of a block to what did:prism needs of it.

use did_prism::digest::{BlockHash, TransactionId};
use did_prism::envelope::{EnvelopeError, metadata_in_auxiliary_data, operations_in_metadata};
use did_prism::ledger::{PublishedBlock, PublishedOperation, PublishedTransaction, TransactionIndex};
use pallas_codec::minicbor::Decoder;
use pallas_codec::minicbor::decode;
use pallas_crypto::hash::Hasher;
use pallas_traverse::{MultiEraBlock, OriginalHash};

use crate::SlotTimes;
use crate::headers::Header;

/// A transaction that has auxiliary data.
struct Carrier<'a> {
    index: u32,
    id: TransactionId,
    auxiliary_data: &'a [u8],
    is_valid: bool,
}

/// Reads a block, which has to be the one that the header names, down to its body.
///
/// The operations are those of transactions that passed the validation of their scripts (`invalid_transactions` of the block does
/// not name them). Of a transaction that failed it, the ledger applies nothing but taking the collateral, and cardano-db-sync
/// records no metadata of it (protocol.md#envelope). Such a transaction still counts for `absn`, the index in the block.
///
/// # Errors
/// What is wrong with the block.
pub(crate) fn published(bytes: &[u8], header: &Header, times: SlotTimes) -> Result<PublishedBlock, String> {
    let block = MultiEraBlock::decode(bytes).map_err(|error| format!("it does not decode: {error}"))?;
    let hash = BlockHash::new(*block.hash());
    if hash != header.point.hash {
        return Err(format!("another block was sent, with the hash {hash}"));
    }
    if let Some(expected) = header.body_hash {
        let found = body_hash(bytes).map_err(|error| format!("it does not decode: {error}"))?;
        if found != expected {
            return Err("its body is not the one that its header names".to_owned());
        }
    }
    let mut transactions = Vec::new();
    for carrier in carriers(&block)? {
        if !carrier.is_valid {
            continue;
        }
        match operations(carrier.auxiliary_data) {
            Ok(Some(operations)) if !operations.is_empty() => transactions.push(PublishedTransaction {
                absn: TransactionIndex::try_from(u64::from(carrier.index)).map_err(|error| error.to_string())?,
                id: carrier.id,
                operations,
            }),
            Ok(_) => {}
            Err(error) => tracing::warn!(
                "block {}: transaction {} is passed over: {error}",
                header.number,
                carrier.id
            ),
        }
    }
    Ok(PublishedBlock {
        number: header.number,
        slot: header.point.slot,
        hash,
        time: times.time_of(header.point.slot).map_err(|error| error.to_string())?,
        transactions,
    })
}

fn operations(auxiliary_data: &[u8]) -> Result<Option<Vec<PublishedOperation>>, EnvelopeError> {
    metadata_in_auxiliary_data(auxiliary_data)?.map_or(Ok(None), |metadata| operations_in_metadata(&metadata))
}

/// The transactions with auxiliary data, ascending. The Byron era has none.
fn carriers<'a>(block: &'a MultiEraBlock<'_>) -> Result<Vec<Carrier<'a>>, String> {
    // The eras have types of their own, with the same fields.
    macro_rules! carriers_of {
        ($block:expr) => {{
            let invalid = $block.invalid_transactions.as_deref().unwrap_or_default();
            let carriers = $block.auxiliary_data_set.iter().map(|(index, auxiliary_data)| {
                let body = usize::try_from(*index)
                    .ok()
                    .and_then(|index| $block.transaction_bodies.get(index))
                    .ok_or_else(|| format!("it has auxiliary data for transaction {index}, which it does not have"))?;
                Ok(Carrier {
                    index: *index,
                    id: TransactionId::new(*body.original_hash()),
                    auxiliary_data: auxiliary_data.raw_cbor(),
                    is_valid: !invalid.contains(index),
                })
            });
            carriers.collect()
        }};
    }
    match block {
        MultiEraBlock::EpochBoundary(_) | MultiEraBlock::Byron(_) => Ok(Vec::new()),
        MultiEraBlock::AlonzoCompatible(block, _era) => carriers_of!(block),
        MultiEraBlock::Babbage(block) => carriers_of!(block),
        MultiEraBlock::Conway(block) => carriers_of!(block),
        _ => Err("it is of an era that this node does not know".to_owned()),
    }
}

/// The hash of a body as headers since the Shelley era have it: Blake2b-256 of the hashes of its parts, one after another. The
/// parts are the transactions, their witnesses, the auxiliary data, and since the Alonzo era the list of invalid transactions.
fn body_hash(bytes: &[u8]) -> Result<[u8; 32], decode::Error> {
    let mut decoder = Decoder::new(bytes);
    // The era, and the block.
    decoder.array()?;
    decoder.skip()?;
    let length = decoder.array()?;
    // The header.
    decoder.skip()?;
    let mut hashes = Vec::new();
    // An array of indefinite length ends with a byte of its own.
    let mut parts = length.map_or(u64::MAX, |length| length.saturating_sub(1));
    while parts > 0 && decoder.datatype()? != pallas_codec::minicbor::data::Type::Break {
        let start = decoder.position();
        decoder.skip()?;
        let part = bytes.get(start..decoder.position()).unwrap_or_default();
        hashes.extend_from_slice(&*Hasher::<256>::hash(part));
        parts -= 1;
    }
    Ok(*Hasher::<256>::hash(&hashes))
}
