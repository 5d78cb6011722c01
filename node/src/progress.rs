//! How far syncing, indexing, backing up and restoring have come, told while they go on.

use std::sync::Arc;
use std::time::Duration;

use dlt_sources::contract::Heard;
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

/// Tells of the progress of a node that syncs and indexes. Never returns.
pub(crate) async fn tell(
    console: &Console,
    sync: watch::Receiver<SyncProgress>,
    heard: watch::Receiver<Heard>,
    index: watch::Receiver<IndexProgress>,
) {
    let mut reading = ReadingView::new(sync, heard);
    tell_text(console, || {
        let index = *index.borrow();
        let sync = reading.progress();
        let place = reading.place(index.waiting.then_some("waiting for the database"));
        format!(
            "{place}: {} operations stored, {} indexed",
            sync.operations, index.operations
        )
    })
    .await;
}

/// Tells of the progress of reading a ledger. Never returns.
pub(crate) async fn tell_reading(
    console: &Console,
    sync: watch::Receiver<SyncProgress>,
    heard: watch::Receiver<Heard>,
) {
    let mut reading = ReadingView::new(sync, heard);
    tell_text(console, || {
        let operations = reading.progress().operations;
        format!("{}: {operations} operations read", reading.place(None))
    })
    .await;
}

/// Tells of progress: in one line at the end of a terminal, or in a log line now and then. Never returns.
async fn tell_text(console: &Console, mut text: impl FnMut() -> String) {
    if let Some(lines) = console.progress_lines() {
        let line = Line(lines.add(ProgressBar::no_length().with_style(style())));
        loop {
            line.0.set_message(text());
            sleep(REDRAW).await;
        }
    }
    let mut told = text();
    loop {
        sleep(LOG).await;
        let text = text();
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

/// How far reading a ledger has come.
struct ReadingView {
    sync: watch::Receiver<SyncProgress>,
    heard: watch::Receiver<Heard>,
    /// When the first delivery was taken, and up to which block.
    began: Option<(Instant, u64)>,
}

impl ReadingView {
    fn new(sync: watch::Receiver<SyncProgress>, heard: watch::Receiver<Heard>) -> Self {
        Self {
            sync,
            heard,
            began: None,
        }
    }

    fn progress(&self) -> SyncProgress {
        *self.sync.borrow()
    }

    /// What goes on, unless that is said, and at which block.
    fn place(&mut self, phase: Option<&str>) -> String {
        let sync = self.progress();
        let phase = phase.unwrap_or(match sync.phase {
            SyncPhase::Waiting => "waiting",
            SyncPhase::Reading => "syncing",
            SyncPhase::CaughtUp => "caught up",
            SyncPhase::Ended => "at the end of the ledger",
        });
        let block = sync.cursor.map(|cursor| cursor.block.get());
        if let (None, Some(block)) = (self.began, block) {
            self.began = Some((Instant::now(), block));
        }
        let tip = self.heard.borrow().tip.map(|tip| tip.block.get());
        let block = block
            .map(|block| match tip.filter(|_| sync.phase == SyncPhase::Reading) {
                Some(tip) => format!(" at {}", Part { block, tip }.text(self.began)),
                None => format!(" at block {block}"),
            })
            .unwrap_or_default();
        format!("{phase}{block}")
    }
}

/// A part of a ledger.
#[derive(Debug, Clone, Copy)]
struct Part {
    block: u64,
    tip: u64,
}

impl Part {
    /// How large it is and, where reading has come on since `began`, how long the rest will take at this rate.
    fn text(self, began: Option<(Instant, u64)>) -> String {
        let Self { block, tip } = self;
        let permille = u128::from(block.min(tip)) * 1_000 / u128::from(tip.max(1));
        let left = began
            .and_then(|(instant, first)| left(instant.elapsed(), block.checked_sub(first)?, tip.saturating_sub(block)))
            .map(|left| format!(", about {} left", humantime::format_duration(left)))
            .unwrap_or_default();
        format!("block {block} of {tip} ({}.{} %{left})", permille / 10, permille % 10)
    }
}

/// How long so many blocks take, where so many were read in this time; in whole seconds. `None` where nothing was read.
fn left(elapsed: Duration, read: u64, unread: u64) -> Option<Duration> {
    let seconds = (elapsed.as_millis() * u128::from(unread)).checked_div(u128::from(read) * 1_000)?;
    u64::try_from(seconds).ok().map(Duration::from_secs)
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_is_told_in_percent_and_the_rest_by_the_rate_so_far() {
        let part = Part {
            block: 2_500_000,
            tip: 10_000_000,
        };
        assert_eq!(part.text(None), "block 2500000 of 10000000 (25.0 %)");
        assert_eq!(
            left(Duration::from_mins(1), 500_000, 7_500_000),
            Some(Duration::from_mins(15))
        );
        assert_eq!(left(Duration::from_mins(1), 0, 7_500_000), None);
        let full = Part { block: 11, tip: 10 };
        assert_eq!(full.text(None), "block 11 of 10 (100.0 %)");
        let none = Part { block: 0, tip: 0 };
        assert_eq!(none.text(None), "block 0 of 0 (0.0 %)");
    }
}
