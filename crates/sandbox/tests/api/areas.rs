//! Commands, pipelines, permissions, secrets, serving and vector search.

use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, post, send, start};

const RUNNING: &str = "0301-081500-etlmain1";

async fn manual() -> Result<Sandbox, Box<dyn std::error::Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn commands_run_in_a_context() -> Checked {
    let sandbox = manual().await?;
    let reply = post(&sandbox, "/api/1.2/contexts/create", json!({"clusterId": RUNNING, "language": "python"})).await?;
    let context = text(&reply.at("/id"));
    let path = format!("/api/1.2/contexts/status?clusterId={RUNNING}&contextId={context}");
    assert_eq!(get(&sandbox, &path).await?.at("/status"), "Pending");
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(get(&sandbox, &path).await?.at("/status"), "Running");
    let cases = [
        ("python", "x = \"hi\"\nprint(x)", "/data", json!("hi")),
        ("python", "raise ValueError(\"no\")", "/resultType", json!("error")),
        ("sql", "SELECT 1 AS n, 'a' AS s", "/data", json!([["1", "a"]])),
        ("sql", "SELECT * FROM nowhere", "/resultType", json!("error")),
        ("scala", "1", "/resultType", json!("error")),
    ];
    for (language, command, pointer, expected) in cases {
        let body = json!({"clusterId": RUNNING, "contextId": context, "language": language, "command": command});
        let id = text(&post(&sandbox, "/api/1.2/commands/execute", body).await?.at("/id"));
        let path = format!("/api/1.2/commands/status?clusterId={RUNNING}&contextId={context}&commandId={id}");
        assert_eq!(get(&sandbox, &path).await?.at("/status"), "Running");
        sandbox.advance(Duration::from_secs(1));
        let done = get(&sandbox, &path).await?;
        assert_eq!(done.at("/status"), "Finished");
        assert_eq!(done.at(&format!("/results{pointer}")), expected, "{command}: {}", done.json());
    }
    let body = json!({"clusterId": "0227-143000-adhoc001", "language": "python"});
    assert_eq!(post(&sandbox, "/api/1.2/contexts/create", body).await?.status, 400);
    let body = json!({"clusterId": RUNNING, "contextId": context});
    assert_eq!(post(&sandbox, "/api/1.2/contexts/destroy", body).await?.status, 200);
    assert!(get(&sandbox, &path).await?.at("/error").as_str().is_some_and(|text| text.contains("ContextNotFound")));
    Ok(())
}

#[tokio::test]
async fn pipelines_are_updated_and_tell_of_it() -> Checked {
    let sandbox = manual().await?;
    let made =
        post(&sandbox, "/api/2.0/pipelines", json!({"name": "mine", "catalog": "main", "schema": "sales"})).await?;
    let path = format!("/api/2.0/pipelines/{}", text(&made.at("/pipeline_id")));
    assert_eq!(get(&sandbox, &path).await?.at("/state"), "IDLE");
    let started = post(&sandbox, &format!("{path}/updates"), json!({"full_refresh": true})).await?;
    let update = format!("{path}/updates/{}", text(&started.at("/update_id")));
    assert_eq!(get(&sandbox, &update).await?.at("/update/state"), "WAITING_FOR_RESOURCES");
    assert_eq!(post(&sandbox, &format!("{path}/updates"), json!({})).await?.status, 409);
    assert_eq!(get(&sandbox, &path).await?.at("/state"), "RUNNING");
    sandbox.advance(Duration::from_secs(2));
    let done = get(&sandbox, &update).await?;
    assert_eq!((done.at("/update/state"), done.at("/update/full_refresh")), (json!("COMPLETED"), json!(true)));
    let events = get(&sandbox, &format!("{path}/events?max_results=100&order_by=timestamp%20asc")).await?.at("/events");
    assert_eq!(events[0]["event_type"], "create_update");
    assert!(events.as_array().is_some_and(|events| events.iter().any(|event| event["event_type"] == "flow_progress")));
    post(&sandbox, &format!("{path}/updates"), json!({})).await?;
    sandbox.advance(Duration::from_millis(300));
    post(&sandbox, &format!("{path}/stop"), json!({})).await?;
    let states = async || -> Result<[Value; 2], Box<dyn std::error::Error>> {
        let shown = get(&sandbox, &path).await?;
        Ok([shown.at("/state"), shown.at("/latest_updates/0/state")])
    };
    assert_eq!(states().await?, ["STOPPING", "STOPPING"]);
    assert_eq!(post(&sandbox, &format!("{path}/updates"), json!({})).await?.status, 409);
    sandbox.advance(Duration::from_millis(299));
    post(&sandbox, &format!("{path}/stop"), json!({})).await?;
    assert_eq!(states().await?, ["STOPPING", "STOPPING"]);
    // To be told once more makes it no slower.
    sandbox.advance(Duration::from_millis(1));
    assert_eq!(states().await?, ["IDLE", "CANCELED"]);
    let events = get(&sandbox, &format!("{path}/events?max_results=4")).await?.at("/events");
    let messages: Vec<_> = events.as_array().into_iter().flatten().map(|event| text(&event["message"])).collect();
    let ends = ["is CANCELED.", "is STOPPING.", "is INITIALIZING.", "is WAITING_FOR_RESOURCES."];
    assert!(messages.iter().zip(ends).all(|(message, end)| message.ends_with(end)), "{messages:?}");
    let failing = get(&sandbox, "/api/2.0/pipelines?filter=name%20LIKE%20'returns%25'").await?;
    assert_eq!(failing.at("/statuses/0/state"), "FAILED");
    let path =
        format!("/api/2.0/pipelines/{}/events?filter=level%3D'ERROR'", text(&failing.at("/statuses/0/pipeline_id")));
    let message = get(&sandbox, &path).await?.at("/events/0/error/exceptions/0/message");
    assert!(message.as_str().is_some_and(|message| message.contains("DELTA_SCHEMA_CHANGED")), "{message}");
    assert_eq!(post(&sandbox, "/api/2.0/pipelines", json!({"name": "mine"})).await?.status, 409);
    assert_eq!(get(&sandbox, "/api/2.0/pipelines?filter=name%20LIKE").await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn a_continuous_pipeline_runs_until_it_is_stopped() -> Checked {
    let sandbox = manual().await?;
    let body = json!({"name": "endless", "catalog": "main", "schema": "sales", "continuous": true});
    let path =
        format!("/api/2.0/pipelines/{}", text(&post(&sandbox, "/api/2.0/pipelines", body).await?.at("/pipeline_id")));
    post(&sandbox, &format!("{path}/updates"), json!({})).await?;
    sandbox.advance(Duration::from_secs(3600));
    assert_eq!(get(&sandbox, &path).await?.at("/latest_updates/0/state"), "RUNNING");
    let events = get(&sandbox, &format!("{path}/events?filter=event_type%3D'flow_progress'")).await?.at("/events");
    assert!(text(&events[0]["message"]).contains("is RUNNING"), "{events}");
    post(&sandbox, &format!("{path}/stop"), json!({})).await?;
    assert_eq!(get(&sandbox, &path).await?.at("/state"), "STOPPING");
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(get(&sandbox, &path).await?.at("/state"), "IDLE");
    Ok(())
}

#[tokio::test]
async fn permissions_are_set_and_updated() -> Checked {
    let sandbox = start().await?;
    let path = "/api/2.0/permissions/warehouses/a1b2c3d4e5f60718";
    let first = get(&sandbox, path).await?;
    assert_eq!(first.at("/access_control_list/0/all_permissions/0/permission_level"), "IS_OWNER");
    let levels = get(&sandbox, &format!("{path}/permissionLevels")).await?;
    assert_eq!(levels.at("/permission_levels/0/permission_level"), "CAN_VIEW");
    let change =
        |level: &str| json!({"access_control_list": [{"group_name": "users", "permission_level": level}]}).to_string();
    let changed = send(&sandbox, "PATCH", path, change("CAN_USE").as_bytes()).await?;
    assert_eq!(changed.at("/access_control_list/1/group_name"), "users");
    let changed = send(&sandbox, "PUT", path, change("CAN_MONITOR").as_bytes()).await?;
    assert_eq!(changed.at("/access_control_list/0/all_permissions/0/permission_level"), "CAN_MONITOR");
    assert_eq!(send(&sandbox, "PATCH", path, change("CAN_RESTART").as_bytes()).await?.status, 400);
    assert_eq!(get(&sandbox, "/api/2.0/permissions/warehouses/nope").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn secrets_are_named_and_never_told() -> Checked {
    let sandbox = start().await?;
    assert_eq!(post(&sandbox, "/api/2.0/secrets/scopes/create", json!({"scope": "mine"})).await?.status, 200);
    let again = post(&sandbox, "/api/2.0/secrets/scopes/create", json!({"scope": "mine"})).await?;
    assert_eq!(again.code(), "RESOURCE_ALREADY_EXISTS");
    let body = json!({"scope": "mine", "key": "k", "string_value": "very secret"});
    assert_eq!(post(&sandbox, "/api/2.0/secrets/put", body).await?.status, 200);
    let listed = get(&sandbox, "/api/2.0/secrets/list?scope=mine").await?;
    assert_eq!(listed.at("/secrets/0/key"), "k");
    assert!(!String::from_utf8_lossy(&listed.body).contains("very secret"));
    let body = json!({"scope": "mine", "principal": "users", "permission": "READ"});
    post(&sandbox, "/api/2.0/secrets/acls/put", body).await?;
    let body = json!({"scope": "mine", "principal": "nobody", "permission": "READ"});
    assert_eq!(post(&sandbox, "/api/2.0/secrets/acls/put", body).await?.code(), "RESOURCE_DOES_NOT_EXIST");
    let acl = get(&sandbox, "/api/2.0/secrets/acls/get?scope=mine&principal=users").await?;
    assert_eq!(acl.at("/permission"), "READ");
    let gone = post(&sandbox, "/api/2.0/secrets/delete", json!({"scope": "mine", "key": "nope"})).await?;
    assert_eq!(gone.code(), "RESOURCE_DOES_NOT_EXIST");
    // No value is told, and none is made up.
    let told = get(&sandbox, "/api/2.0/secrets/get?scope=etl&key=api-key").await?;
    assert_eq!((told.status, told.code().as_str()), (403, "PERMISSION_DENIED"));
    assert_eq!(get(&sandbox, "/api/2.0/secrets/get?scope=etl&key=none").await?.code(), "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(get(&sandbox, "/api/2.0/secrets/get?scope=none&key=none").await?.code(), "RESOURCE_DOES_NOT_EXIST");
    Ok(())
}

#[tokio::test]
async fn endpoints_echo() -> Checked {
    let sandbox = start().await?;
    let path = "/serving-endpoints/sandbox-chat/invocations";
    let messages = json!([{"role": "system", "content": "be brief"}, {"role": "user", "content": "one two three"}]);
    let reply = post(&sandbox, path, json!({"messages": messages, "max_tokens": 2})).await?;
    assert_eq!(reply.at("/choices/0/message/content"), "one two");
    assert_eq!(reply.at("/choices/0/finish_reason"), "length");
    assert_eq!(reply.at("/usage/prompt_tokens"), 5);
    assert!(reply.head.contains("served-model-name: sandbox-chat-1"));
    let reply = post(&sandbox, path, json!({"messages": messages, "stream": true})).await?;
    assert!(String::from_utf8_lossy(&reply.body).ends_with("data: [DONE]\n\n"));
    let split = json!({"dataframe_split": {"columns": ["a", "b"], "data": [[1, 2], [3, 4]]}});
    let reply = post(&sandbox, "/serving-endpoints/churn-model/invocations", split).await?;
    assert_eq!(reply.at("/predictions"), json!([{"a": 1, "b": 2}, {"a": 3, "b": 4}]));
    let reply =
        post(&sandbox, "/serving-endpoints/sandbox-embeddings/invocations", json!({"input": ["x", "X"]})).await?;
    assert_eq!(reply.at("/data/0/embedding"), reply.at("/data/1/embedding"));
    assert_eq!(post(&sandbox, "/serving-endpoints/nope/invocations", json!({})).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn an_index_ranks_by_words() -> Checked {
    let sandbox = start().await?;
    let path = "/api/2.0/vector-search/indexes/main.default.support_articles_index/query";
    let body = json!({"columns": ["id", "title"], "query_text": "reset my password", "num_results": 3});
    let reply = post(&sandbox, path, body).await?;
    assert_eq!(reply.at("/result/data_array/0/1"), "Reset a password");
    assert_eq!(reply.at("/manifest/columns/2/name"), "score");
    let body = json!({"columns": ["title"], "query_text": "order", "filters_json": "{\"topic\": \"payments\"}"});
    let reply = post(&sandbox, path, body).await?;
    assert!(reply.at("/result/row_count").as_i64().is_some_and(|count| (1..=3).contains(&count)), "{}", reply.json());
    assert_eq!(post(&sandbox, path, json!({"columns": ["nope"], "query_text": "x"})).await?.status, 400);
    Ok(())
}

#[tokio::test]
async fn dbfs_takes_blocks() -> Checked {
    let sandbox = start().await?;
    let made = post(&sandbox, "/api/2.0/dbfs/create", json!({"path": "/tmp/a/b.txt"})).await?;
    let handle = made.at("/handle");
    for data in ["aGVs", "bG8="] {
        let body = json!({"handle": handle, "data": data});
        assert_eq!(post(&sandbox, "/api/2.0/dbfs/add-block", body).await?.status, 200);
    }
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/close", json!({"handle": handle})).await?.status, 200);
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/close", json!({"handle": handle})).await?.status, 404);
    assert_eq!(get(&sandbox, "/api/2.0/dbfs/read?path=/tmp/a/b.txt").await?.at("/data"), "aGVsbG8=");
    assert_eq!(get(&sandbox, "/api/2.0/dbfs/list?path=/tmp").await?.at("/files/0/is_dir"), true);
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/put", json!({"path": "/tmp/a/b.txt", "contents": ""})).await?.status, 400);
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/delete", json!({"path": "/tmp"})).await?.code(), "DIRECTORY_NOT_EMPTY");
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/delete", json!({"path": "/tmp", "recursive": true})).await?.status, 200);
    assert_eq!(get(&sandbox, "/api/2.0/dbfs/get-status?path=/tmp").await?.status, 404);
    let put = |path: &str| json!({"path": path, "contents": "bW92ZWQ=", "overwrite": true});
    for path in ["/from/a/one", "/from/two", "/to/two"] {
        assert_eq!(post(&sandbox, "/api/2.0/dbfs/put", put(path)).await?.status, 200);
    }
    let rename = |from: &str, to: &str| json!({"source_path": from, "destination_path": to});
    assert_eq!(
        post(&sandbox, "/api/2.0/dbfs/move", rename("/from/two", "/to")).await?.code(),
        "RESOURCE_ALREADY_EXISTS"
    );
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/move", rename("/none", "/to")).await?.code(), "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/move", rename("/from", "/from/a/b")).await?.status, 400);
    assert_eq!(post(&sandbox, "/api/2.0/dbfs/move", rename("/from", "/away/there")).await?.status, 200);
    assert_eq!(get(&sandbox, "/api/2.0/dbfs/get-status?path=/away/there/a/one").await?.at("/file_size"), json!(5));
    assert_eq!(get(&sandbox, "/api/2.0/dbfs/get-status?path=/from").await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn genie_answers_with_sql_that_ran() -> Checked {
    let sandbox = manual().await?;
    let space = text(&get(&sandbox, "/api/2.0/genie/spaces").await?.at("/spaces/0/space_id"));
    let path = format!("/api/2.0/genie/spaces/{space}");
    let body = json!({"content": "What is the revenue per channel?"});
    let begun = post(&sandbox, &format!("{path}/start-conversation"), body).await?;
    let messages = format!("{path}/conversations/{}/messages", text(&begun.at("/conversation_id")));
    let message = format!("{messages}/{}", text(&begun.at("/message_id")));
    assert_eq!(get(&sandbox, &message).await?.at("/status"), "SUBMITTED");
    sandbox.advance(Duration::from_secs(1));
    let done = get(&sandbox, &message).await?;
    assert_eq!(done.at("/status"), "COMPLETED");
    let attachment = text(&done.at("/attachments/0/attachment_id"));
    let result = get(&sandbox, &format!("{message}/attachments/{attachment}/query-result")).await?;
    assert_eq!(result.at("/statement_response/status/state"), "SUCCEEDED");
    let rows = result.at("/statement_response/result/data_array");
    assert!(rows.as_array().is_some_and(|rows| rows.len() >= 2), "{}", result.json());
    for (question, field) in [("Who are the top customers?", "query"), ("orders by month", "query"), ("Why?", "text")] {
        let id = text(&post(&sandbox, &messages, json!({"content": question})).await?.at("/id"));
        sandbox.advance(Duration::from_secs(1));
        let done = get(&sandbox, &format!("{messages}/{id}")).await?;
        assert!(done.at(&format!("/attachments/0/{field}")).is_object(), "{}", done.json());
        if field == "query" {
            let statement = text(&done.at("/attachments/0/query/statement_id"));
            let state = get(&sandbox, &format!("/api/2.0/sql/statements/{statement}")).await?.at("/status/state");
            assert_eq!(state, "SUCCEEDED", "{question}");
        }
    }
    assert_eq!(
        post(&sandbox, "/api/2.0/genie/spaces/nope/start-conversation", json!({"content": "x"})).await?.status,
        404
    );
    Ok(())
}

#[tokio::test]
async fn libraries_install_and_leave_at_a_restart() -> Checked {
    let sandbox = manual().await?;
    let status = format!("/api/2.0/libraries/cluster-status?cluster_id={RUNNING}");
    let wheel = json!([{"pypi": {"package": "polars"}}, {"pypi": {"package": "missing-one"}}]);
    let body = json!({"cluster_id": RUNNING, "libraries": wheel});
    assert_eq!(post(&sandbox, "/api/2.0/libraries/install", body.clone()).await?.status, 200);
    assert_eq!(get(&sandbox, &status).await?.at("/library_statuses/1/status"), "INSTALLING");
    sandbox.advance(Duration::from_secs(1));
    let done = get(&sandbox, &status).await?;
    assert_eq!(done.at("/library_statuses/1/status"), "INSTALLED");
    assert_eq!(done.at("/library_statuses/2/status"), "FAILED");
    post(&sandbox, "/api/2.0/libraries/uninstall", body).await?;
    assert_eq!(get(&sandbox, &status).await?.at("/library_statuses/1/status"), "UNINSTALL_ON_RESTART");
    post(&sandbox, "/api/2.1/clusters/restart", json!({"cluster_id": RUNNING})).await?;
    assert_eq!(get(&sandbox, &status).await?.at("/library_statuses").as_array().map(Vec::len), Some(1));
    Ok(())
}

#[tokio::test]
async fn policies_and_pools_are_kept() -> Checked {
    let sandbox = start().await?;
    let path = "/api/2.0/policies/clusters";
    let made = post(&sandbox, &format!("{path}/create"), json!({"name": "mine", "definition": "{}"})).await?;
    let id = text(&made.at("/policy_id"));
    let broken = post(&sandbox, &format!("{path}/create"), json!({"name": "other", "definition": "{"})).await?;
    assert_eq!(broken.status, 400);
    post(&sandbox, &format!("{path}/edit"), json!({"policy_id": id, "name": "changed", "definition": "{}"})).await?;
    assert_eq!(get(&sandbox, &format!("{path}/get?policy_id={id}")).await?.at("/name"), "changed");
    assert_eq!(get(&sandbox, &format!("{path}/list")).await?.at("/policies").as_array().map(Vec::len), Some(2));
    assert_eq!(post(&sandbox, &format!("{path}/delete"), json!({"policy_id": id})).await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{path}/get?policy_id={id}")).await?.status, 404);
    let path = "/api/2.0/instance-pools";
    let body = json!({"instance_pool_name": "mine", "node_type_id": "m5d.large", "min_idle_instances": 2});
    let id = text(&post(&sandbox, &format!("{path}/create"), body).await?.at("/instance_pool_id"));
    assert_eq!(get(&sandbox, &format!("{path}/get?instance_pool_id={id}")).await?.at("/stats/idle_count"), 2);
    assert_eq!(post(&sandbox, &format!("{path}/delete"), json!({"instance_pool_id": id})).await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{path}/get?instance_pool_id={id}")).await?.status, 404);
    Ok(())
}
