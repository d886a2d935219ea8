//! Vector search: one endpoint with one index of support articles, which ranks them by BM25.
//!
//! Derived: the scores. A real index compares embeddings; ranking by words makes a score that can be followed by hand.

use serde_json::{Value, json};

use crate::error::ApiError;
use crate::json::Members;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, route};
use crate::workspace::{USER, Workspace};

const ENDPOINT: &str = "support-search";
const INDEX: &str = "main.default.support_articles_index";

pub(crate) const ROUTES: &[Route] = &[
    route("GET", "/api/2.0/vector-search/endpoints", endpoints),
    route("GET", "/api/2.0/vector-search/endpoints/{endpoint_name}", endpoint),
    route("GET", "/api/2.0/vector-search/indexes", indexes),
    route("GET", "/api/2.0/vector-search/indexes/{index_name}", index),
    route("POST", "/api/2.0/vector-search/indexes/{index_name}/query", query),
];

/// Title, topic, text; the id is the place.
const ARTICLES: [(&str, &str, &str); 10] = [
    (
        "Return an order",
        "orders",
        "Customers may return an order within 30 days. Print the return label, pack the products and hand the parcel in.",
    ),
    (
        "Refunds",
        "payments",
        "A refund is paid to the card or account that paid the order, five days after the return arrives.",
    ),
    (
        "Track a parcel",
        "delivery",
        "The tracking number is in the delivery mail. Parcels are scanned at each depot on the way.",
    ),
    (
        "Late delivery",
        "delivery",
        "If a parcel is more than three days late, open a delivery claim; we send the products again or refund the order.",
    ),
    (
        "Change an address",
        "account",
        "The address of an order can be changed until it is packed. Change the default address in the account.",
    ),
    (
        "Reset a password",
        "account",
        "Choose forgot password on the login page; a link arrives by mail and works for an hour.",
    ),
    (
        "Payment methods",
        "payments",
        "We take cards, bank transfer and invoice. A payment by invoice is due within 14 days.",
    ),
    ("Gift cards", "payments", "A gift card pays any order; what is left stays on the card for three years."),
    ("Damaged products", "orders", "Send a photo of damaged products within a week; we replace them without a return."),
    (
        "Delete an account",
        "account",
        "An account can be deleted when no order is open; invoices are kept as the law demands.",
    ),
];

fn endpoint_json(workspace: &Workspace) -> Value {
    let at = workspace.clock.epoch() - 15 * 86_400_000;
    json!({"name": ENDPOINT, "id": "5f0c7a52-6a35-4a0e-9d4f-2b1f8a3c9e10", "creator": USER, "endpoint_type": "STANDARD", "num_indexes": 1,
        "endpoint_status": {"state": "ONLINE"}, "creation_timestamp": at, "last_updated_timestamp": at})
}

fn endpoints(workspace: &Workspace, _: &Request) -> Outcome {
    Ok(Reply::json(json!({"endpoints": [endpoint_json(workspace)]})))
}

fn endpoint(workspace: &Workspace, request: &Request) -> Outcome {
    match request.parameter("endpoint_name") {
        ENDPOINT => Ok(Reply::json(endpoint_json(workspace))),
        name => Err(ApiError::does_not_exist(format!("Vector search endpoint {name} does not exist."))),
    }
}

fn index_json() -> Value {
    json!({"name": INDEX, "endpoint_name": ENDPOINT, "index_type": "DELTA_SYNC", "primary_key": "id", "creator": USER})
}

fn indexes(_: &Workspace, request: &Request) -> Outcome {
    match request.required_query("endpoint_name")? {
        ENDPOINT => Ok(Reply::json(json!({"vector_indexes": [index_json()]}))),
        name => Err(ApiError::does_not_exist(format!("Vector search endpoint {name} does not exist."))),
    }
}

fn known(request: &Request) -> Result<(), ApiError> {
    match request.parameter("index_name") {
        INDEX => Ok(()),
        name => Err(ApiError::does_not_exist(format!("Vector search index {name} does not exist."))),
    }
}

fn index(_: &Workspace, request: &Request) -> Outcome {
    known(request)?;
    let mut json = index_json();
    json.set("status", json!({"ready": true, "message": "Index is online.", "indexed_row_count": ARTICLES.len()}));
    json.set(
        "delta_sync_index_spec",
        json!({"source_table": "main.default.support_articles", "pipeline_type": "TRIGGERED",
        "embedding_source_columns": [{"name": "text", "embedding_model_endpoint_name": "sandbox-embeddings"}]}),
    );
    Ok(Reply::json(json))
}

fn words(text: &str) -> Vec<String> {
    let split = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    split.map(|word| word.to_lowercase().trim_end_matches('s').to_owned()).collect()
}

/// Okapi BM25 with the usual constants, of each article for a query.
#[expect(clippy::cast_precision_loss, reason = "counts of a few words")]
fn scores(asked: &str) -> Vec<f64> {
    let articles: Vec<_> = ARTICLES.iter().map(|(title, _, text)| words(&format!("{title} {text}"))).collect();
    let count = articles.len() as f64;
    let average = articles.iter().map(Vec::len).sum::<usize>() as f64 / count;
    let asked = words(asked);
    articles
        .iter()
        .map(|article| {
            let terms = asked.iter().map(|term| {
                let holding = articles.iter().filter(|article| article.contains(term)).count() as f64;
                let times = article.iter().filter(|word| *word == term).count() as f64;
                let rarity = ((count - holding + 0.5) / (holding + 0.5) + 1.0).ln();
                rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * article.len() as f64 / average))
            });
            terms.sum()
        })
        .collect()
}

fn cell(place: usize, name: &str) -> Option<Value> {
    let (title, topic, text) = ARTICLES.get(place)?;
    Some(match name {
        "id" => json!(place + 1),
        "title" => json!(title),
        "topic" => json!(topic),
        "text" => json!(text),
        _ => return None,
    })
}

fn query(_: &Workspace, request: &Request) -> Outcome {
    known(request)?;
    let fields = request.fields()?;
    let Some(asked) = fields.text("query_text")? else {
        return Err(ApiError::invalid_parameter("The index computes its embeddings: query_text is required"));
    };
    let columns: Vec<_> = fields.array("columns")?.iter().filter_map(Value::as_str).collect();
    if columns.is_empty() {
        return Err(ApiError::missing_field("columns"));
    }
    if let Some(unknown) = columns.iter().find(|name| cell(0, name).is_none()) {
        return Err(ApiError::invalid_parameter(format!(
            "Requested column '{unknown}' is not in the index: id, title, topic, text are."
        )));
    }
    let filters: Value = match fields.text("filters_json")? {
        None => json!({}),
        Some(text) => {
            serde_json::from_str(text).map_err(|_| ApiError::invalid_parameter("filters_json is not a JSON object"))?
        }
    };
    let mut wanted = Vec::new();
    for (name, value) in filters.as_object().into_iter().flatten() {
        if cell(0, name).is_none() {
            return Err(ApiError::invalid_parameter(format!(
                "The sandbox filters by equal columns only, not by `{name}`"
            )));
        }
        wanted.push((name, value));
    }
    let passes = |place: usize| {
        wanted.iter().all(|(name, value)| match value {
            Value::Array(values) => cell(place, name).is_some_and(|cell| values.contains(&cell)),
            value => cell(place, name).as_ref() == Some(*value),
        })
    };
    let least = fields.get("score_threshold").and_then(Value::as_f64).unwrap_or(0.0);
    let mut found: Vec<_> = scores(asked)
        .into_iter()
        .enumerate()
        .filter(|(place, score)| *score > 0.0 && *score >= least && passes(*place))
        .collect();
    found.sort_by(|(_, a), (_, b)| b.total_cmp(a));
    let count = fields.integer("num_results")?.and_then(|count| usize::try_from(count).ok()).unwrap_or(10);
    found.truncate(count);
    let rows: Vec<_> = found
        .iter()
        .map(|(place, score)| {
            let mut row: Vec<_> = columns.iter().filter_map(|name| cell(*place, name)).collect();
            row.push(json!((score * 10_000.0).round() / 10_000.0));
            row
        })
        .collect();
    let names: Vec<_> = columns.iter().copied().chain(["score"]).map(|name| json!({"name": name})).collect();
    Ok(Reply::json(
        json!({"manifest": {"column_count": names.len(), "columns": names}, "result": {"row_count": rows.len(), "data_array": rows}}),
    ))
}
