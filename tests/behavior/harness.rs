//! A real MCP client, a server and a sandbox workspace, in one process.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use clap::Parser as _;
use databricks_mcp_server::context::Context;
use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_mcp_server::transport::http;
use databricks_sandbox::{Options, Sandbox};
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ProgressNotificationParam, ReadResourceRequestParams, ResourceContents,
};
use rmcp::service::{NotificationContext, RoleClient, RunningService, ServiceExt};
use rmcp::transport::StreamableHttpClientTransport;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{Duration, Instant, sleep};

/// The variable that sends everything over HTTP.
const OVER_HTTP: &str = "TEST_OVER_HTTP";
/// How long anything may take before a test gives up.
const PATIENCE: Duration = Duration::from_secs(30);

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A client that keeps the progress it is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener {
    heard: Arc<Mutex<Vec<(f64, String)>>>,
    totals: Arc<Mutex<Vec<Option<f64>>>>,
}

impl Listener {
    pub(crate) fn heard(&self) -> Vec<(f64, String)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The total of each notification.
    pub(crate) fn totals(&self) -> Vec<Option<f64>> {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientHandler for Listener {
    async fn on_progress(&self, progress: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        self.totals.lock().unwrap_or_else(PoisonError::into_inner).push(progress.total);
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((progress.progress, progress.message.unwrap_or_default()));
    }
}

/// The account of operations that belong to one.
pub(crate) const ACCOUNT: &str = "5d1c0f2e-0000-4000-8000-000000000001";

/// A client of a server of a fresh sandbox.
pub(crate) struct Harness {
    pub(crate) client: RunningService<RoleClient, Listener>,
    /// What tells how things stand in the workspace, past the server.
    pub(crate) workspace: databricks::Client,
    sandbox: Arc<Sandbox>,
}

impl Harness {
    pub(crate) async fn open(selection: Selection, tokens: usize) -> Result<Self, Box<dyn Error>> {
        Self::with(selection, tokens, LocalRoots::default()).await
    }

    /// Whether clients speak to servers over HTTP.
    pub(crate) fn is_over_http() -> bool {
        std::env::var_os(OVER_HTTP).is_some()
    }

    /// The token that the server authenticates with.
    pub(crate) fn token(&self) -> String {
        self.sandbox.token().to_owned()
    }

    /// A server that may use local directories.
    pub(crate) async fn with(selection: Selection, tokens: usize, local: LocalRoots) -> Result<Self, Box<dyn Error>> {
        let sandbox = Arc::new(Sandbox::start(Options::default()).await?);
        Self::beside(&sandbox, selection, tokens, local).await
    }

    /// A harness of every toolset where requests meet faults.
    pub(crate) async fn with_faults(faults: Value) -> Result<Self, Box<dyn Error>> {
        let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
        let faults = databricks_sandbox::Faults::parse(&faults.to_string())?;
        let sandbox = Arc::new(Sandbox::start(Options::default().with_faults(faults)).await?);
        Self::beside(&sandbox, selection, 6_000, LocalRoots::default()).await
    }

    /// A harness of every toolset with faults and local directories, whose client gives up soon: what lasts shall show.
    pub(crate) async fn impatient(faults: Value, local: LocalRoots) -> Result<Self, Box<dyn Error>> {
        let faults = databricks_sandbox::Faults::parse(&faults.to_string())?;
        Self::impatient_in(Options::default().with_faults(faults), local).await
    }

    /// As [`Self::impatient`], in a sandbox of these options.
    pub(crate) async fn impatient_in(options: Options, local: LocalRoots) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::start(options).await?;
        let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
        let (pause, budget) = (Duration::from_millis(10), Duration::from_millis(1_500));
        config.retry = databricks::RetryPolicy { budget, pause, longest_pause: Duration::from_millis(50) };
        config.limits.requests_per_second = None;
        config.account_id = Some(ACCOUNT.to_owned());
        let mut context = Context::new(databricks::Client::new(config)?, Budget::tokens(6_000), None);
        context.local = local;
        let selection = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
        Self::of(Server::new(Registry::new(&selection)?, context), sandbox).await
    }

    /// A server of a sandbox that outlives it.
    pub(crate) async fn beside(
        sandbox: &Arc<Sandbox>,
        selection: Selection,
        tokens: usize,
        local: LocalRoots,
    ) -> Result<Self, Box<dyn Error>> {
        let mut context = Context::new(client(sandbox)?, Budget::tokens(tokens), None);
        context.local = local;
        Self::of(Server::new(Registry::new(&selection)?, context), Arc::clone(sandbox)).await
    }

    /// A client of this server, whose sandbox lasts as long.
    pub(crate) async fn of(server: Server, sandbox: impl Into<Arc<Sandbox>>) -> Result<Self, Box<dyn Error>> {
        crate::uses::record();
        let sandbox = sandbox.into();
        let client = if Self::is_over_http() { over_http(server).await? } else { in_process(server).await? };
        Ok(Self { client, workspace: self::client(&sandbox)?, sandbox })
    }

    /// Waits for a notification of progress; the client handles them beside answers.
    pub(crate) async fn until_heard(&self, is_it: impl Fn(&str) -> bool) -> Result<String, Box<dyn Error>> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let heard = self.client.service().heard();
            if let Some((_, state)) = heard.iter().find(|(_, state)| is_it(state)) {
                return Ok(state.clone());
            }
            if Instant::now() > deadline {
                return Err(format!("only heard {heard:?}").into());
            }
            sleep(Duration::from_millis(20)).await;
        }
    }

    /// The rules for faults, and how often each was met.
    pub(crate) async fn faults(&self) -> Result<Value, Box<dyn Error>> {
        Ok(self.direct("GET", "/__sandbox/faults", None).await?["faults"].clone())
    }

    /// What the sandbox answers to a request that no tool makes.
    pub(crate) async fn direct(&self, method: &str, path: &str, body: Option<Value>) -> Result<Value, Box<dyn Error>> {
        let address = self.sandbox.url().trim_start_matches("http://").to_owned();
        let mut stream = tokio::net::TcpStream::connect(&address).await?;
        let body = body.map(|body| body.to_string()).unwrap_or_default();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: {address}\r\nAuthorization: Bearer {}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
            self.sandbox.token(),
            body.len()
        );
        stream.write_all(request.as_bytes()).await?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await?;
        let (head, body) = answer.split_once("\r\n\r\n").ok_or("no body")?;
        if !head.starts_with("HTTP/1.1 2") {
            return Err(answer.into());
        }
        Ok(serde_json::from_str(body)?)
    }

    /// Moves the clock of the sandbox.
    pub(crate) fn advance(&self, by: Duration) {
        self.sandbox.advance(by);
    }

    /// A harness of every toolset.
    pub(crate) async fn whole() -> Result<Self, Box<dyn Error>> {
        Self::with_faults(serde_json::json!([])).await
    }

    pub(crate) async fn default() -> Result<Self, Box<dyn Error>> {
        Self::open(Selection::default(), 6_000).await
    }

    pub(crate) async fn call(&self, tool: &'static str, arguments: Value) -> Result<CallToolResult, Box<dyn Error>> {
        let Value::Object(arguments) = arguments else { return Err("the arguments are no object".into()) };
        Ok(self.client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await?)
    }

    /// The structured answer of a call that succeeds; its text says the same.
    pub(crate) async fn answer(&self, tool: &'static str, arguments: Value) -> Result<Value, Box<dyn Error>> {
        let result = self.call(tool, arguments).await?;
        let text = text(&result);
        assert_eq!(result.is_error, Some(false), "{tool}: {text}");
        let structured = result.structured_content.ok_or("no structured content")?;
        assert_eq!(serde_json::from_str::<Value>(&text)?, structured, "{tool}: text and structure differ");
        Ok(structured)
    }

    /// The text of a call that fails as a call, not as a request.
    pub(crate) async fn refusal(&self, tool: &'static str, arguments: Value) -> Result<String, Box<dyn Error>> {
        let result = self.call(tool, arguments).await?;
        assert_eq!(result.is_error, Some(true), "{tool}: {}", text(&result));
        assert!(result.structured_content.is_none(), "{tool}: an error has no structure");
        Ok(text(&result))
    }

    /// All items of a list, page by page, and the number of pages.
    pub(crate) async fn all(
        &self,
        tool: &'static str,
        mut arguments: Value,
    ) -> Result<(Vec<Value>, usize), Box<dyn Error>> {
        let (mut items, mut pages) = (Vec::new(), 0);
        loop {
            let answer = self.answer(tool, arguments.clone()).await?;
            items.extend(answer["items"].as_array().cloned().unwrap_or_default());
            pages += 1;
            assert_eq!(answer["truncated"].as_bool(), Some(answer.get("next_page_token").is_some()), "{answer}");
            match answer.get("next_page_token") {
                Some(token) => arguments["page_token"] = token.clone(),
                None => return Ok((items, pages)),
            }
        }
    }

    /// MIME type and text of a resource.
    pub(crate) async fn read(&self, uri: &str) -> Result<(Option<String>, String), Box<dyn Error>> {
        let result = self.client.read_resource(ReadResourceRequestParams::new(uri)).await?;
        match result.contents.into_iter().next() {
            Some(ResourceContents::TextResourceContents { mime_type, text, .. }) => Ok((mime_type, text)),
            _ => Err("no text".into()),
        }
    }
}

async fn in_process(server: Server) -> Result<RunningService<RoleClient, Listener>, Box<dyn Error>> {
    let (near, far) = tokio::io::duplex(1 << 16);
    tokio::spawn(async move {
        if let Ok(running) = server.serve(near).await {
            let _ = running.waiting().await;
        }
    });
    Ok(Listener::default().serve(far).await?)
}

/// A client that has all the same over HTTP. The service lasts as long as the process.
async fn over_http(server: Server) -> Result<RunningService<RoleClient, Listener>, Box<dyn Error>> {
    // Clients of this build look for it, though nothing is encrypted here. A second one changes nothing.
    let _ = rustls::crypto::ring::default_provider().install_default();
    let options = HttpCli::parse_from(["http", "--listen", "127.0.0.1:0", "--max-calls", "10000"]).options;
    let service = http::open(&options, server).await?;
    let transport = StreamableHttpClientTransport::from_uri(service.url());
    Ok(Listener::default().serve(transport).await?)
}

#[derive(Debug, clap::Parser)]
struct HttpCli {
    #[command(flatten)]
    options: http::HttpOptions,
}

/// A client of the workspace itself, which nothing slows down.
pub(crate) fn client(sandbox: &Sandbox) -> Result<databricks::Client, Box<dyn Error>> {
    let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
    config.limits.requests_per_second = None;
    config.account_id = Some(ACCOUNT.to_owned());
    Ok(databricks::Client::new(config)?)
}

pub(crate) fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.as_str())).collect()
}
