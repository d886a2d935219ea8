//! What the allowlist decides: each operation of the API as a tool, a resource, a part of a composite, or
//! excluded with a reason. Reading checks everything against the specs and collects every mistake.

use std::collections::BTreeMap;
use std::fmt;
use std::path::Path;

use serde_json::Value;

use crate::api::{Api, Location, Operation, Pagination};
pub use crate::confirm::Confirm;
use crate::nearest::did_you_mean;
pub use crate::risk::Risk;
use crate::yaml::{self, Position, Problem};

mod cross_checks;
mod operation;
mod prompts;
mod reachable;
mod read;
mod undocumented;
mod verify;
mod watch;

pub use prompts::{Prompt, PromptArgument, PromptMessage};
pub(crate) use verify::items;
pub use verify::{Look, Verify};
pub use watch::Watch;

/// The decisions of all toolset files.
#[derive(Debug, Clone, Default)]
pub struct Allowlist {
    /// Toolsets by name.
    pub toolsets: BTreeMap<String, Toolset>,
    /// Presets by name.
    pub presets: BTreeMap<String, Preset>,
    /// Tools by name.
    pub tools: BTreeMap<String, Tool>,
    /// Resource templates by name.
    pub resources: BTreeMap<String, Resource>,
    /// Prompts by name.
    pub prompts: BTreeMap<String, Prompt>,
    /// What was decided on each operation, by operation id.
    pub decisions: BTreeMap<String, Decision>,
    /// Operations that the specs lack, by operation id.
    pub undocumented: BTreeMap<String, Operation>,
    /// Digest of the entries of each file, by its stem. Comments and layout are no part of it.
    pub entries: BTreeMap<String, String>,
}

/// A named group of tools: one file of the allowlist.
#[derive(Debug, Clone)]
pub struct Toolset {
    /// The file's stem.
    pub name: String,
    /// Name for people.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// Whether it is part of the default profile.
    pub default: bool,
    /// Who decided that, and why.
    pub decided: Option<Decided>,
}

/// Toolsets that go together, under one name.
#[derive(Debug, Clone)]
pub struct Preset {
    /// Name for people.
    pub title: String,
    /// One sentence.
    pub description: String,
    /// Names of its toolsets.
    pub toolsets: Vec<String>,
    /// Names of single tools of other toolsets.
    pub tools: Vec<String>,
    /// Only the tools of these that read.
    pub only_reads: bool,
}

/// Who decided to expose more or to lower a risk, why and when: what a reviewer of the change looks for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decided {
    /// A person or a role.
    pub by: String,
    /// One sentence.
    pub why: String,
    /// `YYYY-MM-DD`.
    pub date: String,
}

/// What was decided on an operation.
#[derive(Debug, Clone)]
pub struct Decision {
    /// Where it was decided.
    pub position: Position,
    /// The toolset it was decided in.
    pub toolset: String,
    /// Why it is not exposed; `None` where it is.
    pub excluded: Option<String>,
    /// The tool that calls it directly.
    pub tool: Option<String>,
    /// The resource that reads it.
    pub resource: Option<String>,
    /// The composites that call it.
    pub used_by: Vec<String>,
    /// Whether its answer and body get types.
    pub typed: bool,
    /// How it is called where no tool is made for it.
    pub reachable: Option<Reachable>,
    /// Why it only reads, although its name or method says otherwise.
    pub because: Option<String>,
    /// Who decided on it last, and why.
    pub decided: Option<Decided>,
}

/// How an operation is called that has no tool of its own: through the executors, one for each risk.
#[derive(Debug, Clone)]
pub struct Reachable {
    /// What a call can do.
    pub risk: Risk,
    /// One sentence: what a call does.
    pub summary: String,
    /// When a person is asked before a call; `None` where the risk decides.
    pub confirm: Option<Confirm>,
    /// What is sent, and what comes back: everything that the specs say.
    pub call: OperationTool,
}

impl Decision {
    /// Whether a tool, a resource, a composite or an executor calls it.
    pub fn is_exposed(&self) -> bool {
        self.reachable.is_some() || self.tool.is_some() || self.resource.is_some() || !self.used_by.is_empty()
    }
}

/// One tool.
#[derive(Debug, Clone)]
pub struct Tool {
    /// Name that clients call.
    pub name: String,
    /// Names that it had before, which clients may go on calling.
    pub aliases: Vec<String>,
    /// Where it is decided.
    pub position: Position,
    /// Toolset it belongs to.
    pub toolset: String,
    /// Name for people.
    pub title: String,
    /// What a model reads.
    pub description: String,
    /// Words that people use for it, which only the search reads.
    pub keywords: String,
    /// What a call can do.
    pub risk: Risk,
    /// Whether a second equal call changes nothing more.
    pub idempotent: bool,
    /// Whether it deals with anything beyond this server, such as the workspace.
    pub open_world: bool,
    /// A composite that, where only reading is allowed, refuses by itself whatever does more.
    pub guarded: bool,
    /// When a person is asked before a call changes something; `None` where the risk decides.
    pub confirm: Option<Confirm>,
    /// Other names of its arguments, which clients may use and no schema shows: other name to name.
    pub argument_aliases: BTreeMap<String, String>,
    /// What shows whether it did its work, for a tool that changes something.
    pub verify: Option<Verify>,
    /// Why it only reads, although the name or method of what it calls says otherwise.
    pub because: Option<String>,
    /// Who decided on it last, and why.
    pub decided: Option<Decided>,
    /// Ids of the operations that it may call, in order: the one of a plain tool, any number of a composite.
    pub uses: Vec<String>,
    /// The operation it calls; `None` for a composite, which is a Rust function of the tool's name.
    pub operation: Option<OperationTool>,
}

/// How a plain tool calls its operation.
#[derive(Debug, Clone)]
pub struct OperationTool {
    /// Operation id.
    pub id: String,
    /// What is sent, in the order of the allowlist.
    pub arguments: Vec<Argument>,
    /// What comes back.
    pub result: Shape,
    /// Arguments that choose among the items of a list, by name.
    pub filters: BTreeMap<String, Filter>,
    /// The tool that sets what the operation takes and this tool does not.
    pub elsewhere: Option<String>,
    /// How the items of a list become resources.
    pub lists: Option<Lists>,
    /// How many seconds an answer may be kept; `None` where it shows a state that somebody may wait for.
    pub cache: Option<u64>,
}

/// A switch for what the service cannot filter: it keeps the items whose field has one of the values.
#[derive(Debug, Clone)]
pub struct Filter {
    /// What a model reads.
    pub description: String,
    /// Dotted path in an item.
    pub field: String,
    /// The values of the items that stay.
    pub values: Vec<String>,
}

/// One value that a tool sends.
#[derive(Debug, Clone)]
pub struct Argument {
    /// Name on the wire.
    pub wire: String,
    /// Where it goes.
    pub location: Location,
    /// Where its value comes from.
    pub source: Source,
}

/// Where a value comes from.
#[derive(Debug, Clone)]
pub enum Source {
    /// From the caller.
    Caller(Box<Input>),
    /// From the allowlist.
    Fixed(Value),
    /// A fresh UUID for each call.
    Uuid,
}

/// An argument that the caller gives.
#[derive(Debug, Clone)]
pub struct Input {
    /// Name for the caller.
    pub name: String,
    /// What a model reads.
    pub description: String,
    /// Whether the caller must give it.
    pub required: bool,
    /// Sent when the caller gives none.
    pub default: Option<Value>,
    /// Bounds of a number.
    pub minimum: Option<i64>,
    /// Bounds of a number.
    pub maximum: Option<i64>,
    /// The texts allowed, where narrower than the API's.
    pub values: Option<Vec<String>>,
    /// An object or list passed on as it is, not spelled out in the schema.
    pub free_form: bool,
    /// How deep nested objects are spelled out.
    pub depth: usize,
    /// Whether the value must not come back in any text.
    pub secret: bool,
    /// How the value is written on the wire.
    pub encoding: Encoding,
    /// The argument says how many items a list returns; the service gives at most this many on one page.
    pub page_size: Option<u64>,
}

/// How the value of an argument is written on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Encoding {
    /// As the caller gives it.
    Plain,
    /// The caller gives plain text, sent in base64.
    Base64,
    /// The caller gives a time as text, sent in milliseconds since 1970.
    Time,
    /// The caller gives an absolute path, sent without a final slash.
    Path,
    /// As a path; `dbfs:` before it is taken off.
    DbfsPath,
}

impl Encoding {
    /// Every encoding that an entry can name.
    pub(crate) const NAMED: [(&str, Encoding); 4] = [
        ("base64", Encoding::Base64),
        ("time", Encoding::Time),
        ("path", Encoding::Path),
        ("dbfs_path", Encoding::DbfsPath),
    ];
}

/// What a tool or resource gives back.
#[derive(Debug, Clone, Default)]
pub struct Shape {
    /// Response field that holds the list.
    pub items: Option<String>,
    /// Dotted paths returned by default, through arrays too; empty = everything.
    pub keep: Vec<String>,
    /// Fields that arrive in base64 and are given as text.
    pub decode: Vec<String>,
    /// How the list is continued, where the specs do not say it.
    pub token: Option<Token>,
}

/// A cursor that the SDK leaves to its caller: a request parameter and a response field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Token {
    /// Request parameter of the cursor.
    pub request: String,
    /// Response field of the cursor.
    pub response: String,
}

/// How the items of a list become resources.
#[derive(Debug, Clone)]
pub struct Lists {
    /// Name of the resource template.
    pub resource: String,
    /// URI variable to item field.
    pub bind: BTreeMap<String, String>,
    /// Item field that names the resource for people.
    pub title: Option<String>,
}

/// A resource template.
#[derive(Debug, Clone)]
pub struct Resource {
    /// Short name (`job`).
    pub name: String,
    /// Where it is decided.
    pub position: Position,
    /// Toolset it belongs to.
    pub toolset: String,
    /// RFC 6570 template (`databricks://jobs/{job_id}`).
    pub uri: String,
    /// Name for people.
    pub title: String,
    /// What a model reads.
    pub description: String,
    /// MIME type of what is read.
    pub mime_type: Option<String>,
    /// Rust function that reads it instead of the plain operation.
    pub reader: Option<String>,
    /// Operation id.
    pub operation: String,
    /// URI variable to operation parameter.
    pub variables: Vec<(String, String)>,
    /// Values that are always sent.
    pub fixed: Vec<(String, Location, Value)>,
    /// How it is watched for those who subscribe to it; `None` where nobody can.
    pub watch: Option<Watch>,
}

/// Every mistake found in the allowlist, one line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problems(pub Vec<Problem>);

impl fmt::Display for Problems {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "the allowlist has {} mistake(s)", self.0.len())?;
        self.0.iter().try_for_each(|problem| write!(formatter, "\n  {problem}"))
    }
}

impl std::error::Error for Problems {}

impl Allowlist {
    /// Reads every toolset file of a directory and checks it against the API.
    pub fn load(directory: &Path, api: &Api) -> anyhow::Result<Self> {
        let mut files = files(directory, "")?;
        let prompts = directory.join(PROMPTS);
        if prompts.is_dir() {
            files.extend(self::files(&prompts, &format!("{PROMPTS}/"))?);
        }
        Ok(Self::parse(files.iter().map(|(stem, text)| (stem.as_str(), text.as_str())), api)?)
    }

    /// Parses toolset files and prompts: pairs of a file stem and YAML text. The stem of a prompt begins with its folder.
    pub fn parse<'a>(files: impl IntoIterator<Item = (&'a str, &'a str)>, api: &Api) -> Result<Self, Problems> {
        let mut reader = read::Reader::new(api);
        for (stem, text) in files {
            match yaml::parse(&format!("allowlist/{stem}.yaml"), text) {
                Ok(node) => reader.document(stem, node),
                Err(problem) => reader.problems.push(problem),
            }
        }
        reader.finish()
    }

    /// Checks that each composite has its Rust file (`<toolset>/<tool>`) and each resource reader its own, and that no other
    /// files are there.
    pub fn check_functions(&self, composites: &[String], readers: &[String]) -> Result<(), Problems> {
        let tools = self.tools.values().filter(|tool| tool.operation.is_none());
        let tools = tools.map(|tool| (format!("{}/{}", tool.toolset, tool.name), &tool.position));
        let resources =
            self.resources.values().filter_map(|resource| Some((resource.reader.clone()?, &resource.position)));
        let mut problems = Vec::new();
        for (kind, directory, expected, found) in [
            ("composite", "src/tools", tools.collect::<BTreeMap<_, _>>(), composites),
            ("reader", "src/readers", resources.collect(), readers),
        ] {
            for (name, position) in expected.iter().filter(|(name, _)| !found.contains(*name)) {
                let hint = did_you_mean(name, found.iter().map(String::as_str));
                problems.push(position.problem(format!("this {kind} has no file `{directory}/{name}.rs`{hint}")));
            }
            for name in found.iter().filter(|name| !expected.contains_key(*name)) {
                let hint = did_you_mean(name, expected.keys().map(String::as_str));
                let position = Position::start_of(format!("{directory}/{name}.rs"));
                problems.push(position.problem(format!("no {kind} of the allowlist is named `{name}`{hint}")));
            }
        }
        if problems.is_empty() { Ok(()) } else { Err(Problems(problems)) }
    }

    /// Ids of the operations that a tool or a resource calls through the operation table.
    pub fn table(&self) -> impl Iterator<Item = &str> {
        self.decisions.iter().filter(|(_, decision)| decision.excluded.is_none()).map(|(id, _)| id.as_str())
    }

    /// An operation of the specs, or one that they lack.
    pub fn operation<'a>(&'a self, api: &'a Api, id: &str) -> Option<&'a Operation> {
        api.operations.get(id).or_else(|| self.undocumented.get(id))
    }

    /// How an operation's list is continued: as the specs say, or else as its tool's entry does.
    pub fn pagination(&self, operation: &Operation) -> Option<Pagination> {
        let tool = self.decisions.get(&operation.id).and_then(|decision| self.tools.get(decision.tool.as_ref()?));
        let shape = tool.and_then(|tool| Some(&tool.operation.as_ref()?.result));
        let curated = shape.and_then(|shape| {
            let token = shape.token.as_ref()?;
            let location = operation.parameter(&token.request)?.location;
            Some(Pagination {
                style: "token".to_owned(),
                in_body: location == Location::Body,
                items: shape.items.clone(),
                request: Some(token.request.clone()),
                response: Some(token.response.clone()),
                start: 0,
                count: None,
            })
        });
        operation.pagination.clone().or(curated)
    }

    /// The tools that a preset gives: those of its toolsets and those that it names; where it only reads, those that read
    /// or guard themselves.
    pub fn tools_of(&self, preset: &Preset) -> impl Iterator<Item = &Tool> {
        let is_in = |tool: &&Tool| {
            let stays = !preset.only_reads || tool.risk == Risk::Read || tool.guarded;
            stays && (preset.toolsets.contains(&tool.toolset) || preset.tools.contains(&tool.name))
        };
        self.tools.values().filter(is_in)
    }

    /// Ids of the operations that composites and readers of resources call.
    pub fn used(&self) -> impl Iterator<Item = &str> {
        self.decisions.iter().filter(|(_, decision)| !decision.used_by.is_empty()).map(|(id, _)| id.as_str())
    }

    /// Ids of the operations whose answers and bodies get types.
    pub fn typed(&self) -> impl Iterator<Item = &str> {
        self.decisions.iter().filter(|(_, decision)| decision.typed).map(|(id, _)| id.as_str())
    }
}

/// The folder of the prompts, in the directory of the toolset files.
const PROMPTS: &str = "prompts";

/// The stems of the files of a directory, with what comes before them, and their texts.
fn files(directory: &Path, before: &str) -> anyhow::Result<Vec<(String, String)>> {
    use anyhow::Context;
    let entries = std::fs::read_dir(directory).with_context(|| format!("cannot read `{}`", directory.display()))?;
    let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<anyhow::Result<Vec<_>>>()?;
    let ends_in = |path: &Path, extension: &str| path.extension().is_some_and(|found| found == extension);
    if let Some(path) = paths.iter().find(|path| ends_in(path, "yml")) {
        anyhow::bail!("`{}` would not be read: files of the allowlist end in `.yaml`", path.display());
    }
    paths.retain(|path| ends_in(path, "yaml"));
    paths.sort();
    let mut files = Vec::new();
    for path in paths {
        let stem = path.file_stem().and_then(|stem| stem.to_str()).unwrap_or_default();
        let text = std::fs::read_to_string(&path).with_context(|| format!("cannot read `{}`", path.display()))?;
        files.push((format!("{before}{stem}"), text));
    }
    Ok(files)
}
