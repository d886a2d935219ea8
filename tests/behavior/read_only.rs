//! SQL that may only read, and statements that nobody should send: what runs, what is refused, and that the server lives.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use serde_json::{Value, json};

use crate::harness::{self, Harness, Outcome};

fn reading(statement: &str) -> Value {
    json!({ "statement": statement, "read_only": true })
}

#[tokio::test]
async fn no_chain_of_operators_ends_the_server() -> Outcome {
    let harness = Harness::default().await?;
    for (start, link, end) in [
        ("SELECT 1", "+1", " INTO t"),
        ("SELECT 1", " OR 1", " INTO t"),
        ("SELECT a", ":b", " INTO t"),
        ("SELECT 1", " IS NULL", ") FROM t"),
        ("SELECT 1", " UNION ALL SELECT 1", " INTO t"),
    ] {
        for count in [20_000, 50_000, 500_000] {
            let statement = format!("{start}{}{end}", link.repeat(count));
            let refusal = harness.refusal("execute_sql", reading(&statement)).await?;
            assert!(refusal.contains("only queries are allowed"), "{refusal}");
        }
    }
    assert_eq!(harness.answer("execute_sql", reading("SELECT 1")).await?["rows"], json!([[1]]));
    Ok(())
}

/// What a description gives as an example of a statement is one, as an error shows it in a call that is valid.
#[tokio::test]
async fn examples_of_statements_are_statements() -> Outcome {
    let harness = Harness::whole().await?;
    let mut tried = 0;
    for tool in Registry::all() {
        let fields = tool.input_schema.get("properties").and_then(Value::as_object);
        for (name, field) in fields.into_iter().flatten() {
            let description = field["description"].as_str().unwrap_or_default();
            let example = description.to_lowercase().split_once("e.g. `").map(|(_, rest)| rest.to_owned());
            let Some((example, _)) = example.as_deref().and_then(|rest| rest.split_once('`')) else { continue };
            let is_sql = description.contains("SQL") && !description.contains("SQL-like") && field["type"] == "string";
            if is_sql && example.contains(' ') {
                tried += 1;
                // It may name tables that are not there.
                let called = harness.call("execute_sql", reading(example)).await?;
                let told = format!("{:?}", called.content);
                assert!(!told.contains("only queries are allowed"), "{} {name}: {told}", tool.definition.name);
            }
        }
        let example = tool.example();
        if let Some(statement) = example["statement"].as_str().filter(|statement| !statement.starts_with('<')) {
            let told = format!("{:?}", harness.call("execute_sql", reading(statement)).await?.content);
            assert!(!told.contains("only queries are allowed"), "{}: {told}", tool.definition.name);
        }
    }
    assert!(tried > 0, "execute_sql has an example");
    Ok(())
}

/// A result that is too large has the statement checked without any setting.
#[tokio::test]
async fn a_long_statement_with_too_large_a_result_does_not_end_the_server() -> Outcome {
    let sent = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&sent);
    let harness = Harness::scripted(move |request, _| {
        (request == "POST /api/2.0/sql/statements").then(|| {
            counted.fetch_add(1, Ordering::SeqCst);
            let message = "Inline byte limit exceeded. Please use disposition=EXTERNAL_LINKS";
            json!({ "statement_id": "s", "status": { "state": "FAILED", "error": { "message": message } } })
        })
    })
    .await?;
    let query = format!("SELECT 1{}", "+1".repeat(40_000));
    let refusal = harness.refusal("execute_sql", json!({ "statement": query })).await?;
    assert!(refusal.contains("25 MiB"), "{refusal}");
    assert_eq!(sent.load(Ordering::SeqCst), 2, "a query is run again for delivery by links");
    // What is too long to be told for a query is not run again.
    let query = format!("SELECT 1{}", "+1".repeat(400_000));
    harness.refusal("execute_sql", json!({ "statement": query })).await?;
    assert_eq!(sent.load(Ordering::SeqCst), 3);
    Ok(())
}

#[tokio::test]
async fn what_reaches_out_is_refused_before_anything_is_sent() -> Outcome {
    let harness = Harness::whole().await?;
    for (statement, told) in [
        ("SELECT secret('a', 'b')", "`secret` can do more than read"),
        ("SELECT ai_parse_document(c, map('imageOutputPath', '/Volumes/a/b/c')) FROM t", "without `imageOutputPath`"),
        ("SELECT * FROM read_files('https://elsewhere.test/x')", "a path below `/Volumes`, `/Workspace`"),
        ("SELECT * FROM csv.`https://elsewhere.test/x`", "`https://elsewhere.test/x` is another place"),
        ("SELECT new_function(1)", "`new_function` is not known to be a built-in function that only reads"),
        ("SHOW TABLES DROP TABLE t", "`DROP` is not expected"),
        ("SELECT 1; SELECT 2", "one call takes one statement"),
    ] {
        let refusal = harness.refusal("execute_sql", reading(statement)).await?;
        assert!(refusal.contains(told), "{statement}: {refusal}");
    }
    for statement in ["SELECT secret('a', 'b')", "SELECT * FROM csv.`https://elsewhere.test/x`"] {
        let refusal = harness.refusal("explain_query", json!({ "statement": statement })).await?;
        assert!(refusal.contains("the statement cannot be planned"), "{refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn the_value_of_a_marker_decides_which_function_it_names() -> Outcome {
    let harness = Harness::default().await?;
    let call = |function: &str| {
        let parameters = json!([{ "name": "f", "value": function }]);
        json!({ "statement": "SELECT IDENTIFIER(:f)('a')", "parameters": parameters, "read_only": true })
    };
    let refusal = harness.refusal("execute_sql", call("http_request")).await?;
    assert!(refusal.contains("`http_request` can do more than read"), "{refusal}");
    // The sandbox may not know the clause; the guard lets it pass.
    let passed = harness.call("execute_sql", call("upper")).await?;
    assert!(!harness::text(&passed).contains("only queries are allowed"), "{passed:?}");
    Ok(())
}

#[tokio::test]
async fn functions_that_people_made_are_refused_where_the_server_is_told_so() -> Outcome {
    let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
    let mut context = Context::new(harness::client(&sandbox)?, Budget::tokens(6_000), None);
    context.policy.no_user_functions = true;
    let harness = Harness::of(Server::new(Registry::new(&Selection::default())?, context), sandbox).await?;
    let refusal = harness.refusal("execute_sql", reading("SELECT main.tools.discount(1)")).await?;
    assert!(refusal.contains("`main.tools.discount` is a user-defined function"), "{refusal}");
    Ok(())
}

#[tokio::test]
async fn several_statements_in_a_call_are_told_apart_from_other_errors_of_syntax() -> Outcome {
    let harness = Harness::default().await?;
    let refusal = harness.refusal("execute_sql", json!({ "statement": "SELECT 1; SELECT 2" })).await?;
    assert!(refusal.contains("one call takes one statement"), "{refusal}");
    for statement in ["SELEC 1", "SELEC ';', 1", "SELEC 1; -- ; 2"] {
        let refusal = harness.refusal("execute_sql", json!({ "statement": statement })).await?;
        assert!(!refusal.contains("one call takes one statement"), "{statement}: {refusal}");
    }
    Ok(())
}

#[tokio::test]
async fn names_may_be_quoted_in_part_for_every_tool() -> Outcome {
    let harness = Harness::whole().await?;
    let name = "samples.`retail`.orders";
    let answer = harness.answer("get_table_schema", json!({ "full_name": name })).await?;
    assert_eq!(answer["full_name"], "samples.retail.orders");
    harness.answer("get_table_lineage", json!({ "table_name": name })).await?;
    harness.answer("get_effective_grants", json!({ "securable_type": "TABLE", "full_name": name })).await?;
    let listed =
        harness.answer("list_tables", json!({ "catalog_name": "`samples`", "schema_name": "`retail`" })).await?;
    assert!(listed.to_string().contains("samples.retail.orders"), "{listed}");
    Ok(())
}
