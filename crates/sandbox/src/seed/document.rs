//! A seed as it is written: a JSON document whose every key is known, or refused with the nearest that is.

use serde_json::{Map, Value};

use crate::Error;
use crate::contract::nearest;

/// What a workspace holds when it starts, read from JSON.
///
/// The README of this crate describes the form; `examples/seed.json` uses all of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    pub(super) root: Map<String, Value>,
}

/// What a value has to be.
#[derive(Debug, Clone, Copy)]
enum Shape {
    Flag,
    Text,
    Texts,
    /// Any JSON object: the body of a request, which is checked by the specs when it is sent.
    Body,
    /// Names and texts.
    TextMap,
    /// Names, each with names and texts.
    TextMaps,
    Object(&'static [(&'static str, Shape)]),
    List(&'static Shape),
    /// Rows of cells: texts, numbers, booleans or null.
    Rows,
    /// Names, each with a text or an object.
    Sources,
}

use Shape::{Body, Flag, List, Object, Rows, Sources, Text, TextMap, TextMaps, Texts};

const COLUMN: Shape = Object(&[("name", Text), ("type", Text), ("comment", Text), ("nullable", Flag)]);
const TABLE: Shape = Object(&[("name", Text), ("comment", Text), ("columns", List(&COLUMN)), ("rows", Rows)]);
const VOLUME: Shape = Object(&[("name", Text), ("comment", Text)]);
const SCHEMA: Shape = Object(&[
    ("name", Text),
    ("comment", Text),
    ("properties", TextMap),
    ("tables", List(&TABLE)),
    ("volumes", List(&VOLUME)),
]);
const CATALOG: Shape =
    Object(&[("name", Text), ("comment", Text), ("properties", TextMap), ("schemas", List(&SCHEMA))]);
const REQUEST: Shape = Object(&[("method", Text), ("path", Text), ("body", Body)]);

const ROOT: &[(&str, Shape)] = &[
    ("samples", Flag),
    ("catalogs", List(&CATALOG)),
    ("sql", Texts),
    ("warehouses", List(&Body)),
    ("clusters", List(&Body)),
    ("notebooks", Sources),
    ("files", TextMap),
    ("secrets", TextMaps),
    ("users", List(&Body)),
    ("groups", List(&Body)),
    ("jobs", List(&Body)),
    ("requests", List(&REQUEST)),
];

impl Seed {
    /// Reads a seed.
    ///
    /// ```
    /// use databricks_sandbox::Seed;
    /// assert!(Seed::parse(r#"{"catalogs": [{"name": "shop"}]}"#).is_ok());
    /// let refused = Seed::parse(r#"{"catalog": []}"#);
    /// assert!(refused.is_err_and(|error| error.to_string().contains("did you mean `catalogs`?")));
    /// ```
    ///
    /// # Errors
    /// When the text is not JSON, or a key or a value does not fit; the message says where, and what does.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let value: Value = serde_json::from_str(text).map_err(|error| Error::seed(format!("not JSON: {error}")))?;
        check(&value, Object(ROOT), "").map_err(Error::seed)?;
        match value {
            Value::Object(root) => Ok(Self { root }),
            _ => Err(Error::seed("a seed is an object".to_owned())),
        }
    }

    /// Whether the samples are there, too.
    pub(crate) fn has_samples(&self) -> bool {
        self.root.get("samples") == Some(&Value::Bool(true))
    }
}

fn check(value: &Value, shape: Shape, place: &str) -> Result<(), String> {
    let wrong = |expected: &str| {
        let place = if place.is_empty() { "the seed".to_owned() } else { format!("`{place}`") };
        Err(format!("{place} must be {expected}"))
    };
    let each = |values: &Map<String, Value>, shape: Shape| {
        values.iter().try_for_each(|(name, value)| check(value, shape, &format!("{place}[\"{name}\"]")))
    };
    match (shape, value) {
        (Flag, Value::Bool(_)) | (Text, Value::String(_)) | (Body, Value::Object(_)) => Ok(()),
        (TextMap, Value::Object(values)) => each(values, Text),
        (TextMaps, Value::Object(values)) => each(values, TextMap),
        (Texts, Value::Array(values)) => all(values, Text, place),
        (List(shape), Value::Array(values)) => all(values, *shape, place),
        (Object(known), Value::Object(members)) => object(members, known, place),
        (Rows, Value::Array(rows)) => rows.iter().enumerate().try_for_each(|(at, row)| match row {
            Value::Array(cells) if !cells.iter().any(|cell| cell.is_array() || cell.is_object()) => Ok(()),
            _ => Err(format!("`{place}[{at}]` must be a list of texts, numbers, booleans or nulls")),
        }),
        (Sources, Value::Object(sources)) => sources.iter().try_for_each(|(path, source)| {
            let known: [(&str, Shape); 2] = [("language", Text), ("source", Text)];
            match source {
                Value::String(_) => Ok(()),
                Value::Object(members) => object(members, &known, &format!("{place}[\"{path}\"]")),
                _ => Err(format!("`{place}[\"{path}\"]` must be a text, or an object with `language` and `source`")),
            }
        }),
        (Flag, _) => wrong("true or false"),
        (Text, _) => wrong("a text"),
        (Texts | List(_) | Rows, _) => wrong("a list"),
        (Body | TextMap | TextMaps | Object(_) | Sources, _) => wrong("an object"),
    }
}

fn all(values: &[Value], shape: Shape, place: &str) -> Result<(), String> {
    values.iter().enumerate().try_for_each(|(at, value)| check(value, shape, &format!("{place}[{at}]")))
}

fn object(members: &Map<String, Value>, known: &[(&str, Shape)], place: &str) -> Result<(), String> {
    for (name, value) in members {
        let within = if place.is_empty() { name.clone() } else { format!("{place}.{name}") };
        let Some((_, shape)) = known.iter().find(|(known, _)| known == name) else {
            let names: Vec<_> = known.iter().map(|(known, _)| *known).collect();
            let hint = nearest(name, names.iter().copied()).map(|near| format!("; did you mean `{near}`?"));
            return Err(format!("`{within}` is unknown{} (known: {})", hint.unwrap_or_default(), names.join(", ")));
        };
        check(value, *shape, &within)?;
    }
    Ok(())
}
