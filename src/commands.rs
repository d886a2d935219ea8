//! The commands for people: what they print goes to stdout, everything else to stderr.

use std::io::{IsTerminal, Write};
use std::time::Duration;

use databricks::Attribute;
use rmcp::service::ServiceExt;
use serde_json::{Map, Value};

use crate::calls;
use crate::config::{Cli, Command, Options, ResourcesCommand, ToolsCommand};
use crate::context::Context;
use crate::error::Error;
use crate::local::LocalRoots;
use crate::pretty::pretty;
use crate::registry::Registry;
use crate::resources;
use crate::server::{Server, describe};
use crate::shape::Budget;

/// How long a server whose client has gone may take to undo what cancelled calls had started.
const UNDO_TIME: Duration = Duration::from_secs(10);

/// Runs the command line.
pub async fn run(cli: Cli) -> Result<(), Error> {
    let options = cli.options;
    match cli.command.unwrap_or(Command::Serve) {
        Command::Serve => serve(&options).await,
        Command::Tools(ToolsCommand::List { json }) => list_tools(&Registry::new(&options.selection())?, json),
        Command::Tools(ToolsCommand::Show { name }) => {
            let registry = Registry::new(&options.selection())?;
            print(&json(&describe(registry.tool(&name)?))?)
        }
        Command::Call { name, arguments } => call(&options, &name, &arguments).await,
        Command::Resources(ResourcesCommand::List) => list_resources(&options).await,
        Command::Resources(ResourcesCommand::Read { uri }) => {
            let registry = Registry::new(&options.selection())?;
            let workspace = Workspace::open(&options).await?;
            print(&resources::read(&registry, &workspace.context, &uri).await?.text)
        }
        Command::Sandbox { port } => run_sandbox(&options, port).await,
    }
}

/// The workspace that calls go to, with the sandbox if it is one.
struct Workspace {
    context: Context,
    _sandbox: Option<databricks_sandbox::Sandbox>,
}

impl Workspace {
    async fn open(options: &Options) -> Result<Self, Error> {
        let (config, sandbox) = if options.sandbox {
            let sandbox = start_sandbox(options, 0).await?;
            let mut config = databricks::Config::new(sandbox.url(), sandbox.token())?;
            config.limits.requests_per_second = None;
            (config, Some(sandbox))
        } else {
            (options.client_config()?, None)
        };
        let warehouse_id = config.settings.get(Attribute::WarehouseId).map(str::to_owned);
        let budget = Budget::tokens(options.max_result_tokens as usize);
        let mut context = Context::new(databricks::Client::new(config)?, budget, warehouse_id);
        context.local = LocalRoots::open(&options.local_roots)?;
        Ok(Self { context, _sandbox: sandbox })
    }
}

async fn serve(options: &Options) -> Result<(), Error> {
    let registry = Registry::new(&options.selection())?;
    let workspace = Workspace::open(options).await?;
    greet(&registry, &workspace.context);
    let server = Server::new(registry, workspace.context.clone());
    match server.serve(rmcp::transport::stdio()).await {
        Ok(running) => {
            let ended = running.waiting().await;
            workspace.context.cleanup.finish(UNDO_TIME).await;
            ended.map(drop).map_err(|error| Error::failed(format!("the server stopped: {error}")))
        }
        // A client that leaves before it speaks is no failure of the server.
        Err(rmcp::service::ServerInitializeError::ConnectionClosed(_)) => Ok(()),
        Err(error) => Err(Error::failed(format!("cannot serve MCP on stdio: {error}"))),
    }
}

/// A person who starts the server by hand sees what it waits for; a client's pipe stays silent.
fn greet(registry: &Registry, context: &Context) {
    if std::io::stdin().is_terminal() {
        let host = match context.client.host() {
            "" => "no workspace (set DATABRICKS_HOST)",
            host => host,
        };
        let _ = writeln!(
            std::io::stderr().lock(),
            "MCP on stdio for {host}: {} tools. An MCP client should start this command; by hand, try \
             `databricks-mcp-server --help`. Ctrl-D ends it.",
            registry.tools().count(),
        );
    }
}

async fn start_sandbox(options: &Options, port: u16) -> Result<databricks_sandbox::Sandbox, Error> {
    let mut sandbox = databricks_sandbox::Options::default().with_port(port);
    if let Some(path) = &options.sandbox_faults {
        let in_file = |error: &dyn std::fmt::Display| Error::failed(format!("faults in `{}`: {error}", path.display()));
        let text = std::fs::read_to_string(path).map_err(|error| in_file(&error))?;
        sandbox = sandbox.with_faults(databricks_sandbox::Faults::parse(&text).map_err(|error| in_file(&error))?);
    }
    databricks_sandbox::Sandbox::start(sandbox).await.map_err(|error| Error::failed(error.to_string()))
}

async fn run_sandbox(options: &Options, port: u16) -> Result<(), Error> {
    let sandbox = start_sandbox(options, port).await?;
    print(&format!("DATABRICKS_HOST={}\nDATABRICKS_TOKEN={}", sandbox.url(), sandbox.token()))?;
    tokio::signal::ctrl_c().await.map_err(|error| Error::failed(format!("cannot wait for Ctrl-C: {error}")))
}

fn list_tools(registry: &Registry, as_json: bool) -> Result<(), Error> {
    if as_json {
        return print(&json(&registry.tools().map(describe).collect::<Vec<_>>())?);
    }
    let width = registry.tools().map(|tool| tool.definition.name.len()).max().unwrap_or_default();
    for toolset in registry.toolsets() {
        print(&format!("{} ({})", toolset.title, toolset.name))?;
        for tool in registry.tools().filter(|tool| tool.definition.toolset == toolset.name) {
            let definition = tool.definition;
            print(&format!("  {:width$}  {:11}  {}", definition.name, tool.risk.name(), definition.title))?;
        }
    }
    Ok(())
}

async fn call(options: &Options, name: &str, arguments: &str) -> Result<(), Error> {
    let registry = Registry::new(&options.selection())?;
    registry.tool(name)?;
    let arguments: Map<String, Value> = serde_json::from_str(arguments)
        .map_err(|error| Error::failed(format!("the arguments are no JSON object: {error}")))?;
    let workspace = Workspace::open(options).await?;
    print(&pretty(&calls::call(&registry, &workspace.context, name, arguments).await?))
}

async fn list_resources(options: &Options) -> Result<(), Error> {
    let registry = Registry::new(&options.selection())?;
    let workspace = Workspace::open(options).await?;
    let mut cursor: Option<String> = None;
    loop {
        let (listed, next) = resources::list(&registry, &workspace.context, cursor.as_deref()).await?;
        for resource in listed {
            print(&format!("{}  {}", resource.uri, resource.title))?;
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    for template in registry.resources() {
        print(&format!("{}  {} (template)", template.uri, template.title))?;
    }
    Ok(())
}

/// The definitions exactly as clients receive them.
fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(value).map_err(|error| Error::failed(error.to_string()))
}

fn print(text: &str) -> Result<(), Error> {
    match writeln!(std::io::stdout().lock(), "{text}") {
        // The reader of a pipe may stop reading.
        Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => Ok(()),
        outcome => outcome.map_err(|error| Error::failed(format!("cannot write to stdout: {error}"))),
    }
}
