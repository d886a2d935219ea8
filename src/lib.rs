//! An MCP server for Databricks, generated from the API's description and an audited allowlist.
//!
//! `build.rs` makes the definitions of tools and resources; [`registry`] holds those that are enabled;
//! [`calls`] runs one call; [`server`] speaks MCP; [`commands`] are for people at a terminal.

mod arguments;
pub mod calls;
pub mod cleanup;
pub mod commands;
pub mod config;
pub mod context;
mod controls;
mod cursor;
pub mod definition;
mod doctor;
pub mod error;
/// The same file as in the generator.
#[path = "../crates/codegen/src/examples.rs"]
mod examples;
mod generated;
pub mod instructions;
pub mod local;
pub mod log;
pub mod media;
/// The same file as in the generator, which is no dependency of the binary.
#[path = "../crates/codegen/src/nearest.rs"]
mod nearest;
mod opening;
mod outcome;
mod parameters;
mod pretty;
pub mod progress;
pub mod registry;
pub mod resources;
/// The same file as in the generator.
#[path = "../crates/codegen/src/risk.rs"]
mod risk;
mod secrets;
pub mod server;
pub mod shape;
mod sql_names;
mod stopping;
mod terminal;
pub mod tools;
pub mod transport;
mod turns;
mod uri;
pub mod workspaces;
