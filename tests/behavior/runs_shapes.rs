//! Runs in the states and forms that a workspace may tell of and the sandbox does not by itself.

use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::twist::{Exchange, without};

const RUN: &str = "GET /api/2.2/jobs/runs/get?";
const FAILING_PIPELINE: &str = "0a1b2c3d-0002-4000-8000-000000000002";

type Failure = Box<dyn std::error::Error>;

impl Harness {
    /// Makes a job and gives its id.
    async fn made(&self, name: &str, tasks: Value, more: Value) -> Result<Value, Failure> {
        let mut settings = json!({ "name": name, "tasks": tasks });
        if let (Some(settings), Value::Object(more)) = (settings.as_object_mut(), more) {
            settings.extend(more);
        }
        Ok(self.direct("POST", "/api/2.2/jobs/create", Some(settings)).await?["job_id"].clone())
    }
}

fn runs(path: &str) -> Value {
    json!([{ "task_key": "only", "notebook_task": { "notebook_path": path } }])
}

fn keys(answer: &Value) -> Vec<&str> {
    answer["tasks"].as_array().into_iter().flatten().filter_map(|task| task["task_key"].as_str()).collect()
}

#[tokio::test]
async fn either_form_of_a_state_is_enough() -> Outcome {
    for missing in ["state", "status"] {
        let twist = move |exchange: &mut Exchange| {
            if exchange.is("GET /api/2.2/jobs/runs/") {
                without(&mut exchange.answer, missing);
            }
        };
        let harness = Harness::twisted(twist).await?;
        let answer = harness
            .answer("run_job_now", json!({ "job_id": harness.job("nightly-orders").await?, "wait": true }))
            .await?;
        assert_eq!(
            (&answer["life_cycle_state"], &answer["result_state"]),
            (&json!("TERMINATED"), &json!("SUCCESS")),
            "{answer}"
        );
        assert_eq!(answer["tasks"][0]["state"], "SUCCESS", "{answer}");

        let run =
            harness.answer("run_job_now", json!({ "job_id": harness.job("retail-pipeline").await? })).await?["run_id"]
                .clone();
        let refusal = harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
        assert!(refusal.contains("FAILED") && refusal.contains("task `check`"), "{missing}: {refusal}");
        assert!(!refusal.contains("task `report`") && !refusal.contains("see run output"), "{missing}: {refusal}");
        let diagnosis = harness.answer("diagnose_run", json!({ "run_id": run })).await?;
        assert_eq!(diagnosis["first_failure"]["task_key"], "check", "{diagnosis}");
        assert!(diagnosis["since_last_success"]["run_id"].is_number(), "{diagnosis}");
        let output = harness.answer("get_run_output", json!({ "run_id": run })).await?;
        assert_eq!(keys(&output).first(), Some(&"check"), "{output}");
        let over = harness.answer("cancel_run", json!({ "run_id": run })).await?;
        assert_eq!(over["already_over"], true, "{over}");

        let slow = json!({ "job_id": harness.job("slow-export").await?, "wait": true, "timeout_seconds": 1 });
        let answer = harness.answer("run_job_now", slow).await?;
        assert_eq!(
            (&answer["still_running"], &answer["life_cycle_state"]),
            (&json!(true), &json!("RUNNING")),
            "{answer}"
        );
        let cancelled = harness.answer("cancel_run", json!({ "run_id": answer["run_id"] })).await?;
        assert_eq!(cancelled["result_state"], "CANCELED", "{cancelled}");
    }
    Ok(())
}

#[tokio::test]
async fn a_run_that_was_skipped_says_so_to_whoever_asks() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/slow", "import time\ntime.sleep(25)\n").await?;
    let job = harness.made("one at a time", runs("/Users/slow"), json!({})).await?;
    harness.answer("run_job_now", json!({ "job_id": job })).await?;
    let skipped = harness.answer("run_job_now", json!({ "job_id": job })).await?;
    assert_eq!(skipped["life_cycle_state"], "SKIPPED", "{skipped}");
    assert!(skipped["hint"].to_string().contains("`active_only`"), "{skipped}");
    let run = json!({ "run_id": skipped["run_id"] });
    let diagnosis = harness.answer("diagnose_run", run.clone()).await?;
    assert!(diagnosis["next_step"].to_string().contains("other runs were active"), "{diagnosis}");
    harness.answer("get_run_output", run).await?;

    // Not every skipped run has a result.
    let twist = |exchange: &mut Exchange| {
        if exchange.is(RUN) {
            exchange.answer["state"] = json!({ "life_cycle_state": "SKIPPED", "state_message": "No slot." });
            without(&mut exchange.answer, "status");
            without(&mut exchange.answer, "tasks");
        }
    };
    let harness = Harness::twisted(twist).await?;
    let job = json!({ "job_id": harness.job("nightly-orders").await?, "wait": true });
    let refusal = harness.refusal("run_job_now", job.clone()).await?;
    assert!(refusal.contains("SKIPPED: No slot."), "{refusal}");
    let skipped = harness.answer("run_job_now", json!({ "job_id": job["job_id"] })).await?;
    let output = harness.answer("get_run_output", json!({ "run_id": skipped["run_id"] })).await?;
    assert!(output["hint"].to_string().contains("it was skipped"), "{output}");
    Ok(())
}

#[tokio::test]
async fn a_queued_run_tells_why_it_waits_and_is_waited_for() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/slow", "import time\ntime.sleep(25)\n").await?;
    let job = harness.made("in a row", runs("/Users/slow"), json!({ "queue": { "enabled": true } })).await?;
    let first = harness.answer("run_job_now", json!({ "job_id": job })).await?;
    let second = harness.answer("run_job_now", json!({ "job_id": job, "wait": true, "timeout_seconds": 1 })).await?;
    assert_eq!((&second["still_running"], &second["life_cycle_state"]), (&json!(true), &json!("QUEUED")), "{second}");
    assert!(second["queued"].to_string().contains("maximum concurrent runs"), "{second}");
    harness.until_heard(|state| state.contains("QUEUED (MAX_CONCURRENT_RUNS_REACHED)")).await?;
    harness.answer("cancel_run", json!({ "run_id": first["run_id"] })).await?;
    let is_running = |run: &Value| run["state"]["life_cycle_state"] == "RUNNING";
    harness.until("get_run", json!({ "run_id": second["run_id"] }), is_running).await?;
    let later = harness.answer("wait_for_run", json!({ "run_id": second["run_id"], "timeout_seconds": 0 })).await?;
    assert!(later["still_running"] == true && later.get("queued").is_none(), "{later}");
    Ok(())
}

#[tokio::test]
async fn a_success_with_failures_names_them() -> Outcome {
    let twist = |exchange: &mut Exchange| {
        if exchange.is(RUN) && exchange.answer["state"]["result_state"] == "FAILED" {
            exchange.answer["state"]["result_state"] = json!("SUCCESS_WITH_FAILURES");
            exchange.answer["status"]["termination_details"]["code"] = json!("SUCCESS_WITH_FAILURES");
        }
    };
    let harness = Harness::twisted(twist).await?;
    let job = harness.job("retail-pipeline").await?;
    let answer = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    assert_eq!(
        (&answer["result_state"], keys(&answer).first()),
        (&json!("SUCCESS_WITH_FAILURES"), Some(&"check")),
        "{answer}"
    );
    assert!(
        answer["hint"].to_string().contains("1 of its tasks failed")
            && answer["hint"].to_string().contains("`diagnose_run`"),
        "{answer}"
    );
    let run = json!({ "run_id": answer["run_id"] });
    let diagnosis = harness.answer("diagnose_run", run.clone()).await?;
    assert!(diagnosis["first_failure"]["error"].to_string().contains("expected 1500 rows"), "{diagnosis}");
    let repair = harness.answer("repair_run", run).await?;
    assert_eq!(repair["still_running"], true, "{repair}");
    Ok(())
}

#[tokio::test]
async fn each_way_to_end_is_told_apart() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/slow", "import time\ntime.sleep(25)\n").await?;
    harness.notebook("/Users/ok", "dbutils.notebook.exit(\"ok\")\n").await?;
    let job = harness.made("limited", runs("/Users/slow"), json!({ "timeout_seconds": 1 })).await?;
    let run = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
    let refusal = harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
    assert!(refusal.contains("TIMEDOUT"), "{refusal}");

    let tasks = json!([
        { "task_key": "asks", "condition_task": { "op": "EQUAL_TO", "left": "1", "right": "2" } },
        { "task_key": "yes", "depends_on": [{ "task_key": "asks", "outcome": "true" }], "notebook_task": { "notebook_path": "/Users/ok" } },
        { "task_key": "no", "depends_on": [{ "task_key": "asks", "outcome": "false" }], "notebook_task": { "notebook_path": "/Users/ok" } },
    ]);
    let job = harness.made("branches", tasks, json!({})).await?;
    let answer = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    assert!(answer["result_state"] == "SUCCESS" && answer.get("hint").is_none(), "{answer}");
    let output = harness.answer("get_run_output", json!({ "run_id": answer["run_id"] })).await?;
    let of = |key: &str| {
        output["tasks"].as_array().and_then(|tasks| tasks.iter().find(|task| task["task_key"] == key).cloned())
    };
    let (asks, yes, no) = (of("asks").ok_or("no asks")?, of("yes").ok_or("no yes")?, of("no").ok_or("no no")?);
    assert_eq!(
        (&asks["outcome"], &yes["state"], &no["result"]),
        (&json!("false"), &json!("EXCLUDED"), &json!("ok")),
        "{output}"
    );
    assert!(yes.get("result").is_none() && yes.get("output_error").is_none(), "{yes}");

    // An end without any result.
    let twist = |exchange: &mut Exchange| {
        if exchange.is(RUN) {
            without(&mut exchange.answer, "status");
            let state = json!({ "life_cycle_state": "INTERNAL_ERROR", "state_message": "The control plane lost it." });
            exchange.answer["state"] = state.clone();
            exchange.answer["tasks"][0]["state"] = state;
        }
    };
    let harness = Harness::twisted(twist).await?;
    let job = json!({ "job_id": harness.job("nightly-orders").await?, "wait": true });
    let refusal = harness.refusal("run_job_now", job).await?;
    assert!(
        refusal.contains("INTERNAL_ERROR: The control plane lost it.") && refusal.contains("`diagnose_run`"),
        "{refusal}"
    );
    Ok(())
}

#[tokio::test]
async fn a_repair_is_not_taken_for_the_failure_before_it() -> Outcome {
    // Right after a repair began, the run is told as it was before.
    let (old, stale) = (Mutex::new(Value::Null), AtomicUsize::new(0));
    let twist = move |exchange: &mut Exchange| {
        let mut old = old.lock().expect("not poisoned");
        if exchange.is("POST /api/2.2/jobs/runs/repair") {
            stale.store(3, Relaxed);
        } else if exchange.is(RUN) && stale.load(Relaxed) > 0 {
            stale.fetch_sub(1, Relaxed);
            exchange.answer = old.clone();
        } else if exchange.is(RUN) && exchange.answer["state"]["life_cycle_state"] == "TERMINATED" {
            *old = exchange.answer.clone();
        }
    };
    let harness = Harness::twisted(twist).await?;
    harness.notebook("/Users/firm", "dbutils.notebook.exit(\"ok\")\n").await?;
    let tasks = json!([
        { "task_key": "firm", "notebook_task": { "notebook_path": "/Users/firm" } },
        { "task_key": "fragile", "notebook_task": { "notebook_path": "/Users/fragile" } },
    ]);
    let job = harness.made("repairable", tasks, json!({})).await?;
    for wait in [false, true] {
        harness.notebook("/Users/fragile", "raise ValueError(\"not yet\")\n").await?;
        let run = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
        harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
        harness.notebook("/Users/fragile", "dbutils.notebook.exit(\"now\")\n").await?;
        let mut answer = harness.answer("repair_run", json!({ "run_id": run, "wait": wait })).await?;
        assert!(answer["result_state"] != "FAILED" && answer["repair_id"].is_number(), "{answer}");
        if wait {
            assert_eq!(keys(&answer), ["fragile"], "only what was rerun is told: {answer}");
        } else {
            answer = harness.answer("wait_for_run", json!({ "run_id": run })).await?;
        }
        assert_eq!(answer["result_state"], "SUCCESS", "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn the_second_repair_names_the_first() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/fragile", "raise ValueError(\"not yet\")\n").await?;
    let job = harness.made("repairable", runs("/Users/fragile"), json!({})).await?;
    let run =
        json!({ "run_id": harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"], "wait": true });
    harness.refusal("wait_for_run", json!({ "run_id": run["run_id"] })).await?;
    for _ in 0..3 {
        let refusal = harness.refusal("repair_run", run.clone()).await?;
        assert!(refusal.contains("did not succeed: FAILED"), "{refusal}");
    }
    let shown = harness.answer("get_run", json!({ "run_id": run["run_id"], "include_history": true })).await?;
    assert_eq!(shown["repair_history"].as_array().map(Vec::len), Some(4), "{shown}");

    // Somebody else has repaired it since it was looked at.
    let twist = |exchange: &mut Exchange| {
        if exchange.is(RUN) && exchange.target.contains("include_history") {
            without(&mut exchange.answer, "repair_history");
        }
    };
    let harness = Harness::twisted(twist).await?;
    harness.notebook("/Users/fragile", "raise ValueError(\"not yet\")\n").await?;
    let job = harness.made("repairable", runs("/Users/fragile"), json!({})).await?;
    let run = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
    harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
    harness
        .direct("POST", "/api/2.2/jobs/runs/repair", Some(json!({ "run_id": run, "rerun_all_failed_tasks": true })))
        .await?;
    harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
    let refusal = harness.refusal("repair_run", json!({ "run_id": run })).await?;
    assert!(refusal.contains("latest_repair_id") && refusal.contains("somebody else"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_failed_pipeline_task_tells_what_its_update_said() -> Outcome {
    let twist = |exchange: &mut Exchange| {
        if exchange.is(RUN) {
            let failed = json!({ "life_cycle_state": "TERMINATED", "result_state": "FAILED", "state_message": "Workload failed." });
            let life = &exchange.answer["state"]["life_cycle_state"];
            // The sandbox runs no such task; an update that is started beside it fails.
            let is_over = life == "TERMINATED" || life == "INTERNAL_ERROR";
            without(&mut exchange.answer, "status");
            if is_over {
                exchange.answer["state"] = failed.clone();
                let task = &mut exchange.answer["tasks"][0];
                task["state"] = failed;
                // The update began when the task did.
                task["start_time"] = json!(task["start_time"].as_i64().unwrap_or_default() - 600_000);
            }
        }
    };
    let harness = Harness::twisted(twist).await?;
    let update = harness.refusal("run_pipeline", json!({ "pipeline_id": FAILING_PIPELINE })).await?;
    let tasks = json!([{ "task_key": "refresh", "pipeline_task": { "pipeline_id": FAILING_PIPELINE } }]);
    let job = harness.made("refresh", tasks, json!({})).await?;
    let run = harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
    harness.refusal("wait_for_run", json!({ "run_id": run })).await?;
    let answer = harness.answer("diagnose_run", json!({ "run_id": run })).await?;
    let first = &answer["first_failure"];
    let id = first["pipeline"]["update_id"].as_str().ok_or_else(|| format!("no update: {answer}"))?;
    assert!(update.contains(id), "{id} is not in {update}");
    assert!(first["pipeline"]["errors"].to_string().contains("DELTA_SCHEMA_CHANGED"), "{answer}");
    assert!(answer["next_step"].to_string().contains(FAILING_PIPELINE), "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_is_gone_and_what_is_not_allowed_is_told_by_each_tool() -> Outcome {
    let tools = ["wait_for_run", "get_run_output", "diagnose_run", "repair_run", "cancel_run"];
    let harness = Harness::default().await?;
    for tool in tools {
        let refusal = harness.refusal(tool, json!({ "run_id": 12 })).await?;
        assert!(refusal.contains("does not exist") && refusal.contains("`list_job_runs`"), "{tool}: {refusal}");
    }
    let denied = |route: &str| json!([{ "route": route, "fault": "permission_denied" }]);
    let harness = Harness::with_faults(denied("GET /api/2.2/jobs/runs/get")).await?;
    for tool in tools {
        let refusal = harness.refusal(tool, json!({ "run_id": 12 })).await?;
        assert!(refusal.contains("lacks the permission"), "{tool}: {refusal}");
    }
    for (route, tool) in
        [("POST /api/2.2/jobs/runs/repair", "repair_run"), ("POST /api/2.2/jobs/runs/cancel", "cancel_run")]
    {
        let harness = Harness::with_faults(denied(route)).await?;
        let job = harness.job(if tool == "repair_run" { "data-quality-check" } else { "slow-export" }).await?;
        let run = json!({ "run_id": harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"] });
        if tool == "repair_run" {
            harness.refusal("wait_for_run", run.clone()).await?;
        }
        let refusal = harness.refusal(tool, run).await?;
        assert!(refusal.contains("lacks the permission"), "{tool}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_one_time_run_is_not_advised_to_be_repaired() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/bad", "raise ValueError(\"broken\")\n").await?;
    let refusal = harness.refusal("run_notebook", json!({ "path": "/Users/bad" })).await?;
    assert!(refusal.contains("run it again") && !refusal.contains("`repair_run`"), "{refusal}");
    let missing = harness.refusal("run_notebook", json!({ "path": "/Users/none" })).await?;
    assert!(missing.contains("`list_workspace_items`"), "{missing}");
    let code = harness.refusal("run_code", json!({ "code": "raise ValueError(\"bad\")" })).await?;
    assert!(!code.contains("`repair_run`"), "{code}");
    let runs = harness.answer("list_job_runs", json!({ "limit": 3, "fields": ["run_id", "run_name"] })).await?;
    let run = crate::waiting::items(&runs).find(|run| run["run_name"] == "run_notebook /Users/bad").ok_or("no run")?;
    let diagnosis = harness.answer("diagnose_run", json!({ "run_id": run["run_id"] })).await?;
    let next = diagnosis["next_step"].to_string();
    assert!(next.contains("`/Users/bad`") && next.contains("run it again") && !next.contains("repair"), "{next}");
    Ok(())
}

#[tokio::test]
async fn long_errors_and_many_tasks_stay_within_the_budget() -> Outcome {
    let harness = Harness::open(Selection::default(), 1_000).await?;
    let long = "abcdefghij".repeat(2_000);
    harness.notebook("/Users/loud", &format!("raise ValueError(\"{long}\")\n")).await?;
    harness.notebook("/Users/ok", "dbutils.notebook.exit(\"ok\")\n").await?;
    let job = harness.made("loud", runs("/Users/loud"), json!({})).await?;
    let run = json!({ "run_id": harness.answer("run_job_now", json!({ "job_id": job })).await?["run_id"] });
    let refusal = harness.refusal("wait_for_run", run.clone()).await?;
    assert!(refusal.chars().count() <= 2_000, "{}", refusal.chars().count());
    let diagnosis = harness.answer("diagnose_run", run).await?;
    assert!(diagnosis.to_string().chars().count() <= 3_600, "{}", diagnosis.to_string().chars().count());
    assert!(diagnosis["first_failure"]["cut"].to_string().contains("characters"), "{diagnosis}");
    assert!(diagnosis["next_step"].to_string().contains("`/Users/loud`"), "{diagnosis}");

    let tasks: Vec<_> = (0..60)
        .map(|at| json!({ "task_key": format!("task_{at}"), "notebook_task": { "notebook_path": "/Users/ok" } }))
        .collect();
    let job = harness.made("wide", json!(tasks), json!({})).await?;
    let answer = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    assert!(answer.to_string().chars().count() <= 3_300, "{}", answer.to_string().chars().count());
    assert!(answer["truncated"] == true && answer["hint"].to_string().contains("of 60 items"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_a_job_does_not_take_is_told_before_it_runs() -> Outcome {
    let harness = Harness::default().await?;
    let job = harness.job("nightly-orders").await?;
    let long = "x".repeat(10_001);
    for (more, words) in [
        (json!({ "only": ["nothing"] }), "'nothing'"),
        (json!({ "notebook_params": { "day": long } }), "10000 bytes"),
        (json!({ "job_id": 1 }), "`list_jobs`"),
    ] {
        let mut call = json!({ "job_id": job });
        if let (Some(call), Value::Object(more)) = (call.as_object_mut(), more) {
            call.extend(more);
        }
        let refusal = harness.refusal("run_job_now", call).await?;
        assert!(refusal.contains(words) && refusal.chars().count() < 500, "{words}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_one_time_run_waits_for_its_turn_and_says_for_what() -> Outcome {
    let twist = |exchange: &mut Exchange| {
        if exchange.is("POST /api/2.2/jobs/runs/submit") {
            assert_eq!(exchange.body["queue"]["enabled"], true, "{}", exchange.body);
        } else if exchange.is(RUN) {
            let why =
                json!({ "code": "ACTIVE_RUNS_LIMIT_REACHED", "message": "The workspace runs as much as it may." });
            exchange.answer["state"] = json!({ "life_cycle_state": "QUEUED" });
            exchange.answer["status"] = json!({ "state": "QUEUED", "queue_details": why });
        }
    };
    let harness = Harness::twisted(twist).await?;
    let call = json!({ "path": "/Shared/etl/load_orders", "timeout_seconds": 0 });
    let answer = harness.answer("run_notebook", call).await?;
    assert_eq!((&answer["life_cycle_state"], &answer["still_running"]), (&json!("QUEUED"), &json!(true)), "{answer}");
    assert!(answer["queued"].to_string().contains("as much as it may"), "{answer}");
    harness.until_heard(|state| state.contains("QUEUED (ACTIVE_RUNS_LIMIT_REACHED)")).await?;
    let output = harness.answer("get_run_output", json!({ "run_id": answer["run_id"] })).await?;
    assert!(output["still_running"] == true && output["hint"].to_string().contains("`wait_for_run`"), "{output}");
    Ok(())
}
