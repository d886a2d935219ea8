//! Requests made from the operations of the specs, and then bent.

use std::fmt::Write;

use codegen::Api;
use codegen::api::{Body, Location, Operation, Schema};
use serde_json::{Map, Value, json};

use crate::random::{KNOWN, NASTY, Random};
use crate::wire::Sent;

pub(crate) struct Maker<'a> {
    pub(crate) api: &'a Api,
    pub(crate) operations: Vec<&'a Operation>,
    /// Ids and names that answers gave.
    pub(crate) seen: Vec<String>,
}

/// As many of them are kept.
const MOST_SEEN: usize = 300;

impl Maker<'_> {
    fn word(&self, random: &mut Random) -> String {
        match random.below(10) {
            0 => random.pick(&NASTY).copied().unwrap_or_default().to_owned(),
            1 => "x".repeat(random.below(3_000)),
            2..5 if !self.seen.is_empty() => random.pick(&self.seen).cloned().unwrap_or_default(),
            _ => random.pick(&KNOWN).copied().unwrap_or_default().to_owned(),
        }
    }

    fn value(&self, random: &mut Random, schema: &Schema, depth: usize) -> Value {
        if random.one_in(40) {
            return bent(random);
        }
        match self.api.resolve(schema) {
            Schema::Any | Schema::Reference(_) => json!({"a": self.word(random)}),
            Schema::Map(values) => json!({self.word(random): self.value(random, values, depth + 1)}),
            Schema::Boolean => json!(random.one_in(2)),
            Schema::Integer { .. } | Schema::Number => match random.below(6) {
                0 => json!(-1),
                1 => json!(i64::MAX),
                2 => json!(620_114_300_000_100_i64 + i64::try_from(random.below(12)).unwrap_or(0)),
                3 => self.seen_number(random),
                _ => json!(random.below(200)),
            },
            Schema::String(Some(format)) if format == "date-time" => json!("2026-03-01T00:00:00Z"),
            Schema::String(Some(format)) if format == "duration" => json!("10s"),
            Schema::String(_) => json!(self.word(random)),
            Schema::Enum(values) => json!(random.pick(values)),
            Schema::Array(items) => {
                let count = if depth > 5 { 0 } else { random.below(4) };
                (0..count).map(|_| self.value(random, items, depth + 1)).collect()
            }
            Schema::Object(properties) => {
                let mut members = Map::new();
                for property in properties {
                    if property.required || depth < 4 && random.one_in(6) {
                        members.insert(property.name.clone(), self.value(random, &property.schema, depth + 1));
                    }
                }
                Value::Object(members)
            }
        }
    }

    fn seen_number(&self, random: &mut Random) -> Value {
        let number = random.pick(&self.seen).and_then(|seen| seen.parse::<i64>().ok());
        json!(number.unwrap_or(0))
    }

    fn text(&self, random: &mut Random, schema: &Schema) -> String {
        match self.value(random, schema, 5) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    pub(crate) fn request(&self, random: &mut Random) -> Sent {
        let Some(operation) = random.pick(&self.operations) else { return Sent::default() };
        let mut path = operation.path.clone();
        let mut query = Vec::new();
        let mut fields = Map::new();
        for parameter in &operation.parameters {
            let is_given = parameter.required || random.one_in(5);
            match parameter.location {
                Location::Path => {
                    let value = encoded(&self.text(random, &parameter.schema), parameter.multi_segment);
                    path = path.replace(&format!("{{{}}}", parameter.name), &value);
                }
                Location::Query if is_given && !random.one_in(50) => {
                    let value = encoded(&self.text(random, &parameter.schema), false);
                    query.push(format!("{}={value}", parameter.name));
                }
                Location::Body if is_given && !random.one_in(50) => {
                    fields.insert(parameter.name.clone(), self.value(random, &parameter.schema, 0));
                }
                Location::Query | Location::Body => {}
            }
        }
        if random.one_in(60) {
            query.push(format!("{}={}", encoded(&self.word(random), false), encoded(&self.word(random), false)));
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let body = match &operation.body {
            Body::None => String::new(),
            Body::Binary => self.word(random),
            Body::Other(schema) => self.value(random, schema, 0).to_string(),
            Body::Object => Value::Object(fields).to_string(),
        };
        let mut sent = Sent { method: operation.method.clone(), path, headers: Vec::new(), body: body.into_bytes() };
        if random.one_in(6) {
            bend(random, &mut sent);
        }
        sent
    }

    /// Keeps what an answer names.
    pub(crate) fn learn(&mut self, random: &mut Random, answer: &[u8]) {
        let Ok(Value::Object(members)) = serde_json::from_slice(answer) else { return };
        for (name, value) in members {
            let text = match value {
                Value::String(text) if text.len() < 200 => text,
                Value::Number(number) => number.to_string(),
                _ => continue,
            };
            if name.ends_with("id") || name.ends_with("name") || name.ends_with("token") {
                if self.seen.len() >= MOST_SEEN {
                    let at = random.below(MOST_SEEN);
                    self.seen.swap_remove(at);
                }
                self.seen.push(text);
            }
        }
    }
}

fn encoded(text: &str, slashes: bool) -> String {
    let mut encoded = String::new();
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) || slashes && byte == b'/' {
            encoded.push(char::from(byte));
        } else {
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

/// A value of no type in particular.
fn bent(random: &mut Random) -> Value {
    match random.below(9) {
        0 => Value::Null,
        1 => json!([]),
        2 => json!({}),
        3 => json!(1e300),
        4 => json!(u64::MAX),
        5 => json!([[[[[[[[1]]]]]]]]),
        6 => json!({"a": {"b": [null, {"c": "🚀"}]}}),
        7 => json!(false),
        _ => json!(random.pick(&NASTY)),
    }
}

/// Bends what is sent: method, path, headers or bytes of the body.
fn bend(random: &mut Random, sent: &mut Sent) {
    const METHODS: [&str; 9] = ["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD", "OPTIONS", "TRACE", "BREW"];
    match random.below(8) {
        0 => sent.method = random.pick(&METHODS).copied().unwrap_or("GET").to_owned(),
        1 => {
            let at = random.below(sent.path.len()).max(1);
            if sent.path.is_char_boundary(at) {
                sent.path.insert_str(
                    at,
                    random.pick(&["/", "%00", "%", "?", "&", "=", ";", "..", "//", "%ff"]).unwrap_or(&"/"),
                );
            }
        }
        2 => sent.path.truncate(random.below(sent.path.len()).max(1)),
        3 => sent.headers.push((
            "authorization",
            (*random.pick(&["", "Bearer", "Bearer  ", "Basic eDp5", "Bearer wrong", "🚀"]).unwrap_or(&"")).to_owned(),
        )),
        4 => {
            let value = random.pick(&[
                "multipart/form-data; boundary=x",
                "multipart/form-data",
                "text/plain",
                "application/scim+json",
            ]);
            sent.headers.push(("content-type", (*value.unwrap_or(&"")).to_owned()));
        }
        5 => sent.headers.push((
            "range",
            (*random.pick(&["bytes=0-", "bytes=5-1", "bytes=-9999999999", "x"]).unwrap_or(&"")).to_owned(),
        )),
        6 if !sent.body.is_empty() => {
            for _ in 0..=random.below(4) {
                let at = random.below(sent.body.len());
                if let Some(byte) = sent.body.get_mut(at) {
                    *byte = u8::try_from(random.below(256)).unwrap_or(0);
                }
            }
        }
        _ => {
            let deep = random.below(5_000);
            sent.body = format!("{}{}", "[".repeat(deep), "]".repeat(deep)).into_bytes();
        }
    }
}
