//! Runs of more tasks than one answer of the API holds.

use serde_json::{Value, json};

use crate::house::{House, Outcome};

const TASKS: usize = 250;
/// The task that fails is on the second page of three.
const FAILING: usize = 180;

type Failure = Box<dyn std::error::Error>;

fn key(at: usize) -> String {
    format!("t{at:03}")
}

/// Whether the progress that was told counts all tasks.
fn assert_totals(house: &House) {
    let totals = house.client.service().totals();
    assert!(!totals.is_empty() && totals.iter().all(|total| *total == Some(250.0)), "{totals:?}");
}

/// A house with a job of many tasks, one of which fails, and a run of it that has ended.
async fn failed() -> Result<(House, Value, Value), Failure> {
    let house = House::default().await?;
    house.notebook("/Users/step", "dbutils.notebook.exit(\"ok\")\n").await?;
    house.notebook("/Users/broken", "raise ValueError(\"no rows\")\n").await?;
    let task = |at: usize| {
        let path = if at == FAILING { "/Users/broken" } else { "/Users/step" };
        json!({ "task_key": key(at), "notebook_task": { "notebook_path": path } })
    };
    let tasks: Vec<_> = (0..TASKS).map(task).collect();
    let job = house.answer("create_job", json!({ "name": "large", "tasks": tasks })).await?["job_id"].clone();
    let started = house.answer("run_job_now", json!({ "job_id": job })).await?;
    if let Some(done) = started.get("tasks_done") {
        assert!(done.to_string().ends_with(" of 250\""), "{started}");
    }
    let refusal = house.refusal("wait_for_run", json!({ "run_id": started["run_id"] })).await?;
    assert!(refusal.contains("task `t180`"), "{refusal}");
    Ok((house, job, started["run_id"].clone()))
}

/// The keys of all tasks that a plain tool shows, page by page.
async fn shown(
    house: &House,
    tool: &'static str,
    mut call: Value,
    path: &str,
) -> Result<(Vec<String>, usize), Failure> {
    let (mut keys, mut pages) = (Vec::new(), 0);
    loop {
        let answer = house.answer(tool, call.clone()).await?;
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
    let (house, _, run) = failed().await?;
    let run = json!({ "run_id": run });
    house.until_heard(|state| state.contains("TERMINATED, 250 of 250 tasks done")).await?;
    assert_totals(&house);
    let diagnosis = house.answer("diagnose_run", run.clone()).await?;
    assert_eq!(diagnosis["first_failure"]["task_key"], key(FAILING), "{diagnosis}");
    assert!(diagnosis["first_failure"]["error"].to_string().contains("no rows"), "{diagnosis}");

    house.notebook("/Users/broken", "dbutils.notebook.exit(\"mended\")\n").await?;
    let repaired = house.answer("repair_run", json!({ "run_id": run["run_id"], "wait": true })).await?;
    assert_eq!(repaired["result_state"], "SUCCESS", "{repaired}");
    assert_totals(&house);
    let one = json!({ "run_id": run["run_id"], "task_key": key(FAILING) });
    let output = house.answer("get_run_output", one).await?;
    assert_eq!(output["tasks"][0]["result"], "mended", "{output}");
    let over = house.answer("cancel_run", run).await?;
    assert_eq!(over["already_over"], true, "{over}");
    Ok(())
}

#[tokio::test]
async fn every_task_of_a_large_run_is_reached_page_by_page() -> Outcome {
    let (house, job, run) = failed().await?;
    let all: Vec<_> = (0..TASKS).map(key).collect();
    let fields = json!(["tasks.task_key"]);
    let found = shown(&house, "get_run", json!({ "run_id": run, "fields": fields }), "/tasks").await?;
    assert_eq!(found, (all.clone(), 3));
    let fields = json!(["settings.tasks.task_key"]);
    let found = shown(&house, "get_job", json!({ "job_id": job, "fields": fields }), "/settings/tasks").await?;
    assert_eq!(found, (all.clone(), 3));
    let (_, definition) = house.read(&format!("databricks://jobs/{}", job.to_string().trim_matches('"'))).await?;
    let definition: Value = serde_json::from_str(&definition)?;
    assert_eq!(definition["settings"]["tasks"].as_array().map(Vec::len), Some(TASKS));
    let first = house.answer("get_run_output", json!({ "run_id": run })).await?;
    assert_eq!(first["tasks"][0]["task_key"], key(FAILING), "what failed comes first: {first}");
    let (mut found, pages) = shown(&house, "get_run_output", json!({ "run_id": run }), "/tasks").await?;
    found.sort();
    assert!(found == all && pages > 3, "{pages} pages with {found:?}");
    Ok(())
}
