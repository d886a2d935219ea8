//! `system.lakeflow`: jobs, their tasks, and what ran when.

use rusqlite::types::Value;
use serde_json::{Value as Json, json};

use super::billing::{Forgotten, forgotten};
use super::{Row, Source, account, at, optional, text, workspace_id};
use crate::areas::runs::{Run, TaskRun, dependencies};
use crate::workspace::{USER, USER_ID, Workspace, lock};

pub(super) const SOURCES: &[Source] = &[
    Source {
        name: ["lakeflow", "jobs"],
        comment: "All versions of all jobs",
        columns: "account_id STRING, workspace_id STRING, job_id STRING, name STRING, description STRING, \
            creator_id STRING, tags MAP<STRING, STRING>, change_time TIMESTAMP, delete_time TIMESTAMP, run_as STRING, \
            creator_user_name STRING, run_as_user_name STRING",
        rows: jobs,
        live: true,
    },
    Source {
        name: ["lakeflow", "job_tasks"],
        comment: "All versions of the tasks of all jobs",
        columns: "account_id STRING, workspace_id STRING, job_id STRING, task_key STRING, \
            depends_on_keys ARRAY<STRING>, change_time TIMESTAMP, delete_time TIMESTAMP",
        rows: tasks,
        live: true,
    },
    Source {
        name: ["lakeflow", "job_run_timeline"],
        comment: "When jobs ran, and how they ended",
        columns: "account_id STRING, workspace_id STRING, job_id STRING, run_id STRING, \
            period_start_time TIMESTAMP, period_end_time TIMESTAMP, trigger_type STRING, run_type STRING, \
            run_name STRING, compute_ids ARRAY<STRING>, result_state STRING, termination_code STRING, \
            job_parameters MAP<STRING, STRING>",
        rows: runs,
        live: true,
    },
    Source {
        name: ["lakeflow", "job_task_run_timeline"],
        comment: "When tasks ran, and how they ended",
        columns: "account_id STRING, workspace_id STRING, job_id STRING, run_id STRING, job_run_id STRING, \
            parent_run_id STRING, period_start_time TIMESTAMP, period_end_time TIMESTAMP, task_key STRING, \
            compute_ids ARRAY<STRING>, result_state STRING, termination_code STRING",
        rows: task_runs,
        live: true,
    },
];

fn jobs(workspace: &Workspace) -> Vec<Row> {
    let row = |job: &crate::areas::jobs::Job| {
        let tags = job.settings.get("tags").cloned().unwrap_or_else(|| json!({}));
        vec![
            account(),
            workspace_id(workspace),
            text(job.id.to_string()),
            text(job.name()),
            optional(job.settings.get("description").and_then(Json::as_str)),
            text(USER_ID.to_string()),
            text(tags.to_string()),
            at(job.created),
            Value::Null,
            text(USER_ID.to_string()),
            text(USER),
            text(USER),
        ]
    };
    lock(&workspace.jobs).jobs.values().map(row).collect()
}

fn tasks(workspace: &Workspace) -> Vec<Row> {
    let mut rows = Vec::new();
    for job in lock(&workspace.jobs).jobs.values() {
        for task in job.tasks() {
            let after: Vec<_> = dependencies(&task).into_iter().map(|dependency| dependency.key).collect();
            rows.push(vec![
                account(),
                workspace_id(workspace),
                text(job.id.to_string()),
                optional(task.get("task_key").and_then(Json::as_str)),
                text(json!(after).to_string()),
                at(job.created),
                Value::Null,
            ]);
        }
    }
    rows
}

/// How a task ended, in the words of these tables; NULL while it runs.
fn ending(task: &TaskRun) -> Option<(&'static str, &'static str)> {
    let done = task.done()?;
    let result = match done.result {
        "SUCCESS" => "SUCCEEDED",
        "CANCELED" => "CANCELLED",
        "TIMEDOUT" => "TIMED_OUT",
        "UPSTREAM_FAILED" | "UPSTREAM_CANCELED" | "EXCLUDED" => "SKIPPED",
        _ if done.internal => "ERROR",
        _ => "FAILED",
    };
    Some((result, done.code))
}

/// How a run ended: as the worst of the last attempts of its tasks.
fn outcome(run: &Run) -> Option<(&'static str, &'static str)> {
    run.ended?;
    if run.skipped {
        return Some(("SKIPPED", "SKIPPED"));
    }
    let last = |task: &&TaskRun| !run.tasks.iter().any(|other| other.key == task.key && other.attempt > task.attempt);
    let endings: Vec<_> = run.tasks.iter().filter(last).filter_map(ending).collect();
    let bad = ["FAILED", "ERROR", "TIMED_OUT", "CANCELLED"];
    let worst = bad.iter().find_map(|bad| endings.iter().find(|(result, _)| result == bad));
    Some(worst.copied().unwrap_or(("SUCCEEDED", "SUCCESS")))
}

fn compute(spec: &serde_json::Map<String, Json>) -> Option<&str> {
    let warehouse = spec.get("sql_task").and_then(|task| task.get("warehouse_id"));
    spec.get("existing_cluster_id").or(warehouse).and_then(Json::as_str)
}

fn runs(workspace: &Workspace) -> Vec<Row> {
    let now = workspace.clock.now();
    let row = |run: &Run| {
        let mut ids: Vec<_> = run.tasks.iter().filter_map(|task| compute(&task.spec)).collect();
        ids.dedup();
        let end = outcome(run);
        vec![
            account(),
            workspace_id(workspace),
            optional(run.job.map(|job| job.to_string())),
            text(run.id.to_string()),
            at(run.started),
            at(run.ended.unwrap_or(now)),
            text(if run.trigger == "PERIODIC" { "CRON" } else { "ONETIME" }),
            text(if run.job.is_some() { "JOB_RUN" } else { "SUBMIT_RUN" }),
            text(run.name.clone()),
            text(json!(ids).to_string()),
            optional(end.map(|(result, _)| result)),
            optional(end.map(|(_, code)| code)),
            text(json!(run.parameters).to_string()),
        ]
    };
    let jobs = lock(&workspace.jobs);
    let before = forgotten(&jobs, workspace.clock.epoch());
    before.iter().map(|run| forgotten_row(workspace, run)).chain(jobs.runs.values().map(row)).collect()
}

/// What was billed has run, also where the API does not tell of it any more.
fn forgotten_row(workspace: &Workspace, run: &Forgotten) -> Row {
    let (result, code) = match run.outcome {
        's' => ("SUCCEEDED", "SUCCESS"),
        'c' => ("CANCELLED", "USER_CANCELED"),
        'l' => ("ERROR", "CLOUD_FAILURE"),
        'd' => ("ERROR", "DRIVER_ERROR"),
        _ => ("FAILED", "RUN_EXECUTION_ERROR"),
    };
    vec![
        account(),
        workspace_id(workspace),
        text(run.job.to_string()),
        text(run.run.to_string()),
        at(run.start),
        at(run.start + 60_000 + run.run % 7 * 9_000),
        text(if run.name == "nightly-orders" { "CRON" } else { "ONETIME" }),
        text("JOB_RUN"),
        text(run.name),
        text("[]"),
        text(result),
        text(code),
        text("{}"),
    ]
}

fn task_runs(workspace: &Workspace) -> Vec<Row> {
    let now = workspace.clock.now();
    let mut rows = Vec::new();
    for run in lock(&workspace.jobs).runs.values() {
        for task in run.tasks.iter().filter(|task| task.started > 0) {
            let end = ending(task);
            let job = || optional(run.job.map(|job| job.to_string()));
            rows.push(vec![
                account(),
                workspace_id(workspace),
                job(),
                text(task.id.to_string()),
                text(run.id.to_string()),
                text(run.id.to_string()),
                at(task.started),
                at(if end.is_some() { task.ended } else { now }),
                text(task.key.clone()),
                text(json!(compute(&task.spec).into_iter().collect::<Vec<_>>()).to_string()),
                optional(end.map(|(result, _)| result)),
                optional(end.map(|(_, code)| code)),
            ]);
        }
    }
    rows
}
