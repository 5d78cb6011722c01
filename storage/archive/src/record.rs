//! The container: a signature, then records of type, length, payload and check.
//!
//! The check is the CRC-32 of everything in front of it but the checks: not only a changed byte is found at its record, but also a
//! record that is missing, comes twice or stands elsewhere.

use std::io::{self, ErrorKind, Read, Write};

use crate::error::{ArchiveError, Result};
use crate::format::{CHECK_BYTES, HEAD_BYTES, SIGNATURE, kind, most_bytes};

/// Writes records.
pub(crate) struct RecordWriter<W> {
    output: W,
    crc: crc32fast::Hasher,
    written: u64,
}

impl<W: Write> RecordWriter<W> {
    /// Writes the signature.
    pub(crate) fn new(mut output: W) -> Result<Self> {
        output.write_all(&SIGNATURE).map_err(ArchiveError::Write)?;
        let mut crc = crc32fast::Hasher::new();
        crc.update(&SIGNATURE);
        Ok(Self {
            output,
            crc,
            written: length_of(&SIGNATURE),
        })
    }

    pub(crate) fn write(&mut self, kind: u8, payload: &[u8]) -> Result<()> {
        let mut head = [0; HEAD_BYTES];
        let length = length_of(payload);
        if let Some((first, rest)) = head.split_first_mut() {
            *first = kind;
            rest.copy_from_slice(&length.to_be_bytes());
        }
        self.crc.update(&head);
        self.crc.update(payload);
        let check = self.crc.clone().finalize().to_be_bytes();
        for part in [&head, payload, &check] {
            self.output.write_all(part).map_err(ArchiveError::Write)?;
            self.written += length_of(part);
        }
        Ok(())
    }

    /// Bytes written so far.
    pub(crate) fn written(&self) -> u64 {
        self.written
    }

    pub(crate) fn finish(mut self) -> Result<W> {
        self.output.flush().map_err(ArchiveError::Write)?;
        Ok(self.output)
    }
}

/// A record that is known to this version.
pub(crate) struct Record {
    pub(crate) kind: u8,
    /// Where it begins.
    pub(crate) offset: u64,
    pub(crate) payload: Vec<u8>,
}

/// Reads records, whatever the input says about their lengths in bounded memory.
pub(crate) struct RecordReader<R> {
    archive: String,
    input: R,
    crc: crc32fast::Hasher,
    read: u64,
}

impl<R: Read> RecordReader<R> {
    /// Reads the signature of what `archive` names in errors.
    pub(crate) fn new(archive: String, input: R) -> Result<Self> {
        let mut reader = Self {
            archive,
            input,
            crc: crc32fast::Hasher::new(),
            read: 0,
        };
        let mut signature = [0; SIGNATURE.len()];
        let length = reader.fill(&mut signature)?;
        let found = signature.get(..length).unwrap_or_default();
        let agreeing = found
            .iter()
            .zip(SIGNATURE)
            .filter(|(found, byte)| *found == byte)
            .count();
        if agreeing < length {
            // Somebody else's file has hardly any byte in common; a copy that was damaged there has most.
            return Err(if agreeing * 2 > SIGNATURE.len() {
                reader.damaged(0, "it begins nearly as an archive does")
            } else {
                ArchiveError::NotAnArchive {
                    archive: reader.archive,
                }
            });
        }
        if length < SIGNATURE.len() {
            return Err(reader.truncated());
        }
        reader.crc.update(&signature);
        Ok(reader)
    }

    pub(crate) fn archive(&self) -> &str {
        &self.archive
    }

    /// Bytes read so far.
    pub(crate) fn offset(&self) -> u64 {
        self.read
    }

    /// The next record that is not to be passed over.
    pub(crate) fn next(&mut self) -> Result<Record> {
        loop {
            let offset = self.read;
            let mut head = [0; HEAD_BYTES];
            self.fill_all(&mut head)?;
            self.crc.update(&head);
            let [kind, length @ ..] = head;
            let length = u64::from_be_bytes(length);
            let payload = if let Some(most) = most_bytes(kind) {
                match usize::try_from(length).ok().filter(|length| *length <= most) {
                    Some(length) => Some(self.payload(length)?),
                    None => {
                        return Err(self.damaged(
                            offset,
                            format!("a record of type {kind} is {length} bytes long, at most {most} are possible"),
                        ));
                    }
                }
            } else {
                self.pass_over(length)?;
                None
            };
            let mut check = [0; CHECK_BYTES];
            self.fill_all(&mut check)?;
            if check != self.crc.clone().finalize().to_be_bytes() {
                return Err(self.damaged(
                    offset,
                    "the check of a record does not agree with what stands before it",
                ));
            }
            match payload {
                Some(payload) => {
                    return Ok(Record { kind, offset, payload });
                }
                None if kind & kind::ANCILLARY == 0 => {
                    return Err(ArchiveError::UnknownRecord {
                        archive: self.archive.clone(),
                        kind,
                        offset,
                    });
                }
                None => {}
            }
        }
    }

    /// Makes sure that nothing follows.
    pub(crate) fn end(&mut self) -> Result<()> {
        let offset = self.read;
        if self.fill(&mut [0])? == 0 {
            Ok(())
        } else {
            Err(self.damaged(offset, "bytes follow the trailer"))
        }
    }

    pub(crate) fn damaged(&self, offset: u64, detail: impl Into<String>) -> ArchiveError {
        ArchiveError::Damaged {
            archive: self.archive.clone(),
            offset,
            detail: detail.into(),
        }
    }

    fn truncated(&self) -> ArchiveError {
        ArchiveError::Truncated {
            archive: self.archive.clone(),
            offset: self.read,
        }
    }

    fn payload(&mut self, length: usize) -> Result<Vec<u8>> {
        let mut payload = vec![0; length];
        self.fill_all(&mut payload)?;
        self.crc.update(&payload);
        Ok(payload)
    }

    fn pass_over(&mut self, length: u64) -> Result<()> {
        let mut buffer = [0; 8192];
        let mut rest = length;
        while rest > 0 {
            let part = usize::try_from(rest).unwrap_or(usize::MAX).min(buffer.len());
            let (part, _) = buffer.split_at_mut(part);
            self.fill_all(part)?;
            self.crc.update(part);
            rest -= length_of(part);
        }
        Ok(())
    }

    fn fill_all(&mut self, buffer: &mut [u8]) -> Result<()> {
        if self.fill(buffer)? == buffer.len() {
            Ok(())
        } else {
            Err(self.truncated())
        }
    }

    /// Reads until the buffer is full or the input has ended, and answers how many bytes came.
    fn fill(&mut self, buffer: &mut [u8]) -> Result<usize> {
        let mut filled = 0;
        while let Some(rest) = buffer.get_mut(filled..).filter(|rest| !rest.is_empty()) {
            match self.input.read(rest) {
                Ok(0) => break,
                Ok(length) => filled += length,
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(source) => return Err(self.unreadable(source)),
            }
        }
        self.read += u64::try_from(filled).unwrap_or(u64::MAX);
        Ok(filled)
    }

    fn unreadable(&self, source: io::Error) -> ArchiveError {
        ArchiveError::Read {
            archive: self.archive.clone(),
            source,
        }
    }
}

/// No buffer in memory is longer than 2^64 bytes.
pub(crate) fn length_of(bytes: &[u8]) -> u64 {
    u64::try_from(bytes.len()).unwrap_or(u64::MAX)
}
