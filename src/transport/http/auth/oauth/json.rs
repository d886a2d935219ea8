//! JSON in which no name comes twice: what reads the first one and what reads the last would see different tokens.

use std::fmt;

use serde::de::{Deserialize, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// An object, whose names are unique at every depth.
pub(super) fn object(bytes: &[u8]) -> Result<Map<String, Value>, serde_json::Error> {
    match serde_json::from_slice::<Unique>(bytes)?.0 {
        Value::Object(object) => Ok(object),
        _ => Err(serde_json::Error::custom("it is not an object")),
    }
}

struct Unique(Value);

impl<'de> Deserialize<'de> for Unique {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(UniqueVisitor)
    }
}

struct UniqueVisitor;

impl<'de> Visitor<'de> for UniqueVisitor {
    type Value = Unique;

    fn expecting(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Unique, E> {
        Ok(Unique(Value::Null))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_f64<E>(self, value: f64) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_str<E>(self, value: &str) -> Result<Unique, E> {
        Ok(Unique(value.into()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Unique, A::Error> {
        let mut list = Vec::new();
        while let Some(Unique(item)) = items.next_element()? {
            list.push(item);
        }
        Ok(Unique(list.into()))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Unique, A::Error> {
        let mut object = Map::new();
        while let Some((name, Unique(value))) = entries.next_entry::<String, Unique>()? {
            if object.insert(name, value).is_some() {
                return Err(A::Error::custom("a name comes twice in an object"));
            }
        }
        Ok(Unique(object.into()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::object;

    #[test]
    fn no_name_comes_twice() {
        let text = r#"{"a": [1, -1, 1.5, null, true, "x", {"a": {}}], "b": {"a": 1}}"#;
        let read = object(text.as_bytes()).map(Value::from).ok();
        assert_eq!(read, Some(json!({"a": [1, -1, 1.5, null, true, "x", {"a": {}}], "b": {"a": 1}})));
        let deep = format!("{}1{}", "[".repeat(10_000), "]".repeat(10_000));
        for wrong in [
            r#"{"a": 1, "a": 1}"#,
            r#"{"a": 1, "\u0061": 2}"#,
            r#"{"b": [{"a": 1, "a": 2}]}"#,
            "[]",
            "",
            "{",
            "{} {}",
            &format!("{{\"a\": {deep}}}"),
        ] {
            assert!(object(wrong.as_bytes()).is_err(), "{}", wrong.get(..40).unwrap_or(wrong));
        }
    }
}
