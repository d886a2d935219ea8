//! A client of one request per connection, which can also send nonsense.

use std::error::Error;
use std::time::Duration;

use databricks_sandbox::{Options, Sandbox};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

pub(crate) type Checked = Result<(), Box<dyn Error>>;

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// What a JSON pointer leads to; null where it leads nowhere.
    pub(crate) fn at(&self, pointer: &str) -> Value {
        self.json().pointer(pointer).cloned().unwrap_or_default()
    }

    pub(crate) fn code(&self) -> String {
        self.at("/error_code").as_str().unwrap_or_default().to_owned()
    }
}

pub(crate) async fn start() -> Result<Sandbox, Box<dyn Error>> {
    Ok(Sandbox::start(Options::default()).await?)
}

/// Sends bytes as they are and reads until the sandbox closes.
pub(crate) async fn raw(sandbox: &Sandbox, bytes: &[u8]) -> Result<Reply, Box<dyn Error>> {
    let mut stream = TcpStream::connect(sandbox.url().trim_start_matches("http://")).await?;
    stream.write_all(bytes).await?;
    let mut answer = Vec::new();
    tokio::time::timeout(Duration::from_secs(60), stream.read_to_end(&mut answer)).await??;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n").unwrap_or(answer.len());
    let head = String::from_utf8_lossy(answer.get(..end).unwrap_or_default()).into_owned();
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    Ok(Reply { status, head, body: answer.get(end + 4..).unwrap_or_default().to_vec() })
}

pub(crate) async fn send(sandbox: &Sandbox, method: &str, path: &str, body: &[u8]) -> Result<Reply, Box<dyn Error>> {
    let head = format!(
        "{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\nauthorization: Bearer {}\r\ncontent-length: {}\r\n\r\n",
        sandbox.token(),
        body.len()
    );
    raw(sandbox, &[head.as_bytes(), body].concat()).await
}

pub(crate) async fn get(sandbox: &Sandbox, path: &str) -> Result<Reply, Box<dyn Error>> {
    send(sandbox, "GET", path, b"").await
}

pub(crate) async fn post(sandbox: &Sandbox, path: &str, body: Value) -> Result<Reply, Box<dyn Error>> {
    send(sandbox, "POST", path, body.to_string().as_bytes()).await
}

pub(crate) async fn patch(sandbox: &Sandbox, path: &str, body: Value) -> Result<Reply, Box<dyn Error>> {
    send(sandbox, "PATCH", path, body.to_string().as_bytes()).await
}

/// A request without a token, as one that follows a link sends it.
pub(crate) async fn follow(sandbox: &Sandbox, method: &str, url: &str, body: &[u8]) -> Result<Reply, Box<dyn Error>> {
    let path = url.strip_prefix(sandbox.url()).unwrap_or(url);
    let length = body.len();
    let head =
        format!("{method} {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\ncontent-length: {length}\r\n\r\n");
    raw(sandbox, &[head.as_bytes(), body].concat()).await
}
