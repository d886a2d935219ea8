//! What calls may do: the only place that decides. The registry asks it which tools there are, a call what its tool can
//! do, its watch what each of its requests may do, and tools that can do more than read ask it themselves.

mod file;
mod limits;
pub(crate) mod listed;
pub(crate) mod objects;
pub(crate) mod pattern;
pub(crate) mod rules;

use std::path::Path;

pub(crate) use file::Known;
use limits::Limits;
use pattern::{Kind, Object};
use rules::{Act, Decision, Effect, Rules};

use crate::digest::Sha256Hex;
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

/// The rules and limits of a file.
#[derive(Debug)]
pub struct PolicyFile {
    path: String,
    digest: String,
    rules: Rules,
    limits: Limits,
}

impl PolicyFile {
    /// Reads a policy.
    ///
    /// # Errors
    /// When it cannot be read or understood; the error names the line.
    pub(crate) fn load(path: &Path, known: &Known) -> Result<Self, Error> {
        let (rules, limits, text) = file::load(path, known)?;
        let mut digest = Sha256Hex::default();
        digest.add(text.as_bytes());
        Ok(Self { path: path.display().to_string(), digest: digest.finish(), rules, limits })
    }

    /// The SHA-256 of the file.
    pub(crate) fn digest(&self) -> &str {
        &self.digest
    }

    /// Which file it is, for people and records.
    pub(crate) fn summary(&self) -> String {
        let digest = self.digest.get(..16).unwrap_or(&self.digest);
        format!("`{}` (rules: {}, SHA-256 {digest}…)", self.path, self.rules.rules.len())
    }

    pub(crate) fn rules(&self) -> &Rules {
        &self.rules
    }

    /// Refuses a call that the rules allow in no case, and gives the rule that lets it begin.
    pub(crate) fn check_call(&self, act: Act<'_>, calls_others: bool) -> Result<String, Error> {
        let decision = self.rules.of_call(act);
        // What an executor calls is decided by itself.
        let is_default = decision.rule == rules::DEFAULT;
        match decision {
            Decision { effect: Effect::Deny, rule } if !(calls_others && is_default) => {
                let name = if act.tool.is_empty() { act.operation.unwrap_or_default() } else { act.tool };
                Err(Error::failed(refusal(&format!("`{name}`"), &rule))
                    .with_hint("nothing was sent; whoever runs this server sets its policy")
                    .refused_by(format!("policy: {rule}")))
            }
            Decision { rule, .. } => Ok(rule),
        }
    }

    /// Whether an object may be named to somebody who may read it: by the rules for a request of this operation on it.
    pub(crate) fn shows(&self, act: Act<'_>, kind: Kind, name: &str) -> bool {
        if !self.rules.asks_about(kind) {
            return true;
        }
        // What has no clear name cannot be allowed.
        let Some(object) = Object::new(kind, name) else { return false };
        self.rules.of_object(act, &object).effect == Effect::Allow
    }

    /// Why the limits refuse the compute that a request asks for.
    pub(crate) fn compute_refusal(&self, operation: &str, risk: Risk, body: &serde_json::Value) -> Option<String> {
        self.limits.refusal(operation, risk, body)
    }

    /// The most rows that a statement may give, of those that are asked for.
    pub(crate) fn rows(&self, asked: Option<i64>) -> Option<i64> {
        let most = self.limits.rows.map(|rows| i64::try_from(rows).unwrap_or(i64::MAX));
        match (asked, most) {
            (Some(asked), Some(most)) => Some(asked.min(most)),
            (asked, most) => asked.or(most),
        }
    }

    /// The most bytes of an answer of the workspace.
    pub(crate) fn answer_bytes(&self) -> Option<usize> {
        let most = self.limits.answer_bytes?;
        Some(usize::try_from(most).unwrap_or(usize::MAX))
    }
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
                Error::failed(format!("{what}, but this workspace is read-only on this server")).refused_by(READ_ONLY)
            );
        }
        Ok(())
    }
}

/// What is said where a rule refuses something.
pub(crate) fn refusal(what: &str, rule: &str) -> String {
    format!("the policy of this server does not allow {what} (`{rule}`)")
}
