//! How far syncing, indexing, backing up and restoring have come, told while they go on.

use std::sync::Arc;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};
use node_service::index::IndexProgress;
use node_service::sync::{SyncPhase, SyncProgress};
use node_storage_archive::{Progress as ArchiveProgress, ProgressFn};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use crate::logging::Console;

/// How often a terminal is redrawn.
const REDRAW: Duration = Duration::from_millis(250);
/// How often a log gets a line, if there is something to tell.
const LOG: Duration = Duration::from_secs(10);

/// Tells of progress: in one line at the end of a terminal, or in a log line now and then. Never returns.
pub(crate) async fn tell(
    console: &Console,
    sync: watch::Receiver<SyncProgress>,
    index: watch::Receiver<IndexProgress>,
) {
    let view = View { sync, index };
    if let Some(lines) = console.progress_lines() {
        let line = Line(lines.add(ProgressBar::no_length().with_style(style())));
        loop {
            line.0.set_message(view.text());
            sleep(REDRAW).await;
        }
    }
    let mut told = view.text();
    loop {
        sleep(LOG).await;
        let text = view.text();
        if text != told {
            tracing::info!("{text}");
            told = text;
        }
    }
}

/// The message alone.
fn style() -> ProgressStyle {
    // The template is fixed and well-formed, so the other style is never taken.
    ProgressStyle::with_template("{msg}").unwrap_or_else(|_| ProgressStyle::default_spinner())
}

/// Tells in one line what has been done, and how long it took.
pub(crate) fn tell_synced(since: Instant, sync: &SyncProgress, index: &IndexProgress) {
    tracing::info!(
        "synced{}: {} blocks and {} operations stored, {} operations indexed, in {:.1} s",
        sync.cursor
            .map(|cursor| format!(" to block {}", cursor.block))
            .unwrap_or_default(),
        sync.blocks,
        sync.operations,
        index.operations,
        since.elapsed().as_secs_f64()
    );
}

struct View {
    sync: watch::Receiver<SyncProgress>,
    index: watch::Receiver<IndexProgress>,
}

impl View {
    fn text(&self) -> String {
        let (sync, index) = (*self.sync.borrow(), *self.index.borrow());
        let phase = match sync.phase {
            _ if index.waiting => "waiting for the database",
            SyncPhase::Waiting => "waiting",
            SyncPhase::Reading => "syncing",
            SyncPhase::CaughtUp => "caught up",
            SyncPhase::Ended => "at the end of the ledger",
        };
        let block = sync
            .cursor
            .map(|cursor| format!(" at block {}", cursor.block))
            .unwrap_or_default();
        format!(
            "{phase}{block}: {} operations stored, {} indexed",
            sync.operations, index.operations
        )
    }
}

/// Leaves the terminal as it was.
struct Line(ProgressBar);

impl Drop for Line {
    fn drop(&mut self) {
        self.0.finish_and_clear();
    }
}

/// What a bar counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Unit {
    /// Operations.
    Operations,
    /// Bytes of archives.
    Bytes,
}

/// A bar with rate and time left at the end of a terminal; nothing elsewhere.
pub(crate) struct Bar {
    bar: ProgressBar,
    unit: Unit,
}

impl Bar {
    /// A bar up to `length`, where that is known.
    pub(crate) fn new(console: &Console, what: &'static str, unit: Unit, length: Option<u64>) -> Self {
        let bar = match console.progress_lines() {
            None => ProgressBar::hidden(),
            Some(lines) => lines.add(ProgressBar::no_length()),
        };
        if let Some(length) = length {
            bar.set_length(length);
        }
        let counted = match unit {
            Unit::Operations => "{human_pos}/{human_len} operations, {per_sec}",
            Unit::Bytes => "{bytes}/{total_bytes}, {bytes_per_sec}",
        };
        let template = format!("{{msg}} {{wide_bar}} {counted}, {{eta}} left");
        bar.set_style(ProgressStyle::with_template(&template).unwrap_or_else(|_| ProgressStyle::default_bar()));
        bar.set_message(what);
        Self { bar, unit }
    }

    /// What moves it.
    pub(crate) fn progress(&self) -> ProgressFn {
        let (bar, unit) = (self.bar.clone(), self.unit);
        Arc::new(move |progress: ArchiveProgress| match unit {
            Unit::Operations => {
                if let Some(total) = progress.total {
                    bar.set_length(total);
                }
                bar.set_position(progress.operations);
            }
            Unit::Bytes => bar.set_position(progress.bytes),
        })
    }

    /// Moves it.
    pub(crate) fn set(&self, position: u64) {
        self.bar.set_position(position);
    }

    /// Leaves the terminal as it was.
    pub(crate) fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        self.finish();
    }
}
