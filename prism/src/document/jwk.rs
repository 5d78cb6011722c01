//! Public keys as JSON Web Keys.

use data_encoding::BASE64URL_NOPAD;
use serde::Serialize;

use crate::key::CurvePoint;

/// A public key as a JSON Web Key (RFC 7517; RFC 8812 for secp256k1, RFC 8037 for Ed25519 and X25519).
///
/// A coordinate is always 32 bytes, leading zeros included, and so 43 characters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Jwk {
    /// Key type: `EC` for secp256k1, `OKP` for the others.
    pub kty: &'static str,
    /// Curve: `secp256k1`, `Ed25519` or `X25519`.
    pub crv: &'static str,
    /// The x coordinate of an `EC` key, or the public key of an `OKP` key; base64url without padding.
    pub x: String,
    /// The y coordinate of an `EC` key; base64url without padding.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub y: Option<String>,
}

impl From<&CurvePoint> for Jwk {
    fn from(point: &CurvePoint) -> Self {
        match point {
            CurvePoint::Secp256k1(key) => {
                // SEC 1: 0x04, x, y.
                let [_, coordinates @ ..] = key.serialize_uncompressed();
                let (x, y) = coordinates.split_at(32);
                Self {
                    kty: "EC",
                    crv: "secp256k1",
                    x: BASE64URL_NOPAD.encode(x),
                    y: Some(BASE64URL_NOPAD.encode(y)),
                }
            }
            CurvePoint::Ed25519(key) => Self::octet_key_pair("Ed25519", key),
            CurvePoint::X25519(key) => Self::octet_key_pair("X25519", key),
        }
    }
}

impl Jwk {
    fn octet_key_pair(curve: &'static str, key: &[u8; 32]) -> Self {
        Self {
            kty: "OKP",
            crv: curve,
            x: BASE64URL_NOPAD.encode(key),
            y: None,
        }
    }
}
