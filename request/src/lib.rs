//! What a request to a did:prism node asks for: the representation, the version, the page.
//!
//! Pure functions of headers and texts. They are what strangers send to a node, so they stand where tests and fuzzing reach them
//! without a node.

mod negotiation;
mod page;
mod version;

pub use negotiation::{DID_DOCUMENT, Form, REPRESENTATIONS, RESOLUTION_RESULT, Representation, choose};
pub use page::{InvalidLimit, InvalidPosition, PositionToken, page_limit};
pub use version::{InvalidVersion, VersionQuery};
