//! Reads toolset files, and reports each mistake with its file and line.

use std::collections::BTreeMap;

use super::{
    Allowlist, Confirm, Decided, Decision, OperationTool, Preset, Problems, Resource, Risk, Tool, Toolset,
    cross_checks, operation, prompts, reachable, undocumented, verify,
};
use crate::api::{Api, Operation};
use crate::audit::digest;
use crate::nearest::did_you_mean;
use crate::yaml::{Key, Mapping, Node, Position, Problem};

/// The stem of the file of presets, which is none of a toolset.
const PRESETS: &str = "presets";

pub(super) struct Reader<'a> {
    pub(super) api: &'a Api,
    pub(super) problems: Vec<Problem>,
    allowlist: Allowlist,
    /// Resources that lists name, checked once all files are read.
    lists: Vec<(Position, String)>,
    /// Operations that composites use, looked up once all files are read.
    uses: Vec<Use>,
    /// Toolsets that presets name, checked once all files are read.
    preset_toolsets: Vec<Named>,
    /// Tools that presets name, checked likewise.
    preset_tools: Vec<Named>,
}

/// What a preset names.
struct Named {
    preset: String,
    name: String,
    position: Position,
}

/// A composite and an operation that it uses.
struct Use {
    position: Position,
    toolset: String,
    composite: String,
    operation: String,
}

impl<'a> Reader<'a> {
    pub(super) fn new(api: &'a Api) -> Self {
        Self {
            api,
            problems: Vec::new(),
            allowlist: Allowlist::default(),
            lists: Vec::new(),
            uses: Vec::new(),
            preset_toolsets: Vec::new(),
            preset_tools: Vec::new(),
        }
    }

    pub(super) fn document(&mut self, stem: &str, node: Node) {
        let entries = digest(&node.clone().value().to_string());
        self.allowlist.entries.insert(stem.to_owned(), entries);
        match stem.strip_prefix("prompts/") {
            Some(name) => self.prompt(name, node),
            None if stem == PRESETS => self.presets(node),
            None => self.file(stem, node),
        }
    }

    fn prompt(&mut self, stem: &str, node: Node) {
        match prompts::read(stem, node) {
            Ok(prompt) => _ = self.allowlist.prompts.insert(prompt.name.clone(), prompt),
            Err(problems) => self.problems.extend(problems),
        }
    }

    fn file(&mut self, stem: &str, node: Node) {
        if let Err(problem) = self.toolset(stem, node) {
            self.problems.push(problem);
        }
    }

    fn presets(&mut self, node: Node) {
        let entries = node.mapping("names of presets and their toolsets").map(Mapping::into_entries);
        match entries {
            Ok(entries) => entries.into_iter().for_each(|(key, node)| self.collect(|reader| reader.preset(key, node))),
            Err(problem) => self.problems.push(problem),
        }
    }

    fn preset(&mut self, key: Key, node: Node) -> Result<(), Problem> {
        let mut entry = node.mapping("`title`, `description` and `toolsets`")?;
        let (title, description) = (entry.string("title")?, entry.string("description")?);
        let only_reads = entry.boolean("only_reads", false)?;
        let named = |node: Node, what| -> Result<Vec<Named>, Problem> {
            let named = node.sequence(what)?.into_iter().map(|node| {
                let position = node.position.clone();
                Ok(Named { preset: key.text.clone(), name: node.string()?, position })
            });
            named.collect()
        };
        let toolsets = named(entry.require("toolsets")?, "a list of toolsets")?;
        let tools = entry.take("tools").map(|node| named(node, "a list of tools")).transpose()?.unwrap_or_default();
        entry.finish()?;
        let names = |named: &[Named]| named.iter().map(|named| named.name.clone()).collect();
        let preset = Preset { title, description, toolsets: names(&toolsets), tools: names(&tools), only_reads };
        self.preset_toolsets.extend(toolsets);
        self.preset_tools.extend(tools);
        self.allowlist.presets.insert(key.text, preset);
        Ok(())
    }

    /// Toolsets and tools that presets name and that are not there, and tools that come with a toolset anyway.
    fn problems_of_presets(&self) -> Vec<Problem> {
        let Allowlist { toolsets, tools, presets, .. } = &self.allowlist;
        let mut problems = Vec::new();
        for Named { name, position, .. } in
            self.preset_toolsets.iter().filter(|named| !toolsets.contains_key(&named.name))
        {
            let hint = did_you_mean(name, toolsets.keys().map(String::as_str));
            problems.push(position.problem(format!("no toolset is named `{name}`{hint}")));
        }
        for Named { preset, name, position } in &self.preset_tools {
            let Some(tool) = tools.get(name) else {
                let hint = did_you_mean(name, tools.keys().map(String::as_str));
                problems.push(position.problem(format!("no tool is named `{name}`{hint}")));
                continue;
            };
            if presets.get(preset).is_some_and(|preset| preset.toolsets.contains(&tool.toolset)) {
                let message = format!("`{name}` is in the toolset `{}`, which this preset has already", tool.toolset);
                problems.push(position.problem(message));
            }
        }
        problems
    }

    pub(super) fn finish(mut self) -> Result<Allowlist, Problems> {
        if !self.problems.is_empty() {
            // What an unread entry would have defined would only seem to be missing elsewhere.
            return Err(Problems(self.problems));
        }
        for used in std::mem::take(&mut self.uses) {
            self.collect(|reader| reader.decide_by_use(used));
        }
        let unknown = self.problems_of_presets();
        let mut problems = self.problems;
        problems.extend(unknown);
        problems.extend(cross_checks::check(&self.allowlist, self.api, &self.lists));
        problems.extend(prompts::check(&self.allowlist));
        problems.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
        if problems.is_empty() { Ok(self.allowlist) } else { Err(Problems(problems)) }
    }

    fn toolset(&mut self, stem: &str, node: Node) -> Result<(), Problem> {
        let mut file = node.mapping("a toolset: `toolset`, `title`, `description`, `operations`, …")?;
        let name_node = file.require("toolset")?;
        let (position, name) = (name_node.position.clone(), name_node.string()?);
        if name != stem {
            return Err(position.problem(format!("the file is `{stem}.yaml`, so the toolset is `{stem}`")));
        }
        let toolset = Toolset {
            title: file.string("title")?,
            description: file.string("description")?,
            default: file.boolean("default", false)?,
            decided: decided(&mut file)?,
            name: name.clone(),
        };
        self.allowlist.toolsets.insert(name.clone(), toolset);
        if let Some(operations) = file.take("operations") {
            for (key, entry) in operations.mapping("operation ids and what is decided on them")?.into_entries() {
                self.collect(|reader| reader.operation(&name, key, entry));
            }
        }
        if let Some(undocumented) = file.take("undocumented") {
            for (key, entry) in undocumented.mapping("operation ids and what is known of them")?.into_entries() {
                self.collect(|reader| reader.undocumented(key, entry));
            }
        }
        if let Some(composites) = file.take("composites") {
            for (key, entry) in composites.mapping("composite names and their descriptions")?.into_entries() {
                self.collect(|reader| reader.composite(&name, key, entry));
            }
        }
        if let Some(excluded) = file.take("exclude") {
            for group in excluded.sequence("a list of `reason` and `operations`")? {
                self.collect(|reader| reader.exclude(&name, group));
            }
        }
        file.finish()
    }

    fn collect(&mut self, read: impl FnOnce(&mut Self) -> Result<(), Problem>) {
        if let Err(problem) = read(self) {
            self.problems.push(problem);
        }
    }

    fn operation(&mut self, toolset: &str, key: Key, node: Node) -> Result<(), Problem> {
        let source = self.known(&key.text, &key.position)?;
        let mut entry = node.mapping("what is decided on the operation")?;
        let mut decision = Decision {
            position: key.position.clone(),
            toolset: toolset.to_owned(),
            excluded: entry.optional_string("exclude")?,
            tool: None,
            resource: None,
            typed: entry.boolean("typed", false)?,
            used_by: Vec::new(),
            reachable: reachable::read(source, &mut entry)?,
            because: entry.optional_string("because")?,
            decided: decided(&mut entry)?,
        };
        if let Some(resource) = entry.take("resource") {
            if changes(source) {
                let message = format!("`{}` is a {}: reading a resource changes nothing", source.id, source.method);
                return Err(resource.position.problem(message));
            }
            let resource = operation::resource(toolset, source, resource)?;
            decision.resource = Some(resource.name.clone());
            self.add_resource(resource)?;
        }
        if entry.has("tool") {
            let mut tool = self.tool(toolset, source, &mut entry)?;
            tool.because.clone_from(&decision.because);
            tool.decided.clone_from(&decision.decided);
            decision.tool = Some(tool.name.clone());
            self.add_tool(tool)?;
        }
        entry.finish()?;
        if decision.reachable.is_some() && decision.tool.is_some() {
            let message = format!("`{}` has a tool, through which it can be reached: remove `reach`", key.text);
            return Err(key.position.problem(message));
        }
        if decision.excluded.is_some() && (decision.is_exposed() || decision.typed) {
            return Err(key.position.problem(format!("`{}` is both exposed and excluded", key.text)));
        }
        self.decide(key.text, decision)
    }

    fn undocumented(&mut self, key: Key, node: Node) -> Result<(), Problem> {
        let operation = undocumented::read(self.api, &self.allowlist, key, node)?;
        self.allowlist.undocumented.insert(operation.id.clone(), operation);
        Ok(())
    }

    fn tool(&mut self, toolset: &str, source: &'a Operation, entry: &mut Mapping) -> Result<Tool, Problem> {
        let node = entry.require("tool")?;
        let (position, name) = (node.position.clone(), node.string()?);
        let (risk, title, description) =
            (risk(entry, "risk", Some(source)), entry.string("title"), entry.string("description"));
        let idempotent = entry.optional_boolean("idempotent");
        let (params, result, lists) = (entry.take("params"), entry.take("result"), entry.take("lists"));
        let (filters, elsewhere) = (entry.take("filters"), entry.optional_string("elsewhere"));
        let (shown_by, cache) = (entry.take("verify"), entry.take("cache"));
        let (aliases, keywords) = (entry.strings("alias"), entry.optional_string("keywords"));
        let confirm = entry.take("confirm");
        // A misspelt key is named before anything is missed because of it.
        entry.finish()?;
        let risk = risk?;
        let confirm = confirm.map(|node| self::asks(node, risk)).transpose()?;
        let result = operation::shape(self.api, source, result)?;
        let (arguments, argument_aliases) = operation::arguments(self.api, source, &result, &position, params)?;
        let filters = operation::filters(self.api, source, &result, &arguments, filters)?;
        let lists = lists.map(|node| operation::lists(self.api, source, &result, node)).transpose()?;
        if let Some(lists) = &lists {
            self.lists.push((position.clone(), lists.resource.clone()));
        }
        let cache = cache.map(|node| operation::cache(node, risk, &result)).transpose()?;
        let verify = verify::read(&name, risk, &position, shown_by)?;
        let uses = vec![source.id.clone()];
        let (id, elsewhere) = (source.id.clone(), elsewhere?);
        let operation = Some(OperationTool { id, arguments, result, filters, elsewhere, lists, cache });
        Ok(Tool {
            name,
            aliases: aliases?,
            keywords: keywords?.unwrap_or_default(),
            position,
            toolset: toolset.to_owned(),
            title: title?,
            description: description?,
            risk,
            idempotent: idempotent?.unwrap_or(risk == Risk::Read),
            guarded: false,
            confirm,
            open_world: true,
            because: None,
            decided: None,
            argument_aliases,
            verify,
            uses,
            operation,
        })
    }

    fn composite(&mut self, toolset: &str, key: Key, node: Node) -> Result<(), Problem> {
        let mut entry = node.mapping("`risk`, `title` and `description`")?;
        let (risk, title, description) =
            (risk(&mut entry, "risk", None), entry.string("title"), entry.string("description"));
        let (idempotent, guarded) = (entry.optional_boolean("idempotent"), entry.boolean("guarded", false));
        let open_world = entry.boolean("open_world", true);
        let (aliases, params) = (entry.strings("alias"), entry.take("params"));
        let keywords = entry.optional_string("keywords");
        let (because, decided) = (entry.optional_string("because"), decided(&mut entry));
        let (shown_by, used) = (entry.take("verify"), entry.take("uses"));
        let confirm = entry.take("confirm");
        entry.finish()?;
        let risk = risk?;
        let confirm = confirm.map(|node| self::asks(node, risk)).transpose()?;
        let mut uses = Vec::new();
        for node in used.map(|node| node.sequence("a list of operation ids")).transpose()?.unwrap_or_default() {
            let position = node.position.clone();
            let operation = node.string()?;
            if uses.contains(&operation) {
                return Err(position.problem(format!("`{operation}` stands here twice")));
            }
            uses.push(operation.clone());
            self.uses.push(Use { position, toolset: toolset.to_owned(), composite: key.text.clone(), operation });
        }
        self.add_tool(Tool {
            uses,
            verify: verify::read(&key.text, risk, &key.position, shown_by)?,
            name: key.text,
            position: key.position,
            toolset: toolset.to_owned(),
            title: title?,
            description: description?,
            idempotent: idempotent?.unwrap_or(risk == Risk::Read),
            guarded: guarded?,
            confirm,
            open_world: open_world?,
            because: because?,
            decided: decided?,
            aliases: aliases?,
            keywords: keywords?.unwrap_or_default(),
            risk,
            argument_aliases: params.map(operation::aliases).transpose()?.unwrap_or_default(),
            operation: None,
        })
    }

    fn exclude(&mut self, toolset: &str, node: Node) -> Result<(), Problem> {
        let mut group = node.mapping("`reason` and `operations`")?;
        let reason = group.string("reason")?;
        let operations = group.require("operations")?.sequence("a list of operation ids")?;
        group.finish()?;
        for node in operations {
            let position = node.position.clone();
            let id = node.string()?;
            self.collect(|reader| {
                reader.known(&id, &position)?;
                let decision = Decision {
                    position,
                    toolset: toolset.to_owned(),
                    excluded: Some(reason.clone()),
                    tool: None,
                    resource: None,
                    used_by: Vec::new(),
                    typed: false,
                    reachable: None,
                    because: None,
                    decided: None,
                };
                reader.decide(id, decision)
            });
        }
        Ok(())
    }

    /// What a composite uses is exposed, wherever else something is decided on it.
    fn decide_by_use(&mut self, used: Use) -> Result<(), Problem> {
        let Use { position, toolset, composite, operation } = used;
        if !self.allowlist.undocumented.contains_key(&operation) {
            self.known(&operation, &position)?;
        }
        match self.allowlist.decisions.get_mut(&operation) {
            Some(Decision { excluded: Some(_), .. }) => {
                Err(position.problem(format!("`{composite}` uses `{operation}`, which is excluded")))
            }
            Some(decision) => {
                decision.used_by.push(composite);
                Ok(())
            }
            None => {
                let decision = Decision {
                    position,
                    toolset,
                    excluded: None,
                    tool: None,
                    resource: None,
                    used_by: vec![composite],
                    typed: false,
                    reachable: None,
                    because: None,
                    decided: None,
                };
                self.decide(operation, decision)
            }
        }
    }

    fn known(&self, id: &str, position: &Position) -> Result<&'a Operation, Problem> {
        self.api.operations.get(id).ok_or_else(|| {
            let hint = did_you_mean(id, self.api.operations.keys().map(String::as_str));
            let message = format!("the specs have no operation `{id}`{hint}; if it was removed, remove this entry");
            position.problem(message)
        })
    }

    fn decide(&mut self, id: String, decision: Decision) -> Result<(), Problem> {
        if let Some(first) = self.allowlist.decisions.get(&id) {
            let first = first.position.problem("").to_string();
            let first = first.trim_end_matches([':', ' ']);
            return Err(decision.position.problem(format!("`{id}` is decided twice; first at {first}")));
        }
        self.allowlist.decisions.insert(id, decision);
        Ok(())
    }

    fn add_tool(&mut self, tool: Tool) -> Result<(), Problem> {
        insert(&mut self.allowlist.tools, tool.name.clone(), tool, "tool", |tool| &tool.position)
    }

    fn add_resource(&mut self, resource: Resource) -> Result<(), Problem> {
        let name = resource.name.clone();
        insert(&mut self.allowlist.resources, name, resource, "resource", |resource| &resource.position)
    }
}

fn insert<T>(
    map: &mut BTreeMap<String, T>,
    name: String,
    value: T,
    kind: &str,
    position: impl Fn(&T) -> &Position,
) -> Result<(), Problem> {
    if map.contains_key(&name) {
        return Err(position(&value).problem(format!("a second {kind} is named `{name}`")));
    }
    map.insert(name, value);
    Ok(())
}

/// `confirm` of an entry that `risk` stands in, too.
pub(super) fn confirm(entry: &mut Mapping, risk: Risk) -> Result<Option<Confirm>, Problem> {
    entry.take("confirm").map(|node| asks(node, risk)).transpose()
}

/// When a person is asked.
fn asks(node: Node, risk: Risk) -> Result<Confirm, Problem> {
    let position = node.position.clone();
    let word = node.string()?;
    let known = Confirm::ALL.into_iter().find(|confirm| confirm.name() == word).ok_or_else(|| {
        let known: Vec<_> = Confirm::ALL.into_iter().map(Confirm::name).collect();
        position.problem(format!("`confirm: {word}` is unknown; there are `{}`", known.join("`, `")))
    })?;
    match risk {
        Risk::Read => Err(position.problem("what only reads asks nobody: remove `confirm`")),
        Risk::Write | Risk::Destructive => Ok(known),
    }
}

/// `decided` of an entry.
fn decided(entry: &mut Mapping) -> Result<Option<Decided>, Problem> {
    let Some(node) = entry.take("decided") else { return Ok(None) };
    let mut note = node.mapping("`by`, `why` and `date`")?;
    let (by, why, date) = (note.string("by"), note.string("why"), note.require("date"));
    note.finish()?;
    let (by, why, node) = (by?, why?, date?);
    let position = node.position.clone();
    let date = node.string()?;
    let is_digit =
        |(index, letter): (usize, char)| if matches!(index, 4 | 7) { letter == '-' } else { letter.is_ascii_digit() };
    if date.len() != 10 || !date.chars().enumerate().all(is_digit) {
        return Err(position.problem(format!("`{date}` is no date of the form `YYYY-MM-DD`")));
    }
    Ok(Some(Decided { by, why, date }))
}

/// The risk under a key. What the method says rules some out.
pub(super) fn risk(entry: &mut Mapping, key: &'static str, source: Option<&Operation>) -> Result<Risk, Problem> {
    let node = entry.require(key)?;
    let position = node.position.clone();
    let word = node.string()?;
    let names = [Risk::Read, Risk::Write, Risk::Destructive];
    let Some(risk) = names.into_iter().find(|risk| risk.name() == word) else {
        let hint = did_you_mean(&word, names.iter().map(|risk| risk.name()));
        return Err(position.problem(format!("`{word}` is no risk: read, write or destructive{hint}")));
    };
    match source.map(|source| (source.method.as_str(), source)) {
        Some(("GET" | "HEAD", source)) if risk != Risk::Read => {
            Err(position
                .problem(format!("`{}` is a {} and changes nothing: its risk is `read`", source.id, source.method)))
        }
        Some((method, source)) if risk == Risk::Read && changes(source) => {
            Err(position.problem(format!("`{}` is a {method}: its risk is not `read`", source.id)))
        }
        Some(("DELETE", source)) if risk == Risk::Write => {
            Err(position.problem(format!("`{}` is a DELETE: its risk is `destructive`", source.id)))
        }
        _ => Ok(risk),
    }
}

/// Whether the method alone says that a call changes something. A POST may do either.
pub(super) fn changes(source: &Operation) -> bool {
    matches!(source.method.as_str(), "DELETE" | "PUT" | "PATCH")
}
