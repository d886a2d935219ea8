//! Tables and grants at their edges: large, hidden in part, oddly named, or out of reach.

use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::{faulty, standing_still};
use crate::waiting::items;

const ORDERS: &str = "samples.retail.orders";
const TABLE: &str = "GET /api/2.1/unity-catalog/tables/samples.retail.orders";

fn has(text: &'static str, states: &'static [&'static str]) -> impl Fn(&Value) -> bool {
    move |answer: &Value| {
        items(answer).any(|query| {
            query["query_text"].to_string().contains(text) && states.iter().any(|state| query["status"] == *state)
        })
    }
}

#[tokio::test]
async fn without_a_warehouse_the_facts_of_a_table_stay() -> Outcome {
    let (_sandbox, harness) =
        faulty(json!([{ "route": "GET /api/2.0/sql/warehouses", "fault": "permission_denied" }])).await?;
    let asked = json!({ "full_name": ORDERS, "sample_rows": 2, "column_statistics": true });
    let answer = harness.answer("get_table_schema", asked).await?;
    assert_eq!(answer["columns"][0]["name"], "order_id");
    for part in ["sample", "column_statistics"] {
        assert!(answer[part]["error"].as_str().is_some_and(|text| text.contains("PERMISSION_DENIED")), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn an_answer_without_a_table_is_no_table() -> Outcome {
    let harness = Harness::scripted(move |request, _| request.starts_with(TABLE).then(|| json!({}))).await?;
    let refusal = harness.refusal("get_table_schema", json!({ "full_name": ORDERS })).await?;
    assert!(refusal.contains("neither the name nor the columns"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn names_may_be_quoted_and_hold_what_quotes_allow() -> Outcome {
    let harness = Harness::default().await?;
    let answer = harness.answer("get_table_schema", json!({ "full_name": "`samples`.`retail`.`orders`" })).await?;
    assert_eq!(answer["full_name"], ORDERS);
    let name = "main.default.größe-1#?%41";
    let make = "CREATE TABLE main.default.`größe-1#?%41` AS SELECT 7 AS `a b`";
    harness.answer("execute_sql", json!({ "statement": make })).await?;
    for name in [name, "`main`.`default`.`größe-1#?%41`"] {
        let asked = json!({ "full_name": name, "sample_rows": 1, "column_statistics": true });
        let answer = harness.answer("get_table_schema", asked).await?;
        assert_eq!(answer["sample"]["rows"], json!([[7]]), "{answer}");
        assert_eq!(answer["columns"][0]["statistics"]["min"], "7", "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_filter_and_a_mask_are_told_with_what_they_hide() -> Outcome {
    let table = json!({
        "full_name": ORDERS, "table_type": "FOREIGN", "data_source_format": "POSTGRESQL_FORMAT",
        "row_filter": { "function_name": "main.default.mine", "input_column_names": ["status"] },
        "columns": [{ "name": "total", "type_text": "decimal(12,2)", "type_name": "DECIMAL", "mask": { "function_name": "main.default.m" } }],
    });
    let harness = Harness::scripted(move |request, _| request.starts_with(TABLE).then(|| table.clone())).await?;
    let answer = harness.answer("get_table_schema", json!({ "full_name": ORDERS, "column_statistics": true })).await?;
    assert_eq!(
        (&answer["row_filter"], &answer["columns"][0]["mask"]),
        (&json!("main.default.mine"), &json!("main.default.m"))
    );
    assert!(answer["row_count"] == 1_500 && answer["hint"].to_string().contains("hides rows"), "{answer}");
    assert!(answer.get("size_bytes").is_none(), "only Delta has details: {answer}");
    let plain = harness.answer("get_table_schema", json!({ "full_name": ORDERS })).await?;
    assert!(plain.get("hint").is_none(), "{plain}");
    Ok(())
}

#[tokio::test]
async fn a_table_of_a_thousand_columns_is_cut_and_told() -> Outcome {
    let columns: Vec<_> = (0..1_000)
        .map(|at| json!({ "name": format!("column_{at}"), "type_text": "int", "type_name": "INT", "comment": "what it is" }))
        .collect();
    let table = json!({ "full_name": ORDERS, "columns": columns });
    let harness = Harness::scripted(move |request, _| request.starts_with(TABLE).then(|| table.clone())).await?;
    let answer = harness.answer("get_table_schema", json!({ "full_name": ORDERS })).await?;
    assert!(answer.to_string().chars().count() < 18_500);
    let hint = answer["hint"].as_str().unwrap_or_default();
    assert!(hint.contains("of 1000 items") && hint.contains("`information_schema.columns`"), "{hint}");
    Ok(())
}

#[tokio::test]
async fn what_nobody_can_continue_is_cancelled_when_the_time_is_up() -> Outcome {
    let (_sandbox, harness) = standing_still(&[]).await?;
    let asked = json!({
        "full_name": ORDERS, "sample_rows": 1, "timeout_seconds": 0, "warehouse_id": harness.stopped_warehouse().await?,
    });
    let answer = harness.answer("get_table_schema", asked).await?;
    assert!(answer["sample"]["statement_id"].is_string(), "it can be continued: {answer}");
    let history = harness.answer("list_query_history", json!({ "fields": ["status", "query_text"] })).await?;
    assert!(has("DESCRIBE DETAIL", &["CANCELED"])(&history), "{history}");
    assert!(has("LIMIT 1", &["RUNNING", "QUEUED"])(&history), "{history}");
    Ok(())
}

#[tokio::test]
async fn a_cancelled_search_cancels_its_query() -> Outcome {
    let (_sandbox, harness) = standing_still(&[]).await?;
    let asked = json!({ "query": "orders", "warehouse_id": harness.stopped_warehouse().await? });
    let list = ("list_query_history", json!({ "fields": ["status", "query_text"] }));
    let text = "system.information_schema.tables";
    harness.cancelled("search_tables", asked, list.clone(), has(text, &["RUNNING", "QUEUED"])).await?;
    harness.until(list.0, list.1, has(text, &["CANCELED"])).await?;
    Ok(())
}

#[tokio::test]
async fn an_empty_page_of_tables_is_not_the_end() -> Outcome {
    let place = json!({ "catalog_name": "samples", "schema_name": "retail" });
    let (whole, _) = Harness::default().await?.all("list_tables", place.clone()).await?;
    let (_sandbox, harness) =
        faulty(json!([{ "route": "catalog.tables.list", "fault": "empty_page", "times": 2 }])).await?;
    let (tables, pages) = harness.all("list_tables", place).await?;
    // Empty pages are passed over.
    assert!(pages == 1 && tables == whole, "{pages} pages of {tables:?}");
    Ok(())
}

#[tokio::test]
async fn grants_of_many_pages_in_any_order_are_one_sorted_list() -> Outcome {
    let page = |names: &[&str], next: &str| {
        let grants = names.iter().map(|name| json!({ "principal": name, "privileges": [{ "privilege": "SELECT" }] }));
        json!({ "privilege_assignments": grants.collect::<Vec<_>>(), "next_page_token": next })
    };
    let script = move |request: &str, _: &str| {
        if !request.contains("/effective-permissions/") {
            return None;
        }
        Some(match request.split_once("page_token=").map(|(_, token)| token.split('&').next().unwrap_or_default()) {
            None => page(&["zoe", "bob"], "two"),
            Some("two") => json!({ "next_page_token": "three" }),
            _ => page(&["bob", "ann"], ""),
        })
    };
    let harness = Harness::scripted(script).await?;
    let asked = json!({ "securable_type": "TABLE", "full_name": ORDERS });
    let (all, _) = harness.all("get_effective_grants", asked).await?;
    let principals: Vec<_> = all.iter().filter_map(|item| item["principal"].as_str()).collect();
    assert_eq!(principals, ["ann", "bob", "zoe"]);
    Ok(())
}

#[tokio::test]
async fn grants_of_many_principals_come_page_by_page() -> Outcome {
    let teams =
        (0..600).map(|at| json!({ "principal": format!("team-{at:03}"), "privileges": [{ "privilege": "SELECT" }] }));
    let teams = json!({ "privilege_assignments": teams.collect::<Vec<_>>() });
    let script = move |request: &str, _: &str| request.contains("/effective-permissions/").then(|| teams.clone());
    let asked = json!({ "securable_type": "TABLE", "full_name": ORDERS });
    let (all, pages) = Harness::scripted(script).await?.all("get_effective_grants", asked).await?;
    let principals: Vec<_> = all.iter().filter_map(|item| item["principal"].as_str()).collect();
    assert!(principals.len() == 600 && principals.is_sorted() && pages > 1, "{pages} pages of {principals:?}");
    Ok(())
}
