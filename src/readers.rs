//! The functions that make a resource of an operation's answer: one file for each `read` of the allowlist, found by the build.

include!(concat!(env!("OUT_DIR"), "/readers.rs"));
