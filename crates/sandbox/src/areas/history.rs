//! Query history: what was run, by whom, how it ended.
//!
//! Derived: the metrics, and the fields beyond the documented core.

use std::collections::VecDeque;

use serde_json::{Value, json};

use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, USER_ID, Workspace, lock};

const KEPT: usize = 2000;
/// Bytes of texts that are kept, besides those of the newest entry.
const KEPT_BYTES: usize = 16 << 20;
/// A longer text is cut.
const TEXT_BYTES: usize = 64 << 10;

pub(crate) const ROUTES: &[Route] = &[route("GET", "/api/2.0/sql/history/queries", list)];

#[derive(Debug, Clone)]
pub(crate) struct Entry {
    pub(crate) id: String,
    pub(crate) sql: String,
    pub(crate) warehouse: String,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) status: &'static str,
    pub(crate) rows: usize,
    pub(crate) error: Option<String>,
    /// What the request tagged it with.
    pub(crate) tags: Vec<Value>,
}

/// Newest first.
#[derive(Debug, Default)]
pub(crate) struct History(pub(crate) VecDeque<Entry>);

impl Entry {
    fn bytes(&self) -> usize {
        let tags = self.tags.iter().filter_map(Value::as_object).flatten();
        let tags: usize = tags.map(|(name, value)| name.len() + value.as_str().map_or(0, str::len)).sum();
        self.sql.len() + self.error.as_ref().map_or(0, String::len) + tags
    }
}

impl History {
    /// Forgets the oldest where there are too many, or their texts take too much memory.
    fn bound(&mut self) {
        let mut bytes = 0;
        let fitting = self.0.iter().take_while(|entry| {
            bytes += entry.bytes();
            bytes <= KEPT_BYTES
        });
        let fitting = fitting.count().max(1);
        self.0.truncate(fitting.min(KEPT));
    }
}

/// A text, or its beginning.
fn head(text: &str) -> String {
    match text.len() > TEXT_BYTES {
        true => format!("{}…", text.get(..text.floor_char_boundary(TEXT_BYTES)).unwrap_or_default()),
        false => text.to_owned(),
    }
}

pub(crate) fn begin(workspace: &Workspace, id: &str, sql: &str, warehouse: &str, started: i64) {
    let mut history = lock(&workspace.history);
    // What a run did is entered when somebody asks for the run, which may be long after it.
    let place = history.0.partition_point(|entry| entry.started > started);
    let entry = Entry {
        id: id.to_owned(),
        sql: head(sql),
        warehouse: warehouse.to_owned(),
        started,
        ended: None,
        status: "RUNNING",
        rows: 0,
        error: None,
        tags: Vec::new(),
    };
    history.0.insert(place, entry);
    history.bound();
}

/// Adds what a request tagged a statement with.
pub(crate) fn tag(workspace: &Workspace, id: &str, tags: Vec<Value>) {
    let mut history = lock(&workspace.history);
    if let Some(entry) = history.0.iter_mut().find(|entry| entry.id == id) {
        entry.tags = tags;
    }
    history.bound();
}

/// How a statement ended: its state, how many rows it gave, and why it failed.
pub(crate) struct End {
    pub(crate) at: i64,
    pub(crate) state: &'static str,
    pub(crate) rows: usize,
    pub(crate) error: Option<String>,
}

pub(crate) fn end(workspace: &Workspace, id: &str, end: End) {
    let mut history = lock(&workspace.history);
    if let Some(entry) = history.0.iter_mut().find(|entry| entry.id == id) {
        entry.ended = Some(end.at);
        entry.status = match end.state {
            "SUCCEEDED" => "FINISHED",
            "CANCELED" => "CANCELED",
            _ => "FAILED",
        };
        entry.rows = end.rows;
        entry.error = end.error.map(|error| head(&error));
    }
    history.bound();
}

/// The kind of a statement by its first word.
pub(crate) fn kind(sql: &str) -> &'static str {
    let first =
        sql.trim_start().split(|letter: char| !letter.is_ascii_alphabetic()).next().unwrap_or_default().to_uppercase();
    match first.as_str() {
        "SELECT" | "WITH" | "VALUES" => "SELECT",
        "INSERT" => "INSERT",
        "UPDATE" => "UPDATE",
        "DELETE" => "DELETE",
        "MERGE" => "MERGE",
        "ALTER" => "ALTER",
        "CREATE" => "CREATE",
        "DROP" => "DROP",
        "SHOW" => "SHOW",
        "DESCRIBE" | "DESC" => "DESCRIBE",
        "EXPLAIN" => "EXPLAIN",
        "USE" => "USE",
        "TRUNCATE" => "TRUNCATE",
        _ => "OTHER",
    }
}

/// What a statement cost.
///
/// Derived: all from how long it took, so that a slow one looks like one.
pub(crate) struct Metrics {
    pub(crate) total: i64,
    pub(crate) compiling: i64,
    pub(crate) executing: i64,
    pub(crate) read_bytes: i64,
    pub(crate) read_rows: i64,
    pub(crate) read_files: i64,
    pub(crate) pruned_files: i64,
    pub(crate) spilled_bytes: i64,
}

impl Metrics {
    pub(crate) fn of(entry: &Entry, now: i64) -> Self {
        let total = (entry.ended.unwrap_or(now) - entry.started).max(0);
        let compiling = total / 5;
        Self {
            total,
            compiling,
            executing: total - compiling,
            read_bytes: total * 4096,
            read_rows: i64::try_from(entry.rows).unwrap_or(0) + total * 50,
            read_files: 1 + total / 500,
            pruned_files: total / 800,
            spilled_bytes: (total - 3_000).max(0) * 10_240,
        }
    }
}

fn json(entry: &Entry, now: i64, metrics: bool) -> Value {
    let end = entry.ended.unwrap_or(now);
    let mut json = json!({
        "query_id": entry.id, "status": entry.status, "query_text": entry.sql, "query_start_time_ms": entry.started,
        "duration": end - entry.started, "user_id": USER_ID, "user_name": USER,
        "executed_as_user_id": USER_ID, "executed_as_user_name": USER, "rows_produced": entry.rows,
        "warehouse_id": entry.warehouse, "endpoint_id": entry.warehouse, "is_final": entry.ended.is_some(),
        "statement_type": kind(&entry.sql), "plans_state": "EXISTS", "client_application": "databricks-sandbox",
    });
    if !entry.tags.is_empty() {
        json.set("query_tags", json!(entry.tags));
    }
    if let Some(ended) = entry.ended {
        json.set("query_end_time_ms", json!(ended));
        json.set("execution_end_time_ms", json!(ended));
    }
    if let Some(error) = &entry.error {
        json.set("error_message", json!(error));
    }
    if metrics {
        let metrics = Metrics::of(entry, now);
        json.set(
            "metrics",
            json!({"total_time_ms": metrics.total, "compilation_time_ms": metrics.compiling,
                "execution_time_ms": metrics.executing, "result_fetch_time_ms": 0,
                "task_total_time_ms": metrics.executing * 2, "photon_total_time_ms": metrics.executing,
                "rows_produced_count": entry.rows, "rows_read_count": metrics.read_rows,
                "read_bytes": metrics.read_bytes, "read_remote_bytes": metrics.read_bytes, "read_cache_bytes": 0,
                "read_files_count": metrics.read_files, "pruned_files_count": metrics.pruned_files,
                "read_partitions_count": 0, "spill_to_disk_bytes": metrics.spilled_bytes, "write_remote_bytes": 0,
                "network_sent_bytes": 0, "result_from_cache": false}),
        );
    }
    json
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let size = page::size(request.query_integer("max_results")?, 100, 999)?;
    let metrics = request.query_flag("include_metrics")?;
    let from = request.query_integer("filter_by.query_start_time_range.start_time_ms")?.unwrap_or(i64::MIN);
    let to = request.query_integer("filter_by.query_start_time_range.end_time_ms")?.unwrap_or(i64::MAX);
    let wanted = |name: &'static str, value: &str| {
        let mut asked = request.query_all(name).peekable();
        asked.peek().is_none() || asked.any(|asked| asked == value)
    };
    let now = workspace.clock.now();
    let history = lock(&workspace.history);
    let found: Vec<_> = history
        .0
        .iter()
        .filter(|entry| (from..=to).contains(&entry.started))
        .filter(|entry| wanted("filter_by.statuses", entry.status))
        .filter(|entry| wanted("filter_by.warehouse_ids", &entry.warehouse))
        .filter(|entry| wanted("filter_by.statement_ids", &entry.id))
        .filter(|_| wanted("filter_by.user_ids", &USER_ID.to_string()))
        .collect();
    // Only what is shown is written, so that a long history costs no more than a short one.
    let page = page::page(found, size, request.query("page_token"))?;
    let told: Vec<_> = page.items.iter().map(|entry| json(entry, now, metrics)).collect();
    let mut reply = json!({"res": told, "has_next_page": page.next.is_some()});
    if let Some(next) = page.next {
        reply.set("next_page_token", json!(next));
    }
    Ok(Reply::json(reply))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Options;

    /// However long statements, errors and tags are: what is kept of them has a bound.
    #[test]
    fn what_is_kept_of_statements_is_bounded_by_its_bytes() {
        let workspace = Workspace::new(&Options::default(), "http://sandbox.test".to_owned());
        let long = format!("SELECT '{}'", "ü".repeat(1 << 20));
        for round in 0..400_i64 {
            let id = round.to_string();
            begin(&workspace, &id, &long, "w", round);
            tag(&workspace, &id, vec![json!({"key": "k", "value": "v".repeat(20_000)})]);
            end(&workspace, &id, End { at: round, state: "FAILED", rows: 0, error: Some(long.clone()) });
        }
        let history = lock(&workspace.history);
        let bytes: usize = history.0.iter().map(Entry::bytes).sum();
        assert!(bytes <= KEPT_BYTES && bytes > KEPT_BYTES / 2, "{bytes} bytes of {} statements", history.0.len());
        assert!(history.0.front().is_some_and(|newest| newest.id == "399" && newest.sql.starts_with("SELECT 'ü")));
        assert!(history.0.iter().all(|entry| entry.sql.len() < TEXT_BYTES + 8 && entry.sql.ends_with('…')));
    }

    #[test]
    fn many_short_statements_are_kept_and_the_newest_whatever_it_is() {
        let workspace = Workspace::new(&Options::default(), "http://sandbox.test".to_owned());
        for round in 0..3_000_i64 {
            begin(&workspace, &round.to_string(), "SELECT 1", "w", round);
        }
        assert_eq!(lock(&workspace.history).0.len(), KEPT);
        tag(&workspace, "2999", vec![json!({"key": "k", "value": "v".repeat(KEPT_BYTES + 1)})]);
        assert_eq!(lock(&workspace.history).0.len(), 1);
    }
}
