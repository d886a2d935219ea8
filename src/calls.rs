//! One call of a tool, from raw arguments to the answer.

mod advice;
mod hashed;
mod names;
mod outcome;
mod reach;
pub(crate) mod record;
pub(crate) mod secrets;
pub(crate) mod watch;

use std::sync::Arc;
use std::time::{Duration, Instant};

use databricks::{Deadline, Mask, Scope, Watch};
use serde_json::{Map, Value};

use reach::Reach;
use watch::asks::Asking;
use watch::{CallWatch, Watched};

use crate::arguments::{self, Rules};
use crate::audit::End;
use crate::cache::Forgetting;
use crate::context::Context;
use crate::controls;
use crate::cursor;
use crate::definition::{Action, Risk};
use crate::domain::wait::Timeout;
use crate::error::Error;
use crate::handover::Stage;
use crate::operation;
use crate::policy::Policy;
use crate::quoting;
use crate::registry::{LiveRegistry, Registry, Tool};
use crate::shape;
use crate::workspaces::{self, Access, Workspaces};

/// What an answer says that the sandbox made up.
const MADE_UP: &str =
    "the sandbox has no state of this kind: it made up this answer from the API's schema, and stored nothing";
/// How long the requests of a call may take that does not wait for work: less than common clients wait.
const USUAL_TIME: Duration = Duration::from_secs(45);
/// How much longer than its wait the requests of a call may take: those before the wait, and those that fetch the result.
const MARGIN: Duration = Duration::from_secs(8);
/// Even a call that does not wait for its work has this long to start it.
const LEAST_TIME: Duration = Duration::from_secs(12);

/// Checks the arguments, runs the tool in the workspace that they name, and adds to an error what the caller can do
/// about it. Nothing in the answer hides a part of it.
pub async fn call(
    live: &Arc<LiveRegistry>,
    workspaces: &Workspaces,
    name: &str,
    arguments: Map<String, Value>,
) -> Result<Value, Error> {
    let registries = Registries { registry: live.current(), live: Arc::clone(live) };
    let record = record::of_tool(&registries.registry, workspaces, name, &arguments).await;
    let _guard = record.guard();
    let workspaces = &workspaces.each(|context| Context { record: record.clone(), ..context });
    let consent = &workspaces.first().consent;
    if let Some(word) = workspaces.first().handover.stage.word() {
        record.tell("task", word);
    }
    if let Some(word) = consent.answer().word() {
        record.tell("confirmation", word);
    }
    let outcome = match consent.check() {
        Ok(()) => answer(&registries, workspaces, name, arguments).await,
        Err(error) => Err(error),
    };
    let outcome = outcome.map(|mut answer| {
        let left_out = controls::strip(&mut answer);
        if left_out > 0 {
            shape::advise(&mut answer, &format!("{left_out} control characters, which can hide text, were removed"));
        }
        answer
    });
    match &outcome {
        Ok(answer) if record.log().is_some() => record.end(&End::Answer(answer.to_string().len())),
        Ok(_) => {}
        Err(error) if error.asks().is_some() => {
            record.tell("confirmation", "asked");
            record.end(&End::Asked);
        }
        Err(error) => record.end(&End::Error(error)),
    }
    outcome
}

/// The registry as it is when a call begins, and what the call may make of it.
#[derive(Debug, Clone)]
struct Registries {
    registry: Arc<Registry>,
    live: Arc<LiveRegistry>,
}

async fn answer(
    registries: &Registries,
    workspaces: &Workspaces,
    name: &str,
    arguments: Map<String, Value>,
) -> Result<Value, Error> {
    let tool = registries.registry.tool(name).map_err(|error| error.refused_by("not enabled"))?;
    let mask = secrets::mask(tool.definition, &arguments);
    let answer = in_workspace(registries, workspaces, tool, arguments, &mask).await;
    answer.map_err(|error| error.masked(&mask))
}

async fn in_workspace(
    registries: &Registries,
    workspaces: &Workspaces,
    tool: &Tool,
    mut arguments: Map<String, Value>,
    mask: &Mask,
) -> Result<Value, Error> {
    let registry = &registries.registry;
    if registry.workspaces().is_empty() {
        let arguments = admitted(workspaces, tool, arguments)?;
        return Box::pin(run(registries, workspaces.first(), tool, arguments, mask)).await;
    }
    let asked = workspaces::named(&arguments);
    let Some(access) = registry.workspace(tool, asked.as_deref())? else {
        checked(tool, arguments)?;
        // The arguments name no unknown workspace, so the page does.
        return Err(Error::bad_page_token());
    };
    if asked.is_some() {
        arguments.insert(workspaces::ARGUMENT.to_owned(), access.name.clone().into());
    }
    let mut arguments = admitted(workspaces, tool, arguments)?;
    arguments.remove(workspaces::ARGUMENT);
    let answer = match (workspaces.get(&access.name), own_cursor(access, &mut arguments)) {
        (Some(context), Ok(())) => {
            let policy = context.policy.and(access.policy());
            Box::pin(run(registries, &Context { policy, ..context.clone() }, tool, arguments, mask)).await
        }
        (_, Err(error)) => Err(error),
        (None, _) => Err(Error::failed("this server has no access to the workspace")),
    };
    match answer {
        Ok(mut answer) => {
            workspaces::sign(&mut answer, &access.name);
            Ok(answer)
        }
        Err(error) => Err(error.in_workspace(&access.name)),
    }
}

/// The arguments of a call. The handle of work is this server's own, and has its fields instead.
fn admitted(workspaces: &Workspaces, tool: &Tool, arguments: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    if workspaces.first().handover.stage == Stage::Call { checked(tool, arguments) } else { Ok(arguments) }
}

fn checked(tool: &Tool, arguments: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    let elsewhere = match tool.definition.action {
        Action::Operation(plain) => plain.elsewhere.map(|other| (plain.operation.parameters, other)),
        Action::Composite(_) => None,
    };
    let rules = Rules {
        tool: tool.definition.name,
        aliases: tool.definition.argument_aliases,
        one_of: tool.definition.one_of(),
        only_reads: tool.definition.risk == Risk::Read,
        elsewhere,
    };
    let mut checked = arguments::check(&tool.input_schema, rules, arguments)
        .map_err(|faults| Error::arguments(tool.definition.name, faults, tool.example()))?;
    quoting::unquote(&mut checked);
    Ok(checked)
}

/// The cursor as the tool knows it: without the workspace, which has to be this one.
fn own_cursor(access: &Access, arguments: &mut Map<String, Value>) -> Result<(), Error> {
    let Some(Value::String(token)) = arguments.get_mut("page_token") else { return Ok(()) };
    if token.is_empty() {
        return Ok(());
    }
    let (cursor, name) = cursor::unbound(token).ok_or_else(Error::bad_page_token)?;
    if name != access.name {
        let message = format!("`page_token` belongs to workspace `{name}`, but the call is for `{}`", access.name);
        return Err(Error::failed(message).with_hint(
            "pass `page_token` with the `workspace` of the answer that it \
                                                     came from",
        ));
    }
    *token = cursor.to_owned();
    Ok(())
}

/// The arguments with the cursor as the tool knows it: one that another caller was given is none.
fn unsealed(context: &Context, tool: &Tool, mut arguments: Map<String, Value>) -> Result<Map<String, Value>, Error> {
    if let Some(seal) = &context.seal
        && advice::takes(tool, "page_token")
        && let Some(Value::String(token)) = arguments.get_mut("page_token")
        && !token.is_empty()
    {
        *token = seal.open(token).ok_or_else(Error::bad_page_token)?.to_owned();
    }
    Ok(arguments)
}

/// The answer with a cursor that nobody else can use. What an executor calls has sealed its own.
fn sealed(context: &Context, tool: &Tool, mut answer: Value) -> Value {
    if let Some(seal) = &context.seal
        && tool.definition.toolset != record::EXECUTORS
        && let Some(Value::String(token)) = answer.get_mut("next_page_token")
        && !token.is_empty()
    {
        *token = seal.seal(token);
    }
    answer
}

/// What a call of this tool may do at the most, and why it is more than reading, where that shows by its arguments.
pub(crate) async fn risk(tool: &Tool, policy: Policy, arguments: Map<String, Value>) -> (Risk, Option<Error>) {
    let Action::Composite(composite) = tool.definition.action else { return (tool.risk, None) };
    let Some(guard) = composite.guard.filter(|_| tool.definition.guards_itself()) else { return (tool.risk, None) };
    // What is wrong with the arguments is answered by the call.
    let Ok(mut arguments) = checked(tool, arguments) else { return (Risk::Read, None) };
    arguments.remove(workspaces::ARGUMENT);
    match guard(policy, arguments).await {
        Ok(()) => (Risk::Read, None),
        Err(error) => (tool.risk, Some(error)),
    }
}

/// What a call of a tool that guards itself does at the least: it may do no more than read, unless it writes a file of this
/// machine, of which no request tells.
fn least_risk(arguments: &Map<String, Value>) -> Risk {
    let saves = arguments.get("save_to").and_then(Value::as_str).is_some_and(|path| !path.is_empty());
    match (saves, arguments.get("overwrite").and_then(Value::as_bool).unwrap_or_default()) {
        (false, _) => Risk::Read,
        (true, false) => Risk::Write,
        (true, true) => Risk::Destructive,
    }
}

/// How long the requests of a call may take in all.
fn time(tool: &Tool, arguments: &Map<String, Value>) -> Duration {
    const ARGUMENT: &str = "timeout_seconds";
    match tool.definition.action {
        Action::Composite(_) if advice::takes(tool, ARGUMENT) => {
            let given = arguments.get(ARGUMENT).and_then(Value::as_u64);
            let wait = Duration::from_secs(given.unwrap_or_else(|| Timeout::default().seconds()));
            wait.saturating_add(MARGIN).max(LEAST_TIME)
        }
        Action::Composite(_) | Action::Operation(_) => USUAL_TIME,
    }
}

/// The arguments without long texts, for what is said of an error: names and ids are short.
fn brief(arguments: &Map<String, Value>) -> Map<String, Value> {
    const LONGEST: usize = 4 << 10;
    let is_brief = |value: &Value| value.as_str().is_none_or(|text| text.len() <= LONGEST);
    arguments.iter().filter(|(_, value)| is_brief(value)).map(|(name, value)| (name.clone(), value.clone())).collect()
}

async fn run(
    registries: &Registries,
    context: &Context,
    tool: &Tool,
    arguments: Map<String, Value>,
    mask: &Mask,
) -> Result<Value, Error> {
    let registry = &registries.registry;
    let definition = tool.definition;
    let arguments = unsealed(context, tool, arguments)?;
    let given = brief(&arguments);
    let began = Instant::now();
    let context = context.within(time(tool, &arguments));
    context.handover.limit(&arguments);
    let policy = context.policy.and(registry.policy());
    let calls_others = definition.toolset == record::EXECUTORS;
    let watch = Watched {
        record: context.record.clone(),
        progress: context.progress.clone(),
        policy,
        file: context.policy_file.clone(),
        tool: definition.name,
        toolset: definition.toolset,
        operation: match definition.action {
            Action::Operation(plain) => Some(plain.operation.id),
            Action::Composite(_) => None,
        },
        risk: tool.risk,
        // What one call of such a tool does is seen at its requests.
        decided: if definition.guards_itself() { least_risk(&arguments) } else { tool.risk },
        mask: mask.clone(),
        asking: (tool.risk != Risk::Read).then(|| Asking {
            consent: context.consent.clone(),
            definition,
            risk: Asking::risk(definition, tool.risk, &given, advice::takes(tool, "overwrite")),
            given: given.clone(),
            too_long: arguments.keys().filter(|name| !given.contains_key(*name)).cloned().collect(),
        }),
    };
    let watch = Arc::new(CallWatch::new(watch, &context.client));
    watch.begin(calls_others)?;
    let changes = tool.risk != Risk::Read && context.handover.stage != Stage::Look;
    if changes && !calls_others && !policy.dry_run {
        context.record.intend()?;
    }
    let local =
        if policy.dry_run && tool.risk != Risk::Read { context.local.only_read() } else { context.local.clone() };
    let context = Context { policy, local, ..context };
    // Each call that an executor makes has a watch of its own.
    let directory = Reach { registries: registries.clone(), context: context.clone() };
    let client = context.client.watched(Arc::clone(&watch) as Arc<dyn Watch>);
    let context = &Context { client, ..context };
    let _forgetting = (tool.risk != Risk::Read && !policy.dry_run).then(|| {
        let operations = definition.uses.iter().map(|operation| operation.id).collect();
        Forgetting { cache: &context.cache, operations }
    });
    let answer = match definition.action {
        Action::Operation(plain) => Box::pin(operation::run(context, plain, definition.risk, arguments)).await,
        Action::Composite(composite) => {
            let scope = Scope { holder: definition.name, operations: definition.uses };
            let context =
                Context { client: context.client.within(scope), directory: Arc::new(directory), ..context.clone() };
            composite.answer(context, arguments).await
        }
    };
    let held = watch.held();
    if !held.is_empty() {
        let mut answer = watch::would_send(held, matches!(definition.action, Action::Composite(_)));
        context.client.mask().json(&mut answer);
        let cuts = shape::fit(&mut answer, context.budget);
        shape::notice(&mut answer, cuts, "the rest would be sent as given");
        return Ok(answer);
    }
    if let Some(unconfirmed) = watch.unconfirmed() {
        return Err(unconfirmed.masked(&mask.clone().and(&context.client.mask())));
    }
    let answer = match (answer, watch.refused_by()) {
        (Err(error), Some(rule)) => Err(error.refused_by(rule)),
        (answer, _) => answer,
    };
    let answer = match answer {
        Err(error) => Err(outcome::explain(&context.unlimited(), tool, &given, began, error).await),
        answer => answer,
    };
    // Only now, as the call may have got a new token.
    let mask = mask.clone().and(&context.client.mask());
    // What an executor calls has its advice already.
    let answer =
        answer.map_err(|error| if calls_others { error } else { advice::advise(registry, tool, &given, error) });
    match answer {
        Ok(mut answer) => {
            let repairs = context.client.deadline().map(Deadline::repairs).unwrap_or_default();
            if !repairs.is_empty() {
                let text = "parts of the workspace's answer were not valid JSON and were replaced: ";
                shape::advise(&mut answer, &format!("{text}{}", repairs.join(", ")));
            }
            if context.client.deadline().is_some_and(Deadline::is_made_up) {
                shape::put(&mut answer, "sandbox", MADE_UP);
            }
            for name in ["hint", "next_step"] {
                let text = answer.get(name).and_then(Value::as_str).unwrap_or_default();
                if let Some(note) = registry.lacks(text) {
                    let text = format!("{text}; {note}");
                    shape::put(&mut answer, name, text);
                }
            }
            // Before anything is cut, as a part of a secret is not recognized.
            mask.json(&mut answer);
            // Tools cut their answers where they know best. Whatever they did not think of ends here.
            let cuts = shape::fit_around_page(&mut answer, context.budget);
            shape::notice(&mut answer, cuts, "ask for less");
            Ok(sealed(context, tool, answer))
        }
        Err(error) => Err(match registry.lacks(error.hint().unwrap_or_default()) {
            Some(note) => error.with_note(&note),
            None => error,
        }
        .masked(&mask)),
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use serde_json::{Map, json};

    use super::{USUAL_TIME, time};
    use crate::registry::{Registry, Selection};

    #[test]
    fn a_call_has_the_time_that_it_asks_for_and_some_to_spare() {
        let registry = Registry::new(&Selection::default()).expect("a registry");
        let seconds = |name: &str, timeout: Option<u64>| {
            let arguments = timeout.map(|timeout| ("timeout_seconds".to_owned(), json!(timeout)));
            time(registry.tool(name).expect("a tool"), &Map::from_iter(arguments)).as_secs()
        };
        assert_eq!(seconds("list_jobs", None), USUAL_TIME.as_secs());
        // Common clients wait for a minute.
        assert_eq!(seconds("execute_sql", None), 53);
        assert_eq!(seconds("execute_sql", Some(600)), 608);
        assert_eq!(Duration::from_secs(seconds("execute_sql", Some(0))), super::LEAST_TIME);
    }
}
