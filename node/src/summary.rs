//! What archives and restored databases hold, for people and for scripts.

use node_storage::contract::{Cursor, Network};
use node_storage_archive::{Compression, Content, Summary};
use serde_json::{Map, Value, json};

/// Lines of a name and a value.
pub(crate) fn lines(members: &[(&str, String)]) -> String {
    let lines: Vec<_> = members
        .iter()
        .map(|(name, value)| format!("{name:<20}{value}"))
        .collect();
    lines.join("\n")
}

/// What the content is, in both forms of an answer.
pub(crate) struct Described {
    pub(crate) lines: Vec<(&'static str, String)>,
    pub(crate) json: Map<String, Value>,
}

impl Described {
    pub(crate) fn new() -> Self {
        Self {
            lines: Vec::new(),
            json: Map::new(),
        }
    }

    pub(crate) fn add(
        &mut self,
        line: &'static str,
        text: impl std::fmt::Display,
        member: &str,
        value: Value,
    ) -> &mut Self {
        self.lines.push((line, text.to_string()));
        self.json.insert(member.to_owned(), value);
        self
    }

    /// The state that an archive ends with, or a database has.
    pub(crate) fn content(&mut self, network: Network, content: &Content) -> &mut Self {
        let root = content.root(network).to_string();
        let operations_root = content.operations_root.to_string();
        self.add("network", network, "network", json!(network.name()))
            .add(
                "operations",
                content.operations,
                "operations",
                json!(content.operations),
            )
            .add(
                "cursor",
                shown(content.cursor),
                "cursor",
                json!(content.cursor.map(cursor)),
            )
            .add(
                "operations root",
                &operations_root,
                "operations_root",
                json!(operations_root),
            )
            .add("root", &root, "root", json!(root))
    }

    /// Everything that an archive says of itself.
    pub(crate) fn archive(&mut self, summary: &Summary) -> &mut Self {
        let version = node_storage_archive::VERSION;
        let compression = match summary.compression {
            Compression::Zstd => "zstd",
            Compression::None => "none",
        };
        self.add("format version", version, "version", json!(version))
            .content(summary.header.network, &summary.content);
        let mut base = None;
        if let Some(of) = &summary.header.base {
            let mut described = Described::new();
            described.content(summary.header.network, of.content());
            base = Some(described.json);
        }
        let text = match &summary.header.base {
            None => "none: a full archive".to_owned(),
            Some(base) => format!(
                "{} operations, root {}",
                base.content().operations,
                base.content().root(summary.header.network)
            ),
        };
        self.add("base", text, "base", json!(base))
            .add(
                "in this archive",
                format!("{} operations", summary.operations),
                "own_operations",
                json!(summary.operations),
            )
            .add("chunks", summary.chunks, "chunks", json!(summary.chunks))
            .add("compression", compression, "compression", json!(compression))
            .add(
                "content bytes",
                summary.content_bytes,
                "content_bytes",
                json!(summary.content_bytes),
            )
            .add(
                "file bytes",
                summary.file_bytes,
                "file_bytes",
                json!(summary.file_bytes),
            )
    }

    pub(crate) fn to_text(&self) -> String {
        lines(&self.lines)
    }

    pub(crate) fn to_json(&self) -> String {
        Value::Object(self.json.clone()).to_string()
    }
}

fn shown(cursor: Option<Cursor>) -> String {
    cursor.map_or_else(|| "none".to_owned(), |cursor| cursor.to_string())
}

/// A cursor, as every answer writes it.
pub(crate) fn cursor(cursor: Cursor) -> Value {
    json!({
        "slot": cursor.slot.get(),
        "block_number": cursor.block.get(),
        "block_hash": cursor.hash.to_string(),
    })
}
