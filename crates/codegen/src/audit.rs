//! What nobody has decided on, and what changed since somebody did.
//!
//! Every operation of the specs must be decided. What was decided is recorded in a lock file, `allowlist/exposure.lock`: method,
//! path, risk and parameters of each exposed operation, and each exclusion, so that a change of the API or of a decision
//! shows up as a difference that a person reviews.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use crate::allowlist::{Allowlist, Decision, Tool};
use crate::api::{Api, Location, Operation, Schema};

/// Name of the lock file in the allowlist's directory.
pub const LOCK_FILE: &str = "exposure.lock";

/// The line of an operation that is excluded.
const EXCLUDED: &str = "excluded";

/// How the operations of a package stand.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Package {
    /// Operations in the specs.
    pub operations: usize,
    /// Operations behind a tool, a resource or a composite.
    pub exposed: usize,
    /// Operations behind an executor only.
    pub reachable: usize,
    /// Operations excluded with a reason.
    pub excluded: usize,
    /// Ids that nobody has decided on.
    pub undecided: Vec<String>,
}

/// How each package of the specs stands.
pub fn packages(api: &Api, allowlist: &Allowlist) -> BTreeMap<String, Package> {
    let mut packages: BTreeMap<String, Package> = BTreeMap::new();
    for (id, operation) in &api.operations {
        let package = packages.entry(operation.package().to_owned()).or_default();
        package.operations += 1;
        match allowlist.decisions.get(id) {
            None => package.undecided.push(id.clone()),
            Some(decision) if decision.excluded.is_some() => package.excluded += 1,
            Some(decision) if decision.reachable.is_some() => package.reachable += 1,
            Some(_) => package.exposed += 1,
        }
    }
    packages
}

/// The lock file: each exposed operation with everything that a review looked at, and each exclusion.
pub fn lock(api: &Api, allowlist: &Allowlist) -> String {
    let mut text =
        String::from("# Written by `cargo xtask audit --accept`; a difference is an API change to review.\n");
    for (id, decision) in &allowlist.decisions {
        let Some(operation) = allowlist.operation(api, id) else { continue };
        text.push('\n');
        if decision.excluded.is_some() {
            let _ = writeln!(text, "{}\n  {EXCLUDED}", operation.id);
            continue;
        }
        text.push_str(&block(operation, decision, allowlist));
    }
    text
}

/// What differs between two lock files, one line each, with what to do.
pub fn differences(accepted: &str, current: &str) -> Vec<String> {
    let (accepted, current) = (blocks(accepted), blocks(current));
    let ids: BTreeSet<_> = accepted.keys().chain(current.keys()).collect();
    let mut lines = Vec::new();
    for id in ids {
        match (accepted.get(id), current.get(id)) {
            (Some(old), None) if old.contains(EXCLUDED) => lines.push(format!("{id}: no longer excluded")),
            (Some(_), None) => lines.push(format!("{id}: no longer exposed")),
            (None, Some(new)) if new.contains(EXCLUDED) => lines.push(format!("{id}: newly excluded")),
            (None, Some(_)) => lines.push(format!("{id}: newly exposed")),
            (Some(old), Some(new)) if old.contains(EXCLUDED) && !new.contains(EXCLUDED) => {
                lines.push(format!("{id}: was excluded, and is exposed"));
            }
            (Some(old), Some(new)) if !old.contains(EXCLUDED) && new.contains(EXCLUDED) => {
                lines.push(format!("{id}: was exposed, and is excluded"));
            }
            (Some(old), Some(new)) if old != new => {
                lines.extend(old.difference(new).map(|line| format!("{id}: was  {line}")));
                lines.extend(new.difference(old).map(|line| format!("{id}: is   {line}")));
            }
            _ => {}
        }
    }
    lines
}

fn block(operation: &Operation, decision: &Decision, allowlist: &Allowlist) -> String {
    let mut text = format!("{}\n  {} {}\n", operation.id, operation.method, operation.path);
    for name in decision.tool.iter().chain(&decision.used_by) {
        let risk = allowlist.tools.get(name).map_or("unknown", |tool| tool.risk.name());
        let _ = writeln!(text, "  {risk} tool {name}");
    }
    let looks = |tool: &&Tool| {
        tool.verify.as_ref().and_then(|verify| verify.look.as_ref()).is_some_and(|look| look.operation == operation.id)
    };
    for tool in allowlist.tools.values().filter(looks) {
        let _ = writeln!(text, "  read look of {}", tool.name);
    }
    if let Some(reachable) = &decision.reachable {
        let _ = writeln!(text, "  {} reachable", reachable.risk.name());
    }
    if let Some(resource) = &decision.resource {
        let _ = writeln!(text, "  read resource {resource}");
    }
    if operation.deprecated {
        text.push_str("  deprecated\n");
    }
    if allowlist.undocumented.contains_key(&operation.id) {
        text.push_str("  undocumented\n");
    }
    for parameter in &operation.parameters {
        let location = match parameter.location {
            Location::Path => "path",
            Location::Query => "query",
            Location::Body => "body",
        };
        let required = if parameter.required { " required" } else { "" };
        let _ = writeln!(text, "  {location} {}: {}{required}", parameter.name, type_name(&parameter.schema));
    }
    text
}

fn blocks(lock: &str) -> BTreeMap<&str, BTreeSet<&str>> {
    let blocks = lock.split("\n\n").map(|block| block.trim_start_matches('\n'));
    let blocks = blocks.filter(|block| !block.starts_with('#') && !block.trim().is_empty());
    blocks
        .map(|block| {
            let mut lines = block.lines();
            (lines.next().unwrap_or_default(), lines.map(str::trim).collect())
        })
        .collect()
}

fn type_name(schema: &Schema) -> String {
    match schema {
        Schema::Any => "any".into(),
        Schema::Boolean => "boolean".into(),
        Schema::Integer { wide: true } => "int64".into(),
        Schema::Integer { wide: false } => "int32".into(),
        Schema::Number => "number".into(),
        Schema::String(None) => "string".into(),
        Schema::String(Some(format)) => format.clone(),
        Schema::Enum(values) => format!("enum({})", values.join("|")),
        Schema::Array(items) => format!("[{}]", type_name(items)),
        Schema::Map(values) => format!("map({})", type_name(values)),
        Schema::Object(_) => "object".into(),
        Schema::Reference(name) => name.clone(),
    }
}
