//! What an archive says of itself: its header, and the state that it ends with.

use node_storage_contract::{BlockHash, BlockNo, Cursor, Network, SlotNo};

use crate::cbor::{Malformed, Reader, Writer, decode_exact};
use crate::format::{Compression, ROOT_DOMAIN, VERSION};
use crate::tree::{Hash, Tree};

/// A state of a store: what an archive ends with, and what an increment is put onto.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Number of operations, those of the base included.
    pub operations: u64,
    /// The RFC 6962 tree hash over all of them.
    pub operations_root: Hash,
    /// The cursor.
    pub cursor: Option<Cursor>,
}

impl Content {
    /// The root of this content on this network: equal content has an equal root, whichever store holds it.
    pub fn root(&self, network: Network) -> Hash {
        let mut bytes = Vec::new();
        let mut writer = Writer::new(&mut bytes);
        writer.array(6).text(ROOT_DOMAIN).unsigned(VERSION).text(network.name());
        self.encode_members(&mut writer);
        Hash::of(&[&bytes])
    }

    /// In words, for an error.
    pub(crate) fn describe(&self) -> String {
        let cursor = self
            .cursor
            .map_or("no cursor".to_owned(), |cursor| format!("the cursor {cursor}"));
        format!(
            "{} operations with the operations root {} and {cursor}",
            self.operations, self.operations_root
        )
    }

    fn encode_members(&self, writer: &mut Writer<'_>) {
        writer.unsigned(self.operations).bytes(self.operations_root.as_bytes());
        match self.cursor {
            None => writer.null(),
            Some(cursor) => writer
                .array(3)
                .unsigned(cursor.slot.get())
                .unsigned(cursor.block.get())
                .bytes(cursor.hash.as_slice()),
        };
    }

    fn decode_members(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            operations: reader.unsigned("the number of operations")?,
            operations_root: reader.hash("the operations root")?,
            cursor: if reader.null() {
                None
            } else {
                reader.tuple("the cursor", 3)?;
                Some(Cursor {
                    slot: SlotNo::try_from(reader.unsigned("the cursor's slot")?).map_err(|error| error.to_string())?,
                    block: BlockNo::try_from(reader.unsigned("the cursor's block number")?)
                        .map_err(|error| error.to_string())?,
                    hash: BlockHash::try_from(reader.bytes("the cursor's block hash")?)
                        .map_err(|_| "the cursor's block hash is not 32 bytes long")?,
                })
            },
        })
    }
}

/// The state that an increment follows, with what is needed to compute the tree hash of what it ends with.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Base {
    content: Content,
    tree: Tree,
}

impl Base {
    pub(crate) fn new(tree: Tree, cursor: Option<Cursor>) -> Self {
        let content = Content {
            operations: tree.leaves(),
            operations_root: tree.root(),
            cursor,
        };
        Self { content, tree }
    }

    /// The state of a store without content.
    pub(crate) fn nothing() -> Self {
        Self::new(Tree::default(), None)
    }

    /// The state.
    pub fn content(&self) -> &Content {
        &self.content
    }

    pub(crate) fn tree(&self) -> &Tree {
        &self.tree
    }
}

/// What stands at the beginning of an archive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Header {
    /// The network.
    pub network: Network,
    /// What the archive is an increment to; `None` for a full one.
    pub base: Option<Base>,
}

impl Header {
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer.array(2).text(self.network.name());
        match &self.base {
            None => {
                writer.null();
            }
            Some(base) => {
                writer.array(4);
                base.content.encode_members(writer);
                writer.array(base.tree.edge().iter().map(|_| 1).sum());
                for hash in base.tree.edge() {
                    writer.bytes(hash.as_bytes());
                }
            }
        }
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode_exact(bytes, Self::decode_members, Self::encode)
    }

    fn decode_members(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        reader.tuple("the header", 2)?;
        let network = reader.text("the network")?;
        let network = network.parse::<Network>().map_err(|error| error.to_string())?;
        if reader.null() {
            return Ok(Self { network, base: None });
        }
        reader.tuple("the base", 4)?;
        let content = Content::decode_members(reader)?;
        let length = reader.array("the right edge", 63)?;
        let edge = (0..length)
            .map(|_| reader.hash("a subtree"))
            .collect::<Result<Vec<_>, _>>()?;
        let tree = Tree::from_edge(content.operations, edge)
            .filter(|tree| tree.root() == content.operations_root)
            .ok_or("the right edge of the base is not that of its operations root")?;
        if content.operations > 0 && content.cursor.is_none() {
            return Err("the base has operations and no cursor".to_owned());
        }
        Ok(Self {
            network,
            base: Some(Base { content, tree }),
        })
    }
}

/// What stands at the end of an archive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trailer {
    pub(crate) content: Content,
    pub(crate) root: Hash,
}

impl Trailer {
    pub(crate) fn encode(&self, writer: &mut Writer<'_>) {
        writer.array(4);
        self.content.encode_members(writer);
        writer.bytes(self.root.as_bytes());
    }

    pub(crate) fn decode(bytes: &[u8]) -> Result<Self, Malformed> {
        decode_exact(
            bytes,
            |reader| {
                reader.tuple("the trailer", 4)?;
                Ok(Self {
                    content: Content::decode_members(reader)?,
                    root: reader.hash("the root")?,
                })
            },
            Self::encode,
        )
    }
}

/// What an archive turned out to hold, once all of it was written or read and verified.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Summary {
    /// Network and base.
    pub header: Header,
    /// The state that it ends with.
    pub content: Content,
    /// Its root.
    pub root: Hash,
    /// Number of operations in the archive itself.
    pub operations: u64,
    /// Number of chunks.
    pub chunks: u64,
    /// Length of the operation records, uncompressed, in bytes.
    pub content_bytes: u64,
    /// Length of the archive in bytes.
    pub file_bytes: u64,
    /// How its chunks are stored: compressed, if any of them is.
    pub compression: Compression,
    pub(crate) tree: Tree,
}

impl Summary {
    /// This state as the base of an increment.
    pub fn as_base(&self) -> Base {
        Base::new(self.tree.clone(), self.content.cursor)
    }
}
