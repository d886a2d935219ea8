//! One file per tool and per prompt, exactly as a client sees it: what changed shows up as a difference to review.

#![expect(clippy::expect_used, reason = "helpers of tests are not \"in tests\" for clippy")]

use std::collections::BTreeMap;
use std::path::Path;

use databricks_mcp_server::definition::{Contents, PromptDefinition};
use databricks_mcp_server::prompts::pieces;
use databricks_mcp_server::registry::{Registry, Selection};
use databricks_mcp_server::server::{describe, prompts};
use serde_json::{Map, Value, json};

const ACCEPT: &str = "UPDATE_SNAPSHOTS";

type Outcome = Result<(), Box<dyn std::error::Error>>;

/// Compares the files of a directory below `tests/` with what they should be, by stem.
fn compare(directory: &str, what: &str, current: BTreeMap<&str, Value>) -> Outcome {
    let accept = std::env::var_os(ACCEPT).is_some();
    let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests").join(directory);
    std::fs::create_dir_all(&place)?;
    let mut changed = Vec::new();
    for (name, value) in &current {
        let path = place.join(format!("{name}.json"));
        let text = format!("{}\n", serde_json::to_string_pretty(value)?);
        if std::fs::read_to_string(&path).ok().as_deref() == Some(text.as_str()) {
            continue;
        }
        if accept {
            std::fs::write(&path, text)?;
        } else {
            changed.push(format!("{name} is not as in tests/{directory}/{name}.json; it is:\n{text}"));
        }
    }
    for entry in std::fs::read_dir(&place)? {
        let file = entry?.file_name().to_string_lossy().into_owned();
        if !file.strip_suffix(".json").is_some_and(|name| current.contains_key(name)) {
            if accept {
                std::fs::remove_file(place.join(&file))?;
            } else {
                changed.push(format!("tests/{directory}/{file} has no {what}"));
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

#[test]
fn tools_are_as_reviewed() -> Outcome {
    let tools = Registry::all();
    let shown = tools.iter().map(|tool| Ok((tool.definition.name, serde_json::to_value(describe(tool))?)));
    compare("tools", "tool", shown.collect::<Result<_, serde_json::Error>>()?)
}

/// The list entry of a prompt, and its messages for the values of its examples.
fn shown(registry: &Registry, prompt: &'static PromptDefinition) -> Result<Value, Box<dyn std::error::Error>> {
    let arguments = prompt.arguments.iter().map(|argument| (argument.name.to_owned(), argument.example.into()));
    let arguments: Map<_, _> = arguments.collect();
    let read = || Contents {
        mime_type: "text/plain".to_owned(),
        text: "What the workspace says when the prompt is asked for.".to_owned(),
        rest: None,
    };
    let pieces = pieces(registry, prompt, arguments.clone())?;
    let messages = pieces.into_iter().flat_map(|piece| piece.messages(Some(Ok(read()))));
    Ok(json!({
        "prompt": prompts::describe(registry, prompt),
        "arguments": arguments,
        "messages": prompts::messages(messages.collect()),
    }))
}

#[test]
fn prompts_are_as_reviewed() -> Outcome {
    let everything = Selection { toolsets: vec!["all".to_owned()], ..Selection::default() };
    let registry = Registry::new(&everything).expect("a registry");
    let prompts = Registry::all_prompts().iter().map(|prompt| Ok((prompt.name, shown(&registry, prompt)?)));
    compare("prompts", "prompt", prompts.collect::<Result<_, Box<dyn std::error::Error>>>()?)
}
