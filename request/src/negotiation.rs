//! Which representation of a DID resolution a client wants: the `Accept` header (RFC 9110, section 12.5.1).

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};
use mediatype::{MediaType, MediaTypeList};

/// The media type of a full DID resolution result.
pub const RESOLUTION_RESULT: &str = "application/did-resolution";
/// The media type of a DID document.
pub const DID_DOCUMENT: &str = "application/did";
/// The profile that marks a full result among `application/ld+json`, in place of [`RESOLUTION_RESULT`] in older
/// clients.
const RESOLUTION_PROFILE: &str = "https://w3id.org/did-resolution";

/// What a response with status 200 holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// The DID document alone.
    Document,
    /// Resolution metadata, DID document and document metadata.
    ResolutionResult,
}

/// One way of writing a resolution.
#[derive(Debug, PartialEq, Eq)]
pub struct Representation {
    /// What it holds.
    pub form: Form,
    /// The `Content-Type` of the response.
    pub content_type: &'static str,
    /// The media type without parameters.
    essence: &'static str,
}

impl Representation {
    const fn new(form: Form, essence: &'static str) -> Self {
        Self {
            form,
            content_type: essence,
            essence,
        }
    }
}

/// Every representation, in the order in which they are preferred where the client has no preference. The types behind
/// the first two are those that older clients ask for.
pub static REPRESENTATIONS: [Representation; 7] = [
    Representation::new(Form::Document, DID_DOCUMENT),
    Representation::new(Form::ResolutionResult, RESOLUTION_RESULT),
    Representation::new(Form::Document, "application/did+json"),
    Representation::new(Form::Document, "application/did+ld+json"),
    Representation::new(Form::Document, "application/json"),
    Representation::new(Form::Document, "application/ld+json"),
    Representation {
        form: Form::ResolutionResult,
        content_type: r#"application/ld+json;profile="https://w3id.org/did-resolution""#,
        essence: "application/ld+json",
    },
];

/// Chooses the representation for these headers; `None` if the client accepts none of them.
///
/// Without an `Accept` header, or with empty ones, it is the DID document. Otherwise each representation has the weight
/// of the most specific media range that covers it; the highest weight wins, then the range that stands first, then our
/// order. Parameters other than `q`, and than `profile` of `application/ld+json`, are passed over, as are ranges that
/// are not well-formed.
pub fn choose(headers: &HeaderMap) -> Option<&'static Representation> {
    let mut is_asked = false;
    let mut ranges = Vec::new();
    for value in headers.get_all(ACCEPT) {
        let text = value.to_str().unwrap_or_default();
        is_asked |= !is_blank(value);
        let well_formed = MediaTypeList::new(text).filter_map(Result::ok);
        ranges.extend(well_formed.filter_map(|media_type| MediaRange::new(&media_type)));
    }
    if !is_asked {
        return REPRESENTATIONS.first();
    }
    let mut best: Option<(&Representation, Preference)> = None;
    for representation in &REPRESENTATIONS {
        if let Some(preference) = preference(representation, &ranges)
            && best.as_ref().is_none_or(|(_, best)| preference.is_above(best))
        {
            best = Some((representation, preference));
        }
    }
    best.map(|(representation, _)| representation)
}

fn is_blank(value: &HeaderValue) -> bool {
    value.as_bytes().iter().all(u8::is_ascii_whitespace)
}

/// How much a client wants a representation.
struct Preference {
    /// The `q` of the range, above 0.
    weight: f32,
    /// Index of the range among all of them.
    order: usize,
}

impl Preference {
    fn is_above(&self, other: &Self) -> bool {
        self.weight > other.weight || (self.weight >= other.weight && self.order < other.order)
    }
}

/// The weight and place of the most specific range that covers the representation; none where there is none, or its
/// weight is 0. Of two that are equally specific the first counts.
fn preference(representation: &Representation, ranges: &[MediaRange]) -> Option<Preference> {
    let mut most_specific = None;
    for (order, range) in ranges.iter().enumerate() {
        let specificity = range.specificity_for(representation);
        if specificity > most_specific.as_ref().and_then(|(specificity, _)| *specificity) {
            let weight = range.weight;
            most_specific = Some((specificity, Preference { weight, order }));
        }
    }
    most_specific
        .map(|(_, preference)| preference)
        .filter(|preference| preference.weight > 0.0)
}

/// How exactly a range covers a representation, from the least to the most.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Specificity {
    AnyType,
    AnySubtype,
    MediaType,
    Profile,
}

/// One item of an `Accept` header.
struct MediaRange {
    /// `type/subtype`, in lower case.
    essence: String,
    /// Whether it has the parameter that asks for a full result.
    has_resolution_profile: bool,
    /// `q`, 0 to 1.
    weight: f32,
}

impl MediaRange {
    /// `None` if the weight is not one.
    fn new(media_type: &MediaType<'_>) -> Option<Self> {
        let mut range = Self {
            essence: media_type.essence().to_string().to_ascii_lowercase(),
            has_resolution_profile: false,
            weight: 1.0,
        };
        for (name, value) in media_type.params.iter() {
            if *name == "q" {
                let weight = value.unquoted_str().parse::<f32>().ok();
                range.weight = weight.filter(|weight| (0.0..=1.0).contains(weight))?;
            } else if *name == "profile" {
                // The value is a list of profiles (RFC 6906).
                let profiles = value.unquoted_str();
                range.has_resolution_profile = profiles.split_whitespace().any(|profile| profile == RESOLUTION_PROFILE);
            }
        }
        Some(range)
    }

    fn specificity_for(&self, representation: &Representation) -> Option<Specificity> {
        let has_profile = representation.content_type != representation.essence;
        match self.essence.as_str() {
            "*/*" => Some(Specificity::AnyType),
            "application/*" => Some(Specificity::AnySubtype),
            essence if essence != representation.essence => None,
            "application/ld+json" if self.has_resolution_profile => has_profile.then_some(Specificity::Profile),
            _ => Some(Specificity::MediaType),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: &[&str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        for value in accept {
            headers.append(ACCEPT, HeaderValue::from_bytes(value.as_bytes()).unwrap());
        }
        choose(&headers).map(|representation| representation.content_type)
    }

    fn chosen_of(accept: &str) -> Option<&'static str> {
        chosen(&[accept])
    }

    // edge-cases.md#h1
    #[test]
    fn the_document_is_sent_where_the_client_has_no_preference() {
        assert_eq!(chosen(&[]), Some("application/did"));
        for accept in [
            "",
            "  ",
            "*/*",
            "application/*",
            "text/html, */*;q=0.8",
            "APPLICATION/*",
        ] {
            assert_eq!(chosen_of(accept), Some("application/did"), "{accept:?}");
        }
    }

    // edge-cases.md#h3
    #[test]
    fn each_type_is_answered_with_itself() {
        for representation in &REPRESENTATIONS {
            assert_eq!(
                chosen_of(representation.content_type),
                Some(representation.content_type)
            );
        }
    }

    // edge-cases.md#h2
    #[test]
    fn blanks_case_and_parameters_do_not_matter() {
        for accept in [
            "text/html, application/did-resolution",
            "text/html ,\tapplication/did-resolution ; q=1.0",
            "Application/DID-Resolution",
            "application/did-resolution;charset=utf-8",
            "application/did-resolution;profile=\"a, b\";Q=0.5",
            ",, application/did-resolution,",
            "application/did-resolution;",
        ] {
            assert_eq!(chosen_of(accept), Some("application/did-resolution"), "{accept:?}");
        }
    }

    // edge-cases.md#h3
    #[test]
    fn the_profile_tells_a_result_from_a_document() {
        let result = r#"application/ld+json;profile="https://w3id.org/did-resolution""#;
        for accept in [
            r#"application/ld+json; Profile="https://w3id.org/did-resolution""#,
            r#"application/ld+json;profile="http://a.example/ https://w3id.org/did-resolution""#,
            r#"application/ld+json;profile="https://w3id.org/did-resolution",application/ld+json"#,
        ] {
            assert_eq!(chosen_of(accept), Some(result), "{accept}");
        }
        for accept in [
            "application/ld+json",
            r#"application/ld+json;profile="https://w3id.org/did""#,
        ] {
            assert_eq!(chosen_of(accept), Some("application/ld+json"), "{accept}");
        }
    }

    // edge-cases.md#h2
    #[test]
    fn weight_comes_before_order_and_order_before_our_own() {
        for (accept, expected) in [
            (
                "application/did;q=0.5, application/did-resolution",
                "application/did-resolution",
            ),
            (
                "application/did-resolution;q=0.5, application/did;q=0.7",
                "application/did",
            ),
            ("application/json, application/did", "application/json"),
            (
                "application/did-resolution, application/json",
                "application/did-resolution",
            ),
            ("application/did+json;q=.2, */*;q=.1", "application/did+json"),
            (
                "application/*;q=0.1, application/did+ld+json;q=0.2",
                "application/did+ld+json",
            ),
        ] {
            assert_eq!(chosen_of(accept), Some(expected), "{accept}");
        }
        assert_eq!(
            chosen(&[
                "text/html",
                "application/json;q=0.3",
                "application/did-resolution;q=0.4"
            ]),
            Some("application/did-resolution")
        );
    }

    #[test]
    fn weight_zero_excludes() {
        assert_eq!(
            chosen_of("application/did;q=0, application/*"),
            Some("application/did-resolution")
        );
        assert_eq!(chosen_of("application/did;q=0"), None);
        assert_eq!(chosen_of("*/*;q=0, application/json"), Some("application/json"));
        assert_eq!(chosen_of("*/*;q=0.0"), None);
    }

    // edge-cases.md#h4
    #[test]
    fn other_types_and_malformed_ranges_are_not_acceptable() {
        for accept in [
            "text/html",
            "image/png, text/*",
            "application/did-url-dereferencing",
            "application",
            "*",
            "application/did;q=high",
            "application/did;q=2",
            "application/did;q=-1",
            "application/did;q=NaN",
            "\u{e9}/json",
        ] {
            assert_eq!(chosen_of(accept), None, "{accept:?}");
        }
    }
}
