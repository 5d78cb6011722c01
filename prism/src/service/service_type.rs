//! The `type` of a service.

use serde::{Serialize, Serializer};

/// The type of a service: one type name, or a list of at least one, in at most 100 characters as published.
///
/// A type name starts and ends with a letter, a digit, `-` or `_`; spaces stand inside only. A list is published as a
/// JSON array without blanks around its items and without escapes, and stays a list in the document.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceType {
    published: String,
    names: Names,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Names {
    One,
    List(Vec<String>),
}

/// Text that is not a [`ServiceType`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServiceType {
    /// More than 100 characters.
    #[error("service type has more than {} characters", ServiceType::MAX_LENGTH)]
    TooLong,
    /// Neither a type name nor a compact JSON array of type names.
    #[error("service type {0:?} is neither a type name nor a compact JSON array of type names")]
    Syntax(String),
}

impl ServiceType {
    /// The longest a type may be, in characters, brackets and quotes of a list included.
    pub const MAX_LENGTH: usize = 100;

    /// The text as published.
    pub fn published(&self) -> &str {
        &self.published
    }

    /// Whether this is, or lists, the type of that name.
    pub fn contains(&self, name: &str) -> bool {
        match &self.names {
            Names::One => self.published == name,
            Names::List(names) => names.iter().any(|listed| listed == name),
        }
    }
}

impl TryFrom<&str> for ServiceType {
    type Error = InvalidServiceType;

    fn try_from(text: &str) -> Result<Self, InvalidServiceType> {
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(InvalidServiceType::TooLong);
        }
        let names = if is_type_name(text) {
            Some(Names::One)
        } else {
            type_list(text).map(Names::List)
        };
        names
            .map(|names| Self {
                published: text.to_owned(),
                names,
            })
            .ok_or_else(|| InvalidServiceType::Syntax(text.to_owned()))
    }
}

impl Serialize for ServiceType {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match &self.names {
            Names::One => self.published.serialize(serializer),
            Names::List(names) => names.serialize(serializer),
        }
    }
}

fn is_type_name(text: &str) -> bool {
    let is_word = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_';
    let bytes = text.as_bytes();
    bytes.first().is_some_and(|first| is_word(*first))
        && bytes.last().is_some_and(|last| is_word(*last))
        && bytes.iter().all(|byte| is_word(*byte) || *byte == b' ')
}

/// `["A","B"]`, exactly so. Type names hold no quote, comma or backslash, so splitting between quotes is exact.
fn type_list(text: &str) -> Option<Vec<String>> {
    let items = text.strip_prefix("[\"")?.strip_suffix("\"]")?;
    items
        .split("\",\"")
        .map(|name| is_type_name(name).then(|| name.to_owned()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_type_is_a_name_or_a_compact_list_of_names() {
        let longest = "a".repeat(100);
        for text in [
            "LinkedDomains",
            "Linked Domains",
            "true",
            "123",
            "-_",
            "[\"A\"]",
            "[\"A\",\"B c\"]",
            &longest,
        ] {
            assert!(ServiceType::try_from(text).is_ok(), "{text:?}");
        }
        let too_long = "a".repeat(101);
        for text in [
            "",
            " ",
            " LinkedDomains",
            "LinkedDomains ",
            "Linked@Domains",
            "a.b",
            "a/b",
            "a\tb",
            "a\nb",
            "[]",
            "[\"]",
            "[\"\"]",
            "[LinkedDomains ]",
            "[\"A\", \"B\"]",
            "[\"A\" ,\"B\"]",
            "[ \"A\"]",
            "[\"A \"]",
            "[\"A\",]",
            "[\"A\",\"\"]",
            "[\"Linked@Domains\"]",
            "[\"\\u0041\"]",
            "[\"A\",1]",
            "[\"A\"]\n",
            "\"A\"",
            &too_long,
        ] {
            assert!(ServiceType::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn a_list_of_one_type_stays_a_list() {
        let list = ServiceType::try_from("[\"A\"]").unwrap();
        assert_eq!(serde_json::to_string(&list).unwrap(), "[\"A\"]");
        assert!(list.contains("A") && !list.contains("[\"A\"]"));
    }
}
