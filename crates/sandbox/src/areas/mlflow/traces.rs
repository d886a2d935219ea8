//! Traces: found by a search that may take a while, and read with their spans, which are in a file of the artifacts
//! or in tables of Unity Catalog.
//!
//! Derived: these routes are in no spec; they are those that the Python client of MLflow calls. Traces are seeded
//! only. A search of tables is done when it is asked about for the first time, one of experiments at once.

use serde_json::{Map, Value, json};

use super::experiments::{EXPERIMENTS, texts};
use crate::areas::filter::{Filter, Key, sort};
use crate::error::ApiError;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::{Outcome, Route, public, route};
use crate::store::Kind;
use crate::workspace::Workspace;

pub(crate) const ROUTES: &[Route] = &[
    route("POST", "/api/3.0/mlflow/traces/search", search),
    route("GET", "/api/3.0/mlflow/traces/{trace_id}", get),
    route("POST", "/api/4.0/mlflow/traces/search-long-running", begin_search),
    route("GET", "/api/4.0/mlflow/traces/search/operations/{name}", searched),
    route("GET", "/api/4.0/mlflow/traces/{location}/batchGet", batch_get),
    route("GET", "/api/2.0/mlflow/traces/{request_id}/credentials-for-data-download", link),
    public("GET", "/sandbox-storage/traces/{link}", follow),
];

/// A trace: `info` as it is told, `spans` as they are in its file, and `location` where it is in Unity Catalog.
const TRACES: Kind =
    Kind { name: "traces", missing: |id| ApiError::does_not_exist(format!("Trace with ID '{id}' not found.")) };
const SEARCHES: Kind = Kind {
    name: "trace-searches",
    missing: |name| ApiError::does_not_exist(format!("Operation {name} does not exist.")),
};
const LINKS: Kind = Kind { name: "trace-links", missing: |_| ApiError::not_found("The link leads nowhere.") };

const MOST: usize = 500;
const DEFAULT: usize = 100;
/// Links live so long, in milliseconds.
const LIFE: i64 = 900_000;
/// Searches and links that are kept.
const KEPT: usize = 1_000;
/// A header that goes along with a link, as some clouds want one.
const HEADER: &str = "x-sandbox-key";

/// Puts a trace in. Without spans it has no file yet.
pub(crate) fn seed(workspace: &Workspace, id: &str, location: Option<&str>, info: Value, spans: Option<Vec<Value>>) {
    TRACES.put(workspace, id, json!({"info": info, "location": location, "spans": spans}));
}

fn look(trace: &Value, key: &Key) -> Option<Value> {
    let info = trace.at("info");
    let found = match (key.scope, key.name.as_str()) {
        ("tags", name) => info.at("tags").at(name).clone(),
        ("metadata", name) => info.at("trace_metadata").at(name).clone(),
        ("attributes", "status" | "state") => info.at("state").clone(),
        ("attributes", "name") => info.at("tags").at("mlflow.traceName").clone(),
        ("attributes", "request_id" | "trace_id") => info.at("trace_id").clone(),
        ("attributes", "run_id") => info.at("trace_metadata").at("mlflow.sourceRun").clone(),
        ("attributes", "client_request_id") => info.at("client_request_id").clone(),
        ("attributes", "timestamp" | "timestamp_ms") => json!(began(info)),
        ("attributes", "execution_time" | "execution_time_ms") => {
            let seconds = info.text_at("execution_duration").trim_end_matches('s').parse::<f64>().ok()?;
            json!(seconds * 1_000.0)
        }
        _ => return None,
    };
    Some(found).filter(|value| !value.is_null())
}

fn began(info: &Value) -> Option<i64> {
    Some(info.text_at("request_time").parse::<jiff::Timestamp>().ok()?.as_millisecond())
}

/// The places of a body: ids of experiments, and schemas with the prefixes of their tables.
struct Places {
    experiments: Vec<String>,
    schemas: Vec<String>,
}

impl Places {
    fn read(workspace: &Workspace, fields: &Fields) -> Result<Self, ApiError> {
        let mut places = Self { experiments: Vec::new(), schemas: Vec::new() };
        for place in fields.array("locations")? {
            if place.at("mlflow_experiment").is_object() {
                let id = place.at("mlflow_experiment").text_at("experiment_id");
                EXPERIMENTS.get(workspace, id)?;
                places.experiments.push(id.to_owned());
            }
            for kind in ["uc_schema", "uc_table_prefix"] {
                let parts = ["catalog_name", "schema_name", "table_prefix"].map(|name| place.at(kind).text_at(name));
                let parts: Vec<_> = parts.into_iter().filter(|part| !part.is_empty()).collect();
                if !parts.is_empty() {
                    places.schemas.push(parts.join("."));
                }
            }
        }
        if places.experiments.is_empty() && places.schemas.is_empty() {
            return Err(ApiError::invalid_parameter("At least one location must be specified for searching traces."));
        }
        Ok(places)
    }

    fn has(&self, trace: &Value) -> bool {
        match trace.at("location").as_str() {
            Some(location) => self.schemas.iter().any(|schema| schema == location),
            None => {
                let id = trace.at("info").at("trace_location").at("mlflow_experiment").text_at("experiment_id");
                self.experiments.iter().any(|known| known == id)
            }
        }
    }
}

/// The page that a body asks for, with its traces under this name.
fn found(workspace: &Workspace, fields: &Fields, places: &Places, name: &str) -> Result<Value, ApiError> {
    let filter = Filter::read(fields.text("filter")?.unwrap_or_default())?;
    let mut found = TRACES.all(workspace);
    found.retain(|trace| places.has(trace) && filter.passes(|key| look(trace, key)));
    // Unless asked otherwise, the newest come first.
    found.sort_by_key(|trace| std::cmp::Reverse(began(trace.at("info"))));
    sort(&mut found, &texts(fields, "order_by")?, look)?;
    let size = page::size(fields.integer("max_results")?, DEFAULT, MOST)?;
    let infos = found.iter().map(|trace| trace.at("info").clone()).collect();
    let page = page::page::<Value>(infos, size, fields.text("page_token")?)?;
    let mut told = json!({name: page.items});
    if let Some(next) = page.next {
        told.set("next_page_token", next);
    }
    Ok(told)
}

fn search(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let places = Places::read(workspace, &fields)?;
    if !places.schemas.is_empty() {
        return Err(ApiError::invalid_parameter("Only experiments are supported as locations"));
    }
    found(workspace, &fields, &places, "traces").map(Reply::json)
}

fn check_warehouse(id: Option<&str>) -> Result<(), ApiError> {
    match id {
        Some(id) if !id.is_empty() => Ok(()),
        _ => Err(ApiError::invalid_parameter("Could not resolve a SQL warehouse ID for reading traces from tables.")),
    }
}

fn begin_search(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let places = Places::read(workspace, &fields)?;
    if places.schemas.is_empty() {
        let response = found(workspace, &fields, &places, "trace_infos")?;
        return Ok(Reply::json(operation(&workspace.ids.uuid(), Some(response))));
    }
    if !places.experiments.is_empty() {
        return Err(ApiError::invalid_parameter("MLFLOW_EXPERIMENT locations not yet supported together with tables"));
    }
    check_warehouse(fields.text("sql_warehouse_id")?)?;
    // What is wrong with it is told at once.
    found(workspace, &fields, &places, "trace_infos")?;
    let name = workspace.ids.uuid();
    SEARCHES.put_one_of(workspace, &name, Value::Object(fields.0), KEPT);
    Ok(Reply::json(operation(&name, None)))
}

fn operation(name: &str, response: Option<Value>) -> Value {
    let state = if response.is_some() { "SUCCEEDED" } else { "RUNNING" };
    let mut operation = json!({"name": name, "metadata": {"state": state}, "done": response.is_some()});
    if let Some(response) = response {
        operation.set("response", response);
    }
    operation
}

fn searched(workspace: &Workspace, request: &Request) -> Outcome {
    let name = request.parameter("name");
    let fields = Fields(SEARCHES.get(workspace, name)?.as_object().cloned().unwrap_or_default());
    let places = Places::read(workspace, &fields)?;
    let response = found(workspace, &fields, &places, "trace_infos")?;
    Ok(Reply::json(operation(name, Some(response))))
}

/// A trace in an experiment; others are not known here.
fn of_experiment(workspace: &Workspace, id: &str) -> Result<Value, ApiError> {
    let trace = TRACES.get(workspace, id)?;
    if trace.at("location").is_null() { Ok(trace) } else { Err((TRACES.missing)(id)) }
}

fn get(workspace: &Workspace, request: &Request) -> Outcome {
    let trace = of_experiment(workspace, request.parameter("trace_id"))?;
    Ok(Reply::json(json!({"trace": {"trace_info": trace.at("info")}})))
}

fn batch_get(workspace: &Workspace, request: &Request) -> Outcome {
    check_warehouse(request.query("sql_warehouse_id"))?;
    let location = request.parameter("location");
    let ids = request.query_all("trace_ids").filter_map(|id| TRACES.find(workspace, id));
    let traces = ids.filter(|trace| trace.at("location").as_str() == Some(location)).map(|trace| {
        let spans: Vec<_> = trace.at("spans").as_array().into_iter().flatten().map(telemetry).collect();
        json!({"trace_info": trace.at("info"), "spans": spans})
    });
    Ok(Reply::json(json!({"traces": traces.collect::<Vec<_>>()})))
}

/// A span of a file as OpenTelemetry writes it.
fn telemetry(span: &Value) -> Value {
    let mut told = span.clone();
    let list = |attributes: &Value, read: fn(&str) -> Value| {
        let pairs = attributes.as_object().into_iter().flatten();
        let pairs =
            pairs.map(|(key, value)| json!({"key": key, "value": any(&value.as_str().map_or(Value::Null, read))}));
        pairs.collect::<Vec<_>>()
    };
    let json = |text: &str| serde_json::from_str(text).unwrap_or_default();
    told.set("attributes", list(span.at("attributes"), json));
    let events = span.at("events").as_array().into_iter().flatten().map(|event| {
        let mut event = event.clone();
        let attributes = list(event.at("attributes"), |text| text.into());
        event.set("attributes", attributes);
        event
    });
    told.set("events", events.collect::<Vec<_>>());
    told
}

/// A value that says its type.
fn any(value: &Value) -> Value {
    match value {
        Value::Null => json!({}),
        Value::Bool(flag) => json!({"bool_value": flag}),
        Value::Number(number) if number.is_f64() => json!({"double_value": number}),
        Value::Number(number) => json!({"int_value": number.to_string()}),
        Value::String(text) => json!({"string_value": text}),
        Value::Array(items) => json!({"array_value": {"values": items.iter().map(any).collect::<Vec<_>>()}}),
        Value::Object(fields) => {
            let pairs = |fields: &Map<String, Value>| -> Vec<Value> {
                fields.iter().map(|(key, value)| json!({"key": key, "value": any(value)})).collect()
            };
            json!({"kvlist_value": {"values": pairs(fields)}})
        }
    }
}

fn link(workspace: &Workspace, request: &Request) -> Outcome {
    let id = request.parameter("request_id");
    of_experiment(workspace, id)?;
    let (name, signature, key) = (workspace.ids.uuid(), workspace.ids.uuid(), workspace.ids.uuid());
    let expires = workspace.clock.now() + LIFE;
    let kept = json!({"trace": id, "signature": signature, "key": key, "expires": expires});
    LINKS.put_one_of(workspace, &name, kept, KEPT);
    let uri = format!("{}/sandbox-storage/traces/{name}?X-Amz-Signature={signature}", workspace.url());
    Ok(Reply::json(json!({"credential_info": {"path": "traces.json", "signed_uri": uri, "type": "AWS_PRESIGNED_URL",
        "headers": [{"name": HEADER, "value": key}]}})))
}

/// The file of a trace, for whoever has a link to it and no other credential.
fn follow(workspace: &Workspace, request: &Request) -> Outcome {
    let refused = |status, code, message| Ok(Reply::of_storage(status, code, message));
    if request.headers.contains_key("authorization") {
        return refused(400, "InvalidArgument", "Only one auth mechanism allowed");
    }
    let Some(link) = LINKS.find(workspace, request.parameter("link")) else {
        return refused(404, "NoSuchKey", "The specified key does not exist.");
    };
    let key = request.headers.get(HEADER).and_then(|key| key.to_str().ok());
    if request.query("X-Amz-Signature") != link.at("signature").as_str() || key != link.at("key").as_str() {
        return refused(403, "SignatureDoesNotMatch", "The request signature does not match the signature provided.");
    }
    if workspace.clock.now() >= link.at("expires").as_i64().unwrap_or(0) {
        return refused(403, "AccessDenied", "Request has expired");
    }
    match TRACES.get(workspace, link.text_at("trace"))?.at("spans") {
        Value::Null => refused(404, "NoSuchKey", "The specified key does not exist."),
        spans => Ok(Reply::bytes("application/json", json!({"spans": spans}).to_string())),
    }
}
