//! Calling any operation or tool by its name, within a risk.

use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::{Map, Value};

use crate::context::Context;
use crate::error::Error;
use crate::risk::Risk;

/// A call of an operation or a tool, as its arguments.
#[derive(Debug, Deserialize, JsonSchema)]
pub(crate) struct Call {
    /// Id of the operation, or name of the tool, from `search_operations`.
    operation: String,
    /// Its arguments as `search_operations` describes them, e.g. `{"limit": 5}`.
    #[serde(default)]
    #[schemars(with = "Object")]
    arguments: Map<String, Value>,
}

/// An object of which the schema says nothing more.
#[derive(JsonSchema)]
#[schemars(inline)]
struct Object {}

impl Call {
    /// Makes the call if its risk is no greater than this.
    pub(crate) async fn within(self, context: &Context, most: Risk) -> Result<Value, Error> {
        context.directory.call(most, &self.operation, self.arguments).await
    }
}
