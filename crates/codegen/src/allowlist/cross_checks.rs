//! The checks that need all files: an entry may name something in another entry, and say something about it.

use std::collections::BTreeMap;

use super::read::changes;
use super::{Allowlist, Confirm, Risk, Tool, verify, watch};
use crate::api::Api;
use crate::nearest::did_you_mean;
use crate::yaml::{Position, Problem};

/// The operation that runs a SQL statement.
const STATEMENT: &str = "sql.statement_execution.execute_statement";

/// Every mistake; `lists` are the resources that lists name, and where.
pub(super) fn check(allowlist: &Allowlist, api: &Api, lists: &[(Position, String)]) -> Vec<Problem> {
    let mut problems = composites(allowlist, api);
    problems.extend(undecided(allowlist));
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
    problems.extend(watch::check(allowlist, api));
    problems
}

/// Entries that decide nothing.
fn undecided(allowlist: &Allowlist) -> impl Iterator<Item = Problem> {
    let undecided =
        allowlist.decisions.iter().filter(|(_, decision)| decision.excluded.is_none() && !decision.is_exposed());
    undecided.map(|(id, decision)| {
        decision.position.problem(format!(
            "nothing is decided on `{id}`: give it a `tool`, a `resource`, `reach` or `exclude`, or name it in `uses` of a composite"
        ))
    })
}

/// Composites that use what changes something, and say that they only read; or that use anything, and say that they stay here.
fn composites(allowlist: &Allowlist, api: &Api) -> Vec<Problem> {
    let mut problems = Vec::new();
    for tool in allowlist.tools.values().filter(|tool| !tool.open_world && !tool.uses.is_empty()) {
        let message = format!("`{}` uses operations of the workspace: it reaches out of this server", tool.name);
        problems.push(tool.position.problem(message));
    }
    // Without a statement, nothing would ever be asked.
    let by_statement = |confirm: Option<Confirm>| confirm == Some(Confirm::SqlWrites);
    for tool in allowlist.tools.values().filter(|tool| by_statement(tool.confirm)) {
        if !tool.uses.iter().any(|id| id == STATEMENT) {
            let message = format!("`{}` does not use `{STATEMENT}`: it has no statement to ask about", tool.name);
            problems.push(tool.position.problem(message));
        }
    }
    for (id, decision) in &allowlist.decisions {
        if id != STATEMENT && decision.reachable.as_ref().is_some_and(|reachable| by_statement(reachable.confirm)) {
            problems.push(decision.position.problem(format!("`{id}` runs no statement to ask about")));
        }
    }
    for tool in allowlist.tools.values().filter(|tool| tool.operation.is_none() && tool.risk == Risk::Read) {
        let used = tool.uses.iter().filter_map(|id| allowlist.operation(api, id));
        for operation in used.filter(|operation| changes(operation)) {
            let message =
                format!("`{}` is a {}: the risk of `{}` is not `read`", operation.id, operation.method, tool.name);
            problems.push(tool.position.problem(message));
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
