//! Runs and statements that are cancelled in whatever state they are.

use std::sync::Arc;
use std::time::Duration;

use databricks_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::standing_still;

type Failure = Box<dyn std::error::Error>;

/// A workspace in which time stands still, with a notebook that takes its time and one that fails.
async fn workspace() -> Result<(Arc<Sandbox>, Harness), Failure> {
    let (sandbox, harness) = standing_still(&[]).await?;
    harness.notebook("/Users/slow", "import time\ntime.sleep(3600)\n").await?;
    harness.notebook("/Users/broken", "raise ValueError(\"not yet\")\n").await?;
    Ok((sandbox, harness))
}

fn task(key: &str, notebook: &str, more: Value) -> Value {
    let mut task = json!({ "task_key": key, "notebook_task": { "notebook_path": notebook } });
    if let (Some(task), Value::Object(more)) = (task.as_object_mut(), more) {
        task.extend(more);
    }
    task
}

impl Harness {
    /// A new job and a run of it.
    async fn started(&self, settings: Value) -> Result<(Value, Value), Failure> {
        let job = self.direct("POST", "/api/2.2/jobs/create", Some(settings)).await?["job_id"].clone();
        let run = self.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
        Ok((job, run))
    }

    /// The life-cycle states of a run and of all its tasks, and their results, as the workspace knows them.
    async fn states(&self, run: &Value) -> Result<(Value, Vec<[Value; 2]>), Failure> {
        let (mut tasks, mut token, id) = (Vec::new(), String::new(), run.to_string().replace('"', ""));
        loop {
            let shown = self.direct("GET", &format!("/api/2.2/jobs/runs/get?run_id={id}{token}"), None).await?;
            let page = shown["tasks"].as_array().into_iter().flatten();
            tasks.extend(page.map(|task| ["life_cycle_state", "result_state"].map(|name| task["state"][name].clone())));
            match shown["next_page_token"].as_str() {
                Some(next) => token = format!("&page_token={next}"),
                None => return Ok((shown["state"].clone(), tasks)),
            }
        }
    }
}

/// Whether all of so many tasks were cancelled.
fn assert_cancelled(tasks: &[[Value; 2]], count: usize) {
    assert_eq!(tasks.len(), count);
    assert!(tasks.iter().all(|task| *task == ["TERMINATED", "CANCELED"]), "{tasks:?}");
}

#[tokio::test]
async fn a_large_run_is_cancelled_with_all_its_tasks() -> Outcome {
    let (sandbox, harness) = workspace().await?;
    // The last third waits for the first task.
    let after = |at: usize| if at < 160 { json!({}) } else { json!({ "depends_on": [{ "task_key": "t000" }] }) };
    let tasks: Vec<_> = (0..240).map(|at| task(&format!("t{at:03}"), "/Users/slow", after(at))).collect();
    let (_, run) = harness.started(json!({ "name": "large", "tasks": tasks })).await?;
    sandbox.advance(Duration::from_secs(1));
    let (state, tasks) = harness.states(&run).await?;
    let count = |name: &str| tasks.iter().filter(|task| task[0] == name).count();
    assert_eq!((state["life_cycle_state"].as_str(), count("RUNNING"), count("BLOCKED")), (Some("RUNNING"), 160, 80));
    let told = harness.answer("cancel_run", json!({ "run_id": run })).await?;
    assert_eq!(
        (&told["result_state"], &told["life_cycle_state"]),
        (&json!("CANCELED"), &json!("TERMINATED")),
        "{told}"
    );
    harness.until_heard(|state| state.contains("TERMINATED, 240 of 240 tasks done")).await?;
    assert_cancelled(&harness.states(&run).await?.1, 240);
    let again = harness.answer("cancel_run", json!({ "run_id": run })).await?;
    assert_eq!(again["already_over"], true, "{again}");
    Ok(())
}

#[tokio::test]
async fn a_queued_run_is_cancelled_and_the_one_before_it_is_not() -> Outcome {
    let (sandbox, harness) = workspace().await?;
    let tasks = json!([task("slow", "/Users/slow", json!({}))]);
    let settings =
        json!({ "name": "one at a time", "tasks": tasks, "max_concurrent_runs": 1, "queue": { "enabled": true } });
    let (job, first) = harness.started(settings).await?;
    let second = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(harness.states(&second).await?.0["life_cycle_state"], "QUEUED");
    let told = harness.answer("cancel_run", json!({ "run_id": second })).await?;
    assert_eq!(told["result_state"], "CANCELED", "{told}");
    assert_eq!(harness.states(&first).await?.0["life_cycle_state"], "RUNNING");
    // It does not come back when its turn would have been.
    harness.answer("cancel_run", json!({ "run_id": first })).await?;
    sandbox.advance(Duration::from_secs(60));
    let (state, tasks) = harness.states(&second).await?;
    assert_eq!(state["life_cycle_state"], "TERMINATED", "{state}");
    assert_cancelled(&tasks, 1);
    Ok(())
}

#[tokio::test]
async fn a_run_that_waits_for_its_next_try_is_cancelled_for_good() -> Outcome {
    let (sandbox, harness) = workspace().await?;
    let retried = json!({ "max_retries": 3, "min_retry_interval_millis": 600_000 });
    let tasks = json!([
        task("flaky", "/Users/broken", retried),
        task("after", "/Users/slow", json!({ "depends_on": [{ "task_key": "flaky" }] }))
    ]);
    let (_, run) = harness.started(json!({ "name": "retried", "tasks": tasks })).await?;
    sandbox.advance(Duration::from_secs(30));
    let (_, before) = harness.states(&run).await?;
    let states: Vec<_> = before.iter().map(|task| task[0].clone()).collect();
    assert!(states.contains(&json!("WAITING_FOR_RETRY")) && states.contains(&json!("BLOCKED")), "{before:?}");
    let told = harness.answer("cancel_run", json!({ "run_id": run })).await?;
    assert_eq!(
        (&told["result_state"], &told["life_cycle_state"]),
        (&json!("CANCELED"), &json!("TERMINATED")),
        "{told}"
    );
    sandbox.advance(Duration::from_secs(3_600));
    let (state, after) = harness.states(&run).await?;
    assert_eq!(
        (&state["result_state"], after.len()),
        (&json!("CANCELED"), before.len()),
        "it was tried again: {after:?}"
    );
    Ok(())
}

#[tokio::test]
async fn a_statement_that_has_ended_keeps_its_end() -> Outcome {
    let harness = Harness::default().await?;
    let done = harness.answer("execute_sql", json!({ "statement": "SELECT 1 AS one" })).await?;
    let id = json!({ "statement_id": done["statement_id"] });
    let told = harness.answer("cancel_sql", id.clone()).await?;
    assert_eq!((&told["state"], told.get("still_running")), (&json!("SUCCEEDED"), None), "{told}");
    assert!(told["hint"].to_string().contains("nothing to cancel"), "{told}");
    assert_eq!(harness.answer("get_sql_result", id).await?["rows"], json!([[1]]), "its rows are still there");

    let refusal = harness.refusal("execute_sql", json!({ "statement": "SELECT nothing" })).await?;
    let failed = refusal.split('`').nth(1).ok_or("no id")?;
    let told = harness.answer("cancel_sql", json!({ "statement_id": failed })).await?;
    assert_eq!(told["state"], "FAILED", "{told}");
    let refusal = harness.refusal("cancel_sql", json!({ "statement_id": "01f0-unknown" })).await?;
    assert!(refusal.contains("`list_query_history`"), "{refusal}");
    Ok(())
}
