//! A workspace some of whose answers a test writes; the sandbox gives all the others.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use databricks_mcp_server::cache::Cache;
use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::harness::{ACCOUNT, Harness};

/// The answer to a request, which is `METHOD /path?query`, and its body; one with an `error_code` has status 400, and
/// `None` leaves it to the sandbox.
type Script = dyn Fn(&str, &str) -> Option<Value> + Send + Sync;

impl Harness {
    /// A harness of every toolset whose workspace answers by a script where that has an answer.
    pub(crate) async fn scripted(
        script: impl Fn(&str, &str) -> Option<Value> + Send + Sync + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
        Self::scripted_with(selection, script).await
    }

    /// The same with another selection.
    pub(crate) async fn scripted_with(
        selection: Selection,
        script: impl Fn(&str, &str) -> Option<Value> + Send + Sync + 'static,
    ) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::start(Options::default()).await?;
        let listener = TcpListener::bind("127.0.0.1:0").await?;
        let mut config = databricks::Config::new(&format!("http://{}", listener.local_addr()?), sandbox.token())?;
        config.limits.requests_per_second = None;
        let (script, address): (Arc<Script>, _) =
            (Arc::new(script), sandbox.url().trim_start_matches("http://").to_owned());
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream, Arc::clone(&script), address.clone()));
            }
        });
        config.account_id = Some(ACCOUNT.to_owned());
        let mut context = Context::new(databricks::Client::new(config)?, Budget::tokens(6_000), None);
        context.cache = Cache::new(Duration::from_secs(60));
        Self::of(Server::new(Registry::new(&selection)?, context), sandbox).await
    }
}

/// One request, one answer, and the connection ends.
async fn answer(mut stream: TcpStream, script: Arc<Script>, address: String) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let mut lines = head.split("\r\n");
    let target = lines.next().unwrap_or_default().trim_end_matches(" HTTP/1.1").to_owned();
    let headers: Vec<_> = lines.filter(|line| !line.is_empty() && !is_header(line, "connection")).collect();
    let length = headers.iter().find(|line| is_header(line, "content-length"));
    let length = length.and_then(|line| line.split_once(':')?.1.trim().parse().ok()).unwrap_or(0);
    let mut body = vec![0; length];
    stream.read_exact(&mut body).await?;
    let reply = match script(&target, &String::from_utf8_lossy(&body)) {
        Some(value) => {
            let text = value.to_string();
            let status = if value.get("error_code").is_some() { "400 Bad Request" } else { "200 OK" };
            let headers = "Content-Type: application/json\r\nConnection: close";
            let length = text.len();
            format!("HTTP/1.1 {status}\r\n{headers}\r\nContent-Length: {length}\r\n\r\n{text}").into_bytes()
        }
        None => {
            let mut sandbox = TcpStream::connect(address).await?;
            let head = format!("{target} HTTP/1.1\r\nConnection: close\r\n{}\r\n\r\n", headers.join("\r\n"));
            sandbox.write_all(head.as_bytes()).await?;
            sandbox.write_all(&body).await?;
            let mut reply = Vec::new();
            sandbox.read_to_end(&mut reply).await?;
            reply
        }
    };
    stream.write_all(&reply).await
}

fn is_header(line: &str, name: &str) -> bool {
    line.split_once(':').is_some_and(|(found, _)| found.trim().eq_ignore_ascii_case(name))
}
