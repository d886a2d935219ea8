//! Keys that nobody can guess.

use ring::rand::{SecureRandom as _, SystemRandom};

use crate::error::Error;

/// The bytes of a key.
pub(crate) const KEY_BYTES: usize = 32;

/// A new key, `of` what it is for.
///
/// # Errors
/// When the system gives no random numbers.
pub(crate) fn key(of: &str) -> Result<[u8; KEY_BYTES], Error> {
    let mut bytes = [0; KEY_BYTES];
    SystemRandom::new()
        .fill(&mut bytes)
        .map_err(|_| Error::failed(format!("this system provides no random numbers for the key of {of}")))?;
    Ok(bytes)
}
