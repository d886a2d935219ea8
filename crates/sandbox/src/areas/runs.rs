//! Runs as the API starts, shows, cancels and repairs them; `life` moves them on.
//!
//! Derived: durations, and the texts of messages other than the recorded ones.

mod life;

use serde_json::{Value, json};

use super::jobs::{Jobs, check_tasks, list_reply, missing, page_tasks, tasks_of};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, route};
use crate::workspace::{Workspace, lock};
use life::{Repair, active, concurrency, defaults};
pub(crate) use life::{Run, State, TaskRun, advance, dependencies};

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/2.2/jobs/run-now", run_now),
    route("POST", "/api/2.2/jobs/runs/submit", submit),
    route("GET", "/api/2.2/jobs/runs/get", get),
    route("GET", "/api/2.2/jobs/runs/list", list),
    route("GET", "/api/2.2/jobs/runs/get-output", super::outputs::get_output),
    route("GET", "/api/2.2/jobs/runs/export", super::outputs::export),
    route("POST", "/api/2.2/jobs/runs/cancel", cancel),
    route("POST", "/api/2.2/jobs/runs/cancel-all", cancel_all),
    route("POST", "/api/2.2/jobs/runs/repair", repair),
    route("POST", "/api/2.2/jobs/runs/delete", delete),
    route("POST", "/api/2.1/jobs/run-now", run_now),
    route("POST", "/api/2.1/jobs/runs/submit", submit),
    route("GET", "/api/2.1/jobs/runs/get", get),
    route("GET", "/api/2.1/jobs/runs/list", list),
    route("GET", "/api/2.1/jobs/runs/get-output", super::outputs::get_output),
    route("GET", "/api/2.1/jobs/runs/export", super::outputs::export),
    route("POST", "/api/2.1/jobs/runs/cancel", cancel),
    route("POST", "/api/2.1/jobs/runs/cancel-all", cancel_all),
    route("POST", "/api/2.1/jobs/runs/repair", repair),
    route("POST", "/api/2.1/jobs/runs/delete", delete),
];

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

fn run_now(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_integer("job_id")?;
    let mut jobs = lock(&workspace.jobs);
    if let Some(run) = known(&jobs, &fields)?.and_then(|id| jobs.runs.get(&id)) {
        return Ok(Reply::json(json!({"run_id": run.id, "number_in_job": run.number})));
    }
    let job = jobs.jobs.get(&id).ok_or_else(|| missing(id))?.clone();
    let only: Vec<_> = fields.array("only")?.iter().filter_map(Value::as_str).collect();
    let mut specs = job.tasks();
    if !only.is_empty() {
        specs.retain(|spec| spec.get("task_key").and_then(Value::as_str).is_some_and(|key| only.contains(&key)));
    }
    let mut run = Run::new(workspace, Some(&job), job.name(), specs);
    run.parameters = defaults(&job.settings);
    for (name, value) in fields.object("job_parameters")?.into_iter().flatten() {
        run.parameters.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
    }
    for name in ["notebook_params", "python_params", "jar_params", "sql_params", "python_named_params", "dbt_commands"]
    {
        if let Some(value) = fields.get(name) {
            run.overrides.insert(name.to_owned(), value.clone());
        }
    }
    let queue = fields.object("queue")?.cloned().map(Value::Object).or_else(|| job.settings.get("queue").cloned());
    if active(&jobs, id) >= concurrency(&jobs, id) {
        run.queued = queue.is_some_and(|queue| queue.at("enabled") == true);
        run.skipped = !run.queued;
        if run.skipped {
            run.tasks.clear();
            run.ended = Some(run.started);
        }
    }
    let reply = json!({"run_id": run.id, "number_in_job": run.number});
    if let Some(job) = jobs.jobs.get_mut(&id) {
        job.runs += 1;
    }
    remember(&mut jobs, &fields, run.id)?;
    jobs.runs.insert(run.id, run);
    Ok(Reply::json(reply))
}

fn submit(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let mut jobs = lock(&workspace.jobs);
    if let Some(id) = known(&jobs, &fields)? {
        return Ok(Reply::json(json!({"run_id": id})));
    }
    check_tasks(&fields.0)?;
    let specs = tasks_of(&fields.0);
    if specs.is_empty() {
        return Err(ApiError::missing_field("tasks"));
    }
    let run = Run::new(workspace, None, fields.text("run_name")?.unwrap_or("Untitled"), specs);
    let reply = json!({"run_id": run.id});
    remember(&mut jobs, &fields, run.id)?;
    jobs.runs.insert(run.id, run);
    Ok(Reply::json(reply))
}

pub(super) fn missing_run(id: i64) -> ApiError {
    ApiError::invalid_parameter(format!("Run {id} does not exist."))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.query_integer("run_id")?.ok_or_else(|| ApiError::missing_field("run_id"))?;
    let history = request.query_flag("include_history")?;
    let jobs = lock(&workspace.jobs);
    if let Some(run) = jobs.runs.get(&id) {
        let json = super::outputs::run_json(workspace, run, jobs.jobs.get(&run.job.unwrap_or_default()), true, history);
        return page_tasks(json, "", request.query("page_token")).map(Reply::json);
    }
    let found = jobs.runs.values().find_map(|run| Some((run, run.tasks.iter().find(|task| task.id == id)?)));
    let (run, task) = found.ok_or_else(|| missing_run(id))?;
    Ok(Reply::json(super::outputs::task_run_json(workspace, run, task)))
}

fn list(workspace: &Workspace, request: &Request) -> Outcome {
    let limit = request.query_integer("limit")?;
    if limit.is_some_and(|limit| !(0..=25).contains(&limit)) {
        return Err(ApiError::invalid_parameter("The limit must be between 1 and 25"));
    }
    let size = page::size(limit, 20, 25)?;
    let expand = request.query_flag("expand_tasks")?;
    let (active, completed) = (request.query_flag("active_only")?, request.query_flag("completed_only")?);
    if active && completed {
        return Err(ApiError::invalid_parameter("Only one of active_only and completed_only can be set"));
    }
    let job = request.query_integer("job_id")?;
    let from = request.query_integer("start_time_from")?.unwrap_or(i64::MIN);
    let to = request.query_integer("start_time_to")?.unwrap_or(i64::MAX);
    let kind = request.query("run_type");
    let jobs = lock(&workspace.jobs);
    let mut found: Vec<_> = jobs
        .runs
        .values()
        .filter(|run| job.is_none_or(|job| run.job == Some(job)))
        .filter(|run| (!active || run.ended.is_none()) && (!completed || run.ended.is_some()))
        .filter(|run| (from..=to).contains(&run.started))
        .filter(|run| kind.is_none_or(|kind| kind == if run.job.is_some() { "JOB_RUN" } else { "SUBMIT_RUN" }))
        .collect();
    found.sort_by_key(|run| (std::cmp::Reverse(run.started), std::cmp::Reverse(run.number), run.id));
    let items = found.into_iter().map(|run| {
        super::outputs::run_json(workspace, run, jobs.jobs.get(&run.job.unwrap_or_default()), expand, false)
    });
    let page = page::page(items.collect(), size, request.query("page_token"))?;
    Ok(Reply::json(list_reply("runs", page)))
}

fn cancel(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.fields()?.required_integer("run_id")?;
    let now = workspace.clock.now();
    let mut jobs = lock(&workspace.jobs);
    jobs.runs.get_mut(&id).ok_or_else(|| missing_run(id))?.stop(now);
    jobs.due = 0;
    Ok(Reply::nothing())
}

fn cancel_all(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let job = fields.integer("job_id")?;
    let everything = fields.flag("all_queued_runs")?;
    if job.is_none() && !everything {
        return Err(ApiError::missing_field("job_id"));
    }
    let now = workspace.clock.now();
    let mut jobs = lock(&workspace.jobs);
    for run in jobs.runs.values_mut().filter(|run| run.ended.is_none() && job.is_none_or(|job| run.job == Some(job))) {
        if !everything || run.queued {
            run.stop(now);
        }
    }
    jobs.due = 0;
    Ok(Reply::nothing())
}

fn repair(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_integer("run_id")?;
    let failed_ones = fields.flag("rerun_all_failed_tasks")?;
    let named: Vec<_> = fields.array("rerun_tasks")?.iter().filter_map(Value::as_str).collect();
    let now = workspace.clock.now();
    let mut jobs = lock(&workspace.jobs);
    let run = jobs.runs.get_mut(&id).ok_or_else(|| missing_run(id))?;
    if run.ended.is_none() {
        return Err(ApiError::invalid_state(format!("Cannot repair run {id}: it has not ended yet.")));
    }
    if failed_ones != named.is_empty() {
        return Err(ApiError::invalid_parameter("Exactly one of rerun_tasks and rerun_all_failed_tasks must be given"));
    }
    let latest = run.repairs.last().map(|repair| repair.id);
    if fields.integer("latest_repair_id")? != latest {
        return Err(ApiError::invalid_parameter("latest_repair_id must be the id of the latest repair of the run"));
    }
    let chosen: Vec<_> = run
        .latest()
        .filter(|task| {
            if failed_ones {
                task.done().is_some_and(|done| done.result != "SUCCESS")
            } else {
                named.contains(&task.key.as_str())
            }
        })
        .cloned()
        .collect();
    if chosen.is_empty() {
        return Err(ApiError::invalid_parameter("There are no tasks to rerun"));
    }
    if let Some(parameters) = fields.object("job_parameters")? {
        run.parameters.extend(
            parameters
                .iter()
                .map(|(name, value)| (name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned))),
        );
    }
    let again: Vec<_> = chosen.iter().map(|task| task.again(workspace)).collect();
    let repair = Repair { id: workspace.ids.number(), started: now, tasks: again.iter().map(|task| task.id).collect() };
    let reply = json!({"repair_id": repair.id});
    run.repairs.push(repair);
    run.tasks.extend(again);
    run.ended = None;
    jobs.due = 0;
    Ok(Reply::json(reply))
}

fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.fields()?.required_integer("run_id")?;
    let mut jobs = lock(&workspace.jobs);
    match jobs.runs.get(&id).map(|run| run.ended.is_some()) {
        None => Err(missing_run(id)),
        Some(false) => Err(ApiError::invalid_state(format!("Run {id} is active and cannot be deleted."))),
        Some(true) => {
            jobs.runs.remove(&id);
            Ok(Reply::nothing())
        }
    }
}
