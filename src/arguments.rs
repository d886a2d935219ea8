//! Checks the arguments of a call against the tool's input schema, and says everything that is wrong at once.
//!
//! Models make a few typical mistakes: numbers as text and text as numbers, JSON inside a string, `null` or empty text
//! for what they leave out. If the meaning is certain, the value is accepted; everything else is refused with what was
//! expected, what came, and a valid call.

mod names;
pub(crate) mod time;

use serde_json::{Map, Number, Value, json};

use crate::nearest::{did_you_mean, shortened};

/// What JSON written inside a string may take in bytes of memory once it is read.
const MOST_WEIGHT: usize = 128 << 20;
/// So many unknown names are told: the search for what was meant takes long for each of them.
const MOST_FAULTS: usize = 20;

pub(crate) use names::{is_same, meant};

/// What clients that know no `null` send in its place.
const NULL: &str = "null";

/// An error shows so many characters of a text.
const MOST_SHOWN: usize = 60;

/// The last words of arguments that name something.
const NAMING_WORDS: [&str; 16] = [
    "id",
    "name",
    "path",
    "token",
    "key",
    "catalog",
    "schema",
    "principal",
    "owner",
    "branch",
    "tag",
    "location",
    "root",
    "version",
    "mask",
    "provider",
];

/// What is wrong with one argument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    /// Dotted path of the argument.
    pub(crate) path: String,
    /// What was expected and what came.
    pub(crate) message: String,
}

/// What a tool takes beyond its schema.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Rules<'a> {
    /// The tool's name, whose words names of arguments may repeat.
    pub(crate) tool: &'a str,
    /// Other names of arguments: other name and name.
    pub(crate) aliases: &'a [(&'a str, &'a str)],
    /// The arguments of which a call gives one, and no more.
    pub(crate) one_of: &'a [&'a str],
    /// The call only reads, so that an empty text asks for nothing.
    pub(crate) only_reads: bool,
    /// What the API takes and the tool does not, and the tool that does.
    pub(crate) elsewhere: Option<(&'a [databricks::Parameter], &'a str)>,
}

/// The arguments with every value in the type that the schema names.
pub(crate) fn check(
    schema: &Map<String, Value>,
    rules: Rules<'_>,
    mut arguments: Map<String, Value>,
) -> Result<Map<String, Value>, Vec<Fault>> {
    let faults = names::rename(rules.aliases, &mut arguments);
    names::rename_obvious(schema, rules, &mut arguments);
    let mut checker = Checker { rules, faults };
    let given: Map<_, _> = arguments.into_iter().filter(|(_, value)| !value.is_null()).collect();
    checker.nulls(schema, &given);
    let checked = checker.fields(schema, given, "");
    checker.one_of(&checked);
    if checker.faults.is_empty() { Ok(checked) } else { Err(checker.faults) }
}

/// A smallest valid call: the required arguments with values of their type.
pub(crate) fn example(schema: &Map<String, Value>, one_of: &[&str]) -> Value {
    let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
    let fields = required.chain(one_of.first().copied()).map(|name| {
        let field = schema.get("properties").and_then(|properties| properties.get(name)).unwrap_or(&Value::Null);
        (name.to_owned(), sample(field, name))
    });
    Value::Object(fields.collect())
}

/// A value of the schema's type: the one that its description shows, or else one that says what is wanted.
fn sample(schema: &Value, name: &str) -> Value {
    if let Some(value) = schema.get("default") {
        return value.clone();
    }
    if let Some(value) = described(schema) {
        return value;
    }
    if let Some(value) = schema.get("enum").and_then(Value::as_array).and_then(|values| values.first()) {
        return value.clone();
    }
    match schema.get("type").and_then(Value::as_str) {
        Some("integer" | "number") => schema.get("minimum").cloned().unwrap_or_else(|| json!(1)),
        Some("boolean") => json!(true),
        Some("array") => json!([sample(schema.get("items").unwrap_or(&Value::Null), name)]),
        Some("object") => schema.as_object().map_or_else(|| json!({}), |schema| example(schema, &[])),
        _ if name.ends_with("path") => json!(format!("/<{name}>")),
        _ if name.ends_with("_id") => json!("123"),
        _ => json!(format!("<{name}>")),
    }
}

/// The example in a description: what is quoted after `e.g.`, in the type of the schema.
fn described(schema: &Value) -> Option<Value> {
    let text = schema.get("description")?.as_str()?;
    let (_, rest) = text.split_once("e.g. `").or_else(|| text.split_once("E.g. `"))?;
    let (shown, _) = rest.split_once('`')?;
    let value = || serde_json::from_str::<Value>(shown).ok();
    match type_of(schema)? {
        "string" if schema.get("enum").is_none() && !is_identifier(schema) => {
            // Quotes around it are those of JSON.
            Some(value().filter(Value::is_string).unwrap_or_else(|| json!(shown)))
        }
        "array" => value().filter(Value::is_array),
        "object" => value().filter(Value::is_object),
        _ => None,
    }
}

struct Checker<'a> {
    rules: Rules<'a>,
    faults: Vec<Fault>,
}

impl Checker<'_> {
    fn fault(&mut self, path: &str, message: impl Into<String>) {
        self.faults.push(Fault { path: path.to_owned(), message: message.into() });
    }

    /// Of arguments that exclude each other one is given. A page goes on with what the call before gave.
    fn one_of(&mut self, checked: &Map<String, Value>) {
        let is_given = |name: &&&str| {
            checked.get(**name).is_some_and(|value| value.as_array().is_none_or(|items| !items.is_empty()))
        };
        let given: Vec<_> = self.rules.one_of.iter().filter(is_given).copied().collect();
        match (given.as_slice(), self.rules.one_of) {
            // One that was given, and is wrong, is not missing.
            ([], [first, ..])
                if !checked.contains_key("page_token")
                    && !self.faults.iter().any(|fault| self.rules.one_of.contains(&fault.path.as_str())) =>
            {
                let names = self.rules.one_of.join("` or `");
                self.fault(first, format!("missing; give either `{names}`"));
            }
            ([first, second, ..], _) => {
                self.fault(second, format!("cannot be given together with `{first}`; give one of them"))
            }
            _ => {}
        }
    }

    /// `null` as text, for an argument that may be left out, is no text that anybody means.
    fn nulls(&mut self, schema: &Map<String, Value>, given: &Map<String, Value>) {
        let required = schema.get("required").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let is_text = |name: &str| {
            let property = schema.get("properties").and_then(|properties| properties.get(name));
            property.is_some_and(|property| type_of(property) == Some("string") && property.get("enum").is_none())
        };
        for (name, _) in given.iter().filter(|(_, value)| value.as_str() == Some(NULL)) {
            if is_text(name) && !required.iter().any(|required| required == name) {
                self.fault(name, format!("got {}", got(&json!(NULL))));
            }
        }
    }

    fn fields(&mut self, schema: &Map<String, Value>, given: Map<String, Value>, path: &str) -> Map<String, Value> {
        let empty = Map::new();
        let properties = schema.get("properties").and_then(Value::as_object).unwrap_or(&empty);
        let mut checked = Map::new();
        for (name, value) in given {
            let path = join(path, shortened(&name));
            match properties.get(&name) {
                // What is left out is written as `null` by many clients, at any depth.
                Some(_) if value.is_null() => {}
                Some(property) if self.is_nothing(property, &name, &value) => {}
                Some(property) => {
                    let value = self.value(property, value, &path);
                    checked.insert(name, value);
                }
                None if self.faults.len() >= MOST_FAULTS => {}
                None => {
                    let message = self.unknown(&path, &name, schema);
                    self.fault(&path, message);
                }
            }
        }
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        for name in required.filter(|name| !checked.contains_key(*name)) {
            let expected = properties.get(name).map_or_else(|| "a value".to_owned(), expected);
            self.fault(&join(path, name), format!("missing; expected {expected}"));
        }
        checked
    }

    /// What to say of a name that the schema does not know.
    fn unknown(&self, path: &str, name: &str, schema: &Map<String, Value>) -> String {
        let properties = schema.get("properties").and_then(Value::as_object);
        let known: Vec<_> = properties.into_iter().flat_map(Map::keys).map(String::as_str).collect();
        let elsewhere = self
            .rules
            .elsewhere
            .filter(|(parameters, _)| path == name && parameters.iter().any(|parameter| parameter.name == name));
        let list = if known.is_empty() { "nothing".to_owned() } else { known.join(", ") };
        let required = schema.get("required").and_then(Value::as_array).into_iter().flatten().filter_map(Value::as_str);
        // What a tool works on is told by its own arguments, and not by those of objects in these.
        let meant = names::meant(name, &known).or_else(|| {
            let rules = Some(self.rules).filter(|_| path == name)?;
            names::another_name(name, rules.aliases).or_else(|| names::of_thing(name, rules.tool, required))
        });
        match (elsewhere, meant) {
            (Some((_, tool)), _) => format!(
                "not accepted here; set it with `{tool}` afterwards; this tool takes: \
                                             {list}"
            ),
            (None, Some(meant)) => format!("unknown; did you mean `{meant}`? it takes: {list}"),
            (None, None) => format!("unknown; it takes: {list}"),
        }
    }

    /// Whether the value is an empty text that stands for none: no id, number or list is written so. A text that may
    /// be cleared, such as a comment, can be empty on purpose where the call writes.
    fn is_nothing(&self, schema: &Value, name: &str, value: &Value) -> bool {
        let Value::String(text) = value else { return false };
        let is_free_text = schema.get("type").is_some_and(|name| name == "string")
            && schema.get("enum").is_none()
            && schema.get("format").is_none();
        match is_free_text {
            true if is_name(name) => text.trim().is_empty(),
            true => text.is_empty() && self.rules.only_reads,
            false => type_of(schema).is_some() && text.trim().is_empty(),
        }
    }

    fn value(&mut self, schema: &Value, value: Value, path: &str) -> Value {
        let value = match (type_of(schema), value) {
            (Some("object" | "array"), Value::String(text)) => parsed(schema, text),
            (Some("string"), Value::Number(number)) => digits(number),
            (Some("integer"), Value::Number(number)) => whole(number),
            (Some("integer" | "number"), Value::String(text)) => number(text),
            (Some("boolean"), Value::String(text)) => match text.as_str() {
                "true" => Value::Bool(true),
                "false" => Value::Bool(false),
                _ => Value::String(text),
            },
            (_, value) => value,
        };
        match (type_of(schema), value) {
            (Some("object"), Value::Object(fields)) => {
                let known = schema.as_object().filter(|schema| schema.contains_key("properties"));
                match (schema.get("additionalProperties"), known) {
                    (Some(values), _) => self.map(values, fields, path),
                    (None, Some(schema)) => Value::Object(self.fields(schema, fields, path)),
                    (None, None) => Value::Object(fields),
                }
            }
            // An object without properties stands for any JSON value of the API.
            (Some("object"), value) if is_any(schema) => value,
            (Some("array"), Value::Array(items)) => {
                let item = schema.get("items").unwrap_or(&Value::Null);
                let items = items.into_iter().enumerate();
                Value::Array(
                    items.map(|(index, value)| self.value(item, value, &join(path, &index.to_string()))).collect(),
                )
            }
            (Some("string"), Value::String(text)) if is_identifier(schema) && text.trim().parse::<i64>().is_err() => {
                let source = source(schema).map(|list| format!("; find it with `{list}`")).unwrap_or_default();
                self.fault(path, format!("expected an id made of digits, got {}{source}", got(&json!(text))));
                Value::String(text)
            }
            (Some("string"), Value::String(text)) => self.text(schema, text, path),
            (Some("integer"), value) if value.is_i64() || value.is_u64() => self.bounded(schema, value, path),
            (Some("number"), Value::Number(number)) => self.bounded(schema, Value::Number(number), path),
            (Some("boolean"), value @ Value::Bool(_)) => value,
            (None, value) => value,
            (_, value) => {
                self.fault(path, format!("expected {}, got {}", expected(schema), got(&value)));
                value
            }
        }
    }

    fn map(&mut self, values: &Value, fields: Map<String, Value>, path: &str) -> Value {
        let checked = fields.into_iter().map(|(name, value)| {
            let value = self.value(values, value, &join(path, &name));
            (name, value)
        });
        Value::Object(checked.collect())
    }

    fn text(&mut self, schema: &Value, text: String, path: &str) -> Value {
        if schema.get("format").is_some_and(|format| format == "date-time") {
            return self.time(text, path);
        }
        let Some(values) = schema.get("enum").and_then(Value::as_array) else { return Value::String(text) };
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        let is_meant = |value: &&&str| value.eq_ignore_ascii_case(&text);
        match values.iter().find(|value| **value == text).or_else(|| values.iter().find(is_meant)) {
            Some(value) => json!(value),
            None => {
                // What is no value here may have a tool of its own, which the description names.
                let description = schema.get("description").and_then(Value::as_str).unwrap_or_default();
                let hint = match names::told(description, &text) {
                    Some(clause) => format!("; {clause}"),
                    None => did_you_mean(&text, values.iter().copied()),
                };
                self.fault(path, format!("expected {}, got `{text}`{hint}", expected(schema)));
                Value::String(text)
            }
        }
    }

    fn time(&mut self, text: String, path: &str) -> Value {
        match time::read(&text) {
            Some(time) => Value::String(time.to_string()),
            None => {
                let text: String = text.chars().take(MOST_SHOWN).collect();
                self.fault(path, format!("expected a time such as `2026-01-31T06:00:00Z`, got the text `{text}`"));
                Value::Null
            }
        }
    }

    fn bounded(&mut self, schema: &Value, value: Value, path: &str) -> Value {
        let bound = |name: &str| schema.get(name).and_then(Value::as_f64);
        let number = value.as_f64().unwrap_or_default();
        if bound("minimum").is_some_and(|least| number < least) || bound("maximum").is_some_and(|most| number > most) {
            self.fault(path, format!("expected {}, got {value}", expected(schema)));
        }
        value
    }
}

/// The type that a value has once it is checked. An identifier may come as a number, and is text from then on.
fn type_of(schema: &Value) -> Option<&str> {
    match schema.get("type") {
        Some(name) => name.as_str(),
        None => schema.get("anyOf").map(|_| "string"),
    }
}

/// Whether the value is an int64, which may come as text.
fn is_identifier(schema: &Value) -> bool {
    let types = schema.get("anyOf").and_then(Value::as_array).into_iter().flatten();
    types.filter_map(|form| form.get("type")?.as_str()).eq(["string", "integer"])
}

/// The tool that an argument is from, as its description says it.
fn source(schema: &Value) -> Option<&str> {
    let text = schema.get("description")?.as_str()?;
    text.split_once("from `")?.1.split('`').next()
}

/// Whether an argument of that name says which thing is meant, which nothing is when it is empty.
pub(crate) fn is_name(argument: &str) -> bool {
    argument.rsplit('_').next().is_some_and(|word| NAMING_WORDS.contains(&word))
}

fn is_any(schema: &Value) -> bool {
    schema.get("properties").is_none()
        && schema.get("description").and_then(Value::as_str).is_some_and(|text| text == "Any JSON value.")
}

/// JSON written inside a string, where an object or a list was expected.
fn parsed(schema: &Value, text: String) -> Value {
    if databricks::weight(text.as_bytes()) > MOST_WEIGHT {
        return Value::String(text);
    }
    let is_array = schema.get("type").is_some_and(|name| name == "array");
    match serde_json::from_str(&text) {
        Ok(value @ Value::Array(_)) if is_array => value,
        Ok(value @ Value::Object(_)) if !is_array => value,
        _ => Value::String(text),
    }
}

/// A number such as `3.0` as a whole number.
fn whole(number: Number) -> Value {
    match number.as_f64() {
        Some(float) if !number.is_i64() && !number.is_u64() && float.fract() == 0.0 && float.abs() < 9e15 => {
            // Exact: below 2^53 and without a fraction.
            serde_json::from_str(&format!("{float:.0}")).unwrap_or(Value::Number(number))
        }
        _ => Value::Number(number),
    }
}

/// A number as text, but for one that may have lost digits on its way here.
fn digits(number: Number) -> Value {
    match whole(number) {
        Value::Number(number) if is_rounded(&number) => Value::Number(number),
        Value::Number(number) => Value::String(number.to_string()),
        other => other,
    }
}

/// Whether the number is so large that its last digits are those of the nearest float.
fn is_rounded(number: &Number) -> bool {
    number.is_f64() && number.as_f64().is_some_and(|float| float.abs() >= 9e15)
}

fn number(text: String) -> Value {
    match serde_json::from_str(text.trim()) {
        Ok(Value::Number(number)) => whole(number),
        _ => Value::String(text),
    }
}

fn expected(schema: &Value) -> String {
    if let Some(values) = schema.get("enum").and_then(Value::as_array) {
        let values: Vec<_> = values.iter().filter_map(Value::as_str).collect();
        return format!("one of {}", values.join(", "));
    }
    let name = match schema.get("type").and_then(Value::as_str) {
        Some("integer") => "a whole number",
        Some("number") => "a number",
        Some("boolean") => "true or false",
        Some("array") => "a list",
        Some("object") => "an object",
        None if schema.get("anyOf").is_some() => "text or a whole number",
        _ => "text",
    };
    match (schema.get("minimum"), schema.get("maximum")) {
        (Some(least), Some(most)) => format!("{name} from {least} to {most}"),
        (Some(least), None) => format!("{name} of at least {least}"),
        (None, Some(most)) => format!("{name} of at most {most}"),
        (None, None) => name.to_owned(),
    }
}

fn got(value: &Value) -> String {
    let kind = match value {
        Value::Null => return "null".to_owned(),
        Value::Bool(value) => return value.to_string(),
        Value::Number(number) if is_rounded(number) => return format!("{number}, whose last digits may be lost"),
        Value::Number(number) => return number.to_string(),
        Value::String(text) if text == NULL => {
            return format!("the text `{NULL}`; leave the argument out if there is no value");
        }
        Value::String(text) => return format!("the text `{}`", text.chars().take(MOST_SHOWN).collect::<String>()),
        Value::Array(_) => "a list",
        Value::Object(_) => "an object",
    };
    kind.to_owned()
}

fn join(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

#[cfg(test)]
mod tests;
