//! URLs of databases, which may have a password in them.

use std::cell::RefCell;
use std::fmt::{self, Write};
use std::sync::LazyLock;

use dlt_source_dbsync::DbSyncOptions;
use node_storage::contract::Network;
use node_storage::{DbBackend, DbBackendConfig};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_encode};
use tracing::field::{Field, Visit};
use tracing::{Dispatch, Event, Metadata, Subscriber, dispatcher, span};

use crate::{Choices, Seed, assert_tells};

/// What is encoded in a path: everything but its slashes.
const IN_A_PATH: &AsciiSet = &NON_ALPHANUMERIC.remove(b'/');

/// A part of each password. No other text has it.
const SECRET: &str = "sEcReT77";

/// What the parameters of a driver begin with that show where a connection leads.
const PLACES: [&str; 5] = ["host=", "hostaddr=", "port=", "dbname=", "user="];

/// No error, no description and no line of the log shows a part of a password, be it encoded as it has to be or not. One that is
/// encoded is understood, and so is the path of a file.
pub fn database_url(data: &[u8]) {
    let mut choices = Choices(data);
    let shape = choices.byte();
    if shape < 0x40 {
        any_text(&String::from_utf8_lossy(choices.0));
        return;
    }
    let before = String::from_utf8_lossy(choices.bytes(64)).into_owned();
    let behind = String::from_utf8_lossy(choices.0).into_owned();
    let password = format!("{before}{SECRET}{behind}");
    let scheme = match shape & 7 {
        0 => "sqlite",
        1 => "mysql",
        2 => "POSTGRES",
        3 => "postgresql",
        _ => "postgres",
    };
    if shape < 0xa0 {
        let password = percent_encode(password.as_bytes(), NON_ALPHANUMERIC);
        encoded_password(scheme, &password.to_string());
    } else if !PLACES
        .iter()
        .any(|place| behind.contains(place) || before.contains(place))
    {
        // With such a parameter in a password, what follows is an address to every reader of URLs.
        assert_secret(&format!("{scheme}://reader:{password}@db.example:5432/node"));
    }
}

/// Any text is answered in the same way each time. A path of a file that is taken is taken in its encoded form too.
fn any_text(url: &str) {
    for backend in [DbBackend::Postgres, DbBackend::Sqlite] {
        let configured = |url: &str| DbBackendConfig::new(backend, Some(url), None, Network::Custom);
        match (configured(url), configured(url)) {
            (Ok(config), Ok(again)) => {
                assert_eq!(config.location(), again.location());
                assert_eq!(config.file(), again.file());
                assert_eq!(config.file().is_some(), backend == DbBackend::Sqlite);
                if let Some(path) = config.file().and_then(|path| path.to_str()) {
                    let encoded = percent_encode(path.as_bytes(), IN_A_PATH);
                    let encoded = configured(&format!("sqlite://{encoded}")).expect("an encoded path");
                    assert_eq!(encoded.file(), config.file());
                }
            }
            (Err(error), Err(again)) => {
                assert_tells(&error);
                assert_eq!(error, again);
            }
            (first, second) => panic!("two answers: {first:?} and {second:?}"),
        }
    }
    if let Err(error) = DbSyncOptions::new(url, Network::Custom) {
        assert_tells(&error);
    }
}

fn encoded_password(scheme: &str, password: &str) {
    let url = format!("{scheme}://reader:{password}@db.example:5432/node");
    assert_secret(&url);
    if scheme.starts_with("postgres") {
        let config = DbBackendConfig::new(DbBackend::Postgres, Some(&url), None, Network::Custom);
        let config = config.expect("the password is encoded");
        assert_eq!(config.location(), "PostgreSQL at db.example:5432, database node");
        let db_sync = DbSyncOptions::new(&url, Network::Custom).expect("the password is encoded");
        assert_eq!(db_sync.location(), "db-sync at db.example:5432, database node");
    }
}

/// Nothing that is said about this URL has the secret in it.
fn assert_secret(url: &str) {
    let (mut said, logged) = logged(|| {
        let mut said = String::new();
        match DbBackendConfig::new(DbBackend::Postgres, Some(url), None, Network::Custom) {
            Ok(config) => say(&mut said, &format!("{config:?} {}", config.location())),
            Err(error) => say(&mut said, &format!("{error:?} {error}")),
        }
        match DbSyncOptions::new(url, Network::Custom) {
            Ok(options) => say(&mut said, &format!("{options:?} {}", options.location())),
            Err(error) => say(&mut said, &error),
        }
        // A file may have any name, also one that looks like a password.
        if !url.starts_with("sqlite:")
            && let Err(error) = DbBackendConfig::new(DbBackend::Sqlite, Some(url), None, Network::Custom)
        {
            say(&mut said, &format!("{error:?} {error}"));
        }
        said
    });
    say(&mut said, &logged);
    let shown = said.to_ascii_lowercase().contains(&SECRET.to_ascii_lowercase());
    assert!(!shown, "a part of the password is shown: {said}");
}

fn say(said: &mut String, text: &str) {
    said.push_str(text);
    said.push('\n');
}

thread_local! {
    /// What this thread has logged.
    static LOGGED: RefCell<String> = const { RefCell::new(String::new()) };
}

/// What is logged meanwhile, at any level.
fn logged<T>(during: impl FnOnce() -> T) -> (T, String) {
    static LOG: LazyLock<Dispatch> = LazyLock::new(|| Dispatch::new(Log));
    LOGGED.take();
    let answer = dispatcher::with_default(&LOG, during);
    (answer, LOGGED.take())
}

/// Keeps what is logged.
struct Log;

impl Subscriber for Log {
    fn enabled(&self, _metadata: &Metadata<'_>) -> bool {
        true
    }

    fn new_span(&self, attributes: &span::Attributes<'_>) -> span::Id {
        LOGGED.with_borrow_mut(|logged| attributes.record(&mut Words(logged)));
        span::Id::from_u64(1)
    }

    fn record(&self, _span: &span::Id, values: &span::Record<'_>) {
        LOGGED.with_borrow_mut(|logged| values.record(&mut Words(logged)));
    }

    fn record_follows_from(&self, _span: &span::Id, _follows: &span::Id) {}

    fn event(&self, event: &Event<'_>) {
        LOGGED.with_borrow_mut(|logged| event.record(&mut Words(logged)));
    }

    fn enter(&self, _span: &span::Id) {}

    fn exit(&self, _span: &span::Id) {}
}

struct Words<'log>(&'log mut String);

impl Visit for Words<'_> {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a string never fails.
        let _ = writeln!(self.0, "{field}={value:?}");
    }
}

pub(crate) fn seeds() -> Vec<Seed> {
    let text = |url: &str| [&[0][..], url.as_bytes()].concat();
    let with_password = |shape: u8, before: &str, behind: &str| {
        let length = u8::try_from(before.len()).expect("a short text");
        [&[shape, length][..], before.as_bytes(), behind.as_bytes()].concat()
    };
    let mut seeds = Seed::numbered([
        text("postgres://reader:password@db.example:5432/node?sslmode=require&pool_mode=session"),
        text("postgresql://%2Fvar%2Frun%2Fpostgresql/node?options[search_path]=a&application_name=b"),
        text("sqlite:///var/lib/a%20b/node.db"),
        text("sqlite:relative.db"),
        text("mysql://reader@db.example/node"),
        text("postgres://db.example:99999/"),
    ]);
    for (number, (before, behind)) in [
        ("", ""),
        ("a/", "b"),
        ("a?b", "c&d=e"),
        ("12?", "="),
        ("1#", "@"),
        ("%", "%zz"),
        ("a@b:", ":/"),
    ]
    .into_iter()
    .enumerate()
    {
        seeds.push(Seed::new(
            format!("encoded-{number}"),
            with_password(0x44, before, behind),
        ));
        seeds.push(Seed::new(format!("raw-{number}"), with_password(0xa4, before, behind)));
    }
    seeds
}
