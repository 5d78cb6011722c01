//! Reading an archive, chunk by chunk, and verifying all of it.

use std::io::Read;

use zstd::bulk::Decompressor;
use zstd::zstd_safe;

use crate::cbor::{Malformed, Reader, Writer, decode_exact};
use crate::content::{Content, Header, Summary, Trailer};
use crate::entry::Entry;
use crate::error::{ArchiveError, Result};
use crate::format::{CHUNK_BYTES, Compression, VERSION, kind};
use crate::order::Order;
use crate::record::{Record, RecordReader, length_of};
use crate::tree::Tree;

/// Reads an archive. Nothing that it answered is certain before [`ArchiveReader::next_chunk`] has answered with the end.
pub struct ArchiveReader<R> {
    records: RecordReader<R>,
    header: Header,
    tree: Tree,
    order: Order,
    decompressor: Option<Decompressor<'static>>,
    /// Length of the chunk before, which the first record of the next one must not have fitted into.
    last_chunk: usize,
    chunks: u64,
    operations: u64,
    content_bytes: u64,
    compressed: bool,
    end: Option<Summary>,
}

impl<R: Read> ArchiveReader<R> {
    /// Reads what stands in front of the operations. `archive` names the input in errors.
    ///
    /// # Errors
    /// `NotAnArchive`, `UnknownVersion`, `UnknownRecord`, `Truncated`, `Damaged`, `Read`.
    pub fn open(archive: impl Into<String>, input: R) -> Result<Self> {
        let mut records = RecordReader::new(archive.into(), input)?;
        let beginning = records.offset();
        let record = records.next()?;
        // Nothing is passed over in front of it: what may be is what a version says.
        if record.kind != kind::VERSION || record.offset != beginning {
            return Err(records.damaged(beginning, "the first record is not the version"));
        }
        let version = decode_exact(
            &record.payload,
            |reader| reader.unsigned("the version"),
            |version, writer| {
                writer.unsigned(*version);
            },
        )
        .map_err(|detail| records.damaged(record.offset, detail))?;
        if version != VERSION {
            return Err(ArchiveError::UnknownVersion {
                archive: records.archive().to_owned(),
                version,
                known: VERSION,
            });
        }
        let record = records.next()?;
        if record.kind != kind::HEADER {
            return Err(records.damaged(record.offset, "the header does not follow the version"));
        }
        let header = Header::decode(&record.payload).map_err(|detail| records.damaged(record.offset, detail))?;
        let (tree, floor) = match &header.base {
            Some(base) => (base.tree().clone(), base.content().cursor),
            None => (Tree::default(), None),
        };
        Ok(Self {
            records,
            header,
            tree,
            order: Order::above(floor),
            decompressor: None,
            last_chunk: CHUNK_BYTES,
            chunks: 0,
            operations: 0,
            content_bytes: 0,
            compressed: false,
            end: None,
        })
    }

    /// What stands in front of the operations.
    pub fn header(&self) -> &Header {
        &self.header
    }

    /// The name in errors.
    pub fn archive(&self) -> &str {
        self.records.archive()
    }

    /// Bytes read so far.
    pub fn offset(&self) -> u64 {
        self.records.offset()
    }

    /// What the archive holds, once all of it was read.
    pub fn summary(&self) -> Option<&Summary> {
        self.end.as_ref()
    }

    /// The operations of the next chunk, by position; `None` once everything was read and verified.
    ///
    /// # Errors
    /// As [`ArchiveReader::open`]. Nothing of the archive must be used then.
    pub fn next_chunk(&mut self) -> Result<Option<Vec<Entry>>> {
        if self.end.is_some() {
            return Ok(None);
        }
        let Record { kind, offset, payload } = self.records.next()?;
        let damaged = |records: &RecordReader<R>, detail: Malformed| records.damaged(offset, detail);
        match kind {
            kind::PLAIN_CHUNK => self
                .chunk(&payload)
                .map(Some)
                .map_err(|detail| damaged(&self.records, detail)),
            kind::ZSTD_CHUNK => {
                self.compressed = true;
                let chunk = self
                    .decompress(&payload)
                    .map_err(|detail| damaged(&self.records, detail))?;
                self.chunk(&chunk)
                    .map(Some)
                    .map_err(|detail| damaged(&self.records, detail))
            }
            kind::TRAILER => {
                let summary = self
                    .trailer(&payload)
                    .map_err(|detail| damaged(&self.records, detail))?;
                self.records.end()?;
                self.end = Some(summary);
                Ok(None)
            }
            _ => Err(self.records.damaged(offset, "a record stands where it must not")),
        }
    }

    fn chunk(&mut self, bytes: &[u8]) -> Result<Vec<Entry>, Malformed> {
        let mut reader = Reader::new(bytes);
        let mut entries = Vec::new();
        let mut encoded = Vec::new();
        while !reader.is_at_end() {
            let start = reader.position();
            let entry = Entry::decode(&mut reader)?;
            let found = bytes.get(start..reader.position()).unwrap_or_default();
            encoded.clear();
            entry.encode(&mut Writer::new(&mut encoded));
            if encoded != found {
                return Err("an operation is not in the deterministic encoding".to_owned());
            }
            if start == 0 && self.last_chunk + found.len() <= CHUNK_BYTES {
                return Err("the first operation of a chunk would have fitted into the chunk before".to_owned());
            }
            self.order.accept(&entry)?;
            self.tree.push(found);
            entries.push(entry);
        }
        if entries.is_empty() {
            return Err("a chunk is empty".to_owned());
        }
        self.last_chunk = bytes.len();
        self.chunks += 1;
        self.operations += u64::try_from(entries.len()).unwrap_or(u64::MAX);
        self.content_bytes += length_of(bytes);
        Ok(entries)
    }

    /// The one frame of a compressed chunk, whose length is bounded before anything is decompressed.
    fn decompress(&mut self, payload: &[u8]) -> Result<Vec<u8>, Malformed> {
        let (length, frame) = decode_exact(
            payload,
            |reader| {
                reader.tuple("a compressed chunk", 2)?;
                Ok((
                    reader.unsigned("the length of a chunk")?,
                    reader.bytes("a frame")?.to_vec(),
                ))
            },
            |(length, frame), writer| {
                writer.array(2).unsigned(*length).bytes(frame);
            },
        )?;
        let length = usize::try_from(length)
            .ok()
            .filter(|length| *length <= CHUNK_BYTES)
            .ok_or_else(|| format!("a chunk is said to be {length} bytes long, at most {CHUNK_BYTES} are possible"))?;
        if frame.len() >= length {
            return Err("a frame is not shorter than its content".to_owned());
        }
        if zstd_safe::find_frame_compressed_size(&frame) != Ok(frame.len()) {
            return Err("a compressed chunk is not one frame of Zstandard".to_owned());
        }
        let declared = zstd_safe::get_frame_content_size(&frame).ok().flatten();
        if declared.and_then(|declared| usize::try_from(declared).ok()) != Some(length) {
            return Err("a frame does not have the length that it is said to have".to_owned());
        }
        let decompressor = match &mut self.decompressor {
            Some(decompressor) => decompressor,
            none => none.insert(Decompressor::new().map_err(|error| error.to_string())?),
        };
        let chunk = decompressor
            .decompress(&frame, length)
            .map_err(|error| format!("a chunk can't be decompressed: {error}"))?;
        if chunk.len() == length {
            Ok(chunk)
        } else {
            Err("a frame does not have the length that it is said to have".to_owned())
        }
    }

    fn trailer(&mut self, payload: &[u8]) -> Result<Summary, Malformed> {
        let Trailer { content, root } = Trailer::decode(payload)?;
        let found = Content {
            operations: self.tree.leaves(),
            operations_root: self.tree.root(),
            cursor: content.cursor,
        };
        if content.operations != found.operations {
            return Err(format!(
                "the trailer counts {} operations, there are {}",
                content.operations, found.operations
            ));
        }
        if content.operations_root != found.operations_root {
            return Err("the operations root of the trailer is not that of the operations".to_owned());
        }
        if root != content.root(self.header.network) {
            return Err("the root of the trailer is not that of the content".to_owned());
        }
        self.order.end(content.cursor)?;
        Ok(Summary {
            header: self.header.clone(),
            content,
            root,
            operations: self.operations,
            chunks: self.chunks,
            content_bytes: self.content_bytes,
            file_bytes: self.records.offset(),
            compression: if self.compressed {
                Compression::Zstd
            } else {
                Compression::None
            },
            tree: self.tree.clone(),
        })
    }
}
