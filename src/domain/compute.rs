//! Clusters and SQL warehouses: their states, starting and stopping them, running code on a cluster.

pub(crate) mod cluster_events;
pub(crate) mod command;
pub(crate) mod command_result;
pub(crate) mod lifecycle;
pub(crate) mod state;
