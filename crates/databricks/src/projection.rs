//! The part of an answer that somebody will look at. The rest is checked to be JSON while it is read, and never built.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Number, Value};

/// Which fields of an answer are read, by dotted paths that lead through lists as well.
///
/// ```
/// use databricks::Projection;
/// use serde_json::json;
///
/// let jobs = Projection::of(["job_id", "settings.name"]).in_list(Some("jobs"));
/// let text = br#"{"jobs": [{"job_id": 7, "settings": {"name": "load", "tasks": [{}]}}], "has_more": false}"#;
/// let read = json!({ "jobs": [{ "job_id": 7, "settings": { "name": "load" } }], "has_more": false });
/// assert_eq!(jobs.read(text)?, read);
/// # Ok::<(), serde_json::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Projection {
    node: Node,
}

/// What is read of one value.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
enum Node {
    /// All of it.
    #[default]
    Whole,
    /// These fields, where it is an object or a list of objects. What is neither is read as it is.
    Fields(Vec<(Box<str>, Node)>),
    /// All of it, but less of one field.
    But(Box<str>, Box<Node>),
}

impl Projection {
    /// All fields.
    pub fn whole() -> Self {
        Self::default()
    }

    /// The fields at these paths, with all that they hold; `*` stands for every field.
    pub fn of<'a>(paths: impl IntoIterator<Item = &'a str>) -> Self {
        let mut node = Node::Fields(Vec::new());
        paths.into_iter().for_each(|path| node.add(path));
        Self { node }
    }

    /// The same for the items of a list that stands in a field of the answer, beside which everything is read; `None` where
    /// the answer itself is the list.
    #[must_use]
    pub fn in_list(self, field: Option<&str>) -> Self {
        match field {
            Some(name) => Self { node: Node::But(name.into(), Box::new(self.node)) },
            None => self,
        }
    }

    /// Whether it leaves nothing out.
    pub fn is_whole(&self) -> bool {
        self.node == Node::Whole
    }

    /// Reads a JSON text.
    ///
    /// # Errors
    /// When it is not JSON, be it where nobody looks.
    pub fn read(&self, text: &[u8]) -> Result<Value, serde_json::Error> {
        let mut deserializer = serde_json::Deserializer::from_slice(text);
        let value = self.node.deserialize(&mut deserializer)?;
        deserializer.end()?;
        Ok(value)
    }

    /// Takes out of a value what would not have been read, and the objects of which nothing is left.
    ///
    /// ```
    /// use serde_json::json;
    ///
    /// let mut job = json!({ "job_id": 7, "settings": { "tasks": [] }, "tags": { "team": "data" } });
    /// databricks::Projection::of(["job_id", "settings.name", "tags.team"]).cut(&mut job);
    /// assert_eq!(job, json!({ "job_id": 7, "tags": { "team": "data" } }));
    /// ```
    pub fn cut(&self, value: &mut Value) {
        self.node.cut(value);
    }
}

impl Node {
    /// Adds a path. What is read as a whole stays so.
    fn add(&mut self, path: &str) {
        let Node::Fields(fields) = self else { return };
        let (name, rest) = path.split_once('.').map_or((path, None), |(name, rest)| (name, Some(rest)));
        if name == "*" {
            *self = Node::Whole;
            return;
        }
        let place = fields.iter().position(|(known, _)| **known == *name).unwrap_or(fields.len());
        if place == fields.len() {
            fields.push((name.into(), Node::Fields(Vec::new())));
        }
        match (fields.get_mut(place), rest) {
            (Some((_, node)), Some(rest)) => node.add(rest),
            (Some((_, node)), None) => *node = Node::Whole,
            (None, _) => {}
        }
    }

    /// What is read of a field; `None` for nothing.
    fn of_field(&self, name: &str) -> Option<&Node> {
        match self {
            Node::Whole => Some(&Node::Whole),
            Node::Fields(fields) => fields.iter().find(|(known, _)| **known == *name).map(|(_, node)| node),
            Node::But(known, node) if **known == *name => Some(node),
            Node::But(..) => Some(&Node::Whole),
        }
    }

    fn cut(&self, value: &mut Value) {
        match value {
            _ if *self == Node::Whole => {}
            Value::Array(items) => items.iter_mut().for_each(|item| self.cut(item)),
            Value::Object(fields) => fields.retain(|name, field| {
                let Some(node) = self.of_field(name) else { return false };
                node.cut(field);
                *node == Node::Whole || field.as_object().is_none_or(|fields| !fields.is_empty())
            }),
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
        }
    }
}

impl<'de> DeserializeSeed<'de> for &Node {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        match self {
            Node::Whole => serde::Deserialize::deserialize(deserializer),
            Node::Fields(_) | Node::But(..) => deserializer.deserialize_any(Part(self)),
        }
    }
}

/// Reads a value of which something may be left out.
struct Part<'n>(&'n Node);

impl<'de> Visitor<'de> for Part<'_> {
    type Value = Value;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_map<M: MapAccess<'de>>(self, mut fields: M) -> Result<Value, M::Error> {
        let mut read = Map::new();
        while let Some(field) = fields.next_key_seed(Name(self.0))? {
            match field {
                Some((name, node)) => {
                    let value = fields.next_value_seed(node)?;
                    read.insert(name, value);
                }
                None => {
                    fields.next_value::<IgnoredAny>()?;
                }
            }
        }
        Ok(Value::Object(read))
    }

    fn visit_seq<S: SeqAccess<'de>>(self, mut items: S) -> Result<Value, S::Error> {
        let mut read = Vec::new();
        while let Some(item) = items.next_element_seed(self.0)? {
            read.push(item);
        }
        Ok(Value::Array(read))
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(Value::Bool(value))
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(Value::Number(value.into()))
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(Number::from_f64(value).map_or(Value::Null, Value::Number))
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(Value::String(value.to_owned()))
    }

    fn visit_string<E: Error>(self, value: String) -> Result<Value, E> {
        Ok(Value::String(value))
    }
}

/// Reads the name of a field, and says what is read of it. A name that nobody looks for is never copied.
struct Name<'n>(&'n Node);

impl<'de, 'n> DeserializeSeed<'de> for Name<'n> {
    type Value = Option<(String, &'n Node)>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'n> Visitor<'_> for Name<'n> {
    type Value = Option<(String, &'n Node)>;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("the name of a field")
    }

    fn visit_str<E: Error>(self, name: &str) -> Result<Self::Value, E> {
        Ok(self.0.of_field(name).map(|node| (name.to_owned(), node)))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::Projection;

    fn read(projection: &Projection, value: &Value) -> Value {
        projection.read(value.to_string().as_bytes()).expect("JSON")
    }

    #[test]
    fn the_fields_that_are_named_are_read_through_lists_too() {
        let job = json!({
            "job_id": 7, "created": 1.5, "settings": { "name": "lo\u{e9}d", "tasks": [{ "key": "a", "x": {} }, null, 3] },
            "tags": { "team": "data" },
        });
        for (paths, shown) in [
            (vec!["job_id", "tags"], json!({ "job_id": 7, "tags": { "team": "data" } })),
            (vec!["settings.name"], json!({ "settings": { "name": "lo\u{e9}d" } })),
            (vec!["settings.tasks.key"], json!({ "settings": { "tasks": [{ "key": "a" }, null, 3] } })),
            (vec!["settings.name", "settings"], json!({ "settings": job["settings"] })),
            (vec!["settings", "settings.name"], json!({ "settings": job["settings"] })),
            (vec!["job_id.deeper", "created"], json!({ "job_id": 7, "created": 1.5 })),
            (vec!["settings.*"], json!({ "settings": job["settings"] })),
            (vec!["job_id", "*"], job.clone()),
            (vec!["nothing"], json!({})),
        ] {
            let projection = Projection::of(paths.clone());
            assert_eq!(read(&projection, &job), shown, "{paths:?}");
            let mut cut = job.clone();
            projection.cut(&mut cut);
            assert_eq!(cut, shown, "{paths:?}");
        }
        assert_eq!(read(&Projection::whole(), &job), job);
    }

    #[test]
    fn beside_a_list_everything_is_read() {
        let answer = json!({ "items": [{ "a": 1, "b": 2 }, { "b": 3 }], "more": { "b": 4 }, "next_page_token": "x" });
        let shown = json!({ "items": [{ "a": 1 }, {}], "more": { "b": 4 }, "next_page_token": "x" });
        assert_eq!(read(&Projection::of(["a"]).in_list(Some("items")), &answer), shown);
        assert_eq!(read(&Projection::of(["a"]).in_list(None), &answer["items"]), json!([{ "a": 1 }, {}]));
        // What is no list where one is expected is left for whoever checks the form.
        for odd in [json!({ "items": "none" }), json!({ "items": null }), json!("x"), json!(null)] {
            assert_eq!(read(&Projection::of(["a"]).in_list(Some("items")), &odd), odd);
        }
    }

    #[test]
    fn numbers_and_names_come_as_a_whole_reading_gives_them() {
        let text =
            r#"{"a":{"big":18446744073709551615,"far":-9223372036854775808,"f":0.1e-7},"\u0062":1,"a":2,"c":1.0}"#;
        let whole: Value = serde_json::from_str(text).expect("JSON");
        assert_eq!(Projection::of(["a", "b", "c"]).read(text.as_bytes()).expect("JSON"), whole);
    }

    #[test]
    fn what_is_skipped_has_to_be_json_all_the_same() {
        for text in [r#"{"a":1,"b":[1,}"#, r#"{"a":1,"b":"\q"}"#, r#"{"a":1} {}"#, r#"{"b":nul}"#, "", r#"{"a":1"#] {
            assert!(Projection::of(["a"]).read(text.as_bytes()).is_err(), "{text}");
        }
    }
}
