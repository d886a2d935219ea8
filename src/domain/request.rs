//! How composites call plain operations: an answer as JSON, a list over all its pages.

use databricks::{Cursor, Page, Request};
use serde::Serialize;
use serde_json::Value;

use crate::context::Context;
use crate::error::Error;

/// A list is read no further once its items hold so many values.
const MOST_VALUES: usize = 1_000_000;

/// The items of a list, as far as it was read.
#[derive(Debug, Default)]
pub(crate) struct Items {
    pub(crate) items: Vec<Value>,
    /// Whether pages were left unread.
    pub(crate) is_cut: bool,
}

/// The answer to a request that reads, whatever its method.
pub(crate) async fn get<R: Request>(context: &Context, request: R) -> Result<R::Answer, Error> {
    context.send(request.idempotent(true)).await
}

/// The page at the cursor, or the first.
pub(crate) async fn page<R: Request>(context: &Context, request: R, cursor: Option<&Cursor>) -> Result<Page, Error> {
    let arguments = request.idempotent(true).into_arguments();
    Ok(context.client.page(R::OPERATION, arguments, cursor).await?)
}

/// The items of an operation that lists, over so many pages at most, and no more than fit into memory.
pub(crate) async fn list(context: &Context, request: impl Request + Clone, most_pages: usize) -> Result<Items, Error> {
    let mut list = Items::default();
    let mut cursor = None;
    let mut values = 0;
    for _ in 0..most_pages {
        let page = page(context, request.clone(), cursor.as_ref()).await?;
        values += page.items.iter().map(count).sum::<usize>();
        list.items.extend(page.items);
        match page.next {
            Some(next) if values < MOST_VALUES => cursor = Some(next),
            Some(_) => break,
            None => return Ok(list),
        }
    }
    list.is_cut = true;
    Ok(list)
}

/// How many values a value holds, itself included.
fn count(value: &Value) -> usize {
    match value {
        Value::Array(values) => 1 + values.iter().map(count).sum::<usize>(),
        Value::Object(fields) => 1 + fields.values().map(count).sum::<usize>(),
        _ => 1,
    }
}

/// One of several words, as it is sent.
pub(crate) fn word(value: impl Serialize) -> String {
    match serde_json::to_value(value) {
        Ok(Value::String(word)) => word,
        Ok(value) => value.to_string(),
        Err(_) => String::new(),
    }
}

/// A field of an answer as text.
pub(crate) fn text<'a>(value: &'a Value, name: &str) -> Option<&'a str> {
    value.get(name).and_then(Value::as_str).filter(|text| !text.is_empty())
}

/// A field of an answer as an integer, which the API may also send as text.
pub(crate) fn integer(value: &Value, name: &str) -> Option<i64> {
    let field = value.get(name)?;
    field.as_i64().or_else(|| field.as_str()?.parse().ok())
}

/// The items of a field that holds a list, which may be missing or null.
pub(crate) fn array<'a>(value: &'a Value, name: &str) -> &'a [Value] {
    value.get(name).and_then(Value::as_array).map_or(&[], Vec::as_slice)
}

/// An int64, which the API may send as text.
pub(crate) fn identifier(value: &Value) -> Option<i64> {
    value.as_i64().or_else(|| value.as_str()?.parse().ok())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::count;

    #[test]
    fn values_are_counted_with_what_they_hold() {
        assert_eq!(count(&json!(1)), 1);
        assert_eq!(count(&json!({ "a": [1, "2", null], "b": {} })), 6);
    }
}
