//! The SQL engine: Databricks SQL is parsed, checked against the catalog, compiled to SQLite's
//! dialect with every type known, and run in memory.
//!
//! `parse` reads the text, after `rewrite` and `quotes` made it what the parser of `dialect` takes; `commands` answers SHOW,
//! DESCRIBE and GRANT from the catalog; `query`, `relation`, `select`, `expr` and `functions` compile; `ddl`, `dml` and
//! `merge` change tables and catalog together; `runtime` gives SQLite the functions it lacks; `render` writes values as
//! the API does.

mod aggregates;
mod cancel;
mod commands;
mod compile;
mod datetime_patterns;
mod ddl;
mod dialect;
mod dml;
mod engine;
mod error;
mod expr;
mod files;
mod functions;
mod generate;
mod grouping;
mod information;
mod intervals;
mod keys;
mod literals;
mod matching;
mod merge;
mod named_windows;
mod operators;
mod origins;
mod parse;
mod patience;
mod pivot;
mod query;
mod quotes;
mod recursive;
mod relation;
mod render;
mod rewrite;
mod runtime;
mod select;
mod session;
mod temporal;
mod travel;
mod types;
mod using;
mod window;

pub(crate) use cancel::Cancel;
pub(crate) use commands::use_target;
pub(crate) use ddl::definitions;
pub(crate) use engine::{Engine, Limits, Table, sleep_millis};
pub(crate) use error::SqlError;
pub(crate) use information::{SCHEMA as INFORMATION_SCHEMA, relations};
pub(crate) use origins::Origins;
pub(crate) use session::{Session, TemporaryViews};
pub(crate) use types::{Column, Type};
