//! What the runner of the tests saw, in the `JUnit` format.

use std::collections::BTreeMap;
use std::time::Duration;

use roxmltree::{Document, Node};

/// One test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct TestResult {
    pub(super) time: Option<Duration>,
    /// What is said of a test that failed.
    pub(super) failure: Option<String>,
}

/// The tests by name. The error says why this is not a report.
pub(super) fn read_junit(text: &str) -> Result<BTreeMap<String, TestResult>, String> {
    let document = Document::parse(text).map_err(|error| error.to_string())?;
    let mut tests = BTreeMap::new();
    for test in document.descendants().filter(|node| node.has_tag_name("testcase")) {
        let Some(name) = test.attribute("name") else {
            return Err("it has a test without a name".to_owned());
        };
        let seconds = test.attribute("time").and_then(|time| time.parse().ok());
        let result = TestResult {
            time: seconds.and_then(|seconds| Duration::try_from_secs_f64(seconds).ok()),
            failure: test
                .children()
                .find(|node| node.has_tag_name("failure") || node.has_tag_name("error"))
                .map(message_of),
        };
        tests.insert(name.to_owned(), result);
    }
    Ok(tests)
}

/// The text of a failure, which holds the panic's message, or else its attribute.
fn message_of(failure: Node<'_, '_>) -> String {
    let text = failure.text().map(str::trim).filter(|text| !text.is_empty());
    text.or_else(|| failure.attribute("message"))
        .unwrap_or("a failure without a message")
        .to_owned()
}
