//! Plans that there are not, and costs that would be counted twice.

use databricks_sandbox::Options;
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::{beside, standing_still};
use crate::waiting::items;

const TOOLSETS: &[&str] = &["default", "insight"];
const HISTORY: &str = "GET /api/2.0/sql/history/queries";

async fn harness() -> Result<Harness, Box<dyn std::error::Error>> {
    Ok(beside(Options::default(), TOOLSETS, 6_000).await?.1)
}

#[tokio::test]
async fn explain_runs_nothing_that_a_statement_holds() -> Outcome {
    let harness = harness().await?;
    let run = async |sql: &str| harness.answer("execute_sql", json!({ "statement": sql })).await;
    run("CREATE TABLE main.default.kept AS SELECT 1 AS n").await?;
    let newest = async || -> Result<Value, Box<dyn std::error::Error>> {
        let history = harness.answer("list_query_history", json!({ "fields": ["query_id"] })).await?;
        Ok(items(&history).next().cloned().unwrap_or_default())
    };
    let before = newest().await?;
    for (statement, why) in [
        ("EXECUTE IMMEDIATE 'DROP TABLE main.default.kept'", "have a plan"),
        ("BEGIN DROP TABLE main.default.kept; END", "not one complete statement"),
        ("SELECT http_request('c')", "`http_request` can do more than read"),
        ("SHOW TABLES", "have a plan"),
        ("EXPLAIN SELECT 1", "have a plan"),
        ("SELECT 'unended", "a string is not closed"),
    ] {
        let refusal = harness.refusal("explain_query", json!({ "statement": statement })).await?;
        assert!(refusal.contains("cannot be planned") && refusal.contains(why), "{statement}: {refusal}");
    }
    assert_eq!(newest().await?, before, "something was sent");
    assert_eq!(run("SELECT n FROM main.default.kept").await?["rows"], json!([[1]]));
    Ok(())
}

#[tokio::test]
async fn what_is_known_of_a_query_is_told_without_its_plan() -> Outcome {
    let harness = harness().await?;
    let run = async |call: Value| {
        Ok::<_, Box<dyn std::error::Error>>(harness.answer("execute_sql", call).await?["statement_id"].clone())
    };
    let parameters = json!([{ "name": "least", "value": "2", "type": "INT" }]);
    for (call, why) in [
        (json!({ "statement": "SHOW SCHEMAS IN samples" }), "have a plan"),
        (json!({ "statement": "SELECT :least AS n", "parameters": parameters }), "with values in place of the markers"),
    ] {
        let answer = harness.answer("explain_query", json!({ "statement_id": run(call).await? })).await?;
        assert_eq!(answer["status"], "FINISHED");
        assert_ne!(answer["findings"], json!(["nothing stands out"]), "{answer}");
        assert!(answer["plan_error"].as_str().is_some_and(|error| error.contains(why)), "{answer}");
    }
    let refusal = harness.refusal("explain_query", json!({ "statement": "SELECT :least AS n" })).await?;
    assert!(refusal.contains("values of the statement's parameters") && !refusal.contains("`parameters`"), "{refusal}");
    for (text, why) in [
        (Value::Null, "hidden from you"),
        (json!("SELECT * FROM samples.retail.orders WHERE status = 'shi"), "a string is not closed"),
        (json!("SELECT * FROM samples.retail.ord"), "TABLE_OR_VIEW_NOT_FOUND"),
    ] {
        let query = json!({ "query_id": "q1", "status": "FINISHED", "duration": 7, "query_text": text });
        let script = move |request: &str, _: &str| request.starts_with(HISTORY).then(|| json!({ "res": [query] }));
        let answer = Harness::scripted(script).await?.answer("explain_query", json!({ "statement_id": "q1" })).await?;
        assert_eq!(answer["times_ms"]["total"], 7, "{answer}");
        assert!(answer["plan_error"].as_str().is_some_and(|error| error.contains(why)), "{answer}");
    }
    Ok(())
}

#[tokio::test]
async fn a_cancelled_explanation_cancels_its_plan() -> Outcome {
    let (_sandbox, harness) = standing_still(TOOLSETS).await?;
    let asked = json!({ "statement": "SELECT 1", "warehouse_id": harness.stopped_warehouse().await? });
    let list = ("list_query_history", json!({ "fields": ["status", "query_text"] }));
    let has = |states: &'static [&'static str]| {
        move |answer: &Value| {
            items(answer).any(|query| {
                query["query_text"].to_string().contains("EXPLAIN")
                    && states.iter().any(|state| query["status"] == *state)
            })
        }
    };
    harness.cancelled("explain_query", asked, list.clone(), has(&["RUNNING", "QUEUED"])).await?;
    harness.until(list.0, list.1, has(&["CANCELED"])).await?;
    Ok(())
}

#[tokio::test]
async fn prices_that_overlap_count_once() -> Outcome {
    let harness = harness().await?;
    let rows = async |tool| Ok::<_, Box<dyn std::error::Error>>(harness.answer(tool, json!({})).await?["rows"].clone());
    let (jobs, warehouses) = (rows("get_job_costs").await?, rows("get_warehouse_costs").await?);
    let twice = "INSERT INTO system.billing.list_prices SELECT * FROM system.billing.list_prices";
    harness.answer("execute_sql", json!({ "statement": twice })).await?;
    assert_eq!((rows("get_job_costs").await?, rows("get_warehouse_costs").await?), (jobs, warehouses));
    Ok(())
}

#[tokio::test]
async fn jobs_of_two_workspaces_are_two_and_one_that_is_unknown_has_no_name() -> Outcome {
    let harness = harness().await?;
    let before = harness.answer("get_job_costs", json!({})).await?;
    let other = "INSERT INTO system.billing.usage SELECT record_id, account_id, '99', sku_name, cloud, usage_start_time, \
                 usage_end_time, usage_date, custom_tags, usage_unit, usage_quantity, usage_metadata, identity_metadata, \
                 record_type, ingestion_date, billing_origin_product, product_features, usage_type FROM system.billing.usage";
    harness.answer("execute_sql", json!({ "statement": other })).await?;
    let after = harness.answer("get_job_costs", json!({})).await?;
    let of = |answer: &Value, workspace: bool| -> Vec<Value> {
        let rows = answer["rows"].as_array().into_iter().flatten();
        rows.filter(|row| (row[7] == "99") == workspace).cloned().collect()
    };
    let column = |index: usize| &after["columns"][index]["name"];
    assert_eq!((column(4), column(7)), (&json!("share_percent"), &json!("workspace_id")));
    let costs = |rows: Vec<Value>| rows.iter().map(|row| (row[0].clone(), row[3].clone())).collect::<Vec<_>>();
    assert_eq!(costs(of(&after, false)), costs(of(&before, false)), "those of this workspace are as they were");
    let others = of(&after, true);
    assert_eq!(others.len(), of(&before, false).len());
    assert!(others.iter().all(|row| row[1].is_null() && row[3].is_number()), "{others:?}");
    assert!(after["notes"].to_string().contains("all workspaces"), "{after}");
    Ok(())
}
