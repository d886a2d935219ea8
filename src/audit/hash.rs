//! Hashes of lines, and keyed hashes of values that must not be readable in the log.

use std::ffi::OsString;
use std::fs::OpenOptions;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use ring::hmac;

use super::file::private;
use crate::digest::Sha256Hex;
use crate::error::Error;
use crate::random;

/// Bytes of a key.
const LENGTH: usize = random::KEY_BYTES;

/// The SHA-256 of a line, without the sign that ends it.
pub(super) fn of(line: &[u8]) -> String {
    let mut digest = Sha256Hex::default();
    digest.add(line);
    digest.finish()
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The key of the hashes of values.
#[derive(Debug)]
pub(super) struct Key {
    key: hmac::Key,
    fingerprint: String,
}

impl Key {
    fn new(bytes: &[u8]) -> Self {
        let fingerprint: String = of(bytes).chars().take(16).collect();
        Self { key: hmac::Key::new(hmac::HMAC_SHA256, bytes), fingerprint }
    }

    /// A key that ends with the process.
    pub(super) fn random() -> Result<Self, Error> {
        Ok(Self::new(&random::key("the audit log")?))
    }

    /// The key of a log, which is made where there is none.
    pub(super) fn beside(log: &Path) -> Result<Self, Error> {
        let mut name = OsString::from(log);
        name.push(".key");
        let path = PathBuf::from(name);
        let failed = |error: io::Error| {
            Error::failed(format!("cannot use the key of the audit log, `{}`: {error}", path.display()))
        };
        match std::fs::read(&path) {
            Ok(bytes) if bytes.len() == LENGTH => return Ok(Self::new(&bytes)),
            Ok(bytes) => {
                let message =
                    format!("`{}` is not the key of an audit log: it has {} bytes", path.display(), bytes.len());
                return Err(Error::failed(message).with_hint(
                    "remove it; the server then makes a new key, and the same \
                    values get other hashes than before",
                ));
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(failed(error)),
        }
        let bytes = random::key("the audit log")?;
        let mut options = OpenOptions::new();
        options.write(true).create_new(true);
        private(&mut options);
        let written = options.open(&path).and_then(|mut file| file.write_all(&bytes));
        written.map_err(failed)?;
        Ok(Self::new(&bytes))
    }

    /// Tells keys apart without telling them.
    pub(super) fn fingerprint(&self) -> &str {
        &self.fingerprint
    }

    pub(super) fn hash(&self, value: &[u8]) -> String {
        format!("hmac-sha256:{}", hexadecimal(hmac::sign(&self.key, value).as_ref()))
    }
}
