//! Runs as the API shows, cancels and repairs them; `start` makes them and `life` moves them on.
//!
//! Derived: durations, and the texts of messages other than the recorded ones.

mod iterate;
mod life;
mod ready;
mod run;
mod start;
mod values;

use serde_json::{Value, json};

use super::jobs::{list_reply, page_list};
use crate::error::ApiError;
use crate::page;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{Workspace, lock};
pub(crate) use iterate::{check as check_loop, stats};
pub(crate) use life::advance;
pub(crate) use ready::dependencies;
use run::Repair;
pub(crate) use run::{Run, State, TaskRun, plain};
use start::{OVERRIDES, run_now, stop, submit};
pub(crate) use values::Values;

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

pub(super) fn missing_run(id: i64) -> ApiError {
    ApiError::invalid_parameter(format!("Run {id} does not exist."))
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.query_integer("run_id")?.ok_or_else(|| ApiError::missing_field("run_id"))?;
    let history = request.query_flag("include_history")?;
    let jobs = lock(&workspace.jobs);
    if let Some(run) = jobs.runs.get(&id) {
        let json = super::outputs::run_json(workspace, run, jobs.jobs.get(&run.job.unwrap_or_default()), true, history);
        return page_list(json, "", "tasks", request.query("page_token")).map(Reply::json);
    }
    let found = jobs.runs.values().find_map(|run| Some((run, run.task(id)?)));
    let (run, task) = found.ok_or_else(|| missing_run(id))?;
    let json = super::outputs::task_run_json(workspace, run, task);
    page_list(json, "", "iterations", request.query("page_token")).map(Reply::json)
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
    let page = page::page(found, size, request.query("page_token"))?;
    let told = page.try_map(|run| {
        let job = jobs.jobs.get(&run.job.unwrap_or_default());
        page_list(super::outputs::run_json(workspace, run, job, expand, false), "", "tasks", None)
    })?;
    Ok(Reply::json(list_reply("runs", told)))
}

fn cancel(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.fields()?.required_integer("run_id")?;
    let now = workspace.clock.now();
    let mut jobs = lock(&workspace.jobs);
    if !jobs.runs.contains_key(&id) {
        return Err(missing_run(id));
    }
    stop(&mut jobs, id, now);
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
    let open = jobs.runs.values().filter(|run| run.ended.is_none() && job.is_none_or(|job| run.job == Some(job)));
    let chosen: Vec<_> = open.filter(|run| !everything || run.queued).map(|run| run.id).collect();
    for id in chosen {
        stop(&mut jobs, id, now);
    }
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
    let mut chosen: Vec<String> = if failed_ones {
        let failed = run.latest().filter(|task| task.done().is_some_and(|done| done.result != "SUCCESS"));
        failed.map(|task| task.key.clone()).collect()
    } else {
        if let Some(unknown) = named.iter().find(|key| run.last(key).is_none()) {
            return Err(ApiError::invalid_parameter(format!("The run has no task with the key {unknown}")));
        }
        named.into_iter().map(str::to_owned).collect()
    };
    if chosen.is_empty() {
        return Err(ApiError::invalid_parameter("There are no tasks to rerun"));
    }
    if fields.flag("rerun_dependent_tasks")? {
        add_dependents(run, &mut chosen);
    }
    for (name, value) in fields.object("job_parameters")?.into_iter().flatten() {
        run.parameters.insert(name.clone(), plain(value));
    }
    for name in OVERRIDES {
        run.overrides.extend(fields.get(name).map(|value| (name.to_owned(), value.clone())));
    }
    let (state, status) = super::outputs::run_states(run);
    let before = (state, status, run.ended.unwrap_or(now));
    let again: Vec<_> =
        run.latest().filter(|task| chosen.contains(&task.key)).map(|task| task.again(workspace)).collect();
    let tasks = again.iter().map(|task| task.id).collect();
    let repair = Repair { id: workspace.ids.number(), started: now, tasks, before };
    let reply = json!({"repair_id": repair.id});
    run.repairs.push(repair);
    run.tasks.extend(again);
    run.ended = None;
    run.timed_out = false;
    jobs.due = 0;
    Ok(Reply::json(reply))
}

/// Adds the tasks that depend on those chosen, and those that depend on them.
fn add_dependents(run: &Run, chosen: &mut Vec<String>) {
    loop {
        let is_dependent = |task: &&TaskRun| {
            !chosen.contains(&task.key)
                && dependencies(&task.spec).iter().any(|dependency| chosen.contains(&dependency.key))
        };
        let more: Vec<_> = run.latest().filter(is_dependent).map(|task| task.key.clone()).collect();
        if more.is_empty() {
            return;
        }
        chosen.extend(more);
    }
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
