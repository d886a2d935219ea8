//! Answers of jobs, runs and clusters keep to the specs, as requests have to.

use std::time::Duration;

use serde_json::{Value, json};

use super::*;
use crate::contract::{Property, Response as Declared, Schema, misfit};
use crate::{Options, Speed, areas, seed};

struct Served {
    workspace: Arc<Workspace>,
    router: Router,
}

impl Served {
    fn new() -> Self {
        let workspace = Workspace::new(&Options::default().with_speed(Speed::Manual), "http://sandbox.test".to_owned());
        seed::fill(&workspace, true).unwrap();
        Self { workspace: Arc::new(workspace), router: Router::new(areas::routes()) }
    }

    /// The answer to a request, which has to be of the operation's schema.
    async fn ask(&self, method: &str, path: &str, body: Value) -> Value {
        let body = if body.is_null() { Bytes::new() } else { body.to_string().into() };
        let reply = perform(&self.workspace, &self.router, method, path, body).await;
        let Content::Json(value) = reply.unwrap().content else { panic!("{path} answers without JSON") };
        let found = Contract::get().find(method, path.split('?').next().unwrap());
        let Declared::Json(schema) = &found[0].operation.response else { return value };
        let mut told = value.clone();
        keep_known(schema, &mut told);
        let misfit = misfit(Contract::get(), schema, &told, "", false);
        assert!(misfit.is_none(), "{method} {path}: {misfit:?} in {value}");
        value
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, Value::Null).await
    }
}

/// Takes out what the specs do not have: the service, too, tells more than is documented.
fn keep_known(schema: &Schema, value: &mut Value) {
    match (Contract::get().resolve(schema), value) {
        (Schema::Array(items), Value::Array(values)) => values.iter_mut().for_each(|value| keep_known(items, value)),
        (Schema::Map(items), Value::Object(values)) => values.values_mut().for_each(|value| keep_known(items, value)),
        (Schema::Object(properties), Value::Object(values)) => {
            values.retain(|name, value| {
                let known = properties.iter().find(|Property(known, ..)| known == name);
                known.map(|Property(_, _, schema)| keep_known(schema, value)).is_some()
            });
        }
        _ => {}
    }
}

#[tokio::test]
async fn jobs_runs_and_clusters_answer_as_the_specs_say() {
    let served = Served::new();
    let new_cluster = json!({"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 1});
    let tasks = json!([
        {"task_key": "slow", "notebook_task": {"notebook_path": "/Shared/etl/slow_export"}, "timeout_seconds": 2, "retry_on_timeout": true, "max_retries": 1},
        {"task_key": "own", "notebook_task": {"notebook_path": "/Shared/etl/flaky_source"}, "new_cluster": new_cluster},
        {"task_key": "test", "condition_task": {"op": "EQUAL_TO", "left": "{{job.id}}", "right": "1"}},
        {"task_key": "no", "depends_on": [{"task_key": "test", "outcome": "true"}], "notebook_task": {"notebook_path": "/Shared/x"}},
        {"task_key": "nested", "run_job_task": {"job_id": 620_114_300_000_107_i64}},
        {"task_key": "off", "disabled": true, "notebook_task": {"notebook_path": "/Shared/x"}},
    ]);
    let settings = json!({"name": "all kinds", "tasks": tasks, "max_concurrent_runs": 1, "queue": {"enabled": true}});
    let made = served.ask("POST", "/api/2.2/jobs/create", settings).await["job_id"].clone();
    let mut runs = Vec::new();
    for job in [made.clone(), made, json!(620_114_300_000_110_i64), json!(620_114_300_000_103_i64)] {
        runs.push(served.ask("POST", "/api/2.2/jobs/run-now", json!({"job_id": job})).await["run_id"].clone());
    }
    // At all times, in the middle of things and after their end.
    for step in [0, 300, 600, 1_200, 2_000, 10_000, 100_000] {
        served.workspace.clock.advance(Duration::from_millis(step));
        for id in &runs {
            let run = served.get(&format!("/api/2.2/jobs/runs/get?run_id={id}&include_history=true")).await;
            for task in run["tasks"].as_array().unwrap() {
                served.get(&format!("/api/2.2/jobs/runs/get?run_id={}", task["run_id"])).await;
            }
        }
        served.get("/api/2.2/jobs/runs/list?expand_tasks=true&limit=25").await;
        served.get("/api/2.1/clusters/list").await;
    }
    let flaky = &runs[3];
    served.ask("POST", "/api/2.2/jobs/runs/repair", json!({"run_id": flaky, "rerun_all_failed_tasks": true})).await;
    let repaired = served.get(&format!("/api/2.2/jobs/runs/get?run_id={flaky}&include_history=true")).await;
    assert_eq!(repaired["repair_history"].as_array().map(Vec::len), Some(2));
    for job in served.get("/api/2.2/jobs/list?limit=100&expand_tasks=true").await["jobs"].as_array().unwrap() {
        served.get(&format!("/api/2.2/jobs/get?job_id={}", job["job_id"])).await;
    }
    let mut outputs = 0;
    let all = crate::workspace::lock(&served.workspace.jobs).runs.values().cloned().collect::<Vec<_>>();
    for run in all {
        for task in run.tasks.iter().filter(|task| !task.spec.contains_key("for_each_task")) {
            served.get(&format!("/api/2.2/jobs/runs/get-output?run_id={}", task.id)).await;
            outputs += 1;
        }
        for cluster in run.tasks.iter().filter_map(|task| task.cluster.as_ref()) {
            served.get(&format!("/api/2.1/clusters/get?cluster_id={cluster}")).await;
            served.ask("POST", "/api/2.1/clusters/events", json!({"cluster_id": cluster})).await;
        }
    }
    assert!(outputs > 60, "{outputs} outputs");
}

/// Enters a statement as a job does.
fn enter(workspace: &Workspace) {
    let ran = areas::statements::Ran { sql: "SELECT 1", warehouse: "w", ended: workspace.clock.now() };
    areas::statements::enter(workspace, &ran, Ok(crate::sql::Table::default()));
}

/// A sandbox that is used for long costs as much at its end as at its start.
#[tokio::test]
async fn what_requests_leave_behind_is_bounded() {
    let served = Served::new();
    let workspace = &served.workspace;
    let notebook = json!({"notebook_task": {"notebook_path": "/Shared/etl/load_orders"}, "task_key": "a"});
    let pipeline = "/api/2.0/pipelines/0a1b2c3d-0001-4000-8000-000000000001/updates";
    let body = |value: Value| Bytes::from(value.to_string());
    let ask = async |path: &str, value: Value| {
        perform(workspace, &served.router, "POST", path, body(value)).await.unwrap();
    };
    let cluster = json!({"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 1});
    for round in 0..1_300 {
        let mut task = notebook.clone();
        if round % 10 == 0 {
            task["new_cluster"] = cluster.clone();
        }
        ask("/api/2.2/jobs/runs/submit", json!({"tasks": [task], "idempotency_token": round.to_string()})).await;
        enter(workspace);
        areas::oidc::give(workspace, json!({"kind": "code"})).unwrap();
        if round % 10 == 0 {
            ask(pipeline, json!({})).await;
        }
        workspace.clock.advance(Duration::from_secs(60));
    }
    let jobs = crate::workspace::lock(&workspace.jobs);
    assert!(jobs.runs.len() <= 1_001 && jobs.tokens.len() <= 1_001, "{} {}", jobs.runs.len(), jobs.tokens.len());
    assert!(jobs.runs.values().all(|run| run.ended.is_some() || run.started > workspace.clock.now() - 120_000));
    assert!(crate::workspace::lock(&workspace.statements).len() <= 500);
    assert!(crate::workspace::lock(&workspace.history).0.len() <= 2_000);
    let clusters = crate::workspace::lock(&workspace.clusters);
    assert!(clusters.0.len() < 130, "{}", clusters.0.len());
}

/// A page costs what it shows, however much there is.
#[tokio::test]
async fn a_page_of_a_long_history_takes_no_longer_than_one_of_a_short() {
    let served = Served::new();
    let enter_all = |count: usize| {
        for _ in 0..count {
            enter(&served.workspace);
        }
    };
    // The quickest of many: what else the machine does only makes some of them slower.
    let listed = async || {
        let mut quickest = Duration::MAX;
        for _ in 0..50 {
            let began = std::time::Instant::now();
            let path = "/api/2.0/sql/history/queries?max_results=25&include_metrics=true";
            perform(&served.workspace, &served.router, "GET", path, Bytes::new()).await.unwrap();
            quickest = quickest.min(began.elapsed());
        }
        quickest
    };
    enter_all(50);
    listed().await;
    let short = listed().await;
    enter_all(2_000);
    let long = listed().await;
    assert!(long < short * 6, "{long:?} for a long history, {short:?} for a short one");
}

/// Code that takes long holds up no request, and stops with its run.
#[tokio::test]
async fn requests_are_answered_while_code_runs() {
    let served = Served::new();
    let source = "# Databricks notebook source\nfor i in range(1000000):\n    spark.sql('SELECT 1').collect()";
    let path = "/Shared/without_end";
    let content = base64::Engine::encode(&base64::engine::general_purpose::STANDARD, source);
    let import = json!({"path": path, "content": content, "language": "PYTHON", "format": "SOURCE"});
    served.ask("POST", "/api/2.0/workspace/import", import).await;
    let submit = json!({"tasks": [{"task_key": "a", "notebook_task": {"notebook_path": path}}]});
    let mut runs = Vec::new();
    for _ in 0..20 {
        let run = served.ask("POST", "/api/2.2/jobs/runs/submit", submit.clone()).await;
        runs.push(run["run_id"].clone());
    }
    // The run has started, and at its next step its code begins.
    for _ in 0..3 {
        served.workspace.clock.advance(Duration::from_secs(1));
        served.get("/api/2.2/jobs/runs/list").await;
    }
    let state = async |id: &Value| {
        let run = served.get(&format!("/api/2.2/jobs/runs/get?run_id={id}")).await;
        run["state"].clone()
    };
    assert_eq!(state(&runs[0]).await["life_cycle_state"], "RUNNING");
    for id in &runs {
        served.ask("POST", "/api/2.2/jobs/runs/cancel", json!({"run_id": id})).await;
        assert_eq!(state(id).await["result_state"], "CANCELED");
    }
    // All places are free again.
    let mut places = Vec::new();
    for _ in 0..crate::work::MOST_AT_ONCE {
        places.push(served.workspace.workers.wait_for_place().await);
    }
    assert!(served.workspace.workers.place().is_none());
}

/// Jobs that run each other, and references that stand for much, take no more than a bound.
#[tokio::test]
async fn runs_that_would_grow_without_end_are_refused() {
    let served = Served::new();
    let one = json!([{"task_key": "a", "condition_task": {"op": "EQUAL_TO", "left": "1", "right": "1"}}]);
    let make = async |settings: Value| served.ask("POST", "/api/2.2/jobs/create", settings).await["job_id"].clone();
    let first = make(json!({"name": "first", "tasks": one, "max_concurrent_runs": 1_000})).await;
    let fan = |job: &Value| {
        let tasks = (0..20).map(|index| json!({"task_key": format!("t{index}"), "run_job_task": {"job_id": job}}));
        tasks.collect::<Value>()
    };
    let second = make(json!({"name": "second", "tasks": fan(&first), "max_concurrent_runs": 1_000})).await;
    let update = json!({"job_id": first, "new_settings": {"tasks": fan(&second)}});
    served.ask("POST", "/api/2.2/jobs/update", update).await;
    let run = served.ask("POST", "/api/2.2/jobs/run-now", json!({"job_id": first})).await["run_id"].clone();
    for _ in 0..10 {
        served.workspace.clock.advance(Duration::from_secs(10));
        served.get("/api/2.2/jobs/runs/list").await;
    }
    assert!(crate::workspace::lock(&served.workspace.jobs).runs.len() < 3_000);
    let run = served.get(&format!("/api/2.2/jobs/runs/get?run_id={run}")).await;
    assert_eq!(run["state"]["result_state"], "FAILED");

    let inputs = json!(vec!["x".repeat(1_000); 100]).to_string();
    let inner = json!({"op": "EQUAL_TO", "left": "{{input}}".repeat(100), "right": "1"});
    let each = json!({"inputs": inputs, "concurrency": 100, "task": {"task_key": "b", "condition_task": inner}});
    let submit = json!({"tasks": [{"task_key": "a", "for_each_task": each}]});
    let run = served.ask("POST", "/api/2.2/jobs/runs/submit", submit).await["run_id"].clone();
    for _ in 0..3 {
        served.workspace.clock.advance(Duration::from_secs(10));
        served.get("/api/2.2/jobs/runs/list").await;
    }
    let run = served.get(&format!("/api/2.2/jobs/runs/get?run_id={run}")).await;
    assert_eq!(run["state"]["result_state"], "FAILED");
}
