//! Public keys of a DID.

use std::fmt;

use curve25519_dalek::edwards::CompressedEdwardsY;

use crate::item_id::{InvalidItemId, ItemId};
use crate::proto;
use crate::proto::public_key::KeyData;

/// What a key is for. A key has exactly one usage.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum KeyUsage {
    /// Signs the operations of its DID.
    Master,
    /// Issues credentials: `assertionMethod`.
    Issuing,
    /// `keyAgreement`.
    KeyAgreement,
    /// `authentication`.
    Authentication,
    /// Revokes credentials of the old protocol.
    Revocation,
    /// `capabilityInvocation`.
    CapabilityInvocation,
    /// `capabilityDelegation`.
    CapabilityDelegation,
    /// Signs the storage operations of its DID (verifiable data registry).
    Vdr,
}

impl KeyUsage {
    /// The usage with this number in protobuf; none for `UNKNOWN_KEY` and for numbers that the protocol does not know.
    pub fn from_number(number: i32) -> Option<Self> {
        match proto::KeyUsage::try_from(number).ok()? {
            proto::KeyUsage::UnknownKey => None,
            proto::KeyUsage::MasterKey => Some(Self::Master),
            proto::KeyUsage::IssuingKey => Some(Self::Issuing),
            proto::KeyUsage::KeyAgreementKey => Some(Self::KeyAgreement),
            proto::KeyUsage::AuthenticationKey => Some(Self::Authentication),
            proto::KeyUsage::RevocationKey => Some(Self::Revocation),
            proto::KeyUsage::CapabilityInvocationKey => Some(Self::CapabilityInvocation),
            proto::KeyUsage::CapabilityDelegationKey => Some(Self::CapabilityDelegation),
            proto::KeyUsage::VdrKey => Some(Self::Vdr),
        }
    }

    /// Whether keys of this usage sign operations, and so must be on secp256k1.
    fn signs_operations(self) -> bool {
        matches!(self, Self::Master | Self::Vdr)
    }
}

impl fmt::Display for KeyUsage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Master => "MASTER",
            Self::Issuing => "ISSUING",
            Self::KeyAgreement => "KEY_AGREEMENT",
            Self::Authentication => "AUTHENTICATION",
            Self::Revocation => "REVOCATION",
            Self::CapabilityInvocation => "CAPABILITY_INVOCATION",
            Self::CapabilityDelegation => "CAPABILITY_DELEGATION",
            Self::Vdr => "VDR",
        })
    }
}

/// A point on one of the three curves of the protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CurvePoint {
    /// On secp256k1.
    Secp256k1(secp256k1::PublicKey),
    /// Compressed, on Ed25519; known to decompress.
    Ed25519([u8; 32]),
    /// The u-coordinate of X25519; every 32 bytes are one.
    X25519([u8; 32]),
}

/// A public key that keeps every rule for keys (protocol.md#keys).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublicKey {
    id: ItemId,
    usage: KeyUsage,
    point: CurvePoint,
    published: proto::PublicKey,
}

/// The rule that a public key breaks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidKey {
    /// The id.
    #[error(transparent)]
    Id(#[from] InvalidItemId),
    /// `UNKNOWN_KEY`, or a number that the protocol does not know.
    #[error("usage {0} is unknown")]
    Usage(i32),
    /// Neither `ec_key_data` nor `compressed_ec_key_data`.
    #[error("key data is missing")]
    MissingKeyData,
    /// A curve name other than `secp256k1`, `Ed25519` and `X25519`, or Ed25519 or X25519 in `ec_key_data`.
    #[error("curve {curve:?} is not supported in {field}")]
    Curve {
        /// The name found.
        curve: String,
        /// `ec_key_data` or `compressed_ec_key_data`.
        field: &'static str,
    },
    /// Bytes of the wrong length, or not a point of the curve.
    #[error("key data is not a point of {0}, or not of the length that the protocol fixes")]
    Point(&'static str),
    /// MASTER and VDR keys must be on secp256k1.
    #[error("a {0} key must be on secp256k1")]
    SignerCurve(KeyUsage),
}

impl PublicKey {
    /// The id.
    pub fn id(&self) -> &ItemId {
        &self.id
    }

    /// The usage.
    pub fn usage(&self) -> KeyUsage {
        self.usage
    }

    /// The point.
    pub fn point(&self) -> &CurvePoint {
        &self.point
    }

    /// The message as published.
    pub fn published(&self) -> &proto::PublicKey {
        &self.published
    }

    /// The key to verify with, if it is on secp256k1.
    pub(crate) fn secp256k1(&self) -> Option<&secp256k1::PublicKey> {
        match &self.point {
            CurvePoint::Secp256k1(key) => Some(key),
            CurvePoint::Ed25519(_) | CurvePoint::X25519(_) => None,
        }
    }
}

impl TryFrom<&proto::PublicKey> for PublicKey {
    type Error = InvalidKey;

    fn try_from(key: &proto::PublicKey) -> Result<Self, InvalidKey> {
        let id = ItemId::try_from(key.id.as_str())?;
        let usage = KeyUsage::from_number(key.usage).ok_or(InvalidKey::Usage(key.usage))?;
        let point = CurvePoint::try_from(key.key_data.as_ref().ok_or(InvalidKey::MissingKeyData)?)?;
        if usage.signs_operations() && !matches!(point, CurvePoint::Secp256k1(_)) {
            return Err(InvalidKey::SignerCurve(usage));
        }
        Ok(Self {
            id,
            usage,
            point,
            published: key.clone(),
        })
    }
}

impl TryFrom<&KeyData> for CurvePoint {
    type Error = InvalidKey;

    fn try_from(data: &KeyData) -> Result<Self, InvalidKey> {
        match data {
            KeyData::EcKeyData(key) => match key.curve.as_str() {
                "secp256k1" => uncompressed_secp256k1(&key.x, &key.y).ok_or(InvalidKey::Point("secp256k1")),
                curve => Err(InvalidKey::Curve {
                    curve: curve.to_owned(),
                    field: "ec_key_data",
                }),
            },
            KeyData::CompressedEcKeyData(key) => match key.curve.as_str() {
                "secp256k1" => compressed_secp256k1(&key.data).ok_or(InvalidKey::Point("secp256k1")),
                "Ed25519" => ed25519(&key.data).ok_or(InvalidKey::Point("Ed25519")),
                "X25519" => x25519(&key.data).ok_or(InvalidKey::Point("X25519")),
                curve => Err(InvalidKey::Curve {
                    curve: curve.to_owned(),
                    field: "compressed_ec_key_data",
                }),
            },
        }
    }
}

/// Two coordinates of exactly 32 bytes.
fn uncompressed_secp256k1(x: &[u8], y: &[u8]) -> Option<CurvePoint> {
    let x: &[u8; 32] = x.try_into().ok()?;
    let y: &[u8; 32] = y.try_into().ok()?;
    let encoded = [&[0x04][..], x, y].concat().try_into().ok()?;
    let key = secp256k1::PublicKey::from_byte_array_uncompressed(encoded).ok()?;
    Some(CurvePoint::Secp256k1(key))
}

/// Exactly 33 bytes.
fn compressed_secp256k1(data: &[u8]) -> Option<CurvePoint> {
    let key = secp256k1::PublicKey::from_byte_array_compressed(data.try_into().ok()?).ok()?;
    Some(CurvePoint::Secp256k1(key))
}

/// Exactly 32 bytes that decompress.
fn ed25519(data: &[u8]) -> Option<CurvePoint> {
    let encoded: [u8; 32] = data.try_into().ok()?;
    CompressedEdwardsY(encoded).decompress()?;
    Some(CurvePoint::Ed25519(encoded))
}

/// Exactly 32 bytes.
fn x25519(data: &[u8]) -> Option<CurvePoint> {
    data.try_into().ok().map(CurvePoint::X25519)
}
