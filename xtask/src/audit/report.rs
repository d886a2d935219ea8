//! The audit as data: what each toolset and preset exposes, at which risk and for how many tokens, and what to look at.

use std::collections::{BTreeMap, BTreeSet};

use anyhow::Result;
use codegen::allowlist::{Confirm, Decision, Prompt, PromptMessage, Risk, Source, Tool};
use codegen::api::{Body, Location, Operation as ApiOperation, Response, Schema};
use codegen::audit::type_name;
use codegen::schema;
use serde::Serialize;
use serde_json::{Value, json};

use super::confusable::{self, Pair};
use super::surface::{Exposure, Surface};
use super::tokens::Tokenizer;

/// Everything that the audit tells.
#[derive(Debug, Serialize)]
pub(super) struct Report {
    pub(super) total: Counts,
    pub(super) toolsets: Vec<Group>,
    pub(super) presets: Vec<Group>,
    pub(super) tools: Vec<ToolReport>,
    pub(super) prompts: Vec<PromptReport>,
    pub(super) operations: Vec<OperationReport>,
    pub(super) confusable: Vec<Pair>,
    /// What `cargo xtask audit` fails for, one line each.
    pub(super) findings: Vec<String>,
}

/// How many operations and tools there are, and what the tools cost.
#[derive(Debug, Default, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Counts {
    pub(super) operations: usize,
    pub(super) exposed: usize,
    pub(super) reachable: usize,
    pub(super) excluded: usize,
    pub(super) undecided: usize,
    /// Operations that can be called, by risk.
    pub(super) read: usize,
    pub(super) write: usize,
    pub(super) destructive: usize,
    pub(super) tools: usize,
    pub(super) tokens: usize,
    /// Prompts whose tools are all among these; of a group too.
    pub(super) prompts: usize,
}

/// A toolset or a preset.
#[derive(Debug, Serialize)]
pub(super) struct Group {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) description: String,
    /// Part of the default profile.
    pub(super) default: bool,
    pub(super) counts: Counts,
    pub(super) tools: Vec<String>,
    /// Of a preset.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) toolsets: Vec<String>,
}

/// A tool.
#[derive(Debug, Serialize)]
pub(super) struct ToolReport {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) toolset: String,
    pub(super) risk: &'static str,
    pub(super) default: bool,
    pub(super) guarded: bool,
    /// When a person is asked, where the risk does not decide it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) confirm: Option<&'static str>,
    pub(super) annotations: Value,
    pub(super) aliases: Vec<String>,
    pub(super) operations: Vec<String>,
    /// Tokens of its definition as clients receive it.
    pub(super) tokens: usize,
    /// Arguments whose nested fields are cut; `get_input_schema` shows all of them.
    pub(super) cut: Vec<String>,
    /// Parameters of the operation that the tool leaves out.
    pub(super) hidden: Vec<String>,
    /// Parameters that always have one value, and the value.
    pub(super) fixed: Vec<(String, String)>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) because: Option<String>,
}

/// A prompt.
#[derive(Debug, Serialize)]
pub(super) struct PromptReport {
    pub(super) name: String,
    pub(super) title: String,
    pub(super) description: String,
    pub(super) arguments: Vec<String>,
    /// The tools that it needs.
    pub(super) tools: Vec<String>,
    /// Tools that it names besides.
    pub(super) optional: Vec<String>,
    /// Resources that it embeds.
    pub(super) embeds: Vec<String>,
    /// Tokens of its texts, before anything is filled in or embedded.
    pub(super) tokens: usize,
}

/// An operation of the API.
#[derive(Debug, Serialize)]
pub(super) struct OperationReport {
    pub(super) id: String,
    pub(super) area: String,
    pub(super) toolset: Option<String>,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) account: bool,
    /// The specs lack it.
    pub(super) undocumented: bool,
    pub(super) deprecated: bool,
    pub(super) exposure: Exposure,
    pub(super) default: bool,
    pub(super) risk: Option<&'static str>,
    /// Tools and composites that call it.
    pub(super) tools: Vec<String>,
    pub(super) resource: Option<String>,
    /// Why it is excluded.
    pub(super) reason: Option<String>,
    /// What a call does, of one that is reachable.
    pub(super) summary: Option<String>,
    pub(super) because: Option<String>,
    pub(super) paged: bool,
    /// Name, place, type, and whether it is required.
    pub(super) takes: Vec<(String, &'static str, String, bool)>,
    pub(super) gives: String,
}

impl Report {
    /// The audit of a surface, with what was found wrong with it.
    pub(super) fn new(surface: &Surface, findings: Vec<String>) -> Result<Self> {
        let tokenizer = Tokenizer::new()?;
        let tools: Vec<_> =
            surface.allowlist.tools.values().map(|tool| self::tool(surface, &tokenizer, tool)).collect();
        let tokens: BTreeMap<_, _> = tools.iter().map(|tool| (tool.name.as_str(), tool.tokens)).collect();
        let (api, allowlist) = (&surface.api, &surface.allowlist);
        let ids: BTreeSet<&str> =
            api.operations.keys().chain(allowlist.undocumented.keys()).map(String::as_str).collect();
        let operations: Vec<_> =
            ids.iter().filter_map(|id| allowlist.operation(api, id)).map(|source| operation(surface, source)).collect();
        let group = |is_in: &dyn Fn(&str) -> bool, names: &[&str]| {
            let within = operations.iter().filter(|operation| operation.toolset.as_deref().is_some_and(is_in));
            let mut counts = counts(within);
            counts.tools = names.len();
            counts.tokens = names.iter().filter_map(|name| tokens.get(name)).sum();
            let is_among = |prompt: &&Prompt| prompt.tools.iter().all(|tool| names.contains(&tool.as_str()));
            counts.prompts = allowlist.prompts.values().filter(is_among).count();
            counts
        };
        let toolsets = allowlist.toolsets.values().map(|toolset| {
            let tools = allowlist.tools.values().filter(|tool| tool.toolset == toolset.name);
            let names: Vec<_> = tools.map(|tool| tool.name.as_str()).collect();
            Group {
                name: toolset.name.clone(),
                title: toolset.title.clone(),
                description: toolset.description.clone(),
                default: toolset.default,
                counts: group(&|name| name == toolset.name, &names),
                tools: names.into_iter().map(str::to_owned).collect(),
                toolsets: Vec::new(),
            }
        });
        let presets = allowlist.presets.iter().map(|(name, preset)| {
            let names: Vec<_> = allowlist.tools_of(preset).map(|tool| tool.name.as_str()).collect();
            Group {
                name: name.clone(),
                title: preset.title.clone(),
                description: preset.description.clone(),
                default: false,
                counts: group(&|name| preset.toolsets.iter().any(|toolset| toolset == name), &names),
                tools: names.into_iter().map(str::to_owned).collect(),
                toolsets: preset.toolsets.clone(),
            }
        });
        let (toolsets, presets) = (toolsets.collect(), presets.collect());
        let mut total = counts(operations.iter());
        total.tools = tools.len();
        total.tokens = tools.iter().map(|tool| tool.tokens).sum();
        let prompts: Vec<_> = allowlist.prompts.values().map(|prompt| self::prompt(&tokenizer, prompt)).collect();
        total.prompts = prompts.len();
        let confusable = confusable::pairs(surface);
        Ok(Self { total, toolsets, presets, tools, prompts, operations, confusable, findings })
    }
}

fn counts<'a>(operations: impl Iterator<Item = &'a OperationReport>) -> Counts {
    let mut counts = Counts::default();
    for operation in operations.filter(|operation| !operation.undocumented) {
        counts.operations += 1;
        match operation.exposure {
            Exposure::Undecided => counts.undecided += 1,
            Exposure::Excluded => counts.excluded += 1,
            Exposure::Reachable => counts.reachable += 1,
            Exposure::Used | Exposure::Tool => counts.exposed += 1,
        }
        match operation.risk {
            Some("read") => counts.read += 1,
            Some("write") => counts.write += 1,
            Some("destructive") => counts.destructive += 1,
            _ => {}
        }
    }
    counts
}

fn tool(surface: &Surface, tokenizer: &Tokenizer, tool: &Tool) -> ToolReport {
    let shown = surface.shown.get(&tool.name);
    let mut report = ToolReport {
        name: tool.name.clone(),
        title: tool.title.clone(),
        description: tool.description.trim().to_owned(),
        toolset: tool.toolset.clone(),
        risk: tool.risk.name(),
        default: surface.allowlist.toolsets.get(&tool.toolset).is_some_and(|toolset| toolset.default),
        guarded: tool.guarded,
        confirm: tool.confirm.map(Confirm::name),
        annotations: shown.and_then(|shown| shown.get("annotations")).cloned().unwrap_or_default(),
        aliases: tool.aliases.clone(),
        operations: tool.uses.clone(),
        tokens: shown.map_or(0, |shown| tokenizer.count(shown)),
        cut: Vec::new(),
        hidden: Vec::new(),
        fixed: Vec::new(),
        because: tool.because.clone(),
    };
    let plain = tool.operation.as_ref();
    if let Some((plain, source)) = plain.and_then(|plain| Some((plain, surface.api.operations.get(&plain.id)?))) {
        let (_, full) = schema::input(&surface.api, source, plain);
        let cut = full.as_ref().and_then(|full| full.get("properties")).and_then(Value::as_object);
        report.cut = cut.into_iter().flat_map(|fields| fields.keys().cloned()).collect();
        let is_hidden = |parameter: &&codegen::api::Parameter| {
            let mut arguments = plain.arguments.iter();
            !arguments.any(|argument| argument.wire == parameter.name && argument.location == parameter.location)
        };
        report.hidden = source.parameters.iter().filter(is_hidden).map(|parameter| parameter.name.clone()).collect();
        let fixed = plain.arguments.iter().filter_map(|argument| match &argument.source {
            Source::Fixed(value) => Some((argument.wire.clone(), value.to_string())),
            Source::Uuid => Some((argument.wire.clone(), "a new UUID".to_owned())),
            Source::Caller(_) => None,
        });
        report.fixed = fixed.collect();
    }
    report
}

fn prompt(tokenizer: &Tokenizer, prompt: &Prompt) -> PromptReport {
    let text = |message: &PromptMessage| match message {
        PromptMessage::Text(text) => Some(text.clone()),
        PromptMessage::Embed { .. } => None,
    };
    let embeds = |message: &PromptMessage| match message {
        PromptMessage::Text(_) => None,
        PromptMessage::Embed { resource, .. } => Some(resource.clone()),
    };
    PromptReport {
        name: prompt.name.clone(),
        title: prompt.title.clone(),
        description: prompt.description.clone(),
        arguments: prompt.arguments.iter().map(|argument| argument.name.clone()).collect(),
        tools: prompt.tools.clone(),
        optional: prompt.optional.clone(),
        embeds: prompt.messages.iter().filter_map(embeds).collect(),
        tokens: tokenizer.count(&json!(prompt.messages.iter().filter_map(text).collect::<Vec<_>>())),
    }
}

fn operation(surface: &Surface, source: &ApiOperation) -> OperationReport {
    let decision = surface.allowlist.decisions.get(&source.id);
    let of = |text: fn(&Decision) -> Option<&String>| decision.and_then(text).map(|text| text.trim().to_owned());
    let mut takes: Vec<_> = source
        .parameters
        .iter()
        .map(|parameter| {
            let place = match parameter.location {
                Location::Path => "path",
                Location::Query => "query",
                Location::Body => "body",
            };
            (parameter.name.clone(), place, type_name(&parameter.schema), parameter.required)
        })
        .collect();
    match &source.body {
        Body::Other(schema) => takes.push((String::new(), "body", type_name(schema), true)),
        Body::Binary => takes.push((String::new(), "body", "bytes".to_owned(), true)),
        Body::None | Body::Object => {}
    }
    OperationReport {
        area: source.package().to_owned(),
        toolset: decision.map(|decision| decision.toolset.clone()),
        method: source.method.clone(),
        path: source.path.clone(),
        account: source.accounts,
        undocumented: surface.allowlist.undocumented.contains_key(&source.id),
        deprecated: source.deprecated,
        exposure: surface.exposure(&source.id),
        default: surface.is_default(&source.id),
        risk: surface.risk(&source.id).map(Risk::name),
        tools: surface.callers(&source.id).map(str::to_owned).collect(),
        resource: of(|decision| decision.resource.as_ref()),
        reason: of(|decision| decision.excluded.as_ref()),
        summary: of(|decision| decision.reachable.as_ref().map(|reachable| &reachable.summary)),
        because: of(|decision| decision.because.as_ref()),
        paged: surface.allowlist.pagination(source).is_some(),
        takes,
        gives: gives(&source.response),
        id: source.id.clone(),
    }
}

fn gives(response: &Response) -> String {
    match response {
        Response::Json(Schema::Any) => "any".to_owned(),
        Response::Json(schema) => type_name(schema),
        Response::Text(kind) | Response::Binary(kind) => kind.clone(),
        Response::Empty => String::new(),
    }
}

#[cfg(test)]
mod tests {
    use std::sync::LazyLock;

    use codegen::audit;

    use super::{Group, Report};
    use crate::audit::surface::{Exposure, Surface};
    use crate::root;

    static SURFACE: LazyLock<Surface> = LazyLock::new(|| Surface::at(root()).unwrap());
    static REPORT: LazyLock<Report> = LazyLock::new(|| Report::new(&SURFACE, Vec::new()).unwrap());

    #[test]
    fn counts_are_those_of_the_packages() {
        let packages = audit::packages(&SURFACE.api, &SURFACE.allowlist);
        let sum = |count: fn(&audit::Package) -> usize| packages.values().map(count).sum::<usize>();
        let total = &REPORT.total;
        assert_eq!(total.operations, SURFACE.api.operations.len());
        let found = [total.exposed, total.reachable, total.excluded, total.undecided];
        let counted = [
            sum(|package| package.exposed),
            sum(|package| package.reachable),
            sum(|package| package.excluded),
            sum(|package| package.undecided.len()),
        ];
        assert_eq!(found, counted);
        assert_eq!(found.iter().sum::<usize>(), total.operations);
        assert_eq!(total.read + total.write + total.destructive, total.exposed + total.reachable);
        let within: usize = REPORT.toolsets.iter().map(|toolset| toolset.counts.operations).sum();
        assert_eq!(within, total.operations, "each operation is decided in one toolset");
    }

    #[test]
    fn every_tool_costs_and_presets_have_their_tools() {
        for tool in &REPORT.tools {
            assert!((50..1_500).contains(&tool.tokens), "{}: {} tokens", tool.name, tool.tokens);
            assert!(tool.annotations.is_object(), "{} has no annotations", tool.name);
        }
        let preset = |name: &str| -> &Group { REPORT.presets.iter().find(|preset| preset.name == name).unwrap() };
        for name in SURFACE.allowlist.presets.keys() {
            let counts = &preset(name).counts;
            assert!(counts.tools <= 128 && counts.tokens > 5_000, "{name}: {counts:?}");
        }
        let is_read =
            |name: &String| REPORT.tools.iter().any(|tool| tool.name == *name && (tool.risk == "read" || tool.guarded));
        assert!(preset("auditor").tools.iter().all(is_read));
    }

    #[test]
    fn prompts_are_counted_where_their_tools_are() {
        assert_eq!(REPORT.total.prompts, SURFACE.allowlist.prompts.len());
        for prompt in &REPORT.prompts {
            assert!((150..700).contains(&prompt.tokens), "{}: {} tokens", prompt.name, prompt.tokens);
        }
        let jobs = REPORT.toolsets.iter().find(|toolset| toolset.name == "jobs").unwrap();
        assert!((1..REPORT.total.prompts).contains(&jobs.counts.prompts), "{:?}", jobs.counts);
    }

    #[test]
    fn what_a_tool_leaves_out_is_told() {
        let tool = |name: &str| REPORT.tools.iter().find(|tool| tool.name == name).unwrap();
        assert!(tool("create_job").cut.contains(&"tasks".to_owned()));
        assert!(
            tool("create_job").hidden.contains(&"access_control_list".to_owned()),
            "{:?}",
            tool("create_job").hidden
        );
        assert!(REPORT.tools.iter().any(|tool| !tool.fixed.is_empty()));
        let excluded = REPORT.operations.iter().filter(|operation| operation.exposure == Exposure::Excluded);
        assert!(excluded.into_iter().all(|operation| operation.reason.is_some() && operation.risk.is_none()));
    }

    #[test]
    fn likely_pairs_are_told_once() {
        let pairs: Vec<_> = REPORT.confusable.iter().map(|pair| (pair.tool.as_str(), pair.other.as_str())).collect();
        assert!(pairs.contains(&("get_job_costs", "get_warehouse_costs")), "{pairs:?}");
        assert!(pairs.iter().all(|(tool, other)| tool < other && !pairs.contains(&(*other, *tool))));
    }
}
