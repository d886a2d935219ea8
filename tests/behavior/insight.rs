//! Insight: where a query's time went, and what things have cost.

use databricks_sandbox::{Faults, Options};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::{beside, standing_still};
use crate::waiting::items;

const TOOLSETS: &[&str] = &["default", "insight"];

async fn harness() -> Result<Harness, Box<dyn std::error::Error>> {
    Ok(beside(Options::default(), TOOLSETS, 6_000).await?.1)
}

#[tokio::test]
async fn a_query_that_ran_is_explained_by_its_id() -> Outcome {
    let harness = harness().await?;
    let query = json!({ "statement": "SELECT status, count(*) FROM samples.retail.orders GROUP BY status;" });
    let id = harness.answer("execute_sql", query).await?["statement_id"].clone();
    let answer = harness.answer("explain_query", json!({ "statement_id": id })).await?;
    assert_eq!((&answer["statement_id"], &answer["status"]), (&id, &json!("FINISHED")), "{answer}");
    assert!(answer["times_ms"]["total"].is_number() && answer["rows_produced"] == 5, "{answer}");
    assert!(answer["plan"].as_str().is_some_and(|plan| plan.contains("Physical Plan")), "{answer}");
    assert!(answer["findings"].as_array().is_some_and(|findings| !findings.is_empty()), "{answer}");
    let refusal = harness.refusal("explain_query", json!({ "statement_id": "01f0-nothing" })).await?;
    assert!(refusal.contains("only your own queries") && refusal.contains("`list_query_history`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_text_is_planned_and_never_run() -> Outcome {
    let harness = harness().await?;
    let delete = json!({ "statement": "DELETE FROM samples.retail.orders" });
    harness.call("explain_query", delete).await?;
    let two = json!({ "statement": "SELECT 1; DELETE FROM samples.retail.orders" });
    let refusal = harness.refusal("explain_query", two).await?;
    assert!(refusal.contains("one complete statement"), "{refusal}");
    let count =
        harness.answer("execute_sql", json!({ "statement": "SELECT count(*) FROM samples.retail.orders" })).await?;
    assert_eq!(count["rows"], json!([[1_500]]));
    let refusal = harness.refusal("explain_query", json!({ "statement": "SELECT * FROM nothing_at_all" })).await?;
    assert!(refusal.contains("TABLE_OR_VIEW_NOT_FOUND"), "{refusal}");
    let refusal = harness.refusal("explain_query", json!({})).await?;
    assert!(refusal.contains("either `statement_id` or `statement`"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn a_plan_wakes_no_warehouse_that_the_call_does_not_name() -> Outcome {
    let harness = harness().await?;
    let stopped = harness.stopped_warehouse().await?;
    let query = json!({ "statement": "SELECT 1 AS n", "warehouse_id": stopped });
    let id = harness.answer("execute_sql", query).await?["statement_id"].clone();
    harness.answer("stop_warehouse", json!({ "warehouse_id": stopped })).await?;
    let is_stopped =
        |listed: &Value| items(listed).any(|warehouse| warehouse["id"] == stopped && warehouse["state"] == "STOPPED");
    harness.until("list_warehouses", json!({}), is_stopped).await?;
    let answer = harness.answer("explain_query", json!({ "statement_id": id })).await?;
    assert!(answer["plan_error"].as_str().is_some_and(|text| text.contains("STOPPED")), "{answer}");
    assert_eq!(answer["status"], "FINISHED");
    assert!(is_stopped(&harness.answer("list_warehouses", json!({})).await?));
    let answer = harness.answer("explain_query", json!({ "statement_id": id, "plan": false })).await?;
    assert!(answer.get("plan").is_none() && answer.get("plan_error").is_none(), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_plan_that_takes_too_long_is_given_up_in_the_workspace() -> Outcome {
    let (_sandbox, harness) = standing_still(TOOLSETS).await?;
    let asked =
        json!({ "statement": "SELECT 1", "warehouse_id": harness.stopped_warehouse().await?, "timeout_seconds": 0 });
    let refusal = harness.refusal("explain_query", asked).await?;
    assert!(refusal.contains("no answer within 0 s") && refusal.contains("`timeout_seconds`"), "{refusal}");
    let history = harness.answer("list_query_history", json!({ "fields": ["status"] })).await?;
    assert_eq!(items(&history).next().map(|query| &query["status"]), Some(&json!("CANCELED")), "{history}");
    Ok(())
}

#[tokio::test]
async fn costs_agree_with_the_usage_and_say_what_they_are() -> Outcome {
    let harness = harness().await?;
    let answer = harness.answer("get_job_costs", json!({ "days": 20 })).await?;
    let truth = "SELECT round(CAST(sum(usage_quantity) AS DOUBLE), 4), round(CAST(sum(usage_quantity) AS DOUBLE) * 0.35, 2) \
                 FROM system.billing.usage WHERE billing_origin_product = 'JOBS' AND usage_date >= date_sub(current_date(), 20)";
    let truth = harness.answer("execute_sql", json!({ "statement": truth })).await?["rows"][0].clone();
    let sum = |index: usize| -> f64 {
        answer["rows"].as_array().into_iter().flatten().filter_map(|row| row[index].as_f64()).sum()
    };
    let near = |sum: f64, truth: &Value| truth.as_f64().is_some_and(|truth| (sum - truth).abs() < 0.1);
    assert!(near(sum(2), &truth[0]) && near(sum(3), &truth[1]), "{truth} but {answer}");
    let notes = answer["notes"].to_string();
    for word in ["not the invoice", "hours late", "all-purpose"] {
        assert!(notes.contains(word), "{word}: {notes}");
    }
    let first = &answer["rows"][0];
    assert!(first[1].is_string(), "a name: {first}");
    let one = harness.answer("get_job_costs", json!({ "days": 20, "job_id": first[0] })).await?;
    let days: Vec<_> = one["rows"].as_array().into_iter().flatten().map(|row| row[2].to_string()).collect();
    assert!(!days.is_empty() && days.is_sorted_by(|one, next| one > next), "newest day first: {one}");
    Ok(())
}

#[tokio::test]
async fn costs_of_a_month_are_those_of_its_days_and_say_each_share_of_the_whole() -> Outcome {
    let harness = harness().await?;
    let one = async |sql: &str| -> Result<Value, Box<dyn std::error::Error>> {
        Ok(harness.answer("execute_sql", json!({ "statement": sql })).await?["rows"][0].clone())
    };
    // The last day with usage is in a month that may not be over.
    let last = "SELECT CAST(max(usage_date) AS STRING) FROM system.billing.usage WHERE billing_origin_product = 'JOBS'";
    let last = one(last).await?[0].as_str().ok_or("no usage")?.to_owned();
    let (month, _) = last.rsplit_once('-').ok_or("no date")?;
    let truth = one(&format!(
        "SELECT round(CAST(sum(usage_quantity) AS DOUBLE) * 0.35, 2), CAST(min(usage_date) AS STRING) FROM \
         system.billing.usage WHERE billing_origin_product = 'JOBS' AND CAST(usage_date AS STRING) LIKE '{month}-%'"
    ))
    .await?;
    let costs = async |call: Value| harness.answer("get_job_costs", call).await;
    let answer = costs(json!({ "month": month })).await?;
    assert_eq!(answer["start_date"], format!("{month}-01"), "{answer}");
    let sum = |answer: &Value, index: usize| -> f64 {
        answer["rows"].as_array().into_iter().flatten().filter_map(|row| row[index].as_f64()).sum()
    };
    let (all, share) = (sum(&answer, 3), sum(&answer, 4));
    assert!(truth[0].as_f64().is_some_and(|truth| (all - truth).abs() < 0.1), "{truth} but {answer}");
    assert!((share - 100.0).abs() < 1.0, "the shares make {share} %: {answer}");
    assert!(answer["notes"].to_string().contains("`share_percent`"), "{answer}");

    let dates = json!({ "start_date": truth[1], "end_date": last });
    assert_eq!(costs(dates).await?["rows"], answer["rows"], "the same days");
    let first = &answer["rows"][0];
    let job = costs(json!({ "month": month, "job_id": first[0], "by_day": false })).await?;
    assert_eq!(job["rows"], json!([first]), "its share is of all jobs");
    let none = costs(json!({ "month": "1999-01" })).await?;
    assert_eq!(none["rows"], json!([]));
    for (call, expected) in [
        (json!({ "month": "last" }), "write it as `2026-01`"),
        (json!({ "days": 3, "month": month }), "more than one way"),
    ] {
        let refusal = harness.refusal("get_job_costs", call).await?;
        assert!(refusal.contains(expected), "{refusal}");
    }
    let warehouses = harness.answer("get_warehouse_costs", json!({ "start_date": truth[1] })).await?;
    assert!((sum(&warehouses, 3) - 100.0).abs() < 1.0, "{warehouses}");
    Ok(())
}

#[tokio::test]
async fn warehouse_costs_have_names_and_days() -> Outcome {
    let harness = harness().await?;
    let answer = harness.answer("get_warehouse_costs", json!({})).await?;
    let id = answer["rows"][0][0].as_str().ok_or("no row")?;
    assert!(answer["warehouse_names"][id].is_string(), "{answer}");
    let one = harness.answer("get_warehouse_costs", json!({ "of_warehouse_id": id, "by_day": true })).await?;
    assert!(one["rows"].as_array().is_some_and(|rows| rows.len() > 10), "{one}");
    let none = harness.answer("get_warehouse_costs", json!({ "of_warehouse_id": "nothing" })).await?;
    assert_eq!(none["rows"], json!([]));
    Ok(())
}

#[tokio::test]
async fn missing_grants_are_named() -> Outcome {
    let harness = harness().await?;
    harness.answer("execute_sql", json!({ "statement": "DROP TABLE system.lakeflow.jobs" })).await?;
    let answer = harness.answer("get_job_costs", json!({})).await?;
    assert!(answer["notes"].to_string().contains("SELECT on `system.lakeflow`"), "{answer}");
    assert!(answer["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{answer}");
    harness.answer("execute_sql", json!({ "statement": "DROP TABLE system.billing.usage" })).await?;
    for tool in ["get_job_costs", "get_warehouse_costs"] {
        let refusal = harness.refusal(tool, json!({})).await?;
        assert!(refusal.contains("USE SCHEMA and SELECT on `system.billing`"), "{tool}: {refusal}");
    }
    let denied =
        Faults::parse(&json!([{ "route": "POST /api/2.0/sql/statements", "fault": "permission_denied" }]).to_string())?;
    let (_sandbox, harness) = beside(Options::default().with_faults(denied), TOOLSETS, 6_000).await?;
    let refusal = harness.refusal("get_job_costs", json!({})).await?;
    assert!(refusal.contains("lacks the permission"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn costs_that_take_long_go_on_are_continued_or_cancelled() -> Outcome {
    let (sandbox, harness) = standing_still(TOOLSETS).await?;
    let stopped = harness.stopped_warehouse().await?;
    let list = ("list_query_history", json!({ "fields": ["status", "query_text"] }));
    let has = |states: &'static [&'static str]| {
        move |answer: &Value| items(answer).any(|query| states.iter().any(|state| query["status"] == *state))
    };
    let waits = json!({ "warehouse_id": stopped });
    harness.cancelled("get_warehouse_costs", waits, list.clone(), has(&["RUNNING", "QUEUED"])).await?;
    harness.until(list.0, list.1, has(&["CANCELED"])).await?;
    let asked = json!({ "warehouse_id": stopped, "timeout_seconds": 0 });
    let running = harness.answer("get_job_costs", asked).await?;
    assert_eq!(running["still_running"], true, "{running}");
    sandbox.advance(std::time::Duration::from_secs(60));
    let done = harness.answer("get_sql_result", json!({ "statement_id": running["statement_id"] })).await?;
    assert!(done["rows"].as_array().is_some_and(|rows| !rows.is_empty()), "{done}");
    Ok(())
}
