//! Starts and stops compute, whatever state it is in, and whoever else does the same.

use std::time::Duration;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::cleanup::{Begun, Guard};
use crate::context::Context;
use crate::domain::compute::state::{Compute, ComputeKind, Phase};
use crate::domain::wait::{PollState, Timeout, Wait, watch};
use crate::error::Error;
use crate::shape;

/// The longest time between two looks at a cluster or warehouse.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a start is asked for again when somebody else was faster.
const MOST_RACES: usize = 3;
/// So often a cluster or warehouse that was told to start may still look as if it had not heard.
const MOST_STALE: usize = 3;

/// How long to wait, as callers say it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct WaitArguments {
    /// Wait until it is done.
    #[serde(default = "crate::input::yes")]
    wait: bool,
    /// Time to wait; after it the work continues.
    #[serde(default)]
    timeout_seconds: Timeout,
}

impl WaitArguments {
    /// The wait that is asked for.
    pub(crate) fn wait(self) -> Wait {
        Wait::new(if self.wait { self.timeout_seconds.seconds() } else { 0 }, LONGEST_PAUSE)
    }
}

/// What came of starting a cluster or warehouse.
#[derive(Debug)]
pub(crate) enum Started {
    /// It ran before.
    Already(Compute),
    /// It runs now.
    Running(Compute),
    /// The time was up before.
    Not(Compute),
}

/// What finds a cluster or warehouse again that was told to start.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ComputeHandle {
    kind: ComputeKind,
    id: String,
    /// Whether it was the call that started it, and nobody else before.
    is_own: bool,
}

/// Starts a cluster or warehouse and waits for it. Cancelling the call stops it again while it does not run yet, if
/// it was this call that started it.
pub(crate) async fn start(context: &Context, kind: ComputeKind, id: &str, wait: &mut Wait) -> Result<Started, Error> {
    let (mut races, mut started_here, mut before) = (0, None, None);
    loop {
        let compute = leave(&context.by_itself(), kind, id, Phase::Stopping, wait).await?;
        match compute.phase {
            Phase::Running => return Ok(Started::Already(compute)),
            Phase::Broken => return Err(kind.failure(id, &compute)),
            Phase::Stopping => return Ok(Started::Not(compute)),
            Phase::Starting => break,
            Phase::Stopped => match begin(context, kind, id).await {
                Ok(guard) => {
                    (started_here, before) = (Some(guard), compute.stopped);
                    break;
                }
                // Somebody else started or stopped it since it was looked at.
                Err(error) if races < MOST_RACES && error.api().is_some_and(is_race) => races += 1,
                Err(error) => return Err(error),
            },
        }
    }
    let told = started_here.is_some();
    let mut looks = 0;
    let look = |compute: &Compute| {
        looks += 1;
        let is_over = match compute.phase {
            Phase::Running | Phase::Broken => true,
            // Right after the start it may still look stopped, as it was before.
            Phase::Stopped => !told || compute.stopped != before || looks > MOST_STALE,
            Phase::Starting | Phase::Stopping => false,
        };
        PollState { state: compute.describe(), done: None, is_over }
    };
    let name = format!("{} {id}", kind.word());
    let compute = watch(context, &name, wait, || kind.get(context, id), look).await;
    if let Some(guard) = started_here {
        guard.keep();
    }
    let compute = compute.map_err(|error| error.after(format!("{name}: start requested")))?;
    hand_over(context, kind, id, &compute, told);
    match compute.phase {
        Phase::Running => Ok(Started::Running(compute)),
        Phase::Stopped if told && compute.stopped == before && looks <= MOST_STALE => Ok(Started::Not(compute)),
        Phase::Stopped | Phase::Broken => Err(kind.failure(id, &compute)),
        Phase::Starting | Phase::Stopping => Ok(Started::Not(compute)),
    }
}

/// The answer of a tool that starts a cluster or warehouse, and how long that took.
pub(crate) fn answer(context: &Context, kind: ComputeKind, id: &str, started: &Started, wait: &Wait) -> Value {
    match started {
        Started::Already(compute) => {
            let mut answer = kind.answer(context, id, compute);
            shape::put(&mut answer, "already_running", true);
            answer
        }
        Started::Running(compute) => {
            let mut answer = kind.answer(context, id, compute);
            shape::put(&mut answer, "duration_ms", wait.milliseconds());
            answer
        }
        Started::Not(compute) => {
            let mut answer = kind.answer(context, id, compute);
            let hint = if compute.phase == Phase::Stopping {
                format!("it is still stopping and was not started; call `start_{}` again later", kind.word())
            } else {
                format!(
                    "it is starting; keep waiting with `start_{}`, or stop it with `stop_{}`",
                    kind.word(),
                    kind.word()
                )
            };
            shape::put(&mut answer, "still_running", true);
            shape::put(&mut answer, "hint", hint);
            answer
        }
    }
}

/// Stops a cluster or warehouse and waits until it is stopped.
pub(crate) async fn stop(context: &Context, kind: ComputeKind, id: &str, wait: &mut Wait) -> Result<Value, Error> {
    let compute = kind.get(context, id).await?;
    let is_gone = compute.phase == Phase::Stopped || matches!(compute.state.as_str(), "DELETED" | "DELETING");
    if is_gone {
        let mut answer = kind.answer(context, id, &compute);
        shape::put(&mut answer, "already_stopped", true);
        return Ok(answer);
    }
    if compute.phase != Phase::Stopping {
        kind.stop(&context.client, id).await?;
    }
    let mut looks = 0;
    let look = |compute: &Compute| {
        looks += 1;
        // Right after the request it may still look as it did before.
        let is_over = compute.phase == Phase::Stopped || (compute.phase == Phase::Broken && looks > MOST_STALE);
        PollState { state: compute.state.clone(), done: None, is_over }
    };
    let name = format!("{} {id}", kind.word());
    let compute = watch(context, &name, wait, || kind.get(context, id), look).await;
    let compute = compute.map_err(|error| error.after(format!("{name}: stop requested")))?;
    let mut answer = kind.answer(context, id, &compute);
    if compute.phase == Phase::Stopped {
        shape::put(&mut answer, "duration_ms", wait.milliseconds());
    } else {
        shape::put(&mut answer, "still_running", true);
        shape::put(&mut answer, "hint", format!("it is stopping; keep waiting with `stop_{}`", kind.word()));
    }
    Ok(answer)
}

/// Leaves what finds a cluster or warehouse again that is about to run.
pub(crate) fn hand_over(context: &Context, kind: ComputeKind, id: &str, compute: &Compute, is_own: bool) {
    if compute.phase == Phase::Starting {
        context.handover.leave(&ComputeHandle { kind, id: id.to_owned(), is_own });
    }
}

/// How a cluster or warehouse stands that was told to start.
pub(crate) async fn look(context: Context, handle: ComputeHandle) -> Result<Value, Error> {
    let ComputeHandle { kind, id, .. } = &handle;
    let compute = kind.get(&context, id).await?;
    match compute.phase {
        Phase::Running => Ok(kind.answer(&context, id, &compute)),
        Phase::Starting | Phase::Stopping => {
            context.handover.leave(&handle);
            let mut answer = kind.answer(&context, id, &compute);
            shape::put(&mut answer, "still_running", true);
            Ok(answer)
        }
        Phase::Stopped | Phase::Broken => Err(kind.failure(id, &compute)),
    }
}

/// Stops a cluster or warehouse again that does not run yet. One that others have started is theirs.
pub(crate) async fn cancel(context: Context, handle: ComputeHandle) -> Result<Value, Error> {
    if handle.is_own {
        undo(&context, handle.kind, &handle.id).await?;
    }
    Ok(json!({ "id": handle.id }))
}

/// Waits until a cluster or warehouse has left a phase, or the time is up.
pub(crate) async fn leave(
    context: &Context,
    kind: ComputeKind,
    id: &str,
    phase: Phase,
    wait: &mut Wait,
) -> Result<Compute, Error> {
    let look =
        |compute: &Compute| PollState { state: compute.state.clone(), done: None, is_over: compute.phase != phase };
    watch(context, &format!("{} {id}", kind.word()), wait, || kind.get(context, id), look).await
}

/// Whether an error says that it is not in the state it was seen in.
pub(crate) fn is_race(error: &databricks::Error) -> bool {
    error.is_conflict() || error.error_code() == Some("INVALID_STATE")
}

/// Asks for the start, and stops it again if this call is cancelled before it runs. One that runs may be in
/// use by others already.
async fn begin(context: &Context, kind: ComputeKind, id: &str) -> Result<Guard, Error> {
    let id = id.to_owned();
    let start = async move |starting: Context| {
        kind.start(&starting.client, &id).await?;
        Ok(Begun { name: format!("{} {id}", kind.word()), id, answer: () })
    };
    let undo = async move |undoing: Context, id: String| undo(&undoing, kind, &id).await;
    context.start(kind.word(), start, undo).await.map(|((), guard)| guard)
}

async fn undo(context: &Context, kind: ComputeKind, id: &str) -> Result<(), Error> {
    let compute = kind.get(context, id).await?;
    match compute.phase {
        Phase::Starting if !compute.is_used() => Ok(kind.stop(&context.client, id).await?),
        Phase::Starting | Phase::Running => {
            Err(Error::failed(format!("it is {}, and others may use it already", compute.state)))
        }
        Phase::Stopping | Phase::Stopped | Phase::Broken => Ok(()),
    }
}
