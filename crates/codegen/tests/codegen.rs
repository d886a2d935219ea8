//! What comes out of specs of ten lines with one oddity each, and of the real ones.

#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "helpers of tests fail by panicking, as the tests do"
)]

#[path = "codegen/allowlist.rs"]
mod allowlist;
#[path = "codegen/audit.rs"]
mod audit;
#[path = "codegen/drift.rs"]
mod drift;
#[path = "codegen/emit.rs"]
mod emit;
#[path = "codegen/lint.rs"]
mod lint;
#[path = "codegen/real.rs"]
mod real;
#[path = "codegen/requests.rs"]
mod requests;
#[path = "codegen/schema.rs"]
mod schema;
#[path = "codegen/spec.rs"]
mod spec;
#[path = "codegen/types.rs"]
mod types;
