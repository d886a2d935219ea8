//! What is accepted, what is refused, and in which words.

use serde_json::{Value, json};

use super::{check, example};

fn schema() -> Value {
    json!({
        "type": "object",
        "properties": {
            "job_id": { "type": "string" },
            "limit": { "type": "integer", "minimum": 1, "maximum": 100, "default": 25 },
            "state": { "type": "string", "enum": ["RUNNING", "TERMINATED"] },
            "wait": { "type": "boolean" },
            "tags": { "type": "object", "additionalProperties": { "type": "string" } },
            "tasks": { "type": "array", "items": { "type": "object" } },
            "source": { "type": "object", "properties": { "path": { "type": "string" }, "ref": { "type": "string" } }, "required": ["path"] },
        },
        "required": ["job_id"],
    })
}

fn accepted(arguments: Value) -> Value {
    let Value::Object(arguments) = arguments else { panic!("not an object") };
    Value::Object(check(&schema(), arguments).expect("valid arguments"))
}

fn faults(arguments: Value) -> Vec<String> {
    let Value::Object(arguments) = arguments else { panic!("not an object") };
    let faults = check(&schema(), arguments).expect_err("faults");
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
            "stat: unknown; did you mean `state`? it takes: job_id, limit, state, wait, tags, tasks, source",
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
