//! In which bytes things are stored.
//!
//! Numbers are big-endian and of fixed length: 8 bytes for slots, block numbers and instants (whole microseconds since 1970,
//! signed), 4 for absn and osn. Hashes are their 32 bytes. A value is its fields one after the other; operation bytes and
//! texts (UTF-8) come last and take what is left. Whatever can't have been written so is `Corrupt`.

use node_storage_contract::{
    BlockHash, BlockHeader, BlockNo, BlockTime, Cursor, DidSuffix, IndexOutcome, Network, OperationBytes,
    OperationHash, OperationId, OperationPosition, OutOfRange, Reason, Result, StorageError, StorageOwner,
    TransactionId, TransactionIndex,
};

/// The first byte of an index entry.
const DID: u8 = 0;
const DID_LISTED: u8 = 1;
const STORAGE: u8 = 2;
const IGNORED: u8 = 3;
const UNDECODABLE: u8 = 4;

/// Block number, absn, osn: 16 bytes that order as positions do.
pub(crate) fn position_key(position: OperationPosition) -> [u8; 16] {
    let block = u128::from(position.block.get()) << 64;
    let absn = u128::from(position.absn.get()) << 32;
    (block | absn | u128::from(position.osn.get())).to_be_bytes()
}

/// Block number: the first 8 bytes of the positions in it.
pub(crate) fn block_key(number: BlockNo) -> [u8; 8] {
    number.get().to_be_bytes()
}

/// Block number, absn: the first 12 bytes of the positions in the transaction.
pub(crate) fn transaction_key(block: BlockNo, absn: TransactionIndex) -> Vec<u8> {
    [&block_key(block)[..], &absn.get().to_be_bytes()].concat()
}

/// Slot, time, hash; the number is the key.
pub(crate) fn encode_block(header: &BlockHeader) -> Vec<u8> {
    let slot = header.slot.get().to_be_bytes();
    let time = header.time.unix_micros().to_be_bytes();
    [&slot[..], &time, header.hash.as_slice()].concat()
}

/// Slot, block number, hash.
pub(crate) fn encode_cursor(cursor: Cursor) -> Vec<u8> {
    let slot = cursor.slot.get().to_be_bytes();
    [&slot[..], &block_key(cursor.block), cursor.hash.as_slice()].concat()
}

/// Id, bytes.
pub(crate) fn encode_operation(id: OperationId, bytes: &OperationBytes) -> Vec<u8> {
    [id.as_slice(), bytes.as_slice()].concat()
}

/// Position, DID.
pub(crate) fn encode_owner(position: OperationPosition, did: &DidSuffix) -> Vec<u8> {
    [&position_key(position)[..], did.as_slice()].concat()
}

/// Kind, then DID and operation hash, or the reason.
pub(crate) fn encode_outcome(outcome: &IndexOutcome) -> Vec<u8> {
    match outcome {
        IndexOutcome::Did {
            did,
            operation_hash,
            lists_did,
        } => {
            let kind = if *lists_did { DID_LISTED } else { DID };
            [&[kind], did.as_slice(), operation_hash.as_slice()].concat()
        }
        IndexOutcome::Storage { did, operation_hash } => {
            [&[STORAGE], did.as_slice(), operation_hash.as_slice()].concat()
        }
        IndexOutcome::Ignored { reason } => [&[IGNORED], reason.as_str().as_bytes()].concat(),
        IndexOutcome::Undecodable { reason } => [&[UNDECODABLE], reason.as_str().as_bytes()].concat(),
    }
}

/// What is left of a value.
struct Fields<'a> {
    subject: &'static str,
    rest: &'a [u8],
}

impl<'a> Fields<'a> {
    fn of(subject: &'static str, rest: &'a [u8]) -> Self {
        Self { subject, rest }
    }

    fn take<const LENGTH: usize>(&mut self) -> Result<[u8; LENGTH]> {
        let (field, rest) = self
            .rest
            .split_first_chunk()
            .ok_or_else(|| StorageError::corrupt(self.subject, "it is too short"))?;
        self.rest = rest;
        Ok(*field)
    }

    /// A slot or a block number.
    fn number<N: TryFrom<u64, Error = OutOfRange>>(&mut self) -> Result<N> {
        let number = u64::from_be_bytes(self.take()?);
        N::try_from(number).map_err(|error| StorageError::corrupt(self.subject, error))
    }

    /// An absn or an osn.
    fn index<N: TryFrom<u64, Error = OutOfRange>>(&mut self) -> Result<N> {
        let index = u32::from_be_bytes(self.take()?);
        N::try_from(index.into()).map_err(|error| StorageError::corrupt(self.subject, error))
    }

    fn position(&mut self) -> Result<OperationPosition> {
        Ok(OperationPosition {
            block: self.number()?,
            absn: self.index()?,
            osn: self.index()?,
        })
    }

    fn text(&mut self) -> Result<&'a str> {
        let text = std::str::from_utf8(self.rest).map_err(|error| StorageError::corrupt(self.subject, error))?;
        self.rest = &[];
        Ok(text)
    }

    /// The value made of the fields, where none is left.
    fn complete<T>(&self, value: T) -> Result<T> {
        if self.rest.is_empty() {
            Ok(value)
        } else {
            Err(StorageError::corrupt(self.subject, "it is too long"))
        }
    }
}

pub(crate) fn decode_position(bytes: &[u8]) -> Result<OperationPosition> {
    let mut fields = Fields::of("the position of an operation", bytes);
    let position = fields.position()?;
    fields.complete(position)
}

pub(crate) fn decode_block(number: BlockNo, bytes: &[u8]) -> Result<BlockHeader> {
    let mut fields = Fields::of("a block", bytes);
    let slot = fields.number()?;
    let micros = i64::from_be_bytes(fields.take()?);
    let time = BlockTime::from_unix_micros(micros).map_err(|error| StorageError::corrupt("a block", error))?;
    let hash = BlockHash::new(fields.take()?);
    fields.complete(BlockHeader {
        number,
        slot,
        hash,
        time,
    })
}

pub(crate) fn decode_block_number(bytes: &[u8]) -> Result<BlockNo> {
    let mut fields = Fields::of("the number of a block", bytes);
    let number = fields.number()?;
    fields.complete(number)
}

pub(crate) fn decode_cursor(bytes: &[u8]) -> Result<Cursor> {
    let mut fields = Fields::of("the cursor", bytes);
    let cursor = Cursor {
        slot: fields.number()?,
        block: fields.number()?,
        hash: BlockHash::new(fields.take()?),
    };
    fields.complete(cursor)
}

pub(crate) fn decode_network(bytes: &[u8]) -> Result<Network> {
    let name = Fields::of("the network", bytes).text()?;
    name.parse()
        .map_err(|error| StorageError::corrupt("the network", error))
}

pub(crate) fn decode_transaction_id(bytes: &[u8]) -> Result<TransactionId> {
    let mut fields = Fields::of("the id of a transaction", bytes);
    let id = TransactionId::new(fields.take()?);
    fields.complete(id)
}

pub(crate) fn decode_transaction_place(bytes: &[u8]) -> Result<(BlockNo, TransactionIndex)> {
    let mut fields = Fields::of("the place of a transaction", bytes);
    let place = (fields.number()?, fields.index()?);
    fields.complete(place)
}

/// The id alone, without a copy of the bytes behind it.
pub(crate) fn decode_operation_id(bytes: &[u8]) -> Result<OperationId> {
    Ok(OperationId::new(Fields::of("an operation", bytes).take()?))
}

pub(crate) fn decode_operation(bytes: &[u8]) -> Result<(OperationId, OperationBytes)> {
    let mut fields = Fields::of("an operation", bytes);
    let id = OperationId::new(fields.take()?);
    let bytes = OperationBytes::try_from(fields.rest.to_vec());
    Ok((id, bytes.map_err(|error| StorageError::corrupt("an operation", error))?))
}

pub(crate) fn decode_did(bytes: &[u8]) -> Result<DidSuffix> {
    let mut fields = Fields::of("a listed DID", bytes);
    let did = DidSuffix::new(fields.take()?);
    fields.complete(did)
}

pub(crate) fn decode_owner(operation_hash: OperationHash, bytes: &[u8]) -> Result<StorageOwner> {
    let mut fields = Fields::of("the owner of a storage entry", bytes);
    let owner = StorageOwner {
        operation_hash,
        position: fields.position()?,
        did: DidSuffix::new(fields.take()?),
    };
    fields.complete(owner)
}

pub(crate) fn decode_outcome(bytes: &[u8]) -> Result<IndexOutcome> {
    let mut fields = Fields::of("an index entry", bytes);
    let [kind] = fields.take()?;
    let outcome = match kind {
        DID | DID_LISTED => IndexOutcome::Did {
            did: DidSuffix::new(fields.take()?),
            operation_hash: OperationHash::new(fields.take()?),
            lists_did: kind == DID_LISTED,
        },
        STORAGE => IndexOutcome::Storage {
            did: DidSuffix::new(fields.take()?),
            operation_hash: OperationHash::new(fields.take()?),
        },
        IGNORED => IndexOutcome::Ignored {
            reason: Reason::new(fields.text()?),
        },
        UNDECODABLE => IndexOutcome::Undecodable {
            reason: Reason::new(fields.text()?),
        },
        kind => return Err(StorageError::corrupt("an index entry", format!("its kind is {kind}"))),
    };
    fields.complete(outcome)
}
