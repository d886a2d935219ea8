//! What calls may do: the one place that decides. The registry asks it which tools there are, a call what its tool can do,
//! and tools that can do more than read ask it themselves.

use crate::error::Error;
use crate::risk::Risk;

/// The rule that refuses what is more than reading, for records.
pub(crate) const READ_ONLY: &str = "read-only";

/// What calls may do in a workspace, or on a server.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Policy {
    /// Nothing but reading is allowed.
    pub read_only: bool,
    /// SQL that may only read must not call functions that people made.
    pub no_user_functions: bool,
    /// What would change something is shown and not sent.
    pub dry_run: bool,
}

impl Policy {
    /// A policy that forbids what either of two forbids.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            read_only: self.read_only || other.read_only,
            no_user_functions: self.no_user_functions || other.no_user_functions,
            dry_run: self.dry_run || other.dry_run,
        }
    }

    /// Whether a tool of this risk may be called. Where only reading is allowed, `guards_itself` says that it refuses by
    /// itself whatever does more.
    pub(crate) fn allows(self, risk: Risk, guards_itself: bool) -> bool {
        !self.read_only || risk == Risk::Read || guards_itself
    }

    /// What a call of such a tool can do.
    pub(crate) fn risk(self, risk: Risk, guards_itself: bool) -> Risk {
        if self.read_only && guards_itself { Risk::Read } else { risk }
    }

    /// Refuses what writes, by `what` it does, where only reading is allowed.
    pub(crate) fn check_write(self, what: &str) -> Result<(), Error> {
        if self.read_only {
            return Err(
                Error::failed(format!("{what}, and this workspace is read-only on this server")).refused_by(READ_ONLY)
            );
        }
        Ok(())
    }
}
