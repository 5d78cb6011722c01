//! `did:prism` identifiers, canonical and long form.

mod long_form;

use std::fmt;
use std::str::FromStr;

pub use long_form::{InvalidLongForm, LongFormDid};

use crate::digest::DidSuffix;

const METHOD: &str = "prism";

/// A `did:prism` DID.
///
/// Two spellings of one DID (canonical and long form) are different values with the same [`suffix`](Self::suffix).
#[derive(Debug, Clone, PartialEq)]
pub enum PrismDid {
    /// `did:prism:` and the suffix: the hash of the operation that creates the DID.
    Canonical(DidSuffix),
    /// The canonical form, `:`, and that operation itself.
    LongForm(LongFormDid),
}

/// Text that is not a `did:prism` DID.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DidError {
    /// Not a DID at all, or a `did:prism` DID that breaks a rule.
    #[error("not a valid DID: {reason}")]
    InvalidDid {
        /// The rule, for people.
        reason: String,
    },
    /// A DID URL where a DID is asked for.
    #[error("a DID is needed, without {part}")]
    InvalidDidUrl {
        /// The part that has to go: `a path`, `a query` or `a fragment`.
        part: &'static str,
    },
    /// A DID of another method.
    #[error("DID method {method:?} is not supported, only {METHOD:?} is")]
    MethodNotSupported {
        /// The method's name.
        method: String,
    },
}

impl PrismDid {
    /// The method-specific id of the canonical form.
    pub fn suffix(&self) -> DidSuffix {
        match self {
            Self::Canonical(suffix) => *suffix,
            Self::LongForm(long_form) => long_form.suffix(),
        }
    }

    /// The canonical form, `did:prism:` and 64 lowercase hexadecimal digits.
    pub fn canonical(&self) -> String {
        Self::Canonical(self.suffix()).to_string()
    }
}

impl From<DidSuffix> for PrismDid {
    fn from(suffix: DidSuffix) -> Self {
        Self::Canonical(suffix)
    }
}

impl fmt::Display for PrismDid {
    /// The form that was asked for.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Canonical(suffix) => write!(f, "did:{METHOD}:{suffix}"),
            Self::LongForm(long_form) => long_form.fmt(f),
        }
    }
}

impl FromStr for PrismDid {
    type Err = DidError;

    /// Parses a DID and, for a long form, validates the operation in it by every rule for a create apart from the
    /// signature, which it does not have.
    ///
    /// A DID URL is told from a text that is no DID by what stands before its path, query or fragment.
    fn from_str(text: &str) -> Result<Self, DidError> {
        let Some(url_part) = text.find(['/', '?', '#']) else {
            return parse_did(text);
        };
        let (did, rest) = text.split_at(url_part);
        match parse_did(did) {
            Ok(_) | Err(DidError::MethodNotSupported { .. }) => Err(DidError::InvalidDidUrl {
                part: match rest.as_bytes().first() {
                    Some(b'/') => "a path",
                    Some(b'?') => "a query",
                    _ => "a fragment",
                },
            }),
            Err(error) => Err(error),
        }
    }
}

fn parse_did(text: &str) -> Result<PrismDid, DidError> {
    let (method, id) = split_did(text).ok_or_else(|| invalid("it does not have the syntax of a DID"))?;
    if method != METHOD {
        return Err(DidError::MethodNotSupported {
            method: method.to_owned(),
        });
    }
    let (suffix, state) = match id.split_once(':') {
        Some((suffix, state)) => (suffix, Some(state)),
        None => (id, None),
    };
    let suffix = suffix.parse::<DidSuffix>().map_err(invalid)?;
    match state {
        None => Ok(PrismDid::Canonical(suffix)),
        Some(state) => LongFormDid::new(suffix, state).map(PrismDid::LongForm).map_err(invalid),
    }
}

fn invalid(reason: impl fmt::Display) -> DidError {
    DidError::InvalidDid {
        reason: reason.to_string(),
    }
}

/// The method name and the method-specific id, by the syntax of DID Core (section 3.1):
/// `did = "did:" method-name ":" *( *idchar ":" ) 1*idchar`.
fn split_did(text: &str) -> Option<(&str, &str)> {
    let (method, id) = text.strip_prefix("did:")?.split_once(':')?;
    let method_is_valid = !method.is_empty()
        && method
            .bytes()
            .all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit());
    (method_is_valid && is_method_specific_id(id)).then_some((method, id))
}

fn is_method_specific_id(id: &str) -> bool {
    let mut bytes = id.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b".-_:".contains(&byte),
        };
        if !allowed {
            return false;
        }
    }
    !id.is_empty() && !id.ends_with(':')
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUFFIX: &str = "9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b";

    fn kind(text: &str) -> &'static str {
        match text.parse::<PrismDid>() {
            Ok(PrismDid::Canonical(_)) => "canonical",
            Ok(PrismDid::LongForm(_)) => "long form",
            Err(DidError::InvalidDid { .. }) => "invalid DID",
            Err(DidError::InvalidDidUrl { .. }) => "invalid DID URL",
            Err(DidError::MethodNotSupported { .. }) => "method not supported",
        }
    }

    #[test]
    fn text_that_is_no_prism_did_is_told_apart() {
        let did = format!("did:prism:{SUFFIX}");
        assert_eq!(kind(&did), "canonical");
        for text in [
            "",
            "did:",
            "not-a-did",
            "did:example",
            "did:example:",
            "did::x",
            "DID:prism:x",
            "did:prism:",
            "did:prism:xyz",
            "did:PRISM:x",
            "did:web:%zz",
            "did:web:a b",
        ] {
            assert_eq!(kind(text), "invalid DID", "{text:?}");
        }
        for text in [
            format!("{did}0"),
            did.to_uppercase(),
            format!("did:prism:{}", SUFFIX.to_uppercase()),
            format!("{did}:"),
            format!("{did}:::"),
            format!("{did}\n"),
            format!("{did}:AA:AA"),
            format!("did:prism:{}", &SUFFIX[1..]),
        ] {
            assert_eq!(kind(&text), "invalid DID", "{text:?}");
        }
        for part in ["/", "/path", "?", "?a=b", "#", "#key-1", "#a/b?c"] {
            assert_eq!(kind(&format!("{did}{part}")), "invalid DID URL", "{part:?}");
            assert_eq!(
                kind(&format!("did:web:example.com{part}")),
                "invalid DID URL",
                "{part:?}"
            );
            assert_eq!(kind(&format!("did:prism:xyz{part}")), "invalid DID", "{part:?}");
        }
        for text in ["did:unsupported:123456789abcdefghi", "did:web:a%3A80:b", "did:x::y"] {
            assert_eq!(kind(text), "method not supported", "{text:?}");
        }
    }
}
