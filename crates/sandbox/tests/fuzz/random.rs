//! Chance that repeats itself.

/// SplitMix64.
#[derive(Debug, Clone)]
pub(crate) struct Random(pub(crate) u64);

impl Random {
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut value = self.0;
        value = (value ^ (value >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        value = (value ^ (value >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        value ^ (value >> 31)
    }

    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap_or(1)).unwrap_or(0)
    }

    /// True once in so many times.
    pub(crate) fn one_in(&mut self, times: usize) -> bool {
        self.below(times) == 0
    }

    pub(crate) fn pick<'a, T>(&mut self, of: &'a [T]) -> Option<&'a T> {
        of.get(self.below(of.len()))
    }
}

/// Texts that trip careless code.
pub(crate) const NASTY: [&str; 30] = [
    "",
    " ",
    "/",
    "//",
    ".",
    "..",
    "../..",
    "%",
    "%zz",
    "a b",
    "é",
    "🚀",
    "\u{0}",
    "\u{202e}",
    "'",
    "\"",
    "`",
    "\\",
    "-1",
    "0",
    "9223372036854775807",
    "-9223372036854775808",
    "99999999999999999999",
    "1e999",
    "NaN",
    "null",
    "true",
    "{}",
    "[]",
    "{{x}}",
];

/// What the samples hold.
pub(crate) const KNOWN: [&str; 24] = [
    "main",
    "main.default",
    "samples.retail.orders",
    "main.sales.top_customers",
    "samples",
    "default",
    "620114300000101",
    "620114300000105",
    "0301-081500-etlmain1",
    "0227-143000-adhoc001",
    "a1b2c3d4e5f60718",
    "/Shared/etl/load_orders",
    "/Shared",
    "/Volumes/main/default/landing/README.md",
    "/Volumes/main/default/landing",
    "etl",
    "sandbox-chat",
    "main.ml.churn_model",
    "jobs",
    "users",
    "catalog",
    "table",
    "main.default.support_articles_index",
    "0a1b2c3d-0001-4000-8000-000000000001",
];
