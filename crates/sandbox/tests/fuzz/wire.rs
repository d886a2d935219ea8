//! A kept connection that sends anything and looks closely at what comes back.

use std::time::Duration;

use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::random::Random;

/// Longer, an answer counts as never coming.
const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, Clone, Default)]
pub(crate) struct Sent {
    pub(crate) method: String,
    pub(crate) path: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: Vec<u8>,
}

#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

pub(crate) struct Wire {
    address: String,
    token: String,
    stream: Option<TcpStream>,
}

impl Wire {
    pub(crate) fn new(url: &str, token: &str) -> Self {
        Self { address: url.trim_start_matches("http://").to_owned(), token: token.to_owned(), stream: None }
    }

    /// Sends a request; an error says what is wrong with the answer.
    pub(crate) async fn ask(&mut self, sent: &Sent) -> Result<Answer, String> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(sent)).await;
        let answer = answer.map_err(|_| "no answer came in a minute".to_owned())??;
        check(sent, &answer).map_err(|problem| {
            format!(
                "{problem}: {}\n{}",
                answer.head,
                String::from_utf8_lossy(&answer.body).chars().take(2_000).collect::<String>()
            )
        })?;
        Ok(answer)
    }

    async fn exchange(&mut self, sent: &Sent) -> Result<Answer, String> {
        let mut head = format!(
            "{} {} HTTP/1.1\r\nhost: localhost\r\ncontent-length: {}\r\n",
            sent.method,
            sent.path,
            sent.body.len()
        );
        if !sent.headers.iter().any(|(name, _)| *name == "authorization") {
            head.push_str(&format!("authorization: Bearer {}\r\n", self.token));
        }
        for (name, value) in &sent.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bytes = [head.as_bytes(), b"\r\n", &sent.body].concat();
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => TcpStream::connect(&self.address).await.map_err(|error| format!("cannot connect: {error}"))?,
        };
        stream.write_all(&bytes).await.map_err(|error| format!("cannot send: {error}"))?;
        let mut answer = Vec::new();
        loop {
            let read = stream.read_buf(&mut answer).await.map_err(|error| format!("cannot read: {error}"))?;
            if let Some(end) = answer.windows(4).position(|window| window == b"\r\n\r\n") {
                let head = String::from_utf8_lossy(&answer[..end]).into_owned();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
                let length = if sent.method == "HEAD" { 0 } else { length.unwrap_or(0) };
                if answer.len() >= end + 4 + length {
                    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
                    if !head.contains("connection: close") {
                        self.stream = Some(stream);
                    }
                    return Ok(Answer { status, head, body: answer[end + 4..].to_vec() });
                }
            }
            if read == 0 {
                return Err(format!("the connection was closed after {} bytes", answer.len()));
            }
        }
    }
}

/// Whether an answer is of a form that Databricks has.
fn check(sent: &Sent, answer: &Answer) -> Result<(), String> {
    if answer.head.contains("x-sandbox-panic") || answer.status == 500 {
        return Err("the sandbox failed to answer".to_owned());
    }
    if sent.method == "HEAD" || answer.status == 204 {
        return Ok(());
    }
    let is_json = answer.head.contains("content-type: application/json");
    let json = || serde_json::from_slice::<Value>(&answer.body).map_err(|error| format!("no JSON: {error}"));
    match answer.status {
        200..=299 if is_json => json().map(drop),
        // Contents, and answers without one.
        200..=399 => Ok(()),
        _ if !is_json => Err("an error that is not JSON".to_owned()),
        _ => {
            let json = json()?;
            let has = |name: &str| json.get(name).is_some_and(|value| value.is_string() || value.is_number());
            let is_known = has("error_code") && has("message") || has("error") || has("detail") && has("status");
            if is_known { Ok(()) } else { Err("an error in no form of Databricks".to_owned()) }
        }
    }
}

/// Bytes that begin like a request, or like nothing.
pub(crate) fn garbage(random: &mut Random, token: &str) -> Vec<u8> {
    let body = "{\"job_id\": 1}";
    let whole = format!(
        "POST /api/2.2/jobs/run-now HTTP/1.1\r\nhost: localhost\r\nauthorization: Bearer {token}\r\ncontent-length: {}\r\n\r\n{body}",
        body.len()
    );
    let mut bytes = whole.into_bytes();
    match random.below(4) {
        0 => bytes.truncate(random.below(bytes.len())),
        1 => bytes = (0..random.below(300)).map(|_| u8::try_from(random.below(256)).unwrap_or(0)).collect(),
        _ => {}
    }
    for _ in 0..random.below(6) {
        let at = random.below(bytes.len());
        if let Some(byte) = bytes.get_mut(at) {
            *byte = u8::try_from(random.below(256)).unwrap_or(0);
        }
    }
    bytes
}

/// Sends bytes, says no more, and waits for the sandbox to be done with them.
pub(crate) async fn throw(url: &str, bytes: &[u8]) -> Result<(), String> {
    let address = url.trim_start_matches("http://");
    let mut stream = TcpStream::connect(address).await.map_err(|error| format!("cannot connect: {error}"))?;
    // The sandbox may have hung up already.
    if stream.write_all(bytes).await.is_ok() {
        let _ = stream.shutdown().await;
    }
    let mut answer = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await;
    read.map(drop).map_err(|_| "the sandbox neither answers nor hangs up".to_owned())
}
