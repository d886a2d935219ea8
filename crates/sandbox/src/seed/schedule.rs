//! Jobs, and some forty runs of their past.

use serde_json::{Value, json};

use super::DAY;
use super::compute::{BROKEN, RUNNING, WAREHOUSE, cluster_field};
use super::securables::pick;
use crate::areas::clusters;
use crate::areas::jobs::Job;
use crate::areas::runs::{Run, State};
use crate::areas::tasks::{self, Done};
use crate::json::Members;
use crate::workspace::{Workspace, lock};

pub(crate) struct Seed {
    pub(crate) id: i64,
    pub(crate) name: &'static str,
    /// The past, oldest first: `s`uccess, `f`ailure, `c`anceled, cluster `l`ost, driver `d`ead.
    past: &'static str,
}

impl Seed {
    /// How a run ended that is older than those the API still tells of; nothing of a job that never ran.
    pub(crate) fn outcome_of(&self, age: usize) -> Option<char> {
        let count = self.past.chars().count();
        self.past.chars().nth(age.checked_rem(count)?)
    }
}

pub(crate) const JOBS: [Seed; 10] = [
    Seed { id: 620_114_300_000_101, name: "nightly-orders", past: "ssssssss" },
    Seed { id: 620_114_300_000_102, name: "data-quality-check", past: "ffffff" },
    Seed { id: 620_114_300_000_103, name: "flaky-ingest", past: "fsfsfsfs" },
    Seed { id: 620_114_300_000_104, name: "slow-export", past: "sscs" },
    Seed { id: 620_114_300_000_105, name: "retail-pipeline", past: "ssfss" },
    Seed { id: 620_114_300_000_106, name: "daily-revenue-report", past: "ssssss" },
    Seed { id: 620_114_300_000_107, name: "revenue-sql-task", past: "sss" },
    Seed { id: 620_114_300_000_108, name: "gpu-training", past: "sl" },
    Seed { id: 620_114_300_000_109, name: "wide-join", past: "sd" },
    Seed { id: 620_114_300_000_110, name: "regional-load", past: "" },
];

fn notebook(key: &str, path: &str, after: &[&str]) -> Value {
    let mut task =
        json!({"task_key": key, "notebook_task": {"notebook_path": path, "source": "WORKSPACE"}, "timeout_seconds": 0});
    if !after.is_empty() {
        task.set("depends_on", json!(after.iter().map(|key| json!({"task_key": key})).collect::<Vec<_>>()));
    }
    let (name, value) = cluster_field();
    if let Some(task) = task.as_object_mut() {
        task.insert(name, value);
    }
    task
}

fn settings(seed: &Seed) -> Value {
    let mut settings = match seed.name {
        "nightly-orders" => json!({
            "tasks": [notebook("load_orders", "/Shared/etl/load_orders", &[])],
            "parameters": [{"name": "run_date", "default": "2026-03-01"}],
            "schedule": {"quartz_cron_expression": "0 0 3 * * ?", "timezone_id": "America/Los_Angeles", "pause_status": "UNPAUSED"},
        }),
        "data-quality-check" => json!({"tasks": [notebook("check", "/Shared/etl/failing_check", &[])]}),
        "flaky-ingest" => json!({"tasks": [notebook("ingest", "/Shared/etl/flaky_source", &[])]}),
        "slow-export" => {
            json!({"tasks": [notebook("export", "/Shared/etl/slow_export", &[])], "max_concurrent_runs": 5})
        }
        "retail-pipeline" => json!({
            "tasks": [
                notebook("load", "/Shared/etl/load_orders", &[]),
                notebook("clean", "/Shared/etl/clean_orders", &["load"]),
                notebook("check", "/Shared/etl/failing_check", &["load"]),
                notebook("report", "/Shared/reports/daily_revenue", &["clean", "check"]),
            ],
            "queue": {"enabled": true},
        }),
        "daily-revenue-report" => json!({"tasks": [notebook("report", "/Shared/reports/daily_revenue", &[])]}),
        "gpu-training" => {
            let mut task = notebook("train", "/Shared/etl/load_orders", &[]);
            task.set("existing_cluster_id", json!(BROKEN));
            json!({"tasks": [task]})
        }
        "wide-join" => json!({"tasks": [notebook("join", "/Shared/etl/wide_join", &[])]}),
        "regional-load" => json!({
            "tasks": [
                notebook("regions", "/Shared/etl/list_regions", &[]),
                {"task_key": "load_all", "depends_on": [{"task_key": "regions"}], "for_each_task": {
                    "inputs": "{{tasks.regions.values.regions}}", "concurrency": 2,
                    "task": {"task_key": "load_one", "max_retries": 1, "notebook_task": {
                        "notebook_path": "/Shared/etl/load_region", "source": "WORKSPACE",
                        "base_parameters": {"region": "{{input}}"},
                    }},
                }},
            ],
        }),
        _ => {
            json!({"tasks": [{"task_key": "revenue", "sql_task": {"warehouse_id": WAREHOUSE, "file": {"path": "/Shared/reports/revenue.sql", "source": "WORKSPACE"}}}]})
        }
    };
    settings.set("name", json!(seed.name));
    settings.set("tags", json!({"team": "retail"}));
    settings
}

pub(super) fn fill(workspace: &Workspace) {
    let mut jobs = lock(&workspace.jobs);
    for (index, seed) in JOBS.iter().enumerate() {
        let created = workspace.clock.epoch() - 60 * DAY + i64::try_from(index).unwrap_or(0) * 3_600_000;
        let mut job =
            Job { id: seed.id, created, settings: settings(seed).as_object().cloned().unwrap_or_default(), runs: 0 };
        let count = i64::try_from(seed.past.len()).unwrap_or(0);
        for (age, outcome) in seed.past.chars().enumerate() {
            let ago = count - i64::try_from(age).unwrap_or(0);
            let started =
                workspace.clock.epoch() - ago * DAY + 2 * 3_600_000 + i64::try_from(index).unwrap_or(0) * 600_000;
            let run = past_run(workspace, &job, outcome, started);
            match (outcome, run.ended) {
                ('l', Some(at)) => clusters::not_launched(workspace, BROKEN, at),
                ('d', Some(at)) => clusters::driver_died(workspace, RUNNING, at),
                _ => {}
            }
            job.runs += 1;
            jobs.runs.insert(run.id, run);
        }
        jobs.jobs.insert(job.id, job);
    }
}

/// A run that ended long ago. In a failed one its check failed, and what comes after it did not run.
fn past_run(workspace: &Workspace, job: &Job, outcome: char, started: i64) -> Run {
    let mut run = Run::new(workspace, Some(job), job.name(), job.tasks());
    run.started = started;
    run.trigger = if job.settings.contains_key("schedule") { "PERIODIC" } else { "ONE_TIME" };
    if job.name() == "nightly-orders" {
        run.parameters.insert("run_date".to_owned(), "2026-03-01".to_owned());
    }
    let several = run.tasks.len() > 1;
    let mut at = started;
    for (index, task) in run.tasks.iter_mut().enumerate() {
        task.started = at;
        task.cluster = task.spec.get("existing_cluster_id").and_then(Value::as_str).map(str::to_owned);
        task.executed = at + 5_000;
        task.ended = at + 40_000 + pick(index, started.unsigned_abs(), 90_000);
        let mut done = match (outcome, task.key.as_str()) {
            ('c', _) => Done::other("CANCELED", "USER_CANCELED", "Run cancelled."),
            ('f', "report") => Done {
                kind: "CLIENT_ERROR",
                ..Done::other("UPSTREAM_FAILED", "SKIPPED", "Task was not run because an upstream task failed")
            },
            ('l', _) => clusters::launch_failure(BROKEN),
            ('d', _) => tasks::driver_died(),
            ('f', key) if !several || key == "check" => {
                let error = if key == "ingest" {
                    "ConnectionError: the source did not answer in time"
                } else {
                    "ValueError: expected 1500 rows, found 1492"
                };
                Done::failure(error, format!("Traceback (most recent call last)\n\n{error}"))
            }
            _ => Done::success(),
        };
        if done.result == "SUCCESS" {
            done.exit = match task.key.as_str() {
                "load_orders" | "load" => Some("2026-03-01".to_owned()),
                "clean" => Some("1500 rows cleaned".to_owned()),
                "ingest" => Some("fetched".to_owned()),
                "export" => Some("exported".to_owned()),
                _ => None,
            };
        }
        at = task.ended;
        task.state = State::Done(Box::new(done));
    }
    run.ended = Some(at);
    run
}
