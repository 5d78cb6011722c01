//! A writer of protobuf fields one by one: unknown, repeated, out of order, in over-long form.

/// A length-delimited field: bytes, text or a message.
pub(crate) fn field(number: u32, content: &[u8]) -> Vec<u8> {
    let length = u64::try_from(content.len()).unwrap_or(u64::MAX);
    [varint(u64::from(number << 3 | 2)), varint(length), content.to_vec()].concat()
}

/// A field of a number, in the shortest form.
pub(crate) fn number_field(number: u32, value: u64) -> Vec<u8> {
    [varint(u64::from(number << 3)), varint(value)].concat()
}

/// A field of a number in three bytes more than it needs.
pub(crate) fn over_long_number_field(number: u32, value: u64) -> Vec<u8> {
    let mut field = number_field(number, value);
    if let Some(last) = field.last_mut() {
        *last |= 0x80;
    }
    field.extend([0x80, 0x80, 0x00]);
    field
}

/// A number in the shortest form.
fn varint(mut value: u64) -> Vec<u8> {
    let mut bytes = Vec::new();
    loop {
        let group = u8::try_from(value & 0x7f).unwrap_or(0x7f);
        value >>= 7;
        if value == 0 {
            bytes.push(group);
            return bytes;
        }
        bytes.push(group | 0x80);
    }
}
