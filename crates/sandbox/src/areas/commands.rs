//! Command execution on clusters (API 1.2): contexts, and commands in Python, SQL, Scala and R.
//!
//! Python follows the rules of `python`, and its names stay with the context; SQL really runs; of Scala and R a few
//! words are known. Derived: the texts of errors and the shape of results, after the SDK's types.

mod languages;
mod results;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use serde_json::{Value, json};

use super::clusters::running_since;
use super::python::Names;
use super::tasks;
use crate::clock::Lapse;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Pending, Route, route, waiting};
use crate::sql::Cancel;
use crate::workspace::{Workspace, lock};

const START: Lapse = Lapse::new(200, 5_000);
const RUN: Lapse = Lapse::new(150, 1_000);
/// So many contexts a cluster has at once, as documented.
const MOST_CONTEXTS: usize = 145;
/// Commands that are remembered.
const KEPT: usize = 500;
/// Bytes of their results, besides the newest one.
const KEPT_BYTES: usize = 64 * 1024 * 1024;
/// Bytes of what names stand for, in all contexts.
const MOST_OF_NAMES: usize = 128 * 1024 * 1024;
const LANGUAGES: [&str; 4] = ["python", "sql", "scala", "r"];

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/1.2/contexts/create", create),
    route("GET", "/api/1.2/contexts/status", context_status),
    route("POST", "/api/1.2/contexts/destroy", destroy),
    waiting("POST", "/api/1.2/commands/execute", execute),
    route("GET", "/api/1.2/commands/status", status),
    route("POST", "/api/1.2/commands/cancel", cancel),
];

#[derive(Debug)]
struct Context {
    cluster: String,
    /// Since when its cluster ran; it is lost with a restart.
    since: i64,
    language: String,
    ready: i64,
    /// Its names, which one command has at a time.
    names: Arc<tokio::sync::Mutex<Names>>,
    /// About how much memory its names take.
    bytes: usize,
    /// When its last command ends; commands of a context run one after the other.
    busy: i64,
}

#[derive(Debug)]
struct Command {
    context: String,
    begins: i64,
    done: i64,
    canceled: bool,
    cancel: Cancel,
    /// Nothing before its code has run.
    results: Option<Value>,
    bytes: usize,
}

#[derive(Debug, Default)]
pub(crate) struct Commands {
    contexts: BTreeMap<String, Context>,
    commands: BTreeMap<String, Command>,
    /// Their ids, oldest first.
    order: VecDeque<String>,
}

impl Commands {
    /// Keeps a command.
    fn keep(&mut self, id: String, command: Command) {
        self.order.push_back(id.clone());
        self.commands.insert(id, command);
        self.forget();
    }

    /// Forgets the oldest commands where there are too many, or their results take too much memory.
    fn forget(&mut self) {
        let mut bytes: usize = self.commands.values().map(|command| command.bytes).sum();
        while self.order.len() > KEPT || (bytes > KEPT_BYTES && self.order.len() > 1) {
            let Some(oldest) = self.order.pop_front() else { break };
            bytes -= self.commands.remove(&oldest).map_or(0, |command| command.bytes);
        }
    }

    /// Keeps what a command gave; says whether the names of its context take too much memory with it.
    fn end(&mut self, id: &str, results: Value, names: usize) -> bool {
        let Some(command) = self.commands.get_mut(id) else { return false };
        command.bytes = results.to_string().len();
        command.results = Some(results);
        let context = command.context.clone();
        self.forget();
        let others = self.contexts.iter().filter(|(known, _)| **known != context);
        let others: usize = others.map(|(_, context)| context.bytes).sum();
        let is_too_much = others + names > MOST_OF_NAMES;
        if let Some(context) = self.contexts.get_mut(&context) {
            context.bytes = if is_too_much { 0 } else { names };
        }
        is_too_much
    }
}

fn refused(status: u16, message: impl Into<String>) -> Outcome {
    Ok(Reply::json(json!({"error": message.into()})).with_status(status))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let cluster = fields.required_text("clusterId")?;
    let language = fields.required_text("language")?;
    if !LANGUAGES.contains(&language) {
        return refused(400, format!("BadRequest: Unsupported language: {language}"));
    }
    let since = match running_since(workspace, cluster) {
        Ok(Some(since)) => since,
        Ok(None) => return refused(400, format!("BadRequest: Cluster {cluster} is not in Running state.")),
        Err(_) => return refused(404, format!("ClusterNotFound: Cluster {cluster} does not exist")),
    };
    let id = workspace.ids.number().to_string();
    let ready = workspace.clock.now() + workspace.clock.lapse(START);
    let mut commands = lock(&workspace.commands);
    // Those of a cluster that was restarted are gone.
    commands.contexts.retain(|_, context| context.cluster != cluster || context.since == since);
    if commands.contexts.values().filter(|context| context.cluster == cluster).count() >= MOST_CONTEXTS {
        return refused(
            400,
            format!("BadRequest: Too many execution contexts are open right now. (Limit set to {MOST_CONTEXTS})"),
        );
    }
    let context = Context {
        cluster: cluster.to_owned(),
        since,
        language: language.to_owned(),
        ready,
        names: Arc::default(),
        bytes: 0,
        busy: ready,
    };
    commands.contexts.insert(id.clone(), context);
    Ok(Reply::json(json!({"id": id})))
}

fn unknown_context(id: &str) -> Outcome {
    refused(404, format!("ContextNotFound: Execution context {id} not found"))
}

/// Whether a context is there, on this cluster, which has not been restarted since.
fn is_alive(workspace: &Workspace, cluster: &str, id: &str) -> bool {
    let since = running_since(workspace, cluster).ok().flatten();
    let commands = lock(&workspace.commands);
    let context = commands.contexts.get(id).filter(|context| context.cluster == cluster);
    context.is_some_and(|context| Some(context.since) == since)
}

fn context_status(workspace: &Workspace, request: &Request) -> Outcome {
    let (cluster, id) = (request.required_query("clusterId")?, request.required_query("contextId")?);
    if !is_alive(workspace, cluster, id) {
        return unknown_context(id);
    }
    match lock(&workspace.commands).contexts.get(id) {
        Some(context) => {
            let status = if workspace.clock.now() >= context.ready { "Running" } else { "Pending" };
            Ok(Reply::json(json!({"id": id, "status": status})))
        }
        None => unknown_context(id),
    }
}

fn destroy(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("contextId")?;
    let mut commands = lock(&workspace.commands);
    match commands.contexts.remove(id) {
        Some(_) => {
            commands.commands.values().filter(|command| command.context == id).for_each(|one| one.cancel.cancel());
            Ok(Reply::json(json!({"id": id})))
        }
        None => unknown_context(id),
    }
}

fn execute(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let fields = request.fields()?;
        let cluster = fields.required_text("clusterId")?;
        let id = fields.required_text("contextId")?.to_owned();
        let source = fields.required_text("command")?.to_owned();
        if !is_alive(&workspace, cluster, &id) {
            return unknown_context(&id);
        }
        let Some((own, names)) = lock(&workspace.commands)
            .contexts
            .get(&id)
            .map(|context| (context.language.clone(), Arc::clone(&context.names)))
        else {
            return unknown_context(&id);
        };
        let language = fields.text("language")?.map_or(own, str::to_owned);
        if !LANGUAGES.contains(&language.as_str()) {
            return refused(400, format!("BadRequest: Unsupported language: {language}"));
        }
        let lasts = workspace.clock.lapse(RUN) + tasks::sleep_in(&source);
        let command = workspace.ids.uuid().replace('-', "");
        let cancel = Cancel::default();
        {
            let mut commands = lock(&workspace.commands);
            let mut begins = workspace.clock.now();
            if let Some(context) = commands.contexts.get_mut(&id) {
                begins = begins.max(context.busy);
                context.busy = begins + lasts;
            }
            let (done, cancel) = (begins + lasts, cancel.clone());
            let kept = Command { context: id, begins, done, canceled: false, cancel, results: None, bytes: 0 };
            commands.keep(command.clone(), kept);
        }
        let run = tokio::spawn(run(Arc::clone(&workspace), command.clone(), names, cancel, language, source));
        // What is done soon is there when the clock says so.
        drop(tokio::time::timeout(workspace.workers.grace(), run).await);
        Ok(Reply::json(json!({"id": command})))
    })
}

/// Runs a command once those before it in its context have run.
async fn run(
    workspace: Arc<Workspace>,
    id: String,
    names: Arc<tokio::sync::Mutex<Names>>,
    cancel: Cancel,
    language: String,
    source: String,
) {
    let mut names = names.lock().await;
    let place = workspace.workers.wait_for_place().await;
    let (worker, before) = (Arc::clone(&workspace), std::mem::take(&mut *names));
    let work = place.work(&cancel, move |cancel| results::of(&worker, &language, &source, before, cancel));
    let results;
    (results, *names) =
        work.await.unwrap_or_else(|_| (results::error("The command could not be run", ""), Names::default()));
    let bytes = names.bytes();
    if lock(&workspace.commands).end(&id, results, bytes) {
        let message = "MemoryError: the variables of all contexts hold too much; those of this context are cleared";
        *names = Names::default();
        lock(&workspace.commands).end(&id, results::error(message, message), 0);
    }
}

fn unknown_command(id: &str) -> Outcome {
    refused(404, format!("CommandNotFound: Command {id} not found"))
}

fn status(workspace: &Workspace, request: &Request) -> Outcome {
    let (context, id) = (request.required_query("contextId")?, request.required_query("commandId")?);
    let cluster = request.required_query("clusterId")?;
    // A command ends with its cluster; that of a context which was ended is still told of.
    let is_known = lock(&workspace.commands).contexts.contains_key(context);
    if is_known && !is_alive(workspace, cluster, context) {
        return unknown_context(context);
    }
    let now = workspace.clock.now();
    let commands = lock(&workspace.commands);
    let Some(command) = commands.commands.get(id).filter(|command| command.context == context) else {
        return unknown_command(id);
    };
    let (status, results) = match () {
        () if command.canceled => ("Cancelled", Value::Null),
        () if now < command.begins => ("Queued", Value::Null),
        () => match &command.results {
            Some(results) if now >= command.done => ("Finished", results.clone()),
            _ => ("Running", Value::Null),
        },
    };
    Ok(Reply::json(json!({"id": id, "status": status, "results": results})))
}

fn cancel(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("commandId")?;
    let now = workspace.clock.now();
    let mut commands = lock(&workspace.commands);
    let Some(command) = commands.commands.get_mut(id) else { return unknown_command(id) };
    command.canceled |= now < command.done || command.results.is_none();
    command.cancel.cancel();
    let (context, canceled) = (command.context.clone(), command.canceled);
    if let Some(context) = commands.contexts.get_mut(&context).filter(|_| canceled) {
        context.busy = now;
    }
    Ok(Reply::json(json!({"id": id})))
}
