//! Lineage by its routes and by its system tables: one and the same.

use std::collections::BTreeSet;
use std::error::Error;

use databricks_sandbox::Sandbox;
use serde_json::{Value, json};

use crate::client::{Checked, get, start};

/// The pairs of tables and what is between, as the route tells of them.
async fn routed(sandbox: &Sandbox, table: &str) -> Result<BTreeSet<[String; 4]>, Box<dyn Error>> {
    let path = "/api/2.0/lineage-tracking/table-lineage?include_entity_lineage=true&table_name=";
    let answer = get(sandbox, &format!("{path}{table}")).await?;
    let mut edges = BTreeSet::new();
    for (side, is_up) in [("/upstreams", true), ("/downstreams", false)] {
        for neighbor in answer.at(side).as_array().into_iter().flatten() {
            let info = &neighbor["tableInfo"];
            let name = ["catalog_name", "schema_name", "name"].map(|part| info[part].as_str().unwrap_or_default());
            let far = if info.is_null() { String::new() } else { name.join(".") };
            let [source, target] = if is_up { [far, table.to_owned()] } else { [table.to_owned(), far] };
            let lists = [
                ("jobInfos", "job_id", "JOB"),
                ("notebookInfos", "notebook_id", "NOTEBOOK"),
                ("dashboardInfos", "dashboard_id", "DASHBOARD_V3"),
                ("pipelineInfos", "pipeline_id", "PIPELINE"),
            ];
            let mut between: Vec<_> = Vec::new();
            for (list, id, kind) in lists {
                let ids = neighbor[list].as_array().into_iter().flatten().map(|info| &info[id]);
                between.extend(ids.map(|id| (kind, id.as_str().map_or_else(|| id.to_string(), str::to_owned))));
            }
            if between.is_empty() {
                between.push(("", String::new()));
            }
            edges.extend(between.into_iter().map(|(kind, id)| [source.clone(), target.clone(), kind.to_owned(), id]));
        }
    }
    Ok(edges)
}

#[tokio::test]
async fn lineage_is_the_same_by_route_and_by_table() -> Checked {
    let sandbox = start().await?;
    let text = |cell: &Value| cell.as_str().unwrap_or_default().to_owned();
    for table in [
        "samples.retail.orders",
        "samples.retail.customers",
        "samples.retail.open_orders",
        "main.sales.daily_revenue",
        "main.sales.top_customers",
        "main.ml.demand",
        "main.ml.forecast",
    ] {
        let sql = format!(
            "SELECT DISTINCT source_table_full_name, target_table_full_name, entity_type, entity_id \
             FROM system.access.table_lineage WHERE '{table}' IN (source_table_full_name, target_table_full_name)"
        );
        let rows = crate::sql::run(&sandbox, &sql).await?;
        let rows = rows["result"]["data_array"].as_array().cloned().unwrap_or_default();
        let told: BTreeSet<_> = rows.iter().map(|row| [0, 1, 2, 3].map(|cell| text(&row[cell]))).collect();
        assert!(!told.is_empty(), "{table}");
        assert_eq!(told, routed(&sandbox, table).await?, "{table}");
    }
    let statements = [
        // As many events of a job as it has runs, and one of everything else.
        (
            "SELECT entity_type, count(*), count(DISTINCT entity_run_id) FROM system.access.table_lineage \
             WHERE source_table_full_name = 'samples.retail.orders' GROUP BY ALL ORDER BY 1 NULLS LAST",
            json!([["JOB", "13", "13"], ["NOTEBOOK", "2", "0"], ["PIPELINE", "1", "1"], [null, "2", "0"]]),
        ),
        (
            "SELECT count(*) FROM system.access.table_lineage l LEFT ANTI JOIN system.lakeflow.job_run_timeline r \
             ON l.entity_metadata.job_info.job_run_id = r.run_id AND l.entity_id = r.job_id WHERE l.entity_type = 'JOB'",
            json!([["0"]]),
        ),
        ("SELECT count(*) - count(DISTINCT record_id) FROM system.access.column_lineage", json!([["0"]])),
        (
            "SELECT count(*) FROM system.access.column_lineage c LEFT ANTI JOIN system.access.table_lineage t \
             ON c.event_id = t.event_id AND c.source_table_full_name = t.source_table_full_name",
            json!([["0"]]),
        ),
        (
            "SELECT count(*) FROM system.access.column_lineage l LEFT ANTI JOIN system.information_schema.columns c \
             ON concat_ws('.', c.table_catalog, c.table_schema, c.table_name) = l.target_table_full_name \
             AND c.column_name = l.target_column_name",
            json!([["0"]]),
        ),
        (
            "SELECT DISTINCT entity_metadata.dlt_pipeline_info.dlt_update_id FROM system.access.table_lineage \
             WHERE entity_type = 'PIPELINE'",
            json!([["9a1b2c3d-0001-4000-8000-000000000001"]]),
        ),
    ];
    for (sql, expected) in statements {
        let rows = crate::sql::run(&sandbox, sql).await?;
        assert_eq!(rows["result"]["data_array"], expected, "{sql}: {rows}");
    }
    Ok(())
}

#[tokio::test]
async fn the_samples_have_a_chain_and_a_cycle() -> Checked {
    let sandbox = start().await?;
    let chain =
        ["samples.retail.orders", "main.sales.daily_revenue", "main.ml.demand", "main.ml.forecast", "main.ml.demand"];
    for pair in chain.windows(2) {
        for table in pair {
            let edges = routed(&sandbox, table).await?;
            assert!(
                edges.iter().any(|[source, target, ..]| [source, target] == [pair[0], pair[1]]),
                "{pair:?}: {edges:?}"
            );
        }
    }
    let sql = "SELECT DISTINCT a.source_table_full_name FROM system.access.table_lineage a \
        JOIN system.access.table_lineage b ON a.target_table_full_name = b.source_table_full_name \
        WHERE a.source_table_full_name = b.target_table_full_name ORDER BY 1";
    let rows = crate::sql::run(&sandbox, sql).await?;
    assert_eq!(rows["result"]["data_array"], json!([["main.ml.demand"], ["main.ml.forecast"]]));
    Ok(())
}

#[tokio::test]
async fn columns_of_views_come_from_what_their_text_reads() -> Checked {
    let sandbox = start().await?;
    for sql in [
        "CREATE VIEW main.default.countries (land, spent) AS SELECT c.country, sum(o.total) FROM samples.retail.customers AS c \
         JOIN samples.retail.orders o USING (customer_id) GROUP BY ALL",
        "CREATE VIEW main.default.everything AS SELECT * FROM samples.retail.orders",
    ] {
        let made = crate::sql::run(&sandbox, sql).await?;
        assert_eq!(made["status"]["state"], "SUCCEEDED", "{made}");
    }
    let path = "/api/2.0/lineage-tracking/column-lineage";
    for (table, column, expected) in [
        ("main.default.countries", "land", vec!["customers.country"]),
        ("main.default.countries", "spent", vec!["orders.total"]),
        ("main.default.everything", "total", vec!["orders.total"]),
        ("main.sales.top_customers", "revenue", vec!["orders.total"]),
        ("main.sales.top_customers", "customer_id", vec!["customers.customer_id"]),
        // A count reads no column.
        ("main.sales.top_customers", "orders", vec![]),
        ("main.sales.daily_revenue", "orders", vec![]),
    ] {
        let answer = get(&sandbox, &format!("{path}?table_name={table}&column_name={column}")).await?;
        let sources: Vec<_> = answer
            .at("/upstream_cols")
            .as_array()
            .into_iter()
            .flatten()
            .map(|from| [&from["table_name"], &from["name"]].map(|text| text.as_str().unwrap_or_default()).join("."))
            .collect();
        assert_eq!(sources, expected, "{table}.{column}");
    }
    let down = get(&sandbox, &format!("{path}?table_name=samples.retail.orders&column_name=total")).await?;
    let tables: BTreeSet<_> =
        down.at("/downstream_cols").as_array().into_iter().flatten().map(|to| to["table_name"].to_string()).collect();
    let expected = ["countries", "daily_revenue", "everything", "open_orders", "top_customers"];
    assert_eq!(tables, expected.map(|name| format!("\"{name}\"")).into_iter().collect());
    Ok(())
}

#[tokio::test]
async fn views_as_deep_as_they_may_be_have_lineage() -> Checked {
    let sandbox = start().await?;
    for length in [50, 150, 1_000, 20_000] {
        for (begin, step, end) in [("total", " + 1", ""), ("total", " = 1 AND total", " > 1"), ("(total", ")", "")] {
            let open = if step == ")" { "(".repeat(length) } else { String::new() };
            let expression = format!("{open}{begin}{}{end}", step.repeat(length));
            let expression = if step == ")" { format!("{expression})") } else { expression };
            let sql = format!(
                "CREATE OR REPLACE VIEW main.default.deep AS SELECT {expression} AS sum FROM samples.retail.orders"
            );
            let made = crate::sql::run(&sandbox, &sql).await?;
            let path = "/api/2.0/lineage-tracking/column-lineage?table_name=main.default.deep&column_name=sum";
            let answer = get(&sandbox, path).await?;
            assert_eq!(answer.status, 200);
            if made["status"]["state"] == "SUCCEEDED" {
                assert_eq!(answer.at("/upstream_cols/0/name"), "total", "{length}{step}");
            }
        }
    }
    Ok(())
}
