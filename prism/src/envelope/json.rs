//! The entry in JSON, as indexers of the ledger show it.

use data_encoding::HEXLOWER_PERMISSIVE;
use serde_json::Value;

use super::{ENVELOPE_VERSION, EnvelopeError, operations_in_object};
use crate::ledger::PublishedOperation;

/// The operations in the JSON view of the entry under label 21325: `{"v": 1, "c": ["0x…", …]}`.
///
/// The view writes a byte string as text: `0x` and hexadecimal digits of either case. Text without that prefix was text
/// on the ledger too, which the protocol does not allow.
pub fn operations_in_json(entry: &Value) -> Result<Vec<PublishedOperation>, EnvelopeError> {
    let entry = entry
        .as_object()
        .ok_or(EnvelopeError::Shape("the entry is not a map"))?;
    if entry.get("v").and_then(Value::as_u64) != Some(ENVELOPE_VERSION) {
        return Err(EnvelopeError::Shape("v is not 1 in the entry"));
    }
    let chunks = entry
        .get("c")
        .and_then(Value::as_array)
        .ok_or(EnvelopeError::Shape("c is missing in the entry, or not an array"))?;
    if entry.len() != 2 {
        return Err(EnvelopeError::Shape("the entry has a key other than v and c"));
    }
    let mut object = Vec::new();
    for chunk in chunks {
        let digits = chunk.as_str().and_then(|text| text.strip_prefix("0x"));
        let bytes = digits.and_then(|digits| HEXLOWER_PERMISSIVE.decode(digits.as_bytes()).ok());
        object.extend(bytes.ok_or(EnvelopeError::Shape(
            "a chunk is not 0x and pairs of hexadecimal digits",
        ))?);
    }
    operations_in_object(&object)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    // edge-cases.md#e10
    #[test]
    fn chunks_are_0x_and_pairs_of_hexadecimal_digits() {
        for chunks in [
            json!(["0x22041200", "0x1200"]),
            json!(["0x220412001200", "0x"]),
            json!([]),
        ] {
            assert!(operations_in_json(&json!({"v": 1, "c": chunks})).is_ok(), "{chunks}");
        }
        let upper_case = operations_in_json(&json!({"c": ["0x22031A01AA", "0x"], "v": 1})).unwrap();
        assert_eq!(upper_case.len(), 0);
        for chunks in [
            json!(["22041200"]),
            json!(["0x220"]),
            json!(["0X22021200"]),
            json!(["0x2g"]),
            json!([1]),
            json!("0x22021200"),
        ] {
            assert!(operations_in_json(&json!({"v": 1, "c": chunks})).is_err(), "{chunks}");
        }
        for entry in [
            json!([]),
            json!({"c": []}),
            json!({"v": 1}),
            json!({"v": "1", "c": []}),
            json!({"v": 1.0, "c": []}),
            json!({"v": 2, "c": []}),
            json!({"v": -1, "c": []}),
            json!({"v": 1, "c": [], "x": 0}),
        ] {
            assert!(operations_in_json(&entry).is_err(), "{entry}");
        }
    }
}
