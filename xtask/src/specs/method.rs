//! The body of an API method, statement by statement, against a whitelist. A statement outside of it is an error.

mod reader;

use std::collections::BTreeMap;

use anyhow::Result;
use ruff_python_ast::StmtFunctionDef;

use super::call::{self, Call};
use super::model::{Field, SchemaId, Style, Type};
use super::pattern::Whitelist;
use super::python::{Found, Module, Site, statements};
use super::signature::{self, Argument};
use super::types::{Encoding, Index, encodings};
use reader::Reader;

/// The constructs of API methods.
#[derive(Debug)]
pub(crate) struct Grammar {
    steps: Whitelist<Step>,
    values: Whitelist<Encoding>,
    call: call::Grammar,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    Auto,
    NewBody,
    WholeBody,
    SetBody,
    NewQuery,
    SetQuery,
    Headers,
    Configuration,
    Routing,
    ResponseHeaders,
    Preset,
    Start,
    Seen,
    Call,
    CallInto,
    Loop(Style),
    LoopOnce,
    Dedupe,
    BodyLoop,
    Return(Return),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Return {
    Object,
    List,
    AsIs,
    Operation,
    LongRunning,
    WaitWithResponse,
    Wait,
    Parsed,
    ParsedOrEmpty,
}

/// What a method does, in its own terms.
#[derive(Debug)]
pub(crate) struct Method {
    pub(crate) site: Site,
    pub(crate) arguments: Vec<Argument>,
    pub(crate) call: Call,
    /// The arguments that the body and the query are put together from.
    pub(crate) body: Option<Vec<Field>>,
    pub(crate) query: Vec<Field>,
    pub(crate) headers: BTreeMap<String, String>,
    pub(crate) response_headers: Vec<String>,
    pub(crate) presets: BTreeMap<String, i64>,
    pub(crate) routing: bool,
    pub(crate) outcome: Outcome,
    pub(crate) wait: Option<Waiting>,
    pub(crate) long_running: Option<String>,
    pub(crate) deprecated: bool,
    /// Resource name patterns by path argument.
    pub(crate) resource_names: BTreeMap<String, String>,
}

/// What a method makes of the response.
#[derive(Debug, Default)]
pub(crate) enum Outcome {
    #[default]
    Nothing,
    Json(Type),
    /// The elements of one field of an object.
    Elements {
        class: SchemaId,
        field: String,
    },
    Pages {
        style: Style,
        items: String,
        item: SchemaId,
        in_body: bool,
        request: Option<String>,
        response: Option<String>,
        start: Option<i64>,
        dedupe: Option<String>,
    },
}

/// `Wait(self.waiter, name=value, …)`.
#[derive(Debug)]
pub(crate) struct Waiting {
    pub(crate) waiter: String,
    pub(crate) bind: Vec<(String, Bound)>,
}

/// Where a waiter's argument comes from.
#[derive(Debug)]
pub(crate) enum Bound {
    Argument(String),
    Response(String),
}

impl Grammar {
    pub(crate) fn new() -> Result<Self> {
        let page = |start: &str, dedupe: &str, next: &str, end: &str| {
            format!(
                "while True:\n    json = self._api.do(*E_arguments, **E_options)\n    if S_items in json:\n        \
                 for v in json[S_items]:\n{dedupe}            yield E_class.from_dict(v)\n    \
                 if {next} not in json or not json[{next}]:\n        return\n    {start}{end}"
            )
        };
        let seen = "            i = v[S_id]\n            if i in seen:\n                continue\n            \
                    seen.add(i)\n";
        let token = page("query[S_request] = ", "", "S_next", "json[S_next]");
        let body_token = page("body[S_request] = ", "", "S_next", "json[S_next]");
        let body_loop = page("body = ", "", "S_next", "json[S_next]");
        let offset = page("query[S_request] += ", "", "S_items", "len(json[S_items])");
        let dedupe = page("query[S_request] += ", seen, "S_items", "len(json[S_items])");
        let number = page("query[S_request] += ", "", "S_items", "1");
        Ok(Self {
            steps: Whitelist::new([
                (Step::SetBody, "if N_argument is not None:\n    body[S_wire] = E_value"),
                (Step::SetQuery, "if N_argument is not None:\n    query[S_wire] = E_value"),
                (Step::NewBody, "body = {}"),
                (Step::NewQuery, "query = {}"),
                (Step::WholeBody, "body = N_argument.as_dict()"),
                (Step::Headers, "headers = E_headers"),
                (Step::Configuration, "cfg = self._api._cfg"),
                (Step::Routing, "if cfg.workspace_id:\n    headers[\"X-Databricks-Workspace-Id\"] = cfg.workspace_id"),
                (Step::Auto, "if N_argument is None or N_argument == \"\":\n    N_argument = str(uuid.uuid4())"),
                (Step::ResponseHeaders, "response_headers = E_names"),
                (Step::Preset, "if S_wire not in query:\n    query[S_wire] = I_value"),
                (Step::Start, "query[S_wire] = I_value"),
                (Step::Seen, "seen = set()"),
                (Step::Call, "self._api.do(*E_arguments, **E_options)"),
                (Step::CallInto, "res = self._api.do(*E_arguments, **E_options)"),
                (Step::CallInto, "op_response = self._api.do(*E_arguments, **E_options)"),
                (Step::LoopOnce, "json = self._api.do(*E_arguments, **E_options)"),
                (Step::Loop(Style::Token), &token),
                (Step::BodyLoop, &body_token),
                (Step::BodyLoop, &body_loop),
                (Step::Loop(Style::Offset), &offset),
                (Step::Dedupe, &dedupe),
                (Step::Loop(Style::Page), &number),
                (Step::Return(Return::Object), "return E_class.from_dict(res)"),
                (Step::Return(Return::List), "return [E_class.from_dict(v) for v in res]"),
                (Step::Return(Return::AsIs), "return res"),
                (Step::Return(Return::Operation), "operation = E_class.from_dict(res)"),
                (Step::Return(Return::LongRunning), "return N_class(self, operation)"),
                (
                    Step::Return(Return::WaitWithResponse),
                    "return Wait(self.N_waiter, response=E_class.from_dict(op_response), **E_bind)",
                ),
                (Step::Return(Return::Wait), "return Wait(self.N_waiter, **E_bind)"),
                (Step::Return(Return::Parsed), "parsed = E_class.from_dict(json).N_field"),
                (Step::Return(Return::ParsedOrEmpty), "return parsed if parsed is not None else []"),
            ])?,
            values: encodings("N_argument")?,
            call: call::Grammar::new()?,
        })
    }

    /// Interprets an operation's method.
    pub(crate) fn read(&self, module: &Module, index: &Index, function: &StmtFunctionDef) -> Found<Method> {
        let arguments = signature::read(module, index, function)?;
        let mut reader = Reader::new(self, module, index, arguments);
        for statement in statements(&function.body) {
            let Some((step, found)) = self.steps.statement(statement) else {
                return Err(module.problem(statement, "a statement that API methods are known to be made of"));
            };
            reader.step(statement, step, &found, function)?;
        }
        reader.finish(function)
    }
}
