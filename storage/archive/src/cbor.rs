//! Deterministic CBOR (RFC 8949, section 4.2.1), of the few types that the format has.
//!
//! Reading takes exactly what writing gives: whoever has decoded a value encodes it again and compares ([`decode_exact`]), so that
//! no second encoding of the same value is ever accepted.

use minicbor::{Decoder, Encoder};

use crate::tree::Hash;

/// Bytes that are not what the format says, and how.
pub(crate) type Malformed = String;

/// Writes a value to the end of a buffer.
pub(crate) struct Writer<'a>(Encoder<&'a mut Vec<u8>>);

impl<'a> Writer<'a> {
    pub(crate) fn new(buffer: &'a mut Vec<u8>) -> Self {
        Self(Encoder::new(buffer))
    }

    // A buffer in memory takes everything, so that none of these ever fails.

    pub(crate) fn array(&mut self, length: u64) -> &mut Self {
        let _ = self.0.array(length);
        self
    }

    pub(crate) fn unsigned(&mut self, value: u64) -> &mut Self {
        let _ = self.0.u64(value);
        self
    }

    pub(crate) fn signed(&mut self, value: i64) -> &mut Self {
        let _ = self.0.i64(value);
        self
    }

    pub(crate) fn bytes(&mut self, value: &[u8]) -> &mut Self {
        let _ = self.0.bytes(value);
        self
    }

    pub(crate) fn text(&mut self, value: &str) -> &mut Self {
        let _ = self.0.str(value);
        self
    }

    pub(crate) fn null(&mut self) -> &mut Self {
        let _ = self.0.null();
        self
    }
}

/// Reads values one after another.
pub(crate) struct Reader<'a>(Decoder<'a>);

impl<'a> Reader<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Self(Decoder::new(bytes))
    }

    pub(crate) fn position(&self) -> usize {
        self.0.position()
    }

    pub(crate) fn is_at_end(&self) -> bool {
        self.0.position() >= self.0.input().len()
    }

    /// The length of an array, at most `most`.
    pub(crate) fn array(&mut self, what: &str, most: u64) -> Result<u64, Malformed> {
        match self.0.array() {
            Ok(Some(length)) if length <= most => Ok(length),
            _ => Err(format!("{what} is not an array of at most {most} items")),
        }
    }

    /// An array of exactly this length.
    pub(crate) fn tuple(&mut self, what: &str, length: u64) -> Result<(), Malformed> {
        match self.0.array() {
            Ok(Some(found)) if found == length => Ok(()),
            _ => Err(format!("{what} is not an array of {length} items")),
        }
    }

    pub(crate) fn unsigned(&mut self, what: &str) -> Result<u64, Malformed> {
        self.0.u64().map_err(|_| format!("{what} is not an unsigned integer"))
    }

    pub(crate) fn signed(&mut self, what: &str) -> Result<i64, Malformed> {
        self.0.i64().map_err(|_| format!("{what} is not an integer"))
    }

    pub(crate) fn bytes(&mut self, what: &str) -> Result<&'a [u8], Malformed> {
        self.0.bytes().map_err(|_| format!("{what} is not a byte string"))
    }

    pub(crate) fn text(&mut self, what: &str) -> Result<&'a str, Malformed> {
        self.0.str().map_err(|_| format!("{what} is not a text"))
    }

    pub(crate) fn hash(&mut self, what: &str) -> Result<Hash, Malformed> {
        let bytes = self.bytes(what)?;
        let bytes = bytes.try_into().map_err(|_| format!("{what} is not 32 bytes long"))?;
        Ok(Hash::new(bytes))
    }

    /// Takes a null, if one comes.
    pub(crate) fn null(&mut self) -> bool {
        let comes = matches!(self.0.datatype(), Ok(minicbor::data::Type::Null));
        comes && self.0.null().is_ok()
    }
}

/// Decodes the one value that these bytes are, in the one encoding that it has.
pub(crate) fn decode_exact<T>(
    bytes: &[u8],
    decode: impl FnOnce(&mut Reader<'_>) -> Result<T, Malformed>,
    encode: impl FnOnce(&T, &mut Writer<'_>),
) -> Result<T, Malformed> {
    let value = decode(&mut Reader::new(bytes))?;
    let mut encoded = Vec::with_capacity(bytes.len());
    encode(&value, &mut Writer::new(&mut encoded));
    if encoded == bytes {
        Ok(value)
    } else {
        Err("it is not in the deterministic encoding, or followed by further bytes".to_owned())
    }
}
