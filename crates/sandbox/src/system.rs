//! The `system` catalog: what the platform tells about itself, from the same state that the API shows.
//!
//! Derived: the columns are those that the documentation names and the sandbox can fill; the real tables lag by hours,
//! these are as fresh as the statement that reads them.

mod billing;
mod compute;
mod lakeflow;
mod lineage;
mod query;

use rusqlite::types::Value;

use crate::sql::definitions;
use crate::workspace::catalog::{Node, Table};
use crate::workspace::{USER, Workspace, lock};

pub(crate) const ACCOUNT: &str = "5f2c8a14-7d3b-4e69-9b1f-0c6d2e8a4b73";
const METASTORE: &str = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed";
const CLOUD: &str = "AWS";
const HOUR: i64 = 3_600_000;

type Row = Vec<Value>;

/// A table of the catalog and where its rows come from.
struct Source {
    name: [&'static str; 2],
    comment: &'static str,
    columns: &'static str,
    rows: fn(&Workspace) -> Vec<Row>,
    /// Whether it changes with the workspace.
    live: bool,
}

fn sources() -> impl Iterator<Item = &'static Source> {
    [billing::SOURCES, lineage::SOURCES, lakeflow::SOURCES, query::SOURCES, compute::SOURCES].into_iter().flatten()
}

/// Makes all tables, once the workspace has what they tell of.
pub(crate) fn fill(workspace: &Workspace) -> Result<(), String> {
    for source in sources() {
        let columns = definitions(source.columns).map_err(|error| error.message)?;
        let [schema, table] = source.name;
        let name = ["system", schema, table].map(str::to_owned);
        let at = workspace.clock.epoch() - 60 * crate::seed::DAY;
        let node = Node {
            id: workspace.ids.uuid(),
            owner: USER.to_owned(),
            comment: Some(source.comment.to_owned()),
            created_at: at,
            updated_at: at,
            ..Node::default()
        };
        workspace
            .engine
            .load(&name.join("."), &columns, (source.rows)(workspace).into_iter())
            .map_err(|error| error.message)?;
        let table = Table { name, node, kind: "MANAGED", columns, view_definition: None };
        lock(&workspace.catalog).tables.insert(table.name.clone(), table);
    }
    Ok(())
}

/// Brings the tables up to date for a statement that may read them.
pub(crate) fn refresh(workspace: &Workspace, sql: &str) {
    let sql = sql.to_ascii_lowercase();
    if !sql.contains("system") {
        return;
    }
    for source in sources().filter(|source| source.live) {
        let [schema, table] = source.name;
        // Each takes as long as there is much to tell. A name that is computed may be that of any.
        if !sql.contains(table) && !sql.contains("identifier") {
            continue;
        }
        // A table that cannot be filled again keeps its rows.
        let _ = workspace.engine.refill(&format!("system.{schema}.{table}"), (source.rows)(workspace).into_iter());
    }
}

fn text(value: impl Into<String>) -> Value {
    Value::Text(value.into())
}

fn optional(value: Option<impl Into<String>>) -> Value {
    value.map_or(Value::Null, text)
}

fn whole(value: impl TryInto<i64>) -> Value {
    Value::Integer(value.try_into().unwrap_or(i64::MAX))
}

/// A TIMESTAMP from milliseconds.
fn at(millis: i64) -> Value {
    Value::Integer(millis.saturating_mul(1000))
}

/// The DATE of an instant.
fn day(millis: i64) -> Value {
    Value::Integer(millis.div_euclid(crate::seed::DAY))
}

fn account() -> Value {
    text(ACCOUNT)
}

fn workspace_id(workspace: &Workspace) -> Value {
    text(workspace.id().to_string())
}
