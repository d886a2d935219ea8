//! `run_code`: a piece of code on a cluster, or on serverless compute.

use std::time::Duration;

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::cleanup::Guard;
use crate::context::Context;
use crate::definition::Composite;
use crate::domain::compute::command::{self, Command};
use crate::domain::compute::command_result;
use crate::domain::compute::lifecycle::{self, Started};
use crate::domain::compute::state::ComputeKind;
use crate::domain::runs::serverless;
use crate::domain::text::{Keep, excerpt, without_markup};
use crate::domain::wait::{PollState, Timeout, Wait, watch};
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, one_of: ["code", "command_id"]);

const LONGEST_PAUSE: Duration = Duration::from_secs(5);
/// How much of what a cluster says about a command that it could not run.
const MOST_OF_REASON: usize = 1_000;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
enum Language {
    #[default]
    Python,
    Sql,
    Scala,
    R,
}

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// The code. On serverless, its output is only what it prints.
    code: Option<String>,
    /// Its language; python if unset.
    #[serde(default)]
    language: Language,
    /// Cluster, from `list_clusters`; serverless if unset.
    cluster_id: Option<String>,
    /// Context of an earlier call on that cluster, with its variables.
    context_id: Option<String>,
    /// Keep the context for a later call; if unset, only a given one is kept.
    keep_context: Option<bool>,
    /// Command of an earlier call to wait for, instead of `code`.
    command_id: Option<String>,
    /// Wait for the end.
    #[serde(default = "crate::input::yes")]
    wait: bool,
    /// Time to wait; after it the code keeps running.
    #[serde(default)]
    timeout_seconds: Timeout,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let seconds = if input.wait { input.timeout_seconds.seconds() } else { 0 };
    let keep = input.keep_context.unwrap_or(input.context_id.is_some());
    match (input.cluster_id, input.code, input.command_id, input.context_id) {
        (Some(cluster_id), None, Some(command_id), Some(context_id)) => {
            let command = Command { cluster_id, context_id, command_id, is_alone: false };
            finish(&context, command, None, keep, &mut Wait::new(seconds, LONGEST_PAUSE)).await
        }
        (Some(cluster_id), Some(code), None, context_id) => {
            let mut wait = Wait::new(seconds, LONGEST_PAUSE);
            if let Some(answer) = awake(&context, &cluster_id, context_id.is_some(), &mut wait).await? {
                return Ok(answer);
            }
            let (command, guard) =
                command::send(&context, &cluster_id, context_id, input.language.name(), code).await?;
            finish(&context, command, Some(guard), keep, &mut wait).await
        }
        (None, Some(code), None, None) if input.language == Language::Python && input.keep_context != Some(true) => {
            serverless::run(&context, &code, input.wait, seconds).await
        }
        (None, Some(_), None, None) if input.keep_context == Some(true) => {
            Err(Error::failed("serverless compute keeps no context").with_hint("give a cluster in `cluster_id`"))
        }
        (None, Some(_), None, None) => {
            let message = format!("{} needs a cluster: give one in `cluster_id`", input.language.name());
            Err(Error::failed(message).with_hint("find one with `list_clusters`; for SQL only, use `execute_sql`"))
        }
        _ => Err(Error::failed(
            "give `code`, or, to keep waiting for an earlier call, `command_id` with `cluster_id` and `context_id`; a \
             context belongs to a cluster",
        )),
    }
}

impl Language {
    fn name(self) -> &'static str {
        match self {
            Self::Python => "python",
            Self::Sql => "sql",
            Self::Scala => "scala",
            Self::R => "r",
        }
    }
}

/// Starts a cluster that is stopped; the answer if it does not run in time. A context of before cannot have outlived
/// its cluster.
async fn awake(context: &Context, id: &str, has_context: bool, wait: &mut Wait) -> Result<Option<Value>, Error> {
    if has_context {
        return Ok(None);
    }
    let started = lifecycle::start(context, ComputeKind::Cluster, id, wait).await?;
    let Started::Not(_) = started else { return Ok(None) };
    let mut answer = lifecycle::answer(context, ComputeKind::Cluster, id, &started, wait);
    shape::put(&mut answer, "hint", "the cluster is not up yet and nothing was run; call `run_code` again later");
    Ok(Some(answer))
}

async fn finish(
    context: &Context,
    command: Command,
    guard: Option<Guard>,
    keep: bool,
    wait: &mut Wait,
) -> Result<Value, Error> {
    let name = format!("command {} in context {}", command.command_id, command.context_id);
    // Of a command of before it is not known when it began.
    let sent = guard.is_some().then(|| wait.milliseconds());
    let status = |answer: &Value| answer.get("status").and_then(Value::as_str).unwrap_or("Unknown").to_owned();
    let look = |answer: &Value| {
        let state = status(answer);
        let is_over = matches!(state.as_str(), "Finished" | "Error" | "Cancelled");
        PollState { state, done: None, is_over }
    };
    let seen = watch(context, &name, wait, || command::status(context, &command), look).await;
    if let Some(guard) = guard {
        guard.keep();
    }
    let seen = seen.map_err(|error| error.after(format!("{name} was sent to cluster {}", command.cluster_id)))?;
    let state = status(&seen);
    let mut answer = json!({ "cluster_id": command.cluster_id, "state": state });
    if !matches!(state.as_str(), "Finished" | "Error" | "Cancelled") {
        shape::put(&mut answer, "context_id", command.context_id.as_str());
        shape::put(&mut answer, "command_id", command.command_id.as_str());
        shape::put(&mut answer, "keep_context", keep);
        shape::put(&mut answer, "still_running", true);
        let hint = "it is still running; keep waiting with `run_code` and these `cluster_id`, `context_id`, \
                    `command_id` and `keep_context`, without `code`";
        shape::put(&mut answer, "hint", hint);
        return Ok(answer);
    }
    if keep {
        shape::put(&mut answer, "context_id", command.context_id.as_str());
    } else {
        command::destroy(&context.client, &command.cluster_id, &command.context_id).await;
    }
    if state == "Cancelled" {
        return Err(Error::failed(format!("{name} was cancelled"))
            .with_hint("what it had done stays; call `run_code` again if you still want the code to run"));
    }
    if let Some(sent) = sent {
        shape::put(&mut answer, "duration_ms", wait.milliseconds().saturating_sub(sent));
    }
    let empty = json!({});
    let results = seen.get("results").filter(|results| !results.is_null()).unwrap_or(&empty);
    let outcome = command_result::put(context, &mut answer, results);
    match outcome {
        Ok(()) if state == "Error" => {
            let told = ["summary", "cause", "data"].into_iter().find_map(|field| results.get(field)?.as_str());
            let told =
                excerpt(&without_markup(told.unwrap_or("the cluster gives no reason")), MOST_OF_REASON, Keep::Ends);
            Err(Error::failed(format!("{name} could not be run: {}", told.text))
                .with_hint("see what happened to the cluster with `get_cluster_events`"))
        }
        Ok(()) => Ok(answer),
        Err(error) if keep => {
            Err(error.with_hint(format!("the variables are kept: continue with `context_id` {}", command.context_id)))
        }
        Err(error) => Err(error),
    }
}
