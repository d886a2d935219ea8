//! Work that takes long, over pipes: tasks, and subscriptions in both eras, until the server is told to end.
#![cfg(unix)]

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};
use tokio::process::Command;

use crate::wire::{Outcome, Wire, binary_of, modern, request};

const UPDATED: &str = "notifications/resources/updated";

fn called(tool: &str, arguments: Value) -> Value {
    json!({ "name": tool, "arguments": arguments })
}

/// A cluster that runs, and its URI.
async fn cluster(
    wire: &mut Wire,
    ask: fn(i64, &str, Value) -> Value,
) -> Result<(Value, String), Box<dyn std::error::Error>> {
    let listed = wire.ask(&ask(1, "tools/call", called("list_clusters", json!({})))).await?;
    let mut all = listed["result"]["structuredContent"]["items"].as_array().into_iter().flatten();
    let id = all.find(|cluster| cluster["state"] == "RUNNING").ok_or("no cluster runs")?["cluster_id"].clone();
    let uri = format!("databricks://clusters/{}", id.as_str().unwrap_or_default());
    Ok((json!({ "cluster_id": id, "wait": false }), uri))
}

impl Wire {
    /// The next message of a method.
    async fn heard(&mut self, method: &str) -> Result<Value, Box<dyn std::error::Error>> {
        loop {
            let message = self.next().await?;
            if message["method"] == method {
                return Ok(message);
            }
        }
    }

    async fn terminate(&self) -> Outcome {
        let id = self.child.id().ok_or("it has ended")?.to_string();
        assert!(Command::new("kill").args(["-TERM", &id]).status().await?.success());
        Ok(())
    }
}

#[tokio::test]
async fn a_subscription_of_the_handshake_is_told_until_it_ends() -> Outcome {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let mut wire = Wire::legacy(binary_of(&sandbox, &[])).await?;
    let (arguments, uri) = cluster(&mut wire, request).await?;
    let subscribed = wire.ask(&request(2, "resources/subscribe", json!({ "uri": uri }))).await?;
    assert_eq!(subscribed["result"], json!({}), "{subscribed}");
    wire.send(&request(3, "tools/call", called("stop_cluster", arguments))).await?;
    assert_eq!(wire.heard(UPDATED).await?["params"], json!({ "uri": uri }));
    let ended = wire.ask(&request(4, "resources/unsubscribe", json!({ "uri": uri }))).await?;
    assert_eq!(ended["result"], json!({}), "{ended}");
    let wrong = wire.ask(&request(5, "resources/subscribe", json!({ "url": uri }))).await?;
    assert_eq!(wrong["error"]["code"], -32_602, "{wrong}");
    let gone = wire.ask(&request(6, "resources/subscribe", json!({ "uri": "databricks://runs/987654321" }))).await?;
    assert_eq!(gone["error"]["code"], -32_002, "{gone}");
    // Each revision has its own methods, whatever their parameters are.
    for (message, method) in [
        (request(7, "subscriptions/listen", json!({})), "subscriptions/listen"),
        (request(8, "tasks/get", json!({})), "tasks/get"),
        (modern(9, "resources/subscribe", json!({})), "resources/subscribe"),
        (modern(10, "resources/subscribe", json!({ "uri": uri })), "resources/subscribe"),
    ] {
        assert_eq!(wire.ask(&message).await?["error"]["code"], -32_601, "{method}");
    }
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn listening_ends_with_its_result_when_the_server_is_told_to_end() -> Outcome {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let mut wire = Wire::open(binary_of(&sandbox, &[]))?;
    let (arguments, uri) = cluster(&mut wire, modern).await?;
    let listen = json!({ "notifications": { "resourceSubscriptions": [uri, "databricks://jobs/1"] } });
    wire.send(&modern("sub", "subscriptions/listen", listen)).await?;
    let accepted = wire.heard("notifications/subscriptions/acknowledged").await?;
    assert_eq!(accepted["params"]["notifications"], json!({ "resourceSubscriptions": [uri] }), "{accepted}");
    wire.send(&modern(3, "tools/call", called("stop_cluster", arguments))).await?;
    let told = wire.heard(UPDATED).await?;
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub", "{told}");
    // It is under way while other requests are answered.
    assert!(wire.ask(&modern(4, "server/discover", json!({}))).await?["result"].is_object());
    wire.terminate().await?;
    let ended = wire.next().await?;
    assert_eq!((&ended["id"], &ended["result"]["resultType"]), (&json!("sub"), &json!("complete")), "{ended}");
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_long_call_becomes_a_task() -> Outcome {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let mut wire = Wire::open(binary_of(&sandbox, &[]))?;
    let capable = |id: i64, method: &str, params: Value| {
        let mut message = modern(id, method, params);
        message["params"]["_meta"]["io.modelcontextprotocol/clientCapabilities"] =
            json!({ "extensions": { "io.modelcontextprotocol/tasks": {} } });
        message
    };
    let listed = wire.ask(&modern(1, "tools/call", called("list_warehouses", json!({})))).await?;
    let mut all = listed["result"]["structuredContent"]["items"].as_array().into_iter().flatten();
    let stopped = all.find(|warehouse| warehouse["state"] == "STOPPED").ok_or("none is stopped")?["id"].clone();
    let start = called("start_warehouse", json!({ "warehouse_id": stopped }));
    let begun = wire.ask(&capable(2, "tools/call", start)).await?;
    assert_eq!(begun["result"]["resultType"], "task", "{begun}");
    let id = json!({ "taskId": begun["result"]["taskId"] });
    let told = wire.ask(&capable(3, "tasks/get", id.clone())).await?;
    assert_eq!((&told["result"]["status"], &told["result"]["statusMessage"]), (&json!("working"), &json!("STARTING")));
    sandbox.advance(std::time::Duration::from_secs(600));
    let told = wire.ask(&capable(4, "tasks/get", id.clone())).await?;
    assert_eq!(told["result"]["result"]["structuredContent"]["state"], "RUNNING", "{told}");
    assert_eq!(wire.ask(&modern(5, "tasks/get", id)).await?["error"]["code"], -32_021);
    let wrong = wire.ask(&capable(6, "tasks/get", json!({}))).await?;
    assert_eq!(wrong["error"]["code"], -32_602, "{wrong}");
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}
