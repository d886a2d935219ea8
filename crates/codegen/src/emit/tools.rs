//! Tool and resource definitions, as the server's statics and as clients will see them.

use std::collections::BTreeMap;

use anyhow::{Context, Result, bail};
use proc_macro2::TokenStream;
use quote::quote;
use serde_json::{Value, json};

use super::names;
use super::operations::{location, option};
use super::prompts::prompt;
use crate::allowlist::{
    self, Allowlist, Argument, Confirm, Decision, Encoding, Filter, Lists, Look, OperationTool, Preset, Reachable,
    Resource, Risk, Shape, Source, Tool, Verify,
};
use crate::api::{Api, Operation, Property, Response, Schema};
use crate::examples;
use crate::lint::lint;
use crate::schema::{self, FULL_SCHEMA_TOOL};

/// The statics of the server: `TOOLSETS`, `TOOLS`, `REACHABLE`, `RESOURCES`, `PROMPTS` and `EXCLUDED`. Fails where a definition
/// breaks a lint.
pub fn tools(api: &Api, allowlist: &Allowlist) -> Result<TokenStream> {
    let violations = lint(&definitions(api, allowlist)?);
    if !violations.is_empty() {
        let lines: Vec<_> = violations.iter().map(ToString::to_string).collect();
        bail!("{} schema lint violation(s)\n  {}", lines.len(), lines.join("\n  "));
    }
    let toolsets = allowlist.toolsets.values().map(|toolset| {
        let crate::allowlist::Toolset { name, title, description, default, .. } = toolset;
        quote!(ToolsetDefinition { name: #name, title: #title, description: #description, default: #default })
    });
    let presets = allowlist.presets.iter().map(|(name, preset)| {
        let Preset { title, description, toolsets, tools, only_reads } = preset;
        quote!(PresetDefinition {
            name: #name, title: #title, description: #description, toolsets: &[#(#toolsets),*], tools: &[#(#tools),*],
            only_reads: #only_reads
        })
    });
    let tools = allowlist.tools.values().map(|tool| self::tool(api, allowlist, tool)).collect::<Result<Vec<_>>>()?;
    let reachable = allowlist.decisions.iter().filter_map(|(id, decision)| {
        Some(self::tool(api, allowlist, &executed(id, decision, decision.reachable.as_ref()?)))
    });
    let reachable = reachable.collect::<Result<Vec<_>>>()?;
    let resources = allowlist.resources.values().map(resource).collect::<Result<Vec<_>>>()?;
    let prompts = allowlist.prompts.values().map(prompt).collect::<Result<Vec<_>>>()?;
    let excluded = allowlist.decisions.iter().filter_map(|(id, decision)| {
        let reason = decision.excluded.as_ref()?.trim();
        Some(quote!((#id, #reason)))
    });
    Ok(quote! {
        use databricks::Location;
        use databricks::operations;

        use crate::definition::*;

        /// Toolsets by name.
        pub(crate) static TOOLSETS: &[ToolsetDefinition] = &[#(#toolsets),*];

        /// Presets by name.
        pub(crate) static PRESETS: &[PresetDefinition] = &[#(#presets),*];

        /// Tools by name.
        pub(crate) static TOOLS: &[ToolDefinition] = &[#(#tools),*];

        /// Operations without a tool of their own, by id: what the executors reach.
        pub(crate) static REACHABLE: &[ToolDefinition] = &[#(#reachable),*];

        /// Resource templates by name.
        pub(crate) static RESOURCES: &[ResourceDefinition] = &[#(#resources),*];

        /// Prompts by name.
        pub(crate) static PROMPTS: &[PromptDefinition] = &[#(#prompts),*];

        /// Operations that are not exposed, with the reason.
        pub(crate) static EXCLUDED: &[(&str, &str)] = &[#(#excluded),*];
    })
}

/// The plain tools as `tools/list` will show them. The schemas of composites are made by the server, from
/// their Rust types, and linted in its tests.
pub fn definitions(api: &Api, allowlist: &Allowlist) -> Result<Vec<Value>> {
    let mut definitions = Vec::new();
    for tool in allowlist.tools.values() {
        let Some(plain) = &tool.operation else { continue };
        let (mut schema, full) = schema::input(api, operation(api, &plain.id)?, plain);
        if let Some(schema) = schema.as_object_mut() {
            examples::show(schema);
        }
        definitions.push(json!({
            "name": tool.name,
            "title": tool.title,
            "description": description(tool, full.is_some()),
            "inputSchema": schema,
            "annotations": {
                "readOnlyHint": tool.risk == Risk::Read,
                "destructiveHint": tool.risk == Risk::Destructive,
                "idempotentHint": tool.idempotent,
                "openWorldHint": tool.open_world,
            },
        }));
    }
    Ok(definitions)
}

/// An operation that executors reach, as if it were a tool of its id.
fn executed(id: &str, decision: &Decision, reachable: &Reachable) -> Tool {
    let Reachable { risk, summary, confirm, call } = reachable;
    Tool {
        name: id.to_owned(),
        aliases: Vec::new(),
        keywords: String::new(),
        position: decision.position.clone(),
        toolset: decision.toolset.clone(),
        title: summary.clone(),
        description: summary.clone(),
        risk: *risk,
        idempotent: *risk == Risk::Read,
        guarded: false,
        confirm: *confirm,
        open_world: true,
        because: None,
        decided: None,
        argument_aliases: BTreeMap::new(),
        verify: (*risk != Risk::Read).then(|| Verify::unseen(decision.position.clone())),
        uses: vec![id.to_owned()],
        operation: Some(call.clone()),
    }
}

fn is_bounded(api: &Api, tool: &OperationTool) -> bool {
    operation(api, &tool.id).is_ok_and(|source| schema::input(api, source, tool).1.is_some())
}

/// What a model reads: the curated text, and where a schema is bounded, the way to all of it.
fn description(tool: &Tool, is_bounded: bool) -> String {
    let hint = if is_bounded { format!(" Full schema: `{FULL_SCHEMA_TOOL}`.") } else { String::new() };
    format!("{}{hint}", tool.description.trim())
}

fn operation<'a>(api: &'a Api, id: &str) -> Result<&'a Operation> {
    api.operations.get(id).with_context(|| format!("no operation `{id}`"))
}

fn tool(api: &Api, allowlist: &Allowlist, tool: &Tool) -> Result<TokenStream> {
    let Tool { name, aliases, keywords, toolset, title, idempotent, guarded, open_world, .. } = tool;
    // The summary of an operation says nothing of its schema, which `search_operations` shows.
    let is_executed = tool.operation.as_ref().is_some_and(|plain| plain.id == tool.name);
    let is_bounded = !is_executed && tool.operation.as_ref().is_some_and(|plain| is_bounded(api, plain));
    let description = description(tool, is_bounded);
    let risk = match tool.risk {
        Risk::Read => quote!(Risk::Read),
        Risk::Write => quote!(Risk::Write),
        Risk::Destructive => quote!(Risk::Destructive),
    };
    let confirm = match tool.confirm {
        None => quote!(None),
        Some(Confirm::Never) => quote!(Some(Confirm::Never)),
        Some(Confirm::SqlWrites) => quote!(Some(Confirm::SqlWrites)),
        Some(Confirm::Always) => quote!(Some(Confirm::Always)),
    };
    let argument_aliases = tool.argument_aliases.iter().map(|(other, name)| quote!((#other, #name)));
    let action = match &tool.operation {
        Some(plain) => {
            let plain = plain_tool(api, plain)?;
            quote!(Action::Operation(&#plain))
        }
        None => {
            let module = names::identifier(name)?;
            let toolset = names::identifier(toolset)?;
            quote!(Action::Composite(&crate::tools::#toolset::#module::COMPOSITE))
        }
    };
    let uses = tool.uses.iter().map(|id| names::operation(id)).collect::<Result<Vec<_>>>()?;
    let verify = match &tool.verify {
        Some(verify) => {
            let verify = self::verify(api, allowlist, verify)?;
            quote!(Some(#verify))
        }
        None => quote!(None),
    };
    Ok(quote! {
        ToolDefinition {
            name: #name,
            aliases: &[#(#aliases),*],
            keywords: #keywords,
            toolset: #toolset,
            title: #title,
            description: #description,
            risk: #risk,
            idempotent: #idempotent,
            guarded: #guarded,
            confirm: #confirm,
            open_world: #open_world,
            argument_aliases: &[#(#argument_aliases),*],
            verify: #verify,
            uses: &[#(&operations::#uses),*],
            action: #action,
        }
    })
}

fn verify(api: &Api, allowlist: &Allowlist, verify: &Verify) -> Result<TokenStream> {
    let (tool, note) = (option(verify.tool.as_deref()), option(verify.note.as_deref().map(str::trim)));
    let look = match &verify.look {
        Some(look) => {
            let look = self::look(api, allowlist, look)?;
            quote!(Some(#look))
        }
        None => quote!(None),
    };
    Ok(quote!(Verify { tool: #tool, note: #note, look: #look }))
}

fn look(api: &Api, allowlist: &Allowlist, look: &Look) -> Result<TokenStream> {
    let source = operation(api, &look.operation)?;
    let operation = names::operation(&look.operation)?;
    let bind = look.places(source).into_iter().map(|(wire, place, template)| {
        let place = location(place);
        quote!((#place, #wire, #template))
    });
    // Without anything to match, the answer is the object itself.
    let items = allowlist::items(allowlist, source).filter(|_| !look.matches.is_empty());
    let (items, created) = (option(items.as_deref()), option(look.created.as_deref()));
    let [matches, gone] = [&look.matches, &look.gone].map(|pairs| {
        let pairs = pairs.iter().map(|(field, value)| quote!((#field, #value)));
        quote!(&[#(#pairs),*])
    });
    let (removes, show) = (look.removes, &look.show);
    Ok(quote! {
        Look {
            operation: &operations::#operation,
            bind: &[#(#bind),*],
            items: #items,
            matches: #matches,
            removes: #removes,
            gone: #gone,
            created: #created,
            show: &[#(#show),*],
        }
    })
}

/// The fields of which a success of the operation has at least one. The API leaves out lists and maps that are empty, so
/// an answer of nothing else may have none.
fn told<'a>(api: &'a Api, operation: &'a Operation) -> Vec<&'a str> {
    let Response::Json(schema) = &operation.response else { return Vec::new() };
    let Schema::Object(properties) = api.resolve(schema) else { return Vec::new() };
    let may_be_empty = |schema: &Schema| matches!(api.resolve(schema), Schema::Array(_) | Schema::Map(_));
    let is_there = |property: &&Property| !may_be_empty(&property.schema);
    properties.iter().filter(is_there).map(|property| property.name.as_str()).collect()
}

fn plain_tool(api: &Api, tool: &OperationTool) -> Result<TokenStream> {
    let operation = names::operation(&tool.id)?;
    let (input_schema, full_schema) = schema::input(api, self::operation(api, &tool.id)?, tool);
    let input_schema = input_schema.to_string();
    let full_schema = option(full_schema.map(|schema| schema.to_string()).as_deref());
    let told = told(api, self::operation(api, &tool.id)?);
    // The size of a page follows from what is asked for.
    let arguments = tool.arguments.iter().filter(|argument| limit(argument).is_none()).map(argument);
    let result = shape(&tool.result);
    let limit = match tool.arguments.iter().find_map(limit) {
        Some(limit) => quote!(Some(#limit)),
        None => quote!(None),
    };
    let filters = tool.filters.iter().map(|(name, filter)| {
        let Filter { field, values, .. } = filter;
        quote!(Filter { name: #name, field: #field, values: &[#(#values),*] })
    });
    let elsewhere = option(tool.elsewhere.as_deref());
    let cache = match tool.cache {
        Some(seconds) => quote!(Some(std::time::Duration::from_secs(#seconds))),
        None => quote!(None),
    };
    let lists = match &tool.lists {
        Some(lists) => {
            let lists = self::lists(lists);
            quote!(Some(#lists))
        }
        None => quote!(None),
    };
    Ok(quote! {
        OperationTool {
            operation: &operations::#operation,
            input_schema: #input_schema,
            full_schema: #full_schema,
            told: &[#(#told),*],
            arguments: &[#(#arguments),*],
            result: #result,
            limit: #limit,
            filters: &[#(#filters),*],
            elsewhere: #elsewhere,
            cache: #cache,
            lists: #lists,
        }
    })
}

/// The argument that says how many items a list returns.
fn limit(argument: &Argument) -> Option<TokenStream> {
    let Source::Caller(input) = &argument.source else { return None };
    let page_size = input.page_size?;
    let default = input.default.as_ref().and_then(Value::as_u64)?;
    let (name, wire, location) = (&input.name, &argument.wire, location(argument.location));
    Some(quote!(Limit { name: #name, wire: #wire, location: #location, default: #default, page_size: #page_size }))
}

fn argument(argument: &Argument) -> TokenStream {
    let wire = &argument.wire;
    let location = location(argument.location);
    let source = match &argument.source {
        Source::Caller(input) => {
            let name = &input.name;
            let default = option(input.default.as_ref().map(Value::to_string).as_deref());
            let encoding = match input.encoding {
                Encoding::Plain => quote!(Encoding::Plain),
                Encoding::Base64 => quote!(Encoding::Base64),
                Encoding::Time => quote!(Encoding::Time),
                Encoding::Path => quote!(Encoding::Path),
                Encoding::DbfsPath => quote!(Encoding::DbfsPath),
            };
            let secret = input.secret;
            quote!(Source::Caller { name: #name, default: #default, encoding: #encoding, secret: #secret })
        }
        Source::Fixed(value) => {
            let value = value.to_string();
            quote!(Source::Fixed(#value))
        }
        Source::Uuid => quote!(Source::Uuid),
    };
    quote!(Argument { wire: #wire, location: #location, source: #source })
}

fn shape(shape: &Shape) -> TokenStream {
    let items = option(shape.items.as_deref());
    let (keep, decode) = (&shape.keep, &shape.decode);
    quote!(Shape { items: #items, keep: &[#(#keep),*], decode: &[#(#decode),*] })
}

fn lists(lists: &Lists) -> TokenStream {
    let resource = &lists.resource;
    let bind = lists.bind.iter().map(|(variable, field)| quote!((#variable, #field)));
    let title = option(lists.title.as_deref());
    quote!(Lists { resource: #resource, bind: &[#(#bind),*], title: #title })
}

fn resource(resource: &Resource) -> Result<TokenStream> {
    let Resource { name, toolset, uri, title, .. } = resource;
    let description = resource.description.trim();
    let operation = names::operation(&resource.operation)?;
    let mime_type = option(resource.mime_type.as_deref());
    let read = match &resource.reader {
        Some(reader) => {
            let module = names::identifier(reader)?;
            quote!(Read::Function(&crate::readers::#module::READER))
        }
        None => quote!(Read::Operation),
    };
    let variables = resource.variables.iter().map(|(variable, wire)| quote!((#variable, #wire)));
    let fixed = resource.fixed.iter().map(|(wire, place, value)| {
        let (place, value) = (location(*place), value.to_string());
        quote!(Argument { wire: #wire, location: #place, source: Source::Fixed(#value) })
    });
    let watch = match &resource.watch {
        Some(watch) => {
            let fields = &watch.fields;
            let over = watch.over.iter().map(|(field, values)| quote!((#field, &[#(#values),*])));
            quote!(Some(Watch { fields: &[#(#fields),*], over: &[#(#over),*] }))
        }
        None => quote!(None),
    };
    Ok(quote! {
        ResourceDefinition {
            name: #name,
            toolset: #toolset,
            uri: #uri,
            title: #title,
            description: #description,
            mime_type: #mime_type,
            operation: &operations::#operation,
            variables: &[#(#variables),*],
            fixed: &[#(#fixed),*],
            read: #read,
            watch: #watch,
        }
    })
}
