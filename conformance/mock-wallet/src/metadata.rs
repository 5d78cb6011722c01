//! Metadata, from the typed form of the API to CBOR.

use std::convert::Infallible;

use data_encoding::HEXLOWER_PERMISSIVE;
use minicbor::Encoder;
use serde_json::Value;

type Cbor = Encoder<Vec<u8>>;

/// Most bytes of a string or byte string in metadata.
const LONGEST: usize = 64;

/// The CBOR of metadata: a map from labels to values, each value tagged with its type.
///
/// # Errors
/// What the API does not allow.
pub fn metadata_cbor(json: &Value) -> Result<Vec<u8>, String> {
    let labels = json.as_object().ok_or("metadata is no object")?;
    let mut cbor = Encoder::new(Vec::new());
    written(cbor.map(count(labels.len())));
    for (label, value) in labels {
        let label: u64 = label.parse().map_err(|_| format!("the label {label} is no number"))?;
        written(cbor.u64(label));
        write(&mut cbor, value)?;
    }
    Ok(cbor.into_writer())
}

fn write(cbor: &mut Cbor, value: &Value) -> Result<(), String> {
    let object = value.as_object().filter(|object| object.len() == 1);
    let (kind, value) = object
        .and_then(|object| object.iter().next())
        .ok_or_else(|| format!("{value} has no type"))?;
    match kind.as_str() {
        "int" => {
            let number = value.as_i64().ok_or("int is no integer")?;
            written(cbor.i64(number));
        }
        "string" => {
            let text = value.as_str().filter(|text| text.len() <= LONGEST);
            written(cbor.str(text.ok_or("string is none, or longer than 64 bytes")?));
        }
        "bytes" => {
            let bytes = value
                .as_str()
                .and_then(|hex| HEXLOWER_PERMISSIVE.decode(hex.as_bytes()).ok());
            let bytes = bytes.filter(|bytes| bytes.len() <= LONGEST);
            written(cbor.bytes(&bytes.ok_or("bytes are not hexadecimal, or longer than 64 bytes")?));
        }
        "list" => {
            let items = value.as_array().ok_or("list is no array")?;
            written(cbor.array(count(items.len())));
            for item in items {
                write(cbor, item)?;
            }
        }
        "map" => {
            let pairs = value.as_array().ok_or("map is no array")?;
            written(cbor.map(count(pairs.len())));
            for pair in pairs {
                write(cbor, &pair["k"])?;
                write(cbor, &pair["v"])?;
            }
        }
        _ => return Err(format!("there is no type {kind}")),
    }
    Ok(())
}

fn count(length: usize) -> u64 {
    length.try_into().unwrap()
}

fn written(result: Result<&mut Cbor, minicbor::encode::Error<Infallible>>) {
    result.expect("writing to memory does not fail");
}
