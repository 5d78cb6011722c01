//! A call of a store, and its answer.

use node_storage_archive::ArchiveError;
use node_storage_contract::{Appended, Cursor, IndexEntry, Indexed, IndexerState, NodeStorage, PublishedBlock, Result};

use super::moving::Archive;
use crate::lens::read::{Read, Reading};

/// What a step asks of a store.
#[derive(Debug)]
pub(super) enum Call {
    /// With the expected cursor first.
    Append(Option<Cursor>, Vec<PublishedBlock>, Cursor),
    AdvanceCursor(Option<Cursor>, Cursor),
    Index(Vec<IndexEntry>),
    IndexAll,
    Read(Read),
    Reopen,
    BackUp,
    Move,
}

/// What a store answers to a call.
#[derive(Debug, PartialEq)]
pub(super) enum Answer {
    Done,
    Appended(Appended),
    Indexed(Indexed),
    State(IndexerState),
    Read(Reading),
    Archive(Archive),
}

impl Call {
    /// Asks a store. Reopening and moving are for whoever has the factory, and are answered at once.
    pub(super) async fn ask<S: NodeStorage>(&self, store: &S) -> Result<Answer> {
        match self {
            Self::Append(expected, blocks, cursor) => {
                store.append(*expected, blocks, *cursor).await.map(Answer::Appended)
            }
            Self::AdvanceCursor(expected, cursor) => {
                store.advance_cursor(*expected, *cursor).await.map(|()| Answer::Done)
            }
            Self::Index(batch) => store.index(batch).await.map(Answer::Indexed),
            Self::IndexAll => node_service::index::index_all(store).await.map(Answer::State),
            Self::Read(read) => read.ask(store).await.map(Answer::Read),
            Self::Reopen | Self::Move => Ok(Answer::Done),
            Self::BackUp => match Archive::of(store, None).await {
                Ok(archive) => Ok(Answer::Archive(archive)),
                Err(ArchiveError::Storage(error)) => Err(error),
                Err(error) => panic!("no archive is made of it: {error}"),
            },
        }
    }
}
