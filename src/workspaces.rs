//! The workspaces that this server serves: one, or several, of which a call names one.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Map, Value, json};

use crate::caller::Caller;
use crate::context::Context;
use crate::cursor;
use crate::images::Media;
use crate::policy::Policy;
use crate::shape;

/// The argument, and the part of a URI, that names a workspace where there are several.
pub(crate) const ARGUMENT: &str = "workspace";

/// A workspace by its name, and whether this server may change anything there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Access {
    /// Its name: that of its profile.
    pub name: String,
    /// Whether nothing but reading is allowed.
    pub read_only: bool,
}

impl Access {
    /// What calls may do there.
    pub(crate) fn policy(&self) -> Policy {
        Policy { read_only: self.read_only, ..Policy::default() }
    }
}

/// The contexts of all workspaces; cheap to clone.
#[derive(Debug, Clone)]
pub struct Workspaces {
    first: Named,
    others: Vec<Named>,
}

#[derive(Debug, Clone)]
struct Named {
    name: String,
    context: Context,
}

impl From<Context> for Workspaces {
    /// The only workspace, which needs no name.
    fn from(context: Context) -> Self {
        Self { first: Named { name: String::new(), context }, others: Vec::new() }
    }
}

impl Workspaces {
    /// The first workspace, the default where several are added.
    pub fn new(name: impl Into<String>, context: Context) -> Self {
        Self { first: Named { name: name.into(), context }, others: Vec::new() }
    }

    /// One more workspace. What calls start anywhere is undone together.
    #[must_use]
    pub fn and(mut self, name: impl Into<String>, context: Context) -> Self {
        let context = Context { cleanup: self.first.context.cleanup.clone(), ..context };
        self.others.push(Named { name: name.into(), context });
        self
    }

    /// The context of a workspace by its name.
    pub(crate) fn get(&self, name: &str) -> Option<&Context> {
        self.all().find(|workspace| workspace.name == name).map(|workspace| &workspace.context)
    }

    /// The context where none is named.
    pub(crate) fn first(&self) -> &Context {
        &self.first.context
    }

    /// The name of the default.
    pub(crate) fn first_name(&self) -> &str {
        &self.first.name
    }

    /// The contexts in order, with the names.
    pub(crate) fn iter(&self) -> impl Iterator<Item = (&str, &Context)> {
        self.all().map(|workspace| (workspace.name.as_str(), &workspace.context))
    }

    /// The same workspaces, called on behalf of another program.
    pub(crate) fn on_behalf_of(&self, name: &str, version: &str) -> Self {
        let client = Some((Arc::from(name), Arc::from(version)));
        self.each(|context| Context {
            client: context.client.with_upstream(name, version),
            caller: Caller { client: client.clone(), ..context.caller },
            ..context
        })
    }

    /// The same workspaces with changed contexts.
    pub(crate) fn each(&self, change: impl Fn(Context) -> Context) -> Self {
        let change = |Named { name, context }: &Named| Named { name: name.clone(), context: change(context.clone()) };
        Self { first: change(&self.first), others: self.others.iter().map(change).collect() }
    }

    /// The same workspaces, with a place for the pictures of one answer.
    pub(crate) fn with_media(&self, media: &Media) -> Self {
        self.each(|context| Context { media: media.clone(), ..context })
    }

    /// Lets nothing start any more.
    pub(crate) fn close(&self) {
        self.first.context.cleanup.close();
    }

    /// Lets nothing start any more, and undoes within limits what is to be undone.
    pub(crate) async fn finish(&self, limit: Duration) {
        self.first.context.cleanup.finish(limit).await;
    }

    /// Waits until the audit log is written, for as long as somebody reads it.
    pub(crate) fn finish_audit(&self, limit: Duration) {
        if let Some(log) = &self.first.context.audit {
            log.finish(limit);
        }
    }

    fn all(&self) -> impl Iterator<Item = &Named> {
        std::iter::once(&self.first).chain(&self.others)
    }
}

/// Adds the argument to an input schema: one of the open workspaces, and the first of all unless it is closed to
/// this tool.
pub(crate) fn offer(schema: &mut Map<String, Value>, all: &[Access], is_open: impl Fn(&Access) -> bool) {
    let [first, _, ..] = all else { return };
    let names: Vec<_> = all.iter().filter(|access| is_open(access)).map(|access| access.name.as_str()).collect();
    let mut argument = json!({ "type": "string", "enum": names });
    if is_open(first) {
        shape::put(&mut argument, "description", format!("Default: {}.", first.name));
    } else {
        shape::put(&mut argument, "description", "Workspace.");
        if let Some(required) = schema.entry("required").or_insert_with(|| json!([])).as_array_mut() {
            required.push(json!(ARGUMENT));
        }
    }
    if let Some(properties) = schema.get_mut("properties").and_then(Value::as_object_mut) {
        properties.insert(ARGUMENT.to_owned(), argument);
    }
}

/// The name that the arguments give as theirs, or else that of the page they continue.
pub(crate) fn named(arguments: &Map<String, Value>) -> Option<String> {
    match arguments.get(ARGUMENT) {
        Some(Value::String(text)) => Some(text.clone()),
        Some(Value::Number(number)) => Some(number.to_string()),
        Some(_) | None => Some(cursor::unbound(arguments.get("page_token")?.as_str()?)?.1),
    }
}

/// Writes the name into an answer, first of all, and binds its cursor to it: whatever the answer names exists in
/// this workspace only.
pub(crate) fn sign(answer: &mut Value, name: &str) {
    let Some(fields) = answer.as_object_mut() else { return };
    if let Some(Value::String(token)) = fields.get_mut("next_page_token") {
        *token = cursor::bound(token, name);
    }
    if !fields.contains_key(ARGUMENT) {
        fields.shift_insert(0, ARGUMENT.to_owned(), name.into());
    }
}
