//! One file per tool and per prompt, exactly as a client sees it: what changed shows up as a difference to review.

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

/// The tools that an error names where a call gives something that does not exist, for each argument that names something.
#[test]
fn hints_are_as_reviewed() -> Result<(), Box<dyn std::error::Error>> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/hints.tsv");
    let registry = Registry::new(&Selection { toolsets: vec!["all".to_owned()], ..Selection::default() })?;
    let mut lines = String::from("tool\targument that names what does not exist\ttools that the hint names\n");
    for tool in registry.tools().filter(|tool| !tool.definition.uses.is_empty()) {
        for (argument, values) in of_arguments(&tool.input_schema) {
            for value in values {
                let message = format!("'{value}' does not exist.");
                for kind in kinds_of(&tool.input_schema, &argument) {
                    let mut given = Map::from_iter([(argument.clone(), json!(value))]);
                    given.extend(kind.clone());
                    let finders = registry.finders(tool, &given, &message).join(" ");
                    let value = if values.len() > 1 { format!(" {value}") } else { String::new() };
                    let kind = kind.map(|(_, kind)| format!(" ({kind})")).unwrap_or_default();
                    lines += &format!("{}\t{argument}{value}{kind}\t{finders}\n", tool.definition.name);
                }
            }
        }
    }
    if std::env::var_os(ACCEPT).is_some() {
        std::fs::write(&path, &lines)?;
    }
    let reviewed = std::fs::read_to_string(&path).unwrap_or_default();
    let changed: Vec<_> = lines.lines().filter(|line| !reviewed.lines().any(|known| known == *line)).collect();
    assert!(
        lines == reviewed,
        "tests/hints.tsv does not have, or has something else than:\n{}\naccept with `{ACCEPT}=1 cargo test --test snapshots`",
        changed.join("\n")
    );
    Ok(())
}

/// The kinds of which an argument may name an object, as the other argument that says it; one `None` where none does.
fn kinds_of(schema: &Map<String, Value>, argument: &str) -> Vec<Option<(String, Value)>> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let mut kinds = properties.filter(|(name, property)| name.ends_with("_type") && property["enum"].is_array());
    let is_typed = ["full_name", "object_id", "entity_name", "entity_id"].contains(&argument);
    match kinds.next().filter(|_| is_typed) {
        Some((name, property)) => {
            let values = property["enum"].as_array().into_iter().flatten();
            values.map(|kind| Some((name.clone(), kind.clone()))).collect()
        }
        None => vec![None],
    }
}

/// The arguments that name something, with values for them.
fn of_arguments(schema: &Map<String, Value>) -> Vec<(String, &'static [&'static str])> {
    let properties = schema.get("properties").and_then(Value::as_object).into_iter().flatten();
    let named = properties.filter_map(|(name, property)| {
        let last = name.rsplit('_').next()?;
        let names = ["id", "ids", "name", "names", "path", "key", "principal", "owner", "branch", "version", "scope"];
        let is_local = name == "local_path";
        let from_a_list = property["description"].as_str().is_some_and(|text| text.contains("from `"));
        let values: &[&str] = match last {
            "path" => &["/Volumes/main/raw/nope", "/Shared/nope", "dbfs:/tmp/nope"],
            _ => &["nope"],
        };
        let is_named = names.contains(&last) || ["catalog", "schema"].contains(&name.as_str()) || from_a_list;
        (is_named && !is_local && property["type"] != "boolean").then(|| (name.clone(), values))
    });
    named.collect()
}
