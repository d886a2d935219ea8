//! `dbutils`: widgets, secrets, values between tasks, and the end of a notebook.

use super::library::Arguments;
use super::run::{Failure, Script};
use super::value::Value;
use crate::areas::secrets;

pub(super) fn call(script: &mut Script<'_>, path: &str, arguments: &Arguments) -> Result<Value, Failure> {
    match path {
        "dbutils.widgets.text" => {
            let [name, default, _label] = arguments.of(["name", "defaultValue", "label"])?;
            let (name, default) = (text_of(script, name)?, text_of(script, default)?);
            script.names.widgets.entry(name).or_insert(default);
            Ok(Value::None)
        }
        "dbutils.widgets.dropdown" => {
            let [name, default, _choices, _label] = arguments.of(["name", "defaultValue", "choices", "label"])?;
            let (name, default) = (text_of(script, name)?, text_of(script, default)?);
            script.names.widgets.entry(name).or_insert(default);
            Ok(Value::None)
        }
        "dbutils.widgets.get" | "getArgument" => {
            let [name] = arguments.texts(["name"])?;
            let value = script.call.parameters.get(&name).or_else(|| script.names.widgets.get(&name));
            value.map(|value| Value::text(value)).ok_or_else(|| {
                Failure::raised("InputWidgetNotDefined", format!("No input widget named {name} is defined"))
            })
        }
        "dbutils.notebook.exit" => {
            let [value] = arguments.all(["value"])?;
            Err(Failure::Exit(value.to_text(&script.budget)?))
        }
        "dbutils.secrets.get" => {
            let [scope, key] = arguments.texts(["scope", "key"])?;
            // Whatever prints a secret prints this.
            match secrets::has(script.workspace, &scope, &key) {
                true => Ok(Value::text("[REDACTED]")),
                false => Err(Failure::raised(
                    "IllegalArgumentException",
                    format!("Secret does not exist with scope: {scope} and key: {key}"),
                )),
            }
        }
        "dbutils.jobs.taskValues.set" => {
            let [key, value] = arguments.all(["key", "value"])?;
            let json = value.to_task_value(&script.budget)?;
            let json = json.ok_or_else(|| Failure::refused(&format!("a {} as a task value", value.type_name())))?;
            script.ran.values.insert(key.to_text(&script.budget)?, json);
            Ok(Value::None)
        }
        "dbutils.jobs.taskValues.get" => {
            let [task, key, default, debug] = arguments.of(["taskKey", "key", "default", "debugValue"])?;
            let (task, key) = (text_of(script, task)?, text_of(script, key)?);
            let set = script.call.values.of_task(&task, &key).map(str::to_owned);
            script.spend(set.as_ref().map_or(0, String::len))?;
            let set = set.as_deref().map(Value::of_task_value);
            set.or(default).or(debug).ok_or_else(|| {
                Failure::raised("ValueError", format!("Task value with key {key} not found in task {task}"))
            })
        }
        _ => Err(Failure::refused(&format!("`{path}`"))),
    }
}

fn text_of(script: &Script<'_>, value: Option<Value>) -> Result<String, Failure> {
    Ok(value.unwrap_or_default().to_text(&script.budget)?)
}
