//! Calls of tools and operations by other tools: the directory that the toolset `reach` uses.

use serde_json::{Map, Value, json};

use super::{Registries, checked, run, secrets};
use crate::context::Context;
use crate::definition::Action;
use crate::directory::{Called, Directory};
use crate::error::Error;
use crate::registry::{self, FULL_SCHEMA_TOOL, Registry, Tool, executor};
use crate::risk::Risk;

/// The tools and operations of a server, called in one workspace.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) registries: Registries,
    pub(super) context: Context,
}

impl Reach {
    fn shown(&self, tool: &Tool, with_schema: bool) -> Value {
        let name = tool.definition.name;
        let call_with = if self.registries.registry.tool(name).is_ok() { name } else { executor(tool.risk) };
        let mut shown = json!({
            "operation": name, "risk": tool.risk.name(), "summary": tool.definition.description, "call_with": call_with,
        });
        if let Action::Operation(plain) = tool.definition.action
            && plain.operation.is_of_account()
            && let Some(fields) = shown.as_object_mut()
        {
            fields.insert("needs".to_owned(), "an account: its host and id in the server's configuration".into());
        }
        if with_schema && let Some(fields) = shown.as_object_mut() {
            // Without the properties that stand in the lists of tools for those that only the API knows.
            fields.insert("arguments".to_owned(), Value::Object(tool.input_schema.as_ref().clone()));
            if registry::full_schema(tool.definition).is_some() {
                let way =
                    if self.registries.registry.has(FULL_SCHEMA_TOOL) { "" } else { ", through `call_read_operation`" };
                let note =
                    format!("nested objects are cut here: see all of them with `{FULL_SCHEMA_TOOL}` of `{name}`{way}");
                fields.insert("arguments_note".to_owned(), note.into());
            }
        }
        shown
    }
}

/// Says of what was found that it only shares a word with what was asked for.
fn mark(shown: &mut Value, fits: bool) {
    if !fits && let Some(fields) = shown.as_object_mut() {
        fields.insert("match".to_owned(), "weak".into());
    }
}

impl Directory for Reach {
    fn full_schema(&self, name: &str) -> Result<Option<&'static str>, Error> {
        Registry::full_schema(name)
    }

    fn search(&self, words: &str, limit: usize, with_schema: bool) -> Vec<Value> {
        let found = self.registries.registry.search(words, self.context.policy);
        let shown = found.take(limit).map(|(tool, fits)| {
            let mut shown = self.shown(&tool, with_schema);
            mark(&mut shown, fits);
            shown
        });
        shown.collect()
    }

    fn withheld(&self, words: &str) -> Vec<Value> {
        let withheld = Registry::withheld(words).into_iter();
        withheld.map(|(id, reason)| json!({ "operation": id, "reason": reason })).collect()
    }

    fn tools(&self, words: &str, limit: usize) -> Vec<Value> {
        let found = self.registries.registry.search_tools(words, self.context.policy);
        let shown = found.take(limit).map(|(tool, fits)| {
            let definition = tool.definition;
            let mut shown = json!({
                "tool": definition.name, "toolset": definition.toolset, "risk": tool.risk.name(),
                "is_enabled": self.registries.registry.has(definition.name), "description": definition.description,
            });
            mark(&mut shown, fits);
            shown
        });
        shown.collect()
    }

    fn enable(&self, toolset: &str) -> Result<Vec<Value>, Error> {
        let tools = self.registries.live.enable(toolset)?.into_iter();
        let shown = |tool: Tool| json!({ "tool": tool.definition.name, "risk": tool.risk.name(), "title": tool.definition.title });
        Ok(tools.map(shown).collect())
    }

    fn call(&self, most: Risk, name: &str, arguments: Map<String, Value>) -> Called {
        let (registries, context) = (self.registries.clone(), self.context.clone());
        let name = name.to_owned();
        Box::pin(async move {
            let tool = registries.registry.reach(&name, context.policy)?;
            if tool.risk > most {
                let (called, risk, executor) = (tool.definition.name, tool.risk.name(), executor(tool.risk));
                let error = Error::failed(format!("the risk of `{called}` is `{risk}`"));
                return Err(error.with_hint(format!("call it with `{executor}`")).refused_by("risk of the executor"));
            }
            let mask = secrets::mask(tool.definition, &arguments);
            match checked(&tool, arguments) {
                // It hides the secrets of its errors itself.
                Ok(arguments) => run(&registries, &context, &tool, arguments, &mask).await,
                Err(error) => Err(error.masked(&mask)),
            }
        })
    }
}
