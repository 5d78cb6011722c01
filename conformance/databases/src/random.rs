//! Names and passwords that nobody else has.

use std::fs::File;
use std::io::Read;

use data_encoding::HEXLOWER;

use crate::{Error, Result};

/// `N` random bytes from the operating system, as `2 * N` lower-case hexadecimal digits.
pub(crate) fn hexadecimal<const N: usize>() -> Result<String> {
    let mut bytes = [0; N];
    File::open("/dev/urandom")
        .and_then(|mut source| source.read_exact(&mut bytes))
        .map_err(Error::io("read random bytes from /dev/urandom"))?;
    Ok(HEXLOWER.encode(&bytes))
}
