//! Whether a task may start: what it depends on, and its `run_if`.

use serde_json::{Map, Value};

use super::run::{Run, TaskRun};
use crate::areas::tasks::Done;
use crate::json::Members;

pub(super) enum Readiness {
    Waiting,
    From(i64),
    Never(i64, Box<Done>),
}

pub(crate) struct Dependency {
    pub(crate) key: String,
    outcome: Option<String>,
}

pub(crate) fn dependencies(spec: &Map<String, Value>) -> Vec<Dependency> {
    let items = spec.get("depends_on").and_then(Value::as_array).into_iter().flatten();
    items
        .filter_map(|item| {
            Some(Dependency {
                key: item.at("task_key").as_str()?.to_owned(),
                outcome: item.at("outcome").as_str().map(str::to_owned),
            })
        })
        .collect()
}

/// How the tasks before one have ended.
#[derive(Default)]
struct Tally {
    all: usize,
    succeeded: usize,
    failed: usize,
}

pub(super) fn readiness(run: &Run, task: &TaskRun) -> Readiness {
    let mut at = run.set_off();
    let mut tally = Tally::default();
    for dependency in dependencies(&task.spec) {
        let Some(other) = run.last(&dependency.key) else { continue };
        let Some(done) = other.done() else { return Readiness::Waiting };
        at = at.max(other.ended);
        tally.all += 1;
        let is_wrong_branch = dependency.outcome.is_some() && dependency.outcome != done.outcome;
        match done.result {
            "SUCCESS" if !is_wrong_branch => tally.succeeded += 1,
            "SUCCESS" | "EXCLUDED" | "DISABLED" => {}
            _ => tally.failed += 1,
        }
    }
    if task.spec.get("disabled") == Some(&Value::Bool(true)) {
        return Readiness::Never(at, Box::new(Done::other("DISABLED", "DISABLED", "Task is disabled.")));
    }
    if tally.all == 0 || is_met(task.spec.get("run_if").and_then(Value::as_str), &tally) {
        return Readiness::From(at);
    }
    let done = if tally.failed > 0 {
        Done {
            kind: "CLIENT_ERROR",
            ..Done::other("UPSTREAM_FAILED", "SKIPPED", "Task was not run because an upstream task failed")
        }
    } else {
        Done::other("EXCLUDED", "SKIPPED", "Task was excluded because its run conditions are not met")
    };
    Readiness::Never(at, Box::new(done))
}

fn is_met(run_if: Option<&str>, tally: &Tally) -> bool {
    let Tally { all, succeeded, failed } = *tally;
    match run_if {
        Some("ALL_DONE") => true,
        Some("AT_LEAST_ONE_SUCCESS") => succeeded > 0,
        Some("AT_LEAST_ONE_FAILED") => failed > 0,
        Some("ALL_FAILED") => failed == all,
        Some("NONE_FAILED") => failed == 0 && succeeded > 0,
        _ => succeeded == all,
    }
}
