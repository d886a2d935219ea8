//! Where files are on each system.

use std::path::PathBuf;

use databricks::Environment;

use super::{Machine, Os, Scope, named};
use crate::cli::clients::table::CLIENTS;

fn machine(os: Os, variables: &'static [(&str, &str)]) -> Machine {
    let lookup = move |name: &str| variables.iter().find(|(key, _)| *key == name).map(|(_, value)| (*value).to_owned());
    Machine {
        os,
        home: "/home/ann".into(),
        environment: Environment::default().with_variables(lookup),
        project: "/work/project".into(),
    }
}

fn file(machine: &Machine, name: &str, scope: Scope) -> String {
    let client = CLIENTS.iter().find(|client| client.name == name).expect(name);
    machine.file(client, scope, "databricks").map_or_else(|error| error.to_string(), |path| path.display().to_string())
}

#[test]
#[cfg(unix)] // Its paths have slashes.
fn files_are_where_each_system_has_them() {
    for (os, name, path) in [
        (Os::Linux, "claude-code", "/home/ann/.claude.json"),
        (Os::Linux, "claude-desktop", "/home/ann/.config/Claude/claude_desktop_config.json"),
        (Os::Mac, "claude-desktop", "/home/ann/Library/Application Support/Claude/claude_desktop_config.json"),
        (Os::Linux, "vscode", "/home/ann/.config/Code/User/mcp.json"),
        (Os::Mac, "vscode", "/home/ann/Library/Application Support/Code/User/mcp.json"),
        (Os::Windows, "vscode", "/home/ann/AppData/Roaming/Code/User/mcp.json"),
        (Os::Mac, "zed", "/home/ann/.config/zed/settings.json"),
        (Os::Windows, "zed", "/home/ann/AppData/Roaming/Zed/settings.json"),
        (Os::Mac, "goose", "/home/ann/.config/goose/config.yaml"),
        (Os::Windows, "goose", "/home/ann/AppData/Roaming/Block/goose/config/config.yaml"),
        (Os::Windows, "opencode", "/home/ann/.config/opencode/opencode.json"),
        (Os::Linux, "continue", "/home/ann/.continue/mcpServers/databricks.json"),
    ] {
        assert_eq!(file(&machine(os, &[]), name, Scope::User), path);
    }
    let moved = machine(
        Os::Linux,
        &[
            ("XDG_CONFIG_HOME", "/cfg"),
            ("CODEX_HOME", "/codex"),
            ("GOOSE_PATH_ROOT", "/g"),
            ("CLINE_MCP_SETTINGS_PATH", "rel"),
        ],
    );
    for (name, path) in [
        ("codex", "/codex/config.toml"),
        ("goose", "/g/config/config.yaml"),
        ("zed", "/cfg/zed/settings.json"),
        ("cline", "/home/ann/.cline/data/settings/cline_mcp_settings.json"),
    ] {
        assert_eq!(file(&moved, name, Scope::User), path);
    }
    assert_eq!(file(&moved, "cursor", Scope::Project), "/work/project/.cursor/mcp.json");
    assert!(file(&moved, "windsurf", Scope::Project).contains("Windsurf has no file for a project"));
    assert_eq!(
        machine(Os::Mac, &[]).state(),
        PathBuf::from("/home/ann/Library/Application Support/databricks-mcp-server")
    );
}

#[test]
fn the_file_that_there_is_comes_first() {
    let home = tempfile::tempdir().expect("a home");
    let machine = Machine { home: home.path().to_owned(), ..machine(Os::Linux, &[]) };
    let cline = "Code/User/globalStorage/saoudrizwan.claude-dev/settings";
    std::fs::create_dir_all(home.path().join(".config").join(cline)).expect("a directory");
    std::fs::create_dir_all(home.path().join(".config/opencode")).expect("a directory");
    std::fs::write(home.path().join(".config/opencode/opencode.jsonc"), "{}").expect("a file");
    assert!(file(&machine, "cline", Scope::User).contains("saoudrizwan"));
    assert!(file(&machine, "opencode", Scope::User).ends_with("opencode.jsonc"));
    let found: Vec<_> = CLIENTS.iter().filter(|client| machine.has(client)).map(|client| client.name).collect();
    assert_eq!(found, ["vscode", "cline", "opencode"]);
}

#[test]
fn a_name_that_is_no_client_is_told() {
    let names = |text: &str| named(&[text.to_owned()]).map(|clients| clients.len());
    assert_eq!((names("Cursor ").ok(), names("").ok()), (Some(1), Some(0)));
    let error = names("claudecode").expect_err("unknown").to_string();
    assert!(error.contains("did you mean `claude-code`?") && error.contains("windsurf"), "{error}");
}

#[test]
fn the_document_names_every_client_and_its_files() {
    let document = include_str!("../../../../docs/clients.md");
    for client in &CLIENTS {
        assert!(document.contains(&format!("`{}`", client.name)), "{}", client.name);
        let project = client.project.into_iter();
        for path in client.user.iter().map(|place| place.path).chain(project) {
            assert!(document.contains(path), "{}: {path} is not in docs/clients.md", client.name);
        }
        for variable in client.user.iter().filter_map(|place| place.variable) {
            assert!(document.contains(variable), "{}: {variable} is not in docs/clients.md", client.name);
        }
    }
}
