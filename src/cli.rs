//! The commands for people: what they print goes to stdout, everything else to stderr.

mod arguments;
mod auth;
mod clients;
mod consent;
mod doctor;
mod health;
mod http;
mod json;
mod manual;
mod prompts;
mod setup;
mod shutdown;
mod surface;
mod terminal;
mod waiting;

use std::io::{IsTerminal, Read};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use prometheus_client::metrics::counter::Counter;
use serde_json::{Map, Value};

pub use arguments::Cli;
use arguments::{AuditCommand, Command, KeysCommand, ResourcesCommand, ToolsCommand};

use crate::audit;
use crate::caller::Caller;
use crate::calls;
use crate::cli::json::pretty;
use crate::cli::terminal::{note, print};
use crate::config::Options;
use crate::connect::Opened;
use crate::consent::Consent;
use crate::context::Context;
use crate::controls;
use crate::embedded::Embedded;
use crate::error::Error;
use crate::progress::Progress;
use crate::registry::Registry;
use crate::resources;
use crate::server::{Server, describe};
use crate::transport::stdio;
use crate::workspaces::Workspaces;

/// How long it may take to undo what cancelled calls had started, once the client has gone or a signal has come.
const UNDO_TIME: Duration = Duration::from_secs(10);
/// How long the end waits for a reader of an audit log on stderr.
const LAST_RECORDS: Duration = Duration::from_secs(1);
/// How long the end waits for the collector of traces.
const LAST_SPANS: Duration = Duration::from_secs(2);
/// A person waits so long for a part of a list or of a resource.
const LONGEST_ANSWER: Duration = Duration::from_secs(45);
/// Arguments from stdin may be as long as a message of the protocol.
const MOST_ARGUMENT_BYTES: u64 = 32 << 20;

/// Runs the command line.
pub async fn run(cli: Cli) -> Result<ExitCode, Error> {
    let options = cli.options;
    let command = cli.command.unwrap_or(Command::Serve);
    // What shows or uses a server's tools does so as that server would.
    if matches!(command, Command::Tools(_) | Command::Call { .. } | Command::Resources(_) | Command::Prompts(_)) {
        surface::check(&options)?;
    }
    let done = match command {
        Command::Serve => serve(&options).await,
        Command::Setup(setup) => return setup::run(options, &setup).await,
        Command::Install(install) => return clients::install(options.dry_run, &install),
        Command::Uninstall(uninstall) => return clients::uninstall(options.dry_run, &uninstall),
        Command::Http(http) => http::serve(&options, &http).await,
        Command::Health(options) => return health::ask(&options).await,
        Command::Keys(KeysCommand::New { name }) => http::new_key(&name),
        Command::Doctor { sql, json: as_json } => {
            let report = doctor::examine(&options, sql).await?;
            print(&if as_json { json(&report.to_json())? } else { report.to_string() })?;
            return Ok(if report.is_healthy() { ExitCode::SUCCESS } else { ExitCode::FAILURE });
        }
        Command::Tools(ToolsCommand::List { json }) => list_tools(&Registry::new(&options.selection()?)?, json),
        Command::Tools(ToolsCommand::Show { name }) => {
            let registry = Registry::new(&options.selection()?)?;
            print(&json(&describe(registry.tool(&name)?))?)
        }
        Command::Call { name, arguments, yes } => call(&options, &name, &arguments, yes).await,
        Command::Resources(ResourcesCommand::List) => list_resources(&options).await,
        Command::Resources(ResourcesCommand::Read { uri }) => {
            let registry = Registry::new(&options.selection()?)?;
            let opened = Opened::open(&options).await?;
            read_resource(&registry, &opened.workspaces, uri).await
        }
        Command::Prompts(command) => prompts::run(&options, command).await,
        Command::Audit { json: as_json, command: None } => surface::show(&options, as_json),
        Command::Audit { command: Some(AuditCommand::Verify { file }), .. } => print(&audit::verify(&file)?),
        Command::Auth(command) => auth::run(&options, command).await,
        Command::Sandbox { port } => run_sandbox(&options, port).await,
        Command::Completions { shell } => manual::completions(shell),
        Command::Man { directory } => manual::write(&directory),
    };
    done.map(|()| ExitCode::SUCCESS)
}

async fn serve(options: &Options) -> Result<(), Error> {
    let registry = Registry::new(&options.selection()?)?;
    let opened = Opened::open(options).await?;
    greet(&registry, &opened.workspaces);
    let traces = options.traces(Counter::default())?;
    let server = Server::new(registry, opened.workspaces.clone()).with_traces(traces.clone());
    let policy = opened.workspaces.first().policy_file.clone();
    let digest = surface::checked(server.registry(), options, policy)?;
    let server = server.with_digest(digest);
    let stop = server.stop();
    // From before the first call on.
    let asked = shutdown::requested();
    let mut connection = stdio::open(server, tokio::io::stdin(), tokio::io::stdout());
    let ended = tokio::select! {
        ended = connection.ended() => ended,
        asked = asked => asked,
    };
    // First of all, so that no start takes the place of another call that ends.
    opened.workspaces.close();
    // Calls go on until they are told, however the server has ended.
    stop.cancel();
    tokio::join!(undo(&opened.workspaces), connection.finish());
    traces.finish(LAST_SPANS).await;
    opened.workspaces.finish_audit(LAST_RECORDS);
    ended
}

/// Undoes what cancelled calls had started; a second signal ends the waiting for it.
async fn undo(workspaces: &Workspaces) {
    tokio::select! {
        () = workspaces.finish(UNDO_TIME) => {}
        _ = shutdown::requested() => workspaces.finish(Duration::ZERO).await,
    }
}

/// A person who starts the server by hand sees what it waits for; a client's pipe stays silent.
fn greet(registry: &Registry, workspaces: &Workspaces) {
    if std::io::stdin().is_terminal() {
        let hosts: Vec<_> = workspaces.iter().map(|(_, context)| context.client.host()).collect();
        let host = match hosts.as_slice() {
            [""] => "no workspace (set DATABRICKS_HOST, or start with --sandbox)".to_owned(),
            hosts => hosts.join(" and "),
        };
        let policy = workspaces.first().policy_file.as_ref();
        let policy = policy.map_or(String::new(), |file| format!(" Policy: {}.", file.summary()));
        note(&format!(
            "MCP on stdio for {host}: {} tools.{policy} An MCP client should start this command; by hand, try \
             `databricks-mcp-server --help`. Ctrl-D ends it.",
            registry.tools().count(),
        ));
    }
}

async fn run_sandbox(options: &Options, port: u16) -> Result<(), Error> {
    options.only_workspace()?;
    let sandbox = Embedded::start(options, port).await?;
    print(&format!("DATABRICKS_HOST={}\nDATABRICKS_TOKEN={}", sandbox.url(), sandbox.token()))?;
    shutdown::requested().await
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

async fn call(options: &Options, name: &str, arguments: &str, yes: bool) -> Result<(), Error> {
    let registry = Registry::new(&options.selection()?)?;
    registry.tool(name)?;
    let registry = Arc::new(registry.into());
    let arguments = match arguments {
        "-" => read_stdin()?,
        given => given.to_owned(),
    };
    let arguments: Map<String, Value> = serde_json::from_str(&arguments)
        .map_err(|error| Error::failed(format!("the arguments are not a JSON object: {error}")))?;
    let opened = Opened::open(options).await?;
    let (progress, steps) = Progress::listened();
    let client = Some((Arc::from("databricks-mcp-server call"), Arc::from(env!("CARGO_PKG_VERSION"))));
    let caller = Caller { client, ..Caller::default() };
    let workspaces =
        opened.workspaces.each(|context| Context { progress: progress.clone(), caller: caller.clone(), ..context });
    let called = async |consent: Consent| {
        let workspaces = workspaces.each(|context| Context { consent: consent.clone(), ..context });
        calls::call(&registry, &workspaces, name, arguments.clone()).await
    };
    let consent = opened.workspaces.first().consent.clone();
    let answer = tokio::select! {
        answer = waiting::reporting(consent::asking(consent, yes, called), steps) => answer,
        asked = shutdown::requested() => asked.and(Err(Error::failed("the call was cancelled"))),
    };
    undo(&opened.workspaces).await;
    opened.workspaces.finish_audit(LAST_RECORDS);
    print(&pretty(&answer?))
}

/// The arguments of a call from stdin, where a secret is in no list of processes and no history of a shell.
fn read_stdin() -> Result<String, Error> {
    let mut text = String::new();
    let length = std::io::stdin().lock().take(MOST_ARGUMENT_BYTES + 1).read_to_string(&mut text);
    match length.map_err(|error| Error::failed(format!("cannot read the arguments from stdin: {error}")))? {
        0 => Err(Error::failed("there are no arguments on stdin").with_hint("pass a JSON object, or `{}` for none")),
        length if length as u64 > MOST_ARGUMENT_BYTES => {
            Err(Error::failed(format!("the arguments on stdin have more than {MOST_ARGUMENT_BYTES} bytes")))
        }
        _ => Ok(text),
    }
}

async fn list_resources(options: &Options) -> Result<(), Error> {
    let registry = Registry::new(&options.selection()?)?;
    let opened = Opened::open(options).await?;
    let mut cursor: Option<String> = None;
    loop {
        let workspaces = opened.workspaces.each(|context| context.within(LONGEST_ANSWER));
        let (listed, next) = resources::list(&registry, &workspaces, cursor.as_deref()).await?;
        for resource in listed {
            print(&controls::on_one_line(&format!("{}  {}", resource.uri, resource.title)))?;
        }
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    for template in registry.resources() {
        print(&format!("{}  {} (template)", registry.template(template), template.title))?;
    }
    Ok(())
}

/// Prints a resource to its end: the budget of one answer is for models.
async fn read_resource(registry: &Registry, workspaces: &Workspaces, uri: String) -> Result<(), Error> {
    let (mut text, mut next) = (String::new(), Some(uri));
    while let Some(uri) = next {
        let workspaces = workspaces.each(|context| context.within(LONGEST_ANSWER));
        let contents = resources::read(registry, &workspaces, &uri).await?;
        text.push_str(&contents.text);
        next = contents.rest.map(|rest| rest.uri);
    }
    print(&text)
}

/// The definitions exactly as clients receive them.
fn json(value: &impl serde::Serialize) -> Result<String, Error> {
    serde_json::to_string_pretty(value).map_err(|error| Error::failed(error.to_string()))
}
