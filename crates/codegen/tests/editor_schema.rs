//! The JSON Schema for editors knows the keys that the reader knows, and no others.

use std::collections::BTreeSet;
use std::path::Path;

use codegen::{Allowlist, Api};
use serde_json::Value;

type Outcome = Result<(), Box<dyn std::error::Error>>;

const SPEC: &str = r##"{
  "openapi": "3.0.3", "info": { "title": "t", "version": "1" },
  "paths": { "/jobs": { "get": {
    "operationId": "jobs.jobs.list",
    "parameters": [{ "name": "limit", "in": "query", "schema": { "type": "integer" } }],
    "responses": { "2XX": { "description": "Success", "content": { "application/json": { "schema": {
      "type": "object", "properties": { "jobs": { "type": "array", "items": { "type": "object", "properties": {
        "job_id": { "type": "integer" } } } } } } } } } } } } }
}"##;

/// The keys that the reader names when it meets an unknown one.
fn keys_of_reader(yaml: &str) -> Result<BTreeSet<String>, Box<dyn std::error::Error>> {
    let api = Api::parse([("jobs", SPEC)])?;
    let file = format!("toolset: jobs\ntitle: Jobs\ndescription: Jobs.\n{yaml}\n");
    let problems = Allowlist::parse([("jobs", file.as_str())], &api).err().ok_or("the unknown key was accepted")?;
    let text = problems.to_string();
    let (_, keys) = text.split_once("keys here: ").ok_or(text.clone())?;
    let keys = keys.lines().next().unwrap_or_default();
    Ok(keys.split(", ").map(str::to_owned).collect())
}

#[test]
fn the_schema_for_editors_has_the_keys_of_the_reader() -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../allowlist/schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let tool = "tool: list_jobs, risk: read, title: t, description: d";
    let resource = "uri: 'databricks://jobs', name: jobs, title: t, description: d";
    for (pointer, yaml) in [
        ("/properties", "unknown: 1".to_owned()),
        ("/$defs/operation/properties", format!("operations:\n  jobs.jobs.list: {{ {tool}, unknown: 1 }}")),
        (
            "/$defs/parameter/oneOf/2/properties",
            format!(
                "operations:\n  jobs.jobs.list: {{ {tool}, params: {{ limit: {{ description: d, unknown: 1 }} }} }}"
            ),
        ),
        (
            "/$defs/filter/properties",
            format!(
                "operations:\n  jobs.jobs.list: {{ {tool}, result: {{ items: jobs }}, \
                 filters: {{ mine: {{ description: d, field: job_id, values: [x], unknown: 1 }} }} }}"
            ),
        ),
        (
            "/$defs/result/properties",
            format!("operations:\n  jobs.jobs.list: {{ {tool}, result: {{ items: jobs, unknown: 1 }} }}"),
        ),
        (
            "/$defs/resource/properties",
            format!("operations:\n  jobs.jobs.list: {{ resource: {{ {resource}, unknown: 1 }} }}"),
        ),
        (
            "/$defs/resource/properties/watch/properties",
            format!(
                "operations:\n  jobs.jobs.list: {{ resource: {{ {resource}, watch: {{ fields: [a], unknown: 1 }} }} }}"
            ),
        ),
        (
            "/$defs/lists/properties",
            format!(
                "operations:\n  jobs.jobs.list: {{ {tool}, result: {{ items: jobs }}, \
                 lists: {{ resource: job, bind: {{}}, unknown: 1 }} }}"
            ),
        ),
        (
            "/properties/composites/additionalProperties/properties",
            "composites:\n  run_it: { risk: read, title: t, description: d, unknown: 1 }".to_owned(),
        ),
        (
            "/$defs/verify/properties",
            "composites:\n  run_it: { risk: write, title: t, description: d, verify: { note: look, unknown: 1 } }"
                .to_owned(),
        ),
        (
            "/properties/undocumented/additionalProperties/properties",
            "undocumented:\n  jobs.jobs.lost: { reason: r, method: GET, path: /api/2.0/lost, query: {}, unknown: 1 }"
                .to_owned(),
        ),
        (
            "/properties/exclude/items/properties",
            "exclude:\n  - { reason: r, operations: [jobs.jobs.list], unknown: 1 }".to_owned(),
        ),
    ] {
        let properties = schema.pointer(pointer).and_then(Value::as_object).ok_or(pointer)?;
        let mut known: BTreeSet<String> = properties.keys().cloned().collect();
        if pointer == "/$defs/parameter/oneOf/2/properties" {
            known.extend(["fixed".to_owned(), "auto".to_owned()]);
        }
        let mut read = keys_of_reader(&yaml)?;
        if pointer == "/$defs/operation/properties" {
            // Of an operation without a tool.
            let reach = "reach: read, summary: Lists all jobs., unknown: 1";
            read.extend(keys_of_reader(&format!("operations:\n  jobs.jobs.list: {{ {reach} }}"))?);
        }
        assert_eq!(read, known, "{pointer}");
    }
    Ok(())
}

#[test]
fn the_schema_of_prompts_has_the_keys_of_their_reader() -> Outcome {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../allowlist/prompts/schema.json");
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let api = Api::parse([("jobs", SPEC)])?;
    let head = "prompt: one_job\ntitle: t\ndescription: d\ntools: []\n";
    for (pointer, yaml) in [
        ("/properties", format!("{head}messages: []\nunknown: 1\n")),
        (
            "/$defs/argument/properties",
            format!(
                "{head}messages: []\narguments: {{ job: {{ title: t, description: d, example: e, unknown: 1 }} }}\n"
            ),
        ),
        ("/$defs/message/properties", format!("{head}messages: [{{ text: t, unknown: 1 }}]\n")),
    ] {
        let problems = Allowlist::parse([("prompts/one_job", yaml.as_str())], &api).err().ok_or("it was accepted")?;
        let text = problems.to_string();
        let (_, keys) = text.split_once("keys here: ").ok_or(text.clone())?;
        let read: BTreeSet<_> = keys.lines().next().unwrap_or_default().split(", ").map(str::to_owned).collect();
        let properties = schema.pointer(pointer).and_then(Value::as_object).ok_or(pointer)?;
        assert_eq!(read, properties.keys().cloned().collect(), "{pointer}");
    }
    let words = schema.pointer("/$defs/argument/properties/complete/enum").and_then(Value::as_array);
    let words: Vec<_> = words.into_iter().flatten().filter_map(Value::as_str).collect();
    assert_eq!(words, codegen::completes::Completes::ALL.map(codegen::completes::Completes::name));
    Ok(())
}
