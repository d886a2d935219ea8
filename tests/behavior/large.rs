//! Runs of more tasks than one answer of the API holds.

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const TASKS: usize = 250;
/// The task that fails is on the second page of three.
const FAILING: usize = 180;

type Failure = Box<dyn std::error::Error>;

fn key(at: usize) -> String {
    format!("t{at:03}")
}

/// Whether the progress that was told counts all tasks.
fn assert_totals(harness: &Harness) {
    let totals = harness.client.service().totals();
    assert!(!totals.is_empty() && totals.iter().all(|total| *total == Some(250.0)), "{totals:?}");
}

/// A harness with a job of many tasks, one of which fails, and a run of it that has ended.
async fn failed() -> Result<(Harness, Value, Value), Failure> {
    let harness = Harness::default().await?;
    harness.notebook("/Users/step", "dbutils.notebook.exit(\"ok\")\n").await?;
    harness.notebook("/Users/broken", "raise ValueError(\"no rows\")\n").await?;
    let task = |at: usize| {
        let path = if at == FAILING { "/Users/broken" } else { "/Users/step" };
        json!({ "task_key": key(at), "notebook_task": { "notebook_path": path } })
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    let job = harness.answer("create_job", json!({ "name": "large", "tasks": tasks })).await?["job_id"].clone();
    let started = harness.answer("run_job_now", json!({ "job_id": job })).await?;
    if let Some(done) = started.get("tasks_done") {
        assert!(done.to_string().ends_with(" of 250\""), "{started}");
    }
    let refusal = harness.refusal("wait_for_run", json!({ "run_id": started["run_id"] })).await?;
    assert!(refusal.contains("task `t180`"), "{refusal}");
    Ok((harness, job, started["run_id"].clone()))
}

/// The keys of all tasks that a plain tool shows, page by page.
async fn shown(
    harness: &Harness,
    tool: &'static str,
    mut call: Value,
    path: &str,
) -> Result<(Vec<String>, usize), Failure> {
    let (mut keys, mut pages) = (Vec::new(), 0);
    loop {
        let answer = harness.answer(tool, call.clone()).await?;
        let tasks = answer.pointer(path).and_then(Value::as_array).ok_or("no tasks")?;
        keys.extend(tasks.iter().filter_map(|task| task["task_key"].as_str().map(str::to_owned)));
        pages += 1;
        let Some(token) = answer.get("next_page_token") else { return Ok((keys, pages)) };
        assert!(answer["truncated"] == true && answer["hint"].to_string().contains("`page_token`"), "{answer}");
        call["page_token"] = token.clone();
    }
}

#[tokio::test]
async fn every_task_of_a_large_run_is_counted_diagnosed_and_repaired() -> Outcome {
    let (harness, _, run) = failed().await?;
    let run = json!({ "run_id": run });
    harness.until_heard(|state| state.contains("TERMINATED, 250 of 250 tasks done")).await?;
    assert_totals(&harness);
    let diagnosis = harness.answer("diagnose_run", run.clone()).await?;
    assert_eq!(diagnosis["first_failure"]["task_key"], key(FAILING), "{diagnosis}");
    assert!(diagnosis["first_failure"]["error"].to_string().contains("no rows"), "{diagnosis}");

    harness.notebook("/Users/broken", "dbutils.notebook.exit(\"mended\")\n").await?;
    let repaired = harness.answer("repair_run", json!({ "run_id": run["run_id"], "wait": true })).await?;
    assert_eq!(repaired["result_state"], "SUCCESS", "{repaired}");
    assert_totals(&harness);
    let one = json!({ "run_id": run["run_id"], "task_key": key(FAILING) });
    let output = harness.answer("get_run_output", one).await?;
    assert_eq!(output["tasks"][0]["result"], "mended", "{output}");
    let over = harness.answer("cancel_run", run).await?;
    assert_eq!(over["already_over"], true, "{over}");
    Ok(())
}

#[tokio::test]
async fn every_task_of_a_large_run_is_reached_page_by_page() -> Outcome {
    let (harness, job, run) = failed().await?;
    let all: Vec<_> = (0..TASKS).map(key).collect();
    let fields = json!(["tasks.task_key"]);
    let found = shown(&harness, "get_run", json!({ "run_id": run, "fields": fields }), "/tasks").await?;
    assert_eq!(found, (all.clone(), 3));
    let fields = json!(["settings.tasks.task_key"]);
    let found = shown(&harness, "get_job", json!({ "job_id": job, "fields": fields }), "/settings/tasks").await?;
    assert_eq!(found, (all.clone(), 3));
    let (_, definition) = harness.read(&format!("databricks://jobs/{}", job.to_string().trim_matches('"'))).await?;
    let definition: Value = serde_json::from_str(&definition)?;
    assert_eq!(definition["settings"]["tasks"].as_array().map(Vec::len), Some(TASKS));
    let first = harness.answer("get_run_output", json!({ "run_id": run })).await?;
    assert_eq!(first["tasks"][0]["task_key"], key(FAILING), "what failed comes first: {first}");
    let (mut found, pages) = shown(&harness, "get_run_output", json!({ "run_id": run }), "/tasks").await?;
    found.sort();
    assert!(found == all && pages > 3, "{pages} pages with {found:?}");
    Ok(())
}
