//! The text of the lock file: blocks of a heading and indented lines, in a fixed order.

use std::collections::BTreeSet;

use super::schemas::{Closures, digest, lines as schema_lines, received, sent, type_name, type_of};
use crate::allowlist::{
    Allowlist, Argument, Decision, Encoding, Input, OperationTool, Preset, Prompt, PromptMessage, Resource, Risk,
    Source, Tool, Verify,
};
use crate::api::{Api, Body, Location, Operation, Parameter, Property, Response, Schema};

/// The line of an operation that is excluded.
pub(super) const EXCLUDED: &str = "excluded";

/// Before the lines that are hashes of a request and of an answer.
pub(super) const HASHES: [&str; 2] = ["sends ", "receives "];

const COMMENT: &str =
    "# Written by `cargo xtask audit --accept`: what the server can do, and what the API takes and gives for it.
# A difference is a change to review. The digest shows an edit by hand.
";

/// Before the digest of everything below it.
const DIGEST: &str = "content sha256:";

/// The lock file: everything that a review looked at.
pub fn lock(api: &Api, allowlist: &Allowlist) -> String {
    let mut blocks = Blocks::default();
    for (stem, entries) in &allowlist.entries {
        blocks.add(format!("file {stem}.yaml"), [format!("entries sha256:{entries}")]);
    }
    for toolset in allowlist.toolsets.values() {
        let default = if toolset.default { "in the default profile" } else { "on request" };
        blocks.add(format!("toolset {}", toolset.name), [default]);
    }
    for (name, preset) in &allowlist.presets {
        blocks.add(format!("preset {name}"), self::preset(allowlist, preset));
    }
    for tool in allowlist.tools.values() {
        blocks.add(format!("tool {}", tool.name), tool_lines(api, tool));
    }
    for resource in allowlist.resources.values() {
        blocks.add(format!("resource {}", resource.name), self::resource(resource));
    }
    for prompt in allowlist.prompts.values() {
        blocks.add(format!("prompt {}", prompt.name), self::prompt(prompt));
    }
    let closures = Closures::new(api);
    let mut schemas = BTreeSet::new();
    for (id, decision) in &allowlist.decisions {
        let Some(operation) = allowlist.operation(api, id) else { continue };
        if decision.excluded.is_some() {
            blocks.add(format!("operation {id}"), [EXCLUDED]);
            continue;
        }
        blocks.add(format!("operation {id}"), self::operation(operation, decision, allowlist, &closures));
        schemas.extend(closures.of(&sent(operation)));
        schemas.extend(closures.of(&received(operation)));
    }
    for name in schemas {
        let lines = api.schemas.get(name).map(schema_lines).unwrap_or_default();
        blocks.add(format!("schema {name}"), lines);
    }
    format!("{COMMENT}{DIGEST}{}\n{}", digest(&blocks.0), blocks.0)
}

/// Whether the content of a lock file is what its digest says; where there is no digest, it is not.
pub(super) fn is_intact(lock: &str) -> bool {
    let after = lock.split_once(DIGEST).and_then(|(_, rest)| rest.split_once('\n'));
    after.is_some_and(|(written, content)| digest(content) == written)
}

#[derive(Default)]
struct Blocks(String);

impl Blocks {
    fn add<S: AsRef<str>>(&mut self, heading: impl AsRef<str>, lines: impl IntoIterator<Item = S>) {
        self.0 += &format!("\n{}\n", heading.as_ref());
        lines.into_iter().for_each(|line| self.0 += &format!("  {}\n", line.as_ref()));
    }
}

/// Its toolsets, and all its tools.
fn preset(allowlist: &Allowlist, preset: &Preset) -> Vec<String> {
    let mut lines = Vec::new();
    if preset.only_reads {
        lines.push("only reads".to_owned());
    }
    lines.extend(preset.toolsets.iter().map(|toolset| format!("toolset {toolset}")));
    lines.extend(allowlist.tools_of(preset).map(|tool| format!("tool {}", tool.name)));
    lines
}

/// What the lock holds of a tool.
pub fn tool_lines(api: &Api, tool: &Tool) -> Vec<String> {
    let mut lines = vec![format!("toolset {}", tool.toolset), format!("risk {}", tool.risk.name())];
    lines.push(annotations(tool));
    if tool.guarded {
        lines.push("guarded: stays where only reading is allowed".to_owned());
    }
    lines.extend(tool.confirm.iter().map(|confirm| format!("confirm {}", confirm.name())));
    lines.extend(tool.aliases.iter().map(|alias| format!("alias {alias}")));
    let kind = if tool.operation.is_some() { "operation" } else { "uses" };
    lines.extend(tool.uses.iter().map(|id| format!("{kind} {id}")));
    if let Some(plain) = &tool.operation {
        lines.extend(self::plain(api, plain));
    }
    lines.extend(tool.argument_aliases.iter().map(|(other, name)| format!("argument {other} is {name}")));
    lines.extend(tool.verify.iter().flat_map(self::verify));
    lines
}

/// As clients see them.
fn annotations(tool: &Tool) -> String {
    let idempotent = tool.risk == Risk::Read || tool.idempotent;
    format!(
        "annotations readOnly={} destructive={} idempotent={idempotent} openWorld={}",
        tool.risk == Risk::Read,
        tool.risk == Risk::Destructive,
        tool.open_world,
    )
}

/// Where each value of the request comes from, and what of the answer is shown.
fn plain(api: &Api, plain: &OperationTool) -> Vec<String> {
    let mut lines: Vec<_> = plain.arguments.iter().map(argument).collect();
    let is_hidden = |parameter: &&Parameter| {
        let is_same = |argument: &Argument| argument.wire == parameter.name && argument.location == parameter.location;
        !plain.arguments.iter().any(is_same)
    };
    let hidden =
        api.operations.get(&plain.id).into_iter().flat_map(|source| source.parameters.iter().filter(is_hidden));
    lines.extend(hidden.map(|parameter| format!("hidden {}", place(parameter.location, &parameter.name))));
    for (name, filter) in &plain.filters {
        lines.push(format!("filter {name}: {} is {}", filter.field, filter.values.join("|")));
    }
    lines.extend(plain.elsewhere.iter().map(|tool| format!("elsewhere {tool}")));
    lines.extend(plain.cache.iter().map(|seconds| format!("cache {seconds}s")));
    let result = &plain.result;
    lines.extend(result.items.iter().map(|items| format!("items {items}")));
    lines.extend(result.keep.iter().map(|path| format!("keep {path}")));
    lines.extend(result.decode.iter().map(|path| format!("decode {path}")));
    lines.extend(result.token.iter().map(|token| format!("cursor {} to {}", token.response, token.request)));
    if let Some(lists) = &plain.lists {
        let bind = lists.bind.iter().map(|(variable, field)| format!(" {variable}={field}"));
        let title = lists.title.iter().map(|title| format!(" title={title}"));
        lines.push(format!("lists {}{}", lists.resource, bind.chain(title).collect::<String>()));
    }
    lines
}

fn argument(argument: &Argument) -> String {
    let place = place(argument.location, &argument.wire);
    match &argument.source {
        Source::Caller(input) => format!("argument {}: {place}{}", input.name, details(input)),
        Source::Fixed(value) => format!("fixed {place}: {value}"),
        Source::Uuid => format!("fixed {place}: a new uuid"),
    }
}

fn details(input: &Input) -> String {
    let Input { required, default, minimum, maximum, values, free_form, secret, encoding, page_size, .. } = input;
    let mut details = String::new();
    let mut add = |detail: String| details += &format!(" {detail}");
    if *required {
        add("required".into());
    }
    default.iter().for_each(|value| add(format!("default={value}")));
    minimum.iter().for_each(|bound| add(format!("minimum={bound}")));
    maximum.iter().for_each(|bound| add(format!("maximum={bound}")));
    values.iter().for_each(|values| add(format!("enum({})", values.join("|"))));
    page_size.iter().for_each(|size| add(format!("page_size={size}")));
    if *free_form {
        add("free_form".into());
    }
    if *secret {
        add("secret".into());
    }
    let named = Encoding::NAMED.iter().find(|(_, named)| named == encoding);
    named.iter().for_each(|(name, _)| add(format!("encode={name}")));
    details
}

fn verify(verify: &Verify) -> Vec<String> {
    let mut lines: Vec<_> = verify.tool.iter().map(|tool| format!("verify tool {tool}")).collect();
    let Some(look) = &verify.look else { return lines };
    let pairs = |kind: &str, pairs: &[(String, String)]| {
        let pairs: String = pairs.iter().map(|(name, value)| format!(" {name}={value}")).collect();
        if pairs.is_empty() { pairs } else { format!(" {kind}{pairs}") }
    };
    let (bind, matches, gone) = (pairs("bind", &look.bind), pairs("match", &look.matches), pairs("gone", &look.gone));
    let removes = if look.removes { " removes" } else { "" };
    let created: String = look.created.iter().map(|field| format!(" created={field}")).collect();
    let show: String = look.show.iter().map(|field| format!(" show={field}")).collect();
    lines.push(format!("verify read {}{bind}{matches}{removes}{gone}{created}{show}", look.operation));
    lines
}

fn resource(resource: &Resource) -> Vec<String> {
    let mut lines = vec![format!("toolset {}", resource.toolset), format!("uri {}", resource.uri)];
    lines.push(format!("operation {}", resource.operation));
    lines.extend(resource.mime_type.iter().map(|name| format!("mime type {name}")));
    lines.extend(resource.reader.iter().map(|name| format!("read by {name}")));
    lines.extend(resource.variables.iter().map(|(variable, wire)| format!("variable {variable}: {wire}")));
    let fixed = resource.fixed.iter();
    lines.extend(fixed.map(|(wire, location, value)| format!("fixed {}: {value}", place(*location, wire))));
    if let Some(watch) = &resource.watch {
        lines.push(format!("watched by {}", watch.fields.join(", ")));
        lines.extend(watch.over.iter().map(|(field, values)| format!("over when {field} is {}", values.join(" or "))));
    }
    lines
}

/// What it takes, and which tools and resources it names. Its words are in the digest of its file.
fn prompt(prompt: &Prompt) -> Vec<String> {
    let mut lines: Vec<_> = prompt.tools.iter().map(|tool| format!("tool {tool}")).collect();
    lines.extend(prompt.optional.iter().map(|tool| format!("optional tool {tool}")));
    for argument in &prompt.arguments {
        let required = if argument.required { " required" } else { "" };
        let completes =
            argument.completes.map_or(String::new(), |completes| format!(" completes={}", completes.name()));
        lines.push(format!("argument {}:{required} longest={}{completes}", argument.name, argument.longest));
    }
    let embeds = prompt.messages.iter().filter_map(|message| match message {
        PromptMessage::Embed { resource, with, .. } => {
            let with: String = with.iter().map(|(variable, argument)| format!(" {variable}={argument}")).collect();
            Some(format!("embeds {resource}{with}"))
        }
        PromptMessage::Text(_) => None,
    });
    lines.extend(embeds);
    lines
}

fn operation<'a>(
    operation: &'a Operation,
    decision: &Decision,
    allowlist: &Allowlist,
    closures: &Closures<'a>,
) -> Vec<String> {
    let mut lines = vec![format!("{} {}", operation.method, operation.path)];
    let level = if operation.accounts { "account" } else { "workspace" };
    let routed = if operation.workspace_routing { ", routed to a workspace" } else { "" };
    lines.push(format!("level {level}{routed}"));
    lines.extend(callers(operation, decision, allowlist));
    if operation.deprecated {
        lines.push("deprecated".to_owned());
    }
    if allowlist.undocumented.contains_key(&operation.id) {
        lines.push("undocumented".to_owned());
    }
    lines.extend(paging(operation, allowlist));
    let request = lines.len();
    lines.extend(operation.parameters.iter().map(parameter));
    match &operation.body {
        Body::Other(schema) => lines.push(format!("body: {}", type_name(schema))),
        Body::Binary => lines.push("body: bytes".to_owned()),
        Body::None | Body::Object => {}
    }
    let request = lines.get(request..).unwrap_or_default().join("\n");
    let answer = answer(&operation.response);
    let [sends, receives] = HASHES;
    let sent = format!("{sends}{}", closures.hash(&request, &sent(operation)));
    let received = format!("{receives}{}", closures.hash(&answer.join("\n"), &received(operation)));
    lines.extend(answer);
    lines.extend([sent, received]);
    lines
}

fn answer(response: &Response) -> Vec<String> {
    match response {
        Response::Json(Schema::Object(properties)) if !properties.is_empty() => {
            let field = |field: &Property| format!("answer {}: {}", field.name, type_of(&field.schema, field.required));
            properties.iter().map(field).collect()
        }
        Response::Json(schema) => vec![format!("answer: {}", type_name(schema))],
        Response::Text(kind) | Response::Binary(kind) => vec![format!("answer: {kind}")],
        Response::Empty => vec!["answer: nothing".to_owned()],
    }
}

/// What calls an operation, and with which risk.
fn callers(operation: &Operation, decision: &Decision, allowlist: &Allowlist) -> Vec<String> {
    let names = decision.tool.iter().chain(&decision.used_by);
    let risk = |name: &str| allowlist.tools.get(name).map_or("unknown", |tool| tool.risk.name());
    let mut lines: Vec<_> = names.map(|name| format!("{} tool {name}", risk(name))).collect();
    let looks = |tool: &&Tool| {
        tool.verify.as_ref().and_then(|verify| verify.look.as_ref()).is_some_and(|look| look.operation == operation.id)
    };
    lines.extend(allowlist.tools.values().filter(looks).map(|tool| format!("read look of {}", tool.name)));
    if let Some(reachable) = &decision.reachable {
        let confirm: String = reachable.confirm.iter().map(|confirm| format!(", confirm {}", confirm.name())).collect();
        lines.push(format!("{} reachable{confirm}", reachable.risk.name()));
        let callers = reachable.call.arguments.iter().filter_map(|argument| match &argument.source {
            Source::Caller(input) => Some(input),
            Source::Fixed(_) | Source::Uuid => None,
        });
        lines.extend(callers.filter(|input| input.secret).map(|input| format!("secret {}", input.name)));
    }
    lines.extend(decision.resource.iter().map(|resource| format!("read resource {resource}")));
    lines
}

fn paging(operation: &Operation, allowlist: &Allowlist) -> Option<String> {
    let pagination = allowlist.pagination(operation)?;
    let name =
        |kind: &str, name: &Option<String>| name.iter().map(|name| format!(" {kind}={name}")).collect::<String>();
    Some(format!(
        "paged by {}{}{}{}{} start={}{}",
        pagination.style,
        name("items", &pagination.items),
        name("request", &pagination.request),
        name("response", &pagination.response),
        name("count", &pagination.count),
        pagination.start,
        if pagination.in_body { " in body" } else { "" },
    ))
}

fn parameter(parameter: &Parameter) -> String {
    let place = place(parameter.location, &parameter.name);
    let mut line = format!("{place}: {}", type_of(&parameter.schema, parameter.required));
    let flags = [
        (parameter.multi_segment, " with slashes"),
        (parameter.flatten, " flattened"),
        (parameter.auto_uuid, " uuid"),
        (parameter.from_config, " from the configuration"),
    ];
    flags.iter().filter(|(is_set, _)| *is_set).for_each(|(_, flag)| line += flag);
    parameter.resource_name.iter().for_each(|name| line += &format!(" as {name}"));
    parameter.preset.iter().for_each(|value| line += &format!(" preset={value}"));
    line
}

fn place(location: Location, name: &str) -> String {
    let location = match location {
        Location::Path => "path",
        Location::Query => "query",
        Location::Body => "body",
    };
    format!("{location} {name}")
}
