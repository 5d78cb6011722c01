//! The `service_endpoint` of a service.

use fluent_uri::Uri;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

/// The endpoint of a service: a URI, a JSON object, or a JSON array of at least one URI or object, in at most 300
/// characters as published.
///
/// JSON is emitted in a document as it was published, to the letter: order and repetition of members, the digits of
/// numbers, an array of one. Blanks between its tokens are allowed, blanks around it are not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceEndpoint {
    published: String,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Uri,
    Json,
}

/// Text that is not a [`ServiceEndpoint`].
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum InvalidServiceEndpoint {
    /// More than 300 characters.
    #[error("service endpoint has more than {} characters", ServiceEndpoint::MAX_LENGTH)]
    TooLong,
    /// Neither a URI nor JSON of the shape that is allowed.
    #[error("service endpoint {0:?} is neither an absolute URI, a JSON object, nor a JSON array of these")]
    Syntax(String),
}

impl ServiceEndpoint {
    /// The longest an endpoint may be, in characters.
    pub const MAX_LENGTH: usize = 300;

    /// The text as published.
    pub fn published(&self) -> &str {
        &self.published
    }
}

impl TryFrom<&str> for ServiceEndpoint {
    type Error = InvalidServiceEndpoint;

    fn try_from(text: &str) -> Result<Self, InvalidServiceEndpoint> {
        if text.chars().count() > Self::MAX_LENGTH {
            return Err(InvalidServiceEndpoint::TooLong);
        }
        let form = if is_absolute_uri(text) {
            Form::Uri
        } else if is_json_endpoint(text) {
            Form::Json
        } else {
            return Err(InvalidServiceEndpoint::Syntax(text.to_owned()));
        };
        Ok(Self {
            published: text.to_owned(),
            form,
        })
    }
}

impl Serialize for ServiceEndpoint {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.form {
            Form::Uri => self.published.serialize(serializer),
            Form::Json => serde_json::from_str::<&RawValue>(&self.published)
                .map_err(serde::ser::Error::custom)?
                .serialize(serializer),
        }
    }
}

/// RFC 3986 `URI`: with a scheme. The protocol asks for normalised URIs as well, but published ones are not
/// (`http://cloud-agent:8085` has no path), so that part is not enforced.
fn is_absolute_uri(text: &str) -> bool {
    Uri::parse(text).is_ok()
}

/// No text is both a URI and JSON of these shapes, so the order in which the two are tried does not matter.
///
/// The text is only checked against the JSON grammar, never turned into numbers or nested values, so that neither the
/// size of a number nor the depth of nesting (which the parser passes over without recursion) decides.
fn is_json_endpoint(text: &str) -> bool {
    match (text.as_bytes().first(), text.as_bytes().last()) {
        (Some(b'{'), Some(b'}')) => serde_json::from_str::<&RawValue>(text).is_ok(),
        (Some(b'['), Some(b']')) => serde_json::from_str::<Vec<&RawValue>>(text)
            .is_ok_and(|items| !items.is_empty() && items.into_iter().all(is_item)),
        _ => false,
    }
}

fn is_item(item: &RawValue) -> bool {
    item.get().starts_with('{') || serde_json::from_str::<String>(item.get()).is_ok_and(|text| is_absolute_uri(&text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_endpoint_is_a_uri_an_object_or_an_array_of_them() {
        for text in [
            "urn:x:y",
            "did:web:a",
            "mailto:a@b",
            "http://cloud-agent:8085",
            "http://[2001:db8::1]/x",
            "https://example.com/#fragment",
            "{}",
            "{\"uri\":\"x\"}",
            "{ \"a\" : [ 1 , null ] }",
            "[\"http://e.com\"]",
            "[\"http://e.com\", {\"a\":1}]",
        ] {
            assert!(ServiceEndpoint::try_from(text).is_ok(), "{text:?}");
        }
        let deep = "[".repeat(300);
        for text in [
            "",
            " ",
            "foo",
            "123",
            "not a url",
            " http://e.com",
            "http://e.com ",
            " {}",
            "{}\n",
            "{\"a\":1",
            "\"http://e.com\"",
            "null",
            "[]",
            "[\"not a url\"]",
            "[\" http://e.com\"]",
            "[1]",
            "[null]",
            "[[\"http://e.com\"]]",
            &deep,
        ] {
            assert!(ServiceEndpoint::try_from(text).is_err(), "{text:?}");
        }
    }

    #[test]
    fn length_is_counted_in_characters() {
        let text = format!("{{\"a\":\"{}\"}}", "é".repeat(292));
        assert_eq!((text.chars().count(), text.len() > 300), (300, true));
        assert!(ServiceEndpoint::try_from(text.as_str()).is_ok());
        let longer = text.replace("\"a\"", "\"aa\"");
        assert_eq!(
            ServiceEndpoint::try_from(longer.as_str()),
            Err(InvalidServiceEndpoint::TooLong)
        );
    }

    #[test]
    fn json_is_emitted_as_it_was_published() {
        let deep = format!("{{\"a\":{}{}}}", "[".repeat(140), "]".repeat(140));
        for text in [
            "{ \"b\": 1, \"a\": {\"z\": 1, \"y\": []} }",
            "{\"n\":123456789012345678901234567890,\"n\":1.10}",
            "{\"n\":1e400,\"s\":\"\\ud800\"}",
            "[ {\"a\":-0} ]",
            &deep,
        ] {
            let endpoint = ServiceEndpoint::try_from(text).unwrap();
            assert_eq!(serde_json::to_string(&endpoint).unwrap(), text);
        }
    }
}
