//! From a store to an archive, and to a root.

use std::fmt;
use std::io::{Read, Write};

use node_storage_contract::{
    LedgerBound, Network, NodeStorage, OperationBytes, OperationId, OperationPosition, PageLimit, PublishedRecord,
    StorageError,
};
use tokio::sync::mpsc;
use tokio::task::{JoinSet, spawn_blocking};

use crate::cbor::Writer;
use crate::content::{Base, Content, Header, Summary};
use crate::entry::Entry;
use crate::error::{ArchiveError, Result};
use crate::format::Compression;
use crate::progress::{Progress, ProgressFn};
use crate::tree::Tree;
use crate::verify::verify;
use crate::write::ArchiveWriter;

/// Rows of the first page; each page has at most twice as many as the one before.
const FIRST_PAGE: u64 = 8;
/// Rows of the longest page.
const LONGEST_PAGE: u64 = 1_000;
/// Bytes that a page should have, going by the one before.
const PAGE_BYTES: usize = 2 * 1024 * 1024;

/// What to back up, and how.
#[derive(Clone)]
pub struct BackupOptions {
    /// The network that the store belongs to.
    pub network: Network,
    /// How chunks are stored.
    pub compression: Compression,
    /// The archive whose content is left out, so that this one is an increment to it.
    pub base: Option<BaseArchive>,
    /// Told how far it has come.
    pub progress: Option<ProgressFn>,
}

impl fmt::Debug for BackupOptions {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BackupOptions")
            .field("network", &self.network)
            .field("compression", &self.compression)
            .field("base", &self.base)
            .finish_non_exhaustive()
    }
}

/// A verified archive that an increment is made to.
#[derive(Debug, Clone)]
pub struct BaseArchive {
    name: String,
    network: Network,
    base: Base,
}

impl BaseArchive {
    /// Reads and verifies an archive, full or an increment.
    ///
    /// # Errors
    /// As [`ArchiveReader::open`](crate::ArchiveReader::open).
    pub fn read(name: impl Into<String>, input: impl Read) -> Result<Self> {
        let name = name.into();
        let summary = verify(name.clone(), input)?;
        Ok(Self {
            name,
            network: summary.header.network,
            base: summary.as_base(),
        })
    }

    fn not_a_prefix(&self, detail: impl Into<String>) -> ArchiveError {
        ArchiveError::NotAPrefix {
            archive: self.name.clone(),
            detail: detail.into(),
        }
    }
}

/// Writes what the store holds at this instant, whatever others write meanwhile; nobody waits for it. Answers with what the archive
/// holds, and the output.
///
/// Memory is bounded by pages of 1,000 operations. Dropping the future ends it, and what was written is no archive then.
///
/// # Errors
/// `Storage`; `Write`; `WrongNetwork`; `NotAPrefix` for a base that is no earlier state of the store, before anything is written.
pub async fn backup<S, W>(store: &S, output: W, options: BackupOptions) -> Result<(Summary, W)>
where
    S: NodeStorage,
    W: Write + Send + 'static,
{
    must_belong_to(store, options.network).await?;
    let bound = store.bound().await?;
    if let Some(base) = &options.base {
        may_be_prefix(base, options.network, &bound)?;
    }
    let (pages, _reading) = pages(store, bound);
    in_background(move || write_archive(pages, bound, output, &options)).await
}

/// What the store holds at this instant, reading all of it. [`Content::root`] makes the root of it.
///
/// # Errors
/// `Storage`.
pub async fn root<S: NodeStorage>(store: &S, progress: Option<ProgressFn>) -> Result<Content> {
    content_of(store, progress).await.map(|(content, _)| content)
}

/// The content of the store, and its bound at the same instant.
pub(crate) async fn content_of<S: NodeStorage>(
    store: &S,
    progress: Option<ProgressFn>,
) -> Result<(Content, LedgerBound)> {
    let bound = store.bound().await?;
    let (pages, _reading) = pages(store, bound);
    in_background(move || {
        let mut tree = Tree::default();
        let mut encoded = Vec::new();
        read_all(pages, bound, |entry| {
            encoded.clear();
            entry.encode(&mut Writer::new(&mut encoded));
            tree.push(&encoded);
            let operations = tree.leaves();
            tell(progress.as_ref(), operations, bound.operations, 0);
            Ok(())
        })?;
        let content = Content {
            operations: tree.leaves(),
            operations_root: tree.root(),
            cursor: bound.cursor,
        };
        Ok((content, bound))
    })
    .await
}

/// Refuses a store of another network. One that nobody has written yet has none.
pub(crate) async fn must_belong_to<S: NodeStorage>(store: &S, network: Network) -> Result<()> {
    match store.network().await? {
        Some(stored) if stored != network => Err(StorageError::WrongNetwork {
            stored,
            requested: network,
        }
        .into()),
        _ => Ok(()),
    }
}

/// Refuses a base that can't be an earlier state, from what is known without reading.
fn may_be_prefix(base: &BaseArchive, network: Network, bound: &LedgerBound) -> Result<()> {
    if base.network != network {
        return Err(ArchiveError::WrongNetwork {
            archive: base.name.clone(),
            stored: base.network,
            requested: network,
        });
    }
    let content = base.base.content();
    if content.operations > bound.operations {
        return Err(base.not_a_prefix(format!(
            "the archive holds {} operations, the database {}",
            content.operations, bound.operations
        )));
    }
    let Some(of_base) = content.cursor else { return Ok(()) };
    match bound.cursor {
        Some(cursor) if cursor.is_at_or_above(of_base) => Ok(()),
        _ => Err(base.not_a_prefix(format!(
            "the cursor of the archive, {of_base}, is not below that of the database"
        ))),
    }
}

fn write_archive<W: Write>(
    pages: Pages,
    bound: LedgerBound,
    output: W,
    options: &BackupOptions,
) -> Result<(Summary, W)> {
    let mut output = Some(output);
    let mut writer = None;
    let mut begin = |base: Option<Base>| -> Result<Option<ArchiveWriter<W>>> {
        let header = Header {
            network: options.network,
            base,
        };
        match output.take() {
            Some(output) => ArchiveWriter::new(output, header, options.compression).map(Some),
            None => Ok(None),
        }
    };
    let prefix = options.base.as_ref().map_or(0, |base| base.base.content().operations);
    let mut tree = Tree::default();
    let mut encoded = Vec::new();
    let mut done = 0;
    if prefix == 0 {
        writer = begin(options.base.as_ref().map(|base| base.base.clone()))?;
    }
    read_all(pages, bound, |entry| {
        done += 1;
        if let Some(base) = &options.base {
            if done <= prefix {
                encoded.clear();
                entry.encode(&mut Writer::new(&mut encoded));
                tree.push(&encoded);
                if done == prefix {
                    if tree.root() != base.base.content().operations_root {
                        return Err(base.not_a_prefix("its operations are not the first ones of the database"));
                    }
                    writer = begin(Some(base.base.clone()))?;
                }
                tell(options.progress.as_ref(), done, bound.operations, 0);
                return Ok(());
            }
            if let Some(cursor) = base.base.content().cursor
                && (entry.position.block <= cursor.block || entry.slot <= cursor.slot)
            {
                return Err(base.not_a_prefix(format!(
                    "the database has an operation at {}, which the archive lacks though its cursor stands higher",
                    entry.position
                )));
            }
        }
        if let Some(writer) = &mut writer {
            writer.push(&entry)?;
            tell(options.progress.as_ref(), done, bound.operations, writer.written());
        }
        Ok(())
    })?;
    match writer {
        Some(writer) => writer.finish(bound.cursor),
        // Every operation was read, so that the prefix has ended and the writer has begun.
        None => Err(ArchiveError::Interrupted),
    }
}

/// Tells now and then.
fn tell(progress: Option<&ProgressFn>, operations: u64, total: u64, bytes: u64) {
    if let Some(progress) = progress
        && (operations.is_multiple_of(1_000) || operations == total)
    {
        progress(Progress {
            operations,
            total: Some(total),
            bytes,
        });
    }
}

/// Pages of a store, and the end.
type Pages = mpsc::Receiver<Result<Option<Vec<PublishedRecord>>, StorageError>>;

/// Reads everything up to the bound, some pages ahead of whoever takes them. Dropping the second value ends it.
fn pages<S: NodeStorage>(store: &S, bound: LedgerBound) -> (Pages, JoinSet<()>) {
    let (sender, receiver) = mpsc::channel(1);
    let mut reading = JoinSet::new();
    let store = store.clone();
    reading.spawn(async move {
        let Some(last) = bound.last else {
            let _ = sender.send(Ok(None)).await;
            return;
        };
        let mut after = None;
        let mut rows = FIRST_PAGE;
        loop {
            let page = read_page(&store, after, rows).await;
            let reached = match &page {
                Ok(page) => {
                    rows = next_rows(rows, page);
                    page.last().map(|record| record.operation.position)
                }
                Err(_) => None,
            };
            after = reached;
            if sender.send(page.map(Some)).await.is_err() {
                return;
            }
            if reached.is_none_or(|reached| reached >= last) {
                let _ = sender.send(Ok(None)).await;
                return;
            }
        }
    });
    (receiver, reading)
}

async fn read_page<S: NodeStorage>(
    store: &S,
    after: Option<OperationPosition>,
    rows: u64,
) -> Result<Vec<PublishedRecord>, StorageError> {
    store.published_after(after, PageLimit::try_from(rows)?).await
}

/// How many rows the next page may have: operations can be 1 MiB long, and are a thousand times shorter in practice.
fn next_rows(rows: u64, page: &[PublishedRecord]) -> u64 {
    let length = |bytes: &OperationBytes| bytes.as_slice().len();
    let longest = page
        .iter()
        .map(|record| length(&record.operation.bytes))
        .max()
        .unwrap_or(0);
    let fitting = u64::try_from(PAGE_BYTES / (longest + 256)).unwrap_or(1);
    fitting.clamp(1, LONGEST_PAGE).min(rows.saturating_mul(2))
}

/// Hands every operation up to the bound to `each`.
fn read_all(mut pages: Pages, bound: LedgerBound, mut each: impl FnMut(Entry) -> Result<()>) -> Result<()> {
    let mut operations = 0_u64;
    loop {
        match pages.blocking_recv() {
            None => return Err(ArchiveError::Interrupted),
            Some(Err(error)) => return Err(error.into()),
            Some(Ok(None)) => break,
            Some(Ok(Some(page))) => {
                for record in page {
                    if bound.last.is_none_or(|last| record.operation.position > last) {
                        break;
                    }
                    let id = OperationId::of(record.operation.bytes.as_slice());
                    if id != record.id {
                        let subject = format!("the operation at {}", record.operation.position);
                        return Err(StorageError::corrupt(subject, "its id is not the hash of its bytes").into());
                    }
                    operations += 1;
                    each(record.into())?;
                }
            }
        }
    }
    if operations == bound.operations {
        return Ok(());
    }
    let detail = format!("{operations} of its {} operations can be read", bound.operations);
    Err(StorageError::corrupt("the database", detail).into())
}

/// Runs what hashes, compresses and writes beside the tasks that wait.
pub(crate) async fn in_background<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    match spawn_blocking(work).await {
        Ok(result) => result,
        Err(_) => Err(ArchiveError::Interrupted),
    }
}
