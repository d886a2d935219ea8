//! `query_index`: the rows of a vector search index that are nearest to a text or vector.

use databricks::Request;
use databricks::requests::vectorsearch::vector_search_indexes::{GetIndex, QueryIndex, QueryNextPage};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::definition::Composite;
use crate::domain::request;
use crate::error::Error;
use crate::shape;

pub(crate) static COMPOSITE: Composite = composite!(Input, run, one_of: ["query_text", "query_vector"]);

#[derive(Debug, Deserialize, JsonSchema)]
struct Input {
    /// Full name of the index, `catalog.schema.index`, from `list_vector_indexes`.
    full_name: String,
    /// Text to search for.
    query_text: Option<String>,
    /// Vector to search for, if the index does not embed texts itself.
    #[serde(default)]
    query_vector: Vec<f64>,
    /// Columns to return; if unset, the key and the embedded text.
    #[serde(default)]
    columns: Vec<String>,
    /// Maximum rows to return.
    #[serde(default = "default_results")]
    #[schemars(range(min = 1, max = 1000))]
    limit: u32,
    /// Conditions on columns, e.g. `{"country": "NL", "year >=": 2020}`.
    filters: Option<Map<String, Value>>,
    /// `ANN`: by meaning; `HYBRID`: by meaning and words; `FULL_TEXT`: by words.
    query_type: Option<QueryType>,
    /// `next_page_token` of the previous answer, with the same `full_name`.
    page_token: Option<String>,
}

#[derive(Debug, Clone, Copy, Deserialize, Serialize, JsonSchema)]
enum QueryType {
    #[serde(rename = "ANN")]
    Ann,
    #[serde(rename = "HYBRID")]
    Hybrid,
    #[serde(rename = "FULL_TEXT")]
    FullText,
}

fn default_results() -> u32 {
    10
}

async fn run(context: Context, input: Input) -> Result<Value, Error> {
    let index = context.send(GetIndex::new(&input.full_name)).await?;
    let is_filtered = input.filters.is_some();
    let answer = match input.page_token {
        Some(token) => {
            let request = QueryNextPage::new(&input.full_name).page_token(token);
            let request = request.maybe(request::text(&index, "endpoint_name"), QueryNextPage::endpoint_name);
            request::get(&context, request).await
        }
        None => {
            let request = request(input, &index)?;
            request::get(&context, request).await
        }
    };
    Ok(rows(&context, &answer.map_err(|error| explain(error, &index, is_filtered))?))
}

fn request(input: Input, index: &Value) -> Result<QueryIndex, Error> {
    let columns = if input.columns.is_empty() { usual_columns(index) } else { input.columns };
    let request = QueryIndex::new(&input.full_name, columns).num_results(input.limit);
    let request = match (input.query_text, input.query_vector.is_empty()) {
        (Some(text), true) => request.query_text(text),
        (None, false) => request.query_vector(input.query_vector),
        _ => {
            return Err(Error::failed("give either `query_text` or `query_vector`")
                .with_hint("an index that embeds texts takes `query_text`, any other one `query_vector`"));
        }
    };
    // The API takes the filters as JSON in a text.
    let filters = input.filters.map(|filters| Value::Object(filters).to_string());
    Ok(request
        .maybe(filters, QueryIndex::filters_json)
        .maybe(input.query_type.map(request::word), QueryIndex::query_type))
}

/// The key, and the columns whose text is embedded.
fn usual_columns(index: &Value) -> Vec<String> {
    let specs = ["delta_sync_index_spec", "direct_access_index_spec"].iter().filter_map(|name| index.get(name));
    let sources = specs.filter_map(|spec| spec.get("embedding_source_columns")?.as_array()).flatten();
    let key = index.get("primary_key").into_iter();
    let names = key.chain(sources.filter_map(|column| column.get("name")));
    names.filter_map(|name| name.as_str().map(str::to_owned)).collect()
}

/// Columns once, then rows; the last column is how near each is.
fn rows(context: &Context, answer: &Value) -> Value {
    let columns = shape::at(answer, "manifest.columns").and_then(Value::as_array).into_iter().flatten();
    let columns: Vec<_> = columns.filter_map(|column| column.get("name").cloned()).collect();
    let data = shape::at(answer, "result.data_array").and_then(Value::as_array).cloned().unwrap_or_default();
    let found = data.len();
    let page = shape::page(data, context.budget);
    let mut answer = json!({
        "columns": columns, "returned": page.items.len(), "rows": page.items,
        "next_page_token": answer.get("next_page_token").filter(|token| token.as_str().is_some_and(|token| !token.is_empty())),
    });
    if let Some(fields) = answer.as_object_mut() {
        fields.retain(|_, value| !value.is_null());
    }
    shape::exact(&mut answer);
    shape::notice(&mut answer, page.cuts, "ask for fewer `columns`");
    if page.taken < found {
        // The next page begins after all that were found, and so after those that are cut here.
        if let Some(fields) = answer.as_object_mut() {
            fields.shift_remove("next_page_token");
        }
        shape::put(&mut answer, "truncated", true);
        let hint = format!("{} nearest of {found} fit; ask for fewer `columns` or a smaller `limit`", page.taken);
        shape::put(&mut answer, "hint", hint);
    }
    answer
}

/// Adds to a failure what the index can and cannot do.
fn explain(error: Error, index: &Value, is_filtered: bool) -> Error {
    if shape::at(index, "status.ready").and_then(Value::as_bool) == Some(false) {
        let message = shape::at(index, "status.message").and_then(Value::as_str).unwrap_or("no reason is given");
        return error.with_hint(format!("the index is not ready: {message}"));
    }
    let is_refused = error.api().is_some_and(databricks::Error::is_bad_request);
    if is_refused && usual_columns(index).len() < 2 {
        return error.with_hint("this index does not embed texts: give `query_vector`, and name `columns`");
    }
    if is_refused && is_filtered {
        return error.with_hint(
            "indexes on storage-optimized endpoints need filters in another form: try without `filters`, or query the \
             source table with `execute_sql`",
        );
    }
    error
}
