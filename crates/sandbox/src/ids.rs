//! Ids that look like Databricks' own and are the same at every start, and secrets, which are not.

use std::sync::atomic::{AtomicU64, Ordering};

use jiff::Timestamp;

/// 32 hexadecimal digits that nobody can guess.
pub(crate) fn secret() -> Result<String, getrandom::Error> {
    let mut bytes = [0; 16];
    getrandom::fill(&mut bytes)?;
    Ok(bytes.iter().map(|byte| format!("{byte:02x}")).collect())
}

#[derive(Debug)]
pub(crate) struct Ids(AtomicU64);

impl Ids {
    pub(crate) fn new() -> Self {
        Self(AtomicU64::new(1))
    }

    fn next(&self) -> u64 {
        mix(self.0.fetch_add(1, Ordering::Relaxed))
    }

    /// A job or run id: fifteen digits, below 2^53.
    pub(crate) fn number(&self) -> i64 {
        100_000_000_000_000 + i64::try_from(self.next() % 900_000_000_000_000).unwrap_or_default()
    }

    /// A 16-digit hexadecimal id, as warehouses have.
    pub(crate) fn hex16(&self) -> String {
        format!("{:016x}", self.next())
    }

    /// `MMDD-hhmmss-xxxxxxxx`, as clusters have.
    pub(crate) fn cluster(&self, now: i64) -> String {
        let when = Timestamp::from_millisecond(now).unwrap_or_default().strftime("%m%d-%H%M%S").to_string();
        let mut rest = self.next();
        let mut suffix = String::with_capacity(8);
        for _ in 0..8 {
            suffix.push(char::from_digit(u32::try_from(rest % 36).unwrap_or_default(), 36).unwrap_or('0'));
            rest /= 36;
        }
        format!("{when}-{suffix}")
    }

    /// A statement id: `01f0…`, in the form of a UUID of version 1.
    pub(crate) fn statement(&self) -> String {
        let (a, b) = (self.next(), self.next());
        format!(
            "01f0{:04x}-{:04x}-1{:03x}-{:04x}-{:012x}",
            a & 0xffff,
            (a >> 16) & 0xffff,
            (a >> 32) & 0xfff,
            0x8000 | ((a >> 44) & 0x3fff),
            b & 0xffff_ffff_ffff
        )
    }

    /// A random-looking UUID of version 4.
    pub(crate) fn uuid(&self) -> String {
        uuid_of(self.next(), self.next())
    }
}

/// A UUID of version 4 that two numbers make.
pub(crate) fn uuid_of(a: u64, b: u64) -> String {
    format!(
        "{:08x}-{:04x}-4{:03x}-{:04x}-{:012x}",
        a & 0xffff_ffff,
        (a >> 32) & 0xffff,
        (a >> 48) & 0xfff,
        0x8000 | (b & 0x3fff),
        (b >> 16) & 0xffff_ffff_ffff
    )
}

/// SplitMix64: spreads a counter over all values.
pub(crate) fn mix(seed: u64) -> u64 {
    let mut value = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
    value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
    value ^ (value >> 31)
}
