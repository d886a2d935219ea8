//! What tools know about Databricks: how runs, statements, clusters and files behave.
//!
//! Tools use these modules, and no module here uses a tool.

pub(crate) mod catalog;
pub(crate) mod compute;
pub(crate) mod files;
pub(crate) mod genie;
pub(crate) mod listing;
pub(crate) mod pipelines;
pub(crate) mod reach;
pub(crate) mod request;
pub(crate) mod runs;
pub(crate) mod sql;
pub(crate) mod text;
pub(crate) mod traces;
pub(crate) mod wait;
