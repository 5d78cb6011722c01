//! One operation, with the fields of its transaction and its block: the unit of an archive, and the leaf of its tree.

use node_storage_contract::{
    BlockHash, BlockNo, BlockTime, OperationBytes, OperationIndex, OperationPosition, PublishedRecord, SlotNo,
    TransactionId, TransactionIndex,
};

use crate::cbor::{Malformed, Reader, Writer};

/// One operation as an archive holds it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Where it stands.
    pub position: OperationPosition,
    /// Slot of its block.
    pub slot: SlotNo,
    /// Hash of its block.
    pub block_hash: BlockHash,
    /// Time of its block.
    pub block_time: BlockTime,
    /// Id of its transaction.
    pub transaction_id: TransactionId,
    /// The serialized `SignedPrismOperation`.
    pub bytes: OperationBytes,
}

impl From<PublishedRecord> for Entry {
    fn from(record: PublishedRecord) -> Self {
        Self {
            position: record.operation.position,
            slot: record.slot,
            block_hash: record.block_hash,
            block_time: record.operation.block_time,
            transaction_id: record.transaction_id,
            bytes: record.operation.bytes,
        }
    }
}

impl Entry {
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer
            .array(8)
            .unsigned(self.position.block.get())
            .unsigned(self.slot.get())
            .bytes(self.block_hash.as_slice())
            .signed(self.block_time.unix_micros())
            .unsigned(self.position.absn.get().into())
            .bytes(self.transaction_id.as_slice())
            .unsigned(self.position.osn.get().into())
            .bytes(self.bytes.as_slice());
    }

    pub(crate) fn decode(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.tuple("an operation", 8)?;
        let block = BlockNo::try_from(reader.unsigned("a block number")?).map_err(|error| error.to_string())?;
        let slot = SlotNo::try_from(reader.unsigned("a slot")?).map_err(|error| error.to_string())?;
        let block_hash =
            BlockHash::try_from(reader.bytes("a block hash")?).map_err(|_| "a block hash is not 32 bytes long")?;
        let block_time =
            BlockTime::from_unix_micros(reader.signed("a block time")?).map_err(|error| error.to_string())?;
        let absn = TransactionIndex::try_from(reader.unsigned("an absn")?).map_err(|error| error.to_string())?;
        let transaction_id = TransactionId::try_from(reader.bytes("a transaction id")?)
            .map_err(|_| "a transaction id is not 32 bytes long")?;
        let osn = OperationIndex::try_from(reader.unsigned("an osn")?).map_err(|error| error.to_string())?;
        let bytes = reader.bytes("the bytes of an operation")?;
        let bytes = OperationBytes::try_from(bytes.to_vec()).map_err(|error| error.to_string())?;
        Ok(Self {
            position: OperationPosition { block, absn, osn },
            slot,
            block_hash,
            block_time,
            transaction_id,
            bytes,
        })
    }
}
