//! Reads that answer what they should not.

use node_storage_contract::{BlockNo, Cursor, IndexerState, LedgerBound, OperationPosition, PageLimit, Result};

use super::store::{FlawedStore, lock, pause};
use super::{Flaw, LISTINGS};
use crate::lens::read::{Read, Reading};

/// Whether nothing was found.
pub(super) fn is_nothing(reading: &Reading) -> bool {
    match reading {
        Reading::Cursor(found) => found.is_none(),
        Reading::Network(found) => found.is_none(),
        Reading::Block(found) => found.is_none(),
        Reading::Operation(found) => found.is_none(),
        Reading::Transaction(found) => found.is_none(),
        Reading::ListedDid(found) => found.is_none(),
        Reading::Operations(rows) => rows.is_empty(),
        Reading::Published(rows) => rows.is_empty(),
        Reading::Owners(rows) => rows.is_empty(),
        Reading::ListedDids(rows) => rows.is_empty(),
        Reading::Bound(_) | Reading::IndexerState(_) => false,
    }
}

/// A number as one of 32 bits.
fn narrow(number: BlockNo) -> BlockNo {
    BlockNo::try_from(number.get() % (1 << 32)).unwrap_or(number)
}

fn narrow_position(position: OperationPosition) -> OperationPosition {
    OperationPosition {
        block: narrow(position.block),
        ..position
    }
}

impl FlawedStore {
    pub(super) async fn read(&self, read: Read) -> Result<Reading> {
        let is_its_own = |method: &str| method == read.method();
        let seen = self.seen().await;
        match self.flaw {
            Flaw::Torn(method) if is_its_own(method) => {
                let before = read.ask(&seen).await?;
                pause().await;
                let after = read.ask(&self.seen().await).await?;
                Ok(torn(before, after))
            }
            Flaw::StateInTwoLooks if is_its_own("indexer_state") => {
                let before = read.ask(&seen).await?;
                pause().await;
                let after = read.ask(&self.seen().await).await?;
                Ok(match (before, after) {
                    (Reading::IndexerState(before), Reading::IndexerState(after)) => {
                        Reading::IndexerState(IndexerState {
                            last_stored: before.last_stored,
                            ..after
                        })
                    }
                    (_, after) => after,
                })
            }
            Flaw::WatermarkLater if is_its_own("indexer_state") => {
                let earlier = lock(&self.shared.watermark_of).clone();
                match earlier {
                    Some(content) => read.ask(&crate::lens::write::of_content(content).await).await,
                    None => read.ask(&seen).await,
                }
            }
            Flaw::InBatches(method, rows) if is_its_own(method) => self.read_in_batches(read, rows).await,
            Flaw::Narrow(method) if is_its_own(method) => {
                let narrow_after = |after: Option<OperationPosition>| after.map(narrow_position);
                let narrowed = match read {
                    Read::Block(number) => Read::Block(narrow(number)),
                    Read::Operations(after, limit) => Read::Operations(narrow_after(after), limit),
                    Read::Published(after, limit) => Read::Published(narrow_after(after), limit),
                    Read::Transaction(id, after, limit) => Read::Transaction(id, narrow_after(after), limit),
                    Read::OperationsOfDid(did, after, limit) => Read::OperationsOfDid(did, narrow_after(after), limit),
                    Read::ListedDids(after, limit) => Read::ListedDids(narrow_after(after), limit),
                    other => other,
                };
                narrowed.ask(&seen).await
            }
            Flaw::CutsList(method, count) if is_its_own(method) => {
                debug_assert!(LISTINGS.contains(&method) || method == "storage_owners");
                let mut reading = read.ask(&seen).await?;
                match &mut reading {
                    Reading::Operations(rows) => rows.truncate(count),
                    Reading::Published(rows) => rows.truncate(count),
                    Reading::Owners(rows) => rows.truncate(count),
                    Reading::ListedDids(rows) => rows.truncate(count),
                    _ => {}
                }
                Ok(reading)
            }
            _ => read.ask(&seen).await,
        }
    }
}

impl FlawedStore {
    /// Asks for so many rows at a time, until the page is full or there are no more.
    async fn read_in_batches(&self, read: Read, rows: usize) -> Result<Reading> {
        let mut found: Option<Reading> = None;
        loop {
            let last = found.as_ref().and_then(last_position);
            let length = found.as_ref().map_or(0, self::length);
            let part = |after: Option<OperationPosition>, limit: PageLimit| {
                let rest = usize::try_from(limit.get()).unwrap_or(usize::MAX) - length;
                let rows = u64::try_from(rest.min(rows)).unwrap_or(1);
                (last.or(after), PageLimit::try_from(rows.max(1)).unwrap_or(limit), rest)
            };
            let (asked, rest) = match read {
                Read::Operations(after, limit) => {
                    let (after, limit, rest) = part(after, limit);
                    (Read::Operations(after, limit), rest)
                }
                Read::Published(after, limit) => {
                    let (after, limit, rest) = part(after, limit);
                    (Read::Published(after, limit), rest)
                }
                Read::OperationsOfDid(did, after, limit) => {
                    let (after, limit, rest) = part(after, limit);
                    (Read::OperationsOfDid(did, after, limit), rest)
                }
                Read::ListedDids(after, limit) => {
                    let (after, limit, rest) = part(after, limit);
                    (Read::ListedDids(after, limit), rest)
                }
                ref other => return other.ask(&self.seen().await).await,
            };
            if rest == 0 {
                return Ok(found.unwrap_or(Reading::Operations(Vec::new())));
            }
            let batch = asked.ask(&self.seen().await).await?;
            let is_last = self::length(&batch) < rows.min(rest);
            found = Some(match (found, batch) {
                (Some(Reading::Operations(known)), Reading::Operations(more)) => {
                    Reading::Operations([known, more].concat())
                }
                (Some(Reading::Published(known)), Reading::Published(more)) => {
                    Reading::Published([known, more].concat())
                }
                (Some(Reading::ListedDids(known)), Reading::ListedDids(more)) => {
                    Reading::ListedDids([known, more].concat())
                }
                (_, batch) => batch,
            });
            if let Some(found) = found.take_if(|_| is_last) {
                return Ok(found);
            }
            pause().await;
        }
    }
}

fn length(reading: &Reading) -> usize {
    match reading {
        Reading::Operations(rows) => rows.len(),
        Reading::Published(rows) => rows.len(),
        Reading::ListedDids(rows) => rows.len(),
        _ => 0,
    }
}

fn last_position(reading: &Reading) -> Option<OperationPosition> {
    match reading {
        Reading::Operations(rows) => rows.last().map(|row| row.operation.position),
        Reading::Published(rows) => rows.last().map(|row| row.operation.position),
        Reading::ListedDids(rows) => rows.last().map(|row| row.position),
        _ => None,
    }
}

/// The rows of before, and the second half of those that came later.
fn with_hole<Row>(before: Vec<Row>, mut after: Vec<Row>) -> Vec<Row> {
    let (old, new) = (before.len(), after.len());
    if new <= old {
        return after;
    }
    let rest = after.split_off(old + (new - old) / 2);
    before.into_iter().chain(rest).collect()
}

/// What two parts of an answer are together, the first of which was read before the second.
fn torn(before: Reading, after: Reading) -> Reading {
    match (before, after) {
        (Reading::Cursor(Some(before)), Reading::Cursor(Some(after))) => Reading::Cursor(Some(Cursor {
            slot: before.slot,
            ..after
        })),
        (Reading::Bound(before), Reading::Bound(after)) => Reading::Bound(LedgerBound {
            cursor: before.cursor,
            ..after
        }),
        (Reading::IndexerState(before), Reading::IndexerState(mut after)) => {
            // One of two, so that a state in which only one part changes is told too.
            if before.last_stored == after.last_stored {
                after.last_indexed_block = before.last_indexed_block;
            } else {
                after.last_stored = before.last_stored;
                after.watermark = after.watermark.max(before.watermark);
            }
            Reading::IndexerState(after)
        }
        (Reading::Transaction(Some(before)), Reading::Transaction(Some(mut after))) => {
            let half = after.operations.len() / 2;
            for (row, old) in after.operations.iter_mut().zip(before.operations).take(half) {
                *row = old;
            }
            Reading::Transaction(Some(after))
        }
        (Reading::Operations(before), Reading::Operations(after)) if before.len() == after.len() => {
            let half = after.len() / 2;
            let rest = after.into_iter().skip(half);
            Reading::Operations(before.into_iter().take(half).chain(rest).collect())
        }
        (Reading::Operations(before), Reading::Operations(after)) => Reading::Operations(with_hole(before, after)),
        (Reading::Published(before), Reading::Published(after)) => Reading::Published(with_hole(before, after)),
        (Reading::Owners(before), Reading::Owners(after)) => Reading::Owners(with_hole(before, after)),
        (Reading::ListedDids(before), Reading::ListedDids(after)) => Reading::ListedDids(with_hole(before, after)),
        (_, after) => after,
    }
}
