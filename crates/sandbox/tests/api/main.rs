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
mod insight;
mod jobs;
mod learning;
mod operations;
mod people;
mod sql;
mod statements;
mod unity;
