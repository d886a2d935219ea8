//! Who calls over HTTP, and what they may do.

use std::sync::Arc;

use databricks::Secret;

use crate::error::Error;
use crate::registry::Narrowing;
use crate::risk::Risk;

/// Somebody who has proved who they are.
#[derive(Debug, Clone)]
pub(crate) struct Principal {
    /// Who it is, unlike anybody else: the mode, and a name that is unique in it.
    pub(crate) id: Arc<str>,
    /// For records: `None` where nobody is asked who calls.
    pub(crate) name: Option<Arc<str>>,
    /// What they may do.
    pub(crate) grant: Grant,
    /// What they proved it with, where the workspace is called by means of it.
    pub(crate) token: Option<Secret>,
}

/// What somebody may do.
#[derive(Debug, Clone)]
pub(crate) struct Grant {
    /// The tools that are left, after each of these.
    pub(crate) narrowings: Vec<Narrowing>,
    /// The highest risk of a tool that may be called.
    pub(crate) ceiling: Risk,
    /// The highest that they can get by proving more than they did.
    pub(crate) attainable: Risk,
}

impl Grant {
    /// What these limits leave of it.
    #[must_use]
    pub(crate) fn within(mut self, narrowing: Narrowing, ceiling: Risk) -> Self {
        if !narrowing.is_none() {
            self.narrowings.push(narrowing);
        }
        self.ceiling = self.ceiling.min(ceiling);
        self.attainable = self.attainable.min(ceiling);
        self
    }
}

impl Default for Grant {
    fn default() -> Self {
        Self { narrowings: Vec::new(), ceiling: Risk::Destructive, attainable: Risk::Destructive }
    }
}

/// Why a request is not taken from whoever sends it.
#[derive(Debug)]
pub(crate) enum Denied {
    /// They have not proved who they are: what is wrong, and the challenge that says how to do it.
    Unauthorized { reason: String, challenge: String },
    /// It is known who they are, and they may not do this.
    Forbidden { reason: String, challenge: Option<String> },
    /// It cannot be found out at the moment.
    Unavailable(String),
}

impl From<Error> for Denied {
    fn from(error: Error) -> Self {
        Self::Unavailable(error.to_string())
    }
}
