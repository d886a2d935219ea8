//! `system.compute`: warehouses and what happened to them, and clusters.

use rusqlite::types::Value;
use serde_json::{Map, Value as Json};

use super::{HOUR, Row, Source, account, at, optional, text, whole, workspace_id};
use crate::seed::{DAY, WAREHOUSE};
use crate::workspace::{USER, Workspace, lock};

pub(super) const SOURCES: &[Source] = &[
    Source {
        name: ["compute", "warehouses"],
        comment: "All versions of all SQL warehouses",
        columns: "warehouse_id STRING, workspace_id STRING, account_id STRING, warehouse_name STRING, \
            warehouse_type STRING, warehouse_channel STRING, warehouse_size STRING, min_clusters INT, \
            max_clusters INT, auto_stop_minutes INT, tags MAP<STRING, STRING>, change_time TIMESTAMP, \
            delete_time TIMESTAMP",
        rows: warehouses,
        live: true,
    },
    Source {
        name: ["compute", "warehouse_events"],
        comment: "When warehouses started, stopped and scaled",
        columns: "account_id STRING, workspace_id STRING, warehouse_id STRING, event_type STRING, \
            cluster_count INT, event_time TIMESTAMP",
        rows: warehouse_events,
        live: false,
    },
    Source {
        name: ["compute", "clusters"],
        comment: "All versions of all clusters",
        columns: "account_id STRING, workspace_id STRING, cluster_id STRING, cluster_name STRING, owned_by STRING, \
            create_time TIMESTAMP, delete_time TIMESTAMP, driver_node_type STRING, worker_node_type STRING, \
            worker_count BIGINT, min_autoscale_workers BIGINT, max_autoscale_workers BIGINT, \
            auto_termination_minutes BIGINT, dbr_version STRING, change_time TIMESTAMP",
        rows: clusters,
        live: true,
    },
];

fn string(settings: &Map<String, Json>, name: &str) -> Value {
    optional(settings.get(name).and_then(Json::as_str))
}

fn number(settings: &Map<String, Json>, name: &str) -> Value {
    settings.get(name).and_then(Json::as_i64).map_or(Value::Null, whole)
}

fn warehouses(workspace: &Workspace) -> Vec<Row> {
    let changed = workspace.clock.epoch() - 60 * DAY;
    let warehouses = lock(&workspace.warehouses);
    let row = |(id, warehouse): (&String, &crate::areas::warehouses::Warehouse)| {
        let settings = warehouse.settings();
        let channel = settings.get("channel").and_then(|channel| channel.get("name")).and_then(Json::as_str);
        vec![
            text(id.clone()),
            workspace_id(workspace),
            account(),
            string(settings, "name"),
            string(settings, "warehouse_type"),
            optional(channel.map(|name| name.trim_start_matches("CHANNEL_NAME_"))),
            optional(
                settings.get("cluster_size").and_then(Json::as_str).map(|size| size.to_uppercase().replace('-', "_")),
            ),
            number(settings, "min_num_clusters"),
            number(settings, "max_num_clusters"),
            number(settings, "auto_stop_mins"),
            text("{}"),
            at(changed),
            Value::Null,
        ]
    };
    warehouses.by_id.iter().filter(|(_, warehouse)| !warehouse.is_going()).map(row).collect()
}

/// The shared warehouse, where there is one, starts at eight and stops at six, as its usage tells.
fn warehouse_events(workspace: &Workspace) -> Vec<Row> {
    if !lock(&workspace.warehouses).by_id.contains_key(WAREHOUSE) {
        return Vec::new();
    }
    let today = workspace.clock.epoch().div_euclid(DAY) * DAY;
    let times = [
        (8 * HOUR, "STARTING", 0),
        (8 * HOUR + 4_000, "RUNNING", 1),
        (18 * HOUR, "STOPPING", 1),
        (18 * HOUR + 3_000, "STOPPED", 0),
    ];
    let mut rows = Vec::new();
    for age in (0..=30).rev() {
        for (time, event, clusters) in times {
            let instant = today - age * DAY + time;
            if instant < workspace.clock.epoch() {
                rows.push(vec![
                    account(),
                    workspace_id(workspace),
                    text(WAREHOUSE),
                    text(event),
                    whole(clusters),
                    at(instant),
                ]);
            }
        }
    }
    rows
}

fn clusters(workspace: &Workspace) -> Vec<Row> {
    let created = workspace.clock.epoch() - 60 * DAY;
    let clusters = lock(&workspace.clusters);
    let row = |(id, cluster): (&String, &crate::areas::clusters::Cluster)| {
        let settings = &cluster.settings;
        let scale = settings.get("autoscale").and_then(Json::as_object).cloned().unwrap_or_default();
        vec![
            account(),
            workspace_id(workspace),
            text(id.clone()),
            string(settings, "cluster_name"),
            text(USER),
            at(created),
            Value::Null,
            optional(settings.get("driver_node_type_id").or(settings.get("node_type_id")).and_then(Json::as_str)),
            string(settings, "node_type_id"),
            number(settings, "num_workers"),
            number(&scale, "min_workers"),
            number(&scale, "max_workers"),
            number(settings, "autotermination_minutes"),
            string(settings, "spark_version"),
            at(created),
        ]
    };
    clusters.0.iter().map(row).collect()
}
