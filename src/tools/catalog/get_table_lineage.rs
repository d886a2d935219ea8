//! `get_table_lineage`: what a table or column is made of, what is made of it, and by which jobs, notebooks,
//! pipelines and dashboards.

use std::collections::{BTreeMap, BTreeSet};

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::catalog::lineage::graph::{Direction, Edge, Node};
use crate::domain::catalog::lineage::names::Names;
use crate::domain::catalog::lineage::source::Source;
use crate::domain::catalog::table_name;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

/// Tables or columns whose neighbours are asked for; each is a request to an API that takes few.
const MOST_LOOKUPS: usize = 40;

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Three-part name, from `search_tables`.
    full_name: String,
    /// Only this column of it.
    column_name: Option<String>,
    /// Which way to follow.
    #[serde(default)]
    direction: Wanted,
    /// Steps away from the table.
    #[serde(default = "default_depth")]
    #[schemars(range(min = 1, max = 5))]
    depth: usize,
    /// SQL warehouse for `system.access`, if the lineage API is closed; if unset, a running one.
    warehouse_id: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Wanted {
    Upstream,
    Downstream,
    #[default]
    Both,
}

fn default_depth() -> usize {
    1
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    table_name::check(&input.full_name)?;
    let root = Node { table: input.full_name.clone(), column: input.column_name.clone() };
    let mut source = Source::open(&context, &root, input.warehouse_id.clone()).await?;
    let mut answer = json!({ "full_name": input.full_name });
    if let Some(column) = &input.column_name {
        shape::put(&mut answer, "column_name", column.clone());
    }
    let mut walks = Vec::new();
    for (wanted, direction) in [(Wanted::Upstream, Direction::Upstream), (Wanted::Downstream, Direction::Downstream)] {
        if input.direction == wanted || input.direction == Wanted::Both {
            walks.push((direction, walk(&context, &mut source, &root, direction, input.depth).await?));
        }
    }
    let names = Names::look_up(&context, walks.iter().flat_map(|(_, walk)| &walk.edges)).await;
    for (direction, walk) in &walks {
        let steps = walk.edges.iter().map(|edge| edge.to_json(&names));
        shape::put(&mut answer, direction.name(), steps.collect::<Vec<_>>());
    }
    shape::put(&mut answer, "source", source.name());
    if walks.iter().any(|(_, walk)| walk.is_cut) {
        shape::put(&mut answer, "truncated", true);
        let hint = "more tables than can be followed at once: lower `depth`, or continue from one of these";
        shape::put(&mut answer, "hint", hint);
    }
    if walks.iter().all(|(_, walk)| walk.edges.is_empty()) {
        let hint = "nothing is recorded: lineage shows what ran recently on Unity Catalog, and a misspelt name has \
                    none; check the name with `search_tables`";
        shape::put(&mut answer, "hint", hint);
    }
    if names.is_cut {
        shape::advise(&mut answer, "not all names were looked up: lower `depth`, or ask for one `direction`");
    }
    source.put(&mut answer);
    shape::exact(&mut answer);
    let cuts = shape::fit(&mut answer, context.budget);
    shape::notice(&mut answer, cuts, "ask for one `direction` and a lower `depth`");
    Ok(answer)
}

/// What a walk came across.
struct Walk {
    edges: Vec<Edge>,
    is_cut: bool,
}

/// Goes in one direction, level by level. Nothing is asked twice, so circles end.
async fn walk(
    context: &Context,
    source: &mut Source,
    root: &Node,
    direction: Direction,
    depth: usize,
) -> Result<Walk, Error> {
    let (mut seen, mut level) = (BTreeSet::from([root.clone()]), vec![root.clone()]);
    let mut found: BTreeMap<(usize, Node, Option<Node>), Edge> = BTreeMap::new();
    let (mut lookups, mut is_cut) = (0, false);
    for step in 1..=depth {
        let room = MOST_LOOKUPS.saturating_sub(lookups);
        is_cut |= level.len() > room;
        level.truncate(room);
        if level.is_empty() {
            break;
        }
        lookups += level.len();
        context.progress.report(format!("{}: {} to follow at step {step}", direction.name(), level.len()));
        let edges = source.edges(context, &level, direction).await?;
        level.clear();
        for mut edge in edges {
            edge.depth = step;
            if let Some(far) = &edge.far
                && !edge.is_hidden
                && seen.insert(far.clone())
            {
                level.push(far.clone());
            }
            let key = (step, edge.near.clone(), edge.far.clone());
            match found.get_mut(&key) {
                Some(known) => known.join(edge),
                None => {
                    found.insert(key, edge);
                }
            }
        }
    }
    Ok(Walk { edges: found.into_values().collect(), is_cut })
}
