//! How high a ledger is, told beside its blocks.

use node_storage_contract::{BlockNo, Cursor, SlotNo};
use tokio::sync::watch;
use tokio::time::Instant;

/// The highest block of a ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Tip {
    /// Its slot.
    pub slot: SlotNo,
    /// Its number.
    pub block: BlockNo,
}

impl From<Cursor> for Tip {
    fn from(cursor: Cursor) -> Self {
        Self {
            slot: cursor.slot,
            block: cursor.block,
        }
    }
}

/// What a source has heard of its ledger.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Heard {
    /// The highest block, confirmed or not; `None` as long as nobody has said it.
    pub tip: Option<Tip>,
    /// When anything came from the ledger, be it the news that nothing is new; `None` before the first time.
    pub at: Option<Instant>,
}

/// Where a source tells what it has heard. Clones tell the same receivers.
#[derive(Debug, Clone, Default)]
pub struct TipSender(watch::Sender<Heard>);

impl TipSender {
    /// The ledger has answered, and this is its highest block. It may be below an earlier one, after a rollback.
    pub fn tell(&self, tip: Tip) {
        self.0.send_replace(Heard {
            tip: Some(tip),
            at: Some(Instant::now()),
        });
    }

    /// The ledger has answered, and says nothing of its highest block.
    pub fn tell_of_life(&self) {
        self.0.send_modify(|heard| heard.at = Some(Instant::now()));
    }

    /// What was told last, and everything that will be.
    pub fn subscribe(&self) -> watch::Receiver<Heard> {
        self.0.subscribe()
    }
}
