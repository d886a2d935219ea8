//! The sandbox as a client sees it: over HTTP, one module per area.

mod catalog;
mod client;
mod clusters;
mod edges;
mod files;
mod jobs;
mod sql;
mod statements;
