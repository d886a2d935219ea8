//! Whether decisions say enough: a reason for each exclusion, and a reason for each risk class that a name or a method
//! contradicts.

use std::collections::BTreeSet;

use crate::allowlist::{Allowlist, Risk, Tool};
use crate::api::{Api, Operation};
use crate::yaml::{Position, Problem};

/// Verbs that say that a call changes something.
const CHANGES: [&str; 44] = [
    "accept",
    "add",
    "append",
    "apply",
    "approve",
    "assign",
    "attach",
    "cancel",
    "change",
    "clear",
    "create",
    "delete",
    "deploy",
    "disable",
    "edit",
    "enable",
    "install",
    "migrate",
    "modify",
    "move",
    "patch",
    "promote",
    "publish",
    "purge",
    "put",
    "refresh",
    "reject",
    "remove",
    "replace",
    "reset",
    "restart",
    "restore",
    "revoke",
    "rotate",
    "set",
    "start",
    "stop",
    "submit",
    "transition",
    "trigger",
    "uninstall",
    "unpublish",
    "update",
    "upload",
];

/// What runs a SQL statement, and wakes the warehouse for it.
const STATEMENT: &str = "sql.statement_execution.execute_statement";

/// The words of a sentence, at least.
const WORDS: usize = 4;

/// Something classed `read` against what its name or method says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reads {
    /// The id of the operation, or the name of the composite.
    pub name: String,
    /// What speaks against `read`.
    pub evidence: String,
    /// Why it is `read` all the same; `None` where nobody said.
    pub because: Option<String>,
    position: Position,
}

/// Reasons that say nothing, and risks against the evidence, each where it stands.
pub fn evidence(api: &Api, allowlist: &Allowlist) -> Vec<Problem> {
    let mut problems = reasons(allowlist);
    problems.extend(strange_names(allowlist));
    problems.extend(silent_costs(allowlist));
    let reads = reads(api, allowlist);
    for read in &reads {
        match &read.because {
            None => problems.push(read.position.problem(format!(
                "`{}` is classed `read`, and {}: say `because` it changes nothing, or give it another risk",
                read.name, read.evidence
            ))),
            Some(because) if !is_sentence(because) => problems.push(read.position.problem(format!(
                "`because` of `{}` is no sentence: say in {WORDS} words or more, with a full stop, why it changes nothing",
                read.name
            ))),
            Some(_) => {}
        }
    }
    let told: BTreeSet<_> = reads.iter().map(|read| read.name.as_str()).collect();
    let decisions = allowlist.decisions.iter().filter(|(_, decision)| decision.because.is_some());
    let decisions = decisions.map(|(id, decision)| (id, &decision.position));
    let composites = allowlist.tools.values().filter(|tool| tool.operation.is_none() && tool.because.is_some());
    let composites = composites.map(|tool| (&tool.name, &tool.position));
    for (name, position) in decisions.chain(composites).filter(|(name, _)| !told.contains(name.as_str())) {
        problems.push(position.problem(format!("nothing speaks against the risk of `{name}`: remove `because`")));
    }
    problems
}

/// Everything classed `read` whose name or method says otherwise.
pub fn reads(api: &Api, allowlist: &Allowlist) -> Vec<Reads> {
    let mut reads = Vec::new();
    for (id, decision) in &allowlist.decisions {
        let tool = decision.tool.as_ref().and_then(|name| allowlist.tools.get(name));
        let risk = tool.map(|tool| tool.risk).or(decision.reachable.as_ref().map(|reachable| reachable.risk));
        let evidence = api.operations.get(id).and_then(against_reading).filter(|_| risk == Some(Risk::Read));
        reads.extend(evidence.map(|evidence| Reads {
            name: id.clone(),
            evidence,
            because: decision.because.clone(),
            position: decision.position.clone(),
        }));
    }
    for tool in allowlist.tools.values().filter(|tool| tool.operation.is_none() && tool.risk == Risk::Read) {
        let mut used = tool.uses.iter().filter_map(|id| Some((id, against_reading(allowlist.operation(api, id)?)?)));
        let evidence = used.next().map(|(id, evidence)| format!("it uses `{id}`, where {evidence}"));
        reads.extend(evidence.map(|evidence| Reads {
            name: tool.name.clone(),
            evidence,
            because: tool.because.clone(),
            position: tool.position.clone(),
        }));
    }
    reads
}

/// What of an operation says that a call changes something.
fn against_reading(operation: &Operation) -> Option<String> {
    let method = operation.id.rsplit('.').next().unwrap_or_default();
    let mut words = method.split('_').filter(|word| !matches!(*word, "batch" | "bulk"));
    match words.next().filter(|verb| CHANGES.contains(verb)) {
        Some(verb) => Some(format!("its name says `{verb}`")),
        None if operation.method == "GET" || operation.method == "HEAD" => None,
        None => Some(format!("it is a {}", operation.method)),
    }
}

/// Reasons of exclusions without a whole sentence, each once.
fn reasons(allowlist: &Allowlist) -> Vec<Problem> {
    let mut seen = BTreeSet::new();
    let excluded = allowlist.decisions.values().filter_map(|decision| Some((decision, decision.excluded.as_ref()?)));
    let empty = excluded.filter(|(_, reason)| !is_sentence(reason) && seen.insert(reason.as_str()));
    let problems = empty.map(|(decision, reason)| {
        decision.position.problem(format!(
            "the reason `{}` is no sentence: say in {WORDS} words or more, with a full stop, why it is excluded",
            reason.trim()
        ))
    });
    problems.collect()
}

/// Tools and operations that a reason names and that are not there, so that it sends its reader nowhere.
fn strange_names(allowlist: &Allowlist) -> Vec<Problem> {
    let methods: BTreeSet<_> = allowlist.decisions.keys().filter_map(|id| id.rsplit('.').next()).collect();
    let aliases: BTreeSet<_> = allowlist.tools.values().flat_map(|tool| &tool.aliases).map(String::as_str).collect();
    let is_there = |name: &str| {
        let is_tool = allowlist.tools.contains_key(name) || aliases.contains(name) || methods.contains(name);
        is_tool || allowlist.decisions.contains_key(name)
    };
    let mut seen = BTreeSet::new();
    let excluded = allowlist.decisions.values().filter_map(|decision| Some((decision, decision.excluded.as_ref()?)));
    let named =
        excluded.flat_map(|(decision, reason)| reason.split('`').skip(1).step_by(2).map(move |name| (decision, name)));
    let strange = named.filter(|(_, name)| looks_like_name(name) && !is_there(name) && seen.insert(*name));
    let problems = strange
        .map(|(decision, name)| decision.position.problem(format!("no tool and no operation is named `{name}`")));
    problems.collect()
}

/// Whether it has the form of a tool's name or of an operation's id.
fn looks_like_name(name: &str) -> bool {
    let legal = |letter: char| letter.is_ascii_lowercase() || letter.is_ascii_digit() || matches!(letter, '_' | '.');
    let has_parts = name.split('.').count() == 3 || name.trim_matches('_').contains('_');
    name.starts_with(|first: char| first.is_ascii_lowercase()) && name.chars().all(legal) && has_parts
}

/// Tools classed `read` that run a statement and do not say that it wakes a SQL warehouse, which costs.
fn silent_costs(allowlist: &Allowlist) -> Vec<Problem> {
    let runs = |tool: &&Tool| tool.risk == Risk::Read && tool.uses.iter().any(|id| id == STATEMENT);
    let silent = allowlist.tools.values().filter(runs).filter(|tool| !tool.description.to_lowercase().contains("wake"));
    let problems = silent.map(|tool| {
        tool.position
            .problem(format!("`{}` runs a statement: say in its description that it wakes a SQL warehouse", tool.name))
    });
    problems.collect()
}

/// Whether a text has a whole sentence at least.
fn is_sentence(text: &str) -> bool {
    let text = text.trim();
    let begins = text.starts_with(|first: char| first.is_uppercase() || first == '`');
    begins && text.ends_with('.') && text.split_whitespace().count() >= WORDS
}
