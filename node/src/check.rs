//! `db check` and `db optimize`: whether the database is whole, and keeping it fast.

use std::fmt::Display;
use std::io::{BufReader, BufWriter, pipe};
use std::path::{Path, PathBuf};

use node_service::check::{Checked, Finding, Part, check};
use node_service::index::index_all;
use node_storage::contract::{Access, Cursor, Network, OperationPosition};
use node_storage::{DbBackendConfig, NodeStorageBackend};
use node_storage_archive::{ArchiveError, ArchiveReader, BackupOptions, Compression, Difference, backup, diff};
use serde_json::json;
use tokio::sync::{mpsc, watch};

use crate::answer::print_answer;
use crate::blocking::blocking;
use crate::cli::{CheckArguments, OptimizeArguments};
use crate::exit::Failure;
use crate::logging::Console;
use crate::progress::{Bar, Unit};
use crate::writer::{Standby, Until, Writer, keep};

/// Checks, and with `--repair` makes the index anew where it is wrong.
pub(crate) async fn run(arguments: &CheckArguments, console: &Console) -> Result<(), Failure> {
    let config = arguments.database.config(Network::Mainnet)?;
    if !arguments.repair {
        let store = NodeStorageBackend::connect(&config, Access::Read).await?;
        let report = check_all(arguments, &config, &store, console).await?;
        store.close().await;
        return report.end(&config, Repaired::No);
    }
    let writer = Writer {
        config: &config,
        migrate: false,
        standby: Standby::Refuse,
        until: Until::Synced,
        storage: None,
        state: &watch::Sender::default(),
        console,
    };
    let (store, mut lease) = writer.open().await?;
    let work = async {
        let report = check_all(arguments, &config, &store, console).await?;
        if !report.is_repairable {
            return report.end(&config, Repaired::No);
        }
        tracing::info!("making the index anew out of the operations");
        store.clear_index().await?;
        index_all(&store).await?;
        tracing::info!("the index is made anew; checking again");
        let again = check_all(arguments, &config, &store, console).await?;
        again.end(&config, Repaired::Index)
    };
    let result = tokio::select! {
        never = keep(lease.as_mut()) => match never {},
        result = work => result,
    };
    store.close().await;
    lease.release().await?;
    result
}

/// Keeps the database fast, and says how.
pub(crate) async fn optimize(arguments: &OptimizeArguments) -> Result<(), Failure> {
    let config = arguments.database.config(Network::Mainnet)?;
    let store = NodeStorageBackend::connect(&config, Access::Write { migrate: false }).await?;
    let done = store.optimize(arguments.rewrite).await?;
    store.close().await;
    print_answer(&done.join("\n"))
}

/// Whether something was changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Repaired {
    No,
    Index,
}

/// Checks the engine, what is stored, and an archive.
async fn check_all(
    arguments: &CheckArguments,
    config: &DbBackendConfig,
    store: &NodeStorageBackend,
    console: &Console,
) -> Result<Report, Failure> {
    let mut report = Report::new(arguments.json);
    let engine = store.check_engine().await?;
    for what in &engine.passed_over {
        tracing::warn!("not looked at: {what}");
    }
    for finding in &engine.findings {
        // An index of the engine on what indexing has made is made anew with it.
        report.is_repairable = true;
        report.find("engine", config.location(), finding);
    }
    report.looked_at = engine.looked_at;
    let bar = Bar::new(console, "checking", Unit::Operations, None);
    let progress = bar.progress();
    let checked = check(
        store,
        |finding| report.note(&finding),
        |operations, total| {
            progress(node_storage_archive::Progress {
                operations,
                total: Some(total),
                bytes: 0,
            });
        },
    )
    .await?;
    report.checked = checked;
    bar.finish();
    if let Some(archive) = &arguments.archive {
        compare(archive, config.network(), store, &mut report).await?;
    }
    Ok(report)
}

/// Compares an archive with the database, which may have come further since.
async fn compare(
    archive: &Path,
    network: Network,
    store: &NodeStorageBackend,
    report: &mut Report,
) -> Result<(), Failure> {
    let (reader, writer) = pipe().map_err(Failure::io("a pipe within this process can't be made"))?;
    let path: PathBuf = archive.to_owned();
    let (sender, mut differences) = mpsc::channel(64);
    let comparing = blocking(move || {
        let (name, input) = crate::archive::open(&path)?;
        let first = ArchiveReader::open(name.clone(), BufReader::new(input))?;
        if let Some(base) = &first.header().base {
            return Err(Failure::Usage(format!(
                "{name} is an increment to {} operations; give a full archive",
                base.content().operations
            )));
        }
        let second = ArchiveReader::open("the database", BufReader::new(reader))?;
        diff(first, second, |difference| {
            // Nobody takes them any more where this command was given up.
            sender.blocking_send(difference).map_err(|_| ArchiveError::Interrupted)
        })?;
        Ok(())
    });
    let options = BackupOptions {
        network,
        compression: Compression::None,
        base: None,
        progress: None,
    };
    let reading = async {
        match backup(store, BufWriter::new(writer), options).await {
            Ok((_, output)) => output
                .into_inner()
                .map(drop)
                .map_err(|error| ArchiveError::Write(error.into_error())),
            Err(error) => Err(error),
        }
    };
    let taking = async {
        let mut grown = Grown::default();
        while let Some(difference) = differences.recv().await {
            grown.take(difference, report);
        }
        grown.end(report);
    };
    let (compared, read, ()) = tokio::join!(comparing, reading, taking);
    match (compared, read) {
        // Damage that keeps the database from being read was found before, or is what this says.
        (_, Err(ArchiveError::Storage(error))) => report.find("archive", "the database", error),
        (Err(failure), _) => return Err(failure),
        // Where the reading end was closed early, the other side says why.
        (Ok(()), _) => {}
    }
    report.looked_at.push(format!("the archive {}", archive.display()));
    Ok(())
}

/// What the database has beyond the archive, which is a difference only at or below the archive's cursor.
#[derive(Debug, Default)]
struct Grown {
    /// The lowest operation that follows the last one of the archive, so far.
    first: Option<OperationPosition>,
    count: u64,
    cursors: Option<(Option<Cursor>, Option<Cursor>)>,
}

impl Grown {
    fn take(&mut self, difference: Difference, report: &mut Report) {
        // Operations come by position: one of the archive shows that those before did not follow its last one.
        if !matches!(difference, Difference::OnlyInSecond(_) | Difference::Cursor(..)) {
            self.tell_extra(report);
        }
        match difference {
            Difference::OnlyInSecond(entry) => {
                self.first.get_or_insert(entry.position);
                self.count += 1;
            }
            Difference::Cursor(first, second) => self.cursors = Some((first, second)),
            Difference::OnlyInFirst(entry) => {
                report.find(
                    "archive",
                    at(entry.position),
                    "the archive has it, and the database does not",
                );
            }
            Difference::Changed(first, second) => {
                let detail = if first.bytes == second.bytes {
                    "its block or transaction has another hash, id, slot or time in the archive"
                } else {
                    "it has other bytes in the archive"
                };
                report.find("archive", at(first.position), detail);
            }
            Difference::Network(first, second) => {
                report.find(
                    "archive",
                    "the network",
                    format!("the archive is of {first}, the database of {second}"),
                );
            }
            // Refused before.
            Difference::Base(..) => {}
        }
    }

    fn tell_extra(&mut self, report: &mut Report) {
        if let Some(first) = self.first.take() {
            let detail = format!(
                "the archive lacks it, and {} more that follow each other",
                self.count.saturating_sub(1)
            );
            report.find("archive", at(first), detail);
            self.count = 0;
        }
    }

    fn end(mut self, report: &mut Report) {
        let Some((first, second)) = self.cursors else {
            // The archive's cursor stands at or above every operation of the database.
            self.tell_extra(report);
            return;
        };
        if self
            .first
            .is_some_and(|extra| first.is_some_and(|cursor| extra.block <= cursor.block))
        {
            self.tell_extra(report);
        }
        let has_grown = match (first, second) {
            (None, _) => true,
            (Some(_), None) => false,
            (Some(first), Some(second)) => first.block < second.block && first.slot < second.slot,
        };
        if !has_grown {
            let shown = |cursor: Option<Cursor>| cursor.map_or("empty".to_owned(), |cursor| cursor.to_string());
            let detail = format!("it is {}, and {} in the archive", shown(second), shown(first));
            report.find("archive", "the cursor", detail);
        }
    }
}

fn at(position: OperationPosition) -> String {
    format!("the operation at {position}")
}

/// What was found. Each finding is told at once, so that none has to be kept.
struct Report {
    json: bool,
    findings: u64,
    /// Whether something was found that making the index anew may mend.
    is_repairable: bool,
    looked_at: Vec<String>,
    checked: Checked,
    /// Why standard output could not be written.
    failure: Option<Failure>,
}

impl Report {
    fn new(json: bool) -> Self {
        Self {
            json,
            findings: 0,
            is_repairable: false,
            looked_at: Vec::new(),
            checked: Checked::default(),
            failure: None,
        }
    }

    fn note(&mut self, finding: &Finding) {
        self.is_repairable |= finding.part != Part::Content;
        self.find(finding.part, &finding.subject, &finding.detail);
    }

    fn find(&mut self, part: impl Display, subject: impl Display, detail: impl Display) {
        self.findings += 1;
        let line = if self.json {
            json!({
                "part": part.to_string(),
                "subject": subject.to_string(),
                "detail": detail.to_string(),
            })
            .to_string()
        } else {
            format!("{part}: {subject}: {detail}").replace(['\n', '\r'], " ")
        };
        if self.failure.is_none() {
            self.failure = print_answer(&line).err();
        }
    }

    fn end(self, config: &DbBackendConfig, repaired: Repaired) -> Result<(), Failure> {
        if let Some(failure) = self.failure {
            return Err(failure);
        }
        let Checked {
            operations,
            entries,
            listed_dids,
            cursor,
            watermark,
        } = self.checked;
        if self.json {
            print_answer(
                &json!({
                    "findings": self.findings,
                    "operations": operations,
                    "index_entries": entries,
                    "listed_dids": listed_dids,
                    "cursor": cursor.map(crate::summary::cursor),
                    "watermark": watermark.map(|position| position.to_string()),
                    "looked_at": self.looked_at,
                    "index_was_made_anew": repaired == Repaired::Index,
                })
                .to_string(),
            )?;
        } else {
            let looked_at = self.looked_at.iter().map(|what| format!("looked at {what}"));
            let checked =
                format!("checked {operations} operations, {entries} index entries and {listed_dids} listed DIDs");
            print_answer(&looked_at.chain([checked]).collect::<Vec<_>>().join("\n"))?;
        }
        if self.findings == 0 {
            return Ok(());
        }
        Err(Failure::Differences {
            location: config.location(),
            findings: self.findings,
            state: match repaired {
                Repaired::No => "nothing was changed",
                Repaired::Index => "the index was made anew, and nothing else was changed",
            },
            next: match (repaired, self.is_repairable) {
                (Repaired::No, true) => {
                    "what is wrong in the index can be mended by --repair, everything else by restoring a backup or syncing anew"
                }
                _ => "restore a backup or sync anew",
            },
        })
    }
}
