//! The sandbox as a client sees it: over HTTP, one module per area.
#![expect(clippy::indexing_slicing, reason = "helpers of tests are not \"in tests\" for clippy")]

mod agreement;
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
mod formats;
mod insight;
mod jobs;
mod learning;
mod lineage;
mod mutations;
mod nan;
mod operations;
mod people;
mod queries;
mod read_files;
mod results;
mod safety;
mod seeds;
mod semantics;
mod sql;
mod statements;
mod traces;
mod unity;
mod warehouses;
