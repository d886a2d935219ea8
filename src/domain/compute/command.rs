//! Commands on clusters: the six calls of the execution API, which keeps a program's state in a context.

use databricks::requests::compute::command_execution;
use databricks::{Client, Request};
use serde_json::Value;

use crate::cleanup::{Begun, Guard};
use crate::context::Context;
use crate::domain::wait::{PollState, Wait, watch};
use crate::error::Error;

/// How long a new context may take until it can be used.
const LONGEST_SETUP_SECONDS: u64 = 120;
const LONGEST_PAUSE: std::time::Duration = std::time::Duration::from_secs(2);

/// What is said where it is not known whether a context was made.
const CONTEXT_LEFT: &str = "the code did not run, so call `run_code` again; a context may have been created although \
                            its answer was lost: it takes one of the cluster's 145 places until it has been idle for \
                            long or the cluster stops; `restart_cluster` ends it at once";

/// Where a command runs.
#[derive(Debug, Clone)]
pub(crate) struct Command {
    pub(crate) cluster_id: String,
    pub(crate) context_id: String,
    pub(crate) command_id: String,
    /// Whether the context was made for it.
    pub(crate) is_alone: bool,
}

/// Sends code to a cluster, in a context of before or a new one. The command is cancelled if this call is, and a
/// new context goes with it.
pub(crate) async fn send(
    context: &Context,
    cluster_id: &str,
    context_id: Option<String>,
    language: &'static str,
    code: String,
) -> Result<(Command, Guard), Error> {
    let cluster_id = cluster_id.to_owned();
    let start = async move |starting: Context| {
        let client = &starting.client;
        let is_alone = context_id.is_none();
        let context_id = match context_id {
            Some(id) => id,
            None => create(&starting, &cluster_id, language).await?,
        };
        // Running code twice is no repetition, so this request alone is not idempotent.
        let request = command_execution::Execute::new()
            .cluster_id(&cluster_id)
            .context_id(&context_id)
            .language(language)
            .command(code);
        match client.send(request).await.map(|answer| id_of(&answer)) {
            Ok(Some(command_id)) => {
                let name = format!("command {command_id} in context {context_id} on cluster {cluster_id}");
                let command = Command { cluster_id, context_id, command_id, is_alone };
                Ok(Begun { id: command.clone(), answer: command, name })
            }
            outcome => {
                if is_alone {
                    destroy(&starting.client.ahead(), &cluster_id, &context_id).await;
                }
                Err(match outcome {
                    Err(error) if !is_alone && is_gone(&error) => gone(&context_id),
                    Err(error) if !error.may_have_happened() => error.into(),
                    Err(error) => Error::from(error)
                        .after(format!("the code was sent to cluster `{cluster_id}`, and may have run"))
                        .with_outcome("see what it changed before you run it again"),
                    Ok(_) => Error::unclear("the answer names no command"),
                })
            }
        }
    };
    let undo = async |undoing: Context, command: Command| {
        let outcome = cancel(&undoing.client, &command).await;
        if command.is_alone {
            destroy(&undoing.client, &command.cluster_id, &command.context_id).await;
        }
        Ok(outcome?)
    };
    context.start("command", start, undo).await
}

/// How a command stands: its status and results.
pub(crate) async fn status(context: &Context, command: &Command) -> Result<Value, Error> {
    let Command { cluster_id, context_id, command_id, .. } = command;
    match context.client.send(command_execution::CommandStatus::new(cluster_id, context_id, command_id)).await {
        Ok(answer) => Ok(answer),
        Err(error) if is_gone(&error) => Err(gone(&command.context_id)),
        Err(error) => Err(error.into()),
    }
}

/// Ends a context with all its variables. One that is gone already is as well.
pub(crate) async fn destroy(client: &Client, cluster_id: &str, context_id: &str) {
    let request = command_execution::Destroy::new(cluster_id, context_id).idempotent(true);
    if let Err(error) = client.send(request).await {
        tracing::debug!(%error, "a context was not destroyed");
    }
}

async fn cancel(client: &Client, command: &Command) -> Result<(), databricks::Error> {
    let Command { cluster_id, context_id, command_id, .. } = command;
    let request = command_execution::Cancel::new().cluster_id(cluster_id).context_id(context_id).command_id(command_id);
    client.send(request.idempotent(true)).await
}

/// Makes a context and waits until it can be used.
async fn create(context: &Context, cluster_id: &str, language: &str) -> Result<String, Error> {
    // Sent once: a second request would make a second context, and the first would stay without anybody who knows it.
    let request = command_execution::Create::new().cluster_id(cluster_id).language(language);
    let answer = context.client.send(request).await.map_err(|error| {
        match error.message().contains("execution contexts") {
        true => Error::from(error).with_hint(
            "a cluster holds 145 contexts, including those of open notebooks: end one of yours with a call that has \
             `context_id` and `keep_context: false`, or end all with `restart_cluster`",
        ),
        false if error.may_have_happened() => Error::from(error).with_outcome(CONTEXT_LEFT),
        false => error.into(),
    }
    })?;
    let id = id_of(&answer).ok_or_else(|| Error::unclear("the answer names no context").with_outcome(CONTEXT_LEFT))?;
    let status = |answer: &Value| answer.get("status").and_then(Value::as_str).unwrap_or("Pending").to_owned();
    let poll = || context.send(command_execution::ContextStatus::new(cluster_id, &id));
    let look = |answer: &Value| {
        let state = status(answer);
        PollState { is_over: matches!(state.as_str(), "Running" | "Error"), state, done: None }
    };
    let name = format!("{language} on cluster {cluster_id}");
    let mut wait = Wait::new(LONGEST_SETUP_SECONDS, LONGEST_PAUSE);
    let seen = watch(context, &name, &mut wait, poll, look).await.map(|answer| status(&answer));
    let error = match seen {
        Ok(state) if state == "Running" => return Ok(id),
        Ok(state) if state == "Error" => Error::failed(format!("cluster `{cluster_id}` could not set up {language}"))
            .with_hint("its driver may be unhealthy: see `get_cluster_events`"),
        Ok(_) => {
            let message = format!("cluster `{cluster_id}` did not set up {language} within {LONGEST_SETUP_SECONDS} s");
            Error::failed(message).with_hint("its driver may be overloaded: see `get_cluster_events`")
        }
        Err(error) => error.with_hint("its driver may be unhealthy: see `get_cluster_events`"),
    };
    destroy(&context.client.ahead(), cluster_id, &id).await;
    Err(error)
}

fn id_of(answer: &Value) -> Option<String> {
    answer.get("id").and_then(Value::as_str).map(str::to_owned)
}

/// Whether the context is no more. The exact text is recorded nowhere.
fn is_gone(error: &databricks::Error) -> bool {
    let message = error.message();
    let says = |word: &str| message.contains(word);
    says("ContextNotFound") || (says("ontext") && (says("not found") || says("does not exist") || says("No such")))
}

fn gone(context_id: &str) -> Error {
    let message =
        format!("context `{context_id}` is gone, with its variables: contexts end with their cluster, or when idle");
    Error::failed(message).with_hint("call `run_code` without `context_id` to start a new one")
}
