//! 32-byte hashes, one type for each thing that is named by one.

use std::fmt;
use std::str::FromStr;

use data_encoding::HEXLOWER;
use sha2::{Digest, Sha256};

/// Text that is not the 64 lowercase hexadecimal digits of a 32-byte hash.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{name} must be 64 lowercase hexadecimal digits")]
pub struct InvalidDigest {
    /// What the text was to name, for example `operation id`.
    pub name: &'static str,
}

/// SHA-256 of `bytes`.
pub fn sha256(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(bytes).into()
}

macro_rules! digest_type {
    ($(#[$doc:meta])* $name:ident, $label:literal) => {
        $(#[$doc])*
        ///
        /// Written and parsed as 64 lowercase hexadecimal digits; ordered by its bytes.
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name([u8; 32]);

        impl $name {
            /// The hash with these bytes.
            pub const fn new(bytes: [u8; 32]) -> Self {
                Self(bytes)
            }

            /// The 32 bytes.
            pub const fn as_bytes(&self) -> &[u8; 32] {
                &self.0
            }

            /// The 32 bytes, as a slice.
            pub const fn as_slice(&self) -> &[u8] {
                &self.0
            }
        }

        impl TryFrom<&[u8]> for $name {
            type Error = InvalidDigest;

            /// Accepts exactly 32 bytes.
            fn try_from(bytes: &[u8]) -> Result<Self, InvalidDigest> {
                bytes.try_into().map(Self).map_err(|_| InvalidDigest { name: $label })
            }
        }

        impl FromStr for $name {
            type Err = InvalidDigest;

            fn from_str(text: &str) -> Result<Self, InvalidDigest> {
                let bytes = HEXLOWER.decode(text.as_bytes()).map_err(|_| InvalidDigest { name: $label })?;
                Self::try_from(bytes.as_slice())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&HEXLOWER.encode(&self.0))
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, concat!(stringify!($name), "({})"), self)
            }
        }
    };
}

digest_type!(
    /// Hash of a Cardano block (Blake2b-256 of its header).
    BlockHash,
    "block hash"
);
digest_type!(
    /// Id of a Cardano transaction (Blake2b-256 of its body).
    TransactionId,
    "transaction id"
);
digest_type!(
    /// SHA-256 of a serialized `SignedPrismOperation` as found on the ledger; used for tracking a submission.
    OperationId,
    "operation id"
);
digest_type!(
    /// SHA-256 of a serialized `PrismOperation` as found on the ledger, without its signature: the link of a DID's
    /// chain of operations, its `versionId`, and the reference of a storage entry.
    OperationHash,
    "operation hash"
);
digest_type!(
    /// The method-specific id of a canonical DID: the hash of the operation that creates it.
    DidSuffix,
    "DID suffix"
);

impl OperationId {
    /// The id of the signed operation with these bytes.
    pub fn of(signed_operation: &[u8]) -> Self {
        Self(sha256(signed_operation))
    }
}

impl OperationHash {
    /// The hash of the operation with these bytes.
    pub fn of(operation: &[u8]) -> Self {
        Self(sha256(operation))
    }
}

impl From<OperationHash> for DidSuffix {
    /// The suffix of the DID that the operation with this hash creates.
    fn from(hash: OperationHash) -> Self {
        Self(hash.0)
    }
}

impl From<DidSuffix> for OperationHash {
    /// The hash of the operation that creates this DID.
    fn from(suffix: DidSuffix) -> Self {
        Self(suffix.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_only_64_lowercase_hex_digits() {
        let text = "9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b";
        assert_eq!(text.parse::<DidSuffix>().unwrap().to_string(), text);
        for wrong in [
            "",
            &text[1..],
            &text.to_uppercase(),
            &format!("{text}0"),
            &format!("{text}\n"),
            "zz",
        ] {
            assert!(wrong.parse::<DidSuffix>().is_err(), "{wrong:?}");
        }
    }
}
