//! The entry in CBOR, as it stands on the ledger.
//!
//! Maps, arrays, byte strings and text strings are read in definite and in indefinite form.

use std::convert::Infallible;

use minicbor::data::{Tag, Type};
use minicbor::{Decoder, Encoder, decode, encode};

use super::{CHUNK_LENGTH, ENVELOPE_VERSION, EnvelopeError, METADATA_LABEL, operations_in_object};
use crate::ledger::PublishedOperation;

/// Tag of auxiliary data since the Alonzo era.
const ALONZO_AUXILIARY_DATA: Tag = Tag::new(259);
/// Key of the metadata in auxiliary data since the Alonzo era.
const ALONZO_METADATA_KEY: u64 = 0;

impl From<decode::Error> for EnvelopeError {
    fn from(error: decode::Error) -> Self {
        Self::Cbor(error.to_string())
    }
}

/// The operations that a transaction publishes, from its metadata: a CBOR map from labels to entries.
///
/// `None` if there is no entry for PRISM. Bytes behind the map, a label or key that stands twice, and keys other than
/// `v` and `c` in the entry are errors.
pub fn operations_in_metadata(metadata_cbor: &[u8]) -> Result<Option<Vec<PublishedOperation>>, EnvelopeError> {
    let mut decoder = Decoder::new(metadata_cbor);
    let entry = value_of_key(&mut decoder, METADATA_LABEL)?;
    require_end(&decoder)?;
    entry
        .map(|entry| operations_in_object(&object_in_entry(entry)?))
        .transpose()
}

/// The metadata map of a transaction's auxiliary data, in any of its forms: the bare map of Shelley, the array
/// `[map, scripts]` of Allegra and Mary, the tagged map of Alonzo and later. `None` if it has no metadata, or is null.
pub fn metadata_in_auxiliary_data(auxiliary_data_cbor: &[u8]) -> Result<Option<Vec<u8>>, EnvelopeError> {
    let mut decoder = Decoder::new(auxiliary_data_cbor);
    let metadata = match decoder.datatype()? {
        Type::Null => {
            decoder.null()?;
            None
        }
        Type::Map | Type::MapIndef => Some(skipped(&mut decoder)?),
        Type::Array | Type::ArrayIndef => {
            let mut items = Vec::new();
            let length = decoder.array()?;
            for_each_item(&mut decoder, length, |decoder| {
                items.push(skipped(decoder)?);
                Ok(())
            })?;
            match items.as_slice() {
                [metadata, _scripts] => Some(*metadata),
                _ => {
                    return Err(EnvelopeError::Shape(
                        "auxiliary data is not an array of metadata and scripts",
                    ));
                }
            }
        }
        Type::Tag => {
            if decoder.tag()? != ALONZO_AUXILIARY_DATA {
                return Err(EnvelopeError::Shape("auxiliary data has an unknown tag"));
            }
            value_of_key(&mut decoder, ALONZO_METADATA_KEY)?
        }
        _ => {
            return Err(EnvelopeError::Shape(
                "auxiliary data is neither a map, an array, nor tagged",
            ));
        }
    };
    require_end(&decoder)?;
    Ok(metadata.map(<[u8]>::to_vec))
}

/// The metadata of a transaction that publishes a serialized `PrismObject`: `{21325: {"v": 1, "c": [chunks]}}`, in chunks
/// of 64 bytes.
pub fn encode_metadata(object: &[u8]) -> Vec<u8> {
    fn write(encoder: &mut Encoder<Vec<u8>>, object: &[u8]) -> Result<(), encode::Error<Infallible>> {
        encoder.map(1)?.u64(METADATA_LABEL)?.map(2)?;
        encoder.str("v")?.u64(ENVELOPE_VERSION)?.str("c")?;
        let chunks = object.chunks(CHUNK_LENGTH);
        // A usize has 64 bits at most, so the fallback is never taken.
        encoder.array(u64::try_from(chunks.len()).unwrap_or(u64::MAX))?;
        for chunk in chunks {
            encoder.bytes(chunk)?;
        }
        Ok(())
    }

    let mut encoder = Encoder::new(Vec::new());
    // Writing to memory does not fail.
    let _infallible = write(&mut encoder, object);
    encoder.into_writer()
}

/// The object in an entry: `{"v": 1, "c": [chunks]}`, its keys in any order.
fn object_in_entry(entry: &[u8]) -> Result<Vec<u8>, EnvelopeError> {
    let mut decoder = Decoder::new(entry);
    if !matches!(decoder.datatype()?, Type::Map | Type::MapIndef) {
        return Err(EnvelopeError::Shape("the entry is not a map"));
    }
    let mut version = None;
    let mut object = None;
    let length = decoder.map()?;
    for_each_item(&mut decoder, length, |decoder| {
        let key = decoder.str_iter()?.collect::<Result<String, _>>()?;
        let repeated = match key.as_str() {
            "v" => version.replace(unsigned(decoder)?).is_some(),
            "c" => object.replace(concatenated_chunks(decoder)?).is_some(),
            _ => return Err(EnvelopeError::Shape("the entry has a key other than v and c")),
        };
        if repeated {
            return Err(EnvelopeError::Shape("the entry has a key twice"));
        }
        Ok(())
    })?;
    match (version, object) {
        (Some(Some(ENVELOPE_VERSION)), Some(object)) => Ok(object),
        (Some(Some(ENVELOPE_VERSION)), None) => Err(EnvelopeError::Shape("c is missing in the entry")),
        _ => Err(EnvelopeError::Shape("v is not 1 in the entry")),
    }
}

fn concatenated_chunks(decoder: &mut Decoder<'_>) -> Result<Vec<u8>, EnvelopeError> {
    let mut object = Vec::new();
    let length = decoder.array()?;
    for_each_item(decoder, length, |decoder| {
        for part in decoder.bytes_iter()? {
            object.extend_from_slice(part?);
        }
        Ok(())
    })?;
    Ok(object)
}

/// The value of `wanted` in a map whose other keys and values may be anything; `None` if the map does not have that key.
fn value_of_key<'bytes>(decoder: &mut Decoder<'bytes>, wanted: u64) -> Result<Option<&'bytes [u8]>, EnvelopeError> {
    let mut found = None;
    let length = decoder.map()?;
    for_each_item(decoder, length, |decoder| {
        let key = unsigned(decoder)?;
        let value = skipped(decoder)?;
        if key == Some(wanted) && found.replace(value).is_some() {
            return Err(EnvelopeError::Shape("a label stands twice"));
        }
        Ok(())
    })?;
    Ok(found)
}

/// The next item if it is an unsigned integer; any other is passed over.
fn unsigned(decoder: &mut Decoder<'_>) -> Result<Option<u64>, EnvelopeError> {
    if matches!(decoder.datatype()?, Type::U8 | Type::U16 | Type::U32 | Type::U64) {
        Ok(Some(decoder.u64()?))
    } else {
        skipped(decoder)?;
        Ok(None)
    }
}

/// Passes over the next item and answers with its bytes.
fn skipped<'bytes>(decoder: &mut Decoder<'bytes>) -> Result<&'bytes [u8], EnvelopeError> {
    if decoder.datatype()? == Type::Break {
        return Err(EnvelopeError::Shape("a break stands where an item is expected"));
    }
    let start = decoder.position();
    decoder.skip()?;
    let item = decoder.input().get(start..decoder.position());
    item.ok_or(EnvelopeError::Shape("an item ends behind the metadata"))
}

/// Reads the items of an array, or the entries of a map, of definite or indefinite length.
fn for_each_item<'bytes>(
    decoder: &mut Decoder<'bytes>,
    length: Option<u64>,
    mut read: impl FnMut(&mut Decoder<'bytes>) -> Result<(), EnvelopeError>,
) -> Result<(), EnvelopeError> {
    if let Some(length) = length {
        for _ in 0..length {
            read(decoder)?;
        }
    } else {
        while decoder.datatype()? != Type::Break {
            read(decoder)?;
        }
        // The break itself.
        decoder.set_position(decoder.position().saturating_add(1));
    }
    Ok(())
}

fn require_end(decoder: &Decoder<'_>) -> Result<(), EnvelopeError> {
    if decoder.position() == decoder.input().len() {
        Ok(())
    } else {
        Err(EnvelopeError::Shape("bytes follow behind the metadata"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::envelope::encode_object;

    /// An object with one operation, in `{21325: entry}`.
    fn read(entry: &[u8]) -> Result<Option<usize>, EnvelopeError> {
        let metadata = [&[0xa1, 0x19, 0x53, 0x4d][..], entry].concat();
        operations_in_metadata(&metadata).map(|operations| operations.map(|list| list.len()))
    }

    #[test]
    fn keys_in_any_order_and_indefinite_forms_are_accepted() {
        // PrismObject { block_content { operations: [empty, empty] } }
        let entries: [&[u8]; 6] = [
            b"\xa2\x61v\x01\x61c\x81\x46\x22\x04\x12\x00\x12\x00",
            b"\xa2\x61c\x82\x43\x22\x04\x12\x43\x00\x12\x00\x61v\x01",
            b"\xbf\x61v\x01\x61c\x9f\x41\x22\x40\x45\x04\x12\x00\x12\x00\xff\xff",
            b"\xbf\x61v\x01\x61c\x9f\x5f\x41\x22\x45\x04\x12\x00\x12\x00\xff\xff\xff",
            b"\xa2\x7f\x61v\xff\x01\x7f\x60\x61c\xff\x81\x46\x22\x04\x12\x00\x12\x00",
            b"\xa2\x61v\x19\x00\x01\x61c\x81\x46\x22\x04\x12\x00\x12\x00",
        ];
        for entry in entries {
            assert_eq!(read(entry), Ok(Some(2)), "{entry:02x?}");
        }
    }

    #[test]
    fn an_entry_that_is_not_v_1_and_c_with_byte_strings_is_an_error() {
        let entries: [&[u8]; 14] = [
            b"\x81\x40",                        // a list
            b"\xa1\x61v\x01",                   // no c
            b"\xa1\x61c\x80",                   // no v
            b"\xa2\x61v\x02\x61c\x80",          // v 2
            b"\xa2\x61v\x20\x61c\x80",          // v -1
            b"\xa2\x61v\x611\x61c\x80",         // v text
            b"\xa2\x61v\xf9\x3c\x00\x61c\x80",  // v 1.0
            b"\xa2\x61v\x01\x61c\x40",          // c bytes
            b"\xa2\x61v\x01\x61c\x81\x01",      // c integers
            b"\xa2\x61v\x01\x61c\x81\x6222",    // c text
            b"\xa3\x61v\x01\x61c\x80\x61x\x00", // another key
            b"\xa3\x61v\x01\x61c\x80\x61c\x80", // c twice
            b"\xa2\x61v\x01\x61c\x80\x00",      // a byte behind the map
            b"\xa2\x61v\x01\x61c\x81\x41\xff",  // not protobuf
        ];
        for entry in entries {
            assert!(read(entry).is_err(), "{entry:02x?}");
        }
        assert_eq!(read(b"\xa2\x61v\x01\x61c\x80"), Ok(Some(0)));
        assert_eq!(operations_in_metadata(b"\xa1\x19\x53\x4c\x80"), Ok(None));
        assert!(operations_in_metadata(b"\xa1\x19\x53\x4d\xff").is_err());
        assert!(operations_in_metadata(b"").is_err());
    }

    #[test]
    fn metadata_is_found_in_the_auxiliary_data_of_every_era() {
        let metadata = encode_metadata(&encode_object(&[vec![], vec![0x12, 0x00]]));
        for (before, behind) in [
            (&b""[..], &b""[..]),
            (b"\x82", b"\x80"),
            (b"\x9f", b"\x80\xff"),
            (b"\xd9\x01\x03\xa2\x01\x81\x40\x00", b""),
            (b"\xd9\x01\x03\xbf\x00", b"\xff"),
        ] {
            let auxiliary_data = [before, &metadata, behind].concat();
            let found = metadata_in_auxiliary_data(&auxiliary_data).unwrap().unwrap();
            assert_eq!(found, metadata, "{before:02x?}");
            assert_eq!(operations_in_metadata(&found).unwrap().unwrap().len(), 2);
        }
        assert_eq!(metadata_in_auxiliary_data(b"\xd9\x01\x03\xa1\x01\x80"), Ok(None));
        assert_eq!(metadata_in_auxiliary_data(b"\xf6"), Ok(None));
        for malformed in [
            &b"\x80"[..],
            b"\x81\xa0",
            b"\x01",
            b"\xd9\x01\x04\xa0",
            b"\xa0\x00",
            b"",
        ] {
            assert!(metadata_in_auxiliary_data(malformed).is_err(), "{malformed:02x?}");
        }
    }

    #[test]
    fn what_is_encoded_in_64_byte_chunks_is_read_again() {
        for length in [0, 1, 63, 64, 65, 64 * 300] {
            let signed = [
                vec![0x1a, 0x00],
                [&b"\x12"[..], &varint(length), &vec![7; length]].concat(),
            ];
            let operations = operations_in_metadata(&encode_metadata(&encode_object(&signed)))
                .unwrap()
                .unwrap();
            let read: Vec<_> = operations
                .into_iter()
                .map(|operation| operation.bytes.into_vec())
                .collect();
            assert_eq!(read, signed, "{length}");
        }
    }

    fn varint(value: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        prost::encode_length_delimiter(value, &mut bytes).unwrap();
        bytes
    }
}
