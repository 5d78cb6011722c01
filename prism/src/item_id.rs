//! Ids of keys and services.

use std::fmt;

/// Id of a key or of a service: an RFC 3986 fragment of 1…50 characters.
///
/// Two ids are the same only if their texts are; percent-encoding is not normalised.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ItemId(String);

/// Text that is not an [`ItemId`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidItemId {
    /// No text.
    #[error("id is empty")]
    Empty,
    /// More than 50 characters.
    #[error("id has more than {} characters", ItemId::MAX_LENGTH)]
    TooLong,
    /// A character that a fragment does not allow, or a `%` without two hexadecimal digits.
    #[error("id {0:?} is not an RFC 3986 fragment")]
    NotAFragment(String),
}

impl ItemId {
    /// The longest an id may be, in characters.
    pub const MAX_LENGTH: usize = 50;

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<&str> for ItemId {
    type Error = InvalidItemId;

    fn try_from(text: &str) -> Result<Self, InvalidItemId> {
        if text.is_empty() {
            Err(InvalidItemId::Empty)
        } else if text.chars().count() > Self::MAX_LENGTH {
            Err(InvalidItemId::TooLong)
        } else if is_fragment(text) {
            Ok(Self(text.to_owned()))
        } else {
            Err(InvalidItemId::NotAFragment(text.to_owned()))
        }
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// RFC 3986: `fragment = *( pchar / "/" / "?" )`.
fn is_fragment(text: &str) -> bool {
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let allowed = match byte {
            b'%' => (0..2).all(|_| bytes.next().is_some_and(|digit| digit.is_ascii_hexdigit())),
            _ => byte.is_ascii_alphanumeric() || b"-._~!$&'()*+,;=:@/?".contains(&byte),
        };
        if !allowed {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_fragments_of_1_to_50_characters() {
        let longest = "a".repeat(50);
        for id in ["a", "master0", "%20", "%aF/?:@!$&'()*+,;=-._~", &longest] {
            assert!(ItemId::try_from(id).is_ok(), "{id:?}");
        }
        let too_long = "a".repeat(51);
        for id in [
            "", "master 0", "#a", "%zz", "%2", "%", "a\"", "é", "a\n", "[", &too_long,
        ] {
            assert!(ItemId::try_from(id).is_err(), "{id:?}");
        }
    }
}
