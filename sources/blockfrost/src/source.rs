//! Reading Blockfrost as a source.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use dlt_source::{DltSource, Heard, Look, Looker, LookingSource, SourceError, SourceEvent, TipSender};
use node_storage_contract::Cursor;
use tokio::sync::watch;

use crate::BlockfrostOptions;
use crate::client::Client;
use crate::listing::Place;
use crate::look::look;

/// Reads the API of a Blockfrost.
#[derive(Debug)]
pub struct BlockfrostSource(LookingSource<Blockfrost>);

/// A Blockfrost, and what is known of it.
struct Blockfrost {
    client: Arc<Client>,
    /// Where reading goes on in the list. `None` until it was searched.
    place: Option<Place>,
    /// Whether it is known to have the block of the cursor.
    is_checked: bool,
}

impl BlockfrostSource {
    /// Reads on after the cursor.
    ///
    /// # Errors
    /// `Unavailable`: it can't be reached, refuses the key, or is of another network.
    pub async fn open(options: BlockfrostOptions, cursor: Option<Cursor>) -> Result<Self, SourceError> {
        Self::open_with(Arc::new(Client::new(options)?), cursor).await
    }

    /// The same with a client that may have been used before.
    pub(crate) async fn open_with(client: Arc<Client>, cursor: Option<Cursor>) -> Result<Self, SourceError> {
        client.check_network().await?;
        let blockfrost = Blockfrost {
            client,
            place: None,
            is_checked: false,
        };
        Ok(Self(LookingSource::new(blockfrost, cursor)))
    }
}

impl DltSource for BlockfrostSource {
    async fn next(&mut self) -> Result<SourceEvent, SourceError> {
        self.0.next().await
    }

    fn heard(&self) -> watch::Receiver<Heard> {
        self.0.heard()
    }
}

impl Looker for Blockfrost {
    async fn look(mut self, cursor: Option<Cursor>, tips: TipSender) -> (Self, Result<Look, SourceError>) {
        let found = look(&self.client, cursor, &mut self.place, self.is_checked, &tips).await;
        self.is_checked |= found.is_ok();
        (self, found)
    }

    fn interval(&self) -> Duration {
        self.client.options.poll_interval
    }
}

impl fmt::Debug for Blockfrost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Blockfrost")
            .field("options", &self.client.options)
            .finish_non_exhaustive()
    }
}
