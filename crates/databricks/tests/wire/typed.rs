//! Requests whose answers have a type.

use databricks::requests::jobs::jobs::{GetRun, RunNow};
use databricks::requests::sql::statement_execution::ExecuteStatement;

use crate::workspace::{Workspace, json};

/// The body of a recorded request.
fn sent(request: &crate::workspace::Request) -> serde_json::Value {
    serde_json::from_slice(&request.body).unwrap_or_default()
}

#[tokio::test]
async fn typed_runs_get_a_key_that_stays_the_same() {
    let workspace =
        Workspace::start(|number| json(if number == 0 { 502 } else { 200 }, r#"{"run_id":"7"}"#)).await.unwrap();
    let client = workspace.client().unwrap();
    let parameters = [("a".to_owned(), "b".to_owned())].into();
    let run = RunNow::new(9_007_199_254_740_993_i64).notebook_params(parameters);
    assert_eq!(client.send(run.clone()).await.unwrap().run_id, Some(7));
    client.send(run).await.unwrap();
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
    workspace.client().unwrap().send(RunNow::new(1).idempotency_token("mine")).await.unwrap();
    assert_eq!(sent(&workspace.requests()[0])["idempotency_token"], "mine");
}

#[tokio::test]
async fn a_typed_call_that_may_have_happened_is_made_once() {
    for status in [502, 504] {
        let workspace = Workspace::start(move |_| json(status, "")).await.unwrap();
        let statement = ExecuteStatement::new("INSERT INTO t VALUES (1)", "w");
        let error = workspace.client().unwrap().send(statement).await.unwrap_err();
        assert_eq!((error.status(), error.is_retryable()), (Some(status), true));
        assert_eq!(workspace.requests().len(), 1, "{status}");
    }
}

#[tokio::test(start_paused = true)]
async fn typed_calls_end_with_the_budget() {
    let workspace = Workspace::always(503, &[], "").await.unwrap();
    let config = databricks::Config { retry: databricks::RetryPolicy::default(), ..workspace.config().unwrap() };
    let client = databricks::Client::new(config).unwrap();
    let start = tokio::time::Instant::now();
    let error = client.send(GetRun::new(1)).await.unwrap_err();
    assert_eq!((error.status(), error.operation()), (Some(503), Some("jobs.jobs.get_run")));
    assert!(start.elapsed().as_secs() <= 300 && workspace.requests().len() > 20, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_dropped_typed_call_is_not_made_again() {
    let workspace = Workspace::always(503, &[("retry-after", "30")], "").await.unwrap();
    let config = databricks::Config { retry: databricks::RetryPolicy::default(), ..workspace.config().unwrap() };
    let client = databricks::Client::new(config).unwrap();
    let patience = std::time::Duration::from_secs(5);
    assert!(tokio::time::timeout(patience, client.send(GetRun::new(1))).await.is_err());
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
        client.send(GetRun::new(1)).await.unwrap();
    }
    // Five may start at once, the others a tenth of a second apart.
    assert!(start.elapsed().as_millis() >= 1_000, "{:?}", start.elapsed());
}
