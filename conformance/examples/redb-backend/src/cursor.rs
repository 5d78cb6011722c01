//! How far the ledger has been read, and which ledger it is.

use node_storage_contract::{Cursor, CursorMoved, DltCursorRepo, Network, Result};
use redb::ReadableTable;

use crate::RedbStore;
use crate::encoding::{decode_cursor, decode_network, encode_cursor};
use crate::tables::{CURSOR, NETWORK, SINGLETONS, WriteTable, get, put, to_read, to_write};

impl DltCursorRepo for RedbStore {
    async fn cursor(&self) -> Result<Option<Cursor>> {
        self.read(|transaction| stored_cursor(&to_read(transaction, SINGLETONS)?))
    }

    async fn advance_cursor(&self, expected: Option<Cursor>, cursor: Cursor) -> Result<()> {
        self.write(|transaction| {
            let mut singletons = to_write(transaction, SINGLETONS)?;
            let stored = stored_cursor(&singletons)?;
            CursorMoved::check(expected, stored)?;
            match cursor.advance(stored)? {
                Some(moved) => store_cursor(&mut singletons, moved),
                None => Ok(()),
            }
        })
        .await
    }

    async fn network(&self) -> Result<Option<Network>> {
        self.read(|transaction| stored_network(&to_read(transaction, SINGLETONS)?))
    }
}

pub(crate) fn stored_cursor(singletons: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Option<Cursor>> {
    get(singletons, CURSOR, decode_cursor)
}

pub(crate) fn store_cursor(singletons: &mut WriteTable<'_>, cursor: Cursor) -> Result<()> {
    put(singletons, CURSOR, &encode_cursor(cursor))
}

pub(crate) fn stored_network(singletons: &impl ReadableTable<&'static [u8], &'static [u8]>) -> Result<Option<Network>> {
    get(singletons, NETWORK, decode_network)
}
