//! What differs between two surfaces, and which of it somebody must have decided.

use std::collections::{BTreeMap, BTreeSet};

use codegen::allowlist::{Confirm, Decided, Decision, Tool};
use codegen::audit;
use serde_json::Value;

use super::super::surface::{Exposure, Surface};
use super::super::tokens::Tokenizer;

/// Everything that a change does.
pub(super) struct Changes {
    /// More is exposed, or a risk is lower.
    pub(super) raised: Vec<Raised>,
    pub(super) added: Vec<AddedTool>,
    pub(super) removed: Vec<String>,
    pub(super) changed: Vec<ChangedTool>,
    /// Exclusions that are gone.
    pub(super) lifted: Vec<String>,
    /// Operations that are exposed less than before, or not at all.
    pub(super) lowered: Vec<String>,
    /// What changed in the lock: operations, toolsets, presets and resources, one line each.
    pub(super) lines: Vec<String>,
    /// Tools, tokens, and operations by exposure, before and after.
    pub(super) figures: Vec<(String, usize, usize)>,
}

/// Something that is exposed more than before, or at a lower risk.
pub(super) struct Raised {
    pub(super) name: String,
    pub(super) what: String,
    /// Who decided it, where it is noted in this change.
    pub(super) decided: Option<Decided>,
}

pub(super) struct AddedTool {
    pub(super) name: String,
    pub(super) risk: &'static str,
    pub(super) toolset: String,
    pub(super) tokens: usize,
    pub(super) description: String,
}

pub(super) struct ChangedTool {
    pub(super) name: String,
    /// What changed, one clause each.
    pub(super) clauses: Vec<String>,
    pub(super) tokens: (usize, usize),
}

impl Changes {
    pub(super) fn new(old: &Surface, new: &Surface, tokenizer: &Tokenizer) -> Self {
        let renamed: BTreeMap<&str, &str> = new
            .allowlist
            .tools
            .values()
            .flat_map(|tool| tool.aliases.iter().map(|alias| (alias.as_str(), tool.name.as_str())))
            .collect();
        let before = |name: &str| {
            let earlier =
                renamed.iter().find(|(alias, now)| **now == name && old.allowlist.tools.contains_key(**alias));
            old.allowlist.tools.get(name).or_else(|| old.allowlist.tools.get(*earlier?.0))
        };
        let count = |surface: &Surface, name: &str| surface.shown.get(name).map_or(0, |tool| tokenizer.count(tool));
        let (mut added, mut changed) = (Vec::new(), Vec::new());
        for tool in new.allowlist.tools.values() {
            let tokens = count(new, &tool.name);
            let Some(earlier) = before(&tool.name) else {
                added.push(AddedTool {
                    name: tool.name.clone(),
                    risk: tool.risk.name(),
                    toolset: tool.toolset.clone(),
                    tokens,
                    description: tool.description.trim().to_owned(),
                });
                continue;
            };
            let clauses = clauses(old, new, earlier, tool);
            if !clauses.is_empty() {
                changed.push(ChangedTool {
                    name: tool.name.clone(),
                    clauses,
                    tokens: (count(old, &earlier.name), tokens),
                });
            }
        }
        let is_gone = |name: &&String| !new.allowlist.tools.contains_key(*name) && !renamed.contains_key(name.as_str());
        let removed = old.allowlist.tools.keys().filter(is_gone).cloned().collect();
        let is_lifted = |id: &&String| old.exposure(id) == Exposure::Excluded && new.exposure(id) > Exposure::Excluded;
        let lifted = new.allowlist.decisions.keys().filter(is_lifted).cloned().collect();
        let is_lower = |id: &&String| level(old, id) > level(new, id);
        let lowered = old
            .allowlist
            .decisions
            .keys()
            .filter(is_lower)
            .map(|id| format!("{id}: {}", transition(old, new, id)))
            .collect();
        let locks = (audit::lock(&old.api, &old.allowlist), audit::lock(&new.api, &new.allowlist));
        // The words of tools are told with the tools. Those of a prompt are the prompt, which is told where it comes and goes.
        let is_prompt = |line: &str| line.starts_with("file prompts/") && !line.ends_with("ed");
        let is_words = |line: &String| line.starts_with("file ") && !is_prompt(line);
        let is_told = |line: &String| !is_words(line) && !line.starts_with("tool ");
        let lines = audit::differences(&locks.0, &locks.1).into_iter().filter(is_told).collect();
        let mut raised = operations(old, new);
        raised.extend(tools(new, before));
        raised.extend(toolsets(old, new));
        let figures = figures(old, new, count);
        Self { raised, added, removed, changed, lifted, lowered, lines, figures }
    }

    /// What is raised without a note of who decided it.
    pub(super) fn undecided(&self) -> impl Iterator<Item = &Raised> {
        self.raised.iter().filter(|raised| raised.decided.is_none())
    }
}

/// How far an operation is exposed: what nobody decided on is as far away as what is excluded.
fn level(surface: &Surface, id: &str) -> (Exposure, bool) {
    (surface.exposure(id).max(Exposure::Excluded), surface.is_default(id))
}

/// How far an operation was exposed, and how far it is.
fn transition(old: &Surface, new: &Surface, id: &str) -> String {
    let place = |surface: &Surface| {
        let default = if surface.is_default(id) { ", default profile" } else { "" };
        format!("{}{default}", surface.exposure(id).name())
    };
    format!("{} → {}", place(old), place(new))
}

/// A note that this change brings: one that stood there before was about something else.
fn fresh(old: Option<&Decided>, new: Option<&Decided>) -> Option<Decided> {
    new.filter(|note| Some(*note) != old).cloned()
}

/// Operations that are exposed more, or called at a lower risk.
fn operations(old: &Surface, new: &Surface) -> Vec<Raised> {
    let mut raised = Vec::new();
    for (id, decision) in &new.allowlist.decisions {
        let mut what = Vec::new();
        if level(new, id) > level(old, id) {
            what.push(transition(old, new, id));
        }
        if let (Some(before), Some(now)) = (old.risk(id), new.risk(id))
            && now < before
        {
            what.push(format!("risk {} → {}", before.name(), now.name()));
        }
        let reachable = |decision: &Decision| decision.reachable.as_ref().map(|reachable| asks(reachable.confirm));
        if let (Some(before), Some(now)) = (old.allowlist.decisions.get(id).and_then(reachable), reachable(decision))
            && now < before
        {
            what.push(format!("confirm {} → {}", before.1, now.1));
        }
        if what.is_empty() {
            continue;
        }
        let own = fresh(
            old.allowlist.decisions.get(id).and_then(|decision| decision.decided.as_ref()),
            decision.decided.as_ref(),
        );
        let noted = new.callers(id).find_map(|name| {
            let [before, now] = [old, new].map(|surface| surface.allowlist.tools.get(name));
            let tool = fresh(before.and_then(|tool| tool.decided.as_ref()), now?.decided.as_ref());
            tool.or_else(|| toolset_note(old, new, &now?.toolset))
        });
        raised.push(Raised { name: id.clone(), what: what.join("; "), decided: own.or(noted) });
    }
    raised
}

fn toolset_note(old: &Surface, new: &Surface, name: &str) -> Option<Decided> {
    let [before, now] = [old, new].map(|surface| surface.allowlist.toolsets.get(name));
    fresh(before.and_then(|toolset| toolset.decided.as_ref()), now?.decided.as_ref())
}

/// Composites that are new, and tools with a lower risk, or that stay where only reading is allowed and did not.
fn tools<'a>(new: &Surface, before: impl Fn(&str) -> Option<&'a Tool>) -> Vec<Raised> {
    let mut raised = Vec::new();
    for tool in new.allowlist.tools.values() {
        let earlier = before(&tool.name);
        let mut what = Vec::new();
        match earlier {
            // A new tool on one operation shows with its operation.
            None if tool.operation.is_none() => what.push(format!("a new tool, {}", tool.risk.name())),
            None => {}
            Some(earlier) => {
                if tool.risk < earlier.risk {
                    what.push(format!("risk {} → {}", earlier.risk.name(), tool.risk.name()));
                }
                if asks(tool.confirm) < asks(earlier.confirm) {
                    what.push(format!("confirm {} → {}", asks(earlier.confirm).1, asks(tool.confirm).1));
                }
                if tool.guarded && !earlier.guarded {
                    what.push("stays where only reading is allowed".to_owned());
                }
            }
        }
        if !what.is_empty() {
            let decided = fresh(earlier.and_then(|tool| tool.decided.as_ref()), tool.decided.as_ref());
            raised.push(Raised { name: tool.name.clone(), what: what.join("; "), decided });
        }
    }
    raised
}

/// How much a tool asks for, and the word for it. Where the allowlist says nothing, it asks by its risk, of those who can
/// be asked.
fn asks(confirm: Option<Confirm>) -> (u8, &'static str) {
    let order = match confirm {
        Some(Confirm::Never) => 0,
        Some(Confirm::SqlWrites) => 1,
        None => 2,
        Some(Confirm::Always) => 3,
    };
    (order, confirm.map_or("by risk", Confirm::name))
}

/// Toolsets that are in the default profile and were not.
fn toolsets(old: &Surface, new: &Surface) -> Vec<Raised> {
    let was_default = |name: &str| old.allowlist.toolsets.get(name).is_some_and(|toolset| toolset.default);
    let raised = new.allowlist.toolsets.values().filter(|toolset| toolset.default && !was_default(&toolset.name));
    let raised = raised.map(|toolset| Raised {
        name: toolset.name.clone(),
        what: "a toolset that is now in the default profile".to_owned(),
        decided: toolset_note(old, new, &toolset.name),
    });
    raised.collect()
}

/// What changed in a tool, as a client sees it.
fn clauses(old: &Surface, new: &Surface, before: &Tool, now: &Tool) -> Vec<String> {
    let mut clauses = Vec::new();
    let mut compare = |what: &str, before: &str, now: &str| {
        if before != now {
            clauses.push(format!("{what}: {before} → {now}"));
        }
    };
    compare("name", &before.name, &now.name);
    compare("risk", before.risk.name(), now.risk.name());
    compare("confirm", asks(before.confirm).1, asks(now.confirm).1);
    compare("toolset", &before.toolset, &now.toolset);
    compare("title", &before.title, &now.title);
    compare("description", before.description.trim(), now.description.trim());
    let [before_shown, now_shown] = [old.shown.get(&before.name), new.shown.get(&now.name)];
    let hints = |shown: Option<&Value>| {
        let hints = shown.and_then(|shown| shown.get("annotations")).and_then(Value::as_object);
        hints.into_iter().flatten().map(|(name, value)| format!("{name}={value}")).collect::<Vec<_>>().join(", ")
    };
    compare("annotations", &hints(before_shown), &hints(now_shown));
    clauses.extend(words(&before.keywords, &now.keywords));
    let [before_arguments, now_arguments] = [before_shown, now_shown].map(arguments);
    let names: BTreeSet<_> = before_arguments.keys().chain(now_arguments.keys()).collect();
    for name in names {
        match (before_arguments.get(name), now_arguments.get(name)) {
            (None, Some(_)) => clauses.push(format!("argument {name}: added")),
            (Some(_), None) => clauses.push(format!("argument {name}: removed")),
            (Some(before), Some(now)) if before != now => clauses.push(format!("argument {name}: {before} → {now}")),
            _ => {}
        }
    }
    let locks = [(old, before), (new, now)].map(|(surface, tool)| audit::tool_lines(&surface.api, tool));
    let [before_lines, now_lines] = &locks;
    clauses.extend(only(before_lines, now_lines).map(|line| format!("was {line}")));
    clauses.extend(only(now_lines, before_lines).map(|line| format!("is {line}")));
    clauses
}

/// The words for the search that came, and those that went.
fn words(before: &str, now: &str) -> Vec<String> {
    let set = |text: &str| text.split([' ', ',']).filter(|word| !word.is_empty()).map(str::to_owned).collect();
    let (before, now): (BTreeSet<String>, BTreeSet<String>) = (set(before), set(now));
    let list = |kind: &str, words: Vec<&str>| {
        (!words.is_empty()).then(|| format!("search words {kind}: {}", words.join(", ")))
    };
    let added = list("added", now.difference(&before).map(String::as_str).collect());
    let removed = list("removed", before.difference(&now).map(String::as_str).collect());
    added.into_iter().chain(removed).collect()
}

/// The lines of one that the other lacks, but for those that are told by themselves.
fn only<'a>(some: &'a [String], others: &'a [String]) -> impl Iterator<Item = &'a String> {
    let is_told = |line: &&String| ["toolset ", "risk ", "annotations "].iter().all(|kind| !line.starts_with(kind));
    some.iter().filter(move |line| !others.contains(line)).filter(is_told)
}

/// The schema of each argument, as a text, and whether it is required.
fn arguments(shown: Option<&Value>) -> BTreeMap<&str, String> {
    let schema = shown.and_then(|shown| shown.get("inputSchema"));
    let required: Vec<_> =
        schema.and_then(|schema| schema.get("required")).and_then(Value::as_array).into_iter().flatten().collect();
    let properties = schema.and_then(|schema| schema.get("properties")).and_then(Value::as_object);
    let arguments = properties.into_iter().flatten().map(|(name, schema)| {
        let required = if required.iter().any(|other| *other == name) { "required " } else { "" };
        (name.as_str(), format!("{required}{schema}"))
    });
    arguments.collect()
}

fn figures(old: &Surface, new: &Surface, count: impl Fn(&Surface, &str) -> usize) -> Vec<(String, usize, usize)> {
    let of = |surface: &Surface, exposure: Exposure| {
        surface.api.operations.keys().filter(|id| surface.exposure(id) == exposure).count()
    };
    let all = |surface: &Surface| surface.shown.keys().map(|name| count(surface, name)).sum();
    let default = |surface: &Surface| {
        let is_default = |name: &str| surface.allowlist.toolsets.get(name).is_some_and(|toolset| toolset.default);
        let tools = surface.allowlist.tools.values().filter(|tool| is_default(&tool.toolset));
        tools.map(|tool| count(surface, &tool.name)).sum()
    };
    let preset = |surface: &Surface, name: &str| {
        let preset = surface.allowlist.presets.get(name);
        preset.map_or(0, |preset| surface.allowlist.tools_of(preset).map(|tool| count(surface, &tool.name)).sum())
    };
    let mut figures = vec![
        ("tools".to_owned(), old.allowlist.tools.len(), new.allowlist.tools.len()),
        ("tokens of all tools".to_owned(), all(old), all(new)),
        ("tokens of the default profile".to_owned(), default(old), default(new)),
    ];
    let presets: BTreeSet<_> = old.allowlist.presets.keys().chain(new.allowlist.presets.keys()).collect();
    figures.extend(presets.iter().map(|name| (format!("tokens of {name}"), preset(old, name), preset(new, name))));
    figures.push(("operations".to_owned(), old.api.operations.len(), new.api.operations.len()));
    figures.extend(Exposure::ALL.map(|exposure| (exposure.name().to_owned(), of(old, exposure), of(new, exposure))));
    figures
}
