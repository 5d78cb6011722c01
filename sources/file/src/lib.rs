//! The ledger file: JSON lines, one Cardano transaction each, ascending.

mod blocks;
mod kind;
mod line;
mod lines;
mod source;

pub use kind::FileKind;
pub use lines::Input;
pub use source::{FileOptions, FileSource};
