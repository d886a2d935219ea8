//! Reading a policy from its file.

use std::path::Path;

use super::limits::Limits;
use super::pattern::{Kind, Pattern};
use super::rules::{Effect, Rule, Rules};
use crate::error::Error;
use crate::globs;
use crate::nearest::did_you_mean;
use crate::risk::Risk;
use crate::text_file;
use crate::yaml::{self, Mapping, Node, Problem};

/// The names that a policy may use.
#[derive(Debug)]
pub(crate) struct Known {
    /// Tools and operations with the names that they have or had, and the names that they have now.
    pub(crate) tools: Vec<(&'static str, &'static str)>,
    pub(crate) toolsets: Vec<&'static str>,
    pub(crate) operations: Vec<&'static str>,
}

/// Reads a policy.
pub(crate) fn load(path: &Path, known: &Known) -> Result<(Rules, Limits, String), Error> {
    let shown = path.display().to_string();
    let text =
        text_file::read(path).map_err(|error| Error::failed(format!("cannot read the policy `{shown}`: {error}")))?;
    let (rules, limits) = parse(&shown, &text, known).map_err(|problem| {
        Error::failed(format!("the policy is not usable: {problem}"))
            .with_hint("see `docs/policy.md` for the format; the server does not start with a policy that has mistakes")
    })?;
    Ok((rules, limits, text))
}

pub(crate) fn parse(file: &str, text: &str, known: &Known) -> Result<(Rules, Limits), Problem> {
    let mut policy = yaml::parse(file, text)?.mapping("a policy: `default`, `rules` and `limits`")?;
    let default = match policy.take("default") {
        Some(node) => effect(node)?,
        None => Effect::Allow,
    };
    let rules = match policy.take("rules") {
        Some(node) => node.sequence("a list of rules")?,
        None => Vec::new(),
    };
    let mut read: Vec<Rule> = Vec::new();
    for node in rules {
        let position = node.position.clone();
        let rule = rule(node.mapping("a rule with an `effect`")?, read.len() + 1, known)?;
        if read.iter().any(|other| other.name == rule.name) {
            return Err(position.problem(format!("there are two rules named `{}`", rule.name)));
        }
        read.push(rule);
    }
    let limits = match policy.take("limits") {
        Some(node) => limits(node.mapping("limits such as `rows: 1000`")?)?,
        None => Limits::default(),
    };
    policy.finish()?;
    Ok((Rules { default, rules: read }, limits))
}

fn rule(mut given: Mapping, number: usize, known: &Known) -> Result<Rule, Problem> {
    let name = given.optional_string("name")?.unwrap_or_else(|| format!("rule {number}"));
    let effect = effect(given.require("effect")?)?;
    let tools = texts(&mut given, "tools", |name| {
        let found = known.tools.iter().find(|(known, _)| *known == name).map(|(_, tool)| (*tool).to_owned());
        found.ok_or_else(|| unknown("tool", name, known.tools.iter().map(|(name, _)| *name)))
    })?;
    let toolsets = texts(&mut given, "toolsets", |name| {
        let found = known.toolsets.iter().find(|known| **known == name).map(|toolset| (*toolset).to_owned());
        found.ok_or_else(|| unknown("toolset", name, known.toolsets.iter().copied()))
    })?;
    let operations = texts(&mut given, "operations", |pattern| {
        let glob = globs::of(pattern)?;
        match known.operations.iter().any(|id| glob.is_match(id)) {
            true => Ok(glob),
            false => Err(unknown("operation", pattern, known.operations.iter().copied())),
        }
    })?;
    let risks = texts(&mut given, "risks", |name| {
        let risks = [Risk::Read, Risk::Write, Risk::Destructive];
        let found = risks.into_iter().find(|risk| risk.name() == name);
        found.ok_or_else(|| unknown("risk", name, risks.into_iter().map(Risk::name)))
    })?;
    let workspaces = texts(&mut given, "workspaces", globs::of)?;
    let mut objects = Vec::new();
    for kind in Kind::ALL {
        objects.extend(texts(&mut given, kind.name(), |pattern| Pattern::new(kind, pattern))?);
    }
    given.finish()?;
    Ok(Rule { name, effect, tools, toolsets, operations, risks, workspaces, objects })
}

fn limits(mut given: Mapping) -> Result<Limits, Problem> {
    let mut number = |key: &'static str| -> Result<Option<u64>, Problem> {
        let Some(node) = given.take(key) else { return Ok(None) };
        let position = node.position.clone();
        let value = node.integer()?;
        u64::try_from(value).map(Some).map_err(|_| position.problem("expected a whole number of at least 0"))
    };
    let (rows, answer_bytes, workers) = (number("rows")?, number("answer_bytes")?, number("workers")?);
    if let Some(0) = rows {
        return Err(given.position.problem("`rows` is at least 1"));
    }
    let some = |values: Vec<_>| if values.is_empty() { None } else { Some(values) };
    let node_types = some(texts(&mut given, "node_types", globs::of)?);
    let warehouse_sizes = some(texts(&mut given, "warehouse_sizes", globs::of)?);
    given.finish()?;
    Ok(Limits { rows, answer_bytes, workers, node_types, warehouse_sizes })
}

fn effect(node: Node) -> Result<Effect, Problem> {
    let position = node.position.clone();
    match node.string()?.as_str() {
        "allow" => Ok(Effect::Allow),
        "deny" => Ok(Effect::Deny),
        other => Err(position.problem(unknown("effect", other, ["allow", "deny"]))),
    }
}

/// A list of texts that says something; nothing where the key is absent. An empty list would apply to everything.
fn texts<T>(
    given: &mut Mapping,
    key: &'static str,
    read: impl Fn(&str) -> Result<T, String>,
) -> Result<Vec<T>, Problem> {
    let Some(node) = given.take(key) else { return Ok(Vec::new()) };
    let position = node.position.clone();
    let nodes = node.sequence("a list")?;
    if nodes.is_empty() {
        return Err(position.problem(format!("`{key}` is empty: leave it out, or name something")));
    }
    let one = |node: Node| {
        let position = node.position.clone();
        read(&node.string()?).map_err(|message| position.problem(message))
    };
    nodes.into_iter().map(one).collect()
}

fn unknown<'a>(what: &str, name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    format!("no {what} is named `{name}`{}", did_you_mean(name, known))
}
