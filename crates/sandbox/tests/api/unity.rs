//! More of Unity Catalog: external tables, functions, models, places outside, tags, constraints, lineage.

use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, patch, post, send, start};

const UC: &str = "/api/2.1/unity-catalog";

#[tokio::test]
async fn external_tables_are_registered_and_queried() -> Checked {
    let sandbox = start().await?;
    let columns = json!([{"name": "id", "type_text": "bigint", "type_name": "LONG", "position": 0, "nullable": false},
        {"name": "price", "type_text": "decimal(8,2)", "type_name": "DECIMAL", "position": 1, "comment": "in euro"}]);
    let body = json!({"name": "ext", "catalog_name": "main", "schema_name": "default", "table_type": "EXTERNAL", "data_source_format": "DELTA",
        "storage_location": "s3://sandbox-landing/ext", "columns": columns, "properties": {"team": "retail"}});
    let made = post(&sandbox, &format!("{UC}/tables"), body.clone()).await?;
    assert_eq!(
        (made.status, made.at("/table_type"), made.at("/columns/1/type_scale")),
        (200, json!("EXTERNAL"), json!(2))
    );
    let told = get(&sandbox, &format!("{UC}/tables/main.default.ext")).await?;
    assert_eq!(
        (told.at("/storage_location"), told.at("/properties/team")),
        (json!("s3://sandbox-landing/ext"), json!("retail"))
    );
    let rows = crate::sql::run(&sandbox, "SELECT count(*), max(price) FROM main.default.ext").await?;
    assert_eq!(rows["result"]["data_array"], json!([["0", null]]));
    assert_eq!(post(&sandbox, &format!("{UC}/tables"), body.clone()).await?.code(), "TABLE_ALREADY_EXISTS");
    for (field, value) in [("table_type", "MANAGED"), ("schema_name", "nowhere"), ("data_source_format", "CSV")] {
        let mut wrong = body.clone();
        wrong[field] = json!(value);
        wrong["name"] = json!("other");
        assert!(matches!(post(&sandbox, &format!("{UC}/tables"), wrong).await?.status, 400 | 404), "{field}");
    }
    let mut wrong = body;
    wrong["columns"][0]["type_text"] = json!("bigintt");
    assert!(post(&sandbox, &format!("{UC}/tables"), wrong).await?.at("/message").to_string().contains("id"));
    Ok(())
}

#[tokio::test]
async fn functions_and_volumes_are_created_renamed_and_dropped() -> Checked {
    let sandbox = start().await?;
    let info = json!({"name": "double", "catalog_name": "main", "schema_name": "default", "input_params": {"parameters": []}, "data_type": "INT",
        "full_data_type": "INT", "routine_body": "SQL", "routine_definition": "2 * x", "parameter_style": "S", "is_deterministic": true,
        "sql_data_access": "CONTAINS_SQL", "is_null_call": false, "security_type": "DEFINER", "specific_name": "double"});
    let made = post(&sandbox, &format!("{UC}/functions"), json!({"function_info": info})).await?;
    assert_eq!((made.status, made.at("/full_name")), (200, json!("main.default.double")), "{}", made.json());
    let again = post(&sandbox, &format!("{UC}/functions"), json!({"function_info": info})).await?;
    assert_eq!((again.status, again.code()), (409, "FUNCTION_ALREADY_EXISTS".to_owned()));
    let path = format!("{UC}/functions/main.default.double");
    assert_eq!(patch(&sandbox, &path, json!({"owner": "analysts"})).await?.at("/owner"), "analysts");
    assert_eq!(get(&sandbox, &path).await?.at("/routine_definition"), "2 * x");
    let page = get(&sandbox, &format!("{UC}/functions?catalog_name=main&schema_name=default&max_results=1")).await?;
    assert!(page.at("/next_page_token").is_string(), "{}", page.json());
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &path).await?.code(), "FUNCTION_DOES_NOT_EXIST");

    let file = "/api/2.0/fs/files/Volumes/main/default";
    let renamed =
        patch(&sandbox, &format!("{UC}/volumes/main.default.landing"), json!({"new_name": "arrivals"})).await?;
    assert_eq!(renamed.at("/name"), "arrivals");
    assert_eq!(get(&sandbox, &format!("{file}/arrivals/README.md")).await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{file}/landing/README.md")).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn models_have_versions_and_aliases() -> Checked {
    let sandbox = start().await?;
    let model = format!("{UC}/models/main.ml.churn_model");
    assert_eq!(get(&sandbox, &format!("{model}/aliases/champion")).await?.at("/version"), 2);
    let page = get(&sandbox, &format!("{model}/versions?max_results=2")).await?;
    assert_eq!(page.at("/model_versions").as_array().map(Vec::len), Some(2));
    let rest = get(
        &sandbox,
        &format!(
            "{model}/versions?max_results=2&page_token={}",
            page.at("/next_page_token").as_str().unwrap_or_default()
        ),
    )
    .await?;
    assert_eq!((rest.at("/model_versions/0/version"), rest.at("/next_page_token")), (json!(3), Value::Null));
    let set = send(&sandbox, "PUT", &format!("{model}/aliases/champion"), br#"{"version_num": 3}"#).await?;
    assert_eq!(set.at("/version_num"), 3);
    let aliases = get(&sandbox, &format!("{model}?include_aliases=true")).await?.at("/aliases");
    assert_eq!(aliases.as_array().map(Vec::len), Some(2));
    assert_eq!(send(&sandbox, "PUT", &format!("{model}/aliases/x"), br#"{"version_num": 9}"#).await?.status, 404);
    assert_eq!(patch(&sandbox, &format!("{model}/versions/1"), json!({"comment": "old"})).await?.at("/comment"), "old");
    assert_eq!(send(&sandbox, "DELETE", &format!("{model}/versions/1"), b"").await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{model}/versions/1")).await?.status, 404);
    let renamed = patch(&sandbox, &model, json!({"new_name": "leavers"})).await?;
    assert_eq!(renamed.at("/full_name"), "main.ml.leavers");
    assert_eq!(get(&sandbox, &format!("{UC}/models/main.ml.leavers/versions/3")).await?.at("/model_name"), "leavers");
    let made =
        post(&sandbox, &format!("{UC}/models"), json!({"name": "new", "catalog_name": "main", "schema_name": "ml"}))
            .await?;
    assert_eq!(made.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &format!("{UC}/models/main.ml.new"), b"").await?.status, 200);
    Ok(())
}

#[tokio::test]
async fn places_outside_depend_on_their_credential() -> Checked {
    let sandbox = start().await?;
    let role = json!({"role_arn": "arn:aws:iam::000000000000:role/mine"});
    let made =
        post(&sandbox, &format!("{UC}/storage-credentials"), json!({"name": "mine", "aws_iam_role": role})).await?;
    assert_eq!((made.status, made.at("/name")), (200, json!("mine")));
    assert_eq!(post(&sandbox, &format!("{UC}/storage-credentials"), json!({"name": "none"})).await?.status, 400);
    let location = |name: &str, url: &str| json!({"name": name, "url": url, "credential_name": "mine"});
    let locations = format!("{UC}/external-locations");
    assert_eq!(post(&sandbox, &locations, location("one", "s3://bucket/one")).await?.status, 200);
    assert_eq!(post(&sandbox, &locations, location("two", "s3://bucket/one/two")).await?.code(), "LOCATION_OVERLAP");
    assert_eq!(post(&sandbox, &locations, location("one", "s3://bucket/x")).await?.status, 409);
    let gone = send(&sandbox, "DELETE", &format!("{UC}/storage-credentials/mine"), b"").await?;
    assert_eq!(gone.code(), "INVALID_STATE");
    let renamed = patch(&sandbox, &format!("{locations}/one"), json!({"new_name": "uno", "comment": "first"})).await?;
    assert_eq!((renamed.at("/name"), renamed.at("/comment")), (json!("uno"), json!("first")));
    let page = get(&sandbox, &format!("{locations}?max_results=1")).await?;
    assert_eq!(
        (page.at("/external_locations/0/name"), page.at("/next_page_token").is_string()),
        (json!("landing-zone"), true)
    );
    assert_eq!(send(&sandbox, "DELETE", &format!("{locations}/uno"), b"").await?.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &format!("{UC}/storage-credentials/mine"), b"").await?.status, 200);
    let options = json!({"host": "db.example.test", "password": "very secret"});
    let body = json!({"name": "db", "connection_type": "MYSQL", "options": options});
    let made = post(&sandbox, &format!("{UC}/connections"), body).await?;
    assert_eq!(made.at("/options"), json!({"host": "db.example.test"}));
    assert_eq!(get(&sandbox, &format!("{UC}/permissions/connection/db")).await?.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &format!("{UC}/connections/db"), b"").await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{UC}/connections/db")).await?.code(), "CONNECTION_DOES_NOT_EXIST");
    // Passwords are taken and forgotten, also when they are changed.
    let secret = json!({"options": {"host": "crm-2.test", "password": "hush"}});
    patch(&sandbox, &format!("{UC}/connections/crm"), secret).await?;
    assert_eq!(get(&sandbox, &format!("{UC}/connections/crm")).await?.at("/options"), json!({"host": "crm-2.test"}));
    let principal = json!({"directory_id": "d", "application_id": "a", "client_secret": "hush"});
    let body = json!({"name": "azure", "purpose": "SERVICE", "azure_service_principal": principal});
    let made = post(&sandbox, &format!("{UC}/credentials"), body).await?;
    assert_eq!(made.at("/azure_service_principal"), json!({"directory_id": "d", "application_id": "a"}));
    assert_eq!(get(&sandbox, &format!("{UC}/storage-credentials/azure")).await?.status, 404);
    let services = get(&sandbox, &format!("{UC}/credentials?purpose=SERVICE")).await?;
    assert_eq!((services.at("/credentials/0/name"), services.at("/credentials/1")), (json!("azure"), json!(null)));
    let stores = get(&sandbox, &format!("{UC}/credentials?purpose=STORAGE")).await?;
    assert_eq!(stores.at("/credentials/0/name"), json!("sandbox-storage"));
    Ok(())
}

#[tokio::test]
async fn tags_keep_to_their_policy() -> Checked {
    let sandbox = start().await?;
    let policy = json!({"tag_key": "level", "values": [{"name": "low"}, {"name": "high"}]});
    assert_eq!(post(&sandbox, "/api/2.1/tag-policies", policy.clone()).await?.status, 200);
    assert_eq!(post(&sandbox, "/api/2.1/tag-policies", policy).await?.status, 409);
    let tags = format!("{UC}/entity-tag-assignments");
    let tag = |entity: &str, value: &str| json!({"entity_type": "tables", "entity_name": entity, "tag_key": "level", "tag_value": value});
    let orders = "samples.retail.orders";
    assert_eq!(post(&sandbox, &tags, tag(orders, "middle")).await?.status, 400);
    assert_eq!(post(&sandbox, &tags, tag("samples.retail.nowhere", "low")).await?.status, 404);
    assert_eq!(post(&sandbox, &tags, tag(orders, "low")).await?.at("/tag_value"), "low");
    assert_eq!(post(&sandbox, &tags, tag(orders, "low")).await?.status, 409);
    let own = format!("{tags}/tables/{orders}/tags");
    let change = json!({"entity_type": "tables", "entity_name": orders, "tag_key": "level", "tag_value": "high"});
    let changed = patch(&sandbox, &format!("{own}/level?update_mask=tag_value"), change).await?;
    assert_eq!(changed.at("/tag_value"), "high", "{}", changed.json());
    assert_eq!(get(&sandbox, &own).await?.at("/tag_assignments").as_array().map(Vec::len), Some(1));
    assert_eq!(send(&sandbox, "DELETE", &format!("{own}/level"), b"").await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{own}/level")).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn constraints_are_told_with_their_table() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let key = |column: &str| json!({"full_name_arg": "samples.retail.customers", "constraint": {"primary_key_constraint": {"name": "pk", "child_columns": [column]}}});
    assert_eq!(post(&sandbox, &format!("{UC}/constraints"), key("nope")).await?.status, 400);
    assert_eq!(post(&sandbox, &format!("{UC}/constraints"), key("customer_id")).await?.status, 200);
    assert_eq!(post(&sandbox, &format!("{UC}/constraints"), key("customer_id")).await?.status, 409);
    let table = get(&sandbox, &format!("{UC}/tables/samples.retail.customers")).await?;
    assert_eq!(table.at("/table_constraints/0/primary_key_constraint/name"), "pk");
    let path = format!("{UC}/constraints/samples.retail.customers?constraint_name=pk&cascade=false");
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 404);
    let spec = json!({"source_table_full_name": "samples.retail.customers", "primary_key_columns": ["customer_id"]});
    let made = post(&sandbox, "/api/2.0/online-tables", json!({"name": "main.default.online", "spec": spec})).await?;
    assert_eq!(made.at("/unity_catalog_provisioning_state"), "PROVISIONING");
    sandbox.advance(Duration::from_secs(1));
    let path = "/api/2.0/online-tables/main.default.online";
    assert_eq!(get(&sandbox, path).await?.at("/unity_catalog_provisioning_state"), "ACTIVE");
    assert_eq!(send(&sandbox, "DELETE", path, b"").await?.status, 200);
    assert_eq!(get(&sandbox, path).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn lineage_follows_jobs_and_views() -> Checked {
    let sandbox = start().await?;
    let path = "/api/2.0/lineage-tracking";
    let lineage =
        get(&sandbox, &format!("{path}/table-lineage?table_name=main.sales.daily_revenue&include_entity_lineage=true"))
            .await?;
    assert_eq!(lineage.at("/upstreams/0/tableInfo/name"), "orders");
    assert_eq!(lineage.at("/upstreams/0/jobInfos/0/job_id"), 620_114_300_000_101_i64);
    let notebook = get(&sandbox, "/api/2.0/workspace/get-status?path=/Shared/etl/load_orders").await?.at("/object_id");
    assert_eq!(lineage.at("/upstreams/0/notebookInfos/0/notebook_id"), notebook);
    assert_eq!(lineage.at("/downstreams/0/jobInfos").as_array().map(Vec::len), Some(2));
    let plain = get(&sandbox, &format!("{path}/table-lineage?table_name=main.sales.daily_revenue")).await?;
    assert_eq!(plain.at("/upstreams/0/jobInfos"), Value::Null);
    // Who only reads is told with the entities alone.
    assert_eq!(plain.at("/downstreams/0/tableInfo/name"), "demand");
    assert_eq!(plain.at("/downstreams").as_array().map(Vec::len), Some(1));
    crate::sql::run(
        &sandbox,
        "CREATE VIEW main.default.spenders AS SELECT name, revenue FROM main.sales.top_customers",
    )
    .await?;
    let view = get(&sandbox, &format!("{path}/table-lineage?table_name=main.default.spenders")).await?;
    assert_eq!(view.at("/upstreams/0/tableInfo/table_type"), "VIEW");
    let columns =
        get(&sandbox, &format!("{path}/column-lineage?table_name=main.sales.daily_revenue&column_name=revenue"))
            .await?;
    assert_eq!(
        (columns.at("/upstream_cols/0/name"), columns.at("/upstream_cols/0/table_name")),
        (json!("total"), json!("orders"))
    );
    assert_eq!(get(&sandbox, &format!("{path}/table-lineage?table_name=main.sales.nowhere")).await?.json(), json!({}));
    let refused = post(&sandbox, &format!("{path}/table-lineage"), json!({"table_name": "x"})).await?;
    assert_eq!((refused.status, refused.code()), (404, "ENDPOINT_NOT_FOUND".to_owned()));
    let dashboard =
        get(&sandbox, &format!("{path}/table-lineage?table_name=main.sales.top_customers&include_entity_lineage=true"))
            .await?;
    let ids: Vec<_> = dashboard
        .at("/downstreams")
        .as_array()
        .into_iter()
        .flatten()
        .map(|down| down["dashboardInfos"][0]["dashboard_id"].clone())
        .collect();
    let id = ids.iter().find_map(Value::as_str).unwrap_or_default().to_owned();
    assert_eq!(get(&sandbox, &format!("/api/2.0/lakeview/dashboards/{id}")).await?.status, 200);
    let rows = crate::sql::run(&sandbox, "SELECT DISTINCT entity_type FROM system.access.table_lineage WHERE target_table_full_name = 'main.sales.daily_revenue' ORDER BY 1").await?;
    assert_eq!(rows["result"]["data_array"], json!([["JOB"], ["NOTEBOOK"]]), "{rows}");
    let rows = crate::sql::run(
        &sandbox,
        "SELECT DISTINCT source_column_name FROM system.access.column_lineage WHERE target_column_name = 'revenue' ORDER BY 1",
    )
    .await?;
    // The view that was just made is known too.
    assert_eq!(rows["result"]["data_array"], json!([["revenue"], ["total"]]), "{rows}");
    Ok(())
}

#[tokio::test]
async fn what_is_set_on_catalogs_and_schemas_is_told() -> Checked {
    let sandbox = start().await?;
    let made = post(&sandbox, &format!("{UC}/catalogs"), json!({"name": "plan", "storage_root": "s3://x/y"})).await?;
    assert_eq!(made.at("/storage_root"), json!("s3://x/y"));
    let change = json!({"new_name": "act", "isolation_mode": "ISOLATED", "properties": {"a": "b"}});
    assert_eq!(
        send(&sandbox, "PATCH", &format!("{UC}/catalogs/plan"), change.to_string().as_bytes()).await?.status,
        200
    );
    let told = get(&sandbox, &format!("{UC}/catalogs/act")).await?;
    assert_eq!((told.at("/isolation_mode"), told.at("/properties/a")), (json!("ISOLATED"), json!("b")));
    assert_eq!(get(&sandbox, &format!("{UC}/catalogs/plan")).await?.status, 404);
    let rename = |name: &str| json!({"new_name": name}).to_string();
    let renamed = send(&sandbox, "PATCH", &format!("{UC}/schemas/act.default"), rename("first").as_bytes()).await?;
    assert_eq!(renamed.at("/full_name"), json!("act.first"));
    let schemas = get(&sandbox, &format!("{UC}/schemas?catalog_name=act")).await?;
    assert_eq!((schemas.at("/schemas/0/name"), schemas.at("/schemas/2")), (json!("first"), json!(null)));
    // Rows and views know the names of what holds them.
    let full = send(&sandbox, "PATCH", &format!("{UC}/schemas/main.sales"), rename("x").as_bytes()).await?;
    assert_eq!(full.code(), "INVALID_STATE");
    Ok(())
}

#[tokio::test]
async fn there_is_one_metastore() -> Checked {
    let sandbox = start().await?;
    let summary = get(&sandbox, &format!("{UC}/metastore_summary")).await?;
    let id = summary.at("/metastore_id").as_str().unwrap_or_default().to_owned();
    let list = get(&sandbox, &format!("{UC}/metastores")).await?;
    assert_eq!((list.at("/metastores/0"), list.at("/metastores/1")), (summary.json(), json!(null)));
    assert_eq!(get(&sandbox, &format!("{UC}/metastores/{id}")).await?.json(), summary.json());
    assert_eq!(get(&sandbox, &format!("{UC}/metastores/other")).await?.code(), "METASTORE_DOES_NOT_EXIST");
    let schemas = get(&sandbox, &format!("{UC}/metastores/{id}/systemschemas")).await?;
    let schemas = schemas.at("/schemas").as_array().cloned().unwrap_or_default();
    assert!(schemas.contains(&json!({"schema": "billing", "state": "ENABLE_COMPLETED"})), "{schemas:?}");
    let enabled = send(&sandbox, "PUT", &format!("{UC}/metastores/{id}/systemschemas/billing"), b"{}").await?;
    assert_eq!(enabled.code(), "SCHEMA_ALREADY_EXISTS");
    Ok(())
}

#[tokio::test]
async fn the_information_schema_is_listed_and_knows_tags() -> Checked {
    let sandbox = start().await?;
    let listed = get(&sandbox, &format!("{UC}/tables?catalog_name=main&schema_name=information_schema")).await?;
    let names: Vec<_> =
        listed.at("/tables").as_array().into_iter().flatten().map(|table| table["name"].clone()).collect();
    assert!(names.contains(&json!("columns")) && names.contains(&json!("table_tags")), "{names:?}");
    let told = get(&sandbox, &format!("{UC}/tables/main.information_schema.tables")).await?;
    assert_eq!((told.at("/table_type"), told.at("/columns/0/name")), (json!("VIEW"), json!("table_catalog")));
    assert_eq!(get(&sandbox, &format!("{UC}/tables/main.information_schema.none")).await?.status, 404);

    let tag = json!({"entity_type": "columns", "entity_name": "main.default.greetings.TEXT", "tag_key": "pii", "tag_value": "no"});
    assert_eq!(post(&sandbox, &format!("{UC}/entity-tag-assignments"), tag).await?.status, 200);
    let asked = "SELECT column_name, tag_name, tag_value FROM main.information_schema.column_tags";
    let run = |sql: &str| json!({"warehouse_id": "a1b2c3d4e5f60718", "statement": sql});
    let rows = post(&sandbox, "/api/2.0/sql/statements", run(asked)).await?;
    assert_eq!(rows.at("/result/data_array"), json!([["text", "pii", "no"]]), "{}", rows.json());
    // Tags go with their table.
    post(&sandbox, "/api/2.0/sql/statements", run("DROP TABLE main.default.greetings")).await?;
    let rows = post(&sandbox, "/api/2.0/sql/statements", run(asked)).await?;
    assert_eq!(rows.at("/manifest/total_row_count"), json!(0), "{}", rows.json());
    Ok(())
}

#[tokio::test]
async fn monitors_are_of_tables_and_are_refreshed() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let path = format!("{UC}/tables/main.sales.daily_revenue/monitor");
    assert_eq!(get(&sandbox, &path).await?.code(), "RESOURCE_DOES_NOT_EXIST");
    assert_eq!(get(&sandbox, &format!("{UC}/tables/main.sales.none/monitor")).await?.code(), "TABLE_DOES_NOT_EXIST");
    let body = json!({"assets_dir": "/Shared", "output_schema_name": "main.default", "snapshot": {}});
    let two = json!({"assets_dir": "/Shared", "output_schema_name": "main.default"});
    assert_eq!(post(&sandbox, &path, two).await?.code(), "INVALID_PARAMETER_VALUE");
    let made = post(&sandbox, &path, body.clone()).await?;
    assert_eq!(made.at("/drift_metrics_table_name"), json!("main.default.daily_revenue_drift_metrics"));
    assert_eq!(post(&sandbox, &path, body).await?.status, 409);
    let started = post(&sandbox, &format!("{path}/refreshes"), json!({})).await?;
    let refresh = format!("{path}/refreshes/{}", started.at("/refresh_id"));
    assert_eq!(get(&sandbox, &refresh).await?.at("/state"), json!("RUNNING"));
    sandbox.advance(Duration::from_secs(2));
    assert_eq!(get(&sandbox, &format!("{path}/refreshes")).await?.at("/refreshes/0/state"), json!("SUCCESS"));
    assert_eq!(get(&sandbox, &path).await?.at("/refreshes"), json!(null));
    let change = br#"{"output_schema_name": "main.sales", "snapshot": {}}"#;
    let changed = send(&sandbox, "PUT", &path, change).await?;
    assert_eq!((changed.at("/monitor_version"), changed.at("/assets_dir")), (json!(1), json!("/Shared")));
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &path).await?.status, 404);
    Ok(())
}
