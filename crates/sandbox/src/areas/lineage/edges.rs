//! What is made of what: the flows of the seeded jobs, dashboards and pipelines, what views read, and what CREATE
//! TABLE AS and INSERT wrote.
//!
//! The routes of lineage and the `system.access` tables tell of these, and of nothing else.

use serde_json::{Value, json};

use crate::areas::{dashboards, objects};
use crate::sql::Origins;
use crate::workspace::Workspace;
use crate::workspace::catalog::{Catalog, Table};

/// What moves data, by its id. A notebook has its path, as only the workspace tree knows its number.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Entity {
    Job(i64),
    Notebook(&'static str),
    Dashboard(&'static str),
    Pipeline(&'static str),
}

impl Entity {
    /// As the system tables name its kind.
    pub(crate) fn kind(self) -> &'static str {
        match self {
            Self::Job(_) => "JOB",
            Self::Notebook(_) => "NOTEBOOK",
            Self::Dashboard(_) => "DASHBOARD_V3",
            Self::Pipeline(_) => "PIPELINE",
        }
    }

    /// The list of the API that it is in, and the name of its id there.
    pub(super) fn place(self) -> (&'static str, &'static str) {
        match self {
            Self::Job(_) => ("jobInfos", "job_id"),
            Self::Notebook(_) => ("notebookInfos", "notebook_id"),
            Self::Dashboard(_) => ("dashboardInfos", "dashboard_id"),
            Self::Pipeline(_) => ("pipelineInfos", "pipeline_id"),
        }
    }

    /// Null for a notebook that is gone.
    pub(crate) fn id(self, workspace: &Workspace) -> Value {
        match self {
            Self::Job(id) => json!(id),
            Self::Notebook(path) => json!(objects::id_of(workspace, path)),
            Self::Dashboard(id) | Self::Pipeline(id) => json!(id),
        }
    }
}

/// Data that goes from a table to another one, or to somebody who only reads it.
struct Flow {
    source: &'static str,
    target: Option<&'static str>,
    entities: &'static [Entity],
    /// Columns of the source and what they become.
    columns: &'static [(&'static str, &'static str)],
}

const NIGHTLY: Entity = Entity::Job(620_114_300_000_101);
const LOADER: Entity = Entity::Notebook("/Shared/etl/load_orders");
const PIPELINE_JOB: Entity = Entity::Job(620_114_300_000_105);
const CLEANER: Entity = Entity::Notebook("/Shared/etl/clean_orders");
const REPORT: Entity = Entity::Job(620_114_300_000_106);
const REPORTER: Entity = Entity::Notebook("/Shared/reports/daily_revenue");
const SQL_TASK: Entity = Entity::Job(620_114_300_000_107);
const DASHBOARD: Entity = Entity::Dashboard(dashboards::REVENUE);
const ORDERS_PIPELINE: Entity = Entity::Pipeline("0a1b2c3d-0001-4000-8000-000000000001");

/// What the seeded jobs, dashboards and pipelines do. A count reads no column, so `orders` comes from none.
const FLOWS: [Flow; 6] = [
    Flow {
        source: "samples.retail.orders",
        target: Some("main.sales.daily_revenue"),
        entities: &[NIGHTLY, LOADER],
        columns: &[("order_ts", "day"), ("channel", "channel"), ("total", "revenue")],
    },
    Flow { source: "samples.retail.orders", target: None, entities: &[PIPELINE_JOB, CLEANER], columns: &[] },
    Flow { source: "samples.retail.orders", target: None, entities: &[ORDERS_PIPELINE], columns: &[] },
    Flow { source: "main.sales.daily_revenue", target: None, entities: &[REPORT, REPORTER], columns: &[] },
    Flow { source: "main.sales.daily_revenue", target: None, entities: &[SQL_TASK], columns: &[] },
    Flow { source: "main.sales.top_customers", target: None, entities: &[DASHBOARD], columns: &[] },
];

/// A table, what is made of it, and what does that: nothing for a view, which reads by itself.
#[derive(Debug)]
pub(crate) struct Edge {
    pub(crate) source: String,
    pub(crate) target: Option<String>,
    pub(crate) entities: &'static [Entity],
    made: Made,
}

/// What tells of the columns of an edge.
#[derive(Debug)]
enum Made {
    Told(&'static [(&'static str, &'static str)]),
    /// The text of the query that makes the one table of the other.
    By(String),
}

impl Edge {
    /// Columns of the source and what they become.
    pub(crate) fn columns(&self, catalog: &Catalog) -> Vec<(String, String)> {
        let sql = match &self.made {
            Made::Told(columns) => {
                return columns.iter().map(|(from, to)| ((*from).to_owned(), (*to).to_owned())).collect();
            }
            Made::By(sql) => sql,
        };
        let target = self.target.as_ref().and_then(|target| find(catalog, target));
        let Some((source, target)) = find(catalog, &self.source).zip(target) else { return Vec::new() };
        Origins::of(sql).map_or_else(|| kept(source, target), |origins| made(source, target, &origins))
    }
}

/// All edges between tables that are there.
pub(crate) fn edges(catalog: &Catalog) -> Vec<Edge> {
    let is_there = |name: &str| find(catalog, name).is_some();
    let flows = FLOWS.iter().filter(|flow| is_there(flow.source) && flow.target.is_none_or(is_there));
    let flows = flows.map(|flow| Edge {
        source: flow.source.to_owned(),
        target: flow.target.map(str::to_owned),
        entities: flow.entities,
        made: Made::Told(flow.columns),
    });
    let views = catalog.tables.values().filter(|table| table.view_definition.is_some());
    let views = views.flat_map(|view| {
        read_by(catalog, view).map(|table| Edge {
            source: table.full_name(),
            target: Some(view.full_name()),
            entities: &[],
            made: Made::By(view.view_definition.clone().unwrap_or_default()),
        })
    });
    flows.chain(views).chain(written(catalog)).collect()
}

/// What statements wrote from one table into another.
fn written(catalog: &Catalog) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (target, flows) in &catalog.flows {
        let Some(target) = catalog.table(target) else { continue };
        for flow in flows {
            for source in flow.sources.iter().filter_map(|name| catalog.table(name)) {
                let full_name = source.full_name();
                // Of the seeded flows it is known who wrote them.
                let is_told = FLOWS
                    .iter()
                    .any(|flow| flow.source == full_name && flow.target == Some(target.full_name().as_str()));
                if is_told || full_name == target.full_name() {
                    continue;
                }
                edges.push(Edge {
                    source: full_name,
                    target: Some(target.full_name()),
                    entities: &[],
                    made: Made::By(flow.query.clone()),
                });
            }
        }
    }
    edges
}

fn find<'a>(catalog: &'a Catalog, full_name: &str) -> Option<&'a Table> {
    let mut parts = full_name.splitn(3, '.').map(str::to_owned);
    catalog.table(&[parts.next()?, parts.next()?, parts.next()?])
}

/// Whether a name is that of a table or of a view.
pub(crate) fn type_of(catalog: &Catalog, full_name: &str) -> &'static str {
    let is_view = find(catalog, full_name).is_some_and(|table| table.view_definition.is_some());
    if is_view { "VIEW" } else { "TABLE" }
}

/// Whether a table is there and may not be seen, as its property says.
pub(super) fn is_hidden(catalog: &Catalog, full_name: &str) -> bool {
    let hidden = find(catalog, full_name).and_then(|table| table.node.properties.get("sandbox.hidden"));
    hidden.is_some_and(|hidden| hidden == "true")
}

/// The tables that a view reads: those whose name is in its text.
fn read_by<'a>(catalog: &'a Catalog, view: &'a Table) -> impl Iterator<Item = &'a Table> {
    let text = view.view_definition.as_deref().unwrap_or_default().replace('`', "").to_lowercase();
    let is_name = |letter: char| letter.is_alphanumeric() || letter == '_' || letter == '.';
    let words: Vec<_> = text.split(|letter| !is_name(letter)).map(str::to_owned).collect();
    catalog.tables.values().filter(move |table| words.contains(&table.full_name()))
}

/// The columns of a table and those of a view that are made of them.
fn made(table: &Table, view: &Table, origins: &Origins) -> Vec<(String, String)> {
    let of_table = origins.of_table(&table.full_name()).into_iter();
    let pairs = of_table.filter_map(|(name, place)| {
        let column = table.columns.iter().find(|column| column.name.to_lowercase() == name)?;
        Some((column.name.clone(), view.columns.get(place)?.name.clone()))
    });
    pairs.collect()
}

/// The columns that keep their names in a view: the best guess where its text does not tell.
fn kept(table: &Table, view: &Table) -> Vec<(String, String)> {
    let kept = table.columns.iter().filter(|column| view.columns.iter().any(|other| other.name == column.name));
    kept.map(|column| (column.name.clone(), column.name.clone())).collect()
}
