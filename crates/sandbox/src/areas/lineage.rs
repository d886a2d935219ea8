//! Lineage: which table is made of which, column by column, and by which jobs, notebooks, dashboards and pipelines.
//!
//! What seeded jobs do is told by `FLOWS`, of which the `system.access` tables are made too; what a view reads is told by
//! its text. Derived: these routes are in no spec, and the form of their answers is that of the public guide to them.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::catalog::{Catalog, Table};
use crate::workspace::{Workspace, lock};

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/lineage-tracking/table-lineage", tables),
    route("GET", "/api/2.0/lineage-tracking/column-lineage", columns),
];

/// What moves data: its kind as the system tables name it, the list of the API that it is in, the name of its id
/// there, and the id. A notebook has its path for an id, as only the workspace tree knows its number.
pub(crate) type Entity = (&'static str, &'static str, &'static str, &'static str);

/// Data that goes from a table to another one, or to somebody who only reads it.
pub(crate) struct Flow {
    pub(crate) source: &'static str,
    pub(crate) target: Option<&'static str>,
    pub(crate) entities: &'static [Entity],
    /// Columns of the source and what they become.
    pub(crate) columns: &'static [(&'static str, &'static str)],
}

const NIGHTLY: Entity = ("JOB", "jobInfos", "job_id", "620114300000101");
const LOADER: Entity = ("NOTEBOOK", "notebookInfos", "notebook_id", "/Shared/etl/load_orders");
const PIPELINE_JOB: Entity = ("JOB", "jobInfos", "job_id", "620114300000105");
const CLEANER: Entity = ("NOTEBOOK", "notebookInfos", "notebook_id", "/Shared/etl/clean_orders");
const REPORT: Entity = ("JOB", "jobInfos", "job_id", "620114300000106");
const REPORTER: Entity = ("NOTEBOOK", "notebookInfos", "notebook_id", "/Shared/reports/daily_revenue");
const SQL_TASK: Entity = ("JOB", "jobInfos", "job_id", "620114300000107");
const DASHBOARD: Entity = ("DASHBOARD_V3", "dashboardInfos", "dashboard_id", super::dashboards::REVENUE);
const ORDERS_PIPELINE: Entity = ("PIPELINE", "pipelineInfos", "pipeline_id", "0a1b2c3d-0001-4000-8000-000000000001");

/// What the seeded jobs, dashboards and pipelines do.
pub(crate) const FLOWS: [Flow; 6] = [
    Flow {
        source: "samples.retail.orders",
        target: Some("main.sales.daily_revenue"),
        entities: &[NIGHTLY, LOADER],
        columns: &[("order_ts", "day"), ("channel", "channel"), ("total", "revenue"), ("order_id", "orders")],
    },
    Flow { source: "samples.retail.orders", target: None, entities: &[PIPELINE_JOB, CLEANER], columns: &[] },
    Flow { source: "samples.retail.orders", target: None, entities: &[ORDERS_PIPELINE], columns: &[] },
    Flow { source: "main.sales.daily_revenue", target: None, entities: &[REPORT, REPORTER], columns: &[] },
    Flow { source: "main.sales.daily_revenue", target: None, entities: &[SQL_TASK], columns: &[] },
    Flow { source: "main.sales.top_customers", target: None, entities: &[DASHBOARD], columns: &[] },
];

/// The tables that a view reads: those whose name is in its text.
fn read_by<'a>(catalog: &'a Catalog, view: &'a Table) -> impl Iterator<Item = &'a Table> {
    let text = view.view_definition.as_deref().unwrap_or_default().replace('`', "").to_lowercase();
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let words: Vec<_> = text.split(|letter| !is_name(letter)).map(str::to_owned).collect();
    catalog.tables.values().filter(move |table| words.contains(&table.full_name()))
}

/// A pair of tables and what moves data between them.
type Edge = (String, Option<String>, Vec<Entity>);

fn edges(catalog: &Catalog) -> Vec<Edge> {
    let flows =
        FLOWS.iter().map(|flow| (flow.source.to_owned(), flow.target.map(str::to_owned), flow.entities.to_vec()));
    let views = catalog.tables.values().filter(|table| table.view_definition.is_some());
    let views = views
        .flat_map(|view| read_by(catalog, view).map(|table| (table.full_name(), Some(view.full_name()), Vec::new())));
    flows.chain(views).collect()
}

fn table_info(catalog: &Catalog, full_name: &str) -> Value {
    let mut parts = full_name.split('.');
    let (c, s, name) = (parts.next(), parts.next(), parts.next());
    let table = catalog.tables.values().find(|table| table.full_name() == full_name);
    let kind = if table.is_some_and(|table| table.view_definition.is_some()) { "VIEW" } else { "TABLE" };
    json!({"name": name, "catalog_name": c, "schema_name": s, "table_type": kind, "has_permission": true})
}

/// The neighbours of a table on one side, each with what is between.
fn side(workspace: &Workspace, edges: &[(Option<String>, Vec<Entity>)], with_entities: bool) -> Vec<Value> {
    let mut neighbours: BTreeMap<Option<String>, Map<String, Value>> = BTreeMap::new();
    for (neighbour, entities) in edges {
        let lists = neighbours.entry(neighbour.clone()).or_default();
        for (_, list, id_name, id) in entities.iter().filter(|_| with_entities) {
            let id = match *list {
                "notebookInfos" => super::objects::id_of(workspace, id).map_or(Value::Null, Value::from),
                "jobInfos" => id.parse::<i64>().map_or(Value::Null, Value::from),
                _ => json!(id),
            };
            let mut info = json!({"workspace_id": workspace.id()});
            info.set(id_name, id);
            if let Some(list) = lists.entry(*list).or_insert_with(|| json!([])).as_array_mut() {
                list.push(info);
            }
        }
    }
    let catalog = lock(&workspace.catalog);
    let told = neighbours.into_iter().filter_map(|(neighbour, lists)| {
        let mut json = Value::Object(lists);
        if let Some(neighbour) = neighbour {
            json.set("tableInfo", table_info(&catalog, &neighbour));
        }
        json.as_object().is_some_and(|json| !json.is_empty()).then_some(json)
    });
    told.collect()
}

fn tables(workspace: &Workspace, request: &Request) -> Outcome {
    let asked = request.required_query("table_name")?.to_lowercase();
    let with_entities = request.query_flag("include_entity_lineage")?;
    let edges = edges(&lock(&workspace.catalog));
    let up: Vec<_> = edges
        .iter()
        .filter(|(_, target, _)| target.as_ref() == Some(&asked))
        .map(|(source, _, entities)| (Some(source.clone()), entities.clone()))
        .collect();
    let down: Vec<_> = edges
        .iter()
        .filter(|(source, ..)| *source == asked)
        .map(|(_, target, entities)| (target.clone(), entities.clone()))
        .collect();
    let mut reply = json!({});
    for (name, edges) in [("upstreams", up), ("downstreams", down)] {
        let told = side(workspace, &edges, with_entities);
        if !told.is_empty() {
            reply.set(name, told);
        }
    }
    Ok(Reply::json(reply))
}

/// Pairs of columns, with the tables they are in: those of flows, and those of views that keep their name.
fn column_edges(catalog: &Catalog) -> Vec<[(String, String); 2]> {
    let flows = FLOWS.iter().filter_map(|flow| Some((flow, flow.target?))).flat_map(|(flow, target)| {
        flow.columns.iter().map(move |(from, to)| {
            [(flow.source.to_owned(), (*from).to_owned()), (target.to_owned(), (*to).to_owned())]
        })
    });
    let views = catalog.tables.values().filter(|table| table.view_definition.is_some());
    let views = views.flat_map(|view| {
        read_by(catalog, view).flat_map(move |table| {
            let kept = table.columns.iter().filter(|column| view.columns.iter().any(|other| other.name == column.name));
            kept.map(move |column| [(table.full_name(), column.name.clone()), (view.full_name(), column.name.clone())])
        })
    });
    flows.chain(views).collect()
}

fn columns(workspace: &Workspace, request: &Request) -> Outcome {
    let asked =
        (request.required_query("table_name")?.to_lowercase(), request.required_query("column_name")?.to_lowercase());
    let catalog = lock(&workspace.catalog);
    let told = |(table, column): &(String, String)| {
        let mut json = table_info(&catalog, table);
        let name = json.at("name").clone();
        json.set("table_name", name);
        json.set("name", column.as_str());
        json
    };
    let edges = column_edges(&catalog);
    let up: Vec<_> = edges.iter().filter(|[_, to]| *to == asked).map(|[from, _]| told(from)).collect();
    let down: Vec<_> = edges.iter().filter(|[from, _]| *from == asked).map(|[_, to]| told(to)).collect();
    let mut reply = json!({});
    for (name, columns) in [("upstream_cols", up), ("downstream_cols", down)] {
        if !columns.is_empty() {
            reply.set(name, columns);
        }
    }
    Ok(Reply::json(reply))
}
