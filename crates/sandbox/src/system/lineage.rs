//! `system.access`: which table, and which column, was read to write which.

use rusqlite::types::Value;
use serde_json::json;

use super::{METASTORE, Row, Source, account, at, day, optional, text, workspace_id};
use crate::seed::{DAY, JOBS, pick};
use crate::workspace::{USER, Workspace, lock};

pub(super) const SOURCES: &[Source] = &[
    Source {
        name: ["access", "table_lineage"],
        comment: "Which table was read to write which",
        columns: "account_id STRING, metastore_id STRING, workspace_id STRING, entity_type STRING, entity_id STRING, \
            entity_run_id STRING, source_table_full_name STRING, source_table_catalog STRING, \
            source_table_schema STRING, source_table_name STRING, source_path STRING, source_type STRING, \
            target_table_full_name STRING, target_table_catalog STRING, target_table_schema STRING, \
            target_table_name STRING, target_path STRING, target_type STRING, created_by STRING, \
            event_time TIMESTAMP, event_date DATE, record_id STRING, event_id STRING, statement_id STRING, \
            entity_metadata STRUCT<job_info: STRUCT<job_id: STRING, job_run_id: STRING>, dashboard_id: STRING, \
            notebook_id: STRING, sql_query_id: STRING>",
        rows: tables,
        live: false,
    },
    Source {
        name: ["access", "column_lineage"],
        comment: "Which column was read to write which",
        columns: "account_id STRING, metastore_id STRING, workspace_id STRING, entity_type STRING, entity_id STRING, \
            entity_run_id STRING, source_table_full_name STRING, source_table_catalog STRING, \
            source_table_schema STRING, source_table_name STRING, source_path STRING, source_type STRING, \
            source_column_name STRING, target_table_full_name STRING, target_table_catalog STRING, \
            target_table_schema STRING, target_table_name STRING, target_path STRING, target_type STRING, \
            target_column_name STRING, created_by STRING, event_time TIMESTAMP, event_date DATE, record_id STRING, \
            event_id STRING, statement_id STRING, entity_metadata STRUCT<job_info: STRUCT<job_id: STRING, \
            job_run_id: STRING>, dashboard_id: STRING, notebook_id: STRING, sql_query_id: STRING>",
        rows: columns,
        live: false,
    },
];

/// A table that was read to write another, the job that did it (an index of the seeded ones, or else a notebook), and
/// the columns that went over.
struct Edge {
    source: Option<&'static str>,
    target: Option<&'static str>,
    job: Option<usize>,
    columns: &'static [(&'static str, &'static str)],
}

const EDGES: [Edge; 7] = [
    Edge { source: None, target: Some("samples.retail.orders"), job: Some(0), columns: &[] },
    Edge {
        source: Some("samples.retail.orders"),
        target: Some("main.sales.daily_revenue"),
        job: Some(5),
        columns: &[("order_ts", "day"), ("channel", "channel"), ("total", "revenue")],
    },
    Edge {
        source: Some("samples.retail.orders"),
        target: Some("main.sales.top_customers"),
        job: None,
        columns: &[("customer_id", "orders"), ("total", "revenue")],
    },
    Edge {
        source: Some("samples.retail.customers"),
        target: Some("main.sales.top_customers"),
        job: None,
        columns: &[("customer_id", "customer_id"), ("name", "name"), ("country", "country")],
    },
    Edge {
        source: Some("samples.retail.orders"),
        target: Some("samples.retail.open_orders"),
        job: None,
        columns: &[
            ("order_id", "order_id"),
            ("customer_id", "customer_id"),
            ("order_ts", "order_ts"),
            ("total", "total"),
        ],
    },
    Edge { source: Some("main.sales.daily_revenue"), target: None, job: Some(6), columns: &[] },
    Edge { source: Some("samples.retail.orders"), target: None, job: Some(1), columns: &[] },
];
const NOTEBOOK: &str = "4213009801";

struct Event {
    edge: &'static Edge,
    index: usize,
    entity: &'static str,
    id: String,
    run: Option<String>,
    time: i64,
}

/// The events of the runs that the API knows; views and notebooks have one.
fn events(workspace: &Workspace) -> Vec<Event> {
    let epoch = workspace.clock.epoch();
    let jobs = lock(&workspace.jobs);
    let mut events = Vec::new();
    for (index, edge) in EDGES.iter().enumerate() {
        let Some(job) = edge.job.and_then(|job| JOBS.get(job)) else {
            let time = epoch - DAY * (1 + pick(index, 1, 5));
            events.push(Event { edge, index, entity: "NOTEBOOK", id: NOTEBOOK.to_owned(), run: None, time });
            continue;
        };
        for run in jobs.runs.values().filter(|run| run.job == Some(job.id)) {
            let task = run.tasks.first().map_or(run.id, |task| task.id);
            let (id, run, time) = (job.id.to_string(), Some(task.to_string()), run.started + 20_000);
            events.push(Event { edge, index, entity: "JOB", id, run, time });
        }
    }
    events
}

impl Event {
    fn head(&self, workspace: &Workspace) -> Row {
        vec![
            account(),
            text(METASTORE),
            workspace_id(workspace),
            text(self.entity),
            text(self.id.clone()),
            optional(self.run.clone()),
        ]
    }

    /// A table's full name, its parts, path and kind.
    fn table(&self, workspace: &Workspace, name: Option<&str>, is_source: bool) -> Row {
        let Some(name) = name else {
            let path = is_source.then_some("/Volumes/samples/retail/raw");
            let kind = is_source.then_some("PATH");
            return vec![Value::Null, Value::Null, Value::Null, Value::Null, optional(path), optional(kind)];
        };
        let view = lock(&workspace.catalog)
            .tables
            .values()
            .any(|table| table.full_name() == name && table.view_definition.is_some());
        let mut row = vec![text(name)];
        row.extend(name.split('.').map(text));
        row.extend([Value::Null, text(if view { "VIEW" } else { "TABLE" })]);
        row
    }

    fn tail(&self, salt: usize) -> Row {
        let is_job = self.entity == "JOB";
        let job = json!({"job_id": is_job.then_some(&self.id), "job_run_id": self.run});
        let metadata = json!({"job_info": is_job.then_some(job), "dashboard_id": null,
            "notebook_id": (!is_job).then_some(&self.id), "sql_query_id": null});
        let number = self.index * 1_000_000 + salt * 1000;
        vec![
            text(USER),
            at(self.time),
            day(self.time),
            text(format!("record-{number:08}-{}", self.time)),
            text(format!("event-{:08}-{}", self.index, self.time)),
            Value::Null,
            text(metadata.to_string()),
        ]
    }
}

fn tables(workspace: &Workspace) -> Vec<Row> {
    let row = |event: &Event| {
        let source = event.table(workspace, event.edge.source, true);
        let target = match event.edge.target {
            Some(target) => event.table(workspace, Some(target), false),
            None => vec![Value::Null; 6],
        };
        [event.head(workspace), source, target, event.tail(0)].concat()
    };
    events(workspace).iter().map(row).collect()
}

fn columns(workspace: &Workspace) -> Vec<Row> {
    let mut rows = Vec::new();
    for event in events(workspace) {
        for (index, (from, to)) in event.edge.columns.iter().enumerate() {
            let source = event.table(workspace, event.edge.source, true);
            let target = event.table(workspace, event.edge.target, false);
            rows.push(
                [event.head(workspace), source, vec![text(*from)], target, vec![text(*to)], event.tail(index + 1)]
                    .concat(),
            );
        }
    }
    rows
}
