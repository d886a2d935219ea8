//! The spans of a trace: read in the forms in which they come, set in their order, and told within a budget.
//!
//! A file of spans and the API of Databricks' tables write the same span in two ways: with attributes as a map of JSON
//! texts, and as OpenTelemetry has them. Files of MLflow 2 have other names again.

use std::collections::{BTreeMap, BTreeSet};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Map, Value, json};

use super::info;
use crate::domain::request;
use crate::shape;

/// Attributes of MLflow and what they hold.
const TYPE: &str = "mlflow.spanType";
const INPUTS: &str = "mlflow.spanInputs";
const OUTPUTS: &str = "mlflow.spanOutputs";
const TOKENS: &str = "mlflow.chat.tokenUsage";
const MODEL: &str = "mlflow.llm.model";
/// Attributes of MLflow itself begin so.
const INTERNAL: &str = "mlflow.";

/// A step of a trace.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Span {
    pub(crate) id: String,
    parent: Option<String>,
    name: String,
    /// In nanoseconds since 1970.
    start: i64,
    end: Option<i64>,
    status: Option<String>,
    message: Option<String>,
    attributes: Map<String, Value>,
    /// What was raised in it: type, message and stack trace.
    exceptions: Vec<Map<String, Value>>,
}

impl Span {
    pub(crate) fn read(given: &Value) -> Self {
        let text = |names: [&str; 2]| names.iter().find_map(|name| request::text(given, name));
        let number = |names: [&str; 2]| names.iter().find_map(|name| request::integer(given, name));
        let id = text(["span_id", "id"]).or_else(|| shape::at(given, "context.span_id")?.as_str());
        let status = given.get("status").unwrap_or(&Value::Null);
        let code = request::text(status, "code").or_else(|| request::text(given, "status_code"));
        let message = request::text(status, "message").or_else(|| request::text(given, "status_message"));
        let exceptions = request::array(given, "events").iter();
        let exceptions = exceptions.filter(|event| request::text(event, "name") == Some("exception"));
        Self {
            id: id.map(hexadecimal).unwrap_or_default(),
            parent: text(["parent_span_id", "parent_id"]).map(hexadecimal),
            name: text(["name", "name"]).unwrap_or_default().to_owned(),
            start: number(["start_time_unix_nano", "start_time"]).unwrap_or_default(),
            end: number(["end_time_unix_nano", "end_time"]).filter(|end| *end > 0),
            status: code.map(|code| code.trim_start_matches("STATUS_CODE_").to_owned()),
            message: message.map(str::to_owned),
            attributes: attributes(given.get("attributes")),
            // Those of an event are no JSON within a text.
            exceptions: exceptions.filter_map(|event| event.get("attributes")).map(of_event).collect(),
        }
    }

    /// When it began, in nanoseconds since 1970.
    pub(crate) fn start(&self) -> i64 {
        self.start
    }

    /// The span without what it took and gave; `origin` is when the trace began.
    fn skeleton(&self, depth: usize, origin: i64) -> Value {
        let mut told = json!({ "span_id": self.id, "depth": depth, "name": self.name });
        let milliseconds = |from: i64, to: i64| to.saturating_sub(from) / 1_000_000;
        let tokens = self.attributes.get(TOKENS).and_then(Value::as_object).map(info::short);
        let facts = [
            ("type", self.attributes.get(TYPE).filter(|kind| kind.is_string()).cloned()),
            ("start_ms", Some(milliseconds(origin, self.start).into())),
            ("duration_ms", self.end.map(|end| milliseconds(self.start, end).into())),
            ("status", self.status.clone().map(Value::from)),
            ("error", self.error().map(Value::from)),
            ("model", self.attributes.get(MODEL).filter(|model| model.is_string()).cloned()),
            ("tokens", tokens),
        ];
        for (name, fact) in facts {
            if let Some(fact) = fact {
                shape::put(&mut told, name, fact);
            }
        }
        told
    }

    /// What went wrong in it.
    fn error(&self) -> Option<String> {
        let part = |name: &str| self.exceptions.first()?.get(name)?.as_str().filter(|text| !text.is_empty());
        let raised: Vec<_> = ["exception.type", "exception.message"].into_iter().filter_map(part).collect();
        let raised = Some(raised.join(": ")).filter(|text| !text.is_empty());
        raised.or_else(|| self.message.clone().filter(|_| self.status.as_deref() == Some("ERROR")))
    }

    /// What else there is of it, for who asks for this one alone.
    fn details(&self) -> Vec<(&'static str, Value)> {
        let is_own = |name: &str| !name.starts_with(INTERNAL);
        let own: Map<_, _> = self
            .attributes
            .iter()
            .filter(|(name, _)| is_own(name))
            .map(|(name, value)| (name.clone(), value.clone()))
            .collect();
        let stack = self.exceptions.first().and_then(|raised| raised.get("exception.stacktrace")).cloned();
        let own = Some(own).filter(|own| !own.is_empty()).map(Value::Object);
        [("attributes", own), ("stack_trace", stack)]
            .into_iter()
            .filter_map(|(name, value)| Some((name, value?)))
            .collect()
    }
}

/// Spans in the order of the tree: each before its children, and these in the order in which they began; with the
/// depth of each. One whose parent is not there is at the top.
pub(crate) fn tree(spans: &[Span]) -> Vec<(usize, &Span)> {
    let known: BTreeSet<_> = spans.iter().map(|span| span.id.as_str()).collect();
    let mut children: BTreeMap<Option<&str>, Vec<&Span>> = BTreeMap::new();
    for span in spans {
        let parent = span.parent.as_deref().filter(|parent| known.contains(parent) && *parent != span.id);
        children.entry(parent).or_default().push(span);
    }
    for siblings in children.values_mut() {
        siblings.sort_by_key(|span| span.start);
    }
    let (mut ordered, mut told) = (Vec::new(), BTreeSet::new());
    let mut open: Vec<_> = children.remove(&None).unwrap_or_default().into_iter().rev().map(|span| (0, span)).collect();
    // Spans in a circle hang on nothing, and are told after all others.
    let mut lost = spans.iter();
    while let Some((depth, span)) = open.pop().or_else(|| lost.next().map(|span| (0, span))) {
        if !told.insert(std::ptr::from_ref(span)) {
            continue;
        }
        ordered.push((depth, span));
        let below = children.remove(&Some(span.id.as_str())).unwrap_or_default();
        open.extend(below.into_iter().rev().map(|child| (depth + 1, child)));
    }
    ordered
}

/// The span with this id and all below it, of spans in the order of their tree.
pub(crate) fn branch<'a>(tree: &[(usize, &'a Span)], id: &str) -> Option<Vec<(usize, &'a Span)>> {
    let at = tree.iter().position(|(_, span)| span.id == id)?;
    let (top, _) = *tree.get(at)?;
    let below = tree.iter().skip(at + 1).take_while(|(depth, _)| *depth > top);
    Some(tree.get(at).into_iter().chain(below).map(|(depth, span)| (depth - top, *span)).collect())
}

/// Spans as they are told.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) spans: Vec<Value>,
    /// Values that were cut.
    pub(crate) cut: usize,
}

/// As many of the spans as have room with a little of what they took and gave; then the room that is left goes to
/// what is long. `detailed` adds what else is known of the first one.
pub(crate) fn tell(spans: &[(usize, &Span)], origin: i64, detailed: bool, room: usize) -> Told {
    let mut left = room;
    let mut taken: Vec<(Value, Vec<(&str, Value)>)> = Vec::new();
    for (index, (depth, span)) in spans.iter().enumerate() {
        let mut skeleton = span.skeleton(*depth, origin);
        let mut values: Vec<_> = [("inputs", INPUTS), ("outputs", OUTPUTS)]
            .into_iter()
            .filter_map(|(name, attribute)| Some((name, span.attributes.get(attribute)?.clone())))
            .filter(|(_, value)| !value.is_null())
            .collect();
        if detailed && index == 0 {
            values.extend(span.details());
        }
        // What is long without its values, such as an error, must not keep all others out.
        if size(&skeleton) > LONG_SKELETON {
            shape::fit(&mut skeleton, shape::Budget { characters: LONG_SKELETON });
        }
        let least = values.iter().map(|(name, value)| name.len() + 4 + size(value).min(LEAST_VALUE)).sum::<usize>();
        let needed = size(&skeleton) + 1 + least;
        if needed > left && !taken.is_empty() {
            break;
        }
        left = left.saturating_sub(needed);
        taken.push((skeleton, values));
    }
    let values = || taken.iter().flat_map(|(_, values)| values).map(|(_, value)| size(value));
    let room = left + values().map(|size| size.min(LEAST_VALUE)).sum::<usize>();
    let cut = shape::fit_parts(taken.iter_mut().flat_map(|(_, values)| values).map(|(_, value)| value), room);
    let spans = taken.into_iter().map(|(mut span, values)| {
        for (name, value) in values {
            shape::put(&mut span, name, value);
        }
        span
    });
    Told { spans: spans.collect(), cut }
}

/// Characters that each value gets at least.
const LEAST_VALUE: usize = 100;
/// Characters of a span without its values, at most.
const LONG_SKELETON: usize = 1_500;

fn size(value: &Value) -> usize {
    value.to_string().chars().count()
}

/// An id as MLflow shows it: bytes come in base64, of which eight make a span.
fn hexadecimal(id: &str) -> String {
    let id = id.strip_prefix("0x").unwrap_or(id);
    let is_plain = id.len() == 16 && id.bytes().all(|letter| letter.is_ascii_hexdigit());
    match STANDARD.decode(id).ok().filter(|bytes| !is_plain && bytes.len() == 8) {
        Some(bytes) => bytes.iter().map(|byte| format!("{byte:02x}")).collect(),
        None => id.to_owned(),
    }
}

/// Attributes by name: a map of values or of JSON texts, or the list of OpenTelemetry.
fn attributes(given: Option<&Value>) -> Map<String, Value> {
    match given {
        Some(Value::Object(map)) => map.iter().map(|(name, value)| (name.clone(), plain(value))).collect(),
        Some(Value::Array(list)) => {
            let named = list.iter().filter_map(|one| Some((request::text(one, "key")?.to_owned(), one.get("value")?)));
            named.map(|(name, value)| (name, of_telemetry(value, 0))).collect()
        }
        _ => Map::new(),
    }
}

fn of_event(given: &Value) -> Map<String, Value> {
    given.as_object().cloned().unwrap_or_else(|| attributes(Some(given)))
}

/// Values are JSON within a text; a text that is none stands for itself.
fn plain(value: &Value) -> Value {
    value.as_str().map_or_else(|| value.clone(), info::parsed)
}

/// Values nest no deeper than this.
const DEEPEST: usize = 32;

/// A value of OpenTelemetry, which says its type.
fn of_telemetry(value: &Value, depth: usize) -> Value {
    let Some((kind, inner)) = value.as_object().and_then(|one| one.iter().next()).filter(|_| depth < DEEPEST) else {
        return Value::Null;
    };
    let values = |inner: &Value| inner.get("values").and_then(Value::as_array).cloned().unwrap_or_default();
    match kind.as_str() {
        // Clients may have written JSON into a text, as their attributes hold nothing else.
        "string_value" | "stringValue" => match inner.as_str() {
            Some(text) if text.starts_with(['{', '[', '"']) => info::parsed(text),
            _ => inner.clone(),
        },
        "int_value" | "intValue" => request::identifier(inner).map_or_else(|| inner.clone(), Value::from),
        "array_value" | "arrayValue" => values(inner).iter().map(|one| of_telemetry(one, depth + 1)).collect(),
        "kvlist_value" | "kvlistValue" => {
            let pairs = values(inner);
            let named = pairs.iter().filter_map(|one| Some((request::text(one, "key")?.to_owned(), one.get("value")?)));
            named.map(|(name, value)| (name, of_telemetry(value, depth + 1))).collect()
        }
        _ => inner.clone(),
    }
}

#[cfg(test)]
mod tests;
