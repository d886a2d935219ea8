//! What is accepted, what is refused, and in which words.

use serde_json::{Value, json};

use crate::arguments::{Rules, check, example};

const RULES: Rules<'_> = Rules { aliases: &[("id", "job_id")], only_reads: false, elsewhere: None };

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
    let example = example(&schema());
    assert_eq!(example, json!({ "job_id": "123" }));
    accepted(example);
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
        ["id: another name of `job_id`, which is given too; give one of them"]
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
    assert!(faults[0].message.starts_with("not taken here; set it with `update_job` afterwards"), "{faults:?}");
}

#[test]
fn a_list_of_too_many_values_inside_a_text_is_not_read() {
    let bomb = format!("[{}{{}}]", "{},".repeat(5_000_000));
    let faults = faults(json!({ "job_id": "1", "tasks": bomb }));
    assert!(faults.len() == 1 && faults[0].contains("expected a list, got the text `[{},{}"), "{faults:?}");
    assert_eq!(accepted(json!({ "job_id": "1", "tasks": "[{}]" }))["tasks"], json!([{}]));
}
