//! Writing an archive, entry by entry.

use std::io::Write;

use node_storage_contract::{Cursor, StorageError};
use zstd::bulk::Compressor;

use crate::cbor::Writer;
use crate::content::{Content, Header, Summary, Trailer};
use crate::entry::Entry;
use crate::error::{ArchiveError, Result};
use crate::format::{CHUNK_BYTES, Compression, VERSION, kind};
use crate::order::Order;
use crate::record::{RecordWriter, length_of};
use crate::tree::Tree;

/// The level of compression: the library's own default.
const ZSTD_LEVEL: i32 = 3;

/// Writes an archive. What was written is one only after [`ArchiveWriter::finish`].
pub struct ArchiveWriter<W> {
    records: RecordWriter<W>,
    header: Header,
    compressor: Option<Compressor<'static>>,
    tree: Tree,
    order: Order,
    chunk: Vec<u8>,
    /// One encoded entry, kept for its allocation.
    encoded: Vec<u8>,
    chunks: u64,
    operations: u64,
    content_bytes: u64,
    compressed: bool,
}

impl<W: Write> ArchiveWriter<W> {
    /// Writes what stands in front of the operations.
    ///
    /// # Errors
    /// `Write`.
    pub fn new(output: W, header: Header, compression: Compression) -> Result<Self> {
        let mut records = RecordWriter::new(output)?;
        let mut payload = Vec::new();
        Writer::new(&mut payload).unsigned(VERSION);
        records.write(kind::VERSION, &payload)?;
        payload.clear();
        header.encode(&mut Writer::new(&mut payload));
        records.write(kind::HEADER, &payload)?;
        let (tree, floor) = match &header.base {
            Some(base) => (base.tree().clone(), base.content().cursor),
            None => (Tree::default(), None),
        };
        Ok(Self {
            records,
            header,
            compressor: match compression {
                Compression::Zstd => Some(compressor().map_err(ArchiveError::Write)?),
                Compression::None => None,
            },
            tree,
            order: Order::above(floor),
            chunk: Vec::with_capacity(CHUNK_BYTES),
            encoded: Vec::new(),
            chunks: 0,
            operations: 0,
            content_bytes: 0,
            compressed: false,
        })
    }

    /// Adds the next operation, which stands above those before it.
    ///
    /// # Errors
    /// `Write`; `Corrupt` for an operation that does not stand where it should.
    pub fn push(&mut self, entry: &Entry) -> Result<()> {
        self.order
            .accept(entry)
            .map_err(|detail| StorageError::corrupt("the order of operations", detail))?;
        self.encoded.clear();
        entry.encode(&mut Writer::new(&mut self.encoded));
        if self.chunk.len() + self.encoded.len() > CHUNK_BYTES {
            self.write_chunk()?;
        }
        self.chunk.extend_from_slice(&self.encoded);
        self.tree.push(&self.encoded);
        self.operations += 1;
        Ok(())
    }

    /// Writes what stands behind the operations. Answers with what the archive holds, and the output.
    ///
    /// # Errors
    /// `Write`; `Corrupt` for a cursor that does not stand at the last operation's block or above.
    pub fn finish(mut self, cursor: Option<Cursor>) -> Result<(Summary, W)> {
        self.order
            .end(cursor)
            .map_err(|detail| StorageError::corrupt("the cursor", detail))?;
        self.write_chunk()?;
        let content = Content {
            operations: self.tree.leaves(),
            operations_root: self.tree.root(),
            cursor,
        };
        let root = content.root(self.header.network);
        let mut payload = Vec::new();
        Trailer { content, root }.encode(&mut Writer::new(&mut payload));
        self.records.write(kind::TRAILER, &payload)?;
        let summary = Summary {
            header: self.header,
            content,
            root,
            operations: self.operations,
            chunks: self.chunks,
            content_bytes: self.content_bytes,
            file_bytes: self.records.written(),
            compression: if self.compressed {
                Compression::Zstd
            } else {
                Compression::None
            },
            tree: self.tree,
        };
        Ok((summary, self.records.finish()?))
    }

    /// Bytes written so far.
    pub fn written(&self) -> u64 {
        self.records.written()
    }

    fn write_chunk(&mut self) -> Result<()> {
        if self.chunk.is_empty() {
            return Ok(());
        }
        self.chunks += 1;
        self.content_bytes += length_of(&self.chunk);
        let frame = match &mut self.compressor {
            Some(compressor) => Some(compressor.compress(&self.chunk).map_err(ArchiveError::Write)?),
            None => None,
        };
        match frame.filter(|frame| frame.len() < self.chunk.len()) {
            None => self.records.write(kind::PLAIN_CHUNK, &self.chunk)?,
            Some(frame) => {
                self.compressed = true;
                let mut payload = Vec::with_capacity(frame.len() + 16);
                Writer::new(&mut payload)
                    .array(2)
                    .unsigned(length_of(&self.chunk))
                    .bytes(&frame);
                self.records.write(kind::ZSTD_CHUNK, &payload)?;
            }
        }
        self.chunk.clear();
        Ok(())
    }
}

fn compressor() -> std::io::Result<Compressor<'static>> {
    let mut compressor = Compressor::new(ZSTD_LEVEL)?;
    compressor.include_checksum(true)?;
    compressor.include_contentsize(true)?;
    Ok(compressor)
}
