//! What comes out of specs of ten lines with one oddity each, and of the real ones.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

mod allowlist;
mod audit;
mod confirm;
mod drift;
mod emit;
mod lint;
mod prompts;
mod real;
mod requests;
mod schema;
mod spec;
mod types;
mod undocumented;
