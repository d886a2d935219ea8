//! Operations without a tool of their own, which the executors call: a risk and one sentence each.

use std::collections::BTreeMap;

use super::{Argument, Encoding, Input, OperationTool, Reachable, Shape, Source, read};
use crate::api::{Body, Operation, Parameter, Response};
use crate::yaml::{Mapping, Position, Problem};

/// How deep nested objects of an argument are spelled out.
const DEPTH: usize = 2;
/// Characters of a summary.
const SUMMARY: std::ops::RangeInclusive<usize> = 12..=160;

/// Reads `reach`, `summary` and `secret` of an entry; nothing where there is no `reach`.
pub(super) fn read(source: &Operation, entry: &mut Mapping) -> Result<Option<Reachable>, Problem> {
    if !entry.has("reach") {
        return Ok(None);
    }
    let risk = read::risk(entry, "reach", Some(source))?;
    let confirm = read::confirm(entry, risk)?;
    let node = entry.require("summary")?;
    let position = node.position.clone();
    let summary = node.text("summary")?.trim().to_owned();
    check(&summary, &position)?;
    if !matches!(source.body, Body::None | Body::Object) || matches!(source.response, Response::Binary(_)) {
        let message = format!("`{}` takes or gives bytes, or a body that is no object: a call cannot", source.id);
        return Err(position.problem(message));
    }
    let secrets = entry.strings("secret")?;
    for name in &secrets {
        if !source.parameters.iter().any(|parameter| source.key(parameter) == *name) {
            return Err(position.problem(format!("`{}` has no parameter `{name}`", source.id)));
        }
    }
    let result =
        Shape { items: source.pagination.as_ref().and_then(|pagination| pagination.items.clone()), ..Shape::default() };
    let is_cursor = |parameter: &&Parameter| super::operation::is_cursor(source, &result, parameter);
    let parameters = source.parameters.iter().filter(|parameter| !parameter.from_config && !is_cursor(parameter));
    let arguments = parameters.map(|parameter| argument(source, parameter, &secrets)).collect();
    let call = OperationTool {
        id: source.id.clone(),
        arguments,
        result,
        filters: BTreeMap::new(),
        elsewhere: None,
        lists: None,
        cache: None,
    };
    Ok(Some(Reachable { risk, summary, confirm, call }))
}

fn check(summary: &str, position: &Position) -> Result<(), Problem> {
    let length = summary.chars().count();
    if !SUMMARY.contains(&length) {
        let (least, most) = (SUMMARY.start(), SUMMARY.end());
        return Err(position.problem(format!("a summary has {least} to {most} characters, this one {length}")));
    }
    let is_sentence = summary.ends_with('.') && summary.starts_with(char::is_uppercase);
    if !is_sentence {
        return Err(position.problem("a summary is a sentence: a capital at its beginning, a full stop at its end"));
    }
    Ok(())
}

/// How the value is built, where that is known: an id alone would lead to another operation.
fn description(parameter: &Parameter) -> String {
    parameter.resource_name.as_ref().map(|name| format!("Such as `{name}`.")).unwrap_or_default()
}

fn argument(source: &Operation, parameter: &Parameter, secrets: &[String]) -> Argument {
    let key = source.key(parameter);
    let secret = secrets.contains(&key);
    let value = if parameter.auto_uuid {
        Source::Uuid
    } else {
        Source::Caller(Box::new(Input {
            // A property of the body that has the name of another parameter.
            name: key.replace('.', "_"),
            description: description(parameter),
            required: parameter.required,
            default: None,
            minimum: None,
            maximum: None,
            values: None,
            free_form: false,
            depth: DEPTH,
            secret,
            encoding: Encoding::Plain,
            page_size: None,
        }))
    };
    Argument { wire: parameter.name.clone(), location: parameter.location, source: value }
}
