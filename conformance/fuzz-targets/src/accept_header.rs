//! The `Accept` header of a resolution.

use axum::http::header::ACCEPT;
use axum::http::{HeaderMap, HeaderValue};
use node_request::{REPRESENTATIONS, choose};

use crate::Seed;

/// What is chosen is one of the representations that there are and that the client mentions, or nothing, which is answered with
/// 406. Each line of the input is a header of its own.
pub fn accept_header(data: &[u8]) {
    let values: Vec<_> = data
        .split(|byte| *byte == b'\n')
        .take(8)
        .filter_map(|line| HeaderValue::from_bytes(line).ok())
        .collect();
    let chosen = chosen(&values);
    assert_eq!(chosen, self::chosen(&values), "the same headers, read twice");
    if values
        .iter()
        .all(|value| value.as_bytes().iter().all(u8::is_ascii_whitespace))
    {
        assert_eq!(chosen, Some(REPRESENTATIONS[0].content_type), "no preference");
    } else if let Some(chosen) = chosen {
        let found = REPRESENTATIONS
            .iter()
            .find(|representation| representation.content_type == chosen);
        assert!(found.is_some(), "{chosen} is not offered");
        let mentioned = values.iter().any(|value| {
            let text = String::from_utf8_lossy(value.as_bytes()).to_ascii_lowercase();
            let essence = chosen.split(';').next().unwrap_or_default();
            [essence, "application/*", "*/*"]
                .iter()
                .any(|range| text.contains(range))
        });
        assert!(mentioned, "{chosen} was chosen for {values:?}");
    }
    others_do_not_matter(&values, chosen);
}

/// A range of something that is not offered changes nothing, before and after the others.
fn others_do_not_matter(values: &[HeaderValue], chosen: Option<&str>) {
    if values
        .iter()
        .all(|value| value.as_bytes().iter().all(u8::is_ascii_whitespace))
    {
        return;
    }
    let other = HeaderValue::from_static("text/html;q=0.9, image/*");
    let other = std::slice::from_ref(&other);
    let before = [other, values].concat();
    let behind = [values, other].concat();
    assert_eq!(self::chosen(&before), chosen);
    assert_eq!(self::chosen(&behind), chosen);
}

fn chosen(values: &[HeaderValue]) -> Option<&'static str> {
    let mut headers = HeaderMap::new();
    for value in values {
        headers.append(ACCEPT, value.clone());
    }
    choose(&headers).map(|representation| representation.content_type)
}

pub(crate) fn seeds() -> Vec<Seed> {
    Seed::numbered([
        "",
        "*/*",
        "application/did",
        "application/did-resolution;q=0.9, application/did+json;q=.2",
        r#"application/ld+json; Profile="http://a.example/ https://w3id.org/did-resolution""#,
        "text/html, application/*;q=0.1\napplication/did;q=0",
        "application/did;q=2, application/json;q=NaN, \"",
        "APPLICATION/DID+LD+JSON;charset=utf-8;q=1.000,,",
    ])
}
