//! Everything that can be configured, in one place: flags over environment.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand};
use databricks::{Attribute, Config, Environment, Settings};

use crate::error::Error;
use crate::registry::Selection;

/// The command line.
#[derive(Debug, Parser)]
#[command(name = "databricks-mcp-server", version, about = "An MCP server for a Databricks workspace")]
pub struct Cli {
    /// What every command takes.
    #[command(flatten)]
    pub options: Options,
    /// What to do; `serve` if not given.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Serve MCP over stdio (the default)
    Serve,
    /// Show the tools
    #[command(subcommand)]
    Tools(ToolsCommand),
    /// Call a tool once
    Call {
        /// Name of the tool
        name: String,
        /// Its arguments as a JSON object
        #[arg(default_value = "{}")]
        arguments: String,
    },
    /// List or read resources
    #[command(subcommand)]
    Resources(ResourcesCommand),
    /// Run the embedded sandbox workspace alone
    Sandbox {
        /// Loopback port; 0 takes a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
}

/// What to show of the tools.
#[derive(Debug, Subcommand)]
pub enum ToolsCommand {
    /// List the enabled tools
    List {
        /// As JSON, exactly as clients receive them
        #[arg(long)]
        json: bool,
    },
    /// Show one tool as clients receive it
    Show {
        /// Name of the tool
        name: String,
    },
}

/// What to do with resources.
#[derive(Debug, Subcommand)]
pub enum ResourcesCommand {
    /// List what exists, and the templates
    List,
    /// Read one
    Read {
        /// Its URI
        uri: String,
    },
}

/// What every command takes.
#[derive(Debug, Clone, Args)]
pub struct Options {
    /// Workspace, e.g. `https://acme.cloud.databricks.com`, instead of DATABRICKS_HOST; a secret has no flag
    #[arg(long, global = true, value_name = "URL")]
    pub host: Option<String>,
    /// Profile of `~/.databrickscfg`; wins over the environment, which DATABRICKS_CONFIG_PROFILE does not
    #[arg(long, global = true, value_name = "NAME")]
    pub profile: Option<String>,
    /// SQL warehouse to use where a call names none, instead of DATABRICKS_WAREHOUSE_ID
    #[arg(long, global = true, value_name = "ID")]
    pub warehouse_id: Option<String>,
    /// Toolsets to enable: names, `default` or `all`
    #[arg(long, global = true, env = "DATABRICKS_MCP_TOOLSETS", value_delimiter = ',', value_name = "NAMES")]
    pub toolsets: Vec<String>,
    /// Tools to enable besides `--toolsets`; alone, only these
    #[arg(long, global = true, env = "DATABRICKS_MCP_TOOLS", value_delimiter = ',', value_name = "NAMES")]
    pub tools: Vec<String>,
    /// Tools to leave out
    #[arg(long, global = true, env = "DATABRICKS_MCP_EXCLUDE_TOOLS", value_delimiter = ',', value_name = "NAMES")]
    pub exclude_tools: Vec<String>,
    /// Leave out every tool that can change anything; wins over all other options
    #[arg(long, global = true, env = "DATABRICKS_MCP_READ_ONLY", value_parser = clap::builder::FalseyValueParser::new())]
    pub read_only: bool,
    /// Most tokens in one answer, estimated
    #[arg(long, global = true, env = "DATABRICKS_MCP_MAX_RESULT_TOKENS", default_value_t = 6_000, value_name = "N",
          value_parser = clap::value_parser!(u32).range(500..=25_000))]
    pub max_result_tokens: u32,
    /// A directory of this machine that tools may read from and write to (repeatable); without it they cannot
    #[arg(long = "local-root", global = true, env = "DATABRICKS_MCP_LOCAL_ROOT", value_name = "DIR")]
    pub local_roots: Vec<PathBuf>,
    /// Use the embedded sandbox workspace instead of a real one
    #[arg(long, global = true, env = "DATABRICKS_MCP_SANDBOX", value_parser = clap::builder::FalseyValueParser::new())]
    pub sandbox: bool,
    /// Faults that the sandbox injects, as a JSON file: what a client does when Databricks misbehaves
    #[arg(long, global = true, value_name = "FILE")]
    pub sandbox_faults: Option<PathBuf>,
    /// Log level on stderr: off, error, warn, info, debug or trace
    #[arg(long, global = true, env = "DATABRICKS_MCP_LOG_LEVEL", default_value = "warn", value_name = "LEVEL")]
    pub log_level: tracing::level_filters::LevelFilter,
}

impl Options {
    /// Which tools to enable.
    pub fn selection(&self) -> Selection {
        let names = |names: &[String]| {
            names.iter().map(|name| name.trim().to_owned()).filter(|name| !name.is_empty()).collect()
        };
        Selection {
            toolsets: names(&self.toolsets),
            tools: names(&self.tools),
            exclude_tools: names(&self.exclude_tools),
            read_only: self.read_only,
        }
    }

    /// How to reach the workspace: flags, then the environment, then a profile. Nothing is contacted; a missing
    /// host or credential shows when it is needed.
    pub fn client_config(&self) -> Result<Config, Error> {
        let flags = [
            (Attribute::Host, &self.host),
            (Attribute::Profile, &self.profile),
            (Attribute::WarehouseId, &self.warehouse_id),
        ];
        let given = flags.into_iter().filter_map(|(attribute, value)| Some((attribute, value.as_ref()?.trim())));
        let given = given.filter(|(_, value)| !value.is_empty());
        let settings = given.fold(Settings::default(), |settings, (attribute, value)| settings.with(attribute, value));
        Ok(Config::resolve(settings, Environment::system())?)
    }
}
