//! The sinks that a node is built with: what publishes operations on the ledger. A further one is a crate, a feature and one line
//! here.

pub use dlt_sink as contract;
use dlt_sink::SinkKind;

/// Every sink of this build, in the order in which `--help` lists them.
pub const SINKS: &[&dyn SinkKind] = &[
    #[cfg(feature = "wallet")]
    &dlt_sink_wallet::WalletKind,
];

/// The sink with this name.
pub fn named(name: &str) -> Option<&'static dyn SinkKind> {
    SINKS.iter().copied().find(|sink| sink.name() == name)
}
