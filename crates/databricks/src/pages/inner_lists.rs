//! Objects whose inner lists come in pages: jobs and runs with more tasks than one answer holds.
//!
//! The specs do not mark these; the official SDKs join them in hand-written code, and so do we, with the same result.

use serde_json::Value;

use crate::arguments::Arguments;
use crate::client::Client;
use crate::error::Error;
use crate::operation::{Location, Operation};
use crate::operations;
use crate::projection::Projection;

/// An operation whose answer has further pages of its inner lists.
struct InPages {
    operation: &'static str,
    /// JSON pointers of the lists. Each page has the next part of each.
    lists: &'static [&'static str],
    /// What else may fill the pages, in place of the first list: a run of a `for_each` task repeats its one task and
    /// pages through the iterations.
    instead: Option<&'static str>,
    /// The operation that lists such objects and cuts them off, and the field that names them.
    listed_by: (&'static str, &'static str),
}

/// Both take `page_token` and answer `next_page_token`; both lists tell with `has_more` what is cut off.
const IN_PAGES: [InPages; 2] = [
    InPages {
        operation: "jobs.jobs.get",
        lists: &["/settings/tasks", "/settings/job_clusters", "/settings/parameters", "/settings/environments"],
        instead: None,
        listed_by: ("jobs.jobs.list", "job_id"),
    },
    InPages {
        operation: "jobs.jobs.get_run",
        lists: &["/tasks", "/job_clusters", "/job_parameters", "/repair_history"],
        instead: Some("/iterations"),
        listed_by: ("jobs.jobs.list_runs", "run_id"),
    },
];

/// More pages than any object has: a job holds 1,000 tasks, a `for_each` run 5,000 iterations, a page 100.
const PAGES: usize = 1_000;

/// Calls an operation and follows the pages inside of its answer, where it has such.
pub(super) async fn whole(
    client: &Client,
    operation: &'static Operation,
    arguments: Arguments,
) -> Result<Value, Error> {
    let mut object = client.json(operation, arguments.clone(), &Projection::whole()).await?;
    let Some(kind) = IN_PAGES.iter().find(|kind| kind.operation == operation.id) else { return Ok(object) };
    let filled = kind.instead.filter(|pointer| list(&object, pointer).is_some_and(|list| !list.is_empty()));
    let mut tokens = Vec::new();
    while let Some(token) = next_token(&mut object) {
        if tokens.contains(&token) || tokens.len() == PAGES {
            let message = "the object never ends: the service named a page for the second time";
            return Err(Error::answer(message).in_operation(operation.id));
        }
        let arguments = arguments.clone().with(Location::Query, "page_token", token.as_str());
        let mut page = client.json(operation, arguments, &Projection::whole()).await?;
        for (index, pointer) in kind.lists.iter().enumerate() {
            let pointer = if index == 0 { filled.unwrap_or(pointer) } else { pointer };
            extend(&mut object, &mut page, pointer);
        }
        if let (Some(object), Some(token)) = (object.as_object_mut(), next_token(&mut page)) {
            object.insert("next_page_token".to_owned(), token.into());
        }
        tokens.push(token);
    }
    Ok(object)
}

/// Completes the items of a list that were asked for with their tasks and have more than the list shows.
pub(super) async fn complete(
    client: &Client,
    operation: &'static Operation,
    arguments: &Arguments,
    items: &mut [Value],
) -> Result<(), Error> {
    let Some(kind) = IN_PAGES.iter().find(|kind| kind.listed_by.0 == operation.id) else { return Ok(()) };
    if arguments.get(Location::Query, "expand_tasks") != Some(&Value::Bool(true)) {
        return Ok(());
    }
    let get = operations::find(kind.operation);
    for item in items {
        let has_more = item.as_object_mut().and_then(|item| item.shift_remove("has_more"));
        let name = kind.listed_by.1;
        let (Some(Value::Bool(true)), Some(get), Some(id)) = (has_more, get, item.get(name)) else { continue };
        let mut whole = whole_boxed(client, get, Arguments::new().with(Location::Query, name, id.clone())).await?;
        for pointer in kind.lists {
            if let Some(list) = whole.pointer_mut(pointer).map(Value::take) {
                put(item, pointer, list);
            }
        }
    }
    Ok(())
}

/// Behind a pointer, so that the future of a list is not as large as that of an object.
async fn whole_boxed(client: &Client, operation: &'static Operation, arguments: Arguments) -> Result<Value, Error> {
    Box::pin(whole(client, operation, arguments)).await
}

/// Takes the token of the next page out of an object.
fn next_token(object: &mut Value) -> Option<String> {
    match object.as_object_mut()?.shift_remove("next_page_token") {
        Some(Value::String(token)) if !token.is_empty() => Some(token),
        _ => None,
    }
}

fn list<'a>(object: &'a Value, pointer: &str) -> Option<&'a Vec<Value>> {
    object.pointer(pointer)?.as_array()
}

/// Appends a list of `page` to the same one of `object`, which may lack it.
fn extend(object: &mut Value, page: &mut Value, pointer: &str) {
    let Some(Value::Array(more)) = page.pointer_mut(pointer).map(Value::take) else { return };
    match object.pointer_mut(pointer) {
        Some(Value::Array(list)) => list.extend(more),
        _ => put(object, pointer, more.into()),
    }
}

/// Sets a field one or two levels deep.
fn put(object: &mut Value, pointer: &str, value: Value) {
    let mut at = object;
    for name in pointer.split('/').skip(1) {
        if !at.is_object() {
            *at = serde_json::json!({});
        }
        let Some(fields) = at.as_object_mut() else { return };
        at = fields.entry(name).or_insert(Value::Null);
    }
    *at = value;
}
