//! What attackers try: from web pages, from the network, and with what parsers choke on.

use std::time::Duration;

use reqwest::header::{HOST, ORIGIN};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

use crate::house::{House, Outcome, answer, call, request};

#[tokio::test]
async fn a_web_page_of_a_foreign_site_reaches_nothing() -> Outcome {
    let house = House::open("--legacy-sse").await?;
    for path in
        ["/mcp", "/mcp/readonly", "/sse", "/healthz", "/readyz", "/metrics", "/.well-known/oauth-protected-resource"]
    {
        for (name, value) in
            [(HOST, "evil.test"), (HOST, "127.0.0.1.evil.test"), (ORIGIN, "https://evil.test"), (ORIGIN, "null")]
        {
            let response = house.http.get(house.url(path)).header(name.clone(), value).send().await?;
            assert_eq!(response.status(), 403, "{path} {name}: {value}");
            assert!(response.headers().get("access-control-allow-origin").is_none());
        }
    }
    // The server itself is no foreign site, whichever name of this machine it is called by.
    for (host, origin, status) in [
        (None, house.base.clone(), 200),
        (Some("localhost:1"), "http://localhost:1".to_owned(), 200),
        (Some("localhost:1"), house.base.clone(), 403),
        (Some("evil.test"), "http://evil.test".to_owned(), 403),
    ] {
        let mut request = house.modern("tools/list", json!({})).header(ORIGIN, &origin);
        if let Some(host) = host {
            request = request.header(HOST, host);
        }
        assert_eq!(request.send().await?.status(), status, "{host:?} {origin}");
    }
    let preflight = house.http.request(reqwest::Method::OPTIONS, house.url("/mcp")).header(ORIGIN, "https://evil.test");
    assert_eq!(preflight.header("access-control-request-method", "POST").send().await?.status(), 403);
    Ok(())
}

#[tokio::test]
async fn a_web_page_that_is_allowed_is_told_so() -> Outcome {
    let house = House::open("--allowed-origin https://app.acme.test").await?;
    let preflight = house
        .http
        .request(reqwest::Method::OPTIONS, house.url("/mcp"))
        .header(ORIGIN, "https://app.acme.test")
        .header("access-control-request-method", "POST")
        .header("access-control-request-headers", "content-type,mcp-method,authorization")
        .send()
        .await?;
    let headers = preflight.headers();
    assert!(preflight.status().is_success());
    assert_eq!(headers["access-control-allow-origin"], "https://app.acme.test");
    assert!(headers["access-control-allow-headers"].to_str()?.contains("mcp-method"));
    let response = house.modern("tools/list", json!({})).header(ORIGIN, "https://app.acme.test").send().await?;
    assert_eq!(response.status(), 200);
    assert!(response.headers()["access-control-expose-headers"].to_str()?.contains("mcp-session-id"));
    Ok(())
}

#[tokio::test]
async fn headers_of_a_proxy_say_nothing_where_there_is_none() -> Outcome {
    let house = House::open("").await?;
    let spoofed = house
        .post(call(1, "get_current_user", json!({})))
        .header("x-forwarded-user", "admin")
        .header("x-forwarded-email", "admin@acme.test")
        .header("x-forwarded-access-token", "dapi-of-nobody")
        .header("x-databricks-token", "dapi-of-nobody")
        .header("x-forwarded-host", "evil.test")
        .header("forwarded", "for=evil.test;host=evil.test");
    let answer = answer(spoofed.send().await?).await?;
    assert_eq!(answer["result"]["isError"], false, "{answer}");
    assert!(!answer.to_string().contains("admin@acme.test"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn deep_and_odd_messages_are_answered() -> Outcome {
    let house = House::open("").await?;
    let deep = |open: &str, close: &str| {
        let value = format!("{}1{}", open.repeat(10_000), close.repeat(10_000));
        format!(
            r#"{{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{{"name":"list_jobs","arguments":{{"a":{value}}}}}}}"#
        )
    };
    for body in
        [deep("[", "]"), deep("{\"a\":", "}"), "[".repeat(1_000_000), "\u{feff}{}".to_owned(), "null".to_owned()]
    {
        let response = house.post(body.clone()).send().await?;
        assert_eq!(response.status(), 400, "{:.50}", body);
    }
    let many = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"ping","params":{{"a":[{}0]}}}}"#, "[],".repeat(8_000_000));
    let refused = house.post(many).send().await?;
    assert_eq!(refused.status(), 400);
    assert!(answer(refused).await?["error"]["message"].as_str().is_some_and(|text| text.contains("too many values")));
    assert_eq!(house.post(request(1, "ping", json!({}))).send().await?.status(), 200);
    Ok(())
}

/// The bytes of an answer to raw bytes, as far as they come in time.
async fn raw(house: &House, bytes: &[u8]) -> std::io::Result<String> {
    let mut stream = TcpStream::connect(house.base.trim_start_matches("http://")).await?;
    stream.write_all(bytes).await?;
    let mut text = Vec::new();
    let _ = tokio::time::timeout(Duration::from_secs(2), stream.read_to_end(&mut text)).await;
    Ok(String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn requests_that_proxies_read_otherwise_are_refused() -> Outcome {
    let house = House::open("").await?;
    let head = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nAccept: application/json, \
                text/event-stream\r\n";
    let smuggled = "GET /metrics HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let both = format!(
        "{head}Content-Length: {}\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n{smuggled}",
        5 + smuggled.len()
    );
    let told = raw(&house, both.as_bytes()).await?;
    assert!(!told.contains("databricks_mcp_calls"), "{told}");
    let lengths = format!("{head}Content-Length: 2\r\nContent-Length: 60\r\n\r\n{{}}{smuggled}");
    let told = raw(&house, lengths.as_bytes()).await?;
    assert!(told.starts_with("HTTP/1.1 400") && !told.contains("databricks_mcp_calls"), "{told}");
    let hosts = "GET /healthz HTTP/1.1\r\nHost: localhost\r\nHost: evil.test\r\n\r\n";
    assert!(raw(&house, hosts.as_bytes()).await?.starts_with("HTTP/1.1 400"));
    let long = format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\nX-Long: {}\r\n\r\n", "x".repeat(200_000));
    assert!(raw(&house, long.as_bytes()).await?.starts_with("HTTP/1.1 431"));
    let fields: String = (0..500).map(|number| format!("X-{number}: 1\r\n")).collect();
    assert!(
        raw(&house, format!("GET /healthz HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n").as_bytes())
            .await?
            .starts_with("HTTP/1.1 431")
    );
    Ok(())
}

#[tokio::test]
async fn connections_that_say_nothing_take_no_memory_and_end() -> Outcome {
    let house = House::open("--max-connections 50").await?;
    let address = house.base.trim_start_matches("http://").to_owned();
    let mut silent = Vec::new();
    for _ in 0..200 {
        // Those beyond the bound wait in the system's queue.
        if let Ok(Ok(mut stream)) = tokio::time::timeout(Duration::from_millis(200), TcpStream::connect(&address)).await
        {
            stream.write_all(b"POST /mcp HTTP/1.1\r\nHost: loc").await?;
            silent.push(stream);
        }
    }
    assert!(silent.len() > 50);
    let waits = tokio::time::timeout(Duration::from_millis(500), house.http.get(house.url("/healthz")).send()).await;
    assert!(waits.is_err(), "no more than so many connections are served");
    drop(silent);
    assert_eq!(house.http.get(house.url("/healthz")).send().await?.status(), 200);
    Ok(())
}
