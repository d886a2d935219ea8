//! Streamable HTTP in both eras: statuses, headers, sessions, progress, and cancelling.

use futures_util::StreamExt as _;
use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE};
use serde_json::{Value, json};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;

use crate::house::{House, Outcome, answer, call, initialize, messages, modern, request, structured, until};

/// A statement that takes its time.
const SLOW: &str = "SELECT count(*) FROM range(100000) a CROSS JOIN range(100000) b WHERE a.id * b.id % 7 = 3";

#[tokio::test]
async fn a_client_without_a_handshake_is_served() -> Outcome {
    let house = House::open("").await?;
    let discovered = answer(house.modern("server/discover", json!({})).send().await?).await?;
    assert!(discovered["result"]["supportedVersions"].as_array().is_some_and(|all| all.len() > 3), "{discovered}");
    let response = house.modern("tools/call", json!({ "name": "list_jobs", "arguments": {} })).send().await?;
    assert_eq!((response.status().as_u16(), &response.headers()[CONTENT_TYPE]), (200, &"application/json".parse()?));
    assert!(response.headers().get("mcp-session-id").is_none());
    let answer = answer(response).await?;
    assert_eq!(answer["result"]["resultType"], "complete", "{answer}");
    assert!(!answer["result"]["structuredContent"]["items"].as_array().ok_or("no items")?.is_empty());
    Ok(())
}

#[tokio::test]
async fn prompts_and_completions_are_served_and_follow_what_is_left() -> Outcome {
    let house = House::open("").await?;
    let got = json!({ "name": "profile_table", "arguments": { "table": "samples.retail.orders" } });
    let got = answer(house.modern("prompts/get", got).send().await?).await?;
    assert_eq!(got["result"]["messages"][2]["content"]["type"], "resource", "{got}");
    let reference = json!({ "type": "ref/prompt", "name": "profile_table" });
    let asked = json!({ "ref": reference, "argument": { "name": "table", "value": "samples.retail.ord" } });
    let found = answer(house.modern("completion/complete", asked.clone()).send().await?).await?;
    assert!(found["result"]["completion"]["values"].to_string().contains("samples.retail.orders"), "{found}");
    let asked = request(1, "completion/complete", asked);
    let refused = answer(house.post_to("/mcp/x/jobs", asked).send().await?).await?;
    assert_eq!(refused["error"]["code"], -32_602, "{refused}");
    let listed = answer(house.post_to("/mcp/x/jobs", request(1, "prompts/list", json!({}))).send().await?).await?;
    let listed = listed["result"]["prompts"].to_string();
    assert!(listed.contains("debug_run") && !listed.contains("profile_table"), "{listed}");
    Ok(())
}

#[tokio::test]
async fn a_client_with_a_session_is_served_until_it_ends_it() -> Outcome {
    let house = House::open("").await?;
    let begun = house.post(initialize()).send().await?;
    let session = begun.headers().get("mcp-session-id").ok_or("no session")?.clone();
    assert_eq!(answer(begun).await?["result"]["protocolVersion"], "2025-11-25");
    let with = |body: Value| house.post(body).header("mcp-session-id", &session);
    let told = with(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).send().await?;
    assert_eq!(told.status(), 202);
    let jobs = structured(with(call(1, "list_jobs", json!({}))).send().await?).await?;
    assert!(jobs["items"].is_array(), "{jobs}");
    // A toolset that is enabled in one session is not in another.
    let ended = house.http.delete(house.url("/mcp")).header("mcp-session-id", &session).send().await?;
    assert_eq!(ended.status(), 204);
    let again = house.http.delete(house.url("/mcp")).header("mcp-session-id", &session).send().await?;
    assert_eq!(again.status(), 404);
    assert_eq!(with(call(2, "list_jobs", json!({}))).send().await?.status(), 404);
    // One that has none is served as well.
    let jobs = structured(house.post(call(3, "list_jobs", json!({}))).send().await?).await?;
    assert!(jobs["items"].is_array(), "{jobs}");
    Ok(())
}

#[tokio::test]
async fn without_sessions_every_request_stands_alone() -> Outcome {
    let house = House::open("--no-sessions").await?;
    let begun = house.post(initialize()).send().await?;
    assert!(begun.headers().get("mcp-session-id").is_none());
    assert_eq!(answer(begun).await?["result"]["protocolVersion"], "2025-11-25");
    let request = house.post(call(1, "list_jobs", json!({}))).header("mcp-protocol-version", "2025-11-25");
    assert!(structured(request.send().await?).await?["items"].is_array());
    for method in [reqwest::Method::GET, reqwest::Method::DELETE] {
        let response = house.http.request(method, house.url("/mcp")).header(ACCEPT, "text/event-stream").send().await?;
        assert_eq!((response.status().as_u16(), &response.headers()[ALLOW]), (405, &"POST".parse()?));
    }
    Ok(())
}

#[tokio::test]
async fn what_is_wrong_with_a_request_is_said_by_its_status_and_its_id() -> Outcome {
    let house = House::open("").await?;
    let list = || json!({ "name": "list_jobs", "arguments": {} });
    let plain = |request: reqwest::RequestBuilder| request;
    for (name, request, status, code) in [
        ("no JSON", house.post("{\"jsonrpc\":\"2.0\",\"id\":1,"), 400, -32700),
        ("no message", house.post("[1]"), 400, -32600),
        ("a batch", house.post(json!([request(1, "ping", json!({}))])), 400, -32600),
        ("nothing", house.post(""), 400, -32600),
        (
            "half an emoji",
            house.post(r#"{"jsonrpc":"2.0","id":1,"method":"ping","params":{"a":"\ud83d"}}"#),
            400,
            -32700,
        ),
        ("no method", house.post(json!({ "jsonrpc": "2.0", "id": 1 })), 400, -32600),
        ("an unknown method", plain(house.modern("no/such", json!({}))), 404, -32601),
        ("the handshake of older revisions", house.modern("initialize", json!({})), 404, -32601),
        (
            "malformed params",
            plain(house.modern("tools/call", json!({ "name": "list_jobs", "arguments": "x" }))),
            200,
            -32602,
        ),
        ("another name", house.modern("tools/call", list()).header("mcp-name", "delete_job"), 400, -32020),
        ("no headers", house.post(modern(1, "tools/call", list())), 400, -32020),
        (
            "another method",
            house
                .post(modern(1, "tools/call", list()))
                .header("mcp-protocol-version", "2026-07-28")
                .header("mcp-method", "tools/list")
                .header("mcp-name", "list_jobs"),
            400,
            -32020,
        ),
        (
            "an unknown revision",
            house
                .post(json!({ "jsonrpc": "2.0", "id": 1, "method": "tools/list", "params": { "_meta": {
                "io.modelcontextprotocol/protocolVersion": "2099-01-01",
                "io.modelcontextprotocol/clientCapabilities": {} } } }))
                .header("mcp-protocol-version", "2099-01-01")
                .header("mcp-method", "tools/list"),
            400,
            -32022,
        ),
    ] {
        let response = request.send().await?;
        let found = response.status().as_u16();
        let answer = answer(response).await?;
        assert_eq!((found, answer["error"]["code"].as_i64()), (status, Some(code)), "{name}: {answer}");
    }
    let wrong_type = house.http.post(house.url("/mcp")).header(ACCEPT, "application/json, text/event-stream");
    let wrong_type = wrong_type.header(CONTENT_TYPE, "text/plain").body(request(1, "ping", json!({})).to_string());
    assert!(wrong_type.send().await?.status().is_client_error());
    let too_large = format!("{{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"ping\",\"x\":\"{}\"}}", "x".repeat(33 << 20));
    let refused = house.post(too_large).send().await;
    // The server need not take all of it before it answers.
    assert!(refused.map_or(true, |response| response.status() == 413));
    Ok(())
}

#[tokio::test]
async fn progress_comes_on_the_stream_of_its_request() -> Outcome {
    let house = House::open("").await?;
    let job = house.call("list_jobs", json!({ "limit": 1 })).await?["items"][0]["job_id"].clone();
    let arguments = json!({ "job_id": job, "wait": true, "timeout_seconds": 60 });
    let params = json!({ "name": "run_job_now", "arguments": arguments, "_meta": { "progressToken": "p" } });
    let response = house.modern("tools/call", params).send().await?;
    let told = messages(response).await?;
    let (last, progress) = told.split_last().ok_or("nothing")?;
    assert!(
        last["result"]["structuredContent"]["run_id"].is_number() || last["result"]["content"].is_array(),
        "{last}"
    );
    assert!(!progress.is_empty(), "{told:?}");
    let mut before = -1.0;
    for message in progress {
        assert_eq!(
            (message["method"].as_str(), message["params"]["progressToken"].as_str()),
            (Some("notifications/progress"), Some("p"))
        );
        let now = message["params"]["progress"].as_f64().ok_or("no number")?;
        assert!(now > before, "{told:?}");
        before = now;
    }
    Ok(())
}

/// The states of the statements that the workspace knows.
async fn states(house: &House) -> Result<Vec<String>, crate::house::Failure> {
    let history = house.direct("/api/2.0/sql/history/queries?max_results=50").await?;
    let of =
        |query: &Value| (query["query_text"] == SLOW).then(|| query["status"].as_str().unwrap_or_default().to_owned());
    Ok(history["res"].as_array().into_iter().flatten().filter_map(of).collect())
}

#[tokio::test]
async fn a_client_that_closes_its_stream_cancels_the_call_in_the_workspace() -> Outcome {
    let house = House::open("").await?;
    let arguments = json!({ "statement": SLOW, "timeout_seconds": 300 });
    let params = json!({ "name": "execute_sql", "arguments": arguments });
    let with_progress = json!({ "name": "execute_sql", "arguments": arguments, "_meta": { "progressToken": 1 } });
    let begun = house.post(initialize()).send().await?;
    let session = begun.headers().get("mcp-session-id").ok_or("no session")?.clone();
    for (name, request) in [
        ("modern", house.modern("tools/call", params.clone())),
        ("modern with progress", house.modern("tools/call", with_progress)),
        ("legacy without a session", house.post(request(1, "tools/call", params.clone()))),
    ] {
        let before = states(&house).await?.len();
        let sent = tokio::spawn(async move {
            let response = request.send().await?;
            let mut stream = response.bytes_stream();
            while stream.next().await.is_some() {}
            Ok::<_, reqwest::Error>(())
        });
        until("the statement runs", || async { Ok(states(&house).await?.len() > before) }).await?;
        sent.abort();
        until("it is cancelled", || async { Ok(states(&house).await?.iter().all(|state| state == "CANCELED")) })
            .await
            .map_err(|error| format!("{name}: {error}"))?;
    }
    // In a session, a stream may break and the call goes on: it is cancelled by a message.
    let before = states(&house).await?.len();
    let post = |body: Value| house.post(body).header("mcp-session-id", &session);
    post(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).send().await?;
    let request = post(request(9, "tools/call", params));
    let sent = tokio::spawn(async move { request.send().await?.text().await });
    until("the statement runs", || async { Ok(states(&house).await?.len() > before) }).await?;
    let cancelled = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 9 } });
    post(cancelled).send().await?;
    until("it is cancelled", || async { Ok(states(&house).await?.iter().all(|state| state == "CANCELED")) }).await?;
    sent.abort();
    Ok(())
}

#[tokio::test]
async fn what_the_server_counts_is_readable() -> Outcome {
    let house = House::open("").await?;
    house.call("list_jobs", json!({})).await?;
    let get = |path: &str| house.http.get(house.url(path)).send();
    assert_eq!(get("/healthz").await?.text().await?, "ok\n");
    assert_eq!(get("/readyz").await?.text().await?, "ready\n");
    let text = get("/metrics").await?.text().await?;
    for line in ["databricks_mcp_calls_total{tool=\"list_jobs\",outcome=\"ok\"} 1", "databricks_mcp_callers 1"] {
        assert!(text.contains(line), "{line} is not in {text}");
    }
    assert_eq!(get("/nothing").await?.status(), 404);
    house.service.drain().await;
    assert_eq!(get("/readyz").await?.status(), 503);
    let refused = house.post(request(1, "tools/list", json!({}))).send().await?;
    assert_eq!(refused.status(), 503);
    assert!(refused.headers().contains_key("retry-after"));
    Ok(())
}

#[tokio::test]
async fn a_client_that_knows_of_http_2_needs_no_tls_for_it() -> Outcome {
    let house = House::open("").await?;
    let knowing = reqwest::Client::builder().no_proxy().http2_prior_knowledge().build()?;
    let post = house.post(call(1, "list_jobs", json!({}))).build()?;
    let answered = knowing.execute(post).await?;
    assert_eq!((answered.status().as_u16(), answered.version()), (200, reqwest::Version::HTTP_2));
    assert_eq!(answer(answered).await?["result"]["isError"], false);
    let foreign = knowing.get(house.url("/healthz")).header("origin", "https://evil.test").send().await?;
    assert_eq!(foreign.status(), 403, "it is checked as everybody is");
    assert_eq!(house.http.get(house.url("/healthz")).send().await?.version(), reqwest::Version::HTTP_11);
    // Connections on which too little has come to tell do not keep the server from ending.
    let address = house.base.trim_start_matches("http://");
    let (_silent, mut half) = (TcpStream::connect(address).await?, TcpStream::connect(address).await?);
    half.write_all(b"PRI * HT").await?;
    drop(knowing);
    let limit = std::time::Duration::from_secs(10);
    tokio::time::timeout(limit, house.service.finish(limit * 6)).await?;
    Ok(())
}
