//! Small pieces of Python in the SDK's form, one oddity each, and what they become.

mod behavior;
mod committed;
mod operations;
mod problems;
mod resource_names;
mod schemas;

use std::collections::BTreeMap;

use serde_json::Value;

use super::import::{self, Source};
use super::openapi;

/// The parts of a method that almost all share.
const JSON: &str = "headers = {\"Accept\": \"application/json\"}";
const JSON_BODY: &str = "headers = {\"Accept\": \"application/json\", \"Content-Type\": \"application/json\"}";

/// Imports modules given by name and text.
fn import(modules: &[(&str, &str)]) -> Result<BTreeMap<String, Value>, String> {
    let source = |(package, text): &(&str, &str)| Source {
        package: (*package).to_owned(),
        file: format!("{package}.py"),
        text: (*text).to_owned(),
    };
    let sources: Vec<Source> = modules.iter().map(source).collect();
    import::import(&sources).map(|api| openapi::documents(&api)).map_err(|error| error.to_string())
}

/// A data class with fields given as `name, annotation, encoding, decoding`; required where not `Optional`.
fn dataclass(name: &str, fields: &[[&str; 4]]) -> String {
    let mut text = format!("@dataclass\nclass {name}:\n");
    for [field, annotation, ..] in fields {
        let default = if annotation.starts_with("Optional") { " = None" } else { "" };
        text.push_str(&format!("    {field}: {annotation}{default}\n"));
    }
    text.push_str("    def as_dict(self) -> dict:\n        body = {}\n");
    for [field, _, encoding, decoding] in fields {
        let wire = decoding.split('"').nth(1).unwrap();
        text.push_str(&format!("        if self.{field} is not None:\n            body[\"{wire}\"] = {encoding}\n"));
    }
    text.push_str("        return body\n    @classmethod\n    def from_dict(cls, d):\n        return cls(");
    for [field, _, _, decoding] in fields {
        text.push_str(&format!("{field}={decoding}, "));
    }
    text.push_str(")\n\n");
    text
}

/// `Thing`, with an id.
fn thing() -> String {
    dataclass("Thing", &[["id", "Optional[str]", "self.id", "d.get(\"id\", None)"]])
}

/// `ThingsAPI` with methods given as `signature`, `statements`.
fn service(methods: &[(&str, &[&str])]) -> String {
    let mut text =
        "class ThingsAPI:\n    def __init__(self, api_client):\n        self._api = api_client\n\n".to_owned();
    for (signature, statements) in methods {
        text.push_str(&format!("    def {signature}:\n"));
        for line in statements.iter().flat_map(|statement| statement.lines()) {
            text.push_str(&format!("        {line}\n"));
        }
        text.push('\n');
    }
    text
}

/// The document of the package `demo`, made of data classes and one method of `ThingsAPI`.
fn demo(classes: &str, signature: &str, statements: &[&str]) -> Value {
    let text = format!("{classes}{}", service(&[(signature, statements)]));
    import(&[("demo", &text)]).unwrap().remove("demo").unwrap()
}

/// The only operation of a document, with its path and verb.
fn only_operation(document: &Value) -> (&str, &str, &Value) {
    let (path, item) = document["paths"].as_object().unwrap().iter().next().unwrap();
    let (verb, operation) = item.as_object().unwrap().iter().next().unwrap();
    (path, verb, operation)
}
