//! The constants of format version 1.

/// The version of the format that this crate writes, and the only one that it reads.
pub const VERSION: u64 = 1;

/// What every archive of every version begins with: a byte above ASCII, a name, and the line breaks that a transfer as text changes.
pub(crate) const SIGNATURE: [u8; 12] = *b"\x89PRISMAR\r\n\x1a\n";

/// The most bytes of operation records in one chunk: 1 MiB for the longest operation and 4 KiB for what stands around it.
pub const CHUNK_BYTES: usize = 1024 * 1024 + 4 * 1024;

/// What the root's domain is separated by.
pub(crate) const ROOT_DOMAIN: &str = "did:prism node archive";

/// Type, length; check.
pub(crate) const HEAD_BYTES: usize = 1 + 8;
pub(crate) const CHECK_BYTES: usize = 4;

/// Types of records. Those with the highest bit set may be passed over by who does not know them; all others must not.
pub(crate) mod kind {
    pub(crate) const VERSION: u8 = 0x01;
    pub(crate) const HEADER: u8 = 0x02;
    pub(crate) const PLAIN_CHUNK: u8 = 0x03;
    pub(crate) const ZSTD_CHUNK: u8 = 0x04;
    pub(crate) const TRAILER: u8 = 0x05;
    pub(crate) const ANCILLARY: u8 = 0x80;
}

/// The most bytes that the payload of a record of this type has; none for types that this version does not know.
pub(crate) const fn most_bytes(kind: u8) -> Option<usize> {
    match kind {
        kind::VERSION => Some(9),
        // 63 hashes of a right edge, and what stands around them.
        kind::HEADER => Some(4096),
        kind::PLAIN_CHUNK => Some(CHUNK_BYTES),
        // A frame that is not shorter than its content is not written.
        kind::ZSTD_CHUNK => Some(CHUNK_BYTES + 16),
        kind::TRAILER => Some(256),
        _ => None,
    }
}

/// How chunks are stored.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Compression {
    /// Each chunk as a frame of Zstandard, where that is shorter.
    #[default]
    Zstd,
    /// As they are: equal content gives equal files.
    None,
}
