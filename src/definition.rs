//! The types of the generated definitions: what `build.rs` writes for each entry of the allowlist.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use databricks::{Location, Operation};
use serde_json::{Map, Value, json};

use crate::context::Context;
use crate::error::Error;
use crate::handover::Stage;
use crate::policy::Policy;

pub use crate::completes::Completes;
pub use crate::confirm::Confirm;
pub use crate::risk::Risk;

/// A named group of tools.
#[derive(Debug)]
pub struct ToolsetDefinition {
    /// Name for `--toolsets`.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Whether it is part of the default profile.
    pub default: bool,
}

/// Toolsets that go together, under one name.
#[derive(Debug)]
pub struct PresetDefinition {
    /// Name for `--toolsets`.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// One sentence.
    pub description: &'static str,
    /// Names of its toolsets.
    pub toolsets: &'static [&'static str],
    /// Names of single tools of other toolsets.
    pub tools: &'static [&'static str],
    /// Only the tools of these that read.
    pub only_reads: bool,
}

/// One tool as decided in the allowlist.
#[derive(Debug)]
pub struct ToolDefinition {
    /// Name that clients call.
    pub name: &'static str,
    /// Names that it had before: calls and selections may go on using them, and no list shows them.
    pub aliases: &'static [&'static str],
    /// Words that people use for it, which only the search reads.
    pub keywords: &'static str,
    /// Toolset it belongs to.
    pub toolset: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What a model reads.
    pub description: &'static str,
    /// What a call can do.
    pub risk: Risk,
    /// Whether a second equal call changes nothing more.
    pub idempotent: bool,
    /// Whether it deals with anything beyond this server, such as the workspace.
    pub open_world: bool,
    /// Whether the tool stays where only reading is allowed, as it refuses by itself whatever does more.
    pub guarded: bool,
    /// When a person is asked before a call changes something; `None` where the risk decides.
    pub confirm: Option<Confirm>,
    /// Other names of its arguments, which calls may use and no schema shows: other name and name.
    pub argument_aliases: &'static [(&'static str, &'static str)],
    /// What shows whether it did its work, for a tool that changes something.
    pub verify: Option<Verify>,
    /// The operations that it may call.
    pub uses: &'static [&'static Operation],
    /// What a call does.
    pub action: Action,
}

impl ToolDefinition {
    /// The arguments of which a call gives one, and no more.
    pub(crate) fn one_of(&self) -> &'static [&'static str] {
        match self.action {
            Action::Composite(composite) => composite.one_of,
            Action::Operation(_) => &[],
        }
    }

    /// What can be done with its work once a call has ended.
    pub(crate) fn work(&self) -> Option<&'static Work> {
        match self.action {
            Action::Composite(composite) => composite.work,
            Action::Operation(_) => None,
        }
    }

    /// Whether the tool refuses by itself whatever does more than read, where only reading is allowed: the allowlist and
    /// the code must both say so.
    pub(crate) fn guards_itself(&self) -> bool {
        matches!(self.action, Action::Composite(composite) if self.guarded && composite.guard.is_some())
    }

    /// Whether it may be called under a policy.
    pub(crate) fn is_allowed(&self, policy: Policy) -> bool {
        policy.allows(self.risk, self.guards_itself())
    }

    /// What a call can do under a policy.
    pub(crate) fn risk_under(&self, policy: Policy) -> Risk {
        policy.risk(self.risk, self.guards_itself())
    }
}

/// What shows whether a tool did its work, where its answer is lost.
#[derive(Debug)]
pub struct Verify {
    /// The tool that shows it to the caller.
    pub tool: Option<&'static str>,
    /// What to say besides, or where no tool shows it.
    pub note: Option<&'static str>,
    /// The read by which this server looks itself.
    pub look: Option<Look>,
}

/// A read that shows whether a tool did its work.
#[derive(Debug)]
pub struct Look {
    /// The operation, a `GET`.
    pub operation: &'static Operation,
    /// Where values go, and templates of the call's arguments (`{catalog_name}.{schema_name}`).
    pub bind: &'static [(Location, &'static str, &'static str)],
    /// The field that holds the items of a list; `None` where the answer is the object itself.
    pub items: Option<&'static str>,
    /// Fields of an item, and the arguments that they equal.
    pub matches: &'static [(&'static str, &'static str)],
    /// The object is gone when the work is done.
    pub removes: bool,
    /// Fields and their values by which a removed object that can still be read is known.
    pub gone: &'static [(&'static str, &'static str)],
    /// The field that tells when the object was made or changed.
    pub created: Option<&'static str>,
    /// Fields that the caller is told.
    pub show: &'static [&'static str],
}

/// What a call does.
#[derive(Debug)]
pub enum Action {
    /// Calls one operation of the API.
    Operation(&'static OperationTool),
    /// Runs a function of `src/tools/`.
    Composite(&'static Composite),
}

/// What a composite's function gives back.
pub(crate) type Answer = Pin<Box<dyn Future<Output = Result<Value, Error>> + Send>>;

/// Refuses arguments with which a call of a tool that guards itself does more than read.
pub(crate) type Guard = fn(Policy, Map<String, Value>) -> Pin<Box<dyn Future<Output = Result<(), Error>> + Send>>;

/// A tool written by hand.
#[derive(Debug)]
pub struct Composite {
    /// The schema of its input.
    pub(crate) schema: fn() -> Value,
    /// What tells calls that do no more than read from others, for one that asks the policy and refuses the others by itself.
    pub(crate) guard: Option<Guard>,
    /// The arguments of which a call gives one, and no more.
    pub(crate) one_of: &'static [&'static str],
    /// What can be done with its work once the call has ended.
    pub(crate) work: Option<&'static Work>,
    /// Runs it with checked arguments.
    pub(crate) run: Act,
}

/// Does something with arguments or a handle.
type Act = fn(Context, Map<String, Value>) -> Answer;

/// What can be done with work that a call has left, with nothing but its handle.
#[derive(Debug)]
pub(crate) struct Work {
    /// Sees how it stands, and answers as the call would, had it waited until now. Work that goes on is left again.
    pub(crate) look: Act,
    /// Ends it; `None` where it is not the caller's to end, or cannot be ended.
    pub(crate) cancel: Option<Act>,
}

impl Composite {
    /// Does what the call is for.
    pub(crate) fn answer(&self, context: Context, arguments: Map<String, Value>) -> Answer {
        match (context.handover.stage, self.work) {
            (Stage::Look, Some(work)) => (work.look)(context, arguments),
            (Stage::Cancel, Some(Work { cancel: Some(cancel), .. })) => cancel(context.ahead(), arguments),
            (Stage::Look | Stage::Cancel, _) => Box::pin(async { Err(Error::failed("it has no work to go on with")) }),
            (Stage::Call, _) => (self.run)(context, arguments),
        }
    }
}

/// How a plain tool calls its operation.
#[derive(Debug)]
pub struct OperationTool {
    /// The operation.
    pub operation: &'static Operation,
    /// JSON text of the input schema.
    pub input_schema: &'static str,
    /// JSON text of the unbounded schemas of the arguments that the input schema bounds.
    pub full_schema: Option<&'static str>,
    /// The fields of which a success has at least one. Empty where it has nothing to tell, or may have any fields.
    pub told: &'static [&'static str],
    /// What is sent.
    pub arguments: &'static [Argument],
    /// What comes back.
    pub result: Shape,
    /// The argument that says how many items a list returns.
    pub limit: Option<Limit>,
    /// Arguments that choose among the items of a list.
    pub filters: &'static [Filter],
    /// The tool that sets what the operation takes and this tool does not.
    pub elsewhere: Option<&'static str>,
    /// How long an answer may be kept; `None` where it shows a state that somebody may wait for.
    pub cache: Option<Duration>,
    /// How the items of a list become resources.
    pub lists: Option<Lists>,
}

/// How many items a list returns, on as many pages of the service as that takes.
#[derive(Debug)]
pub struct Limit {
    /// Name for the caller.
    pub name: &'static str,
    /// Name of the page size on the wire.
    pub wire: &'static str,
    /// Where the page size goes.
    pub location: Location,
    /// How many items when the caller does not say.
    pub default: u64,
    /// The most that the service gives on one page.
    pub page_size: u64,
}

/// A switch for what the service cannot filter: it keeps the items whose field has one of the values.
#[derive(Debug)]
pub struct Filter {
    /// Name for the caller.
    pub name: &'static str,
    /// Dotted path in an item.
    pub field: &'static str,
    /// The values of the items that stay.
    pub values: &'static [&'static str],
}

/// One value that is sent.
#[derive(Debug)]
pub struct Argument {
    /// Name on the wire.
    pub wire: &'static str,
    /// Where it goes.
    pub location: Location,
    /// Where its value comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Debug)]
pub enum Source {
    /// From the caller.
    Caller {
        /// Name for the caller.
        name: &'static str,
        /// JSON text of the value sent when the caller gives none.
        default: Option<&'static str>,
        /// How the value is written on the wire.
        encoding: Encoding,
        /// Whether the value must not come back in any text.
        secret: bool,
    },
    /// Always this JSON text.
    Fixed(&'static str),
    /// A fresh UUID for each call.
    Uuid,
}

/// How the value of an argument is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As the caller gives it.
    Plain,
    /// Plain text, sent in base64.
    Base64,
    /// A time as text, sent in milliseconds since 1970.
    Time,
    /// An absolute path, sent without a final slash.
    Path,
    /// As a path; `dbfs:` before it is taken off.
    DbfsPath,
}

/// What a tool gives back.
#[derive(Debug)]
pub struct Shape {
    /// Response field that holds the list.
    pub items: Option<&'static str>,
    /// Dotted paths returned by default, through arrays too; empty = everything.
    pub keep: &'static [&'static str],
    /// Fields that arrive in base64 and are given as text.
    pub decode: &'static [&'static str],
}

/// How the items of a list become resources.
#[derive(Debug)]
pub struct Lists {
    /// Name of the resource template.
    pub resource: &'static str,
    /// URI variable and item field.
    pub bind: &'static [(&'static str, &'static str)],
    /// Item field that names the resource for people.
    pub title: Option<&'static str>,
}

/// A resource template.
#[derive(Debug)]
pub struct ResourceDefinition {
    /// Short name (`job`).
    pub name: &'static str,
    /// Toolset it belongs to.
    pub toolset: &'static str,
    /// URI template (`databricks://jobs/{job_id}`).
    pub uri: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What a model reads.
    pub description: &'static str,
    /// MIME type of what is read.
    pub mime_type: Option<&'static str>,
    /// The operation that reads it.
    pub operation: &'static Operation,
    /// URI variable and operation parameter.
    pub variables: &'static [(&'static str, &'static str)],
    /// Values that are always sent.
    pub fixed: &'static [Argument],
    /// How it is read.
    pub read: Read,
    /// How it is watched; `None` where nobody can subscribe to it.
    pub watch: Option<Watch>,
}

/// How a resource is watched.
#[derive(Debug)]
pub struct Watch {
    /// Dotted paths, through arrays too; when one of their values differs, the resource has changed.
    pub fields: &'static [&'static str],
    /// Fields and their values, one of which says that nothing more will change.
    pub over: &'static [(&'static str, &'static [&'static str])],
}

/// A prompt: what a person asks for often, with the tools that answer it.
#[derive(Debug)]
pub struct PromptDefinition {
    /// Name that clients ask for.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What a person reads.
    pub description: &'static str,
    /// What a person fills in.
    pub arguments: &'static [PromptArgument],
    /// The tools without which it is of no use.
    pub tools: &'static [&'static str],
    /// Tools that it names besides.
    pub optional: &'static [&'static str],
    /// What the model gets, in order.
    pub messages: &'static [PromptPart],
}

/// What a person fills in.
#[derive(Debug)]
pub struct PromptArgument {
    /// Name.
    pub name: &'static str,
    /// Name for people.
    pub title: &'static str,
    /// What a person reads.
    pub description: &'static str,
    /// A value as it may be.
    pub example: &'static str,
    /// Whether it must be given.
    pub required: bool,
    /// What stands in its place where none is given.
    pub default: Option<&'static str>,
    /// The most characters of a value.
    pub longest: usize,
    /// What its values are completed from.
    pub completes: Option<Completes>,
    /// Values that are offered, though others may be given.
    pub values: &'static [&'static str],
}

/// A part of what the model gets.
#[derive(Debug)]
pub enum PromptPart {
    /// A text with the slots of arguments.
    Text(&'static str),
    /// A resource as it is when the prompt is asked for.
    Embed {
        /// Name of the resource.
        resource: &'static str,
        /// URI variable and argument.
        with: &'static [(&'static str, &'static str)],
        /// What to do where it cannot be read.
        otherwise: &'static str,
    },
}

/// How a resource is read.
#[derive(Debug)]
pub enum Read {
    /// The operation's answer is the resource.
    Operation,
    /// A function of `src/resources/` makes the resource of the operation's answer.
    Function(&'static Reader),
}

/// What is read of a resource.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contents {
    /// MIME type of the text.
    pub mime_type: String,
    /// The text.
    pub text: String,
    /// What the budget left out of a text. A JSON document says so itself.
    pub rest: Option<Rest>,
}

/// The part of a text that was left out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rest {
    /// How many characters the whole text has.
    pub characters: usize,
    /// Where the rest begins.
    pub next_offset: usize,
    /// The URI that reads it.
    pub uri: String,
}

impl Rest {
    /// The notice that goes with the part that was read.
    pub fn notice(&self) -> Value {
        json!({
            "truncated": true, "characters": self.characters, "next_offset": self.next_offset,
            "hint": format!("read the rest with `{}`", self.uri),
        })
    }
}

/// A function that makes a resource of the operation's answer.
#[derive(Debug)]
pub struct Reader {
    pub(crate) read: fn(Value) -> Result<Contents, Error>,
}
