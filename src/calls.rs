//! One call of a tool, from raw arguments to the answer.

use serde_json::{Map, Value};

use crate::arguments;
use crate::context::Context;
use crate::definition::Action;
use crate::error::Error;
use crate::registry::Registry;
use crate::tools::plain;

/// Checks the arguments, runs the tool and adds to an error what the caller can do about it.
pub async fn call(
    registry: &Registry,
    context: &Context,
    name: &str,
    arguments: Map<String, Value>,
) -> Result<Value, Error> {
    let tool = registry.tool(name)?;
    let definition = tool.definition;
    let schema = Value::Object(tool.input_schema.as_ref().clone());
    let arguments = arguments::check(&schema, arguments)
        .map_err(|faults| Error::arguments(name, faults, arguments::example(&schema)))?;
    let given = arguments.clone();
    let answer = match definition.action {
        Action::Operation(plain) => plain::run(context, plain, definition.risk, arguments).await,
        Action::Composite(composite) => {
            let context = Context { read_only: context.read_only || registry.is_read_only(), ..context.clone() };
            (composite.run)(context, arguments).await
        }
    };
    answer.map_err(|error| match error.api() {
        Some(api) if api.is_not_found() => match registry.finders(tool, &given).as_slice() {
            [] => error,
            tools => error.with_hint(format!("see what exists with `{}`", tools.join("`, `"))),
        },
        Some(api) if api.is_permission_denied() => {
            error.with_hint("the identity of this server lacks the permission; ask the owner to grant it")
        }
        Some(api) if api.is_rate_limited() => {
            let after = api.retry_after().map_or(String::new(), |after| format!(" in {} s", after.as_secs().max(1)));
            error.with_hint(format!("the workspace limits the rate of requests; try again{after}"))
        }
        _ => error,
    })
}
