//! Operations that the specs lack: what is known of them stands in the allowlist.

use super::Allowlist;
use crate::api::{Api, Body, Location, Operation, Parameter, Response, Schema};
use crate::yaml::{Key, Mapping, Node, Problem};

/// Reads an operation that the specs lack. Nothing checks what such a one is given, so it may only read: a POST says
/// why it does.
pub(super) fn read(api: &Api, allowlist: &Allowlist, key: Key, node: Node) -> Result<Operation, Problem> {
    if api.operations.contains_key(&key.text) {
        let message = format!("the specs have `{}` now: remove this entry", key.text);
        return Err(key.position.problem(message));
    }
    if allowlist.undocumented.contains_key(&key.text) {
        return Err(key.position.problem(format!("`{}` stands under `undocumented` twice", key.text)));
    }
    let mut entry = node.mapping("`reason`, `method`, `path`, `query` and `body`")?;
    entry.string("reason")?;
    let method = entry.require("method")?;
    let (position, method) = (method.position.clone(), method.string()?);
    let because = entry.optional_string("because")?;
    let (body, takes_body) = (entry.take("body"), method == "POST");
    match (method.as_str(), &because, &body) {
        ("GET", None, None) | ("POST", Some(_), _) => {}
        ("GET", ..) => return Err(position.problem("a GET reads and has no body: remove `because` and `body`")),
        ("POST", None, _) => {
            return Err(position.problem("an operation without a spec may only read: say `because` this POST does"));
        }
        _ => {
            let message = "an operation without a spec may only read: its `method` is `GET`, or `POST` with `because`";
            return Err(position.problem(message));
        }
    }
    let path = entry.string("path")?;
    let in_path = path.split('{').skip(1).filter_map(|part| Some(part.split_once('}')?.0.to_owned()));
    let mut parameters: Vec<_> =
        in_path.map(|name| parameter(name, Location::Path, true, Schema::String(None))).collect();
    for (values, location) in [(entry.take("query"), Location::Query), (body, Location::Body)] {
        let values = values.map(|node| node.mapping("parameters: `required` or `optional`")).transpose()?;
        for (name, node) in values.map(Mapping::into_entries).unwrap_or_default() {
            let position = node.position.clone();
            let required = match node.string()?.as_str() {
                "required" => true,
                "optional" => false,
                other => return Err(position.problem(format!("`{other}` is neither `required` nor `optional`"))),
            };
            parameters.push(parameter(name.text, location, required, Schema::Any));
        }
    }
    entry.finish()?;
    Ok(Operation {
        id: key.text,
        method,
        path,
        parameters,
        body: if takes_body { Body::Object } else { Body::None },
        response: Response::Json(Schema::Any),
        pagination: None,
        workspace_routing: true,
        accounts: false,
        deprecated: false,
    })
}

fn parameter(name: String, location: Location, required: bool, schema: Schema) -> Parameter {
    Parameter {
        name,
        location,
        required,
        schema,
        multi_segment: false,
        resource_name: None,
        flatten: false,
        auto_uuid: false,
        from_config: false,
        preset: None,
    }
}
