//! The tools and resources of this server, after `--toolsets`, `--tools`, `--exclude-tools` and
//! `--read-only`. Listing, dispatch, resources, documentation and snapshots all read this one value.

mod callable;
mod finders;
mod live;
mod narrow;
mod prompts;
mod search;

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::{Arc, OnceLock};

use serde_json::{Map, Value};

use crate::arguments;
use crate::definition::{
    Action, Lists, OperationTool, PresetDefinition, ResourceDefinition, Risk, ToolDefinition, ToolsetDefinition,
};
use crate::error::Error;
use crate::examples;
use crate::generated::{EXCLUDED, PRESETS, REACHABLE, RESOURCES, TOOLS, TOOLSETS};
use crate::nearest::{did_you_mean, shortened};
use crate::operation;
use crate::policy::{Known, Policy, PolicyFile, READ_ONLY};
use crate::workspaces::{self, Access};

pub(crate) use callable::executor;
use live::ENABLING_TOOL;
pub use live::LiveRegistry;
pub(crate) use narrow::Narrowing;

/// How alike a name is that differs by a slip of the pen; 1 is equal.
const SLIP: f64 = 0.94;
/// What the name of a tool that only reads begins with: whoever begins one so means none that changes something.
const READING: [&str; 9] = ["describe", "fetch", "find", "get", "list", "read", "search", "show", "view"];
/// The toolsets whose tools find, enable and call others.
const ABOUT_TOOLS: [&str; 2] = ["discovery", "reach"];
/// The tool that shows what the bounded schemas of others leave out; it comes with them.
pub(crate) const FULL_SCHEMA_TOOL: &str = "get_input_schema";

/// Which tools to enable.
#[derive(Debug, Clone, Default)]
pub struct Selection {
    /// Names of toolsets or presets, `default` or `all`; empty = `default`, unless `tools` names some.
    pub toolsets: Vec<String>,
    /// Tools to enable besides the toolsets.
    pub tools: Vec<String>,
    /// Tools to leave out.
    pub exclude_tools: Vec<String>,
    /// Allow nothing but reading: leave out every tool of another risk, and guard those that can do both; wins
    /// over everything else.
    pub read_only: bool,
    /// Show what would change something, and do not send it.
    pub dry_run: bool,
    /// The workspaces that calls choose from, the default first; none or one = there is nothing to choose.
    pub workspaces: Vec<Access>,
}

/// An enabled tool.
#[derive(Debug, Clone)]
pub struct Tool {
    /// What the allowlist says.
    pub definition: &'static ToolDefinition,
    /// What a call can do on this server: a guarded tool only reads where only reading is allowed.
    pub risk: Risk,
    /// The schema that arguments are checked against.
    pub input_schema: Arc<Map<String, Value>>,
    /// The same as clients see it.
    pub shown_schema: Arc<Map<String, Value>>,
}

impl Tool {
    fn new(definition: &'static ToolDefinition, policy: Policy, workspaces: &[Access]) -> Self {
        let schema = match definition.action {
            Action::Operation(tool) => operation::json(tool.input_schema),
            Action::Composite(composite) => (composite.schema)(),
        };
        let mut schema = match schema {
            Value::Object(schema) => schema,
            _ => Map::new(),
        };
        workspaces::offer(&mut schema, workspaces, |access| definition.is_allowed(access.policy()));
        let risk = definition.risk_under(policy);
        let mut shown = schema.clone();
        examples::show(&mut shown);
        Self { definition, risk, input_schema: Arc::new(schema), shown_schema: Arc::new(shown) }
    }

    /// A smallest call that its checks accept.
    pub fn example(&self) -> Value {
        arguments::example(&self.input_schema, self.definition.one_of())
    }
}

/// The enabled tools and resources.
#[derive(Debug)]
pub struct Registry {
    tools: BTreeMap<&'static str, Tool>,
    resources: Vec<&'static ResourceDefinition>,
    toolsets: Vec<&'static ToolsetDefinition>,
    /// The tools that a narrowing took away.
    withheld: BTreeSet<&'static str>,
    /// The tools that can be enabled here, where it is not all.
    limit: Option<BTreeSet<&'static str>>,
    /// Tools that may not be called in any way.
    excluded: BTreeSet<&'static str>,
    policy: Policy,
    workspaces: Vec<Access>,
    selection: Selection,
    about: OnceLock<About>,
}

/// What a server says of itself by its tools. rmcp asks for it at each request over HTTP, and it takes longer than many calls.
#[derive(Debug)]
pub(crate) struct About {
    /// For the model.
    pub(crate) instructions: String,
    /// Whether there are any prompts.
    pub(crate) has_prompts: bool,
    /// Whether there is anything to complete.
    pub(crate) has_completions: bool,
    /// Whether any tool can hand its work over.
    pub(crate) has_tasks: bool,
    /// Whether any resource can be watched.
    pub(crate) has_subscriptions: bool,
}

impl Registry {
    /// Applies a selection; an unknown name is an error with the nearest match.
    pub fn new(selection: &Selection) -> Result<Self, Error> {
        Self::with(selection, &BTreeMap::new())
    }

    /// The same, which shares the schemas of tools that are known: all of them together are megabytes.
    fn with(selection: &Selection, known: &BTreeMap<&'static str, Tool>) -> Result<Self, Error> {
        let toolsets = toolsets(selection)?;
        let several = if selection.workspaces.len() > 1 { selection.workspaces.as_slice() } else { &[] };
        // What no workspace allows is not there at all.
        let read_only = selection.read_only || (!several.is_empty() && several.iter().all(|access| access.read_only));
        let policy = Policy { read_only, dry_run: selection.dry_run, ..Policy::default() };
        let named = |names: &[String]| -> Result<BTreeSet<&'static str>, Error> {
            names.iter().map(|name| Ok(definition(name)?.name)).collect()
        };
        let (mut included, excluded) = (named(&selection.tools)?, named(&selection.exclude_tools)?);
        let refused = included.iter().filter(|name| definition(name).is_ok_and(|tool| !tool.is_allowed(policy)));
        refused.for_each(|tool| tracing::warn!(tool, "left out, although it was named: this server is read-only"));
        for preset in presets(selection) {
            let stays = |tool: &&ToolDefinition| !preset.only_reads || tool.risk == Risk::Read;
            let single = TOOLS.iter().filter(|tool| preset.tools.contains(&tool.name));
            included.extend(single.filter(stays).map(|tool| tool.name));
        }
        let is_selected = |tool: &&ToolDefinition| {
            let part = toolsets.get(tool.toolset);
            part.is_some_and(|part| *part == Part::Whole || tool.risk == Risk::Read) || included.contains(tool.name)
        };
        let is_allowed = |tool: &&'static ToolDefinition| !excluded.contains(tool.name) && tool.is_allowed(policy);
        let new = |tool: &'static ToolDefinition| match known.get(tool.name) {
            Some(known) => Tool { risk: tool.risk_under(policy), ..known.clone() },
            None => Tool::new(tool, policy, several),
        };
        let mut tools: BTreeMap<_, _> =
            TOOLS.iter().filter(is_selected).filter(is_allowed).map(|tool| (tool.name, new(tool))).collect();
        if tools.values().any(|tool| full_schema(tool.definition).is_some())
            && let Some(tool) = TOOLS.iter().find(|tool| tool.name == FULL_SCHEMA_TOOL).filter(is_allowed)
        {
            tools.insert(tool.name, new(tool));
        }
        let resources = RESOURCES.iter().filter(|resource| toolsets.contains_key(resource.toolset)).collect();
        let active: BTreeSet<_> =
            tools.values().map(|tool| tool.definition.toolset).chain(toolsets.into_keys()).collect();
        let toolsets = TOOLSETS.iter().filter(|toolset| active.contains(toolset.name)).collect();
        Ok(Self {
            tools,
            resources,
            toolsets,
            withheld: BTreeSet::new(),
            limit: None,
            excluded,
            policy,
            workspaces: several.to_vec(),
            selection: selection.clone(),
            about: OnceLock::new(),
        })
    }

    /// Every tool that the allowlist defines.
    pub fn all() -> Vec<Tool> {
        TOOLS.iter().map(|tool| Tool::new(tool, Policy::default(), &[])).collect()
    }

    /// The unbounded schemas of the arguments of any tool or operation.
    pub(crate) fn full_schema(name: &str) -> Result<Option<&'static str>, Error> {
        let operation = REACHABLE.iter().find(|operation| operation.name == name);
        let found = operation.map_or_else(|| definition(name), Ok);
        found.map(full_schema).map_err(|error| Error::failed(error.to_string()))
    }

    /// Every operation without a tool of its own.
    pub fn reachable() -> Vec<Tool> {
        REACHABLE.iter().map(|operation| Tool::new(operation, Policy::default(), &[])).collect()
    }

    /// Reads a policy file, which may name what the allowlist defines.
    ///
    /// # Errors
    /// When it cannot be read or understood; the error names the line.
    pub fn load_policy(path: &Path) -> Result<PolicyFile, Error> {
        PolicyFile::load(path, &known_names())
    }

    /// Every preset that the allowlist defines.
    pub fn all_presets() -> &'static [PresetDefinition] {
        PRESETS
    }

    /// Every toolset that the allowlist defines.
    pub fn all_toolsets() -> &'static [ToolsetDefinition] {
        TOOLSETS
    }

    /// The enabled tools, by name.
    pub fn tools(&self) -> impl Iterator<Item = &Tool> {
        self.tools.values()
    }

    /// The enabled resource templates, by name.
    pub fn resources(&self) -> &[&'static ResourceDefinition] {
        &self.resources
    }

    /// The toolsets with an enabled tool.
    pub fn toolsets(&self) -> &[&'static ToolsetDefinition] {
        &self.toolsets
    }

    /// Whether only reading is allowed.
    pub fn is_read_only(&self) -> bool {
        self.policy.read_only
    }

    /// Whether what would change something is shown and not sent.
    pub fn is_dry_run(&self) -> bool {
        self.policy.dry_run
    }

    /// What a server of it says of itself, found out once.
    pub(crate) fn about(&self, find_out: impl FnOnce() -> About) -> &About {
        self.about.get_or_init(find_out)
    }

    /// What calls may do on this server.
    pub(crate) fn policy(&self) -> Policy {
        self.policy
    }

    /// The workspaces to choose from, the default first; empty where there is one only.
    pub fn workspaces(&self) -> &[Access] {
        &self.workspaces
    }

    /// The workspace of a call, of several: the one of this name, or the default. `None` for a name of none, which
    /// the input schema refuses. A workspace that this tool may not touch is an error.
    pub(crate) fn workspace(&self, tool: &Tool, name: Option<&str>) -> Result<Option<&Access>, Error> {
        let access = match name {
            Some(name) => self.workspaces.iter().find(|access| access.name.eq_ignore_ascii_case(name)),
            None => self.workspaces.first(),
        };
        let Some(closed) = access.filter(|access| !tool.definition.is_allowed(access.policy())) else {
            return Ok(access);
        };
        let open = self.workspaces.iter().filter(|access| !access.read_only);
        let open: Vec<_> = open.map(|access| format!("`{}`", access.name)).collect();
        let (tool, closed) = (tool.definition.name, &closed.name);
        let which = if name.is_some() { "workspace" } else { "the default workspace" };
        let message = format!("`{tool}` can change things, but {which} `{closed}` is read-only on this server");
        Err(Error::failed(message).refused_by(READ_ONLY).with_hint(format!(
            "with `workspace` it can be called in {}; in `{closed}`, whoever runs this server can allow it by \
             leaving out `--read-only-profile {closed}`",
            open.join(", ")
        )))
    }

    /// The URI template of a resource, with its workspace where there are several.
    pub(crate) fn template(&self, resource: &ResourceDefinition) -> String {
        let workspace = if self.workspaces.is_empty() { "" } else { "{?workspace}" };
        format!("{}{workspace}", resource.uri)
    }

    /// An enabled tool by its name, or one that it had before; for any other name, why it is not enabled and what would enable it.
    pub fn tool(&self, name: &str) -> Result<&Tool, Error> {
        let name = shortened(name);
        if let Ok(known) = definition(name) {
            if let Some(tool) = self.tools.get(known.name) {
                return Ok(tool);
            }
            let is_withheld = self.withheld.contains(known.name);
            let way = if self.policy.read_only && known.risk != Risk::Read {
                let why = ", for you at least: so say the path or the headers of the request, or your rights";
                format!("this server is read-only{}", if is_withheld { why } else { "" })
            } else if is_withheld {
                "the path or the headers of the request leave it out, or your rights do".to_owned()
            } else if self.has(ENABLING_TOOL) && !self.excluded.contains(known.name) {
                format!("call `{}` with `{}`", ENABLING_TOOL, known.toolset)
            } else {
                let (toolset, name) = (known.toolset, known.name);
                format!("whoever runs this server can enable it with `--toolsets {toolset}` or `--tools {name}`")
            };
            return Err(Error::unknown_tool(format!("tool `{name}` exists but is not enabled; {way}")));
        }
        if REACHABLE.iter().any(|operation| operation.name == name) {
            let hint = "call it with the `call_…_operation` tool for its risk; whoever runs this server can enable those \
                        with `--toolsets reach`";
            return Err(Error::unknown_tool(format!("operation `{name}` has no tool of its own; {hint}")));
        }
        if let Some((id, reason)) = EXCLUDED.iter().find(|(id, _)| *id == name || id.ends_with(&format!(".{name}"))) {
            let message = format!("operation `{id}` exists in the API but is not exposed: {reason}");
            return Err(Error::unknown_tool(message));
        }
        // A slip of the pen, or else another word for it: `remove_volume` is nearest to `create_volume` by its letters.
        let known = self.tools.values().map(|tool| tool.definition).filter(|tool| may_be_meant(name, tool));
        let known: Vec<_> = known.map(|tool| tool.name).collect();
        let slip = known.iter().copied().filter(|known| strsim::jaro_winkler(name, known) >= SLIP);
        let mut hint = did_you_mean(name, slip);
        if hint.is_empty() {
            // First of all what is done with the same things, as the rest of a name says: of one or of several.
            let things = |name: &str| name.split_once('_').map(|(_, things)| things.trim_end_matches('s').to_owned());
            let is_enabled = |found: &&str| {
                let tool = self.tools.get(found).filter(|tool| !is_about_tools(tool.definition));
                tool.is_some_and(|tool| may_be_meant(name, tool.definition))
            };
            let enabled = || Self::ranked(name).filter(is_enabled);
            let similar = enabled().find(|known| things(known) == things(name)).or_else(|| enabled().next());
            hint = match similar {
                Some(similar) => format!("; did you mean `{similar}`?"),
                None => did_you_mean(name, known),
            };
        }
        Err(Error::unknown_tool(format!("no tool is named `{name}`{hint}")))
    }

    /// Any tool or operation that a person has allowed, by its name or id: enabled or not, but for tools that are left out
    /// by `--exclude-tools`, and for what changes something where only reading is allowed.
    pub(crate) fn reach(&self, name: &str, policy: Policy) -> Result<Tool, Error> {
        let name = shortened(name);
        let Some(found) = any(name) else {
            if let Some((id, reason)) = EXCLUDED.iter().find(|(id, _)| *id == name) {
                return Err(Error::failed(format!("`{id}` is not exposed: {reason}")));
            }
            let known = REACHABLE.iter().chain(TOOLS).filter(|tool| may_be_meant(name, tool));
            let hint = did_you_mean(name, known.map(|tool| tool.name));
            return Err(Error::failed(format!("no operation or tool is named `{name}`{hint}"))
                .with_hint("find operations with `search_operations`"));
        };
        self.check_reach(found, policy)?;
        Ok(Tool::new(found, policy, &[]))
    }

    /// Refuses what other tools may not call here.
    fn check_reach(&self, found: &ToolDefinition, policy: Policy) -> Result<(), Error> {
        let name = found.name;
        if is_about_tools(found) {
            return Err(Error::failed(format!("`{name}` works on other tools: call it directly")));
        }
        if self.excluded.contains(name) {
            return Err(Error::failed(format!("`{name}` is left out of this server by `--exclude-tools`"))
                .refused_by("--exclude-tools"));
        }
        if !found.is_allowed(policy) {
            return Err(Error::failed(format!("`{name}` can change things, but only reads are allowed here"))
                .refused_by(READ_ONLY));
        }
        Ok(())
    }

    /// What to say where advice names tools that are not enabled, so that nobody looks for them.
    pub(crate) fn lacks(&self, advice: &str) -> Option<String> {
        let mut lacking: Vec<String> = Vec::new();
        for name in advice.split('`').skip(1).step_by(2) {
            let quoted = format!("`{name}`");
            let exists = TOOLS.iter().any(|tool| tool.name == name);
            if exists && !self.has(name) && !lacking.contains(&quoted) {
                lacking.push(quoted);
            }
        }
        let names = lacking.join(", ");
        let note = match self.has(executor(Risk::Read)) {
            true => format!("call what is not listed with the `call_…_operation` tool for its risk: {names}"),
            false => format!("not enabled on this server: {names}"),
        };
        // What an executor calls has said it already.
        (!lacking.is_empty() && !advice.contains(&note)).then_some(note)
    }

    /// The enabled lists whose items are resources, with their tools.
    pub(crate) fn lists(&self) -> Vec<(&'static OperationTool, &'static Lists, &'static ResourceDefinition)> {
        let mut lists = Vec::new();
        for tool in self.tools.values() {
            if let Action::Operation(plain) = tool.definition.action
                && let Some(of) = &plain.lists
                && let Some(resource) = self.resources.iter().find(|resource| resource.name == of.resource)
            {
                lists.push((plain, of, *resource));
            }
        }
        lists
    }

    /// The enabled tool that lists what another one makes.
    pub(crate) fn list_of(&self, tool: &Tool) -> Option<&'static str> {
        self.tools.keys().copied().find(|list| finders::is_list_of(list, tool.definition.name))
    }
}

/// Whether a tool may be meant by a name that is none's: not where the name is that of a read, and the tool changes something.
fn may_be_meant(name: &str, tool: &ToolDefinition) -> bool {
    let name = name.trim_start().to_ascii_lowercase();
    tool.risk == Risk::Read || !READING.iter().any(|verb| name.starts_with(verb))
}

/// The unbounded schemas of a tool's arguments, as JSON text.
pub(crate) fn full_schema(definition: &ToolDefinition) -> Option<&'static str> {
    match definition.action {
        Action::Operation(tool) => tool.full_schema,
        Action::Composite(_) => None,
    }
}

/// Any tool that the allowlist defines, enabled or not, by its name or one that it had before.
pub(crate) fn definition(name: &str) -> Result<&'static ToolDefinition, Error> {
    let name = shortened(name);
    TOOLS.iter().find(|tool| tool.name == name || tool.aliases.contains(&name)).ok_or_else(|| {
        let known = TOOLS.iter().filter(|tool| may_be_meant(name, tool));
        let hint = did_you_mean(name, known.map(|tool| tool.name));
        Error::unknown_tool(format!("no tool is named `{name}`{hint}"))
    })
}

/// The names that a policy may use.
pub(crate) fn known_names() -> Known {
    let named = |tool: &'static ToolDefinition| {
        std::iter::once(tool.name).chain(tool.aliases.iter().copied()).map(|name| (name, tool.name))
    };
    let operations = REACHABLE.iter().chain(TOOLS).flat_map(|tool| match tool.action {
        Action::Operation(plain) => vec![plain.operation.id],
        Action::Composite(_) => tool.uses.iter().map(|operation| operation.id).collect(),
    });
    Known {
        tools: TOOLS.iter().chain(REACHABLE).flat_map(named).collect(),
        toolsets: TOOLSETS.iter().map(|toolset| toolset.name).collect(),
        operations: operations.chain(RESOURCES.iter().map(|resource| resource.operation.id)).collect(),
    }
}

/// Any tool or operation that the allowlist exposes, by its name or by the id of its operation.
pub(crate) fn any(name: &str) -> Option<&'static ToolDefinition> {
    let name = shortened(name);
    definition(name).ok().or_else(|| on_operation(name).next())
}

/// The tools on an operation, and the operation where it has no tool of its own.
fn on_operation(id: &str) -> impl Iterator<Item = &'static ToolDefinition> {
    REACHABLE.iter().chain(TOOLS).filter(move |tool| match tool.action {
        Action::Operation(plain) => plain.operation.id == id,
        Action::Composite(_) => false,
    })
}

/// What a call of an operation can do, as the allowlist says; `None` for one that only composites call.
pub(crate) fn risk_of(operation: &str) -> Option<Risk> {
    on_operation(operation).map(|tool| tool.risk).max()
}

/// Whether a tool finds, enables or calls others.
fn is_about_tools(tool: &ToolDefinition) -> bool {
    ABOUT_TOOLS.contains(&tool.toolset)
}

/// A toolset by its name alone.
fn toolset(name: &str) -> Result<&'static ToolsetDefinition, Error> {
    TOOLSETS.iter().find(|toolset| toolset.name == name).ok_or_else(|| {
        let known = || TOOLSETS.iter().map(|toolset| toolset.name);
        let (hint, known) = (did_you_mean(shortened(name), known()), known().collect::<Vec<_>>().join(", "));
        Error::failed(format!("no toolset is named `{}`{hint}; there are: {known}", shortened(name)))
    })
}

/// Which tools of a toolset are selected.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Part {
    /// Those that only read.
    Reading,
    /// All.
    Whole,
}

/// The presets that a selection names.
fn presets(selection: &Selection) -> impl Iterator<Item = &'static PresetDefinition> {
    PRESETS.iter().filter(|preset| selection.toolsets.iter().any(|name| name == preset.name))
}

fn toolsets(selection: &Selection) -> Result<BTreeMap<&'static str, Part>, Error> {
    let default = ["default".to_owned()];
    let names: &[String] = match (&selection.toolsets, &selection.tools) {
        (toolsets, tools) if toolsets.is_empty() && tools.is_empty() => &default,
        (toolsets, _) => toolsets,
    };
    let mut selected: BTreeMap<&str, Part> = BTreeMap::new();
    let mut select = |name: &'static str, part: Part| {
        let known = selected.entry(name).or_insert(part);
        *known = part.max(*known);
    };
    for name in names {
        match name.as_str() {
            "all" => TOOLSETS.iter().for_each(|toolset| select(toolset.name, Part::Whole)),
            "default" => {
                TOOLSETS.iter().filter(|toolset| toolset.default).for_each(|toolset| select(toolset.name, Part::Whole));
            }
            name if PRESETS.iter().any(|preset| preset.name == name) => {
                for preset in PRESETS.iter().filter(|preset| preset.name == name) {
                    let part = if preset.only_reads { Part::Reading } else { Part::Whole };
                    preset.toolsets.iter().for_each(|toolset| select(toolset, part));
                }
            }
            name => {
                let toolset = TOOLSETS.iter().find(|toolset| toolset.name == name).ok_or_else(|| {
                    let presets = PRESETS.iter().map(|preset| preset.name);
                    let known =
                        || TOOLSETS.iter().map(|toolset| toolset.name).chain(presets.clone()).chain(["all", "default"]);
                    let hint = did_you_mean(name, known());
                    let known = known().collect::<Vec<_>>().join(", ");
                    Error::failed(format!("no toolset or preset is named `{name}`{hint}; there are: {known}"))
                })?;
                select(toolset.name, Part::Whole);
            }
        }
    }
    Ok(selected)
}
