//! Everything that is exposed is real: each tool on an operation, and each operation without a tool, is called with all of
//! its arguments, and the sandbox, which checks every request against the specs, finds no fault with what arrives.

use std::time::Duration;

use databricks_mcp_server::definition::Action;
use databricks_mcp_server::registry::{Registry, Tool};
use serde_json::{Map, Value, json};
use tokio::time::timeout;

use crate::harness::{Harness, Outcome};
use crate::twist::Exchange;

/// What the sandbox says of a request that is not as the specs say.
const BREACHES: [&str; 8] = [
    "Missing required field",
    "Unknown query parameter",
    "belongs in the",
    "Could not parse '",
    "Could not parse request object",
    "Unknown field",
    "No API found",
    "cannot call `",
];
/// Calls that the schema alone does not tell how to make: the specs do not say how the name of a compute sandbox is built, and
/// changes of grants are passed on as they are.
pub(crate) fn arguments(tool: &Tool) -> Map<String, Value> {
    let mut arguments = tool.input_schema["properties"].as_object().map(samples).unwrap_or_default();
    match tool.definition.name {
        "sandbox.sandbox.get_sandbox" | "sandbox.sandbox.delete_sandbox" => {
            arguments.insert("name".to_owned(), json!("sandboxes/1"));
        }
        "update_grants" => {
            arguments.insert("changes".to_owned(), json!([{ "principal": "analysts", "add": ["SELECT"] }]));
        }
        _ => {}
    }
    arguments
}

/// A call that waits for nothing.
const LONGEST: Duration = Duration::from_secs(30);

/// A value as the schema asks for, with every field.
fn sample(schema: &Value) -> Value {
    if let Some(value) = schema.get("default") {
        return value.clone();
    }
    if let Some(values) = schema["enum"].as_array() {
        return values[0].clone();
    }
    match schema["type"].as_str() {
        Some("integer") => schema.get("minimum").cloned().unwrap_or(json!(1)),
        Some("number") => json!(1.5),
        Some("boolean") => json!(true),
        Some("array") => json!([sample(&schema["items"])]),
        Some("object") => match (schema["properties"].as_object(), schema.get("additionalProperties")) {
            (Some(properties), _) => Value::Object(samples(properties)),
            (None, Some(values)) => json!({ "a": sample(values) }),
            (None, None) => json!({}),
        },
        _ if schema["format"] == "date-time" => json!("2026-01-31T06:00:00Z"),
        _ if schema["description"].as_str().is_some_and(|text| text.starts_with("Seconds, such as")) => json!("60s"),
        _ => json!(resource_name(schema).unwrap_or_else(|| "1".to_owned())),
    }
}

/// The name that a description shows, such as `projects/shop` or `projects/{project_id}`, with values in it.
fn resource_name(schema: &Value) -> Option<String> {
    let quoted = schema["description"].as_str()?.split('`').skip(1).step_by(2);
    let pattern = quoted
        .into_iter()
        .find(|quoted| quoted.contains('/') && !quoted.ends_with('/') && !quoted.contains([' ', '"']))?;
    // What follows a brace up to the next one is the name of a value.
    let mut parts = pattern.split('{');
    let start = parts.next()?.to_owned();
    Some(parts.fold(start, |name, part| name + "1" + part.split_once('}').map_or("", |(_, rest)| rest)))
}

fn samples(properties: &Map<String, Value>) -> Map<String, Value> {
    let own = properties.iter().filter(|(name, _)| !["page_token", "fields"].contains(&name.as_str()));
    own.map(|(name, schema)| (name.clone(), sample(schema))).collect()
}

/// The breach of a call, if the sandbox found one.
async fn breach(harness: &Harness, tool: &Tool) -> Result<Option<String>, Box<dyn std::error::Error>> {
    let name = tool.definition.name;
    let call = json!({ "operation": name, "arguments": arguments(tool) });
    let called = timeout(LONGEST, harness.call("call_destructive_operation", call)).await;
    let result = called.map_err(|_| format!("`{name}` does not answer"))??;
    if result.is_error != Some(true) {
        return Ok(None);
    }
    let text = result.content.first().and_then(|content| content.as_text()).map(|text| text.text.clone());
    let text = text.unwrap_or_default();
    // A field within an object may be one that the bounded schema does not show.
    let nested = text
        .split_once("Missing required field: ")
        .is_some_and(|(_, rest)| rest.lines().next().is_some_and(|field| field.contains(['.', '['])));
    let is_breach = BREACHES.iter().any(|breach| text.contains(breach));
    let is_breach = is_breach && !nested;
    Ok(is_breach.then(|| format!("{name}: {text}")))
}

async fn check(tools: Vec<Tool>) -> Outcome {
    // A host of workspaces and accounts, so that operations of both are sent.
    let harness = Harness::twisted_with(&["all"], 2_000, |exchange: &mut Exchange| {
        if exchange.is("GET /.well-known/databricks-config") {
            exchange.answer["host_type"] = json!("unified");
        }
    })
    .await?;
    let mut breaches = Vec::new();
    for tool in tools.iter().filter(|tool| matches!(tool.definition.action, Action::Operation(_))) {
        breaches.extend(breach(&harness, tool).await?);
    }
    assert!(breaches.is_empty(), "{} of {}:\n{}", breaches.len(), tools.len(), breaches.join("\n"));
    Ok(())
}

#[tokio::test]
async fn every_tool_on_an_operation_sends_what_the_specs_say() -> Outcome {
    check(Registry::all()).await
}

#[tokio::test]
async fn every_operation_without_a_tool_sends_what_the_specs_say() -> Outcome {
    let reachable = Registry::reachable();
    assert!(reachable.len() >= 700, "{}", reachable.len());
    check(reachable).await
}
