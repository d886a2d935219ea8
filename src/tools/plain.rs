//! Calls one operation of the API: arguments to their places, the answer shaped.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks::{Arguments, Location, Payload};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::{Argument, OperationTool, Risk, Source};
use crate::error::Error;
use crate::shape;

/// Runs a plain tool with checked arguments.
pub(crate) async fn run(
    context: &Context,
    tool: &'static OperationTool,
    risk: Risk,
    mut arguments: Map<String, Value>,
) -> Result<Value, Error> {
    let fields = fields(tool, &mut arguments);
    let keep: Vec<&str> = match &fields {
        Some(fields) => fields.iter().map(String::as_str).collect(),
        None => tool.result.keep.to_vec(),
    };
    if tool.result.items.is_some() {
        let cursor = cursor(&mut arguments)?;
        let request = request(tool.arguments, arguments).idempotent(risk == Risk::Read);
        return list(context, tool, request, cursor, &keep).await;
    }
    let request = request(tool.arguments, arguments).idempotent(risk == Risk::Read);
    let answer = context.client.execute(tool.operation, request).await;
    let mut value = match answer.map_err(|error| in_words_of_caller(tool, error))? {
        Payload::Empty => json!({}),
        Payload::Json(value) => value,
        Payload::Text { text, .. } => json!({ "text": text }),
        Payload::Binary { media_type, bytes } => json!({ "media_type": media_type, "base64": STANDARD.encode(bytes) }),
    };
    shape::decode(&mut value, tool.result.decode);
    let next = next_page(tool, &value);
    if risk != Risk::Read && tool.is_telling && value.as_object().is_some_and(Map::is_empty) {
        return Err(Error::unclear("the workspace took the request, and its answer is empty"));
    }
    let mut value = accepted(shape::keep(&value, &keep), risk);
    shape::exact(&mut value);
    let cuts = shape::fit(&mut value, context.budget);
    let advice = if tool.result.keep.is_empty() { "ask for less" } else { "name what you need in `fields`" };
    shape::notice(&mut value, cuts, advice);
    if let Some(next) = next {
        shape::put(&mut value, "truncated", true);
        shape::put(&mut value, "next_page_token", next);
        shape::advise(&mut value, "there is more: pass `page_token`");
    }
    Ok(value)
}

/// Names the argument of the tool where the client refuses a parameter of the operation that has another name.
fn in_words_of_caller(tool: &OperationTool, error: databricks::Error) -> Error {
    let named = |argument: &&Argument| Some(argument.wire) == error.refused_parameter();
    let name = tool.arguments.iter().find(named).and_then(|argument| match argument.source {
        Source::Caller { name, .. } if name != argument.wire => Some(name),
        _ => None,
    });
    match name {
        Some(name) => Error::from(error).after(format!("`{name}` cannot be sent")),
        None => error.into(),
    }
}

/// The token for the rest of an object that comes in parts, whatever fields are asked for.
fn next_page(tool: &OperationTool, value: &Value) -> Option<String> {
    let takes_token = |argument: &Argument| matches!(argument.source, Source::Caller { name: "page_token", .. });
    let token = value.get("next_page_token").and_then(Value::as_str).filter(|token| !token.is_empty())?;
    tool.arguments.iter().any(takes_token).then(|| token.to_owned())
}

/// The values of one request. Fixed values and defaults come from the definition.
pub(crate) fn request<'a>(
    definitions: impl IntoIterator<Item = &'a Argument>,
    mut given: Map<String, Value>,
) -> Arguments {
    let mut request = Arguments::new();
    for argument in definitions {
        let value = match argument.source {
            Source::Fixed(text) => Some(json(text)),
            Source::Uuid => Some(Value::String(uuid::Uuid::new_v4().to_string())),
            Source::Caller { name, default, base64 } => {
                let value = given.remove(name).or_else(|| default.map(json));
                match value {
                    Some(Value::String(text)) if base64 => Some(Value::String(STANDARD.encode(text))),
                    value => value,
                }
            }
        };
        if let Some(value) = value {
            request.insert(argument.location, argument.wire, value);
        }
    }
    request
}

/// JSON text of a definition, which the build wrote.
pub(crate) fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_default()
}

fn cursor(arguments: &mut Map<String, Value>) -> Result<Cursor, Error> {
    match arguments.remove("page_token") {
        Some(Value::String(text)) if !text.is_empty() => Cursor::decode(&text).ok_or_else(Error::bad_page_token),
        _ => Ok(Cursor::default()),
    }
}

fn fields(tool: &OperationTool, arguments: &mut Map<String, Value>) -> Option<Vec<String>> {
    if tool.result.keep.is_empty() {
        return None;
    }
    let fields: Vec<String> = match arguments.remove("fields")? {
        Value::Array(fields) => fields.iter().filter_map(Value::as_str).map(str::to_owned).collect(),
        _ => return None,
    };
    (!fields.is_empty()).then_some(fields)
}

async fn list(
    context: &Context,
    tool: &'static OperationTool,
    request: Arguments,
    cursor: Cursor,
    keep: &[&str],
) -> Result<Value, Error> {
    let (items, next) = page(context, tool, request, &cursor).await?;
    let left = items.len().saturating_sub(cursor.skip);
    let shaped = items.into_iter().skip(cursor.skip).map(|mut item| {
        shape::decode(&mut item, tool.result.decode);
        let mut item = shape::keep(&item, keep);
        shape::exact(&mut item);
        item
    });
    let page = shape::page(shaped, context.budget);
    let rest = left - page.taken.min(left);
    let next = if rest > 0 {
        Some(Cursor { skip: cursor.skip + page.taken, ..cursor })
    } else {
        next.map(|page| Cursor { page: Some(page), ..Cursor::default() })
    };
    let mut answer = json!({ "items": page.items, "returned": page.taken, "truncated": next.is_some() });
    if let Some(next) = next {
        let advice = if tool.result.keep.is_empty() { "a narrower filter" } else { "a narrower filter or `fields`" };
        shape::put(&mut answer, "next_page_token", next.encode());
        shape::put(&mut answer, "hint", format!("there is more: pass `page_token`, or use {advice}"));
    }
    shape::notice(&mut answer, page.cuts, "ask for that item alone");
    Ok(answer)
}

/// One page of the API's list, and the API's cursor of the next as text.
pub(crate) async fn page(
    context: &Context,
    tool: &'static OperationTool,
    request: Arguments,
    cursor: &Cursor,
) -> Result<(Vec<Value>, Option<String>), Error> {
    let position = match &cursor.page {
        Some(text) => Some(serde_json::from_str::<databricks::Cursor>(text).map_err(|_| Error::bad_page_token())?),
        None => None,
    };
    if tool.operation.pagination.is_some() {
        let page = context.client.page(tool.operation, request, position.as_ref()).await;
        let page = page.map_err(|error| in_words_of_caller(tool, error))?;
        let next = page.next.map(|next| serde_json::to_string(&next).unwrap_or_default());
        return Ok((page.items, next));
    }
    let answer = context.client.execute(tool.operation, request).await?;
    let Payload::Json(answer) = answer else { return Ok((Vec::new(), None)) };
    let items = tool.result.items.and_then(|items| shape::at(&answer, items));
    Ok((items.and_then(Value::as_array).cloned().unwrap_or_default(), None))
}

/// An operation that answers nothing still tells the caller that the workspace took the request; what follows may take its
/// time.
fn accepted(value: Value, risk: Risk) -> Value {
    match value {
        Value::Object(fields) if fields.is_empty() && risk != Risk::Read => json!({ "accepted": true }),
        Value::Object(fields) => Value::Object(fields),
        other => json!({ "value": other }),
    }
}

/// Where a variable of a URI goes in the operation that reads it.
pub(crate) fn location(operation: &databricks::Operation, wire: &str) -> Location {
    let parameter = operation.parameters.iter().find(|parameter| parameter.name == wire);
    parameter.map_or(Location::Query, |parameter| parameter.location)
}
