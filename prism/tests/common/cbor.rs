//! A writer of CBOR (RFC 8949) that also writes what a careful encoder would not.

/// An unsigned integer.
pub(crate) fn uint(value: u64) -> Vec<u8> {
    head(0, value)
}

/// The integer `-1 - value`.
pub(crate) fn negative(value: u64) -> Vec<u8> {
    head(1, value)
}

/// A byte string.
pub(crate) fn bytes(value: &[u8]) -> Vec<u8> {
    [head(2, length(value)), value.to_vec()].concat()
}

/// A text string.
pub(crate) fn text(value: &str) -> Vec<u8> {
    [head(3, length(value.as_bytes())), value.as_bytes().to_vec()].concat()
}

/// An array of encoded items.
pub(crate) fn array(items: &[Vec<u8>]) -> Vec<u8> {
    [head(4, length(items)), items.concat()].concat()
}

/// A map of encoded keys and values, in this order, repeats included.
pub(crate) fn map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    [head(5, length(entries)), flat(entries)].concat()
}

/// A tagged item.
pub(crate) fn tag(number: u64, item: &[u8]) -> Vec<u8> {
    [head(6, number), item.to_vec()].concat()
}

/// A byte string of indefinite length, in these chunks.
pub(crate) fn indefinite_bytes(chunks: &[&[u8]]) -> Vec<u8> {
    let chunks: Vec<_> = chunks.iter().map(|chunk| bytes(chunk)).collect();
    [vec![0x5f], chunks.concat(), vec![0xff]].concat()
}

/// An array of indefinite length.
pub(crate) fn indefinite_array(items: &[Vec<u8>]) -> Vec<u8> {
    [vec![0x9f], items.concat(), vec![0xff]].concat()
}

/// A map of indefinite length.
pub(crate) fn indefinite_map(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    [vec![0xbf], flat(entries), vec![0xff]].concat()
}

fn flat(entries: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
    entries
        .iter()
        .flat_map(|(key, value)| [key.clone(), value.clone()].concat())
        .collect()
}

fn length<T>(items: &[T]) -> u64 {
    u64::try_from(items.len()).unwrap_or(u64::MAX)
}

/// Initial byte and argument, in the shortest form.
fn head(major: u8, argument: u64) -> Vec<u8> {
    let bytes = argument.to_be_bytes();
    let (information, width) = match argument {
        0..=23 => (bytes[7], 0),
        24..=0xff => (24, 1),
        0x100..=0xffff => (25, 2),
        0x1_0000..=0xffff_ffff => (26, 4),
        _ => (27, 8),
    };
    [vec![major << 5 | information], bytes[8 - width..].to_vec()].concat()
}
