//! The policy file: what it denies is out of reach, by whatever name, way or trick, and everything else is not.

use std::sync::Arc;

use databricks_mcp_server::audit::AuditLog;
use databricks_mcp_server::context::Context;
use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::harness::{Harness, Outcome, client};

type Failure = Box<dyn std::error::Error>;

/// A harness of every toolset with a policy, and the directory of its audit log.
pub(crate) async fn governed(policy: &str) -> Result<(Harness, tempfile::TempDir), Failure> {
    let directory = tempfile::tempdir()?;
    let path = directory.path().join("policy.yaml");
    std::fs::write(&path, policy)?;
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let mut context = Context::new(client(&sandbox)?, Budget::tokens(6_000), None);
    context.policy_file = Some(Arc::new(Registry::load_policy(&path)?));
    context.audit = Some(AuditLog::open(&directory.path().join("audit.jsonl"))?);
    context.local = LocalRoots::open(&[directory.path().to_owned()])?;
    let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
    Ok((Harness::of(Server::new(Registry::new(&selection)?, context), sandbox).await?, directory))
}

/// What the last line of the audit log says of the decision.
pub(crate) fn decided(directory: &tempfile::TempDir) -> Result<(Value, Value), Failure> {
    let text = std::fs::read_to_string(directory.path().join("audit.jsonl"))?;
    let line: Value = serde_json::from_str(text.lines().last().ok_or("no line")?)?;
    Ok((line["decision"].clone(), line["rule"].clone()))
}

const NO_RETAIL: &str = "rules:\n- { name: no retail, effect: deny, data: [samples.retail] }\n";

pub(crate) fn through(operation: &str, arguments: Value) -> Value {
    json!({ "operation": operation, "arguments": arguments })
}

#[tokio::test]
async fn a_table_is_out_of_reach_by_every_tool_and_way() -> Outcome {
    let (harness, directory) = governed(NO_RETAIL).await?;
    let table = json!({ "full_name": "samples.retail.orders" });
    for (tool, arguments) in [
        ("get_table_schema", table.clone()),
        ("get_table_schema", json!({ "full_name": "SAMPLES.Retail.orders" })),
        ("get_table_schema", json!({ "full_name": "`samples`.`retail`.`orders`" })),
        ("get_table_schema", json!({ "table": "samples.retail.orders" })),
        ("get_table_lineage", json!({ "table_name": "samples.retail.orders" })),
        ("list_query_history", json!({})),
        ("explain_query", json!({ "statement_id": "01ef-0000" })),
        ("execute_sql", json!({ "statement": "SELECT * FROM system.access.table_lineage" })),
        ("get_schema", json!({ "full_name": "samples.retail" })),
        ("list_tables", json!({ "catalog_name": "samples", "schema_name": "retail" })),
        ("get_grants", json!({ "securable_type": "table", "full_name": "samples.retail.orders" })),
        ("get_effective_grants", json!({ "securable_type": "table", "full_name": "samples.retail.orders" })),
        ("call_read_operation", through("get_table_schema", table.clone())),
        ("call_read_operation", through("catalog.tables.get", table.clone())),
        ("call_read_operation", through("catalog.tables.exists", table.clone())),
        ("call_destructive_operation", through("catalog.tables.delete", table.clone())),
        ("call_destructive_operation", through("delete_table", table.clone())),
        ("delete_schema", json!({ "full_name": "samples.retail", "force": true })),
        // What holds it, unless the catalog itself is only looked at.
        ("call_destructive_operation", through("catalog.catalogs.delete", json!({ "name": "samples", "force": true }))),
        ("list_volume_files", json!({ "directory_path": "/Volumes/samples/retail/files" })),
        ("list_volume_files", json!({ "path": "dbfs:/Volumes/samples/retail/files" })),
        ("read_volume_file", json!({ "path": "/Volumes/samples/retail/files/a.txt" })),
        ("download_file", json!({ "path": "/Volumes/samples/retail/files/a.txt", "local_path": "a.txt" })),
    ] {
        let Ok(result) = harness.call(tool, arguments.clone()).await else { continue };
        let text = crate::harness::text(&result);
        if text.contains("with its arguments") || text.contains("no operation or tool is named") {
            continue;
        }
        assert_eq!(result.is_error, Some(true), "{tool} {arguments}: {text}");
        assert!(text.contains("the policy of this server does not allow"), "{tool} {arguments}: {text}");
        assert!(text.contains("no retail"), "{tool} {arguments}: {text}");
        assert_eq!(decided(&directory)?, (json!("refused"), json!("policy: no retail")), "{tool} {arguments}");
    }
    for uri in ["databricks://tables/samples.retail.orders", "databricks://tables/SAMPLES.retail.orders"] {
        let refused = harness.read(uri).await.err().ok_or("it was read")?.to_string();
        assert!(refused.contains("does not allow") && refused.contains("no retail"), "{uri}: {refused}");
        assert_eq!(decided(&directory)?, (json!("refused"), json!("policy: no retail")), "{uri}");
    }
    harness.answer("list_catalogs", json!({})).await?;
    harness.answer("list_schemas", json!({ "catalog_name": "samples" })).await?;
    harness.answer("list_tables", json!({ "catalog_name": "main", "schema_name": "default" })).await?;
    assert_eq!(decided(&directory)?, (json!("allowed"), json!("default")));
    Ok(())
}

#[tokio::test]
async fn no_statement_reaches_a_table_that_is_denied() -> Outcome {
    let (harness, _directory) = governed(NO_RETAIL).await?;
    let run = |statement: &str| json!({ "statement": statement });
    let in_retail = |statement: &str| json!({ "statement": statement, "catalog": "samples", "schema": "retail" });
    let named = json!({
        "statement": "SELECT * FROM IDENTIFIER(:t)", "parameters": [{ "name": "t", "value": "samples.retail.orders" }],
    });
    for arguments in [
        run("SELECT * FROM samples.retail.orders"),
        run("SELECT * FROM Samples.`RETAIL`./* x */orders"),
        run("SELECT * FROM IDENTIFIER('samples.retail.orders')"),
        named,
        in_retail("SELECT * FROM orders"),
        json!({ "statement": "SELECT * FROM retail.orders", "catalog": "samples" }),
        run("SELECT * FROM retail.orders"),
        run("SELECT * FROM orders"),
        run("WITH orders AS (SELECT * FROM orders) SELECT * FROM orders"),
        run("WITH a AS (SELECT * FROM samples.retail.orders) SELECT * FROM a"),
        run("FROM samples.retail.orders |> SELECT order_id"),
        run("SELECT 1 |> JOIN samples.retail.orders"),
        run("SELECT * FROM samples.retail.orders VERSION AS OF 1"),
        run("TABLE samples.retail.orders"),
        run("SELECT 1 UNION ALL TABLE samples.retail.orders"),
        run("SHOW TABLES IN samples.retail"),
        run("DESCRIBE TABLE EXTENDED samples.retail.orders"),
        run("INSERT OVERWRITE samples.retail.orders SELECT 1"),
        run("INSERT INTO main.default.copy SELECT * FROM samples.retail.orders"),
        run("CREATE TABLE main.default.copy AS SELECT * FROM samples.retail.orders"),
        run("CREATE TABLE main.default.copy SHALLOW CLONE samples.retail.orders"),
        run("CREATE VIEW main.default.v AS SELECT * FROM samples.retail.orders"),
        run("MERGE INTO main.default.greetings g USING samples.retail.orders o ON true WHEN MATCHED THEN DELETE"),
        run("COPY INTO main.default.copy FROM '/Volumes/samples/retail/files' FILEFORMAT = CSV"),
        run("DROP SCHEMA samples.retail CASCADE"),
        run("DROP TABLE samples.retail.orders"),
        run("EXECUTE IMMEDIATE 'SELECT * FROM samples.retail.orders'"),
        run("SELECT * FROM read_files('/Volumes/samples/retail/files')"),
        run("SELECT * FROM csv.`/Volumes/samples/retail/files`"),
        run("SELECT main.tools.read_orders()"),
        run("EXPLAIN SELECT * FROM samples.retail.orders"),
    ] {
        for (tool, arguments) in [
            ("execute_sql", arguments.clone()),
            ("call_destructive_operation", through("execute_sql", arguments.clone())),
        ] {
            let refusal = harness.refusal(tool, arguments.clone()).await?;
            assert!(refusal.contains("does not allow") && refusal.contains("no retail"), "{arguments}: {refusal}");
        }
    }
    let refusal = harness.refusal("explain_query", run("SELECT * FROM samples.retail.orders")).await?;
    assert!(refusal.contains("no retail"), "{refusal}");
    // Code could read anything, and so could a result that somebody else's statement left.
    let refusal = harness.refusal("run_code", json!({ "code": "print(1)", "language": "python" })).await?;
    assert!(refusal.contains("no retail"), "{refusal}");
    let refusal =
        harness.refusal("get_sql_result", json!({ "statement_id": "01f0aaaa-0000-1111-a2b2-c3d4e5f60718" })).await?;
    assert!(refusal.contains("no retail"), "{refusal}");
    let rows = harness.answer("execute_sql", run("SELECT 41 + 1 AS n")).await?;
    assert_eq!(rows["rows"], json!([[42]]), "{rows}");
    harness.answer("execute_sql", run("SELECT * FROM main.default.greetings")).await?;
    harness.answer("execute_sql", in_retail("SELECT * FROM main.default.greetings")).await?;
    Ok(())
}

#[tokio::test]
async fn what_may_be_read_may_not_be_written() -> Outcome {
    let policy = "default: deny\n\
        rules:\n\
        - { name: reading, effect: allow, risks: [read] }\n\
        - { name: playground, effect: allow, tools: [execute_sql, upload_file], data: [main.default] }\n\
        - { name: any warehouse, effect: allow, tools: [execute_sql], warehouses: ['*'] }\n";
    let (harness, directory) = governed(policy).await?;
    let run = |statement: &str| json!({ "statement": statement });
    harness.answer("execute_sql", run("SELECT count(*) FROM samples.retail.orders")).await?;
    harness.answer("execute_sql", run("CREATE TABLE main.default.dev AS SELECT * FROM samples.retail.orders")).await?;
    harness.answer("execute_sql", run("INSERT INTO main.default.dev SELECT * FROM samples.retail.orders")).await?;
    for statement in [
        "DELETE FROM samples.retail.orders",
        "INSERT INTO samples.retail.orders SELECT * FROM main.default.dev",
        "DROP TABLE samples.retail.orders",
        "CREATE SCHEMA main.other",
        "GRANT SELECT ON TABLE main.default.dev TO x",
    ] {
        let refusal = harness.refusal("execute_sql", run(statement)).await?;
        assert!(refusal.contains("does not allow") && refusal.contains("`default`"), "{statement}: {refusal}");
        assert_eq!(decided(&directory)?, (json!("refused"), json!("policy: default")));
    }
    for (tool, arguments) in [
        ("create_secret_scope", json!({ "scope": "no" })),
        ("call_write_operation", through("workspace.secrets.create_scope", json!({ "scope": "no" }))),
        ("run_code", json!({ "code": "print(1)", "language": "python" })),
    ] {
        let refusal = harness.refusal(tool, arguments).await?;
        assert!(refusal.contains("does not allow"), "{tool}: {refusal}");
    }
    std::fs::write(directory.path().join("notes.txt"), "some notes")?;
    let to = |path: &str| json!({ "local_path": "notes.txt", "path": path });
    harness.answer("upload_file", to("/Volumes/main/default/landing/notes.txt")).await?;
    for path in ["/Volumes/samples/retail/files/notes.txt", "/Shared/notes.txt"] {
        let refusal = harness.refusal("upload_file", to(path)).await?;
        assert!(refusal.contains("does not allow"), "{path}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn a_file_of_this_machine_is_a_write_though_its_rows_are_read() -> Outcome {
    let (harness, directory) =
        governed("rules:\n- { name: reads, effect: deny, risks: [write, destructive] }\n").await?;
    for overwrite in [false, true] {
        let call = json!({ "statement": "SELECT 1", "save_to": "one.csv", "overwrite": overwrite });
        let refusal = harness.refusal("execute_sql", call).await?;
        assert!(refusal.contains("does not allow `execute_sql` (`reads`)"), "{refusal}");
    }
    assert!(!directory.path().join("one.csv").exists());
    harness.answer("execute_sql", json!({ "statement": "SELECT 1" })).await?;
    let folder = directory.path().join("deep.yaml");
    std::fs::write(
        &folder,
        format!("rules:\n- {{ name: x, effect: deny, data: [\"{}b{}\"] }}\n", "{a,".repeat(300), "}".repeat(300)),
    )?;
    let refused = Registry::load_policy(&folder).err().ok_or("taken")?.to_string();
    assert!(refused.contains("too long") && refused.contains("deep.yaml:2"), "{refused:.300}");
    Ok(())
}

#[tokio::test]
async fn ids_stand_for_the_names_that_they_have() -> Outcome {
    let (open, _directory) = governed("rules: []\n").await?;
    let jobs = open.answer("list_jobs", json!({ "limit": 2 })).await?;
    let name = jobs["items"][0]["settings"]["name"].as_str().or(jobs["items"][0]["name"].as_str()).ok_or("no name")?;
    let clusters = open.answer("list_clusters", json!({})).await?;
    let cluster = clusters["items"][0]["cluster_name"].as_str().ok_or("no name")?;
    let warehouses = open.answer("list_warehouses", json!({})).await?;
    let warehouse = warehouses["items"][0]["name"].as_str().ok_or("no name")?;
    let quoted = |name: &str| serde_json::to_string(&name.to_uppercase());
    let policy = format!(
        "rules:\n- {{ name: not these, effect: deny, jobs: [{}], clusters: [{}], warehouses: [{}] }}\n",
        quoted(name)?,
        quoted(cluster)?,
        quoted(warehouse)?,
    );
    let (harness, _directory) = governed(&policy).await?;
    let (job, cluster, warehouse) =
        (&jobs["items"][0]["job_id"], &clusters["items"][0]["cluster_id"], &warehouses["items"][0]["id"]);
    for (tool, arguments) in [
        ("get_job", json!({ "job_id": job })),
        ("run_job_now", json!({ "job_id": job })),
        ("call_destructive_operation", through("jobs.jobs.delete", json!({ "job_id": job }))),
        ("get_cluster", json!({ "cluster_id": cluster })),
        ("start_cluster", json!({ "cluster_id": cluster })),
        ("call_destructive_operation", through("compute.clusters.delete", json!({ "cluster_id": cluster }))),
        ("stop_warehouse", json!({ "warehouse_id": warehouse })),
        ("call_read_operation", through("sql.warehouses.get", json!({ "id": warehouse }))),
        ("execute_sql", json!({ "statement": "SELECT 1", "warehouse_id": warehouse })),
    ] {
        let Ok(result) = harness.call(tool, arguments.clone()).await else { continue };
        let text = crate::harness::text(&result);
        if text.contains("with its arguments") || text.contains("no operation or tool is named") {
            continue;
        }
        assert!(result.is_error == Some(true) && text.contains("not these"), "{tool} {arguments}: {text}");
    }
    let other = &jobs["items"][1]["job_id"];
    harness.answer("get_job", json!({ "job_id": other })).await?;
    let refusal = harness.refusal("get_job", json!({ "job_id": 1 })).await?;
    assert!(refusal.contains("cannot be read"), "what has no name cannot be allowed: {refusal}");
    Ok(())
}

#[tokio::test]
async fn paths_are_denied_however_they_are_written() -> Outcome {
    let (harness, _directory) =
        governed("rules:\n- { name: finance, effect: deny, paths: [/Shared/finance] }\n").await?;
    let notebook = |path: &str| json!({ "path": path, "content": "1", "language": "PYTHON", "format": "SOURCE" });
    for path in [
        "/Shared/finance/report",
        "/Workspace/Shared/finance/report",
        "/shared/Finance/report",
        "/Shared/finance",
        "/Shared/./finance/report",
        "/Shared/x/../finance/report",
        "/Shared/%66inance/../finance/report",
        "/Shared/finance%2Freport",
        "/Shared//finance/report",
    ] {
        for (tool, arguments) in [
            ("import_notebook", notebook(path)),
            ("export_notebook", json!({ "path": path })),
            ("call_read_operation", through("list_workspace_items", json!({ "path": path }))),
            (
                "call_destructive_operation",
                through("workspace.workspace.delete", json!({ "path": path, "recursive": true })),
            ),
        ] {
            let result = harness.call(tool, arguments).await?;
            let text = crate::harness::text(&result);
            assert_eq!(result.is_error, Some(true), "{tool} {path}: {text}");
            let is_refused = text.contains("(`finance`)") || text.contains("is not clear") || text.contains("part");
            assert!(is_refused, "{tool} {path}: {text}");
        }
    }
    // What holds it goes with it.
    let delete = json!({ "path": "/Shared", "recursive": true });
    let refusal = harness.refusal("call_destructive_operation", through("workspace.workspace.delete", delete)).await?;
    assert!(refusal.contains("finance"), "{refusal}");
    harness.answer("import_notebook", notebook("/Shared/financial")).await?;
    Ok(())
}

#[tokio::test]
async fn limits_hold_for_results_and_compute() -> Outcome {
    let policy = "limits: { rows: 3, workers: 2, node_types: ['m5.*'], warehouse_sizes: ['*Small'] }\n";
    let (harness, directory) = governed(policy).await?;
    for row_limit in [json!(null), json!(100)] {
        let mut query = json!({ "statement": "SELECT order_id FROM samples.retail.orders" });
        if !row_limit.is_null() {
            query["row_limit"] = row_limit;
        }
        let rows = harness.answer("execute_sql", query).await?;
        assert_eq!(rows["rows"].as_array().map(Vec::len), Some(3), "{rows}");
    }
    let tasks = json!([{ "task_key": "a", "notebook_task": { "notebook_path": "/a" },
        "new_cluster": { "spark_version": "15.4.x-scala2.12", "node_type_id": "m5.large", "num_workers": 3 } }]);
    for (tool, arguments, expected) in [
        (
            "create_cluster",
            json!({ "cluster_name": "a", "spark_version": "15.4.x-scala2.12", "node_type_id": "m5.large", "num_workers": 3 }),
            "num_workers",
        ),
        (
            "create_cluster",
            json!({ "cluster_name": "a", "spark_version": "15.4.x-scala2.12", "node_type_id": "p5.48xlarge", "num_workers": 1 }),
            "node_type_id",
        ),
        ("create_job", json!({ "name": "a", "tasks": tasks.clone() }), "num_workers"),
        ("create_job", json!({ "name": "a", "tasks": tasks.to_string() }), "num_workers"),
        ("create_warehouse", json!({ "name": "a", "cluster_size": "Large" }), "cluster_size"),
        (
            "call_destructive_operation",
            through("create_warehouse", json!({ "name": "a", "cluster_size": "Large" })),
            "cluster_size",
        ),
    ] {
        let refusal = harness.refusal(tool, arguments.clone()).await?;
        assert!(refusal.contains("does not allow") && refusal.contains(expected), "{tool} {arguments}: {refusal}");
        assert_eq!(decided(&directory)?, (json!("refused"), json!("policy: limits")));
    }
    Ok(())
}
