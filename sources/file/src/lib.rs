//! The ledger file: JSON lines, one Cardano transaction each, ascending; read and written, plain and compressed.

mod blocks;
mod compressed;
mod kind;
mod line;
mod lines;
mod source;
mod writer;

pub use kind::FileKind;
pub use line::{LedgerLine, Line, LineError};
pub use lines::Input;
pub use source::{FileOptions, FileSource};
pub use writer::{LedgerWriteError, LedgerWriter};
