//! Why a submission was not published.

use did_prism::envelope::EnvelopeError;

/// Why a submission was not published. Nothing of it was, except where [`SubmitError::Unknown`] says that nobody knows.
///
/// No variant has a secret in its text: all of them are shown to whoever submits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SubmitError {
    /// There is nothing to publish.
    #[error("the submission has no operations; nothing was published")]
    NoOperations,
    /// Bytes that would make the transaction unreadable.
    #[error("{0}; nothing was published")]
    Malformed(#[from] EnvelopeError),
    /// The operations do not fit into one transaction.
    #[error("{0}; nothing was published")]
    TooLarge(String),
    /// The sink can't publish just now. The same submission may succeed later without anybody's help.
    #[error("{0}; nothing was published, try again")]
    Unavailable(String),
    /// The sink refuses to publish until somebody has corrected something.
    #[error("{0}; nothing was published")]
    Refused(String),
    /// The submission was handed over, and no answer says what became of it. Who submits it again may publish it twice.
    #[error("{0}; it may have been published: look whether it appears on the ledger before you submit it again")]
    Unknown(String),
    /// The node does not write any more.
    #[error("the node is shutting down; submit again when it runs")]
    ShuttingDown,
}
