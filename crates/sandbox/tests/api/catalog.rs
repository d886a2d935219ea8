//! Unity Catalog, in step with SQL.

use serde_json::json;

use crate::client::{Checked, get, post, send, start};

const UC: &str = "/api/2.1/unity-catalog";

#[tokio::test]
async fn tables_are_listed_described_and_dropped() -> Checked {
    let sandbox = start().await?;
    let table = get(&sandbox, &format!("{UC}/tables/samples.retail.products")).await?.json();
    let price = &table["columns"][3];
    assert_eq!(
        (&price["type_text"], &price["type_name"], &price["type_scale"]),
        (&json!("decimal(10,2)"), &json!("DECIMAL"), &json!(2))
    );
    assert_eq!(table["table_type"], "MANAGED");
    let list =
        get(&sandbox, &format!("{UC}/tables?catalog_name=samples&schema_name=retail&max_results=2&omit_columns=true"))
            .await?
            .json();
    assert_eq!(list["tables"].as_array().map(Vec::len), Some(2));
    assert!(list["next_page_token"].is_string() && list["tables"][0].get("columns").is_none());
    crate::sql::run(&sandbox, "CREATE TABLE main.default.mine (a INT COMMENT 'first')").await?;
    let mine = format!("{UC}/tables/main.default.MINE");
    assert_eq!(get(&sandbox, &mine).await?.json()["columns"][0]["comment"], "first");
    assert_eq!(get(&sandbox, &format!("{mine}/exists")).await?.json(), json!({"table_exists": true}));
    send(&sandbox, "DELETE", &mine, b"").await?;
    assert_eq!(get(&sandbox, &mine).await?.status, 404);
    let reply = crate::sql::run(&sandbox, "SELECT * FROM main.default.mine").await?;
    assert!(
        reply["status"]["error"]["message"]
            .as_str()
            .is_some_and(|message| message.starts_with("[TABLE_OR_VIEW_NOT_FOUND]"))
    );
    let made_again = crate::sql::run(&sandbox, "CREATE TABLE main.default.mine (b STRING)").await?;
    assert_eq!(made_again["status"]["state"], "SUCCEEDED");
    let found =
        get(&sandbox, &format!("{UC}/table-summaries?catalog_name=samples&table_name_pattern=order%25")).await?.json();
    assert_eq!(found["tables"].as_array().map(Vec::len), Some(2));
    Ok(())
}

#[tokio::test]
async fn catalogs_and_schemas_come_and_go() -> Checked {
    let sandbox = start().await?;
    assert_eq!(
        post(&sandbox, &format!("{UC}/catalogs"), json!({"name": "lab"})).await?.json()["catalog_type"],
        "MANAGED_CATALOG"
    );
    assert_eq!(post(&sandbox, &format!("{UC}/catalogs"), json!({"name": "lab"})).await?.status, 409);
    post(&sandbox, &format!("{UC}/schemas"), json!({"name": "s", "catalog_name": "lab"})).await?;
    let volume = json!({"name": "v", "catalog_name": "lab", "schema_name": "s", "volume_type": "MANAGED"});
    assert_eq!(post(&sandbox, &format!("{UC}/volumes"), volume).await?.json()["full_name"], "lab.s.v");
    assert_eq!(send(&sandbox, "DELETE", &format!("{UC}/schemas/lab.s"), b"").await?.code(), "INVALID_STATE");
    assert_eq!(send(&sandbox, "DELETE", &format!("{UC}/catalogs/lab?force=true"), b"").await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{UC}/volumes/lab.s.v")).await?.status, 404);
    let catalogs = get(&sandbox, &format!("{UC}/catalogs?max_results=0")).await?.json();
    assert_eq!(catalogs["catalogs"].as_array().map(Vec::len), Some(3));
    for path in [
        "functions?catalog_name=main&schema_name=sales",
        "functions/main.sales.net_amount",
        "models",
        "models/main.ml.churn_model",
        "metastore_summary",
    ] {
        assert_eq!(get(&sandbox, &format!("{UC}/{path}")).await?.status, 200, "{path}");
    }
    Ok(())
}

#[tokio::test]
async fn grants_are_changed_and_inherited() -> Checked {
    let sandbox = start().await?;
    let path = format!("{UC}/permissions/table/samples.retail.customers");
    let change = json!({"changes": [{"principal": "analysts", "add": ["SELECT"]}, {"principal": "auditors", "remove": ["APPLY_TAG"]}]});
    let reply = send(&sandbox, "PATCH", &path, change.to_string().as_bytes()).await?.json();
    assert_eq!(
        reply["privilege_assignments"],
        json!([{"principal": "analysts", "privileges": ["SELECT"]}, {"principal": "auditors", "privileges": ["SELECT"]}])
    );
    let effective =
        get(&sandbox, &format!("{UC}/effective-permissions/TABLE/samples.retail.customers?principal=users"))
            .await?
            .json();
    let inherited = &effective["privilege_assignments"][0]["privileges"];
    assert!(
        inherited.as_array().is_some_and(|all| all.iter().any(|one| one["inherited_from_name"] == "samples.retail")),
        "{effective}"
    );
    assert_eq!(get(&sandbox, &format!("{path}?max_results=10")).await?.status, 400);
    for (kind, name, principal, privilege, code) in [
        ("table", "samples.retail.orders", "nobody", "SELECT", "PRINCIPAL_DOES_NOT_EXIST"),
        ("table", "samples.retail.orders", "users", "CREATE_CATALOG", "INVALID_PARAMETER_VALUE"),
        ("schema", "samples.retail", "account users", "SELECT", ""),
        ("catalog", "samples", "ada.analyst@example.test", "ALL_PRIVILEGES", ""),
    ] {
        let change = json!({"changes": [{"principal": principal, "add": [privilege]}]}).to_string();
        let reply = send(&sandbox, "PATCH", &format!("{UC}/permissions/{kind}/{name}"), change.as_bytes()).await?;
        assert_eq!(reply.code(), code, "{kind} {principal} {privilege}: {}", reply.json());
    }
    Ok(())
}
