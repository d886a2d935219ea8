//! Dashboards, queries, alerts, apps and Genie.

use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, patch, post, send, start};

const WAREHOUSE: &str = "a1b2c3d4e5f60718";

async fn manual() -> Result<Sandbox, Box<dyn std::error::Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn dashboards_are_drafted_published_and_scheduled() -> Checked {
    let sandbox = start().await?;
    let path = "/api/2.0/lakeview/dashboards";
    let made = post(
        &sandbox,
        path,
        json!({"display_name": "Mine", "parent_path": "/Workspace/Shared", "warehouse_id": WAREHOUSE}),
    )
    .await?;
    assert_eq!(made.at("/path"), "/Shared/Mine.lvdash.json", "{}", made.json());
    let status = get(&sandbox, "/api/2.0/workspace/get-status?path=/Shared/Mine.lvdash.json").await?;
    assert_eq!(status.at("/object_type"), "DASHBOARD");
    assert_eq!(
        post(&sandbox, path, json!({"display_name": "Mine", "parent_path": "/Shared"})).await?.code(),
        "RESOURCE_ALREADY_EXISTS"
    );
    assert_eq!(post(&sandbox, path, json!({"display_name": "x", "serialized_dashboard": "{"})).await?.status, 400);
    let own = format!("{path}/{}", text(&made.at("/dashboard_id")));
    let changed = patch(&sandbox, &own, json!({"display_name": "Ours", "etag": made.at("/etag")})).await?;
    assert_eq!((changed.status, changed.at("/path")), (200, json!("/Shared/Ours.lvdash.json")));
    assert_eq!(patch(&sandbox, &own, json!({"display_name": "Theirs", "etag": made.at("/etag")})).await?.status, 409);
    assert_eq!(get(&sandbox, &format!("{own}/published")).await?.status, 404);
    let published = post(&sandbox, &format!("{own}/published"), json!({"embed_credentials": false})).await?;
    assert_eq!((published.at("/warehouse_id"), published.at("/embed_credentials")), (json!(WAREHOUSE), json!(false)));
    let cron = json!({"cron_schedule": {"quartz_cron_expression": "0 0 8 * * ?", "timezone_id": "UTC"}});
    let schedule = post(&sandbox, &format!("{own}/schedules"), cron).await?;
    assert_eq!(schedule.at("/pause_status"), "UNPAUSED", "{}", schedule.json());
    let wrong = json!({"cron_schedule": {"quartz_cron_expression": "daily", "timezone_id": "UTC"}});
    assert_eq!(post(&sandbox, &format!("{own}/schedules"), wrong).await?.status, 400);
    let schedule = format!("{own}/schedules/{}", text(&schedule.at("/schedule_id")));
    let subscriber = json!({"subscriber": {"user_subscriber": {"user_id": 1}}});
    let subscription = post(&sandbox, &format!("{schedule}/subscriptions"), subscriber.clone()).await?;
    assert!(subscription.at("/subscription_id").is_string(), "{}", subscription.json());
    assert_eq!(post(&sandbox, &format!("{schedule}/subscriptions"), subscriber).await?.status, 409);
    assert_eq!(send(&sandbox, "DELETE", &schedule, b"").await?.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &format!("{own}/published"), b"").await?.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &own).await?.at("/lifecycle_state"), "TRASHED");
    assert_eq!(get(&sandbox, path).await?.at("/dashboards").as_array().map(Vec::len), Some(1));
    let page = get(&sandbox, &format!("{path}?show_trashed=true&page_size=1")).await?;
    assert!(page.at("/next_page_token").is_string());
    assert_eq!(get(&sandbox, &format!("{path}/nope")).await?.code(), "RESOURCE_DOES_NOT_EXIST");
    Ok(())
}

#[tokio::test]
async fn queries_and_alerts_of_all_ages() -> Checked {
    let sandbox = start().await?;
    let query =
        |name: &str| json!({"query": {"display_name": name, "query_text": "SELECT 1", "warehouse_id": WAREHOUSE}});
    let made = post(&sandbox, "/api/2.0/sql/queries", query("mine")).await?;
    let id = text(&made.at("/id"));
    assert_eq!(post(&sandbox, "/api/2.0/sql/queries", query("mine")).await?.code(), "RESOURCE_ALREADY_EXISTS");
    let own = format!("/api/2.0/sql/queries/{id}");
    let change = json!({"query": {"query_text": "SELECT 2", "description": "d"}, "update_mask": "query_text"});
    let changed = patch(&sandbox, &own, change).await?;
    assert_eq!((changed.at("/query_text"), changed.at("/description")), (json!("SELECT 2"), Value::Null));
    let picture = post(
        &sandbox,
        "/api/2.0/sql/visualizations",
        json!({"visualization": {"query_id": id, "type": "BAR", "display_name": "bars"}}),
    )
    .await?;
    assert_eq!(get(&sandbox, &format!("{own}/visualizations")).await?.at("/results/0/id"), picture.at("/id"));
    let legacy = get(&sandbox, "/api/2.0/preview/sql/queries?page=1&page_size=1&q=mine").await?;
    assert_eq!((legacy.at("/count"), legacy.at("/results/0/query")), (json!(1), json!("SELECT 2")));

    let condition = json!({"op": "GREATER_THAN", "operand": {"column": {"name": "x"}}, "threshold": {"value": {"double_value": 1}}});
    let alert = json!({"alert": {"display_name": "high", "query_id": id, "condition": condition}});
    let made = post(&sandbox, "/api/2.0/sql/alerts", alert).await?;
    assert_eq!((made.status, made.at("/state")), (200, json!("UNKNOWN")), "{}", made.json());
    let legacy = get(&sandbox, &format!("/api/2.0/preview/sql/alerts/{}", text(&made.at("/id")))).await?;
    assert_eq!((legacy.at("/name"), legacy.at("/query/id")), (json!("high"), json!(id)));
    let missing = json!({"alert": {"display_name": "high", "query_id": "nope", "condition": condition}});
    assert_eq!(post(&sandbox, "/api/2.0/sql/alerts", missing).await?.status, 404);
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 200);
    let listed = get(&sandbox, "/api/2.0/sql/queries?page_size=100").await?;
    assert!(!listed.json().to_string().contains(&id));

    let alert = json!({"display_name": "new", "query_text": "SELECT 1 AS n", "warehouse_id": WAREHOUSE,
        "evaluation": {"comparison_operator": "GREATER_THAN", "source": {"name": "n"}, "threshold": {"value": {"double_value": 0}}},
        "schedule": {"quartz_cron_schedule": "0 0 8 * * ?", "timezone_id": "UTC"}});
    let made = post(&sandbox, "/api/2.0/alerts", alert.clone()).await?;
    assert_eq!(made.at("/evaluation/state"), "UNKNOWN", "{}", made.json());
    let own = format!("/api/2.0/alerts/{}", text(&made.at("/id")));
    let mut change = alert;
    change["display_name"] = json!("newer");
    let changed = patch(&sandbox, &format!("{own}?update_mask=display_name"), change).await?;
    assert_eq!(changed.at("/display_name"), "newer", "{}", changed.json());
    let page = get(&sandbox, "/api/2.0/alerts?page_size=1").await?;
    assert!(page.at("/next_page_token").is_string());
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &own).await?.at("/lifecycle_state"), "DELETED");
    assert_eq!(send(&sandbox, "DELETE", &format!("{own}?purge=true"), b"").await?.status, 200);
    assert_eq!(get(&sandbox, &own).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn apps_start_are_deployed_and_stop() -> Checked {
    let sandbox = manual().await?;
    let path = "/api/2.0/apps";
    let made = post(&sandbox, path, json!({"name": "mine", "description": "d"})).await?;
    assert_eq!(made.at("/compute_status/state"), "STARTING", "{}", made.json());
    assert_eq!(post(&sandbox, path, json!({"name": "mine"})).await?.status, 409);
    assert_eq!(post(&sandbox, path, json!({"name": "Not Good"})).await?.status, 400);
    let deploy = format!("{path}/mine/deployments");
    let source = |path: &str| json!({"source_code_path": path, "mode": "SNAPSHOT"});
    assert_eq!(post(&sandbox, &deploy, source("/Workspace/Shared")).await?.status, 400);
    sandbox.advance(Duration::from_secs(1));
    let started = post(&sandbox, &deploy, source("/Workspace/Shared")).await?;
    assert_eq!(started.at("/status/state"), "IN_PROGRESS");
    assert_eq!(post(&sandbox, &deploy, source("/Workspace/Shared")).await?.code(), "RESOURCE_CONFLICT");
    assert_eq!(get(&sandbox, &format!("{path}/mine")).await?.at("/app_status/state"), "DEPLOYING");
    sandbox.advance(Duration::from_secs(1));
    let app = get(&sandbox, &format!("{path}/mine")).await?;
    assert_eq!(
        (app.at("/app_status/state"), app.at("/active_deployment/deployment_id")),
        (json!("RUNNING"), started.at("/deployment_id"))
    );
    let failed = post(&sandbox, &deploy, source("/Workspace/nowhere")).await?;
    sandbox.advance(Duration::from_secs(1));
    let failed = get(&sandbox, &format!("{deploy}/{}", text(&failed.at("/deployment_id")))).await?;
    assert_eq!(failed.at("/status/state"), "FAILED");
    assert_eq!(post(&sandbox, &format!("{path}/mine/stop"), json!({})).await?.at("/compute_status/state"), "STOPPING");
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(get(&sandbox, &format!("{path}/mine")).await?.at("/compute_status/state"), "STOPPED");
    assert_eq!(post(&sandbox, &format!("{path}/mine/stop"), json!({})).await?.status, 400);
    assert_eq!(post(&sandbox, &format!("{path}/mine/start"), json!({})).await?.at("/compute_status/state"), "STARTING");
    let page = get(&sandbox, &format!("{path}?page_size=1")).await?;
    assert!(page.at("/next_page_token").is_string());
    assert_eq!(
        patch(&sandbox, &format!("{path}/mine"), json!({"name": "mine", "description": "e"})).await?.at("/description"),
        "e"
    );
    assert_eq!(send(&sandbox, "DELETE", &format!("{path}/mine"), b"").await?.at("/compute_status/state"), "DELETING");
    assert_eq!(get(&sandbox, &format!("{path}/mine")).await?.status, 404);
    let repository = json!({"url": "https://git.test/a", "provider": "gitHub"});
    let body = json!({"name": "from-git", "git_repository": repository, "compute_size": "LARGE"});
    assert_eq!(post(&sandbox, "/api/2.0/apps", body).await?.status, 200);
    let told = get(&sandbox, "/api/2.0/apps/from-git").await?;
    assert_eq!((told.at("/git_repository"), told.at("/compute_size")), (repository, json!("LARGE")));
    Ok(())
}

#[tokio::test]
async fn genie_follows_up_and_fails_on_demand() -> Checked {
    let sandbox = manual().await?;
    let spaces = get(&sandbox, "/api/2.0/genie/spaces?page_size=1").await?;
    assert!(spaces.at("/next_page_token").is_string());
    let path = format!("/api/2.0/genie/spaces/{}", text(&spaces.at("/spaces/0/space_id")));
    let begun =
        post(&sandbox, &format!("{path}/start-conversation"), json!({"content": "Who are the top customers?"})).await?;
    assert_eq!(begun.at("/message/status"), "SUBMITTED");
    let conversation = format!("{path}/conversations/{}", text(&begun.at("/conversation_id")));
    let messages = format!("{conversation}/messages");
    let first = get(&sandbox, &format!("{messages}/{}", text(&begun.at("/message_id")))).await?;
    assert_eq!(first.at("/attachments"), Value::Null);
    sandbox.advance(Duration::from_secs(1));
    let ask = |content: &'static str| {
        let (sandbox, messages) = (&sandbox, &messages);
        async move {
            let id = text(&post(sandbox, messages, json!({"content": content})).await?.at("/id"));
            sandbox.advance(Duration::from_secs(1));
            get(sandbox, &format!("{messages}/{id}")).await
        }
    };
    let follow = ask("Only the first 2, please").await?;
    let result = format!(
        "{messages}/{}/attachments/{}/query-result",
        text(&follow.at("/id")),
        text(&follow.at("/attachments/0/attachment_id"))
    );
    let rows = get(&sandbox, &result).await?;
    assert_eq!(rows.at("/statement_response/manifest/total_row_count"), 2, "{}", rows.json());
    assert!(follow.at("/attachments/1/suggested_questions/questions/0").is_string(), "{}", follow.json());
    let failed = ask("fail with RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION").await?;
    assert_eq!(
        (failed.at("/status"), failed.at("/error/type")),
        (json!("FAILED"), json!("RATE_LIMIT_EXCEEDED_GENERIC_EXCEPTION"))
    );
    let failed = ask("What is in a missing table?").await?;
    assert_eq!(failed.at("/error/type"), "SQL_EXECUTION_EXCEPTION");
    assert!(text(&failed.at("/error/error")).contains("TABLE_OR_VIEW_NOT_FOUND"));
    assert_eq!(ask("cancel this").await?.at("/status"), "CANCELLED");
    let expired = ask("Top customers, with an expired result").await?;
    assert_eq!(expired.at("/status"), "QUERY_RESULT_EXPIRED");
    let attachment = format!(
        "{messages}/{}/attachments/{}",
        text(&expired.at("/id")),
        text(&expired.at("/attachments/0/attachment_id"))
    );
    assert_eq!(get(&sandbox, &format!("{attachment}/query-result")).await?.status, 400);
    let again = post(&sandbox, &format!("{attachment}/execute-query"), json!({})).await?;
    assert_eq!(again.at("/statement_response/status/state"), "SUCCEEDED", "{}", again.json());
    assert_eq!(get(&sandbox, &format!("{attachment}/query-result")).await?.status, 200);
    let listed = get(&sandbox, &format!("{messages}?page_size=2")).await?;
    assert_eq!(
        (listed.at("/messages").as_array().map(Vec::len), listed.at("/next_page_token").is_string()),
        (Some(2), true)
    );
    let known = get(&sandbox, &format!("{path}/conversations")).await?;
    assert_eq!(known.at("/conversations/0/title"), "Who are the top customers?");
    assert_eq!(send(&sandbox, "DELETE", &conversation, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &messages).await?.status, 404);

    let made = post(
        &sandbox,
        "/api/2.0/genie/spaces",
        json!({"warehouse_id": WAREHOUSE, "serialized_space": "{\"version\":1}", "title": "Mine"}),
    )
    .await?;
    let own = format!("/api/2.0/genie/spaces/{}", text(&made.at("/space_id")));
    assert_eq!(patch(&sandbox, &own, json!({"title": "Ours"})).await?.at("/title"), "Ours");
    assert_eq!(patch(&sandbox, &own, json!({"etag": "9", "title": "x"})).await?.status, 409);
    assert_eq!(send(&sandbox, "DELETE", &own, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &own).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn what_was_billed_has_run() -> Checked {
    let sandbox = start().await?;
    let sql = "SELECT count(*), count(r.run_id), count(DISTINCT u.usage_metadata.job_id) FROM system.billing.usage u \
        LEFT JOIN system.lakeflow.job_run_timeline r ON r.run_id = u.usage_metadata.job_run_id \
        WHERE u.usage_metadata.job_id IS NOT NULL";
    let body = json!({"warehouse_id": "a1b2c3d4e5f60718", "statement": sql});
    let told = post(&sandbox, "/api/2.0/sql/statements", body).await?;
    let row = told.at("/result/data_array/0");
    assert!(row[0] == row[1] && row[0] != json!("0"), "{}", told.json());
    // Of ten jobs one has never run.
    assert_eq!(row[2], json!("9"));
    Ok(())
}
