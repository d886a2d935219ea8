//! Every operation of the specs, called with the least that it asks for.

use std::path::Path;

use codegen::Api;
use codegen::api::{Body, Location, Operation, Schema};
use serde_json::{Map, Value, json};

use crate::client::{Checked, send, start};

struct Least<'a>(&'a Api);

impl Least<'_> {
    fn value(&self, schema: &Schema) -> Value {
        match self.0.resolve(schema) {
            Schema::Any | Schema::Map(_) | Schema::Reference(_) => json!({}),
            Schema::Boolean => json!(true),
            Schema::Integer { .. } | Schema::Number => json!(1),
            Schema::String(Some(format)) if format == "date-time" => json!("2026-03-01T00:00:00Z"),
            Schema::String(Some(format)) if format == "duration" => json!("10s"),
            Schema::String(_) => json!("x"),
            Schema::Enum(values) => json!(values.first()),
            Schema::Array(_) => json!([]),
            Schema::Object(properties) => {
                let required = properties.iter().filter(|property| property.required);
                required.map(|property| (property.name.clone(), self.value(&property.schema))).collect()
            }
        }
    }

    fn text(&self, schema: &Schema) -> String {
        match self.value(schema) {
            Value::String(text) => text,
            other => other.to_string(),
        }
    }

    /// Path with query, and body.
    fn request(&self, operation: &Operation, shape: Option<&str>) -> (String, String) {
        let required = |location| {
            operation.parameters.iter().filter(move |parameter| parameter.required && parameter.location == location)
        };
        let mut path = operation.path.clone();
        for parameter in operation.parameters.iter().filter(|parameter| parameter.location == Location::Path) {
            let value = match shape {
                Some(shape) if parameter.multi_segment => shape.to_owned(),
                _ if parameter.multi_segment && path.contains("/fs/") => "/Volumes/main/default/landing/x".to_owned(),
                _ => self.text(&parameter.schema),
            };
            path = path.replace(&format!("{{{}}}", parameter.name), &value);
        }
        let mut query = Vec::new();
        for parameter in required(Location::Query) {
            match self.0.resolve(&parameter.schema) {
                Schema::Object(properties) if parameter.flatten => {
                    let first = properties.iter().find(|property| property.required).or(properties.first());
                    query.extend(first.map(|property| {
                        format!("{}.{}={}", parameter.name, property.name, self.text(&property.schema))
                    }));
                }
                Schema::Array(items) => query.push(format!("{}={}", parameter.name, self.text(items))),
                _ => query.push(format!("{}={}", parameter.name, self.text(&parameter.schema))),
            }
        }
        if !query.is_empty() {
            path = format!("{path}?{}", query.join("&"));
        }
        let body = match &operation.body {
            Body::None => String::new(),
            Body::Binary => "x".to_owned(),
            Body::Other(schema) => self.value(schema).to_string(),
            Body::Object => {
                let fields: Map<_, _> = required(Location::Body)
                    .map(|parameter| (parameter.name.clone(), self.value(&parameter.schema)))
                    .collect();
                Value::Object(fields).to_string()
            }
        };
        (path, body)
    }
}

/// The documented form of the operation's resource name, filled in.
fn shape(api: &Api, operation: &Operation) -> Option<String> {
    let document = api.documents.get(operation.package())?;
    let (_, _, source) =
        document.operations().find(|(_, _, source)| source.operation_id.as_ref() == Some(&operation.id))?;
    let pattern = source.parameters.iter().find_map(|parameter| {
        parameter.as_item()?.parameter_data_ref().extensions.get("x-databricks-resource-name")?.as_str()
    });
    let undocumented = match operation.id.as_str() {
        "environments.environments.get_operation" => "operations/{}",
        "networking.private_network_gateways.get_private_network_gateway_operation" => "x/operations/{}",
        "sandbox.sandbox.delete_sandbox" | "sandbox.sandbox.get_sandbox" => "sandboxes/{}",
        _ => pattern?,
    };
    Some(
        undocumented
            .split('{')
            .map(|part| part.split_once('}').map_or(part.to_owned(), |(_, rest)| format!("x{rest}")))
            .collect(),
    )
}

#[tokio::test]
async fn every_operation_can_be_called() -> Checked {
    let specs = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../specs");
    let api = Api::load(&specs).map_err(|error| format!("{error:#}"))?;
    let least = Least(&api);
    let sandbox = start().await?;
    let (mut failed, mut synthesized) = (Vec::new(), 0);
    for operation in api.operations.values() {
        let (path, body) = least.request(operation, shape(&api, operation).as_deref());
        let reply = send(&sandbox, &operation.method, &path, body.as_bytes()).await?;
        let is_synthesized = reply.head.contains("x-sandbox-synthesized: true");
        synthesized += usize::from(is_synthesized);
        // A stateful handler may know better than the specs: that there is no `x`, or that it makes no sense.
        let is_meaningful = match reply.status {
            200..=299 => true,
            400 | 404 | 409 => {
                !is_synthesized && reply.code() != "ENDPOINT_NOT_FOUND" && says_why(&reply.at("/message"))
            }
            _ => false,
        };
        if !is_meaningful && operation.method != "HEAD" {
            failed.push(format!(
                "{} {} {path} {body}: {} {}",
                operation.id,
                operation.method,
                reply.status,
                reply.json()
            ));
        }
    }
    assert!(failed.is_empty(), "{} failed:\n{}", failed.len(), failed.join("\n"));
    assert!(synthesized > 500, "only {synthesized} answers were synthesized");
    Ok(())
}

/// An answer of state, not of the contract, which all of these requests keep to.
fn says_why(message: &Value) -> bool {
    let text = message.as_str().unwrap_or_default();
    !["Unknown query", "unknown field", "belongs in", "take no body", "Could not parse"]
        .iter()
        .any(|violation| text.contains(violation))
}
