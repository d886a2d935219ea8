//! What is accepted, what is refused, and with which messages.

use serde_json::{Map, Value, json};

use crate::arguments::{Fault, Rules, example};

const NONE: Rules<'_> = Rules { tool: "get_job", aliases: &[], one_of: &[], only_reads: false, elsewhere: None };
const RULES: Rules<'_> = Rules { aliases: &[("id", "job_id")], only_reads: false, elsewhere: None, ..NONE };

fn check(schema: &Value, rules: Rules<'_>, arguments: Map<String, Value>) -> Result<Map<String, Value>, Vec<Fault>> {
    super::check(schema.as_object().expect("an object"), rules, arguments)
}

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "job_id": { "type": "string" },
            "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 25 },
            "state": { "type": "string", "enum": ["RUNNING", "TERMINATED"] },
            "wait": { "type": "boolean" },
            "warehouse_id": { "type": "string" },
            "comment": { "type": "string" },
            "since": { "type": "string", "format": "date-time" },
            "tags": { "type": "object", "additionalProperties": { "type": "string" } },
            "tasks": { "type": "array", "items": { "type": "object" } },
            "source": { "type": "object", "properties": { "path": { "type": "string" }, "ref": { "type": "string" } }, "required": ["path"] },
        },
        "required": ["job_id"],
    })
}

fn accepted(arguments: Value) -> Value {
    let Value::Object(arguments) = arguments else { panic!("not an object") };
    Value::Object(check(&schema(), RULES, arguments).expect("valid arguments"))
}

fn faults(arguments: Value) -> Vec<String> {
    let Value::Object(arguments) = arguments else { panic!("not an object") };
    let faults = check(&schema(), RULES, arguments).expect_err("faults");
    faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect()
}

#[test]
fn what_is_meant_beyond_doubt_is_accepted() {
    assert_eq!(
        accepted(json!({ "job_id": 9_007_199_254_740_993_i64, "limit": "10", "wait": "true", "state": "running" })),
        json!({ "job_id": "9007199254740993", "limit": 10, "wait": true, "state": "RUNNING" })
    );
    assert_eq!(
        accepted(json!({ "job_id": "1", "limit": 10.0, "tags": { "a": 1 }, "tasks": "[{\"x\": 1}]", "wait": null })),
        json!({ "job_id": "1", "limit": 10, "tags": { "a": "1" }, "tasks": [{ "x": 1 }] })
    );
}

#[test]
fn null_is_left_out_at_any_depth_and_kept_where_anything_may_stand() {
    let nested = json!({
        "job_id": "1", "source": { "path": "/x", "ref": null }, "tasks": [{ "x": null }], "wait": null,
    });
    assert_eq!(accepted(nested), json!({ "job_id": "1", "source": { "path": "/x" }, "tasks": [{ "x": null }] }));
    assert_eq!(
        faults(json!({ "job_id": "1", "source": { "path": null }, "tags": { "a": null } })),
        ["source.path: missing; expected text", "tags.a: expected text, got null"]
    );
}

#[test]
fn no_digit_of_an_identifier_is_made_up() {
    assert_eq!(accepted(json!({ "job_id": 6.201_143e14 })), json!({ "job_id": "620114300000000" }));
    assert_eq!(accepted(json!({ "job_id": u64::MAX, "tags": { "a": 0.5 } }))["job_id"], u64::MAX.to_string());
    assert_eq!(
        faults(json!({ "job_id": 1e20, "tags": { "a": -1e16 } })),
        [
            "job_id: expected text, got 1e+20, whose last digits may be lost",
            "tags.a: expected text, got -1e+16, whose last digits may be lost",
        ]
    );
}

#[test]
fn all_faults_are_told_at_once() {
    assert_eq!(
        faults(json!({ "limit": 500, "stat": "RUNNING", "source": { "paht": "/x" }, "wait": 1, "tasks": "x" })),
        [
            "limit: expected a whole number from 1 to 100, got 500",
            "stat: unknown; did you mean `state`? it takes: job_id, limit, state, wait, warehouse_id, comment, since, tags, tasks, source",
            "source.paht: unknown; did you mean `path`? it takes: path, ref",
            "source.path: missing; expected text",
            "wait: expected true or false, got 1",
            "tasks: expected a list, got the text `x`",
            "job_id: missing; expected text",
        ]
    );
    assert_eq!(
        faults(json!({ "job_id": [], "state": "RUNING", "limit": 1.5 })),
        [
            "job_id: expected text, got a list",
            "state: expected one of RUNNING, TERMINATED, got `RUNING`; did you mean `RUNNING`?",
            "limit: expected a whole number from 1 to 100, got 1.5",
        ]
    );
}

#[test]
fn the_example_is_valid() {
    let schema = schema();
    let example = example(schema.as_object().expect("an object"), &[]);
    assert_eq!(example, json!({ "job_id": "123" }));
    accepted(example);
}

#[test]
fn a_description_gives_the_example() {
    let schema = json!({
        "properties": {
            "keys": { "type": "string", "description": "Keys, e.g. `a,b`; or all." },
            "quoted": { "type": "string", "description": "E.g. `\"x\"`." },
            "changes": { "type": "array", "items": { "type": "object" }, "description": "E.g. `[{\"add\": [\"SELECT\"]}]`." },
            "words": { "type": "array", "items": { "type": "string" }, "description": "Words, e.g. `a` or `b`." },
            "text": { "type": "string" },
            "vector": { "type": "array", "items": { "type": "number" } },
        },
        "required": ["keys", "quoted", "changes", "words"],
    });
    let expected = json!({ "keys": "a,b", "quoted": "x", "changes": [{ "add": ["SELECT"] }], "words": ["<words>"], "text": "<text>" });
    assert_eq!(example(schema.as_object().expect("an object"), &["text", "vector"]), expected);
}

#[test]
fn one_of_two_arguments_is_given() {
    let schema = json!({ "properties": {
        "text": { "type": "string" }, "vector": { "type": "array", "items": { "type": "number" } }, "page_token": { "type": "string" },
    } });
    let rules = Rules { one_of: &["text", "vector"], ..NONE };
    let told = |arguments: Value| {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        let faults = check(&schema, rules, arguments).err().unwrap_or_default();
        faults.into_iter().map(|fault| format!("{}: {}", fault.path, fault.message)).collect::<Vec<_>>().join("; ")
    };
    for valid in [json!({ "text": "a", "vector": [] }), json!({ "vector": [1] }), json!({ "page_token": "t" })] {
        assert_eq!(told(valid), "");
    }
    assert_eq!(told(json!({})), "text: missing; give either `text` or `vector`");
    assert_eq!(
        told(json!({ "text": "a", "vector": [1] })),
        "vector: cannot be given together with `text`; give one of them"
    );
    assert_eq!(told(json!({ "text": [] })), "text: expected text, got a list");
}

#[test]
fn a_name_that_can_mean_one_required_argument_alone_is_taken() {
    let taken = |tool: &str, required: &[&str], others: &[&str], given: &str| {
        let all = required.iter().chain(others);
        let properties: serde_json::Map<_, _> =
            all.map(|name| ((*name).to_owned(), json!({ "type": "string" }))).collect();
        let schema = json!({ "properties": properties, "required": required });
        let arguments = serde_json::Map::from_iter([(given.to_owned(), json!("x"))]);
        let checked = check(&schema, Rules { tool, ..NONE }, arguments).ok();
        checked.and_then(|checked| checked.keys().next().cloned())
    };
    for (tool, required, others, given, expected) in [
        ("deploy_app", vec!["app_name"], vec!["source_code_path"], "name", Some("app_name")),
        ("query_endpoint", vec!["name"], vec!["prompt"], "endpoint_name", Some("name")),
        ("query_endpoint", vec!["name"], vec!["prompt"], "endpointName", Some("name")),
        ("query_index", vec!["query_text"], vec!["query_vector", "query_type"], "query", Some("query_text")),
        ("query_index", vec!["full_name"], vec!["columns"], "index_name", Some("full_name")),
        ("get_job", vec!["job_id"], vec!["limit"], "id", Some("job_id")),
        ("create_dashboard", vec!["display_name"], vec!["warehouse_id"], "name", Some("display_name")),
        ("move_thing", vec!["old_name", "new_name"], vec![], "name", None),
        ("get_cluster", vec!["cluster_id"], vec![], "cluster_name", None),
        ("update_catalog", vec!["catalog_name"], vec!["new_name"], "new", None),
        ("copy_file", vec!["source_path", "target_path"], vec![], "path", None),
        ("get_app", vec!["app_name"], vec!["fields"], "title", None),
    ] {
        assert_eq!(taken(tool, &required, &others, given).as_deref(), expected, "{tool} {given}");
    }
}

#[test]
fn empty_text_for_an_optional_argument_is_none() {
    let blank = json!({ "job_id": "1", "limit": "", "state": "", "wait": " ", "tags": "", "tasks": "", "warehouse_id": "", "since": "" });
    assert_eq!(accepted(blank), json!({ "job_id": "1" }));
    // A comment is cleared so.
    assert_eq!(accepted(json!({ "job_id": "1", "comment": "" })), json!({ "job_id": "1", "comment": "" }));
    let Value::Object(arguments) = json!({ "job_id": "1", "comment": "" }) else { panic!("no object") };
    let checked = check(&schema(), Rules { only_reads: true, ..RULES }, arguments).expect("valid arguments");
    assert_eq!(Value::Object(checked), json!({ "job_id": "1" }));
    assert_eq!(faults(json!({ "job_id": "" })), ["job_id: missing; expected text"]);
}

#[test]
fn arguments_have_other_names() {
    assert_eq!(accepted(json!({ "id": 7 })), json!({ "job_id": "7" }));
    assert_eq!(
        faults(json!({ "id": 7, "job_id": 8 })),
        ["id: another name for `job_id`, which is given too; give one of them"]
    );
    let unknown = faults(json!({ "job_id": 1, "warehouse": "x" }));
    assert!(unknown[0].starts_with("warehouse: unknown; did you mean `warehouse_id`?"), "{unknown:?}");
}

#[test]
fn times_are_read_in_every_usual_form() {
    for time in [json!("2026-02-28T06:00:00Z"), json!("2026-02-28T06:00"), json!(1_772_258_400_000_i64)] {
        assert_eq!(accepted(json!({ "job_id": 1, "since": time }))["since"], "2026-02-28T06:00:00Z");
    }
    assert_eq!(
        faults(json!({ "job_id": 1, "since": "yesterday" })),
        ["since: expected a time such as `2026-01-31T06:00:00Z`, got the text `yesterday`"]
    );
}

#[test]
fn what_the_api_takes_and_the_tool_does_not_is_told() {
    let elsewhere = Some((databricks::operations::JOBS_JOBS_CREATE.parameters, "update_job"));
    let Value::Object(arguments) = json!({ "job_id": 1, "run_as": {} }) else { panic!("no object") };
    let faults = check(&schema(), Rules { elsewhere, ..RULES }, arguments).expect_err("a fault");
    assert!(faults[0].message.starts_with("not accepted here; set it with `update_job` afterwards"), "{faults:?}");
}

#[test]
fn a_list_of_too_many_values_inside_a_text_is_not_read() {
    let bomb = format!("[{}{{}}]", "{},".repeat(5_000_000));
    let faults = faults(json!({ "job_id": "1", "tasks": bomb }));
    assert!(faults.len() == 1 && faults[0].contains("expected a list, got the text `[{},{}"), "{faults:?}");
    assert_eq!(accepted(json!({ "job_id": "1", "tasks": "[{}]" }))["tasks"], json!([{}]));
}
