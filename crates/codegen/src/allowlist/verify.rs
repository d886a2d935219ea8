//! How a caller whose answer was lost sees whether a tool did its work: the tool that shows it, and the API read, if
//! one read answers it.

use super::{Allowlist, Argument, Risk, Source, Tool};
use crate::api::{Api, Location, Operation, Response, Schema};
use crate::nearest::did_you_mean;
use crate::yaml::{Mapping, Node, Position, Problem};

/// What shows whether a tool did its work.
#[derive(Debug, Clone)]
pub struct Verify {
    /// Where it is decided.
    pub position: Position,
    /// The tool that shows it to the caller.
    pub tool: Option<String>,
    /// What to say besides, or where no tool shows it.
    pub note: Option<String>,
    /// The read by which the server looks itself.
    pub look: Option<Look>,
}

impl Verify {
    /// Nothing shows it.
    pub(crate) fn unseen(position: Position) -> Self {
        Self { position, tool: None, note: None, look: None }
    }
}

/// A read that shows whether a tool did its work.
#[derive(Debug, Clone)]
pub struct Look {
    /// Operation id.
    pub operation: String,
    /// Parameters of the read, and templates of the tool's arguments: `{catalog_name}.{schema_name}`.
    pub bind: Vec<(String, String)>,
    /// Fields of the items of a list, and the arguments that they equal. Empty where the read gives the object itself.
    pub matches: Vec<(String, String)>,
    /// The object is gone when the work is done.
    pub removes: bool,
    /// Fields and their values by which a removed object that can still be read is known.
    pub gone: Vec<(String, String)>,
    /// The field that tells when the object was made or changed.
    pub created: Option<String>,
    /// Fields that the caller is told.
    pub show: Vec<String>,
}

/// Reads `verify` of an entry. A tool that changes something must have it, and no other may.
pub(super) fn read(name: &str, risk: Risk, position: &Position, node: Option<Node>) -> Result<Option<Verify>, Problem> {
    match (node, risk) {
        (None, Risk::Read) => Ok(None),
        (Some(node), Risk::Read) => Err(node.position.problem(format!("`{name}` changes nothing: remove `verify`"))),
        (None, _) => Err(position.problem(format!(
            "`{name}` changes something: add `verify: {{ tool: … }}`, the tool that shows whether it did when its answer is lost"
        ))),
        (Some(node), _) => verify(node).map(Some),
    }
}

fn verify(node: Node) -> Result<Verify, Problem> {
    let mut entry = node.mapping("`tool` or `note`, and how the server looks itself")?;
    let position = entry.position.clone();
    let (tool, note) = (entry.optional_string("tool")?, entry.optional_string("note")?);
    let operation = entry.optional_string("read")?;
    let look = Look {
        operation: operation.clone().unwrap_or_default(),
        bind: pairs(&mut entry, "bind")?,
        matches: pairs(&mut entry, "match")?,
        removes: entry.boolean("removes", false)?,
        gone: pairs(&mut entry, "gone")?,
        created: entry.optional_string("created")?,
        show: entry.strings("show")?,
    };
    entry.finish()?;
    if tool.is_none() && note.is_none() {
        return Err(position.problem("`verify` needs a `tool` that shows whether it was done, or a `note`"));
    }
    let has_more = look.removes || look.created.is_some() || !look.show.is_empty();
    let has_more = has_more || [&look.bind, &look.matches, &look.gone].iter().any(|pairs| !pairs.is_empty());
    if operation.is_none() && has_more {
        return Err(position.problem("without `read` there is nothing to look at"));
    }
    Ok(Verify { position, tool, note, look: operation.map(|_| look) })
}

fn pairs(entry: &mut Mapping, key: &'static str) -> Result<Vec<(String, String)>, Problem> {
    let Some(node) = entry.take(key) else { return Ok(Vec::new()) };
    let entries = node.mapping("names and values")?.into_entries();
    entries.into_iter().map(|(key, node)| Ok((key.text, node.string()?))).collect()
}

/// What `verify` of a tool names and does not exist.
pub(super) fn check(allowlist: &Allowlist, api: &Api, tool: &Tool) -> Vec<Problem> {
    let Some(verify) = &tool.verify else { return Vec::new() };
    let mut problems = Vec::new();
    let mut report = |message: String| problems.push(verify.position.problem(message));
    if let Some(name) = &verify.tool {
        match allowlist.tools.get(name) {
            Some(shown) if shown.risk == Risk::Read => {}
            Some(_) => report(format!("`{name}` changes something itself: it cannot show what `{}` did", tool.name)),
            None => {
                let readers = allowlist.tools.values().filter(|tool| tool.risk == Risk::Read);
                let hint = did_you_mean(name, readers.map(|tool| tool.name.as_str()));
                report(format!("no tool is named `{name}`{hint}"));
            }
        }
    }
    let Some(look) = &verify.look else { return problems };
    let exposed = allowlist.decisions.get(&look.operation).is_some_and(|decision| decision.excluded.is_none());
    let Some(source) = api.operations.get(&look.operation).filter(|source| exposed && source.method == "GET") else {
        let is_get = |id: &&String| api.operations.get(*id).is_some_and(|source| source.method == "GET");
        let hint = did_you_mean(&look.operation, allowlist.decisions.keys().filter(is_get).map(String::as_str));
        report(format!("`{}` is no GET that the allowlist exposes{hint}", look.operation));
        return problems;
    };
    for (name, _) in &look.bind {
        if source.parameter(name).is_none() {
            report(format!("`{}` has no parameter `{name}`", source.id));
        }
    }
    for parameter in source.parameters.iter().filter(|parameter| parameter.required && !parameter.from_config) {
        if look.bind.iter().all(|(name, _)| *name != parameter.name) {
            report(format!("`bind` has no value for `{}`, which `{}` requires", parameter.name, source.id));
        }
    }
    let object = if look.matches.is_empty() { Some(json(source)) } else { item(allowlist, api, source) };
    let Some(object) = object else {
        report(format!("`{}` gives no list to `match` items of", source.id));
        return problems;
    };
    let fields = look.matches.iter().map(|(field, _)| field).chain(look.gone.iter().map(|(field, _)| field));
    for field in fields.chain(&look.created).chain(&look.show) {
        if api.at(object, field).is_none() {
            report(format!("what `{}` gives has no field `{field}`", source.id));
        }
    }
    // The arguments of a composite are known to its Rust type only; a test of the server checks them.
    if let Some(plain) = &tool.operation {
        let is_named =
            |argument: &Argument, name: &str| matches!(&argument.source, Source::Caller(input) if input.name == name);
        for name in arguments(look) {
            let head = name.split('.').next().unwrap_or_default();
            if !plain.arguments.iter().any(|argument| is_named(argument, head)) {
                report(format!("`{}` has no argument `{head}`", tool.name));
            }
        }
    }
    problems
}

/// The arguments that a look takes from the call.
fn arguments(look: &Look) -> Vec<&str> {
    let templates = look.bind.iter().flat_map(|(_, template)| template.split('{').skip(1));
    let bound = templates.filter_map(|rest| rest.split('}').next());
    bound.chain(look.matches.iter().map(|(_, argument)| argument.as_str())).collect()
}

/// The field that holds the items of a list.
pub(crate) fn items(allowlist: &Allowlist, source: &Operation) -> Option<String> {
    let paged = allowlist.pagination(source).and_then(|pagination| pagination.items);
    let tool = allowlist.decisions.get(&source.id)?.tool.as_ref();
    let shaped = || allowlist.tools.get(tool?)?.operation.as_ref()?.result.items.clone();
    paged.or_else(shaped)
}

fn item<'a>(allowlist: &Allowlist, api: &'a Api, source: &'a Operation) -> Option<&'a Schema> {
    match api.at(json(source), &items(allowlist, source)?) {
        Some(Schema::Array(item)) => Some(item),
        _ => None,
    }
}

pub(super) fn json(source: &Operation) -> &Schema {
    match &source.response {
        Response::Json(schema) => schema,
        _ => &Schema::Any,
    }
}

impl Look {
    /// Where each bound parameter of the read goes.
    pub(crate) fn places(&self, source: &Operation) -> Vec<(String, Location, String)> {
        let place = |(name, template): &(String, String)| {
            Some((name.clone(), source.parameter(name)?.location, template.clone()))
        };
        self.bind.iter().filter_map(place).collect()
    }
}
