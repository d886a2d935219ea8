//! A workspace that does not come to an end, or to the point: each call answers in time and says where it stands.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::Relaxed};
use std::time::{Duration, Instant};

use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use rmcp::model::CallToolRequestParams;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{Harness, Outcome};

const STATEMENTS: &str = "POST /api/2.0/sql/statements";
const CHUNKS: &str = "/result/chunks/";

/// How a workspace answers a request.
enum Reply {
    /// With this status and text, be it valid JSON or not.
    Text(u16, Vec<u8>),
    /// With a body that goes on and on, a blank at a time.
    Blanks,
    /// Not at all.
    Silence,
}

impl Reply {
    fn json(value: &Value) -> Self {
        Self::Text(200, value.to_string().into_bytes())
    }
}

/// A harness whose workspace is nothing but a script.
async fn answering(
    script: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> Result<Harness, Box<dyn std::error::Error>> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let mut config = databricks::Config::new(&format!("http://{}", listener.local_addr()?), "token")?;
    config.limits.requests_per_second = None;
    let script = Arc::new(script);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let script = Arc::clone(&script);
            // A client that goes away is none of this test's business.
            tokio::spawn(async move { answer(stream, &*script).await.ok() });
        }
    });
    let context = Context::new(databricks::Client::new(config)?, Budget::tokens(6_000), None);
    let registry = Registry::new(&Selection { toolsets: vec!["all".to_owned()], ..Selection::default() })?;
    Harness::of(Server::new(registry, context), Sandbox::start(Options::default()).await?).await
}

async fn answer(mut stream: TcpStream, script: impl Fn(&str) -> Reply) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let start = "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n";
    match script(head.split(" HTTP/1.1").next().unwrap_or_default()) {
        Reply::Text(status, body) => {
            let start = start.replace("200 OK", &format!("{status} x"));
            stream.write_all(format!("{start}Content-Length: {}\r\n\r\n", body.len()).as_bytes()).await?;
            stream.write_all(&body).await
        }
        Reply::Blanks => {
            stream.write_all(format!("{start}\r\n").as_bytes()).await?;
            loop {
                stream.write_all(b" ").await?;
                tokio::time::sleep(Duration::from_millis(200)).await;
            }
        }
        Reply::Silence => {
            let mut rest = Vec::new();
            stream.read_to_end(&mut rest).await.map(drop)
        }
    }
}

/// A statement that succeeded, whose first chunk is this one. Its manifest says nothing of how many there are.
fn succeeded(first: &Value) -> Value {
    json!({
        "statement_id": "s1", "status": { "state": "SUCCEEDED" },
        "manifest": {
            "format": "JSON_ARRAY",
            "schema": { "column_count": 1, "columns": [{ "name": "n", "type_name": "STRING", "type_text": "STRING" }] },
        },
        "result": first,
    })
}

fn chunk(index: usize, rows: &Value) -> Value {
    json!({ "chunk_index": index, "data_array": rows, "next_chunk_index": index + 1 })
}

/// The index of the chunk that is asked for.
fn asked_chunk(target: &str) -> Option<usize> {
    target.split_once(CHUNKS)?.1.parse().ok()
}

fn warehouse() -> Value {
    json!({ "id": "w1", "name": "w1", "state": "RUNNING", "warehouse_type": "PRO", "enable_serverless_compute": true })
}

/// A workspace with one warehouse, on which every statement has this first chunk. `others` answers the rest.
async fn with_statement(
    first: Value,
    others: impl Fn(&str) -> Reply + Send + Sync + 'static,
) -> Result<Harness, Box<dyn std::error::Error>> {
    answering(move |target| match target {
        "GET /api/2.0/sql/warehouses" => Reply::json(&json!({ "warehouses": [warehouse()] })),
        "GET /api/2.0/sql/warehouses/w1" => Reply::json(&warehouse()),
        _ if target.starts_with(STATEMENTS) => Reply::json(&succeeded(&first)),
        _ => others(target),
    })
    .await
}

#[tokio::test]
async fn empty_pages_are_passed_over() -> Outcome {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let harness = Harness::scripted(move |target, _| {
        target.contains("/jobs/list").then(|| match counted.fetch_add(1, Relaxed) {
            page @ 0..=4 => json!({ "next_page_token": format!("page {page}") }),
            _ => json!({ "jobs": [{ "job_id": 7 }] }),
        })
    })
    .await?;
    let answer = harness.answer("list_jobs", json!({})).await?;
    assert_eq!((&answer["returned"], &answer["items"][0]["job_id"]), (&json!(1), &json!(7)), "{answer}");
    assert_eq!(asked.load(Relaxed), 6);
    Ok(())
}

#[tokio::test]
async fn a_list_of_nothing_but_empty_pages_ends_and_says_so() -> Outcome {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let harness = Harness::scripted(move |target, _| {
        let page = || json!({ "next_page_token": format!("page {}", counted.fetch_add(1, Relaxed)) });
        target.contains("/jobs/list").then(page)
    })
    .await?;
    let answer = harness.answer("list_jobs", json!({})).await?;
    assert!(answer["next_page_token"].is_string() && answer["returned"] == 0, "{answer}");
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("looked at 0 items")), "{answer}");
    assert!(asked.load(Relaxed) <= 200, "{} requests", asked.load(Relaxed));
    Ok(())
}

#[tokio::test]
async fn a_list_that_goes_round_ends_and_says_so() -> Outcome {
    let harness = Harness::scripted(|target, _| {
        let next = if target.contains("page_token=a") { "b" } else { "a" };
        target.contains("/jobs/list").then(|| json!({ "jobs": [{ "job_id": 7 }], "next_page_token": next }))
    })
    .await?;
    let answer = harness.answer("list_jobs", json!({ "limit": 100 })).await?;
    assert_eq!((&answer["returned"], &answer["truncated"]), (&json!(3), &json!(true)), "{answer}");
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains("named a page for the second time")), "{answer}");
    Ok(())
}

#[tokio::test]
async fn chunks_without_rows_come_to_an_end() -> Outcome {
    for (tool, arguments) in [
        ("execute_sql", json!({ "statement": "SELECT n FROM t", "timeout_seconds": 5 })),
        ("search_tables", json!({ "query": "orders", "catalog_name": "main", "timeout_seconds": 5 })),
    ] {
        let asked = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&asked);
        let harness = with_statement(chunk(0, &json!([])), move |target| match asked_chunk(target) {
            Some(index) => {
                counted.fetch_add(1, Relaxed);
                Reply::json(&chunk(index, &json!([])))
            }
            None => Reply::json(&json!({})),
        })
        .await?;
        let result = harness.call(tool, arguments).await?;
        let text = crate::harness::text(&result);
        assert!(text.contains("the last 20 chunks of the result had no rows"), "{tool}: {text}");
        assert!(asked.load(Relaxed) < 30, "{tool}: {} requests", asked.load(Relaxed));
    }
    Ok(())
}

#[tokio::test]
async fn chunks_without_end_come_to_an_end() -> Outcome {
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let harness = with_statement(chunk(0, &json!([["1"]])), move |target| match asked_chunk(target) {
        Some(index) => {
            counted.fetch_add(1, Relaxed);
            Reply::json(&chunk(index, &json!([[index.to_string()]])))
        }
        None => Reply::json(&json!({})),
    })
    .await?;
    let page = harness.answer("execute_sql", json!({ "statement": "SELECT n FROM t", "timeout_seconds": 5 })).await?;
    assert_eq!((&page["returned"], &page["truncated"]), (&json!(100), &json!(true)), "{page}");
    assert!(page["next_page_token"].is_string(), "{page}");
    asked.store(0, Relaxed);
    let arguments = json!({ "query": "orders", "catalog_name": "main", "timeout_seconds": 5 });
    let found = harness.answer("search_tables", arguments).await?;
    let searched = found["searched"].as_str().unwrap_or_default();
    assert!(searched.contains("the result has more than 100 chunks"), "{found}");
    assert!(asked.load(Relaxed) <= 100, "{} requests", asked.load(Relaxed));
    Ok(())
}

#[tokio::test]
async fn where_no_search_works_the_error_tells_of_both() -> Outcome {
    let harness = with_statement(chunk(0, &json!([["1"]])), |target| match asked_chunk(target) {
        Some(index) => Reply::json(&chunk(index + 1, &json!([]))),
        None => Reply::json(&json!({ "error_code": "PERMISSION_DENIED", "message": "no names" })),
    })
    .await?;
    let refusal = harness.refusal("search_tables", json!({ "query": "orders", "catalog_name": "main" })).await?;
    assert!(refusal.contains("chunk 2 came in place of chunk 1") && refusal.contains("no names"), "{refusal}");
    Ok(())
}

/// What comes of a statement whose result begins like this, and whose further chunks never come whole.
async fn dripping(first: Value, save_to: Option<&str>) -> Result<Value, Box<dyn std::error::Error>> {
    let harness = with_statement(first, |target| match asked_chunk(target) {
        Some(_) => Reply::Blanks,
        None => Reply::json(&json!({})),
    })
    .await?;
    let arguments =
        json!({ "statement": "SELECT n FROM t", "timeout_seconds": 0, "save_to": save_to, "overwrite": true });
    let start = Instant::now();
    let result = harness.call("execute_sql", arguments).await?;
    assert!(start.elapsed() < Duration::from_secs(40), "{:?}", start.elapsed());
    Ok(result.structured_content.clone().unwrap_or_else(|| json!(crate::harness::text(&result))))
}

#[tokio::test]
async fn a_chunk_that_never_comes_whole_ends_with_the_call() -> Outcome {
    let (rows, nothing) = (chunk(0, &json!([["1"]])), chunk(0, &json!([])));
    let storage = TcpListener::bind("127.0.0.1:0").await?;
    let link = format!("http://{}/rows", storage.local_addr()?);
    let linked = json!({ "external_links": [{ "chunk_index": 0, "external_link": link }] });
    let file = "/Volumes/main/sales/files/rows.csv";
    let (some, refusals) = tokio::try_join!(dripping(rows.clone(), None), async {
        tokio::try_join!(dripping(nothing, None), dripping(linked, None), dripping(rows, Some(file)))
    })?;
    assert_eq!((&some["rows"], &some["truncated"]), (&json!([["1"]]), &json!(true)), "{some}");
    assert!(some["hint"].as_str().is_some_and(|hint| hint.contains("did not give the next rows in time")), "{some}");
    for refusal in [refusals.0, refusals.1, refusals.2] {
        let text = refusal.as_str().ok_or("a result that is not whole")?;
        assert!(text.contains("ran out of time after 12 s waiting for the workspace to answer"), "{text}");
        assert!(text.contains("`s1` succeeded") && text.contains("get_sql_result"), "{text}");
    }
    Ok(())
}

#[tokio::test]
async fn a_request_that_is_not_answered_is_reported() -> Outcome {
    for is_call in [true, false] {
        let harness = answering(|_| Reply::Silence).await?;
        let peer = harness.client.peer().clone();
        let asking = tokio::spawn(async move {
            if is_call {
                peer.call_tool(CallToolRequestParams::new("list_jobs")).await.is_ok()
            } else {
                peer.list_resources(None).await.is_ok()
            }
        });
        let told = harness.until_heard(|text| text.starts_with("waiting for the workspace to answer `")).await?;
        assert!(told.ends_with("for 5 s so far"), "{told}");
        asking.abort();
    }
    Ok(())
}

#[tokio::test]
async fn a_wait_outlasts_polls_that_fail() -> Outcome {
    let polls = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&polls);
    let statement = json!({ "statement_id": "s1", "status": { "state": "RUNNING" } });
    let harness = answering(move |target| {
        if !target.starts_with("GET /api/2.0/sql/statements/s1") {
            return Reply::json(&json!({}));
        }
        match counted.fetch_add(1, Relaxed) {
            0 => Reply::json(&statement),
            1 => Reply::Text(500, br#"{"error_code":"INTERNAL_ERROR","message":"broken"}"#.to_vec()),
            2 => Reply::Text(403, br#"{"error_code":"PERMISSION_DENIED","message":"not now"}"#.to_vec()),
            3 => Reply::Text(200, b"<html><body>Sign in</body></html>".to_vec()),
            _ => Reply::json(&succeeded(&json!({ "chunk_index": 0, "data_array": [["1"]] }))),
        }
    })
    .await?;
    let answer = harness.answer("get_sql_result", json!({ "statement_id": "s1" })).await?;
    assert_eq!(answer["rows"], json!([["1"]]), "{answer}");
    for why in ["broken", "not now", "login page"] {
        let told = harness.until_heard(|text| text.contains(why)).await?;
        assert!(told.starts_with("statement s1: its state could not be read"), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn one_odd_value_hides_no_other() -> Outcome {
    let jobs = b"\xef\xbb\xbf{\"jobs\":[{\"job_id\":1,\"settings\":{\"name\":\"half \\ud83d\"}},{\"job_id\":2,\"settings\":{\"name\":\"byte \xff\"}}]}";
    let harness = answering(|_| Reply::Text(200, jobs.to_vec())).await?;
    let answer = harness.answer("list_jobs", json!({})).await?;
    let names: Vec<_> = answer["items"].as_array().into_iter().flatten().map(|job| &job["settings"]["name"]).collect();
    assert_eq!(names, [&json!("half \u{fffd}"), &json!("byte \u{fffd}")], "{answer}");
    let hint = answer["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("were replaced: bytes that are not UTF-8, half of a surrogate pair in `name`"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn long_texts_take_no_long_time() -> Outcome {
    let page = format!("<html>told{}", "<script>".repeat(500_000));
    let harness = answering(move |_| Reply::Text(400, page.clone().into_bytes())).await?;
    let start = Instant::now();
    let refusal = harness.refusal("list_jobs", json!({})).await?;
    assert!(refusal.contains("told"), "{refusal}");
    let unknown =
        harness.call("a".repeat(4_000_000).leak(), json!({})).await.err().ok_or("an unknown tool was called")?;
    assert!(unknown.to_string().contains("no tool is named") && unknown.to_string().len() < 1_000, "{unknown:.1000}");
    let refusal = harness.refusal("list_jobs", json!({ "b".repeat(1_000_000): 1 })).await?;
    assert!(refusal.contains("unknown"), "{refusal}");
    // Quadratic work takes minutes.
    assert!(start.elapsed().as_secs() < 20, "{:?}", start.elapsed());
    Ok(())
}

#[tokio::test]
async fn a_flood_of_calls_is_refused_and_what_was_taken_goes_on() -> Outcome {
    if Harness::is_over_http() {
        // The bound is that of a caller there, see `tests/http/callers.rs`.
        return Ok(());
    }
    // More than are worked on at once, and more than may wait.
    const CALLS: usize = 1_400;
    let harness = answering(|_| Reply::Silence).await?;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..CALLS {
        let peer = harness.client.peer().clone();
        calls.spawn(async move { peer.call_tool(CallToolRequestParams::new("list_jobs")).await });
    }
    let refused = CALLS - 256 - 1_024;
    for _ in 0..refused {
        let result = calls.join_next().await.ok_or("no call")???;
        let text = crate::harness::text(&result);
        assert!(result.is_error == Some(true) && text.contains("as many calls as it can"), "{text}");
    }
    Ok(())
}
