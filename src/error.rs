//! What can go wrong in a call, in words that let the caller fix it.

use std::fmt;

use databricks::{Mask, without_tokens};
use serde_json::Value;

use crate::arguments::Fault;
use crate::controls;

/// Bytes of a message that are kept until it is shown.
const MOST_BYTES: usize = 16 << 10;
/// Errors end in advice, never in more text than this.
const MOST_CHARACTERS: usize = 2_000;

/// Why a call failed.
#[derive(Debug)]
pub struct Error {
    kind: Kind,
    context: Option<Box<str>>,
    hint: Option<String>,
    /// Whether the hint says already what became of the change.
    has_outcome: bool,
    /// Where there are several.
    workspace: Option<Box<str>>,
    /// Hides what the call and its client hold as secret.
    mask: Box<Mask>,
    /// What on this server refused the call.
    rule: Option<Box<str>>,
}

#[derive(Debug)]
enum Kind {
    Arguments(Box<BadArguments>),
    Api(Box<databricks::Error>),
    Failed(String),
    /// The workspace took the request, and its answer does not say what it did.
    Unclear(String),
    UnknownTool(String),
    UnknownResource(String),
    /// A person has to answer this question before the call is made.
    Question(String),
    /// A request of the protocol that asks for what is not there, or leaves out what it needs.
    BadRequest(String),
    BadCursor,
}

#[derive(Debug)]
struct BadArguments {
    tool: String,
    faults: Vec<Fault>,
    example: Value,
}

impl Error {
    /// The call cannot do what was asked; `message` says why.
    pub(crate) fn failed(message: impl Into<String>) -> Self {
        Kind::Failed(message.into()).into()
    }

    /// The workspace took the request, and its answer lacks what it exists for; `message` says what.
    pub(crate) fn unclear(message: impl Into<String>) -> Self {
        Kind::Unclear(message.into()).into()
    }

    pub(crate) fn arguments(tool: &str, faults: Vec<Fault>, example: Value) -> Self {
        Kind::Arguments(Box::new(BadArguments { tool: tool.to_owned(), faults, example })).into()
    }

    pub(crate) fn unknown_tool(message: impl Into<String>) -> Self {
        Kind::UnknownTool(message.into()).into()
    }

    pub(crate) fn unknown_resource(message: impl Into<String>) -> Self {
        Kind::UnknownResource(message.into()).into()
    }

    /// The call needs the consent of a person, who is to be asked this.
    pub(crate) fn question(text: impl Into<String>) -> Self {
        Kind::Question(text.into()).into()
    }

    /// The request names what this server does not have, or lacks what it needs; `message` says what to do.
    pub(crate) fn bad_request(message: impl Into<String>) -> Self {
        Kind::BadRequest(message.into()).into()
    }

    /// A `page_token` argument that no answer gave.
    pub(crate) fn bad_page_token() -> Self {
        Self::failed("`page_token` was not issued by this server; start again without it")
    }

    /// A cursor of the protocol that no answer gave.
    pub(crate) fn bad_cursor() -> Self {
        Kind::BadCursor.into()
    }

    /// Adds advice where there is none yet.
    pub(crate) fn with_hint(mut self, hint: impl Into<String>) -> Self {
        self.hint.get_or_insert_with(|| hint.into());
        self
    }

    /// Adds a note to the advice.
    pub(crate) fn with_note(mut self, note: &str) -> Self {
        self.hint = self.hint().map(|hint| format!("{hint}; {note}"));
        self
    }

    /// Says first in the advice what became of the change, in place of what would be said of every tool.
    pub(crate) fn with_outcome(mut self, outcome: impl Into<String>) -> Self {
        let outcome = outcome.into();
        self.hint = Some(match self.hint.take() {
            Some(hint) => format!("{outcome}; {hint}"),
            None => outcome,
        });
        self.has_outcome = true;
        self
    }

    /// Says that the work changes nothing, so that nobody has to look what became of it.
    pub(crate) fn without_effect(mut self) -> Self {
        self.has_outcome = true;
        self
    }

    /// Says in which of several workspaces it happened.
    pub(crate) fn in_workspace(mut self, name: impl Into<String>) -> Self {
        self.workspace.get_or_insert_with(|| name.into().into());
        self
    }

    /// Hides secrets in the text of the error, whoever quoted them.
    pub(crate) fn masked(mut self, mask: &Mask) -> Self {
        self.mask = Box::new(self.mask.and(mask));
        self
    }

    /// Says which rule of this server refused the call.
    pub(crate) fn refused_by(mut self, rule: impl Into<String>) -> Self {
        self.rule.get_or_insert_with(|| rule.into().into());
        self
    }

    /// The rule of this server that refused the call, where one did.
    pub(crate) fn rule(&self) -> Option<&str> {
        self.rule.as_deref()
    }

    /// What kind of error it is, for records.
    pub(crate) fn kind(&self) -> &str {
        match &self.kind {
            Kind::Arguments(_) => "arguments",
            Kind::Api(error) => error.error_code().unwrap_or_else(|| {
                if error.is_timeout() {
                    "timeout"
                } else if error.is_unreachable() {
                    "unreachable"
                } else if error.is_unauthenticated() {
                    "unauthenticated"
                } else if error.is_configuration() {
                    "configuration"
                } else if error.is_bad_request() {
                    "bad request"
                } else {
                    "api"
                }
            }),
            Kind::Failed(_) => "failed",
            Kind::Unclear(_) => "unclear",
            Kind::Question(_) => "question",
            Kind::UnknownTool(_) => "unknown tool",
            Kind::UnknownResource(_) => "unknown resource",
            Kind::BadRequest(_) => "bad request",
            Kind::BadCursor => "bad cursor",
        }
    }

    /// Says first what the call had done before it failed, so that nothing it started is lost.
    pub(crate) fn after(mut self, done: impl Into<String>) -> Self {
        self.context.get_or_insert_with(|| done.into().into());
        self
    }

    /// The API's own error, if it answered with one.
    pub fn api(&self) -> Option<&databricks::Error> {
        match &self.kind {
            Kind::Api(error) => Some(error),
            _ => None,
        }
    }

    /// The question that a person is to be asked, without the secrets of the call.
    pub(crate) fn asks(&self) -> Option<String> {
        match &self.kind {
            Kind::Question(text) => Some(without_tokens(&self.mask.text(text)).into_owned()),
            _ => None,
        }
    }

    /// Whether the request itself was malformed: an unknown tool or cursor. Everything else is the result
    /// of a call.
    pub fn is_protocol_error(&self) -> bool {
        matches!(self.kind, Kind::UnknownTool(_) | Kind::UnknownResource(_) | Kind::BadRequest(_) | Kind::BadCursor)
    }

    /// Whether it is still to be said that the workspace may have changed something although no success was answered.
    pub(crate) fn may_have_happened(&self) -> bool {
        self.leaves_open() && !self.has_outcome
    }

    /// Whether the workspace may have changed something although no success was answered.
    pub(crate) fn leaves_open(&self) -> bool {
        match &self.kind {
            Kind::Api(error) => error.may_have_happened(),
            Kind::Unclear(_) => true,
            Kind::Arguments(_)
            | Kind::Failed(_)
            | Kind::Question(_)
            | Kind::UnknownTool(_)
            | Kind::UnknownResource(_)
            | Kind::BadRequest(_)
            | Kind::BadCursor => false,
        }
    }

    /// Whether a resource does not exist.
    pub fn is_not_found(&self) -> bool {
        match &self.kind {
            Kind::UnknownResource(_) => true,
            Kind::Api(error) => error.is_not_found(),
            _ => false,
        }
    }
}

impl From<Kind> for Error {
    fn from(mut kind: Kind) -> Self {
        if let Kind::Failed(text)
        | Kind::Unclear(text)
        | Kind::UnknownTool(text)
        | Kind::UnknownResource(text)
        | Kind::BadRequest(text) = &mut kind
        {
            // Whatever it repeats of the call: hiding secrets takes time that grows with the text, and a part that is cut
            // off here is far behind what is shown.
            text.truncate(text.floor_char_boundary(MOST_BYTES));
        }
        Self { kind, context: None, hint: None, has_outcome: false, workspace: None, mask: Box::default(), rule: None }
    }
}

impl From<databricks::Error> for Error {
    fn from(error: databricks::Error) -> Self {
        Kind::Api(Box::new(error)).into()
    }
}

impl Error {
    /// What the caller can do about it.
    pub(crate) fn hint(&self) -> Option<&str> {
        self.hint.as_deref().or_else(|| self.api().and_then(databricks::Error::hint))
    }

    /// What went wrong, without advice.
    pub(crate) fn message(&self) -> String {
        match &self.kind {
            Kind::Arguments(bad) => {
                let BadArguments { tool, faults, example } = bad.as_ref();
                let faults: Vec<_> =
                    faults.iter().map(|fault| format!("\n  `{}`: {}", fault.path, fault.message)).collect();
                let problems = if faults.len() == 1 { "a problem" } else { "problems" };
                format!("cannot call `{tool}`: {problems} with its arguments{}\nvalid: {example}", faults.join(""))
            }
            Kind::Api(error) => error.to_string(),
            Kind::Failed(message)
            | Kind::Unclear(message)
            | Kind::UnknownTool(message)
            | Kind::UnknownResource(message)
            | Kind::BadRequest(message) => message.clone(),
            Kind::Question(_) => "a person has to confirm this call first; nothing was sent".to_owned(),
            Kind::BadCursor => "`cursor` was not issued by this server; start again without it".to_owned(),
        }
    }
}

impl fmt::Display for Error {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut text = self.message();
        if let Some(context) = &self.context {
            text = format!("{context}: {text}");
        }
        let hint = self.hint().map(|hint| format!("\nhint: {hint}")).unwrap_or_default();
        let workspace = self.workspace.as_ref().map(|name| format!("\nworkspace: `{name}`")).unwrap_or_default();
        let (text, hint) = (self.mask.text(&text), self.mask.text(&format!("{workspace}{hint}")).into_owned());
        let mut text = text.into_owned();
        let room = MOST_CHARACTERS.saturating_sub(hint.chars().count());
        if text.chars().count() > room {
            text = text.chars().take(room.saturating_sub(1)).collect();
            text.push('…');
        }
        // What a workspace answers stands in it, and names that the caller wrote.
        formatter.write_str(&without_tokens(&controls::stripped(&format!("{text}{hint}"))))
    }
}

impl std::error::Error for Error {}
