use serde_json::json;

use super::{Span, branch, tell, tree};

/// An agent that calls a tool, which fails, in the form of a file of spans.
fn file() -> serde_json::Value {
    json!([
        {
            "trace_id": "AAAAAAAAAAAAAAAAAAAAAQ==", "span_id": "AAAAAAAAAAI=", "parent_span_id": "AAAAAAAAAAE=",
            "name": "lookup", "start_time_unix_nano": 1_000_500_000_000_i64, "end_time_unix_nano": 1_000_700_000_000_i64,
            "status": { "code": "STATUS_CODE_ERROR", "message": "it broke" },
            "attributes": { "mlflow.spanType": "\"TOOL\"", "mlflow.spanInputs": "{\"id\": 7}", "attempt": "2" },
            "events": [{ "name": "exception", "time_unix_nano": 1, "attributes": {
                "exception.type": "KeyError", "exception.message": "404", "exception.stacktrace": "Traceback …" } }],
        },
        {
            "span_id": "AAAAAAAAAAE=", "parent_span_id": null, "name": "agent", "start_time_unix_nano": 1_000_000_000_000_i64,
            "end_time_unix_nano": "1002000000000", "status": { "code": "STATUS_CODE_OK", "message": "" },
            "attributes": { "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "\"where is it?\"", "mlflow.spanOutputs": "null",
                "mlflow.chat.tokenUsage": "{\"input_tokens\": 1, \"output_tokens\": 2, \"total_tokens\": 3}" },
        },
    ])
}

fn read(spans: &serde_json::Value) -> Vec<Span> {
    spans.as_array().into_iter().flatten().map(Span::read).collect()
}

#[test]
fn the_tree_is_told_from_its_root_on() {
    let spans = read(&file());
    let told = tell(&tree(&spans), spans[1].start, false, 10_000);
    assert_eq!(
        json!(told.spans),
        json!([
            {
                "span_id": "0000000000000001", "depth": 0, "name": "agent", "type": "AGENT", "start_ms": 0, "duration_ms": 2000,
                "status": "OK", "tokens": { "input": 1, "output": 2, "total": 3 }, "inputs": "where is it?",
            },
            {
                "span_id": "0000000000000002", "depth": 1, "name": "lookup", "type": "TOOL", "start_ms": 500, "duration_ms": 200,
                "status": "ERROR", "error": "KeyError: 404", "inputs": { "id": 7 },
            },
        ])
    );
    let tree = tree(&spans);
    let lookup = branch(&tree, "0000000000000002").expect("the branch");
    let told = tell(&lookup, spans[1].start, true, 10_000);
    assert_eq!((&told.spans[0]["depth"], &told.spans[0]["attributes"]), (&json!(0), &json!({ "attempt": 2 })));
    assert_eq!(told.spans[0]["stack_trace"], "Traceback …");
    assert!(branch(&tree, "3").is_none());
}

#[test]
fn telemetry_and_older_files_say_the_same() {
    let telemetry = json!([{
        "span_id": "AAAAAAAAAAE=", "parent_span_id": "", "name": "agent", "start_time_unix_nano": "1000000000000",
        "end_time_unix_nano": "1002000000000", "status": { "code": "STATUS_CODE_OK" },
        "attributes": [
            { "key": "mlflow.spanType", "value": { "string_value": "AGENT" } },
            { "key": "mlflow.spanInputs", "value": { "kvlist_value": { "values": [
                { "key": "n", "value": { "int_value": "7" } },
                { "key": "list", "value": { "array_value": { "values": [{ "bool_value": true }, { "double_value": 0.5 }] } } },
            ] } } },
            { "key": "mlflow.spanOutputs", "value": { "string_value": "[1]" } },
        ],
    }]);
    let older = json!([{
        "context": { "span_id": "0x0000000000000001", "trace_id": "0x1" }, "parent_id": null, "name": "agent",
        "start_time": 1_000_000_000_000_i64, "end_time": 1_002_000_000_000_i64, "status_code": "OK", "status_message": "",
        "attributes": { "mlflow.spanType": "\"AGENT\"", "mlflow.spanInputs": "{\"n\": 7, \"list\": [true, 0.5]}",
            "mlflow.spanOutputs": "[1]" },
        "events": [],
    }]);
    let expected = json!([{
        "span_id": "0000000000000001", "depth": 0, "name": "agent", "type": "AGENT", "start_ms": 0, "duration_ms": 2000,
        "status": "OK", "inputs": { "n": 7, "list": [true, 0.5] }, "outputs": [1],
    }]);
    for form in [telemetry, older] {
        let spans = read(&form);
        assert_eq!(json!(tell(&tree(&spans), spans[0].start, false, 10_000).spans), expected);
    }
}

#[test]
fn whatever_comes_has_an_order() {
    for odd in [json!(null), json!("text"), json!({ "attributes": 7, "status": [], "events": "x" })] {
        let span = Span::read(&odd);
        assert_eq!(tree(&[span]).len(), 1);
    }
    // A circle, a span that is its own parent, one without its parent, and two with one id.
    let given = json!([
        { "span_id": "a", "parent_span_id": "b" }, { "span_id": "b", "parent_span_id": "a" },
        { "span_id": "c", "parent_span_id": "c" }, { "span_id": "d", "parent_span_id": "gone" },
        { "span_id": "e" }, { "span_id": "e" }, { "span_id": "f", "parent_span_id": "e" },
    ]);
    let spans = read(&given);
    let told: Vec<_> = tree(&spans).iter().map(|(depth, span)| (*depth, span.id.as_str())).collect();
    assert_eq!(told, [(0, "c"), (0, "d"), (0, "e"), (1, "f"), (0, "e"), (0, "a"), (1, "b")]);
}

#[test]
fn long_values_are_cut_and_all_spans_stay_as_long_as_there_is_room() {
    let span = |number: usize| {
        let inputs = json!({ "messages": vec![json!({ "role": "user", "content": "x".repeat(900) }); 30] }).to_string();
        json!({ "span_id": format!("s{number}"), "name": "step", "start_time_unix_nano": number,
            "attributes": { "mlflow.spanInputs": inputs, "mlflow.spanOutputs": "\"short\"" } })
    };
    let spans = read(&(0..40).map(span).collect());
    let tree = tree(&spans);
    for room in [1_000, 5_000, 17_000] {
        let told = tell(&tree, 0, false, room);
        let size = json!(told.spans).to_string().chars().count();
        assert!(size <= room + 2 && size > room / 2, "{size} of {room}");
        assert_eq!(told.cut, told.spans.len(), "{room}");
        assert!(told.spans.iter().all(|span| span["outputs"] == "short"), "{room}");
    }
    assert_eq!(tell(&tree, 0, false, 17_000).spans.len(), 40);
    assert_eq!(tell(&tree, 0, false, 10).spans.len(), 1, "one is better than none");
}
