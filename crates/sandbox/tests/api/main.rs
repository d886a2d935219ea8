//! The sandbox as a client sees it: over HTTP, one module per area.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

mod areas;
mod catalog;
mod changes;
mod client;
mod clusters;
mod commands;
mod contract;
mod edges;
mod faults;
mod files;
mod flows;
mod jobs;
mod operations;
mod seeds;
mod sql;
mod statements;
