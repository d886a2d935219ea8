//! The functions that turn an operation's answer into a resource: one file for each `read` of the allowlist, found by
//! the build.

include!(concat!(env!("OUT_DIR"), "/readers.rs"));
