use std::time::Duration;

use futures_util::FutureExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;

use crate::{Arguments, Client, Config, Error, Limits, Location, operations};

const PATIENCE: Duration = Duration::from_secs(30);
const REFUSED: &str = "429 Too Many Requests\r\nRetry-After: 3";

/// A host whose answers the test gives.
struct Host {
    listener: TcpListener,
    client: Client,
}

impl Host {
    async fn new(scheme: &str) -> Host {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let limits = Limits { concurrency: 1, requests_per_second: None };
        let config = Config { limits, ..Config::new(&format!("{scheme}://{address}"), "dapi123").unwrap() };
        Host { listener, client: Client::new(config).unwrap() }
    }

    /// The next connection, with its whole request read.
    async fn asked(&self) -> TcpStream {
        let (mut stream, _) = timeout(PATIENCE, self.listener.accept()).await.unwrap().unwrap();
        let mut request = Vec::new();
        // Every request of these tests ends so: it is JSON, or has no body.
        while !request.ends_with(b"}") && !request.ends_with(b"\r\n\r\n") {
            request.push(stream.read_u8().await.unwrap());
            if request.ends_with(b"\r\n\r\n") && request.starts_with(b"POST") {
                request.push(stream.read_u8().await.unwrap());
            }
        }
        stream
    }

    fn is_asked_again(&self) -> bool {
        self.listener.accept().now_or_never().is_some()
    }
}

async fn answer(mut stream: TcpStream, status: &str) {
    let body = r#"{"job_id":7}"#;
    let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nConnection: close");
    let text = format!("{head}\r\nContent-Length: {}\r\n\r\n{body}", body.len());
    stream.write_all(text.as_bytes()).await.unwrap();
}

fn create(client: &Client) -> JoinHandle<Result<(), Error>> {
    let client = client.clone();
    tokio::spawn(async move {
        let arguments = Arguments::new().with(Location::Body, "name", "once");
        client.execute(&operations::JOBS_JOBS_CREATE, arguments).await.map(drop)
    })
}

async fn outcome(call: JoinHandle<Result<(), Error>>) -> Result<(), Error> {
    timeout(PATIENCE, call).await.unwrap().unwrap()
}

#[tokio::test]
async fn what_waits_for_a_slot_is_not_sent() {
    let (host, token) = (Host::new("http").await, CancellationToken::new());
    let first = create(&host.client);
    let stream = host.asked().await;
    let second = create(&host.client.until(token.clone()));
    tokio::task::yield_now().await;
    token.cancel();
    assert!(outcome(second).await.unwrap_err().is_called_off());
    answer(stream, "200 OK").await;
    outcome(first).await.unwrap();
    assert!(!host.is_asked_again());
}

#[tokio::test]
async fn what_waits_for_a_connection_is_not_sent() {
    // The host takes the connection, and does not answer the handshake.
    let (host, token) = (Host::new("https").await, CancellationToken::new());
    let call = create(&host.client.until(token.clone()));
    let (mut stream, _) = timeout(PATIENCE, host.listener.accept()).await.unwrap().unwrap();
    stream.read_u8().await.unwrap();
    token.cancel();
    assert!(outcome(call).await.unwrap_err().is_called_off());
}

#[tokio::test]
async fn what_was_refused_is_not_sent_again() {
    let (host, token) = (Host::new("http").await, CancellationToken::new());
    let call = create(&host.client.until(token.clone()));
    answer(host.asked().await, REFUSED).await;
    // The next attempt would come in three seconds.
    token.cancel();
    assert_eq!(outcome(call).await.unwrap_err().status(), Some(429));
    assert!(!host.is_asked_again());
}

#[tokio::test]
async fn what_is_on_the_wire_is_waited_for_and_is_the_last_attempt() {
    for (status, is_success) in [("200 OK", true), (REFUSED, false)] {
        let (host, token) = (Host::new("http").await, CancellationToken::new());
        let mut call = create(&host.client.until(token.clone()));
        let stream = host.asked().await;
        token.cancel();
        tokio::task::yield_now().await;
        assert!((&mut call).now_or_never().is_none(), "it was given up");
        answer(stream, status).await;
        assert_eq!(outcome(call).await.is_ok(), is_success, "{status}");
        assert!(!host.is_asked_again());
    }
}

#[tokio::test]
async fn a_read_ends_at_once() {
    let (host, token) = (Host::new("http").await, CancellationToken::new());
    let client = host.client.until(token.clone());
    let call = tokio::spawn(async move { client.execute(&operations::JOBS_JOBS_LIST, Arguments::new()).await });
    let _stream = host.asked().await;
    token.cancel();
    assert!(timeout(PATIENCE, call).await.unwrap().unwrap().unwrap_err().is_called_off());
}

#[tokio::test]
async fn nothing_begins_once_it_is_called_off() {
    let (host, token) = (Host::new("http").await, CancellationToken::new());
    token.cancel();
    let error = outcome(create(&host.client.until(token))).await.unwrap_err();
    assert_eq!(error.to_string(), "cannot call `jobs.jobs.create`: the call was cancelled before its request was sent");
    assert!(!host.is_asked_again());
}
