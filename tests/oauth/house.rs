//! A server that is served over HTTP in the process of the test, and requests to it as bytes.

use std::error::Error;
use std::time::Duration;

use clap::Parser;
use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_mcp_server::transport::http::{self, HttpOptions, Service};
use databricks_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::issuer::{Issuer, RESOURCE};

#[derive(Debug, Parser)]
struct Cli {
    #[command(flatten)]
    http: HttpOptions,
}

/// A server with what it needs.
pub(crate) struct House {
    service: Service,
    _sandbox: Option<Sandbox>,
}

/// An answer over HTTP.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    head: String,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let lines = self.head.lines().filter_map(|line| line.split_once(": "));
        lines.filter(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    pub(crate) fn challenge(&self) -> &str {
        self.header("www-authenticate").unwrap_or_default()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

impl House {
    /// A server before a sandbox that takes the tokens of this issuer.
    pub(crate) async fn of(issuer: &Issuer, more: &[&str]) -> Result<Self, Box<dyn Error>> {
        let arguments = ["--auth", "oauth", "--oauth-issuer", &issuer.url, "--public-url", RESOURCE];
        Self::open(&[&arguments, more].concat()).await
    }

    pub(crate) async fn open(arguments: &[&str]) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::start(Options::default()).await?;
        let client = databricks::Client::new(databricks::Config::new(sandbox.url(), sandbox.token())?)?;
        Self::before(client, Some(sandbox), arguments).await
    }

    /// A server before a workspace.
    pub(crate) async fn before(
        client: databricks::Client,
        sandbox: Option<Sandbox>,
        arguments: &[&str],
    ) -> Result<Self, Box<dyn Error>> {
        let options = Cli::try_parse_from(["test", "--listen", "127.0.0.1:0"].iter().chain(arguments))?.http;
        let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
        let context = Context::new(client, Budget::tokens(6_000), None);
        let service = http::open(&options, Server::new(Registry::new(&selection)?, context)).await?;
        Ok(Self { service, _sandbox: sandbox })
    }

    /// Sends a request with these lines in its head.
    pub(crate) async fn send(&self, line: &str, lines: &[&str], body: &str) -> Result<Answer, Box<dyn Error>> {
        let url = self.service.url();
        let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
        let mut stream = TcpStream::connect(address).await?;
        let mut head = vec![format!("{line} HTTP/1.0"), format!("Host: {address}")];
        head.extend(lines.iter().map(|line| (*line).to_owned()));
        if !body.is_empty() {
            head.push("Content-Type: application/json".to_owned());
            head.push("Accept: application/json, text/event-stream".to_owned());
            head.push(format!("Content-Length: {}", body.len()));
        }
        stream.write_all(format!("{}\r\n\r\n{body}", head.join("\r\n")).as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no head")?;
        let status = head.split(' ').nth(1).ok_or("no status")?.parse()?;
        Ok(Answer { status, head: head.to_owned(), body: body.to_owned() })
    }

    pub(crate) async fn get(&self, path: &str) -> Result<Answer, Box<dyn Error>> {
        self.send(&format!("GET {path}"), &[], "").await
    }

    /// Calls a tool with a token.
    pub(crate) async fn call(&self, token: &str, tool: &str, arguments: Value) -> Result<Answer, Box<dyn Error>> {
        self.call_with(&[&format!("Authorization: Bearer {token}")], tool, arguments).await
    }

    /// Calls a tool with these lines in the head.
    pub(crate) async fn call_with(
        &self,
        lines: &[&str],
        tool: &str,
        arguments: Value,
    ) -> Result<Answer, Box<dyn Error>> {
        let call = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/call", "params": {"name": tool, "arguments": arguments}});
        let lines = [lines, &["MCP-Protocol-Version: 2025-11-25"]].concat();
        self.send("POST /mcp", &lines, &call.to_string()).await
    }

    /// The status of a call that reads, with this token.
    pub(crate) async fn status(&self, token: &str) -> Result<u16, Box<dyn Error>> {
        Ok(self.call(token, "list_clusters", json!({})).await?.status)
    }

    /// The names of the tools for a token, besides the one that tells how to call others.
    pub(crate) async fn tools(&self, token: &str, path: &str) -> Result<Vec<String>, Box<dyn Error>> {
        let list = json!({"jsonrpc": "2.0", "id": 7, "method": "tools/list", "params": {}});
        let lines = [&*format!("Authorization: Bearer {token}"), "MCP-Protocol-Version: 2025-11-25"];
        let answer = self.send(&format!("POST {path}"), &lines, &list.to_string()).await?;
        let answer = answer.json();
        let tools = answer["result"]["tools"].as_array().ok_or_else(|| format!("no tools: {answer}"))?;
        let names = tools.iter().filter_map(|tool| tool["name"].as_str().map(str::to_owned));
        Ok(names.filter(|name| name != "get_input_schema").collect())
    }

    /// The statuses of two requests on one connection. The body of the first comes a while after its head.
    pub(crate) async fn statuses_on_one_connection(&self, body: &str) -> Result<[u16; 2], Box<dyn Error>> {
        let url = self.service.url();
        let address = url.trim_start_matches("http://").trim_end_matches("/mcp");
        let mut stream = TcpStream::connect(address).await?;
        let head = format!("POST /mcp HTTP/1.1\r\nHost: {address}\r\nContent-Length: {}\r\n\r\n", body.len());
        stream.write_all(head.as_bytes()).await?;
        tokio::time::sleep(Duration::from_millis(200)).await;
        // Where the server has closed the connection, it cannot be sent.
        let _ = stream.write_all(body.as_bytes()).await;
        let first = status(&mut stream).await?;
        stream.write_all(format!("GET /healthz HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).await?;
        Ok([first, status(&mut stream).await?])
    }
}

/// The status of the next answer, which has a length.
async fn status(stream: &mut TcpStream) -> Result<u16, Box<dyn Error>> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        head.push(stream.read_u8().await?);
    }
    let head = String::from_utf8(head)?.to_ascii_lowercase();
    let (_, length) = head.split_once("content-length: ").ok_or("no length")?;
    let length = length.lines().next().unwrap_or_default().parse()?;
    stream.read_exact(&mut vec![0; length]).await?;
    Ok(head.split(' ').nth(1).ok_or("no status")?.parse()?)
}
