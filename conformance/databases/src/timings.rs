//! What a database of its own costs each test, for whoever wants to know.

use std::env;
use std::fs::OpenOptions;
use std::io::Write;
use std::time::{Duration, Instant};

/// The variable that names the file in which every database leaves a line.
const FILE: &str = "TEST_DATABASES_TIMINGS";

/// The making of one database, as far as it has come.
#[derive(Debug)]
pub(crate) struct Timings {
    engine: &'static str,
    started: Instant,
    clone: Duration,
    connect: Duration,
}

impl Timings {
    /// Starts to measure, where somebody wants to know.
    pub(crate) fn start(engine: &'static str) -> Option<Self> {
        env::var_os(FILE).filter(|file| !file.is_empty())?;
        Some(Self {
            engine,
            started: Instant::now(),
            clone: Duration::ZERO,
            connect: Duration::ZERO,
        })
    }

    /// The database is there.
    pub(crate) fn cloned(&mut self) {
        self.clone = self.started.elapsed();
    }

    /// A connection has been opened since [`Timings::cloned`], for this measurement, and answered.
    pub(crate) fn connected(&mut self) {
        self.connect = self.started.elapsed().saturating_sub(self.clone);
    }

    /// The database is gone, after this long: appends a line to the file.
    pub(crate) fn dropped(&self, drop: Duration) {
        let [clone, connect, drop] = [self.clone, self.connect, drop].map(|time| time.as_micros());
        let line = format!("{}\t{clone}\t{connect}\t{drop}\n", self.engine);
        let Some(file) = env::var_os(FILE) else { return };
        // One write, so that the lines of processes that end at the same time do not mix.
        let written = OpenOptions::new()
            .create(true)
            .append(true)
            .open(&file)
            .and_then(|mut file| file.write_all(line.as_bytes()));
        if let Err(error) = written {
            eprintln!("test-databases: {FILE}={} can't be written: {error}", file.display());
        }
    }
}
