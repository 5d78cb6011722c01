//! Decoding protobuf messages to the same result as other implementations.
//!
//! A field of a known number that has another wire type than its own is an unknown field: implementations in other
//! languages pass over it. `prost` refuses the message instead, and an operation that every other node applies would be
//! lost here. So a message that is refused is decoded once more without its unknown fields.

use prost::{DecodeError, Message};

/// The fields of a message: number and kind.
pub(crate) struct Fields(&'static [(u64, FieldKind)]);

#[derive(Clone, Copy)]
enum FieldKind {
    Varint,
    /// Strings too.
    Bytes,
    Message(&'static Fields),
}

/// The tables of all messages, generated from `proto/prism.proto`.
#[allow(
    dead_code,
    reason = "only the messages that are decoded on their own are named in code"
)]
mod tables {
    use super::{FieldKind, Fields};

    include!(concat!(env!("OUT_DIR"), "/fields.rs"));
}

pub(crate) use tables::{PRISM_PRISMOBJECT, PRISM_PRISMOPERATION, PRISM_SIGNEDPRISMOPERATION};

/// The deepest that unknown groups may be nested, as in other implementations.
const MAX_GROUP_DEPTH: usize = 100;

impl Fields {
    /// The kind of this field; none if it is unknown, which it also is with another wire type than its own.
    fn kind(&self, field: &RawField<'_>) -> Option<FieldKind> {
        let (_, kind) = self.0.iter().find(|(number, _)| *number == field.number())?;
        let wire_type = match kind {
            FieldKind::Varint => 0,
            FieldKind::Bytes | FieldKind::Message(_) => 2,
        };
        (field.wire_type() == wire_type).then_some(*kind)
    }
}

/// A field as found in a message.
struct RawField<'bytes> {
    key: u64,
    key_bytes: &'bytes [u8],
    /// Of a length-delimited field, the content.
    value: &'bytes [u8],
    /// Key and value.
    bytes: &'bytes [u8],
}

impl<'bytes> RawField<'bytes> {
    /// Reads the next field; none if it is malformed.
    fn read(rest: &mut &'bytes [u8]) -> Option<Self> {
        let start = *rest;
        let key = varint(rest)?;
        let key_bytes = consumed(start, rest)?;
        let value = field_value(rest, key)?;
        Some(Self {
            key,
            key_bytes,
            value,
            bytes: consumed(start, rest)?,
        })
    }

    fn number(&self) -> u64 {
        self.key >> 3
    }

    fn wire_type(&self) -> u64 {
        self.key & 7
    }
}

/// Decodes the message that has these fields.
pub(crate) fn decode<M: Message + Default>(bytes: &[u8], fields: &'static Fields) -> Result<M, DecodeError> {
    M::decode(bytes).or_else(|error| match without_unknown_fields(bytes, fields) {
        Some(known) => M::decode(known.as_slice()),
        None => Err(error),
    })
}

/// The message without its unknown fields, at every level; none if it is malformed.
fn without_unknown_fields(message: &[u8], fields: &Fields) -> Option<Vec<u8>> {
    let mut known = Vec::with_capacity(message.len());
    let mut rest = message;
    while !rest.is_empty() {
        let field = RawField::read(&mut rest)?;
        match fields.kind(&field) {
            Some(FieldKind::Varint | FieldKind::Bytes) => known.extend_from_slice(field.bytes),
            Some(FieldKind::Message(fields)) => {
                let inner = without_unknown_fields(field.value, fields)?;
                known.extend_from_slice(field.key_bytes);
                prost::encode_length_delimiter(inner.len(), &mut known).ok()?;
                known.extend(inner);
            }
            None => {}
        }
    }
    Some(known)
}

/// The fields of a message that decodes, in their order: the number of each and whether it is known.
pub(crate) fn numbers(message: &[u8], fields: &'static Fields) -> impl Iterator<Item = (u64, bool)> {
    raw_fields(message).map(|field| (field.number(), fields.kind(&field).is_some()))
}

/// The message that a message of nothing but a oneof of messages holds, and the fields that it has. Occurrences of one
/// member are merged, and another member replaces what was read before, as protobuf defines it.
pub(crate) fn oneof_member(message: &[u8], members: &'static Fields) -> Option<(Vec<u8>, &'static Fields)> {
    let mut held: Option<(u64, Vec<u8>, &'static Fields)> = None;
    for field in raw_fields(message) {
        let Some(FieldKind::Message(fields)) = members.kind(&field) else {
            continue;
        };
        match &mut held {
            Some((number, content, _)) if *number == field.number() => content.extend_from_slice(field.value),
            _ => held = Some((field.number(), field.value.to_vec(), fields)),
        }
    }
    held.map(|(_, content, fields)| (content, fields))
}

/// The fields of a message, up to where it is malformed.
fn raw_fields(message: &[u8]) -> impl Iterator<Item = RawField<'_>> {
    let mut rest = message;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            None
        } else {
            RawField::read(&mut rest)
        }
    })
}

/// Passes over the value of the field with this key. Of a length-delimited one, answers with the content.
fn field_value<'bytes>(rest: &mut &'bytes [u8], key: u64) -> Option<&'bytes [u8]> {
    const LAST_FIELD_NUMBER: u64 = (1 << 29) - 1;
    if !(1..=LAST_FIELD_NUMBER).contains(&(key >> 3)) {
        return None;
    }
    match key & 7 {
        0 => {
            let start = *rest;
            varint(rest)?;
            consumed(start, rest)
        }
        1 => take(rest, 8),
        2 => {
            let length = varint(rest)?;
            take(rest, length)
        }
        3 => group(rest, key),
        5 => take(rest, 4),
        _ => None,
    }
}

/// Passes over a group whose first key was read.
fn group<'bytes>(rest: &mut &'bytes [u8], first_key: u64) -> Option<&'bytes [u8]> {
    let start = *rest;
    let mut open = vec![first_key >> 3];
    while let Some(innermost) = open.last() {
        let key = varint(rest)?;
        match key & 7 {
            3 if open.len() < MAX_GROUP_DEPTH => open.push(key >> 3),
            3 => return None,
            4 if key >> 3 == *innermost => {
                open.pop();
            }
            _ => {
                field_value(rest, key)?;
            }
        }
    }
    consumed(start, rest)
}

fn varint(rest: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for shift in (0..70).step_by(7) {
        let (byte, tail) = rest.split_first()?;
        *rest = tail;
        value |= u64::from(byte & 0x7f) << shift;
        if *byte < 0x80 {
            return Some(value);
        }
    }
    None
}

fn take<'bytes>(rest: &mut &'bytes [u8], length: u64) -> Option<&'bytes [u8]> {
    let (taken, tail) = rest.split_at_checked(usize::try_from(length).ok()?)?;
    *rest = tail;
    Some(taken)
}

/// What stood in front of `rest` in `start`.
fn consumed<'bytes>(start: &'bytes [u8], rest: &[u8]) -> Option<&'bytes [u8]> {
    start.get(..start.len().checked_sub(rest.len())?)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::proto::{PrismObject, SignedPrismOperation};

    #[test]
    fn a_known_number_with_another_wire_type_is_an_unknown_field() {
        // signed_with "a", then fields 1 and 2 as varint, 3 as 4 and 8 bytes, 1 as a group, then the operation.
        let bytes = b"\x0a\x01a\x08\x05\x10\x80\x01\x1d1234\x1912345678\x0b\x13\x08\x01\x14\x0c\x1a\x02ok";
        let signed: SignedPrismOperation = decode(bytes, &PRISM_SIGNEDPRISMOPERATION).unwrap();
        assert_eq!(
            (signed.signed_with.as_str(), signed.operation.concat()),
            ("a", b"ok".to_vec())
        );

        // The same one level down: field 2 of the block as a varint, beside one operation.
        let object: PrismObject = decode(b"\x22\x06\x10\x07\x12\x02ab", &PRISM_PRISMOBJECT).unwrap();
        assert_eq!(object.block_content.unwrap().operations, [b"ab"]);
    }

    #[test]
    fn a_malformed_message_stays_malformed() {
        let deep_groups = [vec![0x7b; 101], vec![0x7c; 101]].concat();
        let messages: [&[u8]; 9] = [
            b"\x0a\x05a",            // shorter than its length
            b"\x08",                 // no value
            b"\x08\x01\x00\x01",     // field number 0
            b"\x08\x01\x0e",         // wire type 6
            b"\x08\x01\x0c",         // the end of a group without its begin
            b"\x08\x01\x0b\x14",     // the end of another group
            b"\x08\x01\x0b",         // a group without an end
            b"\x08\x01\x0a\x01\xff", // not UTF-8
            &deep_groups,
        ];
        for message in messages {
            assert!(
                decode::<SignedPrismOperation>(message, &PRISM_SIGNEDPRISMOPERATION).is_err(),
                "{message:02x?}"
            );
        }
    }
}
