//! Specs and toolsets as short as the oddity that they show.

use std::path::{Path, PathBuf};
use std::sync::LazyLock;

use codegen::{Allowlist, Api};
use serde_json::{Value, json};

/// The specs of the repository, read once.
pub(crate) static REAL: LazyLock<Api> = LazyLock::new(|| Api::load(&repository().join("specs")).unwrap());

pub(crate) fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// An API of the package `jobs`, from `paths` and `schemas` in YAML.
pub(crate) fn api(text: &str) -> Api {
    apis(&[("jobs", text)])
}

/// An API of several packages.
pub(crate) fn apis(packages: &[(&str, &str)]) -> Api {
    try_apis(packages).unwrap_or_else(|error| panic!("{error:#}"))
}

/// As [`apis`], for specs that are refused.
pub(crate) fn try_apis(packages: &[(&str, &str)]) -> anyhow::Result<Api> {
    Api::parse(packages.iter().map(|(package, text)| ((*package).to_owned(), document(text).to_string())))
}

/// What every document has is added: version, title, and a success without content.
fn document(text: &str) -> Value {
    let mut document =
        codegen::yaml::parse("spec", &dedent(text)).unwrap_or_else(|problem| panic!("{problem}")).value();
    for item in document["paths"].as_object_mut().unwrap().values_mut() {
        for operation in item.as_object_mut().unwrap().values_mut() {
            let operation = operation.as_object_mut().unwrap();
            let success = match operation.remove("returns") {
                None => json!({ "description": "Success" }),
                Some(schema) => {
                    json!({ "description": "Success", "content": { "application/json": { "schema": schema } } })
                }
            };
            operation.entry("responses").or_insert(json!({ "2XX": success }));
            if let Some(schema) = operation.remove("takes") {
                let content = json!({ "application/json": { "schema": schema } });
                operation.insert("requestBody".into(), json!({ "required": true, "content": content }));
            }
        }
    }
    json!({
        "openapi": "3.0.3",
        "info": { "title": "Test", "version": "0" },
        "paths": document["paths"],
        "components": { "schemas": document.get("schemas").unwrap_or(&json!({})) },
    })
}

/// The toolset `jobs`, or every mistake in it, one line each.
pub(crate) fn toolset(api: &Api, text: &str) -> Result<Allowlist, String> {
    toolsets(api, &[("jobs", text)])
}

/// As [`toolset`], for several of them. Title and description are added at the end, so that lines count from 1.
pub(crate) fn toolsets(api: &Api, files: &[(&str, &str)]) -> Result<Allowlist, String> {
    let files = files.iter().map(|(stem, text)| {
        (*stem, format!("{}\ntoolset: {stem}\ntitle: Title\ndescription: Description.\n", dedent(text)))
    });
    let files: Vec<_> = files.collect();
    Allowlist::parse(files.iter().map(|(stem, text)| (*stem, text.as_str())), api)
        .map_err(|problems| problems.0.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
}

/// A toolset without mistakes.
pub(crate) fn good_toolset(api: &Api, text: &str) -> Allowlist {
    toolset(api, text).unwrap_or_else(|problems| panic!("{problems}"))
}

/// Text without its first line break and without the indentation that all lines share.
pub(crate) fn dedent(text: &str) -> String {
    let lines: Vec<_> = text.trim_start_matches('\n').trim_end().lines().collect();
    let indentation = |line: &&str| line.len() - line.trim_start().len();
    let shared = lines.iter().filter(|line| !line.is_empty()).map(indentation).min().unwrap_or_default();
    lines.iter().map(|line| line.get(shared..).unwrap_or_default()).collect::<Vec<_>>().join("\n")
}
