//! Resources: what a URI names, read through the same operations as tools, and the lists of what exists.

use databricks::Payload;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::{Argument, Lists, Read, ResourceDefinition, Source};
use crate::error::Error;
use crate::nearest::did_you_mean;
use crate::registry::Registry;
use crate::shape;
use crate::tools::plain;
use crate::uri;

pub(crate) mod notebook;

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

/// What is read of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// MIME type of the text.
    pub mime_type: String,
    /// The text.
    pub text: String,
}

/// A function that makes a resource of the operation's answer.
#[derive(Debug)]
pub struct Reader {
    pub(crate) read: fn(Value) -> Result<Contents, Error>,
}

/// Reads the resource of a URI.
pub async fn read(registry: &Registry, context: &Context, uri: &str) -> Result<Contents, Error> {
    let found = registry.resources().iter().find_map(|resource| Some((resource, uri::matches(resource.uri, uri)?)));
    let Some((resource, variables)) = found else {
        let templates = registry.resources().iter().map(|resource| resource.uri);
        let hint = did_you_mean(uri, templates);
        return Err(Error::unknown_resource(format!("no resource has the URI `{uri}`{hint}")));
    };
    let mut request = plain::request(resource.fixed, Map::new()).idempotent(true);
    for (variable, wire) in resource.variables {
        if let Some((_, value)) = variables.iter().find(|(name, _)| name == variable) {
            request.insert(plain::location(resource.operation, wire), *wire, value.clone());
        }
    }
    let answer = match context.client.execute(resource.operation, request).await? {
        Payload::Json(mut answer) => {
            shape::exact(&mut answer);
            answer
        }
        Payload::Text { media_type, text } => return Ok(Contents { mime_type: media_type, text }),
        Payload::Empty | Payload::Binary { .. } => return Err(Error::failed(format!("`{uri}` has no text"))),
    };
    match resource.read {
        Read::Operation => Ok(Contents { mime_type: mime_type(resource).to_owned(), text: answer.to_string() }),
        Read::Function(reader) => (reader.read)(answer),
    }
}

/// The resources that exist, from a cursor on, and the cursor of the next.
pub async fn list(
    registry: &Registry,
    context: &Context,
    cursor: Option<&str>,
) -> Result<(Vec<Listed>, Option<String>), Error> {
    let mut cursor = match cursor {
        Some(text) => Cursor::decode(text).ok_or_else(Error::bad_cursor)?,
        None => Cursor::default(),
    };
    let lists = registry.lists();
    let mut listed = Vec::new();
    while let Some((tool, of, resource)) = lists.get(cursor.list) {
        let fixed = tool.arguments.iter().filter(|argument| !is_from_caller(argument));
        let request = plain::request(fixed, Map::new()).idempotent(true);
        let next = match plain::page(context, tool, request, &cursor).await {
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
    let next = (cursor.list < lists.len()).then(|| cursor.encode());
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
    let title = lists.title.and_then(field).unwrap_or_else(|| uri.clone());
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
    resource.mime_type.unwrap_or("application/json")
}
