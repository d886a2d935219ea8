//! Refuses tool definitions that would break a client, over the list exactly as clients receive it.
//!
//! One bad schema can cost a client the whole server. Each violation names the tool, the rule and the place.
//!
//! | rule | what holds | who breaks otherwise |
//! |---|---|---|
//! | L1 | the root is an object with `properties`; `required` names properties | Claude Code, OpenAI |
//! | L2 | no combinator and no enum at the root | the Anthropic API refuses the whole request |
//! | L3 | property keys are 1 to 64 of `A-Za-z0-9_.-` | Anthropic, Bedrock |
//! | L4 | tool names are 3 to 40 of `a-z0-9_`, and not alike | Cursor counts server and tool |
//! | L5 | no `$ref`, no `$defs` | Gemini |
//! | L6 | `type` is one text; an identifier is `anyOf` text and integer | many |
//! | L7 | no boolean schemas | the Inspector, ADK |
//! | L8 | arrays have `items` | OpenAI, VS Code |
//! | L9 | no `const`, `oneOf` and their kin | Gemini, Cursor |
//! | L10 | no `format` but `date` and `date-time` | gemini-cli, OpenAI |
//! | L11 | enums are different texts, not too many | |
//! | L12 | `additionalProperties` only as the schema of a map's values | Gemini |
//! | L13 | no `$schema` | |
//! | L14 | descriptions of 1 to 1,024 characters; each parameter has one | OpenAI |
//! | L15 | an input schema is shorter than 16,384 characters | Claude drops it |
//! | L16 | an object inside has a property at least | Gemini refuses the whole list |
//! | L17 | an output schema is an open object | the TypeScript SDK refuses the whole list |
//! | L18 | a title, and all four annotations | clients ask before reads |

use std::collections::BTreeMap;
use std::fmt;

use serde_json::{Map, Value};

/// A rule broken by a tool.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Violation {
    /// The tool's name.
    pub tool: String,
    /// The rule (`L1` … `L18`).
    pub rule: &'static str,
    /// JSON pointer into the tool's definition.
    pub path: String,
    /// What is wrong.
    pub message: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "tool `{}` breaks {} at `{}`: {}", self.tool, self.rule, self.path, self.message)
    }
}

/// Keys that some client or API rejects, with their rule.
const FORBIDDEN: [(&str, &str); 15] = [
    ("$ref", "L5"),
    ("$defs", "L5"),
    ("definitions", "L5"),
    ("const", "L9"),
    ("patternProperties", "L9"),
    ("propertyNames", "L9"),
    ("prefixItems", "L9"),
    ("oneOf", "L9"),
    ("anyOf", "L9"),
    ("allOf", "L9"),
    ("not", "L9"),
    ("if", "L9"),
    ("then", "L9"),
    ("else", "L9"),
    ("$schema", "L13"),
];

const TYPES: [&str; 6] = ["object", "array", "string", "integer", "number", "boolean"];
const MOST_SCHEMA_CHARACTERS: usize = 16_384;
const MOST_DESCRIPTION_CHARACTERS: usize = 1_024;
const MOST_ENUM_VALUES: usize = 50;

/// Checks tools as serialized for `tools/list`.
pub fn lint(tools: &[Value]) -> Vec<Violation> {
    let mut violations = Vec::new();
    let mut names: BTreeMap<String, String> = BTreeMap::new();
    for tool in tools {
        let name = tool.get("name").and_then(Value::as_str).unwrap_or_default();
        let mut lint = Lint { tool: name, violations: &mut violations };
        lint.name();
        let alike = name.to_ascii_lowercase().replace('_', "").trim_end_matches('s').to_owned();
        if let Some(twin) = names.insert(alike, name.to_owned()) {
            lint.report("L4", "/name", format!("it is alike `{twin}` but for case, `_` or a final `s`"));
        }
        lint.definition(tool);
    }
    violations
}

/// Whether every client takes an input schema of that size.
pub(crate) fn fits(schema: &Value) -> bool {
    schema.to_string().chars().count() < MOST_SCHEMA_CHARACTERS
}

/// Whether every client takes a property of that name.
pub(crate) fn is_key(name: &str) -> bool {
    let legal = |letter: char| letter.is_ascii_alphanumeric() || "_.-".contains(letter);
    (1..=64).contains(&name.len()) && name.chars().all(legal)
}

/// Whether a schema takes an identifier as text and as a number.
fn is_identifier(schema: &Map<String, Value>) -> bool {
    let types = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    let names: Vec<_> = types.map(|form| form.get("type").and_then(Value::as_str)).collect();
    names == [Some("string"), Some("integer")]
}

struct Lint<'a> {
    tool: &'a str,
    violations: &'a mut Vec<Violation>,
}

impl Lint<'_> {
    fn report(&mut self, rule: &'static str, path: &str, message: impl Into<String>) {
        let violation = Violation { tool: self.tool.to_owned(), rule, path: path.to_owned(), message: message.into() };
        self.violations.push(violation);
    }

    fn name(&mut self) {
        let name = self.tool;
        let legal = name.starts_with(|first: char| first.is_ascii_lowercase())
            && name.chars().all(|letter| letter.is_ascii_lowercase() || letter.is_ascii_digit() || letter == '_')
            && (3..=40).contains(&name.len());
        if !legal {
            self.report("L4", "/name", "a name is 3 to 40 of `a-z0-9_` and starts with a letter");
        }
    }

    fn definition(&mut self, tool: &Value) {
        self.description(tool, "");
        if tool.get("title").and_then(Value::as_str).is_none_or(str::is_empty) {
            self.report("L18", "/title", "there is no title");
        }
        let annotation = |hint: &str| tool.pointer(&format!("/annotations/{hint}")).and_then(Value::as_bool);
        for hint in ["readOnlyHint", "destructiveHint", "idempotentHint", "openWorldHint"] {
            if annotation(hint).is_none() {
                self.report("L18", &format!("/annotations/{hint}"), "it is not written out");
            }
        }
        if annotation("readOnlyHint") == Some(true) && annotation("destructiveHint") == Some(true) {
            self.report("L18", "/annotations", "a tool cannot be read-only and destructive");
        }
        let Some(schema) = tool.get("inputSchema") else {
            return self.report("L1", "/inputSchema", "there is none");
        };
        let path = "/inputSchema";
        if schema.get("type").and_then(Value::as_str) != Some("object")
            || !schema.get("properties").is_some_and(Value::is_object)
        {
            self.report("L1", path, "the root is `{\"type\":\"object\",\"properties\":{…}}`");
        }
        for key in ["oneOf", "anyOf", "allOf", "if", "not", "enum"] {
            if schema.get(key).is_some() {
                self.report("L2", &format!("{path}/{key}"), "the root has no such keyword");
            }
        }
        if !fits(schema) {
            let size = schema.to_string().chars().count();
            self.report(
                "L15",
                path,
                format!("{size} characters; fewer than {MOST_SCHEMA_CHARACTERS} pass every client"),
            );
        }
        for (name, parameter) in schema.get("properties").and_then(Value::as_object).into_iter().flatten() {
            if parameter.get("description").is_none() {
                self.report("L14", &format!("{path}/properties/{name}"), "a parameter has a description");
            }
        }
        self.schema(schema, path);
        if let Some(output) = tool.get("outputSchema") {
            self.output(output);
        }
    }

    fn schema(&mut self, schema: &Value, path: &str) {
        let Some(object) = schema.as_object() else {
            return self.report("L7", path, "a schema is an object, never `true` or `false`");
        };
        let is_identifier = is_identifier(object);
        for (key, rule) in FORBIDDEN {
            if object.contains_key(key) && !(is_identifier && key == "anyOf") {
                self.report(rule, &format!("{path}/{key}"), "no such keyword");
            }
        }
        match object.get("type") {
            Some(Value::String(name)) if TYPES.contains(&name.as_str()) => {}
            None if is_identifier => {}
            _ => self.report("L6", &format!("{path}/type"), "`type` is one of the JSON types, as one text"),
        }
        if let Some(format) = object.get("format")
            && !matches!(format.as_str(), Some("date" | "date-time"))
        {
            self.report("L10", &format!("{path}/format"), format!("{format} is not `date` or `date-time`"));
        }
        if object.contains_key("description") {
            self.description(schema, path);
        }
        let is_empty = object.get("properties").and_then(Value::as_object).is_none_or(Map::is_empty);
        if object.get("type").is_some_and(|name| name == "object") && is_empty && path.contains("/properties/") {
            self.report("L16", path, "an object has a property; an example in its description gives it some");
        }
        self.enumeration(object, path);
        self.children(object, path);
    }

    fn enumeration(&mut self, object: &Map<String, Value>, path: &str) {
        let Some(values) = object.get("enum") else { return };
        let path = format!("{path}/enum");
        let values = values.as_array().map(Vec::as_slice).unwrap_or_default();
        let mut texts: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        texts.sort_unstable();
        texts.dedup();
        if texts.len() != values.len() || values.is_empty() || values.len() > MOST_ENUM_VALUES {
            self.report("L11", &path, format!("an enum is 1 to {MOST_ENUM_VALUES} different texts"));
        }
    }

    fn children(&mut self, object: &Map<String, Value>, path: &str) {
        match object.get("items") {
            Some(items) => self.schema(items, &format!("{path}/items")),
            None if object.get("type").is_some_and(|name| name == "array") => {
                self.report("L8", path, "an array has `items`");
            }
            None => {}
        }
        match object.get("additionalProperties") {
            Some(values @ Value::Object(_)) if object.get("type").is_some_and(|name| name == "object") => {
                self.schema(values, &format!("{path}/additionalProperties"));
            }
            Some(_) => {
                let path = format!("{path}/additionalProperties");
                self.report("L12", &path, "it stands only on a map, as the schema of its values");
            }
            None => {}
        }
        let properties = object.get("properties").and_then(Value::as_object);
        for (key, property) in properties.into_iter().flatten() {
            let path = format!("{path}/properties/{key}");
            if !is_key(key) {
                self.report("L3", &path, "a key is 1 to 64 of `A-Za-z0-9_.-`");
            }
            self.schema(property, &path);
        }
        for name in object.get("required").and_then(Value::as_array).into_iter().flatten() {
            let known = name.as_str().is_some_and(|name| properties.is_some_and(|known| known.contains_key(name)));
            if !known {
                self.report("L1", &format!("{path}/required"), format!("{name} is not a property"));
            }
        }
    }

    fn description(&mut self, value: &Value, path: &str) {
        let length = value.get("description").and_then(Value::as_str).map_or(0, |text| text.trim().chars().count());
        if !(1..=MOST_DESCRIPTION_CHARACTERS).contains(&length) {
            let path = format!("{path}/description");
            self.report("L14", &path, format!("{length} characters; 1 to {MOST_DESCRIPTION_CHARACTERS} pass"));
        }
    }

    fn output(&mut self, schema: &Value) {
        if schema.get("type").and_then(Value::as_str) != Some("object") {
            self.report("L17", "/outputSchema", "the root is an object");
        }
        let text = schema.to_string();
        if text.contains("\"additionalProperties\":false") || text.contains("\"enum\"") {
            self.report("L17", "/outputSchema", "an output is open: no closed enum, no closed object");
        }
    }
}
