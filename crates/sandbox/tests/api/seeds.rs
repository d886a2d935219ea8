//! Seeds, the clock by request, and sandboxes side by side.

use std::error::Error;
use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Seed, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, post};

const EXAMPLE: &str = include_str!("../../examples/seed.json");

async fn planted(seed: &str) -> Result<Sandbox, Box<dyn Error>> {
    let options = Options::default().with_speed(Speed::Manual).with_seed(Seed::parse(seed)?);
    Ok(Sandbox::start(options).await?)
}

/// The rows of a query, by a command: it asks for no warehouse and no time.
async fn rows(sandbox: &Sandbox, sql: &str) -> Result<Value, Box<dyn Error>> {
    let body = json!({"statement": sql, "warehouse_id": "00000000000000aa", "wait_timeout": "0s"});
    let id = post(sandbox, "/api/2.0/sql/statements", body).await?.at("/statement_id");
    let path = format!("/api/2.0/sql/statements/{}", id.as_str().unwrap_or_default());
    for _ in 0..200 {
        sandbox.advance(Duration::from_secs(1));
        let answer = get(sandbox, &path).await?;
        if answer.at("/status/state") != "PENDING" && answer.at("/status/state") != "RUNNING" {
            return Ok(answer.at("/result/data_array"));
        }
        tokio::task::yield_now().await;
    }
    Err("the statement does not end".into())
}

#[tokio::test]
async fn the_example_is_all_there_and_nothing_else() -> Checked {
    let sandbox = planted(EXAMPLE).await?;
    let catalogs = get(&sandbox, "/api/2.1/unity-catalog/catalogs").await?.at("/catalogs");
    let names: Vec<_> = catalogs.as_array().into_iter().flatten().map(|catalog| &catalog["name"]).collect();
    assert_eq!(names, ["main", "shop", "system"]);
    let bikes = rows(&sandbox, "SELECT id, model, price, sold, electric FROM shop.sales.bikes ORDER BY id").await?;
    let expected = json!([
        ["1", "Commuter", "899.50", "2026-02-27", "false"],
        ["2", "Cargo 'XL'", "4250.00", "2026-02-28", "true"],
        ["3", "Kid's", "249.99", null, "false"],
    ]);
    assert_eq!(bikes, expected);
    assert_eq!(rows(&sandbox, "SELECT model FROM shop.sales.electric").await?, json!([["Cargo 'XL'"]]));
    let table = get(&sandbox, "/api/2.1/unity-catalog/tables/shop.sales.bikes").await?;
    assert_eq!(
        (table.at("/comment"), table.at("/columns/0/nullable")),
        (json!("One row for each bicycle sold"), json!(false))
    );
    assert!(table.at("/table_id").as_str().is_some_and(|id| !id.is_empty()));
    let cluster = get(&sandbox, "/api/2.1/clusters/get?cluster_id=0101-000000-shop0001").await?;
    assert_eq!(cluster.at("/state"), json!("TERMINATED"));
    assert_eq!(get(&sandbox, "/api/2.0/sql/warehouses/00000000000000aa").await?.at("/state"), json!("RUNNING"));
    let file = get(&sandbox, "/api/2.0/fs/files/Volumes/shop/sales/invoices/2026/0001.txt").await?;
    assert_eq!(file.body, b"Commuter: 899.50\n");
    assert_eq!(get(&sandbox, "/api/2.0/secrets/list?scope=shop").await?.at("/secrets/0/key"), json!("supplier-key"));
    let pipelines = get(&sandbox, "/api/2.0/pipelines").await?;
    assert_eq!(pipelines.at("/statuses/0/name"), json!("shop-pipeline"));
    let run = post(&sandbox, "/api/2.2/jobs/run-now", json!({"job_id": 1001})).await?.at("/run_id");
    sandbox.advance(Duration::from_secs(60));
    let run = get(&sandbox, &format!("/api/2.2/jobs/runs/get?run_id={run}")).await?;
    assert_eq!(run.at("/state/result_state"), json!("SUCCESS"), "{}", run.json());
    let output = get(&sandbox, &format!("/api/2.2/jobs/runs/get-output?run_id={}", run.at("/tasks/0/run_id"))).await?;
    assert_eq!(output.at("/notebook_output/result"), json!("imported 2026-02-28"));
    Ok(())
}

#[tokio::test]
async fn a_bare_workspace_has_what_none_is_without() -> Checked {
    let sandbox = planted(
        r#"{"warehouses": [{"id": "00000000000000aa", "name": "Own", "cluster_size": "2X-Small", "state": "RUNNING"}],
        "jobs": [{"job_id": 1001, "name": "own"}],
        "groups": [{"displayName": "lab", "members": [{"value": "4815162342"}]}]}"#,
    )
    .await?;
    let scim = "/api/2.0/preview/scim/v2";
    let me = get(&sandbox, &format!("{scim}/Me")).await?;
    let groups: Vec<_> =
        me.at("/groups").as_array().into_iter().flatten().map(|group| group["display"].clone()).collect();
    assert_eq!(groups, ["admins", "users", "lab"]);
    let users = get(&sandbox, &format!("{scim}/Users")).await?;
    assert_eq!((users.at("/totalResults"), users.at("/Resources/0/userName")), (json!(1), me.at("/userName")));
    let groups = get(&sandbox, &format!("{scim}/Groups?filter=displayName%20eq%20%22admins%22")).await?;
    assert_eq!(groups.at("/Resources/0/members/0/value"), me.at("/id"));
    let principals = get(&sandbox, &format!("{scim}/ServicePrincipals")).await?;
    assert_eq!(principals.at("/totalResults"), json!(0));
    // The tables are those of a workspace with samples, column by column.
    let columns = "SELECT table_schema, table_name, column_name, full_data_type FROM system.information_schema.columns \
         WHERE table_catalog = 'system' AND table_schema <> 'information_schema' ORDER BY ALL";
    let full = planted(r#"{"samples": true, "warehouses": [{"id": "00000000000000aa", "name": "Own", "cluster_size": "2X-Small", "state": "RUNNING"}]}"#).await?;
    let own = rows(&sandbox, columns).await?;
    assert!(own.as_array().is_some_and(|columns| columns.len() > 100), "{own}");
    assert_eq!(own, rows(&full, columns).await?);
    for schema in ["billing", "access", "lakeflow", "query", "compute"] {
        assert_eq!(get(&sandbox, &format!("/api/2.1/unity-catalog/schemas/system.{schema}")).await?.status, 200);
        let tables = format!("/api/2.1/unity-catalog/tables?catalog_name=system&schema_name={schema}");
        let tables = get(&sandbox, &tables).await?.at("/tables");
        assert!(tables.as_array().is_some_and(|tables| !tables.is_empty()), "{schema}");
    }
    // They tell of what is there, and of nothing that only the samples have.
    for (sql, expected) in [
        ("SELECT count(*) FROM system.billing.usage", json!([["0"]])),
        ("SELECT count(*) > 0 FROM system.billing.list_prices", json!([["true"]])),
        ("SELECT count(*) FROM system.access.table_lineage", json!([["0"]])),
        ("SELECT count(*) FROM system.access.column_lineage", json!([["0"]])),
        ("SELECT job_id, name FROM system.lakeflow.jobs", json!([["1001", "own"]])),
        ("SELECT count(*) FROM system.lakeflow.job_run_timeline", json!([["0"]])),
        ("SELECT warehouse_id FROM system.compute.warehouses", json!([["00000000000000aa"]])),
        ("SELECT count(*) FROM system.compute.warehouse_events", json!([["0"]])),
        ("SELECT DISTINCT compute.warehouse_id FROM system.query.history", json!([["00000000000000aa"]])),
    ] {
        assert_eq!(rows(&sandbox, sql).await?, expected, "{sql}");
    }
    let lineage =
        "/api/2.0/lineage-tracking/table-lineage?table_name=samples.retail.orders&include_entity_lineage=true";
    assert_eq!(get(&sandbox, lineage).await?.json(), json!({}));
    Ok(())
}

#[tokio::test]
async fn samples_can_stay() -> Checked {
    let sandbox = planted(r#"{"samples": true, "jobs": [{"name": "mine"}]}"#).await?;
    let jobs = get(&sandbox, "/api/2.2/jobs/list?limit=100").await?.at("/jobs");
    assert_eq!(jobs.as_array().map(Vec::len), Some(11));
    Ok(())
}

#[tokio::test]
async fn what_does_not_fit_is_refused_with_its_place() -> Checked {
    for (seed, message) in [
        ("{", "seed: not JSON"),
        ("[]", "seed: the seed must be an object"),
        (r#"{"catalog": []}"#, "seed: `catalog` is unknown; did you mean `catalogs`? (known: samples, catalogs, sql"),
        (r#"{"catalogs": [{"name": "a", "schmas": []}]}"#, "`catalogs[0].schmas` is unknown; did you mean `schemas`?"),
        (
            r#"{"catalogs": [{"name": "a", "schemas": [{"name": "b", "tables": [{"name": "c", "rows": [[[]]]}]}]}]}"#,
            "`catalogs[0].schemas[0].tables[0].rows[0]` must be a list of texts",
        ),
        (r#"{"sql": "SELECT 1"}"#, "`sql` must be a list"),
        (r#"{"files": {"/a": 1}}"#, "`files[\"/a\"]` must be a text"),
        (r#"{"notebooks": {"/a": {"lang": "SQL"}}}"#, "`notebooks[\"/a\"].lang` is unknown; did you mean `language`?"),
    ] {
        let refused = Seed::parse(seed).err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains(message), "{seed}: {refused}");
    }
    for (seed, message) in [
        (
            r#"{"jobs": [{"name": "a"}, {"nmae": "b"}]}"#,
            "seed: `jobs[1]`: Could not parse request object: unknown field 'nmae'; did you mean 'name'?",
        ),
        (r#"{"sql": ["SELECT 1", "SELEC"]}"#, "seed: `sql[1]`: [PARSE_SYNTAX_ERROR]"),
        (
            r#"{"clusters": [{"spark_version": "x", "state": "UP"}]}"#,
            "`clusters[0].state` is \"UP\", and must be one of RUNNING, TERMINATED, ERROR",
        ),
        (
            r#"{"catalogs": [{"name": "a", "schemas": [{"name": "b", "tables": [{"name": "c", "columns": [{"name": "x", "type": "INT"}], "rows": [[1], [1, 2]]}]}]}]}"#,
            "`catalogs[0].schemas[0].tables[0].rows[1]` has 2 cells for 1 columns",
        ),
        (
            r#"{"catalogs": [{"name": "a", "schemas": [{"name": "b", "tables": [{"name": "c", "columns": [{"name": "x", "type": "INTT"}]}]}]}]}"#,
            "`catalogs[0].schemas[0].tables[0]`: ",
        ),
        (r#"{"requests": [{"method": "GET", "path": "/nope"}]}"#, "`requests[0]`: No API found for 'GET /nope'"),
        (r#"{"files": {"x": "y"}}"#, "`files[\"x\"]`: a path starts with `/`"),
    ] {
        let refused = planted(seed).await.err().map(|error| error.to_string()).unwrap_or_default();
        assert!(refused.contains(message), "{seed}: {refused}");
    }
    Ok(())
}

#[tokio::test]
async fn sandboxes_side_by_side_do_not_touch() -> Checked {
    let (one, other) = (planted(EXAMPLE).await?, planted(EXAMPLE).await?);
    let ids = |sandbox| async move {
        let runs = post(sandbox, "/api/2.2/jobs/run-now", json!({"job_id": 1001})).await?;
        Ok::<_, Box<dyn Error>>(runs.at("/run_id"))
    };
    // The same requests give the same ids, and yet each has its own.
    let run = ids(&one).await?;
    assert_eq!(run, ids(&other).await?);
    one.advance(Duration::from_secs(60));
    let path = format!("/api/2.2/jobs/runs/get?run_id={run}");
    assert_eq!(get(&one, &path).await?.at("/state/life_cycle_state"), json!("TERMINATED"));
    assert_eq!(get(&other, &path).await?.at("/state/life_cycle_state"), json!("PENDING"));
    rows(&one, "DELETE FROM shop.sales.bikes WHERE id > 1").await?;
    post(&one, "/api/2.2/jobs/delete", json!({"job_id": 1001})).await?;
    post(&one, "/__sandbox/faults", json!({"route": "/api/2.2/jobs/*", "fault": "internal_error"})).await?;
    assert_eq!(rows(&one, "SELECT count(*) FROM shop.sales.bikes").await?, json!([["1"]]));
    assert_eq!(rows(&other, "SELECT count(*) FROM shop.sales.bikes").await?, json!([["3"]]));
    assert_eq!(get(&other, "/api/2.2/jobs/get?job_id=1001").await?.status, 200);
    let foreign = Options::default().with_token("dapi-another");
    let third = Sandbox::start(foreign).await?;
    assert_ne!(third.token(), one.token());
    Ok(())
}

#[tokio::test]
async fn a_manual_clock_is_moved_by_request() -> Checked {
    let sandbox = planted("{}").await?;
    let clock = "/__sandbox/clock";
    let before = get(&sandbox, clock).await?;
    assert_eq!(before.at("/speed"), json!("manual"));
    let moved = post(&sandbox, clock, json!({"advance_ms": 90_000})).await?;
    assert_eq!(moved.at("/now").as_i64(), before.at("/now").as_i64().map(|now| now + 90_000));
    assert_eq!(get(&sandbox, clock).await?.at("/now"), moved.at("/now"));
    for (body, message) in [
        (json!({"advance_ms": -1}), "`advance_ms` must be a whole number"),
        (json!({}), "`advance_ms` must be a whole number"),
        (json!({"advance": 1}), "unknown field `advance`"),
        (json!({"advance_ms": u64::MAX}), "`advance_ms` must be a whole number"),
    ] {
        let refused = post(&sandbox, clock, body).await?;
        assert_eq!(refused.status, 400);
        assert!(refused.at("/message").as_str().is_some_and(|text| text.contains(message)), "{}", refused.json());
    }
    assert!("slow".parse::<Speed>().is_err_and(|error| error.to_string().contains("`fast`, `real` or `manual`")));
    Ok(())
}

#[tokio::test]
async fn two_starts_tell_the_same_story() -> Checked {
    let (one, two) = (Sandbox::start(Options::default()).await?, Sandbox::start(Options::default()).await?);
    for path in [
        "/api/2.0/workspace/list?path=/Shared",
        "/api/2.1/unity-catalog/tables?catalog_name=samples&schema_name=retail",
        "/api/2.0/token/list",
        "/api/2.0/alerts",
        "/api/2.0/lakeview/dashboards",
        "/api/2.2/jobs/runs/list?limit=25",
    ] {
        let here = |text: String, sandbox: &Sandbox| text.replace(sandbox.url(), "");
        let (left, right) = (get(&one, path).await?.json().to_string(), get(&two, path).await?.json().to_string());
        assert_eq!(here(left, &one), here(right, &two), "{path}");
    }
    Ok(())
}
