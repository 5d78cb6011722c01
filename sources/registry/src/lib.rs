//! The sources of the ledger that a node is built with. A further one is a crate, a feature and one line here.

pub use dlt_source as contract;
use dlt_source::SourceKind;

/// Every source of this build, in the order in which `--help` lists them.
pub const SOURCES: &[&dyn SourceKind] = &[
    #[cfg(feature = "file")]
    &dlt_source_file::FileKind,
    #[cfg(feature = "relay")]
    &dlt_source_relay::RelayKind,
    #[cfg(feature = "dbsync")]
    &dlt_source_dbsync::DbSyncKind,
    #[cfg(feature = "blockfrost")]
    &dlt_source_blockfrost::BlockfrostKind,
];

/// The source with this name.
pub fn named(name: &str) -> Option<&'static dyn SourceKind> {
    SOURCES.iter().copied().find(|source| source.name() == name)
}
