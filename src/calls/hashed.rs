//! The arguments of a call as the audit log has them: secrets, and the ends of long values, as keyed hashes.

use serde_json::{Map, Value, json};

use super::record::{EXECUTORS, called};
use super::secrets::{is_hidden, is_of_secret, is_value};
use crate::definition::ToolDefinition;

/// A longer value is cut.
const LONGEST: usize = 1_000;
/// So many bytes of it are kept.
const KEPT: usize = 400;
/// Where all arguments have more bytes than this, none is written.
const MOST_BYTES: usize = 64 << 10;

/// The arguments of a call of a tool, or of an unknown one. `hash` gives what stands for a value.
pub(super) fn hashed(
    tool: Option<&'static ToolDefinition>,
    arguments: &Map<String, Value>,
    hash: &dyn Fn(&[u8]) -> String,
) -> Value {
    let hashes = Hashes { hash };
    let mut written = hashes.fields(arguments, |name| is_hidden(tool, name));
    if let Some(tool) = tool.filter(|tool| tool.toolset == EXECUTORS)
        && let Some(inner) = arguments.get("arguments")
    {
        // They are secret as those of what is called.
        let inner = unwrapped(inner);
        let inner = inner.as_object().map(|inner| hashed(Some(called(tool, arguments)), inner, hash));
        written.insert("arguments".to_owned(), inner.unwrap_or_default());
    }
    let written = Value::Object(written);
    let text = written.to_string();
    match text.len() > MOST_BYTES {
        true => json!({ "bytes": text.len(), "hash": hash(text.as_bytes()) }),
        false => written,
    }
}

/// An object or a list, also one that was given as its text.
fn unwrapped(value: &Value) -> Value {
    let text = value.as_str().filter(|text| text.trim_start().starts_with(['{', '[']));
    text.and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone())
}

struct Hashes<'a> {
    hash: &'a dyn Fn(&[u8]) -> String,
}

impl Hashes<'_> {
    fn fields(&self, fields: &Map<String, Value>, is_secret: impl Fn(&str) -> bool) -> Map<String, Value> {
        let is_named = is_of_secret(fields);
        let written = fields.iter().map(|(name, value)| {
            let hides = is_secret(name) || (is_named && is_value(name));
            (self.cut(name), self.value(value, hides))
        });
        written.collect()
    }

    fn value(&self, value: &Value, is_secret: bool) -> Value {
        match value {
            Value::String(text) if is_secret && !text.starts_with("{{secrets/") => (self.hash)(text.as_bytes()).into(),
            Value::Number(number) if is_secret => (self.hash)(number.to_string().as_bytes()).into(),
            Value::String(_) => match unwrapped(value) {
                Value::String(text) => self.cut(&text).into(),
                inner => self.value(&inner, is_secret),
            },
            Value::Array(items) => items.iter().map(|item| self.value(item, is_secret)).collect(),
            Value::Object(fields) => Value::Object(self.fields(fields, |name| is_secret || is_hidden(None, name))),
            Value::Null | Value::Bool(_) | Value::Number(_) => value.clone(),
        }
    }

    fn cut(&self, text: &str) -> String {
        if text.len() <= LONGEST {
            return text.to_owned();
        }
        let kept = text.get(..text.floor_char_boundary(KEPT)).unwrap_or_default();
        format!("{kept}… ({} bytes, {})", text.len(), (self.hash)(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{MOST_BYTES, hashed};
    use crate::registry;

    fn written(tool: &str, arguments: Value) -> Value {
        let Value::Object(arguments) = arguments else { panic!("no object") };
        hashed(registry::definition(tool).ok(), &arguments, &|value| format!("#{}", value.len()))
    }

    #[test]
    fn secrets_are_hashed_wherever_they_stand() {
        let put = json!({ "scope": "prod", "key": "k", "string_value": "correct horse" });
        let hidden = json!({ "scope": "prod", "key": "k", "string_value": "#13" });
        assert_eq!(written("put_secret", put.clone()), hidden);
        let call = |arguments: Value| json!({ "operation": "put_secret", "arguments": arguments });
        for executor in ["call_write_operation", "call_read_operation"] {
            assert_eq!(written(executor, call(put.clone()))["arguments"], hidden);
            assert_eq!(written(executor, call(put.to_string().into()))["arguments"], hidden, "as text");
        }
        let by_id = json!({ "operation": "workspace.secrets.put_secret", "arguments": put });
        assert_eq!(written("call_write_operation", by_id)["arguments"], hidden);
        let conf = json!({ "spark_conf": { "spark.password": "hunter2", "a": "{{secrets/a/b}}" }, "n": 1 });
        let hidden = json!({ "spark_conf": { "spark.password": "#7", "a": "{{secrets/a/b}}" }, "n": 1 });
        assert_eq!(written("create_cluster", conf.clone()), hidden);
        assert_eq!(written("no_such_tool", conf), hidden, "also of what is unknown");
        let named = json!({ "parameters": [{ "name": "api_key", "value": "s3cr3t" }] });
        assert_eq!(written("execute_sql", named)["parameters"][0]["value"], "#6");
    }

    #[test]
    fn long_values_are_cut_with_their_hash() {
        let sql = format!("SELECT '{}'", "é".repeat(1_000));
        let cut = written("execute_sql", json!({ "statement": sql }));
        let cut = cut["statement"].as_str().expect("text");
        assert!(cut.starts_with("SELECT 'é") && cut.ends_with("… (2009 bytes, #2009)"), "{cut}");
        let many: Vec<_> = (0..MOST_BYTES).collect();
        let whole = written("execute_sql", json!({ "statement": "SELECT 1", "many": many }));
        assert!(whole["hash"].is_string() && whole.as_object().is_some_and(|whole| whole.len() == 2), "{whole}");
    }
}
