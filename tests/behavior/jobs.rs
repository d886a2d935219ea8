//! Runs of jobs and notebooks: waiting, cancelling, repairing, their output.

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::waiting::items;

type Failure = Box<dyn std::error::Error>;

impl Harness {
    /// Id of a seeded job.
    pub(crate) async fn job(&self, name: &str) -> Result<Value, Failure> {
        let jobs = self.answer("list_jobs", json!({ "limit": 100 })).await?;
        let found = items(&jobs).find(|job| job["settings"]["name"] == name).map(|job| job["job_id"].clone());
        Ok(found.ok_or(format!("no job `{name}` in {jobs}"))?)
    }

    /// Makes a Python notebook.
    pub(crate) async fn notebook(&self, path: &str, source: &str) -> Outcome {
        let import =
            json!({ "path": path, "content": source, "language": "PYTHON", "format": "SOURCE", "overwrite": true });
        self.answer("import_notebook", import).await.map(drop)
    }

    /// How many runs a job has had.
    async fn runs(&self, job: &Value) -> Result<usize, Failure> {
        Ok(self.all("list_job_runs", json!({ "job_id": job })).await?.0.len())
    }
}

fn task<'a>(answer: &'a Value, key: &str) -> &'a Value {
    let tasks = answer["tasks"].as_array().into_iter().flatten();
    tasks.into_iter().find(|task| task["task_key"] == key).unwrap_or(&Value::Null)
}

#[tokio::test]
async fn tasks_done_of_all_are_the_progress_of_a_run() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/step", "dbutils.notebook.exit(\"ok\")\n").await?;
    let step = |key: &str, after: &str| {
        let mut step = json!({ "task_key": key, "notebook_task": { "notebook_path": "/Users/step" } });
        if !after.is_empty() {
            step["depends_on"] = json!([{ "task_key": after }]);
        }
        step
    };
    let tasks = json!([step("one", ""), step("two", "one"), step("three", "two")]);
    let job = harness.answer("create_job", json!({ "name": "steps", "tasks": tasks })).await?["job_id"].clone();
    let answer = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    assert_eq!((&answer["result_state"], &answer["life_cycle_state"]), (&json!("SUCCESS"), &json!("TERMINATED")));
    assert_eq!(answer["tasks"].as_array().map(Vec::len), Some(3), "{answer}");
    assert!(answer["run_page_url"].is_string() && answer["duration_ms"].is_u64(), "{answer}");
    assert!(answer["start_time"].as_str().is_some_and(|time| time.ends_with('Z')), "{answer}");
    harness.until_heard(|state| state.contains("TERMINATED, 3 of 3 tasks done")).await?;
    let heard = harness.client.service().heard();
    assert!(heard.is_sorted_by(|one, next| one.0 < next.0), "{heard:?}");
    assert!(harness.client.service().totals().iter().all(|total| *total == Some(3.0)), "{heard:?}");
    assert_eq!(heard.last().map(|(done, _)| *done), Some(3.0), "{heard:?}");
    Ok(())
}

#[tokio::test]
async fn a_run_that_goes_on_is_waited_for_again_or_cancelled_once() -> Outcome {
    let harness = Harness::default().await?;
    let job = harness.job("slow-export").await?;
    let arguments = json!({ "job_id": job, "wait": true, "timeout_seconds": 1 });
    let answer = harness.answer("run_job_now", arguments).await?;
    assert_eq!(answer["still_running"], true, "{answer}");
    assert!(answer["run_page_url"].is_string() && answer["hint"].to_string().contains("`wait_for_run`"), "{answer}");
    let run = json!({ "run_id": answer["run_id"] });
    let again = harness.answer("wait_for_run", json!({ "run_id": answer["run_id"], "timeout_seconds": 0 })).await?;
    assert_eq!((&again["run_id"], &again["still_running"]), (&answer["run_id"], &json!(true)));
    let cancelled = harness.answer("cancel_run", run.clone()).await?;
    assert_eq!(cancelled["result_state"], "CANCELED", "{cancelled}");
    let again = harness.answer("cancel_run", run.clone()).await?;
    assert_eq!((&again["already_over"], &again["result_state"]), (&json!(true), &json!("CANCELED")), "{again}");
    let refusal = harness.refusal("wait_for_run", run).await?;
    assert!(refusal.contains("CANCELED") && refusal.contains("`repair_run`"), "{refusal}");
    let missing = harness.refusal("cancel_run", json!({ "run_id": 1 })).await?;
    assert!(missing.contains("`list_job_runs`"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_call_cancels_the_run_that_it_started_and_no_other() -> Outcome {
    let harness = Harness::default().await?;
    let job = harness.job("slow-export").await?;
    let list = ("list_job_runs", json!({ "job_id": job, "limit": 1, "fields": ["run_id", "state"] }));
    let newest =
        |field: &'static str, value: &'static str| move |answer: &Value| answer["items"][0]["state"][field] == value;
    let call = json!({ "job_id": job, "wait": true });
    harness.cancelled("run_job_now", call, list.clone(), newest("life_cycle_state", "RUNNING")).await?;
    harness.until(list.0, list.1.clone(), newest("result_state", "CANCELED")).await?;

    let started = harness.answer("run_job_now", json!({ "job_id": job })).await?;
    assert_eq!(started["still_running"], true, "{started}");
    let is_running = newest("life_cycle_state", "RUNNING");
    harness.cancelled("wait_for_run", json!({ "run_id": started["run_id"] }), list.clone(), is_running).await?;
    let shown = harness.answer("get_run", json!({ "run_id": started["run_id"] })).await?;
    assert_eq!(shown["state"]["life_cycle_state"], "RUNNING", "{shown}");
    Ok(())
}

#[tokio::test]
async fn a_lost_answer_starts_nothing_twice() -> Outcome {
    let lost = |route: &str| json!({ "route": route, "fault": "connection_reset", "handled": true, "times": 1 });
    let harness = Harness::with_faults(json!([
        lost("POST /api/2.2/jobs/run-now"),
        lost("POST /api/2.2/jobs/runs/submit"),
        lost("POST /api/2.2/jobs/runs/repair"),
    ]))
    .await?;
    let job = harness.job("nightly-orders").await?;
    let before = harness.runs(&job).await?;
    let answer = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    assert_eq!(answer["result_state"], "SUCCESS", "{answer}");
    assert_eq!(harness.runs(&job).await?, before + 1);

    let named = json!({ "path": "/Shared/etl/load_orders", "run_name": "only once" });
    harness.answer("run_notebook", named).await?;
    let (runs, _) = harness.all("list_job_runs", json!({})).await?;
    assert_eq!(runs.iter().filter(|run| run["run_name"] == "only once").count(), 1);

    let run = json!({ "run_id": answer["run_id"], "rerun_tasks": ["load_orders"], "wait": true });
    let repaired = harness.answer("repair_run", run).await?;
    assert_eq!(repaired["result_state"], "SUCCESS", "{repaired}");
    let shown = harness.answer("get_run", json!({ "run_id": answer["run_id"], "include_history": true })).await?;
    let history = shown["repair_history"].as_array().cloned().unwrap_or_default();
    assert_eq!(history.iter().filter(|item| item["type"] == "REPAIR").count(), 1, "{history:?}");
    Ok(())
}

#[tokio::test]
async fn what_failed_is_repaired_in_its_run_and_what_cannot_be_is_said() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/fragile", "raise ValueError(\"not yet\")\n").await?;
    harness.notebook("/Users/firm", "dbutils.notebook.exit(\"ok\")\n").await?;
    let tasks = json!([
        { "task_key": "firm", "notebook_task": { "notebook_path": "/Users/firm" } },
        { "task_key": "fragile", "notebook_task": { "notebook_path": "/Users/fragile" } },
    ]);
    let job = harness.answer("create_job", json!({ "name": "repairable", "tasks": tasks })).await?["job_id"].clone();
    let run = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
    let early = harness.refusal("repair_run", json!({ "run_id": run })).await?;
    assert!(early.contains("only an ended run") && early.contains("`wait_for_run`"), "{early}");
    let failed = harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
    assert!(failed.contains("task `fragile`") && !failed.contains("task `firm`"), "{failed}");

    // It fails again, and the wait does not take the failure of before for the new one's.
    let failed = harness.refusal("repair_run", json!({ "run_id": run, "wait": true })).await?;
    assert!(failed.contains("task `fragile`"), "{failed}");
    harness.notebook("/Users/fragile", "dbutils.notebook.exit(\"now\")\n").await?;
    let started = harness.answer("repair_run", json!({ "run_id": run })).await?;
    assert!(started["repair_id"].is_number() || started["repair_id"].is_string(), "{started}");
    let answer = harness.answer("wait_for_run", json!({ "run_id": run })).await?;
    assert_eq!(answer["result_state"], "SUCCESS", "{answer}");
    assert_eq!((&task(&answer, "fragile")["attempt"], answer["tasks"].as_array().map(Vec::len)), (&json!(3), Some(2)));
    let nothing = harness.refusal("repair_run", json!({ "run_id": run })).await?;
    assert!(nothing.contains("nothing failed"), "{nothing}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_repair_is_cancelled_in_the_workspace() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/slow", "import time\ntime.sleep(25)\n").await?;
    let tasks = json!([{ "task_key": "slow", "notebook_task": { "notebook_path": "/Users/slow" } }]);
    let job = harness.answer("create_job", json!({ "name": "slow", "tasks": tasks })).await?["job_id"].clone();
    let run = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
    harness.answer("cancel_run", json!({ "run_id": run })).await?;
    let show = ("get_run", json!({ "run_id": run }));
    let is = |field: &'static str, value: &'static str| move |run: &Value| run["state"][field] == value;
    let call = json!({ "run_id": run, "wait": true });
    harness.cancelled("repair_run", call, show.clone(), is("life_cycle_state", "RUNNING")).await?;
    harness.until(show.0, show.1, is("result_state", "CANCELED")).await?;
    Ok(())
}

#[tokio::test]
async fn a_run_without_a_slot_is_skipped_and_says_why() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/slow", "import time\ntime.sleep(25)\n").await?;
    let tasks = json!([{ "task_key": "slow", "notebook_task": { "notebook_path": "/Users/slow" } }]);
    let job = harness.answer("create_job", json!({ "name": "one at a time", "tasks": tasks })).await?["job_id"].clone();
    harness.answer("run_job_now", json!({ "job_id": job })).await?;
    let refusal = harness.refusal("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    assert!(refusal.contains("MAXIMUM_CONCURRENT_RUNS_REACHED") && refusal.contains("`active_only`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn notebooks_run_on_any_compute_and_only_one() -> Outcome {
    let harness = Harness::default().await?;
    harness
        .notebook(
            "/Users/day",
            "dbutils.widgets.text(\"day\", \"-\")\ndbutils.notebook.exit(dbutils.widgets.get(\"day\"))\n",
        )
        .await?;
    let clusters = harness.answer("list_clusters", json!({})).await?;
    let running = items(&clusters).find(|cluster| cluster["state"] == "RUNNING").ok_or("no running cluster")?;
    let new = json!({ "spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 1 });
    for compute in [json!({}), json!({ "cluster_id": running["cluster_id"] }), json!({ "new_cluster": new })] {
        let mut call = json!({ "path": "/Users/day", "parameters": { "day": "2026-01-31" } });
        call.as_object_mut().ok_or("no object")?.extend(compute.as_object().cloned().unwrap_or_default());
        let answer = harness.answer("run_notebook", call).await?;
        assert_eq!((&answer["result"], &answer["result_state"]), (&json!("2026-01-31"), &json!("SUCCESS")), "{answer}");
    }
    let both = json!({ "path": "/Users/day", "cluster_id": "1", "new_cluster": new });
    let refusal = harness.refusal("run_notebook", both).await?;
    assert!(refusal.contains("cannot be given together"), "{refusal}");
    let started = harness.answer("run_notebook", json!({ "path": "/Users/day", "wait": false })).await?;
    assert_eq!(started["still_running"], true, "{started}");
    let answer = harness.answer("wait_for_run", json!({ "run_id": started["run_id"] })).await?;
    assert_eq!(answer["result_state"], "SUCCESS", "{answer}");
    let missing = harness.refusal("run_notebook", json!({ "path": "/Users/nothing" })).await?;
    assert!(missing.contains("there is no notebook") && missing.contains("`list_workspace_items`"), "{missing}");
    Ok(())
}

#[tokio::test]
async fn outputs_come_task_by_task_what_failed_first() -> Outcome {
    let harness = Harness::default().await?;
    let job = harness.job("retail-pipeline").await?;
    let run = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
    harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
    let answer = harness.answer("get_run_output", json!({ "run_id": run })).await?;
    let keys: Vec<_> = answer["tasks"].as_array().into_iter().flatten().map(|task| task["task_key"].clone()).collect();
    assert_eq!((keys.len(), &keys[0]), (4, &json!("check")), "{answer}");
    let check = task(&answer, "check");
    assert!(check["error"].to_string().contains("expected 1500 rows"), "{check}");
    assert!(check["error_trace"].to_string().contains("Traceback"), "{check}");
    assert_eq!(task(&answer, "clean")["result"], "1500 rows cleaned");
    assert_eq!(task(&answer, "report")["state"], "UPSTREAM_FAILED");
    let one = harness.answer("get_run_output", json!({ "run_id": run, "task_key": "clean" })).await?;
    assert_eq!(
        (one["tasks"].as_array().map(Vec::len), &one["tasks"][0]["result"]),
        (Some(1), &json!("1500 rows cleaned"))
    );
    let by_id = harness.answer("get_run_output", json!({ "run_id": check["run_id"] })).await?;
    assert_eq!(by_id["error"], check["error"], "{by_id}");
    let refusal = harness.refusal("get_run_output", json!({ "run_id": run, "task_key": "chekc" })).await?;
    assert!(refusal.contains("load, clean, check, report") || refusal.contains("its tasks:"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn iterations_of_a_loop_have_outputs_of_their_own() -> Outcome {
    let harness = Harness::default().await?;
    let job = harness.job("regional-load").await?;
    let run = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?["run_id"].clone();
    let whole = harness.answer("get_run_output", json!({ "run_id": run })).await?;
    assert!(task(&whole, "load_all")["hint"].to_string().contains("`task_key`"), "{whole}");
    let answer = harness.answer("get_run_output", json!({ "run_id": run, "task_key": "load_all" })).await?;
    let tasks = || answer["tasks"].as_array().into_iter().flatten();
    let loaded = tasks().filter(|task| task["result"].to_string().contains("loaded ")).count();
    // Each failed once and was tried again.
    let failed = tasks().filter(|task| task["error"].to_string().contains("no answer from ")).count();
    assert_eq!((loaded, failed), (4, 4), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_large_output_is_cut_with_exact_notice() -> Outcome {
    let harness = Harness::open(Selection::default(), 1_000).await?;
    let long = "abcdefghij".repeat(5_000);
    harness.notebook("/Users/long", &format!("dbutils.notebook.exit(\"{long}\")\n")).await?;
    let answer = harness.answer("run_notebook", json!({ "path": "/Users/long" })).await?;
    assert!(answer.to_string().chars().count() <= 3_000, "{} characters", answer.to_string().chars().count());
    assert!(answer["cut"].to_string().contains("result: first 2250 of 50000 characters"), "{answer}");
    let again = harness.answer("get_run_output", json!({ "run_id": answer["task_run_id"] })).await?;
    assert!(again["cut"].to_string().contains("of 50000 characters"), "{again}");
    Ok(())
}

#[tokio::test]
async fn many_tasks_are_shown_in_pages() -> Outcome {
    let harness = Harness::open(Selection::default(), 1_000).await?;
    harness.notebook("/Users/step", "dbutils.notebook.exit(\"ok\")\n").await?;
    let tasks: Vec<_> = (0..12)
        .map(|at| json!({ "task_key": format!("t{at}"), "notebook_task": { "notebook_path": "/Users/step" } }))
        .collect();
    let job = harness.answer("create_job", json!({ "name": "wide", "tasks": tasks })).await?["job_id"].clone();
    let run = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?["run_id"].clone();
    let (mut keys, mut pages, mut token) = (Vec::new(), 0, None);
    loop {
        let mut call = json!({ "run_id": run });
        if let Some(token) = token.take() {
            call["page_token"] = token;
        }
        let answer = harness.answer("get_run_output", call).await?;
        let page = answer["tasks"].as_array().cloned().unwrap_or_default();
        assert!(page.iter().all(|task| task["result"] == "ok"), "{answer}");
        keys.extend(page.iter().map(|task| task["task_key"].to_string()));
        pages += 1;
        match answer.get("next_page_token").cloned() {
            Some(next) => token = Some(next),
            None => break,
        }
    }
    keys.sort();
    keys.dedup();
    assert!(keys.len() == 12 && pages > 1, "{pages} pages with {keys:?}");
    Ok(())
}

#[tokio::test]
async fn a_permission_that_is_lost_under_way_loses_no_run() -> Outcome {
    let denied = |route: &str| json!({ "route": route, "fault": "permission_denied" });
    let harness = Harness::with_faults(json!([denied("GET /api/2.2/jobs/runs/get")])).await?;
    let job = harness.job("nightly-orders").await?;
    let refusal = harness.refusal("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    let newest =
        harness.answer("list_job_runs", json!({ "job_id": job, "limit": 1 })).await?["items"][0]["run_id"].to_string();
    assert!(refusal.contains(newest.trim_matches('"')) && refusal.contains("`wait_for_run`"), "{refusal}");
    assert!(refusal.contains("lacks the permission"), "{refusal}");
    // Without waiting, that it was started is all there is to tell.
    let started = harness.answer("run_job_now", json!({ "job_id": job })).await?;
    assert!(started["run_id"].is_number() || started["run_id"].is_string(), "{started}");

    let harness = Harness::with_faults(json!([denied("GET /api/2.2/jobs/runs/get-output")])).await?;
    let answer = harness.answer("run_notebook", json!({ "path": "/Shared/etl/load_orders" })).await?;
    assert_eq!(answer["result_state"], "SUCCESS", "{answer}");
    assert!(answer["output_error"].to_string().contains("permission"), "{answer}");
    let harness =
        Harness::with_faults(json!([denied("POST /api/2.2/jobs/run*"), denied("POST /api/2.2/jobs/runs/*")])).await?;
    let job = harness.job("nightly-orders").await?;
    for (tool, arguments) in [
        ("run_job_now", json!({ "job_id": job, "wait": true })),
        ("run_notebook", json!({ "path": "/Shared/etl/load_orders" })),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains("lacks the permission"), "{tool}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_renamed_tool_may_be_called_by_its_old_name() -> Outcome {
    let harness = Harness::default().await?;
    let call = json!({ "limit": 2, "fields": ["run_id"] });
    assert_eq!(harness.answer("list_job_runs", call.clone()).await?, harness.answer("list_runs", call).await?);
    Ok(())
}
