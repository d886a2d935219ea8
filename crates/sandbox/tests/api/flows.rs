//! What tasks can do beyond one notebook: loops, retries, timeouts, branches, values, repairs, clusters of their own.

use std::error::Error;
use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, post};

const REGIONAL: i64 = 620_114_300_000_110;
const GPU: i64 = 620_114_300_000_108;
const WIDE: i64 = 620_114_300_000_109;

async fn manual() -> Result<Sandbox, Box<dyn Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

/// Puts Python notebooks into `/Shared`.
async fn notebooks(sandbox: &Sandbox, sources: &[(&str, &str)]) -> Checked {
    for (name, source) in sources {
        let body = json!({"path": format!("/Shared/{name}"), "format": "SOURCE", "language": "PYTHON", "content": STANDARD.encode(source)});
        assert_eq!(post(sandbox, "/api/2.0/workspace/import", body).await?.status, 200);
    }
    Ok(())
}

fn notebook(key: &str, name: &str) -> Value {
    json!({"task_key": key, "notebook_task": {"notebook_path": format!("/Shared/{name}")}})
}

fn with(mut task: Value, more: Value) -> Value {
    for (name, value) in more.as_object().into_iter().flatten() {
        task[name] = value.clone();
    }
    task
}

async fn create(sandbox: &Sandbox, settings: Value) -> Result<Value, Box<dyn Error>> {
    let made = post(sandbox, "/api/2.2/jobs/create", settings).await?;
    assert_eq!(made.status, 200, "{}", made.json());
    Ok(made.at("/job_id"))
}

async fn start(sandbox: &Sandbox, job: &Value) -> Result<Value, Box<dyn Error>> {
    Ok(post(sandbox, "/api/2.2/jobs/run-now", json!({"job_id": job})).await?.at("/run_id"))
}

async fn run(sandbox: &Sandbox, id: &Value) -> Result<Value, Box<dyn Error>> {
    Ok(get(sandbox, &format!("/api/2.2/jobs/runs/get?run_id={id}&include_history=true")).await?.json())
}

async fn output(sandbox: &Sandbox, id: &Value) -> Result<Value, Box<dyn Error>> {
    Ok(get(sandbox, &format!("/api/2.2/jobs/runs/get-output?run_id={id}")).await?.json())
}

fn results(run: &Value) -> Vec<(String, String)> {
    let tasks = run["tasks"].as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or("?").to_owned();
    tasks.iter().map(|task| (text(&task["task_key"]), text(&task["state"]["result_state"]))).collect()
}

fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
    expected.iter().map(|(key, result)| ((*key).to_owned(), (*result).to_owned())).collect()
}

#[tokio::test]
async fn a_loop_runs_its_task_for_each_value_that_a_task_set() -> Checked {
    let sandbox = manual().await?;
    let id = start(&sandbox, &json!(REGIONAL)).await?;
    sandbox.advance(Duration::from_millis(1_300));
    let half = run(&sandbox, &id).await?;
    let stats = &half["tasks"][1]["for_each_task"]["stats"]["task_run_stats"];
    assert_eq!((&stats["total_iterations"], &stats["active_iterations"]), (&json!(4), &json!(2)), "{stats}");
    sandbox.advance(Duration::from_secs(60));
    let run = run(&sandbox, &id).await?;
    assert_eq!(results(&run), pairs(&[("regions", "SUCCESS"), ("load_all", "SUCCESS")]), "{run}");
    let stats = &run["tasks"][1]["for_each_task"]["stats"]["task_run_stats"];
    assert_eq!((&stats["succeeded_iterations"], &stats["failed_iterations"]), (&json!(4), &json!(0)));
    let looped = self::run(&sandbox, &run["tasks"][1]["run_id"]).await?;
    let iterations = looped["iterations"].as_array().cloned().unwrap_or_default();
    // Each fails once and is retried.
    assert_eq!(iterations.len(), 8);
    let mut exits = Vec::new();
    for iteration in iterations.iter().filter(|iteration| iteration["attempt_number"] == 1) {
        let output = output(&sandbox, &iteration["run_id"]).await?;
        exits.push(output["notebook_output"]["result"].as_str().unwrap_or("?").to_owned());
    }
    exits.sort();
    assert_eq!(exits, ["loaded east", "loaded north", "loaded south", "loaded west"]);
    let failed = output(&sandbox, &iterations[0]["run_id"]).await?;
    assert_eq!(failed["error"], "ConnectionError: no answer from north");
    let whole = get(&sandbox, &format!("/api/2.2/jobs/runs/get-output?run_id={}", run["tasks"][1]["run_id"])).await?;
    assert_eq!(whole.status, 400);
    Ok(())
}

#[tokio::test]
async fn iterations_come_by_the_hundred() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("one", "x = 1\n")]).await?;
    let inputs: Vec<_> = (0..230).collect();
    let task = json!({"task_key": "many", "for_each_task": {"inputs": json!(inputs).to_string(), "concurrency": 100, "task": notebook("one", "one")}});
    let id = start(&sandbox, &create(&sandbox, json!({"tasks": [task]})).await?).await?;
    sandbox.advance(Duration::from_secs(30));
    let task = run(&sandbox, &id).await?["tasks"][0]["run_id"].clone();
    let (mut seen, mut token) = (Vec::new(), String::new());
    loop {
        let page = get(&sandbox, &format!("/api/2.2/jobs/runs/get?run_id={task}{token}")).await?.json();
        seen.push(page["iterations"].as_array().map_or(0, Vec::len));
        let Some(next) = page["next_page_token"].as_str() else { break };
        token = format!("&page_token={next}");
    }
    assert_eq!(seen, [100, 100, 30]);
    let bad = json!({"tasks": [{"task_key": "a", "for_each_task": {"inputs": "[]", "concurrency": 101, "task": notebook("b", "one")}}]});
    assert_eq!(post(&sandbox, "/api/2.2/jobs/create", bad).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn tasks_are_retried_after_their_interval() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("no", "raise ValueError('no')\n")]).await?;
    let task = with(notebook("no", "no"), json!({"max_retries": 2, "min_retry_interval_millis": 10_000}));
    let id = start(&sandbox, &create(&sandbox, json!({"tasks": [task]})).await?).await?;
    sandbox.advance(Duration::from_secs(5));
    let waiting = run(&sandbox, &id).await?;
    assert_eq!(waiting["state"]["life_cycle_state"], "RUNNING");
    let states: Vec<_> = (0..2).map(|at| &waiting["tasks"][at]["state"]["life_cycle_state"]).collect();
    assert_eq!(states, ["TERMINATED", "WAITING_FOR_RETRY"]);
    sandbox.advance(Duration::from_secs(60));
    let run = run(&sandbox, &id).await?;
    assert_eq!(results(&run), pairs(&[("no", "FAILED"), ("no", "FAILED"), ("no", "FAILED")]));
    let starts: Vec<_> = (0..3).filter_map(|at| run["tasks"][at]["start_time"].as_i64()).collect();
    assert!(starts.windows(2).all(|pair| pair[1] - pair[0] >= 10_000), "{starts:?}");
    let shown = get(&sandbox, &format!("/api/2.2/jobs/runs/get?run_id={id}")).await?;
    assert_eq!((shown.at("/tasks/0/attempt_number"), shown.at("/tasks/1")), (json!(2), Value::Null));
    Ok(())
}

#[tokio::test]
async fn what_takes_too_long_is_timed_out() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("slow", "import time\ntime.sleep(60)\n"), ("quick", "x = 1\n")]).await?;
    let tasks = json!([with(notebook("slow", "slow"), json!({"timeout_seconds": 5})), notebook("quick", "quick")]);
    let task = start(&sandbox, &create(&sandbox, json!({"tasks": tasks})).await?).await?;
    let tasks = json!([
        notebook("slow", "slow"),
        with(notebook("after", "quick"), json!({"depends_on": [{"task_key": "slow"}]}))
    ]);
    let whole = start(&sandbox, &create(&sandbox, json!({"tasks": tasks, "timeout_seconds": 5})).await?).await?;
    sandbox.advance(Duration::from_secs(4));
    for id in [&task, &whole] {
        assert_eq!(run(&sandbox, id).await?["state"]["life_cycle_state"], "RUNNING");
    }
    sandbox.advance(Duration::from_secs(60));
    let task = run(&sandbox, &task).await?;
    assert_eq!(results(&task), pairs(&[("slow", "TIMEDOUT"), ("quick", "SUCCESS")]));
    assert_eq!(task["state"]["result_state"], "FAILED");
    assert_eq!(task["tasks"][0]["end_time"].as_i64(), task["start_time"].as_i64().map(|start| start + 5_000));
    let whole = run(&sandbox, &whole).await?;
    assert_eq!(
        (&whole["state"]["result_state"], &whole["status"]["termination_details"]["code"]),
        (&json!("TIMEDOUT"), &json!("CANCELED"))
    );
    assert_eq!(whole["end_time"].as_i64(), whole["start_time"].as_i64().map(|start| start + 5_000));
    Ok(())
}

#[tokio::test]
async fn run_if_and_conditions_choose_what_runs() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("good", "dbutils.jobs.taskValues.set('rows', 7)\n"), ("bad", "raise ValueError('x')\n")])
        .await?;
    let after = |key: &str, on: &[&str], run_if: &str| {
        let on: Vec<_> = on.iter().map(|key| json!({"task_key": key})).collect();
        with(notebook(key, "good"), json!({"depends_on": on, "run_if": run_if}))
    };
    let tasks = json!([
        notebook("good", "good"), notebook("bad", "bad"),
        after("all_success", &["good", "bad"], "ALL_SUCCESS"),
        after("all_done", &["good", "bad"], "ALL_DONE"),
        after("one_success", &["good", "bad"], "AT_LEAST_ONE_SUCCESS"),
        after("one_failed", &["good", "bad"], "AT_LEAST_ONE_FAILED"),
        after("all_failed", &["good", "bad"], "ALL_FAILED"),
        after("none_failed", &["good"], "NONE_FAILED"),
        {"task_key": "many", "depends_on": [{"task_key": "good"}], "condition_task": {"op": "GREATER_THAN", "left": "{{tasks.good.values.rows}}", "right": "{{job.parameters.least}}"}},
        with(notebook("yes", "good"), json!({"depends_on": [{"task_key": "many", "outcome": "true"}]})),
        with(notebook("no", "good"), json!({"depends_on": [{"task_key": "many", "outcome": "false"}]})),
        with(notebook("off", "good"), json!({"disabled": true})),
    ]);
    let parameters = json!([{"name": "least", "default": "5"}]);
    let id = start(&sandbox, &create(&sandbox, json!({"tasks": tasks, "parameters": parameters})).await?).await?;
    sandbox.advance(Duration::from_secs(60));
    let run = run(&sandbox, &id).await?;
    let expected = [
        ("good", "SUCCESS"),
        ("bad", "FAILED"),
        ("all_success", "UPSTREAM_FAILED"),
        ("all_done", "SUCCESS"),
        ("one_success", "SUCCESS"),
        ("one_failed", "SUCCESS"),
        ("all_failed", "UPSTREAM_FAILED"),
        ("none_failed", "SUCCESS"),
        ("many", "SUCCESS"),
        ("yes", "SUCCESS"),
        ("no", "EXCLUDED"),
        ("off", "DISABLED"),
    ];
    assert_eq!(results(&run), pairs(&expected));
    assert_eq!(run["tasks"][8]["resolved_values"]["condition_task"], json!({"left": "7", "right": "5"}));
    assert_eq!(run["tasks"][8]["condition_task"]["outcome"], "true");
    Ok(())
}

#[tokio::test]
async fn runs_queue_for_their_turn() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("slow", "import time\ntime.sleep(10)\n")]).await?;
    let job = create(
        &sandbox,
        json!({"tasks": [notebook("slow", "slow")], "max_concurrent_runs": 2, "queue": {"enabled": true}}),
    )
    .await?;
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(start(&sandbox, &job).await?);
    }
    let queued = run(&sandbox, &ids[2]).await?;
    assert_eq!(
        (&queued["state"]["life_cycle_state"], &queued["status"]["queue_details"]["code"]),
        (&json!("QUEUED"), &json!("MAX_CONCURRENT_RUNS_REACHED"))
    );
    sandbox.advance(Duration::from_secs(12));
    assert_eq!(run(&sandbox, &ids[2]).await?["state"]["life_cycle_state"], "PENDING");
    sandbox.advance(Duration::from_secs(12));
    assert_eq!(run(&sandbox, &ids[2]).await?["state"]["result_state"], "SUCCESS");
    let active = get(&sandbox, &format!("/api/2.2/jobs/runs/list?job_id={job}&active_only=true")).await?;
    assert_eq!(active.at("/runs"), Value::Null);
    let done = get(&sandbox, &format!("/api/2.2/jobs/runs/list?job_id={job}&completed_only=true&limit=2")).await?;
    assert_eq!(done.at("/runs").as_array().map(Vec::len), Some(2));
    assert_eq!(done.at("/has_more"), json!(true));
    Ok(())
}

#[tokio::test]
async fn repairs_rerun_what_is_asked_for_and_keep_the_history() -> Checked {
    let sandbox = manual().await?;
    notebooks(
        &sandbox,
        &[("a", "x = 1\n"), ("b", "day = dbutils.widgets.get('day')\nassert True\nraise ValueError(day)\n")],
    )
    .await?;
    let after = |task: Value, on: &str| with(task, json!({"depends_on": [{"task_key": on}]}));
    let tasks = json!([notebook("a", "a"), after(notebook("b", "b"), "a"), after(notebook("c", "a"), "b")]);
    let job = create(&sandbox, json!({"tasks": tasks, "parameters": [{"name": "day", "default": "1"}]})).await?;
    let id = start(&sandbox, &job).await?;
    sandbox.advance(Duration::from_secs(30));
    let repair = |more: Value| post(&sandbox, "/api/2.2/jobs/runs/repair", with(json!({"run_id": id}), more));
    for refused in [
        json!({}),
        json!({"rerun_tasks": ["a"], "rerun_all_failed_tasks": true}),
        json!({"rerun_tasks": ["z"]}),
        json!({"rerun_tasks": ["a"], "latest_repair_id": 1}),
    ] {
        assert_eq!(repair(refused.clone()).await?.status, 400, "{refused}");
    }
    let first = repair(json!({"rerun_all_failed_tasks": true, "job_parameters": {"day": "2"}})).await?.at("/repair_id");
    assert_eq!(
        repair(json!({"rerun_all_failed_tasks": true, "latest_repair_id": first})).await?.code(),
        "INVALID_STATE"
    );
    sandbox.advance(Duration::from_secs(30));
    let seen = run(&sandbox, &id).await?;
    assert_eq!(
        results(&seen),
        pairs(&[
            ("a", "SUCCESS"),
            ("b", "FAILED"),
            ("c", "UPSTREAM_FAILED"),
            ("b", "FAILED"),
            ("c", "UPSTREAM_FAILED")
        ])
    );
    assert_eq!(output(&sandbox, &seen["tasks"][3]["run_id"]).await?["error"], "ValueError: 2");
    let fixed = json!({"path": "/Shared/b", "format": "SOURCE", "language": "PYTHON", "overwrite": true, "content": STANDARD.encode("y = 2\n")});
    post(&sandbox, "/api/2.0/workspace/import", fixed).await?;
    let second = repair(json!({"rerun_tasks": ["b"], "rerun_dependent_tasks": true, "latest_repair_id": first}))
        .await?
        .at("/repair_id");
    sandbox.advance(Duration::from_secs(30));
    let seen = run(&sandbox, &id).await?;
    let history = seen["repair_history"].as_array().cloned().unwrap_or_default();
    let told: Vec<_> =
        history.iter().map(|item| (&item["type"], &item["id"], &item["state"]["result_state"])).collect();
    let none = Value::Null;
    let (original, repaired, failed, success) = (json!("ORIGINAL"), json!("REPAIR"), json!("FAILED"), json!("SUCCESS"));
    assert_eq!(told, [(&original, &none, &failed), (&repaired, &first, &failed), (&repaired, &second, &success)]);
    assert_eq!(history[2]["task_run_ids"].as_array().map(Vec::len), Some(2));
    assert_eq!(seen["state"]["result_state"], "SUCCESS");
    Ok(())
}

#[tokio::test]
async fn jobs_run_jobs_and_are_stopped_with_them() -> Checked {
    let sandbox = manual().await?;
    notebooks(
        &sandbox,
        &[("echo", "dbutils.notebook.exit(dbutils.widgets.get('day'))\n"), ("slow", "import time\ntime.sleep(100)\n")],
    )
    .await?;
    let inner =
        create(&sandbox, json!({"tasks": [notebook("echo", "echo")], "parameters": [{"name": "day", "default": "1"}]}))
            .await?;
    let nested = json!({"task_key": "nested", "run_job_task": {"job_id": inner, "job_parameters": {"day": "{{job.parameters.day}}"}}});
    let outer = create(&sandbox, json!({"tasks": [nested], "parameters": [{"name": "day", "default": "9"}]})).await?;
    let id = start(&sandbox, &outer).await?;
    sandbox.advance(Duration::from_secs(10));
    let task = run(&sandbox, &id).await?["tasks"][0]["run_id"].clone();
    let child = output(&sandbox, &task).await?["run_job_output"]["run_id"].clone();
    let child = run(&sandbox, &child).await?;
    assert_eq!(child["trigger"], "RUN_JOB_TASK");
    assert_eq!(output(&sandbox, &child["tasks"][0]["run_id"]).await?["notebook_output"]["result"], "9");

    let slow = create(&sandbox, json!({"tasks": [notebook("slow", "slow")]})).await?;
    let outer = create(&sandbox, json!({"tasks": [{"task_key": "nested", "run_job_task": {"job_id": slow}}]})).await?;
    let id = start(&sandbox, &outer).await?;
    sandbox.advance(Duration::from_secs(1));
    let task = run(&sandbox, &id).await?["tasks"][0]["run_id"].clone();
    let listed = get(&sandbox, &format!("/api/2.2/jobs/runs/list?job_id={slow}")).await?.at("/runs/0/run_id");
    post(&sandbox, "/api/2.2/jobs/runs/cancel", json!({"run_id": id})).await?;
    for id in [&id, &task, &listed] {
        assert_eq!(run(&sandbox, id).await?["state"]["result_state"], "CANCELED");
    }

    // A job that runs itself comes to an end.
    let own = create(&sandbox, json!({"name": "own", "max_concurrent_runs": 1000})).await?;
    let task = json!({"task_key": "own", "run_job_task": {"job_id": own}});
    post(&sandbox, "/api/2.2/jobs/update", json!({"job_id": own, "new_settings": {"tasks": [task]}})).await?;
    let id = start(&sandbox, &own).await?;
    sandbox.advance(Duration::from_secs(100_000));
    let seen = run(&sandbox, &id).await?;
    assert_eq!(seen["state"]["result_state"], "FAILED");
    let refused = output(&sandbox, &seen["tasks"][0]["run_id"]).await?;
    assert!(refused["error"].as_str().is_some_and(|error| error.contains("in a circle")), "{refused}");
    assert_eq!(get(&sandbox, &format!("/api/2.2/jobs/runs/list?job_id={own}")).await?.at("/runs/1"), Value::Null);
    Ok(())
}

#[tokio::test]
async fn run_job_tasks_are_nested_three_deep() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("one", "x = 1\n")]).await?;
    let mut job = create(&sandbox, json!({"tasks": [notebook("one", "one")]})).await?;
    for (depth, result) in [(1, "SUCCESS"), (2, "SUCCESS"), (3, "SUCCESS"), (4, "FAILED")] {
        job = create(&sandbox, json!({"tasks": [{"task_key": "next", "run_job_task": {"job_id": job}}]})).await?;
        let id = start(&sandbox, &job).await?;
        sandbox.advance(Duration::from_secs(1_000));
        assert_eq!(run(&sandbox, &id).await?["state"]["result_state"], result, "{depth}");
    }
    Ok(())
}

#[tokio::test]
async fn clusters_of_runs_are_made_shared_and_let_go() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("one", "x = 1\n")]).await?;
    let new_cluster = json!({"spark_version": "16.4.x-scala2.12", "node_type_id": "i3.xlarge", "num_workers": 2});
    let on = |key: &str, more: Value| with(notebook(key, "one"), more);
    let tasks = json!([
        on("a", json!({"job_cluster_key": "main"})),
        on("b", json!({"job_cluster_key": "main"})),
        on("c", json!({"new_cluster": new_cluster})),
        on("d", json!({"existing_cluster_id": "none"}))
    ]);
    let job = create(
        &sandbox,
        json!({"tasks": tasks, "job_clusters": [{"job_cluster_key": "main", "new_cluster": new_cluster}]}),
    )
    .await?;
    let id = start(&sandbox, &job).await?;
    assert_eq!(run(&sandbox, &id).await?["tasks"][0]["state"]["life_cycle_state"], "PENDING");
    sandbox.advance(Duration::from_secs(10));
    let seen = run(&sandbox, &id).await?;
    assert_eq!(results(&seen), pairs(&[("a", "SUCCESS"), ("b", "SUCCESS"), ("c", "SUCCESS"), ("d", "FAILED")]));
    let cluster = |at: usize| &seen["tasks"][at]["cluster_instance"]["cluster_id"];
    assert!(cluster(0) == cluster(1) && cluster(0) != cluster(2) && cluster(0).is_string());
    let path = format!("/api/2.1/clusters/get?cluster_id={}", cluster(0).as_str().unwrap_or_default());
    let found = get(&sandbox, &path).await?;
    assert_eq!(
        (found.at("/state"), found.at("/termination_reason/code"), found.at("/cluster_source")),
        (json!("TERMINATED"), json!("JOB_FINISHED"), json!("JOB"))
    );
    Ok(())
}

#[tokio::test]
async fn failed_runs_have_clusters_that_tell_why() -> Checked {
    let sandbox = manual().await?;
    for (job, code, kind, event) in [
        (GPU, "CLOUD_FAILURE", "CLOUD_FAILURE", "ADD_NODES_FAILED"),
        (WIDE, "DRIVER_ERROR", "CLIENT_ERROR", "DRIVER_NOT_RESPONDING"),
    ] {
        let past = get(&sandbox, &format!("/api/2.2/jobs/runs/list?job_id={job}&limit=1")).await?.at("/runs/0/run_id");
        let now = start(&sandbox, &json!(job)).await?;
        sandbox.advance(Duration::from_secs(30));
        for id in [past, now] {
            let run = run(&sandbox, &id).await?;
            let details = &run["status"]["termination_details"];
            assert_eq!((&details["code"], &details["type"]), (&json!(code), &json!(kind)), "{run}");
            let cluster = &run["tasks"][0]["cluster_instance"]["cluster_id"];
            let asked = json!({"cluster_id": cluster, "start_time": run["start_time"], "end_time": run["end_time"]});
            let events = post(&sandbox, "/api/2.1/clusters/events", asked).await?.at("/events");
            let kinds: Vec<_> = events.as_array().into_iter().flatten().map(|event| &event["type"]).collect();
            assert!(kinds.contains(&&json!(event)), "{job}: {events}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn large_runs_stay_quick() -> Checked {
    let sandbox = manual().await?;
    notebooks(&sandbox, &[("once", "# sandbox: flaky\nraise ValueError('x')\n")]).await?;
    let inputs: Vec<_> = (0..600).map(|index| index % 2).collect();
    let inner = with(notebook("one", "once"), json!({"max_retries": 1}));
    let mut tasks: Vec<_> = (1..300)
        .map(|at| {
            with(
                notebook(&format!("t{at}"), "once"),
                json!({"depends_on": [{"task_key": format!("t{}", at - 1)}], "run_if": "ALL_DONE"}),
            )
        })
        .collect();
    tasks.push(notebook("t0", "once"));
    tasks.push(json!({"task_key": "many", "for_each_task": {"inputs": json!(inputs).to_string(), "task": inner}}));
    let id = start(&sandbox, &create(&sandbox, json!({"tasks": tasks})).await?).await?;
    // All of it happens in one step of the clock.
    sandbox.advance(Duration::from_secs(3_600));
    let (mut page, mut seen) = (run(&sandbox, &id).await?, Vec::new());
    assert_eq!(page["state"]["life_cycle_state"], "TERMINATED");
    loop {
        seen.extend(page["tasks"].as_array().cloned().unwrap_or_default());
        let Some(token) = page["next_page_token"].as_str() else { break };
        page = get(&sandbox, &format!("/api/2.2/jobs/runs/get?run_id={id}&page_token={token}")).await?.json();
    }
    assert_eq!(seen.len(), 301);
    let stats = &seen[300]["for_each_task"]["stats"]["task_run_stats"];
    assert_eq!((&stats["total_iterations"], &stats["succeeded_iterations"]), (&json!(600), &json!(600)));
    Ok(())
}
