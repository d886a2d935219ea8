//! Traces of MLflow: searches, reading, and links that are credentials by themselves.

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, Reply, get, post, raw, start};

const EXPERIMENT: &str = "700100200300402";
const ANSWERED: &str = "tr-5e1ec7ed0000000000000000000000b1";
const V3: &str = "/api/3.0/mlflow/traces";
const V4: &str = "/api/4.0/mlflow/traces";

fn experiment(id: &str) -> Value {
    json!([{"type": "MLFLOW_EXPERIMENT", "mlflow_experiment": {"experiment_id": id}}])
}

fn schema(name: &str) -> Value {
    json!([{"type": "UC_SCHEMA", "uc_schema": {"catalog_name": "main", "schema_name": name}}])
}

#[tokio::test]
async fn searches_have_filters_orders_and_pages() -> Checked {
    let sandbox = start().await?;
    let search = |more: Value| {
        let mut body = json!({"locations": experiment(EXPERIMENT)});
        more.as_object().into_iter().flatten().for_each(|(name, value)| body[name] = value.clone());
        body
    };
    let first = post(&sandbox, &format!("{V3}/search"), search(json!({"max_results": 2}))).await?;
    assert_eq!(first.at("/traces").as_array().map(Vec::len), Some(2), "{}", first.json());
    let more = search(json!({"max_results": 2, "page_token": first.at("/next_page_token")}));
    let rest = post(&sandbox, &format!("{V3}/search"), more).await?;
    assert_eq!((rest.at("/traces/0/trace_id"), rest.at("/next_page_token")), (json!(ANSWERED), Value::Null));
    let filter = "trace.status = 'OK' AND metadata.`mlflow.trace.session` LIKE 'support-%' AND tags.release = '7'";
    let found = post(&sandbox, &format!("{V4}/search-long-running"), search(json!({"filter": filter}))).await?;
    assert_eq!((found.at("/done"), found.at("/response/trace_infos/0/trace_id")), (json!(true), json!(ANSWERED)));
    let ordered = search(json!({"order_by": ["timestamp_ms ASC"], "max_results": 1}));
    assert_eq!(post(&sandbox, &format!("{V3}/search"), ordered).await?.at("/traces/0/trace_id"), json!(ANSWERED));
    for (body, code) in [
        (json!({}), "INVALID_PARAMETER_VALUE"),
        (json!({"locations": experiment("1")}), "RESOURCE_DOES_NOT_EXIST"),
        (json!({"locations": schema("ml")}), "INVALID_PARAMETER_VALUE"),
        (search(json!({"filter": "trace.status"})), "INVALID_PARAMETER_VALUE"),
    ] {
        assert_eq!(post(&sandbox, &format!("{V3}/search"), body.clone()).await?.code(), code, "{body}");
    }
    Ok(())
}

#[tokio::test]
async fn tables_are_searched_through_a_warehouse() -> Checked {
    let sandbox = start().await?;
    let path = format!("{V4}/search-long-running");
    let none = post(&sandbox, &path, json!({"locations": schema("ml")})).await?;
    assert!(none.at("/message").as_str().is_some_and(|text| text.contains("resolve a SQL warehouse ID")));
    let begun = post(&sandbox, &path, json!({"locations": schema("ml"), "sql_warehouse_id": "1"})).await?;
    assert_eq!((begun.at("/done"), begun.at("/response")), (json!(false), Value::Null));
    let name = begun.at("/name").as_str().unwrap_or_default().to_owned();
    let done = get(&sandbox, &format!("{V4}/search/operations/{name}")).await?;
    let id = done.at("/response/trace_infos/0/trace_id").as_str().unwrap_or_default().to_owned();
    assert_eq!((done.at("/done"), id.len()), (json!(true), 32), "{}", done.json());
    assert_eq!(get(&sandbox, &format!("{V4}/search/operations/x")).await?.status, 404);
    let read = get(&sandbox, &format!("{V4}/main.ml/batchGet?trace_ids={id}&sql_warehouse_id=1")).await?;
    assert_eq!(read.at("/traces/0/spans/0/attributes/0/key"), json!("mlflow.traceRequestId"), "{}", read.json());
    let elsewhere = get(&sandbox, &format!("{V4}/main.other/batchGet?trace_ids={id}&sql_warehouse_id=1")).await?;
    assert_eq!(elsewhere.json(), json!({"traces": []}));
    assert_eq!(get(&sandbox, &format!("{V3}/{id}")).await?.status, 404, "it is in no experiment");
    Ok(())
}

async fn follow(sandbox: &Sandbox, uri: &str, headers: &str) -> Result<Reply, Box<dyn std::error::Error>> {
    let path = uri.trim_start_matches(sandbox.url());
    raw(sandbox, format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n{headers}\r\n").as_bytes())
        .await
}

#[tokio::test]
async fn links_to_spans_take_no_other_credential_and_end() -> Checked {
    let sandbox = Sandbox::start(Options::default().with_speed(Speed::Manual)).await?;
    let info = get(&sandbox, &format!("{V3}/{ANSWERED}")).await?;
    assert_eq!(info.at("/trace/trace_info/state"), json!("OK"), "{}", info.json());
    // What open source MLflow has, and Databricks has not.
    let missing = get(&sandbox, &format!("{V3}/get?trace_id={ANSWERED}")).await?;
    assert_eq!((missing.status, missing.at("/message")), (404, json!("Trace with ID 'get' not found.")));
    let link = get(&sandbox, &format!("/api/2.0/mlflow/traces/{ANSWERED}/credentials-for-data-download")).await?;
    let text = |pointer: &str| link.at(pointer).as_str().unwrap_or_default().to_owned();
    let uri = text("/credential_info/signed_uri");
    let header =
        format!("{}: {}\r\n", text("/credential_info/headers/0/name"), text("/credential_info/headers/0/value"));
    let spans = follow(&sandbox, &uri, &header).await?;
    assert_eq!(spans.at("/spans").as_array().map(Vec::len), Some(4), "{}", spans.head);
    let authorized = format!("{header}authorization: Bearer {}\r\n", sandbox.token());
    assert_eq!(follow(&sandbox, &uri, &authorized).await?.status, 400);
    assert_eq!(follow(&sandbox, &uri, "").await?.status, 403, "the header goes along");
    assert_eq!(follow(&sandbox, &uri.replace("Signature=", "Signature=x"), &header).await?.status, 403);
    sandbox.advance(std::time::Duration::from_secs(3_600));
    assert_eq!(follow(&sandbox, &uri, &header).await?.status, 403, "it has expired");
    Ok(())
}
