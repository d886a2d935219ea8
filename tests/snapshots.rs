//! One file per tool, exactly as a client sees it: a changed tool shows up as a difference to review.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use databricks_mcp_server::registry::Registry;
use databricks_mcp_server::server::describe;

const ACCEPT: &str = "UPDATE_SNAPSHOTS";

fn directory() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/tools")
}

#[test]
fn tools_are_as_reviewed() -> Result<(), Box<dyn std::error::Error>> {
    let accept = std::env::var_os(ACCEPT).is_some();
    let mut changed = Vec::new();
    let mut names = BTreeSet::new();
    for tool in Registry::all() {
        let name = tool.definition.name;
        names.insert(format!("{name}.json"));
        let path = directory().join(format!("{name}.json"));
        let current = format!("{}\n", serde_json::to_string_pretty(&describe(&tool))?);
        if std::fs::read_to_string(&path).ok().as_deref() == Some(current.as_str()) {
            continue;
        }
        if accept {
            std::fs::create_dir_all(directory())?;
            std::fs::write(&path, current)?;
        } else {
            changed.push(format!("{name} is not as in tests/tools/{name}.json; it is:\n{current}"));
        }
    }
    for entry in std::fs::read_dir(directory())? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if !names.contains(&file) {
            if accept {
                std::fs::remove_file(directory().join(&file))?;
            } else {
                changed.push(format!("tests/tools/{file} has no tool"));
            }
        }
    }
    assert!(
        changed.is_empty(),
        "{}\naccept with `{ACCEPT}=1 cargo test --test snapshots`, then review the difference",
        changed.join("\n")
    );
    Ok(())
}
