//! The limits that stores have, so that calls, pages, values and numbers are tried at each of them and around it.
//!
//! A backend's engine has some of these, and its code others: a count in a byte, a chunk of a thousand. What is lost there is lost
//! at one size and at no other, so each size is tried with one less and one more.

use std::collections::BTreeSet;

use node_storage_contract::OperationHash;

/// A limit, and whose it is.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Limit {
    pub(crate) at: u64,
    pub(crate) of: &'static str,
}

const fn limit(at: u64, of: &'static str) -> Limit {
    Limit { at, of }
}

/// Rows, items or parameters of one call.
///
/// Those of engines are documented: DynamoDB, "Quotas in Amazon DynamoDB"; etcd, "System limits" and `--max-txn-ops`; Firestore,
/// "Usage and limits"; SQLite, "Implementation Limits For SQLite"; Oracle, error `ORA-01795`; SQL Server, "Maximum capacity
/// specifications" and "Table Value Constructor"; `MySQL`, error 1390; PostgreSQL, "PostgreSQL Limits".
pub(crate) const ITEMS: [Limit; 10] = [
    limit(16, "a small buffer"),
    limit(25, "DynamoDB: items of a BatchWriteItem"),
    limit(100, "DynamoDB: actions of a transaction, keys of a BatchGetItem"),
    limit(128, "etcd: operations of a transaction; a signed byte"),
    limit(256, "a byte"),
    limit(500, "Firestore: writes of a commit; SQLite: terms of a compound SELECT"),
    limit(512, "a chunk"),
    limit(
        1_000,
        "SQL Server: rows of VALUES; Oracle: members of an IN list; one less, SQLite before 3.32: parameters",
    ),
    limit(1_024, "a chunk"),
    limit(2_100, "SQL Server: parameters of a statement"),
];

/// More items of one call: once each, at the limit, since they take long. Beyond all of them lie the cases of `large_batches`.
pub(crate) const MANY_ITEMS: [Limit; 3] = [
    limit(4_096, "a chunk"),
    limit(8_192, "a chunk"),
    limit(10_000, "the contract: rows of a page"),
];

/// Bytes of one value.
///
/// From the same documents, and: LMDB, `mdb_env_get_maxkeysize`; InnoDB, "InnoDB Limits"; PostgreSQL, "TOAST" and `nbtree.h`;
/// FoundationDB, "Known Limitations".
pub(crate) const BYTES: [Limit; 24] = [
    limit(1, "nothing less but nothing"),
    limit(128, "a signed byte"),
    limit(256, "a byte"),
    limit(511, "LMDB: a key"),
    limit(767, "InnoDB: a prefix of an index"),
    limit(1_000, "a text column"),
    limit(1_024, "a buffer"),
    limit(2_000, "PostgreSQL: what is moved out of a row"),
    limit(2_048, "DynamoDB: a partition key"),
    limit(2_704, "PostgreSQL: a row of a B-tree"),
    limit(3_072, "InnoDB: a key"),
    limit(4_000, "Oracle: a VARCHAR2"),
    limit(4_096, "a page"),
    limit(8_000, "SQL Server: a VARCHAR"),
    limit(8_192, "PostgreSQL: a page"),
    limit(10_000, "FoundationDB: a key"),
    limit(16_384, "InnoDB: a page"),
    limit(32_768, "a signed number of 16 bits"),
    limit(65_536, "MySQL: a BLOB; a number of 16 bits"),
    limit(100_000, "FoundationDB: a value"),
    limit(131_072, "a buffer"),
    limit(262_144, "a buffer"),
    limit(409_600, "DynamoDB: an item"),
    limit(1_000_000, "a megabyte"),
];

/// The widths of numbers, in bits: of bytes, signed and unsigned integers, and the mantissas of floating-point numbers.
pub(crate) const WIDTHS: [u32; 13] = [7, 8, 14, 15, 16, 24, 31, 32, 33, 48, 53, 56, 62];

impl Limit {
    /// One less, the limit, and one more.
    pub(crate) const fn around(self) -> [u64; 3] {
        [self.at.saturating_sub(1), self.at, self.at.saturating_add(1)]
    }
}

/// The numbers around every power of two that `bits` bits hold, ascending, from 0 to the highest.
pub(crate) fn numbers(bits: u32) -> Vec<u64> {
    let highest = (1_u64 << bits) - 1;
    let around = WIDTHS.into_iter().map(|width| 1_u64 << width);
    let around = around.flat_map(|power| [power - 1, power, power + 1]);
    let ends = [0, 1, 2, 9, 10, 99, 100, 999, 1_000, highest - 1, highest];
    let numbers: BTreeSet<u64> = around.chain(ends).filter(|number| *number <= highest).collect();
    numbers.into_iter().collect()
}

/// So many bytes that no compression makes shorter, others for every number.
pub(crate) fn noise(length: u64, number: u64) -> Vec<u8> {
    let length = usize::try_from(length).expect("a length in memory");
    let blocks = (0..length.div_ceil(32)).map(|block| OperationHash::of(format!("noise {number} {block}").as_bytes()));
    let mut bytes: Vec<u8> = blocks.flat_map(|block| *block.as_bytes()).collect();
    bytes.truncate(length);
    bytes
}
