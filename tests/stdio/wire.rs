//! A client that writes what it likes.

use std::error::Error;
use std::process::Stdio;
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader, Lines};
use tokio::process::{Child, ChildStdin, ChildStdout, Command};
use tokio::time::timeout;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) fn binary(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
    command.args(arguments).env_clear().stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

/// The binary against a workspace that is not its own.
pub(crate) fn binary_of(sandbox: &databricks_sandbox::Sandbox, arguments: &[&str]) -> Command {
    let mut command = binary(arguments);
    command.env("DATABRICKS_HOST", sandbox.url()).env("DATABRICKS_TOKEN", sandbox.token());
    command
}

pub(crate) fn request(id: impl Into<Value>, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id.into(), "method": method, "params": params })
}

/// A request of the revision without a handshake.
pub(crate) fn modern(id: impl Into<Value>, method: &str, mut params: Value) -> Value {
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    request(id, method, params)
}

pub(crate) fn initialize(id: u32, revision: &str) -> Value {
    let client = json!({ "name": "test", "version": "1" });
    request(id, "initialize", json!({ "protocolVersion": revision, "capabilities": {}, "clientInfo": client }))
}

/// A server process and its pipes.
pub(crate) struct Wire {
    pub(crate) child: Child,
    pub(crate) stdin: ChildStdin,
    pub(crate) stdout: Lines<BufReader<ChildStdout>>,
}

impl Wire {
    /// A server to which nothing has been said.
    pub(crate) fn open(mut command: Command) -> Result<Self, Box<dyn Error>> {
        let mut child = command.spawn()?;
        let stdin = child.stdin.take().ok_or("no stdin")?;
        let stdout = BufReader::new(child.stdout.take().ok_or("no stdout")?).lines();
        Ok(Self { child, stdin, stdout })
    }

    /// A server after the handshake.
    pub(crate) async fn legacy(command: Command) -> Result<Self, Box<dyn Error>> {
        let mut wire = Self::open(command)?;
        let answer = wire.ask(&initialize(0, "2025-11-25")).await?;
        assert!(answer["result"].is_object(), "{answer}");
        wire.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" })).await?;
        Ok(wire)
    }

    pub(crate) async fn send(&mut self, message: &Value) -> Outcome {
        self.line(message.to_string().as_bytes()).await
    }

    pub(crate) async fn line(&mut self, line: &[u8]) -> Outcome {
        self.stdin.write_all(line).await?;
        self.stdin.write_all(b"\n").await?;
        Ok(self.stdin.flush().await?)
    }

    /// The next message.
    pub(crate) async fn next(&mut self) -> Result<Value, Box<dyn Error>> {
        let line = timeout(PATIENCE, self.stdout.next_line()).await??.ok_or("stdout ended early")?;
        Ok(serde_json::from_str(&line).map_err(|_| format!("not protocol: {line}"))?)
    }

    /// Sends a request and gives the next message that is no notification.
    pub(crate) async fn ask(&mut self, message: &Value) -> Result<Value, Box<dyn Error>> {
        self.send(message).await?;
        loop {
            let answer = self.next().await?;
            if answer.get("method").is_none() {
                return Ok(answer);
            }
        }
    }

    /// Ends the input, and gives the exit code and stderr.
    pub(crate) async fn end(self) -> Result<(Option<i32>, String), Box<dyn Error>> {
        drop(self.stdin);
        let output = timeout(PATIENCE, self.child.wait_with_output()).await??;
        Ok((output.status.code(), String::from_utf8(output.stderr)?))
    }
}
