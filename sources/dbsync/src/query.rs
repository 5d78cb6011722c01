//! The statements, and the look at db-sync that they make up.

use dlt_source::{Look, Page, SourceError, TipSender};
use node_storage_contract::{Cursor, Network};
use sqlx::postgres::PgConnection;
use sqlx::{ConnectOptions, Connection, Row};

use crate::DbSyncOptions;
use crate::blocks::{BlockRow, EntryRow, Malformed, blocks};

/// Entries in a page. One is 16 KiB at most, as long as a transaction.
const PAGE_ENTRIES: usize = 1_000;

/// The network's name. db-sync writes one row, and compares its own configuration with it.
const NETWORK: &str = "SELECT network_name FROM meta ORDER BY id LIMIT 1";

/// Every look sees one state, whatever db-sync does meanwhile.
const BEGIN: &str = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY";

/// Compiling a statement that reads a page takes longer than reading the page.
pub(crate) const NO_JIT: &str = "SET LOCAL jit = off";

/// The highest block up to a number. What has no number is passed over: the genesis block, and the boundary blocks of the Byron
/// era, which hold no transactions.
pub(crate) const BLOCK_UP_TO: &str = "\
    SELECT block_no::int8 AS number, slot_no::int8 AS slot, hash::bytea AS hash \
    FROM block WHERE block_no <= $1 ORDER BY block_no DESC LIMIT 1";

/// The number of the block with the first metadata of any label. db-sync adds blocks in the order of the chain and takes them back
/// from the end, so that the ids of its rows ascend with the chain; its own rollback relies on that.
pub(crate) const FIRST_METADATA: &str = "\
    SELECT b.block_no::int8 AS number FROM tx t JOIN block b ON b.id = t.block_id \
    WHERE t.id = (SELECT min(tx_id) FROM tx_metadata)";

/// The entries of ours in the blocks above one number and up to another, as many as asked for.
///
/// Blocks lead to their transactions and these to their metadata, each through an index of db-sync. OFFSET 0 keeps the planner from
/// another order: few entries are ours, so that it would look for them first, in all of `tx_metadata`, which has no index on `key`.
///
/// A transaction whose scripts failed (`valid_contract` is false) pays its collateral and has no other effect by the rules of the
/// ledger (Alonzo ledger specification, rule UTXOS; CIP-40), so that it publishes nothing. db-sync stores no metadata of such a
/// transaction either; the condition makes it certain.
pub(crate) const PAGE: &str = "\
    SELECT b.block_no::int8 AS number, b.slot_no::int8 AS slot, b.hash::bytea AS hash, \
    (extract(epoch FROM b.time) * 1000000)::int8 AS time, \
    t.block_index::int8 AS absn, t.hash::bytea AS transaction, \
    m.bytes, CASE WHEN octet_length(m.bytes) > 0 THEN NULL ELSE m.json::text END AS json \
    FROM block b \
    CROSS JOIN LATERAL (SELECT id, hash, block_index FROM tx WHERE block_id = b.id AND valid_contract OFFSET 0) t \
    CROSS JOIN LATERAL (SELECT bytes, json FROM tx_metadata WHERE tx_id = t.id AND key = 21325 OFFSET 0) m \
    WHERE b.block_no > $1 AND b.block_no <= $2 \
    ORDER BY b.block_no, t.block_index LIMIT $3";

/// Why a look failed.
#[derive(Debug)]
pub(crate) enum LookError {
    /// What the driver says. The connection is not used again.
    Driver(sqlx::Error),
    /// What the database holds.
    Content(SourceError),
}

impl From<sqlx::Error> for LookError {
    fn from(error: sqlx::Error) -> Self {
        Self::Driver(error)
    }
}

impl From<SourceError> for LookError {
    fn from(error: SourceError) -> Self {
        Self::Content(error)
    }
}

type Result<T> = std::result::Result<T, LookError>;

/// Connects, and refuses the db-sync of another network.
pub(crate) async fn connect(options: &DbSyncOptions) -> Result<PgConnection> {
    let mut connection = options.connect.connect().await?;
    let row = sqlx::query(NETWORK)
        .persistent(false)
        .fetch_optional(&mut connection)
        .await?;
    let Some(row) = row else {
        return Err(waiting(options, "it has not begun: its table meta is empty".to_owned()));
    };
    let found: String = row.try_get(0)?;
    if is_of(options.network, &found) {
        return Ok(connection);
    }
    let detail = format!(
        "it follows the network {found:?}, and --network is {}; give the db-sync of that network, or another --network",
        options.network
    );
    Err(unavailable(options, false, detail))
}

/// Whether db-sync's name of its network is that of `network`. A custom network has any name but a public one's.
fn is_of(network: Network, name: &str) -> bool {
    match network {
        Network::Custom => Network::ALL
            .iter()
            .all(|public| *public == Network::Custom || public.name() != name),
        public => public.name() == name,
    }
}

/// Looks at what follows `after`, at most `window` block numbers of it, and tells how high db-sync is.
pub(crate) async fn look(
    connection: &mut PgConnection,
    options: &DbSyncOptions,
    after: Option<Cursor>,
    window: i64,
    tips: &TipSender,
) -> Result<Look> {
    let mut transaction = connection.begin_with(BEGIN).await?;
    sqlx::raw_sql(NO_JIT).execute(&mut *transaction).await?;
    let found = look_inside(&mut transaction, options, after, window, tips).await;
    if !matches!(found, Err(LookError::Driver(_))) {
        transaction.rollback().await?;
    }
    found
}

async fn look_inside(
    connection: &mut PgConnection,
    options: &DbSyncOptions,
    after: Option<Cursor>,
    window: i64,
    tips: &TipSender,
) -> Result<Look> {
    let Some(tip) = cursor_up_to(connection, options, i64::MAX).await? else {
        return Err(waiting(options, "it has no block yet".to_owned()));
    };
    tips.tell(tip.into());
    if let Some(after) = after {
        check_cursor(connection, options, after, tip).await?;
    }
    let confirmed = i64::from(tip.block) - i64::from(options.confirmations);
    let above = match after {
        Some(after) if i64::from(after.block) >= confirmed => return Ok(Look::Nothing),
        Some(after) => i64::from(after.block),
        None => before_first_metadata(connection, options).await?.min(confirmed),
    };
    let to = above.saturating_add(window).min(confirmed);
    let rows = page(connection, above, to, PAGE_ENTRIES).await?;
    let (rows, to) = whole_blocks(connection, rows, to).await?;
    let blocks = blocks(&rows).map_err(|error| malformed(options, error))?;
    match (cursor_up_to(connection, options, to).await?, after) {
        (Some(end), None) => Ok(Look::Page(Page { blocks, end })),
        (Some(end), Some(after)) if end.block > after.block => Ok(Look::Page(Page { blocks, end })),
        (None, None) => Ok(Look::Nothing),
        (_, Some(after)) => {
            let detail = format!(
                "it lacks the blocks after {}, though it has block {}; is it being restored?",
                after.block, tip.block
            );
            Err(waiting(options, detail))
        }
    }
}

/// The rows that make whole blocks, and the number up to which they are complete.
///
/// Rows that fill a page may end within a block, so that the last one is left for the next page; a block that fills the page alone
/// is read whole.
async fn whole_blocks(connection: &mut PgConnection, mut rows: Vec<EntryRow>, to: i64) -> Result<(Vec<EntryRow>, i64)> {
    let is_full = rows.len() >= PAGE_ENTRIES;
    let Some(last) = rows.last().map(EntryRow::number).filter(|_| is_full) else {
        return Ok((rows, to));
    };
    rows.retain(|row| row.number() < last);
    match rows.last().map(EntryRow::number) {
        Some(complete) => Ok((rows, complete)),
        None => Ok((page(connection, last - 1, last, usize::MAX).await?, last)),
    }
}

/// The ledger has to have the block of the cursor. One that is not there yet, or not any more, is waited for.
async fn check_cursor(
    connection: &mut PgConnection,
    options: &DbSyncOptions,
    cursor: Cursor,
    tip: Cursor,
) -> Result<()> {
    if tip.block < cursor.block {
        let detail = format!(
            "its highest block is {}, below the stored cursor, which is at block {}: it is behind, was rolled back or is being \
             restored",
            tip.block, cursor.block
        );
        return Err(waiting(options, detail));
    }
    let found = cursor_up_to(connection, options, cursor.block.into()).await?;
    let Some(found) = found.filter(|found| found.block == cursor.block) else {
        let detail = format!(
            "it lacks block {}, where the stored cursor is; is it being restored?",
            cursor.block
        );
        return Err(waiting(options, detail));
    };
    if found.hash == cursor.hash {
        return Ok(());
    }
    let contradiction = SourceError::Contradiction {
        at: options.location(),
        detail: format!(
            "block {} has the hash {}, but the stored cursor has the hash {}",
            cursor.block, found.hash, cursor.hash
        ),
    };
    Err(contradiction.into())
}

/// The number below that of the first block with metadata; the highest number where there is no metadata at all.
async fn before_first_metadata(connection: &mut PgConnection, options: &DbSyncOptions) -> Result<i64> {
    let row = sqlx::query(FIRST_METADATA)
        .persistent(false)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else {
        tracing::warn!(
            "{} has no metadata of any transaction; check that its insert option metadata is enabled, and that its keys, if it \
             has any, include 21325",
            options.location()
        );
        return Ok(i64::MAX);
    };
    let number: i64 = row.try_get("number")?;
    Ok(number.saturating_sub(1))
}

/// The cursor at the highest block up to a number.
async fn cursor_up_to(connection: &mut PgConnection, options: &DbSyncOptions, number: i64) -> Result<Option<Cursor>> {
    let row = sqlx::query(BLOCK_UP_TO)
        .bind(number)
        .persistent(false)
        .fetch_optional(connection)
        .await?;
    let Some(row) = row else { return Ok(None) };
    let cursor = BlockRow::read(&row)?.cursor();
    Ok(Some(cursor.map_err(|error| malformed(options, error))?))
}

/// The entries in the blocks above one number and up to another, the first `limit` of them.
async fn page(connection: &mut PgConnection, above: i64, to: i64, limit: usize) -> Result<Vec<EntryRow>> {
    let rows = sqlx::query(PAGE)
        .bind(above)
        .bind(to)
        .bind(i64::try_from(limit).unwrap_or(i64::MAX))
        // Planned for these values, and without a name, which a pooler between might not keep.
        .persistent(false)
        .fetch_all(connection)
        .await?;
    let rows: sqlx::Result<_> = rows.iter().map(EntryRow::read).collect();
    Ok(rows?)
}

fn waiting(options: &DbSyncOptions, detail: String) -> LookError {
    unavailable(options, true, detail)
}

fn unavailable(options: &DbSyncOptions, retryable: bool, detail: String) -> LookError {
    let subject = options.location();
    LookError::Content(SourceError::Unavailable {
        retryable,
        subject,
        detail,
    })
}

fn malformed(options: &DbSyncOptions, Malformed { at, detail }: Malformed) -> LookError {
    let at = format!("{}, {at}", options.location());
    LookError::Content(SourceError::Malformed { at, detail })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn custom_network_has_any_name_but_a_public_ones() {
        assert!(is_of(Network::Mainnet, "mainnet") && is_of(Network::Preview, "preview"));
        assert!(!is_of(Network::Mainnet, "preprod") && !is_of(Network::Preprod, "testnet"));
        assert!(is_of(Network::Custom, "private") && is_of(Network::Custom, "testnet"));
        assert!(!is_of(Network::Custom, "mainnet"));
    }
}
