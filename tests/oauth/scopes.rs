//! What clients are told of where to get tokens and which scopes to ask for, and what the scopes allow.

use serde_json::json;

use crate::Outcome;
use crate::house::House;
use crate::issuer::{Issuer, Key, RESOURCE, with};

const METADATA: &str = "https://mcp.acme.test/.well-known/oauth-protected-resource/mcp";

#[tokio::test]
async fn metadata_is_at_both_places_and_asks_nobody() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let expected = json!({
        "resource": RESOURCE,
        "authorization_servers": [issuer.url],
        "scopes_supported": ["databricks.read", "databricks.write", "databricks.destructive"],
        "bearer_methods_supported": ["header"],
        "resource_name": "Databricks MCP server",
    });
    for path in ["", "/mcp"] {
        let answer = house.get(&format!("/.well-known/oauth-protected-resource{path}")).await?;
        assert_eq!((answer.status, answer.json()), (200, expected.clone()), "{path}");
    }
    for path in ["/mcp/readonly", "/mcp/", "/other", "/mcp/x/jobs"] {
        assert_eq!(house.get(&format!("/.well-known/oauth-protected-resource{path}")).await?.status, 404, "{path}");
    }
    let open = House::open(&[]).await?;
    assert_eq!(open.get("/.well-known/oauth-protected-resource").await?.status, 404, "in another mode");
    Ok(())
}

#[tokio::test]
async fn who_has_no_token_is_told_where_to_get_one() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let plain = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"databricks.read\"");
    for line in ["POST /mcp", "GET /mcp", "DELETE /mcp", "POST /mcp/readonly", "POST /mcp/x/jobs"] {
        let answer = house.send(line, &[], if line.starts_with("POST") { "{}" } else { "" }).await?;
        assert_eq!((answer.status, answer.challenge()), (401, &*plain), "{line}");
    }
    let wrong = house.call("nonsense", "list_clusters", json!({})).await?;
    assert_eq!(
        (wrong.status, wrong.challenge()),
        (
            401,
            &*format!(
                "Bearer error=\"invalid_token\", error_description=\"the token is not a JWT: three parts in base64url, \
                 separated by dots\", resource_metadata=\"{METADATA}\", scope=\"databricks.read\""
            )
        )
    );
    assert!(!wrong.body.contains("nonsense"), "{}", wrong.body);
    Ok(())
}

#[tokio::test]
async fn each_scope_has_its_ceiling_and_more_can_be_asked_for() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let (read, write, destroy) = ("list_clusters", "start_cluster", "delete_job");
    for (scope, tool, needed) in [
        ("databricks.read", read, None),
        ("databricks.read", write, Some("databricks.read databricks.write")),
        ("databricks.read", destroy, Some("databricks.read databricks.write databricks.destructive")),
        ("databricks.write", read, None),
        ("databricks.write", write, None),
        ("openid databricks.write", destroy, Some("databricks.read databricks.write databricks.destructive")),
        ("databricks.destructive", write, None),
        ("databricks.destructive databricks.read", destroy, None),
        ("openid", read, Some("databricks.read")),
        ("databricks.readx DATABRICKS.READ", read, Some("databricks.read")),
        ("", read, Some("databricks.read")),
    ] {
        let arguments = match tool {
            "start_cluster" => json!({"cluster_id": "none"}),
            "delete_job" => json!({"job_id": "1"}),
            _ => json!({}),
        };
        let answer = house.call(&issuer.token(scope)?, tool, arguments).await?;
        let told = format!("{scope} {tool}: {answer:?}");
        match needed {
            None => assert!(answer.status == 200 && answer.json()["result"].is_object(), "{told}"),
            Some(needed) => {
                assert_eq!(answer.status, 403, "{told}");
                let challenge = answer.challenge();
                assert!(challenge.starts_with("Bearer error=\"insufficient_scope\", error_description=\""), "{told}");
                assert!(
                    challenge.ends_with(&format!("resource_metadata=\"{METADATA}\", scope=\"{needed}\"")),
                    "{told}"
                );
            }
        }
    }
    Ok(())
}

/// Okta has a list in `scp`, Entra ID a text; there, an application's own token has `roles` instead.
#[tokio::test]
async fn scopes_are_taken_in_every_form() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &["--oauth-scope-prefix", "api://acme/"]).await?;
    let without = with(issuer.claims(""), "scope", json!(null));
    let status = |claims| {
        let token = issuer.sign(&claims);
        let house = &house;
        async move { house.status(&token?).await }
    };
    for (name, value, expected) in [
        ("scp", json!("openid databricks.read"), 200),
        ("scp", json!(["openid", "databricks.write"]), 200),
        ("scp", json!("api://acme/databricks.read"), 200),
        ("scp", json!("api://other/databricks.read"), 403),
        ("scp", json!({"databricks.read": true}), 403),
        ("roles", json!(["databricks.read"]), 200),
        ("groups", json!(["databricks.read"]), 403),
    ] {
        assert_eq!(status(with(without.clone(), name, value.clone())).await?, expected, "{name} {value}");
    }
    // What its user may do is not what a client was granted.
    let granted_less = with(issuer.claims("openid"), "roles", json!(["databricks.destructive"]));
    assert_eq!(status(granted_less).await?, 403);
    let challenged = house.send("POST /mcp", &[], "{}").await?;
    assert!(challenged.challenge().ends_with("scope=\"api://acme/databricks.read\""), "{challenged:?}");
    Ok(())
}

#[tokio::test]
async fn a_token_that_may_write_can_read_with_sql_too() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    for (scope, statement, is_error) in [
        ("databricks.read", "SELECT 1", false),
        ("databricks.read", "CREATE SCHEMA main.made", true),
        ("databricks.write", "SELECT 1", false),
        ("databricks.write", "CREATE SCHEMA main.made", true),
        ("databricks.destructive", "CREATE SCHEMA main.made", false),
    ] {
        let answer = house.call(&issuer.token(scope)?, "execute_sql", json!({"statement": statement})).await?;
        let result = &answer.json()["result"];
        assert_eq!(
            result["isError"].as_bool().unwrap_or(!result.is_object()),
            is_error,
            "{scope} {statement}: {answer:?}"
        );
    }
    Ok(())
}

/// The risk of SQL shows by its statement alone.
#[tokio::test]
async fn a_statement_that_needs_more_asks_for_more_scopes() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    let all =
        format!("resource_metadata=\"{METADATA}\", scope=\"databricks.read databricks.write databricks.destructive\"");
    let select = json!({"statement": "SELECT 1"});
    let saved = json!({"statement": "SELECT 1", "save_to": "/Volumes/main/default/files/one.csv"});
    for (arguments, is_more) in [
        (json!({"statement": "CREATE SCHEMA main.made"}), true),
        (json!({"statement": " drop table main.default.t ", "read_only": null}), true),
        (json!({"statement": "this is no SQL"}), true),
        (saved, true),
        (select, false),
        // What is wrong with these is said by the call.
        (json!({"statement": "DROP TABLE main.default.t", "read_only": true}), false),
        (json!({"statement": "DROP TABLE main.default.t", "timeout_seconds": "soon"}), false),
        (json!({}), false),
    ] {
        for scope in ["databricks.read", "databricks.write"] {
            let answer = house.call(&issuer.token(scope)?, "execute_sql", arguments.clone()).await?;
            let told = format!("{scope} {arguments}: {answer:?}");
            assert_eq!(answer.status, if is_more { 403 } else { 200 }, "{told}");
            assert_eq!(answer.challenge().contains("error=\"insufficient_scope\""), is_more, "{told}");
            assert!(!is_more || (answer.challenge().ends_with(&all) && answer.json()["id"] == 7), "{told}");
        }
    }
    // Where another token does not help, none is asked for.
    let closed = house
        .send(
            "POST /mcp/readonly",
            &[
                &format!("Authorization: Bearer {}", issuer.token("databricks.read")?),
                "MCP-Protocol-Version: 2025-11-25",
            ],
            &json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params":
                {"name": "execute_sql", "arguments": {"statement": "DROP TABLE main.default.t"}}})
            .to_string(),
        )
        .await?;
    assert!(closed.status == 200 && closed.json()["result"]["isError"] == true, "{closed:?}");
    Ok(())
}

/// Clients send the next request, with a token, on the connection of the first.
#[tokio::test]
async fn a_refusal_leaves_the_connection_open() -> Outcome {
    let issuer = Issuer::start(Key::p256()?).await?;
    let house = House::of(&issuer, &[]).await?;
    assert_eq!(house.statuses_on_one_connection("{\"jsonrpc\": \"2.0\"}").await?, [401, 200]);
    // What is long is not waited for.
    let long = house.statuses_on_one_connection(&" ".repeat(8 << 20)).await;
    assert!(!long.is_ok_and(|statuses| statuses == [401, 200]));
    Ok(())
}
