//! `list_vector_indexes`: the vector search indexes of one endpoint, or of all.

use databricks::Request;
use databricks::requests::vectorsearch::vector_search_endpoints::ListEndpoints;
use databricks::requests::vectorsearch::vector_search_indexes::ListIndexes;
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::request;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Only the indexes of this endpoint; of all endpoints if unset.
    endpoint_name: Option<String>,
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let endpoints = match input.endpoint_name {
        Some(name) => vec![json!({ "name": name })],
        None => {
            let request = ListEndpoints::new();
            context.client.list(ListEndpoints::OPERATION, request.into_arguments()).collect().await?
        }
    };
    let mut indexes = Vec::new();
    for endpoint in &endpoints {
        let request = ListIndexes::new(request::text(endpoint, "name").unwrap_or_default());
        let list = context.client.list(ListIndexes::OPERATION, request.into_arguments());
        let found = list.collect().await.map_err(Error::from);
        indexes.extend(found.map_err(|error| match error.is_not_found() {
            true => error.with_hint("call it without `endpoint_name` to see the indexes of all endpoints"),
            false => error,
        })?);
    }
    let found = indexes.len();
    let kept =
        indexes.into_iter().map(|index| shape::keep(index, &["name", "endpoint_name", "index_type", "primary_key"]));
    let page = shape::page(kept, context.budget);
    let mut answer = shape::object([
        ("returned", page.items.len().into()),
        ("items", page.items.into()),
        ("truncated", (page.taken < found).into()),
    ]);
    if page.taken < found {
        shape::put(&mut answer, "hint", format!("{found} indexes exist; narrow with `endpoint_name`"));
    }
    Ok(answer)
}
