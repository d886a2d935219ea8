//! MCP over HTTP: what clients of both eras meet, who may do what, and what attackers try.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

mod attacks;
mod callers;
mod consent;
mod errors;
mod health;
mod house;
mod process;
mod protocol;
mod sessions;
mod sse;
mod subscriptions;
mod tasks;
mod traces;
