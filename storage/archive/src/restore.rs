//! From archives to a store: verified, and in one transaction.

use std::fmt;
use std::io::{BufReader, Read};

use node_storage_contract::{
    Appended, Delivery, LedgerBound, LoadPlan, LoadSource, Network, NodeStorage, PublishedBlock, PublishedOperation,
    PublishedTransaction, StorageError,
};
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;

use crate::backup::{content_of, in_background, must_belong_to};
use crate::content::{Base, Content, Summary};
use crate::entry::Entry;
use crate::error::{ArchiveError, Result};
use crate::progress::{Progress, ProgressFn};
use crate::read::ArchiveReader;
use crate::tree::Hash;

/// An archive to be read.
pub struct Input {
    /// Its name in errors.
    pub name: String,
    /// Its bytes; they are buffered here.
    pub bytes: Box<dyn Read + Send>,
}

impl fmt::Debug for Input {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Input").field(&self.name).finish()
    }
}

/// Bytes of operations that a store gets at once, or somewhat more: each delivery costs it several round trips.
const DELIVERY_BYTES: usize = 2 * 1024 * 1024;

type InputReader = ArchiveReader<BufReader<Box<dyn Read + Send>>>;

/// Archives whose beginnings were read: a full one or an increment, and further increments behind it.
pub struct Archives {
    first: InputReader,
    increments: Vec<InputReader>,
}

impl fmt::Debug for Archives {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let increments = self.increments.iter().map(ArchiveReader::archive);
        f.debug_list().entry(&self.first.archive()).entries(increments).finish()
    }
}

impl Archives {
    /// Reads the beginnings of these archives, which follow one another.
    ///
    /// # Errors
    /// As [`ArchiveReader::open`]; `WrongNetwork` where they belong to different networks; `NotAnIncrement` for a full archive
    /// that is not the first one.
    pub async fn open(first: Input, increments: Vec<Input>) -> Result<Self> {
        in_background(move || {
            let open = |input: Input| ArchiveReader::open(input.name, BufReader::with_capacity(1 << 16, input.bytes));
            let first = open(first)?;
            let increments = increments.into_iter().map(open).collect::<Result<Vec<_>>>()?;
            let mut before = &first;
            for increment in &increments {
                if increment.header().network != first.header().network {
                    return Err(ArchiveError::WrongNetwork {
                        archive: increment.archive().to_owned(),
                        stored: increment.header().network,
                        requested: first.header().network,
                    });
                }
                if increment.header().base.is_none() {
                    return Err(ArchiveError::NotAnIncrement {
                        archive: increment.archive().to_owned(),
                        before: before.archive().to_owned(),
                    });
                }
                before = increment;
            }
            Ok(Self { first, increments })
        })
        .await
    }

    /// The network of all of them.
    pub fn network(&self) -> Network {
        self.first.header().network
    }

    /// What the first one is an increment to; `None` for a full archive, which needs a store without content.
    pub fn base(&self) -> Option<&Base> {
        self.first.header().base.as_ref()
    }

    fn must_belong_to(&self, network: Network) -> Result<()> {
        if self.network() == network {
            return Ok(());
        }
        Err(ArchiveError::WrongNetwork {
            archive: self.first.archive().to_owned(),
            stored: self.network(),
            requested: network,
        })
    }

    /// The archive to name where something is wrong with all of them together.
    fn name(&self) -> String {
        let last = self.increments.last().unwrap_or(&self.first);
        last.archive().to_owned()
    }
}

/// What a restore has brought into a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Restored {
    /// What the store holds now.
    pub content: Content,
    /// Its root.
    pub root: Hash,
    /// What was added.
    pub added: Appended,
}

/// Restores archives into a store of `network`, in one transaction that commits only once all of them were read to their ends and
/// verified. Dropping the future before leaves the store as it was.
///
/// A full archive needs a store without operations and cursor; an increment needs one that holds exactly its base. What was
/// restored is not indexed yet.
///
/// # Errors
/// Whatever is wrong with an archive; `TargetNotEmpty`, `OtherBase`, `WrongNetwork`; `Storage`. Then the store holds what it held.
pub async fn restore<S: NodeStorage>(
    archives: Archives,
    store: &S,
    network: Network,
    progress: Option<ProgressFn>,
) -> Result<Restored> {
    archives.must_belong_to(network)?;
    must_belong_to(store, network).await?;
    let onto = target(&archives, Some(store)).await?;
    let name = archives.name();
    let mut source = ArchiveSource::start(archives, progress);
    let added = store
        .load(onto, &mut source)
        .await
        .map_err(|error| contradiction(&name, error))?;
    source.restored(added)
}

/// As [`restore`] but for the writing: verifies the archives and that they can be put into the store as it is now. `None` stands
/// for one that was never migrated, and is empty.
///
/// # Errors
/// As [`restore`], but for transaction ids at a second position far apart, which only the store's indexes find.
pub async fn dry_run<S: NodeStorage>(
    archives: Archives,
    store: Option<&S>,
    network: Network,
    progress: Option<ProgressFn>,
) -> Result<Restored> {
    archives.must_belong_to(network)?;
    if let Some(store) = store {
        must_belong_to(store, network).await?;
    }
    let onto = target(&archives, store).await?;
    let found = match store {
        Some(store) => store.bound().await?,
        None => LedgerBound::default(),
    };
    let name = archives.name();
    let mut plan = LoadPlan::new(onto, found)?;
    let mut source = ArchiveSource::start(archives, progress);
    let mut added = Appended::default();
    loop {
        match source.next().await? {
            Delivery::Blocks(blocks) => {
                let addition = plan.add(&blocks).map_err(|error| contradiction(&name, error.into()))?;
                added.blocks += addition.blocks.len();
                added.operations += addition.operations.len();
            }
            Delivery::End(cursor) => {
                plan.end(cursor).map_err(|error| contradiction(&name, error.into()))?;
                return source.restored(added);
            }
        }
    }
}

/// What the store has to hold: nothing, or the base of the first archive, which it is compared with.
async fn target<S: NodeStorage>(archives: &Archives, store: Option<&S>) -> Result<LedgerBound> {
    let Some(base) = archives.base() else {
        return Ok(LedgerBound::default());
    };
    let (found, bound) = match store {
        Some(store) => content_of(store, None).await?,
        None => (*Base::nothing().content(), LedgerBound::default()),
    };
    if found == *base.content() {
        return Ok(bound);
    }
    Err(ArchiveError::OtherBase {
        archive: archives.first.archive().to_owned(),
        onto: "the database".to_owned(),
        expected: Box::new(*base.content()),
        found: Box::new(found),
    })
}

/// A store refuses as a conflict what contradicts itself: here that is the archive.
fn contradiction(archive: &str, error: ArchiveError) -> ArchiveError {
    match error {
        ArchiveError::Storage(source @ (StorageError::Conflict(_) | StorageError::OutOfRange(_))) => {
            ArchiveError::Contradiction {
                archive: archive.to_owned(),
                source: Box::new(source),
            }
        }
        error => error,
    }
}

/// What the thread that reads archives has to say.
enum Message {
    Blocks(Vec<PublishedBlock>),
    End(Box<Summary>),
}

/// Archives on their way into a store, read and verified in a thread of their own.
struct ArchiveSource {
    receiver: mpsc::Receiver<Result<Message>>,
    end: Option<Box<Summary>>,
}

impl ArchiveSource {
    fn start(archives: Archives, progress: Option<ProgressFn>) -> Self {
        let (sender, receiver) = mpsc::channel(1);
        // It ends by itself when nobody listens any more.
        spawn_blocking(move || {
            let result = read_archives(archives, progress.as_ref(), &sender);
            let last = result.map(|summary| Message::End(Box::new(summary)));
            let _ = sender.blocking_send(last);
        });
        Self { receiver, end: None }
    }

    /// What the store holds, once it has taken everything.
    fn restored(self, added: Appended) -> Result<Restored> {
        let summary = self.end.ok_or(ArchiveError::Interrupted)?;
        Ok(Restored {
            content: summary.content,
            root: summary.root,
            added,
        })
    }
}

impl LoadSource for ArchiveSource {
    type Error = ArchiveError;

    async fn next(&mut self) -> Result<Delivery> {
        match self.receiver.recv().await.ok_or(ArchiveError::Interrupted)?? {
            Message::Blocks(blocks) => Ok(Delivery::Blocks(blocks)),
            Message::End(summary) => {
                let cursor = summary.content.cursor;
                self.end = Some(summary);
                Ok(Delivery::End(cursor))
            }
        }
    }
}

/// Reads and verifies all archives, sends their blocks, and answers with what the last one says.
fn read_archives(
    archives: Archives,
    progress: Option<&ProgressFn>,
    sender: &mpsc::Sender<Result<Message>>,
) -> Result<Summary> {
    let mut operations = 0;
    let mut bytes = 0;
    let mut reader = archives.first;
    let mut increments = archives.increments.into_iter();
    loop {
        let mut blocks = Blocks::default();
        while let Some(chunk) = reader.next_chunk()? {
            operations += u64::try_from(chunk.len()).unwrap_or(u64::MAX);
            for entry in chunk {
                blocks.push(entry);
            }
            if blocks.bytes >= DELIVERY_BYTES {
                blocks.bytes = 0;
                send(sender, std::mem::take(&mut blocks.complete))?;
            }
            if let Some(progress) = progress {
                progress(Progress {
                    operations,
                    total: None,
                    bytes: bytes + reader.offset(),
                });
            }
        }
        blocks.complete.extend(blocks.last.take());
        send(sender, blocks.complete)?;
        bytes += reader.offset();
        let summary = reader.summary().cloned().ok_or(ArchiveError::Interrupted)?;
        let Some(next) = increments.next() else {
            return Ok(summary);
        };
        let reached = summary.as_base();
        if next.header().base.as_ref() != Some(&reached) {
            let expected = next.header().base.clone().unwrap_or_else(Base::nothing);
            return Err(ArchiveError::OtherBase {
                archive: next.archive().to_owned(),
                onto: reader.archive().to_owned(),
                expected: Box::new(*expected.content()),
                found: Box::new(summary.content),
            });
        }
        reader = next;
    }
}

fn send(sender: &mpsc::Sender<Result<Message>>, blocks: Vec<PublishedBlock>) -> Result<()> {
    if blocks.is_empty() {
        return Ok(());
    }
    sender
        .blocking_send(Ok(Message::Blocks(blocks)))
        .map_err(|_| ArchiveError::Interrupted)
}

/// Puts entries together to blocks, of which the last one may have further entries.
#[derive(Default)]
struct Blocks {
    complete: Vec<PublishedBlock>,
    /// Of the operations since they were last sent.
    bytes: usize,
    last: Option<PublishedBlock>,
}

impl Blocks {
    fn push(&mut self, entry: Entry) {
        self.bytes += entry.bytes.as_slice().len();
        if self
            .last
            .as_ref()
            .is_some_and(|last| last.number != entry.position.block)
        {
            self.complete.extend(self.last.take());
        }
        let block = self.last.get_or_insert_with(|| PublishedBlock {
            number: entry.position.block,
            slot: entry.slot,
            hash: entry.block_hash,
            time: entry.block_time,
            transactions: Vec::new(),
        });
        let operation = PublishedOperation {
            osn: entry.position.osn,
            bytes: entry.bytes,
        };
        match block
            .transactions
            .last_mut()
            .filter(|last| last.absn == entry.position.absn)
        {
            Some(transaction) => transaction.operations.push(operation),
            None => block.transactions.push(PublishedTransaction {
                absn: entry.position.absn,
                id: entry.transaction_id,
                operations: vec![operation],
            }),
        }
    }
}
