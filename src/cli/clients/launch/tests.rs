//! What is ours, and what stays of what others have added.

use serde_json::json;

use super::{is_ours, merged, words};
use crate::cli::clients::places::Machine;
use crate::cli::clients::table::CLIENTS;

#[test]
fn our_entries_are_known_by_what_they_start() {
    for entry in [
        json!({ "command": "/usr/bin/databricks-mcp-server", "args": [] }),
        json!({ "command": "C:\\a b\\databricks-mcp-server.exe" }),
        json!({ "command": "uvx", "args": ["databricks-mcp-server@0.1.0", "--sandbox"] }),
        json!({ "command": ["npx", "-y", "databricks-mcp-server"] }),
        json!({ "cmd": "databricks-mcp-server" }),
    ] {
        assert!(is_ours(&entry), "{entry}");
    }
    for entry in [
        json!({ "command": "uvx", "args": ["databricks-mcp"] }),
        json!({ "url": "https://acme.test/databricks-mcp-server" }),
        json!({ "command": "node", "args": ["/src/databricks-mcp-server/index.js"] }),
        json!("databricks-mcp-server"),
        json!(null),
    ] {
        assert!(!is_ours(&entry), "{entry}");
    }
}

#[test]
fn what_others_have_added_stays() {
    let layout = &CLIENTS[0].layout;
    let there =
        json!({ "command": "old", "args": ["--sandbox"], "env": { "A": "1" }, "autoApprove": ["x"], "enabled": false });
    let ours = json!({ "type": "stdio", "command": "new", "args": [], "env": { "B": "2" }, "enabled": true });
    let expected = json!({
        "type": "stdio", "command": "new", "args": [], "env": { "A": "1", "B": "2" }, "autoApprove": ["x"],
        "enabled": false,
    });
    assert_eq!(merged(&there, &ours, layout), expected);
    assert_eq!(merged(&expected, &ours, layout), expected);
}

#[test]
fn a_command_is_words_unless_it_is_a_file() {
    let directory = tempfile::tempdir().expect("a directory");
    let path = directory.path().join("a b");
    std::fs::write(&path, "").expect("a file");
    let path = path.to_str().expect("text").to_owned();
    let machine = Machine::this().expect("a machine");
    let words = |command: &str| words(command, &machine).expect(command);
    assert_eq!(words(" uvx  databricks-mcp-server "), ["uvx", "databricks-mcp-server"]);
    assert_eq!(words(&path), [path]);
    assert!(words(" ").is_empty());
    let relative = words("./bin/run --x");
    assert!(std::path::Path::new(&relative[0]).is_absolute() && relative[1] == "--x", "{relative:?}");
}
