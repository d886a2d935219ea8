//! What an agent of the shop's support was asked: an experiment with traces, and one that is kept in Unity Catalog.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::DAY;
use crate::areas::mlflow::{experiments, traces};
use crate::error::ApiError;
use crate::json::Members;
use crate::request::Fields;
use crate::workspace::{USER, Workspace};

const EXPERIMENT: &str = "700100200300402";
const SCHEMA: [&str; 2] = ["main", "ml"];
const HOUR: i64 = 3_600_000;

/// A step: name, type, the number of its parent, milliseconds from the start and to its end, and what it took and gave.
struct Step(&'static str, &'static str, Option<u64>, i64, i64, Value, Value);

/// What a step raised.
struct Raised(usize, &'static str, &'static str);

/// A trace: number, start in milliseconds, duration, what it is besides.
struct Told<'a> {
    id: &'a str,
    started: i64,
    lasted: i64,
    state: &'a str,
    request: &'a str,
    response: Option<&'a str>,
    tokens: [i64; 2],
    tags: Value,
}

pub(super) fn fill(workspace: &Workspace) -> Result<(), ApiError> {
    let name = format!("/Users/{USER}/support-agent");
    let made = json!({"name": name, "tags": [{"key": "team", "value": "support"}]});
    experiments::make(workspace, EXPERIMENT, &Fields(made.as_object().cloned().unwrap_or_default()))?;
    let epoch = workspace.clock.epoch();
    let answered = Told {
        id: "tr-5e1ec7ed0000000000000000000000b1",
        started: epoch - 2 * DAY,
        lasted: 2_340,
        state: "OK",
        request: "How long may I return an order?",
        response: Some("You may return it within 30 days."),
        tokens: [412, 57],
        tags: json!({"release": "7", "channel": "web"}),
    };
    let mut info = answered.info(&experiment());
    info.set("assessments", assessments(answered.id, answered.started));
    if let Some(metadata) = info.get_mut("trace_metadata") {
        metadata.set("mlflow.trace.session", "support-0417");
    }
    traces::seed(workspace, answered.id, None, info, Some(spans(&answered, &support_steps(), None)));

    let failed = Told {
        id: "tr-5e1ec7ed0000000000000000000000b2",
        started: epoch - DAY,
        lasted: 1_120,
        state: "ERROR",
        request: "Where is order 1234567?",
        response: None,
        tokens: [388, 21],
        tags: json!({"release": "8", "channel": "web"}),
    };
    let raised = Raised(2, "KeyError", "no order 1234567");
    traces::seed(
        workspace,
        failed.id,
        None,
        failed.info(&experiment()),
        Some(spans(&failed, &order_steps(), Some(&raised))),
    );

    let begun = Told {
        id: "tr-5e1ec7ed0000000000000000000000b3",
        started: epoch - HOUR,
        lasted: 0,
        state: "IN_PROGRESS",
        request: "Cancel my account, please.",
        response: None,
        tokens: [0, 0],
        tags: json!({"release": "8", "channel": "mail"}),
    };
    traces::seed(workspace, begun.id, None, begun.info(&experiment()), None);

    let kept = Told {
        id: "5e1ec7ed0000000000000000000000b4",
        started: epoch - 3 * DAY,
        lasted: 2_340,
        state: "OK",
        request: "How long may I return an order?",
        response: Some("You may return it within 30 days."),
        tokens: [412, 57],
        tags: json!({"channel": "app"}),
    };
    let [catalog, schema] = SCHEMA;
    let place = json!({"type": "UC_SCHEMA", "uc_schema": {"catalog_name": catalog, "schema_name": schema}});
    let location = SCHEMA.join(".");
    traces::seed(workspace, kept.id, Some(&location), kept.info(&place), Some(spans(&kept, &support_steps(), None)));
    Ok(())
}

fn experiment() -> Value {
    json!({"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": EXPERIMENT}})
}

fn support_steps() -> Vec<Step> {
    let question = "How long may I return an order?";
    let found = json!([{"page_content": "Customers may return an order within 30 days.", "metadata": {"id": 1}}]);
    vec![
        Step(
            "support_agent",
            "AGENT",
            None,
            0,
            2_340,
            json!({"question": question}),
            json!("You may return it within 30 days."),
        ),
        Step(
            "plan",
            "CHAT_MODEL",
            Some(0),
            10,
            780,
            json!({"messages": [{"role": "user", "content": question}]}),
            json!({"tool": "search_articles"}),
        ),
        Step("search_articles", "RETRIEVER", Some(0), 790, 1_010, json!({"query": "return an order"}), found),
        Step(
            "answer",
            "CHAT_MODEL",
            Some(0),
            1_020,
            2_330,
            json!({"messages": [{"role": "user", "content": question},
            {"role": "tool", "content": "Customers may return an order within 30 days."}]}),
            json!({"content": "You may return it within 30 days."}),
        ),
    ]
}

fn order_steps() -> Vec<Step> {
    let question = "Where is order 1234567?";
    vec![
        Step("support_agent", "AGENT", None, 0, 1_120, json!({"question": question}), Value::Null),
        Step(
            "plan",
            "CHAT_MODEL",
            Some(0),
            10,
            900,
            json!({"messages": [{"role": "user", "content": question}]}),
            json!({"tool": "lookup_order"}),
        ),
        Step("lookup_order", "TOOL", Some(0), 910, 1_110, json!({"order_id": 1_234_567}), Value::Null),
    ]
}

fn time(milliseconds: i64) -> String {
    jiff::Timestamp::from_millisecond(milliseconds).unwrap_or_default().to_string()
}

impl Told<'_> {
    fn info(&self, place: &Value) -> Value {
        let [input, output] = self.tokens;
        let mut tags = json!({"mlflow.traceName": "support_agent", "mlflow.user": USER});
        tags.merge(self.tags.as_object().cloned().unwrap_or_default());
        let mut metadata = json!({"mlflow.user": USER, "mlflow.trace_schema.version": "3"});
        let mut info = json!({"trace_id": self.id, "trace_location": place, "request_time": time(self.started), "state": self.state,
            "request_preview": json!({"question": self.request}).to_string()});
        if self.lasted > 0 {
            let usage = json!({"input_tokens": input, "output_tokens": output, "total_tokens": input + output});
            metadata.set("mlflow.trace.tokenUsage", usage.to_string());
            info.set("execution_duration", format!("{}.{:03}s", self.lasted / 1_000, self.lasted % 1_000));
            if place.at("mlflow_experiment").is_object() {
                let folder = format!("dbfs:/databricks/mlflow-tracking/{EXPERIMENT}/{}/artifacts", self.id);
                tags.set("mlflow.artifactLocation", folder);
            }
        }
        if let Some(response) = self.response {
            info.set("response_preview", Value::from(response).to_string());
        }
        info.set("trace_metadata", metadata);
        info.set("tags", tags);
        info
    }
}

fn assessments(trace: &str, started: i64) -> Value {
    let at = time(started + HOUR);
    json!([
        {"assessment_id": "a-5e1ec7ed01", "assessment_name": "helpful", "trace_id": trace, "create_time": at,
            "last_update_time": at, "source": {"source_type": "HUMAN", "source_id": USER}, "feedback": {"value": true},
            "rationale": "Short and right.", "valid": true},
        {"assessment_id": "a-5e1ec7ed02", "assessment_name": "expected_facts", "trace_id": trace, "create_time": at,
            "last_update_time": at, "source": {"source_type": "HUMAN", "source_id": USER},
            "expectation": {"serialized_value": {"serialization_format": "JSON_FORMAT", "value": "[\"30 days\"]"}}, "valid": true},
        {"assessment_id": "a-5e1ec7ed03", "assessment_name": "groundedness", "trace_id": trace, "create_time": at,
            "last_update_time": at, "source": {"source_type": "LLM_JUDGE", "source_id": "sandbox-chat"},
            "feedback": {"value": "yes"}, "rationale": "The article says so.", "valid": true},
    ])
}

fn encoded(number: u64) -> String {
    STANDARD.encode(number.to_be_bytes())
}

/// The spans as their file has them: attributes are JSON in texts.
fn spans(trace: &Told<'_>, steps: &[Step], raised: Option<&Raised>) -> Vec<Value> {
    let number = u128::from_str_radix(trace.id.trim_start_matches("tr-"), 16).unwrap_or_default();
    let nanoseconds = |milliseconds: i64| (trace.started + milliseconds) * 1_000_000;
    let spans = steps.iter().enumerate().map(|(index, Step(name, kind, parent, from, to, took, gave))| {
        let id = u64::try_from(index).unwrap_or_default();
        let mut attributes = Map::from_iter([
            ("mlflow.traceRequestId".to_owned(), json!(trace.id)),
            ("mlflow.spanType".to_owned(), json!(kind)),
            ("mlflow.spanInputs".to_owned(), took.clone()),
            ("mlflow.spanOutputs".to_owned(), gave.clone()),
        ]);
        if *kind == "CHAT_MODEL" {
            attributes.insert("mlflow.llm.model".to_owned(), json!("sandbox-chat"));
        }
        let attributes: Map<_, _> =
            attributes.into_iter().map(|(key, value)| (key, Value::String(value.to_string()))).collect();
        let error = raised.filter(|Raised(at, ..)| *at == index || index == 0);
        let status = match error {
            Some(Raised(_, kind, message)) => json!({"code": "STATUS_CODE_ERROR", "message": format!("{kind}: {message}")}),
            None => json!({"code": "STATUS_CODE_OK", "message": ""}),
        };
        let events = error.filter(|Raised(at, ..)| *at == index).map(|Raised(_, kind, message)| {
            json!({"name": "exception", "time_unix_nano": nanoseconds(*to), "attributes": {"exception.type": kind,
                "exception.message": message, "exception.stacktrace":
                format!("Traceback (most recent call last):\n  File \"agent.py\", line 41, in {name}\n{kind}: {message}")}})
        });
        json!({"trace_id": STANDARD.encode(number.to_be_bytes()), "span_id": encoded(id + 1),
            "parent_span_id": parent.map(|parent| encoded(parent + 1)), "name": name,
            "start_time_unix_nano": nanoseconds(*from), "end_time_unix_nano": nanoseconds(*to), "status": status,
            "attributes": attributes, "events": Vec::from_iter(events), "links": []})
    });
    spans.collect()
}
