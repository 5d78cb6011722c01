//! What a did:prism node promises about hostile input, as functions of bytes.
//!
//! Each target takes any bytes and panics where a promise is broken. The binaries of libFuzzer in `fuzz/` call these functions, and
//! a test of this crate calls them with every committed seed. So what a fuzzer has found once is tried on every run of the tests,
//! with the stable compiler.
//!
//! A target asserts more than that nothing panics: what was read and is written again reads the same, the same bytes give the same
//! answer, an error says something and nothing that a terminal would obey, and a refusal changes nothing.
#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::missing_panics_doc,
    reason = "a panic is how a target says that a promise is broken"
)]

mod accept_header;
mod archive_reader;
mod database_url;
mod envelope;
mod ledger_line;
mod long_form;
mod protobuf;
mod query_options;
mod state_machine;

use std::fmt::Display;

pub use accept_header::accept_header;
pub use archive_reader::archive_reader;
pub use database_url::database_url;
pub use envelope::envelope;
pub use ledger_line::ledger_line;
pub use long_form::long_form;
pub use protobuf::protobuf;
pub use query_options::query_options;
pub use state_machine::state_machine;

/// One kind of hostile input.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// The name, also of its libFuzzer binary and of its directory of seeds.
    pub name: &'static str,
    /// Panics where a promise is broken.
    pub check: fn(&[u8]),
    /// The inputs to begin with.
    pub seeds: fn() -> Vec<Seed>,
}

/// An input to begin with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// The name of its file.
    pub name: String,
    /// The input.
    pub bytes: Vec<u8>,
}

impl Seed {
    fn new(name: impl Into<String>, bytes: impl Into<Vec<u8>>) -> Self {
        Self {
            name: name.into(),
            bytes: bytes.into(),
        }
    }

    /// Texts under the numbers of their places.
    fn numbered<T: Into<Vec<u8>>>(inputs: impl IntoIterator<Item = T>) -> Vec<Self> {
        (0..)
            .zip(inputs)
            .map(|(number, input): (u32, T)| Self::new(format!("{number:02}"), input))
            .collect()
    }
}

/// Every target, by name.
pub const TARGETS: [Target; 9] = [
    Target {
        name: "accept_header",
        check: accept_header,
        seeds: accept_header::seeds,
    },
    Target {
        name: "archive_reader",
        check: archive_reader,
        seeds: archive_reader::seeds,
    },
    Target {
        name: "database_url",
        check: database_url,
        seeds: database_url::seeds,
    },
    Target {
        name: "envelope",
        check: envelope,
        seeds: envelope::seeds,
    },
    Target {
        name: "ledger_line",
        check: ledger_line,
        seeds: ledger_line::seeds,
    },
    Target {
        name: "long_form",
        check: long_form,
        seeds: long_form::seeds,
    },
    Target {
        name: "protobuf",
        check: protobuf,
        seeds: protobuf::seeds,
    },
    Target {
        name: "query_options",
        check: query_options,
        seeds: query_options::seeds,
    },
    Target {
        name: "state_machine",
        check: state_machine,
        seeds: state_machine::seeds,
    },
];

/// What every error keeps: it says something, and shows no character that a terminal or a reader of logs would obey.
#[track_caller]
fn assert_tells(error: &impl Display) {
    let text = error.to_string();
    assert!(!text.trim().is_empty(), "an error says nothing");
    assert!(
        !text.chars().any(char::is_control),
        "an error shows a control character: {text:?}"
    );
}

/// Takes an input apart, byte by byte. Behind its end are zeros.
struct Choices<'input>(&'input [u8]);

impl<'input> Choices<'input> {
    fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else {
            return 0;
        };
        self.0 = rest;
        *first
    }

    fn index(&mut self, length: usize) -> usize {
        usize::from(self.byte()) % length.max(1)
    }

    fn bytes(&mut self, most: usize) -> &'input [u8] {
        let length = usize::from(self.byte()).min(most).min(self.0.len());
        let (taken, rest) = self.0.split_at(length);
        self.0 = rest;
        taken
    }
}
