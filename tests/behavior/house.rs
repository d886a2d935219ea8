//! A real MCP client, a server and a sandbox workspace, in one process.

use std::error::Error;
use std::sync::{Arc, Mutex, PoisonError};

use databricks_mcp_server::context::Context;
use databricks_mcp_server::local::LocalRoots;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::Server;
use databricks_mcp_server::shape::Budget;
use databricks_sandbox::{Options, Sandbox};
use rmcp::handler::client::ClientHandler;
use rmcp::model::{
    CallToolRequestParams, CallToolResult, ProgressNotificationParam, ReadResourceRequestParams, ResourceContents,
};
use rmcp::service::{NotificationContext, RoleClient, RunningService, ServiceExt};
use serde_json::Value;

pub(crate) type Outcome = Result<(), Box<dyn Error>>;

/// A client that keeps the progress it is told.
#[derive(Debug, Clone, Default)]
pub(crate) struct Listener {
    heard: Arc<Mutex<Vec<(f64, String)>>>,
}

impl Listener {
    pub(crate) fn heard(&self) -> Vec<(f64, String)> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl ClientHandler for Listener {
    async fn on_progress(&self, progress: ProgressNotificationParam, _context: NotificationContext<RoleClient>) {
        let mut heard = self.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.push((progress.progress, progress.message.unwrap_or_default()));
    }
}

/// A client of a server of a fresh sandbox.
pub(crate) struct House {
    pub(crate) client: RunningService<RoleClient, Listener>,
    _sandbox: Sandbox,
}

impl House {
    pub(crate) async fn open(selection: Selection, tokens: usize) -> Result<Self, Box<dyn Error>> {
        Self::furnished(selection, tokens, LocalRoots::default()).await
    }

    /// A server that may use local directories.
    pub(crate) async fn furnished(
        selection: Selection,
        tokens: usize,
        local: LocalRoots,
    ) -> Result<Self, Box<dyn Error>> {
        let sandbox = Sandbox::start(Options::default()).await?;
        let config = databricks::Config::new(sandbox.url(), sandbox.token())?;
        Self::before(sandbox, config, selection, tokens, local).await
    }

    /// A server before a workspace that is there already.
    pub(crate) async fn before(
        sandbox: Sandbox,
        mut config: databricks::Config,
        selection: Selection,
        tokens: usize,
        local: LocalRoots,
    ) -> Result<Self, Box<dyn Error>> {
        config.limits.requests_per_second = None;
        let mut context = Context::new(databricks::Client::new(config)?, Budget::tokens(tokens), None);
        context.local = local;
        Self::of(Server::new(Registry::new(&selection)?, context), sandbox).await
    }

    /// A client of this server, which ends with its sandbox.
    pub(crate) async fn of(server: Server, sandbox: Sandbox) -> Result<Self, Box<dyn Error>> {
        let (near, far) = tokio::io::duplex(1 << 16);
        tokio::spawn(async move {
            if let Ok(running) = server.serve(near).await {
                let _ = running.waiting().await;
            }
        });
        Ok(Self { client: Listener::default().serve(far).await?, _sandbox: sandbox })
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

pub(crate) fn text(result: &CallToolResult) -> String {
    result.content.iter().filter_map(|block| Some(block.as_text()?.text.as_str())).collect()
}
