//! Jobs and runs, moved by hand.

use std::error::Error;
use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, post, start};

const NIGHTLY: i64 = 620_114_300_000_101;
const FAILING: i64 = 620_114_300_000_102;
const FLAKY: i64 = 620_114_300_000_103;
const SLOW: i64 = 620_114_300_000_104;
const PIPELINE: i64 = 620_114_300_000_105;

async fn manual() -> Result<Sandbox, Box<dyn Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

async fn run(sandbox: &Sandbox, id: &Value) -> Result<Value, Box<dyn Error>> {
    Ok(get(sandbox, &format!("/api/2.2/jobs/runs/get?run_id={id}&include_history=true")).await?.json())
}

/// Runs a job to its end.
async fn finished(sandbox: &Sandbox, body: Value) -> Result<Value, Box<dyn Error>> {
    let id = post(sandbox, "/api/2.2/jobs/run-now", body).await?.at("/run_id");
    sandbox.advance(Duration::from_secs(120));
    run(sandbox, &id).await
}

async fn output(sandbox: &Sandbox, id: &Value) -> Result<Value, Box<dyn Error>> {
    Ok(get(sandbox, &format!("/api/2.2/jobs/runs/get-output?run_id={id}")).await?.json())
}

#[tokio::test]
async fn a_run_moves_through_its_states() -> Checked {
    let sandbox = manual().await?;
    let started =
        post(&sandbox, "/api/2.2/jobs/run-now", json!({"job_id": SLOW, "idempotency_token": "t1"})).await?.json();
    let again =
        post(&sandbox, "/api/2.2/jobs/run-now", json!({"job_id": SLOW, "idempotency_token": "t1"})).await?.json();
    assert_eq!(started, again);
    let id = &started["run_id"];
    for (seconds, state) in [(0, "PENDING"), (1, "RUNNING"), (25, "RUNNING"), (10, "TERMINATED")] {
        sandbox.advance(Duration::from_secs(seconds));
        let run = run(&sandbox, id).await?;
        assert_eq!((&run["state"]["life_cycle_state"], &run["status"]["state"]), (&json!(state), &json!(state)));
    }
    assert_eq!(run(&sandbox, id).await?["state"]["result_state"], "SUCCESS");
    let refused = get(&sandbox, &format!("/api/2.2/jobs/runs/get-output?run_id={id}")).await?;
    assert_eq!(refused.status, 400);
    assert!(
        refused.json()["message"]
            .as_str()
            .is_some_and(|message| message.starts_with("Retrieving the output of runs with multiple tasks"))
    );
    Ok(())
}

#[tokio::test]
async fn parameters_come_back_through_the_exit_value() -> Checked {
    let sandbox = manual().await?;
    let run = finished(&sandbox, json!({"job_id": NIGHTLY, "job_parameters": {"run_date": "2026-01-31"}})).await?;
    let output = output(&sandbox, &run["tasks"][0]["run_id"]).await?;
    assert_eq!(output["notebook_output"], json!({"result": "2026-01-31", "truncated": false}));
    assert_eq!(output["metadata"]["task_key"], "load_orders");
    Ok(())
}

#[tokio::test]
async fn failures_carry_error_and_trace() -> Checked {
    let sandbox = manual().await?;
    let run = finished(&sandbox, json!({"job_id": FAILING})).await?;
    assert_eq!(
        (&run["state"]["result_state"], &run["status"]["termination_details"]["code"]),
        (&json!("FAILED"), &json!("RUN_EXECUTION_ERROR"))
    );
    let output = output(&sandbox, &run["tasks"][0]["run_id"]).await?;
    assert_eq!(output["error"], "ValueError: expected 1500 rows, found 1492");
    assert!(
        output["error_trace"].as_str().is_some_and(|trace| trace.contains("Traceback") && trace.contains("----> 1"))
    );
    Ok(())
}

#[tokio::test]
async fn tasks_depend_on_each_other_and_can_be_repaired() -> Checked {
    let sandbox = manual().await?;
    let run = finished(&sandbox, json!({"job_id": PIPELINE})).await?;
    let results: Vec<_> = run["tasks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|task| task["state"]["result_state"].as_str().unwrap_or("?"))
        .collect();
    assert_eq!(results, ["SUCCESS", "SUCCESS", "FAILED", "UPSTREAM_FAILED"]);
    let flaky = finished(&sandbox, json!({"job_id": FLAKY})).await?;
    assert_eq!(flaky["state"]["result_state"], "FAILED");
    let repair =
        post(&sandbox, "/api/2.2/jobs/runs/repair", json!({"run_id": flaky["run_id"], "rerun_all_failed_tasks": true}))
            .await?
            .json();
    sandbox.advance(Duration::from_secs(60));
    let repaired = self::run(&sandbox, &flaky["run_id"]).await?;
    assert_eq!(repaired["state"]["result_state"], "SUCCESS");
    assert_eq!(
        (&repaired["repair_history"][1]["id"], &repaired["tasks"][1]["attempt_number"]),
        (&repair["repair_id"], &json!(1))
    );
    let refused =
        post(&sandbox, "/api/2.2/jobs/runs/repair", json!({"run_id": flaky["run_id"], "rerun_tasks": ["ingest"]}))
            .await?;
    assert_eq!(refused.status, 400);
    Ok(())
}

#[tokio::test]
async fn submitted_tasks_really_run_sql() -> Checked {
    let sandbox = manual().await?;
    let content = "Q1JFQVRFIFRBQkxFIG1haW4uZGVmYXVsdC5ieV9qb2IgQVMgU0VMRUNUIDEgQVMgYQ==";
    post(
        &sandbox,
        "/api/2.0/workspace/import",
        json!({"path": "/Shared/make", "format": "SOURCE", "language": "SQL", "content": content}),
    )
    .await?;
    let body = json!({"run_name": "once", "tasks": [
        {"task_key": "make", "notebook_task": {"notebook_path": "/Shared/make"}},
        {"task_key": "gone", "notebook_task": {"notebook_path": "/Shared/gone"}},
        {"task_key": "test", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "2"}},
        {"task_key": "yes", "depends_on": [{"task_key": "test", "outcome": "true"}], "spark_python_task": {"python_file": "/Shared/x.py"}},
    ]});
    let id = post(&sandbox, "/api/2.2/jobs/runs/submit", body).await?.json()["run_id"].clone();
    sandbox.advance(Duration::from_secs(60));
    let run = run(&sandbox, &id).await?;
    let results: Vec<_> = run["tasks"]
        .as_array()
        .into_iter()
        .flatten()
        .map(|task| task["state"]["result_state"].as_str().unwrap_or("?"))
        .collect();
    assert_eq!(results, ["SUCCESS", "FAILED", "SUCCESS", "EXCLUDED"]);
    assert_eq!(run["tasks"][2]["condition_task"]["outcome"], "false");
    let rows = crate::sql::run(&sandbox, "SELECT a FROM main.default.by_job").await?;
    assert_eq!(rows["result"]["data_array"], json!([["1"]]));
    Ok(())
}

#[tokio::test]
async fn runs_are_canceled_skipped_and_listed() -> Checked {
    let sandbox = manual().await?;
    let first = post(&sandbox, "/api/2.2/jobs/run-now", json!({"job_id": NIGHTLY})).await?.json();
    let second = post(&sandbox, "/api/2.2/jobs/run-now", json!({"job_id": NIGHTLY})).await?.json();
    assert_eq!(run(&sandbox, &second["run_id"]).await?["state"]["life_cycle_state"], "SKIPPED");
    post(&sandbox, "/api/2.2/jobs/runs/cancel", json!({"run_id": first["run_id"]})).await?;
    assert_eq!(run(&sandbox, &first["run_id"]).await?["state"]["result_state"], "CANCELED");
    let mut seen = 0;
    let mut path = "/api/2.2/jobs/runs/list?limit=25".to_owned();
    loop {
        let page = get(&sandbox, &path).await?.json();
        seen += page["runs"].as_array().map_or(0, Vec::len);
        let Some(token) = page["next_page_token"].as_str() else { break };
        path = format!("/api/2.2/jobs/runs/list?limit=25&page_token={token}");
    }
    assert_eq!(seen, 46);
    assert_eq!(get(&sandbox, "/api/2.2/jobs/runs/get?run_id=1").await?.json()["message"], "Run 1 does not exist.");
    Ok(())
}

#[tokio::test]
async fn settings_are_created_merged_replaced_and_deleted() -> Checked {
    let sandbox = start().await?;
    let task = |key: &str| json!({"task_key": key, "notebook_task": {"notebook_path": "/Shared/x"}});
    let many: Vec<_> = (0..130).map(|index| task(&format!("t{index}"))).collect();
    let id =
        post(&sandbox, "/api/2.2/jobs/create", json!({"name": "mine", "tasks": many})).await?.json()["job_id"].clone();
    let page = get(&sandbox, &format!("/api/2.2/jobs/get?job_id={id}")).await?.json();
    assert_eq!(page["settings"]["tasks"].as_array().map(Vec::len), Some(100));
    let token = page["next_page_token"].as_str().unwrap_or_default();
    let page = get(&sandbox, &format!("/api/2.2/jobs/get?job_id={id}&page_token={token}")).await?.json();
    assert_eq!(page["settings"]["tasks"].as_array().map(Vec::len), Some(30));
    let update = json!({"job_id": id, "new_settings": {"name": "ours", "tasks": [task("extra")]}, "fields_to_remove": ["tasks/t0"]});
    assert_eq!(post(&sandbox, "/api/2.2/jobs/update", update).await?.status, 200);
    // A list shows the first page of the tasks of each job, too.
    let found = get(&sandbox, "/api/2.1/jobs/list?name=OURS&expand_tasks=true").await?.json();
    let job = &found["jobs"][0];
    assert_eq!(job["settings"]["tasks"].as_array().map(Vec::len), Some(100));
    let path = format!("/api/2.2/jobs/get?job_id={id}&page_token={}", job["next_page_token"].as_str().unwrap_or("?"));
    assert_eq!(get(&sandbox, &path).await?.json()["settings"]["tasks"].as_array().map(Vec::len), Some(30));
    let run = post(&sandbox, "/api/2.2/jobs/run-now", json!({"job_id": id})).await?.at("/run_id");
    let runs = get(&sandbox, &format!("/api/2.2/jobs/runs/list?job_id={id}&expand_tasks=true")).await?;
    assert_eq!((runs.at("/runs/0/run_id"), runs.at("/runs/0/has_more")), (run, json!(true)));
    assert_eq!(runs.at("/runs/0/tasks").as_array().map(Vec::len), Some(100));
    post(&sandbox, "/api/2.2/jobs/reset", json!({"job_id": id, "new_settings": {"name": "bare"}})).await?;
    let bad = json!({"tasks": [{"task_key": "a", "depends_on": [{"task_key": "b"}]}]});
    assert_eq!(post(&sandbox, "/api/2.2/jobs/create", bad).await?.code(), "INVALID_PARAMETER_VALUE");
    post(&sandbox, "/api/2.2/jobs/delete", json!({"job_id": id})).await?;
    let gone = get(&sandbox, &format!("/api/2.2/jobs/get?job_id={id}")).await?;
    assert_eq!((gone.status, gone.json()["message"].clone()), (400, json!(format!("Job {id} does not exist."))));
    Ok(())
}

#[tokio::test]
async fn settings_that_cannot_run_are_refused() -> Checked {
    let sandbox = start().await?;
    let task = |key: &str, more: Value| {
        let mut task = json!({"task_key": key, "notebook_task": {"notebook_path": "/Shared/etl/load_orders"}});
        task.as_object_mut().into_iter().for_each(|task| task.extend(more.as_object().cloned().unwrap_or_default()));
        task
    };
    let after = |key: &str| json!({"depends_on": [{"task_key": key}]});
    let many: Vec<_> = (0..1001).map(|at| task(&format!("t{at}"), json!({}))).collect();
    let settings = [
        (
            json!({"tasks": [task("a", after("c")), task("b", after("a")), task("c", after("b"))]}),
            "form a circle: a, b, c",
        ),
        (json!({"tasks": [task("a", after("a"))]}), "form a circle"),
        (json!({"tasks": [{"task_key": "a"}]}), "nothing to do"),
        (json!({"tasks": [task("a", json!({"run_job_task": {"job_id": 1}}))]}), "one kind only"),
        (json!({"tasks": [task("a b", json!({}))]}), "alphanumeric"),
        (json!({"tasks": [task("a", json!({"job_cluster_key": "k"}))]}), "not among the job_clusters"),
        (json!({"tasks": [task("a", json!({"environment_key": "k"}))]}), "not among the environments"),
        (json!({"tasks": [task("a", json!({"existing_cluster_id": "x", "job_cluster_key": "k"}))]}), "one place only"),
        (
            json!({"schedule": {"quartz_cron_expression": "* * * * *", "timezone_id": "UTC"}}),
            "Invalid quartz cron expression",
        ),
        (json!({"tasks": many}), "at most 1000 tasks"),
    ];
    for (settings, told) in settings {
        let refused = post(&sandbox, "/api/2.2/jobs/create", settings).await?;
        let message = refused.at("/message").as_str().unwrap_or_default().to_owned();
        assert_eq!((refused.code().as_str(), message.contains(told)), ("INVALID_PARAMETER_VALUE", true), "{message}");
    }
    let diamond = [
        task("a", json!({})),
        task("b", after("a")),
        task("c", json!({"depends_on": [{"task_key": "a"}, {"task_key": "b"}]})),
    ];
    let made = post(&sandbox, "/api/2.2/jobs/create", json!({"tasks": diamond})).await?;
    assert_eq!(made.status, 200, "{}", made.json());
    Ok(())
}

#[tokio::test]
async fn what_a_run_cannot_take_is_refused() -> Checked {
    let sandbox = start().await?;
    let long = "x".repeat(10_000);
    for (more, words) in [
        (json!({"only": ["nothing"]}), "'nothing'"),
        (json!({"notebook_params": {"a": long}}), "'notebook_params' must not exceed 10000 bytes"),
        (json!({"notebook_params": {"a": "1"}, "jar_params": ["1"]}), "cannot be given together"),
    ] {
        let mut body = json!({"job_id": NIGHTLY});
        if let (Some(body), Value::Object(more)) = (body.as_object_mut(), more) {
            body.extend(more);
        }
        let reply = post(&sandbox, "/api/2.2/jobs/run-now", body).await?;
        assert_eq!((reply.status, reply.code().as_str()), (400, "INVALID_PARAMETER_VALUE"), "{words}");
        assert!(reply.at("/message").to_string().contains(words), "{words}: {}", reply.at("/message"));
    }
    // The notebooks of the samples are older than the runs of the past.
    let notebook = get(&sandbox, "/api/2.0/workspace/get-status?path=/Shared/etl/failing_check").await?;
    let runs = get(&sandbox, &format!("/api/2.2/jobs/runs/list?job_id={FAILING}&limit=24")).await?.json();
    let runs = runs["runs"].as_array().cloned().unwrap_or_default();
    assert!(!runs.is_empty());
    assert!(runs.iter().all(|run| run["start_time"].as_i64() > notebook.at("/modified_at").as_i64()), "{runs:?}");
    Ok(())
}

#[tokio::test]
async fn a_task_that_the_sandbox_cannot_run_does_not_succeed() -> Checked {
    let sandbox = manual().await?;
    let works = [
        ("spark_jar_task", json!({"main_class_name": "test.Main"})),
        ("python_wheel_task", json!({"package_name": "load", "entry_point": "main"})),
        ("dbt_task", json!({"commands": ["dbt run"]})),
        ("spark_submit_task", json!({"parameters": ["--class", "test.Main"]})),
        ("pipeline_task", json!({"pipeline_id": "0f3c9a51-7f4e-4b5e-9a51-000000000001"})),
    ];
    for (kind, work) in works {
        let body = json!({"tasks": [{"task_key": "work", kind: work}]});
        let id = post(&sandbox, "/api/2.2/jobs/runs/submit", body).await?.at("/run_id");
        sandbox.advance(Duration::from_secs(120));
        let run = run(&sandbox, &id).await?;
        assert_eq!(run["state"]["result_state"], "FAILED", "{kind}: {run}");
        let output = output(&sandbox, &run["tasks"][0]["run_id"]).await?;
        assert!(output["error"].as_str().is_some_and(|error| error.contains(kind)), "{output}");
    }
    Ok(())
}

#[tokio::test]
async fn a_demo_lasts_long_enough_to_be_seen() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Demo)).await?;
    assert_eq!(get(&sandbox, "/__sandbox/clock").await?.at("/speed"), "demo");
    let ended = finished(&sandbox, json!({"job_id": NIGHTLY})).await?;
    assert_eq!(ended["state"]["result_state"], "SUCCESS", "{ended}");
    // It waits for more than a second, and runs for some.
    assert!(ended["setup_duration"].as_i64() > Some(1_000), "{ended}");
    assert!(ended["execution_duration"].as_i64() > Some(3_000), "{ended}");
    assert!(ended["run_duration"].as_i64() < Some(20_000), "{ended}");
    Ok(())
}
