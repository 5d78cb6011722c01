//! Where operations go.

use std::fmt;
use std::future::Future;
use std::sync::Arc;

use did_prism::digest::TransactionId;
use node_storage_contract::BoxFuture;

use crate::{Publication, SubmitError};

/// What publishes operations on the ledger.
pub trait DltSink: Send + Sync {
    /// Publishes the operations as one transaction, and returns its id once it can say that they are on their way; a ledger of
    /// its own may return once they are there.
    ///
    /// It ends in bounded time. What it was asked to publish it publishes once at most, whatever fails and whether or not the
    /// future is dropped, and after [`SubmitError::Unknown`] it does not try again by itself.
    ///
    /// # Errors
    /// `Unknown` where it may have been published; after all others nothing was.
    fn submit(&self, publication: Publication) -> impl Future<Output = Result<TransactionId, SubmitError>> + Send;

    /// Whether a submission could be published now. Publishes nothing.
    ///
    /// # Errors
    /// Why not: what [`submit`](Self::submit) would say.
    fn check_ready(&self) -> impl Future<Output = Result<(), SubmitError>> + Send;
}

/// The sink of any kind. Clones share one sink.
#[derive(Clone)]
pub struct AnySink(Arc<dyn ErasedSink>);

impl AnySink {
    /// This sink, without its type.
    pub fn new<S: DltSink + 'static>(sink: S) -> Self {
        Self(Arc::new(sink))
    }
}

impl DltSink for AnySink {
    async fn submit(&self, publication: Publication) -> Result<TransactionId, SubmitError> {
        self.0.submit(publication).await
    }

    async fn check_ready(&self) -> Result<(), SubmitError> {
        self.0.check_ready().await
    }
}

impl fmt::Debug for AnySink {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AnySink").finish_non_exhaustive()
    }
}

trait ErasedSink: Send + Sync {
    fn submit(&self, publication: Publication) -> BoxFuture<'_, Result<TransactionId, SubmitError>>;
    fn check_ready(&self) -> BoxFuture<'_, Result<(), SubmitError>>;
}

impl<S: DltSink> ErasedSink for S {
    fn submit(&self, publication: Publication) -> BoxFuture<'_, Result<TransactionId, SubmitError>> {
        Box::pin(DltSink::submit(self, publication))
    }

    fn check_ready(&self) -> BoxFuture<'_, Result<(), SubmitError>> {
        Box::pin(DltSink::check_ready(self))
    }
}
