//! How a run moves on with the clock: dependencies, retries, results.

use std::collections::BTreeMap;

use serde_json::{Map, Value};

use crate::areas::jobs::{Job, Jobs};
use crate::areas::tasks::{self, Call, Done};
use crate::clock::Lapse;
use crate::json::Members;
use crate::workspace::{Workspace, lock};

const QUEUE: Lapse = Lapse::new(200, 5_000);

#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Waits for the tasks it depends on.
    Blocked,
    /// Until this instant.
    Pending(i64),
    Running(i64),
    Done(Box<Done>),
}

#[derive(Debug, Clone)]
pub(crate) struct TaskRun {
    pub(crate) id: i64,
    pub(crate) key: String,
    pub(crate) spec: Map<String, Value>,
    pub(crate) attempt: i64,
    pub(crate) state: State,
    pub(crate) started: i64,
    pub(crate) executed: i64,
    pub(crate) ended: i64,
    /// The run that a run-job task started.
    pub(crate) child: Option<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Repair {
    pub(crate) id: i64,
    pub(crate) started: i64,
    pub(crate) tasks: Vec<i64>,
}

#[derive(Debug, Clone)]
pub(crate) struct Run {
    pub(crate) id: i64,
    pub(crate) job: Option<i64>,
    pub(crate) number: i64,
    pub(crate) name: String,
    pub(crate) started: i64,
    pub(crate) ended: Option<i64>,
    pub(crate) queued: bool,
    /// Set when the run never began.
    pub(crate) skipped: bool,
    pub(crate) tasks: Vec<TaskRun>,
    pub(crate) trigger: &'static str,
    /// Values of the job's parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Parameters given to all notebooks, as older clients do.
    pub(crate) overrides: Map<String, Value>,
    pub(crate) repairs: Vec<Repair>,
}

impl TaskRun {
    pub(crate) fn new(workspace: &Workspace, spec: Map<String, Value>) -> Self {
        let key = spec.get("task_key").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self {
            id: workspace.ids.number(),
            key,
            spec,
            attempt: 0,
            state: State::Blocked,
            started: 0,
            executed: 0,
            ended: 0,
            child: None,
        }
    }

    pub(super) fn again(&self, workspace: &Workspace) -> Self {
        Self { attempt: self.attempt + 1, ..Self::new(workspace, self.spec.clone()) }
    }

    pub(crate) fn done(&self) -> Option<&Done> {
        if let State::Done(done) = &self.state { Some(done) } else { None }
    }

    fn finish(&mut self, at: i64, done: Done) {
        if self.started == 0 {
            self.started = at;
        }
        if self.executed == 0 {
            self.executed = at;
        }
        self.ended = at;
        self.state = State::Done(Box::new(done));
    }
}

impl Run {
    pub(crate) fn new(workspace: &Workspace, job: Option<&Job>, name: &str, specs: Vec<Map<String, Value>>) -> Self {
        Self {
            id: workspace.ids.number(),
            job: job.map(|job| job.id),
            number: job.map_or(1, |job| job.runs + 1),
            name: name.to_owned(),
            started: workspace.clock.now(),
            ended: None,
            queued: false,
            skipped: false,
            tasks: specs.into_iter().map(|spec| TaskRun::new(workspace, spec)).collect(),
            trigger: "ONE_TIME",
            parameters: BTreeMap::new(),
            overrides: Map::new(),
            repairs: Vec::new(),
        }
    }

    /// The last attempt of each task.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &TaskRun> {
        self.tasks
            .iter()
            .filter(|task| !self.tasks.iter().any(|other| other.key == task.key && other.attempt > task.attempt))
    }

    fn last(&self, key: &str) -> Option<&TaskRun> {
        self.latest().find(|task| task.key == key)
    }

    /// How it ended: that of the tasks nothing depends on, worst first.
    pub(crate) fn result(&self) -> &'static str {
        if self.skipped {
            return "MAXIMUM_CONCURRENT_RUNS_REACHED";
        }
        let has = |result: &str| self.latest().any(|task| task.done().is_some_and(|done| done.result == result));
        let leaf_failed = self.latest().any(|task| {
            let needed = self
                .latest()
                .any(|other| dependencies(&other.spec).iter().any(|dependency| dependency.key == task.key));
            !needed && task.done().is_some_and(|done| matches!(done.result, "FAILED" | "UPSTREAM_FAILED" | "TIMEDOUT"))
        });
        match () {
            () if has("CANCELED") => "CANCELED",
            () if leaf_failed => "FAILED",
            () if has("FAILED") => "SUCCESS_WITH_FAILURES",
            () => "SUCCESS",
        }
    }

    /// Moves every task on to `now`; says whether anything changed.
    fn advance(&mut self, workspace: &Workspace, jobs: &mut Jobs, now: i64) -> bool {
        let mut changed = false;
        for index in 0..self.tasks.len() {
            let Some(mut task) = self.tasks.get(index).cloned() else { continue };
            if self.latest().all(|latest| latest.id != task.id) || !self.step(workspace, jobs, &mut task, now) {
                continue;
            }
            changed = true;
            let retries = task.spec.get("max_retries").and_then(Value::as_i64).unwrap_or(0);
            if task.done().is_some_and(|done| done.result == "FAILED" && !done.internal) && task.attempt < retries {
                self.tasks.push(task.again(workspace));
            }
            if let Some(slot) = self.tasks.get_mut(index) {
                *slot = task;
            }
        }
        if self.ended.is_none() && self.latest().all(|task| task.done().is_some()) {
            self.ended = Some(self.tasks.iter().map(|task| task.ended).max().unwrap_or(0).max(self.started));
            changed = true;
        }
        changed
    }

    fn step(&self, workspace: &Workspace, jobs: &mut Jobs, task: &mut TaskRun, now: i64) -> bool {
        match task.state {
            State::Blocked => match self.readiness(task) {
                Readiness::Waiting => return false,
                Readiness::Never(at, done) => task.finish(at, *done),
                Readiness::From(at) => {
                    task.started = at;
                    task.state = State::Pending(at + workspace.clock.lapse(QUEUE));
                }
            },
            State::Pending(until) if now >= until => {
                task.executed = until;
                if let Some(id) =
                    task.spec.get("run_job_task").and_then(|task| task.get("job_id")).and_then(Value::as_i64)
                    && let Some(job) = jobs.jobs.get(&id).cloned()
                {
                    let mut child = Run::new(workspace, Some(&job), job.name(), job.tasks());
                    child.started = until;
                    child.trigger = "RUN_JOB_TASK";
                    child.parameters = defaults(&job.settings);
                    task.child = Some(child.id);
                    if let Some(job) = jobs.jobs.get_mut(&id) {
                        job.runs += 1;
                    }
                    jobs.runs.insert(child.id, child);
                }
                task.state = State::Running(until + tasks::duration(workspace, &task.spec));
            }
            State::Running(_) if task.child.is_some() => {
                let child = task.child.and_then(|id| jobs.runs.get(&id));
                let Some((ended, result)) = child.and_then(|child| Some((child.ended?, child.result()))) else {
                    return false;
                };
                let done = if result == "SUCCESS" {
                    Done::success()
                } else {
                    Done::failure("The job that this task ran did not succeed", "")
                };
                task.finish(ended, done);
            }
            State::Running(until) if now >= until => {
                // The engine serves one statement at a time; a task must not hold up all requests.
                if workspace.engine.is_busy() {
                    return false;
                }
                let done = if task.spec.contains_key("run_job_task") {
                    Done::refused("RESOURCE_NOT_FOUND", "The job to run does not exist")
                } else {
                    tasks::execute(workspace, &self.call(task))
                };
                task.finish(until, done);
            }
            _ => return false,
        }
        true
    }

    fn call<'a>(&self, task: &'a TaskRun) -> Call<'a> {
        let mut parameters = self.parameters.clone();
        parameters.insert("job.id".to_owned(), self.job.unwrap_or_default().to_string());
        parameters.insert("job.run_id".to_owned(), self.id.to_string());
        parameters.insert("task.run_id".to_owned(), task.id.to_string());
        let base =
            task.spec.get("notebook_task").and_then(|task| task.get("base_parameters")).and_then(Value::as_object);
        let mut all = parameters.clone();
        for (name, value) in base.into_iter().flatten() {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            all.insert(name.clone(), tasks::substitute(&text, &parameters));
        }
        let overrides = self.overrides.get("notebook_params").and_then(Value::as_object);
        for (name, value) in overrides.into_iter().flatten() {
            all.insert(name.clone(), value.as_str().map_or_else(|| value.to_string(), str::to_owned));
        }
        // Job parameters win over a task's own.
        all.extend(self.parameters.clone());
        Call { spec: &task.spec, parameters: all, run_number: self.number, attempt: task.attempt }
    }

    fn readiness(&self, task: &TaskRun) -> Readiness {
        if let Some(before) = self
            .tasks
            .iter()
            .filter(|other| other.key == task.key && other.attempt + 1 == task.attempt)
            .map(|other| other.ended)
            .max()
            && self.repairs.is_empty()
        {
            return Readiness::From(before);
        }
        let start = self.repairs.last().map_or(self.started, |repair| repair.started);
        let mut at = start;
        let (mut failed, mut succeeded, mut excluded, mut all) = (0, 0, 0, 0);
        for dependency in dependencies(&task.spec) {
            let Some(other) = self.last(&dependency.key) else { continue };
            let Some(done) = other.done() else { return Readiness::Waiting };
            at = at.max(other.ended);
            all += 1;
            let wrong_branch = dependency.outcome.is_some() && dependency.outcome != done.outcome;
            match done.result {
                "EXCLUDED" => excluded += 1,
                "SUCCESS" if wrong_branch => excluded += 1,
                "SUCCESS" => succeeded += 1,
                _ => failed += 1,
            }
        }
        let go = match task.spec.get("run_if").and_then(Value::as_str).unwrap_or("ALL_SUCCESS") {
            "ALL_DONE" => true,
            "AT_LEAST_ONE_SUCCESS" => succeeded > 0,
            "AT_LEAST_ONE_FAILED" => failed > 0,
            "ALL_FAILED" => failed == all,
            "NONE_FAILED" => failed == 0 && (succeeded > 0 || all == 0),
            _ => succeeded == all,
        };
        if go || all == 0 {
            return Readiness::From(at);
        }
        let done = if failed > 0 {
            Done {
                kind: "CLIENT_ERROR",
                ..Done::other("UPSTREAM_FAILED", "UPSTREAM_FAILED", "Task was not run because an upstream task failed")
            }
        } else {
            debug_assert!(excluded > 0 || all > 0);
            Done::other("EXCLUDED", "EXCLUDED", "Task was excluded because its run conditions are not met")
        };
        Readiness::Never(at, Box::new(done))
    }

    pub(super) fn stop(&mut self, now: i64) {
        for task in &mut self.tasks {
            if task.done().is_none() {
                task.finish(now, Done::other("CANCELED", "USER_CANCELED", "Run cancelled."));
            }
        }
        self.queued = false;
        self.ended = self.ended.or(Some(now));
    }
}

enum Readiness {
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

/// Lets all runs move on to the present.
pub(crate) fn advance(workspace: &Workspace) {
    let now = workspace.clock.now();
    let mut jobs = lock(&workspace.jobs);
    if now < jobs.due {
        return;
    }
    loop {
        let mut changed = false;
        let open: Vec<_> = jobs.runs.values().filter(|run| run.ended.is_none()).map(|run| run.id).collect();
        for id in open {
            let Some(mut run) = jobs.runs.remove(&id) else { continue };
            if run.queued && run.job.is_none_or(|job| active(&jobs, job) < concurrency(&jobs, job)) {
                run.queued = false;
                run.started = now;
                changed = true;
            }
            changed |= !run.queued && run.advance(workspace, &mut jobs, now);
            jobs.runs.insert(id, run);
        }
        if !changed {
            break;
        }
    }
    let next = jobs.runs.values().filter(|run| run.ended.is_none()).flat_map(|run| &run.tasks).filter_map(|task| {
        match task.state {
            State::Pending(until) | State::Running(until) => Some(until.max(now + 1)),
            _ => None,
        }
    });
    jobs.due = next.min().unwrap_or(i64::MAX);
}

pub(super) fn active(jobs: &Jobs, job: i64) -> i64 {
    let count = jobs.runs.values().filter(|run| run.job == Some(job) && run.ended.is_none() && !run.queued).count();
    i64::try_from(count).unwrap_or(i64::MAX)
}

pub(super) fn concurrency(jobs: &Jobs, job: i64) -> i64 {
    jobs.jobs.get(&job).and_then(|job| job.settings.get("max_concurrent_runs")).and_then(Value::as_i64).unwrap_or(1)
}

/// The declared values of a job's parameters.
pub(super) fn defaults(settings: &Map<String, Value>) -> BTreeMap<String, String> {
    let declared = settings.get("parameters").and_then(Value::as_array).into_iter().flatten();
    declared
        .filter_map(|item| {
            Some((item.at("name").as_str()?.to_owned(), item.at("default").as_str().unwrap_or_default().to_owned()))
        })
        .collect()
}
