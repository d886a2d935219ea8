//! The seam to the generated typed client.

use crate::workspace::{CREATE, DOWNLOAD, KEYED, LIST, TOKEN, Workspace, json};
use databricks::Error;
use progenitor_client::Error as Generated;

fn url(workspace: &Workspace, path: &str) -> String {
    format!("{}{path}", workspace.url())
}

#[tokio::test]
async fn requests_go_the_same_way() {
    let workspace = Workspace::start(|number| json(if number == 0 { 503 } else { 200 }, "")).await.unwrap();
    let client = workspace.client().unwrap();
    let transport = client.transport();
    assert_eq!(transport.base_url(), workspace.url());
    let request = transport.http_client().get(url(&workspace, LIST.path)).header("api-version", "1").build().unwrap();
    let response = transport.exec(request, &LIST).await.unwrap();
    assert_eq!(response.status(), 200);
    assert_eq!(response.text().await.unwrap(), "{}", "an empty answer where JSON is expected");
    let requests = workspace.requests();
    assert_eq!(requests.len(), 2);
    assert_eq!(requests[1].header("authorization"), Some(format!("Bearer {TOKEN}").as_str()));
    assert_eq!(requests[1].header("api-version"), None);
}

#[tokio::test]
async fn slashes_of_file_paths_are_restored() {
    let workspace = Workspace::always(200, &[], "").await.unwrap();
    let client = workspace.client().unwrap();
    let request = client.transport().http_client().get(url(&workspace, "/api/2.0/fs/files%2FVolumes%2Fa%20b"));
    client.transport().exec(request.build().unwrap(), &DOWNLOAD).await.unwrap();
    assert_eq!(workspace.requests()[0].uri, "/api/2.0/fs/files/Volumes/a%20b");
}

#[tokio::test]
async fn errors_come_through_whole() {
    let body = r#"{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"Job 1 does not exist."}"#;
    for (status, body) in [(400, body), (200, "<!doctype html>")] {
        let workspace = Workspace::start(move |_| json(status, body)).await.unwrap();
        let client = workspace.client().unwrap();
        let request = client.transport().http_client().post(url(&workspace, CREATE.path)).build().unwrap();
        let response = client.transport().exec(request, &CREATE).await.unwrap();
        assert!(!response.status().is_success());
        let error = Error::from(Generated::<()>::UnexpectedResponse(response));
        assert_eq!(error.operation(), Some(CREATE.id));
        assert_eq!(error.status(), Some(status));
        assert_eq!((error.is_not_found(), error.is_unauthenticated()), (status == 400, status == 200));
    }
}

#[tokio::test]
async fn keys_are_found_in_finished_requests() {
    // A key that the operation does not know is none.
    for (operation, expected) in [(&KEYED, 2), (&CREATE, 1)] {
        let workspace = Workspace::start(|number| json(if number == 0 { 502 } else { 200 }, "{}")).await.unwrap();
        let client = workspace.client().unwrap();
        let request = client.transport().http_client().post(url(&workspace, operation.path));
        let request = request.body(r#"{"request_id":"k"}"#).build().unwrap();
        client.transport().exec(request, operation).await.unwrap();
        let requests = workspace.requests();
        assert_eq!(requests.len(), expected, "{}", operation.id);
        assert!(requests.iter().all(|request| request.body == r#"{"request_id":"k"}"#));
    }
}

#[tokio::test]
async fn credentials_go_to_no_other_host() {
    let (workspace, other) =
        (Workspace::always(200, &[], "{}").await.unwrap(), Workspace::always(200, &[], "{}").await.unwrap());
    let client = workspace.client().unwrap();
    let request = client.transport().http_client().get(url(&other, LIST.path)).build().unwrap();
    let response = client.transport().exec(request, &LIST).await.unwrap();
    let error = Error::from(Generated::<()>::UnexpectedResponse(response));
    assert_eq!(error.to_string(), "cannot call `jobs.jobs.list`: the request is for another host");
    assert!(other.requests().is_empty());
}

fn run_now(body: serde_json::Value) -> serde_json::Result<databricks::api::types::JobsJobsRunNowBody> {
    serde_json::from_value(body)
}

/// The body of a recorded request.
fn sent(request: &crate::workspace::Request) -> serde_json::Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}

#[tokio::test]
async fn typed_runs_get_a_key_that_stays_the_same() {
    let workspace =
        Workspace::start(|number| json(if number == 0 { 502 } else { 200 }, r#"{"run_id":"7"}"#)).await.unwrap();
    let api = workspace.client().unwrap().api();
    let body =
        run_now(serde_json::json!({"job_id": 9_007_199_254_740_993_i64, "notebook_params": {"a": "b"}})).unwrap();
    assert_eq!(api.jobs_jobs_run_now(&body).await.unwrap().run_id, Some(7));
    api.jobs_jobs_run_now(&body).await.unwrap();
    let requests = workspace.requests();
    let keys: Vec<_> = requests.iter().map(|request| sent(request)["idempotency_token"].clone()).collect();
    assert_eq!(keys[0], keys[1], "the repetition has the key of the first attempt");
    assert_ne!(keys[1], keys[2], "another call has another key");
    uuid::Uuid::parse_str(keys[0].as_str().unwrap()).unwrap();
    assert_eq!(sent(&requests[0])["job_id"], 9_007_199_254_740_993_i64);
    assert_eq!(sent(&requests[0])["notebook_params"], serde_json::json!({"a": "b"}));
}

#[tokio::test]
async fn a_key_of_the_caller_is_kept() {
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let api = workspace.client().unwrap().api();
    let body = run_now(serde_json::json!({"job_id": 1, "idempotency_token": "mine"})).unwrap();
    api.jobs_jobs_run_now(&body).await.unwrap();
    assert_eq!(sent(&workspace.requests()[0])["idempotency_token"], "mine");
}

#[tokio::test]
async fn what_the_table_supplies_is_supplied_to_finished_requests() {
    let preset = databricks::Parameter { name: "max_results", preset: Some("0"), ..LIST.parameters[0] };
    let key = databricks::Parameter { location: databricks::Location::Query, ..KEYED.parameters[0] };
    let listed: &'static databricks::Operation =
        Box::leak(Box::new(databricks::Operation { parameters: Vec::leak(vec![preset, key]), ..LIST }));
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let transport = workspace.client().unwrap().transport().clone();
    for (query, expected) in
        [("", "max_results=0&request_id="), ("?max_results=5&request_id=k", "max_results=5&request_id=k")]
    {
        let request = transport.http_client().get(url(&workspace, &format!("{}{query}", LIST.path))).build().unwrap();
        transport.exec(request, listed).await.unwrap();
        let sent = workspace.requests().pop().unwrap();
        assert!(sent.uri.query().unwrap().starts_with(expected), "{}", sent.uri);
    }
}

#[tokio::test]
async fn a_typed_call_that_may_have_happened_is_made_once() {
    let body = serde_json::json!({"warehouse_id": "w", "statement": "INSERT INTO t VALUES (1)"});
    for status in [502, 504] {
        let workspace = Workspace::start(move |_| json(status, "")).await.unwrap();
        let api = workspace.client().unwrap().api();
        let body = serde_json::from_value(body.clone()).unwrap();
        let error = Error::from(api.sql_statement_execution_execute_statement(&body).await.unwrap_err());
        assert_eq!((error.status(), error.is_retryable()), (Some(status), true));
        assert_eq!(workspace.requests().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn typed_calls_end_with_the_budget() {
    let workspace = Workspace::always(503, &[], "").await.unwrap();
    let config = databricks::Config { retry: databricks::RetryPolicy::default(), ..workspace.config().unwrap() };
    let api = databricks::Client::new(config).unwrap().api();
    let start = tokio::time::Instant::now();
    let error = Error::from(api.jobs_jobs_get_run(None, None, None, 1).await.unwrap_err());
    assert_eq!((error.status(), error.operation()), (Some(503), Some("jobs.jobs.get_run")));
    assert!(start.elapsed().as_secs() <= 300 && workspace.requests().len() > 20, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_typed_call_is_not_made_again() {
    let workspace = Workspace::always(503, &[("retry-after", "30")], "").await.unwrap();
    let config = databricks::Config { retry: databricks::RetryPolicy::default(), ..workspace.config().unwrap() };
    let api = databricks::Client::new(config).unwrap().api();
    let patience = std::time::Duration::from_secs(5);
    assert!(tokio::time::timeout(patience, api.jobs_jobs_get_run(None, None, None, 1)).await.is_err());
    tokio::time::advance(std::time::Duration::from_secs(60)).await;
    assert_eq!(workspace.requests().len(), 1);
}

#[tokio::test(start_paused = true)]
async fn typed_calls_keep_to_the_rate() {
    let workspace = Workspace::always(200, &[], "{}").await.unwrap();
    let limits = databricks::Limits { concurrency: 8, requests_per_second: Some(10) };
    let client = databricks::Client::new(databricks::Config { limits, ..workspace.config().unwrap() }).unwrap();
    let start = tokio::time::Instant::now();
    for _ in 0..16 {
        client.api().jobs_jobs_get_run(None, None, None, 1).await.unwrap();
    }
    // Five may start at once, the others a tenth of a second apart.
    assert!(start.elapsed().as_millis() >= 1_000, "{:?}", start.elapsed());
}
