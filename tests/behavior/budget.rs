//! Every answer of every tool ends within its budget, whatever the workspace sends.

use std::collections::BTreeSet;

use rmcp::model::{CallToolRequestParams, Tool};
use serde_json::{Map, Value, json};

use crate::harness::{Harness, Outcome, text};
use crate::twist::Exchange;

const TOKENS: usize = 2_000;
const CHARACTERS: usize = TOKENS * 3;
/// Errors end within this.
const ERROR: usize = 2_000;

/// Fields of texts that a workspace lets people write as long as they like.
const TEXTS: [&str; 12] = [
    "comment",
    "description",
    "message",
    "state_message",
    "query_text",
    "view_definition",
    "logs",
    "result",
    "data",
    "name",
    "display_name",
    "text",
];

/// A map with thousands of keys.
fn crowd() -> Value {
    (0..400).map(|at| (format!("key number {at}"), json!("some value"))).collect::<Map<_, _>>().into()
}

/// Makes objects, maps and texts of an answer large: those within lists only in the first item.
fn swell(value: &mut Value, depth: usize) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields.iter_mut() {
                match field {
                    Value::String(text) if TEXTS.contains(&name.as_str()) => {
                        *field = json!(format!("{text} {}", "\"long\" ".repeat(3_000)));
                    }
                    field => swell(field, depth + 1),
                }
            }
            // A map of names that people choose, beside the fields that the API defines.
            fields.insert("properties".to_owned(), crowd());
            if depth < 2 {
                fields.insert("custom".to_owned(), json!({ "tags": crowd(), "list": vec![crowd(); 3] }));
            }
        }
        Value::Array(items) => {
            if let Some(first) = items.first_mut() {
                swell(first, depth + 1);
            }
        }
        _ => {}
    }
}

/// What the sandbox knows under the names of arguments.
fn argument(tool: &str, name: &str, schema: &Value, run: &Value) -> Value {
    match (tool, name) {
        (_, "run_id") => run.clone(),
        (_, "job_id") => json!("620114300000101"),
        (_, "full_name" | "table_name") => json!("samples.retail.orders"),
        (_, "securable_type") => json!("TABLE"),
        (_, "catalog_name") => json!("samples"),
        (_, "schema_name") => json!("retail"),
        (_, "statement") => json!("SELECT map('key', repeat('x', 9000)) AS m, repeat('y', 9000) AS t"),
        (_, "pipeline_id") => json!("0a1b2c3d-0001-4000-8000-000000000001"),
        (_, "space_id") => json!("01f0aaaa00001111a2b2c3d4e5f60718"),
        (_, "question") => json!("What is the revenue per channel?"),
        ("query_endpoint", "name") => json!("sandbox-chat"),
        ("query_endpoint", "prompt") => json!("of lighthouses"),
        (_, "index_name") => json!("main.default.support_articles_index"),
        (_, "query_text") => json!("delivery"),
        ("export_notebook" | "get_workspace_item", "path") => json!("/Shared/etl/load_orders"),
        ("list_workspace_items", "path") => json!("/Shared"),
        ("read_volume_file", "path") => json!("/Volumes/main/default/landing/README.md"),
        (_, "directory_path") => json!("/Volumes/main/default/landing"),
        (_, "query") => json!("orders"),
        (_, "fields") => json!(["*"]),
        (_, "timeout_seconds") => json!(0),
        (_, "wait") => json!(false),
        _ => match schema["type"].as_str() {
            Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
            Some("boolean") => json!(true),
            Some("array") => json!([]),
            Some("object") => json!({}),
            _ => schema["enum"].get(0).cloned().unwrap_or_else(|| json!("1")),
        },
    }
}

/// A call with all that the tool requires, and with everything asked for that it may give.
fn call(tool: &Tool, run: &Value) -> Map<String, Value> {
    let schema = Value::Object(tool.input_schema.as_ref().clone());
    let required: Vec<_> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let wanted = |name: &&String| {
        let asked = ["fields", "wait", "question", "prompt", "query_text"].contains(&name.as_str());
        // SQL has to be waited for.
        asked || required.contains(&name.as_str()) || (name.as_str() == "timeout_seconds" && !tool.name.contains("sql"))
    };
    let names = schema["properties"].as_object().into_iter().flat_map(Map::keys).filter(wanted);
    names.map(|name| (name.clone(), argument(&tool.name, name, &schema["properties"][name], run))).collect()
}

#[tokio::test]
async fn every_tool_keeps_its_answers_within_the_budget() -> Outcome {
    let harness =
        Harness::twisted_with(&["all"], TOKENS, |exchange: &mut Exchange| swell(&mut exchange.answer, 0)).await?;
    let (mut answered, mut cut) = (BTreeSet::new(), BTreeSet::new());
    let runs = harness.answer("list_job_runs", json!({ "fields": ["run_id"] })).await?;
    let run = &runs["items"][0]["run_id"];
    let mut tools = harness.client.list_all_tools().await?;
    // What deletes comes last.
    tools.sort_by_key(|tool| tool.annotations.as_ref().and_then(|hints| hints.read_only_hint) != Some(true));
    for tool in tools {
        let request = CallToolRequestParams::new(tool.name.clone()).with_arguments(call(&tool, run));
        let result = harness.client.call_tool(request).await?;
        let text = text(&result);
        let size = text.chars().count();
        if result.is_error == Some(true) {
            assert!(size <= ERROR, "{}: an error of {size} characters: {text}", tool.name);
            continue;
        }
        assert!(size <= CHARACTERS, "{}: {size} characters: {text}", tool.name);
        let answer: Value = serde_json::from_str(&text)?;
        if answer["truncated"] == true {
            assert!(answer["hint"].is_string(), "{}: nothing is said of what was cut: {text}", tool.name);
            cut.insert(tool.name.clone());
        }
        answered.insert(tool.name);
    }
    // Most tools do answer here, and much of it is cut: the test would say nothing otherwise.
    let counts = (answered.len(), cut.len());
    assert!(counts.0 > 45 && counts.1 > 30, "{counts:?} answered: {answered:?}; cut: {cut:?}");
    Ok(())
}

#[tokio::test]
async fn a_map_of_thousands_of_keys_is_cut_with_notice() -> Outcome {
    let harness = Harness::twisted(|exchange: &mut Exchange| swell(&mut exchange.answer, 0)).await?;
    for (tool, call) in [
        ("get_table_schema", json!({ "full_name": "samples.retail.orders" })),
        ("get_job", json!({ "job_id": "620114300000101", "fields": ["*"] })),
        ("list_jobs", json!({ "fields": ["*"] })),
    ] {
        let answer = harness.answer(tool, call).await?;
        let hint = answer["hint"].as_str().unwrap_or_default();
        assert!(hint.contains(" of 40") && hint.contains(" fields"), "{tool}: {hint}");
        assert_eq!(answer["truncated"], true, "{tool}");
    }
    Ok(())
}
