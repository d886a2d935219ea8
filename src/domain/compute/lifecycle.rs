//! Starting and stopping machines: whatever state they are in, and whoever else does the same.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::Value;

use crate::cleanup::{Begun, Guard};
use crate::context::Context;
use crate::domain::compute::state::{Kind, Machine, Phase};
use crate::domain::wait::{Stand, Timeout, Wait, watch};
use crate::error::Error;
use crate::shape;

/// The longest time between two looks at a machine.
const LONGEST_PAUSE: Duration = Duration::from_secs(10);
/// How often a start is asked for again when somebody else was faster.
const MOST_RACES: usize = 3;
/// So often a machine that was told to start may still look as if it had not heard.
const MOST_STALE: usize = 3;

/// How long to wait, as callers say it.
#[derive(Debug, Clone, Copy, Deserialize, JsonSchema)]
pub(crate) struct WaitArguments {
    /// Wait until it is done.
    #[serde(default = "crate::input::yes")]
    wait: bool,
    /// Time to wait; after it the work goes on.
    #[serde(default)]
    timeout_seconds: Timeout,
}

impl WaitArguments {
    /// The wait that is asked for.
    pub(crate) fn wait(self) -> Wait {
        Wait::new(if self.wait { self.timeout_seconds.seconds() } else { 0 }, LONGEST_PAUSE)
    }
}

/// What came of starting a machine.
#[derive(Debug)]
pub(crate) enum Started {
    /// It ran before.
    Already(Machine),
    /// It runs now.
    Running(Machine),
    /// The time was up before.
    Not(Machine),
}

/// Starts a machine and waits for it. Cancelling the call stops it again while it does not run yet, if it was this
/// call that started it.
pub(crate) async fn start(context: &Context, kind: Kind, id: &str, wait: &mut Wait) -> Result<Started, Error> {
    let (mut races, mut started_here, mut before) = (0, None, None);
    loop {
        let machine = leave(context, kind, id, Phase::Stopping, wait).await?;
        match machine.phase {
            Phase::Running => return Ok(Started::Already(machine)),
            Phase::Broken => return Err(kind.failure(id, &machine)),
            Phase::Stopping => return Ok(Started::Not(machine)),
            Phase::Starting => break,
            Phase::Stopped => match begin(context, kind, id).await {
                Ok(guard) => {
                    (started_here, before) = (Some(guard), machine.stopped);
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
    let look = |machine: &Machine| {
        looks += 1;
        let is_over = match machine.phase {
            Phase::Running | Phase::Broken => true,
            // Right after the start it may still look stopped, as it was before.
            Phase::Stopped => !told || machine.stopped != before || looks > MOST_STALE,
            Phase::Starting | Phase::Stopping => false,
        };
        Stand { state: machine.told(), done: None, is_over }
    };
    let name = format!("{} {id}", kind.word());
    let machine = watch(context, &name, wait, || kind.get(context, id), look).await;
    if let Some(guard) = started_here {
        guard.keep();
    }
    let machine = machine.map_err(|error| error.after(format!("{name} was told to start")))?;
    match machine.phase {
        Phase::Running => Ok(Started::Running(machine)),
        Phase::Stopped if told && machine.stopped == before && looks <= MOST_STALE => Ok(Started::Not(machine)),
        Phase::Stopped | Phase::Broken => Err(kind.failure(id, &machine)),
        Phase::Starting | Phase::Stopping => Ok(Started::Not(machine)),
    }
}

/// The answer of a tool that starts a machine, and how long that took.
pub(crate) fn answer(context: &Context, kind: Kind, id: &str, started: &Started, wait: &Wait) -> Value {
    match started {
        Started::Already(machine) => {
            let mut answer = kind.answer(context, id, machine);
            shape::put(&mut answer, "already_running", true);
            answer
        }
        Started::Running(machine) => {
            let mut answer = kind.answer(context, id, machine);
            shape::put(&mut answer, "duration_ms", wait.milliseconds());
            answer
        }
        Started::Not(machine) => {
            let mut answer = kind.answer(context, id, machine);
            let hint = if machine.phase == Phase::Stopping {
                format!("it is still stopping, and was not started; call `start_{}` again later", kind.word())
            } else {
                format!("it is starting; wait on with `start_{}`, or stop it with `stop_{}`", kind.word(), kind.word())
            };
            shape::put(&mut answer, "still_running", true);
            shape::put(&mut answer, "hint", hint);
            answer
        }
    }
}

/// Stops a machine and waits until it is stopped.
pub(crate) async fn stop(context: &Context, kind: Kind, id: &str, wait: &mut Wait) -> Result<Value, Error> {
    let machine = kind.get(context, id).await?;
    let is_gone = machine.phase == Phase::Stopped || matches!(machine.state.as_str(), "DELETED" | "DELETING");
    if is_gone {
        let mut answer = kind.answer(context, id, &machine);
        shape::put(&mut answer, "already_stopped", true);
        return Ok(answer);
    }
    if machine.phase != Phase::Stopping {
        kind.stop(&context.client, id).await?;
    }
    let mut looks = 0;
    let look = |machine: &Machine| {
        looks += 1;
        // Right after the request it may still look as it did before.
        let is_over = machine.phase == Phase::Stopped || (machine.phase == Phase::Broken && looks > MOST_STALE);
        Stand { state: machine.state.clone(), done: None, is_over }
    };
    let name = format!("{} {id}", kind.word());
    let machine = watch(context, &name, wait, || kind.get(context, id), look).await;
    let machine = machine.map_err(|error| error.after(format!("{name} was told to stop")))?;
    let mut answer = kind.answer(context, id, &machine);
    if machine.phase == Phase::Stopped {
        shape::put(&mut answer, "duration_ms", wait.milliseconds());
    } else {
        shape::put(&mut answer, "still_running", true);
        shape::put(&mut answer, "hint", format!("it is stopping; wait on with `stop_{}`", kind.word()));
    }
    Ok(answer)
}

/// Waits until a machine has left a phase, or the time is up.
pub(crate) async fn leave(
    context: &Context,
    kind: Kind,
    id: &str,
    phase: Phase,
    wait: &mut Wait,
) -> Result<Machine, Error> {
    let look = |machine: &Machine| Stand { state: machine.state.clone(), done: None, is_over: machine.phase != phase };
    watch(context, &format!("{} {id}", kind.word()), wait, || kind.get(context, id), look).await
}

/// Whether an error says that the machine is not in the state it was seen in.
pub(crate) fn is_race(error: &databricks::Error) -> bool {
    error.is_conflict() || error.error_code() == Some("INVALID_STATE")
}

/// Asks for the start, and stops the machine again if this call is cancelled before it runs. One that runs may be in
/// use by others already.
async fn begin(context: &Context, kind: Kind, id: &str) -> Result<Guard, Error> {
    let id = id.to_owned();
    let start = async move |starting: Context| {
        kind.start(&starting.client, &id).await?;
        Ok(Begun { name: format!("{} {id}", kind.word()), id, answer: () })
    };
    let undo = async move |undoing: Context, id: String| {
        let machine = kind.get(&undoing, &id).await?;
        match machine.phase {
            Phase::Starting if !machine.is_used() => Ok(kind.stop(&undoing.client, &id).await?),
            Phase::Starting | Phase::Running => {
                Err(Error::failed(format!("it is {}, and others may use it already", machine.state)))
            }
            Phase::Stopping | Phase::Stopped | Phase::Broken => Ok(()),
        }
    };
    context.start(kind.word(), start, undo).await.map(|((), guard)| guard)
}
