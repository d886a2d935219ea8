//! Runs as JSON: their states in both forms, the output of tasks, exported notebooks.
//!
//! Derived: no recording of these bodies is public; they follow the SDK's types.

use serde_json::{Map, Value, json};

use super::jobs::Job;
use super::objects::{html, normal};
use super::runs::{Run, State, TaskRun, missing_run};
use super::tasks::Done;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::workspace::{USER, Workspace, lock};

/// `state` and `status` of something that has ended.
fn ended(result: &str, code: &str, kind: &str, message: &str, internal: bool) -> (Value, Value) {
    let life = match result {
        _ if internal => "INTERNAL_ERROR",
        "MAXIMUM_CONCURRENT_RUNS_REACHED" => "SKIPPED",
        _ => "TERMINATED",
    };
    let state = json!({"life_cycle_state": life, "result_state": result, "state_message": message, "user_cancelled_or_timedout": result == "CANCELED"});
    (state, json!({"state": "TERMINATED", "termination_details": {"code": code, "type": kind, "message": message}}))
}

fn open(state: &str) -> (Value, Value) {
    (
        json!({"life_cycle_state": state, "state_message": "", "user_cancelled_or_timedout": false}),
        json!({"state": state}),
    )
}

fn task_states(task: &TaskRun) -> (Value, Value) {
    match &task.state {
        State::Blocked => open("BLOCKED"),
        State::Pending(_) => open("PENDING"),
        State::Running(_) => open("RUNNING"),
        State::Done(done) => ended(done.result, done.code, done.kind, &done.message, done.internal),
    }
}

fn run_states(run: &Run) -> (Value, Value) {
    if run.queued {
        let (state, mut status) = open("QUEUED");
        status.set("queue_details", json!({"code": "MAX_CONCURRENT_RUNS_REACHED", "message": "Queued due to reaching maximum concurrent runs of the job."}));
        return (state, status);
    }
    if run.ended.is_none() {
        let begun = run.tasks.iter().any(|task| !matches!(task.state, State::Blocked | State::Pending(_)));
        return open(if begun { "RUNNING" } else { "PENDING" });
    }
    let result = run.result();
    let failed = run.latest().find_map(|task| Some((task, task.done().filter(|done| done.result == "FAILED")?)));
    match (result, failed) {
        ("SUCCESS", _) => ended(result, "SUCCESS", "SUCCESS", "", false),
        ("MAXIMUM_CONCURRENT_RUNS_REACHED", _) => ended(
            result,
            "MAX_CONCURRENT_RUNS_EXCEEDED",
            "CLIENT_ERROR",
            "Maximum concurrent runs of the job reached.",
            false,
        ),
        ("CANCELED", _) => ended(result, "USER_CANCELED", "SUCCESS", "Run cancelled.", false),
        (_, Some((task, done))) => {
            let message = format!("Task {} failed with message: {}.", task.key, done.message.trim_end_matches('.'));
            ended(result, done.code, done.kind, &message, done.internal)
        }
        _ => ended(result, "RUN_EXECUTION_ERROR", "CLIENT_ERROR", "Workload failed, see run output for details", false),
    }
}

fn page_url(workspace: &Workspace, run: &Run) -> String {
    let job = run.job.unwrap_or(run.id);
    format!("{}/?o={}#job/{job}/run/{}", workspace.url(), workspace.id(), run.id)
}

/// Start, end and durations, in milliseconds.
fn times(started: i64, executed: i64, ended: i64) -> Map<String, Value> {
    let mut times = Map::new();
    let setup = if executed > 0 { executed - started } else { 0 };
    let execution = if ended > 0 && executed > 0 { ended - executed } else { 0 };
    for (name, value) in [
        ("start_time", started),
        ("setup_duration", setup),
        ("execution_duration", execution),
        ("cleanup_duration", 0),
        ("end_time", ended),
    ] {
        times.insert(name.to_owned(), json!(value));
    }
    times
}

fn task_json(workspace: &Workspace, run: &Run, task: &TaskRun) -> Value {
    let mut json = Map::new();
    json.insert("run_id".to_owned(), json!(task.id));
    json.extend(task.spec.clone());
    json.extend(times(task.started, task.executed, task.ended));
    let (state, status) = task_states(task);
    json.insert("state".to_owned(), state);
    json.insert("status".to_owned(), status);
    json.insert("attempt_number".to_owned(), json!(task.attempt));
    json.insert("run_page_url".to_owned(), json!(page_url(workspace, run)));
    if let Some(cluster) = task.spec.get("existing_cluster_id") {
        json.insert(
            "cluster_instance".to_owned(),
            json!({"cluster_id": cluster, "spark_context_id": "6421389123456789012"}),
        );
    }
    if let Some(outcome) = task.done().and_then(|done| done.outcome.as_ref())
        && let Some(condition) = json.get_mut("condition_task")
    {
        condition.set("outcome", json!(outcome));
    }
    Value::Object(json)
}

pub(crate) fn run_json(workspace: &Workspace, run: &Run, job: Option<&Job>, tasks: bool, history: bool) -> Value {
    let (state, status) = run_states(run);
    let executed = run.tasks.iter().map(|task| task.executed).filter(|at| *at > 0).min().unwrap_or(0);
    let ended = run.ended.unwrap_or(0);
    let mut json = json!({
        "job_id": run.job.unwrap_or(run.id), "run_id": run.id, "number_in_job": run.number, "original_attempt_run_id": run.id,
        "creator_user_name": USER, "run_name": run.name, "run_page_url": page_url(workspace, run),
        "run_type": if run.job.is_some() { "JOB_RUN" } else { "SUBMIT_RUN" }, "trigger": run.trigger, "format": "MULTI_TASK",
        "state": state, "status": status,
    });
    if let Some(object) = json.as_object_mut() {
        object.extend(times(run.started, executed, ended));
        object.insert("run_duration".to_owned(), json!(if ended > 0 { ended - run.started } else { 0 }));
    }
    if !run.parameters.is_empty() {
        let default = |name: &str| {
            let declared = job.and_then(|job| job.settings.get("parameters")).and_then(Value::as_array);
            declared
                .into_iter()
                .flatten()
                .find(|item| item.at("name") == name)
                .map_or(Value::Null, |item| item.at("default").clone())
        };
        let values: Vec<_> = run
            .parameters
            .iter()
            .map(|(name, value)| json!({"name": name, "default": default(name), "value": value}))
            .collect();
        json.set("job_parameters", json!(values));
    }
    if !run.overrides.is_empty() {
        json.set("overriding_parameters", Value::Object(run.overrides.clone()));
    }
    if let Some(clusters) = job.and_then(|job| job.settings.get("job_clusters")) {
        json.set("job_clusters", clusters.clone());
    }
    if tasks {
        // Without the history only the last attempt of each task is shown.
        let shown: Vec<_> = if history { run.tasks.iter().collect() } else { run.latest().collect() };
        json.set("tasks", json!(shown.into_iter().map(|task| task_json(workspace, run, task)).collect::<Vec<_>>()));
    }
    if history && !run.repairs.is_empty() {
        json.set("repair_history", repairs(run, json.at("state"), json.at("status")));
    }
    json
}

fn repairs(run: &Run, state: &Value, status: &Value) -> Value {
    let repaired: Vec<i64> = run.repairs.iter().flat_map(|repair| repair.tasks.iter().copied()).collect();
    let original: Vec<_> = run.tasks.iter().filter(|task| !repaired.contains(&task.id)).collect();
    let first_end = original.iter().map(|task| task.ended).max().unwrap_or(0);
    let (failed_state, failed_status) = ended("FAILED", "RUN_EXECUTION_ERROR", "CLIENT_ERROR", "", false);
    let ids: Vec<_> = original.iter().map(|task| task.id).collect();
    let mut items = vec![
        json!({"type": "ORIGINAL", "start_time": run.started, "end_time": first_end, "state": failed_state, "status": failed_status, "task_run_ids": ids}),
    ];
    for (index, repair) in run.repairs.iter().enumerate() {
        let last = index + 1 == run.repairs.len();
        let end =
            run.tasks.iter().filter(|task| repair.tasks.contains(&task.id)).map(|task| task.ended).max().unwrap_or(0);
        let (state, status) =
            if last { (state.clone(), status.clone()) } else { (failed_state.clone(), failed_status.clone()) };
        items.push(json!({"type": "REPAIR", "id": repair.id, "start_time": repair.started, "end_time": end, "state": state, "status": status, "task_run_ids": repair.tasks}));
    }
    Value::Array(items)
}

/// A task run asked for by its own id.
pub(crate) fn task_run_json(workspace: &Workspace, run: &Run, task: &TaskRun) -> Value {
    let mut json = task_json(workspace, run, task);
    json.set("job_id", json!(run.job.unwrap_or(run.id)));
    json.set("job_run_id", json!(run.id));
    json.set("run_name", json!(task.key));
    json.set("number_in_job", json!(task.id));
    json.set("creator_user_name", json!(USER));
    json.set("run_type", json!(if run.job.is_some() { "JOB_RUN" } else { "SUBMIT_RUN" }));
    json.set("trigger", json!(run.trigger));
    json
}

fn find(workspace: &Workspace, id: i64) -> Result<(Run, TaskRun), ApiError> {
    let jobs = lock(&workspace.jobs);
    if jobs.runs.contains_key(&id) {
        return Err(ApiError::invalid_parameter(
            "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.",
        ));
    }
    jobs.runs
        .values()
        .find_map(|run| Some((run.clone(), run.tasks.iter().find(|task| task.id == id)?.clone())))
        .ok_or_else(|| missing_run(id))
}

pub(super) fn get_output(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.query_integer("run_id")?.ok_or_else(|| ApiError::missing_field("run_id"))?;
    let (run, task) = find(workspace, id)?;
    let mut json = json!({"metadata": task_run_json(workspace, &run, &task)});
    let Some(done) = task.done() else { return Ok(Reply::json(json)) };
    let Done { error, trace, exit, logs, extra, .. } = done;
    if task.spec.contains_key("notebook_task") {
        json.set(
            "notebook_output",
            match exit {
                Some(exit) => json!({"result": exit, "truncated": false}),
                None => json!({"truncated": false}),
            },
        );
    }
    for (name, value) in [("error", error), ("error_trace", trace), ("logs", logs)] {
        if let Some(value) = value {
            json.set(name, json!(value));
        }
    }
    if logs.is_some() {
        json.set("logs_truncated", json!(false));
    }
    if let Some(child) = task.child {
        json.set("run_job_output", json!({"run_id": child}));
    }
    for (name, value) in extra {
        json.set(name, value.clone());
    }
    Ok(Reply::json(json))
}

pub(super) fn export(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.query_integer("run_id")?.ok_or_else(|| ApiError::missing_field("run_id"))?;
    let (_, task) = find(workspace, id)?;
    let path = task.spec.get("notebook_task").and_then(|task| task.at("notebook_path").as_str());
    let path = path.ok_or_else(|| ApiError::invalid_parameter("Only runs of notebook tasks can be exported"))?;
    let path = normal(path)?;
    let content = lock(&workspace.objects).0.get(&path).map(|object| object.content.clone()).unwrap_or_default();
    let name = path.rsplit('/').next().unwrap_or(&path);
    Ok(Reply::json(json!({"views": [{"content": html(&path, &content), "name": name, "type": "NOTEBOOK"}]})))
}
