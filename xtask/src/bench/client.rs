//! The server as a process, spoken to over stdio as a client does: lines of JSON-RPC, and nothing more.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use super::workspace::Workspace;

/// How long a server has to end by itself.
const PATIENCE: Duration = Duration::from_secs(20);

/// A server that is connected to a workspace.
#[derive(Debug)]
pub(super) struct Client {
    child: Child,
    /// Lines for the server. A thread of its own writes them, so that writing never waits for reading.
    lines: Sender<Vec<u8>>,
    answers: BufReader<ChildStdout>,
    line: Vec<u8>,
    next_id: u64,
}

impl Client {
    /// Starts the server and begins a session, and gives the time until its list of tools was there.
    pub(super) fn start(binary: &Path, workspace: &Workspace, options: &[&str]) -> Result<(Self, Duration)> {
        let home = std::env::temp_dir();
        let began = Instant::now();
        let mut child = Command::new(binary)
            .args(["--log-level", "off"])
            .args(options)
            .env_clear()
            .env("HOME", home)
            .env("DATABRICKS_HOST", workspace.url())
            .env("DATABRICKS_TOKEN", "dapi-of-the-bench")
            // The limit that spares a real workspace would be all that is measured.
            .env("DATABRICKS_RATE_LIMIT", "0")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("cannot start `{}`", binary.display()))?;
        let (mut input, output) = (child.stdin.take().context("no stdin")?, child.stdout.take().context("no stdout")?);
        let (lines, waiting) = channel::<Vec<u8>>();
        thread::spawn(move || waiting.iter().try_for_each(|line| input.write_all(&line)));
        let mut client =
            Self { child, lines, answers: BufReader::with_capacity(1 << 16, output), line: Vec::new(), next_id: 0 };
        let client_info = json!({ "name": "bench", "version": "1" });
        client.ask(
            "initialize",
            &json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client_info }),
        )?;
        client.send(&json!({ "jsonrpc": "2.0", "method": "notifications/initialized" }))?;
        client.ask("tools/list", &json!({}))?;
        Ok((client, began.elapsed()))
    }

    /// Asks, and gives the whole line of the answer.
    pub(super) fn ask(&mut self, method: &str, params: &Value) -> Result<&[u8]> {
        self.request(method, params)?;
        self.answer()
    }

    /// Calls a tool so many times, so many of them at once, and gives how long each took.
    pub(super) fn calls(
        &mut self,
        tool: &str,
        arguments: &Value,
        count: usize,
        at_once: usize,
    ) -> Result<Vec<Duration>> {
        let params = json!({ "name": tool, "arguments": arguments });
        let mut began = std::collections::HashMap::new();
        let mut took = Vec::with_capacity(count);
        let first = self.next_id;
        for sent in 0..count.min(at_once) {
            began.insert(first + sent as u64, Instant::now());
            self.request("tools/call", &params)?;
        }
        while took.len() < count {
            let id = id_of(self.answer()?).context("an answer without an id")?;
            took.push(began.remove(&id).context("an answer to no request")?.elapsed());
            if took.len() + began.len() < count {
                began.insert(self.next_id, Instant::now());
                self.request("tools/call", &params)?;
            }
        }
        Ok(took)
    }

    fn request(&mut self, method: &str, params: &Value) -> Result<()> {
        let id = self.next_id;
        self.next_id += 1;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }))
    }

    fn send(&self, message: &Value) -> Result<()> {
        let mut line = message.to_string().into_bytes();
        line.push(b'\n');
        self.lines.send(line).context("the server reads no more")
    }

    fn answer(&mut self) -> Result<&[u8]> {
        loop {
            self.line.clear();
            if self.answers.read_until(b'\n', &mut self.line)? == 0 {
                bail!("the server ended");
            }
            if id_of(&self.line).is_none() {
                continue;
            }
            let tail = self.line.get(self.line.len().saturating_sub(200)..).unwrap_or_default();
            let head = self.line.get(..200).unwrap_or(&self.line);
            if [head, tail].iter().any(|part| has(part, b"\"isError\":true") || has(part, b"\"error\":{")) {
                bail!("the server answered: {}", String::from_utf8_lossy(head));
            }
            return Ok(&self.line);
        }
    }

    /// What the process has had of the processors.
    pub(super) fn processor_time(&self) -> Result<Duration> {
        const TICK: Duration = Duration::from_millis(10);
        // Fields 14 and 15 of proc_pid_stat(5), in hundredths of a second. The second field is a name in parentheses.
        let stat = std::fs::read_to_string(format!("/proc/{}/stat", self.child.id()))?;
        let fields = stat.rsplit_once(')').context("no name")?.1.split_whitespace().skip(11).take(2);
        let ticks = fields.map(str::parse::<u32>).sum::<Result<u32, _>>()?;
        Ok(TICK * ticks)
    }

    /// A size of the process in MiB, by its name in proc_pid_status(5): `VmRSS` now, `VmHWM` at its peak.
    pub(super) fn memory(&self, name: &str) -> Result<f64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(':'));
        let kib: f64 = line.context("no such size")?.trim().trim_end_matches(" kB").parse()?;
        Ok(kib / 1024.0)
    }

    /// How many files and how many threads the process has.
    pub(super) fn held(&self) -> Result<(usize, usize)> {
        let count =
            |of: &str| Ok::<_, std::io::Error>(std::fs::read_dir(format!("/proc/{}/{of}", self.child.id()))?.count());
        Ok((count("fd")?, count("task")?))
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        // Without these lines its input ends, and so does the server.
        self.lines = channel().0;
        let until = Instant::now() + PATIENCE;
        while matches!(self.child.try_wait(), Ok(None)) && Instant::now() < until {
            thread::sleep(Duration::from_millis(2));
        }
        // It has ended already where this fails.
        _ = self.child.kill();
        _ = self.child.wait();
    }
}

fn has(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

/// The `id` of an answer, which is a number. To read it from the beginning costs less than to read the whole line.
fn id_of(line: &[u8]) -> Option<u64> {
    let at = line.get(..60).unwrap_or(line);
    let text = std::str::from_utf8(at).ok()?;
    let digits = text.split_once("\"id\":")?.1;
    digits.get(..digits.find(|letter: char| !letter.is_ascii_digit())?)?.parse().ok()
}
