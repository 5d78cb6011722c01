//! Writing a ledger file.

use std::fmt::Write as _;
use std::io::{self, BufWriter, Write};

use data_encoding::HEXLOWER;
use did_prism::envelope::{encode_metadata, encode_object};
use did_prism::ledger::{OperationIndex, PublishedBlock, PublishedTransaction};
use node_storage_contract::{BlockNo, Cursor, Network, TransactionId};
use zstd::stream::write::Encoder;

use crate::lines::LONGEST_LINE;

/// The level of compression: the library's own default.
const ZSTD_LEVEL: i32 = 3;

/// Writes a ledger file: what a source delivers, in the form that [`FileSource`](crate::FileSource) reads.
///
/// Transactions without operations are left out, and the metadata of the others are encoded anew, so that nothing is in them but the
/// operations, in their order.
pub struct LedgerWriter<W: Write> {
    output: Output<W>,
    network: Network,
    /// The block of the last line.
    written: Option<BlockNo>,
    /// One line, kept for its allocation.
    line: String,
}

enum Output<W: Write> {
    Plain(BufWriter<W>),
    Compressed(Encoder<'static, BufWriter<W>>),
}

/// Why a ledger file can't be written.
#[derive(Debug, thiserror::Error)]
pub enum LedgerWriteError {
    /// The output takes nothing.
    #[error("it can't be written")]
    Write(#[from] io::Error),
    /// The number of an operation in a ledger file is its place in its transaction.
    #[error(
        "transaction {transaction} of block {block} can't be written: its operation {expected} is missing, and {found} is the next one"
    )]
    MissingOperation {
        /// The block.
        block: BlockNo,
        /// The transaction.
        transaction: TransactionId,
        /// The number that would have to follow.
        expected: OperationIndex,
        /// The number that follows.
        found: OperationIndex,
    },
    /// Readers take no longer line.
    #[error(
        "transaction {transaction} of block {block} can't be written: it takes a line of {length} bytes, and the longest has {LONGEST_LINE}"
    )]
    TooLong {
        /// The block.
        block: BlockNo,
        /// The transaction.
        transaction: TransactionId,
        /// The length of the line, in bytes.
        length: usize,
    },
}

impl<W: Write> LedgerWriter<W> {
    /// A ledger of this network.
    ///
    /// # Errors
    /// `Write`.
    pub fn new(output: W, network: Network, is_compressed: bool) -> Result<Self, LedgerWriteError> {
        let output = BufWriter::new(output);
        Ok(Self {
            output: if is_compressed {
                let mut encoder = Encoder::new(output, ZSTD_LEVEL)?;
                encoder.include_checksum(true)?;
                Output::Compressed(encoder)
            } else {
                Output::Plain(output)
            },
            network,
            written: None,
            line: String::new(),
        })
    }

    /// Adds a block, which stands above those before it.
    ///
    /// # Errors
    /// Any [`LedgerWriteError`]. The file is not one then.
    pub fn push(&mut self, block: &PublishedBlock) -> Result<(), LedgerWriteError> {
        let mut transactions: Vec<_> = block
            .transactions
            .iter()
            .filter(|one| !one.operations.is_empty())
            .collect();
        transactions.sort_by_key(|transaction| transaction.absn);
        for transaction in transactions {
            self.push_transaction(block, transaction)?;
        }
        Ok(())
    }

    fn push_transaction(
        &mut self,
        block: &PublishedBlock,
        transaction: &PublishedTransaction,
    ) -> Result<(), LedgerWriteError> {
        let mut operations: Vec<_> = transaction.operations.iter().collect();
        operations.sort_by_key(|operation| operation.osn);
        let mut bytes = Vec::with_capacity(operations.len());
        for (index, operation) in (0_u64..).zip(operations) {
            if u64::from(operation.osn.get()) != index {
                return Err(LedgerWriteError::MissingOperation {
                    block: block.number,
                    transaction: transaction.id,
                    // Below a number in range.
                    expected: OperationIndex::try_from(index).unwrap_or(operation.osn),
                    found: operation.osn,
                });
            }
            bytes.push(operation.bytes.as_slice().to_vec());
        }
        let metadata = encode_metadata(&encode_object(&bytes));
        self.begin_line(&Cursor {
            slot: block.slot,
            block: block.number,
            hash: block.hash,
        });
        // Writing to a string never fails.
        let _ = write!(
            self.line,
            r#","cbt":"{}","absn":{},"tx_id":"{}","metadata_cbor":""#,
            block.time, transaction.absn, transaction.id
        );
        HEXLOWER.encode_append(&metadata, &mut self.line);
        self.line.push_str("\"}");
        if self.line.len() > LONGEST_LINE {
            return Err(LedgerWriteError::TooLong {
                block: block.number,
                transaction: transaction.id,
                length: self.line.len(),
            });
        }
        self.end_line(block.number)
    }

    /// Ends the file at the block up to which the ledger was read, and hands back the output, to which everything was written.
    ///
    /// # Errors
    /// `Write`.
    pub fn finish(mut self, cursor: Option<Cursor>) -> Result<W, LedgerWriteError> {
        if let Some(cursor) = cursor.filter(|cursor| self.written.is_none_or(|written| written < cursor.block)) {
            self.begin_line(&cursor);
            self.line.push('}');
            self.end_line(cursor.block)?;
        }
        let output = match self.output {
            Output::Plain(output) => output,
            Output::Compressed(encoder) => encoder.finish()?,
        };
        Ok(output.into_inner().map_err(io::IntoInnerError::into_error)?)
    }

    /// Every member is a number, hexadecimal, a time of RFC 3339 or the name of a network: nothing needs escaping.
    fn begin_line(&mut self, block: &Cursor) {
        self.line.clear();
        // Writing to a string never fails.
        let _ = write!(
            self.line,
            r#"{{"network":"{}","block_number":{},"slot":{},"block_hash":"{}""#,
            self.network, block.block, block.slot, block.hash
        );
    }

    fn end_line(&mut self, block: BlockNo) -> Result<(), LedgerWriteError> {
        self.line.push('\n');
        match &mut self.output {
            Output::Plain(output) => output.write_all(self.line.as_bytes())?,
            Output::Compressed(encoder) => encoder.write_all(self.line.as_bytes())?,
        }
        self.written = Some(block);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use prism_fixtures::{LedgerShape, block_of, ledger, ledger_line};

    use super::*;

    fn written(blocks: &[PublishedBlock], cursor: Option<Cursor>) -> Result<String, LedgerWriteError> {
        let mut writer = LedgerWriter::new(Vec::new(), Network::Custom, false)?;
        blocks.iter().try_for_each(|block| writer.push(block))?;
        Ok(String::from_utf8(writer.finish(cursor)?).unwrap())
    }

    fn cursor(number: u64) -> Cursor {
        Cursor::at(&(&block_of(1, number, number * 20, Vec::new())).into())
    }

    #[test]
    fn lines_are_those_of_the_documented_form_in_the_order_of_the_ledger() {
        let mut blocks: Vec<_> = ledger(&LedgerShape {
            undecodable: false,
            ..LedgerShape::small(1)
        })
        .collect();
        let lines: String = blocks
            .iter()
            .flat_map(|block| {
                block
                    .transactions
                    .iter()
                    .map(move |one| ledger_line("custom", block, one) + "\n")
            })
            .collect();
        let end = Some(cursor(blocks.last().unwrap().number.get()));
        for block in &mut blocks {
            block.transactions.reverse();
            for transaction in &mut block.transactions {
                transaction.operations.reverse();
            }
        }
        assert_eq!(written(&blocks, end).unwrap(), lines);
    }

    #[test]
    fn a_ledger_that_ends_without_operations_ends_with_its_last_block() {
        let block = block_of(1, 5, 100, Vec::new());
        let line = |number: u64| {
            let at = cursor(number);
            format!(
                "{{\"network\":\"custom\",\"block_number\":{number},\"slot\":{},\"block_hash\":\"{}\"}}\n",
                at.slot, at.hash
            )
        };
        assert_eq!(written(&[block], Some(cursor(7))).unwrap(), line(7));
        assert_eq!(written(&[], None).unwrap(), "");
    }

    #[test]
    fn an_operation_that_would_get_another_number_is_refused() {
        let mut block = prism_fixtures::block(1, 5, 100, [[vec![0], vec![0], vec![0]]]);
        block.transactions[0].operations.remove(1);
        let error = written(&[block], None).unwrap_err().to_string();
        assert!(
            error.contains("operation 1 is missing, and 2 is the next one"),
            "{error}"
        );
    }

    #[test]
    fn a_line_that_nobody_would_read_is_refused() {
        let block = prism_fixtures::block(1, 5, 100, [vec![vec![0; 1024 * 1024]; 3]]);
        assert!(matches!(written(&[block], None), Err(LedgerWriteError::TooLong { .. })));
    }
}
