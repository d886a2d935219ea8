//! What is told of a trace besides its spans.

use serde_json::{Map, Value, json};

use super::place;
use crate::domain::request;
use crate::shape;

/// Characters of a request or a response in a list.
const PREVIEW: usize = 300;
/// Tags and metadata of MLflow itself begin so; they are told by their meaning.
const INTERNAL: &str = "mlflow.";
/// What MLflow keeps of a trace in its metadata, and as what it is told.
const METADATA: [(&str, &str); 3] =
    [("mlflow.trace.session", "session"), ("mlflow.trace.user", "user"), ("mlflow.sourceRun", "run_id")];

/// A trace as an item of a list.
pub(crate) fn row(info: &Value) -> Value {
    let mut row = head(info);
    for (name, field) in [("request_preview", "request"), ("response_preview", "response")] {
        if let Some(text) = request::text(info, name).or_else(|| request::text(info, field)) {
            shape::put(&mut row, field, start(text));
        }
    }
    let verdicts = assessments(info).filter_map(|assessment| {
        Some((request::text(assessment, "assessment_name")?.to_owned(), verdict(assessment)?.1.clone()))
    });
    let verdicts: Map<String, Value> = verdicts.collect();
    if !verdicts.is_empty() {
        shape::put(&mut row, "assessments", verdicts);
    }
    row
}

/// A trace by itself; its request and response are those of its first span.
pub(crate) fn whole(info: &Value) -> Value {
    let mut whole = head(info);
    if let Some(cost) = metadata(info, "mlflow.trace.cost").and_then(|text| serde_json::from_str::<Value>(text).ok()) {
        shape::put(&mut whole, "cost_usd", cost);
    }
    if let Some(id) = request::text(info, "client_request_id") {
        shape::put(&mut whole, "client_request_id", id);
    }
    let own: Map<_, _> = pairs(info, "trace_metadata").filter(|(name, _)| !name.starts_with(INTERNAL)).collect();
    if !own.is_empty() {
        shape::put(&mut whole, "metadata", own);
    }
    let told: Vec<_> = assessments(info).map(assessment).collect();
    if !told.is_empty() {
        shape::put(&mut whole, "assessments", told);
    }
    whole
}

fn head(info: &Value) -> Value {
    let id = request::text(info, "trace_id").or_else(|| request::text(info, "request_id")).unwrap_or_default();
    let location = place::location(info);
    // Who asks for it again has to say where it is.
    let id = match &location {
        Some(location) if place::split(id).is_none() => place::id_in(location, id),
        _ => id.to_owned(),
    };
    let mut head = json!({ "trace_id": id });
    let experiment = shape::at(info, "trace_location.mlflow_experiment.experiment_id");
    let facts = [
        ("name", pair(info, "tags", "mlflow.traceName").map(Value::from)),
        ("experiment_id", experiment.filter(|id| id.is_string()).cloned()),
        ("request_time", time(info.get("request_time"))),
        ("state", request::text(info, "state").map(Value::from)),
        ("duration_ms", milliseconds(info.get("execution_duration")).map(Value::from)),
        ("tokens", metadata(info, "mlflow.trace.tokenUsage").and_then(tokens)),
    ];
    for (name, fact) in facts {
        if let Some(fact) = fact {
            shape::put(&mut head, name, fact);
        }
    }
    for (name, field) in METADATA {
        if let Some(text) = metadata(info, name) {
            shape::put(&mut head, field, text);
        }
    }
    let own: Map<_, _> = pairs(info, "tags").filter(|(name, _)| !name.starts_with(INTERNAL)).collect();
    if !own.is_empty() {
        shape::put(&mut head, "tags", own);
    }
    head
}

/// `{"input_tokens": 1, …}` of a text, as `{"input": 1, …}`.
pub(super) fn tokens(text: &str) -> Option<Value> {
    let usage: Map<String, Value> = serde_json::from_str(text).ok()?;
    Some(short(&usage))
}

/// The same of what is no text any more.
pub(super) fn short(usage: &Map<String, Value>) -> Value {
    let counts = usage.iter().filter(|(_, count)| count.is_number());
    counts.map(|(name, count)| (name.trim_end_matches("_tokens").to_owned(), count.clone())).collect()
}

fn assessments(info: &Value) -> impl Iterator<Item = &Value> {
    // One that another one replaced is kept, and is not valid any more.
    let is_valid = |assessment: &&Value| assessment.get("valid").and_then(Value::as_bool) != Some(false);
    request::array(info, "assessments").iter().filter(is_valid)
}

/// What kind an assessment is of, and what it says.
fn verdict(assessment: &Value) -> Option<(&'static str, Value)> {
    if let Some(feedback) = assessment.get("feedback").filter(|feedback| feedback.is_object()) {
        return Some(("feedback", feedback.get("value").cloned().unwrap_or_default()));
    }
    if let Some(expected) = assessment.get("expectation").filter(|expected| expected.is_object()) {
        let text = shape::at(expected, "serialized_value.value").and_then(Value::as_str);
        let value = text.map_or_else(|| expected.get("value").cloned().unwrap_or_default(), parsed);
        return Some(("expectation", value));
    }
    let issue = assessment.get("issue")?;
    Some(("issue", issue.get("issue_name").cloned().unwrap_or_default()))
}

fn assessment(given: &Value) -> Value {
    let mut told = json!({ "name": given.get("assessment_name") });
    if let Some((kind, value)) = verdict(given) {
        shape::put(&mut told, "kind", kind);
        shape::put(&mut told, "value", value);
    }
    let source = given.get("source").unwrap_or(&Value::Null);
    let by: Vec<_> = ["source_type", "source_id"].iter().filter_map(|name| request::text(source, name)).collect();
    if !by.is_empty() {
        shape::put(&mut told, "by", by.join(" "));
    }
    let error = given.get("error").or_else(|| shape::at(given, "feedback.error"));
    if let Some(error) = error.and_then(|error| request::text(error, "error_message")) {
        shape::put(&mut told, "error", error);
    }
    for (name, field) in [("rationale", "rationale"), ("span_id", "span_id")] {
        if let Some(text) = request::text(given, name) {
            shape::put(&mut told, field, text);
        }
    }
    if let Some(time) = time(given.get("last_update_time").or_else(|| given.get("create_time"))) {
        shape::put(&mut told, "time", time);
    }
    told
}

/// A value of a map, or of a list of keys and values, as older versions have it.
pub(super) fn pair<'a>(info: &'a Value, field: &str, name: &str) -> Option<&'a str> {
    let found = match info.get(field)? {
        Value::Array(pairs) => pairs.iter().find(|pair| request::text(pair, "key") == Some(name))?.get("value"),
        map => map.get(name),
    };
    found?.as_str().filter(|text| !text.is_empty())
}

fn pairs<'a>(info: &'a Value, field: &str) -> Box<dyn Iterator<Item = (String, Value)> + 'a> {
    match info.get(field) {
        Some(Value::Object(map)) => Box::new(map.iter().map(|(name, value)| (name.clone(), value.clone()))),
        Some(Value::Array(pairs)) => Box::new(pairs.iter().filter_map(|pair| {
            Some((request::text(pair, "key")?.to_owned(), pair.get("value").cloned().unwrap_or_default()))
        })),
        _ => Box::new(std::iter::empty()),
    }
}

fn metadata<'a>(info: &'a Value, name: &str) -> Option<&'a str> {
    pair(info, "trace_metadata", name).or_else(|| pair(info, "request_metadata", name))
}

/// The start of a text that is long.
fn start(text: &str) -> String {
    match text.char_indices().nth(PREVIEW) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text.to_owned(),
    }
}

/// A time, which comes as text of ISO 8601; seconds of fractions are of no use.
fn time(given: Option<&Value>) -> Option<Value> {
    let given = given?;
    let milliseconds = match given.as_str().and_then(|text| text.parse::<jiff::Timestamp>().ok()) {
        Some(time) => time.as_millisecond(),
        None => request::identifier(given)?,
    };
    shape::time(milliseconds)
}

/// A duration, which comes as `1.25s`.
fn milliseconds(given: Option<&Value>) -> Option<u64> {
    let given = given?;
    let Some(text) = given.as_str() else { return given.as_u64() };
    let seconds: f64 = text.strip_suffix('s')?.parse().ok()?;
    std::time::Duration::try_from_secs_f64(seconds).ok()?.as_millis().try_into().ok()
}

/// A text of JSON, or the text itself.
pub(super) fn parsed(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|_| Value::from(text))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{row, whole};

    #[test]
    fn a_trace_is_told_in_short() {
        let info = json!({
            "trace_id": "tr-1", "trace_location": { "mlflow_experiment": { "experiment_id": "7" } },
            "request_preview": "x".repeat(400), "response_preview": "\"done\"",
            "request_time": "2026-03-02T10:00:00.250Z", "execution_duration": "1.250s", "state": "OK",
            "trace_metadata": { "mlflow.trace.tokenUsage": "{\"input_tokens\": 5, \"output_tokens\": 7}",
                "mlflow.trace.session": "s-1", "mlflow.trace.sizeBytes": "9", "release": "4" },
            "tags": { "mlflow.traceName": "agent", "team": "shop" },
            "assessments": [
                { "assessment_name": "helpful", "feedback": { "value": true }, "valid": true },
                { "assessment_name": "helpful", "feedback": { "value": false }, "valid": false },
                { "assessment_name": "answer", "expectation": { "serialized_value": { "value": "[1]" } } },
            ],
        });
        let told = row(&info);
        assert_eq!(told["request"].as_str().map(|text| text.chars().count()), Some(301));
        let mut rest = told;
        rest.as_object_mut().expect("an object").remove("request");
        assert_eq!(
            rest,
            json!({
                "trace_id": "tr-1", "name": "agent", "experiment_id": "7", "request_time": "2026-03-02T10:00:00Z",
                "state": "OK", "duration_ms": 1250, "tokens": { "input": 5, "output": 7 }, "session": "s-1",
                "tags": { "team": "shop" }, "response": "\"done\"", "assessments": { "helpful": true, "answer": [1] },
            })
        );
        let whole = whole(&info);
        assert_eq!(whole["metadata"], json!({ "release": "4" }));
        assert_eq!(whole["assessments"][0], json!({ "name": "helpful", "kind": "feedback", "value": true }));
        assert_eq!(whole["assessments"].as_array().map(Vec::len), Some(2));
    }

    #[test]
    fn what_older_servers_tell_is_understood() {
        let info = json!({
            "request_id": "ab", "request_time": 1_772_442_000_123_i64, "execution_duration": 5,
            "trace_location": { "uc_schema": { "catalog_name": "main", "schema_name": "traces" } },
            "tags": [{ "key": "mlflow.traceName", "value": "agent" }, { "key": "team", "value": "shop" }],
            "request_metadata": [{ "key": "mlflow.trace.user", "value": "rosa" }],
        });
        assert_eq!(
            row(&info),
            json!({
                "trace_id": "trace:/main.traces/ab", "name": "agent", "request_time": "2026-03-02T09:00:00Z",
                "duration_ms": 5, "user": "rosa", "tags": { "team": "shop" },
            })
        );
        assert_eq!(row(&json!({})), json!({ "trace_id": "" }));
    }
}
