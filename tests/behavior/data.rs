//! Tables: what they are made of, finding them, where they come from, who may use them.

use databricks_mcp_server::registry::Selection;
use databricks_sandbox::{Faults, Options};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::{beside, faulty, standing_still};
use crate::waiting::items;

const ORDERS: &str = "samples.retail.orders";

fn column<'a>(answer: &'a Value, name: &str) -> &'a Value {
    items_of(answer, "columns").find(|column| column["name"] == name).unwrap_or(&Value::Null)
}

fn items_of<'a>(answer: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    answer[field].as_array().into_iter().flatten()
}

fn names(answer: &Value) -> Vec<&str> {
    items(answer).filter_map(|item| item["full_name"].as_str()).collect()
}

#[tokio::test]
async fn a_table_is_described_without_a_warehouse() -> Outcome {
    let (_sandbox, harness) = faulty(json!([{ "route": "/api/2.0/sql/*", "fault": "permission_denied" }])).await?;
    let answer = harness.answer("get_table_schema", json!({ "full_name": ORDERS })).await?;
    assert_eq!(answer["full_name"], ORDERS);
    assert_eq!(column(&answer, "order_id")["type"], "bigint");
    assert!(answer.get("sample").is_none() && answer.get("warehouse_id").is_none(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn rows_and_statistics_come_on_request_and_agree_with_the_table() -> Outcome {
    let harness = Harness::default().await?;
    let asked = json!({ "full_name": ORDERS, "sample_rows": 3, "column_statistics": true });
    let answer = harness.answer("get_table_schema", asked).await?;
    assert_eq!(answer["sample"]["returned"], 3, "{answer}");
    assert!(answer["warehouse_name"].is_string(), "{answer}");
    let query = "SELECT count(*), count(*) - count(channel), min(channel), max(channel), count(DISTINCT status) FROM samples.retail.orders";
    let truth = harness.answer("execute_sql", json!({ "statement": query })).await?["rows"][0].clone();
    assert_eq!(answer["row_count"], truth[0]);
    let channel = &column(&answer, "channel")["statistics"];
    assert_eq!([&channel["nulls"], &channel["min"], &channel["max"]], [&truth[1], &truth[2], &truth[3]]);
    assert_eq!(column(&answer, "status")["statistics"]["distinct_about"], truth[4]);
    Ok(())
}

#[tokio::test]
async fn without_select_the_facts_stay_and_the_sample_tells_why_not() -> Outcome {
    let (_sandbox, harness) =
        faulty(json!([{ "route": "POST /api/2.0/sql/statements", "fault": "permission_denied" }])).await?;
    let answer = harness
        .answer("get_table_schema", json!({ "full_name": ORDERS, "sample_rows": 3, "column_statistics": true }))
        .await?;
    assert_eq!(column(&answer, "order_id")["type"], "bigint");
    for part in ["sample", "column_statistics"] {
        assert!(answer[part]["error"].as_str().is_some_and(|text| text.contains("PERMISSION_DENIED")), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn statistics_that_take_long_go_on_and_are_continued() -> Outcome {
    let (sandbox, harness) = standing_still(&[]).await?;
    let asked = json!({
        "full_name": ORDERS, "column_statistics": true, "timeout_seconds": 0,
        "warehouse_id": harness.stopped_warehouse().await?,
    });
    let answer = harness.answer("get_table_schema", asked).await?;
    let running = &answer["column_statistics"];
    assert_eq!(running["still_running"], true, "{answer}");
    sandbox.advance(std::time::Duration::from_secs(60));
    let done = harness.answer("get_sql_result", json!({ "statement_id": running["statement_id"] })).await?;
    assert_eq!(done["rows"][0][0], 1_500, "{done}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_description_cancels_its_queries() -> Outcome {
    let (_sandbox, harness) = standing_still(&[]).await?;
    let asked =
        json!({ "full_name": ORDERS, "column_statistics": true, "warehouse_id": harness.stopped_warehouse().await? });
    let list = ("list_query_history", json!({ "fields": ["status", "query_text"] }));
    let has = |states: &'static [&'static str]| {
        move |answer: &Value| {
            items(answer).any(|query| {
                query["query_text"].to_string().contains("approx_count_distinct")
                    && states.iter().any(|state| query["status"] == *state)
            })
        }
    };
    harness.cancelled("get_table_schema", asked, list.clone(), has(&["RUNNING", "QUEUED"])).await?;
    harness.until(list.0, list.1, has(&["CANCELED"])).await?;
    Ok(())
}

#[tokio::test]
async fn a_description_that_is_too_large_is_cut_and_told() -> Outcome {
    let harness = Harness::open(Selection::default(), 150).await?;
    let answer = harness.answer("get_table_schema", json!({ "full_name": ORDERS, "sample_rows": 20 })).await?;
    assert_eq!(answer["truncated"], true, "{answer}");
    assert!(answer["hint"].as_str().is_some_and(|hint| hint.contains(" of ")), "{answer}");
    Ok(())
}

#[tokio::test]
async fn tables_are_listed_with_their_columns_in_short() -> Outcome {
    let harness = Harness::default().await?;
    let place = json!({ "catalog_name": "samples", "schema_name": "retail", "columns": true });
    let (whole, _) = harness.all("list_tables", place.clone()).await?;
    let orders = whole.iter().find(|table| table["full_name"] == ORDERS).ok_or("no orders")?;
    assert!(orders["columns"].as_str().is_some_and(|text| text.starts_with("order_id bigint, ")), "{orders}");
    let small = Harness::open(Selection::default(), 250).await?;
    let (paged, pages) = small.all("list_tables", place).await?;
    assert!(pages > 1 && paged == whole, "{pages} pages of {paged:?}");
    let fields = json!({ "catalog_name": "samples", "schema_name": "retail", "fields": ["name", "columns.name"] });
    let (chosen, _) = harness.all("list_tables", fields).await?;
    assert!(
        chosen.iter().all(|table| table["columns"][0]["name"].is_string() && table["owner"].is_null()),
        "{chosen:?}"
    );
    let refusal =
        harness.refusal("list_tables", json!({ "catalog_name": "samples", "schema_name": "nothing" })).await?;
    assert!(refusal.contains("`list_schemas`"), "{refusal}");
    let bad = json!({ "catalog_name": "samples", "schema_name": "retail", "page_token": "x" });
    let refusal = harness.refusal("list_tables", bad).await?;
    assert!(refusal.contains("`page_token`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn tables_are_found_by_name_column_and_comment_despite_typos() -> Outcome {
    let harness = Harness::default().await?;
    for (query, expected) in [
        ("orders", ORDERS),
        ("custmers", "samples.retail.customers"),
        ("unit price", "samples.retail.order_items"),
        ("What the shop sells", "samples.retail.products"),
    ] {
        let answer = harness.answer("search_tables", json!({ "query": query })).await?;
        assert_eq!(names(&answer).first(), Some(&expected), "{query}: {answer}");
        assert!(answer["searched"].as_str().is_some_and(|text| text.contains("comments and columns")), "{answer}");
    }
    let answer = harness.answer("search_tables", json!({ "query": "orders", "catalog_name": "main" })).await?;
    assert!(names(&answer).iter().all(|name| name.starts_with("main.")), "{answer}");
    let (whole, _) = harness.all("search_tables", json!({ "query": "order" })).await?;
    let (paged, pages) = harness.all("search_tables", json!({ "query": "order", "limit": 2 })).await?;
    assert!(pages > 1 && whole == paged, "{pages} pages of {paged:?}");
    let none = harness.answer("search_tables", json!({ "query": "zzyzx" })).await?;
    assert!(none["hint"].as_str().is_some_and(|hint| hint.contains("other or fewer words")), "{none}");
    let nowhere = harness.answer("search_tables", json!({ "query": "orders", "catalog_name": "nowhere" })).await?;
    assert!(nowhere["hint"].as_str().is_some_and(|hint| hint.contains("`list_catalogs`")), "{nowhere}");
    let refusal = harness.refusal("search_tables", json!({ "query": "%" })).await?;
    assert!(refusal.contains("no word"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_search_starts_no_warehouse_and_says_what_it_did_without() -> Outcome {
    let harness = Harness::default().await?;
    let states = async || -> Result<Vec<Value>, Box<dyn std::error::Error>> {
        let listed = harness.answer("list_warehouses", json!({})).await?;
        Ok(items(&listed).map(|warehouse| warehouse["state"].clone()).collect())
    };
    let listed = harness.answer("list_warehouses", json!({})).await?;
    for warehouse in items(&listed).filter(|warehouse| warehouse["state"] == "RUNNING") {
        harness.answer("stop_warehouse", json!({ "warehouse_id": warehouse["id"] })).await?;
    }
    harness
        .until("list_warehouses", json!({}), |listed| items(listed).all(|warehouse| warehouse["state"] == "STOPPED"))
        .await?;
    let answer = harness.answer("search_tables", json!({ "query": "order" })).await?;
    assert!(names(&answer).contains(&ORDERS), "{answer}");
    assert!(answer["searched"].as_str().is_some_and(|text| text.contains("names only")), "{answer}");
    assert!(states().await?.iter().all(|state| state == "STOPPED"));
    let (_sandbox, denied) =
        faulty(json!([{ "route": "POST /api/2.0/sql/statements", "fault": "permission_denied" }])).await?;
    let answer = denied.answer("search_tables", json!({ "query": "orders" })).await?;
    assert_eq!(names(&answer).first(), Some(&ORDERS));
    assert!(answer["searched"].as_str().is_some_and(|text| text.contains("PERMISSION_DENIED")), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_search_that_takes_too_long_is_given_up_in_the_workspace() -> Outcome {
    let (_sandbox, harness) = standing_still(&[]).await?;
    let asked = json!({ "query": "orders", "warehouse_id": harness.stopped_warehouse().await?, "timeout_seconds": 0 });
    let answer = harness.answer("search_tables", asked).await?;
    assert_eq!(names(&answer).first(), Some(&ORDERS), "{answer}");
    assert!(answer["searched"].as_str().is_some_and(|text| text.contains("no answer within 0 s")), "{answer}");
    let history = harness.answer("list_query_history", json!({ "fields": ["status"] })).await?;
    assert_eq!(items(&history).next().map(|query| &query["status"]), Some(&json!("CANCELED")), "{history}");
    Ok(())
}

#[tokio::test]
async fn lineage_leads_up_and_down_with_what_lies_between() -> Outcome {
    let harness = Harness::default().await?;
    let tables = |answer: &Value, direction: &str| -> Vec<(String, u64)> {
        let edges = items_of(answer, direction);
        edges.filter_map(|edge| Some((edge["table"].as_str()?.to_owned(), edge["depth"].as_u64()?))).collect()
    };
    let down = harness.answer("get_table_lineage", json!({ "full_name": ORDERS, "direction": "downstream" })).await?;
    let made = tables(&down, "downstream");
    assert!(made.contains(&("main.sales.daily_revenue".to_owned(), 1)), "{down}");
    assert!(down.get("upstream").is_none(), "{down}");
    let between = items_of(&down, "downstream").filter(|edge| edge["jobs"].is_array() || edge["notebooks"].is_array());
    assert!(between.count() > 0, "{down}");
    let up =
        harness.answer("get_table_lineage", json!({ "full_name": "main.sales.top_customers", "depth": 3 })).await?;
    let sources = tables(&up, "upstream");
    assert!(
        sources.contains(&(ORDERS.to_owned(), 1)) && sources.contains(&("samples.retail.customers".to_owned(), 1)),
        "{up}"
    );
    let none = harness.answer("get_table_lineage", json!({ "full_name": "samples.nyctaxi.nothing" })).await?;
    assert_eq!((&none["upstream"], &none["downstream"]), (&json!([]), &json!([])), "{none}");
    assert!(none["hint"].as_str().is_some_and(|hint| hint.contains("misspelt")), "{none}");
    assert!(down.get("hint").is_none() && up.get("hint").is_none(), "{down} {up}");
    Ok(())
}

#[tokio::test]
async fn lineage_falls_back_to_the_system_tables_and_names_the_missing_grant() -> Outcome {
    let closed = json!([{ "route": "/api/2.0/lineage-tracking/*", "fault": "permission_denied" }]);
    let (_sandbox, harness) = faulty(closed.clone()).await?;
    let asked = json!({ "full_name": ORDERS });
    let answer = harness.answer("get_table_lineage", asked.clone()).await?;
    assert!(answer["source"].as_str().is_some_and(|source| source.contains("system.access")), "{answer}");
    assert!(items_of(&answer, "downstream").any(|edge| edge["table"] == "main.sales.daily_revenue"), "{answer}");
    harness.answer("execute_sql", json!({ "statement": "DROP TABLE system.access.table_lineage" })).await?;
    let refusal = harness.refusal("get_table_lineage", asked.clone()).await?;
    assert!(refusal.contains("USE SCHEMA and SELECT on `system.access`"), "{refusal}");
    let mut rules = closed;
    rules.as_array_mut().ok_or("no rules")?.push(json!({ "route": "/api/2.0/sql/*", "fault": "permission_denied" }));
    let options = Options::default().with_faults(Faults::parse(&rules.to_string())?);
    let (_sandbox, harness) = beside(options, &[], 6_000).await?;
    let refusal = harness.refusal("get_table_lineage", asked).await?;
    assert!(refusal.contains("`warehouse_id`") && refusal.contains("`system.access`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn grants_are_told_by_principal_with_their_origin() -> Outcome {
    let (_sandbox, harness) = beside(Options::default(), &["all"], 6_000).await?;
    let grant = json!({
        "securable_type": "TABLE", "full_name": ORDERS,
        "changes": [{ "principal": "analysts", "add": ["SELECT", "MODIFY"] }],
    });
    harness.answer("update_grants", grant).await?;
    let asked = json!({ "securable_type": "TABLE", "full_name": ORDERS });
    let (all, _) = harness.all("get_effective_grants", asked).await?;
    let principals: Vec<_> = all.iter().filter_map(|item| item["principal"].as_str()).collect();
    assert!(principals.is_sorted() && principals.contains(&"analysts"), "{all:?}");
    let analysts = all.iter().find(|item| item["principal"] == "analysts").ok_or("no analysts")?;
    assert_eq!(analysts["privileges"], json!(["MODIFY", "SELECT"]));
    let inherits = |item: &Value| items_of(item, "inherited").any(|origin| origin["from"] == "CATALOG samples");
    assert!(all.iter().any(inherits), "{all:?}");
    let one = json!({ "securable_type": "TABLE", "full_name": ORDERS, "principal": "analysts" });
    let (one, _) = harness.all("get_effective_grants", one).await?;
    assert!(!one.is_empty() && one.iter().all(|item| item["principal"] == "analysts"), "{one:?}");
    let missing = json!({ "securable_type": "TABLE", "full_name": "samples.retail.nothing" });
    let refusal = harness.refusal("get_effective_grants", missing).await?;
    assert!(refusal.contains("does not exist"), "{refusal}");
    let (_sandbox, harness) =
        faulty(json!([{ "route": "catalog.grants.get_effective", "fault": "permission_denied" }])).await?;
    let refusal =
        harness.refusal("get_effective_grants", json!({ "securable_type": "TABLE", "full_name": ORDERS })).await?;
    assert!(refusal.contains("lacks the permission"), "{refusal}");
    Ok(())
}
