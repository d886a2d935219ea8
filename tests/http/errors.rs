//! What a client is told where its request cannot be answered: by the status, by headers, and always by a JSON-RPC error.

use reqwest::header::{ACCEPT, ALLOW, CONTENT_TYPE, ORIGIN};
use reqwest::{Method, RequestBuilder, Response};
use serde_json::{Value, json};

use crate::house::{Failure, House, Outcome, answer, initialize, modern, request, structured};

/// The error of a response, which is JSON and says what to do.
async fn error(response: Response) -> Result<Value, Failure> {
    let kind = response.headers().get(CONTENT_TYPE).cloned();
    let text = response.text().await?;
    assert_eq!(kind.ok_or_else(|| format!("no type of `{text}`"))?, "application/json", "{text}");
    let said: Value = serde_json::from_str(&text)?;
    assert!(
        said["jsonrpc"] == "2.0" && said["error"]["message"].as_str().is_some_and(|text| text.len() > 20),
        "{said}"
    );
    Ok(said["error"].clone())
}

/// A request with these headers alone.
fn bare(house: &House, accept: &[&str], content: Option<&str>) -> RequestBuilder {
    let mut post = house.http.post(house.url("/mcp")).body(request(1, "tools/list", json!({})).to_string());
    for value in accept {
        post = post.header(ACCEPT, *value);
    }
    match content {
        Some(content) => post.header(CONTENT_TYPE, content),
        None => post,
    }
}

#[tokio::test]
async fn every_form_that_http_allows_is_taken_and_no_other() -> Outcome {
    let house = House::open("").await?;
    let json_type = Some("application/json");
    // Without one of its own, the client of these tests sends `*/*`.
    for accept in [
        &[][..],
        &["*/*"],
        &["application/json, text/event-stream"],
        &["application/*", "text/*"],
        &["APPLICATION/JSON;q=0.9", "text/event-stream;q=0.1"],
        &["application/json", "*/*;q=0.1"],
    ] {
        let response = bare(&house, accept, json_type).send().await?;
        assert_eq!(response.status(), 200, "{accept:?}");
    }
    for accept in [&["application/json"][..], &["text/event-stream"], &["text/html"], &["*/*", "application/json;q=0"]]
    {
        let response = bare(&house, accept, json_type).send().await?;
        assert_eq!(response.status(), 406, "{accept:?}");
        let told = error(response).await?;
        assert!(told.to_string().contains("`Accept: application/json, text/event-stream`"), "{told}");
    }
    for content in ["application/json; charset=utf-8", "Application/JSON"] {
        assert_eq!(bare(&house, &[], Some(content)).send().await?.status(), 200, "{content}");
    }
    for content in [None, Some("text/plain"), Some("application/x-www-form-urlencoded"), Some("application/jsonx")] {
        let response = bare(&house, &[], content).send().await?;
        assert_eq!(response.status(), 415, "{content:?}");
        let told = error(response).await?;
        assert!(told.to_string().contains("`application/json`"), "{told}");
    }
    Ok(())
}

#[tokio::test]
async fn the_methods_that_there_are_depend_on_the_server_and_on_the_revision() -> Outcome {
    for (options, revision, allowed) in [
        ("", None, "GET, POST, DELETE"),
        ("", Some("2025-11-25"), "GET, POST, DELETE"),
        ("", Some("2026-07-28"), "POST"),
        ("--no-sessions", None, "POST"),
        ("--allowed-origin https://app.acme.test", None, "GET, POST, DELETE, OPTIONS"),
        ("--no-sessions --allowed-origin https://app.acme.test", Some("2026-07-28"), "POST, OPTIONS"),
    ] {
        let house = House::open(options).await?;
        for method in [Method::GET, Method::DELETE, Method::PUT, Method::PATCH, Method::OPTIONS, Method::HEAD] {
            let mut sent = house.http.request(method.clone(), house.url("/mcp"));
            sent = sent.header(ACCEPT, "text/event-stream");
            if let Some(revision) = revision {
                sent = sent.header("mcp-protocol-version", revision);
            }
            let is_preflight = method == Method::OPTIONS && options.contains("origin");
            let is_taken = allowed.split(", ").any(|name| name == method.as_str());
            let response = sent.send().await?;
            let told = format!("{method} of `{options}` {revision:?}");
            match (is_preflight, is_taken) {
                (true, _) => assert_eq!(response.status(), 200, "{told}"),
                (false, true) => {
                    assert_eq!(response.status(), 400, "{told}");
                    assert!(error(response).await?.to_string().contains("`Mcp-Session-Id`"), "{told}");
                }
                (false, false) => {
                    assert_eq!(
                        (response.status().as_u16(), &response.headers()[ALLOW]),
                        (405, &allowed.parse()?),
                        "{told}"
                    );
                    if method != Method::HEAD {
                        assert!(error(response).await?.to_string().contains("`POST`"), "{told}");
                    }
                }
            }
        }
    }
    // Elsewhere, too.
    let house = House::open("--legacy-sse").await?;
    for (path, allowed) in [("/sse", "GET"), ("/messages", "POST"), ("/healthz", "GET"), ("/metrics", "GET")] {
        let response = house.http.put(house.url(path)).send().await?;
        let told = response.headers().get(ALLOW).ok_or(path)?.to_str()?.to_owned();
        assert!(response.status() == 405 && told.starts_with(allowed), "{path}: {told}");
        error(response).await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_revision_that_is_not_spoken_is_refused_by_those_that_are() -> Outcome {
    let house = House::open("").await?;
    let begun = house.post(initialize()).send().await?;
    let session = begun.headers()["mcp-session-id"].clone();
    for (name, sent) in [
        ("alone", house.post(request(7, "tools/list", json!({})))),
        ("in a session", house.post(request(7, "tools/list", json!({}))).header("mcp-session-id", &session)),
        ("a handshake", house.post(initialize())),
        ("GET", house.http.get(house.url("/mcp")).header("mcp-session-id", &session)),
        ("DELETE", house.http.delete(house.url("/mcp")).header("mcp-session-id", &session)),
    ] {
        let response = sent.header("mcp-protocol-version", "2024-01-01").send().await?;
        assert_eq!(response.status(), 400, "{name}");
        let told = error(response).await?;
        assert_eq!(
            (&told["code"], &told["data"]["requested"]),
            (&json!(-32022), &json!("2024-01-01")),
            "{name}: {told}"
        );
        assert!(told["data"]["supported"].to_string().contains("2025-11-25"), "{name}: {told}");
    }
    let listed = house.post(request(7, "tools/list", json!({}))).header("mcp-session-id", &session).send().await?;
    assert_eq!(listed.status(), 200, "the session is still there");
    Ok(())
}

#[tokio::test]
async fn what_names_no_session_says_how_to_begin_one() -> Outcome {
    let house = House::open("").await?;
    let nobody = |sent: RequestBuilder| sent.header("mcp-session-id", "00000000-0000-4000-8000-000000000000").send();
    for response in [
        nobody(house.post(request(1, "tools/list", json!({})))).await?,
        nobody(house.post(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))).await?,
        nobody(house.http.get(house.url("/mcp"))).await?,
        nobody(house.http.delete(house.url("/mcp"))).await?,
    ] {
        assert_eq!(response.status(), 404);
        assert!(error(response).await?.to_string().contains("`initialize`"));
    }
    Ok(())
}

/// A handshake is not of the revision that has none.
#[tokio::test]
async fn a_handshake_of_the_revision_without_one_is_no_method() -> Outcome {
    let house = House::open("").await?;
    for version in ["2026-07-28", "2025-11-25"] {
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": version, "capabilities": {}, "clientInfo": client });
        let plain = house.post(modern(1, "initialize", params.clone())).send().await?;
        assert!(plain.headers().get("mcp-session-id").is_none());
        assert_eq!((plain.status().as_u16(), answer(plain).await?["error"]["code"].as_i64()), (404, Some(-32601)));
        // One that only names it is answered with the revision that comes next.
        let begun = house.post(request(1, "initialize", params)).send().await?;
        assert!(begun.headers().get("mcp-session-id").is_some());
        assert_eq!(answer(begun).await?["result"]["protocolVersion"], "2025-11-25");
    }
    Ok(())
}

/// Who calls over HTTP cannot start the server anew.
#[tokio::test]
async fn what_is_left_out_names_who_can_change_it() -> Outcome {
    let house = House::open("").await?;
    let called = async |path: &str, tool: &str, arguments: Value| -> Result<String, Failure> {
        let call = json!({ "name": tool, "arguments": arguments });
        Ok(answer(house.post_to(path, request(1, "tools/call", call)).send().await?).await?.to_string())
    };
    let path = "the path or the headers of the request";
    let by_path = called("/mcp/x/jobs", "list_clusters", json!({})).await?;
    assert!(by_path.contains(path) && !by_path.contains("--toolsets"), "{by_path}");
    let by_path = called("/mcp/readonly", "create_job", json!({})).await?;
    assert!(by_path.contains("read-only") && by_path.contains(path), "{by_path}");
    let file = json!({ "statement": "SELECT 1", "save_to": "rows.csv" });
    let local = called("/mcp", "execute_sql", file).await?;
    assert!(local.contains("whoever runs this server") && local.contains("`--local-root DIR`"), "{local}");
    let statement = json!({ "statement": "DROP TABLE main.default.t" });
    let reading = called("/mcp/readonly", "execute_sql", statement).await?;
    assert!(reading.contains("read-only") && !reading.contains("started"), "{reading}");
    structured(house.post_to("/mcp", request(1, "tools/call", json!({ "name": "list_jobs" }))).send().await?).await?;
    let foreign = house.post(request(1, "ping", json!({}))).header(ORIGIN, "https://evil.test").send().await?;
    assert!(error(foreign).await?.to_string().contains("whoever runs it"));
    Ok(())
}
