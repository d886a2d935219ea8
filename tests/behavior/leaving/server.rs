//! The real binary, as a client that speaks over its pipes has it.

use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::host::{Host, PATIENCE};

type Failure = Box<dyn std::error::Error>;

/// How long a server that was told to stop may take to say so; not every way of stopping leaves it the time.
const REPLY_TIME: Duration = Duration::from_secs(2);

pub(super) struct Server {
    child: Child,
    stdin: Option<ChildStdin>,
    lines: Option<Lines<BufReader<ChildStdout>>>,
    stderr: JoinHandle<String>,
    /// The id of the next request.
    next: u64,
}

impl Server {
    /// A server of every toolset, after the handshake.
    pub(super) async fn start(host: &Host) -> Result<Self, Failure> {
        let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
        // Its client has nobody to ask.
        command.args(["--toolsets", "all", "--confirm", "never"]).env_clear().kill_on_drop(true);
        command.env("DATABRICKS_HOST", &host.url).env("DATABRICKS_TOKEN", "token");
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn()?;
        let mut stderr = child.stderr.take().ok_or("no stderr")?;
        let stderr = tokio::spawn(async move {
            let mut text = String::new();
            let _ = stderr.read_to_string(&mut text).await;
            text
        });
        let lines = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        let mut server = Self { stdin: child.stdin.take(), lines: Some(lines), child, stderr, next: 0 };
        let client = json!({ "name": "test", "version": "1" });
        let params = json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client });
        let id = server.request("initialize", params).await?;
        server.until_answered(id).await?;
        server.send(json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(server)
    }

    /// Calls a tool, and gives the id of the request.
    pub(super) async fn call(&mut self, tool: &str, arguments: Value) -> Result<u64, Failure> {
        self.request("tools/call", json!({ "name": tool, "arguments": arguments })).await
    }

    pub(super) async fn cancel(&mut self, calls: &[u64]) -> Result<(), Failure> {
        for id in calls {
            let params = json!({ "requestId": id });
            self.send(json!({ "jsonrpc": "2.0", "method": "notifications/cancelled", "params": params })).await?;
        }
        Ok(())
    }

    pub(super) async fn ping(&mut self) -> Result<(), Failure> {
        let id = self.request("ping", json!({})).await?;
        self.until_answered(id).await
    }

    pub(super) async fn signal(&self, signal: &str) -> Result<(), Failure> {
        let id = self.child.id().ok_or("the server has ended")?.to_string();
        match Command::new("kill").args([signal, &id]).status().await?.success() {
            true => Ok(()),
            false => Err(format!("`kill {signal}` failed").into()),
        }
    }

    /// Waits until a call is told that the server stops, if it is.
    pub(super) async fn until_told(&mut self) {
        if let Some(lines) = &mut self.lines {
            let _ = timeout(REPLY_TIME, lines.next_line()).await;
        }
    }

    pub(super) fn close_stdin(&mut self) {
        self.stdin = None;
    }

    pub(super) fn close_stdout(&mut self) {
        self.lines = None;
    }

    /// Closes stdin, waits for the end, and gives the log.
    pub(super) async fn end(mut self) -> Result<String, Failure> {
        self.close_stdin();
        let drain = async {
            if let Some(lines) = &mut self.lines {
                while let Ok(Some(_)) = lines.next_line().await {}
            }
        };
        let (status, ()) = timeout(PATIENCE, async { tokio::join!(self.child.wait(), drain) }).await?;
        let stderr = timeout(PATIENCE, self.stderr).await??;
        match status?.code() {
            Some(0) => Ok(stderr),
            code => Err(format!("the server ended with {code:?}: {stderr}").into()),
        }
    }

    async fn request(&mut self, method: &str, params: Value) -> Result<u64, Failure> {
        let id = self.next;
        self.next += 1;
        self.send(json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })).await?;
        Ok(id)
    }

    async fn send(&mut self, message: Value) -> Result<(), Failure> {
        let stdin = self.stdin.as_mut().ok_or("stdin is closed")?;
        Ok(stdin.write_all(format!("{message}\n").as_bytes()).await?)
    }

    async fn until_answered(&mut self, id: u64) -> Result<(), Failure> {
        let lines = self.lines.as_mut().ok_or("stdout is closed")?;
        loop {
            let line = timeout(PATIENCE, lines.next_line()).await??.ok_or("stdout ended early")?;
            let message: Value = serde_json::from_str(&line)?;
            if message["id"] == id {
                return Ok(());
            }
        }
    }
}
