//! Command execution on clusters (API 1.2): contexts, and commands in Python and SQL.
//!
//! Python follows the rules of notebooks in `tasks`; SQL really runs. Derived: the texts of errors and the shape of
//! results, after the SDK's types.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::tasks;
use crate::clock::Lapse;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Pending, Route, route, waiting};
use crate::workspace::{Workspace, lock};

const START: Lapse = Lapse::new(200, 5_000);
const RUN: Lapse = Lapse::new(150, 1_000);

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
    ready: i64,
}

#[derive(Debug)]
struct Command {
    context: String,
    done: i64,
    canceled: bool,
    results: Value,
}

#[derive(Debug, Default)]
pub(crate) struct Commands {
    contexts: BTreeMap<String, Context>,
    commands: BTreeMap<String, Command>,
}

fn refused(status: u16, message: impl Into<String>) -> Outcome {
    Ok(Reply::json(json!({"error": message.into()})).with_status(status))
}

fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let cluster = fields.required_text("clusterId")?;
    let language = fields.required_text("language")?;
    if !matches!(language, "python" | "sql" | "scala" | "r") {
        return refused(400, format!("BadRequest: Unsupported language: {language}"));
    }
    if !super::clusters::is_running(workspace, cluster) {
        return refused(400, format!("BadRequest: Cluster {cluster} is not in Running state."));
    }
    let id = workspace.ids.number().to_string();
    let ready = workspace.clock.now() + workspace.clock.lapse(START);
    lock(&workspace.commands).contexts.insert(id.clone(), Context { cluster: cluster.to_owned(), ready });
    Ok(Reply::json(json!({"id": id})))
}

fn unknown_context(id: &str) -> Outcome {
    refused(404, format!("ContextNotFound: Execution context {id} not found"))
}

fn context_status(workspace: &Workspace, request: &Request) -> Outcome {
    let (cluster, id) = (request.required_query("clusterId")?, request.required_query("contextId")?);
    let commands = lock(&workspace.commands);
    match commands.contexts.get(id) {
        Some(context) if context.cluster == cluster => {
            let status = if workspace.clock.now() >= context.ready { "Running" } else { "Pending" };
            Ok(Reply::json(json!({"id": id, "status": status})))
        }
        _ => unknown_context(id),
    }
}

fn destroy(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("contextId")?;
    match lock(&workspace.commands).contexts.remove(id) {
        Some(_) => Ok(Reply::json(json!({"id": id}))),
        None => unknown_context(id),
    }
}

fn execute(workspace: Arc<Workspace>, request: Request) -> Pending {
    Box::pin(async move {
        let fields = request.fields()?;
        let context = fields.required_text("contextId")?.to_owned();
        let language = fields.text("language")?.unwrap_or("python").to_owned();
        let source = fields.required_text("command")?.to_owned();
        if !lock(&workspace.commands).contexts.contains_key(&context) {
            return unknown_context(&context);
        }
        let lasts = workspace.clock.lapse(RUN) + tasks::sleep_in(&source);
        let worker = Arc::clone(&workspace);
        let run = tokio::task::spawn_blocking(move || results(&worker, &language, &source));
        let results = run.await.unwrap_or_else(|_| error("The command could not be run", ""));
        let id = workspace.ids.uuid().replace('-', "");
        let done = workspace.clock.now() + lasts;
        lock(&workspace.commands).commands.insert(id.clone(), Command { context, done, canceled: false, results });
        Ok(Reply::json(json!({"id": id})))
    })
}

fn error(summary: &str, cause: &str) -> Value {
    json!({"resultType": "error", "summary": format!("<span class=\"ansi-red-fg\">{}</span>", summary.replace('<', "&lt;")), "cause": cause})
}

fn results(workspace: &Workspace, language: &str, source: &str) -> Value {
    match language {
        "python" => {
            let done = tasks::run_python(workspace, source);
            match (done.error, done.trace) {
                (Some(summary), trace) => error(&summary, &trace.unwrap_or_default()),
                (None, _) => json!({"resultType": "text", "data": done.logs.unwrap_or_default().trim_end()}),
            }
        }
        "sql" => match tasks::run_statements(workspace, source) {
            Ok(Some(table)) if !table.columns.is_empty() => {
                let schema: Vec<_> = table
                    .columns
                    .iter()
                    .map(|column| json!({"name": column.name, "type": format!("\"{}\"", column.kind.catalog_text()), "metadata": "{}"}))
                    .collect();
                json!({"resultType": "table", "schema": schema, "data": table.rows, "truncated": table.truncated, "isJsonSchema": true})
            }
            Ok(_) => json!({"resultType": "text", "data": ""}),
            Err(failure) => error(failure.message.trim(), failure.message.trim()),
        },
        language => error(&format!("The sandbox does not run {language}"), ""),
    }
}

fn status(workspace: &Workspace, request: &Request) -> Outcome {
    let (context, id) = (request.required_query("contextId")?, request.required_query("commandId")?);
    let commands = lock(&workspace.commands);
    match commands.commands.get(id) {
        Some(command) if command.context == context => Ok(Reply::json(if command.canceled {
            json!({"id": id, "status": "Cancelled", "results": null})
        } else if workspace.clock.now() < command.done {
            json!({"id": id, "status": "Running", "results": null})
        } else {
            json!({"id": id, "status": "Finished", "results": command.results})
        })),
        _ => refused(404, format!("CommandNotFound: Command {id} not found")),
    }
}

fn cancel(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let id = fields.required_text("commandId")?;
    let now = workspace.clock.now();
    match lock(&workspace.commands).commands.get_mut(id) {
        Some(command) => {
            command.canceled |= now < command.done;
            Ok(Reply::json(json!({"id": id})))
        }
        None => refused(404, format!("CommandNotFound: Command {id} not found")),
    }
}
