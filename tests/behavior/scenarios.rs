//! One story for each toolset: something is created, read, changed and deleted, as an agent would do it.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::twist::Exchange;

/// A workspace of which every tool is enabled, with an account.
struct Story(Harness);

impl Story {
    async fn begin() -> Result<Self, Box<dyn std::error::Error>> {
        // A host of workspaces and accounts, so that tools of both are called.
        let unified = |exchange: &mut Exchange| {
            if exchange.is("GET /.well-known/databricks-config") {
                exchange.answer["host_type"] = json!("unified");
            }
        };
        Ok(Self(Harness::twisted_with(&["all"], 6_000, unified).await?))
    }

    /// Calls a tool that has to succeed.
    async fn then(&self, tool: &'static str, arguments: Value) -> Result<Value, Box<dyn std::error::Error>> {
        self.0.answer(tool, arguments).await
    }

    /// Calls a tool that has to be refused, with these words.
    async fn refused(&self, tool: &'static str, arguments: Value, words: &str) -> Outcome {
        let refusal = self.0.refusal(tool, arguments).await?;
        assert!(refusal.contains(words), "{tool}: {refusal}");
        Ok(())
    }

    /// Deletes by an operation that has no tool.
    async fn delete(&self, operation: &str, arguments: Value) -> Result<Value, Box<dyn std::error::Error>> {
        let arguments = json!({ "operation": operation, "arguments": arguments });
        self.then("call_destructive_operation", arguments).await
    }
}

/// The item of a list whose field has this value.
fn item<'a>(list: &'a Value, field: &str, value: impl Into<Value>) -> Option<&'a Value> {
    let value = value.into();
    list["items"].as_array()?.iter().find(|item| item[field] == value)
}

#[tokio::test]
async fn mlflow() -> Outcome {
    let story = Story::begin().await?;
    let made = story.then("create_experiment", json!({ "name": "/Shared/churn-2" })).await?;
    let id = &made["experiment_id"];
    let run = story.then(
        "call_write_operation",
        json!({ "operation": "ml.experiments.create_run", "arguments": { "experiment_id": id } }),
    );
    let run = run.await?;
    let run_id = &run["run"]["info"]["run_id"];
    story.then("set_run_tag", json!({ "run_id": run_id, "key": "stage", "value": "candidate" })).await?;
    let found = story
        .then("search_mlflow_runs", json!({ "experiment_ids": [id], "filter": "tags.stage = 'candidate'" }))
        .await?;
    assert_eq!(found["returned"], 1, "{found}");
    story.then("delete_experiment", json!({ "experiment_id": id })).await?;
    let left = story.then("list_experiments", json!({})).await?;
    assert!(item(&left, "experiment_id", id.clone()).is_none(), "{left}");
    Ok(())
}

/// Somebody asks why the support agent failed.
#[tokio::test]
async fn traces() -> Outcome {
    let story = Story::begin().await?;
    let listed = story.then("list_experiments", json!({ "filter": "name LIKE '%support%'" })).await?;
    let experiment = listed["items"][0]["experiment_id"].clone();
    let asked = json!({ "experiment_ids": [experiment], "filter": "trace.status = 'ERROR'" });
    let failed = story.then("search_traces", asked).await?;
    let trace = &failed["items"][0];
    assert_eq!((&failed["returned"], &trace["state"]), (&json!(1), &json!("ERROR")), "{failed}");
    let read = story.then("get_trace", json!({ "trace_id": trace["trace_id"] })).await?;
    let steps = read["spans"].as_array().into_iter().flatten();
    let broken = steps.filter(|span| span["error"].is_string()).max_by_key(|span| span["depth"].as_u64());
    let broken = broken.ok_or("no step failed")?;
    assert_eq!(
        (&broken["name"], &broken["inputs"]),
        (&json!("lookup_order"), &json!({ "order_id": 1_234_567 })),
        "{read}"
    );
    story.refused("get_trace", json!({ "trace_id": "tr-1" }), "not found").await
}

#[tokio::test]
async fn models() -> Outcome {
    let story = Story::begin().await?;
    let name = json!({ "full_name": "samples.retail.forecast_2" });
    story
        .then(
            "create_registered_model",
            json!({ "catalog_name": "samples", "schema_name": "retail", "model_name": "forecast_2" }),
        )
        .await?;
    let read = story.then("get_registered_model", name.clone()).await?;
    assert_eq!(read["full_name"], "samples.retail.forecast_2", "{read}");
    story
        .refused(
            "set_model_alias",
            json!({ "full_name": "samples.retail.forecast_2", "alias": "champion", "version": 1 }),
            "does not exist",
        )
        .await?;
    story.then("delete_registered_model", name.clone()).await?;
    story.refused("get_registered_model", name, "does not exist").await
}

#[tokio::test]
async fn dashboards() -> Outcome {
    let story = Story::begin().await?;
    let made = story.then("create_dashboard", json!({ "display_name": "Sales" })).await?;
    let id = json!({ "dashboard_id": made["dashboard_id"] });
    story
        .then("update_dashboard", json!({ "dashboard_id": made["dashboard_id"], "display_name": "Sales 2026" }))
        .await?;
    let read = story.then("get_dashboard", id.clone()).await?;
    assert_eq!(read["display_name"], "Sales 2026", "{read}");
    story
        .then("publish_dashboard", json!({ "dashboard_id": made["dashboard_id"], "embed_credentials": false }))
        .await?;
    let published = story.then("get_published_dashboard", id.clone()).await?;
    assert_eq!(published["display_name"], "Sales 2026", "{published}");
    story.then("delete_dashboard", id.clone()).await?;
    let left = story.then("list_dashboards", json!({})).await?;
    assert!(item(&left, "dashboard_id", made["dashboard_id"].clone()).is_none(), "{left}");
    Ok(())
}

#[tokio::test]
async fn apps() -> Outcome {
    let story = Story::begin().await?;
    let name = json!({ "app_name": "price-check" });
    story.then("create_app", json!({ "app_name": "price-check", "description": "Prices." })).await?;
    let read = story.then("get_app", name.clone()).await?;
    assert_eq!(read["description"], "Prices.", "{read}");
    story.then("delete_app", name.clone()).await?;
    let left = story.then("list_apps", json!({})).await?;
    assert!(
        item(&left, "name", "price-check").is_none_or(|app| app["compute_status"]["state"] == "DELETING"),
        "{left}"
    );
    Ok(())
}

#[tokio::test]
async fn identity() -> Outcome {
    let story = Story::begin().await?;
    let user = story.then("create_user", json!({ "user_name": "jane@acme.test", "display_name": "Jane" })).await?;
    let group = story.then("create_group", json!({ "display_name": "night-shift" })).await?;
    let id = json!({ "group_id": group["id"] });
    let add = json!([{ "op": "add", "path": "members", "value": [{ "value": user["id"] }] }]);
    story.then("update_group", json!({ "group_id": group["id"], "operations": add })).await?;
    let read = story.then("get_group", id.clone()).await?;
    assert_eq!(read["members"][0]["value"], user["id"], "{read}");
    story.then("delete_group", id.clone()).await?;
    story.refused("get_group", id, "not found").await
}

#[tokio::test]
async fn serving() -> Outcome {
    let story = Story::begin().await?;
    let name = json!({ "name": "quotes" });
    let models = story.then("list_registered_models", json!({})).await?;
    let model = &models["items"][0]["full_name"];
    let entity = |size: &str| json!([{ "name": "quotes", "entity_name": model, "entity_version": "1", "workload_size": size, "scale_to_zero_enabled": true }]);
    // The specs want the name in the configuration, too.
    let config = json!({ "name": "quotes", "served_entities": entity("Small") });
    story.then("create_serving_endpoint", json!({ "name": "quotes", "config": config })).await?;
    let read = story.then("get_serving_endpoint", name.clone()).await?;
    assert_eq!(read["name"], "quotes", "{read}");
    story.then("delete_serving_endpoint", name.clone()).await?;
    story.refused("get_serving_endpoint", name, "does not exist").await
}

#[tokio::test]
async fn vector_search() -> Outcome {
    let story = Story::begin().await?;
    let endpoints = story.then("list_vector_endpoints", json!({})).await?;
    let endpoint = &endpoints["items"][0]["name"];
    let index = "samples.retail.colours_idx";
    let name = json!({ "full_name": index });
    let spec = json!({ "embedding_vector_columns": [{ "name": "v", "embedding_dimension": 2 }], "schema_json": "{\"id\": \"int\", \"v\": \"array<float>\"}" });
    let made = json!({ "full_name": index, "endpoint_name": endpoint, "primary_key": "id", "index_type": "DIRECT_ACCESS", "direct_access_index_spec": spec });
    story.then("create_vector_index", made).await?;
    // The index is made.
    story.0.advance(Duration::from_secs(3_600));
    let rows = json!([{ "id": 1, "v": [1.0, 0.0] }, { "id": 2, "v": [0.0, 1.0] }]).to_string();
    story.then("upsert_vector_rows", json!({ "full_name": index, "inputs_json": rows })).await?;
    let near =
        story.then("query_index", json!({ "full_name": index, "query_vector": [0.1, 0.9], "columns": ["id"] })).await?;
    assert_eq!(near["rows"][0][0], 2, "{near}");
    story.then("delete_vector_index", name.clone()).await?;
    story.refused("get_vector_index", name, "does not exist").await
}

#[tokio::test]
async fn genie() -> Outcome {
    let story = Story::begin().await?;
    let warehouses = story.then("list_warehouses", json!({})).await?;
    let warehouse = &warehouses["items"][0]["id"];
    let made = json!({ "title": "Stock", "serialized_space": "{\"version\": 1}", "warehouse_id": warehouse });
    let made = story.then("create_genie_space", made).await?;
    let id = &made["space_id"];
    story.then("update_genie_space", json!({ "space_id": id, "title": "Stock and orders" })).await?;
    let read = story.then("get_genie_space", json!({ "space_id": id })).await?;
    assert_eq!(read["title"], "Stock and orders", "{read}");
    story.delete("dashboards.genie.trash_space", json!({ "space_id": id })).await?;
    let left = story.then("list_genie_spaces", json!({})).await?;
    assert!(item(&left, "space_id", id.clone()).is_none(), "{left}");
    Ok(())
}

#[tokio::test]
async fn pipelines() -> Outcome {
    let story = Story::begin().await?;
    let library = json!([{ "notebook": { "path": "/Shared/etl/load" } }]);
    let made = json!({ "name": "stock", "catalog": "samples", "schema": "retail", "libraries": library });
    let made = story.then("create_pipeline", made).await?;
    let id = json!({ "pipeline_id": made["pipeline_id"] });
    let change = json!({ "pipeline_id": made["pipeline_id"], "name": "stock-2", "catalog": "samples", "schema": "retail", "libraries": library });
    story.then("update_pipeline", change).await?;
    let read = story.then("get_pipeline", id.clone()).await?;
    assert_eq!(read["name"], "stock-2", "{read}");
    story.then("delete_pipeline", id.clone()).await?;
    story.refused("get_pipeline", id, "not found").await
}

#[tokio::test]
async fn lakebase() -> Outcome {
    let story = Story::begin().await?;
    let projects = story.then("list_postgres_projects", json!({})).await?;
    let project = projects["items"][0]["name"].as_str().ok_or("no project")?;
    let source = format!("{project}/branches/production");
    let branch = format!("{project}/branches/dev-anna");
    let spec = json!({ "source_branch": source, "ttl": "604800s" });
    story.then("create_postgres_branch", json!({ "project": project, "branch_id": "dev-anna", "spec": spec })).await?;
    let branches = story.then("list_postgres_branches", json!({ "project": project })).await?;
    assert!(item(&branches, "name", branch.as_str()).is_some(), "{branches}");
    let endpoints = story.then("list_postgres_endpoints", json!({ "branch": branch })).await?;
    assert_eq!(endpoints["returned"], 1, "{endpoints}");
    let spec = json!({ "source_table_full_name": "samples.retail.orders", "branch": branch, "postgres_database": "app", "primary_key_columns": ["order_id"], "scheduling_policy": "SNAPSHOT" });
    story.then("create_synced_table", json!({ "full_name": "samples.retail.orders_pg", "spec": spec })).await?;
    let synced = story.then("get_synced_table", json!({ "name": "synced_tables/samples.retail.orders_pg" })).await?;
    assert_eq!(synced["status"]["detailed_state"], "SYNCED_TABLE_ONLINE", "{synced}");
    story.then("delete_postgres_branch", json!({ "name": branch })).await?;
    let left = story.then("list_postgres_branches", json!({ "project": project })).await?;
    assert!(item(&left, "name", branch.as_str()).is_none(), "{left}");
    story.refused("delete_postgres_branch", json!({ "name": source }), "protected").await
}

#[tokio::test]
async fn sharing() -> Outcome {
    let story = Story::begin().await?;
    story.then("create_share", json!({ "share_name": "for_beta", "comment": "Orders." })).await?;
    story
        .then(
            "create_recipient",
            json!({ "recipient_name": "beta", "data_recipient_global_metastore_id": "aws:us-west-2:0" }),
        )
        .await?;
    let add = |table: &str| json!({ "share_name": "for_beta", "updates": [{ "action": "ADD", "data_object": { "name": table, "data_object_type": "TABLE" } }] });
    story.then("update_share", add("samples.retail.orders")).await?;
    story.refused("update_share", add("samples.retail.nothing"), "does not exist").await?;
    let grant = json!({ "share_name": "for_beta", "changes": [{ "principal": "beta", "add": ["SELECT"] }] });
    story.then("update_share_grants", grant).await?;
    let share = story.then("get_share", json!({ "share_name": "for_beta" })).await?;
    assert!(share.to_string().contains("samples.retail.orders"), "{share}");
    let readable = story.then("list_recipient_shares", json!({ "recipient_name": "beta" })).await?;
    assert!(readable.to_string().contains("for_beta"), "{readable}");
    story.then("delete_recipient", json!({ "recipient_name": "beta" })).await?;
    let grants = story.then("get_share_grants", json!({ "share_name": "for_beta" })).await?;
    assert!(!grants.to_string().contains("\"beta\""), "{grants}");
    story.then("delete_share", json!({ "share_name": "for_beta" })).await?;
    story.refused("get_share", json!({ "share_name": "for_beta" }), "does not exist").await
}

#[tokio::test]
async fn agents() -> Outcome {
    let story = Story::begin().await?;
    let made = story
        .then("create_knowledge_assistant", json!({ "display_name": "Handbook", "description": "Travel rules." }))
        .await?;
    let name = &made["name"];
    let source = json!({ "assistant_name": name, "display_name": "Rules", "description": "Rules.", "source_type": "files", "files": { "path": "/Volumes/samples/retail/raw" } });
    story.then("create_knowledge_source", source).await?;
    let sources = story.then("list_knowledge_sources", json!({ "assistant_name": name })).await?;
    assert_eq!(sources["returned"], 1, "{sources}");
    story
        .delete("knowledgeassistants.knowledge_assistants.delete_knowledge_assistant", json!({ "name": name }))
        .await?;
    let left = story.then("list_knowledge_assistants", json!({})).await?;
    assert!(item(&left, "name", name.clone()).is_none(), "{left}");
    Ok(())
}

#[tokio::test]
async fn billing() -> Outcome {
    let story = Story::begin().await?;
    let made = story.then("create_budget", json!({ "budget": { "display_name": "Data team" } })).await?;
    let id = made
        .pointer("/budget/budget_configuration_id")
        .or_else(|| made.get("budget_configuration_id"))
        .ok_or(made.to_string())?;
    let read = story.then("get_budget", json!({ "budget_id": id })).await?;
    assert!(read.to_string().contains("Data team"), "{read}");
    let change =
        json!({ "budget_id": id, "budget": { "display_name": "Data and AI team", "budget_configuration_id": id } });
    story.delete("billing.budgets.update", change).await?;
    let all = story.then("list_budgets", json!({})).await?;
    assert!(item(&all, "display_name", "Data and AI team").is_some(), "{all}");
    story.delete("billing.budgets.delete", json!({ "budget_id": id })).await?;
    story.refused("get_budget", json!({ "budget_id": id }), "does not exist").await
}

#[tokio::test]
async fn account() -> Outcome {
    let story = Story::begin().await?;
    let assign = |permissions: Value| json!({ "workspace_id": 7712, "principal_id": 4711, "permissions": permissions });
    story.then("update_workspace_assignment", assign(json!(["ADMIN"]))).await?;
    let listed = story.then("list_workspace_assignments", json!({ "workspace_id": 7712 })).await?;
    assert!(listed.to_string().contains("ADMIN"), "{listed}");
    story.then("update_workspace_assignment", assign(json!([]))).await?;
    let listed = story.then("list_workspace_assignments", json!({ "workspace_id": 7712 })).await?;
    assert_eq!(listed["returned"], 0, "{listed}");
    Ok(())
}

#[tokio::test]
async fn governance() -> Outcome {
    let story = Story::begin().await?;
    let on = json!({ "on_securable_type": "SCHEMA", "on_securable_fullname": "samples.retail" });
    let mut policy = on.clone();
    policy["policy_name"] = json!("hide_mail");
    policy["policy_type"] = json!("POLICY_TYPE_ROW_FILTER");
    policy["to_principals"] = json!(["analysts"]);
    policy["row_filter"] = json!({ "function_name": "samples.retail.is_mine" });
    story.then("create_abac_policy", policy).await?;
    let listed = story.then("list_abac_policies", on.clone()).await?;
    assert!(item(&listed, "name", "hide_mail").is_some(), "{listed}");
    let mut below = json!({ "on_securable_type": "TABLE", "on_securable_fullname": "samples.retail.orders" });
    assert_eq!(story.then("list_abac_policies", below.clone()).await?["returned"], 1);
    below["include_inherited"] = json!(false);
    assert_eq!(story.then("list_abac_policies", below).await?["returned"], 0);
    let mut gone = on.clone();
    gone["policy_name"] = json!("hide_mail");
    story.then("delete_abac_policy", gone).await?;
    assert_eq!(story.then("list_abac_policies", on).await?["returned"], 0);

    let of_dashboard = json!({ "entity_type": "dashboards", "entity_id": "1" });
    let mut tag = of_dashboard.clone();
    tag["tag_key"] = json!("team");
    tag["tag_value"] = json!("sales");
    story.then("add_workspace_tag", tag).await?;
    let tags = story.then("list_workspace_tags", of_dashboard.clone()).await?;
    assert!(item(&tags, "tag_key", "team").is_some(), "{tags}");
    Ok(())
}

#[tokio::test]
async fn settings() -> Outcome {
    let story = Story::begin().await?;
    let list = json!({ "label": "office", "list_type": "ALLOW", "ip_addresses": ["203.0.113.0/24"] });
    let made = story.then("create_ip_access_list", list).await?;
    let id = made.pointer("/ip_access_list/list_id").or_else(|| made.get("list_id")).ok_or(made.to_string())?;
    story.then("update_ip_access_list", json!({ "ip_access_list_id": id, "enabled": false })).await?;
    let read = story.then("get_ip_access_list", json!({ "ip_access_list_id": id })).await?;
    assert!(read.to_string().contains("\"enabled\":false"), "{read}");
    story.then("delete_ip_access_list", json!({ "ip_access_list_id": id })).await?;
    story.refused("get_ip_access_list", json!({ "ip_access_list_id": id }), "does not exist").await
}

#[tokio::test]
async fn tokens() -> Outcome {
    let story = Story::begin().await?;
    let tokens = story.then("list_tokens", json!({})).await?;
    let before = tokens["returned"].as_u64().ok_or("no count")?;
    let id = tokens["items"][0]["token_id"].clone();
    story.then("revoke_token", json!({ "token_id": id })).await?;
    let left = story.then("list_tokens", json!({})).await?;
    assert_eq!(left["returned"], before - 1, "{left}");
    Ok(())
}

#[tokio::test]
async fn secrets() -> Outcome {
    let story = Story::begin().await?;
    story.then("create_secret_scope", json!({ "scope": "night" })).await?;
    let of = json!({ "scope": "night", "principal": "analysts" });
    story.then("put_secret_acl", json!({ "scope": "night", "principal": "analysts", "permission": "READ" })).await?;
    assert_eq!(story.then("get_secret_acl", of.clone()).await?["permission"], "READ");
    story.then("put_secret_acl", json!({ "scope": "night", "principal": "analysts", "permission": "MANAGE" })).await?;
    let acls = story.then("list_secret_acls", json!({ "scope": "night" })).await?;
    assert_eq!(item(&acls, "principal", "analysts").ok_or("no rule")?["permission"], "MANAGE", "{acls}");
    story.then("delete_secret_acl", of).await?;
    story.then("delete_secret_scope", json!({ "scope": "night" })).await?;
    story.refused("list_secret_acls", json!({ "scope": "night" }), "does not exist").await
}

#[tokio::test]
async fn marketplace() -> Outcome {
    let story = Story::begin().await?;
    let found = story.then("search_marketplace_listings", json!({ "query": "weather history" })).await?;
    let id = json!({ "listing_id": found["items"][0]["id"] });
    let read = story.then("get_marketplace_listing", id.clone()).await?;
    assert!(read.to_string().contains("weather_history"), "{read}");
    let content = story.then("list_marketplace_listing_content", id.clone()).await?;
    assert_eq!(content["returned"], 2, "{content}");
    let install = |version: &str| json!({ "listing_id": id["listing_id"], "catalog_name": "weather", "accepted_consumer_terms": { "version": version } });
    story.refused("install_marketplace_listing", install("1"), "have to be accepted").await?;
    let installed = story.then("install_marketplace_listing", install("05-2023")).await?;
    let catalogs = story.then("list_catalogs", json!({})).await?;
    assert!(item(&catalogs, "name", "weather").is_some(), "{catalogs}");
    let mut arguments = id.clone();
    arguments["installation_id"] = installed["installation"]["id"].clone();
    story.delete("marketplace.consumer_installations.delete", arguments).await?;
    let catalogs = story.then("list_catalogs", json!({})).await?;
    assert!(item(&catalogs, "name", "weather").is_none(), "{catalogs}");
    story.then("list_my_marketplace_listings", json!({})).await?;
    Ok(())
}
