//! The wallet as a sink.

use std::sync::Arc;

use did_prism::digest::TransactionId;
use dlt_sink::{DltSink, Publication, SubmitError};
use tokio::sync::Mutex;
use tokio::time::timeout;

use crate::WalletOptions;
use crate::api::Api;
use crate::metadata::{check_length, metadata_json};
use crate::once::Once;

/// Publishes through a wallet: one transaction for each submission, one after another, since two that are made at the same time
/// may spend the same input.
///
/// The same operations within a minute get the first answer. `submit` needs a tokio runtime.
#[derive(Debug)]
pub struct WalletSink {
    wallet: Arc<Queue>,
    once: Once,
}

/// A wallet that makes one transaction at a time.
#[derive(Debug)]
struct Queue {
    api: Api,
    turn: Mutex<()>,
}

impl WalletSink {
    /// The sink of a wallet. Nothing is asked of it.
    ///
    /// # Errors
    /// Why there can't be an HTTP client.
    pub fn new(options: WalletOptions) -> Result<Self, String> {
        let api = Api::new(options)?;
        if api.is_open_to_others() {
            tracing::warn!(
                "the passphrase of the wallet crosses the network unencrypted; run cardano-wallet on this machine or use https"
            );
        }
        let turn = Mutex::default();
        Ok(Self {
            wallet: Arc::new(Queue { api, turn }),
            once: Once::default(),
        })
    }
}

impl Queue {
    async fn publish(&self, publication: &Publication) -> Result<TransactionId, SubmitError> {
        let metadata = metadata_json(publication.object());
        let limit = self.api.options().limits.queue;
        let Ok(_turn) = timeout(limit, self.turn.lock()).await else {
            return Err(SubmitError::Unavailable(
                "the wallet is busy with the submissions before this one".to_owned(),
            ));
        };
        // A wallet that does not know the chain would spend what is spent.
        self.api.check_state().await?;
        self.api.publish(&metadata).await
    }
}

impl DltSink for WalletSink {
    async fn submit(&self, publication: Publication) -> Result<TransactionId, SubmitError> {
        check_length(&publication)?;
        let wallet = Arc::clone(&self.wallet);
        self.once
            .publish(publication, |publication| async move {
                let outcome = wallet.publish(&publication).await;
                match &outcome {
                    Ok(id) => tracing::info!(
                        "submitted {} operations in transaction {id}",
                        publication.operations().len()
                    ),
                    Err(error) => tracing::warn!("a submission failed: {error}"),
                }
                outcome
            })
            .await
    }

    async fn check_ready(&self) -> Result<(), SubmitError> {
        self.wallet.api.check_state().await
    }
}
