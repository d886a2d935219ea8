//! Proposes decisions on a new operation from those on its siblings.

use std::collections::{BTreeMap, BTreeSet};

use codegen::allowlist::{Allowlist, Decision, Risk, Source};
use codegen::api::{Body, Operation, Response};
use codegen::yaml::STUB;
use serde_json::{Map, Value};

use super::state::Before;

/// Characters of a sibling's reason that are shown.
const REASON: usize = 100;

/// A decision that a person has to make, as far as it can be prepared.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Proposal {
    /// The operation.
    pub(super) operation: String,
    /// The file of the allowlist; a stub where nothing suggests one.
    pub(super) toolset: String,
    /// The entry of the operation in that file. What a person has to write is a stub.
    pub(super) entry: Map<String, Value>,
    /// For the reader: what it is, and why this is proposed.
    pub(super) because: Vec<String>,
}

/// Every decided operation that the API had before.
struct Decided<'a> {
    operation: &'a Operation,
    decision: &'a Decision,
    risk: Option<Risk>,
}

/// Proposes decisions.
pub(super) struct Proposer<'a> {
    decided: Vec<Decided<'a>>,
    /// Names of parameters that hold credentials.
    secrets: BTreeSet<&'a str>,
}

impl<'a> Proposer<'a> {
    pub(super) fn new(before: &'a Before) -> Self {
        let allowlist = &before.allowlist;
        let decided = allowlist.decisions.iter().filter_map(|(id, decision)| {
            let operation = before.specs.api.operations.get(id)?;
            Some(Decided { operation, decision, risk: risk(decision, allowlist) })
        });
        let tools = allowlist.tools.values().filter_map(|tool| tool.operation.as_ref());
        let reachable = allowlist.decisions.values().filter_map(|decision| Some(&decision.reachable.as_ref()?.call));
        let arguments = tools.chain(reachable).flat_map(|call| &call.arguments);
        let secrets = arguments.filter_map(|argument| match &argument.source {
            Source::Caller(input) if input.secret => Some(argument.wire.as_str()),
            _ => None,
        });
        Self { decided: decided.collect(), secrets: secrets.collect() }
    }

    /// What to decide on this operation.
    pub(super) fn propose(&self, operation: &Operation) -> Proposal {
        let deprecated = if operation.deprecated { ", deprecated" } else { "" };
        let mut because = vec![format!("{} {}{deprecated}", operation.method, operation.path)];
        let siblings = self.siblings(operation, &mut because);
        let toolset = most(siblings.iter().map(|sibling| sibling.decision.toolset.as_str()));
        let toolset = toolset.map_or(STUB, |(toolset, _)| toolset).to_owned();
        let reasons = siblings.iter().filter_map(|sibling| sibling.decision.excluded.as_deref());
        let (excluded, reason) = (reasons.clone().count(), most(reasons.clone()));
        let mut entry = Map::new();
        if holds_bytes(operation) {
            because.push("it takes or gives bytes, which the executors cannot carry".to_owned());
            let others = self.decided.iter().filter(|decided| holds_bytes(decided.operation));
            let reason = most(others.filter_map(|decided| decided.decision.excluded.as_deref()));
            entry.insert("exclude".to_owned(), stub(reason.map_or("why not", |(reason, _)| reason)));
        } else if let Some((reason, _)) = reason.filter(|_| excluded == siblings.len()) {
            because.push("all of them are excluded".to_owned());
            entry.insert("exclude".to_owned(), stub(reason));
        } else {
            let different: BTreeSet<_> = reasons.collect();
            because.extend(different.into_iter().map(|reason| format!("a sibling is excluded: {}", shortened(reason))));
            entry = self.reach(operation, &mut because);
        }
        Proposal { operation: operation.id.clone(), toolset, entry, because }
    }

    /// An entry by which the executors call the operation.
    fn reach(&self, operation: &Operation, because: &mut Vec<String>) -> Map<String, Value> {
        let risk = self.risk(operation, because);
        let mut entry = Map::new();
        entry.insert("reach".to_owned(), risk.name().into());
        entry.insert("summary".to_owned(), stub(&in_words(&operation.id)));
        let secrets = operation.parameters.iter().filter(|parameter| self.secrets.contains(parameter.name.as_str()));
        let secrets: Vec<_> = secrets.map(|parameter| operation.key(parameter)).collect();
        if !secrets.is_empty() {
            entry.insert("secret".to_owned(), secrets.into());
        }
        if risk == Risk::Read && operation.method == "POST" {
            entry.insert("because".to_owned(), stub("why a POST only reads"));
        }
        entry
    }

    /// The decided operations of the same service, or else of the same package.
    fn siblings(&self, operation: &Operation, because: &mut Vec<String>) -> Vec<&Decided<'a>> {
        let service = operation.id.rsplit_once('.').map_or("", |(service, _)| service);
        for (of, prefix) in [("service", service), ("package", operation.package())] {
            let is_sibling = |id: &str| id.strip_prefix(prefix).is_some_and(|rest| rest.starts_with('.'));
            let siblings: Vec<_> = self.decided.iter().filter(|decided| is_sibling(&decided.operation.id)).collect();
            if !siblings.is_empty() {
                because.push(format!("siblings decided in the {of} `{prefix}`: {}", siblings.len()));
                return siblings;
            }
        }
        because.push(format!("the package `{}` is new: name the toolset", operation.package()));
        Vec::new()
    }

    /// The risk that operations with this method and this first word have; the highest if there is none.
    fn risk(&self, operation: &Operation, because: &mut Vec<String>) -> Risk {
        let (method, word) = (operation.method.as_str(), first_word(&operation.id));
        match method {
            "GET" | "HEAD" => return Risk::Read,
            "DELETE" => return Risk::Destructive,
            _ => {}
        }
        let same = self.decided.iter().filter(|decided| decided.operation.method == method);
        let same = same.filter(|decided| first_word(&decided.operation.id) == word).filter_map(|decided| decided.risk);
        let all = same.clone().count();
        match most(same) {
            Some((risk, count)) => {
                because.push(format!("{count} of {all} decided {method}s named `{word}…` are {}", risk.name()));
                risk
            }
            None => {
                because.push(format!("no decided {method} is named `{word}…`: look at what it does"));
                Risk::Destructive
            }
        }
    }
}

/// What a call of the operation can do, where one tool or the executors make it.
fn risk(decision: &Decision, allowlist: &Allowlist) -> Option<Risk> {
    let tool = decision.tool.as_ref().and_then(|name| allowlist.tools.get(name)).map(|tool| tool.risk);
    tool.or(decision.reachable.as_ref().map(|reachable| reachable.risk))
}

fn holds_bytes(operation: &Operation) -> bool {
    !matches!(operation.body, Body::None | Body::Object) || matches!(operation.response, Response::Binary(_))
}

fn first_word(id: &str) -> &str {
    let method = id.rsplit('.').next().unwrap_or_default();
    method.split('_').next().unwrap_or_default()
}

/// The name of the method in words.
fn in_words(id: &str) -> String {
    id.rsplit('.').next().unwrap_or_default().replace('_', " ")
}

/// The beginning of a text, on one line.
fn shortened(text: &str) -> String {
    let text = text.split_whitespace().collect::<Vec<_>>().join(" ");
    match text.char_indices().nth(REASON) {
        Some((end, _)) => format!("{}…", text.get(..end).unwrap_or_default()),
        None => text,
    }
}

fn stub(text: &str) -> Value {
    format!("{STUB}: {text}").into()
}

/// What occurs most often, and how often; of two the greater.
fn most<T: Ord + Copy>(items: impl Iterator<Item = T>) -> Option<(T, usize)> {
    let mut counts: BTreeMap<T, usize> = BTreeMap::new();
    items.for_each(|item| *counts.entry(item).or_default() += 1);
    counts.into_iter().max_by_key(|(item, count)| (*count, *item))
}
