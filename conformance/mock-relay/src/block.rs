//! Blocks of every era since Shelley.

use std::convert::Infallible;

use minicbor::Encoder;
use minicbor::data::Tag;
use minicbor::encode::Error;
use pallas_crypto::hash::Hasher;

/// An era of the ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Era {
    /// An epoch boundary of the Byron era: a block without a number and transactions of its own.
    ByronBoundary,
    Shelley,
    Allegra,
    Mary,
    Alonzo,
    Babbage,
    Conway,
}

impl Era {
    /// Every era that has metadata, in their order.
    pub const WITH_METADATA: [Self; 6] = [
        Self::Shelley,
        Self::Allegra,
        Self::Mary,
        Self::Alonzo,
        Self::Babbage,
        Self::Conway,
    ];

    /// The number of the era in chain-sync.
    pub(crate) const fn in_chain_sync(self) -> u8 {
        match self {
            Self::ByronBoundary => 0,
            Self::Shelley => 1,
            Self::Allegra => 2,
            Self::Mary => 3,
            Self::Alonzo => 4,
            Self::Babbage => 5,
            Self::Conway => 6,
        }
    }

    /// The number of the era before a block. The two kinds of blocks of the Byron era have numbers of their own.
    const fn in_block(self) -> u8 {
        match self {
            Self::ByronBoundary => 0,
            era => era.in_chain_sync() + 1,
        }
    }

    /// Whether blocks say which of their transactions are invalid.
    const fn has_scripts(self) -> bool {
        matches!(self, Self::Alonzo | Self::Babbage | Self::Conway)
    }
}

/// A transaction to be put into a block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MockTransaction {
    /// Its auxiliary data, in CBOR.
    pub auxiliary_data: Option<Vec<u8>>,
    /// Whether its scripts succeeded. Blocks before the Alonzo era can't say otherwise.
    pub is_valid: bool,
    /// A further member of its body: a key and its value, in CBOR.
    pub member: Option<Vec<u8>>,
}

impl MockTransaction {
    /// A valid transaction with this metadata, in the auxiliary data of the era.
    pub fn with_metadata(era: Era, metadata: &[u8]) -> Self {
        Self {
            auxiliary_data: Some(auxiliary_data(era, metadata)),
            is_valid: true,
            member: None,
        }
    }

    /// A valid transaction without auxiliary data.
    pub const fn plain() -> Self {
        Self {
            auxiliary_data: None,
            is_valid: true,
            member: None,
        }
    }
}

/// Auxiliary data with this metadata map, in the form that came with the era.
pub fn auxiliary_data(era: Era, metadata: &[u8]) -> Vec<u8> {
    match era {
        Era::ByronBoundary | Era::Shelley => metadata.to_vec(),
        Era::Allegra | Era::Mary => [&[0x82][..], metadata, &[0x80]].concat(),
        Era::Alonzo | Era::Babbage | Era::Conway => cbor(|encoder| {
            encoder.tag(Tag::new(259))?.map(1)?.u8(0)?;
            encoder.writer_mut().extend_from_slice(metadata);
            Ok(())
        }),
    }
}

/// A block of the chain.
#[derive(Debug, Clone)]
pub struct MockBlock {
    /// The era.
    pub era: Era,
    /// The number.
    pub number: u64,
    /// The slot.
    pub slot: u64,
    /// The hash.
    pub hash: [u8; 32],
    /// The ids of its transactions.
    pub transaction_ids: Vec<[u8; 32]>,
    /// The header, in CBOR.
    pub(crate) header: Vec<u8>,
    /// All of it, in CBOR, as block-fetch sends it.
    pub(crate) bytes: Vec<u8>,
    /// The same without the auxiliary data, which the header does not go with.
    pub(crate) bytes_without_auxiliary_data: Vec<u8>,
}

impl MockBlock {
    /// A block on top of the one with the hash `previous`. Blocks with different seeds differ, whatever else is the same.
    pub fn new(
        era: Era,
        (number, slot): (u64, u64),
        previous: Option<[u8; 32]>,
        seed: u64,
        transactions: &[MockTransaction],
    ) -> Self {
        if era == Era::ByronBoundary {
            return Self::boundary(number, slot, previous);
        }
        let count = u64::try_from(transactions.len()).unwrap();
        let bodies: Vec<_> = (0..)
            .zip(transactions)
            .map(|(index, transaction)| transaction_body(seed, number, index, transaction))
            .collect();
        let parts = parts(era, &bodies, count, transactions);
        let hashes: Vec<u8> = parts.iter().flat_map(|part| hash(part)).collect();
        let body = Body {
            bytes: parts.iter().map(Vec::len).sum::<usize>().try_into().unwrap(),
            hash: hash(&hashes),
        };
        let header = header(era, (number, slot), previous, seed, &body);
        let whole = |parts: &[Vec<u8>]| {
            cbor(|encoder| {
                encoder.array(2)?.u8(era.in_block())?;
                encoder.array(1 + u64::try_from(parts.len()).unwrap())?;
                encoder.writer_mut().extend_from_slice(&header);
                encoder.writer_mut().extend(parts.concat());
                Ok(())
            })
        };
        let bytes = whole(&parts);
        let mut lacking = parts;
        lacking[2] = vec![0xa0];
        Self {
            era,
            number,
            slot,
            hash: hash(&header),
            transaction_ids: bodies.iter().map(|body| hash(body)).collect(),
            bytes_without_auxiliary_data: whole(&lacking),
            header,
            bytes,
        }
    }

    /// All of it, in CBOR, as block-fetch sends it.
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// An epoch boundary, whose slot is the first one of its epoch and whose number is that of the block before.
    fn boundary(number: u64, slot: u64, previous: Option<[u8; 32]>) -> Self {
        let header = cbor(|encoder| {
            encoder
                .array(5)?
                .u32(2)?
                .bytes(&previous.unwrap_or_default())?
                .bytes(&[0; 32])?;
            encoder.array(2)?.u64(slot / 21_600)?.array(1)?.u64(number)?;
            encoder.array(1)?.map(0)?;
            Ok(())
        });
        let bytes = cbor(|encoder| {
            encoder.array(2)?.u8(0)?.array(3)?;
            encoder.writer_mut().extend_from_slice(&header);
            encoder.array(0)?.array(1)?.map(0)?;
            Ok(())
        });
        Self {
            era: Era::ByronBoundary,
            number,
            slot,
            // The hash is over the kind and the header.
            hash: hash(&[&[0x82, 0x00][..], &header].concat()),
            transaction_ids: Vec::new(),
            bytes_without_auxiliary_data: bytes.clone(),
            header,
            bytes,
        }
    }
}

/// What a header says of a body.
struct Body {
    bytes: u64,
    hash: [u8; 32],
}

/// The parts of a body: transactions, witnesses, auxiliary data and, in later eras, the invalid transactions.
fn parts(era: Era, bodies: &[Vec<u8>], count: u64, transactions: &[MockTransaction]) -> Vec<Vec<u8>> {
    let with_data: Vec<_> = (0_u64..)
        .zip(transactions)
        .filter_map(|(index, transaction)| Some((index, transaction.auxiliary_data.as_deref()?)))
        .collect();
    let mut parts = vec![
        cbor(|encoder| {
            encoder.array(count)?;
            encoder.writer_mut().extend(bodies.concat());
            Ok(())
        }),
        cbor(|encoder| {
            encoder.array(count)?;
            (0..count).try_for_each(|_| encoder.map(0).map(drop))
        }),
        cbor(|encoder| {
            encoder.map(with_data.len().try_into().unwrap())?;
            for (index, data) in &with_data {
                encoder.u64(*index)?;
                encoder.writer_mut().extend_from_slice(data);
            }
            Ok(())
        }),
    ];
    let invalid: Vec<_> = (0_u64..)
        .zip(transactions)
        .filter(|(_, transaction)| !transaction.is_valid)
        .map(|(index, _)| index)
        .collect();
    if era.has_scripts() {
        parts.push(cbor(|encoder| {
            encoder.array(invalid.len().try_into().unwrap())?;
            invalid.iter().try_for_each(|index| encoder.u64(*index).map(drop))
        }));
    } else {
        assert!(invalid.is_empty(), "blocks of {era:?} can't have invalid transactions");
    }
    parts
}

/// One input, one output, a fee, and the hash of the auxiliary data. The input is another one for each transaction.
fn transaction_body(seed: u64, number: u64, index: u64, transaction: &MockTransaction) -> Vec<u8> {
    let spent = hash(format!("{seed} {number} {index}").as_bytes());
    cbor(|encoder| {
        let members = 3 + u64::from(transaction.auxiliary_data.is_some()) + u64::from(transaction.member.is_some());
        encoder.map(members)?;
        encoder.u8(0)?.array(1)?.array(2)?.bytes(&spent)?.u8(0)?;
        encoder.u8(1)?.array(1)?.array(2)?.bytes(&[0x61; 29])?.u64(1_000_000)?;
        encoder.u8(2)?.u64(170_000)?;
        if let Some(data) = &transaction.auxiliary_data {
            encoder.u8(7)?.bytes(&hash(data))?;
        }
        if let Some(member) = &transaction.member {
            encoder.writer_mut().extend_from_slice(member);
        }
        Ok(())
    })
}

/// A header. That of Babbage and later has one proof of the slot leader in place of two.
fn header(era: Era, (number, slot): (u64, u64), previous: Option<[u8; 32]>, seed: u64, body: &Body) -> Vec<u8> {
    let is_praos = matches!(era, Era::Babbage | Era::Conway);
    let issuer = hash(&seed.to_be_bytes());
    cbor(|encoder| {
        encoder.array(2)?.array(if is_praos { 10 } else { 15 })?;
        encoder.u64(number)?.u64(slot)?;
        match previous {
            Some(previous) => encoder.bytes(&previous)?,
            None => encoder.null()?,
        };
        encoder.bytes(&issuer)?.bytes(&[0; 32])?;
        for _ in 0..if is_praos { 1 } else { 2 } {
            encoder.array(2)?.bytes(&[0; 64])?.bytes(&[0; 80])?;
        }
        encoder.u64(body.bytes)?.bytes(&body.hash)?;
        if is_praos {
            encoder.array(4)?;
        }
        encoder.bytes(&[0; 32])?.u64(0)?.u64(0)?.bytes(&[0; 64])?;
        if is_praos {
            encoder.array(2)?;
        }
        encoder.u64(u64::from(era.in_chain_sync()) + 1)?.u64(0)?;
        encoder.bytes(&[0; 448])?;
        Ok(())
    })
}

fn hash(bytes: &[u8]) -> [u8; 32] {
    *Hasher::<256>::hash(bytes)
}

fn cbor(write: impl FnOnce(&mut Encoder<Vec<u8>>) -> Result<(), Error<Infallible>>) -> Vec<u8> {
    let mut encoder = Encoder::new(Vec::new());
    write(&mut encoder).expect("writing to memory does not fail");
    encoder.into_writer()
}
