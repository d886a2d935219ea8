//! The audit log: a line for each call, before and after what changes something, and the chain that holds them together.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use databricks_mcp_server::audit::AuditLog;
use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome, client};

/// A harness of every toolset that records its calls.
async fn recorded(log: &Path, selection: Selection) -> Result<Harness, Box<dyn std::error::Error>> {
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let mut context = Context::new(client(&sandbox)?, Budget::tokens(6_000), None);
    context.audit = Some(AuditLog::open(log)?);
    let selection = Selection { toolsets: vec!["all".to_owned()], ..selection };
    Harness::of(Server::new(Registry::new(&selection)?, context), sandbox).await
}

fn lines(log: &Path) -> Result<Vec<Value>, Box<dyn std::error::Error>> {
    let text = std::fs::read_to_string(log)?;
    text.lines().map(|line| Ok(serde_json::from_str(line)?)).collect()
}

struct Place {
    _directory: tempfile::TempDir,
    log: PathBuf,
}

fn place() -> Result<Place, Box<dyn std::error::Error>> {
    let directory = tempfile::tempdir()?;
    Ok(Place { log: directory.path().join("audit.jsonl"), _directory: directory })
}

#[tokio::test]
async fn a_read_has_one_line_that_tells_who_called_what() -> Outcome {
    let place = place()?;
    let harness = recorded(&place.log, Selection::default()).await?;
    let answer = harness.answer("list_jobs", json!({ "limit": 2 })).await?;
    let lines = lines(&place.log)?;
    let [line] = lines.as_slice() else { return Err(format!("{lines:?}").into()) };
    for (name, expected) in [
        ("previous", json!(null)),
        ("event", json!("call")),
        ("principal", json!("sandbox.user@example.test")),
        ("tool", json!("list_jobs")),
        ("operation", json!("jobs.jobs.list")),
        ("risk", json!("read")),
        ("arguments", json!({ "limit": 2 })),
        ("decision", json!("allowed")),
        ("rule", json!(null)),
        ("outcome", json!("ok")),
        ("error", json!(null)),
        ("result_bytes", json!(answer.to_string().len())),
    ] {
        assert_eq!(line[name], expected, "{name}: {line}");
    }
    assert!(line["session"].is_string() && line["call"].is_string() && line["duration_ms"].is_u64(), "{line}");
    assert!(line["client"]["name"].is_string() && line["client"]["version"].is_string(), "{line}");
    assert!(line["request_ids"].as_array().is_some_and(|ids| !ids.is_empty()), "{line}");
    assert!(line["workspace"].as_str().is_some_and(|host| host.starts_with("http://127.0.0.1")), "{line}");
    Ok(())
}

#[tokio::test]
async fn a_change_is_told_before_it_is_sent_and_after() -> Outcome {
    let place = place()?;
    let harness = recorded(&place.log, Selection::default()).await?;
    harness.answer("create_secret_scope", json!({ "scope": "audited" })).await?;
    let secret = json!({ "scope": "audited", "key": "k", "string_value": "correct horse" });
    harness.answer("put_secret", secret.clone()).await?;
    let executed = json!({ "operation": "workspace.secrets.put_secret", "arguments": secret });
    harness.answer("call_destructive_operation", executed).await?;
    let text = std::fs::read_to_string(&place.log)?;
    assert!(!text.contains("correct horse"), "{text}");
    let lines = lines(&place.log)?;
    let told: Vec<_> = lines
        .iter()
        .map(|line| {
            let field = |name: &str| line[name].as_str().unwrap_or_default().to_owned();
            (field("event"), field("tool"), field("operation"), field("outcome"))
        })
        .collect();
    let line = |event: &str, tool: &str, operation: &str| {
        let outcome = if event == "call" { "ok" } else { "" };
        (event.to_owned(), tool.to_owned(), operation.to_owned(), outcome.to_owned())
    };
    let (scope, put, executor) = ("create_secret_scope", "put_secret", "call_destructive_operation");
    let (make, set) = ("workspace.secrets.create_scope", "workspace.secrets.put_secret");
    let expected = [
        line("intent", scope, make),
        line("call", scope, make),
        line("intent", put, set),
        line("call", put, set),
        line("intent", executor, set),
        line("call", executor, set),
    ];
    assert_eq!(told, expected);
    assert_eq!(lines[0]["call"], lines[1]["call"], "the two lines of a call have its id");
    assert_ne!(lines[1]["call"], lines[2]["call"]);
    let hash = lines[2]["arguments"]["string_value"].as_str().unwrap_or_default();
    assert!(hash.starts_with("hmac-sha256:"), "{hash}");
    assert_eq!(lines[4]["arguments"]["arguments"]["string_value"], hash, "equal secrets have equal hashes");
    assert_eq!((&lines[4]["risk"], &lines[5]["risk"]), (&lines[2]["risk"], &lines[2]["risk"]));
    Ok(())
}

#[tokio::test]
async fn what_is_refused_and_what_fails_is_told() -> Outcome {
    let place = place()?;
    let selection = Selection { read_only: true, exclude_tools: vec!["get_job".to_owned()], ..Selection::default() };
    let harness = recorded(&place.log, selection).await?;
    assert!(harness.call("delete_job", json!({ "job_id": 1 })).await.is_err());
    assert!(harness.call("no_such_tool", json!({ "password": "hunter2hunter2" })).await.is_err());
    harness.refusal("execute_sql", json!({ "statement": "DROP TABLE main.default.t" })).await?;
    let excluded = json!({ "operation": "get_job", "arguments": { "job_id": 1 } });
    harness.refusal("call_read_operation", excluded).await?;
    harness.refusal("list_jobs", json!({ "limit": "many" })).await?;
    harness.refusal("get_cluster", json!({ "cluster_id": "none" })).await?;
    assert!(harness.read("databricks://jobs/1").await.is_err());
    let told: Vec<_> = lines(&place.log)?
        .into_iter()
        .map(|line| [&line["decision"], &line["rule"], &line["outcome"], &line["error"]].map(Value::clone))
        .collect();
    let expected = [
        json!(["refused", "not enabled", "error", "unknown tool"]),
        json!(["refused", "not enabled", "error", "unknown tool"]),
        json!(["refused", "read-only", "error", "failed"]),
        json!(["refused", "--exclude-tools", "error", "failed"]),
        json!(["allowed", null, "error", "arguments"]),
        json!(["allowed", null, "error", "INVALID_PARAMETER_VALUE"]),
        json!(["allowed", null, "error", "INVALID_PARAMETER_VALUE"]),
    ];
    assert_eq!(json!(told), json!(expected));
    assert!(!std::fs::read_to_string(&place.log)?.contains("hunter2"));
    Ok(())
}

#[tokio::test]
async fn a_resource_has_a_line_with_its_uri() -> Outcome {
    let place = place()?;
    let harness = recorded(&place.log, Selection::default()).await?;
    let (_, text) = harness.read("databricks://tables/samples.retail.orders").await?;
    let lines = lines(&place.log)?;
    let line = lines.last().ok_or("no line")?;
    assert_eq!((&line["tool"], &line["outcome"]), (&json!(null), &json!("ok")), "{line}");
    assert_eq!(line["resource"], "databricks://tables/samples.retail.orders");
    assert_eq!(line["operation"], "catalog.tables.get");
    assert!(line["result_bytes"].as_u64().is_some_and(|bytes| bytes >= text.len() as u64), "{line}");
    Ok(())
}

#[tokio::test]
async fn a_call_that_is_cancelled_is_told_and_so_is_what_is_undone() -> Outcome {
    let place = place()?;
    let harness = recorded(&place.log, Selection::default()).await?;
    let source = "# Databricks notebook source\nimport time\ntime.sleep(600)\n";
    let path = "/Users/test@sandbox.test/audited";
    let notebook = json!({ "path": path, "content": source, "language": "PYTHON", "format": "SOURCE" });
    harness.answer("import_notebook", notebook).await?;
    let told = |event: &str| -> Result<Option<Value>, Box<dyn std::error::Error>> {
        let of_run =
            lines(&place.log)?.into_iter().filter(|line| line["tool"] == "run_notebook" || line["event"] == "undo");
        Ok(of_run.into_iter().find(|line| line["event"] == event))
    };
    let arguments = json!({ "path": path, "timeout_seconds": 600 });
    harness.cancelled_at("run_notebook", arguments, |state| state.contains("RUNNING")).await?;
    let deadline = tokio::time::Instant::now() + std::time::Duration::from_secs(30);
    while told("undo")?.is_none() && tokio::time::Instant::now() < deadline {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let (intent, call, undo) = (told("intent")?, told("call")?, told("undo")?);
    let (intent, call, undo) = (intent.ok_or("no intent")?, call.ok_or("no call")?, undo.ok_or("no undo")?);
    assert_eq!(call["outcome"], "cancelled", "{call}");
    assert_eq!(undo["operation"], "jobs.jobs.cancel_run", "{undo}");
    assert!(intent["call"] == call["call"] && call["call"] == undo["call"], "{intent} {call} {undo}");
    Ok(())
}

#[cfg(target_os = "linux")]
#[tokio::test]
async fn without_room_nothing_is_changed_and_reads_go_on() -> Outcome {
    let harness = recorded(Path::new("/dev/full"), Selection::default()).await?;
    let refusal = harness.refusal("create_secret_scope", json!({ "scope": "unrecorded" })).await?;
    assert!(refusal.contains("the audit log cannot be written") && refusal.contains("nothing was sent"), "{refusal}");
    let executed = json!({ "operation": "create_secret_scope", "arguments": { "scope": "unrecorded" } });
    let refusal = harness.refusal("call_write_operation", executed).await?;
    assert!(refusal.contains("the audit log cannot be written"), "{refusal}");
    let scopes = harness.answer("list_secret_scopes", json!({})).await?;
    assert!(!scopes.to_string().contains("unrecorded"), "{scopes}");
    Ok(())
}
