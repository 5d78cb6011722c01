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
}

/// The operation in the bytes of a `PrismOperation`; none if it is missing or of an unknown kind.
pub(crate) fn decode_operation(bytes: &[u8]) -> Result<Option<Operation>, prost::DecodeError> {
    let message: proto::PrismOperation = wire::decode(bytes, &wire::PRISM_PRISMOPERATION)?;
    Ok(message.operation)
}
