//! An MCP server for Databricks, generated from the API's description and an audited allowlist.
//!
//! `build.rs` makes the definitions of tools and resources; [`registry`] holds those that are enabled;
//! [`calls`] runs one call; [`server`] speaks MCP; [`cli`] is for people at a terminal.

mod arguments;
pub mod audit;
pub mod cache;
pub mod caller;
pub mod calls;
pub mod cleanup;
pub mod cli;
/// The same file as in the generator.
#[path = "../crates/codegen/src/completes.rs"]
mod completes;
pub mod completions;
pub mod config;
/// The same file as in the generator.
#[path = "../crates/codegen/src/confirm.rs"]
mod confirm;
mod connect;
pub mod consent;
pub mod context;
mod controls;
mod cursor;
pub mod definition;
mod digest;
pub mod directory;
mod domain;
mod embedded;
pub mod error;
/// The same file as in the generator.
#[path = "../crates/codegen/src/examples.rs"]
mod examples;
mod generated;
mod globs;
pub mod handover;
pub mod images;
mod input;
pub mod local;
pub mod log;
pub mod metrics;
/// The same file as in the generator, which is no dependency of the binary.
#[path = "../crates/codegen/src/nearest.rs"]
mod nearest;
mod operation;
pub mod policy;
pub mod progress;
pub mod prompts;
mod quoting;
mod random;
mod readers;
pub mod registry;
mod reload;
pub mod resources;
/// The same file as in the generator.
#[path = "../crates/codegen/src/risk.rs"]
mod risk;
pub mod seal;
mod search;
pub mod server;
pub mod shape;
pub mod surface;
mod text_file;
pub mod tools;
pub mod traces;
pub mod transport;
mod uri;
mod watching;
pub mod workspaces;
/// The same file as in the generator.
#[expect(dead_code, unreachable_pub, reason = "the generator reads more, and gives it to other crates")]
#[path = "../crates/codegen/src/yaml.rs"]
mod yaml;
