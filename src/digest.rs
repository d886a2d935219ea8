//! The SHA-256 of what passes through.

use sha2::{Digest, Sha256};

/// The SHA-256 of what is read, in hexadecimal digits.
#[derive(Debug, Default)]
pub(crate) struct Sha256Hex(Sha256);

impl Sha256Hex {
    pub(crate) fn add(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    pub(crate) fn finish(self) -> String {
        self.0.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}
