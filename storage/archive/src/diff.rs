//! What differs between two archives.

use std::cmp::Ordering;
use std::io::Read;
use std::vec;

use node_storage_contract::{Cursor, Network};

use crate::content::Summary;
use crate::entry::Entry;
use crate::error::{ArchiveError, Result};
use crate::read::ArchiveReader;

/// One difference between a first and a second archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The networks.
    Network(Network, Network),
    /// What the archives are increments to: the number of operations of each base; 0 for a full archive.
    Base(u64, u64),
    /// An operation that only the first one has.
    OnlyInFirst(Box<Entry>),
    /// An operation that only the second one has.
    OnlyInSecond(Box<Entry>),
    /// The operation at one position, with different bytes or in a different block or transaction.
    Changed(Box<Entry>, Box<Entry>),
    /// The cursors.
    Cursor(Option<Cursor>, Option<Cursor>),
}

/// Hands every difference between two archives to `each`: operations by position, then the cursor. Both are verified.
///
/// # Errors
/// As [`ArchiveReader::open`], and what `each` answers.
pub fn diff<E: From<ArchiveError>>(
    first: ArchiveReader<impl Read>,
    second: ArchiveReader<impl Read>,
    mut each: impl FnMut(Difference) -> Result<(), E>,
) -> Result<(), E> {
    let networks = (first.header().network, second.header().network);
    if networks.0 != networks.1 {
        each(Difference::Network(networks.0, networks.1))?;
    }
    if first.header().base != second.header().base {
        let operations = |reader: &Option<crate::Base>| reader.as_ref().map_or(0, |base| base.content().operations);
        each(Difference::Base(
            operations(&first.header().base),
            operations(&second.header().base),
        ))?;
    }
    let mut first = Entries::new(first);
    let mut second = Entries::new(second);
    let mut left = first.next()?;
    let mut right = second.next()?;
    loop {
        let order = match (&left, &right) {
            (None, None) => break,
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => left.position.cmp(&right.position),
        };
        let taken = if order.is_le() { left.take() } else { None };
        let other = if order.is_ge() { right.take() } else { None };
        if order.is_le() {
            left = first.next()?;
        }
        if order.is_ge() {
            right = second.next()?;
        }
        match (taken, other) {
            (Some(taken), Some(other)) if taken != other => {
                each(Difference::Changed(Box::new(taken), Box::new(other)))?;
            }
            (Some(taken), None) => each(Difference::OnlyInFirst(Box::new(taken)))?,
            (None, Some(other)) => each(Difference::OnlyInSecond(Box::new(other)))?,
            _ => {}
        }
    }
    let cursors = (first.cursor(), second.cursor());
    if cursors.0 != cursors.1 {
        each(Difference::Cursor(cursors.0, cursors.1))?;
    }
    Ok(())
}

/// The entries of an archive, one by one.
struct Entries<R> {
    reader: ArchiveReader<R>,
    chunk: vec::IntoIter<Entry>,
}

impl<R: Read> Entries<R> {
    fn new(reader: ArchiveReader<R>) -> Self {
        Self {
            reader,
            chunk: Vec::new().into_iter(),
        }
    }

    fn next(&mut self) -> Result<Option<Entry>> {
        loop {
            if let Some(entry) = self.chunk.next() {
                return Ok(Some(entry));
            }
            match self.reader.next_chunk()? {
                Some(chunk) => self.chunk = chunk.into_iter(),
                None => return Ok(None),
            }
        }
    }

    fn cursor(&self) -> Option<Cursor> {
        self.reader
            .summary()
            .and_then(|summary: &Summary| summary.content.cursor)
    }
}
