//! The definitions that `build.rs` generates from `specs/` and `allowlist/`.

include!(concat!(env!("OUT_DIR"), "/tools.rs"));
