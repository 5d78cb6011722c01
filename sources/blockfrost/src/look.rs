//! A look at Blockfrost: what follows the cursor.

use dlt_source::{Look, Page, SourceError, TipSender};
use node_storage_contract::{BlockNo, Cursor};

use crate::answer::ChainBlock;
use crate::blocks::blocks;
use crate::client::Client;
use crate::listing::{Place, changed, find, read};

/// Looks at what follows `after`, and tells how high Blockfrost is. `place` is where reading goes on in the list, if that is known.
///
/// Blockfrost shows no two answers of one state, so that the highest confirmed block is asked for before the list is read, and again
/// afterwards where blocks with operations were found: if it is still there, so is everything below.
pub(crate) async fn look(
    client: &Client,
    after: Option<Cursor>,
    place: &mut Option<Place>,
    is_checked: bool,
    tips: &TipSender,
) -> Result<Look, SourceError> {
    let tip = client.tip().await?;
    tips.tell(tip.cursor.into());
    if let Some(after) = after {
        check_tip(client, after, tip)?;
    }
    let confirmations = client.options.confirmations;
    let confirmed = tip.cursor.block.get().checked_sub(confirmations.into());
    let Some(confirmed) = confirmed.filter(|number| after.is_none_or(|after| *number > after.block.get())) else {
        if let Some(after) = after.filter(|_| !is_checked) {
            check_cursor(client, after, tip).await?;
        }
        return Ok(Look::Nothing);
    };
    let highest = if confirmations == 0 {
        tip
    } else {
        let number =
            BlockNo::try_from(confirmed).map_err(|error| client.malformed("blocks/latest", error.to_string()))?;
        client.block(number).await?
    };
    if let Some(after) = after {
        check_cursor(client, after, highest).await?;
    }
    let page = page(client, after, place, highest.cursor).await?;
    Ok(Look::Page(page))
}

/// Reads a page up to a confirmed block.
async fn page(
    client: &Client,
    after: Option<Cursor>,
    place: &mut Option<Place>,
    highest: Cursor,
) -> Result<Page, SourceError> {
    let start = place_after(client, after, *place).await?;
    *place = Some(start);
    let (start, reading) = if let Some(reading) = read(client, start, highest.block).await? {
        (start, reading)
    } else {
        tracing::warn!(
            "{} lists other transactions than before; the place in the list is searched again",
            client.options.location()
        );
        *place = None;
        let start = place_after(client, after, None).await?;
        let reading = read(client, start, highest.block).await?;
        (start, reading.ok_or_else(|| changed(client))?)
    };
    let entries = reading.entries;
    let found = blocks(client, &entries).await?;
    if !entries.is_empty() {
        let again = client.block(highest.block).await?;
        if again.cursor != highest {
            return Err(changed(client));
        }
    }
    if let (Some(after), Some(late)) = (after, entries.first())
        && late.position.block.number <= after.block
    {
        return Err(SourceError::Contradiction {
            at: client.options.location(),
            detail: format!(
                "transaction {} is in block {}, and the stored cursor is at block {}: it was not listed when that block was read",
                late.id, late.position.block.number, after.block
            ),
        });
    }
    *place = Some(start.behind(&entries));
    let last = entries.last().map(|entry| Cursor::at(&entry.position.block));
    let end = last.filter(|_| !reading.is_complete).unwrap_or(highest);
    Ok(Page { blocks: found, end })
}

async fn place_after(client: &Client, after: Option<Cursor>, place: Option<Place>) -> Result<Place, SourceError> {
    match (place, after) {
        (Some(place), _) => Ok(place),
        (None, Some(after)) => find(client, after).await,
        (None, None) => Ok(Place::default()),
    }
}

/// A chain that ends below the cursor is waited for. One that ends at it ends with its block.
fn check_tip(client: &Client, after: Cursor, tip: ChainBlock) -> Result<(), SourceError> {
    if tip.cursor.block < after.block {
        let detail = format!(
            "its highest block is {}, below the stored cursor, which is at block {}: it is behind, or was rolled back",
            tip.cursor.block, after.block
        );
        return Err(client.unavailable(true, detail));
    }
    if tip.cursor.block == after.block && tip.cursor.hash != after.hash {
        return Err(contradiction(client, after, tip.cursor));
    }
    Ok(())
}

/// The ledger has to have the block of the cursor, at or below `above`, a block of the same chain.
async fn check_cursor(client: &Client, after: Cursor, above: ChainBlock) -> Result<(), SourceError> {
    if above.cursor.block == after.block && above.cursor.hash == after.hash {
        return Ok(());
    }
    let is_next = above.cursor.block.get().checked_sub(1) == Some(after.block.get());
    if is_next && above.previous == Some(after.hash) {
        return Ok(());
    }
    let found = client.block(after.block).await?.cursor;
    if found.hash == after.hash {
        return Ok(());
    }
    Err(contradiction(client, after, found))
}

fn contradiction(client: &Client, after: Cursor, found: Cursor) -> SourceError {
    SourceError::Contradiction {
        at: client.options.location(),
        detail: format!(
            "block {} has the hash {}, but the stored cursor has the hash {}",
            after.block, found.hash, after.hash
        ),
    }
}
