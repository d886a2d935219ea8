//! How runs move on with the clock: starts, retries, timeouts, ends.
//!
//! Derived: what the attempts, nested runs and timeouts of a run look like on their way.

use std::sync::Arc;
use std::time::{Duration, Instant};

use serde_json::{Map, Value};

use super::iterate;
use super::ready::{Readiness, readiness};
use super::run::{Run, State, TaskRun, plain};
use super::start::{Start, active, begin, concurrency, overload, stop};
use super::values::Values;
use crate::areas::clusters;
use crate::areas::jobs::Jobs;
use crate::areas::tasks::{self, Call, Done};
use crate::clock::Lapse;
use crate::json::Members;
use crate::sql::Cancel;
use crate::workspace::{Workspace, lock};

const QUEUE: Lapse = Lapse::new(200, 5_000).in_demo(1_500);
/// Runs that are remembered.
const KEPT: usize = 1_000;
/// Bytes of what they have left.
const KEPT_BYTES: usize = 128 * 1024 * 1024;
/// Bytes of a text that a task leaves, and that an iteration does, of which there are many.
const LONGEST_TEXT: usize = 1024 * 1024;
const LONGEST_OF_MANY: usize = 8 * 1024;
/// Bytes that the references of a task stand for, at most.
const LONGEST_FILLED: usize = 64 * 1024;
/// As often a task without a limit is retried, so that a clock that jumps ahead comes to an end.
const MOST_RETRIES: i64 = 50;
/// How long runs are moved on at a stretch: whoever asks for a run or a job waits meanwhile.
const STRETCH: Duration = Duration::from_millis(20);

/// Where a task is moved on.
pub(super) struct Scene<'a> {
    pub(super) workspace: &'a Arc<Workspace>,
    pub(super) jobs: &'a mut Jobs,
    pub(super) run: &'a Run,
    /// When the stretch is over.
    pub(super) until: Instant,
}

fn timed_out(what: &str) -> Done {
    Done {
        kind: "CLIENT_ERROR",
        error: Some(format!("The {what} took longer than its timeout.")),
        ..Done::other("TIMEDOUT", "CANCELED", format!("{what} exceeded its timeout."))
    }
}

/// Lets the runs move on to the present, or as far as they come in one stretch; says whether they have got there.
pub(crate) fn advance(workspace: &Arc<Workspace>) -> bool {
    let now = workspace.clock.now();
    let mut jobs = lock(&workspace.jobs);
    if workspace.workers.have_ended() {
        jobs.due = 0;
    }
    if now < jobs.due {
        return true;
    }
    let until = Instant::now() + STRETCH;
    let is_over = || Instant::now() >= until;
    loop {
        let mut changed = false;
        let mut open: Vec<_> = jobs.runs.values().filter(|run| run.ended.is_none()).map(|run| run.id).collect();
        // Those come first that the last stretch did not get to.
        let next = open.iter().position(|id| *id >= jobs.next).unwrap_or(0);
        open.rotate_left(next);
        for id in open {
            jobs.next = id;
            if is_over() {
                break;
            }
            let Some(mut run) = jobs.runs.remove(&id) else { continue };
            if run.queued && run.job.is_none_or(|job| active(&jobs, job) < concurrency(&jobs, job)) {
                run.queued = false;
                run.started = now;
                changed = true;
            }
            changed |= !run.queued && move_on(workspace, &mut jobs, &mut run, (now, until));
            if let Some(at) = run.ended {
                clusters::release(workspace, run.id, at);
            }
            jobs.runs.insert(id, run);
        }
        if !changed || is_over() {
            break;
        }
    }
    forget(&mut jobs);
    if is_over() {
        jobs.due = 0;
        return false;
    }
    jobs.due = jobs.runs.values().filter_map(|run| next(run, now)).min().unwrap_or(i64::MAX);
    true
}

/// Forgets the runs that ended first where there are too many or they take too much memory, and with them the tokens that
/// made them.
fn forget(jobs: &mut Jobs) {
    let surplus = jobs.runs.len().saturating_sub(KEPT);
    let mut bytes: usize = jobs.runs.values().map(Run::bytes).sum();
    if surplus == 0 && bytes <= KEPT_BYTES {
        return;
    }
    // Some more than there must be, so that it is not done with each run.
    let surplus = if surplus > 0 { surplus + KEPT / 10 } else { 0 };
    // Those first that other runs have started: who started a run asks for it.
    let mut ended: Vec<_> =
        jobs.runs.values().filter_map(|run| Some((run.ancestors.is_empty(), run.ended?, run.id))).collect();
    ended.sort_unstable();
    // The last one is always told of.
    ended.pop();
    for (index, (.., id)) in ended.into_iter().enumerate() {
        if index >= surplus && bytes <= KEPT_BYTES {
            break;
        }
        bytes -= jobs.runs.remove(&id).map_or(0, |run| run.bytes());
    }
    let Jobs { runs, tokens, .. } = jobs;
    tokens.retain(|_, run| runs.contains_key(run));
}

/// When something happens next to a run that is open.
fn next(run: &Run, now: i64) -> Option<i64> {
    let all = run.tasks.iter().flat_map(|task| std::iter::once(task).chain(&task.iterations));
    let open = all.filter(|task| run.ended.is_none() && task.done().is_none());
    let due = open.filter_map(|task| {
        let at = match task.state {
            State::Waiting(until) | State::Pending(until) | State::Running(until) => Some(until),
            State::Blocked | State::Done(_) => None,
        };
        at.into_iter().chain(task.deadline()).min()
    });
    let deadline = (run.timeout > 0 && run.ended.is_none()).then(|| run.set_off() + run.timeout);
    due.chain(deadline).min().map(|at| at.max(now + 1))
}

/// Moves every task of a run on to `now`, or as far as it comes until the stretch is over; says whether anything changed.
fn move_on(workspace: &Arc<Workspace>, jobs: &mut Jobs, run: &mut Run, (now, until): (i64, Instant)) -> bool {
    let deadline = Some(run.set_off() + run.timeout).filter(|deadline| run.timeout > 0 && *deadline <= now);
    let limit = deadline.unwrap_or(now);
    let mut changed = false;
    for index in 0..run.tasks.len() {
        let open = run.tasks.get_mut(index).filter(|task| task.done().is_none());
        let Some(mut task) = open.map(TaskRun::take) else { continue };
        let has_moved = step(&mut Scene { workspace, jobs, run, until }, &mut task, limit);
        changed |= has_moved;
        let retry = has_moved.then(|| retry(workspace, &task)).flatten();
        if let Some(place) = run.tasks.get_mut(index) {
            *place = task;
        }
        run.tasks.extend(retry);
    }
    if Instant::now() >= until {
        // Nothing follows from what has not moved.
        return changed;
    }
    if run.ended.is_none() && run.latest().all(|task| task.done().is_some()) {
        run.ended = Some(run.tasks.iter().map(|task| task.ended).max().unwrap_or(0).max(run.set_off()));
        changed = true;
    }
    let is_at_work = || run.tasks.iter().any(TaskRun::is_at_work);
    if let Some(deadline) = deadline.filter(|_| !changed && run.ended.is_none() && !is_at_work()) {
        run.timed_out = true;
        run.stop(deadline, &timed_out("run"));
        stop_children(jobs, &run.tasks, deadline);
        changed = true;
    }
    changed
}

pub(super) fn stop_children(jobs: &mut Jobs, tasks: &[TaskRun], at: i64) {
    for child in tasks.iter().flat_map(|task| std::iter::once(task).chain(&task.iterations)).filter_map(|one| one.child)
    {
        stop(jobs, child, at);
    }
}

/// The next attempt of a task that has failed and may be tried again.
pub(super) fn retry(workspace: &Workspace, task: &TaskRun) -> Option<TaskRun> {
    let done = task.done()?;
    let is_wanted = match done.result {
        "FAILED" => !done.internal,
        "TIMEDOUT" => task.spec.get("retry_on_timeout") == Some(&Value::Bool(true)),
        _ => false,
    };
    let most = match task.spec.get("max_retries").and_then(Value::as_i64).unwrap_or(0) {
        -1 => MOST_RETRIES,
        most => most,
    };
    let interval = task.spec.get("min_retry_interval_millis").and_then(Value::as_i64).unwrap_or(0);
    (is_wanted && task.retries < most).then(|| TaskRun {
        retries: task.retries + 1,
        // The interval counts from the start of the attempt that failed.
        state: State::Waiting(task.ended.max(task.started.saturating_add(interval.clamp(0, i64::MAX / 4)))),
        ..task.again(workspace)
    })
}

/// Moves a task on by one state; says whether it did. It does not once the stretch is over.
pub(super) fn step(scene: &mut Scene<'_>, task: &mut TaskRun, now: i64) -> bool {
    if Instant::now() >= scene.until {
        return false;
    }
    let limit = task.deadline().map_or(now, |deadline| deadline.min(now));
    if transition(scene, task, limit) {
        return true;
    }
    let Some(deadline) = task.deadline().filter(|deadline| *deadline <= now) else { return false };
    // One that was in time by the workspace's clock has not run out of it while its code is at work.
    let is_in_time = matches!(task.state, State::Running(until) if until <= deadline);
    if task.done().is_some() || is_in_time {
        return false;
    }
    task.stop(deadline, &timed_out("task"));
    stop_children(scene.jobs, std::slice::from_ref(task), deadline);
    true
}

fn transition(scene: &mut Scene<'_>, task: &mut TaskRun, now: i64) -> bool {
    match task.state {
        State::Blocked => match readiness(scene.run, task) {
            Readiness::From(at) if at <= now => set_up(scene, task, at),
            Readiness::Never(at, done) => task.finish(at, *done),
            Readiness::Waiting | Readiness::From(_) => return false,
        },
        State::Waiting(until) if now >= until => set_up(scene, task, until),
        State::Pending(until) if now >= until => launch(scene, task, until),
        State::Running(_) if task.child.is_some() => {
            let child = task.child.and_then(|id| scene.jobs.runs.get(&id));
            let Some((ended, result)) = child.and_then(|child| Some((child.ended?, child.result()))) else {
                return false;
            };
            let done = match result {
                "SUCCESS" => Done::success(),
                "CANCELED" => Done::other("CANCELED", "CANCELED", "The run that this task started was cancelled."),
                result => Done::failure(format!("The run that this task started ended as {result}"), ""),
            };
            task.finish(ended, done);
        }
        State::Running(_) if task.spec.contains_key("for_each_task") => return iterate::step(scene, task, now),
        State::Running(until) if now >= until => {
            if let Some(done) = tasks::without_code(&task.resolved) {
                task.finish(until, done);
                return true;
            }
            let Some(work) = &task.work else { return set_to_work(scene, task, until) };
            let Some(done) = work.outcome(|| Done::failure("The sandbox could not run this.", "")) else {
                return false;
            };
            let until = until.saturating_add(i64::try_from(work.overrun().as_millis()).unwrap_or(0));
            if done.code == "DRIVER_ERROR" {
                clusters::driver_died(scene.workspace, task.cluster.as_deref().unwrap_or_default(), until);
            }
            let longest = if task.input.is_some() { LONGEST_OF_MANY } else { LONGEST_TEXT };
            task.finish(until, done.cut(longest));
        }
        _ => return false,
    }
    true
}

/// Lets the code of a task run, where a worker is free.
fn set_to_work(scene: &Scene<'_>, task: &mut TaskRun, until: i64) -> bool {
    let Some(place) = scene.workspace.workers.place() else { return false };
    let workspace = Arc::clone(scene.workspace);
    let call = call(scene.run, task, until);
    let work = place.begin(move |cancel| tasks::execute(&workspace, &Call { cancel: cancel.clone(), ..call }));
    task.work = Some(Arc::new(work));
    true
}

/// Finds out what a task is to do and where, and waits for its compute.
fn set_up(scene: &mut Scene<'_>, task: &mut TaskRun, at: i64) {
    task.started = at;
    let mut resolved = Value::Object(task.spec.clone());
    let room = if task.input.is_some() { LONGEST_OF_MANY } else { LONGEST_FILLED };
    if Values::of(scene.run, task).fill_all(&mut resolved, &mut room.clone()).is_none() {
        let message = format!("The references of the task stand for more than {room} bytes.");
        return task.finish(at, Done::refused("INVALID_RUN_CONFIGURATION", message));
    }
    if let Value::Object(resolved) = resolved {
        task.resolved = resolved;
    }
    match place(scene, task, at) {
        Ok(ready) => task.state = State::Pending(ready),
        Err(done) => task.finish(at, *done),
    }
}

/// The instant at which the compute of a task is there.
fn place(scene: &Scene<'_>, task: &mut TaskRun, at: i64) -> Result<i64, Box<Done>> {
    let (workspace, run) = (scene.workspace, scene.run);
    let queue = workspace.clock.lapse(QUEUE);
    if let Some(id) = task.spec.get("existing_cluster_id").and_then(Value::as_str) {
        task.cluster = Some(id.to_owned());
        return Ok(clusters::attach(workspace, id, at)?.max(at) + queue);
    }
    let (key, spec) = match task.spec.get("job_cluster_key").and_then(Value::as_str) {
        Some(key) => {
            let declared = run.job_clusters.as_ref().and_then(Value::as_array).into_iter().flatten();
            let found = declared.into_iter().find(|cluster| cluster.at("job_cluster_key") == key);
            let missing = || Done::refused("INVALID_RUN_CONFIGURATION", format!("There is no job cluster `{key}`."));
            (key.to_owned(), found.ok_or_else(|| Box::new(missing()))?.at("new_cluster").clone())
        }
        None => match task.spec.get("new_cluster") {
            Some(spec) => (task.id.to_string(), spec.clone()),
            None => return Ok(at + queue),
        },
    };
    let name = format!("job-{}-run-{}-{key}", run.job.unwrap_or(run.id), run.id);
    let (id, ready) = clusters::of_run(workspace, (run.id, key), &name, &spec, at);
    task.cluster = Some(id);
    Ok(ready.max(at) + queue)
}

/// Starts what a task does.
fn launch(scene: &mut Scene<'_>, task: &mut TaskRun, at: i64) {
    task.executed = at;
    if let Some(done) = task.cluster.as_ref().and_then(|id| clusters::failure(scene.workspace, id)) {
        task.finish(at, done);
    } else if let Some(nested) = task.resolved.get("run_job_task").and_then(Value::as_object).cloned() {
        match nest(scene, &nested, at) {
            Ok(child) => {
                task.child = Some(child);
                // Its end is the child's.
                task.state = State::Running(i64::MAX);
            }
            Err(done) => task.finish(at, *done),
        }
    } else if task.spec.contains_key("for_each_task") {
        iterate::launch(scene, task, at);
    } else {
        task.state = State::Running(at + tasks::duration(scene.workspace, &task.resolved));
    }
}

/// Starts the run of a run-job task.
fn nest(scene: &mut Scene<'_>, nested: &Map<String, Value>, at: i64) -> Result<i64, Box<Done>> {
    /// So many run-job tasks may lead to a run: the service supports no more, and no jobs that run each other in a circle.
    const DEEPEST: usize = 3;
    let id = nested.get("job_id").and_then(|id| id.as_i64().or_else(|| id.as_str()?.parse().ok())).unwrap_or(0);
    let missing = || Box::new(Done::refused("RESOURCE_NOT_FOUND", format!("The job {id} to run does not exist.")));
    let tasks = scene.jobs.jobs.get(&id).ok_or_else(missing)?.task_count();
    let ancestors: Vec<_> = scene.run.ancestors.iter().copied().chain(scene.run.job).collect();
    let refused = |message| Err(Box::new(Done::refused("INVALID_RUN_CONFIGURATION", message)));
    if ancestors.contains(&id) {
        return refused(format!("The job {id} runs itself in a circle of run-job tasks."));
    }
    if scene.run.ancestors.len() >= DEEPEST {
        return refused(format!("Run-job tasks are nested more than {DEEPEST} deep."));
    }
    if let Some(message) = overload(scene.jobs, tasks) {
        return Err(Box::new(Done::refused("WORKSPACE_RUN_LIMIT_EXCEEDED", message)));
    }
    let job = scene.jobs.jobs.get(&id).cloned().ok_or_else(missing)?;
    let mut start = Start { at, trigger: "RUN_JOB_TASK", ancestors, ..Start::default() };
    for (name, value) in nested.get("job_parameters").and_then(Value::as_object).into_iter().flatten() {
        start.parameters.insert(name.clone(), plain(value));
    }
    if let Some(parameters) = nested.get("notebook_params") {
        start.overrides.insert("notebook_params".to_owned(), parameters.clone());
    }
    Ok(begin(scene.workspace, scene.jobs, &job, start).id)
}

fn call(run: &Run, task: &TaskRun, ends: i64) -> Call {
    let base = task.resolved.get("notebook_task").and_then(|task| task.get("base_parameters"));
    let overrides = run.overrides.get("notebook_params");
    let given = [base, overrides].into_iter().flatten().filter_map(Value::as_object).flatten();
    let mut parameters: std::collections::BTreeMap<_, _> =
        given.map(|(name, value)| (name.clone(), plain(value))).collect();
    // Job parameters win over a task's own.
    parameters.extend(run.parameters.clone());
    Call {
        spec: task.resolved.clone(),
        parameters,
        values: Values::of(run, task),
        run_number: run.number,
        attempt: task.attempt,
        ends,
        cancel: Cancel::default(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::Options;
    use crate::areas::jobs::Job;
    use crate::clock::Speed;

    /// A job that does something for 5,000 inputs.
    fn job(id: i64, mut task: Value) -> Job {
        task.set("task_key", "inner");
        task.set("max_retries", 1);
        let inputs = json!((0..5_000).collect::<Vec<_>>()).to_string();
        let for_each = json!({"inputs": inputs, "concurrency": 100, "task": task});
        let tasks = json!([{"task_key": "outer", "for_each_task": for_each}]);
        let settings = Map::from_iter([("max_concurrent_runs".to_owned(), json!(1_000)), ("tasks".to_owned(), tasks)]);
        Job { id, created: 0, settings, runs: 0 }
    }

    /// A workspace with these jobs, the first of which was started long ago.
    fn workspace(known: &[Job]) -> (Arc<Workspace>, i64) {
        let workspace = Arc::new(Workspace::new(&Options::default().with_speed(Speed::Manual), String::new()));
        let mut jobs = lock(&workspace.jobs);
        jobs.jobs.extend(known.iter().map(|job| (job.id, job.clone())));
        let start = Start { at: workspace.clock.now(), ..Start::default() };
        let id = begin(&workspace, &mut jobs, known.first().unwrap(), start).id;
        drop(jobs);
        workspace.clock.advance(Duration::from_secs(100_000));
        (workspace, id)
    }

    #[test]
    fn a_long_absence_is_made_up_for_in_short_stretches() {
        let condition = json!({"condition_task": {"left": "1", "op": "EQUAL_TO", "right": "1"}});
        let (workspace, id) = workspace(&[job(1, condition)]);
        let mut stretches = 1;
        while !advance(&workspace) {
            stretches += 1;
        }
        assert!(stretches > 1, "{stretches}");
        let jobs = lock(&workspace.jobs);
        assert_eq!(jobs.runs.get(&id).map(|run| (run.result(), run.ended.is_some())), Some(("SUCCESS", true)));
    }

    #[test]
    fn jobs_that_run_each_other_stay_within_bounds() {
        let jobs: Vec<_> = (1..=4).map(|id| job(id, json!({"run_job_task": {"job_id": id + 1}}))).collect();
        let (workspace, _) = workspace(&jobs);
        for _ in 0..30 {
            advance(&workspace);
            let jobs = lock(&workspace.jobs);
            let tasks: usize = jobs.runs.values().flat_map(|run| &run.tasks).map(|task| task.iterations.len()).sum();
            // Those of open runs with their retries, and those of ended runs that are remembered.
            assert!(jobs.runs.len() <= KEPT && tasks < 100_000, "{} runs, {tasks} tasks", jobs.runs.len());
        }
    }
}
