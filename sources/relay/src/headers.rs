//! The headers that were followed, and which of them are confirmed.

use std::collections::VecDeque;

use did_prism::digest::BlockHash;
use did_prism::ledger::BlockNo;
use dlt_source::BatchLimits;
use node_storage_contract::Cursor;
use pallas_network::miniprotocols::chainsync::HeaderContent;
use pallas_traverse::MultiEraHeader;

use crate::Point;
use crate::network::byron_slot;
use crate::point::shown;

/// The number of the Conway era in chain-sync.
const CONWAY: u8 = 6;

/// What is kept of a header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) point: Point,
    /// The number; that of the block before for an epoch boundary.
    pub(crate) number: BlockNo,
    /// Hash of the block before; `None` for the first one of a network without a Byron era.
    pub(crate) previous: Option<BlockHash>,
    /// Bytes of the body, as far as the header says. Bodies of the Byron era carry no metadata, so they count for nothing.
    pub(crate) body_bytes: usize,
    /// Hash of the body, where the header says it in a word.
    pub(crate) body_hash: Option<[u8; 32]>,
    /// Whether it is an epoch boundary of the Byron era: a block without a number and transactions of its own, which no store
    /// needs to know of.
    pub(crate) is_boundary: bool,
}

impl Header {
    /// Reads a header.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn decode(content: &HeaderContent) -> Result<Self, String> {
        // The decoder takes every later era for Conway.
        if content.variant > CONWAY {
            return Err(format!(
                "a header is of era {}, which this node does not know",
                content.variant
            ));
        }
        let subtag = content.byron_prefix.map(|(kind, _size)| kind);
        let header = MultiEraHeader::decode(content.variant, subtag, &content.cbor)
            .map_err(|error| format!("a header does not decode: {error}"))?;
        let (slot, is_boundary) = match &header {
            MultiEraHeader::EpochBoundary(head) => (byron_slot(head.consensus_data.epoch_id, 0), true),
            MultiEraHeader::Byron(head) => {
                let slot = &head.consensus_data.0;
                (byron_slot(slot.epoch, slot.slot), false)
            }
            _ => (Some(header.slot()), false),
        };
        let (body_bytes, body_hash) = if let Some(header) = header.as_alonzo() {
            (
                header.header_body.block_body_size,
                Some(*header.header_body.block_body_hash),
            )
        } else if let Some(header) = header.as_babbage() {
            (
                header.header_body.block_body_size,
                Some(*header.header_body.block_body_hash),
            )
        } else {
            (0, None)
        };
        Ok(Self {
            point: Point {
                slot: slot
                    .ok_or_else(|| "a header has a slot that can't be".to_owned())?
                    .try_into()
                    .map_err(|error: did_prism::ledger::OutOfRange| error.to_string())?,
                hash: BlockHash::new(*header.hash()),
            },
            number: BlockNo::try_from(header.number()).map_err(|error| error.to_string())?,
            previous: header.previous_hash().map(|hash| BlockHash::new(*hash)),
            body_bytes: usize::try_from(body_bytes).unwrap_or(usize::MAX),
            body_hash,
            is_boundary,
        })
    }

    pub(crate) const fn cursor(&self) -> Cursor {
        Cursor {
            slot: self.point.slot,
            block: self.number,
            hash: self.point.hash,
        }
    }
}

/// The place up to which everything was delivered, or reading starts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Position {
    /// After this block, which was delivered and is stored, or about to be.
    After(Cursor),
    /// After this block, or at the origin; nothing was delivered.
    Start(Option<Point>),
}

impl Position {
    pub(crate) const fn point(self) -> Option<Point> {
        match self {
            Self::After(cursor) => Some(Point::of(cursor)),
            Self::Start(point) => point,
        }
    }
}

/// How many of the headers come next, and whether there is a reason to wait for more of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Ready {
    pub(crate) headers: usize,
    /// Whether more would exceed the limits.
    pub(crate) is_full: bool,
}

/// The part of the chain above what was delivered, as headers.
#[derive(Debug)]
pub(crate) struct Headers {
    confirmations: u64,
    /// The place below the first of `held`. Its number is not known of a starting point.
    base: Option<Point>,
    base_number: Option<BlockNo>,
    held: VecDeque<Header>,
}

impl Headers {
    pub(crate) fn new(position: Position, confirmations: u32) -> Self {
        Self {
            confirmations: confirmations.into(),
            base: position.point(),
            base_number: match position {
                Position::After(cursor) => Some(cursor.block),
                Position::Start(_) => None,
            },
            held: VecDeque::new(),
        }
    }

    /// The highest number that was followed.
    pub(crate) fn last_number(&self) -> Option<BlockNo> {
        self.held.back().map(|header| header.number).or(self.base_number)
    }

    /// The highest point that was followed.
    pub(crate) fn last_point(&self) -> Option<Point> {
        self.held.back().map(|header| header.point).or(self.base)
    }

    /// Takes the next header.
    ///
    /// # Errors
    /// Why it can't be the next one.
    pub(crate) fn roll_forward(&mut self, header: Header) -> Result<(), String> {
        let last = self.last_point();
        // What the first header of all names as the one before is the hash of a genesis file, or nothing.
        if let Some(last) = last
            && header.previous != Some(last.hash)
        {
            return Err(format!(
                "{} names another block than {last} as the one before it",
                header.point
            ));
        }
        let after_boundary = self.held.back().is_some_and(|last| last.is_boundary);
        if let Some(last) = last
            && !(header.point.slot > last.slot || (after_boundary && header.point.slot == last.slot))
        {
            return Err(format!(
                "{} comes after {last}, and its slot is not above",
                header.point
            ));
        }
        if let Some(last) = self.last_number() {
            let expected = last.get().checked_add(u64::from(!header.is_boundary));
            if expected != Some(header.number.get()) {
                return Err(format!("block {} comes after block {last}", header.number));
            }
        }
        self.held.push_back(header);
        Ok(())
    }

    /// Gives up what is above a point.
    ///
    /// # Errors
    /// A point below what was delivered, named together with the last one delivered.
    pub(crate) fn roll_back(&mut self, to: Option<Point>) -> Result<(), String> {
        if to == self.base {
            self.held.clear();
            return Ok(());
        }
        if let Some(index) = self.held.iter().position(|header| Some(header.point) == to) {
            self.held.truncate(index + 1);
            return Ok(());
        }
        Err(format!(
            "the chain was rolled back to {}, below {}, up to which blocks were delivered",
            shown(to),
            shown(self.base)
        ))
    }

    /// Which headers are confirmed, as many as the limits let go together, and one at least.
    pub(crate) fn ready(&self, limits: BatchLimits) -> Ready {
        let mut ready = Ready {
            headers: 0,
            is_full: false,
        };
        let Some(tip) = self.held.back() else { return ready };
        let mut bytes = 0_usize;
        for header in &self.held {
            let is_confirmed = header
                .number
                .get()
                .checked_add(self.confirmations)
                .is_some_and(|number| number <= tip.number.get());
            if !is_confirmed {
                break;
            }
            bytes = bytes.saturating_add(header.body_bytes);
            if ready.headers >= limits.blocks || (bytes > limits.bytes && ready.headers > 0) {
                ready.is_full = true;
                break;
            }
            ready.headers += 1;
        }
        ready
    }

    /// The header at this index above what was delivered.
    pub(crate) fn get(&self, index: usize) -> Option<&Header> {
        self.held.get(index)
    }

    /// The next header was delivered.
    pub(crate) fn deliver(&mut self) {
        if let Some(header) = self.held.pop_front() {
            self.base = Some(header.point);
            self.base_number = Some(header.number);
        }
    }
}
