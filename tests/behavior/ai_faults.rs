//! Serving, vector search and Genie where they are not ready, refuse, forget or tell too much.

use std::sync::Arc;
use std::time::Duration;

use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::Selection;
use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};

const RETAIL: &str = "01f0aaaa00001111a2b2c3d4e5f60718";
const TAXI: &str = "01f0aaaa00002222a2b2c3d4e5f60718";
const INDEX: &str = "main.default.support_articles_index";
const ASK: &str = "POST /serving-endpoints/*/invocations";

type Failure = Box<dyn std::error::Error>;

async fn harness(faults: Value) -> Result<Harness, Failure> {
    Harness::impatient(faults, LocalRoots::default()).await
}

fn ai() -> Selection {
    Selection { toolsets: vec!["ai".to_owned(), "sql".to_owned()], ..Selection::default() }
}

#[tokio::test]
async fn an_endpoint_that_is_not_ready_says_so_or_is_waited_for() -> Outcome {
    let harness = harness(json!([])).await?;
    let body = json!({ "dataframe_records": [{ "x": 1 }] });
    let refusal = harness.refusal("query_endpoint", json!({ "name": "demand-forecast", "body": body })).await?;
    for expected in ["NOT_READY", "UPDATE_FAILED", "ended while it was starting"] {
        assert!(refusal.contains(expected), "no {expected}: {refusal}");
    }
    assert!(!refusal.contains("try again once"), "waiting does not help: {refusal}");
    let entity = json!({ "name": "e", "entity_name": "system.ai.llama", "entity_version": "1", "workload_size": "Small", "scale_to_zero_enabled": true });
    let fresh = json!({ "name": "fresh", "config": { "name": "fresh", "served_entities": [entity] } });
    harness.direct("POST", "/api/2.0/serving-endpoints", Some(fresh)).await?;
    let answer = harness.answer("query_endpoint", json!({ "name": "fresh", "prompt": "of lighthouses" })).await?;
    assert!(answer["choices"][0]["message"]["content"].to_string().contains("lighthouses"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_is_asked_too_often_says_when_to_ask_again() -> Outcome {
    let often = |route: &str| json!({ "route": route, "fault": "too_many_requests", "retry_after": 900 });
    let harness =
        harness(json!([often(ASK), often("POST /api/2.0/vector-search/**"), often("POST /api/2.0/genie/**"),])).await?;
    for (tool, arguments) in [
        ("query_endpoint", json!({ "name": "sandbox-chat", "prompt": "x" })),
        ("query_index", json!({ "full_name": INDEX, "query_text": "delivery" })),
        ("ask_genie", json!({ "space_id": RETAIL, "question": "What is the revenue per channel?" })),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains("try again in 900 s"), "{tool}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_missing_permission_is_told_and_nothing_else() -> Outcome {
    let calls = [
        ("query_endpoint", json!({ "name": "sandbox-chat", "prompt": "x" })),
        ("list_vector_indexes", json!({})),
        ("query_index", json!({ "full_name": INDEX, "query_text": "delivery" })),
        ("ask_genie", json!({ "space_id": RETAIL, "question": "What is the revenue per channel?" })),
    ];
    let reads = ["GET /api/2.0/serving-endpoints/*", "GET /api/2.0/vector-search/**"];
    let writes =
        [ASK, "GET /api/2.0/vector-search/indexes", "POST /api/2.0/vector-search/**", "POST /api/2.0/genie/**"];
    for routes in [&reads[..], &writes[..]] {
        let rules: Vec<_> =
            routes.iter().map(|route| json!({ "route": route, "fault": "permission_denied" })).collect();
        let harness = harness(json!(rules)).await?;
        for (tool, arguments) in calls.iter().take(if routes.len() == 2 { 3 } else { 4 }) {
            let refusal = harness.refusal(tool, arguments.clone()).await?;
            assert!(refusal.contains("lacks the permission"), "{tool}: {refusal}");
        }
    }
    // Genie's SQL is worth having without its rows.
    let harness =
        harness(json!([{ "route": "GET /api/2.0/genie/**/query-result", "fault": "permission_denied" }])).await?;
    let answer = harness.answer("ask_genie", calls[3].1.clone()).await?;
    let query = &answer["queries"][0];
    assert!(query["sql"].to_string().contains("GROUP BY channel"), "{answer}");
    assert!(query["result_error"].to_string().contains("permission") && query.get("result").is_none(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn what_costs_is_not_asked_twice() -> Outcome {
    let lost = |route: &str| json!([{ "route": route, "fault": "connection_reset", "handled": true, "times": 1 }]);
    let prompt = json!({ "name": "sandbox-chat", "prompt": "x" });
    let harness = harness(lost(ASK)).await?;
    harness.refusal("query_endpoint", prompt.clone()).await?;
    assert_eq!(harness.faults().await?[0]["seen"], 1);
    harness.answer("query_endpoint", prompt).await?;

    let harness = self::harness(lost("POST /api/2.0/genie/**/start-conversation")).await?;
    let question = json!({ "space_id": RETAIL, "question": "What is the revenue per channel?" });
    let refusal = harness.refusal("ask_genie", question.clone()).await?;
    assert!(refusal.contains("asks a second time"), "{refusal}");
    let path = format!("/api/2.0/genie/spaces/{RETAIL}/conversations");
    let asked = harness.direct("GET", &path, None).await?;
    assert_eq!(asked["conversations"].as_array().map(Vec::len), Some(1), "{asked}");
    harness.answer("ask_genie", question).await?;

    // To search again does no harm.
    let harness = self::harness(lost("POST /api/2.0/vector-search/indexes/*/query")).await?;
    harness.answer("query_index", json!({ "full_name": INDEX, "query_text": "delivery" })).await?;
    assert_eq!(harness.faults().await?[0]["seen"], 2);
    Ok(())
}

#[tokio::test]
async fn an_answer_that_is_too_long_is_cut_with_notice() -> Outcome {
    let harness = Harness::open(ai(), 500).await?;
    let prompt = "lighthouse ".repeat(3_000);
    let answer = harness.answer("query_endpoint", json!({ "name": "sandbox-chat", "prompt": prompt })).await?;
    assert!(answer.to_string().chars().count() < 2_500, "{} characters", answer.to_string().chars().count());
    assert_eq!(answer["truncated"], true, "{answer}");
    let content = answer["choices"][0]["message"]["content"].as_str().ok_or("no content")?;
    let kept = content.trim_end_matches('…').chars().count();
    let notice = format!("first {kept} of 32999 characters");
    assert!(answer["hint"].to_string().contains(&notice), "no {notice}: {answer}");
    let trips = json!({ "space_id": TAXI, "question": "How many trips were there per day?" });
    let answer = harness.answer("ask_genie", trips).await?;
    assert!(answer.to_string().chars().count() < 2_500, "{} characters", answer.to_string().chars().count());
    assert!(answer["queries"][0]["sql"].is_string(), "{answer}");
    assert!(answer.to_string().contains("truncated") || answer.get("cut").is_some(), "{answer}");
    Ok(())
}

/// A sandbox whose clock stands, and an index in it whose rows bring their vectors along.
async fn vectors() -> Result<(Arc<Sandbox>, Harness), Failure> {
    let sandbox = Arc::new(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?);
    let harness = Harness::beside(&sandbox, ai(), 6_000, LocalRoots::default()).await?;
    let schema = json!({ "id": "int", "country": "string", "about": "string", "v": "array<float>" });
    let index = json!({
        "name": "main.default.vectors", "endpoint_name": "support-search", "index_type": "DIRECT_ACCESS", "primary_key": "id",
        "direct_access_index_spec": {
            "embedding_vector_columns": [{ "name": "v", "embedding_dimension": 2 }], "schema_json": schema.to_string(),
        },
    });
    harness.direct("POST", "/api/2.0/vector-search/indexes", Some(index)).await?;
    Ok((sandbox, harness))
}

fn search(extra: Value) -> Value {
    let mut call = json!({ "full_name": "main.default.vectors" });
    if let (Some(call), Value::Object(extra)) = (call.as_object_mut(), extra) {
        call.extend(extra);
    }
    call
}

#[tokio::test]
async fn an_index_tells_what_it_cannot_do_and_is_read_page_by_page() -> Outcome {
    let (sandbox, harness) = vectors().await?;
    let near = json!({ "query_vector": [1.0, 0.5], "columns": ["id", "country"], "limit": 60 });
    let refusal = harness.refusal("query_index", search(near.clone())).await?;
    assert!(refusal.contains("the index is not ready: Index is being created"), "{refusal}");
    harness.advance(Duration::from_secs(900));
    let rows: Vec<_> = (0..60)
        .map(|id| json!({ "id": id, "country": if id % 3 == 0 { "NL" } else { "DE" }, "about": "word ".repeat(100), "v": [1.0, f64::from(id) / 60.0] }))
        .collect();
    let path = "/api/2.0/vector-search/indexes/main.default.vectors/upsert-data";
    harness.direct("POST", path, Some(json!({ "inputs_json": json!(rows).to_string() }))).await?;

    let refusal = harness.refusal("query_index", search(json!({ "query_text": "ships" }))).await?;
    assert!(refusal.contains("give `query_vector`"), "{refusal}");
    let refusal = harness.refusal("query_index", search(json!({ "query_vector": [1.0], "columns": ["id"] }))).await?;
    assert!(refusal.contains("dimensions"), "{refusal}");
    let refusal =
        harness.refusal("query_index", search(json!({ "query_vector": [1.0, 0.0], "columns": ["nothing"] }))).await?;
    assert!(refusal.contains("'nothing'") && refusal.contains("country"), "{refusal}");

    let (mut ids, mut pages, mut next) = (Vec::new(), 0, search(near));
    loop {
        let answer = harness.answer("query_index", next).await?;
        assert_eq!(answer["columns"], json!(["id", "country", "score"]), "{answer}");
        ids.extend(answer["rows"].as_array().into_iter().flatten().map(|row| row[0].to_string()));
        pages += 1;
        match answer.get("next_page_token") {
            Some(token) => next = search(json!({ "page_token": token })),
            None => break,
        }
    }
    ids.sort();
    ids.dedup();
    assert_eq!((ids.len(), pages), (60, 3));
    let refusal = harness.refusal("query_index", search(json!({ "page_token": "none" }))).await?;
    assert!(refusal.contains("page token"), "{refusal}");

    for (filters, expected) in [
        (json!({ "country": "NL" }), 20),
        (json!({ "id >=": 50 }), 10),
        (json!({ "country": "NL", "id <": 6 }), 2),
        (json!({ "country": "FR" }), 0),
    ] {
        let call = json!({ "query_vector": [1.0, 0.0], "columns": ["id"], "limit": 25, "filters": filters });
        let answer = harness.answer("query_index", search(call)).await?;
        assert_eq!(answer["returned"], expected, "{filters}: {answer}");
    }

    let small = Harness::beside(&sandbox, ai(), 500, LocalRoots::default()).await?;
    let call = json!({ "query_vector": [1.0, 0.0], "columns": ["id", "about"], "limit": 20 });
    let answer = small.answer("query_index", search(call)).await?;
    let returned = answer["rows"].as_array().map_or(0, Vec::len);
    assert_eq!((&answer["returned"], &answer["truncated"]), (&json!(returned), &json!(true)), "{answer}");
    assert!(answer["hint"].to_string().contains(&format!("{returned} nearest of 20 fit")), "{answer}");
    assert!(returned > 0 && answer.to_string().chars().count() < 2_500, "{answer}");
    Ok(())
}

#[tokio::test]
async fn an_unknown_endpoint_of_indexes_is_told() -> Outcome {
    let harness = harness(json!([])).await?;
    let refusal = harness.refusal("list_vector_indexes", json!({ "endpoint_name": "none" })).await?;
    assert!(refusal.contains("does not exist") && refusal.contains("without `endpoint_name`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn each_failure_of_genie_says_what_to_do() -> Outcome {
    let harness = harness(json!([])).await?;
    for (question, expected) in [
        ("fail with RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION", &["is FAILED", "RATE_LIMIT_EXCEEDED", "wait a minute"][..]),
        ("fail with WAREHOUSE_ACCESS_MISSING_EXCEPTION", &["WAREHOUSE_ACCESS_MISSING_EXCEPTION", "`list_warehouses`"]),
        ("fail with TABLES_MISSING_EXCEPTION", &["TABLES_MISSING_EXCEPTION", "`search_tables`"]),
        ("fail with GENERIC_CHAT_COMPLETION_EXCEPTION", &["asked to fail", "ask again later"]),
        ("fail with CONTENT_FILTER_EXCEPTION", &["asked to fail", "in other words"]),
        ("show me a missing table", &["SQL_EXECUTION_EXCEPTION", "its SQL: SELECT", "correct the SQL"]),
        ("please cancel this", &["is CANCELLED", "ask again"]),
    ] {
        let refusal = harness.refusal("ask_genie", json!({ "space_id": RETAIL, "question": question })).await?;
        for words in expected.iter().chain(&["conversation `"]) {
            assert!(refusal.contains(words), "{question}: no {words}: {refusal}");
        }
    }
    let question = "an expired result of the revenue per channel";
    let answer = harness.answer("ask_genie", json!({ "space_id": RETAIL, "question": question })).await?;
    let rows = answer["queries"][0]["result"]["rows"].as_array().map_or(0, Vec::len);
    assert!(rows > 0, "its query was not run again: {answer}");
    // What Genie asks back is no failure.
    let answer = harness.answer("ask_genie", json!({ "space_id": RETAIL, "question": "hello" })).await?;
    assert!(answer["text"][0].to_string().contains("Which of these"), "{answer}");
    Ok(())
}
