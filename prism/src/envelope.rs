//! The envelope: from a transaction's metadata to its signed operations, and back (protocol.md#envelope).
//!
//! An entry that is malformed is an error for its reader to log and skip; it is never repaired. Whoever reads a ledger
//! moves on either way.

mod cbor;
mod json;

use prost::Message;

pub use cbor::{encode_metadata, metadata_in_auxiliary_data, operations_in_metadata};
pub use json::operations_in_json;

use crate::ledger::{OperationBytes, OperationIndex, OutOfRange, PublishedOperation};
use crate::operation::{SignedOperation, UndecodableOperation};
use crate::proto::{PrismBlock, PrismObject};
use crate::wire;

/// The label of PRISM entries in a transaction's metadata: the low 16 bits of ASCII "PRISM".
pub const METADATA_LABEL: u64 = 21325;

/// The version of the envelope, its `v`.
const ENVELOPE_VERSION: u64 = 1;

/// Bytes in each chunk that is written but the last: the longest byte string that Cardano metadata allows. Readers accept
/// chunks of any length, since the ledger enforces that limit.
const CHUNK_LENGTH: usize = 64;

/// Why the metadata of a transaction gives no operations although it has an entry for PRISM.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum EnvelopeError {
    /// Not well-formed CBOR, or another type of CBOR item than was to be read.
    #[error("metadata is malformed: {0}")]
    Cbor(String),
    /// Well-formed, but not what the protocol defines.
    #[error("metadata is malformed: {0}")]
    Shape(&'static str),
    /// The bytes in the entry do not decode as a `PrismObject`.
    #[error("not a PrismObject: {0}")]
    Object(#[source] prost::DecodeError),
    /// One operation does not decode, which makes the whole object malformed.
    #[error("operation {osn} of the object: {reason}")]
    Operation {
        /// Index of the operation in its block.
        osn: OperationIndex,
        /// What does not decode.
        reason: UndecodableOperation,
    },
    /// An operation is longer than is stored, or there are too many.
    #[error(transparent)]
    OutOfRange(#[from] OutOfRange),
}

/// The operations in a serialized `PrismObject`, each with its index and its bytes as found.
///
/// All or nothing: one operation that does not decode makes the object malformed. Operations that are missing or of an
/// unknown kind decode and count. An object without a block, or a block without operations, has none.
pub fn operations_in_object(object: &[u8]) -> Result<Vec<PublishedOperation>, EnvelopeError> {
    let object: PrismObject = wire::decode(object, &wire::PRISM_PRISMOBJECT).map_err(EnvelopeError::Object)?;
    let operations = object.block_content.unwrap_or_default().operations;
    (0_u64..)
        .zip(operations)
        .map(|(index, bytes)| {
            let osn = OperationIndex::try_from(index)?;
            SignedOperation::decode(&bytes).map_err(|reason| EnvelopeError::Operation { osn, reason })?;
            Ok(PublishedOperation {
                osn,
                bytes: OperationBytes::try_from(bytes)?,
            })
        })
        .collect()
}

/// The serialized `PrismObject` that publishes these serialized `SignedPrismOperation`s, in this order.
pub fn encode_object(signed_operations: &[Vec<u8>]) -> Vec<u8> {
    PrismObject {
        block_content: Some(PrismBlock {
            operations: signed_operations.to_vec(),
        }),
    }
    .encode_to_vec()
}
