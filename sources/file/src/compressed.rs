//! Zstandard, decompressed as it comes.

use std::io;
use std::ops::Range;

use zstd::stream::raw::{Decoder, Operation, Status};

/// Bytes decompressed at once.
const BUFFER: usize = 128 * 1024;
/// How a frame begins.
const FRAME: [u8; 4] = [0x28, 0xb5, 0x2f, 0xfd];
/// How a frame begins that is to be passed over; the low half of its first byte is free.
const SKIPPABLE_FRAME: [u8; 4] = [0x50, 0x2a, 0x4d, 0x18];

/// Whether this is the beginning of compressed data. No ledger line begins with the first byte of such.
pub(crate) fn begins_compressed(beginning: &[u8]) -> bool {
    let begins = |magic: [u8; 4], mask: u8| {
        let shared = beginning.len().min(magic.len());
        shared > 0
            && magic
                .iter()
                .zip(beginning)
                .zip([mask, 0xff, 0xff, 0xff])
                .all(|((expected, found), mask)| found & mask == *expected)
    };
    begins(FRAME, 0xff) || begins(SKIPPABLE_FRAME, 0xf0)
}

/// Decompresses frames, one after the other.
pub(crate) struct Decompressor {
    decoder: Decoder<'static>,
    buffer: Box<[u8]>,
    /// What of the buffer has not been consumed.
    text: Range<usize>,
    /// Whether the last frame that was begun is complete, and there was one.
    is_complete: bool,
    /// Compressed bytes taken so far.
    offset: u64,
}

impl Decompressor {
    pub(crate) fn new() -> io::Result<Self> {
        Ok(Self {
            decoder: Decoder::new()?,
            buffer: vec![0; BUFFER].into_boxed_slice(),
            text: 0..0,
            is_complete: false,
            offset: 0,
        })
    }

    /// Whether the data may end here.
    pub(crate) const fn is_complete(&self) -> bool {
        self.is_complete
    }

    /// What was decompressed and not consumed.
    pub(crate) fn text(&self) -> &[u8] {
        self.buffer.get(self.text.clone()).unwrap_or_default()
    }

    pub(crate) fn consume(&mut self, bytes: usize) {
        self.text.start = (self.text.start + bytes).min(self.text.end);
    }

    /// Takes bytes that follow, none of them at the end of the data, and answers how many it has taken. The text has to be consumed.
    ///
    /// # Errors
    /// `InvalidData` where they are not what was written, or not all of it.
    pub(crate) fn take(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let invalid = |detail: String| io::Error::new(io::ErrorKind::InvalidData, detail);
        let offset = self.offset;
        let Status {
            remaining,
            bytes_read,
            bytes_written,
        } = self.decoder.run_on_buffers(bytes, &mut self.buffer).map_err(|error| {
            invalid(format!(
                "the compressed data are damaged, at byte {offset} of the file or up to {} bytes after it: {error}",
                bytes.len()
            ))
        })?;
        if bytes.is_empty() && bytes_written == 0 {
            return Err(invalid(format!(
                "the compressed data are not complete: they end at byte {offset} of the file, within a frame"
            )));
        }
        self.text = 0..bytes_written;
        self.is_complete = remaining == 0;
        self.offset = offset.saturating_add(u64::try_from(bytes_read).unwrap_or(u64::MAX));
        Ok(bytes_read)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_known_by_their_beginning() {
        for compressed in [&FRAME[..], &FRAME[..1], &[0x5a, 0x2a, 0x4d, 0x18, 4, 0, 0, 0]] {
            assert!(begins_compressed(compressed), "{compressed:x?}");
        }
        for plain in [&b""[..], b"{\"network\"", b"(x", b"\n", &[0x28, 0xb5, 0x2f, 0xfe]] {
            assert!(!begins_compressed(plain), "{plain:x?}");
        }
    }
}
