//! One line of a ledger file.

use data_encoding::HEXLOWER_PERMISSIVE;
use did_prism::digest::{BlockHash, TransactionId};
use did_prism::ledger::{BlockNo, BlockTime, OutOfRange, SlotNo, TransactionIndex};
use node_storage_contract::{BlockHeader, Cursor, Network};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

/// A line of a ledger file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Line {
    /// A transaction, with its block.
    Transaction(LedgerLine),
    /// A block in which nothing is published, up to which the ledger was read.
    Cursor(Cursor),
}

impl Line {
    /// Reads a line, and checks all of it, of a ledger of `network`.
    ///
    /// Hexadecimal digits may be of either case.
    pub fn parse(line: &[u8], network: Network) -> Result<Self, LineError> {
        let members = members(line).map_err(|detail| LineError {
            field: None,
            detail: shown(&detail),
            block: None,
        })?;
        let number = number(&members.block_number).map_err(|detail| LineError {
            field: Some("block_number"),
            detail: shown(&detail),
            block: None,
        })?;
        fields(&members, number, network).map_err(|(field, detail)| LineError {
            field,
            detail: shown(&detail),
            block: Some(number),
        })
    }

    /// The block that the line is about.
    pub const fn block(&self) -> Cursor {
        match self {
            Self::Transaction(line) => Cursor::at(&line.block),
            Self::Cursor(cursor) => *cursor,
        }
    }
}

/// A Cardano transaction, as a line of a ledger file gives it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LedgerLine {
    /// The block it stands in.
    pub block: BlockHeader,
    /// Its index in the block.
    pub absn: TransactionIndex,
    /// Its id.
    pub transaction: TransactionId,
    /// Its metadata, a CBOR map; not looked into yet.
    pub metadata: Vec<u8>,
}

/// What is wrong with a line. `Display` says the detail alone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{detail}")]
pub struct LineError {
    /// The field, where it is about one that is there.
    pub field: Option<&'static str>,
    /// What is wrong: at most 320 characters of it, and none that a terminal would obey.
    pub detail: String,
    /// The block that the line belongs to, as far as its number can be read.
    pub block: Option<BlockNo>,
}

/// What is wrong, as a person can be shown it: it quotes the line, which may be long and hold anything.
fn shown(detail: &str) -> String {
    /// Characters that are kept of the beginning, and as many of the end.
    const KEPT: usize = 160;

    let length = detail.chars().count();
    let mut shown = String::with_capacity(detail.len().min(4 * KEPT));
    for (place, character) in detail.chars().enumerate() {
        if place < KEPT || place + KEPT >= length {
            if character.is_control() {
                shown.extend(character.escape_default());
            } else {
                shown.push(character);
            }
        } else if place == KEPT {
            shown.push('…');
        }
    }
    shown
}

/// The members of a line: all of them or those of the block alone, each once, and no other. Their types are looked at one by
/// one, to name the field.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Members {
    network: Value,
    block_number: Value,
    slot: Value,
    block_hash: Value,
    #[serde(default, deserialize_with = "present")]
    cbt: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    absn: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    tx_id: Option<Value>,
    #[serde(default, deserialize_with = "present")]
    metadata_cbor: Option<Value>,
}

/// A member that is there, be it `null`.
fn present<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<Value>, D::Error> {
    Value::deserialize(deserializer).map(Some)
}

fn members(line: &[u8]) -> Result<Members, String> {
    if !line.trim_ascii_start().starts_with(b"{") {
        return Err("not a JSON object".to_owned());
    }
    serde_json::from_slice(line).map_err(|error| {
        let text = error.to_string();
        // The parser counts lines of what it was given, which is one line.
        let cause = text.rsplit_once(" at line ").map_or(text.as_str(), |(cause, _)| cause);
        format!("not a ledger line: {cause}, at column {}", error.column())
    })
}

/// The field, where it is there, and what is wrong.
type Field<T> = Result<T, (Option<&'static str>, String)>;

fn fields(members: &Members, number: BlockNo, network: Network) -> Field<Line> {
    let named = |field: &'static str| move |detail: String| (Some(field), detail);
    let found = text(&members.network).map_err(named("network"))?;
    if found != network.name() {
        let detail = format!("the line is of the network {found}, and --network is {network}");
        return Err((Some("network"), detail));
    }
    let slot = slot(&members.slot).map_err(named("slot"))?;
    let hash = BlockHash::new(digest(&members.block_hash).map_err(named("block_hash"))?);
    let (cbt, absn, tx_id, metadata) = match (&members.cbt, &members.absn, &members.tx_id, &members.metadata_cbor) {
        (None, None, None, None) => {
            return Ok(Line::Cursor(Cursor {
                slot,
                block: number,
                hash,
            }));
        }
        (Some(cbt), Some(absn), Some(tx_id), Some(metadata)) => (cbt, absn, tx_id, metadata),
        (cbt, absn, tx_id, _) => {
            let missing = match (cbt, absn, tx_id) {
                (None, _, _) => "cbt",
                (_, None, _) => "absn",
                (_, _, None) => "tx_id",
                _ => "metadata_cbor",
            };
            return Err((None, format!("not a ledger line: missing field `{missing}`")));
        }
    };
    let block = BlockHeader {
        number,
        slot,
        hash,
        time: time(cbt).map_err(named("cbt"))?,
    };
    Ok(Line::Transaction(LedgerLine {
        block,
        absn: index(absn).map_err(named("absn"))?,
        transaction: TransactionId::new(digest(tx_id).map_err(named("tx_id"))?),
        metadata: bytes(metadata).map_err(named("metadata_cbor"))?,
    }))
}

fn number(value: &Value) -> Result<BlockNo, String> {
    whole_number(value)
}

fn slot(value: &Value) -> Result<SlotNo, String> {
    whole_number(value)
}

fn index(value: &Value) -> Result<TransactionIndex, String> {
    whole_number(value)
}

fn whole_number<T: TryFrom<u64, Error = OutOfRange>>(value: &Value) -> Result<T, String> {
    let number = value
        .as_u64()
        .ok_or_else(|| format!("{value} is not a whole number from 0 to 2^64-1"))?;
    T::try_from(number).map_err(|error| error.to_string())
}

fn text(value: &Value) -> Result<&str, String> {
    value.as_str().ok_or_else(|| format!("{value} is not a string"))
}

fn time(value: &Value) -> Result<BlockTime, String> {
    text(value)?
        .parse()
        .map_err(|error: did_prism::ledger::InvalidBlockTime| error.to_string())
}

fn bytes(value: &Value) -> Result<Vec<u8>, String> {
    HEXLOWER_PERMISSIVE
        .decode(text(value)?.as_bytes())
        .map_err(|error| format!("not hexadecimal: {error}"))
}

fn digest(value: &Value) -> Result<[u8; 32], String> {
    bytes(value)?
        .try_into()
        .map_err(|bytes: Vec<u8>| format!("{} bytes in place of 32 (64 hexadecimal digits)", bytes.len()))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn valid() -> Value {
        json!({
            "network": "custom", "block_number": 5, "slot": 100, "block_hash": "ab".repeat(32),
            "cbt": "2022-09-12T10:00:00Z", "absn": 3, "tx_id": "cd".repeat(32), "metadata_cbor": "a0",
        })
    }

    fn parse(line: &Value) -> Result<Line, LineError> {
        Line::parse(line.to_string().as_bytes(), Network::Custom)
    }

    #[test]
    fn a_line_of_the_documented_form_is_read() {
        let Line::Transaction(line) = parse(&valid()).unwrap() else {
            unreachable!("it has a transaction");
        };
        assert_eq!(
            (line.block.number.get(), line.block.slot.get(), line.absn.get()),
            (5, 100, 3)
        );
        assert_eq!(line.metadata, [0xa0]);
        assert_eq!(line.transaction, TransactionId::new([0xcd; 32]));
    }

    #[test]
    fn a_line_of_a_block_alone_is_a_cursor() {
        let mut line = valid();
        for member in ["cbt", "absn", "tx_id", "metadata_cbor"] {
            line.as_object_mut().unwrap().shift_remove(member);
        }
        let Line::Cursor(cursor) = parse(&line).unwrap() else {
            unreachable!("it has no transaction");
        };
        assert_eq!((cursor.block.get(), cursor.slot.get()), (5, 100));
        assert_eq!(cursor.hash, BlockHash::new([0xab; 32]));
        line["cbt"] = json!(null);
        assert!(parse(&line).unwrap_err().detail.contains("`absn`"));
    }

    // edge-cases.md#y11
    #[test]
    fn a_wrong_value_is_named_with_its_field_and_the_block() {
        for (field, value) in [
            ("network", json!("mainnet")),
            ("network", json!(null)),
            ("slot", json!(-1)),
            ("slot", json!(9_223_372_036_854_775_808_u64)),
            ("slot", json!(1.5)),
            ("slot", json!("100")),
            ("block_hash", json!("ab")),
            ("block_hash", json!("zz".repeat(32))),
            ("cbt", json!("yesterday")),
            ("cbt", json!("10000-01-01T00:00:00Z")),
            ("cbt", json!("9999-12-31T23:59:59-00:01")),
            ("cbt", json!("0001-01-01T00:00:00+00:01")),
            ("cbt", json!(1_662_976_800)),
            ("absn", json!(2_147_483_648_u64)),
            ("absn", json!(1e3)),
            ("tx_id", json!("cd".repeat(33))),
            ("metadata_cbor", json!("a")),
            ("metadata_cbor", json!({})),
        ] {
            let mut line = valid();
            line[field] = value.clone();
            let error = parse(&line).unwrap_err();
            assert_eq!(error.field, Some(field), "{value}: {error:?}");
            assert_eq!(error.block.map(BlockNo::get), Some(5), "{field}");
        }
    }

    #[test]
    fn a_line_whose_block_is_unknown_says_so() {
        let mut line = valid();
        line["block_number"] = json!(1_u64 << 63);
        let error = parse(&line).unwrap_err();
        assert_eq!((error.field, error.block), (Some("block_number"), None));
    }

    #[test]
    fn members_that_are_missing_unknown_or_twice_are_refused_by_name() {
        let without = |member: &str| {
            let mut line = valid();
            line.as_object_mut().unwrap().shift_remove(member);
            line.to_string()
        };
        let mut unknown = valid();
        unknown["height"] = json!(1);
        let twice = valid().to_string().replacen('{', r#"{"slot":100,"#, 1);
        for (line, name) in [
            (without("slot"), "`slot`"),
            (without("cbt"), "`cbt`"),
            (without("absn"), "`absn`"),
            (without("tx_id"), "`tx_id`"),
            (without("metadata_cbor"), "`metadata_cbor`"),
            (unknown.to_string(), "`height`"),
            (twice, "`slot`"),
        ] {
            let error = Line::parse(line.as_bytes(), Network::Custom).unwrap_err();
            assert!(error.detail.contains(name), "{error:?}");
        }
    }

    #[test]
    fn what_is_wrong_is_short_and_nothing_that_a_terminal_obeys() {
        let mut escape = valid();
        escape["network"] = json!("\u{1b}[2J");
        let error = parse(&escape).unwrap_err();
        assert!(error.detail.contains(r"\u{1b}[2J"), "{error}");
        let mut long = valid();
        long["slot"] = json!(vec![0; 100_000]);
        let error = parse(&long).unwrap_err();
        assert!(
            error.detail.starts_with("[0,0,") && error.detail.ends_with("0 to 2^64-1"),
            "{error}"
        );
        assert_eq!(error.detail.chars().count(), 321);
    }

    #[test]
    fn what_is_no_json_object_is_refused() {
        let whole = valid().to_string();
        let list = r#"["custom",5,100,"","",3,"","a0"]"#;
        for line in [
            "",
            " ",
            "null",
            "{",
            list,
            &whole[..whole.len() - 1],
            &format!("{whole}{whole}"),
        ] {
            assert!(Line::parse(line.as_bytes(), Network::Custom).is_err(), "{line}");
        }
        assert!(Line::parse(b"{\"network\":\"\xff\"}", Network::Custom).is_err());
        assert!(Line::parse(format!("{whole}\r").as_bytes(), Network::Custom).is_ok());
    }
}
