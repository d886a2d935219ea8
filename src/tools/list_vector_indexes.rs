//! `list_vector_indexes`: the vector search indexes of one endpoint, or of all.

use databricks::{Arguments, Location, Operation, operations};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use super::{Composite, input, input_schema};
use crate::context::Context;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = Composite {
    schema: input_schema::<Input>,
    run: |context, arguments| Box::pin(async move { run(context, input(arguments)?).await }),
};

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Only the indexes of this endpoint; of all endpoints if unset.
    endpoint_name: Option<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let endpoints = match input.endpoint_name {
        Some(name) => vec![json!({ "name": name })],
        None => {
            let operation = &operations::VECTORSEARCH_VECTOR_SEARCH_ENDPOINTS_LIST_ENDPOINTS;
            all(&context, operation, &Arguments::new()).await?
        }
    };
    let mut indexes = Vec::new();
    for endpoint in &endpoints {
        let name = endpoint.get("name").cloned().unwrap_or_default();
        let request = Arguments::new().with(Location::Query, "endpoint_name", name);
        let found = all(&context, &operations::VECTORSEARCH_VECTOR_SEARCH_INDEXES_LIST_INDEXES, &request).await;
        indexes.extend(found.map_err(|error| match error.is_not_found() {
            true => error.with_hint("call it without `endpoint_name` to see the indexes of all endpoints"),
            false => error,
        })?);
    }
    let found = indexes.len();
    let kept = indexes.iter().map(|index| shape::keep(index, &["name", "endpoint_name", "index_type", "primary_key"]));
    let page = shape::page(kept, context.budget);
    let mut answer = json!({ "returned": page.items.len(), "items": page.items, "truncated": page.taken < found });
    if page.taken < found {
        shape::put(&mut answer, "hint", format!("{found} indexes exist; narrow with `endpoint_name`"));
    }
    Ok(answer)
}

async fn all(context: &Context, operation: &'static Operation, request: &Arguments) -> Result<Vec<Value>, Error> {
    let (mut items, mut cursor) = (Vec::new(), None);
    loop {
        let page = context.client.page(operation, request.clone(), cursor.as_ref()).await?;
        items.extend(page.items);
        cursor = page.next;
        if cursor.is_none() {
            return Ok(items);
        }
    }
}
