//! Archives without a database.

use std::io::Read;

use crate::content::Summary;
use crate::entry::Entry;
use crate::error::{ArchiveError, Result};
use crate::read::ArchiveReader;

/// Reads an archive to its end, verifying every byte. An increment is verified up to its base, which it does not hold.
///
/// What only a database sees stays open: whether a transaction id stands at two positions far apart.
///
/// # Errors
/// As [`ArchiveReader::open`].
pub fn verify(archive: impl Into<String>, input: impl Read) -> Result<Summary> {
    entries(archive, input, |_| Ok::<_, ArchiveError>(()))
}

/// Hands every operation of an archive to `each`, by position, and verifies the archive meanwhile: what `each` got is certain only
/// once this has ended well.
///
/// # Errors
/// As [`ArchiveReader::open`], and what `each` answers.
pub fn entries<E: From<ArchiveError>>(
    archive: impl Into<String>,
    input: impl Read,
    mut each: impl FnMut(Entry) -> Result<(), E>,
) -> Result<Summary, E> {
    let mut reader = ArchiveReader::open(archive, input)?;
    while let Some(chunk) = reader.next_chunk()? {
        chunk.into_iter().try_for_each(&mut each)?;
    }
    match reader.summary() {
        Some(summary) => Ok(summary.clone()),
        // The reader has a summary once it has answered with the end.
        None => Err(ArchiveError::Interrupted.into()),
    }
}
