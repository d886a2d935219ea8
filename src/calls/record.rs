//! What the audit log says about a call: who called what, and with which arguments.

use std::time::Duration;

use databricks::Request;
use databricks::requests::iam::current_user::Me;
use serde_json::{Map, Value, json};

use super::hashed::hashed;
use super::secrets;
use crate::audit::{AuditLog, Record};
use crate::context::Context;
use crate::definition::{Action, ToolDefinition};
use crate::registry::{self, Registry};
use crate::risk::Risk;
use crate::workspaces::{self, Workspaces};

/// How long a call waits to learn which identity it is made with.
const IDENTITY_TIME: Duration = Duration::from_secs(5);
/// Characters of a name that nothing has.
const LONGEST_NAME: usize = 200;
/// The toolset whose tools call others.
pub(super) const EXECUTORS: &str = "reach";

/// Begins the record of a call of a tool, enabled or not.
pub(super) async fn of_tool(
    registry: &Registry,
    workspaces: &Workspaces,
    name: &str,
    arguments: &Map<String, Value>,
) -> Record {
    let named = workspaces::named(arguments);
    let context = named.and_then(|name| workspaces.get(&name)).unwrap_or_else(|| workspaces.first());
    let Some(log) = &context.audit else { return Record::default() };
    let mut fields = of_caller(context).await;
    let known = registry.tool(name).map(|tool| tool.definition).or_else(|_| registry::definition(name)).ok();
    let called = known.map(|known| called(known, arguments));
    let shown = known.map_or_else(|| name.chars().take(LONGEST_NAME).collect(), |known| known.name.to_owned());
    fields.insert("tool".to_owned(), shown.into());
    fields.insert("operation".to_owned(), json!(called.and_then(operation)));
    fields.insert("risk".to_owned(), json!(called.map(|called| called.risk.name())));
    let mut written = hashed(known, arguments, &|value| log.hash(value));
    // A secret may stand in other arguments as well, such as a statement.
    let mask = called.map(|called| secrets::mask(called, arguments)).unwrap_or_default();
    mask.and(&context.client.mask()).json(&mut written);
    fields.insert("arguments".to_owned(), written);
    with_rule(fields, context, log)
}

/// Begins the record of reading a resource.
pub(crate) async fn of_resource(context: &Context, uri: &str) -> Record {
    let Some(log) = &context.audit else { return Record::default() };
    let mut fields = of_caller(context).await;
    fields.insert("tool".to_owned(), Value::Null);
    fields.insert("resource".to_owned(), uri.chars().take(LONGEST_NAME).collect::<String>().into());
    fields.insert("operation".to_owned(), Value::Null);
    fields.insert("risk".to_owned(), Risk::Read.name().into());
    fields.insert("arguments".to_owned(), json!({}));
    with_rule(fields, context, log)
}

/// Begins the record of a list that completions are taken from.
pub(crate) async fn of_completion(context: &Context, kind: &str, given: &Map<String, Value>) -> Record {
    let Some(log) = &context.audit else { return Record::default() };
    let mut fields = of_caller(context).await;
    fields.insert("tool".to_owned(), Value::Null);
    fields.insert("completion".to_owned(), kind.into());
    fields.insert("operation".to_owned(), Value::Null);
    fields.insert("risk".to_owned(), Risk::Read.name().into());
    fields.insert("arguments".to_owned(), Value::Object(given.clone()));
    with_rule(fields, context, log)
}

fn with_rule(mut fields: Map<String, Value>, context: &Context, log: &AuditLog) -> Record {
    fields.insert("decision".to_owned(), "allowed".into());
    fields.insert("rule".to_owned(), Value::Null);
    if context.policy.dry_run {
        fields.insert("dry_run".to_owned(), true.into());
    }
    Record::open(log, fields)
}

async fn of_caller(context: &Context) -> Map<String, Value> {
    let caller = &context.caller;
    let principal = match &caller.principal {
        Some(principal) => Some(principal.to_string()),
        None => identity(context).await,
    };
    let client = caller.client.as_ref().map(|(name, version)| json!({ "name": **name, "version": **version }));
    let mut fields = Map::new();
    fields.insert("principal".to_owned(), json!(principal));
    fields.insert("client".to_owned(), json!(client));
    fields.insert("session".to_owned(), json!(caller.session.as_deref()));
    fields.insert("workspace".to_owned(), context.client.host().into());
    fields
}

/// The identity that this server calls the workspace with. It is asked for once; where the workspace does not tell it,
/// the next call asks again.
async fn identity(context: &Context) -> Option<String> {
    let ask = async || {
        let me = context.within(IDENTITY_TIME).client.send(Me::new().with_retry_budget(Duration::ZERO)).await.ok()?;
        Some(me.get("userName")?.as_str()?.to_owned())
    };
    context.identity.get_or_try_init(async || ask().await.ok_or(())).await.ok().cloned()
}

/// What a call is about: the tool, or what an executor is to call.
pub(super) fn called(tool: &'static ToolDefinition, arguments: &Map<String, Value>) -> &'static ToolDefinition {
    let named = || registry::any(arguments.get("operation")?.as_str()?);
    if tool.toolset == EXECUTORS { named().unwrap_or(tool) } else { tool }
}

fn operation(called: &'static ToolDefinition) -> Option<&'static str> {
    match called.action {
        Action::Operation(plain) => Some(plain.operation.id),
        Action::Composite(_) => (called.toolset != EXECUTORS).then_some(called.name),
    }
}
