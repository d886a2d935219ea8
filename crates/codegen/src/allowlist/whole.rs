//! The checks that need all files: what an entry names in another, and what it says of it.

use std::collections::BTreeMap;

use super::read::changes;
use super::{Allowlist, Risk, Tool, verify};
use crate::api::Api;
use crate::nearest::did_you_mean;
use crate::yaml::{Position, Problem};

/// Every mistake; `lists` are the resources that lists name, and where.
pub(super) fn check(allowlist: &Allowlist, api: &Api, lists: &[(Position, String)]) -> Vec<Problem> {
    let mut problems = composites(allowlist, api);
    for (position, resource) in lists {
        if !allowlist.resources.contains_key(resource) {
            let hint = did_you_mean(resource, allowlist.resources.keys().map(String::as_str));
            problems.push(position.problem(format!("no resource is named `{resource}`{hint}")));
        }
    }
    let mut names = BTreeMap::new();
    for tool in allowlist.tools.values() {
        for alias in &tool.aliases {
            let other = names.insert(alias, &tool.name).or(allowlist.tools.get(alias).map(|tool| &tool.name));
            if let Some(other) = other {
                let message = format!("the alias `{alias}` of `{}` is a name of `{other}` already", tool.name);
                problems.push(tool.position.problem(message));
            }
        }
        let elsewhere = tool.operation.as_ref().and_then(|operation| operation.elsewhere.as_ref());
        if let Some(other) = elsewhere.filter(|other| !allowlist.tools.contains_key(*other)) {
            let hint = did_you_mean(other, allowlist.tools.keys().map(String::as_str));
            problems.push(tool.position.problem(format!("no tool is named `{other}`{hint}")));
        }
        problems.extend(unbound(allowlist, tool));
        problems.extend(verify::check(allowlist, api, tool));
    }
    problems.sort_by(|one, other| (&one.file, one.line, one.column).cmp(&(&other.file, other.line, other.column)));
    problems
}

/// Composites that operations are used by, but that are none, or say that they only read.
fn composites(allowlist: &Allowlist, api: &Api) -> Vec<Problem> {
    let mut problems = Vec::new();
    for (id, decision) in &allowlist.decisions {
        for name in &decision.used_by {
            let Some(tool) = allowlist.tools.get(name).filter(|tool| tool.operation.is_none()) else {
                let known = allowlist.tools.values().filter(|tool| tool.operation.is_none());
                let hint = did_you_mean(name, known.map(|tool| tool.name.as_str()));
                problems.push(decision.position.problem(format!("no composite is named `{name}`{hint}")));
                continue;
            };
            if let Some(operation) = api.operations.get(id).filter(|operation| changes(operation))
                && tool.risk == Risk::Read
            {
                let message = format!("`{id}` is a {}: the risk of `{name}` is not `read`", operation.method);
                problems.push(decision.position.problem(message));
            }
        }
    }
    problems
}

/// Variables of its resource's URI that a list gives no value.
fn unbound<'a>(allowlist: &'a Allowlist, tool: &'a Tool) -> impl Iterator<Item = Problem> + 'a {
    let lists = tool.operation.as_ref().and_then(|operation| operation.lists.as_ref());
    let found = lists.and_then(|lists| Some((lists, allowlist.resources.get(&lists.resource)?)));
    found.into_iter().flat_map(|(lists, resource)| {
        let missing = resource.variables.iter().filter(|(variable, _)| !lists.bind.contains_key(variable));
        missing.map(|(variable, _)| {
            tool.position.problem(format!("`lists.bind` has no value for `{{{variable}}}` of `{}`", resource.uri))
        })
    })
}
