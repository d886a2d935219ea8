//! Reading and writing members of JSON objects without a chance to panic.

use serde_json::Value;

pub(crate) trait Members {
    /// A member; null where there is none.
    fn at(&self, name: &str) -> &Value;

    /// Sets a member of an object; of anything else it sets nothing.
    fn set(&mut self, name: &str, value: impl Into<Value>);
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
}
