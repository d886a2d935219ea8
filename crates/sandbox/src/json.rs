//! Reading and writing members of JSON objects without a chance to panic.

use serde_json::Value;

/// Values of a document, at most: each takes some hundred bytes, however short its text is.
const MOST_VALUES: usize = 2_000_000;

/// Reads a document of somebody else; an error says why it is not read.
pub(crate) fn read(text: &[u8]) -> Result<Value, String> {
    if text.iter().filter(|byte| **byte == b',').count() >= MOST_VALUES {
        return Err(format!("more than {MOST_VALUES} values in given JSON"));
    }
    serde_json::from_slice(text).map_err(|_| "failed to parse given JSON".to_owned())
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
