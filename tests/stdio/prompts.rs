//! Prompts and completions on the wire, in both eras, and prompts at a terminal.

use serde_json::{Value, json};

use crate::wire::{Outcome, Wire, binary, modern, request};

const SERVER_INFO: &str = "io.modelcontextprotocol/serverInfo";

fn complete(reference: Value, argument: &str, value: &str) -> Value {
    json!({ "ref": reference, "argument": { "name": argument, "value": value } })
}

#[tokio::test]
async fn both_eras_list_get_and_complete() -> Outcome {
    let mut wire = Wire::legacy(binary(&["--sandbox"])).await?;
    type Form = fn(i32, &str, Value) -> Value;
    let eras: [(Form, bool); 2] = [
        (|id, method, params| request(id, method, params), false),
        (|id, method, params| modern(id, method, params), true),
    ];
    for (message, is_modern) in eras {
        let listed = wire.ask(&message(1, "prompts/list", json!({}))).await?;
        let result = &listed["result"];
        let names = result["prompts"].as_array().into_iter().flatten().filter_map(|prompt| prompt["name"].as_str());
        let names: Vec<_> = names.collect();
        assert!(names.is_sorted() && names.contains(&"debug_run"), "{names:?}");
        assert!(result.get("nextCursor").is_none(), "{result:.200}");
        let arguments = json!({ "table": "samples.retail.orders" });
        let asked = json!({ "name": "profile_table", "arguments": arguments });
        let got = wire.ask(&message(2, "prompts/get", asked)).await?;
        assert_eq!(got["result"]["messages"][2]["content"]["type"], "resource", "{got:.500}");
        let reference = json!({ "type": "ref/prompt", "name": "profile_table" });
        let found =
            wire.ask(&message(3, "completion/complete", complete(reference, "table", "samples.retail.ord"))).await?;
        let values = found["result"]["completion"]["values"].as_array().cloned().unwrap_or_default();
        assert!(values.contains(&json!("samples.retail.orders")), "{found}");
        assert_eq!(found["result"]["completion"]["hasMore"], false, "{found}");
        for (method, params) in [
            ("prompts/get", json!({ "name": "profile_table" })),
            ("prompts/get", json!({ "name": "nothing" })),
            ("prompts/get", json!({})),
            ("prompts/get", json!({ "name": "profile_table", "arguments": "text" })),
            ("prompts/list", json!({ "cursor": "foreign" })),
            ("completion/complete", complete(json!({ "type": "ref/prompt", "name": "nothing" }), "table", "")),
            ("completion/complete", complete(json!({ "type": "ref/resource", "uri": "a" }), "b", "")),
        ] {
            let refused = wire.ask(&message(4, method, params)).await?;
            assert_eq!(refused["error"]["code"], -32_602, "{method}: {refused}");
        }
        if is_modern {
            assert_eq!(result["ttlMs"], 3_600_000, "{result:.200}");
            for answer in [&listed, &got, &found] {
                assert!(answer["result"]["_meta"].get(SERVER_INFO).is_some(), "{answer:.500}");
            }
        }
    }
    assert_eq!(wire.end().await?.0, Some(0));
    Ok(())
}

#[tokio::test]
async fn capabilities_say_what_there_is() -> Outcome {
    for (arguments, expected) in [(&[][..], true), (&["--toolsets", "apps"], false)] {
        let mut wire = Wire::open(binary(arguments))?;
        let discovered = wire.ask(&modern(1, "server/discover", json!({}))).await?;
        let capabilities = &discovered["result"]["capabilities"];
        for name in ["prompts", "completions"] {
            assert_eq!(capabilities.get(name).is_some(), expected, "{name}: {capabilities}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn people_see_prompts_at_a_terminal() -> Outcome {
    let run = async |arguments: &[&str]| -> Result<(String, String), Box<dyn std::error::Error>> {
        let output = binary(arguments).output().await?;
        Ok((String::from_utf8(output.stdout)?, String::from_utf8(output.stderr)?))
    };
    let (listed, _) = run(&["prompts", "list"]).await?;
    assert!(
        listed.lines().any(|line| line.starts_with("write_query ") && line.ends_with(" <question> [table]")),
        "{listed}"
    );
    let (json, _) = run(&["prompts", "list", "--json"]).await?;
    assert_eq!(serde_json::from_str::<Vec<Value>>(&json)?.len(), listed.lines().count());
    let (entry, _) = run(&["prompts", "show", "debug_run"]).await?;
    assert_eq!(serde_json::from_str::<Value>(&entry)?["arguments"][0]["name"], "run");
    let (text, _) =
        run(&["--sandbox", "prompts", "show", "profile_table", r#"{"table": "samples.retail.orders"}"#]).await?;
    assert!(text.starts_with("Profile the table `samples.retail.orders`") && text.contains("order_id"), "{text}");
    for (arguments, expected) in [
        (&["prompts", "show", "profile_table", "{}"][..], "`table`: missing"),
        (&["prompts", "show", "profile_tables"], "did you mean `profile_table`?"),
        (&["prompts", "show", "profile_table", "[]"], "not a JSON object"),
    ] {
        let (_, told) = run(arguments).await?;
        assert!(told.contains(expected), "{arguments:?}: {told}");
    }
    Ok(())
}
