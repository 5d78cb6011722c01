//! The options of a resolution and of a page, as the query of a request has them.

use axum::extract::Query;
use axum::http::Uri;
use did_prism::resolution::Version;
use node_request::{PositionToken, VersionQuery, page_limit};
use url::form_urlencoded;

use crate::{Choices, Seed, assert_tells};

/// A version, a position and a length are read as they are written, and an error names the option.
pub fn query_options(data: &[u8]) {
    if let Ok(text) = std::str::from_utf8(data) {
        options(text);
        position(text);
    }
    let mut choices = Choices(data);
    let bytes = [(); 8].map(|()| choices.byte());
    let limit = u64::from_be_bytes(bytes);
    for limit in [Some(limit), Some(limit % 1100), None] {
        match page_limit(limit) {
            Ok((length, with_next)) => {
                assert!((1..=1000).contains(&length));
                assert_eq!(usize::try_from(with_next.get()), Ok(length + 1));
                assert!(limit.is_none_or(|limit| usize::try_from(limit) == Ok(length)));
            }
            Err(error) => {
                assert_tells(&error);
                assert!(limit.is_some_and(|limit| !(1..=1000).contains(&limit)));
            }
        }
    }
}

fn read(query: &str) -> Option<Result<VersionQuery, String>> {
    let uri: Uri = format!("/?{query}").parse().ok()?;
    // What the library makes of a number sign is no part of the query.
    let read = Query::<VersionQuery>::try_from_uri(&uri);
    Some(read.map(|Query(query)| query).map_err(|error| error.body_text()))
}

fn options(text: &str) {
    let query = match read(text) {
        Some(Ok(query)) => query,
        Some(Err(error)) => {
            assert!(!error.is_empty(), "an error says nothing");
            return;
        }
        None => return,
    };
    let raw = text.split_once('#').map_or(text, |(query, _)| query);
    let names: Vec<_> = form_urlencoded::parse(raw.as_bytes())
        .map(|(name, _)| name.into_owned())
        .collect();
    for name in &names {
        assert!(["versionId", "versionTime"].contains(&name.as_str()), "{name} passed");
    }
    let version = match query.version() {
        Ok(version) => version,
        Err(error) => {
            assert_tells(&error);
            let text = error.to_string();
            assert!(text.contains("versionId") || text.contains("versionTime"), "{text}");
            return;
        }
    };
    let written = match version {
        Version::Latest => {
            assert!(names.is_empty(), "{names:?} asks for the latest version");
            String::new()
        }
        Version::Id(hash) => pair("versionId", &hash.to_string()),
        Version::Time(time) => pair("versionTime", &time.to_string()),
    };
    let again = read(&written).and_then(Result::ok);
    let again = again.and_then(|query| query.version().ok());
    assert_eq!(again, Some(version), "{written}");
}

fn pair(name: &str, value: &str) -> String {
    form_urlencoded::Serializer::new(String::new())
        .append_pair(name, value)
        .finish()
}

fn position(text: &str) {
    match text.parse::<PositionToken>() {
        Ok(token) => {
            let written = token.to_string();
            assert_eq!(written.parse::<PositionToken>().ok(), Some(token));
            let without_zeros: Vec<_> = text
                .split(':')
                .map(|number| number.trim_start_matches('0'))
                .map(|number| if number.is_empty() { "0" } else { number })
                .collect();
            assert_eq!(written, without_zeros.join(":"));
        }
        Err(error) => assert_tells(&error),
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let hash = "9b5118411248d9663b6ab15128fba8106511230ff654e7514cdcc4ce919bde9b";
    Seed::numbered([
        String::new(),
        format!("versionId={hash}"),
        "versionTime=2023-01-01T00:00:00Z".to_owned(),
        "versionTime=9999-12-31T23%3A59%3A59.999999%2B00:00".to_owned(),
        format!("versionId={hash}&versionTime=2023-01-01T00:00:00Z"),
        "versionTime=0001-01-01T00:00:00.0000001-23:59".to_owned(),
        "versionId=&versionId=".to_owned(),
        "7000000:3:0".to_owned(),
        "9223372036854775807:2147483647:2147483648".to_owned(),
        "\0\0\0\0\0\0\u{3}\u{68}".to_owned(),
    ])
}
