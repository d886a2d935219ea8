//! `watch` of a resource: by which fields it is seen to have changed, and when nothing more changes.

use super::Allowlist;
use super::verify::json;
use crate::api::Api;
use crate::yaml::{Node, Position, Problem};

/// How a resource is watched for those who subscribe to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Watch {
    /// Where it is decided.
    pub position: Position,
    /// Dotted paths, through arrays too; when one of their values differs, the resource has changed.
    pub fields: Vec<String>,
    /// Fields and their values, one of which says that nothing more will change.
    pub over: Vec<(String, Vec<String>)>,
}

/// Reads `watch` of a resource.
pub(super) fn read(node: Node) -> Result<Watch, Problem> {
    let mut entry = node.mapping("`fields`, and `over` where it comes to an end")?;
    let position = entry.position.clone();
    let fields = entry.strings("fields")?;
    let mut over = Vec::new();
    if let Some(node) = entry.take("over") {
        for (key, node) in node.mapping("fields and their last values")?.into_entries() {
            let values = node.sequence("a list of values")?.into_iter().map(Node::string).collect::<Result<_, _>>()?;
            over.push((key.text, values));
        }
    }
    entry.finish()?;
    if fields.is_empty() {
        return Err(position.problem("`watch` needs the `fields` by which a change is seen"));
    }
    if let Some((field, _)) = over.iter().find(|(field, _)| !fields.contains(field)) {
        return Err(position.problem(format!("`{field}` of `over` is not among the `fields`")));
    }
    Ok(Watch { position, fields, over })
}

/// Fields of `watch` that the operation does not give.
pub(super) fn check(allowlist: &Allowlist, api: &Api) -> Vec<Problem> {
    let watched = allowlist.resources.values().filter_map(|resource| Some((resource, resource.watch.as_ref()?)));
    let unknown =
        watched.flat_map(|(resource, watch)| {
            let source = api.operations.get(&resource.operation);
            let lacks = move |field: &&String| source.is_some_and(|source| api.at(json(source), field).is_none());
            watch.fields.iter().filter(lacks).map(|field| {
                watch.position.problem(format!("what `{}` gives has no field `{field}`", resource.operation))
            })
        });
    unknown.collect()
}
