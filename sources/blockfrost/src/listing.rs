//! The list of entries of ours: where one is in it, and reading it.
//!
//! The list is in the order of the chain, so that an entry keeps its index for as long as nothing before it is rolled back. Blocks
//! above it may come and go meanwhile, and with them the entries behind it.

use did_prism::digest::TransactionId;
use did_prism::envelope::METADATA_LABEL;
use dlt_source::SourceError;
use futures_util::stream::{self, StreamExt};
use node_storage_contract::{BlockNo, Cursor};

use crate::answer::{Entry, Transaction};
use crate::blocks::Located;
use crate::client::{Client, PAGE_ANSWER, SHORT_ANSWER};

/// Entries in a page, as many as Blockfrost gives.
const PAGE: usize = 100;

/// The highest number of a page that Blockfrost takes.
const LAST_PAGE: usize = 21_474_836;

/// The first index at which a search looks.
const FIRST_PROBE: usize = 64;

/// Where reading goes on in the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Place {
    /// Entries before it, all of which were read.
    passed: usize,
    /// The last one of them, by which one sees that the list is still the same up to there.
    last: Option<TransactionId>,
}

impl Place {
    /// The place behind these entries.
    pub(crate) fn behind(self, entries: &[Located]) -> Self {
        Self {
            passed: self.passed.saturating_add(entries.len()),
            last: entries.last().map(|entry| entry.id).or(self.last),
        }
    }
}

/// Entries of the list.
#[derive(Debug)]
pub(crate) struct Reading {
    /// Ascending.
    pub(crate) entries: Vec<Located>,
    /// Whether these are all entries up to the block that was asked for.
    pub(crate) is_complete: bool,
}

/// Finds the first entry above the cursor, in about twice as many looks as the number of entries has binary digits.
pub(crate) async fn find(client: &Client, cursor: Cursor) -> Result<Place, SourceError> {
    let mut place = Place::default();
    // The entry there is above the cursor, or there is none.
    let mut end = None;
    let mut reach = FIRST_PROBE;
    loop {
        let probe = match end {
            Some(end) if place.passed >= end => return Ok(place),
            Some(end) => place.passed + (end - place.passed) / 2,
            None => place.passed.saturating_add(reach - 1),
        };
        match entry_at(client, probe).await? {
            Some(entry) if entry.position.block.number <= cursor.block => {
                place = Place {
                    passed: probe + 1,
                    last: Some(entry.id),
                };
                reach = reach.saturating_mul(2);
            }
            _ => end = Some(probe),
        }
    }
}

/// Reads on at the place, up to a block with this number: a page, and more only where a page ends within its first block.
///
/// `None` where the list is another one before the place.
pub(crate) async fn read(client: &Client, place: Place, up_to: BlockNo) -> Result<Option<Reading>, SourceError> {
    // With the entry before, where there is one.
    let start = place.passed.saturating_sub(place.last.is_some().into());
    let (mut page, mut skip) = (start / PAGE, start % PAGE);
    let mut known = place.last;
    let mut read: Vec<Located> = Vec::new();
    loop {
        let mut entries = list(client, PAGE, page).await?;
        let is_last = entries.len() < PAGE;
        if let Some(last) = known.take() {
            let found = entries.get(skip).map(Entry::id).transpose();
            if found.map_err(|detail| client.malformed(&resource(PAGE, page), detail))? != Some(last) {
                return Ok(None);
            }
            skip += 1;
        }
        entries.drain(..skip.min(entries.len()));
        let is_beyond = locate_up_to(client, entries, up_to, &mut read).await?;
        if is_beyond || is_last {
            return ascending(client, read).map(|entries| {
                Some(Reading {
                    entries,
                    is_complete: true,
                })
            });
        }
        if let (Some(first), Some(last)) = (number_of(read.first()), number_of(read.last()))
            && first < last
        {
            // The last block may go on with the next page.
            read.retain(|entry| entry.position.block.number < last);
            return ascending(client, read).map(|entries| {
                Some(Reading {
                    entries,
                    is_complete: false,
                })
            });
        }
        (page, skip) = (page + 1, 0);
    }
}

fn number_of(entry: Option<&Located>) -> Option<BlockNo> {
    entry.map(|entry| entry.position.block.number)
}

/// Entries that are not in the order of the chain are of different chains.
fn ascending(client: &Client, entries: Vec<Located>) -> Result<Vec<Located>, SourceError> {
    let is_ascending = entries.is_sorted_by(|a, b| {
        let (a, b) = (&a.position, &b.position);
        a.block.number < b.block.number || (a.block == b.block && a.absn < b.absn)
    });
    if is_ascending {
        return Ok(entries);
    }
    Err(changed(client))
}

/// What the ledger was when reading began and what it is now don't fit together.
pub(crate) fn changed(client: &Client) -> SourceError {
    client.unavailable(true, "the chain changed while it was read".to_owned())
}

/// Finds out where entries stand, up to a block with this number. Answers whether there are entries beyond it.
///
/// The first one is looked at alone: at the end of the chain it waits to be confirmed more often than not, and so do those behind it.
async fn locate_up_to(
    client: &Client,
    entries: Vec<Entry>,
    up_to: BlockNo,
    read: &mut Vec<Located>,
) -> Result<bool, SourceError> {
    let mut entries = entries.into_iter();
    let Some(first) = entries.next() else { return Ok(false) };
    let first = locate(client, first).await?;
    if first.position.block.number > up_to {
        return Ok(true);
    }
    read.push(first);
    let mut rest = stream::iter(entries.map(|entry| locate(client, entry))).buffered(client.options.concurrency.get());
    while let Some(located) = rest.next().await {
        let located = located?;
        if located.position.block.number > up_to {
            return Ok(true);
        }
        read.push(located);
    }
    Ok(false)
}

/// Where an entry stands.
async fn locate(client: &Client, entry: Entry) -> Result<Located, SourceError> {
    let id = entry
        .id()
        .map_err(|detail| client.malformed(&format!("the list of label {METADATA_LABEL}"), detail))?;
    let resource = format!("txs/{id}");
    let transaction: Option<Transaction> = client.get(&resource, SHORT_ANSWER).await?;
    let Some(transaction) = transaction else {
        // Its block was rolled back since. It may be in another block soon.
        let detail =
            format!("it lists transaction {id} and has no such transaction; the chain changed while it was read");
        return Err(client.unavailable(true, detail));
    };
    let position = transaction
        .position()
        .map_err(|detail| client.malformed(&resource, detail))?;
    Ok(Located { id, position, entry })
}

/// The entry with this index, counted from 0. `None` behind the last one.
async fn entry_at(client: &Client, index: usize) -> Result<Option<Located>, SourceError> {
    match list(client, 1, index).await?.into_iter().next() {
        Some(entry) => Ok(Some(locate(client, entry).await?)),
        None => Ok(None),
    }
}

/// The page with this index, counted from 0, of pages with `count` entries. Behind the last one there is nothing: an empty list, or
/// 404.
async fn list(client: &Client, count: usize, page: usize) -> Result<Vec<Entry>, SourceError> {
    if page >= LAST_PAGE {
        return Ok(Vec::new());
    }
    let resource = resource(count, page);
    let entries: Vec<Entry> = client.get(&resource, PAGE_ANSWER).await?.unwrap_or_default();
    if entries.len() > count {
        let detail = format!("it has {} entries, more than {count}", entries.len());
        return Err(client.malformed(&resource, detail));
    }
    Ok(entries)
}

fn resource(count: usize, page: usize) -> String {
    let page = page.saturating_add(1);
    format!("metadata/txs/labels/{METADATA_LABEL}/cbor?count={count}&page={page}&order=asc")
}
