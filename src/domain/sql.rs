//! SQL: warehouses, statements and their results, the check that a statement only reads, costs.

pub(crate) mod costs;
pub(crate) mod plan_hints;
pub(crate) mod read_only;
pub(crate) mod statement;
pub(crate) mod warehouse;
