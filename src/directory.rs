//! What a tool can learn of, and do with, the other tools and operations of this server: the interface that the tools
//! of the toolset `reach` use.

use std::fmt;
use std::future::Future;
use std::pin::Pin;

use serde_json::{Map, Value};

use crate::error::Error;
use crate::risk::Risk;

/// The outcome of a call.
pub type Called = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;

/// The tools and operations that this server knows.
pub trait Directory: fmt::Debug + Send + Sync {
    /// The full input schema of a tool or an operation as JSON text; `None` where the schema that is listed is complete.
    ///
    /// # Errors
    /// When nothing has that name.
    fn full_schema(&self, name: &str) -> Result<Option<&'static str>, Error>;

    /// The tools and operations that fit the words best, the best first, with their input schemas if `with_schema`.
    fn search(&self, words: &str, limit: usize, with_schema: bool) -> Vec<Value>;

    /// Operations of the API that are not exposed and that the words ask for, with the reasons.
    fn withheld(&self, words: &str) -> Vec<Value>;

    /// The tools that fit the words best, the best first, with their toolsets.
    fn tools(&self, words: &str, limit: usize) -> Vec<Value>;

    /// Enables the tools of a toolset for the rest of the session, and shows them.
    ///
    /// # Errors
    /// For an unknown name, and where this server allows no tool of it.
    fn enable(&self, toolset: &str) -> Result<Vec<Value>, Error>;

    /// Calls a tool or an operation whose risk is no greater than this, with the checks, the limits and the shape of
    /// the answer that it always has.
    fn call(&self, most: Risk, name: &str, arguments: Map<String, Value>) -> Called;
}

/// Knows nothing: for contexts outside of a call.
#[derive(Debug)]
pub(crate) struct Empty;

impl Directory for Empty {
    fn full_schema(&self, name: &str) -> Result<Option<&'static str>, Error> {
        Err(Error::failed(format!("no tool is named `{name}`")))
    }

    fn search(&self, _: &str, _: usize, _: bool) -> Vec<Value> {
        Vec::new()
    }

    fn withheld(&self, _: &str) -> Vec<Value> {
        Vec::new()
    }

    fn tools(&self, _: &str, _: usize) -> Vec<Value> {
        Vec::new()
    }

    fn enable(&self, toolset: &str) -> Result<Vec<Value>, Error> {
        Err(Error::failed(format!("no toolset is named `{toolset}`")))
    }

    fn call(&self, _: Risk, name: &str, _: Map<String, Value>) -> Called {
        let error = Error::failed(format!("no tool is named `{name}`"));
        Box::pin(async { Err(error) })
    }
}
