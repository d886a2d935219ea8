//! How runs come to be: of a job, submitted, or nested; and how they are stopped.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::life::stop_children;
use super::run::{Run, defaults, millis, plain};
use crate::areas::jobs::{Job, Jobs, check, missing, tasks_of};
use crate::areas::tasks::Done;
use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::workspace::{Workspace, lock};

/// Parameters for all tasks of a kind, as older clients give them.
pub(super) const OVERRIDES: [&str; 6] =
    ["notebook_params", "python_params", "jar_params", "sql_params", "python_named_params", "dbt_commands"];

/// Bytes of the JSON of one of them.
const LARGEST_OVERRIDE: usize = 10_000;

/// Runs that are open at once.
const MOST_OPEN: usize = 500;
/// Tasks of open runs, and their iterations.
const MOST_OPEN_TASKS: usize = 20_000;

/// How a run of a job is asked for.
#[derive(Debug, Default)]
pub(super) struct Start {
    pub(super) at: i64,
    pub(super) trigger: &'static str,
    pub(super) parameters: BTreeMap<String, String>,
    pub(super) overrides: Map<String, Value>,
    /// The tasks to run; none is all.
    pub(super) only: Vec<String>,
    /// Whether to wait for other runs, where the job does not say.
    pub(super) queue: Option<bool>,
    pub(super) ancestors: Vec<i64>,
}

/// Adds a run of a job, which is queued or skipped where the job runs often enough already.
pub(super) fn begin<'a>(workspace: &Workspace, jobs: &'a mut Jobs, job: &Job, start: Start) -> &'a Run {
    let mut specs = job.tasks();
    if !start.only.is_empty() {
        let is_wanted = |key: &str| start.only.iter().any(|only| only == key);
        specs.retain(|spec| spec.get("task_key").and_then(Value::as_str).is_some_and(is_wanted));
    }
    let mut run = Run::new(workspace, Some(job), job.name(), specs);
    run.started = start.at;
    run.trigger = start.trigger;
    run.ancestors = start.ancestors;
    run.parameters = defaults(&job.settings);
    run.parameters.extend(start.parameters);
    run.overrides = start.overrides;
    if active(jobs, job.id) >= concurrency(jobs, job.id) {
        let is_queueing = job.settings.get("queue").map(|queue| queue.at("enabled") == true);
        run.queued = start.queue.or(is_queueing).unwrap_or(false);
        run.skipped = !run.queued;
        if run.skipped {
            run.tasks.clear();
            run.ended = Some(run.started);
        }
    }
    if let Some(job) = jobs.jobs.get_mut(&job.id) {
        job.runs += 1;
    }
    jobs.due = 0;
    jobs.runs.entry(run.id).or_insert(run)
}

/// Why no run of so many tasks can start now, or no task with so many iterations.
pub(super) fn overload(jobs: &Jobs, tasks: usize) -> Option<String> {
    let open = || jobs.runs.values().filter(|run| run.ended.is_none());
    if open().count() >= MOST_OPEN {
        return Some(format!("The quota for active runs has been reached: there are {MOST_OPEN}."));
    }
    let active: usize = open().flat_map(|run| &run.tasks).map(|task| 1 + task.iterations.len()).sum();
    (active + tasks > MOST_OPEN_TASKS).then(|| {
        format!("The quota for tasks of active runs has been reached: there are {active} of {MOST_OPEN_TASKS}.")
    })
}

fn check_load(jobs: &Jobs, tasks: usize) -> Result<(), ApiError> {
    overload(jobs, tasks).map_or(Ok(()), |message| Err(ApiError::new(400, "QUOTA_EXCEEDED", message)))
}

pub(super) fn active(jobs: &Jobs, job: i64) -> i64 {
    let count = jobs.runs.values().filter(|run| run.job == Some(job) && run.ended.is_none() && !run.queued).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn concurrency(jobs: &Jobs, job: i64) -> i64 {
    jobs.jobs.get(&job).and_then(|job| job.settings.get("max_concurrent_runs")).and_then(Value::as_i64).unwrap_or(1)
}

/// Cancels a run with the runs that it has started.
pub(super) fn stop(jobs: &mut Jobs, id: i64, at: i64) {
    let Some(mut run) = jobs.runs.remove(&id) else { return };
    if run.ended.is_none() {
        stop_children(jobs, &run.tasks, at);
        run.stop(at, &Done::other("CANCELED", "USER_CANCELED", "Run cancelled."));
    }
    jobs.runs.insert(id, run);
    jobs.due = 0;
}

/// The run that a token made before.
fn known(jobs: &Jobs, fields: &Fields) -> Result<Option<i64>, ApiError> {
    let Some(token) = fields.text("idempotency_token")? else { return Ok(None) };
    if token.len() > 64 {
        return Err(ApiError::invalid_parameter("The idempotency token must be at most 64 characters long"));
    }
    match jobs.tokens.get(token) {
        Some(id) if !jobs.runs.contains_key(id) => {
            Err(ApiError::invalid_parameter("The run with this idempotency token was deleted"))
        }
        found => Ok(found.copied()),
    }
}

fn remember(jobs: &mut Jobs, fields: &Fields, id: i64) -> Result<(), ApiError> {
    if let Some(token) = fields.text("idempotency_token")? {
        jobs.tokens.insert(token.to_owned(), id);
    }
    jobs.due = 0;
    Ok(())
}

pub(super) fn run_now(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_integer("job_id")?;
    let mut jobs = lock(&workspace.jobs);
    if let Some(run) = known(&jobs, &fields)?.and_then(|id| jobs.runs.get(&id)) {
        return Ok(Reply::json(json!({"run_id": run.id, "number_in_job": run.number})));
    }
    let job = jobs.jobs.get(&id).ok_or_else(|| missing(id))?.clone();
    let mut start = Start { at: workspace.clock.now(), trigger: "ONE_TIME", ..Start::default() };
    start.only = fields.array("only")?.iter().filter_map(Value::as_str).map(str::to_owned).collect();
    for (name, value) in fields.object("job_parameters")?.into_iter().flatten() {
        start.parameters.insert(name.clone(), plain(value));
    }
    check_only(&job, &start.only)?;
    for name in OVERRIDES {
        start.overrides.extend(fields.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    check_overrides(&start.overrides)?;
    check_load(&jobs, job.task_count())?;
    start.queue = fields.object("queue")?.map(|queue| queue.get("enabled") == Some(&Value::Bool(true)));
    let run = begin(workspace, &mut jobs, &job, start);
    let (run_id, reply) = (run.id, json!({"run_id": run.id, "number_in_job": run.number}));
    remember(&mut jobs, &fields, run_id)?;
    Ok(Reply::json(reply))
}

/// Derived: the text.
fn check_only(job: &Job, only: &[String]) -> Result<(), ApiError> {
    let tasks = job.tasks();
    let is_known = |key: &&String| tasks.iter().any(|spec| spec.get("task_key").and_then(Value::as_str) == Some(key));
    match only.iter().find(|key| !is_known(key)) {
        Some(key) => Err(ApiError::invalid_parameter(format!("Task key '{key}' of 'only' does not exist in the job."))),
        None => Ok(()),
    }
}

/// The limits are documented; the texts are derived.
fn check_overrides(overrides: &Map<String, Value>) -> Result<(), ApiError> {
    if let Some((name, _)) = overrides.iter().find(|(_, value)| value.to_string().len() > LARGEST_OVERRIDE) {
        let message = format!("The JSON representation of '{name}' must not exceed {LARGEST_OVERRIDE} bytes.");
        return Err(ApiError::invalid_parameter(message));
    }
    if overrides.contains_key("notebook_params") && overrides.contains_key("jar_params") {
        return Err(ApiError::invalid_parameter("'notebook_params' and 'jar_params' cannot be given together."));
    }
    Ok(())
}

pub(super) fn submit(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let mut jobs = lock(&workspace.jobs);
    if let Some(id) = known(&jobs, &fields)? {
        return Ok(Reply::json(json!({"run_id": id})));
    }
    check::settings(&fields.0)?;
    let specs = tasks_of(&fields.0);
    if specs.is_empty() {
        return Err(ApiError::missing_field("tasks"));
    }
    check_load(&jobs, specs.len())?;
    let mut run = Run::new(workspace, None, fields.text("run_name")?.unwrap_or("Untitled"), specs);
    run.timeout = millis(&fields.0, "timeout_seconds");
    run.job_clusters = fields.get("job_clusters").cloned();
    let reply = json!({"run_id": run.id});
    remember(&mut jobs, &fields, run.id)?;
    jobs.runs.insert(run.id, run);
    Ok(Reply::json(reply))
}
