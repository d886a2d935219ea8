//! A service over a sandbox, and a client that writes what it likes.

use std::error::Error;
use std::sync::Arc;
use std::time::Duration;

use clap::Parser as _;
use databricks_mcp_server::cache::Cache;
use databricks_mcp_server::context::Context;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_mcp_server::transport::http::{self, HttpOptions, Service};
use databricks_sandbox::{Options, Sandbox};
use reqwest::header::{ACCEPT, CONTENT_TYPE};
use reqwest::{RequestBuilder, Response};
use serde_json::{Value, json};

pub(crate) type Failure = Box<dyn Error>;
pub(crate) type Outcome = Result<(), Failure>;

/// How long anything may take before a test gives up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

#[derive(Debug, clap::Parser)]
struct Cli {
    #[command(flatten)]
    options: HttpOptions,
}

/// A client for plain HTTP and TLS.
pub(crate) fn client() -> Result<reqwest::Client, Failure> {
    // A second one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().timeout(PATIENCE).build()?)
}

/// A service and its workspace.
pub(crate) struct House {
    pub(crate) service: Service,
    pub(crate) sandbox: Arc<Sandbox>,
    pub(crate) http: reqwest::Client,
    /// The URL without a path.
    pub(crate) base: String,
}

impl House {
    /// A service of every toolset, with these options on the command line.
    pub(crate) async fn open(arguments: &str) -> Result<Self, Failure> {
        Self::with(arguments, Options::default()).await
    }

    pub(crate) async fn with(arguments: &str, sandbox: Options) -> Result<Self, Failure> {
        Self::beside(arguments, &Arc::new(Sandbox::start(sandbox).await?)).await
    }

    pub(crate) async fn beside(arguments: &str, sandbox: &Arc<Sandbox>) -> Result<Self, Failure> {
        Self::of(arguments, sandbox, |_| {}).await
    }

    /// A service whose context differs.
    pub(crate) async fn of(
        arguments: &str,
        sandbox: &Arc<Sandbox>,
        change: impl FnOnce(&mut Context),
    ) -> Result<Self, Failure> {
        Self::looking(arguments, sandbox, Duration::from_secs(2), change).await
    }

    /// The same, which looks at watched resources as often as this.
    pub(crate) async fn looking(
        arguments: &str,
        sandbox: &Arc<Sandbox>,
        every: Duration,
        change: impl FnOnce(&mut Context),
    ) -> Result<Self, Failure> {
        let listen = ["--listen", "127.0.0.1:0"].into_iter().filter(|_| !arguments.contains("--listen"));
        let arguments = ["http"].into_iter().chain(listen).chain(arguments.split_whitespace());
        let options = Cli::try_parse_from(arguments)?.options;
        let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
        config.limits.requests_per_second = None;
        let mut context = Context::new(databricks::Client::new(config)?, Budget::tokens(6_000), None);
        context.cache = Cache::new(Duration::from_secs(60));
        change(&mut context);
        let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
        // Only for clients that take tasks.
        let server = Server::new(Registry::new(&selection)?, context).with_tasks_after(Duration::from_millis(200));
        let server = server.with_looks_every(every);
        let service = http::open(&options, server).await?;
        let base = service.url().trim_end_matches("/mcp").to_owned();
        Ok(Self { service, sandbox: Arc::clone(sandbox), http: client()?, base })
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("{}{path}", self.base)
    }

    /// A request to `/mcp` with what every client sends.
    pub(crate) fn post(&self, body: impl ToString) -> RequestBuilder {
        self.post_to("/mcp", body)
    }

    pub(crate) fn post_to(&self, path: &str, body: impl ToString) -> RequestBuilder {
        let request = self.http.post(self.url(path)).header(CONTENT_TYPE, "application/json");
        request.header(ACCEPT, "application/json, text/event-stream").body(body.to_string())
    }

    /// A request of the revision without a handshake, with the headers that it asks for.
    pub(crate) fn modern(&self, method: &str, params: Value) -> RequestBuilder {
        let name = ["name", "uri", "taskId"].iter().find_map(|key| params[*key].as_str().map(str::to_owned));
        let request = self.post(modern(1, method, params));
        let request = request.header("mcp-protocol-version", "2026-07-28").header("mcp-method", method);
        match name {
            Some(name) => request.header("mcp-name", name),
            None => request,
        }
    }

    /// The structured answer of a tool.
    pub(crate) async fn call(&self, tool: &str, arguments: Value) -> Result<Value, Failure> {
        structured(self.modern("tools/call", json!({ "name": tool, "arguments": arguments })).send().await?).await
    }

    /// What the sandbox says, past the server.
    pub(crate) async fn direct(&self, path: &str) -> Result<Value, Failure> {
        let request = self.http.get(format!("{}{path}", self.sandbox.url())).bearer_auth(self.sandbox.token());
        Ok(request.send().await?.error_for_status()?.json().await?)
    }
}

pub(crate) fn request(id: u64, method: &str, params: Value) -> Value {
    json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params })
}

pub(crate) fn modern(id: u64, method: &str, mut params: Value) -> Value {
    let token = params["_meta"]["progressToken"].take();
    params["_meta"] = json!({
        "io.modelcontextprotocol/protocolVersion": "2026-07-28",
        "io.modelcontextprotocol/clientCapabilities": {},
        "io.modelcontextprotocol/clientInfo": { "name": "test", "version": "1" },
    });
    if !token.is_null() {
        params["_meta"]["progressToken"] = token;
    }
    request(id, method, params)
}

pub(crate) fn initialize() -> Value {
    let client = json!({ "name": "test", "version": "1" });
    request(0, "initialize", json!({ "protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client }))
}

pub(crate) fn call(id: u64, tool: &str, arguments: Value) -> Value {
    request(id, "tools/call", json!({ "name": tool, "arguments": arguments }))
}

/// The messages of a response: one as JSON, or those of its events.
pub(crate) async fn messages(response: Response) -> Result<Vec<Value>, Failure> {
    let is_stream = response.headers().get(CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event"));
    let text = response.text().await?;
    if !is_stream {
        return Ok(vec![serde_json::from_str(&text).map_err(|error| format!("{error}: {text}"))?]);
    }
    let data =
        text.lines().filter_map(|line| line.strip_prefix("data:")).map(str::trim).filter(|data| !data.is_empty());
    Ok(data.map(serde_json::from_str).collect::<Result<_, _>>()?)
}

/// The message that answers the request.
pub(crate) async fn answer(response: Response) -> Result<Value, Failure> {
    Ok(messages(response).await?.pop().ok_or("no message")?)
}

pub(crate) async fn structured(response: Response) -> Result<Value, Failure> {
    let answer = answer(response).await?;
    let result = &answer["result"];
    assert_eq!(result["isError"], false, "{answer}");
    Ok(result["structuredContent"].clone())
}

/// Waits until something is so.
pub(crate) async fn until<F: Future<Output = Result<bool, Failure>>>(what: &str, is_so: impl Fn() -> F) -> Outcome {
    let end = tokio::time::Instant::now() + PATIENCE;
    while !is_so().await? {
        if tokio::time::Instant::now() > end {
            return Err(format!("it is never so that {what}").into());
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
