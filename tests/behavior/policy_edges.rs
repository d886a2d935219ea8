//! What a policy denies stays out of reach at its edges: under a new name, as an item of a list, in views on metadata.

use serde_json::{Value, json};

use crate::harness::Outcome;
use crate::policy::{decided, governed, through};

const NO_ORDERS: &str = "rules:\n- { name: no orders, effect: deny, data: [samples.retail.orders] }\n";

#[tokio::test]
async fn a_new_name_is_asked_about_as_the_old_one() -> Outcome {
    let policy = "rules:\n- { name: not prod, effect: deny, data: [prod, main.prod, main.default.prod] }\n";
    let (harness, directory) = governed(policy).await?;
    harness.answer("create_schema", json!({ "catalog_name": "main", "schema_name": "dev" })).await?;
    let volume =
        json!({ "catalog_name": "main", "schema_name": "default", "volume_name": "dev", "volume_type": "MANAGED" });
    harness.answer("create_volume", volume).await?;
    let schema = json!({ "full_name": "main.dev", "new_name": "PROD" });
    let volume = json!({ "name": "main.default.dev", "new_name": "prod" });
    for (tool, arguments) in [
        ("update_catalog", json!({ "catalog_name": "main", "new_name": "prod" })),
        ("update_catalog", json!({ "catalog_name": "main", "new_name": "Prod" })),
        ("update_schema", schema.clone()),
        ("update_schema", json!({ "full_name": "main.dev", "new_name": "`prod`" })),
        // A path is no name, and nothing tells what it would be.
        ("update_schema", json!({ "full_name": "main.dev", "new_name": "a.b" })),
        ("call_destructive_operation", through("update_schema", schema.clone())),
        ("call_destructive_operation", through("catalog.schemas.update", schema)),
        ("call_destructive_operation", through("catalog.volumes.update", volume)),
    ] {
        let refusal = harness.refusal(tool, arguments.clone()).await?;
        assert!(refusal.contains("does not allow") && refusal.contains("not prod"), "{tool} {arguments}: {refusal}");
        assert_eq!(decided(&directory)?, (json!("refused"), json!("policy: not prod")), "{tool} {arguments}");
    }
    harness.answer("update_schema", json!({ "full_name": "main.dev", "new_name": "test" })).await?;
    Ok(())
}

#[tokio::test]
async fn a_new_name_of_a_job_or_a_cluster_is_asked_about() -> Outcome {
    let (harness, _directory) = governed("rules:\n- { name: not prod, effect: deny, jobs: [prod] }\n").await?;
    let jobs = harness.answer("list_jobs", json!({ "limit": 1 })).await?;
    let renamed = |name: &str| json!({ "job_id": jobs["items"][0]["job_id"], "new_settings": { "name": name } });
    for (tool, arguments) in
        [("update_job", renamed("prod")), ("call_destructive_operation", through("jobs.jobs.reset", renamed("Prod")))]
    {
        let refusal = harness.refusal(tool, arguments.clone()).await?;
        assert!(refusal.contains("of jobs (`not prod`)"), "{tool} {arguments}: {refusal}");
    }
    harness.answer("update_job", renamed("test")).await?;
    let (harness, _directory) = governed("rules:\n- { name: not prod, effect: deny, clusters: [prod] }\n").await?;
    let clusters = harness.answer("list_clusters", json!({})).await?;
    let renamed = json!({ "cluster_id": clusters["items"][0]["cluster_id"], "update_mask": "cluster_name", "cluster": { "cluster_name": "prod" } });
    let refusal = harness.refusal("update_cluster", renamed).await?;
    assert!(refusal.contains("`prod` of clusters (`not prod`)"), "{refusal}");
    Ok(())
}

/// The item of a list with this name.
fn named<'a>(list: &'a Value, field: &str, name: &str) -> Result<&'a Value, String> {
    let is_it = |item: &&Value| item.pointer(field).is_some_and(|found| found == name);
    list["items"].as_array().and_then(|items| items.iter().find(is_it)).ok_or_else(|| format!("no {name}: {list}"))
}

#[tokio::test]
async fn lists_name_what_is_denied_and_show_nothing_of_it() -> Outcome {
    let (harness, _directory) = governed(NO_ORDERS).await?;
    let all = json!({ "catalog_name": "samples", "schema_name": "retail", "fields": ["*"] });
    let brief = json!({ "catalog_name": "samples", "schema_name": "retail", "columns": true });
    for (tool, arguments) in
        [("list_tables", all.clone()), ("list_tables", brief), ("call_read_operation", through("list_tables", all))]
    {
        let tables = harness.answer(tool, arguments.clone()).await?;
        let orders = named(&tables, "/full_name", "samples.retail.orders")?;
        let has_columns = orders.get("columns").is_some_and(|columns| columns != "");
        assert!(!has_columns && orders.get("owner").is_none(), "{arguments}: {orders}");
        let customers = named(&tables, "/full_name", "samples.retail.customers")?;
        assert!(customers["columns"].to_string().contains("email"), "{arguments}: {customers}");
    }
    let policy = "rules:\n- { name: hidden, effect: deny, jobs: ['*'], clusters: ['*'], warehouses: ['*'], paths: [/Shared/etl] }\n";
    let (harness, _directory) = governed(policy).await?;
    let jobs = harness.answer("list_jobs", json!({ "fields": ["*"], "limit": 2 })).await?;
    let settings = jobs["items"][0]["settings"].as_object().ok_or("no settings")?;
    assert_eq!(settings.keys().collect::<Vec<_>>(), ["name"], "{jobs}");
    let clusters = harness.answer("list_clusters", json!({ "fields": ["*"] })).await?;
    assert!(clusters["items"][0].get("spark_version").is_none(), "{clusters}");
    let items = harness.answer("list_workspace_items", json!({ "path": "/Shared", "fields": ["*"] })).await?;
    assert!(named(&items, "/path", "/Shared/etl")?.get("created_at").is_none(), "{items}");
    Ok(())
}

#[tokio::test]
async fn fields_show_nothing_of_what_is_denied() -> Outcome {
    let (harness, directory) = governed(NO_ORDERS).await?;
    let schema =
        |fields: Value| json!({ "securable_type": "TABLE", "full_name": "samples.retail.orders", "fields": fields });
    for fields in [json!(["*"]), json!(["privilege_assignments"])] {
        for (tool, arguments) in [
            ("get_grants", schema(fields.clone())),
            ("call_read_operation", through("get_grants", schema(fields.clone()))),
        ] {
            let refusal = harness.refusal(tool, arguments.clone()).await?;
            assert!(refusal.contains("no orders"), "{arguments}: {refusal}");
            assert_eq!(decided(&directory)?, (json!("refused"), json!("policy: no orders")), "{arguments}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn views_on_metadata_tell_of_what_is_denied() -> Outcome {
    let (harness, _directory) = governed(NO_ORDERS).await?;
    for statement in [
        "SELECT column_name FROM samples.information_schema.columns WHERE table_name = 'orders'",
        "SELECT column_name FROM `Samples`.`INFORMATION_SCHEMA`.columns",
        "SELECT * FROM system.information_schema.views",
        "SELECT statement_text FROM system.query.history",
        "SELECT * FROM System.Access.Audit",
    ] {
        for (tool, arguments) in [
            ("execute_sql", json!({ "statement": statement })),
            ("call_destructive_operation", through("execute_sql", json!({ "statement": statement }))),
        ] {
            let refusal = harness.refusal(tool, arguments).await?;
            assert!(refusal.contains("does not allow") && refusal.contains("no orders"), "{statement}: {refusal}");
        }
    }
    harness
        .answer("execute_sql", json!({ "statement": "SELECT count(*) FROM main.information_schema.tables" }))
        .await?;
    // Whoever trusts a tool with that says so by its name.
    let trusting = format!("{NO_ORDERS}- {{ name: names may be found, effect: allow, tools: [search_tables] }}\n");
    for (policy, is_whole) in [(NO_ORDERS, false), (&trusting, true)] {
        let (harness, _directory) = governed(policy).await?;
        let found = harness.answer("search_tables", json!({ "query": "orders" })).await?;
        let is_only_by_names = found["searched"].as_str().is_some_and(|text| text.starts_with("names only"));
        assert_eq!(!is_only_by_names, is_whole, "{found}");
    }
    Ok(())
}

#[tokio::test]
async fn other_spellings_of_a_name_are_that_name() -> Outcome {
    let (harness, _directory) = governed(NO_ORDERS).await?;
    for name in
        ["SAMPLES.RETAIL.ORDERS", "`samples`.`retail`.`orders`", "samples.retail.`Orders`", " samples.retail.orders "]
    {
        let refusal = harness.refusal("get_table_schema", json!({ "full_name": name })).await?;
        assert!(refusal.contains("no orders"), "{name}: {refusal}");
    }
    // Signs that look like others, have no width, or are folded by some: none of them may reach the table.
    for name in [
        "samples.retail.\u{43e}rders",
        "samples.retail.orders\u{200b}",
        "samples.retail.\u{ff4f}rders",
        "samples.retail.order\u{17f}",
        "samples\u{3002}retail\u{3002}orders",
        "samples.retail.orders\u{0}",
        "samples.retail.%6Frders",
        "samples.retail.orders/",
        "samples.retail.orders?x=1",
    ] {
        for (tool, arguments) in [
            ("get_table_schema", json!({ "full_name": name })),
            ("execute_sql", json!({ "statement": format!("SELECT * FROM {name}") })),
            ("execute_sql", json!({ "statement": format!("SELECT * FROM `{}`", name.replace('.', "`.`")) })),
        ] {
            let result = harness.call(tool, arguments.clone()).await?;
            assert_eq!(result.is_error, Some(true), "{tool} {arguments}: {result:?}");
        }
    }
    Ok(())
}
