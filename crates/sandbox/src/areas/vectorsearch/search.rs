//! Queries of an index, page by page, scans, and writes to indexes that take them.

use serde_json::{Map, Value, json};

use super::rank::{Filter, by_words, cosine, vector};
use super::{ENDPOINTS, INDEXES, ready};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::store::Kind;
use crate::workspace::Workspace;

/// A page of results holds so many; a real one holds as many as fit into some megabytes.
const PAGE: usize = 25;
const MOST: usize = 10_000;
/// So many queries can be read on with; older ones have to be asked again.
const MOST_PAGES: usize = 200;

/// What is left of a query whose first page was told.
const PAGES: Kind = Kind {
    name: "vector-search-pages",
    missing: |token| ApiError::invalid_parameter(format!("Invalid page token: {token}")),
};

fn usable(workspace: &Workspace, request: &Request) -> Result<Value, ApiError> {
    let name = request.parameter("index_name");
    let index = INDEXES.get(workspace, name)?;
    let endpoint = index.text_at("endpoint_name");
    if ENDPOINTS.find(workspace, endpoint).is_some_and(|endpoint| *endpoint.at("stopped") == json!(true)) {
        let message = format!("Vector search endpoint {endpoint} is stopped: start it first.");
        return Err(ApiError::new(400, "BAD_REQUEST", message));
    }
    match ready(workspace, &index) {
        true => Ok(index),
        false => Err(ApiError::new(400, "BAD_REQUEST", format!("Index {name} is not ready to be queried yet."))),
    }
}

fn spec(index: &Value) -> &Value {
    match index.at("delta_sync_index_spec") {
        Value::Null => index.at("direct_access_index_spec"),
        spec => spec,
    }
}

/// The first column of a list of the specification.
fn embedded<'a>(index: &'a Value, list: &str) -> Option<&'a str> {
    spec(index).at(list).get(0)?.get("name")?.as_str()
}

/// The columns of an index that clients write, by its schema.
pub(super) fn direct_columns(index: &Value) -> Result<Vec<String>, ApiError> {
    let text = index.at("direct_access_index_spec").text_at("schema_json");
    let wrong =
        || ApiError::invalid_parameter("schema_json must be a JSON object of column types, with the primary key");
    let schema: Map<String, Value> = serde_json::from_str(text).map_err(|_| wrong())?;
    if !schema.contains_key(index.text_at("primary_key")) {
        return Err(wrong());
    }
    Ok(schema.into_iter().map(|(name, _)| name).collect())
}

fn columns(index: &Value) -> Vec<String> {
    match index.at("delta_sync_index_spec") {
        Value::Null => direct_columns(index).unwrap_or_default(),
        _ => {
            let first = index.at("rows").get(0).and_then(Value::as_object);
            first.into_iter().flat_map(|row| row.keys().cloned()).collect()
        }
    }
}

fn rows(index: &Value) -> &[Value] {
    index.at("rows").as_array().map_or(&[], Vec::as_slice)
}

/// All texts of a row.
fn text(row: &Value) -> String {
    let cells = row.as_object().into_iter().flat_map(Map::values).filter_map(Value::as_str);
    cells.collect::<Vec<_>>().join(" ")
}

/// A score of each row for what is asked.
fn scores(index: &Value, fields: &Fields) -> Result<Vec<f64>, ApiError> {
    let asked = fields.text("query_text")?;
    let given = fields.get("query_vector").map(vector);
    let kind = fields.text("query_type")?.unwrap_or("ANN").to_uppercase();
    if !matches!(kind.as_str(), "ANN" | "HYBRID" | "FULL_TEXT") {
        return Err(ApiError::invalid_parameter(format!(
            "Invalid query_type '{kind}': expected ANN, HYBRID or FULL_TEXT"
        )));
    }
    let texts = || rows(index).iter().map(text).collect::<Vec<_>>();
    let Some(column) = embedded(index, "embedding_vector_columns") else {
        return match (asked, given) {
            (Some(asked), _) => Ok(by_words(&texts(), asked)),
            (None, Some(given)) => {
                let column = embedded(index, "embedding_source_columns").unwrap_or_default();
                let embedding = |row: &Value| crate::areas::serving::embedding(row.text_at(column));
                angles(&given, rows(index).iter().map(|row| embedding(row).to_vec()))
            }
            (None, None) => {
                Err(ApiError::invalid_parameter("The index computes its embeddings: query_text is required"))
            }
        };
    };
    let by_angle = |given: &[f64]| angles(given, rows(index).iter().map(|row| vector(row.at(column))));
    match (kind.as_str(), asked, given) {
        ("FULL_TEXT", Some(asked), _) => Ok(by_words(&texts(), asked)),
        ("FULL_TEXT", None, _) => Err(ApiError::invalid_parameter("A FULL_TEXT query needs query_text")),
        ("HYBRID", Some(asked), Some(given)) => {
            let words = by_words(&texts(), asked);
            Ok(by_angle(&given)?
                .into_iter()
                .zip(words)
                .map(|(angle, words)| (angle + words / (1.0 + words)) / 2.0)
                .collect())
        }
        (_, _, Some(given)) => by_angle(&given),
        _ => Err(ApiError::invalid_parameter(
            "The index holds embeddings that it does not compute: query_vector is required, query_text is not enough",
        )),
    }
}

fn angles(given: &[f64], vectors: impl Iterator<Item = Vec<f64>>) -> Result<Vec<f64>, ApiError> {
    let angle = |known: Vec<f64>| {
        cosine(given, &known).ok_or_else(|| {
            ApiError::invalid_parameter(format!(
                "query_vector has {} dimensions, the index {}",
                given.len(),
                known.len()
            ))
        })
    };
    vectors.map(angle).collect()
}

pub(super) fn query(workspace: &Workspace, request: &Request) -> Outcome {
    let index = usable(workspace, request)?;
    let fields = request.fields()?;
    let known = columns(&index);
    let asked: Vec<_> = fields.array("columns")?.iter().filter_map(Value::as_str).collect();
    if asked.is_empty() {
        return Err(ApiError::missing_field("columns"));
    }
    if let Some(unknown) = asked.iter().find(|name| !known.iter().any(|known| known == *name)) {
        return Err(ApiError::invalid_parameter(format!(
            "Requested column '{unknown}' is not in the index: {} are.",
            known.join(", ")
        )));
    }
    let filters: Map<String, Value> = match fields.text("filters_json")? {
        None | Some("") => Map::new(),
        Some(text) => {
            serde_json::from_str(text).map_err(|_| ApiError::invalid_parameter("filters_json is not a JSON object"))?
        }
    };
    let filter = Filter::read(&filters, &known)?;
    let least = fields.get("score_threshold").and_then(Value::as_f64);
    let scored = scores(&index, &fields)?;
    let by_words = fields.text("query_type")?.is_some_and(|kind| kind.eq_ignore_ascii_case("FULL_TEXT"));
    let mut found: Vec<_> = rows(&index)
        .iter()
        .zip(scored)
        // A search for words finds what has one; any other gives the nearest, however far they are.
        .filter(|(row, score)| least.map_or(!by_words || *score != 0.0, |least| *score >= least) && filter.passes(row))
        .collect();
    found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let count = fields.integer("num_results")?.unwrap_or(10);
    let count = usize::try_from(count).ok().filter(|count| (1..=MOST).contains(count));
    found.truncate(
        count.ok_or_else(|| ApiError::invalid_parameter(format!("num_results must be between 1 and {MOST}")))?,
    );
    let cells = |(row, score): &(&Value, f64)| {
        let mut cells: Vec<_> = asked.iter().map(|name| row.at(name).clone()).collect();
        cells.push(json!((score * 10_000.0).round() / 10_000.0));
        Value::Array(cells)
    };
    let told: Vec<_> = found.iter().map(cells).collect();
    let names: Vec<_> = asked.iter().copied().chain(["score"]).map(|name| json!({"name": name})).collect();
    Ok(Reply::json(told_page(workspace, request.parameter("index_name"), names, told)))
}

/// The first of the rows, and a token for those that are left.
fn told_page(workspace: &Workspace, index: &str, columns: Vec<Value>, mut rows: Vec<Value>) -> Value {
    let rest = rows.split_off(rows.len().min(PAGE));
    let mut json = json!({"manifest": {"column_count": columns.len(), "columns": columns}, "result": {"row_count": rows.len(), "data_array": rows}});
    if !rest.is_empty() {
        let token = workspace.ids.uuid();
        let left = json!({"index": index, "columns": columns, "rows": rest});
        PAGES.put_one_of(workspace, &token, left, MOST_PAGES);
        json.set("next_page_token", token);
    }
    json
}

pub(super) fn next_page(workspace: &Workspace, request: &Request) -> Outcome {
    usable(workspace, request)?;
    let fields = request.fields()?;
    let token = fields.required_text("page_token")?;
    let index = request.parameter("index_name");
    let left = PAGES.get(workspace, token)?;
    if left.text_at("index") != index {
        return Err((PAGES.missing)(token));
    }
    let list = |name| left.at(name).as_array().cloned().unwrap_or_default();
    Ok(Reply::json(told_page(workspace, index, list("columns"), list("rows"))))
}

/// A value in the form of a protocol buffer's.
fn wrapped(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({"bool_value": flag}),
        Value::Number(number) => json!({"number_value": number}),
        Value::String(text) => json!({"string_value": text}),
        Value::Array(values) => json!({"list_value": {"values": values.iter().map(wrapped).collect::<Vec<_>>()}}),
        Value::Object(_) => json!({"struct_value": structure(value)}),
    }
}

fn structure(value: &Value) -> Value {
    let fields = value.as_object().into_iter().flatten();
    json!({"fields": fields.map(|(key, value)| json!({"key": key, "value": wrapped(value)})).collect::<Vec<_>>()})
}

/// The primary key of a row, as text.
fn key(index: &Value, row: &Value) -> Option<String> {
    match row.at(index.text_at("primary_key")) {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

pub(super) fn scan(workspace: &Workspace, request: &Request) -> Outcome {
    let index = usable(workspace, request)?;
    let fields = request.fields()?;
    let size = page::size(fields.integer("num_results")?, 10, 1000)?;
    let after = match fields.text("last_primary_key")? {
        None | Some("") => 0,
        Some(last) => rows(&index)
            .iter()
            .position(|row| key(&index, row).as_deref() == Some(last))
            .map(|place| place + 1)
            .ok_or_else(|| ApiError::invalid_parameter(format!("No row has the primary key {last}")))?,
    };
    let found: Vec<_> = rows(&index).iter().skip(after).take(size).collect();
    let mut json = json!({"data": found.iter().map(|row| structure(row)).collect::<Vec<_>>()});
    if let Some(last) = found.last().and_then(|row| key(&index, row)) {
        json.set("last_primary_key", last);
    }
    Ok(Reply::json(json))
}

fn writable(workspace: &Workspace, request: &Request) -> Result<Value, ApiError> {
    let index = usable(workspace, request)?;
    match index.at("direct_access_index_spec") {
        Value::Null => {
            Err(ApiError::invalid_parameter("Only direct access indexes can be written to; write to the source table"))
        }
        _ => Ok(index),
    }
}

fn written(done: usize, failed: Vec<Value>) -> Outcome {
    let status = match (done, failed.len()) {
        (_, 0) => "SUCCESS",
        (0, _) => "FAILURE",
        _ => "PARTIAL_SUCCESS",
    };
    Ok(Reply::json(json!({"status": status, "result": {"success_row_count": done, "failed_primary_keys": failed}})))
}

pub(super) fn upsert(workspace: &Workspace, request: &Request) -> Outcome {
    let index = writable(workspace, request)?;
    let fields = request.fields()?;
    let wrong = |_| ApiError::invalid_parameter("inputs_json must be a JSON array of objects");
    let inputs: Vec<Map<String, Value>> = serde_json::from_str(fields.required_text("inputs_json")?).map_err(wrong)?;
    let known = direct_columns(&index)?;
    let vectors = spec(&index).at("embedding_vector_columns").get(0);
    let fits = |row: &Value| {
        let named = row.as_object().is_some_and(|row| row.keys().all(|name| known.contains(name)));
        let as_long = vectors.is_none_or(|column| {
            let length = u64::try_from(vector(row.at(column.text_at("name"))).len()).ok();
            column.at("embedding_dimension").as_u64() == length
        });
        named && as_long
    };
    let (mut rows, mut failed, mut done) = (rows(&index).to_vec(), Vec::new(), 0);
    for input in inputs.into_iter().map(Value::Object) {
        match key(&index, &input) {
            Some(id) if fits(&input) => {
                rows.retain(|row| key(&index, row).as_ref() != Some(&id));
                rows.push(input);
                done += 1;
            }
            id => failed.push(json!(id.unwrap_or_default())),
        }
    }
    INDEXES.change(workspace, request.parameter("index_name"), |index| {
        index.set("rows", rows);
        Ok(())
    })?;
    written(done, failed)
}

pub(super) fn delete(workspace: &Workspace, request: &Request) -> Outcome {
    let index = writable(workspace, request)?;
    let mut rows = rows(&index).to_vec();
    let (mut failed, mut done) = (Vec::new(), 0);
    for asked in request.query_all("primary_keys") {
        let before = rows.len();
        rows.retain(|row| key(&index, row).as_deref() != Some(asked));
        match rows.len() < before {
            true => done += 1,
            false => failed.push(json!(asked)),
        }
    }
    INDEXES.change(workspace, request.parameter("index_name"), |index| {
        index.set("rows", rows);
        Ok(())
    })?;
    written(done, failed)
}
