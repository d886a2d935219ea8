//! Calls one operation of the API: arguments to their places, the answer shaped.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use databricks::{Arguments, Location, Payload, Projection};
use serde_json::{Map, Value, json};

use crate::arguments::time;
use crate::context::Context;
use crate::cursor::Cursor;
use crate::definition::{Argument, Encoding, Filter, OperationTool, Risk, Source};
use crate::domain::files::path;
use crate::domain::listing::gather;
use crate::error::Error;
use crate::nearest::shortened;
use crate::shape::{self, Fields};

/// The token for the rest of an object that comes in parts.
const NEXT: &str = "next_page_token";
/// What the names of times end in that the API takes as milliseconds since 1970.
const TIME: &str = "_time_ms";
/// So many fields are named that an answer lacks.
const MOST_SHOWN: usize = 3;

/// Runs a plain tool with checked arguments.
pub(crate) async fn run(
    context: &Context,
    tool: &'static OperationTool,
    risk: Risk,
    mut arguments: Map<String, Value>,
) -> Result<Value, Error> {
    let mut fields = fields(tool, &mut arguments)?;
    if tool.result.items.is_some() {
        return list(context, tool, risk, arguments, fields).await;
    }
    let request = request(tool.arguments, arguments)?.idempotent(risk == Risk::Read);
    let besides = tool.told.iter().chain(tool.result.decode).copied().chain([NEXT]);
    let answer = context.client.execute_reading(tool.operation, request, &fields.reading(besides)).await;
    let mut value = match answer.map_err(|error| in_words_of_caller(tool, error))? {
        Payload::Empty => json!({}),
        Payload::Json(value) => value,
        Payload::Text { text, .. } => json!({ "text": text }),
        Payload::Binary { media_type, bytes } => json!({ "media_type": media_type, "base64": STANDARD.encode(bytes) }),
    };
    shape::decode(&mut value, tool.result.decode);
    let next = next_page(tool, &value);
    if lacks_all(tool, &value) {
        let fields =
            tool.told.iter().take(MOST_SHOWN).map(|field| format!("`{field}`")).collect::<Vec<_>>().join(" and ");
        return Err(Error::unclear(format!("the workspace accepted the request, but its answer lacks {fields}")));
    }
    let mut value = accepted(fields.of(value), risk);
    let cuts = shape::fit(&mut value, context.budget);
    let advice = if tool.result.keep.is_empty() { "ask for less" } else { "name the fields that you need in `fields`" };
    shape::notice(&mut value, cuts, advice);
    if let Some(unknown) = fields.unknown() {
        shape::advise(&mut value, &unknown);
    }
    if let Some(next) = next {
        shape::put(&mut value, "truncated", true);
        shape::put(&mut value, NEXT, next);
        shape::advise(&mut value, "there is more: pass `page_token`");
    }
    Ok(value)
}

/// Whether an answer holds nothing of what it is asked for.
fn lacks_all(tool: &OperationTool, value: &Value) -> bool {
    let is_there = |field: &&str| value.get(*field).is_some_and(|value| !value.is_null());
    value.is_object() && !tool.told.is_empty() && !tool.told.iter().any(is_there)
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
    let token = value.get(NEXT).and_then(Value::as_str).filter(|token| !token.is_empty())?;
    tool.arguments.iter().any(takes_token).then(|| token.to_owned())
}

/// The values of one request. Fixed values and defaults come from the definition.
pub(crate) fn request<'a>(
    definitions: impl IntoIterator<Item = &'a Argument>,
    mut given: Map<String, Value>,
) -> Result<Arguments, Error> {
    let mut request = Arguments::new();
    for argument in definitions {
        let value = match argument.source {
            Source::Fixed(text) => Some(json(text)),
            Source::Uuid => Some(Value::String(uuid::Uuid::new_v4().to_string())),
            Source::Caller { name, default, encoding, .. } => match given.remove(name).or_else(|| default.map(json)) {
                Some(Value::String(text)) => Some(encoded(text, encoding)?),
                // What a body holds may be the caller's own, such as the parameters of a job.
                Some(mut value) if argument.location == Location::Query => {
                    read_times(&mut value)?;
                    Some(value)
                }
                value => value,
            },
        };
        if let Some(value) = value {
            request.insert(argument.location, argument.wire, value);
        }
    }
    Ok(request)
}

/// A text of the caller as the API takes it.
fn encoded(text: String, encoding: Encoding) -> Result<Value, Error> {
    match encoding {
        Encoding::Plain => Ok(text.into()),
        Encoding::Base64 => Ok(STANDARD.encode(text).into()),
        Encoding::Path => Ok(path::absolute(&text)?.into()),
        Encoding::DbfsPath => Ok(path::absolute(text.strip_prefix("dbfs:").unwrap_or(&text))?.into()),
        Encoding::Time => Ok(milliseconds(&text)?.into()),
    }
}

fn milliseconds(text: &str) -> Result<i64, Error> {
    time::read(text).map(|time| time.as_millisecond()).ok_or_else(|| {
        Error::failed(format!("`{}` is not a time", shortened(text))).with_hint("give e.g. `2026-01-31T06:00:00Z`")
    })
}

/// Times within a filter as the API takes them: `start_time_ms` may be given as any other time.
fn read_times(value: &mut Value) -> Result<(), Error> {
    match value {
        Value::Array(items) => items.iter_mut().try_for_each(read_times),
        Value::Object(fields) => fields.iter_mut().try_for_each(|(name, field)| {
            if let Value::String(text) = field {
                if name.ends_with(TIME) {
                    *field = milliseconds(text)?.into();
                }
                return Ok(());
            }
            read_times(field)
        }),
        _ => Ok(()),
    }
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

/// The fields that are shown.
fn fields(tool: &OperationTool, arguments: &mut Map<String, Value>) -> Result<Fields, Error> {
    let named = match arguments.remove("fields") {
        Some(Value::Array(fields)) if !tool.result.keep.is_empty() => fields,
        _ => Vec::new(),
    };
    Fields::new(tool.result.keep, named.iter().filter_map(Value::as_str).map(str::to_owned).collect())
}

/// A list, its pages joined up to the limit and the budget.
async fn list(
    context: &Context,
    tool: &'static OperationTool,
    risk: Risk,
    mut arguments: Map<String, Value>,
    mut fields: Fields,
) -> Result<Value, Error> {
    let cursor = cursor(&mut arguments)?;
    let limit = tool.limit.as_ref().map(|limit| {
        let given = arguments.remove(limit.name);
        (limit, given.and_then(|given| given.as_u64()).unwrap_or(limit.default))
    });
    let is_on = |filter: &&Filter| arguments.get(filter.name).and_then(Value::as_bool).unwrap_or_default();
    let filters: Vec<&Filter> = tool.filters.iter().filter(is_on).collect();
    let mut request = request(tool.arguments, arguments)?.idempotent(risk == Risk::Read);
    if let Some((limit, wanted)) = limit {
        // Of what is filtered here, more has to be read than is shown.
        let page_size = if filters.is_empty() { wanted.min(limit.page_size) } else { limit.page_size };
        request.insert(limit.location, limit.wire, page_size);
    }
    let as_of = Mutex::new(None);
    let looked_at = tool.filters.iter().map(|filter| filter.field).chain(tool.result.decode.iter().copied());
    // What is kept is whole, so that it does for calls with other fields.
    let reading = if tool.cache.is_some() { Projection::whole() } else { fields.reading(looked_at) };
    let read = |page: Option<String>| {
        let (request, cursor) = (request.clone(), Cursor { page, ..Cursor::default() });
        let (as_of, reading) = (&as_of, reading.clone());
        async move {
            match tool.cache {
                Some(time_to_live) => {
                    kept_page_of(context, tool, request, (&cursor, reading), time_to_live, as_of).await
                }
                None => page_of(context, tool, request, (&cursor, reading)).await,
            }
        }
    };
    let show = |mut item: Value| {
        if !filters.iter().all(|filter| keeps(filter, &item)) {
            return None;
        }
        shape::decode(&mut item, tool.result.decode);
        Some(fields.of(item))
    };
    let limit = limit.map(|(_, wanted)| usize::try_from(wanted).unwrap_or(usize::MAX));
    let gathered = gather(context.budget, cursor, limit, read, show).await?;
    let more = if tool.result.keep.is_empty() { "use a narrower filter" } else { "use a narrower filter or `fields`" };
    let mut answer = gathered.answer(fields.unknown(), more, "ask for only that item");
    let as_of = as_of.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some(time) = as_of.and_then(|time: SystemTime| jiff::Timestamp::try_from(time).ok()) {
        shape::put(&mut answer, "as_of", time.strftime("%Y-%m-%dT%H:%M:%SZ").to_string());
    }
    Ok(answer)
}

/// The same as [`page_of`], from the cache where that has it; `as_of` becomes the time of the oldest page that came from there.
async fn kept_page_of(
    context: &Context,
    tool: &'static OperationTool,
    request: Arguments,
    (cursor, reading): (&Cursor, Projection),
    time_to_live: Duration,
    as_of: &Mutex<Option<SystemTime>>,
) -> Result<(Vec<Value>, Option<String>), Error> {
    let places = [Location::Path, Location::Query, Location::Body].map(|place| json!(request.values(place)));
    let principal = context.caller.principal.as_deref().unwrap_or_default();
    let id = tool.operation.id;
    let key = format!("{principal:?} {id} {} {:?}", json!(places), cursor.page);
    let read = page_of(context, tool, request, (cursor, reading));
    let (kept, is_fresh) = context.cache.page(id, &key, time_to_live, Box::pin(read)).await?;
    if !is_fresh {
        context.record.tell("cached", true);
        let mut as_of = as_of.lock().unwrap_or_else(PoisonError::into_inner);
        *as_of = Some(as_of.map_or(kept.at, |time| time.min(kept.at)));
    }
    Ok((kept.items.clone(), kept.next.clone()))
}

/// Whether a filter that is on keeps an item.
fn keeps(filter: &Filter, item: &Value) -> bool {
    let value = shape::at(item, filter.field).and_then(Value::as_str);
    value.is_some_and(|value| filter.values.contains(&value))
}

/// One page of the API's list, as far as it is read of each item, and the API's cursor of the next as text.
pub(crate) async fn page_of(
    context: &Context,
    tool: &'static OperationTool,
    request: Arguments,
    (cursor, reading): (&Cursor, Projection),
) -> Result<(Vec<Value>, Option<String>), Error> {
    let position = match &cursor.page {
        Some(text) => Some(serde_json::from_str::<databricks::Cursor>(text).map_err(|_| Error::bad_page_token())?),
        None => None,
    };
    if tool.operation.pagination.is_some() {
        let page = context.client.page_reading(tool.operation, request, position.as_ref(), reading).await;
        let page = page.map_err(|error| in_words_of_caller(tool, error))?;
        let next = page.next.map(|next| serde_json::to_string(&next).unwrap_or_default());
        return Ok((page.items, next));
    }
    let items = tool.result.items.unwrap_or_default();
    let reading = items.rsplit('.').fold(reading, |reading, name| reading.in_list(Some(name)));
    let answer = context.client.execute_reading(tool.operation, request, &reading).await?;
    let Payload::Json(mut answer) = answer else { return Ok((Vec::new(), None)) };
    match shape::at_mut(&mut answer, items).map(Value::take) {
        Some(Value::Array(items)) => Ok((items, None)),
        Some(_) | None => Ok((Vec::new(), None)),
    }
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
