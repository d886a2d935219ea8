//! `system.access`: which table, and which column, was read to write which.
//!
//! A record for each run of a job, and one for what has no runs. Derived: a job that runs a notebook has records of both.

use rusqlite::types::Value;
use serde_json::{Value as Json, json};

use super::{METASTORE, Row, Source, account, at, day, optional, text, workspace_id};
use crate::areas::lineage::edges::{Edge, Entity, edges, type_of};
use crate::seed::{DAY, pick};
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
            legacy_dashboard_id: STRING, notebook_id: STRING, sql_query_id: STRING, \
            dlt_pipeline_info: STRUCT<dlt_pipeline_id: STRING, dlt_update_id: STRING>>",
        rows: tables,
        live: true,
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
            event_id STRING, statement_id STRING, \
            entity_metadata STRUCT<job_info: STRUCT<job_id: STRING, job_run_id: STRING>, dashboard_id: STRING, \
            legacy_dashboard_id: STRING, notebook_id: STRING, sql_query_id: STRING, \
            dlt_pipeline_info: STRUCT<dlt_pipeline_id: STRING, dlt_update_id: STRING>>",
        rows: columns,
        live: true,
    },
];

/// One time that data went along an edge.
struct Event<'a> {
    edge: &'a Edge,
    entity: Option<Entity>,
    run: Option<String>,
    time: i64,
}

/// The events of the runs that the API knows; views, notebooks, dashboards and pipelines have one each.
fn events<'a>(workspace: &Workspace, edges: &'a [Edge]) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    for edge in edges {
        let some_day = workspace.clock.epoch() - DAY * (1 + pick(events.len(), 1, 5));
        if edge.entities.is_empty() {
            events.push(Event { edge, entity: None, run: None, time: some_day });
        }
        for entity in edge.entities {
            let runs: Vec<_> = match entity {
                Entity::Job(id) => lock(&workspace.jobs)
                    .runs
                    .values()
                    .filter(|run| run.job == Some(*id))
                    .map(|run| (Some(run.id.to_string()), run.started + 20_000))
                    .collect(),
                Entity::Pipeline(id) => {
                    lock(&workspace.pipelines).last_update(id).map(|(id, at)| (Some(id), at)).into_iter().collect()
                }
                Entity::Notebook(_) | Entity::Dashboard(_) => vec![(None, some_day)],
            };
            events.extend(runs.into_iter().map(|(run, time)| Event { edge, entity: Some(*entity), run, time }));
        }
    }
    events
}

/// An id as these tables have it: text, also where it is a number.
fn id(workspace: &Workspace, entity: Entity) -> Option<String> {
    match entity.id(workspace) {
        Json::Null => None,
        Json::String(id) => Some(id),
        id => Some(id.to_string()),
    }
}

impl Event<'_> {
    fn head(&self, workspace: &Workspace) -> Row {
        vec![
            account(),
            text(METASTORE),
            workspace_id(workspace),
            optional(self.entity.map(Entity::kind)),
            optional(self.entity.and_then(|entity| id(workspace, entity))),
            optional(self.run.clone()),
        ]
    }

    /// A record of the event, told from others by both numbers.
    fn tail(&self, workspace: &Workspace, event: usize, record: usize) -> Row {
        vec![
            text(USER),
            at(self.time),
            day(self.time),
            text(format!("record-{event:05}-{record:03}")),
            text(format!("event-{event:05}")),
            Value::Null,
            text(self.metadata(workspace).to_string()),
        ]
    }

    fn metadata(&self, workspace: &Workspace) -> Json {
        let id_of = |entity: Option<Entity>| entity.and_then(|entity| id(workspace, entity));
        let own = id_of(self.entity);
        // A job tells of the notebook that it ran, too.
        let notebook = self.edge.entities.iter().copied().find(|entity| matches!(entity, Entity::Notebook(_)));
        let (mut job, mut dashboard, mut pipeline) = (Json::Null, None, Json::Null);
        match self.entity {
            Some(Entity::Job(_)) => job = json!({"job_id": own, "job_run_id": self.run}),
            Some(Entity::Dashboard(_)) => dashboard = own,
            Some(Entity::Pipeline(_)) => pipeline = json!({"dlt_pipeline_id": own, "dlt_update_id": self.run}),
            Some(Entity::Notebook(_)) | None => {}
        }
        json!({"job_info": job, "dashboard_id": dashboard, "legacy_dashboard_id": null, "notebook_id": id_of(notebook),
            "sql_query_id": null, "dlt_pipeline_info": pipeline})
    }
}

/// A table's full name, its parts, path and kind; nothing where there is none.
fn table(workspace: &Workspace, name: Option<&str>) -> Row {
    let Some(name) = name else { return vec![Value::Null; 6] };
    let mut row = vec![text(name)];
    row.extend(name.splitn(3, '.').map(text));
    row.extend([Value::Null, text(type_of(&lock(&workspace.catalog), name))]);
    row
}

fn tables(workspace: &Workspace) -> Vec<Row> {
    let edges = edges(&lock(&workspace.catalog));
    let rows = events(workspace, &edges).into_iter().enumerate().map(|(number, event)| {
        let (source, target) = (Some(event.edge.source.as_str()), event.edge.target.as_deref());
        let (source, target) = (table(workspace, source), table(workspace, target));
        [event.head(workspace), source, target, event.tail(workspace, number, 0)].concat()
    });
    rows.collect()
}

fn columns(workspace: &Workspace) -> Vec<Row> {
    let edges = edges(&lock(&workspace.catalog));
    let mut rows = Vec::new();
    let mut pairs = Vec::new();
    let mut last: Option<&Edge> = None;
    for (number, event) in events(workspace, &edges).into_iter().enumerate() {
        // The events of one edge follow each other.
        if !last.is_some_and(|last| std::ptr::eq(last, event.edge)) {
            pairs = event.edge.columns(&lock(&workspace.catalog));
            last = Some(event.edge);
        }
        let (head, source) = (event.head(workspace), table(workspace, Some(&event.edge.source)));
        let target = table(workspace, event.edge.target.as_deref());
        for (index, (from, to)) in pairs.iter().enumerate() {
            let (from, to) = (vec![text(from.as_str())], vec![text(to.as_str())]);
            let tail = event.tail(workspace, number, index + 1);
            rows.push([head.clone(), source.clone(), from, target.clone(), to, tail].concat());
        }
    }
    rows
}
