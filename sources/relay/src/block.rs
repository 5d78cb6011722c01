//! From the bytes of a block to what did:prism needs of it.

use did_prism::digest::{BlockHash, TransactionId};
use did_prism::envelope::{EnvelopeError, metadata_in_auxiliary_data, operations_in_metadata};
use did_prism::ledger::{PublishedBlock, PublishedOperation, PublishedTransaction, TransactionIndex};
use pallas_codec::minicbor::data::Type;
use pallas_codec::minicbor::{Decoder, decode};
use pallas_crypto::hash::Hasher;

use crate::SlotTimes;
use crate::headers::Header;

/// Reads a block, which has to be the one that the header names, down to its body.
///
/// The operations are those of transactions that passed the validation of their scripts (`invalid_transactions` of the block does
/// not name them). Of a transaction that failed it, the ledger applies nothing but taking the collateral, and cardano-db-sync
/// records no metadata of it (protocol.md#envelope). Such a transaction still counts for `absn`, the index in the block.
///
/// # Errors
/// What is wrong with the block.
pub(crate) fn published(bytes: &[u8], header: &Header, times: SlotTimes) -> Result<PublishedBlock, String> {
    let block = Slices::of(bytes).map_err(|error| format!("it does not decode: {error}"))?;
    if block.hash != header.point.hash {
        return Err(format!("another block was sent, with the hash {}", block.hash));
    }
    if header.body_hash.is_some_and(|hash| hash != block.body_hash) {
        return Err("its body is not the one that its header names".to_owned());
    }
    let mut transactions = Vec::new();
    for (index, auxiliary_data) in &block.auxiliary_data {
        let body = usize::try_from(*index)
            .ok()
            .and_then(|index| block.transactions.get(index))
            .ok_or_else(|| format!("it has auxiliary data for transaction {index}, which it does not have"))?;
        if block.invalid.contains(index) {
            continue;
        }
        let id = TransactionId::new(blake2b(body));
        match operations(auxiliary_data) {
            Ok(Some(operations)) if !operations.is_empty() => transactions.push(PublishedTransaction {
                absn: TransactionIndex::try_from(*index).map_err(|error| error.to_string())?,
                id,
                operations,
            }),
            Ok(_) => {}
            Err(error) => tracing::warn!("block {}: transaction {id} is passed over: {error}", header.number),
        }
    }
    // The order of a map is not given.
    transactions.sort_by_key(|transaction| transaction.absn);
    Ok(PublishedBlock {
        number: header.number,
        slot: header.point.slot,
        hash: header.point.hash,
        time: times.time_of(header.point.slot).map_err(|error| error.to_string())?,
        transactions,
    })
}

fn operations(auxiliary_data: &[u8]) -> Result<Option<Vec<PublishedOperation>>, EnvelopeError> {
    metadata_in_auxiliary_data(auxiliary_data)?.map_or(Ok(None), |metadata| operations_in_metadata(&metadata))
}

/// The parts of a block that matter here, as they stand in it.
///
/// Everything else is passed over without being understood: there are blocks on the ledger with transactions that a typed decoder
/// refuses, and a hash is over the bytes as they are in any case.
struct Slices<'a> {
    /// The hash of the block, that of its header.
    hash: BlockHash,
    /// The hash of the body as headers since the Shelley era have it: Blake2b-256 of the hashes of its parts one after another. The
    /// parts are the transactions, their witnesses, the auxiliary data, and since the Alonzo era the invalid transactions.
    body_hash: [u8; 32],
    /// The bodies of the transactions.
    transactions: Vec<&'a [u8]>,
    /// The auxiliary data of those that have some, with their indices.
    auxiliary_data: Vec<(u64, &'a [u8])>,
    /// The indices of those whose scripts failed.
    invalid: Vec<u64>,
}

impl<'a> Slices<'a> {
    /// `[era, [header, transactions, witnesses, auxiliary data, invalid transactions]]`, the last one since the Alonzo era. Blocks of
    /// the Byron era, the eras 0 and 1, have no metadata.
    fn of(bytes: &'a [u8]) -> Result<Self, decode::Error> {
        let mut decoder = Decoder::new(bytes);
        decoder.array()?;
        let era = decoder.u8()?;
        let length = decoder.array()?;
        let header = skipped(&mut decoder)?;
        if era <= BYRON {
            return Ok(Self {
                // The hash is over the kind of the block too.
                hash: BlockHash::new(blake2b(&[&[0x82, era], header].concat())),
                body_hash: [0; 32],
                transactions: Vec::new(),
                auxiliary_data: Vec::new(),
                invalid: Vec::new(),
            });
        }
        if era > CONWAY {
            return Err(decode::Error::message(format!(
                "it is of era {era}, which this node does not know"
            )));
        }
        let mut slices = Self {
            hash: BlockHash::new(blake2b(header)),
            body_hash: [0; 32],
            transactions: Vec::new(),
            auxiliary_data: Vec::new(),
            invalid: Vec::new(),
        };
        let mut hashes = Vec::new();
        let mut part = 0_u64;
        while match length {
            Some(length) => part + 1 < length,
            None => decoder.datatype()? != Type::Break,
        } {
            let start = decoder.position();
            match part {
                0 => items(&mut decoder, |decoder| {
                    slices.transactions.push(skipped(decoder)?);
                    Ok(())
                })?,
                2 => entries(&mut decoder, |decoder| {
                    slices.auxiliary_data.push((decoder.u64()?, skipped(decoder)?));
                    Ok(())
                })?,
                3 => items(&mut decoder, |decoder| {
                    slices.invalid.push(decoder.u64()?);
                    Ok(())
                })?,
                _ => decoder.skip()?,
            }
            hashes.extend(blake2b(bytes.get(start..decoder.position()).unwrap_or_default()));
            part += 1;
        }
        if part < 3 {
            return Err(decode::Error::message("it has too few parts"));
        }
        slices.body_hash = blake2b(&hashes);
        Ok(slices)
    }
}

/// The numbers of the eras before a block. Epoch boundaries of the Byron era have the number 0.
const BYRON: u8 = 1;
const CONWAY: u8 = 7;

/// Reads the items of an array of either form.
fn items<'a>(
    decoder: &mut Decoder<'a>,
    read: impl FnMut(&mut Decoder<'a>) -> Result<(), decode::Error>,
) -> Result<(), decode::Error> {
    let length = decoder.array()?;
    repeat(decoder, length, read)
}

/// Reads the entries of a map of either form.
fn entries<'a>(
    decoder: &mut Decoder<'a>,
    read: impl FnMut(&mut Decoder<'a>) -> Result<(), decode::Error>,
) -> Result<(), decode::Error> {
    let length = decoder.map()?;
    repeat(decoder, length, read)
}

fn repeat<'a>(
    decoder: &mut Decoder<'a>,
    length: Option<u64>,
    mut read: impl FnMut(&mut Decoder<'a>) -> Result<(), decode::Error>,
) -> Result<(), decode::Error> {
    if let Some(length) = length {
        return (0..length).try_for_each(|_| read(decoder));
    }
    while decoder.datatype()? != Type::Break {
        read(decoder)?;
    }
    // The break.
    decoder.skip()
}

/// Passes over the next item and answers with its bytes.
fn skipped<'a>(decoder: &mut Decoder<'a>) -> Result<&'a [u8], decode::Error> {
    let start = decoder.position();
    decoder.skip()?;
    Ok(decoder.input().get(start..decoder.position()).unwrap_or_default())
}

fn blake2b(bytes: &[u8]) -> [u8; 32] {
    *Hasher::<256>::hash(bytes)
}
