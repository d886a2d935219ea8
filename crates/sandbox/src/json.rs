//! Reading and writing members of JSON objects without a chance to panic.

use serde::de::DeserializeOwned;
use serde_json::Value;

/// Values of a document, at most: each takes some hundred bytes, however short its text is.
pub(crate) const MOST_VALUES: usize = 1_000_000;

/// Why a document is not read.
#[derive(Debug)]
pub(crate) enum Unread {
    TooMany,
    Malformed(serde_json::Error),
}

/// Reads a document of somebody else, unless it has too many values.
pub(crate) fn parse<T: DeserializeOwned>(text: &[u8]) -> Result<T, Unread> {
    if values(text) > MOST_VALUES {
        return Err(Unread::TooMany);
    }
    serde_json::from_slice(text).map_err(Unread::Malformed)
}

/// The same; an error says why it is not read.
pub(crate) fn read(text: &[u8]) -> Result<Value, String> {
    parse(text).map_err(|unread| match unread {
        Unread::TooMany => format!("more than {MOST_VALUES} values in given JSON"),
        Unread::Malformed(_) => "failed to parse given JSON".to_owned(),
    })
}

/// About how many values a text has: one for each comma and bracket outside of its strings.
pub(crate) fn values(text: &[u8]) -> usize {
    let (mut values, mut quoted, mut escaped) = (1, false, false);
    for byte in text {
        match byte {
            _ if escaped => escaped = false,
            b'\\' if quoted => escaped = true,
            b'"' => quoted = !quoted,
            b',' | b'[' | b'{' if !quoted => values += 1,
            _ => {}
        }
    }
    values
}

pub(crate) trait Members {
    /// A member; null where there is none.
    fn at(&self, name: &str) -> &Value;

    /// Sets a member of an object; of anything else it sets nothing.
    fn set(&mut self, name: &str, value: impl Into<Value>);

    /// Sets several members of an object.
    fn merge(&mut self, members: impl IntoIterator<Item = (String, Value)>);

    /// Takes members of an object away.
    fn without(self, names: &[&str]) -> Self;

    /// The text of a member; empty where there is none.
    fn text_at(&self, name: &str) -> &str;
}

impl Members for Value {
    fn at(&self, name: &str) -> &Value {
        self.get(name).unwrap_or(&Value::Null)
    }

    fn set(&mut self, name: &str, value: impl Into<Value>) {
        if let Value::Object(members) = self {
            members.insert(name.to_owned(), value.into());
        }
    }

    fn merge(&mut self, members: impl IntoIterator<Item = (String, Value)>) {
        if let Value::Object(known) = self {
            known.extend(members);
        }
    }

    fn without(mut self, names: &[&str]) -> Self {
        if let Value::Object(members) = &mut self {
            members.retain(|name, _| !names.contains(&name.as_str()));
        }
        self
    }

    fn text_at(&self, name: &str) -> &str {
        self.at(name).as_str().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_would_take_much_memory_is_not_read() {
        for text in [r#"[{"":0}"#.to_owned() + &r#",{"":0}"#.repeat(600_000) + "]", "[".repeat(1_100_000)] {
            assert!(matches!(parse::<Value>(text.as_bytes()), Err(Unread::TooMany)));
        }
        let commas = format!(r#"["\"{}"]"#, ",[".repeat(1_100_000));
        assert!(parse::<Value>(commas.as_bytes()).is_ok());
    }
}
