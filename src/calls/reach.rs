//! Calls of tools and operations by other tools: the directory that the toolset `reach` works through.

use std::sync::Arc;

use serde_json::{Map, Value, json};

use super::{checked, run, secrets};
use crate::context::Context;
use crate::directory::{Called, Directory};
use crate::error::Error;
use crate::registry::{Registry, Tool};
use crate::risk::Risk;

/// The tool of a risk that calls operations of that risk.
fn executor(risk: Risk) -> &'static str {
    match risk {
        Risk::Read => "call_read_operation",
        Risk::Write => "call_write_operation",
        Risk::Destructive => "call_destructive_operation",
    }
}

/// The tools and operations of a server, called in one workspace.
#[derive(Debug)]
pub(super) struct Reach {
    pub(super) registry: Arc<Registry>,
    pub(super) context: Context,
}

impl Reach {
    fn shown(&self, tool: &Tool, with_schema: bool) -> Value {
        let name = tool.definition.name;
        let call_with = if self.registry.tool(name).is_ok() { name } else { executor(tool.risk) };
        let mut shown = json!({
            "operation": name, "risk": tool.risk.name(), "summary": tool.definition.description, "call_with": call_with,
        });
        if with_schema && let Some(fields) = shown.as_object_mut() {
            fields.insert("arguments".to_owned(), Value::Object(tool.shown_schema.as_ref().clone()));
        }
        shown
    }
}

impl Directory for Reach {
    fn full_schema(&self, name: &str) -> Result<Option<&'static str>, Error> {
        Registry::full_schema(name)
    }

    fn search(&self, words: &str, limit: usize, with_schema: bool) -> Vec<Value> {
        let found = self.registry.search(words, self.context.policy);
        found.take(limit).map(|tool| self.shown(&tool, with_schema)).collect()
    }

    fn call(&self, most: Risk, name: &str, arguments: Map<String, Value>) -> Called {
        let (registry, context) = (self.registry.clone(), self.context.clone());
        let name = name.to_owned();
        Box::pin(async move {
            let tool = registry.reach(&name, context.policy)?;
            if tool.risk > most {
                let (called, risk, executor) = (tool.definition.name, tool.risk.name(), executor(tool.risk));
                let error = Error::failed(format!("the risk of `{called}` is `{risk}`"));
                return Err(error.with_hint(format!("call it with `{executor}`")).refused_by("risk of the executor"));
            }
            let mask = secrets::mask(tool.definition, &arguments);
            match checked(&tool, arguments) {
                // It hides the secrets of its errors itself.
                Ok(arguments) => run(&registry, &context, &tool, arguments, &mask).await,
                Err(error) => Err(error.masked(&mask)),
            }
        })
    }
}
