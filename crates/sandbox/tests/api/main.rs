//! The sandbox as a client sees it: over HTTP, one module per area.

mod areas;
mod catalog;
mod changes;
mod client;
mod clusters;
mod contract;
mod edges;
mod faults;
mod files;
mod jobs;
mod mutations;
mod operations;
mod queries;
mod results;
mod sql;
mod statements;
