//! A run and the runs of its tasks, as they are kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use serde_json::{Map, Value};

use super::iterate::Progress;
use super::ready::dependencies;
use crate::areas::jobs::Job;
use crate::areas::tasks::Done;
use crate::json::Members;
use crate::work::Work;
use crate::workspace::Workspace;

/// About how much memory a task takes besides what it has left.
const TASK_BYTES: usize = 4 * 1024;

#[derive(Debug, Clone)]
pub(crate) enum State {
    /// Waits for the tasks it depends on.
    Blocked,
    /// A retry that waits until this instant.
    Waiting(i64),
    /// Until this instant.
    Pending(i64),
    Running(i64),
    Done(Box<Done>),
}

#[derive(Debug, Clone)]
pub(crate) struct TaskRun {
    pub(crate) id: i64,
    pub(crate) key: String,
    /// As it was given.
    pub(crate) spec: Map<String, Value>,
    /// With its references replaced, once it has started.
    pub(crate) resolved: Map<String, Value>,
    pub(crate) attempt: i64,
    /// How many attempts since the last repair were retries.
    pub(crate) retries: i64,
    pub(crate) state: State,
    /// Its code, once it runs.
    pub(super) work: Option<Arc<Work<Done>>>,
    pub(crate) started: i64,
    pub(crate) executed: i64,
    pub(crate) ended: i64,
    /// The cluster it runs on; none is serverless.
    pub(crate) cluster: Option<String>,
    /// The run that a run-job task started.
    pub(crate) child: Option<i64>,
    /// What a for-each task runs, attempts included.
    pub(crate) iterations: Vec<TaskRun>,
    /// How far they are.
    pub(super) progress: Progress,
    /// What an iteration is run for, and which one it is.
    pub(crate) input: Option<String>,
    pub(crate) index: usize,
}

/// A repair, and how what it followed had ended.
#[derive(Debug, Clone)]
pub(crate) struct Repair {
    pub(crate) id: i64,
    pub(crate) started: i64,
    pub(crate) tasks: Vec<i64>,
    /// `state`, `status` and end of the run before.
    pub(crate) before: (Value, Value, i64),
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
    /// Set when the run took longer than it may.
    pub(crate) timed_out: bool,
    /// How long it may take, in milliseconds; 0 is as long as it likes.
    pub(crate) timeout: i64,
    pub(crate) tasks: Vec<TaskRun>,
    pub(crate) trigger: &'static str,
    /// Values of the job's parameters.
    pub(crate) parameters: BTreeMap<String, String>,
    /// Parameters given to all notebooks, as older clients do.
    pub(crate) overrides: Map<String, Value>,
    pub(crate) repairs: Vec<Repair>,
    /// Clusters that its tasks may share.
    pub(crate) job_clusters: Option<Value>,
    /// The jobs whose run-job tasks led to it, the first one first.
    pub(crate) ancestors: Vec<i64>,
}

/// `seconds` of a setting as milliseconds.
pub(super) fn millis(settings: &Map<String, Value>, name: &str) -> i64 {
    settings.get(name).and_then(Value::as_i64).unwrap_or(0).clamp(0, i64::MAX / 4000) * 1000
}

impl TaskRun {
    pub(crate) fn new(workspace: &Workspace, spec: Map<String, Value>) -> Self {
        let key = spec.get("task_key").and_then(Value::as_str).unwrap_or_default().to_owned();
        Self::blank(workspace.ids.number(), key, spec)
    }

    fn blank(id: i64, key: String, spec: Map<String, Value>) -> Self {
        Self {
            id,
            key,
            spec,
            resolved: Map::new(),
            attempt: 0,
            retries: 0,
            state: State::Blocked,
            work: None,
            started: 0,
            executed: 0,
            ended: 0,
            cluster: None,
            child: None,
            iterations: Vec::new(),
            progress: Progress::default(),
            input: None,
            index: 0,
        }
    }

    /// Takes it out of its place to be moved on. What stands there meanwhile has its id and key, and has not begun.
    pub(super) fn take(&mut self) -> Self {
        let stand_in = Self::blank(self.id, self.key.clone(), Map::new());
        std::mem::replace(self, stand_in)
    }

    /// The next attempt.
    pub(super) fn again(&self, workspace: &Workspace) -> Self {
        Self {
            attempt: self.attempt + 1,
            input: self.input.clone(),
            index: self.index,
            ..Self::new(workspace, self.spec.clone())
        }
    }

    pub(crate) fn done(&self) -> Option<&Done> {
        if let State::Done(done) = &self.state { Some(done) } else { None }
    }

    pub(crate) fn finish(&mut self, at: i64, done: Done) {
        if self.started == 0 {
            self.started = at;
        }
        if self.executed == 0 {
            self.executed = at;
        }
        self.ended = at;
        // Code that is at work stops with it.
        self.work = None;
        self.state = State::Done(Box::new(done));
    }

    /// Whether its code runs, or that of one of its iterations.
    pub(super) fn is_at_work(&self) -> bool {
        self.work.is_some() || self.iterations.iter().any(Self::is_at_work)
    }

    /// When it has to have ended, once it has started.
    pub(super) fn deadline(&self) -> Option<i64> {
        let timeout = millis(&self.spec, "timeout_seconds");
        (timeout > 0 && self.started > 0).then(|| self.started + timeout)
    }

    /// The last attempt of each iteration. Later attempts stand behind earlier ones.
    pub(crate) fn latest_iterations(&self) -> impl Iterator<Item = &Self> {
        let last: BTreeMap<_, _> = self.iterations.iter().map(|one| (one.index, one.id)).collect();
        self.iterations.iter().filter(move |one| last.get(&one.index) == Some(&one.id))
    }

    /// Ends what has not ended, its iterations first.
    pub(super) fn stop(&mut self, at: i64, done: &Done) {
        for iteration in self.iterations.iter_mut().filter(|iteration| iteration.done().is_none()) {
            iteration.finish(at, done.clone());
        }
        if self.done().is_none() {
            self.finish(at, done.clone());
        }
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
            timed_out: false,
            timeout: job.map_or(0, |job| millis(&job.settings, "timeout_seconds")),
            tasks: specs.into_iter().map(|spec| TaskRun::new(workspace, spec)).collect(),
            trigger: "ONE_TIME",
            parameters: BTreeMap::new(),
            overrides: Map::new(),
            repairs: Vec::new(),
            job_clusters: job.and_then(|job| job.settings.get("job_clusters").cloned()),
            ancestors: Vec::new(),
        }
    }

    /// The last attempt of each task. Later attempts stand behind earlier ones.
    pub(crate) fn latest(&self) -> impl Iterator<Item = &TaskRun> {
        let last: BTreeMap<_, _> = self.tasks.iter().map(|task| (task.key.as_str(), task.id)).collect();
        self.tasks.iter().filter(move |task| last.get(task.key.as_str()) == Some(&task.id))
    }

    pub(crate) fn last(&self, key: &str) -> Option<&TaskRun> {
        self.tasks.iter().rev().find(|task| task.key == key)
    }

    /// A task run or an iteration, by its own id.
    pub(crate) fn task(&self, id: i64) -> Option<&TaskRun> {
        self.tasks.iter().find_map(|task| {
            if task.id == id { Some(task) } else { task.iterations.iter().find(|iteration| iteration.id == id) }
        })
    }

    /// When it was last set to work: by its start or by a repair.
    pub(super) fn set_off(&self) -> i64 {
        self.repairs.last().map_or(self.started, |repair| repair.started)
    }

    /// How it ended: that of the tasks nothing depends on, worst first.
    pub(crate) fn result(&self) -> &'static str {
        if self.skipped {
            return "MAXIMUM_CONCURRENT_RUNS_REACHED";
        }
        if self.timed_out {
            return "TIMEDOUT";
        }
        let has = |result: &str| self.latest().any(|task| task.done().is_some_and(|done| done.result == result));
        let needed: BTreeSet<_> = self.latest().flat_map(|task| dependencies(&task.spec)).map(|one| one.key).collect();
        let leaf_failed = self.latest().filter(|task| !needed.contains(&task.key)).any(|task| {
            task.done().is_some_and(|done| matches!(done.result, "FAILED" | "UPSTREAM_FAILED" | "TIMEDOUT"))
        });
        match () {
            () if has("CANCELED") => "CANCELED",
            () if leaf_failed => "FAILED",
            () if has("FAILED") || has("TIMEDOUT") => "SUCCESS_WITH_FAILURES",
            () => "SUCCESS",
        }
    }

    /// About how much memory its tasks take.
    pub(super) fn bytes(&self) -> usize {
        let all = self.tasks.iter().flat_map(|task| std::iter::once(task).chain(&task.iterations));
        all.map(|task| TASK_BYTES + task.done().map_or(0, Done::bytes)).sum()
    }

    /// Ends all that has not ended.
    pub(super) fn stop(&mut self, at: i64, done: &Done) {
        for task in &mut self.tasks {
            task.stop(at, done);
        }
        self.queued = false;
        self.ended = self.ended.or(Some(at));
    }
}

/// The declared values of a job's parameters.
pub(crate) fn defaults(settings: &Map<String, Value>) -> BTreeMap<String, String> {
    let declared = settings.get("parameters").and_then(Value::as_array).into_iter().flatten();
    declared
        .filter_map(|item| {
            Some((item.at("name").as_str()?.to_owned(), item.at("default").as_str().unwrap_or_default().to_owned()))
        })
        .collect()
}

/// A value of a map of parameters as text.
pub(crate) fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
