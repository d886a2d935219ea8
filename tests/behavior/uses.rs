//! The operations that composites use: tests for those that no other test asks for, and a record of all. `cargo xtask
//! audit --exercised` reads it: an operation that the allowlist names in `uses`, and that no test makes its composite
//! call, may be one that it does not need.
#![expect(clippy::expect_used, reason = "helpers of tests are not \"in tests\" for clippy")]

use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::Write as _;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, Once};
use std::time::Duration;

use databricks::operations;
use databricks_mcp_server::definition::ToolDefinition;
use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::Registry;
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Metadata, Subscriber};

use crate::harness::{Harness, Outcome};
use crate::twist::Exchange;

/// Lines of a composite's name, a tab and the id of an operation.
const FILE: &str = concat!(env!("CARGO_TARGET_TMPDIR"), "/uses.tsv");
/// What the client says of each call within a scope.
const TARGET: &str = "databricks::scope";
const TERMINATED: &str = "0227-143000-adhoc001";

/// From now on writes down what is used.
pub(crate) fn record() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let file = File::create(FILE).expect("a file for what is used");
        tracing::subscriber::set_global_default(Recorder(Mutex::new((file, BTreeSet::new())))).expect("no other one");
    });
}

struct Recorder(Mutex<(File, BTreeSet<String>)>);

impl Subscriber for Recorder {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        metadata.target() == TARGET
    }

    fn event(&self, event: &Event<'_>) {
        let mut used = Used::default();
        event.record(&mut used);
        let line = format!("{}\t{}\n", used.holder, used.operation);
        let mut recorded = self.0.lock().expect("no test panics while it writes");
        if recorded.1.insert(line.clone()) {
            recorded.0.write_all(line.as_bytes()).expect("what is used is written");
        }
    }

    fn new_span(&self, _: &Attributes<'_>) -> Id {
        Id::from_u64(1)
    }

    fn record(&self, _: &Id, _: &Record<'_>) {}

    fn record_follows_from(&self, _: &Id, _: &Id) {}

    fn enter(&self, _: &Id) {}

    fn exit(&self, _: &Id) {}
}

#[derive(Default)]
struct Used {
    holder: String,
    operation: String,
}

impl Visit for Used {
    fn record_str(&mut self, field: &Field, value: &str) {
        match field.name() {
            "holder" => value.clone_into(&mut self.holder),
            "operation" => value.clone_into(&mut self.operation),
            _ => {}
        }
    }

    fn record_debug(&mut self, _: &Field, _: &dyn std::fmt::Debug) {}
}

/// The calls of every tool that runs SQL.
fn queries() -> Vec<(&'static str, Value)> {
    let statement = "SELECT order_id FROM samples.retail.orders ORDER BY order_id LIMIT 20";
    vec![
        ("execute_sql", json!({ "statement": statement })),
        ("explain_query", json!({ "statement": statement })),
        ("get_table_schema", json!({ "full_name": "samples.retail.orders", "sample_rows": 5 })),
        ("search_tables", json!({ "query": "orders" })),
        ("get_table_lineage", json!({ "full_name": "samples.retail.orders" })),
        ("get_job_costs", json!({ "days": 20 })),
        ("get_warehouse_costs", json!({ "days": 20 })),
    ]
}

/// How a workspace gives the results of statements: after a while, if at all, and in two chunks.
#[derive(Default)]
struct Slow {
    /// Statements never end.
    is_endless: AtomicBool,
    polls: AtomicUsize,
    cancels: AtomicUsize,
    /// The second chunks, by the path of the statement.
    chunks: Mutex<BTreeMap<String, Value>>,
}

impl Slow {
    fn twist(&self, exchange: &mut Exchange) {
        let target = exchange.target.clone();
        if target.contains("/lineage-tracking/") {
            // Then lineage comes from system tables.
            exchange.status = 403;
            exchange.answer = json!({ "error_code": "PERMISSION_DENIED", "message": "closed" });
        }
        let Some((_, path)) = target.split_once(" /api/2.0/sql/statements") else { return };
        if path.ends_with("/cancel") {
            self.cancels.fetch_add(1, Ordering::SeqCst);
        } else if let Some(path) = path.strip_suffix("/result/chunks/1") {
            exchange.status = 200;
            exchange.answer = self.chunks.lock().expect("no panic").remove(path).unwrap_or_default();
        } else if target.starts_with("POST ") || self.is_endless.load(Ordering::SeqCst) {
            self.polls.fetch_add(1, Ordering::SeqCst);
            let id = exchange.answer["statement_id"].clone();
            exchange.answer = json!({ "statement_id": id, "status": { "state": "RUNNING" } });
        } else if let Some(mut rows) = exchange.answer["result"]["data_array"].as_array().cloned() {
            let later = rows.split_off(rows.len() / 2);
            let (first, second) = (rows.len(), later.len());
            let chunk =
                |index, offset, count| json!({ "chunk_index": index, "row_offset": offset, "row_count": count });
            exchange.answer["manifest"]["total_chunk_count"] = json!(2);
            exchange.answer["manifest"]["chunks"] = json!([chunk(0, 0, first), chunk(1, first, second)]);
            exchange.answer["result"] = chunk(0, 0, first);
            exchange.answer["result"]["data_array"] = json!(rows);
            exchange.answer["result"]["next_chunk_index"] = json!(1);
            let mut rest = chunk(1, first, second);
            rest["data_array"] = json!(later);
            self.chunks.lock().expect("no panic").insert(path.to_owned(), rest);
        }
    }
}

#[tokio::test]
async fn every_tool_that_runs_sql_waits_reads_every_chunk_and_cancels() -> Outcome {
    let runs_sql = |tool: &&ToolDefinition| {
        tool.uses.iter().any(|used| used.id == operations::SQL_STATEMENT_EXECUTION_EXECUTE_STATEMENT.id)
    };
    let all: BTreeSet<_> =
        Registry::all().into_iter().map(|tool| tool.definition).filter(runs_sql).map(|tool| tool.name).collect();
    assert_eq!(queries().iter().map(|(tool, _)| *tool).collect::<BTreeSet<_>>(), all);
    let slow = Arc::new(Slow::default());
    let harness = {
        let slow = Arc::clone(&slow);
        Harness::twisted(move |exchange: &mut Exchange| slow.twist(exchange)).await?
    };
    let plain = Harness::whole().await?;
    for (tool, call) in queries() {
        let answer = harness.answer(tool, call.clone()).await?;
        let left: Vec<_> = slow.chunks.lock().expect("no panic").keys().cloned().collect();
        assert!(left.is_empty(), "`{tool}` did not read the second chunk: {answer}");
        if tool == "execute_sql" {
            assert_eq!(answer["rows"], plain.answer(tool, call).await?["rows"]);
        }
    }
    slow.is_endless.store(true, Ordering::SeqCst);
    for (tool, call) in queries() {
        let (polls, cancels) = (slow.polls.load(Ordering::SeqCst), slow.cancels.load(Ordering::SeqCst));
        let Value::Object(arguments) = call else { return Err("the arguments are no object".into()) };
        let request = CallToolRequest::new(CallToolRequestParams::new(tool).with_arguments(arguments));
        let request = ClientRequest::CallToolRequest(request);
        let call = harness.client.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
        slow.until(tool, || slow.polls.load(Ordering::SeqCst) > polls + 1).await?;
        call.cancel(None).await?;
        slow.until(tool, || slow.cancels.load(Ordering::SeqCst) > cancels).await?;
    }
    Ok(())
}

impl Slow {
    async fn until(&self, tool: &str, is_so: impl Fn() -> bool) -> Outcome {
        for _ in 0..500 {
            if is_so() {
                return Ok(());
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        Err(format!("`{tool}`: {:?} polls, {:?} cancels", self.polls, self.cancels).into())
    }
}

#[tokio::test]
async fn every_tool_that_runs_sql_looks_for_a_statement_whose_answer_is_lost() -> Outcome {
    let harness = Harness::impatient(json!([]), LocalRoots::default()).await?;
    let faults = json!([
        { "route": "sql.query_history.list", "fault": "extra_fields" },
        { "route": "/api/2.0/lineage-tracking/*", "fault": "permission_denied" },
        { "route": "sql.statement_execution.execute_statement", "fault": "connection_reset" },
    ]);
    for (tool, call) in queries() {
        harness.direct("POST", "/__sandbox/faults", Some(faults.clone())).await?;
        let answer = harness.call(tool, call).await?;
        let looks = harness.faults().await?[0]["seen"].as_u64().unwrap_or_default();
        assert!(looks > 0, "`{tool}` did not look: {}", crate::harness::text(&answer));
        harness.direct("DELETE", "/__sandbox/faults", None).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_was_started_for_code_is_stopped_with_the_call() -> Outcome {
    let harness = Harness::whole().await?;
    let look = ("get_cluster", json!({ "cluster_id": TERMINATED }));
    let is = |state: &'static str| move |cluster: &Value| cluster["state"] == state;
    let call = json!({ "cluster_id": TERMINATED, "code": "print(1)" });
    harness.cancelled("run_code", call, look.clone(), is("PENDING")).await?;
    harness.until(look.0, look.1, is("TERMINATED")).await?;
    Ok(())
}

#[tokio::test]
async fn a_folder_that_a_volume_lacks_is_made() -> Outcome {
    let path = "/Volumes/main/default/landing/new/folder/x.txt";
    let made = Arc::new(AtomicBool::new(false));
    let harness = {
        let made = Arc::clone(&made);
        Harness::twisted(move |exchange: &mut Exchange| {
            if exchange.is("PUT /api/2.0/fs/directories/Volumes/main/default/landing/new/folder") {
                made.store(true, Ordering::SeqCst);
            } else if exchange.is("PUT /api/2.0/fs/files/") && !made.load(Ordering::SeqCst) {
                exchange.status = 404;
                exchange.answer = json!({ "error_code": "NOT_FOUND", "message": "The directory does not exist." });
            }
        })
        .await?
    };
    let answer = harness.answer("upload_file", json!({ "path": path, "content": "x", "overwrite": true })).await?;
    assert!(made.load(Ordering::SeqCst) && answer["size"] == 1, "{answer}");
    Ok(())
}

#[tokio::test]
async fn queries_of_a_lineage_have_names() -> Outcome {
    let harness = Harness::twisted(|exchange: &mut Exchange| {
        if exchange.target.contains("/lineage-tracking/table-lineage") {
            let query = json!({ "workspace_id": 1, "query_id": "11111111-2222-4333-8444-555555555555" });
            exchange.answer = json!({ "downstreams": [{ "queryInfos": [query] }] });
        } else if exchange.is("GET /api/2.0/sql/queries/") {
            exchange.status = 200;
            exchange.answer = json!({ "display_name": "Revenue of a day" });
        }
    })
    .await?;
    let answer = harness.answer("get_table_lineage", json!({ "full_name": "samples.retail.orders" })).await?;
    assert!(answer.to_string().contains("Revenue of a day"), "{answer}");
    Ok(())
}
