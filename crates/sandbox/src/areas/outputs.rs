//! Runs as JSON: their states in both forms, the output of tasks, exported notebooks.
//!
//! Derived: no recording of these bodies is public; they follow the SDK's types.

use serde_json::{Map, Value, json};

use super::jobs::Job;
use super::objects::{normal, page_of};
use super::runs::{Run, State, TaskRun, missing_run, stats};
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
    let state = json!({"life_cycle_state": life, "result_state": result, "state_message": message, "user_cancelled_or_timedout": matches!(result, "CANCELED" | "TIMEDOUT")});
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
        State::Waiting(_) => {
            let (state, mut status) = open("WAITING_FOR_RETRY");
            status.set("state", "WAITING");
            (state, status)
        }
        State::Pending(_) => open("PENDING"),
        State::Running(_) => open("RUNNING"),
        State::Done(done) => ended(done.result, done.code, done.kind, &done.message, done.internal),
    }
}

pub(super) fn run_states(run: &Run) -> (Value, Value) {
    if run.queued {
        let (state, mut status) = open("QUEUED");
        status.set("queue_details", json!({"code": "MAX_CONCURRENT_RUNS_REACHED", "message": "Queued due to reaching maximum concurrent runs of the job."}));
        return (state, status);
    }
    if run.ended.is_none() {
        let is_waiting = |task: &TaskRun| matches!(task.state, State::Blocked | State::Pending(_) | State::Waiting(_));
        let begun = run.tasks.iter().any(|task| !is_waiting(task));
        return open(if begun { "RUNNING" } else { "PENDING" });
    }
    let result = run.result();
    let is_failure = |done: &&Done| matches!(done.result, "FAILED" | "TIMEDOUT");
    let failed = run.latest().find_map(|task| Some((task, task.done().filter(is_failure)?)));
    match (result, failed) {
        ("SUCCESS", _) => ended(result, "SUCCESS", "SUCCESS", "", false),
        ("MAXIMUM_CONCURRENT_RUNS_REACHED", _) => ended(
            result,
            "MAX_CONCURRENT_RUNS_EXCEEDED",
            "CLIENT_ERROR",
            "Maximum concurrent runs of the job reached.",
            false,
        ),
        ("TIMEDOUT", _) => ended(result, "CANCELED", "CLIENT_ERROR", "The run exceeded its timeout.", false),
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
    if let Some(cluster) = &task.cluster {
        let mut instance = json!({"cluster_id": cluster});
        if task.executed > 0 {
            instance.set("spark_context_id", "6421389123456789012");
        }
        json.insert("cluster_instance".to_owned(), instance);
    }
    if let Some(outcome) = task.done().and_then(|done| done.outcome.as_ref())
        && let Some(condition) = json.get_mut("condition_task")
    {
        condition.set("outcome", json!(outcome));
    }
    if let Some(for_each) = json.get_mut("for_each_task") {
        for_each.set("stats", stats(task));
    }
    if let Some(resolved) = resolved(task) {
        json.insert("resolved_values".to_owned(), resolved);
    }
    Value::Object(json)
}

/// What the references of a task stood for, by the kinds of tasks that have such fields.
fn resolved(task: &TaskRun) -> Option<Value> {
    const FIELDS: [(&str, &[&str]); 4] = [
        ("condition_task", &["left", "right"]),
        ("notebook_task", &["base_parameters"]),
        ("run_job_task", &["job_parameters"]),
        ("sql_task", &["parameters"]),
    ];
    FIELDS.iter().find_map(|(kind, fields)| {
        let values = task.resolved.get(*kind)?.as_object()?;
        let known = fields.iter().filter_map(|field| Some(((*field).to_owned(), values.get(*field)?.clone())));
        let known: Map<String, Value> = known.collect();
        (!known.is_empty()).then(|| json!({ *kind: known }))
    })
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
    if let Some(clusters) = &run.job_clusters {
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

/// The original run and its repairs, each as it ended; the last as it is.
fn repairs(run: &Run, state: &Value, status: &Value) -> Value {
    let repaired: Vec<i64> = run.repairs.iter().flat_map(|repair| repair.tasks.iter().copied()).collect();
    let original = run.tasks.iter().filter(|task| !repaired.contains(&task.id)).map(|task| task.id);
    let mut parts = vec![("ORIGINAL", None, run.started, original.collect::<Vec<_>>())];
    parts.extend(run.repairs.iter().map(|repair| ("REPAIR", Some(repair.id), repair.started, repair.tasks.clone())));
    let now = (state.clone(), status.clone(), run.ended.unwrap_or(0));
    let ends = run.repairs.iter().map(|repair| &repair.before).chain(std::iter::once(&now));
    let items = parts.into_iter().zip(ends).map(|((kind, id, started, tasks), (state, status, end))| {
        let mut item = json!({"type": kind, "start_time": started, "end_time": end, "state": state, "status": status, "task_run_ids": tasks});
        if let Some(id) = id {
            item.set("id", id);
        }
        item
    });
    items.collect()
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
    if task.spec.contains_key("for_each_task") {
        json.set("tasks", json!([task_json(workspace, run, task)]));
        let iterations = task.iterations.iter().map(|iteration| task_json(workspace, run, iteration));
        json.set("iterations", iterations.collect::<Vec<_>>());
    }
    json
}

fn find(workspace: &Workspace, id: i64) -> Result<(Run, TaskRun), ApiError> {
    let jobs = lock(&workspace.jobs);
    if jobs.runs.contains_key(&id) {
        return Err(ApiError::invalid_parameter(
            "Retrieving the output of runs with multiple tasks is not supported. Please retrieve the output of each individual task run instead.",
        ));
    }
    jobs.runs.values().find_map(|run| Some((run.clone(), run.task(id)?.clone()))).ok_or_else(|| missing_run(id))
}

pub(super) fn get_output(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.query_integer("run_id")?.ok_or_else(|| ApiError::missing_field("run_id"))?;
    let (run, task) = find(workspace, id)?;
    if task.spec.contains_key("for_each_task") {
        return Err(ApiError::invalid_parameter(
            "Retrieving the output of a for-each task is not supported. Please retrieve the output of each iteration instead.",
        ));
    }
    let mut json = json!({"metadata": task_run_json(workspace, &run, &task)});
    let Some(done) = task.done() else { return Ok(Reply::json(json)) };
    let Done { error, trace, exit, logs, extra, .. } = done;
    if task.spec.contains_key("notebook_task") {
        json.set(
            "notebook_output",
            match exit {
                Some(exit) => json!({"result": exit, "truncated": done.truncated}),
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
        json.set("logs_truncated", json!(done.truncated));
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
    let name = path.rsplit('/').next().unwrap_or(&path);
    Ok(Reply::json(json!({"views": [{"content": page_of(workspace, &path), "name": name, "type": "NOTEBOOK"}]})))
}
