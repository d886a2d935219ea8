//! What an error tells the caller to do: the tool that shows what exists, and not another one.

use databricks_mcp_server::registry::{Registry, Selection};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome, text};
use crate::twist::Exchange;

/// Tools that show what exists, whose names an error may hold.
fn named(refusal: &str) -> Vec<&str> {
    let advice = refusal.split_once("\nhint: ").map(|(_, advice)| advice).unwrap_or_default();
    let quoted = advice.split('`').skip(1).step_by(2);
    quoted.filter(|name| ["list_", "search_"].iter().any(|verb| name.starts_with(verb))).collect()
}

fn grant(principal: &str) -> Value {
    json!({ "securable_type": "TABLE", "full_name": "samples.retail.orders",
        "changes": [{ "principal": principal, "add": ["SELECT"] }] })
}

#[tokio::test]
async fn what_is_missing_decides_what_to_look_at() -> Outcome {
    let harness = Harness::whole().await?;
    let principals = vec!["list_users", "list_groups", "list_service_principals"];
    let member = json!([{ "op": "add", "path": "members", "value": [{ "value": "4711" }] }]);
    let groups = harness.answer("list_groups", json!({ "filter": "displayName eq \"analysts\"" })).await?;
    let group = &groups["items"][0]["id"];
    for (tool, arguments, expected) in [
        ("update_grants", grant("nobody"), principals.clone()),
        (
            "update_grants",
            json!({ "securable_type": "TABLE", "full_name": "samples.retail.nothing", "changes": [] }),
            vec!["search_tables", "list_tables"],
        ),
        (
            "update_grants",
            json!({ "securable_type": "SCHEMA", "full_name": "samples.nope", "changes": [] }),
            vec!["list_schemas"],
        ),
        (
            "update_permissions",
            json!({ "object_type": "jobs", "object_id": "1", "access_control_list": [{ "group_name": "x", "permission_level": "CAN_VIEW" }] }),
            vec!["list_jobs"],
        ),
        ("update_group", json!({ "group_id": group, "operations": member }), principals.clone()),
        ("update_group", json!({ "group_id": "analysts", "operations": [] }), vec!["list_groups"]),
        ("list_volume_files", json!({ "path": "/Volumes/samples/retail/nope" }), vec!["list_volumes"]),
        ("read_volume_file", json!({ "path": "/Volumes/samples/nope/raw/a.csv" }), vec!["list_volumes"]),
        ("create_schema", json!({ "catalog_name": "nope", "schema_name": "a" }), vec!["list_catalogs"]),
        ("read_dbfs_file", json!({ "path": "/nope.txt" }), vec!["list_dbfs_files"]),
        ("delete_cluster", json!({ "cluster_id": "nope" }), vec!["list_clusters"]),
        ("export_notebook", json!({ "path": "/Shared/nope" }), vec!["list_workspace_items"]),
        ("get_workspace_model", json!({ "model_name": "nope" }), vec!["list_workspace_models"]),
    ] {
        let result = harness.call(tool, arguments.clone()).await?;
        let refusal = text(&result);
        assert_eq!(result.is_error, Some(true), "{tool} {arguments}: {refusal}");
        assert_eq!(named(&refusal), expected, "{tool} {arguments}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn discovery_mode_names_what_its_tools_can_call() -> Outcome {
    let toolsets = vec!["discovery".to_owned(), "reach".to_owned()];
    let harness = Harness::open(Selection { toolsets, ..Selection::default() }, 6_000).await?;
    let call = json!({ "operation": "get_job", "arguments": { "job_id": 1 } });
    let refusal = harness.refusal("call_read_operation", call).await?;
    assert!(refusal.contains("see what exists with `list_jobs`; call what is not listed with"), "{refusal}");
    assert!(!refusal.contains("search_operations"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn usual_mistakes_have_advice_of_their_own() -> Outcome {
    let harness = Harness::whole().await?;
    harness.answer("create_app", json!({ "app_name": "price-check" })).await?;
    let refusal =
        harness.refusal("deploy_app", json!({ "name": "price-check", "source_code_path": "/Shared/etl" })).await?;
    assert!(refusal.contains("`get_app`") && refusal.contains("`start_app`"), "{refusal}");
    let dashboard = harness.answer("create_dashboard", json!({ "display_name": "New" })).await?;
    let refusal =
        harness.refusal("get_published_dashboard", json!({ "dashboard_id": dashboard["dashboard_id"] })).await?;
    assert!(refusal.contains("`publish_dashboard`"), "{refusal}");
    let groups = harness.answer("list_groups", json!({ "filter": "displayName eq \"analysts\"" })).await?;
    let member = json!([{ "op": "add", "path": "members", "value": [{ "value": "jane@acme.test" }] }]);
    let arguments = json!({ "group_id": groups["items"][0]["id"], "operations": member });
    let refusal = harness.refusal("update_group", arguments).await?;
    assert!(refusal.contains("numeric ids") && named(&refusal) == ["list_users"], "{refusal}");
    let refusal = harness.refusal("run_job_now", json!({ "job_id": "nightly-sales" })).await?;
    assert!(
        refusal.contains("expected an id made of digits") && refusal.contains("find it with `list_jobs`"),
        "{refusal}"
    );
    // A group that is made in a workspace is none of the account, as its description says.
    harness.answer("create_group", json!({ "display_name": "night-shift" })).await?;
    let refusal = harness.refusal("update_grants", grant("night-shift")).await?;
    assert!(refusal.contains("Could not find principal"), "{refusal}");
    Ok(())
}

/// What an error shows as a valid call has to be one: it passes the checks of the arguments, and those of the tool itself.
#[tokio::test]
async fn the_call_that_an_error_shows_is_taken() -> Outcome {
    // A host of workspaces and accounts, so that operations of both are sent.
    let unified = |exchange: &mut Exchange| {
        if exchange.is("GET /.well-known/databricks-config") {
            exchange.answer["host_type"] = json!("unified");
        }
    };
    let harness = Harness::twisted_with(&["all"], 2_000, unified).await?;
    let mut refused = Vec::new();
    for tool in Registry::all().into_iter().chain(Registry::reachable()) {
        let name = tool.definition.name;
        let call = json!({ "operation": name, "arguments": tool.example() });
        let result = match ["discovery", "reach"].contains(&tool.definition.toolset) {
            true => continue,
            false => harness.call("call_destructive_operation", call).await?,
        };
        let told = text(&result);
        let words = [
            "cannot call `",
            "bad arguments",
            "give one of",
            "neither",
            "is no number",
            "is no time",
            "is not an absolute path",
        ];
        if result.is_error == Some(true) && words.iter().any(|words| told.contains(words)) {
            refused.push(format!("{name} {}: {told}", tool.example()));
        }
    }
    assert!(refused.is_empty(), "{}", refused.join("\n\n"));
    let keys =
        Registry::all().into_iter().find(|tool| tool.definition.name == "get_workspace_conf").ok_or("no tool")?;
    harness.answer("get_workspace_conf", keys.example()).await?;
    Ok(())
}

#[tokio::test]
async fn a_search_says_what_it_does_not_show_and_what_fits_badly() -> Outcome {
    let harness = Harness::whole().await?;
    let query = json!({ "query": "create_job", "describe": true, "limit": 1 });
    let found = harness.answer("search_operations", query).await?;
    let job = &found["operations"][0];
    assert!(
        job["arguments_note"].as_str().is_some_and(|note| note.contains("`get_input_schema` of `create_job`")),
        "{job}"
    );
    assert!(
        job["arguments"]["properties"]["job_clusters"]["items"].get("properties").is_none(),
        "no example is a property: {job}"
    );
    let schema = harness.answer("get_input_schema", json!({ "tool": "create_job" })).await?;
    assert!(schema["note"].as_str().is_some_and(|note| note.contains("cut")), "{schema}");
    let found = harness.answer("search_tools", json!({ "query": "listapps", "limit": 1 })).await?;
    assert_eq!((&found["tools"][0]["tool"], found["tools"][0].get("match")), (&json!("list_apps"), None), "{found}");
    let found =
        harness.answer("search_tools", json!({ "query": "make me a good coffee with milk", "limit": 1 })).await?;
    assert_eq!(found["tools"][0]["match"], "weak", "{found}");
    for (query, first) in [
        ("find a notebook", "list_workspace_items"),
        ("run SQL", "execute_sql"),
        ("save result of a query as csv", "execute_sql"),
    ] {
        let found = harness.answer("search_tools", json!({ "query": query, "limit": 1 })).await?;
        assert_eq!(
            (&found["tools"][0]["tool"], found["tools"][0].get("match")),
            (&json!(first), None),
            "{query}: {found}"
        );
    }
    Ok(())
}
