//! The command line: commands, and the options that all of them take.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::cli::clients::arguments::{InstallOptions, SetupOptions, UninstallOptions};
use crate::cli::health::HealthOptions;
use crate::config::Options;
use crate::transport::http::HttpOptions;

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
    /// Set everything up: workspace, tools, clients; asks at a terminal, and takes flags elsewhere
    Setup(Box<SetupOptions>),
    /// Add this server to the files of MCP clients, such as Claude Code, Cursor and VS Code
    Install(Box<InstallOptions>),
    /// Take this server out of the files of MCP clients again
    Uninstall(Box<UninstallOptions>),
    /// Serve MCP over HTTP, to many callers at once
    Http(Box<HttpOptions>),
    /// Ask a server that runs over HTTP whether it is alive or ready: the exit code is 0 or 1
    Health(Box<HealthOptions>),
    /// Create keys for `http --auth bearer`
    #[command(subcommand)]
    Keys(KeysCommand),
    /// Show the tools
    #[command(subcommand)]
    Tools(ToolsCommand),
    /// Call a tool once
    Call {
        /// Name of the tool
        name: String,
        /// Its arguments as a JSON object; `-` reads them from stdin, so that no process list shows a secret
        #[arg(default_value = "{}")]
        arguments: String,
        /// Ask nobody to confirm the call
        #[arg(long)]
        yes: bool,
    },
    /// List or read resources
    #[command(subcommand)]
    Resources(ResourcesCommand),
    /// List prompts, or show one as a client gets it
    #[command(subcommand)]
    Prompts(PromptsCommand),
    /// Check the set-up step by step: host, authentication, identity, permissions, warehouse, clock, proxy and TLS
    Doctor {
        /// Also run `SELECT 1`, which starts the warehouse if it is stopped, and costs money
        #[arg(long)]
        sql: bool,
        /// As JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Show what this binary with these options exposes, with a digest that `--approved` checks; or check an audit log
    #[command(args_conflicts_with_subcommands = true)]
    Audit {
        /// As JSON, for `--approved`
        #[arg(long)]
        json: bool,
        /// What else to look at
        #[command(subcommand)]
        command: Option<AuditCommand>,
    },
    /// Log in to a workspace with the browser, list the stored logins, and log out
    #[command(subcommand)]
    Auth(AuthCommand),
    /// Run only the embedded sandbox workspace, as an HTTP server
    Sandbox {
        /// Loopback port; 0 chooses a free one
        #[arg(long, default_value_t = 0)]
        port: u16,
    },
    /// Print the completions for a shell
    #[command(after_help = COMPLETIONS)]
    Completions {
        /// The shell
        shell: clap_complete::Shell,
    },
    /// Write the manual pages
    #[command(hide = true)]
    Man {
        /// Where to
        directory: PathBuf,
    },
}

/// Where shells look for completions.
const COMPLETIONS: &str = "\
Examples:
  databricks-mcp-server completions bash > ~/.local/share/bash-completion/completions/databricks-mcp-server
  databricks-mcp-server completions fish > ~/.config/fish/completions/databricks-mcp-server.fish
  databricks-mcp-server completions zsh > DIRECTORY/_databricks-mcp-server    # a directory of $fpath
  databricks-mcp-server completions powershell >> $PROFILE
";

/// What to do about keys.
#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Create a key: it is printed once, with the entry for the file of `--keys`
    New {
        /// Who gets the key
        name: String,
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

/// What to show of the prompts.
#[derive(Debug, Subcommand)]
pub enum PromptsCommand {
    /// List the prompts and their arguments
    List {
        /// As JSON, exactly as clients receive them
        #[arg(long)]
        json: bool,
    },
    /// Show one prompt: what it takes, or its messages with these arguments
    Show {
        /// Name of the prompt
        name: String,
        /// Its arguments as a JSON object
        arguments: Option<String>,
    },
}

/// What to do with audit logs.
#[derive(Debug, Subcommand)]
pub enum AuditCommand {
    /// Check that no line of an audit log was changed, inserted or removed
    Verify {
        /// The file of `--audit-log`
        file: PathBuf,
    },
}

/// What to do about logins.
#[derive(Debug, Subcommand)]
pub enum AuthCommand {
    /// Log in to the workspace of `--host` or `--profile`, or to one chosen in the browser
    Login {
        /// Only print the page to open
        #[arg(long)]
        no_browser: bool,
        /// Where to store the tokens; `auto` is the system keyring, or a file if there is none
        #[arg(long, env = "DATABRICKS_MCP_AUTH_STORAGE", value_enum, default_value_t = StorageChoice::Auto)]
        storage: StorageChoice,
        /// How long to wait for the browser
        #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u32).range(1..=3_600))]
        timeout: u32,
    },
    /// List the stored logins, and whether this configuration authenticates
    Status {
        /// As JSON, for scripts
        #[arg(long)]
        json: bool,
    },
    /// Forget the login for the workspace of `--host` or `--profile`
    Logout {
        /// Forget every login
        #[arg(long)]
        all: bool,
    },
}

/// Where the tokens of a login are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum StorageChoice {
    /// The system keyring, or a file
    Auto,
    /// The system keyring
    Keyring,
    /// A file in the home directory that only its owner can read
    File,
}

#[cfg(test)]
mod tests {
    use super::Cli;

    #[test]
    fn the_readme_names_every_flag_and_variable() {
        let readme = include_str!("../../README.md");
        let command = <Cli as clap::CommandFactory>::command();
        for argument in command.get_arguments() {
            let flag = argument.get_long().map(|flag| format!("`--{flag}"));
            let variable = argument.get_env().map(|name| format!("`{}`", name.display()));
            for name in flag.into_iter().chain(variable) {
                assert!(readme.contains(&format!("| {name}")), "{name} is in no table of README.md");
            }
        }
    }
}
