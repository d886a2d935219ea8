//! The structure of the code: every module says what it is for, none is long, and no two modules of the server need each
//! other.

#![expect(clippy::expect_used, reason = "helpers of tests are not \"in tests\" for clippy")]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};

/// Lines of a file.
const MOST_LINES: usize = 600;
/// Rooms with floors of their own: their modules are looked at one by one.
const ROOMS: [&str; 1] = ["domain"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// The Rust files below a directory, with their text.
fn rust_files(directory: &str) -> Vec<(PathBuf, String)> {
    let mut directories = vec![root().join(directory)];
    let mut files = Vec::new();
    while let Some(directory) = directories.pop() {
        for entry in std::fs::read_dir(&directory).expect("a directory") {
            let path = entry.expect("an entry").path();
            if path.is_dir() {
                directories.push(path);
            } else if path.extension().is_some_and(|extension| extension == "rs") {
                let text = std::fs::read_to_string(&path).expect("text");
                files.push((path.strip_prefix(root()).expect("a path below").to_owned(), text));
            }
        }
    }
    assert!(!files.is_empty(), "{directory}");
    files
}

#[test]
fn every_module_says_what_it_is_for_and_none_is_long() {
    let mut faults = Vec::new();
    for directory in ["src", "tests", "crates", "xtask"] {
        for (path, text) in rust_files(directory) {
            let is_test_part =
                path.file_name().is_some_and(|name| name == "tests.rs") || path.iter().any(|part| part == "tests");
            if !text.starts_with("//!") && !is_test_part {
                faults.push(format!("{} has no module documentation", path.display()));
            }
            let lines = text.lines().count();
            if lines > MOST_LINES {
                faults.push(format!("{} has {lines} lines", path.display()));
            }
        }
    }
    assert!(faults.is_empty(), "{}", faults.join("\n"));
}

/// The module that a path of modules belongs to, as the graph names it.
fn node(path: &[&str]) -> String {
    match path {
        [room, module, ..] if ROOMS.contains(room) => format!("{room}::{module}"),
        [module, ..] => (*module).to_owned(),
        [] => String::new(),
    }
}

/// The paths that follow each `crate::` in the code, braces taken apart at their first level.
fn paths(code: &str) -> Vec<String> {
    let is_path = |character: char| character.is_alphanumeric() || character == '_' || character == ':';
    let mut found = Vec::new();
    for rest in code.split("crate::").skip(1) {
        let path: String = rest.chars().take_while(|character| is_path(*character)).collect();
        match rest[path.len()..].strip_prefix('{').and_then(|inner| inner.split_once('}')) {
            Some((inner, _)) => found.extend(inner.split(',').map(|name| format!("{path}{}", name.trim()))),
            None => found.push(path),
        }
    }
    found
}

/// Which modules of the server use which, tests left out.
fn graph() -> BTreeMap<String, BTreeSet<String>> {
    let mut graph: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (path, text) in rust_files("src") {
        let path = path.strip_prefix("src").expect("below src").with_extension("");
        let modules: Vec<_> = path.iter().filter_map(|part| part.to_str()).collect();
        if matches!(modules.as_slice(), ["lib" | "main"]) || modules.last() == Some(&"tests") {
            continue;
        }
        let code = text.split("\n#[cfg(test)]\nmod tests {").next().unwrap_or_default();
        let code: Vec<_> = code.lines().filter(|line| !line.trim_start().starts_with("//")).collect();
        let used = paths(&code.join("\n"));
        let used = used.iter().map(|path| node(&path.split("::").collect::<Vec<_>>()));
        let this = node(&modules);
        graph.entry(this.clone()).or_default().extend(used.filter(|used| *used != this && !used.is_empty()));
    }
    // What the build writes: the definitions name composites and readers.
    let generated = ["definition", "readers", "tools"].map(str::to_owned);
    graph.entry("generated".to_owned()).or_default().extend(generated);
    graph
}

#[test]
fn no_two_modules_of_the_server_need_each_other() {
    let mut graph = graph();
    assert!(graph["calls"].contains("registry") && graph["tools"].contains("domain::runs"), "{graph:?}");
    // Takes away, again and again, what needs nothing that is left. A circle stays.
    loop {
        let free: Vec<_> = graph.iter().filter(|(_, used)| used.is_empty()).map(|(name, _)| name.clone()).collect();
        if free.is_empty() {
            break;
        }
        graph.retain(|name, _| !free.contains(name));
        let known: BTreeSet<_> = graph.keys().cloned().collect();
        graph.values_mut().for_each(|used| used.retain(|name| known.contains(name)));
    }
    assert!(graph.is_empty(), "these modules are in a circle, or need one: {graph:#?}");
}
