//! The parts of an entry that refer to an operation's parameters and response, checked against them.

use std::collections::BTreeMap;

use super::{Argument, Encoding, Filter, Input, Lists, Resource, Risk, Shape, Source, Token, watch};
use crate::api::{Api, Operation, Parameter, Response, Schema};
use crate::nearest::did_you_mean;
use crate::yaml::{Mapping, Node, Position, Problem};

/// How deep nested objects of an argument are spelled out, unless an entry says otherwise.
const DEPTH: usize = 2;

/// What a caller may give: the arguments of the operation, and other names of them.
pub(super) fn arguments(
    api: &Api,
    source: &Operation,
    result: &Shape,
    position: &Position,
    node: Option<Node>,
) -> Result<(Vec<Argument>, BTreeMap<String, String>), Problem> {
    let mut arguments: Vec<Argument> = Vec::new();
    let mut names = Vec::new();
    let mut aliases = Aliases::default();
    let entries = match node {
        Some(node) => node.mapping("parameters and how they are exposed")?.into_entries(),
        None => Vec::new(),
    };
    for (key, node) in entries {
        let parameter = parameter(source, &key.text, &key.position)?;
        if is_cursor(source, result, parameter) {
            let message =
                format!("`{}` is the cursor of the list; every list tool has `page_token` by itself", key.text);
            return Err(key.position.problem(message));
        }
        let mut entry = node.mapping("a description, `fixed` or `auto`")?;
        let others = entry.strings("alias")?;
        let value = self::source(api, parameter, &mut entry)?;
        entry.finish()?;
        if let Source::Caller(input) = &value {
            if is_automatic(result, &input.name) {
                let message =
                    format!("`{}` is an argument that this tool has by itself: rename it with `as`", input.name);
                return Err(key.position.problem(message));
            }
            if names.contains(&input.name) {
                return Err(key.position.problem(format!("two arguments are named `{}`", input.name)));
            }
            if input.page_size.is_some() && result.items.is_none() {
                return Err(key.position.problem(format!("`{}` has a `page_size`, and this is no list", key.text)));
            }
            names.push(input.name.clone());
            aliases.add(&key.position, &input.name, others)?;
            // Who knows the API uses its names.
            if input.name != parameter.name {
                aliases.offer(&input.name, &parameter.name);
            }
        } else if !others.is_empty() {
            return Err(key.position.problem(format!("`{}` is not given by the caller: it has no `alias`", key.text)));
        }
        arguments.push(Argument { wire: parameter.name.clone(), location: parameter.location, source: value });
    }
    let decided = |parameter: &Parameter| {
        let is_same = |argument: &Argument| argument.wire == parameter.name && argument.location == parameter.location;
        arguments.iter().any(is_same)
    };
    let missing = source.parameters.iter().filter(|parameter| {
        parameter.required && !parameter.from_config && !parameter.auto_uuid && !decided(parameter)
    });
    let missing: Vec<_> = missing.map(|parameter| format!("`{}`", source.key(parameter))).collect();
    if missing.is_empty() {
        return Ok((arguments, aliases.finish(&names)?));
    }
    let message =
        format!("`{}` requires {}: add to `params` with a description or `fixed`", source.id, missing.join(", "));
    Err(position.problem(message))
}

/// Other names of the arguments of a composite, whose arguments themselves are in its Rust type.
pub(super) fn aliases(node: Node) -> Result<BTreeMap<String, String>, Problem> {
    let mut aliases = Aliases::default();
    let mut names = Vec::new();
    for (key, node) in node.mapping("arguments and their `alias`")?.into_entries() {
        let mut entry = node.mapping("`alias`")?;
        let others = entry.strings("alias")?;
        entry.finish()?;
        aliases.add(&key.position, &key.text, others)?;
        names.push(key.text);
    }
    aliases.finish(&names)
}

/// Other names of arguments.
#[derive(Default)]
struct Aliases {
    /// Those that an entry names.
    given: BTreeMap<String, (Position, String)>,
    /// Those that are there unless something else has the name.
    offered: BTreeMap<String, String>,
}

impl Aliases {
    fn add(&mut self, position: &Position, name: &str, others: Vec<String>) -> Result<(), Problem> {
        for other in others {
            let known = self.given.insert(other.clone(), (position.clone(), name.to_owned()));
            if let Some((_, known)) = known {
                return Err(position.problem(format!("the alias `{other}` of `{name}` is one of `{known}` already")));
            }
        }
        Ok(())
    }

    fn offer(&mut self, name: &str, other: &str) {
        self.offered.insert(other.to_owned(), name.to_owned());
    }

    fn finish(self, names: &[String]) -> Result<BTreeMap<String, String>, Problem> {
        let mut aliases = self.offered;
        aliases.retain(|other, _| !names.contains(other));
        for (other, (position, name)) in self.given {
            if names.contains(&other) {
                return Err(position.problem(format!("the alias `{other}` of `{name}` is an argument itself")));
            }
            aliases.insert(other, name);
        }
        Ok(aliases)
    }
}

fn source(api: &Api, parameter: &Parameter, entry: &mut Mapping) -> Result<Source, Problem> {
    if let Some(fixed) = entry.take("fixed") {
        return Ok(Source::Fixed(fixed.value()));
    }
    if let Some(auto) = entry.take("auto") {
        let position = auto.position.clone();
        return match auto.string()?.as_str() {
            "uuid" => Ok(Source::Uuid),
            other => Err(position.problem(format!("`auto: {other}` is unknown; there is `auto: uuid`"))),
        };
    }
    let position = entry.position.clone();
    let values = match entry.take("enum") {
        None => None,
        Some(node) => Some(values(api, parameter, node)?),
    };
    let default = entry.take("default").map(Node::value);
    let encoding = entry.take("encode").map_or(Ok(Encoding::Plain), encoding)?;
    let required = match entry.take("required") {
        None => parameter.required && default.is_none(),
        Some(node) => {
            let position = node.position.clone();
            let required = node.boolean()?;
            if !required && parameter.required && default.is_none() {
                return Err(position.problem(format!("the API requires `{}`: give it a `default`", parameter.name)));
            }
            required
        }
    };
    let depth = entry.take("depth").map(Node::integer).transpose()?;
    let (name, description) = (entry.optional_string("as")?, entry.string("description"));
    let mut bound = |key| entry.take(key).map(Node::integer).transpose();
    let (minimum, maximum, page_size) = (bound("minimum")?, bound("maximum")?, bound("page_size")?);
    let free_form = entry.boolean("free_form", false)?;
    let secret = entry.boolean("secret", false)?;
    // A misspelt key is named before anything is missed because of it.
    entry.finish()?;
    let input = Input {
        name: name.unwrap_or_else(|| parameter.name.clone()),
        description: description?,
        required,
        default,
        minimum,
        maximum,
        values,
        free_form,
        depth: depth.and_then(|depth| usize::try_from(depth).ok()).unwrap_or(DEPTH),
        secret,
        encoding,
        page_size: page_size.and_then(|size| u64::try_from(size).ok()),
    };
    let is_number = matches!(api.resolve(&parameter.schema), Schema::Integer { .. } | Schema::Number);
    let has_bounds = input.minimum.is_some() || input.maximum.is_some() || input.page_size.is_some();
    if has_bounds && !is_number {
        return Err(position.problem(format!("`{}` is not a number: it has no bounds", parameter.name)));
    }
    if input.page_size.is_some() && input.default.as_ref().is_none_or(|default| !default.is_u64()) {
        return Err(position.problem(format!("`{}` has a `page_size`: it needs a `default`", parameter.name)));
    }
    let fits = match input.encoding {
        Encoding::Plain => true,
        Encoding::Time => is_number,
        Encoding::Base64 | Encoding::Path | Encoding::DbfsPath => !is_number,
    };
    if !fits {
        return Err(position.problem(format!("`{}` cannot be encoded like that", parameter.name)));
    }
    Ok(Source::Caller(Box::new(input)))
}

fn encoding(node: Node) -> Result<Encoding, Problem> {
    let position = node.position.clone();
    let word = node.string()?;
    let named = Encoding::NAMED.iter().find(|(name, _)| *name == word);
    named.map(|(_, encoding)| *encoding).ok_or_else(|| {
        let known: Vec<_> = Encoding::NAMED.iter().map(|(name, _)| format!("`encode: {name}`")).collect();
        position.problem(format!("`encode: {word}` is unknown; there is {}", known.join(", ")))
    })
}

/// Arguments that choose among the items of a list.
pub(super) fn filters(
    api: &Api,
    source: &Operation,
    shape: &Shape,
    arguments: &[Argument],
    node: Option<Node>,
) -> Result<BTreeMap<String, Filter>, Problem> {
    let mut filters = BTreeMap::new();
    let Some(node) = node else { return Ok(filters) };
    let position = node.position.clone();
    let Some(item) = item(api, source, shape) else {
        return Err(position.problem("`filters` needs `result.items`: the field that holds the list"));
    };
    for (key, node) in node.mapping("names of switches and what they keep")?.into_entries() {
        let mut entry = node.mapping("`description`, `field` and `values`")?;
        let (description, field) = (entry.string("description"), entry.require("field"));
        let values = entry.strings("values")?;
        entry.finish()?;
        let (at, field) = field.map(|node| (node.position.clone(), node.string()))?;
        let field = field?;
        if api.at(item, &field).is_none() {
            return Err(at.problem(unknown_field(api, source, item, &field)));
        }
        let is_taken =
            |argument: &Argument| matches!(&argument.source, Source::Caller(input) if input.name == key.text);
        if arguments.iter().any(is_taken) || is_automatic(shape, &key.text) {
            return Err(key.position.problem(format!("two arguments are named `{}`", key.text)));
        }
        filters.insert(key.text, Filter { description: description?, field, values });
    }
    Ok(filters)
}

/// The schema of an item of a list.
fn item<'a>(api: &'a Api, source: &'a Operation, shape: &Shape) -> Option<&'a Schema> {
    match api.at(json_response(source), shape.items.as_ref()?) {
        Some(Schema::Array(item)) => Some(item),
        _ => None,
    }
}

fn values(api: &Api, parameter: &Parameter, node: Node) -> Result<Vec<String>, Problem> {
    if !matches!(api.resolve(&parameter.schema), Schema::String(_) | Schema::Enum(_)) {
        return Err(node.position.problem(format!("`{}` is not text: it has no `enum`", parameter.name)));
    }
    let mut values = Vec::new();
    for node in node.sequence("a list of values")? {
        let position = node.position.clone();
        let value = node.string()?;
        if let Schema::Enum(known) = api.resolve(&parameter.schema)
            && !known.contains(&value)
        {
            let hint = did_you_mean(&value, known.iter().map(String::as_str));
            return Err(position.problem(format!("`{value}` is no value of `{}`{hint}", parameter.name)));
        }
        values.push(value);
    }
    Ok(values)
}

pub(super) fn shape(api: &Api, source: &Operation, node: Option<Node>) -> Result<Shape, Problem> {
    let Some(node) = node else { return Ok(Shape::default()) };
    let mut entry = node.mapping("`items`, `keep`, `decode` or `token`")?;
    let items = entry.take("items").map(|node| Ok((node.position.clone(), node.string()?))).transpose()?;
    let keep = entry.take("keep").map_or(Ok(Vec::new()), |node| node.sequence("a list of dotted paths"))?;
    let decode = entry.take("decode").map_or(Ok(Vec::new()), |node| node.sequence("a list of dotted paths"))?;
    let token = entry.take("token").map(|node| token(api, source, node)).transpose()?;
    entry.finish()?;
    let response = json_response(source);
    let root = match &items {
        None => response,
        Some((position, items)) => match api.at(response, items) {
            Some(schema @ (Schema::Array(_) | Schema::Any)) => schema,
            Some(_) => {
                return Err(position.problem(format!("`{items}` is not a list in the response of `{}`", source.id)));
            }
            None => return Err(position.problem(unknown_field(api, source, response, items))),
        },
    };
    let root = match root {
        Schema::Array(items) => items,
        root => root,
    };
    let paths = |nodes: Vec<Node>| {
        nodes
            .into_iter()
            .map(|node| {
                let position = node.position.clone();
                let path = node.string()?;
                match api.at(root, &path) {
                    Some(_) => Ok(path),
                    None => Err(position.problem(unknown_field(api, source, root, &path))),
                }
            })
            .collect::<Result<Vec<_>, Problem>>()
    };
    Ok(Shape { keep: paths(keep)?, decode: paths(decode)?, token, items: items.map(|(_, items)| items) })
}

/// The cursor of a list that the specs do not describe as paged.
fn token(api: &Api, source: &Operation, node: Node) -> Result<Token, Problem> {
    let mut entry = node.mapping("`request` and `response`")?;
    let position = entry.position.clone();
    let token = Token { request: entry.string("request")?, response: entry.string("response")? };
    entry.finish()?;
    if source.pagination.is_some() {
        return Err(position.problem(format!("the specs say how `{}` is paged: remove `token`", source.id)));
    }
    parameter(source, &token.request, &position)?;
    let response = json_response(source);
    if api.at(response, &token.response).is_none() {
        return Err(position.problem(unknown_field(api, source, response, &token.response)));
    }
    Ok(token)
}

pub(super) fn lists(api: &Api, source: &Operation, shape: &Shape, node: Node) -> Result<Lists, Problem> {
    let mut entry = node.mapping("`resource`, `bind` and `title`")?;
    let position = entry.position.clone();
    let resource = entry.string("resource")?;
    let bind_entries = entry.require("bind")?.mapping("URI variables and item fields")?.into_entries();
    let title = entry.optional_string("title")?;
    entry.finish()?;
    let mut bind = BTreeMap::new();
    for (key, node) in bind_entries {
        bind.insert(key.text, node.string()?);
    }
    let response = json_response(source);
    let item = shape.items.as_ref().map_or(Some(response), |items| api.at(response, items));
    let Some(Schema::Array(item)) = item else {
        return Err(position.problem("`lists` needs `result.items`: the field that holds the list"));
    };
    for field in bind.values().chain(&title) {
        if api.at(item, field).is_none() {
            return Err(position.problem(unknown_field(api, source, item, field)));
        }
    }
    Ok(Lists { resource, bind, title })
}

pub(super) fn resource(toolset: &str, source: &Operation, node: Node) -> Result<Resource, Problem> {
    let mut entry = node.mapping("`uri`, `name`, `title` and `description`")?;
    let position = entry.position.clone();
    let uri = entry.string("uri")?;
    let name = entry.string("name")?;
    let title = entry.string("title")?;
    let description = entry.string("description")?;
    let mime_type = entry.optional_string("mime_type")?;
    let reader = entry.optional_string("read")?;
    let watch = entry.take("watch").map(watch::read).transpose()?;
    let mut variables = Vec::new();
    if let Some(bind) = entry.take("bind") {
        for (key, node) in bind.mapping("URI variables and parameters")?.into_entries() {
            variables.push((key.text, node.string()?));
        }
    }
    let mut fixed = Vec::new();
    if let Some(node) = entry.take("fixed") {
        for (key, node) in node.mapping("parameters and values")?.into_entries() {
            fixed.push((key.text.clone(), parameter(source, &key.text, &key.position)?.location, node.value()));
        }
    }
    entry.finish()?;
    if !uri.starts_with("databricks://") {
        return Err(position.problem(format!("`{uri}` does not start with `databricks://`")));
    }
    if let Some((unknown, _)) = variables.iter().find(|(bound, _)| uri_variables(&uri).all(|known| known != bound)) {
        return Err(position.problem(format!("`{uri}` has no variable `{unknown}`")));
    }
    for variable in uri_variables(&uri) {
        if variables.iter().all(|(known, _)| known != variable) {
            variables.push((variable.to_owned(), variable.to_owned()));
        }
    }
    for (_, bound) in &variables {
        parameter(source, bound, &position)?;
    }
    for parameter in source.parameters.iter().filter(|parameter| parameter.required && !parameter.from_config) {
        let bound = variables.iter().any(|(_, bound)| *bound == parameter.name)
            || fixed.iter().any(|(bound, _, _)| *bound == parameter.name);
        if !bound {
            let message = format!("`{uri}` has no value for the required parameter `{}`", parameter.name);
            return Err(position.problem(message));
        }
    }
    let toolset = toolset.to_owned();
    let operation = source.id.clone();
    Ok(Resource {
        name,
        position,
        toolset,
        uri,
        title,
        description,
        mime_type,
        reader,
        operation,
        variables,
        fixed,
        watch,
    })
}

/// How many seconds the answer of a list that only reads may be kept.
pub(super) fn cache(node: Node, risk: Risk, result: &Shape) -> Result<u64, Problem> {
    const MOST: u64 = 3_600;
    let position = node.position.clone();
    let text = node.string()?;
    let seconds =
        text.strip_suffix('s').and_then(|number| number.parse().ok()).filter(|seconds| (1..=MOST).contains(seconds));
    let Some(seconds) = seconds else {
        return Err(position.problem(format!("`{text}` is no time to live: write `60s`; at most {MOST} s")));
    };
    if risk != Risk::Read || result.items.is_none() {
        return Err(position.problem("only a list that reads can be kept"));
    }
    Ok(seconds)
}

/// The variables of a URI template of level 2: `{name}` and `{+path}`.
fn uri_variables(uri: &str) -> impl Iterator<Item = &str> {
    uri.split('{').skip(1).filter_map(|rest| rest.split('}').next()).map(|name| name.trim_start_matches('+'))
}

fn parameter<'a>(source: &'a Operation, name: &str, position: &Position) -> Result<&'a Parameter, Problem> {
    source.parameter(name).ok_or_else(|| {
        let keys: Vec<_> = source.parameters.iter().map(|parameter| source.key(parameter)).collect();
        let hint = did_you_mean(name, keys.iter().map(String::as_str));
        position.problem(format!("`{}` has no parameter `{name}`{hint}; it has: {}", source.id, keys.join(", ")))
    })
}

/// Whether a tool with such a result has an argument of that name anyway.
fn is_automatic(result: &Shape, name: &str) -> bool {
    (name == "page_token" && result.items.is_some()) || (name == "fields" && !result.keep.is_empty())
}

pub(super) fn is_cursor(source: &Operation, result: &Shape, parameter: &Parameter) -> bool {
    let described = source.pagination.as_ref().and_then(|pagination| pagination.request.as_ref());
    described.or(result.token.as_ref().map(|token| &token.request)) == Some(&parameter.name)
}

fn json_response(source: &Operation) -> &Schema {
    match &source.response {
        Response::Json(schema) => schema,
        _ => &Schema::Any,
    }
}

fn unknown_field(api: &Api, source: &Operation, root: &Schema, path: &str) -> String {
    // The longest part of the path that leads somewhere, and what can follow it.
    let mut known =
        path.match_indices('.').filter_map(|(dot, _)| Some((path.get(..=dot)?, api.at(root, path.get(..dot)?)?)));
    let (prefix, mut found) = known.next_back().unwrap_or(("", api.resolve(root)));
    while let Schema::Array(items) = found {
        found = api.resolve(items);
    }
    let names: Vec<String> = match found {
        Schema::Object(properties) => properties.iter().map(|property| format!("{prefix}{}", property.name)).collect(),
        _ => Vec::new(),
    };
    let hint = did_you_mean(path, names.iter().map(String::as_str));
    format!("the response of `{}` has no field `{path}`{hint}; it has: {}", source.id, names.join(", "))
}
