//! Type and endpoint of a service (edge-cases.md#services).
#![allow(clippy::unwrap_used, reason = "a surprise in a helper fails the test that asked")]

mod common;

use common::{History, creates, creation};
use did_prism::document::DocumentStyle;
use did_prism::resolution::Version;
use prism_fixtures::message::service;
use rstest::rstest;
use serde_json::{Value, json};

const TYPE: &str = "LinkedDomains";
const ENDPOINT: &str = "https://example.com";

fn type_accepted(service_type: &str) -> bool {
    creates(&creation(vec![], vec![service("service", service_type, ENDPOINT)], &[]))
}

fn endpoint_accepted(endpoint: &str) -> bool {
    creates(&creation(vec![], vec![service("service", TYPE, endpoint)], &[]))
}

/// The service of the document, in both styles the same.
fn in_document(service_type: &str, endpoint: &str) -> Value {
    let create = creation(vec![], vec![service("service", service_type, endpoint)], &[]);
    let history = History::created_by(&create);
    let did = format!("did:prism:{}", create.hash);
    let service = |style| {
        let document = history.resolve(&did, Version::Latest, style).unwrap().document;
        serde_json::to_value(document).unwrap()["service"][0].clone()
    };
    let spec = service(DocumentStyle::Spec);
    assert_eq!(spec, service(DocumentStyle::Minimal));
    assert_eq!(spec["id"], format!("{did}#service"));
    spec
}

#[test]
fn s1_a_type_has_at_most_100_characters() {
    assert!(type_accepted(&"a".repeat(100)));
    assert!(!type_accepted(&"a".repeat(101)));
    let array = |length: usize| format!(r#"["{}"]"#, "a".repeat(length - 4));
    assert!(type_accepted(&array(100)));
    assert!(!type_accepted(&array(101)));
}

#[rstest]
fn s2_types_that_are_no_type_string_are_rejected(
    #[values(
        "",
        " ",
        " LinkedDomains",
        "LinkedDomains ",
        "Linked@Domains",
        "a.b",
        "a/b",
        "a:b",
        "#a",
        "é",
        "Linkedé",
        "a\0b",
        "https://example.com/type"
    )]
    service_type: &str,
) {
    assert!(!type_accepted(service_type));
}

#[rstest]
fn s2_letters_digits_hyphens_and_underscores_are_type_strings(
    #[values("LinkedDomains", "a", "0", "-", "_", "-a_", "did-communication", "A1")] service_type: &str,
) {
    assert!(type_accepted(service_type));
    assert_eq!(in_document(service_type, ENDPOINT)["type"], service_type);
}

#[test]
fn s3_blanks_inside_a_type_are_spaces_only() {
    assert!(type_accepted("Linked Domains"));
    assert!(type_accepted("a b c  d"));
    assert_eq!(in_document("Linked Domains", ENDPOINT)["type"], "Linked Domains");
    for blank in ['\t', '\n', '\r', '\u{b}', '\u{a0}', '\u{2003}', '\u{3000}'] {
        assert!(!type_accepted(&format!("Linked{blank}Domains")), "{blank:?}");
        assert!(
            !type_accepted(&format!("[\"Linked{blank}Domains\"]")),
            "{blank:?} in an array"
        );
    }
}

#[rstest]
fn s4_type_arrays_are_compact_lists_of_type_strings(
    #[values(
        "[]",
        "[LinkedDomains ]",
        "[LinkedDomains]",
        r#"["A", "B"]"#,
        r#"["A" ,"B"]"#,
        r#"[ "A"]"#,
        r#"["A" ]"#,
        r#"["A "]"#,
        r#"[" A"]"#,
        r#"["Linked@Domains"]"#,
        r#"["A",1]"#,
        r#"["A",null]"#,
        r#"["A",["B"]]"#,
        r#"[""]"#,
        r#"["A",]"#,
        r#"["A""#,
        r#"["A"]]"#,
        r#" ["A"]"#,
        r#"["A"] "#,
        r#"["\u0041"]"#,
        r#"["A\/B"]"#,
        "['A']",
        r#"["A"]["B"]"#,
        "[",
        r#"{"a":1}"#
    )]
    service_type: &str,
) {
    assert!(!type_accepted(service_type));
}

#[test]
fn s5_a_type_array_stays_an_array_also_with_one_item() {
    assert_eq!(in_document(r#"["A"]"#, ENDPOINT)["type"], json!(["A"]));
    assert_eq!(
        in_document(r#"["A","Linked Domains"]"#, ENDPOINT)["type"],
        json!(["A", "Linked Domains"])
    );
}

#[test]
fn s6_json_that_is_no_array_is_a_type_string_or_nothing() {
    for plain in ["true", "null", "123"] {
        assert_eq!(in_document(plain, ENDPOINT)["type"], plain);
    }
    assert!(!type_accepted(r#""A""#));
}

#[test]
fn s7_an_endpoint_has_at_most_300_characters() {
    let uri = |length: usize| format!("https://example.com/{}", "x".repeat(length - 20));
    assert!(endpoint_accepted(&uri(300)));
    assert!(!endpoint_accepted(&uri(301)));
    let object = |length: usize| format!(r#"{{"a":"{}"}}"#, "x".repeat(length - 8));
    assert!(endpoint_accepted(&object(300)));
    assert!(!endpoint_accepted(&object(301)));
}

#[test]
fn s17_json_that_no_string_or_double_holds_is_shown_to_the_letter() {
    for endpoint in [
        r#"{"n":1e400,"m":-1E+99999,"z":0e-400}"#,
        r#"{"high":"\ud83d","low":"\ude00","turned":"\ude00\ud83d","pair":"\ud83d\ude00"}"#,
        r#"{"\ud800":1,"\ud800":2}"#,
        r#"["https://example.com",{"n":1e400,"s":"\udfff"}]"#,
    ] {
        assert!(endpoint_accepted(endpoint), "{endpoint}");
        let create = creation(vec![], vec![service("service", TYPE, endpoint)], &[]);
        let did = format!("did:prism:{}", create.hash);
        let resolution = History::created_by(&create).resolve(&did, Version::Latest, DocumentStyle::Spec);
        let document = serde_json::to_string(&resolution.unwrap().document).unwrap();
        assert!(
            document.contains(&format!("\"serviceEndpoint\":{endpoint}")),
            "{document}"
        );
    }
    // No URI has a surrogate in it, be it in a pair or alone.
    for endpoint in [
        r#"["https://example.com/\ud83d"]"#,
        r#"["https://example.com/\ud83d\ude00"]"#,
        r#"{"s":"\ud83"}"#,
        r#"{"n":1e}"#,
    ] {
        assert!(!endpoint_accepted(endpoint), "{endpoint}");
    }
}

#[rstest]
fn s8_endpoints_without_scheme_or_with_blanks_around_are_rejected(
    #[values(
        "",
        " ",
        "foo",
        "123",
        "true",
        "null",
        "not a url",
        "/path",
        "//example.com",
        "#fragment",
        "?query",
        " https://example.com",
        "https://example.com ",
        "https://example.com\n",
        "https://exa mple.com",
        "://example.com",
        "1http://example.com",
        "https://exämple.com",
        r#""https://example.com""#
    )]
    endpoint: &str,
) {
    assert!(!endpoint_accepted(endpoint));
}

#[rstest]
fn s9_endpoint_arrays_hold_uris_and_objects_alone(
    #[values(
        "[]",
        r#"["not a url"]"#,
        r#"[" http://e.com"]"#,
        r#"["http://e.com "]"#,
        r#"[""]"#,
        r#"["foo"]"#,
        "[1]",
        "[null]",
        "[true]",
        "[[]]",
        r#"[["http://e.com"]]"#,
        r#"["http://e.com",1]"#,
        r#"["http://e.com",["http://e.com"]]"#,
        r#"["http://e.com",]"#,
        r#"["http://e.com""#,
        "["
    )]
    endpoint: &str,
) {
    assert!(!endpoint_accepted(endpoint));
}

#[rstest]
fn s10_every_absolute_uri_is_an_endpoint(
    #[values(
        "urn:x:y",
        "did:web:a",
        "mailto:a@b",
        "http://cloud-agent:8085",
        "http://[2001:db8::1]:8080/path",
        "https://example.com",
        "https://example.com/",
        "http://192.0.2.1:80/a?b=c",
        "HTTPS://EXAMPLE.com/%7Euser",
        "ws://example.com/a/../b"
    )]
    endpoint: &str,
) {
    assert!(endpoint_accepted(endpoint));
    assert_eq!(
        in_document(TYPE, endpoint)["serviceEndpoint"],
        endpoint,
        "written as it was published"
    );
}

#[rstest]
fn s11_endpoint_objects_are_kept_with_the_order_of_their_members(
    #[values(
        "{}",
        r#"{"uri":"x"}"#,
        r#"{"z":1,"a":{"y":[1,null,"é"],"b":true},"m":1.5}"#,
        r#"{"uri":"https://example.com","accept":["didcomm/v2"],"routingKeys":[]}"#
    )]
    endpoint: &str,
) {
    assert!(endpoint_accepted(endpoint));
    assert_eq!(in_document(TYPE, endpoint)["serviceEndpoint"].to_string(), endpoint);
}

#[test]
fn s12_s13_endpoint_arrays_stay_arrays() {
    let mixed = r#"["https://example.com",{"uri":"x"},"did:web:a"]"#;
    assert!(endpoint_accepted(mixed));
    assert_eq!(in_document(TYPE, mixed)["serviceEndpoint"].to_string(), mixed);

    let single = r#"["https://example.com"]"#;
    assert!(endpoint_accepted(single));
    assert_eq!(
        in_document(TYPE, single)["serviceEndpoint"],
        json!(["https://example.com"])
    );
}

#[test]
fn s14_blanks_between_json_tokens_are_accepted() {
    for (pretty, value) in [
        ("{ \"uri\" : \"x\" ,\n\t\"a\" : [ 1 ] }", json!({"uri": "x", "a": [1]})),
        (
            "[ \"https://example.com\" ,\r\n{ } ]",
            json!(["https://example.com", {}]),
        ),
    ] {
        assert!(endpoint_accepted(pretty));
        assert_eq!(in_document(TYPE, pretty)["serviceEndpoint"], value);
        let published = service("service", TYPE, pretty);
        let create = creation(vec![], vec![published.clone()], &[]);
        assert_eq!(
            History::created_by(&create).did_data().services,
            [published],
            "DID data has the text itself"
        );
    }
}

#[rstest]
fn s15_broken_json_is_rejected(
    #[values(
        "{",
        r#"{"uri"}"#,
        r#"{"uri":}"#,
        r#"{"uri":"x""#,
        "{'uri':'x'}",
        "{uri:x}",
        "{}{}",
        r#"{"uri":"x",}"#
    )]
    endpoint: &str,
) {
    assert!(!endpoint_accepted(endpoint));
}

#[test]
fn s16_lengths_are_counted_in_characters() {
    let object = |length: usize| format!(r#"{{"a":"{}"}}"#, "é".repeat(length - 8));
    assert!(object(300).len() > 300);
    assert!(endpoint_accepted(&object(300)));
    assert!(!endpoint_accepted(&object(301)));
}
