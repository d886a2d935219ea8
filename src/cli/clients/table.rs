//! The clients: where each keeps its servers, and how it writes one. `docs/clients.md` names the source for each.

use super::format::Format;
use super::places::{Base, Os, Place, at, env, on};

/// A program that starts MCP servers from a file.
#[derive(Debug)]
pub(in crate::cli) struct Client {
    /// For `--client`.
    pub(in crate::cli) name: &'static str,
    pub(in crate::cli) title: &'static str,
    pub(super) format: Format,
    pub(super) layout: Layout,
    /// The layout of files that have its map already.
    pub(super) newer: Option<Layout>,
    /// The user's file: the first place that there is, or else the first.
    pub(super) user: &'static [Place],
    /// The file in a project.
    pub(super) project: Option<&'static str>,
    /// What shows that the client is on this machine.
    pub(super) traces: &'static [Place],
    pub(super) programs: &'static [&'static str],
    /// What makes the client read its file again.
    pub(super) then: &'static str,
}

impl Client {
    /// Whether a project can have a file for it.
    pub(in crate::cli) fn has_project(&self) -> bool {
        self.project.is_some()
    }
}

/// Where in a file the servers are, and how one is written.
#[derive(Debug, Clone, Copy)]
pub(super) struct Layout {
    /// The keys of the map of servers.
    pub(super) servers: &'static [&'static str],
    /// What comes before the command.
    pub(super) before: &'static [(&'static str, Fixed)],
    pub(super) command: Command,
    /// The key of variables, which is written only if there are any.
    pub(super) environment: &'static str,
    pub(super) after: &'static [(&'static str, Fixed)],
}

/// How the command and its arguments are written.
#[derive(Debug, Clone, Copy)]
pub(super) enum Command {
    /// The program under this key, its arguments as a list under `args`.
    Apart(&'static str),
    /// All words as one list.
    Together,
}

/// A value that is the same for every server.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fixed {
    Text(&'static str),
    True,
    Number(u32),
    /// The name of the server.
    Name,
}

const PLAIN: Layout = Layout {
    servers: &["mcpServers"],
    before: &[],
    command: Command::Apart("command"),
    environment: "env",
    after: &[],
};
const TYPED: Layout = Layout { before: &[("type", Fixed::Text("stdio"))], ..PLAIN };

/// Every client, in the order in which they are listed.
pub(in crate::cli) static CLIENTS: [Client; 16] = [
    Client {
        name: "claude-code",
        title: "Claude Code",
        format: Format::Json,
        layout: TYPED,
        newer: None,
        user: &[env("CLAUDE_CONFIG_DIR", ".claude.json"), at(Base::Home, ".claude.json")],
        project: Some(".mcp.json"),
        traces: &[at(Base::Home, ".claude.json"), at(Base::Home, ".claude")],
        programs: &["claude"],
        then: "start a new session; `/mcp` shows the server",
    },
    Client {
        name: "claude-desktop",
        title: "Claude Desktop",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[
            on(
                Os::Windows,
                Base::LocalData,
                "Packages/Claude_pzs8sxrjxfjjc/LocalCache/Roaming/Claude/claude_desktop_config.json",
            ),
            at(Base::Data, "Claude/claude_desktop_config.json"),
        ],
        project: None,
        traces: &[
            at(Base::Data, "Claude"),
            on(Os::Windows, Base::LocalData, "Packages/Claude_pzs8sxrjxfjjc"),
            on(Os::Mac, Base::Root, "Applications/Claude.app"),
        ],
        programs: &["claude-desktop"],
        then: "quit it and start it again",
    },
    Client {
        name: "cursor",
        title: "Cursor",
        format: Format::Json,
        layout: TYPED,
        newer: None,
        user: &[at(Base::Home, ".cursor/mcp.json")],
        project: Some(".cursor/mcp.json"),
        traces: &[at(Base::Home, ".cursor"), at(Base::Data, "Cursor")],
        programs: &["cursor"],
        then: "enable the server in Settings, under MCP",
    },
    Client {
        name: "vscode",
        title: "VS Code",
        format: Format::Json,
        layout: Layout { servers: &["servers"], ..TYPED },
        newer: None,
        user: &[at(Base::Data, "Code/User/mcp.json")],
        project: Some(".vscode/mcp.json"),
        traces: &[at(Base::Data, "Code/User")],
        programs: &["code"],
        then: "run `MCP: List Servers` and start the server",
    },
    Client {
        name: "vscode-insiders",
        title: "VS Code Insiders",
        format: Format::Json,
        layout: Layout { servers: &["servers"], ..TYPED },
        newer: None,
        user: &[at(Base::Data, "Code - Insiders/User/mcp.json")],
        project: None,
        traces: &[at(Base::Data, "Code - Insiders/User")],
        programs: &["code-insiders"],
        then: "run `MCP: List Servers` and start the server",
    },
    Client {
        name: "windsurf",
        title: "Windsurf",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[at(Base::Home, ".codeium/windsurf/mcp_config.json")],
        project: None,
        traces: &[at(Base::Home, ".codeium/windsurf"), at(Base::Data, "Windsurf")],
        programs: &["windsurf"],
        then: "refresh the MCP servers of Cascade",
    },
    Client {
        name: "codex",
        title: "Codex CLI",
        format: Format::Toml,
        layout: Layout { servers: &["mcp_servers"], ..PLAIN },
        newer: None,
        user: &[env("CODEX_HOME", "config.toml"), at(Base::Home, ".codex/config.toml")],
        project: Some(".codex/config.toml"),
        traces: &[at(Base::Home, ".codex")],
        programs: &["codex"],
        then: "start a new session; `/mcp` shows the server",
    },
    Client {
        name: "gemini",
        title: "Gemini CLI",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[at(Base::Home, ".gemini/settings.json")],
        project: Some(".gemini/settings.json"),
        traces: &[at(Base::Home, ".gemini/settings.json")],
        programs: &["gemini"],
        then: "start a new session; `/mcp` shows the server",
    },
    Client {
        name: "zed",
        title: "Zed",
        format: Format::Json,
        layout: Layout { servers: &["context_servers"], ..PLAIN },
        newer: None,
        user: &[on(Os::Windows, Base::Data, "Zed/settings.json"), at(Base::Config, "zed/settings.json")],
        project: Some(".zed/settings.json"),
        traces: &[on(Os::Windows, Base::Data, "Zed"), at(Base::Config, "zed")],
        programs: &["zed", "zeditor"],
        then: "the Agent Panel's settings show the server",
    },
    Client {
        name: "cline",
        title: "Cline",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[
            env("CLINE_MCP_SETTINGS_PATH", ""),
            env("CLINE_DATA_DIR", "settings/cline_mcp_settings.json"),
            env("CLINE_DIR", "data/settings/cline_mcp_settings.json"),
            at(Base::Home, ".cline/data/settings/cline_mcp_settings.json"),
            at(Base::Data, "Code/User/globalStorage/saoudrizwan.claude-dev/settings/cline_mcp_settings.json"),
        ],
        project: None,
        traces: &[at(Base::Home, ".cline"), at(Base::Data, "Code/User/globalStorage/saoudrizwan.claude-dev")],
        programs: &["cline"],
        then: "its MCP Servers panel shows the server",
    },
    Client {
        name: "roo",
        title: "Roo Code",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[at(Base::Data, "Code/User/globalStorage/rooveterinaryinc.roo-cline/settings/mcp_settings.json")],
        project: Some(".roo/mcp.json"),
        traces: &[at(Base::Data, "Code/User/globalStorage/rooveterinaryinc.roo-cline")],
        programs: &[],
        then: "its MCP Servers view shows the server",
    },
    Client {
        name: "goose",
        title: "Goose",
        format: Format::Yaml,
        layout: Layout {
            servers: &["extensions"],
            before: &[
                ("enabled", Fixed::True),
                ("type", Fixed::Text("stdio")),
                ("name", Fixed::Name),
                ("description", Fixed::Text("Tools for a Databricks workspace")),
            ],
            command: Command::Apart("cmd"),
            environment: "envs",
            after: &[("timeout", Fixed::Number(300))],
        },
        newer: None,
        user: &[
            env("GOOSE_PATH_ROOT", "config/config.yaml"),
            on(Os::Windows, Base::Data, "Block/goose/config/config.yaml"),
            at(Base::Config, "goose/config.yaml"),
        ],
        project: None,
        traces: &[on(Os::Windows, Base::Data, "Block/goose"), at(Base::Config, "goose")],
        programs: &["goose"],
        then: "start a new session",
    },
    Client {
        name: "junie",
        title: "JetBrains Junie",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[at(Base::Home, ".junie/mcp/mcp.json")],
        project: Some(".junie/mcp/mcp.json"),
        traces: &[at(Base::Home, ".junie")],
        programs: &["junie"],
        then: "its MCP settings show the server",
    },
    Client {
        name: "continue",
        title: "Continue",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[
            env("CONTINUE_GLOBAL_DIR", "mcpServers/{name}.json"),
            at(Base::Home, ".continue/mcpServers/{name}.json"),
        ],
        project: Some(".continue/mcpServers/{name}.json"),
        traces: &[at(Base::Home, ".continue")],
        programs: &[],
        then: "agent mode shows the server among its tools",
    },
    Client {
        name: "opencode",
        title: "OpenCode",
        format: Format::Json,
        layout: Layout {
            servers: &["mcp"],
            before: &[("type", Fixed::Text("local"))],
            command: Command::Together,
            environment: "environment",
            after: &[("enabled", Fixed::True)],
        },
        newer: Some(Layout {
            servers: &["mcp", "servers"],
            before: &[("type", Fixed::Text("local"))],
            command: Command::Together,
            environment: "environment",
            after: &[],
        }),
        user: &[at(Base::DotConfig, "opencode/opencode.json"), at(Base::DotConfig, "opencode/opencode.jsonc")],
        project: Some("opencode.json"),
        traces: &[at(Base::DotConfig, "opencode")],
        programs: &["opencode"],
        then: "start it again; `/mcps` shows the server",
    },
    Client {
        name: "kiro",
        title: "Kiro",
        format: Format::Json,
        layout: PLAIN,
        newer: None,
        user: &[at(Base::Home, ".kiro/settings/mcp.json")],
        project: Some(".kiro/settings/mcp.json"),
        traces: &[at(Base::Home, ".kiro")],
        programs: &["kiro", "kiro-cli"],
        then: "its MCP panel shows the server",
    },
];
