//! Whether a change took effect whose answer was lost: reported in one way for every tool, and looked up if one read
//! shows it.

use std::time::{Duration, Instant};

use databricks::{Arguments, Client, Cursor, Location};
use jiff::Timestamp;
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::context::Context;
use crate::definition::{Look, Risk, Verify};
use crate::error::Error;
use crate::registry::Tool;
use crate::shape;

/// The look is a service to the caller, who waits for the error already.
const PATIENCE: Duration = Duration::from_secs(5);
/// A look that fails is tried again for so long.
const RETRY_BUDGET: Duration = Duration::from_secs(3);
/// Pages of a list that are looked through.
const MOST_PAGES: usize = 10;
/// Objects that the caller is told.
const MOST_SHOWN: usize = 3;
/// How far the clocks within the workspace may be apart; a date in a header is in whole seconds besides.
const SKEW: Duration = Duration::from_secs(60);

/// What a look has shown.
#[derive(Debug, PartialEq, Eq)]
enum Seen {
    /// The work is done.
    Done(String),
    /// It is not done, or does not show yet.
    NotDone(String),
    /// What is there does not tell.
    Unclear(String),
}

/// Adds to the error of a call that may have changed something what is known of it and what to do next.
pub(crate) async fn explain(
    context: &Context,
    tool: &Tool,
    given: &Map<String, Value>,
    began: Instant,
    error: Error,
) -> Error {
    let Some(verify) = tool.definition.verify.as_ref().filter(|_| tool.risk != Risk::Read) else { return error };
    if !error.may_have_happened() {
        return error;
    }
    let seen = match &verify.look {
        Some(look) => match timeout(PATIENCE, see(context, look, given, began)).await {
            Ok(Ok(seen)) => seen,
            Ok(Err(unseen)) => Seen::Unclear(format!("checking failed ({})", head(&unseen))),
            Err(_) => Seen::Unclear("checking took too long".to_owned()),
        },
        None => Seen::Unclear(String::new()),
    };
    error.with_outcome(words(verify, tool.definition.idempotent, &seen))
}

/// What the caller is told.
fn words(verify: &Verify, idempotent: bool, seen: &Seen) -> String {
    let with = verify.tool.map(|tool| format!(" with `{tool}`")).unwrap_or_default();
    match seen {
        Seen::Done(what) => format!("the change was made although its answer was lost: {what}; do not repeat the call"),
        Seen::NotDone(what) => {
            let check = if idempotent { String::new() } else { format!(" once you have checked again{with}") };
            format!("the change does not seem to have been made: {what}; repeat the call{check}")
        }
        Seen::Unclear(what) => {
            let mut text = match verify.note {
                Some(note) => format!("although its answer was lost, {note}"),
                None => "the change may have been made although its answer was lost".to_owned(),
            };
            if !what.is_empty() {
                text.push_str(": ");
                text.push_str(what);
            }
            match (verify.tool, idempotent) {
                (Some(_), true) => format!(
                    "{text}; check{with}, or repeat the call: doing it twice has the same \
                                            effect as once"
                ),
                (Some(_), false) => format!("{text}; check{with} before you repeat the call"),
                (None, _) => text,
            }
        }
    }
}

async fn see(context: &Context, look: &Look, given: &Map<String, Value>, began: Instant) -> Result<Seen, Error> {
    let Some(found) = find(&context.client, look, given).await? else { return Ok(Seen::Unclear(String::new())) };
    // By the clock of the workspace, which has made the times of its objects.
    let now = context.client.service_time().and_then(|now| Timestamp::try_from(now).ok());
    let earliest = now.and_then(|now| now.checked_sub(began.elapsed().saturating_add(SKEW)).ok());
    Ok(judge(look, found, earliest))
}

/// The objects that a look finds; `None` where the arguments do not say where to look.
pub(super) async fn find(client: &Client, look: &Look, given: &Map<String, Value>) -> Result<Option<Found>, Error> {
    let mut request = Arguments::new().with_retry_budget(RETRY_BUDGET);
    for (location, wire, template) in look.bind {
        match filled(template, given) {
            Some(value) => request.insert(*location, *wire, value),
            // An optional filter is left out; without the place in the path there is nothing to ask for.
            None if *location == Location::Path => return Ok(None),
            None => {}
        }
    }
    match look.items {
        Some(items) => listed(client, look, items, request, given).await.map(Some),
        None => object(client, look, request).await.map(Some),
    }
}

/// What a look has found.
#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) objects: Vec<Value>,
    /// Whether there is more than was read.
    is_cut: bool,
}

async fn object(client: &Client, look: &Look, request: Arguments) -> Result<Found, Error> {
    let object = match client.execute(look.operation, request).await {
        Ok(object) => Some(object.into_json().unwrap_or_default()),
        Err(error) if error.is_not_found() => None,
        Err(error) => return Err(error.into()),
    };
    Ok(Found { objects: object.into_iter().collect(), is_cut: false })
}

async fn listed(
    client: &Client,
    look: &Look,
    items: &str,
    request: Arguments,
    given: &Map<String, Value>,
) -> Result<Found, Error> {
    let given = Value::Object(given.clone());
    let wanted: Vec<_> =
        look.matches.iter().filter_map(|(field, argument)| Some((*field, shape::at(&given, argument)?))).collect();
    if wanted.is_empty() {
        return Ok(Found { is_cut: true, ..Found::default() });
    }
    let is_wanted = |item: &Value| {
        wanted.iter().all(|(field, value)| shape::at(item, field).is_some_and(|found| text(found) == text(value)))
    };
    let mut found = Found::default();
    let mut cursor: Option<Cursor> = None;
    for _ in 0..MOST_PAGES {
        let (page, next) = if look.operation.pagination.is_some() {
            let page = client.page(look.operation, request.clone(), cursor.as_ref()).await?;
            (page.items, page.next)
        } else {
            let answer = client.execute(look.operation, request.clone()).await?.into_json().unwrap_or_default();
            (shape::at(&answer, items).and_then(Value::as_array).cloned().unwrap_or_default(), None)
        };
        found.objects.extend(page.into_iter().filter(is_wanted));
        cursor = next;
        if cursor.is_none() {
            return Ok(found);
        }
    }
    found.is_cut = true;
    Ok(found)
}

/// Decides by what was found: for a removal that nothing is left, else that something is there that the call can have
/// made or changed, as it is not from before `earliest`.
fn judge(look: &Look, found: Found, earliest: Option<Timestamp>) -> Seen {
    let Found { mut objects, is_cut } = found;
    let is_gone = |object: &Value| {
        look.gone.iter().any(|(field, value)| shape::at(object, field).is_some_and(|found| text(found) == *value))
    };
    objects.retain(|object| !is_gone(object));
    if objects.is_empty() && is_cut {
        return Seen::Unclear(String::new());
    }
    match (look.removes, objects.is_empty()) {
        (true, true) => return Seen::Done("the object no longer exists".to_owned()),
        (true, false) => return Seen::NotDone("the object still exists".to_owned()),
        (false, true) => return Seen::NotDone("no such object exists yet".to_owned()),
        (false, false) => {}
    }
    if look.created.is_none() && look.matches.is_empty() {
        // There is one object in its place, whoever made it.
        return Seen::Done(format!("there is {}", shown(look, &objects)));
    }
    let (Some(created), Some(earliest)) = (look.created, earliest) else {
        return Seen::Unclear(format!("there is {}, which may be older", shown(look, &objects)));
    };
    let at = |object: &Value| shape::at(object, created).and_then(instant);
    let (old, others): (Vec<_>, Vec<_>) =
        objects.into_iter().partition(|object| at(object).is_some_and(|at| at < earliest));
    if others.is_empty() {
        return Seen::NotDone(format!("there is only {}, which is older than the call", shown(look, &old)));
    }
    match others.iter().any(|object| at(object).is_some()) {
        true => Seen::Done(format!("there is {}", shown(look, &others))),
        false => Seen::Unclear(format!("there is {}, which may be older", shown(look, &others))),
    }
}

/// Objects by the fields that tell one from another.
fn shown(look: &Look, objects: &[Value]) -> String {
    let one = |object: &Value| {
        let fields = look.show.iter().filter_map(|field| {
            let value = shape::at(object, field)?;
            let is_time = Some(*field) == look.created;
            let value = instant(value).filter(|_| is_time).map_or_else(|| text(value), |at| at.to_string());
            Some(format!("`{field}` `{value}`"))
        });
        let fields: Vec<_> = fields.collect();
        if fields.is_empty() { "an object of that name".to_owned() } else { format!("one with {}", fields.join(", ")) }
    };
    let told: Vec<_> = objects.iter().take(MOST_SHOWN).map(one).collect();
    let rest = objects.len().saturating_sub(MOST_SHOWN);
    let rest = if rest > 0 { format!(" and {rest} more") } else { String::new() };
    format!("{}{rest}", told.join(" and "))
}

/// A template with the arguments of the call; `None` where one of them was not given. A template that is one argument
/// keeps its type.
fn filled(template: &str, given: &Map<String, Value>) -> Option<Value> {
    let whole = template.strip_prefix('{').and_then(|rest| rest.strip_suffix('}')).filter(|name| !name.contains('{'));
    if let Some(name) = whole {
        return given.get(name).cloned();
    }
    let mut pieces = template.split('{');
    let mut value = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        let (name, rest) = piece.split_once('}')?;
        value.push_str(&text(given.get(name)?));
        value.push_str(rest);
    }
    Some(json!(value))
}

/// A value as text: ids come as numbers or as text.
fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// A time of the API: milliseconds since 1970, as a number or text, or RFC 3339.
fn instant(value: &Value) -> Option<Timestamp> {
    let text = text(value);
    match text.parse::<i64>() {
        Ok(milliseconds) => Timestamp::from_millisecond(milliseconds).ok(),
        Err(_) => text.parse().ok(),
    }
}

/// The first line of an error.
fn head(error: &Error) -> String {
    error.message().lines().next().unwrap_or_default().chars().take(200).collect()
}

#[cfg(test)]
mod tests;
