//! Traces of agents, end to end: searched and read, from experiments and from Unity Catalog.

use std::sync::{Arc, Mutex};

use databricks_mcp_server::registry::Selection;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const EXPERIMENT: &str = "700100200300402";
const NAME: &str = "/Users/sandbox.user@example.test/support-agent";
const ANSWERED: &str = "tr-5e1ec7ed0000000000000000000000b1";
const FAILED: &str = "tr-5e1ec7ed0000000000000000000000b2";
const BEGUN: &str = "tr-5e1ec7ed0000000000000000000000b3";
const KEPT: &str = "trace:/main.ml/5e1ec7ed0000000000000000000000b4";

type Failure = Box<dyn std::error::Error>;

async fn harness(tokens: usize) -> Result<Harness, Failure> {
    Harness::open(Selection { toolsets: vec!["all".to_owned()], ..Selection::default() }, tokens).await
}

fn ids(answer: &Value) -> Vec<&str> {
    answer["items"].as_array().into_iter().flatten().filter_map(|item| item["trace_id"].as_str()).collect()
}

fn names(answer: &Value) -> Vec<(u64, &str)> {
    let spans = answer["spans"].as_array().into_iter().flatten();
    spans.filter_map(|span| Some((span["depth"].as_u64()?, span["name"].as_str()?))).collect()
}

#[tokio::test]
async fn traces_are_found_by_experiment_filter_and_order() -> Outcome {
    let harness = harness(6_000).await?;
    let all = harness.answer("search_traces", json!({ "experiment_ids": [EXPERIMENT] })).await?;
    assert_eq!(ids(&all), [BEGUN, FAILED, ANSWERED], "the newest first: {all}");
    let by_name = harness.answer("search_traces", json!({ "experiment_ids": [NAME, EXPERIMENT] })).await?;
    assert_eq!(by_name["items"], all["items"]);
    let failed = json!({ "experiment_ids": [NAME], "filter": "trace.status = 'ERROR' AND tags.channel = 'web'" });
    let failed = harness.answer("search_traces", failed).await?;
    assert_eq!(ids(&failed), [FAILED], "{failed}");
    let slow = json!({ "experiment_ids": [NAME], "filter": "trace.execution_time_ms > 1000", "order_by": ["execution_time_ms DESC"] });
    assert_eq!(ids(&harness.answer("search_traces", slow).await?), [ANSWERED, FAILED]);

    let answered = all["items"].as_array().and_then(|items| items.last()).ok_or("no trace")?;
    let mut rest = answered.clone();
    let time = rest.as_object_mut().and_then(|fields| fields.remove("request_time"));
    assert!(time.as_ref().and_then(Value::as_str).is_some_and(|time| time.ends_with('Z')), "{answered}");
    assert_eq!(
        rest,
        json!({
            "trace_id": ANSWERED, "name": "support_agent", "experiment_id": EXPERIMENT, "state": "OK", "duration_ms": 2340,
            "tokens": { "input": 412, "output": 57, "total": 469 }, "session": "support-0417",
            "tags": { "release": "7", "channel": "web" }, "request": "{\"question\":\"How long may I return an order?\"}",
            "response": "\"You may return it within 30 days.\"",
            "assessments": { "helpful": true, "expected_facts": ["30 days"], "groundedness": "yes" },
        })
    );
    Ok(())
}

#[tokio::test]
async fn pages_of_traces_make_the_same_list() -> Outcome {
    let harness = harness(6_000).await?;
    let asked = json!({ "experiment_ids": [EXPERIMENT], "limit": 1 });
    let (paged, pages) = harness.all("search_traces", asked).await?;
    let whole = harness.answer("search_traces", json!({ "experiment_ids": [EXPERIMENT] })).await?;
    assert_eq!((json!(paged), pages), (whole["items"].clone(), 3));
    Ok(())
}

#[tokio::test]
async fn a_trace_is_told_with_its_tree_of_spans() -> Outcome {
    let harness = harness(6_000).await?;
    let trace = harness.answer("get_trace", json!({ "trace_id": ANSWERED })).await?;
    assert_eq!(names(&trace), [(0, "support_agent"), (1, "plan"), (1, "search_articles"), (1, "answer")], "{trace}");
    assert_eq!(
        trace["spans"][2],
        json!({
            "span_id": "0000000000000003", "depth": 1, "name": "search_articles", "type": "RETRIEVER", "start_ms": 790,
            "duration_ms": 220, "status": "OK", "inputs": { "query": "return an order" },
            "outputs": [{ "page_content": "Customers may return an order within 30 days.", "metadata": { "id": 1 } }],
        })
    );
    assert_eq!(trace["spans"][1]["model"], "sandbox-chat");
    assert_eq!((&trace["total_spans"], &trace["returned"], trace.get("truncated")), (&json!(4), &json!(4), None));
    let helpful = &trace["assessments"][0];
    assert_eq!((&helpful["kind"], &helpful["value"]), (&json!("feedback"), &json!(true)), "{helpful}");
    assert_eq!(
        (&helpful["by"], &helpful["rationale"]),
        (&json!("HUMAN sandbox.user@example.test"), &json!("Short and right."))
    );
    assert_eq!(trace["assessments"][1]["kind"], "expectation");

    let failed = harness.answer("get_trace", json!({ "trace_id": FAILED })).await?;
    assert_eq!(failed["spans"][2]["error"], "KeyError: no order 1234567", "{failed}");
    assert_eq!(failed["spans"][2]["status"], "ERROR");
    let tool = harness.answer("get_trace", json!({ "trace_id": FAILED, "span_id": "0000000000000003" })).await?;
    assert_eq!(names(&tool), [(0, "lookup_order")], "{tool}");
    assert!(tool["spans"][0]["stack_trace"].as_str().is_some_and(|stack| stack.contains("agent.py")), "{tool}");
    let refusal = harness.refusal("get_trace", json!({ "trace_id": FAILED, "span_id": "7" })).await?;
    assert!(refusal.contains("has no span `7`") && refusal.contains("without `span_id`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn long_traces_are_cut_and_go_on_by_cursor() -> Outcome {
    let small = harness(400).await?;
    let (mut spans, mut token, mut calls) = (Vec::new(), Value::Null, 0);
    loop {
        let mut call = json!({ "trace_id": ANSWERED });
        if token.is_string() {
            call["page_token"] = token;
        }
        let answer = small.answer("get_trace", call).await?;
        assert!(answer.to_string().chars().count() <= 1_200, "{answer}");
        spans.extend(names(&answer).into_iter().map(|(_, name)| name.to_owned()));
        calls += 1;
        token = answer["next_page_token"].clone();
        if token.is_null() {
            break;
        }
        assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("`page_token`")), "{answer}");
    }
    assert_eq!(spans, ["support_agent", "plan", "search_articles", "answer"]);
    assert!(calls > 1, "{calls}");
    Ok(())
}

#[tokio::test]
async fn a_trace_without_spans_is_told_all_the_same() -> Outcome {
    let harness = harness(6_000).await?;
    let begun = harness.answer("get_trace", json!({ "trace_id": BEGUN })).await?;
    assert_eq!((&begun["state"], begun.get("spans")), (&json!("IN_PROGRESS"), None), "{begun}");
    assert!(begun["request"].as_str().is_some_and(|request| request.contains("Cancel my account")), "{begun}");
    assert!(
        begun["spans_problem"].is_string() && begun["hint"].as_str().is_some_and(|hint| hint.contains("complete")),
        "{begun}"
    );
    // The link is a credential.
    assert!(!begun.to_string().contains("X-Amz-Signature"), "{begun}");
    let refusal = harness.refusal("get_trace", json!({ "trace_id": BEGUN, "span_id": "1" })).await?;
    assert!(!refusal.contains("X-Amz-Signature"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn traces_in_unity_catalog_are_read_through_a_warehouse_that_runs() -> Outcome {
    let harness = harness(6_000).await?;
    let found = harness.answer("search_traces", json!({ "experiment_ids": ["main.ml"] })).await?;
    assert_eq!(ids(&found), [KEPT], "{found}");
    let trace = harness.answer("get_trace", json!({ "trace_id": KEPT })).await?;
    assert_eq!(trace["trace_id"], KEPT);
    let experiment = harness.answer("get_trace", json!({ "trace_id": ANSWERED })).await?;
    assert_eq!(trace["spans"], experiment["spans"], "both forms say the same");
    let refusal = harness.refusal("get_trace", json!({ "trace_id": "trace:/main.ml/0" })).await?;
    assert!(refusal.contains("no trace `0` in `main.ml`") && refusal.contains("`search_traces`"), "{refusal}");
    // Tables and experiments are not searched together.
    let refusal = harness.refusal("search_traces", json!({ "experiment_ids": ["main.ml", EXPERIMENT] })).await?;
    assert!(refusal.contains("name experiments only"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn no_warehouse_is_woken_for_traces() -> Outcome {
    let harness = harness(6_000).await?;
    let listed = harness.answer("list_warehouses", json!({})).await?;
    for warehouse in listed["items"].as_array().into_iter().flatten().filter(|one| one["state"] == "RUNNING") {
        harness.answer("stop_warehouse", json!({ "warehouse_id": warehouse["id"] })).await?;
    }
    let refusal = harness.refusal("search_traces", json!({ "experiment_ids": ["main.ml"] })).await?;
    assert!(refusal.contains("no SQL warehouse runs") && refusal.contains("`warehouse_id`"), "{refusal}");
    let refusal = harness.refusal("get_trace", json!({ "trace_id": KEPT })).await?;
    assert!(refusal.contains("no SQL warehouse runs"), "{refusal}");
    let id = &listed["items"][0]["id"];
    let named = harness.answer("search_traces", json!({ "experiment_ids": ["main.ml"], "warehouse_id": id })).await?;
    assert_eq!(ids(&named), [KEPT]);
    let after = harness.answer("list_warehouses", json!({})).await?;
    let running = |answer: &Value| {
        answer["items"].as_array().into_iter().flatten().filter(|one| one["state"] == "RUNNING").count()
    };
    assert_eq!(running(&after), 0, "{after}");
    Ok(())
}

#[tokio::test]
async fn mistakes_say_what_is_right() -> Outcome {
    let harness = harness(6_000).await?;
    for (tool, call, expected) in [
        ("search_traces", json!({ "experiment_ids": [] }), "at least one experiment"),
        ("search_traces", json!({ "experiment_ids": ["/Users/nobody/none"] }), "`list_experiments`"),
        ("search_traces", json!({ "experiment_ids": ["1"] }), "`list_experiments`"),
        ("search_traces", json!({ "experiment_ids": [EXPERIMENT], "filter": "trace.status" }), "filter"),
        ("search_traces", json!({ "experiment_ids": [EXPERIMENT], "page_token": "x" }), "`page_token`"),
        ("get_trace", json!({ "trace_id": "tr-0" }), "`search_traces`"),
        ("get_trace", json!({ "trace_id": "5e1ec7ed0000000000000000000000b4" }), "`trace:/<catalog>.<schema>/<id>`"),
        ("get_trace", json!({ "trace_id": ANSWERED, "page_token": "x" }), "`page_token`"),
    ] {
        let refusal = harness.refusal(tool, call).await?;
        assert!(refusal.contains(expected), "{expected}: {refusal}");
    }
    Ok(())
}

fn refused(code: &str, message: &str) -> Value {
    json!({ "error_code": code, "message": message })
}

/// Where the workspace has no search of its own, or one that takes no experiments, the older one is asked.
#[tokio::test]
async fn the_older_search_is_asked_where_the_newer_one_is_missing() -> Outcome {
    for (code, message) in [
        ("ENDPOINT_NOT_FOUND", "No API found for 'POST /mlflow/traces/search-long-running'"),
        ("INVALID_PARAMETER_VALUE", "MLFLOW_EXPERIMENT locations not yet supported"),
    ] {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let heard = Arc::clone(&asked);
        let harness = Harness::scripted(move |target, body| {
            if target.starts_with("POST /api/3.0/mlflow/traces/search") {
                heard.lock().expect("no test panics while it hears").push(body.to_owned());
            }
            target.contains("/search-long-running").then(|| refused(code, message))
        });
        let harness = harness.await?;
        let call = json!({ "experiment_ids": [NAME], "filter": "trace.status = 'OK'", "order_by": ["timestamp_ms ASC"], "limit": 7 });
        assert_eq!(ids(&harness.answer("search_traces", call).await?), [ANSWERED]);
        let asked: Vec<Value> =
            asked.lock().expect("heard").iter().filter_map(|body| serde_json::from_str(body).ok()).collect();
        assert_eq!(
            json!(asked),
            json!([{
                "locations": [{ "type": "MLFLOW_EXPERIMENT", "mlflow_experiment": { "experiment_id": EXPERIMENT } }],
                "max_results": 7, "filter": "trace.status = 'OK'", "order_by": ["timestamp_ms ASC"],
            }])
        );
        let refusal = harness.refusal("search_traces", json!({ "experiment_ids": ["main.ml"] })).await?;
        assert!(refusal.contains("Unity Catalog"), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_search_that_fails_says_why() -> Outcome {
    let harness = Harness::scripted(|target, _| {
        let error = json!({ "error_code": "TABLE_OR_VIEW_NOT_FOUND", "message": "no table of spans" });
        target.contains("/search/operations/").then(|| json!({ "name": "x", "done": true, "error": error }))
    });
    let refusal = harness.await?.refusal("search_traces", json!({ "experiment_ids": ["main.ml"] })).await?;
    assert!(refusal.contains("no table of spans (TABLE_OR_VIEW_NOT_FOUND)"), "{refusal}");
    Ok(())
}

/// Open source MLflow has no links to files of spans, and keeps them in its database.
#[tokio::test]
async fn spans_come_from_the_database_of_a_server_that_has_no_links() -> Outcome {
    let script = |is_tagged: bool| {
        move |target: &str, _: &str| {
            if target.contains("/credentials-for-data-download") {
                return Some(refused("ENDPOINT_NOT_FOUND", "nothing there"));
            }
            if target.starts_with("GET /api/3.0/mlflow/traces/get?") {
                let span = json!({ "span_id": "AAAAAAAAAAE=", "name": "root", "start_time_unix_nano": "1", "end_time_unix_nano": "2000001",
                    "attributes": [{ "key": "mlflow.spanType", "value": { "string_value": "LLM" } }] });
                return Some(json!({ "trace": { "trace_info": {}, "spans": [span] } }));
            }
            let tags = json!({ "mlflow.trace.spansLocation": "TRACKING_STORE" });
            let info = json!({ "trace_id": ANSWERED, "state": "OK", "tags": if is_tagged { tags } else { json!({}) } });
            target.starts_with("GET /api/3.0/mlflow/traces/tr-").then(|| json!({ "trace": { "trace_info": info } }))
        }
    };
    for is_tagged in [true, false] {
        let harness = Harness::scripted(script(is_tagged)).await?;
        let trace = harness.answer("get_trace", json!({ "trace_id": ANSWERED })).await?;
        let root = json!({ "span_id": "0000000000000001", "depth": 0, "name": "root", "type": "LLM", "start_ms": 0, "duration_ms": 2 });
        assert_eq!(trace["spans"], json!([root]), "{trace}");
    }
    Ok(())
}

#[tokio::test]
async fn a_link_that_does_not_work_is_asked_for_again() -> Outcome {
    let links = Arc::new(Mutex::new(0));
    let asked = Arc::clone(&links);
    let harness = Harness::scripted(move |target, _| {
        if !target.contains("/credentials-for-data-download") {
            return None;
        }
        let mut asked = asked.lock().expect("no test panics while it counts");
        *asked += 1;
        let link = json!({ "credential_info": { "signed_uri": "http://127.0.0.1:9/gone?X-Amz-Signature=secret" } });
        (*asked == 1).then_some(link)
    });
    let trace = harness.await?.answer("get_trace", json!({ "trace_id": ANSWERED })).await?;
    assert_eq!((names(&trace).len(), *links.lock().expect("counted")), (4, 2), "{trace}");
    Ok(())
}

/// Artifacts of an experiment may be in a volume, and so is the file of spans then.
#[tokio::test]
async fn spans_are_read_from_a_volume() -> Outcome {
    const FOLDER: &str = "/Volumes/main/default/landing/traces/tr-1/artifacts";
    let harness = Harness::scripted(|target, _| {
        let tags = json!({ "mlflow.artifactLocation": format!("dbfs:{FOLDER}") });
        let info = json!({ "trace_id": "tr-1", "state": "OK", "tags": tags });
        target.starts_with("GET /api/3.0/mlflow/traces/tr-1").then(|| json!({ "trace": { "trace_info": info } }))
    });
    let harness = harness.await?;
    let missing = harness.answer("get_trace", json!({ "trace_id": "tr-1" })).await?;
    assert!(missing["spans_problem"].is_string(), "{missing}");
    let span = json!({ "span_id": "1", "name": "root", "attributes": { "mlflow.spanInputs": "[1]" } });
    let path = format!("{FOLDER}/traces.json");
    let content = json!({ "spans": [span] }).to_string();
    harness.answer("upload_file", json!({ "path": path, "content": content })).await?;
    let trace = harness.answer("get_trace", json!({ "trace_id": "tr-1" })).await?;
    assert_eq!((&trace["spans"][0]["name"], &trace["spans"][0]["inputs"]), (&json!("root"), &json!([1])), "{trace}");
    harness.answer("upload_file", json!({ "path": path, "content": "no JSON", "overwrite": true })).await?;
    let broken = harness.answer("get_trace", json!({ "trace_id": "tr-1" })).await?;
    assert!(broken["spans_problem"].as_str().is_some_and(|problem| problem.contains("no JSON at line 1")), "{broken}");
    Ok(())
}
