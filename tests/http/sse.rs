//! The transport of 2024-11-05, by a client that speaks nothing else.

use std::time::Duration;

use futures_util::StreamExt as _;
use serde_json::{Value, json};

use crate::house::{Failure, House, Outcome, PATIENCE, call, request, until};

/// An open stream, and where its messages go.
struct Old {
    stream: std::pin::Pin<Box<dyn futures_util::Stream<Item = reqwest::Result<bytes::Bytes>> + Send>>,
    text: String,
    endpoint: String,
}

impl Old {
    async fn open(house: &House) -> Result<Self, Failure> {
        let response = house.http.get(house.url("/sse")).header("accept", "text/event-stream").send().await?;
        assert_eq!(response.status(), 200);
        let mut old = Self { stream: Box::pin(response.bytes_stream()), text: String::new(), endpoint: String::new() };
        let (event, data) = old.event().await?;
        assert_eq!(event, "endpoint");
        old.endpoint = data;
        Ok(old)
    }

    /// The next event and its data.
    async fn event(&mut self) -> Result<(String, String), Failure> {
        loop {
            if let Some((event, rest)) =
                self.text.split_once("\n\n").map(|(event, rest)| (event.to_owned(), rest.to_owned()))
            {
                self.text = rest;
                let field = |name: &str| {
                    event.lines().find_map(|line| line.strip_prefix(name)).map(|text| text.trim().to_owned())
                };
                match (field("event:"), field("data:")) {
                    (Some(event), Some(data)) => return Ok((event, data)),
                    // A sign of life.
                    _ => continue,
                }
            }
            let more = tokio::time::timeout(PATIENCE, self.stream.next()).await?.ok_or("the stream ended")??;
            self.text.push_str(std::str::from_utf8(&more)?);
        }
    }

    async fn message(&mut self) -> Result<Value, Failure> {
        let (event, data) = self.event().await?;
        assert_eq!(event, "message");
        Ok(serde_json::from_str(&data)?)
    }
}

fn initialize() -> Value {
    let client = json!({ "name": "old", "version": "1" });
    request(0, "initialize", json!({ "protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": client }))
}

#[tokio::test]
async fn an_old_client_is_served_on_its_stream() -> Outcome {
    let house = House::open("--legacy-sse").await?;
    let mut old = Old::open(&house).await?;
    let endpoint = old.endpoint.clone();
    let send = |body: String| house.post_to(&endpoint, body).send();
    assert_eq!(send(initialize().to_string()).await?.status(), 202);
    let begun = old.message().await?;
    assert_eq!(begun["result"]["protocolVersion"], "2024-11-05", "{begun}");
    send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }).to_string()).await?;
    // Written over several lines.
    send(serde_json::to_string_pretty(&call(1, "list_jobs", json!({})))?).await?;
    let listed = old.message().await?;
    assert!(listed["id"] == 1 && listed["result"]["content"][0]["text"].as_str().is_some(), "{listed}");
    send("{\"jsonrpc\":\"2.0\",\"id\":2,\"method\":".to_owned()).await?;
    let refused = old.message().await?;
    assert_eq!((&refused["id"], &refused["error"]["code"]), (&json!(2), &json!(-32700)));
    assert_eq!(
        house.post_to("/messages?session_id=other", call(1, "list_jobs", json!({}))).send().await?.status(),
        404
    );
    let without = House::open("").await?;
    assert_eq!(without.http.get(without.url("/sse")).send().await?.status(), 404, "it is off by default");
    Ok(())
}

#[tokio::test]
async fn an_old_client_that_leaves_cancels_its_calls() -> Outcome {
    let house = House::open("--legacy-sse").await?;
    let mut old = Old::open(&house).await?;
    let endpoint = old.endpoint.clone();
    house.post_to(&endpoint, initialize()).send().await?;
    old.message().await?;
    let slow = "SELECT count(*) FROM range(100000) a CROSS JOIN range(100000) b WHERE a.id * b.id % 7 = 3";
    let arguments = json!({ "statement": slow, "timeout_seconds": 300 });
    house.post_to(&endpoint, call(1, "execute_sql", arguments)).send().await?;
    let state = || async {
        let history = house.direct("/api/2.0/sql/history/queries?max_results=50").await?;
        let of = |query: &&Value| query["query_text"] == slow;
        let found = history["res"].as_array().into_iter().flatten().find(of).cloned().unwrap_or_default();
        Ok::<_, Failure>(found["status"].as_str().unwrap_or_default().to_owned())
    };
    until("the statement runs", || async { Ok(state().await? == "RUNNING") }).await?;
    drop(old);
    until("it is cancelled", || async { Ok(state().await? == "CANCELED") }).await?;
    until("the stream is forgotten", || async {
        Ok(house.post_to(&endpoint, call(2, "list_jobs", json!({}))).send().await?.status() == 404)
    })
    .await?;
    // A stream that stays open does not keep the server from ending.
    let _open = Old::open(&house).await?;
    tokio::time::timeout(Duration::from_secs(5), house.service.drain()).await?;
    Ok(())
}
