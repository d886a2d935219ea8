//! `--discover`: a client begins with few tools and adds what it needs, and hears of the change in either era.

use serde_json::{Value, json};

use crate::wire::{Outcome, Wire, binary, modern, request};

/// What `--discover` begins with.
const AT_FIRST: [&str; 6] = [
    "call_destructive_operation",
    "call_read_operation",
    "call_write_operation",
    "enable_toolset",
    "search_operations",
    "search_tools",
];

fn called(name: &str, arguments: Value) -> Value {
    json!({ "name": name, "arguments": arguments })
}

fn names(answer: &Value) -> Vec<&str> {
    let tools = answer["result"]["tools"].as_array();
    tools.into_iter().flatten().filter_map(|tool| tool["name"].as_str()).collect()
}

#[tokio::test]
async fn a_client_finds_enables_and_calls_a_tool() -> Outcome {
    let mut wire = Wire::legacy(binary(&["--sandbox", "--discover"])).await?;
    assert_eq!(names(&wire.ask(&request(1, "tools/list", json!({}))).await?), AT_FIRST);
    let found =
        wire.ask(&request(2, "tools/call", called("search_tools", json!({ "query": "roll out an app" })))).await?;
    let first = &found["result"]["structuredContent"]["tools"][0];
    assert_eq!((&first["tool"], &first["is_enabled"]), (&json!("deploy_app"), &json!(false)), "{found}");
    let refused = wire.ask(&request(3, "tools/call", called("list_apps", json!({})))).await?;
    let message = refused["error"]["message"].as_str().unwrap_or_default();
    assert!(message.contains("call `enable_toolset` with `apps`"), "{refused}");
    wire.send(&request(4, "tools/call", called("enable_toolset", json!({ "toolset": first["toolset"] })))).await?;
    let told = [wire.next().await?, wire.next().await?].map(|message| message["method"].clone());
    assert_eq!(told, [json!("notifications/tools/list_changed"), json!("notifications/resources/list_changed")]);
    let enabled = wire.next().await?;
    assert!(enabled["result"]["structuredContent"]["tools"].to_string().contains("\"list_apps\""), "{enabled}");
    let listed = wire.ask(&request(5, "tools/list", json!({}))).await?;
    assert!(names(&listed).contains(&"deploy_app") && names(&listed).contains(&"search_tools"), "{listed}");
    let apps = wire.ask(&request(6, "tools/call", called("list_apps", json!({})))).await?;
    assert!(apps["result"]["structuredContent"]["items"].is_array(), "{apps}");
    // The second time nothing changes, so that nothing is told.
    let again = request(7, "tools/call", called("enable_toolset", json!({ "toolset": "apps" })));
    wire.send(&again).await?;
    assert_eq!(wire.next().await?["id"], 7);
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_subscription_hears_of_the_change() -> Outcome {
    let mut wire = Wire::open(binary(&["--sandbox", "--discover"]))?;
    let wanted = json!({ "notifications": { "toolsListChanged": true, "promptsListChanged": true } });
    wire.send(&modern("sub", "subscriptions/listen", wanted)).await?;
    let accepted = wire.next().await?;
    assert_eq!(accepted["method"], "notifications/subscriptions/acknowledged", "{accepted}");
    assert_eq!(accepted["params"]["notifications"], json!({ "toolsListChanged": true }), "{accepted}");
    wire.send(&modern(1, "tools/call", called("enable_toolset", json!({ "toolset": "apps" })))).await?;
    let (one, other) = (wire.next().await?, wire.next().await?);
    let (told, answer) = if one.get("id").is_some() { (other, one) } else { (one, other) };
    assert_eq!(told["method"], "notifications/tools/list_changed", "{told}");
    assert_eq!(told["params"]["_meta"]["io.modelcontextprotocol/subscriptionId"], "sub", "{told}");
    assert!(answer["result"]["structuredContent"]["tools"].is_array(), "{answer}");
    assert!(names(&wire.ask(&modern(2, "tools/list", json!({}))).await?).contains(&"deploy_app"));
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn a_server_of_fixed_tools_offers_no_changes() -> Outcome {
    // Nothing of these can be watched either.
    let mut wire = Wire::open(binary(&["--toolsets", "identity"]))?;
    let discovered = wire.ask(&modern(1, "server/discover", json!({}))).await?;
    let capabilities = &discovered["result"]["capabilities"];
    assert!(capabilities["tools"].get("listChanged").is_none(), "{discovered}");
    assert!(capabilities["resources"].get("subscribe").is_none(), "{discovered}");
    let wanted = json!({ "notifications": { "toolsListChanged": true } });
    let refused = wire.ask(&modern(2, "subscriptions/listen", wanted)).await?;
    assert_eq!(refused["error"]["code"], -32_601, "{refused}");
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn what_the_options_forbid_is_not_enabled() -> Outcome {
    let mut wire =
        Wire::legacy(binary(&["--sandbox", "--discover", "--read-only", "--exclude-tools", "get_app"])).await?;
    let listed = wire.ask(&request(1, "tools/list", json!({}))).await?;
    assert_eq!(names(&listed), ["call_read_operation", "enable_toolset", "search_operations", "search_tools"]);
    wire.ask(&request(2, "tools/call", called("enable_toolset", json!({ "toolset": "apps" })))).await?;
    let listed = wire.ask(&request(3, "tools/list", json!({}))).await?;
    let listed = names(&listed);
    assert!(
        listed.contains(&"list_apps") && !listed.contains(&"get_app") && !listed.contains(&"deploy_app"),
        "{listed:?}"
    );
    let unknown = wire.ask(&request(4, "tools/call", called("enable_toolset", json!({ "toolset": "all" })))).await?;
    assert!(unknown["result"]["content"][0]["text"].to_string().contains("no toolset is named `all`"), "{unknown}");
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}
