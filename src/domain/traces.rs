//! Traces of MLflow: where they are kept, and what is told of a trace and of its spans.

pub(crate) mod info;
pub(crate) mod place;
pub(crate) mod search;
pub(crate) mod source;
pub(crate) mod span;
