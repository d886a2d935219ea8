//! `system.query.history`: the statements that warehouses ran.

use rusqlite::types::Value;
use serde_json::json;

use super::{Row, Source, account, at, optional, text, whole, workspace_id};
use crate::areas::history::{Entry, Metrics, kind};
use crate::workspace::{USER, USER_ID, Workspace, lock};

pub(super) const SOURCES: &[Source] = &[Source {
    name: ["query", "history"],
    comment: "Statements that ran on warehouses",
    columns: "account_id STRING, workspace_id STRING, statement_id STRING, session_id STRING, \
        execution_status STRING, compute STRUCT<type: STRING, cluster_id: STRING, warehouse_id: STRING>, \
        executed_by_user_id STRING, executed_by STRING, statement_text STRING, statement_type STRING, \
        error_message STRING, client_application STRING, client_driver STRING, total_duration_ms BIGINT, \
        waiting_for_compute_duration_ms BIGINT, waiting_at_capacity_duration_ms BIGINT, \
        execution_duration_ms BIGINT, compilation_duration_ms BIGINT, total_task_duration_ms BIGINT, \
        result_fetch_duration_ms BIGINT, start_time TIMESTAMP, end_time TIMESTAMP, update_time TIMESTAMP, \
        read_partitions BIGINT, pruned_files BIGINT, read_files BIGINT, read_rows BIGINT, produced_rows BIGINT, \
        read_bytes BIGINT, read_io_cache_percent INT, from_result_cache BOOLEAN, spilled_local_bytes BIGINT, \
        written_bytes BIGINT, shuffle_read_bytes BIGINT, executed_as STRING, executed_as_user_id STRING",
    rows: history,
    live: true,
}];

fn history(workspace: &Workspace) -> Vec<Row> {
    let now = workspace.clock.now();
    // A statement enters when it ends.
    let ended = |entry: &&Entry| entry.ended.is_some();
    lock(&workspace.history).0.iter().filter(ended).map(|entry| row(workspace, entry, now)).collect()
}

fn row(workspace: &Workspace, entry: &Entry, now: i64) -> Row {
    let end = entry.ended.unwrap_or(now);
    let metrics = Metrics::of(entry, now);
    let compute = json!({"type": "WAREHOUSE", "cluster_id": null, "warehouse_id": entry.warehouse});
    let zero = || Value::Integer(0);
    vec![
        account(),
        workspace_id(workspace),
        text(entry.id.clone()),
        Value::Null,
        text(entry.status),
        text(compute.to_string()),
        text(USER_ID.to_string()),
        text(USER),
        text(entry.sql.clone()),
        text(kind(&entry.sql)),
        optional(entry.error.clone()),
        text("databricks-sandbox"),
        Value::Null,
        whole(metrics.total),
        zero(),
        zero(),
        whole(metrics.executing),
        whole(metrics.compiling),
        whole(metrics.executing * 2),
        zero(),
        at(entry.started),
        at(end),
        at(end),
        zero(),
        whole(metrics.pruned_files),
        whole(metrics.read_files),
        whole(metrics.read_rows),
        whole(entry.rows),
        whole(metrics.read_bytes),
        zero(),
        zero(),
        whole(metrics.spilled_bytes),
        zero(),
        zero(),
        text(USER),
        text(USER_ID.to_string()),
    ]
}
