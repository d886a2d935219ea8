//! A workspace that answers otherwise than the sandbox: what comes from it is twisted on its way to the server.

use std::error::Error;
use std::sync::Arc;

use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ACCOUNT, Harness};

/// A request that the server made, and what the sandbox answered to it.
pub(crate) struct Exchange {
    /// Method and path, with the query: `GET /api/2.2/jobs/get?job_id=1`.
    pub(crate) target: String,
    pub(crate) body: Value,
    pub(crate) status: u16,
    pub(crate) answer: Value,
}

impl Exchange {
    pub(crate) fn is(&self, start: &str) -> bool {
        self.target.starts_with(start)
    }
}

impl Harness {
    /// A harness of every toolset whose server gets what `twist` makes of the sandbox's answers.
    pub(crate) async fn twisted(twist: impl Fn(&mut Exchange) + Send + Sync + 'static) -> Result<Self, Box<dyn Error>> {
        Self::twisted_with(&["all"], 6_000, twist).await
    }

    pub(crate) async fn twisted_with(
        toolsets: &[&str],
        tokens: usize,
        twist: impl Fn(&mut Exchange) + Send + Sync + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::start(Options::default()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let url = format!("http://{}", listener.local_addr()?);
        let behind = sandbox.url().trim_start_matches("http://").to_owned();
        let twist = Arc::new(twist);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (behind, twist) = (behind.clone(), Arc::clone(&twist));
                // A client that goes away is none of this test's business.
                tokio::spawn(async move { pass(stream, &behind, twist.as_ref()).await.ok() });
            }
        });
        let mut config = databricks::Config::new(&url, sandbox.token())?;
        config.limits.requests_per_second = None;
        config.account_id = Some(ACCOUNT.to_owned());
        let context = Context::new(databricks::Client::new(config)?, Budget::tokens(tokens), None);
        let toolsets = toolsets.iter().map(|name| (*name).to_owned()).collect();
        let registry = Registry::new(&Selection { toolsets, ..Selection::default() })?;
        Self::of(Server::new(registry, context), sandbox).await
    }
}

/// One request and its answer; then the connection is closed.
async fn pass(
    mut stream: TcpStream,
    behind: &str,
    twist: &(impl Fn(&mut Exchange) + ?Sized),
) -> Result<(), Box<dyn Error + Send + Sync>> {
    let (head, body) = message(&mut stream).await?;
    let target = head.split(" HTTP/").next().unwrap_or_default().to_owned();
    let mut sandbox = TcpStream::connect(behind).await?;
    let asked = head.replacen("\r\n", "\r\nConnection: close\r\n", 1);
    sandbox.write_all(asked.as_bytes()).await?;
    sandbox.write_all(&body).await?;
    let (head, answered) = message(&mut sandbox).await?;
    let is_empty = answered.is_empty();
    let answer = if is_empty { Ok(Value::Null) } else { serde_json::from_slice(&answered) };
    let Ok(answer) = answer else {
        stream.write_all(head.as_bytes()).await?;
        return Ok(stream.write_all(&answered).await?);
    };
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(500);
    let body = serde_json::from_slice(&body).unwrap_or_default();
    let mut exchange = Exchange { target, body, status, answer };
    twist(&mut exchange);
    if is_empty && exchange.answer.is_null() {
        return Ok(stream.write_all(head.as_bytes()).await?);
    }
    let (status, answer) = (exchange.status, exchange.answer.to_string());
    let head = format!(
        "HTTP/1.1 {status} x\r\nContent-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        answer.len()
    );
    stream.write_all(head.as_bytes()).await?;
    Ok(stream.write_all(answer.as_bytes()).await?)
}

/// Head and body of a request or an answer.
async fn message(stream: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length =
        head.lines().find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length:")?.trim().parse().ok());
    let mut body = vec![0; length.unwrap_or(0)];
    stream.read_exact(&mut body).await?;
    Ok((head, body))
}

/// Takes a field that is no text away, wherever it stands.
pub(crate) fn without(value: &mut Value, name: &str) {
    match value {
        Value::Object(fields) => {
            if fields.get(name).is_some_and(|field| !field.is_string()) {
                fields.remove(name);
            }
            fields.values_mut().for_each(|field| without(field, name));
        }
        Value::Array(items) => items.iter_mut().for_each(|item| without(item, name)),
        _ => {}
    }
}
