//! `diagnose_run`: the first failure, what changed, what to do.

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::waiting::items;

impl Harness {
    /// Runs a job that fails, and explains its run.
    async fn diagnosed(&self, job: &Value) -> Result<Value, Box<dyn std::error::Error>> {
        let run = self.answer("run_job_now", json!({ "job_id": job })).await?["run_id"].clone();
        self.refusal("wait_for_run", json!({ "run_id": run })).await?;
        self.answer("diagnose_run", json!({ "run_id": run })).await
    }
}

#[tokio::test]
async fn the_first_failure_is_told_before_what_follows_from_it() -> Outcome {
    let harness = Harness::default().await?;
    let answer = harness.diagnosed(&harness.job("retail-pipeline").await?).await?;
    let first = &answer["first_failure"];
    assert_eq!(
        (&first["task_key"], &first["source"]),
        (&json!("check"), &json!("/Shared/etl/failing_check")),
        "{answer}"
    );
    assert!(first["error"].to_string().contains("ValueError: expected 1500 rows, found 1492"), "{answer}");
    assert!(first["error_trace"].to_string().contains("Traceback"), "{answer}");
    assert_eq!(first["termination_code"], "RUN_EXECUTION_ERROR", "{answer}");
    assert_eq!(answer["not_run_because_of_it"], json!(["report"]), "{answer}");
    assert!(answer.get("other_failures").is_none(), "{answer}");
    assert_eq!(answer["cluster"]["state"], "RUNNING", "{answer}");
    assert!(answer["since_last_success"]["run_id"].is_number() || answer["since_last_success"]["run_id"].is_string());
    let next = answer["next_step"].to_string();
    assert!(next.contains("`/Shared/etl/failing_check`") && next.contains("`repair_run`"), "{next}");
    assert!(answer.to_string().chars().count() < 6_000, "not compact: {} characters", answer.to_string().len());
    // A task's own id leads to the same.
    let task = harness.answer("diagnose_run", json!({ "run_id": first["run_id"] })).await?;
    assert_eq!(task["first_failure"]["error"], first["error"], "{task}");
    Ok(())
}

#[tokio::test]
async fn what_changed_since_the_last_success_is_told() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/good", "dbutils.notebook.exit(\"ok\")\n").await?;
    harness.notebook("/Users/bad", "raise ValueError(\"broken\")\n").await?;
    let tasks = |path: &str| json!([{ "task_key": "only", "notebook_task": { "notebook_path": path } }]);
    let parameters = json!([{ "name": "day", "default": "1" }]);
    let made = json!({ "name": "changing", "tasks": tasks("/Users/good"), "parameters": parameters });
    let job = harness.answer("create_job", made).await?["job_id"].clone();
    let good = harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    let settings = json!({ "tasks": tasks("/Users/bad") });
    harness.answer("update_job", json!({ "job_id": job, "new_settings": settings })).await?;
    let run = harness.answer("run_job_now", json!({ "job_id": job, "job_parameters": { "day": "2" } })).await?;
    harness.refusal("wait_for_run", json!({ "run_id": run["run_id"] })).await?;
    let answer = harness.answer("diagnose_run", json!({ "run_id": run["run_id"] })).await?;
    let since = &answer["since_last_success"];
    assert_eq!(since["run_id"], good["run_id"], "{answer}");
    let changes = since["changes"].to_string();
    assert!(changes.contains("notebook_path") && changes.contains("/Users/bad"), "{changes}");
    assert!(changes.contains("job_parameters.day"), "{changes}");

    // The same settings, but the notebook itself was changed.
    harness.answer("update_job", json!({ "job_id": job, "new_settings": { "tasks": tasks("/Users/good") } })).await?;
    harness.answer("run_job_now", json!({ "job_id": job, "wait": true })).await?;
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    harness.notebook("/Users/good", "raise ValueError(\"edited\")\n").await?;
    let answer = harness.diagnosed(&job).await?;
    let changes = answer["since_last_success"]["changes"].to_string();
    assert!(changes.contains("`/Users/good` was changed at"), "{answer}");
    assert!(!changes.contains("notebook_path"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_cluster_that_does_not_start_is_told_from_code_that_fails() -> Outcome {
    let harness = Harness::default().await?;
    let answer = harness.diagnosed(&harness.job("gpu-training").await?).await?;
    assert_eq!(answer["first_failure"]["termination_code"], "CLOUD_FAILURE", "{answer}");
    let events = answer["cluster"]["events"].to_string();
    assert!(events.contains("CLOUD_PROVIDER_LAUNCH_FAILURE"), "{answer}");
    assert!(answer["next_step"].to_string().contains("`get_cluster_events`"), "{answer}");
    let answer = harness.diagnosed(&harness.job("wide-join").await?).await?;
    assert_eq!(answer["first_failure"]["termination_code"], "DRIVER_ERROR", "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_failure_within_another_job_is_followed_to_its_ground() -> Outcome {
    let harness = Harness::default().await?;
    let inner = harness.job("data-quality-check").await?;
    let tasks = json!([{ "task_key": "outer", "run_job_task": { "job_id": inner } }]);
    let job = harness.answer("create_job", json!({ "name": "outer", "tasks": tasks })).await?["job_id"].clone();
    let answer = harness.diagnosed(&job).await?;
    let first = &answer["first_failure"];
    assert!(first["error"].to_string().contains("expected 1500 rows"), "{answer}");
    assert!(first["within"].to_string().contains("task `outer`, run "), "{answer}");
    assert_eq!(first["task_key"], "check", "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_did_not_fail_needs_no_diagnosis() -> Outcome {
    let harness = Harness::default().await?;
    let done = harness.answer("run_notebook", json!({ "path": "/Shared/etl/load_orders" })).await?;
    let answer = harness.answer("diagnose_run", json!({ "run_id": done["run_id"] })).await?;
    assert!(answer["hint"].to_string().contains("nothing failed"), "{answer}");
    let slow = harness.answer("run_job_now", json!({ "job_id": harness.job("slow-export").await? })).await?;
    let answer = harness.answer("diagnose_run", json!({ "run_id": slow["run_id"] })).await?;
    assert_eq!(answer["still_running"], true, "{answer}");
    let refusal = harness.refusal("diagnose_run", json!({ "run_id": 1 })).await?;
    assert!(refusal.contains("`list_job_runs`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn what_may_not_be_read_is_noted_and_the_rest_is_told() -> Outcome {
    let denied = |route: &str| json!({ "route": route, "fault": "permission_denied" });
    let harness = Harness::with_faults(json!([
        denied("GET /api/2.2/jobs/runs/get-output"),
        denied("POST /api/2.1/clusters/events"),
        denied("GET /api/2.2/jobs/runs/list"),
    ]))
    .await?;
    let answer = harness.diagnosed(&harness.job("retail-pipeline").await?).await?;
    assert_eq!(answer["first_failure"]["task_key"], "check", "{answer}");
    assert_eq!(answer["notes"].as_array().map(Vec::len), Some(3), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_failed_iteration_is_the_cause_of_a_loop() -> Outcome {
    let harness = Harness::default().await?;
    harness.notebook("/Users/each", "raise ValueError(\"no such region\")\n").await?;
    let each = json!({ "inputs": "[\"north\"]", "task": { "task_key": "each", "notebook_task": { "notebook_path": "/Users/each" } } });
    let tasks = json!([{ "task_key": "loop", "for_each_task": each }]);
    let job = harness.answer("create_job", json!({ "name": "loop", "tasks": tasks })).await?["job_id"].clone();
    let answer = harness.diagnosed(&job).await?;
    assert!(answer["first_failure"]["error"].to_string().contains("no such region"), "{answer}");
    assert!(answer["first_failure"]["within"].to_string().contains("for-each task `loop`"), "{answer}");
    let runs = harness.answer("list_job_runs", json!({ "job_id": job })).await?;
    assert_eq!(items(&runs).count(), 1);
    Ok(())
}
