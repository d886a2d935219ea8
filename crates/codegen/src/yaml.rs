//! YAML with positions: each node and each key knows its line and column, so that every mistake in the allowlist is
//! reported with its position and the nearest match to what was written.

use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_saphyr::{MessageFormatter, Spanned, UserMessageFormatter};

use crate::nearest::did_you_mean;

/// A mistake in a YAML file, displayed as `file:line:column: message`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// File name as given to [`parse`].
    pub file: String,
    /// Line, from 1; 0 where the position is not known.
    pub line: u64,
    /// Column, from 1.
    pub column: u64,
    /// What is wrong and what would be right.
    pub message: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}:{}:{}: {}", self.file, self.line, self.column, self.message)
    }
}

/// Where a node stands.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Position {
    file: String,
    line: u64,
    column: u64,
}

impl Position {
    /// The beginning of a file.
    pub(crate) fn start_of(file: impl Into<String>) -> Self {
        Self { file: file.into(), line: 1, column: 1 }
    }

    /// A mistake at this position.
    pub fn problem(&self, message: impl Into<String>) -> Problem {
        Problem { file: self.file.clone(), line: self.line, column: self.column, message: message.into() }
    }
}

/// A value with its position.
#[derive(Debug, Clone)]
pub struct Node {
    /// Where the value starts.
    pub position: Position,
    content: Content,
}

#[derive(Debug, Clone)]
enum Content {
    Scalar(Value),
    Sequence(Vec<Node>),
    Mapping(Vec<(Key, Node)>),
}

/// A key of a mapping with its position.
#[derive(Debug, Clone)]
pub struct Key {
    /// The key's text.
    pub text: String,
    /// Where the key stands.
    pub position: Position,
}

/// What a text begins with that a person has yet to write: `cargo xtask update` proposes such texts, and no entry may
/// keep them.
pub const STUB: &str = "TODO";

/// How deep a document may nest. The allowlist needs half of it, and the usual 2,000 overflow the stack.
const DEEPEST: usize = 32;

/// Parses one YAML document; a duplicate key is an error.
pub fn parse(file: &str, text: &str) -> Result<Node, Problem> {
    let options = serde_saphyr::options! { budget: serde_saphyr::budget! { max_depth: DEEPEST } };
    let raw: Spanned<Raw> = serde_saphyr::from_str_with_options(text, options).map_err(|error| {
        let location = error.location();
        Problem {
            file: file.to_owned(),
            line: location.as_ref().map_or(0, |location| location.line()),
            column: location.as_ref().map_or(0, |location| location.column()),
            message: UserMessageFormatter.format_message(error.without_snippet()).into_owned(),
        }
    })?;
    Ok(located(file, raw))
}

impl Node {
    /// The node as a mapping whose keys are read one by one.
    pub fn mapping(self, expected: &str) -> Result<Mapping, Problem> {
        match self.content {
            Content::Mapping(entries) => Ok(Mapping { position: self.position, entries, asked: Vec::new() }),
            _ => Err(self.position.problem(format!("expected {expected}"))),
        }
    }

    /// The node as a list of nodes.
    pub fn sequence(self, expected: &str) -> Result<Vec<Self>, Problem> {
        match self.content {
            Content::Sequence(items) => Ok(items),
            _ => Err(self.position.problem(format!("expected {expected}"))),
        }
    }

    /// The node as text.
    pub fn string(self) -> Result<String, Problem> {
        match self.content {
            Content::Scalar(Value::String(text)) => Ok(text),
            _ => Err(self.position.problem("expected text")),
        }
    }

    /// The node as text that says something.
    pub(crate) fn text(self, key: &str) -> Result<String, Problem> {
        let position = self.position.clone();
        match self.string()? {
            text if text.trim().is_empty() => Err(position.problem(format!("`{key}` is empty"))),
            text if text.trim_start().starts_with(STUB) => {
                Err(position.problem(format!("`{key}` is still a {STUB}: write it in your own words")))
            }
            text => Ok(text),
        }
    }

    /// The node as `true` or `false`.
    pub fn boolean(self) -> Result<bool, Problem> {
        match self.content {
            Content::Scalar(Value::Bool(value)) => Ok(value),
            _ => Err(self.position.problem("expected `true` or `false`")),
        }
    }

    /// The node as a whole number.
    pub fn integer(self) -> Result<i64, Problem> {
        match &self.content {
            Content::Scalar(value) => value.as_i64().ok_or_else(|| self.position.problem("expected a whole number")),
            _ => Err(self.position.problem("expected a whole number")),
        }
    }

    /// The node as a JSON value.
    pub fn value(self) -> Value {
        match self.content {
            Content::Scalar(value) => value,
            Content::Sequence(items) => items.into_iter().map(Self::value).collect(),
            Content::Mapping(entries) => entries.into_iter().map(|(key, node)| (key.text, node.value())).collect(),
        }
    }
}

/// A mapping being read: each key is taken once, and [`Mapping::finish`] refuses what is left.
#[derive(Debug)]
pub struct Mapping {
    /// Where the mapping starts.
    pub position: Position,
    entries: Vec<(Key, Node)>,
    asked: Vec<&'static str>,
}

impl Mapping {
    /// Takes the value of a key that may be absent.
    pub fn take(&mut self, key: &'static str) -> Option<Node> {
        self.ask(key);
        let index = self.entries.iter().position(|(found, _)| found.text == key)?;
        Some(self.entries.remove(index).1)
    }

    /// Takes the value of a key that must be there.
    pub fn require(&mut self, key: &'static str) -> Result<Node, Problem> {
        self.take(key).ok_or_else(|| self.position.problem(format!("`{key}` is missing")))
    }

    /// Takes a text that must be there and say something.
    pub fn string(&mut self, key: &'static str) -> Result<String, Problem> {
        self.require(key)?.text(key)
    }

    /// Takes a text that may be absent, but says something where it is not.
    pub fn optional_string(&mut self, key: &'static str) -> Result<Option<String>, Problem> {
        self.take(key).map(|node| node.text(key)).transpose()
    }

    /// Takes a boolean, `default` if absent.
    pub fn boolean(&mut self, key: &'static str, default: bool) -> Result<bool, Problem> {
        Ok(self.optional_boolean(key)?.unwrap_or(default))
    }

    /// Takes a boolean that may be absent.
    pub fn optional_boolean(&mut self, key: &'static str) -> Result<Option<bool>, Problem> {
        self.take(key).map(Node::boolean).transpose()
    }

    /// Takes a list of texts, empty if absent.
    pub fn strings(&mut self, key: &'static str) -> Result<Vec<String>, Problem> {
        match self.take(key) {
            Some(node) => node.sequence("a list of names")?.into_iter().map(Node::string).collect(),
            None => Ok(Vec::new()),
        }
    }

    /// Whether the key is there, without taking it.
    pub fn has(&mut self, key: &'static str) -> bool {
        self.ask(key);
        self.entries.iter().any(|(found, _)| found.text == key)
    }

    /// All entries in the order of the file.
    pub fn into_entries(self) -> Vec<(Key, Node)> {
        self.entries
    }

    fn ask(&mut self, key: &'static str) {
        if !self.asked.contains(&key) {
            self.asked.push(key);
        }
    }

    /// Refuses keys that nobody asked for.
    pub fn finish(&self) -> Result<(), Problem> {
        match self.entries.first() {
            None => Ok(()),
            Some((key, _)) => Err(key.position.problem(format!(
                "unknown key `{}`{}; keys here: {}",
                key.text,
                did_you_mean(&key.text, self.asked.iter().copied()),
                self.asked.join(", "),
            ))),
        }
    }
}

enum Raw {
    Scalar(Value),
    Sequence(Vec<Spanned<Raw>>),
    Mapping(Vec<(Spanned<String>, Spanned<Raw>)>),
}

fn located(file: &str, raw: Spanned<Raw>) -> Node {
    let position = |location: &serde_saphyr::Location| Position {
        file: file.to_owned(),
        line: location.line(),
        column: location.column(),
    };
    let content = match raw.value {
        Raw::Scalar(value) => Content::Scalar(value),
        Raw::Sequence(items) => Content::Sequence(items.into_iter().map(|item| located(file, item)).collect()),
        Raw::Mapping(entries) => Content::Mapping(
            entries
                .into_iter()
                .map(|(key, node)| {
                    let position = position(&key.referenced);
                    (Key { text: key.value, position }, located(file, node))
                })
                .collect(),
        ),
    };
    Node { position: position(&raw.referenced), content }
}

impl<'de> Deserialize<'de> for Raw {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(RawVisitor)
    }
}

struct RawVisitor;

impl<'de> Visitor<'de> for RawVisitor {
    type Value = Raw;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a YAML value")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Raw, E> {
        Ok(Raw::Scalar(value.into()))
    }

    fn visit_unit<E>(self) -> Result<Raw, E> {
        Ok(Raw::Scalar(Value::Null))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Raw, A::Error> {
        let mut sequence = Vec::new();
        while let Some(item) = items.next_element()? {
            sequence.push(item);
        }
        Ok(Raw::Sequence(sequence))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Raw, A::Error> {
        let mut mapping = Vec::new();
        while let Some(entry) = entries.next_entry()? {
            mapping.push(entry);
        }
        Ok(Raw::Mapping(mapping))
    }
}

#[cfg(test)]
mod tests {
    use super::parse;

    fn problem_of(text: &str) -> String {
        let outcome = parse("jobs.yaml", text).and_then(|node| {
            let mut mapping = node.mapping("a toolset")?;
            mapping.string("title")?;
            mapping.boolean("default", false)?;
            mapping.finish()
        });
        outcome.expect_err("a mistake").to_string()
    }

    #[test]
    fn mistakes_stand_where_they_are() {
        assert_eq!(
            problem_of("title: Jobs\ndefalt: true\n"),
            "jobs.yaml:2:1: unknown key `defalt`; did you mean `default`?; keys here: title, default"
        );
        assert_eq!(problem_of("title: [a]\n"), "jobs.yaml:1:8: expected text");
        assert_eq!(problem_of("title: ' '\n"), "jobs.yaml:1:8: `title` is empty");
        assert_eq!(
            problem_of("title: 'TODO: lists jobs'\n"),
            "jobs.yaml:1:8: `title` is still a TODO: write it in your own words"
        );
        assert_eq!(problem_of("default: true\n"), "jobs.yaml:1:1: `title` is missing");
        assert_eq!(problem_of("title: Jobs\ndefault: 1\n"), "jobs.yaml:2:10: expected `true` or `false`");
        assert_eq!(problem_of("- x\n"), "jobs.yaml:1:1: expected a toolset");
    }

    #[test]
    fn duplicate_keys_and_broken_yaml_are_refused() {
        assert!(
            problem_of("title: a\ntitle: b\n").starts_with("jobs.yaml:2:1: "),
            "{}",
            problem_of("title: a\ntitle: b\n")
        );
        assert!(problem_of("title: 'a\n").starts_with("jobs.yaml:"));
    }
}
