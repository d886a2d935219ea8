//! Runs: parameters that stay as they are, metrics with their history, tags, artifacts.

use serde_json::{Value, json};

use super::experiments::{active, texts};
use super::{in_view, pair, put_pair, remove_pair};
use crate::areas::filter::{Filter, Key, sort};
use crate::error::ApiError;
use crate::ids::mix;
use crate::json::Members;
use crate::page;
use crate::reply::Reply;
use crate::request::{Fields, Request};
use crate::router::Outcome;
use crate::store::Kind;
use crate::workspace::{USER, Workspace};

pub(crate) const RUNS: Kind =
    Kind { name: "mlflow-runs", missing: |id| ApiError::does_not_exist(format!("Run with id={id} not found")) };

/// What a batch holds at most: of all together, of metrics, of parameters and tags each.
const MOST_ITEMS: usize = 1000;
const MOST_PAIRS: usize = 100;
const MOST_RESULTS: usize = 50_000;
const LONGEST: usize = 250;

const NAMES: [&str; 6] = ["serious-crane", "bold-finch", "quiet-heron", "lucky-swan", "brave-stork", "calm-wren"];

/// What was logged, for seeds.
pub(crate) struct Logged<'a> {
    pub(crate) name: &'a str,
    pub(crate) status: &'a str,
    pub(crate) started: i64,
    pub(crate) params: &'a [(&'a str, &'a str)],
    /// The values of a metric, step by step.
    pub(crate) metrics: &'a [(&'a str, &'a [f64])],
    pub(crate) artifacts: Value,
}

/// Adds a run that has ended.
pub(crate) fn seed(workspace: &Workspace, id: &str, experiment: &str, logged: &Logged<'_>) -> Result<(), ApiError> {
    let mut run = new(id, experiment, logged.name, logged.started);
    for (key, value) in logged.params {
        put_pair(&mut run, "params", pair(key, value));
    }
    for (key, values) in logged.metrics {
        for (step, value) in values.iter().enumerate() {
            let at = logged.started + 1000 * i64::try_from(step).unwrap_or(0);
            add_metric(&mut run, json!({"key": key, "value": value, "timestamp": at, "step": step}));
        }
    }
    run.set("artifacts", logged.artifacts.clone());
    if let Some(info) = run.get_mut("info") {
        info.set("status", logged.status);
        info.set("end_time", logged.started + 120_000);
    }
    RUNS.put(workspace, id, run);
    active(workspace, experiment).map(|_| ())
}

/// A run as it is kept: besides what is told of it, the history of its metrics and its artifacts.
fn new(id: &str, experiment: &str, name: &str, started: i64) -> Value {
    let info = json!({"run_id": id, "run_uuid": id, "run_name": name, "experiment_id": experiment, "user_id": USER, "status": "RUNNING",
        "start_time": started, "lifecycle_stage": "active", "artifact_uri": format!("dbfs:/databricks/mlflow-tracking/{experiment}/{id}/artifacts")});
    json!({"info": info, "params": [], "metrics": [], "tags": [pair("mlflow.runName", name), pair("mlflow.user", USER)], "history": {}, "artifacts": []})
}

fn told(run: &Value) -> Value {
    let mut data = json!({});
    for list in ["metrics", "params", "tags"] {
        if run.at(list).as_array().is_some_and(|list| !list.is_empty()) {
            data.set(list, run.at(list).clone());
        }
    }
    let mut inputs = json!({});
    for list in ["dataset_inputs", "model_inputs"] {
        if run.at(list).is_array() {
            inputs.set(list, run.at(list).clone());
        }
    }
    json!({"info": run.at("info"), "data": data, "inputs": inputs})
}

/// The id of a run, by either of its names.
fn id_of(fields: &Fields) -> Result<&str, ApiError> {
    match fields.text("run_id")? {
        Some(id) if !id.is_empty() => Ok(id),
        _ => fields.text("run_uuid")?.filter(|id| !id.is_empty()).ok_or_else(|| ApiError::missing_field("run_id")),
    }
}

fn asked_id(request: &Request) -> Result<&str, ApiError> {
    request.query("run_id").filter(|id| !id.is_empty()).map_or_else(|| request.required_query("run_uuid"), Ok)
}

pub(super) fn create(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let experiment = fields.required_text("experiment_id")?;
    active(workspace, experiment)?;
    let id = workspace.ids.uuid().replace('-', "");
    let tags = fields.array("tags")?;
    let named = tags.iter().find(|tag| tag.text_at("key") == "mlflow.runName").map(|tag| tag.text_at("value"));
    let made_up = || {
        let seed = id.bytes().fold(0, |hash, byte| mix(hash ^ u64::from(byte)));
        let name = NAMES.get(usize::try_from(seed % 6).unwrap_or(0)).copied().unwrap_or_default();
        format!("{name}-{}", seed % 1000)
    };
    let name = fields.text("run_name")?.filter(|name| !name.is_empty()).or(named).map_or_else(made_up, str::to_owned);
    let mut run = new(&id, experiment, &name, fields.integer("start_time")?.unwrap_or_else(|| workspace.clock.now()));
    for tag in tags {
        put_pair(&mut run, "tags", tag.clone());
    }
    RUNS.put(workspace, &id, run.clone());
    Ok(Reply::json(json!({"run": told(&run)})))
}

pub(super) fn get(workspace: &Workspace, request: &Request) -> Outcome {
    Ok(Reply::json(json!({"run": told(&RUNS.get(workspace, asked_id(request)?)?)})))
}

/// Changes a run that is not deleted.
fn change<T>(
    workspace: &Workspace,
    id: &str,
    body: impl FnOnce(&mut Value) -> Result<T, ApiError>,
) -> Result<T, ApiError> {
    RUNS.change(workspace, id, |run| match run.at("info").text_at("lifecycle_stage") {
        "active" => body(run),
        stage => Err(ApiError::invalid_parameter(format!(
            "The run {id} must be in the 'active' state. Current state is {stage}."
        ))),
    })
}

pub(super) fn update(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    change(workspace, id_of(&fields)?, |run| {
        if let Some(name) = fields.text("run_name")? {
            put_pair(run, "tags", pair("mlflow.runName", name));
        }
        let Some(info) = run.get_mut("info") else { return Ok(Reply::nothing()) };
        for field in ["status", "end_time", "run_name"] {
            if let Some(value) = fields.get(field) {
                info.set(field, value.clone());
            }
        }
        Ok(Reply::json(json!({"run_info": info})))
    })
}

/// Adds what a run has read: data sets, and models. What it has read already is told once.
pub(super) fn log_inputs(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (datasets, models) = (fields.array("datasets")?, fields.array("models")?);
    change(workspace, id_of(&fields)?, |run| {
        add(run, "dataset_inputs", datasets);
        add(run, "model_inputs", models);
        Ok(Reply::nothing())
    })
}

/// Keeps the models that a run has made; nothing tells them.
pub(super) fn log_outputs(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let models = fields.array("models")?;
    change(workspace, id_of(&fields)?, |run| {
        add(run, "model_outputs", models);
        Ok(Reply::nothing())
    })
}

fn add(run: &mut Value, list: &str, items: &[Value]) {
    let mut known = run.at(list).as_array().cloned().unwrap_or_default();
    let new: Vec<_> = items.iter().filter(|item| !known.contains(item)).cloned().collect();
    known.extend(new);
    if !known.is_empty() {
        run.set(list, known);
    }
}

/// Of a metric the last value counts: of the highest step, and then of the latest time.
fn add_metric(run: &mut Value, metric: Value) {
    let key = metric.text_at("key").to_owned();
    let place =
        |metric: &Value| (metric.at("step").as_i64().unwrap_or(0), metric.at("timestamp").as_i64().unwrap_or(0));
    let known = run.at("metrics").as_array().into_iter().flatten().find(|known| known.text_at("key") == key).map(place);
    if known.is_none_or(|known| place(&metric) >= known) {
        put_pair(run, "metrics", metric.clone());
    }
    if let Some(history) = run.get_mut("history") {
        let mut values = history.at(&key).as_array().cloned().unwrap_or_default();
        values.push(metric);
        history.set(&key, values);
    }
}

/// A parameter can be logged again with the same value only.
fn add_parameter(run: &mut Value, parameter: Value) -> Result<(), ApiError> {
    let key = parameter.text_at("key");
    let known = run.at("params").as_array().into_iter().flatten().find(|known| known.text_at("key") == key);
    if let Some(known) = known.filter(|known| known.at("value") != parameter.at("value")) {
        return Err(ApiError::invalid_parameter(format!(
            "Changing param values is not allowed. Param with key='{key}' was already logged with value='{}'. Attempted logging new value '{}'.",
            known.text_at("value"),
            parameter.text_at("value")
        )));
    }
    put_pair(run, "params", parameter);
    Ok(())
}

fn check_key(item: &Value) -> Result<(), ApiError> {
    let key = item.text_at("key");
    let plain = |letter: char| letter.is_alphanumeric() || "_-. /:".contains(letter);
    if !key.is_empty() && key.len() <= LONGEST && key.chars().all(plain) {
        return Ok(());
    }
    Err(ApiError::invalid_parameter(format!(
        "Invalid name '{key}': names have at most {LONGEST} alphanumerics, underscores, dashes, periods, spaces, colons and slashes"
    )))
}

/// The metric of a body, with a number for its value: clients may send texts such as `NaN`.
fn metric(item: &Value) -> Value {
    let mut metric = item.clone();
    if let Some(value) = item.at("value").as_str().and_then(|text| text.parse::<f64>().ok()) {
        metric
            .set("value", serde_json::Number::from_f64(value).map_or_else(|| item.at("value").clone(), Value::Number));
    }
    if metric.at("step").is_null() {
        metric.set("step", 0);
    }
    metric.without(&["run_id", "run_uuid"])
}

pub(super) fn log_metric(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let item = metric(&Value::Object(fields.0.clone()));
    check_key(&item)?;
    change(workspace, id_of(&fields)?, |run| {
        add_metric(run, item);
        Ok(Reply::nothing())
    })
}

pub(super) fn log_parameter(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let item = pair(fields.required_text("key")?, fields.text("value")?.unwrap_or_default());
    check_key(&item)?;
    change(workspace, id_of(&fields)?, |run| add_parameter(run, item).map(|()| Reply::nothing()))
}

pub(super) fn log_batch(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let (metrics, params, tags) = (fields.array("metrics")?, fields.array("params")?, fields.array("tags")?);
    let total = metrics.len() + params.len() + tags.len();
    if total > MOST_ITEMS || params.len() > MOST_PAIRS || tags.len() > MOST_PAIRS {
        return Err(ApiError::invalid_parameter(format!(
            "A batch holds at most {MOST_ITEMS} items, {MOST_PAIRS} of them params and {MOST_PAIRS} tags; this one has {total}"
        )));
    }
    for item in metrics.iter().chain(params).chain(tags) {
        check_key(item)?;
    }
    change(workspace, id_of(&fields)?, |run| {
        // All or nothing: what is refused must leave no trace.
        let mut changed = run.clone();
        for item in params {
            add_parameter(&mut changed, item.clone())?;
        }
        for item in metrics {
            add_metric(&mut changed, metric(item));
        }
        for item in tags {
            put_pair(&mut changed, "tags", item.clone());
        }
        *run = changed;
        Ok(Reply::nothing())
    })
}

pub(super) fn set_tag(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let tag = pair(fields.required_text("key")?, fields.text("value")?.unwrap_or_default());
    check_key(&tag)?;
    change(workspace, id_of(&fields)?, |run| {
        if tag.text_at("key") == "mlflow.runName"
            && let Some(info) = run.get_mut("info")
        {
            info.set("run_name", tag.at("value").clone());
        }
        put_pair(run, "tags", tag);
        Ok(Reply::nothing())
    })
}

pub(super) fn delete_tag(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let key = fields.required_text("key")?;
    change(workspace, id_of(&fields)?, |run| remove_pair(run, "tags", key).map(|()| Reply::nothing()))
}

fn look(run: &Value, key: &Key) -> Option<Value> {
    let found = match key.scope {
        "attributes" => {
            let info = run.at("info");
            let name = match key.name.as_str() {
                "Created" | "created" => "start_time",
                "run name" | "Run name" => "run_name",
                name => name,
            };
            info.at(name).clone()
        }
        list => {
            let mut pairs = run.at(list).as_array()?.iter();
            pairs.find(|pair| pair.text_at("key") == key.name)?.at("value").clone()
        }
    };
    Some(found).filter(|value| !value.is_null())
}

pub(super) fn search(workspace: &Workspace, request: &Request) -> Outcome {
    let fields = request.fields()?;
    let experiments = texts(&fields, "experiment_ids")?;
    let filter = Filter::read(fields.text("filter")?.unwrap_or_default())?;
    let view = fields.text("run_view_type")?;
    let mut found = RUNS.all(workspace);
    found.retain(|run| {
        let info = run.at("info");
        experiments.iter().any(|id| id == info.text_at("experiment_id"))
            && in_view(info.text_at("lifecycle_stage"), view)
            && filter.passes(|key| look(run, key))
    });
    // Unless asked otherwise, the newest come first.
    found.reverse();
    found.sort_by_key(|run| std::cmp::Reverse(run.at("info").at("start_time").as_i64()));
    sort(&mut found, &texts(&fields, "order_by")?, look)?;
    let size = page::size(fields.integer("max_results")?, 1000, MOST_RESULTS)?;
    page::told("runs", found.iter().map(told).collect(), size, fields.text("page_token")?)
}

pub(super) fn history(workspace: &Workspace, request: &Request) -> Outcome {
    let run = RUNS.get(workspace, asked_id(request)?)?;
    let values = run.at("history").at(request.required_query("metric_key")?).as_array().cloned().unwrap_or_default();
    let size = page::size(request.query_integer("max_results")?, 25_000, 25_000)?;
    page::told("metrics", values, size, request.query("page_token"))
}

/// The files right below a path.
pub(super) fn artifacts(workspace: &Workspace, request: &Request) -> Outcome {
    let run = RUNS.get(workspace, asked_id(request)?)?;
    let folder = request.query("path").unwrap_or_default().trim_matches('/');
    let prefix = if folder.is_empty() { String::new() } else { format!("{folder}/") };
    let is_here = |file: &&Value| {
        file.text_at("path").strip_prefix(&prefix).is_some_and(|rest| !rest.is_empty() && !rest.contains('/'))
    };
    let files: Vec<_> = run.at("artifacts").as_array().into_iter().flatten().filter(is_here).cloned().collect();
    let mut reply = json!({"root_uri": run.at("info").at("artifact_uri")});
    if !files.is_empty() {
        reply.set("files", files);
    }
    Ok(Reply::json(reply))
}
