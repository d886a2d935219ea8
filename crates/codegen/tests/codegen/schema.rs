//! Input schemas: what a model is given for each type, and where it is cut.

use codegen::schema;
use serde_json::{Value, json};

use crate::spec::{api, good_toolset};

/// The input schema of a tool whose one argument `value` has that type, and the full one if it was bounded.
fn inputs(schemas: &str, value: &str, more: &str) -> (Value, Option<Value>) {
    let api = api(&format!(
        "paths: {{ /x: {{ post: {{ operationId: jobs.jobs.x, takes: {{ type: object, properties: {{ value: {value} }} }} }} }} }}\n\
         schemas: {schemas}"
    ));
    let allowlist = good_toolset(
        &api,
        &format!(
            "operations: {{ jobs.jobs.x: {{ tool: do_it, risk: write, title: T, description: D., verify: {{ note: N. }}, \
             params: {{ value: {{ description: V.{more} }} }} }} }}"
        ),
    );
    let tool = allowlist.tools["do_it"].operation.as_ref().unwrap();
    schema::input(&api, &api.operations["jobs.jobs.x"], tool)
}

/// The schema of the argument.
#[track_caller]
fn check(value: &str, expected: Value) {
    check_entry(value, "", expected);
}

/// As [`check`], with more in the allowlist's entry for the argument.
#[track_caller]
fn check_entry(value: &str, more: &str, expected: Value) {
    let (input, _) = inputs("{}", value, more);
    assert_eq!(input, json!({ "type": "object", "properties": { "value": expected } }));
}

#[test]
fn types() {
    check("{ type: boolean }", json!({ "type": "boolean", "description": "V." }));
    check("{ type: string, enum: [A, B] }", json!({ "type": "string", "enum": ["A", "B"], "description": "V." }));
    check(
        "{ type: string, format: date-time }",
        json!({ "type": "string", "format": "date-time", "description": "V." }),
    );
    for text in ["{ type: string }", "{ type: string, format: duration }", "{ type: string, format: field-mask }"] {
        check(text, json!({ "type": "string", "description": "V." }));
    }
    check("{ type: number, format: double }", json!({ "type": "number", "description": "V." }));
    for integer in ["{ type: integer }", "{ type: integer, format: int32 }", "{ type: integer, format: int64 }"] {
        check(integer, json!({ "type": "integer", "description": "V." }));
    }
    check("{}", json!({ "type": "object", "description": "V." }));
    check(
        "{ type: array, items: { type: string } }",
        json!({ "type": "array", "items": { "type": "string" }, "description": "V." }),
    );
    check(
        "{ type: object, additionalProperties: { type: string } }",
        json!({ "type": "object", "additionalProperties": { "type": "string" }, "description": "V." }),
    );
    check(
        "{ type: object, required: [b], properties: { a: {}, b: { type: string, format: duration } } }",
        json!({
            "type": "object",
            "properties": {
                "a": { "type": "object", "description": "Any JSON value." },
                "b": { "type": "string", "description": "Seconds, such as `3600s`." },
            },
            "required": ["b"],
            "description": "V.",
        }),
    );
}

#[test]
fn wide_identifiers_are_text_or_numbers() {
    let properties = "{ run_id: { type: integer, format: int64 }, run_ids: { type: array, items: { type: integer } }, \
                      id32: { type: integer, format: int32 }, start_time: { type: integer, format: int64 } }";
    check(
        &format!("{{ type: object, properties: {properties} }}"),
        json!({
            "type": "object",
            "properties": {
                "run_id": { "anyOf": [{ "type": "string" }, { "type": "integer" }] },
                "run_ids": { "type": "array", "items": { "anyOf": [{ "type": "string" }, { "type": "integer" }] } },
                "id32": { "type": "integer" },
                "start_time": { "type": "integer" },
            },
            "description": "V.",
        }),
    );
}

#[test]
fn enums_with_many_values_are_text() {
    let values = |count: usize| (0..count).map(|value| format!("V{value}")).collect::<Vec<_>>();
    let spec = |count| format!("{{ type: string, enum: [{}] }}", values(count).join(", "));
    check(&spec(50), json!({ "type": "string", "enum": values(50), "description": "V." }));
    check(&spec(51), json!({ "type": "string", "description": "V." }));
}

#[test]
fn entries_change_the_schema() {
    check_entry(
        "{ type: integer }",
        ", default: 25, minimum: 1, maximum: 100",
        json!({ "type": "integer", "minimum": 1, "maximum": 100, "default": 25, "description": "V." }),
    );
    check_entry(
        "{ type: string, enum: [A, B, C] }",
        ", enum: [B, C], default: B",
        json!({ "type": "string", "enum": ["B", "C"], "default": "B", "description": "V." }),
    );
    let nested = "{ type: object, properties: { a: { type: string } } }";
    check_entry(nested, ", free_form: true", json!({ "type": "object", "description": "V." }));
    check_entry(
        &format!("{{ type: array, items: {nested} }}"),
        ", free_form: true",
        json!({ "type": "array", "items": { "type": "object" }, "description": "V." }),
    );
    let (input, _) = inputs("{}", "{ type: string }", ", as: name, required: true");
    let name = json!({ "type": "string", "description": "V." });
    assert_eq!(input, json!({ "type": "object", "properties": { "name": name }, "required": ["name"] }));
}

const DEEP: &str = r##"{
    A: { type: object, properties: { b: { $ref: "#/components/schemas/B" }, twin: { $ref: "#/components/schemas/B" } } },
    B: { type: object, properties: { c: { $ref: "#/components/schemas/C" } } },
    C: { type: object, required: [d], properties: { d: { type: string }, e: { type: string } } } }"##;

#[test]
fn depth_is_bounded() {
    let a = r##"{ $ref: "#/components/schemas/A" }"##;
    let c = json!({ "type": "object", "description": "Fields: d, e." });
    let b = json!({ "type": "object", "properties": { "c": c } });
    let (input, full) = inputs(DEEP, a, "");
    let value = json!({ "type": "object", "properties": { "b": b, "twin": b }, "description": "V." });
    assert_eq!(input["properties"]["value"], value, "two levels, and equal siblings are no cycle");
    let reference = |name: &str| json!({ "$ref": format!("#/$defs/jobs.{name}") });
    assert_eq!(
        full,
        Some(json!({
            "type": "object",
            "properties": { "value": reference("A") },
            "$defs": {
                "jobs.A": { "type": "object", "properties": { "b": reference("B"), "twin": reference("B") } },
                "jobs.B": { "type": "object", "properties": { "c": reference("C") } },
                "jobs.C": {
                    "type": "object",
                    "properties": { "d": { "type": "string" }, "e": { "type": "string" } },
                    "required": ["d"],
                },
            },
        }))
    );
    let (input, full) = inputs(DEEP, a, ", depth: 3");
    let c = json!({
        "type": "object",
        "properties": { "d": { "type": "string" }, "e": { "type": "string" } },
        "required": ["d"],
    });
    assert_eq!(input["properties"]["value"]["properties"]["twin"]["properties"]["c"], c);
    assert_eq!(full, None, "nothing is cut");
    let (input, _) = inputs(DEEP, a, ", depth: 0");
    assert_eq!(input["properties"]["value"], json!({ "type": "object", "description": "V." }));
}

#[test]
fn a_cut_names_twelve_fields() {
    let fields: Vec<_> = (1..=13).map(|number| format!("f{number}: {{}}")).collect();
    let schemas = format!("{{ Wide: {{ type: object, properties: {{ {} }} }} }}", fields.join(", "));
    let value = r##"{ type: object, properties: { wide: { $ref: "#/components/schemas/Wide" } } }"##;
    let (input, _) = inputs(&schemas, value, ", depth: 1");
    let description = "Fields: f1, f2, f3, f4, f5, f6, f7, f8, f9, f10, f11, f12, ….";
    assert_eq!(input["properties"]["value"]["properties"]["wide"]["description"], description);
}

#[test]
fn cycles_are_cut_where_they_close() {
    let schemas = r##"{
        Task: { type: object, properties: { key: { type: string }, for_each: { $ref: "#/components/schemas/Task" } } },
        Left: { type: object, properties: { right: { $ref: "#/components/schemas/Right" } } },
        Right: { type: object, properties: { lefts: { type: array, items: { $ref: "#/components/schemas/Left" } } } },
        Tree: { type: array, items: { $ref: "#/components/schemas/Tree" } } }"##;
    let value = |name: &str| {
        let (input, full) = inputs(schemas, &format!(r##"{{ $ref: "#/components/schemas/{name}" }}"##), ", depth: 9");
        assert!(full.is_some());
        input["properties"]["value"].clone()
    };
    let cut = json!({ "type": "object", "description": "Fields: key, for_each." });
    let properties = json!({ "key": { "type": "string" }, "for_each": cut });
    assert_eq!(value("Task"), json!({ "type": "object", "properties": properties, "description": "V." }));
    let lefts = json!({ "type": "array", "items": { "type": "object", "description": "Fields: right." } });
    let right = json!({ "type": "object", "properties": { "lefts": lefts } });
    assert_eq!(value("Left"), json!({ "type": "object", "properties": { "right": right }, "description": "V." }));
    assert_eq!(value("Tree"), json!({ "type": "array", "items": { "type": "object" }, "description": "V." }));
}

#[test]
fn lists_have_a_cursor_and_fields() {
    let api = api(
        "
        paths:
          /x: { get: { operationId: jobs.jobs.x, returns: { type: object, properties: { jobs: { type: array, items: {} } } } } }
        ",
    );
    let names = |result: &str| {
        let entry = format!("{{ tool: do_it, risk: read, title: T, description: D., result: {result} }}");
        let allowlist = good_toolset(&api, &format!("operations: {{ jobs.jobs.x: {entry} }}"));
        let tool = allowlist.tools["do_it"].operation.clone().unwrap();
        let (input, _) = schema::input(&api, &api.operations["jobs.jobs.x"], &tool);
        input["properties"].as_object().unwrap().keys().cloned().collect::<Vec<_>>()
    };
    assert_eq!(names("{}"), [""; 0]);
    assert_eq!(names("{ items: jobs }"), ["page_token"]);
    assert_eq!(names("{ items: jobs, keep: [id] }"), ["page_token", "fields"]);
    assert_eq!(names("{ keep: [jobs] }"), ["fields"]);
}
