//! Where lineage comes from: the lineage API, or else the system tables, which need a warehouse and grants.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use databricks::requests::lineage_tracking::{ColumnLineage, TableLineage};
use serde_json::Value;

use crate::context::Context;
use crate::domain::catalog::lineage::graph::{Direction, Edge, Node};
use crate::domain::request;
use crate::domain::sql::statement::{self, StatementRequest};
use crate::domain::sql::warehouse::{self, Warehouse};
use crate::error::Error;
use crate::shape;

/// Days of events that the system tables are searched for.
const DAYS: u32 = 90;
const MOST_ROWS: usize = 2_000;
/// How long one level may take there.
const SECONDS: u64 = 45;
/// What people call the kinds of things that read and write tables, by their names in both sources.
const KINDS: [(&str, &str); 11] = [
    ("notebookInfos", "notebooks"),
    ("jobInfos", "jobs"),
    ("pipelineInfos", "pipelines"),
    ("dashboardInfos", "dashboards"),
    ("queryInfos", "queries"),
    ("NOTEBOOK", "notebooks"),
    ("JOB", "jobs"),
    ("PIPELINE", "pipelines"),
    ("DASHBOARD_V3", "dashboards"),
    ("DBSQL_DASHBOARD", "dashboards"),
    ("DBSQL_QUERY", "queries"),
];

/// Where the edges come from.
pub(crate) enum Source {
    /// The API, with the answers it has given: each tells of both directions.
    Api(BTreeMap<Node, Value>),
    /// `system.access`, through a warehouse.
    Tables(Warehouse),
}

impl Source {
    /// The API where it answers for the first table.
    pub(crate) async fn open(context: &Context, root: &Node, warehouse_id: Option<String>) -> Result<Self, Error> {
        match fetch(context, root).await {
            Ok(answer) => Ok(Self::Api(BTreeMap::from([(root.clone(), answer)]))),
            Err(error) if error.api().is_some_and(falls_back) => {
                let Ok(Some(warehouse)) = warehouse::running(context, warehouse_id).await else {
                    return Err(error.with_hint(
                        "the lineage API does not answer; give a `warehouse_id` to read `system.access` instead",
                    ));
                };
                Ok(Self::Tables(warehouse))
            }
            Err(error) => Err(error),
        }
    }

    pub(crate) fn name(&self) -> String {
        match self {
            Self::Api(_) => "lineage API".to_owned(),
            Self::Tables(_) => format!("system.access, the last {DAYS} days"),
        }
    }

    /// Says which warehouse was used, or what the API does not tell.
    pub(crate) fn put(&self, answer: &mut Value) {
        match self {
            Self::Tables(warehouse) => warehouse.put(answer),
            Self::Api(_) if answer.get("column_name").is_some() => {
                let note = "jobs, notebooks and so on are those between the tables; they may move other columns";
                shape::put(answer, "note", note);
            }
            Self::Api(_) => {}
        }
    }

    /// The steps that lead away from these.
    pub(crate) async fn edges(
        &mut self,
        context: &Context,
        nodes: &[Node],
        direction: Direction,
    ) -> Result<Vec<Edge>, Error> {
        match self {
            Self::Api(known) => {
                let mut edges = Vec::new();
                for node in nodes {
                    let mut found = from_api(node, look_up(context, known, node).await?, direction);
                    if node.column.is_some() && !found.is_empty() {
                        let table = Node { table: node.table.clone(), column: None };
                        // Columns are worth having without what lies between them.
                        if let Ok(answer) = look_up(context, known, &table).await {
                            between_tables(&mut found, &from_api(&table, answer, direction));
                        }
                    }
                    edges.extend(found);
                }
                Ok(edges)
            }
            Self::Tables(warehouse) => from_tables(context, warehouse, nodes, direction).await,
        }
    }
}

/// The API is not part of every workspace, and may be closed to those who may read the system tables.
fn falls_back(error: &databricks::Error) -> bool {
    error.is_permission_denied() || error.error_code() == Some("ENDPOINT_NOT_FOUND") || error.status() == Some(501)
}

/// What the API tells of a table or column, asked for once.
async fn look_up<'a>(context: &Context, known: &'a mut BTreeMap<Node, Value>, node: &Node) -> Result<&'a Value, Error> {
    Ok(match known.entry(node.clone()) {
        Entry::Occupied(entry) => entry.into_mut(),
        Entry::Vacant(entry) => entry.insert(fetch(context, node).await?),
    })
}

/// Adds to steps from column to column what lies between their tables, as the API tells of nothing nearer.
fn between_tables(columns: &mut [Edge], tables: &[Edge]) {
    let table = |edge: &Edge| edge.far.as_ref().map(|far| far.table.to_lowercase());
    for column in columns {
        let far = table(column);
        for step in tables.iter().filter(|step| table(step) == far) {
            column.join(step.clone());
        }
    }
}

async fn fetch(context: &Context, node: &Node) -> Result<Value, Error> {
    match &node.column {
        Some(column) => context.send(ColumnLineage::new(node.table.as_str(), column.as_str())).await,
        None => context.send(TableLineage::new(node.table.as_str()).include_entity_lineage(true)).await,
    }
}

fn from_api(near: &Node, answer: &Value, direction: Direction) -> Vec<Edge> {
    if near.column.is_some() {
        let columns = request::array(answer, &format!("{}_cols", direction.name()));
        let edges = columns.iter().filter_map(|column| {
            let far = Node {
                table: full_name(column, "table_name")?,
                column: Some(request::text(column, "name")?.to_owned()),
            };
            let mut edge = Edge::new(near.clone(), Some(far));
            edge.is_hidden = is_hidden(column);
            Some(edge)
        });
        return edges.collect();
    }
    let steps = request::array(answer, &format!("{}s", direction.name()));
    let edges = steps.iter().map(|step| {
        let table = step.get("tableInfo");
        let far = table.and_then(|table| full_name(table, "name"));
        let mut edge = Edge::new(near.clone(), far.map(|table| Node { table, column: None }));
        edge.is_hidden = table.is_some_and(is_hidden);
        edge.last_seen = table.and_then(|table| request::text(table, "lineage_timestamp")).map(str::to_owned);
        for (field, infos) in step.as_object().into_iter().flatten() {
            if !field.ends_with("Infos") {
                continue;
            }
            for info in infos.as_array().into_iter().flatten() {
                if let Some(id) = id(info) {
                    edge.add(kind(field), id);
                }
            }
        }
        edge
    });
    edges.filter(|edge| edge.far.is_some() || !edge.between.is_empty()).collect()
}

fn is_hidden(info: &Value) -> bool {
    info.get("has_permission").and_then(Value::as_bool) == Some(false)
}

fn kind(name: &str) -> &str {
    KINDS.iter().find(|(known, _)| *known == name).map_or("others", |(_, kind)| kind)
}

fn full_name(table: &Value, name: &str) -> Option<String> {
    let part = |field: &str| request::text(table, field);
    Some(format!("{}.{}.{}", part("catalog_name")?, part("schema_name")?, part(name)?))
}

/// The id of a job, notebook and so on: the one field named so, besides the workspace's.
fn id(info: &Value) -> Option<String> {
    let fields = info.as_object()?;
    let is_own = |name: &str| name.ends_with("_id") && name != "workspace_id";
    let (_, id) = fields.iter().find(|(name, id)| is_own(name) && !id.is_null())?;
    Some(id.as_str().map_or_else(|| id.to_string(), str::to_owned))
}

async fn from_tables(
    context: &Context,
    warehouse: &Warehouse,
    nodes: &[Node],
    direction: Direction,
) -> Result<Vec<Edge>, Error> {
    let (near, far) = match direction {
        Direction::Upstream => ("target", "source"),
        Direction::Downstream => ("source", "target"),
    };
    let has_columns = nodes.iter().any(|node| node.column.is_some());
    let (relation, columns) = if has_columns {
        ("column_lineage", format!(", {near}_column_name AS near_column, {far}_column_name AS far_column"))
    } else {
        ("table_lineage", String::new())
    };
    let (mut tests, mut values) = (Vec::new(), Vec::new());
    for (index, node) in nodes.iter().enumerate() {
        let mut test = format!("{near}_table_full_name = :t{index}");
        values.push((format!("t{index}"), node.table.clone()));
        if let Some(column) = &node.column {
            test.push_str(&format!(" AND {near}_column_name = :c{index}"));
            values.push((format!("c{index}"), column.clone()));
        }
        tests.push(format!("({test})"));
    }
    // The date comes first: the tables are laid out by it.
    let sql = format!(
        "SELECT DISTINCT {near}_table_full_name AS near, {far}_table_full_name AS far, entity_type, entity_id, \
         CAST(event_date AS STRING) AS seen{columns} FROM system.access.{relation} \
         WHERE event_date >= date_sub(current_date(), {DAYS}) AND ({}) LIMIT {MOST_ROWS}",
        tests.join(" OR ")
    );
    let values: Vec<_> = values.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
    let request = StatementRequest::new(sql, &values);
    let advice = "the warehouse may still be starting: call again, or give one that is running in `warehouse_id`";
    let table = match statement::table_in_time(context, warehouse, &request, SECONDS, advice).await {
        Ok(table) => table,
        Err(error) if statement::lacks_access(&error) => {
            let message =
                format!("lineage cannot be read from `system.access.{relation}`: {}", statement::head(&error));
            return Err(Error::failed(message).with_hint(
                "an administrator must enable the schema `access`, and grant USE CATALOG on `system`, USE SCHEMA and \
                 SELECT on `system.access`",
            ));
        }
        Err(error) => return Err(error),
    };
    let edges = table.rows.iter().map(|row| {
        let text = |column: &str| table.cell(row, column).map(str::to_owned);
        let node = |table: Option<String>, column| Some(Node { table: table?, column });
        let begin =
            node(text("near"), text("near_column")).unwrap_or_else(|| Node { table: String::new(), column: None });
        let mut edge = Edge::new(begin, node(text("far"), text("far_column")));
        edge.last_seen = text("seen");
        if let (Some(kind), Some(id)) = (text("entity_type"), text("entity_id")) {
            edge.add(self::kind(&kind), id);
        }
        edge
    });
    Ok(edges.filter(|edge| edge.far.is_some() || !edge.between.is_empty()).collect())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{Direction, Node, from_api};
    use crate::domain::catalog::lineage::names::Names;

    #[test]
    fn steps_of_the_api_keep_what_lies_between() {
        let near = Node { table: "main.sales.orders".into(), column: None };
        let answer = json!({
            "upstreams": [
                {
                    "tableInfo": { "name": "raw", "catalog_name": "main", "schema_name": "landing", "lineage_timestamp": "2026-01-02" },
                    "jobInfos": [{ "workspace_id": 1, "job_id": 9007199254740993_i64 }],
                    "notebookInfos": [{ "workspace_id": 1, "notebook_id": 7 }],
                    "pipelineInfos": null,
                },
                { "tableInfo": { "name": "x", "catalog_name": "c", "schema_name": "s", "has_permission": false } },
                { "fileInfo": { "path": "s3://…" } },
            ],
            "downstreams": [{ "dashboardInfos": [{ "workspace_id": 1, "dashboard_id": "01ef" }] }],
        });
        let told = |direction| {
            let edges = from_api(&near, &answer, direction);
            edges.iter().map(|edge| edge.to_json(&Names::default())).collect::<Vec<_>>()
        };
        assert_eq!(
            told(Direction::Upstream),
            [
                json!({
                    "table": "main.landing.raw", "depth": 1, "jobs": [{ "id": "9007199254740993" }],
                    "notebooks": [{ "id": "7" }],
                    "last_seen": "2026-01-02",
                }),
                json!({ "table": "c.s.x", "hidden": true, "depth": 1 }),
            ]
        );
        assert_eq!(told(Direction::Downstream), [json!({ "depth": 1, "dashboards": [{ "id": "01ef" }] })]);
        assert!(from_api(&near, &json!({}), Direction::Upstream).is_empty());
    }

    #[test]
    fn columns_lead_to_columns() {
        let near = Node { table: "main.sales.orders".into(), column: Some("total".into()) };
        let answer = json!({ "upstream_cols": [
            { "name": "price", "catalog_name": "main", "schema_name": "landing", "table_name": "raw", "table_type": "TABLE" },
            { "name": "lost" },
        ] });
        let edges = from_api(&near, &answer, Direction::Upstream);
        assert_eq!(edges.len(), 1);
        assert_eq!(
            edges[0].to_json(&Names::default()),
            json!({ "table": "main.landing.raw", "column": "price", "depth": 1 })
        );
    }
}
