//! One signed operation, decoded and not yet judged.

use secp256k1::ecdsa::Signature;

pub use crate::proto::prism_operation::Operation;

use crate::digest::OperationHash;
use crate::key::PublicKey;
use crate::{proto, wire};

/// Bytes that do not decode as a `SignedPrismOperation` with a `PrismOperation` in it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UndecodableOperation {
    /// The outer message does not decode.
    #[error("not a SignedPrismOperation: {0}")]
    Signed(#[source] prost::DecodeError),
    /// The operation inside it does not decode.
    #[error("not a PrismOperation: {0}")]
    Inner(#[source] prost::DecodeError),
}

/// A `SignedPrismOperation`, decoded.
#[derive(Debug, Clone, PartialEq)]
pub struct SignedOperation {
    /// Id of the key that signed, as found.
    pub signed_with: String,
    /// The signature, as found.
    pub signature: Vec<u8>,
    /// The serialized `PrismOperation` as found: what is hashed and what is signed.
    pub bytes: Vec<u8>,
    /// SHA-256 of `bytes`.
    pub hash: OperationHash,
    /// The operation; none if it is missing, of the old protocol, or of a kind that this version does not know.
    pub operation: Option<Operation>,
}

impl SignedOperation {
    /// Decodes the bytes of a `SignedPrismOperation`. Unknown fields are passed over, at every level.
    pub fn decode(bytes: &[u8]) -> Result<Self, UndecodableOperation> {
        let signed: proto::SignedPrismOperation =
            wire::decode(bytes, &wire::PRISM_SIGNEDPRISMOPERATION).map_err(UndecodableOperation::Signed)?;
        // Protobuf merges a repeated occurrence of a singular message as if the occurrences stood one behind the other.
        let bytes = signed.operation.concat();
        let operation = decode_operation(&bytes).map_err(UndecodableOperation::Inner)?;
        Ok(Self {
            signed_with: signed.signed_with,
            signature: signed.signature,
            hash: OperationHash::of(&bytes),
            bytes,
            operation,
        })
    }

    /// Whether `key` signed this operation.
    ///
    /// ECDSA over secp256k1 and SHA-256 of the operation's bytes as found. The signature is strict DER with nothing
    /// behind it; S may be in the upper half of its range, as in about half of the early mainnet operations.
    pub fn is_signed_by(&self, key: &PublicKey) -> bool {
        let (Some(key), Ok(mut signature)) = (key.secp256k1(), Signature::from_der(&self.signature)) else {
            return false;
        };
        signature.normalize_s();
        let message = secp256k1::Message::from_digest(*self.hash.as_bytes());
        signature.verify(message, key).is_ok()
    }

    /// What the storage event in it has beyond the fields of its message; nothing for another operation.
    pub(crate) fn unknown_event_fields(&self) -> UnknownEventFields {
        let mut unknown = UnknownEventFields::default();
        let Some((event, fields)) = wire::oneof_member(&self.bytes, &wire::PRISM_PRISMOPERATION) else {
            return unknown;
        };
        for (number, is_known) in wire::numbers(&event, fields) {
            match number {
                ..UnknownEventFields::METADATA => unknown.validation |= !is_known,
                UnknownEventFields::METADATA..UnknownEventFields::DATA => {}
                UnknownEventFields::DATA.. => unknown.data = !is_known,
            }
        }
        unknown
    }
}

/// What a storage event has beyond the fields of its message (Cardano PRISM VDR Specification, "Validation rules"). The number of
/// a field says what it is for: validation up to 49, metadata from 50, data from 100 on.
///
/// A number that the message reserves counts as unknown there, and so does a known number with another wire type than its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct UnknownEventFields {
    /// Whether a validation field is among them: nobody who does not know it can say whether the event is valid.
    pub(crate) validation: bool,
    /// Whether the data is of an unknown kind: kinds exclude each other, so the last data field counts, known or not.
    pub(crate) data: bool,
}

impl UnknownEventFields {
    /// The lowest number of a metadata field.
    const METADATA: u64 = 50;
    /// The lowest number of a data field.
    const DATA: u64 = 100;
}

/// The operation in the bytes of a `PrismOperation`; none if it is missing or of an unknown kind.
pub(crate) fn decode_operation(bytes: &[u8]) -> Result<Option<Operation>, prost::DecodeError> {
    let message: proto::PrismOperation = wire::decode(bytes, &wire::PRISM_PRISMOPERATION)?;
    Ok(message.operation)
}
