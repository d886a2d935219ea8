//! Calls that are given up: what they asked for is dropped at once, nothing is answered, and the server goes on.

use std::time::Duration;

use databricks_mcp_server::context::Context;
use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Faults, Options, Sandbox};
use rmcp::model::{CallToolRequest, CallToolRequestParams, ClientRequest};
use rmcp::service::{PeerRequestOptions, ServiceExt};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::time::{Instant, timeout};

use crate::harness::{Harness, Outcome, client};
use crate::sql::standing_still;

const PATIENCE: Duration = Duration::from_secs(30);
const SPACE: &str = "01f0aaaa00001111a2b2c3d4e5f60718";
const ASKED: &str = "What is the revenue per channel?";

type Failure = Box<dyn std::error::Error>;

impl Harness {
    /// Calls a tool, and cancels the call as soon as its progress tells of a state.
    pub(crate) async fn cancelled_at(
        &self,
        tool: &'static str,
        arguments: Value,
        is_it: impl Fn(&str) -> bool,
    ) -> Outcome {
        let Value::Object(arguments) = arguments else { return Err("the arguments are no object".into()) };
        let request = CallToolRequest::new(CallToolRequestParams::new(tool).with_arguments(arguments));
        let options = PeerRequestOptions::no_options();
        let call = self.client.send_cancellable_request(ClientRequest::CallToolRequest(request), options).await?;
        self.until_heard(is_it).await?;
        Ok(call.cancel(Some("the person pressed stop".into())).await?)
    }

    /// Waits until a count of the only fault is as wanted.
    pub(crate) async fn until_fault(&self, count: &str, wanted: u64) -> Outcome {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let faults = self.faults().await?;
            if faults[0][count] == wanted {
                return Ok(());
            }
            if Instant::now() > deadline {
                return Err(format!("`{count}` is not {wanted} but {faults}").into());
            }
        }
    }

    async fn conversations(&self) -> Result<Vec<Value>, Failure> {
        let asked = self.direct("GET", &format!("/api/2.0/genie/spaces/{SPACE}/conversations"), None).await?;
        Ok(asked["conversations"].as_array().cloned().unwrap_or_default())
    }
}

/// The first request to a route that is never answered in time.
fn slow(route: &str) -> Value {
    json!([{ "route": route, "fault": "slow_headers", "delay_ms": 600_000, "times": 1 }])
}

#[tokio::test]
async fn what_a_given_up_call_asks_for_is_dropped() -> Outcome {
    for (tool, arguments, route) in [
        ("query_endpoint", json!({ "name": "sandbox-chat", "prompt": "x" }), "POST /serving-endpoints/*/invocations"),
        (
            "query_index",
            json!({ "index_name": "main.default.support_articles_index", "query_text": "delivery" }),
            "POST /api/2.0/vector-search/indexes/*/query",
        ),
        (
            "ask_genie",
            json!({ "space_id": SPACE, "question": ASKED }),
            "POST /api/2.0/genie/spaces/*/start-conversation",
        ),
    ] {
        let harness = Harness::impatient(slow(route), LocalRoots::default()).await?;
        let Value::Object(call) = arguments.clone() else { return Err("no object".into()) };
        let request = CallToolRequest::new(CallToolRequestParams::new(tool).with_arguments(call));
        let request = ClientRequest::CallToolRequest(request);
        let call = harness.client.send_cancellable_request(request, PeerRequestOptions::no_options()).await?;
        harness.until_fault("hits", 1).await?;
        call.cancel(Some("the person pressed stop".into())).await?;
        harness.until_fault("abandoned", 1).await?;
        assert!(harness.conversations().await?.is_empty(), "{tool}: it was asked all the same");
        // The server is free for the next, and asks for nothing by itself.
        timeout(PATIENCE, harness.answer(tool, arguments)).await??;
        let faults = harness.faults().await?;
        assert_eq!((&faults[0]["seen"], &faults[0]["abandoned"]), (&json!(2), &json!(1)), "{tool}");
    }
    Ok(())
}

#[tokio::test]
async fn genie_keeps_a_question_whose_call_is_given_up() -> Outcome {
    let (sandbox, harness) = standing_still(&["ai"]).await?;
    let question = json!({ "space_id": SPACE, "question": ASKED });
    harness.cancelled_at("ask_genie", question, |state| state.contains("SUBMITTED")).await?;
    // There is no way to take a question back: it is answered, and its answer is there for whoever knows its ids.
    let conversations = harness.conversations().await?;
    let conversation = conversations[0]["conversation_id"].as_str().ok_or("no conversation")?;
    let path = format!("/api/2.0/genie/spaces/{SPACE}/conversations/{conversation}/messages");
    let message = harness.direct("GET", &path, None).await?["messages"][0]["message_id"].clone();
    sandbox.advance(Duration::from_secs(60));
    let place = json!({ "space_id": SPACE, "conversation_id": conversation, "message_id": message });
    let answer = harness.answer("ask_genie", place).await?;
    assert!(answer["queries"][0]["result"]["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{answer}");
    assert_eq!(harness.conversations().await?.len(), 1, "it was asked once more");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_request_is_not_answered() -> Outcome {
    let faults = Faults::parse(&slow("POST /serving-endpoints/*/invocations").to_string())?;
    let sandbox = Sandbox::start(Options::default().with_faults(faults)).await?;
    let selection = Selection { toolsets: vec!["ai".to_owned()], ..Selection::default() };
    let context = Context::new(client(&sandbox)?, Budget::tokens(6_000), None);
    let server = Server::new(Registry::new(&selection)?, context);
    let (near, far) = tokio::io::duplex(1 << 16);
    let serving = tokio::spawn(async move {
        if let Ok(running) = server.serve(near).await {
            let _ = running.waiting().await;
        }
    });
    let (reader, mut writer) = tokio::io::split(far);
    let mut lines = BufReader::new(reader).lines();
    let info = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } });
    let ask = |id: u64, prompt: &str| {
        let call = json!({ "name": "query_endpoint", "arguments": { "name": "sandbox-chat", "prompt": prompt } });
        json!({ "jsonrpc": "2.0", "id": id, "method": "tools/call", "params": call })
    };
    let begin = [
        json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": info }),
        json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }),
        ask(2, "given up"),
    ];
    for message in begin {
        writer.write_all(format!("{message}\n").as_bytes()).await?;
    }
    let harness = Harness::beside(&std::sync::Arc::new(sandbox), selection, 6_000, LocalRoots::default()).await?;
    harness.until_fault("hits", 1).await?;
    let cancel = json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": { "requestId": 2 } });
    writer.write_all(format!("{cancel}\n{}\n", ask(3, "wanted")).as_bytes()).await?;
    let mut answered = Vec::new();
    while answered.last() != Some(&json!(3)) {
        let line = timeout(PATIENCE, lines.next_line()).await??.ok_or("the server ended")?;
        let message: Value = serde_json::from_str(&line)?;
        answered.extend(message.get("id").cloned());
    }
    harness.until_fault("abandoned", 1).await?;
    writer.shutdown().await?;
    while let Some(line) = timeout(PATIENCE, lines.next_line()).await?? {
        let message: Value = serde_json::from_str(&line)?;
        answered.extend(message.get("id").cloned());
    }
    assert_eq!(answered, [1, 3]);
    serving.await?;
    Ok(())
}
