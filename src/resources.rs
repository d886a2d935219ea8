//! Resources: what a URI names, read through the same operations as tools, and the lists of what exists.

use std::sync::Arc;

use databricks::{Mask, Payload, Projection, Watch};
use serde_json::{Map, Value};

use crate::audit::End;
use crate::calls::record;
use crate::calls::watch::{CallWatch, Watched};
use crate::context::Context;
use crate::controls;
use crate::cursor::{self, Cursor};
use crate::definition::{Action, Argument, Contents, Lists, Read, ResourceDefinition, Rest, Risk, Source};
use crate::digest::Sha256Hex;
use crate::error::Error;
use crate::nearest::did_you_mean;
use crate::operation;
use crate::registry::{Registry, Tool};
use crate::shape::{self, Budget};
use crate::uri::{self, Address};
use crate::workspaces::Workspaces;

const JSON: &str = "application/json";
/// Resources listed at once.
const PAGE: usize = 100;

/// A resource that exists.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    /// Its URI.
    pub uri: String,
    /// Its name for people.
    pub title: String,
    /// Its template.
    pub name: &'static str,
    /// The MIME type of what is read.
    pub mime_type: &'static str,
}

/// How a resource stands that somebody watches.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Stand {
    /// The SHA-256 of what it is seen to change by.
    pub(crate) digest: String,
    /// Whether nothing more changes.
    pub(crate) is_over: bool,
}

/// Reads the resource of a URI, in the workspace that it names.
pub async fn read(registry: &Registry, workspaces: &Workspaces, uri: &str) -> Result<Contents, Error> {
    let address = Address::parse(uri);
    let size = |contents: &Contents| contents.text.len();
    let work = async |context: &Context| {
        let contents = read_in(registry, context, address.uri).await?;
        let text = context.client.mask().whole(&contents.text).into_owned();
        let contents = Contents { text, ..contents };
        if contents.mime_type == JSON { Ok(contents) } else { within(contents, &address, context.budget) }
    };
    let contents = recorded(registry, workspaces, uri, size, work).await?;
    Ok(Contents { text: controls::stripped(&contents.text).into_owned(), ..contents })
}

/// Sees how a resource stands that can be watched.
pub(crate) async fn look(registry: &Registry, workspaces: &Workspaces, uri: &str) -> Result<Stand, Error> {
    let address = Address::parse(uri);
    let work = async |context: &Context| {
        let (resource, answer) = asked(registry, context, address.uri).await?;
        let (Some(watch), Payload::Json(answer)) = (&resource.watch, answer) else {
            return Err(Error::failed(format!("`{uri}` cannot be watched")));
        };
        let is_last = |(field, values): &(&str, &[&str])| {
            shape::at(&answer, field).and_then(Value::as_str).is_some_and(|value| values.contains(&value))
        };
        let is_over = watch.over.iter().any(is_last);
        let mut digest = Sha256Hex::default();
        digest.add(shape::keep(answer, watch.fields).to_string().as_bytes());
        Ok(Stand { digest: digest.finish(), is_over })
    };
    recorded(registry, workspaces, uri, |_| 0, work).await
}

/// Whether the resource of a URI can be watched.
pub(crate) fn is_watchable(registry: &Registry, workspaces: &Workspaces, uri: &str) -> bool {
    let address = Address::parse(uri);
    let is_known = address.workspace.as_ref().is_none_or(|name| workspaces.get(name).is_some());
    let watched =
        |resource: &ResourceDefinition| resource.watch.is_some() && uri::matches(resource.uri, address.uri).is_some();
    is_known && registry.resources().iter().any(|resource| watched(resource))
}

/// Reads something in the workspace that a URI names, under the policy, and with a record of it.
async fn recorded<T>(
    registry: &Registry,
    workspaces: &Workspaces,
    uri: &str,
    size: impl Fn(&T) -> usize,
    work: impl AsyncFnOnce(&Context) -> Result<T, Error>,
) -> Result<T, Error> {
    let address = Address::parse(uri);
    let context = match &address.workspace {
        None => workspaces.first(),
        Some(name) => workspaces.get(name).ok_or_else(|| {
            let known = || workspaces.iter().map(|(name, _)| name).filter(|name| !name.is_empty());
            let hint = did_you_mean(name, known());
            let known: Vec<_> = known().map(|name| format!("`{name}`")).collect();
            let known = if known.is_empty() { "only one, without a name".to_owned() } else { known.join(", ") };
            Error::unknown_resource(format!("no workspace is named `{name}`{hint}; there is {known}"))
        })?,
    };
    let record = record::of_resource(context, uri).await;
    let _guard = record.guard();
    let policy = context.policy.and(registry.policy());
    let found = registry.resources().iter().find(|resource| uri::matches(resource.uri, address.uri).is_some());
    let watch = Watched {
        record: record.clone(),
        progress: context.progress.clone(),
        policy,
        file: context.policy_file.clone(),
        tool: found.map_or("", |resource| resource.name),
        toolset: found.map_or("", |resource| resource.toolset),
        operation: found.map(|resource| resource.operation.id),
        risk: Risk::Read,
        decided: Risk::Read,
        mask: Mask::default(),
        asking: None,
    };
    let watch = Arc::new(CallWatch::new(watch, &context.client));
    let begun = watch.begin(false);
    let client = context.client.watched(Arc::clone(&watch) as Arc<dyn Watch>);
    let context = &Context { policy, client, record: record.clone(), ..context.clone() };
    let outcome = match begun {
        Ok(()) => work(context).await,
        Err(refused) => Err(refused),
    };
    let outcome = outcome.map_err(|error| match watch.refused_by() {
        Some(rule) => error.refused_by(rule),
        None => error,
    });
    match &outcome {
        Ok(read) => record.end(&End::Answer(size(read))),
        Err(error) => record.end(&End::Error(error)),
    }
    outcome.map_err(|error| match &address.workspace {
        Some(name) => error.in_workspace(name),
        None => error,
    })
}

/// As much of a text as fits, from the offset of its URI on.
fn within(contents: Contents, address: &Address<'_>, budget: Budget) -> Result<Contents, Error> {
    let characters = contents.text.chars().count();
    if address.offset > 0 && address.offset >= characters {
        let message = format!("`{}` has {characters} characters; `offset` is past its end", address.uri);
        return Err(Error::unknown_resource(message));
    }
    let (text, next) = shape::part(&contents.text, address.offset, budget);
    let rest = next.map(|next_offset| {
        let uri = Address { offset: next_offset, ..address.clone() }.to_string();
        Rest { characters, next_offset, uri }
    });
    Ok(Contents { text, rest, ..contents })
}

/// What the workspace answers about a URI, whole where the answer comes in parts.
async fn asked<'r>(
    registry: &'r Registry,
    context: &Context,
    uri: &str,
) -> Result<(&'r ResourceDefinition, Payload), Error> {
    let found = registry.resources().iter().find_map(|resource| Some((resource, uri::matches(resource.uri, uri)?)));
    let Some((resource, variables)) = found else {
        let templates = registry.resources().iter().map(|resource| resource.uri);
        let hint = did_you_mean(uri, templates);
        return Err(Error::unknown_resource(format!("no resource has the URI `{uri}`{hint}")));
    };
    context.record.tell("operation", resource.operation.id);
    let mut request = operation::request(resource.fixed, Map::new())?.idempotent(true);
    for (variable, wire) in resource.variables {
        if let Some((_, value)) = variables.iter().find(|(name, _)| name == variable) {
            request.insert(operation::location(resource.operation, wire), *wire, value.clone());
        }
    }
    let answer = match context.client.execute(resource.operation, request.clone()).await? {
        // A job or run of many tasks comes in parts.
        Payload::Json(answer) if has_more(&answer) => {
            Payload::Json(context.client.whole(resource.operation, request).await?)
        }
        answer => answer,
    };
    Ok((resource, answer))
}

fn has_more(answer: &Value) -> bool {
    answer.get("next_page_token").and_then(Value::as_str).is_some_and(|token| !token.is_empty())
}

async fn read_in(registry: &Registry, context: &Context, uri: &str) -> Result<Contents, Error> {
    let (resource, answer) = asked(registry, context, uri).await?;
    let answer = match answer {
        Payload::Json(mut answer) => {
            shape::exact(&mut answer);
            answer
        }
        Payload::Text { media_type, text } => return Ok(Contents { mime_type: media_type, text, rest: None }),
        Payload::Empty | Payload::Binary { .. } => return Err(Error::failed(format!("`{uri}` has no text"))),
    };
    match resource.read {
        Read::Operation if answer.as_object().is_some_and(Map::is_empty) => {
            Err(Error::failed(format!("the workspace returned nothing for `{uri}`"))
                .with_hint("see whether it exists with the tool that lists such objects"))
        }
        Read::Operation => {
            let mut answer = answer;
            controls::strip(&mut answer);
            let cuts = shape::fit(&mut answer, context.budget);
            shape::notice(&mut answer, cuts, &advice(registry, resource));
            Ok(Contents { mime_type: mime_type(resource).to_owned(), text: answer.to_string(), rest: None })
        }
        Read::Function(reader) => (reader.read)(answer),
    }
}

/// How to get what was cut of a document: by the tool of the same operation.
fn advice(registry: &Registry, resource: &ResourceDefinition) -> String {
    let is_same = |tool: &&Tool| match tool.definition.action {
        Action::Operation(plain) => plain.operation.id == resource.operation.id,
        Action::Composite(_) => false,
    };
    match registry.tools().find(is_same) {
        Some(tool) => format!("to read single fields, use `fields` of `{}`", tool.definition.name),
        None => "a tool can read single fields of it".to_owned(),
    }
}

/// The resources that exist, from a cursor on, and the cursor of the next; one workspace after the other.
pub async fn list(
    registry: &Registry,
    workspaces: &Workspaces,
    cursor: Option<&str>,
) -> Result<(Vec<Listed>, Option<String>), Error> {
    let Some(seal) = &workspaces.first().seal else { return list_from(registry, workspaces, cursor).await };
    let cursor = cursor.map(|cursor| seal.open(cursor).ok_or_else(Error::bad_cursor)).transpose()?;
    let (listed, next) = list_from(registry, workspaces, cursor).await?;
    Ok((listed, next.map(|next| seal.seal(&next))))
}

async fn list_from(
    registry: &Registry,
    workspaces: &Workspaces,
    cursor: Option<&str>,
) -> Result<(Vec<Listed>, Option<String>), Error> {
    let decoded = |text| Cursor::decode(text).ok_or_else(Error::bad_cursor);
    if registry.workspaces().is_empty() {
        let (listed, next) = list_in(registry, workspaces.first(), cursor.map(decoded).transpose()?).await?;
        return Ok((listed, next.map(|next| next.encode())));
    }
    let (mut cursor, from) = match cursor {
        Some(text) => {
            let (cursor, name) = cursor::unbound(text).ok_or_else(Error::bad_cursor)?;
            (Some(decoded(cursor)?), Some(name))
        }
        None => (None, None),
    };
    let is_before = |(name, _): &(&str, &Context)| from.as_ref().is_some_and(|from| from != name);
    let rest: Vec<_> = workspaces.iter().skip_while(is_before).collect();
    let mut rest = rest.into_iter().peekable();
    if rest.peek().is_none() {
        return Err(Error::bad_cursor());
    }
    let (mut failure, is_first) = (None, from.is_none());
    while let Some((name, context)) = rest.next() {
        let is_begun = cursor.as_ref().is_some_and(|cursor| *cursor != Cursor::default());
        let (mut listed, next) = match list_in(registry, context, cursor.take()).await {
            Ok(found) => found,
            // One workspace that cannot be reached does not hide the others; what it has shown in part is asked again.
            Err(error) if is_begun => return Err(error.in_workspace(name)),
            Err(error) => {
                tracing::warn!(workspace = name, "not listed: {error}");
                failure.get_or_insert(error.in_workspace(name));
                (Vec::new(), None)
            }
        };
        for resource in &mut listed {
            resource.title = format!("{} ({name})", resource.title);
            if name != workspaces.first_name() {
                resource.uri = uri::in_workspace(&resource.uri, name);
            }
        }
        let next = match next {
            Some(next) => Some(cursor::bound(&next.encode(), name)),
            None => rest.peek().map(|(name, _)| cursor::bound(&Cursor::default().encode(), name)),
        };
        // An empty page is not worth the client's question for the next.
        if !listed.is_empty() {
            return Ok((listed, next));
        }
        cursor = None;
    }
    match failure {
        Some(error) if is_first => Err(error),
        Some(_) | None => Ok((Vec::new(), None)),
    }
}

async fn list_in(
    registry: &Registry,
    context: &Context,
    cursor: Option<Cursor>,
) -> Result<(Vec<Listed>, Option<Cursor>), Error> {
    let mut cursor = cursor.unwrap_or_default();
    let lists = registry.lists();
    let mut listed = Vec::new();
    while let Some((tool, of, resource)) = lists.get(cursor.list) {
        let fixed = tool.arguments.iter().filter(|argument| !is_from_caller(argument));
        let request = operation::request(fixed, Map::new())?.idempotent(true);
        let next = match operation::page_of(context, tool, request, (&cursor, Projection::whole())).await {
            Ok((items, next)) => {
                listed.extend(items.iter().filter_map(|item| one(of, resource, item)));
                next
            }
            Err(error) if error.api().is_some_and(databricks::Error::is_permission_denied) => {
                tracing::warn!(operation = tool.operation.id, "not listed: {error}");
                None
            }
            Err(error) => return Err(error),
        };
        cursor = match next {
            Some(page) => Cursor { page: Some(page), ..cursor },
            None => Cursor { list: cursor.list + 1, ..Cursor::default() },
        };
        if listed.len() >= PAGE {
            break;
        }
    }
    let next = (cursor.list < lists.len()).then_some(cursor);
    Ok((listed, next))
}

fn is_from_caller(argument: &Argument) -> bool {
    matches!(argument.source, Source::Caller { .. })
}

fn one(lists: &Lists, resource: &'static ResourceDefinition, item: &Value) -> Option<Listed> {
    let field = |path: &str| shape::at(item, path).and_then(text);
    let variables: Vec<_> = lists.bind.iter().filter_map(|(name, path)| Some((*name, field(path)?))).collect();
    let value = |asked: &str| variables.iter().find(|(name, _)| *name == asked).map(|(_, value)| value.as_str());
    let uri = uri::expand(resource.uri, value)?;
    let title = lists.title.and_then(field).map(|title| controls::on_one_line(&title));
    let title = title.unwrap_or_else(|| uri.clone());
    Some(Listed { title, name: resource.name, mime_type: mime_type(resource), uri })
}

fn text(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn mime_type(resource: &ResourceDefinition) -> &'static str {
    resource.mime_type.unwrap_or(JSON)
}
