//! Lineage: which tables, jobs, notebooks and dashboards a table gets its data from, and which read it.

pub(crate) mod graph;
pub(crate) mod names;
pub(crate) mod source;
