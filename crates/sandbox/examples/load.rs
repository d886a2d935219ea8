//! Measures a sandbox: start to first answer, simple requests a second over kept connections, memory.
//!
//! `cargo run --release -p databricks-sandbox --example load -- [SECONDS]`. Client and sandbox share the machine's
//! cores; with a second process at work, the figures are of what is left.

use std::error::Error;
use std::io::Write;
use std::time::{Duration, Instant};

use databricks_sandbox::{Options, Sandbox};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

type Outcome<T> = Result<T, Box<dyn Error + Send + Sync>>;

const CONNECTIONS: usize = 16;
const REQUESTS: [(&str, &str, &str); 5] = [
    ("who am I", "GET /api/2.0/preview/scim/v2/Me", ""),
    ("a job", "GET /api/2.2/jobs/get?job_id=620114300000101", ""),
    ("a table", "GET /api/2.1/unity-catalog/tables/samples.retail.orders", ""),
    ("a list of clusters", "GET /api/2.1/clusters/list", ""),
    (
        "a run of a job, by token",
        "POST /api/2.2/jobs/run-now",
        r#"{"job_id": 620114300000101, "idempotency_token": "load"}"#,
    ),
];

/// Sends requests over one connection until the time is up; gives how many were answered.
async fn connection(address: String, request: Vec<u8>, until: Instant) -> Outcome<usize> {
    let mut stream = TcpStream::connect(address).await?;
    stream.set_nodelay(true)?;
    let (mut answered, mut buffer) = (0, vec![0; 1 << 16]);
    while Instant::now() < until {
        stream.write_all(&request).await?;
        let (mut filled, mut wanted) = (0, None);
        while wanted.is_none_or(|wanted| filled < wanted) {
            let room = buffer.get_mut(filled..).ok_or("an answer is larger than expected")?;
            let read = stream.read(room).await?;
            if read == 0 {
                return Err("the sandbox closed the connection".into());
            }
            filled += read;
            if wanted.is_none() {
                wanted = length(buffer.get(..filled).unwrap_or_default());
            }
        }
        if !buffer.starts_with(b"HTTP/1.1 200") {
            return Err(String::from_utf8_lossy(buffer.get(..filled).unwrap_or_default()).into());
        }
        answered += 1;
    }
    Ok(answered)
}

/// The length of the whole answer, once its head is there.
fn length(answer: &[u8]) -> Option<usize> {
    let head = answer.windows(4).position(|window| window == b"\r\n\r\n")? + 4;
    let text = std::str::from_utf8(answer.get(..head)?).ok()?;
    let body = text.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse::<usize>().ok());
    Some(head + body.unwrap_or(0))
}

/// A line of `/proc/self/status`, where there is one.
fn memory(name: &str) -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or(": not known here");
    line.trim_start_matches(':').trim().to_owned()
}

#[tokio::main]
async fn main() -> Outcome<()> {
    let seconds = std::env::args().nth(1).map_or(Ok(3.0), |seconds| seconds.parse())?;
    let mut out = std::io::stdout();
    let started = Instant::now();
    let sandbox = Sandbox::start(Options::default()).await?;
    let ready = started.elapsed();
    let address = sandbox.url().trim_start_matches("http://").to_owned();
    let request = |line: &str, body: &str| {
        let (length, token) = (body.len(), sandbox.token());
        format!("{line} HTTP/1.1\r\nhost: sandbox.test\r\nauthorization: Bearer {token}\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
    };
    let (_, line, body) = REQUESTS.first().ok_or("no requests")?;
    connection(address.clone(), request(line, body), Instant::now() + Duration::from_micros(1)).await?;
    writeln!(out, "ready after {ready:.1?}, first answer after {:.1?}", started.elapsed())?;
    writeln!(out, "memory after the start: {}", memory("VmRSS"))?;
    for (name, line, body) in REQUESTS {
        let begun = Instant::now();
        let until = begun + Duration::from_secs_f64(seconds);
        let clients: Vec<_> =
            (0..CONNECTIONS).map(|_| tokio::spawn(connection(address.clone(), request(line, body), until))).collect();
        let mut answered = 0;
        for client in clients {
            answered += client.await??;
        }
        #[expect(clippy::cast_precision_loss, reason = "a count of requests")]
        let rate = answered as f64 / begun.elapsed().as_secs_f64();
        writeln!(out, "{name}: {rate:.0} requests a second")?;
    }
    writeln!(out, "memory: {}, at most {}", memory("VmRSS"), memory("VmHWM"))?;
    Ok(())
}
