//! Calls that wait: progress on the way, and cancellation that reaches the workspace.

use std::time::Duration;

use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest};
use rmcp::service::PeerRequestOptions;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use crate::harness::{Harness, Outcome};

const PATIENCE: Duration = Duration::from_secs(30);

impl Harness {
    /// Asks until an answer passes the test.
    pub(crate) async fn until(
        &self,
        tool: &'static str,
        arguments: Value,
        passes: impl Fn(&Value) -> bool,
    ) -> Result<Value, Box<dyn std::error::Error>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let answer = self.answer(tool, arguments.clone()).await?;
            if passes(&answer) {
                return Ok(answer);
            }
            if Instant::now() > deadline {
                return Err(format!("`{tool}` still answers {answer}").into());
            }
            sleep(Duration::from_millis(100)).await;
        }
    }

    /// Calls a tool, and cancels the call as soon as `has_started` answers in the workspace.
    pub(crate) async fn cancelled(
        &self,
        tool: &'static str,
        arguments: Value,
        list: (&'static str, Value),
        has_started: impl Fn(&Value) -> bool,
    ) -> Outcome {
        let Value::Object(arguments) = arguments else { return Err("the arguments are no object".into()) };
        let request = CallToolRequest::new(CallToolRequestParams::new(tool).with_arguments(arguments));
        let options = PeerRequestOptions::no_options();
        let call = self.client.send_cancellable_request(ClientRequest::CallToolRequest(request), options).await?;
        self.until(list.0, list.1, has_started).await?;
        Ok(call.cancel(Some("the person pressed stop".into())).await?)
    }
}

pub(crate) fn items(answer: &Value) -> impl Iterator<Item = &Value> {
    answer["items"].as_array().into_iter().flatten()
}

#[tokio::test]
async fn a_cancelled_query_is_cancelled_in_the_workspace() -> Outcome {
    let harness = Harness::default().await?;
    let list = ("list_query_history", json!({ "fields": ["status", "query_text"] }));
    let has = |status: &'static str| {
        move |answer: &Value| {
            let mut queries = items(answer);
            queries
                .any(|query| query["status"] == status && query["query_text"].to_string().contains("sandbox_sleep(25)"))
        }
    };
    let query = json!({ "statement": "SELECT sandbox_sleep(25)" });
    harness.cancelled("execute_sql", query, list.clone(), has("RUNNING")).await?;
    harness.until(list.0, list.1, has("CANCELED")).await?;
    Ok(())
}

#[tokio::test]
async fn a_cancelled_notebook_is_cancelled_in_the_workspace() -> Outcome {
    let harness = Harness::default().await?;
    let path = "/Users/cancelled";
    let source = "# Databricks notebook source\nimport time\ntime.sleep(25)\n";
    harness.answer("import_notebook", json!({ "path": path, "content": source, "language": "PYTHON" })).await?;
    let list = ("list_job_runs", json!({ "fields": ["run_name", "state"] }));
    let has = |field: &'static str, value: &'static str| {
        move |answer: &Value| {
            items(answer).any(|run| run["run_name"] == "to be cancelled" && run["state"][field] == value)
        }
    };
    let call = json!({ "path": path, "run_name": "to be cancelled" });
    harness.cancelled("run_notebook", call, list.clone(), has("life_cycle_state", "RUNNING")).await?;
    harness.until(list.0, list.1, has("result_state", "CANCELED")).await?;
    Ok(())
}

#[tokio::test]
async fn a_wait_that_runs_out_leaves_the_work_alone() -> Outcome {
    let harness = Harness::default().await?;
    let answer =
        harness.answer("execute_sql", json!({ "statement": "SELECT sandbox_sleep(3)", "timeout_seconds": 1 })).await?;
    assert_eq!(answer["still_running"], true, "{answer}");
    let id = answer["statement_id"].clone();
    let answer = harness.answer("get_sql_result", json!({ "statement_id": id })).await?;
    assert_eq!(answer["state"], "SUCCEEDED", "{answer}");
    Ok(())
}

#[tokio::test]
async fn progress_tells_each_state_once_and_grows() -> Outcome {
    let harness = Harness::default().await?;
    harness.answer("execute_sql", json!({ "statement": "SELECT sandbox_sleep(2)", "timeout_seconds": 4 })).await?;
    let listener = harness.client.service();
    let deadline = Instant::now() + PATIENCE;
    // The client handles notifications beside answers.
    while !listener.heard().iter().any(|(_, state)| state.contains("SUCCEEDED")) && Instant::now() < deadline {
        sleep(Duration::from_millis(20)).await;
    }
    let heard = listener.heard();
    assert!(heard.iter().any(|(_, state)| state.contains("RUNNING")), "{heard:?}");
    assert!(heard.last().is_some_and(|(_, state)| state.contains("SUCCEEDED")), "{heard:?}");
    assert!(heard.is_sorted_by(|one, next| one.0 < next.0), "{heard:?}");
    Ok(())
}

#[tokio::test]
async fn a_job_is_run_and_waited_for_in_one_call_or_two() -> Outcome {
    let harness = Harness::default().await?;
    let jobs = harness.answer("list_jobs", json!({})).await?;
    let job = |name: &str| {
        let found = items(&jobs).find(|job| job["settings"]["name"] == name).map(|job| job["job_id"].clone());
        found.ok_or(format!("no job `{name}` in {jobs}"))
    };
    let arguments = json!({ "job_id": job("nightly-orders")?, "wait": true });
    let answer = harness.answer("run_job_now", arguments).await?;
    assert_eq!(answer["result_state"], "SUCCESS", "{answer}");
    assert_eq!(answer["tasks"].as_array().map(Vec::len), Some(1), "{answer}");
    let started = harness.answer("run_job_now", json!({ "job_id": job("data-quality-check")? })).await?;
    let refusal = harness.refusal("wait_for_run", json!({ "run_id": started["run_id"] })).await?;
    assert!(refusal.contains("FAILED") && refusal.contains("`diagnose_run`"), "{refusal}");
    let slow = harness.answer("run_job_now", json!({ "job_id": job("slow-export")? })).await?;
    let answer = harness.answer("wait_for_run", json!({ "run_id": slow["run_id"], "timeout_seconds": 0 })).await?;
    assert_eq!(answer["still_running"], true, "{answer}");
    let refusal = harness.refusal("run_job_now", json!({ "job_id": "twelve" })).await?;
    assert!(refusal.contains("made of digits"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn quick_calls_do_not_wait_for_statements_that_the_service_holds_open() -> Outcome {
    let harness = Harness::default().await?;
    let statements = (0..50).map(|_| harness.call("execute_sql", json!({ "statement": "SELECT sandbox_sleep(30)" })));
    let statements = futures_util::future::join_all(statements);
    let quick = async {
        // Until they are with the service.
        loop {
            let history = harness.answer("list_query_history", json!({ "limit": 100 })).await?;
            let running = history["items"].as_array().map_or(0, Vec::len);
            if history.to_string().matches("sandbox_sleep(30)").count() >= 9 || running >= 50 {
                break;
            }
        }
        harness.answer("list_clusters", json!({})).await
    };
    tokio::select! {
        biased;
        _ = statements => Err("the statements came first".into()),
        clusters = quick => clusters.map(drop),
    }
}
