//! When a person is asked before a tool changes something. The server compiles this file too, as it does not depend on the
//! generator.

/// What the allowlist says of a tool. Where it says nothing, the risk decides, together with `--confirm`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Confirm {
    /// Nobody is asked.
    Never,
    /// A person is asked before a statement that destroys something.
    SqlWrites,
    /// A person is asked; where nobody can be, the call is refused.
    Always,
}

impl Confirm {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Never, Self::SqlWrites, Self::Always];

    /// The word of the allowlist.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::SqlWrites => "sql_writes",
            Self::Always => "always",
        }
    }
}
