//! MLflow, serving endpoints and vector search.

use std::time::Duration;

use databricks_sandbox::{Options, Sandbox, Speed};
use serde_json::{Value, json};

use crate::client::{Checked, get, patch, post, send, start};

const MLFLOW: &str = "/api/2.0/mlflow";
const EXPERIMENT: &str = "700100200300401";

async fn manual() -> Result<Sandbox, Box<dyn std::error::Error>> {
    Ok(Sandbox::start(Options::default().with_speed(Speed::Manual)).await?)
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn experiments_are_found_changed_and_restored() -> Checked {
    let sandbox = start().await?;
    let create = |name: &str| json!({"name": name, "tags": [{"key": "team", "value": "lab"}]});
    let made = post(&sandbox, &format!("{MLFLOW}/experiments/create"), create("/Shared/lab")).await?;
    let id = text(&made.at("/experiment_id"));
    let again = post(&sandbox, &format!("{MLFLOW}/experiments/create"), create("/Shared/lab")).await?;
    assert_eq!((again.status, again.code()), (400, "RESOURCE_ALREADY_EXISTS".to_owned()));
    assert_eq!(
        post(&sandbox, &format!("{MLFLOW}/experiments/create"), create("lab")).await?.code(),
        "INVALID_PARAMETER_VALUE"
    );
    let by_name = get(&sandbox, &format!("{MLFLOW}/experiments/get-by-name?experiment_name=/Shared/lab")).await?;
    assert_eq!(by_name.at("/experiment/experiment_id"), json!(id));
    let search = json!({"filter": "tags.team = 'lab' AND name LIKE '/Shared/%'", "max_results": 1});
    let found = post(&sandbox, &format!("{MLFLOW}/experiments/search"), search).await?;
    assert_eq!(found.at("/experiments/0/name"), "/Shared/lab", "{}", found.json());
    let body = json!({"experiment_id": id, "new_name": "/Shared/other"});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/experiments/update"), body).await?.status, 200);
    let body = json!({"experiment_id": id});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/experiments/delete"), body.clone()).await?.status, 200);
    let run = post(&sandbox, &format!("{MLFLOW}/runs/create"), body.clone()).await?;
    assert_eq!(run.code(), "INVALID_PARAMETER_VALUE");
    let all = |view: &str| format!("{MLFLOW}/experiments/list?view_type={view}&max_results=1");
    assert_eq!(get(&sandbox, &all("DELETED_ONLY")).await?.at("/experiments/0/name"), "/Shared/other");
    post(&sandbox, &format!("{MLFLOW}/experiments/restore"), body).await?;
    let page = get(&sandbox, &all("ACTIVE_ONLY")).await?;
    assert!(page.at("/next_page_token").is_string(), "{}", page.json());
    let gone = get(&sandbox, &format!("{MLFLOW}/experiments/get?experiment_id=1")).await?;
    assert_eq!((gone.status, gone.code()), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    Ok(())
}

#[tokio::test]
async fn runs_keep_what_is_logged() -> Checked {
    let sandbox = start().await?;
    let made =
        post(&sandbox, &format!("{MLFLOW}/runs/create"), json!({"experiment_id": EXPERIMENT, "run_name": "mine"}))
            .await?;
    let run = text(&made.at("/run/info/run_id"));
    for (value, step) in [(0.5, 0), (0.9, 2), (0.7, 1)] {
        let body = json!({"run_id": run, "key": "auc", "value": value, "timestamp": 1, "step": step});
        assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/log-metric"), body).await?.status, 200);
    }
    let parameter = |value: &str| json!({"run_id": run, "key": "depth", "value": value});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/log-parameter"), parameter("4")).await?.status, 200);
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/log-parameter"), parameter("4")).await?.status, 200);
    assert_eq!(
        post(&sandbox, &format!("{MLFLOW}/runs/log-parameter"), parameter("5")).await?.code(),
        "INVALID_PARAMETER_VALUE"
    );
    // A batch is taken whole or not at all.
    let batch =
        json!({"run_id": run, "tags": [{"key": "half", "value": "x"}], "params": [{"key": "depth", "value": "9"}]});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/log-batch"), batch).await?.status, 400);
    let batch = json!({"run_id": run, "metrics": [{"key": "loss", "value": 0.1, "timestamp": 1, "step": 0}], "tags": [{"key": "kind", "value": "tree"}]});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/log-batch"), batch).await?.status, 200);
    let told = get(&sandbox, &format!("{MLFLOW}/runs/get?run_id={run}")).await?;
    let metrics = told.at("/run/data/metrics");
    assert_eq!(metrics[0]["value"], 0.9);
    assert!(!told.at("/run/data/tags").to_string().contains("half"));
    let history =
        get(&sandbox, &format!("{MLFLOW}/metrics/get-history?run_id={run}&metric_key=auc&max_results=2")).await?;
    assert_eq!(history.at("/metrics").as_array().map(Vec::len), Some(2));
    assert!(history.at("/next_page_token").is_string());
    let body = json!({"run_id": run, "status": "FINISHED", "end_time": 5});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/update"), body).await?.at("/run_info/status"), "FINISHED");
    let search =
        |filter: &str, order: &str| json!({"experiment_ids": [EXPERIMENT], "filter": filter, "order_by": [order]});
    let best = post(
        &sandbox,
        &format!("{MLFLOW}/runs/search"),
        search("metrics.auc > 0.75 and attributes.status = 'FINISHED'", "metrics.auc DESC"),
    )
    .await?;
    let names: Vec<_> =
        best.at("/runs").as_array().into_iter().flatten().map(|run| run["info"]["run_name"].clone()).collect();
    assert_eq!(names, ["mine", "more-features", "deep-trees"]);
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/search"), search("metrics.auc >", "x y")).await?.status, 400);
    let body = json!({"run_id": run, "key": "kind"});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/delete-tag"), body.clone()).await?.status, 200);
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/delete-tag"), body).await?.status, 404);
    post(&sandbox, &format!("{MLFLOW}/runs/delete"), json!({"run_id": run})).await?;
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/runs/log-parameter"), parameter("4")).await?.status, 400);
    post(&sandbox, &format!("{MLFLOW}/runs/restore"), json!({"run_id": run})).await?;
    let seeded = "5e1ec7ed0000000000000000000000a2";
    let files = get(&sandbox, &format!("{MLFLOW}/artifacts/list?run_id={seeded}&path=model")).await?;
    assert_eq!(files.at("/files").as_array().map(Vec::len), Some(2));
    assert_eq!(get(&sandbox, &format!("{MLFLOW}/runs/get?run_id=nope")).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn the_registry_moves_versions_through_stages() -> Checked {
    let sandbox = start().await?;
    let made =
        post(&sandbox, &format!("{MLFLOW}/registered-models/create"), json!({"name": "lab", "description": "mine"}))
            .await?;
    assert_eq!(made.at("/registered_model/name"), "lab");
    let again = post(&sandbox, &format!("{MLFLOW}/registered-models/create"), json!({"name": "lab"})).await?;
    assert_eq!((again.status, again.code()), (400, "RESOURCE_ALREADY_EXISTS".to_owned()));
    for number in ["1", "2"] {
        let made = post(
            &sandbox,
            &format!("{MLFLOW}/model-versions/create"),
            json!({"name": "lab", "source": "dbfs:/x", "run_id": "r"}),
        )
        .await?;
        assert_eq!(made.at("/model_version/version"), number);
    }
    let stage = |version: &str, stage: &str| json!({"name": "lab", "version": version, "stage": stage, "archive_existing_versions": true});
    let transition = format!("{MLFLOW}/databricks/model-versions/transition-stage");
    post(&sandbox, &transition, stage("1", "Production")).await?;
    let moved = post(&sandbox, &transition, stage("2", "production")).await?;
    assert_eq!(moved.at("/model_version_databricks/current_stage"), "Production", "{}", moved.json());
    assert_eq!(post(&sandbox, &transition, stage("2", "Best")).await?.status, 400);
    let latest = post(
        &sandbox,
        &format!("{MLFLOW}/registered-models/get-latest-versions"),
        json!({"name": "lab", "stages": ["Archived"]}),
    )
    .await?;
    assert_eq!(latest.at("/model_versions/0/version"), "1");
    let found = get(&sandbox, &format!("{MLFLOW}/model-versions/search?filter=name%3D'lab'&max_results=1")).await?;
    assert_eq!((found.at("/model_versions/0/version"), found.at("/next_page_token").is_string()), (json!("2"), true));
    let models = get(&sandbox, &format!("{MLFLOW}/registered-models/search?filter=name%20LIKE%20'%25la%25'")).await?;
    assert_eq!(models.at("/registered_models").as_array().map(Vec::len), Some(1));
    let body = json!({"name": "lab", "key": "team", "value": "x"});
    assert_eq!(post(&sandbox, &format!("{MLFLOW}/registered-models/set-tag"), body).await?.status, 200);
    let path = format!("{MLFLOW}/registered-models/delete-tag?name=lab&key=team");
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 404);
    let version = format!("{MLFLOW}/model-versions/delete?name=lab&version=2");
    assert_eq!(send(&sandbox, "DELETE", &version, b"").await?.code(), "INVALID_STATE");
    post(&sandbox, &transition, stage("2", "Archived")).await?;
    assert_eq!(send(&sandbox, "DELETE", &version, b"").await?.status, 200);
    let renamed =
        post(&sandbox, &format!("{MLFLOW}/registered-models/rename"), json!({"name": "lab", "new_name": "works"}))
            .await?;
    assert_eq!(renamed.at("/registered_model/latest_versions/0/name"), "works", "{}", renamed.json());
    let changed = patch(
        &sandbox,
        &format!("{MLFLOW}/model-versions/update"),
        json!({"name": "works", "version": "1", "description": "d"}),
    )
    .await?;
    assert_eq!(changed.at("/model_version/description"), "d");
    assert_eq!(
        send(&sandbox, "DELETE", &format!("{MLFLOW}/registered-models/delete?name=works"), b"").await?.status,
        200
    );
    let gone = get(&sandbox, &format!("{MLFLOW}/databricks/registered-models/get?name=works")).await?;
    assert_eq!((gone.status, gone.code()), (404, "RESOURCE_DOES_NOT_EXIST".to_owned()));
    Ok(())
}

#[tokio::test]
async fn endpoints_come_up_are_updated_and_fail() -> Checked {
    let sandbox = manual().await?;
    let path = "/api/2.0/serving-endpoints";
    let entity = |version: &str, name: &str| json!({"name": name, "entity_name": "main.ml.churn_model", "entity_version": version, "workload_size": "Small", "scale_to_zero_enabled": true});
    let body = json!({"name": "mine", "config": {"name": "mine", "served_entities": [entity("1", "one")]}});
    let made = post(&sandbox, path, body.clone()).await?;
    assert_eq!((made.status, made.at("/state/ready")), (200, json!("NOT_READY")), "{}", made.json());
    assert_eq!(made.at("/pending_config/served_entities/0/state/deployment"), "DEPLOYMENT_CREATING");
    assert_eq!(post(&sandbox, path, body).await?.code(), "RESOURCE_ALREADY_EXISTS");
    let rows = json!({"dataframe_records": [{"age": 3}]});
    let invoke = "/serving-endpoints/mine/invocations";
    assert_eq!(post(&sandbox, invoke, rows.clone()).await?.status, 503);
    let config = |entity: Value| json!({"served_entities": [entity]}).to_string();
    let update = format!("{path}/mine/config");
    assert_eq!(
        send(&sandbox, "PUT", &update, config(entity("2", "two")).as_bytes()).await?.code(),
        "RESOURCE_CONFLICT"
    );
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(
        get(&sandbox, &format!("{path}/mine")).await?.at("/state"),
        json!({"ready": "READY", "config_update": "NOT_UPDATING"})
    );
    assert_eq!(post(&sandbox, invoke, rows.clone()).await?.at("/predictions/0/age"), 3);
    send(&sandbox, "PUT", &update, config(entity("2", "broken")).as_bytes()).await?;
    sandbox.advance(Duration::from_secs(1));
    let failed = get(&sandbox, &format!("{path}/mine")).await?;
    assert_eq!(failed.at("/state"), json!({"ready": "READY", "config_update": "UPDATE_FAILED"}));
    let reply = post(&sandbox, invoke, rows).await?;
    assert!(reply.status == 200 && reply.head.contains("served-model-name: one"), "{}", reply.head);
    let logs = get(&sandbox, &format!("{path}/mine/served-models/broken/build-logs")).await?.at("/logs");
    assert!(text(&logs).contains("ERROR"), "{logs}");
    let wrong = json!({"name": "x", "config": {"name": "x", "served_entities": [entity("9", "nine")]}});
    assert_eq!(post(&sandbox, path, wrong).await?.status, 404);
    let tags = patch(&sandbox, &format!("{path}/mine/tags"), json!({"add_tags": [{"key": "a", "value": "b"}]})).await?;
    assert_eq!(tags.at("/tags/0/value"), "b", "{}", tags.json());
    assert_eq!(send(&sandbox, "DELETE", &format!("{path}/mine"), b"").await?.status, 200);
    assert_eq!(get(&sandbox, &format!("{path}/mine")).await?.status, 404);
    let reply = post(
        &sandbox,
        "/serving-endpoints/sandbox-completions/invocations",
        json!({"prompt": "one two three", "max_tokens": 2}),
    )
    .await?;
    assert_eq!(
        (reply.at("/choices/0/text"), reply.at("/choices/0/finish_reason")),
        (json!("one two"), json!("length"))
    );
    let broken = post(&sandbox, "/serving-endpoints/demand-forecast/invocations", json!({"inputs": [1]})).await?;
    assert_eq!(broken.status, 400);
    // Keys of other services are taken and never told.
    let model = json!({"name": "gpt", "provider": "openai", "task": "llm/v1/chat", "openai_config": {"openai_api_key_plaintext": "hush"}});
    let body = json!({"name": "outside", "config": {"name": "outside", "served_entities": [{"name": "a", "external_model": model}]}});
    assert_eq!(post(&sandbox, "/api/2.0/serving-endpoints", body).await?.status, 200);
    let told = get(&sandbox, "/api/2.0/serving-endpoints/outside").await?;
    assert!(told.json().to_string().contains("openai_config") && !told.json().to_string().contains("hush"));
    Ok(())
}

#[tokio::test]
async fn indexes_are_written_queried_and_scanned() -> Checked {
    let sandbox = manual().await?;
    let path = "/api/2.0/vector-search";
    let endpoint = json!({"name": "mine", "endpoint_type": "STANDARD"});
    let made = post(&sandbox, &format!("{path}/endpoints"), endpoint.clone()).await?;
    assert_eq!(made.at("/endpoint_status/state"), "PROVISIONING");
    assert_eq!(post(&sandbox, &format!("{path}/endpoints"), endpoint).await?.status, 409);
    let spec = json!({"embedding_vector_columns": [{"name": "v", "embedding_dimension": 2}], "schema_json": "{\"id\":\"string\",\"v\":\"array<float>\",\"kind\":\"string\"}"});
    let body = json!({"name": "main.default.vectors", "endpoint_name": "mine", "primary_key": "id", "index_type": "DIRECT_ACCESS", "direct_access_index_spec": spec});
    let made = post(&sandbox, &format!("{path}/indexes"), body.clone()).await?;
    assert_eq!((made.status, made.at("/status/ready")), (200, json!(false)), "{}", made.json());
    assert_eq!(post(&sandbox, &format!("{path}/indexes"), body).await?.status, 409);
    let index = format!("{path}/indexes/main.default.vectors");
    let query = |more: Value| {
        let mut body = json!({"columns": ["id"], "query_vector": [1.0, 0.1], "num_results": 3});
        for (name, value) in more.as_object().cloned().unwrap_or_default() {
            body[name] = value;
        }
        body
    };
    assert_eq!(post(&sandbox, &format!("{index}/query"), query(json!({}))).await?.status, 400);
    sandbox.advance(Duration::from_secs(1));
    let rows: Vec<_> = (0..40).map(|n| json!({"id": format!("r{n:02}"), "v": [f64::from(n), 10.0], "kind": if n % 2 == 0 { "even" } else { "odd" }})).collect();
    let written =
        post(&sandbox, &format!("{index}/upsert-data"), json!({"inputs_json": json!(rows).to_string()})).await?;
    assert_eq!((written.at("/status"), written.at("/result/success_row_count")), (json!("SUCCESS"), json!(40)));
    let bad = json!([{"id": "x", "v": [1.0]}, {"id": "r01", "v": [1.0, 10.0]}]).to_string();
    let written = post(&sandbox, &format!("{index}/upsert-data"), json!({"inputs_json": bad})).await?;
    assert_eq!(
        (written.at("/status"), written.at("/result/failed_primary_keys/0")),
        (json!("PARTIAL_SUCCESS"), json!("x"))
    );
    let found = post(&sandbox, &format!("{index}/query"), query(json!({}))).await?;
    assert_eq!(found.at("/result/data_array/0/0"), "r39");
    let scores: Vec<_> =
        (0..3).map(|row| found.at(&format!("/result/data_array/{row}/1")).as_f64().unwrap_or(9.0)).collect();
    assert!(scores[0] > scores[1] && scores[1] > scores[2] && scores[0] <= 1.0, "{scores:?}");
    let found =
        post(&sandbox, &format!("{index}/query"), query(json!({"filters_json": "{\"kind\": \"even\"}"}))).await?;
    assert_eq!(found.at("/result/data_array/0/0"), "r38");
    for refused in [
        json!({"query_vector": [1.0]}),
        json!({"columns": ["nope"]}),
        json!({"query_type": "BEST"}),
        json!({"num_results": 0}),
    ] {
        assert_eq!(post(&sandbox, &format!("{index}/query"), query(refused)).await?.status, 400);
    }
    let by_text = json!({"columns": ["id"], "query_text": "even"});
    assert_eq!(post(&sandbox, &format!("{index}/query"), by_text).await?.status, 400);
    let many = post(&sandbox, &format!("{index}/query"), query(json!({"num_results": 35}))).await?;
    let token = many.at("/next_page_token");
    assert_eq!(many.at("/result/row_count"), 25);
    let rest = post(&sandbox, &format!("{index}/query-next-page"), json!({"page_token": token})).await?;
    assert_eq!((rest.at("/result/row_count"), rest.at("/next_page_token")), (json!(10), Value::Null));
    let scanned = post(&sandbox, &format!("{index}/scan"), json!({"num_results": 39})).await?;
    let last = scanned.at("/last_primary_key");
    let scanned =
        post(&sandbox, &format!("{index}/scan"), json!({"num_results": 39, "last_primary_key": last})).await?;
    assert_eq!(scanned.at("/data").as_array().map(Vec::len), Some(1));
    let gone = send(&sandbox, "DELETE", &format!("{index}/delete-data?primary_keys=r39&primary_keys=zz"), b"").await?;
    assert_eq!((gone.at("/status"), gone.at("/result/success_row_count")), (json!("PARTIAL_SUCCESS"), json!(1)));
    assert_eq!(send(&sandbox, "DELETE", &format!("{path}/endpoints/mine"), b"").await?.code(), "INVALID_STATE");
    assert_eq!(send(&sandbox, "DELETE", &index, b"").await?.status, 200);
    assert_eq!(send(&sandbox, "DELETE", &format!("{path}/endpoints/mine"), b"").await?.status, 200);
    assert_eq!(get(&sandbox, &index).await?.status, 404);
    Ok(())
}

#[tokio::test]
async fn an_index_follows_its_table_when_synced() -> Checked {
    let sandbox = start().await?;
    let index = "/api/2.0/vector-search/indexes/main.default.support_articles_index";
    crate::sql::run(&sandbox, "INSERT INTO main.default.support_articles VALUES (11, 'Zebra crossings', 'delivery', 'Drivers stop at zebras.')").await?;
    let body = json!({"columns": ["id"], "query_text": "zebra", "query_type": "FULL_TEXT"});
    assert_eq!(post(&sandbox, &format!("{index}/query"), body.clone()).await?.at("/result/row_count"), 0);
    assert_eq!(post(&sandbox, &format!("{index}/sync"), json!({})).await?.status, 200);
    assert_eq!(post(&sandbox, &format!("{index}/query"), body).await?.at("/result/data_array/0/0"), 11);
    let refused = post(&sandbox, &format!("{index}/upsert-data"), json!({"inputs_json": "[]"})).await?;
    assert_eq!(refused.status, 400);
    Ok(())
}

#[tokio::test]
async fn runs_tell_what_they_read_and_are_deleted_by_time() -> Checked {
    let sandbox = manual().await?;
    let made = post(&sandbox, "/api/2.0/mlflow/experiments/create", json!({"name": "/Shared/inputs"})).await?;
    let experiment = made.at("/experiment_id");
    let mut runs = Vec::new();
    for started in [10, 20] {
        let body = json!({"experiment_id": experiment, "start_time": started});
        let run = post(&sandbox, "/api/2.0/mlflow/runs/create", body).await?;
        runs.push(run.at("/run/info/run_id").as_str().unwrap_or_default().to_owned());
    }
    let dataset = json!({"dataset": {"name": "orders", "digest": "d", "source_type": "table", "source": "{}"}, "tags": [{"key": "k", "value": "v"}]});
    for _ in 0..2 {
        let body = json!({"run_id": runs[0], "datasets": [dataset]});
        assert_eq!(post(&sandbox, "/api/2.0/mlflow/runs/log-inputs", body).await?.status, 200);
    }
    let path = format!("/api/2.0/mlflow/runs/get?run_id={}", runs[0]);
    assert_eq!(get(&sandbox, &path).await?.at("/run/inputs/dataset_inputs"), json!([dataset]));
    let before = json!({"experiment_id": experiment, "max_timestamp_millis": 15});
    let deleted = post(&sandbox, "/api/2.0/mlflow/databricks/runs/delete-runs", before).await?;
    assert_eq!(deleted.json(), json!({"runs_deleted": 1}));
    assert_eq!(get(&sandbox, &path).await?.at("/run/info/lifecycle_stage"), json!("deleted"));
    let since = json!({"experiment_id": experiment, "min_timestamp_millis": 1});
    let restored = post(&sandbox, "/api/2.0/mlflow/databricks/runs/restore-runs", since).await?;
    assert_eq!(restored.json(), json!({"runs_restored": 1}));
    assert_eq!(get(&sandbox, &path).await?.at("/run/info/lifecycle_stage"), json!("active"));
    Ok(())
}

#[tokio::test]
async fn models_are_logged_and_their_versions_reviewed() -> Checked {
    let sandbox = manual().await?;
    let experiment = "700100200300401";
    let root = "/api/2.0/mlflow";
    let body = json!({"experiment_id": experiment, "name": "tree", "params": [{"key": "depth", "value": "4"}]});
    let made = post(&sandbox, &format!("{root}/logged-models"), body).await?;
    let path = format!("{root}/logged-models/{}", made.at("/model/info/model_id").as_str().unwrap_or_default());
    assert_eq!(made.at("/model/info/status"), json!("LOGGED_MODEL_PENDING"));
    send(&sandbox, "PATCH", &path, br#"{"status": "LOGGED_MODEL_READY"}"#).await?;
    send(&sandbox, "PATCH", &format!("{path}/tags"), br#"{"tags": [{"key": "team", "value": "a"}]}"#).await?;
    let asked = json!({"experiment_ids": [experiment], "filter": "params.depth = '4' AND tags.team = 'a'"});
    let found = post(&sandbox, &format!("{root}/logged-models/search"), asked).await?;
    assert_eq!(found.at("/models/0/info/status"), json!("LOGGED_MODEL_READY"), "{}", found.json());
    assert_eq!(send(&sandbox, "DELETE", &path, b"").await?.status, 200);
    assert_eq!(get(&sandbox, &path).await?.code(), "RESOURCE_DOES_NOT_EXIST");

    let version = |more: Value| {
        let mut body = json!({"name": "churn", "version": "2"});
        more.as_object().into_iter().flatten().for_each(|(name, value)| body[name] = value.clone());
        body
    };
    let comment = post(&sandbox, &format!("{root}/comments/create"), version(json!({"comment": "fine"}))).await?;
    let change = json!({"id": comment.at("/comment/id"), "comment": "finer"}).to_string();
    let changed = send(&sandbox, "PATCH", &format!("{root}/comments/update"), change.as_bytes()).await?;
    assert_eq!(changed.at("/comment/comment"), json!("finer"), "{}", changed.json());
    let ask = version(json!({"stage": "production"}));
    assert_eq!(post(&sandbox, &format!("{root}/transition-requests/create"), ask.clone()).await?.status, 200);
    let again = post(&sandbox, &format!("{root}/transition-requests/create"), ask).await?;
    assert_eq!(again.code(), "RESOURCE_ALREADY_EXISTS");
    let list = format!("{root}/transition-requests/list?name=churn&version=2");
    assert_eq!(get(&sandbox, &list).await?.at("/requests/0/to_stage"), json!("Production"));
    let approve = version(json!({"stage": "Production", "archive_existing_versions": false}));
    let approved = post(&sandbox, &format!("{root}/transition-requests/approve"), approve.clone()).await?;
    assert_eq!(approved.at("/activity/activity_type"), json!("APPLIED_TRANSITION"), "{}", approved.json());
    let told = get(&sandbox, &format!("{root}/model-versions/get?name=churn&version=2")).await?;
    assert_eq!(told.at("/model_version/current_stage"), json!("Production"));
    assert_eq!(get(&sandbox, &list).await?.json(), json!({}));
    let nothing = post(&sandbox, &format!("{root}/transition-requests/approve"), approve).await?;
    assert_eq!(nothing.code(), "RESOURCE_DOES_NOT_EXIST");
    Ok(())
}

#[tokio::test]
async fn endpoints_of_indexes_are_tagged_stopped_and_started() -> Checked {
    let sandbox = manual().await?;
    let path = "/api/2.0/vector-search/endpoints/support-search";
    let tags = br#"{"custom_tags": [{"key": "a", "value": "b"}]}"#;
    let tagged = send(&sandbox, "PATCH", &format!("{path}/tags"), tags).await?;
    assert_eq!(tagged.at("/name"), json!("support-search"));
    post(&sandbox, &format!("{path}/stop"), json!({})).await?;
    let stopped = get(&sandbox, path).await?;
    assert_eq!(
        (stopped.at("/endpoint_status/state"), stopped.at("/custom_tags/0/key")),
        (json!("STOPPED"), json!("a"))
    );
    let query = "/api/2.0/vector-search/indexes/main.default.support_articles_index/query";
    let ask = json!({"columns": ["title"], "query_text": "refund"});
    assert_eq!(post(&sandbox, query, ask.clone()).await?.status, 400);
    post(&sandbox, &format!("{path}/start"), json!({})).await?;
    sandbox.advance(Duration::from_secs(1));
    assert_eq!(get(&sandbox, path).await?.at("/endpoint_status/state"), json!("ONLINE"));
    assert_eq!(post(&sandbox, query, ask).await?.status, 200);
    Ok(())
}
