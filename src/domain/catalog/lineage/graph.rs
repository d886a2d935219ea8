//! Tables and columns, and what lies between two of them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::domain::catalog::lineage::names::Names;
use crate::shape;

/// A table, or a column of one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Node {
    pub(crate) table: String,
    pub(crate) column: Option<String>,
}

impl Node {
    fn to_json(&self) -> String {
        match &self.column {
            Some(column) => format!("{}.{column}", self.table),
            None => self.table.clone(),
        }
    }
}

/// Which way to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Direction {
    Upstream,
    Downstream,
}

impl Direction {
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Upstream => "upstream",
            Self::Downstream => "downstream",
        }
    }
}

/// One step away from a table.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Edge {
    /// Where the step begins.
    pub(crate) near: Node,
    /// Where it leads; `None` where something reads or writes the table and no other table is known.
    pub(crate) far: Option<Node>,
    pub(crate) depth: usize,
    /// Ids by kind: `jobs`, `notebooks`, …
    pub(crate) between: BTreeMap<String, BTreeSet<String>>,
    pub(crate) last_seen: Option<String>,
    /// Whether the other table is there and may not be seen.
    pub(crate) is_hidden: bool,
}

impl Edge {
    pub(crate) fn new(near: Node, far: Option<Node>) -> Self {
        Self { near, far, depth: 1, between: BTreeMap::new(), last_seen: None, is_hidden: false }
    }

    /// Adds what makes the step.
    pub(crate) fn add(&mut self, kind: &str, id: impl Into<String>) {
        self.between.entry(kind.to_owned()).or_default().insert(id.into());
    }

    /// The same step, told of once more.
    pub(crate) fn join(&mut self, other: Self) {
        for (kind, ids) in other.between {
            self.between.entry(kind).or_default().extend(ids);
        }
        self.last_seen = self.last_seen.take().max(other.last_seen);
    }

    /// The step as an answer tells it.
    pub(crate) fn to_json(&self, names: &Names) -> Value {
        let mut told = json!({});
        match &self.far {
            Some(far) if self.is_hidden => {
                shape::put(&mut told, "table", far.to_json());
                shape::put(&mut told, "hidden", true);
            }
            Some(far) => {
                shape::put(&mut told, "table", far.table.clone());
                if let Some(column) = &far.column {
                    shape::put(&mut told, "column", column.clone());
                }
            }
            None => {}
        }
        shape::put(&mut told, "depth", self.depth);
        if self.depth > 1 {
            shape::put(&mut told, "of", self.near.to_json());
        }
        for (kind, ids) in &self.between {
            shape::put(&mut told, kind, ids.iter().map(|id| names.to_json(kind, id)).collect::<Vec<_>>());
        }
        if let Some(seen) = &self.last_seen {
            shape::put(&mut told, "last_seen", seen.clone());
        }
        told
    }
}
