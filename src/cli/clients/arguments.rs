//! The options of `install`, `uninstall` and `setup`.

use clap::Args;

use super::places::Scope;

const INSTALL: &str = "Examples:
  databricks-mcp-server install --list
  databricks-mcp-server install --sandbox --client claude-code
  databricks-mcp-server install --profile dev --read-only --preset analyst --client cursor,vscode --dry-run
  databricks-mcp-server install --profile dev --scope project --client claude-code --command 'uvx databricks-mcp-server'

The options of the server, such as `--read-only`, are written as its arguments. No secret is written: the server finds
its credentials by the name of a profile. With `--dry-run`, nothing is written.";

const UNINSTALL: &str = "Examples:
  databricks-mcp-server uninstall
  databricks-mcp-server uninstall --client cursor --dry-run
  databricks-mcp-server uninstall --scope project
  databricks-mcp-server uninstall --all

A file that nobody has changed since `install` gets its old bytes back; a file that `install` has made is removed.";

const SETUP: &str = "Examples:
  databricks-mcp-server setup
  databricks-mcp-server setup --sandbox --client claude-code
  databricks-mcp-server setup --profile dev --read-only --preset analyst --client cursor

At a terminal, it asks for what the command line does not say. Without one, it asks nothing: give `--sandbox` or
`--profile`, and `--client`.";

/// Options of `install`.
#[derive(Debug, Clone, Args)]
#[command(after_help = INSTALL)]
pub struct InstallOptions {
    /// What is written, and where.
    #[command(flatten)]
    pub what: Writing,
    /// List the clients and their files, and do nothing else
    #[arg(long)]
    pub list: bool,
}

/// What is written, and where.
#[derive(Debug, Clone, Args)]
pub struct Writing {
    /// Clients to set up, such as `claude-code`; without it, those that are found on this machine
    #[arg(long = "client", value_name = "NAMES", value_delimiter = ',')]
    pub clients: Vec<String>,
    /// A preset of tools, such as `analyst`; the same as its name in `--toolsets`
    #[arg(long, value_name = "NAME")]
    pub preset: Option<String>,
    /// Whose files to write
    #[arg(long, value_enum, default_value_t = Scope::User)]
    pub scope: Scope,
    /// What the clients call this server
    #[arg(long, default_value = "databricks")]
    pub name: ServerName,
    /// What the clients start instead of this binary, such as `uvx databricks-mcp-server`
    #[arg(long, value_name = "COMMAND")]
    pub command: Option<String>,
    /// Write without asking
    #[arg(long)]
    pub yes: bool,
}

/// Options of `uninstall`.
#[derive(Debug, Clone, Args)]
#[command(after_help = UNINSTALL)]
pub struct UninstallOptions {
    /// Clients to take the server out of; without it, all that have it
    #[arg(long = "client", value_name = "NAMES", value_delimiter = ',')]
    pub clients: Vec<String>,
    /// Whose files to change
    #[arg(long, value_enum, default_value_t = Scope::User)]
    pub scope: Scope,
    /// What the clients call this server
    #[arg(long, default_value = "databricks")]
    pub name: ServerName,
    /// Every file that `install` has written, wherever it is and whatever it calls the server
    #[arg(long, conflicts_with_all = ["clients", "scope", "name"])]
    pub all: bool,
    /// Write without asking
    #[arg(long)]
    pub yes: bool,
}

/// Options of `setup`.
#[derive(Debug, Clone, Args)]
#[command(after_help = SETUP)]
pub struct SetupOptions {
    /// What is written, and where.
    #[command(flatten)]
    pub what: Writing,
    /// Leave out the doctor
    #[arg(long)]
    pub no_doctor: bool,
}

/// A name that every format and every client takes as it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerName(String);

impl ServerName {
    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl std::fmt::Display for ServerName {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter.write_str(&self.0)
    }
}

impl std::str::FromStr for ServerName {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let fits = text.starts_with(|letter: char| letter.is_ascii_lowercase())
            && text.len() <= 40
            && text
                .chars()
                .all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '-' || letter == '_');
        if fits { Ok(Self(text.to_owned())) } else { Err("expected small letters, digits, `-` and `_`".to_owned()) }
    }
}
