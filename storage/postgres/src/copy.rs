//! Rows in the binary format of COPY, as "COPY", "Binary Format" of the PostgreSQL documentation describes it.

use node_storage_contract::Result;
use sqlx::PgConnection;

use crate::error::classify;

/// Rows on their way into a table.
pub(crate) struct CopyRows {
    statement: &'static str,
    columns: i16,
    bytes: Vec<u8>,
}

impl CopyRows {
    /// Rows for a COPY of this number of columns `FROM STDIN (FORMAT binary)`. The macros can't check the statement.
    pub(crate) fn new(statement: &'static str, columns: i16) -> Self {
        let mut bytes = b"PGCOPY\n\xff\r\n\0".to_vec();
        // No flags, no extension of the header.
        bytes.extend_from_slice(&[0; 8]);
        Self {
            statement,
            columns,
            bytes,
        }
    }

    /// Begins a row.
    pub(crate) fn begin(&mut self) {
        self.bytes.extend_from_slice(&self.columns.to_be_bytes());
    }

    /// The next value of the row, as the column's type is written in binary: numbers from the highest byte on, BYTEA as it is.
    pub(crate) fn push(&mut self, value: &[u8]) {
        // At most an operation of 1 MiB; what does not fit would be refused by the server as negative.
        let length = i32::try_from(value.len()).unwrap_or(i32::MIN);
        self.bytes.extend_from_slice(&length.to_be_bytes());
        self.bytes.extend_from_slice(value);
    }

    /// Writes the rows.
    pub(crate) async fn send(mut self, connection: &mut PgConnection) -> Result<()> {
        let end: i16 = -1;
        self.bytes.extend_from_slice(&end.to_be_bytes());
        let mut copy = connection.copy_in_raw(self.statement).await.map_err(classify)?;
        copy.send(self.bytes).await.map_err(classify)?;
        copy.finish().await.map(drop).map_err(classify)
    }
}
