//! Which calls are made again, and that they are then the same.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use axum::body::Body;
use axum::http::Response as HttpResponse;
use databricks::{Arguments, Client, Config};
use tokio::io::AsyncReadExt;
use tokio::net::TcpListener;

use crate::workspace::{CREATE, KEYED, LIST, TOKEN, Workspace, call, json, quick};

/// A workspace that fails twice and then works.
async fn recovering(status: u16) -> io::Result<Workspace> {
    Workspace::start(move |number| if number < 2 { json(status, "{}") } else { json(200, "{}") }).await
}

#[tokio::test]
async fn a_refused_call_is_repeated_whatever_it_does() {
    for operation in [&LIST, &CREATE, &KEYED] {
        let workspace = recovering(429).await.unwrap();
        call(&workspace.client().unwrap(), operation).await.unwrap();
        assert_eq!(workspace.requests().len(), 3, "{}", operation.id);
    }
}

#[tokio::test]
async fn a_call_that_may_have_happened_is_repeated_only_when_harmless() {
    for status in [502, 503, 504] {
        for (operation, idempotent, expected) in
            [(&LIST, false, 3), (&CREATE, false, 1), (&CREATE, true, 3), (&KEYED, false, 3)]
        {
            let workspace = recovering(status).await.unwrap();
            let result = workspace.client().unwrap().execute(operation, Arguments::new().idempotent(idempotent)).await;
            assert_eq!((workspace.requests().len(), result.is_ok()), (expected, expected == 3), "{}", operation.id);
        }
    }
}

#[tokio::test]
async fn an_open_outcome_is_told_where_something_may_have_changed() {
    for (status, body, open) in [
        (200, "not JSON", true),
        (200, r#"{"error_code":"INTERNAL_ERROR","message":"m"}"#, true),
        (200, r#"{"error_code":"PERMISSION_DENIED","message":"m"}"#, false),
        (400, "{}", false),
        (403, "{}", false),
        (404, "{}", false),
        (408, "{}", true),
        (409, "{}", false),
        (429, "{}", false),
        (500, "{}", true),
        (500, r#"{"error_code":"INTERNAL_ERROR","message":"REQUEST_LIMIT_EXCEEDED"}"#, false),
        (501, "{}", false),
        (502, "", true),
        (503, "", true),
        (504, "", true),
        (302, "", false),
    ] {
        let workspace = Workspace::always(status, &[], body).await.unwrap();
        let arguments = || Arguments::new().with_retry_budget(std::time::Duration::ZERO);
        let client = workspace.client().unwrap();
        let error = client.execute(&CREATE, arguments()).await.unwrap_err();
        assert_eq!(error.may_have_happened(), open, "{status} {body}: {error}");
        let error = client.execute(&LIST, arguments()).await.unwrap_err();
        assert!(!error.may_have_happened(), "{status} {body}: reading changes nothing");
    }
}

#[tokio::test]
async fn a_503_that_is_known_to_refuse_is_repeated_whatever_the_call_does() {
    for (status, expected) in [(503, 3), (502, 1)] {
        let workspace = recovering(status).await.unwrap();
        let arguments = Arguments::new().unavailable_is_refusal(true);
        let result = workspace.client().unwrap().execute(&CREATE, arguments).await;
        assert_eq!((workspace.requests().len(), result.is_ok()), (expected, expected == 3), "{status}");
    }
}

#[tokio::test]
async fn the_key_stays_the_same_through_all_attempts() {
    let workspace = recovering(503).await.unwrap();
    let client = workspace.client().unwrap();
    call(&client, &KEYED).await.unwrap();
    call(&client, &KEYED).await.unwrap();
    let bodies: Vec<_> = workspace.requests().into_iter().map(|request| request.body).collect();
    assert!(bodies[0].starts_with(br#"{"request_id":""#));
    assert!(bodies[0] == bodies[1] && bodies[1] == bodies[2]);
    assert_ne!(bodies[2], bodies[3], "another call, another key");
}

#[tokio::test]
async fn a_call_may_have_no_patience() {
    let workspace = recovering(503).await.unwrap();
    let arguments = Arguments::new().with_retry_budget(std::time::Duration::ZERO);
    let error = workspace.client().unwrap().execute(&LIST, arguments).await.unwrap_err();
    assert!(error.is_retryable());
    assert_eq!(workspace.requests().len(), 1);
}

#[tokio::test]
async fn retry_after_is_told_when_it_is_too_long_to_wait() {
    let workspace = Workspace::start(|_| {
        HttpResponse::builder().status(429).header("retry-after", "3600").body(Body::empty()).unwrap_or_default()
    })
    .await
    .unwrap();
    let error = call(&workspace.client().unwrap(), &LIST).await.unwrap_err();
    assert!(error.is_rate_limited());
    assert_eq!(error.retry_after().unwrap().as_secs(), 3_600);
    assert_eq!(workspace.requests().len(), 1);
}

/// A server that reads a little of each request and hangs up; counts them.
async fn hanging_up() -> io::Result<(String, Arc<AtomicUsize>)> {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let url = format!("http://{}", listener.local_addr()?);
    let count = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&count);
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            if stream.read(&mut [0; 4_096]).await.is_ok_and(|length| length > 0) {
                counter.fetch_add(1, Ordering::SeqCst);
            }
        }
    });
    Ok((url, count))
}

#[tokio::test]
async fn a_broken_connection_counts_as_perhaps_happened() {
    for (operation, repeated) in [(&CREATE, false), (&LIST, true), (&KEYED, true)] {
        let (url, count) = hanging_up().await.unwrap();
        let mut retry = quick();
        retry.budget = std::time::Duration::from_millis(100);
        let client = Client::new(Config { retry, ..Config::new(&url, TOKEN).unwrap() }).unwrap();
        let error = call(&client, operation).await.unwrap_err();
        assert!(!error.is_unreachable() && error.is_retryable() && error.status().is_none(), "{error}");
        assert_eq!(error.may_have_happened(), operation.id != LIST.id, "{error}");
        assert_eq!(count.load(Ordering::SeqCst) > 1, repeated, "{}", operation.id);
    }
}

#[tokio::test]
async fn an_unreachable_host_is_told_soon() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let client = Client::new(Config { retry: quick(), ..Config::new(&url, TOKEN).unwrap() }).unwrap();
    let error = call(&client, &CREATE).await.unwrap_err();
    assert!(error.is_unreachable() && !error.may_have_happened(), "{error}");
    assert!(error.hint().unwrap().contains("DATABRICKS_HOST"));
    assert!(error.to_string().starts_with("cannot call `jobs.jobs.create` in 3 attempts: no connection"), "{error}");
}

#[tokio::test]
async fn dropping_a_call_closes_its_connection_at_once() {
    for typed in [false, true] {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let client = Client::new(Config { retry: quick(), ..Config::new(&url, TOKEN).unwrap() }).unwrap();
        let call = tokio::spawn(async move {
            if typed {
                client.send(databricks::requests::jobs::jobs::GetRun::new(1)).await.is_ok()
            } else {
                call(&client, &LIST).await.is_ok()
            }
        });
        let (mut stream, _) = listener.accept().await.unwrap();
        assert!(stream.read(&mut [0; 4_096]).await.unwrap() > 0, "no request came");
        call.abort();
        // The other side has gone: it reads to the end instead of waiting for more.
        let patience = std::time::Duration::from_secs(10);
        let rest = tokio::time::timeout(patience, stream.read_to_end(&mut Vec::new())).await;
        assert!(rest.is_ok(), "the connection is still open");
        assert!(call.await.unwrap_err().is_cancelled());
    }
}
