//! What a server stores of a password.

use data_encoding::BASE64;
use hmac::digest::InvalidLength;
use hmac::{Hmac, KeyInit, Mac};
use sha2::{Digest, Sha256};

/// What PostgreSQL stores of this password for SCRAM-SHA-256, with one iteration in place of its 4,096: a test connects many
/// times, and iterations protect passwords that can be guessed. The password has to be random, and ASCII.
///
/// The form is that of `pg_authid.rolpassword`, which PostgreSQL takes as it is wherever it takes a password; the keys are those
/// of RFC 5802, section 3.
pub(super) fn of_random_password(password: &str, salt: &[u8]) -> Result<String, InvalidLength> {
    let first_block = [salt, &1_u32.to_be_bytes()].concat();
    let salted_password = hmac(password.as_bytes(), &first_block)?;
    let client_key = hmac(&salted_password, b"Client Key")?;
    let stored_key = Sha256::digest(client_key);
    let server_key = hmac(&salted_password, b"Server Key")?;
    Ok(format!(
        "SCRAM-SHA-256$1:{}${}:{}",
        BASE64.encode(salt),
        BASE64.encode(&stored_key),
        BASE64.encode(&server_key)
    ))
}

fn hmac(key: &[u8], message: &[u8]) -> Result<Vec<u8>, InvalidLength> {
    let mut mac = Hmac::<Sha256>::new_from_slice(key)?;
    mac.update(message);
    Ok(mac.finalize().into_bytes().to_vec())
}
