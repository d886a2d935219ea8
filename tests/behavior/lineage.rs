//! Lineage of tables and columns, end to end: by the lineage API, and by the system tables where that is closed.

use std::collections::BTreeSet;

use databricks_sandbox::{Faults, Options};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome};
use crate::sql::beside;

const ORDERS: &str = "samples.retail.orders";
const REVENUE: &str = "main.sales.daily_revenue";
const CUSTOMERS: &str = "main.sales.top_customers";
const LOADER_JOB: &str = "620114300000101";

type Failure = Box<dyn std::error::Error>;

/// A harness with the lineage API, and one where it is closed.
async fn both() -> Result<[Harness; 2], Failure> {
    let closed = json!([{ "route": "/api/2.0/lineage-tracking/*", "fault": "permission_denied" }]);
    let closed = Options::default().with_faults(Faults::parse(&closed.to_string())?);
    Ok([beside(Options::default(), &[], 6_000).await?.1, beside(closed, &[], 6_000).await?.1])
}

impl Harness {
    async fn sql(&self, statement: &str) -> Outcome {
        self.answer("execute_sql", json!({ "statement": statement })).await.map(drop)
    }

    async fn lineage(&self, table: &str, more: Value) -> Result<Value, Failure> {
        let mut call = json!({ "full_name": table });
        if let (Some(call), Value::Object(more)) = (call.as_object_mut(), more) {
            call.extend(more);
        }
        self.answer("get_table_lineage", call).await
    }
}

fn edges<'a>(answer: &'a Value, direction: &str) -> impl Iterator<Item = &'a Value> {
    answer[direction].as_array().into_iter().flatten()
}

/// The columns on one side, as `table.column`.
fn columns(answer: &Value, direction: &str) -> BTreeSet<String> {
    let text = |edge: &Value, name: &str| edge[name].as_str().unwrap_or_default().to_owned();
    edges(answer, direction).map(|edge| format!("{}.{}", text(edge, "table"), text(edge, "column"))).collect()
}

fn set<const N: usize>(names: [&str; N]) -> BTreeSet<String> {
    names.map(str::to_owned).into()
}

/// The ids of a kind on all edges.
fn between(answer: &Value, direction: &str, kind: &str) -> BTreeSet<String> {
    let all = edges(answer, direction).flat_map(|edge| edge[kind].as_array().into_iter().flatten());
    all.filter_map(|one| one["id"].as_str().map(str::to_owned)).collect()
}

#[tokio::test]
async fn tables_are_told_with_jobs_notebooks_pipelines_and_dashboards_between() -> Outcome {
    for harness in both().await? {
        let orders = harness.lineage(ORDERS, json!({})).await?;
        let revenue = edges(&orders, "downstream").find(|edge| edge["table"] == REVENUE).ok_or("no revenue")?;
        assert_eq!(revenue["jobs"], json!([{ "id": LOADER_JOB, "name": "nightly-orders" }]), "{orders}");
        assert_eq!(revenue["notebooks"].as_array().map(Vec::len), Some(1), "{orders}");
        assert_eq!(revenue["notebooks"][0]["path"], "/Shared/etl/load_orders", "{orders}");
        let pipelines = between(&orders, "downstream", "pipelines");
        assert_eq!(pipelines, set(["0a1b2c3d-0001-4000-8000-000000000001"]), "{orders}");
        let customers = harness.lineage(CUSTOMERS, json!({ "direction": "downstream" })).await?;
        assert_eq!(between(&customers, "downstream", "dashboards").len(), 1, "{customers}");
        let read = edges(&customers, "downstream").find_map(|edge| edge["dashboards"].get(0));
        let dashboard = read.ok_or("no dashboard")?;
        assert!(dashboard["name"].is_string() && dashboard["path"].is_string(), "{customers}");
    }
    Ok(())
}

#[tokio::test]
async fn columns_are_followed_both_ways_by_either_source() -> Outcome {
    for harness in both().await? {
        let down = harness.lineage(ORDERS, json!({ "column_name": "total", "direction": "downstream" })).await?;
        let made = columns(&down, "downstream");
        for column in [format!("{REVENUE}.revenue"), format!("{CUSTOMERS}.revenue")] {
            assert!(made.contains(&column), "no {column}: {down}");
        }
        assert!(down.get("upstream").is_none() && down["column_name"] == "total", "{down}");
        // What moves a column is told too, and a view moves by itself.
        let edge = |table: &str| edges(&down, "downstream").find(|edge| edge["table"] == table);
        let (revenue, customers) = (edge(REVENUE).ok_or("no revenue")?, edge(CUSTOMERS).ok_or("no customers")?);
        assert_eq!(revenue["jobs"][0]["id"], LOADER_JOB, "{down}");
        assert!(revenue["notebooks"].is_array() && customers.get("jobs").is_none(), "{down}");

        let up = harness.lineage(REVENUE, json!({ "column_name": "revenue" })).await?;
        assert_eq!(columns(&up, "upstream"), set(["samples.retail.orders.total"]), "{up}");
        let none = harness.lineage(REVENUE, json!({ "column_name": "orders", "direction": "upstream" })).await?;
        assert_eq!(none["upstream"], json!([]), "a count reads no column: {none}");
        let is_api = up["source"] == "lineage API";
        assert_eq!((up.get("note").is_some(), up.get("warehouse_id").is_some()), (is_api, !is_api), "{up}");
    }
    Ok(())
}

#[tokio::test]
async fn columns_are_followed_as_far_as_the_depth_and_no_farther() -> Outcome {
    for harness in both().await? {
        harness.sql("CREATE VIEW main.default.one AS SELECT total * 2 AS double FROM samples.retail.orders").await?;
        harness.sql("CREATE VIEW main.default.two AS SELECT double + 1 AS more FROM main.default.one").await?;
        harness.sql("CREATE VIEW main.default.three AS SELECT more AS last FROM main.default.two").await?;
        let mut found = Vec::new();
        for depth in [1, 2, 3, 5] {
            let asked = json!({ "column_name": "last", "direction": "upstream", "depth": depth });
            let up = harness.lineage("main.default.three", asked).await?;
            let steps = edges(&up, "upstream");
            found.push(steps.map(|edge| (edge["depth"].clone(), edge["column"].clone())).collect::<Vec<_>>());
            assert_eq!(found.last().map(Vec::len), Some(depth.min(3)), "{up}");
        }
        let all = [(1, "more"), (2, "double"), (3, "total")].map(|(depth, name)| (json!(depth), json!(name)));
        assert_eq!(found[3], all);
        let down =
            harness.lineage(ORDERS, json!({ "column_name": "total", "direction": "downstream", "depth": 2 })).await?;
        let made = columns(&down, "downstream");
        assert!(made.contains("main.default.two.more") && !made.contains("main.default.three.last"), "{down}");
    }
    Ok(())
}

#[tokio::test]
async fn more_tables_than_can_be_followed_are_cut_with_notice() -> Outcome {
    let [harness, _] = both().await?;
    for at in 0..42 {
        harness.sql(&format!("CREATE VIEW main.default.wide{at} AS SELECT total FROM samples.retail.orders")).await?;
    }
    let near = harness.lineage(ORDERS, json!({ "direction": "downstream" })).await?;
    assert!(near.get("truncated").is_none(), "{near}");
    let far = harness.lineage(ORDERS, json!({ "direction": "downstream", "depth": 2 })).await?;
    assert_eq!(far["truncated"], true, "{far}");
    assert!(far["hint"].to_string().contains("lower `depth`"), "{far}");
    Ok(())
}

#[tokio::test]
async fn a_hidden_table_is_named_and_not_followed() -> Outcome {
    let [harness, _] = both().await?;
    harness.sql("CREATE VIEW main.default.shown AS SELECT day, revenue FROM main.sales.daily_revenue").await?;
    harness.sql(&format!("ALTER TABLE {REVENUE} SET TBLPROPERTIES ('sandbox.hidden' = 'true')")).await?;
    for (asked, name) in
        [(json!({}), REVENUE.to_owned()), (json!({ "column_name": "revenue" }), format!("{REVENUE}.revenue"))]
    {
        let mut asked = asked;
        asked["depth"] = json!(3);
        asked["direction"] = json!("upstream");
        let up = harness.lineage("main.default.shown", asked).await?;
        let told: Vec<_> = edges(&up, "upstream").collect();
        assert_eq!((told.len(), &told[0]["table"], &told[0]["hidden"]), (1, &json!(name), &json!(true)), "{up}");
    }
    Ok(())
}

#[tokio::test]
async fn a_system_schema_that_is_not_enabled_names_what_is_missing() -> Outcome {
    let [_, harness] = both().await?;
    for (asked, relation) in [(json!({}), "table_lineage"), (json!({ "column_name": "total" }), "column_lineage")] {
        harness.sql(&format!("DROP TABLE system.access.{relation}")).await?;
        let mut call = asked;
        call["full_name"] = json!(ORDERS);
        let refusal = harness.refusal("get_table_lineage", call).await?;
        for expected in [relation, "TABLE_OR_VIEW_NOT_FOUND", "must enable", "USE SCHEMA and SELECT on `system.access`"]
        {
            assert!(refusal.contains(expected), "no {expected}: {refusal}");
        }
    }
    Ok(())
}

#[tokio::test]
async fn what_cannot_be_looked_up_stays_an_id() -> Outcome {
    let denied = json!([
        { "route": "jobs.jobs.get", "fault": "permission_denied" },
        { "route": "dashboards.lakeview.get", "fault": "permission_denied" },
    ]);
    let options = Options::default().with_faults(Faults::parse(&denied.to_string())?);
    let (_sandbox, harness) = beside(options, &[], 6_000).await?;
    let orders = harness.lineage(ORDERS, json!({ "direction": "downstream" })).await?;
    let revenue = edges(&orders, "downstream").find(|edge| edge["table"] == REVENUE).ok_or("no revenue")?;
    assert_eq!(revenue["jobs"], json!([{ "id": LOADER_JOB }]), "{orders}");
    // Its path is known by the job alone.
    let reader = edges(&orders, "downstream").find(|edge| edge.get("table").is_none()).ok_or("no reader")?;
    assert!(reader["notebooks"][0]["id"].is_string() && reader["notebooks"][0].get("path").is_none(), "{orders}");
    Ok(())
}
