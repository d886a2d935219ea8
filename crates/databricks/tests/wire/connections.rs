//! Connections: how many, how long, and that they are used again.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use axum::Router;
use databricks::{Client, Config, Limits};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;

use crate::workspace::{LIST, TOKEN, call, quick};

#[tokio::test]
async fn a_host_gets_no_more_requests_at_once_than_allowed() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (open, most, door) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default(), Semaphore::new(0));
    let (door, count, record) = (Arc::new(door), Arc::clone(&open), Arc::clone(&most));
    let gate = Arc::clone(&door);
    let hold = move || async move {
        record.fetch_max(count.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
        gate.acquire().await.unwrap().forget();
        count.fetch_sub(1, Ordering::SeqCst);
        "{}"
    };
    tokio::spawn(axum::serve(listener, Router::new().fallback(hold)).into_future());
    let limits = Limits { requests_per_second: None, concurrency: 8 };
    let client = Client::new(Config { limits, ..Config::new(&url, TOKEN).unwrap() }).unwrap();
    let calls: Vec<_> = (0..30)
        .map(|_| {
            let client = client.clone();
            tokio::spawn(async move { call(&client, &LIST).await })
        })
        .collect();
    while open.load(Ordering::SeqCst) < limits.concurrency {
        tokio::task::yield_now().await;
    }
    // Any further ones would come now.
    for _ in 0..1_000 {
        tokio::task::yield_now().await;
    }
    door.add_permits(30);
    for call in calls {
        call.await.unwrap().unwrap();
    }
    assert_eq!(most.load(Ordering::SeqCst), limits.concurrency);
}

#[tokio::test]
async fn one_connection_serves_calls_that_follow_each_other() {
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let connections = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&connections);
    let router = Router::new().fallback(|| async { "{}" });
    let listener = axum::serve::ListenerExt::tap_io(listener, move |_| {
        count.fetch_add(1, Ordering::SeqCst);
    });
    tokio::spawn(axum::serve(listener, router).into_future());
    let client = Client::new(Config { retry: quick(), ..Config::new(&url, TOKEN).unwrap() }).unwrap();
    for _ in 0..5 {
        call(&client, &LIST).await.unwrap();
    }
    assert_eq!(connections.load(Ordering::SeqCst), 1);
}

#[tokio::test]
async fn a_host_that_does_not_shake_hands_is_given_up() {
    // The system accepts the connection; nobody speaks TLS on it.
    let silent = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let url = format!("https://{}", silent.local_addr().unwrap());
    let config = Config { retry: quick(), ..Config::new(&url, TOKEN).unwrap() };
    let client = Client::new(Config { connect_timeout: Duration::from_millis(50), ..config }).unwrap();
    let error = call(&client, &LIST).await.unwrap_err();
    assert!(error.is_unreachable() && error.hint().is_some(), "{error:?}");
}
