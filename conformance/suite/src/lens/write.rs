//! Every writing method of the contract.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use node_storage_contract::{
    Appended, Cursor, Delivery, IndexEntry, Indexed, LedgerBound, LoadSource, NodeStorage, PublishedBlock, Result,
    StorageError,
};

use crate::factory::open;
use crate::model::{Content, Model, ModelStore};

/// A call that changes what is stored, or is refused.
#[derive(Debug, Clone)]
pub(crate) enum Write {
    Append(Option<Cursor>, Vec<PublishedBlock>, Cursor),
    Load(LedgerBound, Chunks),
    Index(Vec<IndexEntry>),
    AdvanceCursor(Option<Cursor>, Cursor),
}

/// What a load delivers.
#[derive(Debug, Clone)]
pub(crate) struct Chunks {
    blocks: Vec<Vec<PublishedBlock>>,
    end: End,
    /// How often anybody has asked for the next chunk.
    asked: Arc<AtomicUsize>,
}

/// How a load ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    /// With the cursor at the last block.
    AtLastBlock,
    /// With this cursor.
    At(Cursor),
    /// With an error of its source.
    Failure,
}

/// What a store answers to a [`Write`] that it accepts.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum Written {
    Appended(Appended),
    Indexed(Indexed),
    Moved,
}

/// Says that it failed, where a load has no end.
pub(crate) const SOURCE_FAILED: &str = "the source of the load";

struct Source {
    deliveries: VecDeque<Result<Delivery>>,
    asked: Arc<AtomicUsize>,
}

impl LoadSource for Source {
    type Error = StorageError;

    async fn next(&mut self) -> Result<Delivery> {
        self.asked.fetch_add(1, Ordering::Relaxed);
        // Others get their turn between two chunks, as they do while a source reads.
        tokio::task::yield_now().await;
        self.deliveries
            .pop_front()
            .expect("a source is not asked again after its end")
    }
}

impl Write {
    /// The method that is called, as the contract names it.
    pub(crate) const fn method(&self) -> &'static str {
        match self {
            Self::Append(..) => "append",
            Self::Load(..) => "load",
            Self::Index(_) => "index",
            Self::AdvanceCursor(..) => "advance_cursor",
        }
    }

    /// The call in words.
    pub(crate) fn describe(&self) -> String {
        let operations = |blocks: &[PublishedBlock]| -> usize {
            blocks
                .iter()
                .flat_map(|block| &block.transactions)
                .map(|transaction| transaction.operations.len())
                .sum()
        };
        match self {
            Self::Append(_, blocks, _) => {
                format!("append of {} blocks, {} operations", blocks.len(), operations(blocks))
            }
            Self::Load(_, Chunks { blocks, end, .. }) => format!(
                "load of {} chunks, {} operations{}",
                blocks.len(),
                blocks.iter().map(|blocks| operations(blocks)).sum::<usize>(),
                if *end == End::Failure {
                    ", whose source fails"
                } else {
                    ""
                }
            ),
            Self::Index(batch) => format!("index of {} entries", batch.len()),
            Self::AdvanceCursor(_, cursor) => format!("advance_cursor to {cursor}"),
        }
    }

    /// The blocks that it brings.
    pub(crate) fn blocks(&self) -> Vec<&PublishedBlock> {
        match self {
            Self::Append(_, blocks, _) => blocks.iter().collect(),
            Self::Load(_, chunks) => chunks.blocks.iter().flatten().collect(),
            Self::Index(_) | Self::AdvanceCursor(..) => Vec::new(),
        }
    }

    /// How often a load of this has asked for a chunk, wherever it ran; 0 for other writes.
    pub(crate) fn chunks_asked_for(&self) -> usize {
        match self {
            Self::Load(_, chunks) => chunks.asked.load(Ordering::Relaxed),
            _ => 0,
        }
    }

    /// Asks a store.
    pub(crate) async fn ask<S: NodeStorage>(&self, store: &S) -> Result<Written> {
        Ok(match self {
            Self::Append(expected, blocks, cursor) => {
                Written::Appended(store.append(*expected, blocks, *cursor).await?)
            }
            Self::Load(onto, chunks) => Written::Appended(store.load(*onto, &mut chunks.source()).await?),
            Self::Index(batch) => Written::Indexed(store.index(batch).await?),
            Self::AdvanceCursor(expected, cursor) => {
                store.advance_cursor(*expected, *cursor).await?;
                Written::Moved
            }
        })
    }

    /// The state after the call on a store that is in this state, and the answer.
    pub(crate) async fn expected(&self, model: &ModelStore) -> (ModelStore, Result<Written>) {
        let after = copy(model).await;
        let answer = self.ask(&after).await;
        (after, answer)
    }
}

impl Chunks {
    pub(crate) fn new(blocks: Vec<Vec<PublishedBlock>>, end: End) -> Self {
        Self {
            blocks,
            end,
            asked: Arc::default(),
        }
    }

    fn source(&self) -> Source {
        let chunks = self.blocks.iter().cloned().map(|blocks| Ok(Delivery::Blocks(blocks)));
        let end = match self.end {
            End::AtLastBlock => Ok(Delivery::End(None)),
            End::At(cursor) => Ok(Delivery::End(Some(cursor))),
            End::Failure => Err(StorageError::corrupt(SOURCE_FAILED, "it fails on purpose")),
        };
        Source {
            deliveries: chunks.chain([end]).collect(),
            asked: Arc::clone(&self.asked),
        }
    }
}

/// A model of its own in the state of this one.
pub(crate) async fn copy(model: &ModelStore) -> ModelStore {
    let content = model.content().clone();
    of_content(content).await
}

/// A model of its own that holds this.
pub(crate) async fn of_content(content: Content) -> ModelStore {
    let model = open(&Model::default()).await;
    *model.content() = content;
    model
}
