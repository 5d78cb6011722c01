//! The long form of a DID, which carries the operation that creates it.

use std::fmt;

use data_encoding::BASE64URL_NOPAD;

use crate::content::{DidContent, InvalidContent};
use crate::digest::{DidSuffix, sha256};
use crate::operation::{Operation, decode_operation};
use crate::proto;

/// A long form DID whose operation hashes to its suffix and keeps every rule for a create apart from the signature.
#[derive(Debug, Clone, PartialEq)]
pub struct LongFormDid {
    suffix: DidSuffix,
    encoded_state: String,
    content: DidContent,
}

/// Why the encoded state of a long form is invalid.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLongForm {
    /// Not base64url, or padded, or with unused bits that are not zero: each state has one text.
    #[error("its encoded state is not base64url without padding")]
    Encoding,
    /// The hash of the state is not the suffix.
    #[error("the hash of its encoded state is not its suffix")]
    Hash,
    /// The state is not a `PrismOperation` that creates a DID.
    #[error("its encoded state is not a create operation")]
    NotACreate,
    /// The create breaks a rule.
    #[error("its encoded state breaks a rule: {0}")]
    Content(#[from] InvalidContent),
}

impl LongFormDid {
    /// Validates the two parts of a long form.
    pub fn new(suffix: DidSuffix, encoded_state: &str) -> Result<Self, InvalidLongForm> {
        let operation = BASE64URL_NOPAD
            .decode(encoded_state.as_bytes())
            .map_err(|_| InvalidLongForm::Encoding)?;
        if sha256(&operation) != *suffix.as_bytes() {
            return Err(InvalidLongForm::Hash);
        }
        let Ok(Some(Operation::CreateDid(create))) = decode_operation(&operation) else {
            return Err(InvalidLongForm::NotACreate);
        };
        Ok(Self {
            suffix,
            encoded_state: encoded_state.to_owned(),
            content: DidContent::created_by(&create)?,
        })
    }

    /// The long form of the DID that these bytes of a `PrismOperation` create.
    pub fn of_create(operation: &[u8]) -> Result<Self, InvalidLongForm> {
        Self::new(DidSuffix::new(sha256(operation)), &BASE64URL_NOPAD.encode(operation))
    }

    /// The method-specific id of the canonical form.
    pub fn suffix(&self) -> DidSuffix {
        self.suffix
    }

    /// The content that the encoded create gives the DID: what the DID is as long as it is not published.
    pub fn content(&self) -> &DidContent {
        &self.content
    }

    /// The message that the read side serves as long as the DID is not published.
    pub fn to_did_data(&self) -> proto::DidData {
        self.content.to_did_data(self.suffix)
    }
}

impl fmt::Display for LongFormDid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "did:prism:{}:{}", self.suffix, self.encoded_state)
    }
}
