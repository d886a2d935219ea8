//! The risk classes of tools. The server compiles this file too, as it does not depend on the generator.

/// What a call can do; decided by a person, never derived from the HTTP method alone.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Risk {
    /// Changes nothing. It may wake a SQL warehouse to run a query, where the tool's description says so.
    Read,
    /// Adds or starts something, or changes what a call can change back.
    Write,
    /// Deletes or overwrites something, interrupts work that may be someone else's, or can do all of that.
    Destructive,
}

impl Risk {
    /// The word of the allowlist.
    pub fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Destructive => "destructive",
        }
    }
}
