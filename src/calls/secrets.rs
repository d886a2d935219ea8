//! The secrets among the arguments of a call, which must not come back in an answer, an error or a log.

use databricks::{Mask, Secret};
use serde_json::{Map, Value};

use super::record::EXECUTORS;
use crate::arguments::is_same;
use crate::definition::{Action, Source, ToolDefinition};

/// How the names of settings end that hold secrets, such as the Spark setting `spark.hadoop.fs.s3a.secret.key`.
const ENDINGS: [&str; 8] =
    ["password", "secret", "private_key", "secret_key", "account_key", "api_key", "access_token", "access_key"];

/// Arguments that the server adds to the tools of operations.
const SHARED: [&str; 4] = ["workspace", "fields", "limit", "page_token"];

/// Hides what the call gives as secret: arguments that the allowlist marks with `secret`, and settings whose names say so.
/// Arguments count as the caller wrote them, since an error about them may quote them.
pub(crate) fn mask(definition: &ToolDefinition, arguments: &Map<String, Value>) -> Mask {
    let mut secrets = Vec::new();
    for (name, value) in arguments {
        collect(value, is_hidden(Some(definition), name), &mut secrets);
    }
    Mask::new(secrets)
}

/// Whether the value of an argument, or of a field, is secret by its name. Where a tool takes secrets, an argument that it does
/// not know may be one under a wrong name.
pub(super) fn is_hidden(definition: Option<&ToolDefinition>, name: &str) -> bool {
    is_secret(name)
        || definition
            .is_some_and(|definition| is_marked(definition, name) || is_unknown_beside_secrets(definition, name))
}

/// Whether a tool that takes secrets does not know this argument.
fn is_unknown_beside_secrets(definition: &ToolDefinition, name: &str) -> bool {
    match &definition.action {
        Action::Operation(plain) => {
            let names = || {
                plain.arguments.iter().filter_map(|argument| match argument.source {
                    Source::Caller { name, secret, .. } => Some((name, secret)),
                    _ => None,
                })
            };
            let is_known = names().any(|(own, _)| own == name)
                || SHARED.contains(&name)
                || definition.argument_aliases.iter().any(|(alias, _)| *alias == name);
            names().any(|(_, secret)| secret) && !is_known
        }
        // What an executor calls may take secrets.
        Action::Composite(composite) => {
            let takes = |schema: Value| schema.pointer(&format!("/properties/{}", name.replace('/', "~1"))).is_some();
            definition.toolset == EXECUTORS && !SHARED.contains(&name) && !takes((composite.schema)())
        }
    }
}

/// Whether the allowlist says that an argument is secret.
fn is_marked(definition: &ToolDefinition, name: &str) -> bool {
    // A call may give it under another name.
    let is_it = |own: &str| {
        own == name || definition.argument_aliases.contains(&(name, own)) || is_same(name, own, definition.name)
    };
    match &definition.action {
        Action::Operation(plain) => plain
            .arguments
            .iter()
            .any(|argument| matches!(argument.source, Source::Caller { name: own, secret: true, .. } if is_it(own))),
        Action::Composite(_) => false,
    }
}

fn is_secret(name: &str) -> bool {
    let name = name.to_ascii_lowercase().replace(['.', '-'], "_");
    // Azure's setting for the key of a storage account ends with the name of the account.
    ENDINGS.iter().any(|ending| name.ends_with(ending)) || name.contains("account_key_")
}

/// Whether an object is a setting whose name stands in a field of its own: `{"key": "password", "value": …}`.
pub(super) fn is_of_secret(fields: &Map<String, Value>) -> bool {
    ["key", "name"].iter().any(|name| fields.get(*name).and_then(Value::as_str).is_some_and(is_secret))
}

pub(super) fn is_value(name: &str) -> bool {
    matches!(name, "value" | "string_value")
}

fn collect(value: &Value, secret: bool, secrets: &mut Vec<Secret>) {
    match value {
        // A reference to a secret, `{{secrets/scope/key}}`, says where it is kept and nothing more.
        Value::String(text) if secret && !text.starts_with("{{secrets/") => secrets.push(text.as_str().into()),
        // Some clients write lists and objects as JSON text.
        Value::String(text) if text.trim_start().starts_with(['[', '{']) => {
            if let Ok(value @ (Value::Array(_) | Value::Object(_))) = serde_json::from_str(text) {
                collect(&value, secret, secrets);
            }
        }
        Value::Number(number) if secret => secrets.push(number.to_string().into()),
        Value::Array(items) => items.iter().for_each(|item| collect(item, secret, secrets)),
        Value::Object(fields) => {
            let is_named = is_of_secret(fields);
            fields.iter().for_each(|(name, field)| {
                collect(field, secret || is_secret(name) || (is_named && is_value(name)), secrets);
            });
        }
        Value::String(_) | Value::Number(_) | Value::Null | Value::Bool(_) => {}
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::registry::{Registry, Selection};

    fn hidden(tool: &str, arguments: Value, text: &str) -> String {
        let registry = Registry::new(&Selection { toolsets: vec!["all".to_owned()], ..Selection::default() });
        let registry = registry.expect("a registry");
        let Value::Object(arguments) = arguments else { panic!("no object") };
        mask(registry.tool(tool).expect("a tool").definition, &arguments).text(text).into_owned()
    }

    #[test]
    fn marked_arguments_and_telling_names_are_hidden() {
        let put = json!({ "scope": "prod", "key": "k", "string_value": "correct horse" });
        assert_eq!(hidden("put_secret", put, "prod: correct horse"), "prod: ***");
        assert_eq!(hidden("put_secret", json!({ "string_value": 12345678 }), "12345678?"), "***?");
        assert_eq!(hidden("put_secret", json!({ "stringValue": "correct horse" }), "correct horse?"), "***?");
        let conf = json!({ "spark_conf": {
            "spark.executor.memory": "open",
            "fs.azure.account.key.acme.dfs.core.windows.net": "c2VjcmV0",
            "spark.password": "hunter2hunter2",
            "javax.PASSWORD": "{{secrets/prod/db}}",
        } });
        assert_eq!(
            hidden("create_cluster", conf, "open hunter2hunter2 c2VjcmV0 {{secrets/prod/db}}"),
            "open *** *** {{secrets/prod/db}}"
        );
        let named = json!({ "parameters": [{ "name": "db_password", "value": "hunter2hunter2" }, { "name": "day", "value": "open" }] });
        assert_eq!(hidden("execute_sql", named.clone(), "open hunter2hunter2"), "open ***");
        let written = json!({ "parameters": named["parameters"].to_string() });
        assert_eq!(hidden("execute_sql", written, "open hunter2hunter2"), "open ***");
        for wrong in ["strin_value", "value", "bytes"] {
            let put = json!({ "scope": "prod-scope", wrong: "correct horse" });
            assert_eq!(hidden("put_secret", put, "prod-scope: correct horse"), "prod-scope: ***");
        }
        let search = json!({ "query": "run_notebook", "describe": true });
        assert_eq!(hidden("search_operations", search, "run_notebook"), "run_notebook");
        let call = json!({ "operation": "put_secret", "args": { "string_value": "correct horse" } });
        assert_eq!(hidden("call_write_operation", call, "put_secret: correct horse"), "put_secret: ***");
        assert_eq!(hidden("list_jobs", json!({ "page_token": "abcdefghij" }), "abcdefghij"), "abcdefghij");
    }
}
