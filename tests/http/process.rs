//! The binary: where it listens, TLS, and how it ends.
#![cfg(unix)]

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{ExitStatus, Stdio};

use databricks_sandbox::{Options, Sandbox};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader, Lines};
use tokio::net::UnixStream;
use tokio::process::{Child, ChildStderr, Command};
use tokio::time::timeout;

use crate::callers::{ANNA, Keys};
use crate::house::{Failure, Outcome, PATIENCE, answer, call, client, until};

/// A server process.
pub(crate) struct Process {
    child: Child,
    stderr: Lines<BufReader<ChildStderr>>,
    /// What it says about where it listens.
    pub(crate) url: String,
}

pub(crate) fn command(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_databricks-mcp-server"));
    command.args(arguments).env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.kill_on_drop(true);
    command
}

impl Process {
    pub(crate) async fn open(mut command: Command) -> Result<Self, Failure> {
        let mut child = command.spawn()?;
        let mut stderr = BufReader::new(child.stderr.take().ok_or("no stderr")?).lines();
        let line = timeout(PATIENCE, stderr.next_line()).await??.ok_or("it ended without a word")?;
        let rest = line.strip_prefix("MCP on ").ok_or_else(|| line.clone())?;
        let url = rest.split(" with ").next().unwrap_or_default().to_owned();
        Ok(Self { child, stderr, url })
    }

    pub(crate) fn signal(&self) -> Outcome {
        let id = self.child.id().ok_or("it has ended")?;
        assert!(std::process::Command::new("kill").args(["-TERM", &id.to_string()]).status()?.success());
        Ok(())
    }

    pub(crate) async fn ended(mut self) -> Result<(ExitStatus, String), Failure> {
        let mut said = String::new();
        while let Some(line) = timeout(PATIENCE, self.stderr.next_line()).await?? {
            said.push_str(&line);
            said.push('\n');
        }
        Ok((timeout(PATIENCE, self.child.wait()).await??, said))
    }
}

/// Whoever runs a server for many reads what each call came to, and not how it was done.
#[tokio::test]
async fn a_call_is_one_line_of_the_log() -> Outcome {
    let process =
        Process::open(command(&["http", "--sandbox", "--listen", "127.0.0.1:0", "--log-level", "info"])).await?;
    let client = client()?;
    let post = |body: Value| {
        let post = client.post(&process.url).header("content-type", "application/json").body(body.to_string());
        post.header("accept", "application/json, text/event-stream")
    };
    let begun = post(crate::house::initialize()).send().await?;
    let session = begun.headers()["mcp-session-id"].clone();
    let initialized = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    post(initialized).header("mcp-session-id", &session).send().await?;
    for id in 1..=3 {
        let modern = crate::house::modern(id, "tools/call", json!({ "name": "list_jobs", "arguments": {} }));
        let modern = post(modern).header("mcp-protocol-version", "2026-07-28");
        let modern = modern.header("mcp-method", "tools/call").header("mcp-name", "list_jobs");
        for sent in [modern, post(call(id, "list_jobs", json!({}))).header("mcp-session-id", &session)] {
            assert!(sent.send().await?.text().await?.contains("structuredContent"));
        }
    }
    client.delete(&process.url).header("mcp-session-id", &session).send().await?;
    process.signal()?;
    let (_, said) = process.ended().await?;
    let lines: Vec<_> = said.lines().filter(|line| line.contains(" INFO ") || line.contains(" WARN ")).collect();
    assert_eq!(
        lines.iter().filter(|line| line.contains("called tool=\"list_jobs\"") || line.contains("list_jobs")).count(),
        6
    );
    assert!(lines.len() <= 6 + 3, "{said}");
    Ok(())
}

/// The memory of a session of which nothing comes is what was said at its beginning.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_idle_stream_takes_little_memory() -> Outcome {
    const STREAMS: usize = 300;
    let most = STREAMS.to_string();
    let process =
        Process::open(command(&["http", "--sandbox", "--listen", "127.0.0.1:0", "--max-streams", &most])).await?;
    let client = client()?;
    let id = process.child.id().ok_or("it has ended")?;
    let resident = || -> Result<usize, Failure> {
        let status = std::fs::read_to_string(format!("/proc/{id}/status"))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no size")?;
        Ok(line.trim().trim_end_matches(" kB").parse()?)
    };
    let open = async || -> Result<reqwest::Response, Failure> {
        let post = client.post(&process.url).header("content-type", "application/json");
        let begun = post.body(crate::house::initialize().to_string()).send().await?;
        let session = begun.headers()["mcp-session-id"].clone();
        begun.text().await?;
        let get = client.get(&process.url).header("accept", "text/event-stream");
        let stream = get.header("mcp-session-id", &session).send().await?;
        assert_eq!(stream.status(), 200);
        Ok(stream)
    };
    let mut streams = Vec::new();
    for _ in 0..20 {
        streams.push(open().await?);
    }
    let before = resident()?;
    while streams.len() < STREAMS {
        streams.push(open().await?);
    }
    let each = (resident()? - before) / (STREAMS - 20);
    assert!(each < 60, "{each} KiB for each");
    Ok(())
}

#[tokio::test]
async fn a_socket_file_is_for_its_owner_and_goes_with_the_server() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mcp.sock");
    let listen = format!("unix:{}", path.display());
    let process = Process::open(command(&["http", "--sandbox", "--listen", &listen])).await?;
    assert_eq!(process.url, listen);
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o600);
    let mut stream = UnixStream::connect(&path).await?;
    stream.write_all(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await?;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("ready\n"), "{answer}");
    let (status, said) = command(&["http", "--sandbox", "--listen", &listen])
        .output()
        .await
        .map(|output| (output.status, String::from_utf8_lossy(&output.stderr).into_owned()))?;
    assert!(!status.success() && said.contains("another server listens there"), "{said}");
    process.signal()?;
    assert!(process.ended().await?.0.success());
    assert!(!path.exists());
    Ok(())
}

#[tokio::test]
async fn a_socket_file_lets_in_whom_its_mode_names() -> Outcome {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("mcp.sock");
    let listen = format!("unix:{}", path.display());
    let process = Process::open(command(&["http", "--sandbox", "--listen", &listen, "--socket-mode", "660"])).await?;
    assert_eq!(std::fs::metadata(&path)?.permissions().mode() & 0o777, 0o660);
    process.signal()?;
    assert!(process.ended().await?.0.success());
    let mut odd = command(&["http", "--sandbox", "--listen", &listen]);
    let output = odd.env("DATABRICKS_MCP_SOCKET_MODE", "777").output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("give 600, 660 or 666"), "{said}");
    Ok(())
}

/// Writes a certificate for `localhost` and its key, and gives the certificate.
pub(crate) fn certify(folder: &Path) -> Result<reqwest::Certificate, Failure> {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".to_owned()])?;
    std::fs::write(folder.join("key.pem"), made.signing_key.serialize_pem())?;
    std::fs::write(folder.join("cert.pem"), made.cert.pem())?;
    Ok(reqwest::Certificate::from_pem(made.cert.pem().as_bytes())?)
}

#[tokio::test]
async fn tls_takes_a_new_certificate_without_a_restart() -> Outcome {
    client()?;
    let folder = tempfile::tempdir()?;
    let trusting = |certificate: reqwest::Certificate| {
        reqwest::Client::builder().no_proxy().tls_certs_only([certificate]).pool_max_idle_per_host(0).build()
    };
    let before = certify(folder.path())?;
    let first = trusting(before.clone())?;
    let path = |name: &str| folder.path().join(name).display().to_string();
    let (cert, key) = (path("cert.pem"), path("key.pem"));
    let arguments = ["http", "--sandbox", "--listen", "127.0.0.1:0", "--tls-cert", &cert, "--tls-key", &key];
    let process = Process::open(command(&arguments)).await?;
    let url = process.url.replace("127.0.0.1", "localhost").replace("/mcp", "/healthz");
    assert!(url.starts_with("https://localhost:"), "{url}");
    let answer = first.get(&url).send().await?;
    assert_eq!((answer.status().as_u16(), answer.version()), (200, reqwest::Version::HTTP_2));
    let second = trusting(certify(folder.path())?)?;
    until("the new certificate is shown", || async { Ok(second.get(&url).send().await.is_ok()) }).await?;
    // A client that has been there may resume its session of TLS.
    assert!(trusting(before)?.get(&url).send().await.is_err(), "and the old one is not");
    let output = command(&["http", "--sandbox", "--tls-cert", &cert, "--tls-key", &cert]).output().await?;
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(!output.status.success() && said.contains("cannot be used for TLS"), "{said}");
    Ok(())
}

/// A server of a workspace that outlives it, and a call that takes long.
async fn busy(drain: &str) -> Result<(Sandbox, Process, tokio::task::JoinHandle<reqwest::Result<String>>), Failure> {
    let sandbox = Sandbox::start(Options::default()).await?;
    let mut command = command(&["http", "--listen", "127.0.0.1:0", "--drain-seconds", drain]);
    command.env("DATABRICKS_HOST", sandbox.url()).env("DATABRICKS_TOKEN", sandbox.token());
    let process = Process::open(command).await?;
    let slow = "SELECT count(*) FROM range(100000) a CROSS JOIN range(100000) b WHERE a.id * b.id % 7 = 3";
    let arguments = json!({ "statement": slow, "timeout_seconds": 300 });
    let request = client()?
        .post(&process.url)
        .header("content-type", "application/json")
        .header("accept", "application/json, text/event-stream")
        .body(call(1, "execute_sql", arguments).to_string());
    let sent = tokio::spawn(async move { request.send().await?.text().await });
    until("it runs", || async { Ok(state(&sandbox).await? == "RUNNING") }).await?;
    Ok((sandbox, process, sent))
}

async fn state(sandbox: &Sandbox) -> Result<String, Failure> {
    let url = format!("{}/api/2.0/sql/history/queries?max_results=5", sandbox.url());
    let history: Value = client()?.get(url).bearer_auth(sandbox.token()).send().await?.json().await?;
    Ok(history["res"][0]["status"].as_str().unwrap_or_default().to_owned())
}

#[tokio::test]
async fn calls_that_outlast_the_end_are_cancelled_in_the_workspace() -> Outcome {
    let (sandbox, process, sent) = busy("1").await?;
    let (ready, mcp) = (process.url.replace("/mcp", "/readyz"), process.url.clone());
    process.signal()?;
    until("it is not ready", || async {
        Ok(client()?.get(&ready).send().await.map_or(true, |answer| answer.status() == 503))
    })
    .await?;
    let _ = client()?.get(&mcp).send().await;
    let (status, said) = process.ended().await?;
    assert!(status.success(), "{said}");
    assert_eq!(state(&sandbox).await?, "CANCELED");
    let answer = sent.await??;
    assert!(answer.contains("the server is stopping"), "{answer}");
    Ok(())
}

#[tokio::test]
async fn a_server_with_nothing_to_do_ends_at_once() -> Outcome {
    let process =
        Process::open(command(&["http", "--sandbox", "--listen", "127.0.0.1:0", "--metrics-listen", "127.0.0.1:0"]))
            .await?;
    let metrics = client()?.get(process.url.replace("/mcp", "/metrics")).send().await?;
    assert_eq!(metrics.status(), 404, "the counters are on a port of their own");
    process.signal()?;
    let (status, _) = timeout(std::time::Duration::from_secs(10), process.ended()).await??;
    assert!(status.success());
    Ok(())
}

#[tokio::test]
async fn a_new_key_opens_the_server() -> Outcome {
    let made = command(&["keys", "new", "ci: \"x\""]).output().await?;
    let text = String::from_utf8(made.stdout)?;
    let key = text.lines().find_map(|line| line.strip_prefix("# key: ")).ok_or("no key")?;
    assert!(key.starts_with("dbmcp_") && key.len() > 48 && !String::from_utf8_lossy(&made.stderr).contains(key));
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("keys.yaml");
    std::fs::write(
        &path,
        format!("keys:\n{}\n", text.lines().filter(|line| !line.contains(key)).collect::<Vec<_>>().join("\n")),
    )?;
    let keys = path.display().to_string();
    let process =
        Process::open(command(&["http", "--sandbox", "--listen", "127.0.0.1:0", "--auth", "bearer", "--keys", &keys]))
            .await?;
    let post = |key: &str| {
        let request = client().map(|client| client.post(&process.url).bearer_auth(key));
        request.map(|request| {
            request
                .header("content-type", "application/json")
                .header("accept", "application/json, text/event-stream")
                .body(call(1, "list_jobs", json!({})).to_string())
                .send()
        })
    };
    assert_eq!((post(key)?.await?.status().as_u16(), post("dbmcp_other")?.await?.status().as_u16()), (200, 401));
    Ok(())
}

#[tokio::test]
async fn signing_keys_are_read_again_and_a_bad_file_keeps_those_before() -> Outcome {
    let folder = tempfile::tempdir()?;
    let (path, keys) =
        (folder.path().join("signing-keys"), Keys::new(&format!("keys: [{{ name: anna, sha256: {ANNA} }}]\n"))?);
    let line = |letter: &str| format!("{}=\n", letter.repeat(42) + "A");
    std::fs::write(&path, line("B"))?;
    let (signing, auth) = (path.display().to_string(), keys.arguments());
    let options = ["http", "--sandbox", "--listen", "127.0.0.1:0", "--signing-keys", &signing];
    let arguments: Vec<_> = options.into_iter().chain(auth.split_whitespace()).collect();
    let process = Process::open(command(&arguments)).await?;
    let page = |arguments: Value| {
        let request = client().map(|client| client.post(&process.url).bearer_auth("anna-key"));
        let body = call(1, "list_jobs", arguments).to_string();
        async {
            let request = request?.header("content-type", "application/json");
            answer(request.header("accept", "application/json, text/event-stream").body(body).send().await?).await
        }
    };
    let first = page(json!({ "limit": 1 })).await?;
    let token = first["result"]["structuredContent"]["next_page_token"].clone();
    let next = || page(json!({ "limit": 1, "page_token": token }));
    let opens = || async { Ok::<_, Failure>(next().await?["result"]["isError"] == false) };
    std::fs::write(&path, "no key\n")?;
    // Longer than it takes until somebody looks.
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert!(opens().await?, "the keys before hold on");
    std::fs::write(&path, line("C") + &line("B"))?;
    tokio::time::sleep(std::time::Duration::from_millis(1_500)).await;
    assert!(opens().await?, "the old key opens beside the new one");
    std::fs::write(&path, line("C"))?;
    until("the old key is gone", || async { Ok(!opens().await?) }).await?;
    process.signal()?;
    let (status, said) = process.ended().await?;
    assert!(status.success() && said.contains("what they said before holds on"), "{said}");
    assert!(said.contains("line 1 is not a key"), "{said}");
    Ok(())
}
