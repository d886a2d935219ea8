//! Gathers what the statements of one method say.

use std::collections::BTreeMap;

use ruff_python_ast::{DictItem, Expr, Stmt, StmtFunctionDef};

use super::super::call::Call;
use super::super::docstring::{is_deprecated, resource_name};
use super::super::model::{Field, Style, Type, Width};
use super::super::pattern::Captures;
use super::super::python::{Found, Module, as_string, docstring};
use super::super::signature::Argument;
use super::super::types::{Encoding, Index};
use super::{Grammar, Method, Outcome, Return, Step, Waiting};

/// A method half read.
pub(super) struct Reader<'a> {
    grammar: &'a Grammar,
    module: &'a Module,
    index: &'a Index,
    arguments: Vec<Argument>,
    call: Option<Call>,
    body: Option<Vec<Field>>,
    whole_body: Option<String>,
    query: Vec<Field>,
    auto: Vec<String>,
    headers: BTreeMap<String, String>,
    response_headers: Vec<String>,
    presets: BTreeMap<String, i64>,
    start: Option<(String, i64)>,
    routing: bool,
    outcome: Outcome,
    wait: Option<Waiting>,
    long_running: Option<String>,
}

impl<'a> Reader<'a> {
    pub(super) fn new(grammar: &'a Grammar, module: &'a Module, index: &'a Index, arguments: Vec<Argument>) -> Self {
        Self {
            grammar,
            module,
            index,
            arguments,
            call: None,
            body: None,
            whole_body: None,
            query: Vec::new(),
            auto: Vec::new(),
            headers: BTreeMap::new(),
            response_headers: Vec::new(),
            presets: BTreeMap::new(),
            start: None,
            routing: false,
            outcome: Outcome::Nothing,
            wait: None,
            long_running: None,
        }
    }

    pub(super) fn step(
        &mut self,
        statement: &'a Stmt,
        step: Step,
        found: &Captures<'a>,
        function: &StmtFunctionDef,
    ) -> Found<()> {
        let expected = |what: &str| self.module.problem(statement, what);
        match step {
            Step::Auto => self.auto.push(self.argument(statement, found)?.name.clone()),
            Step::NewBody => self.body = Some(Vec::new()),
            Step::SetBody => {
                let field = self.field(statement, found)?;
                match &mut self.body {
                    Some(body) => body.push(field),
                    None => return Err(expected("`body = {}` before")),
                }
            }
            Step::WholeBody => {
                let argument = self.argument(statement, found)?;
                if argument.kind.encoding() != Encoding::Object {
                    return Err(expected("the body to be an object"));
                }
                self.whole_body = Some(argument.name.clone());
            }
            Step::NewQuery | Step::Configuration | Step::Seen => {}
            Step::SetQuery => {
                let field = self.field(statement, found)?;
                if !is_query_value(&field.kind) {
                    return Err(expected("a value, a list of values, or an object in the query"));
                }
                self.query.push(field);
            }
            Step::Headers => self.headers = self.texts(statement, found.get("E_headers"))?,
            Step::Routing => self.routing = true,
            Step::ResponseHeaders => self.response_headers = self.names(statement, found.get("E_names"))?,
            Step::Preset | Step::Start => {
                let wire = found.text("S_wire").to_owned();
                let value = found.integer("I_value").unwrap_or_default();
                if !self.query.iter().any(|field| field.wire == wire) {
                    return Err(expected("a query parameter that is an argument too"));
                }
                if step == Step::Preset {
                    self.presets.insert(wire, value);
                } else {
                    self.start = Some((wire, value));
                }
            }
            Step::Call | Step::CallInto | Step::LoopOnce => self.call(statement, found)?,
            Step::Loop(style) => self.pages(statement, found, style, false)?,
            Step::Dedupe => self.pages(statement, found, Style::Offset, false)?,
            Step::BodyLoop => self.pages(statement, found, Style::Token, true)?,
            Step::Return(what) => self.result(statement, found, what, function)?,
        }
        Ok(())
    }

    fn argument(&self, statement: &Stmt, found: &Captures<'_>) -> Found<&Argument> {
        let name = found.text("N_argument");
        self.arguments
            .iter()
            .find(|argument| argument.name == name)
            .ok_or_else(|| self.module.problem(statement, format!("`{name}` to be an argument")))
    }

    fn field(&self, statement: &Stmt, found: &Captures<'a>) -> Found<Field> {
        let argument = self.argument(statement, found)?;
        let value = found.get("E_value").and_then(|value| self.grammar.values.expression(value));
        let matches = value.is_some_and(|(encoding, value)| {
            encoding == argument.kind.encoding() && value.text("N_argument") == argument.name
        });
        if !matches {
            return Err(self.module.problem(statement, "the tested argument, encoded as its annotation says"));
        }
        Ok(Field {
            python: argument.name.clone(),
            wire: found.text("S_wire").to_owned(),
            kind: argument.kind.clone(),
            required: argument.required,
            auto: self.auto.contains(&argument.name),
        })
    }

    fn texts(&self, statement: &Stmt, dictionary: Option<&Expr>) -> Found<BTreeMap<String, String>> {
        let entry = |item: &DictItem| {
            let name =
                item.key.as_ref().and_then(as_string).filter(|name| ["Accept", "Content-Type"].contains(name))?;
            Some((name.to_owned(), as_string(&item.value)?.to_owned()))
        };
        let read = match dictionary {
            Some(Expr::Dict(dictionary)) => dictionary.items.iter().map(entry).collect(),
            _ => None,
        };
        read.ok_or_else(|| self.module.problem(statement, "the headers `Accept` and `Content-Type`"))
    }

    fn names(&self, statement: &Stmt, list: Option<&Expr>) -> Found<Vec<String>> {
        let read = match list {
            Some(Expr::List(list)) => list.elts.iter().map(|name| Some(as_string(name)?.to_owned())).collect(),
            _ => None,
        };
        read.ok_or_else(|| self.module.problem(statement, "a list of strings"))
    }

    fn call(&mut self, statement: &Stmt, found: &Captures<'a>) -> Found<()> {
        if self.call.is_some() {
            return Err(self.module.problem(statement, "one call of the API"));
        }
        self.call = Some(self.grammar.call.read(self.module, statement, found, &self.arguments)?);
        Ok(())
    }

    fn pages(&mut self, statement: &Stmt, found: &Captures<'a>, style: Style, in_body: bool) -> Found<()> {
        self.call(statement, found)?;
        let Some(class) = found.get("E_class") else {
            return Err(self.module.problem(statement, "items of a data class"));
        };
        let text = |hole: &str| Some(found.text(hole)).filter(|text| !text.is_empty()).map(str::to_owned);
        let items = found.text("S_items").to_owned();
        let request = text("S_request");
        let start = match (self.start.take(), style) {
            (Some((wire, value)), Style::Offset | Style::Page) if Some(&wire) == request.as_ref() => Some(value),
            (None, Style::Token) => None,
            _ => return Err(self.module.problem(statement, "the start of the cursor before the loop")),
        };
        // SCIM (RFC 7644) counts from one and names its cursor and its list so.
        let scim = style == Style::Offset && items == "Resources" && request.as_deref() == Some("startIndex");
        self.outcome = Outcome::Pages {
            style: if scim { Style::Scim } else { style },
            items,
            item: self.index.object(self.module, class)?,
            in_body,
            request,
            response: text("S_next"),
            start,
            dedupe: text("S_id"),
        };
        Ok(())
    }

    fn result(
        &mut self,
        statement: &Stmt,
        found: &Captures<'a>,
        what: Return,
        function: &StmtFunctionDef,
    ) -> Found<()> {
        let class = found.get("E_class").map(|class| self.index.object(self.module, class)).transpose()?;
        match (what, class) {
            (Return::Object | Return::Operation, Some(class)) => self.outcome = Outcome::Json(Type::Object(class)),
            (Return::List, Some(class)) => {
                self.outcome = Outcome::Json(Type::Array(Box::new(Type::Object(class))));
            }
            (Return::AsIs, None) => {
                let Some(annotation) = function.returns.as_deref() else {
                    return Err(self.module.problem(statement, "an annotation of what is returned"));
                };
                let kind = self.index.resolve(self.module, annotation, Width::Unknown)?;
                self.outcome = Outcome::Json(kind);
            }
            (Return::LongRunning, None) => self.long_running = Some(found.text("N_class").to_owned()),
            (Return::WaitWithResponse, Some(class)) => {
                self.outcome = Outcome::Json(Type::Object(class));
                self.wait = Some(self.grammar.call.waiting(self.module, statement, found)?);
            }
            (Return::Wait, None) => self.wait = Some(self.grammar.call.waiting(self.module, statement, found)?),
            (Return::Parsed, Some(class)) => {
                self.outcome = Outcome::Elements { class, field: found.text("N_field").to_owned() };
            }
            (Return::ParsedOrEmpty, None) => {}
            _ => return Err(self.module.problem(statement, "a known way to return a response")),
        }
        Ok(())
    }

    pub(super) fn finish(self, function: &StmtFunctionDef) -> Found<Method> {
        let problem = |what: &str| self.module.problem(&function.name, what);
        let Some(mut call) = self.call else {
            return Err(problem("a call of the API"));
        };
        if !call.query && !self.query.is_empty() {
            return Err(problem("the query to be passed"));
        }
        let bodies = [self.body.is_some(), self.whole_body.is_some(), call.whole_body.is_some()];
        let bodies = bodies.iter().filter(|body| **body).count();
        if bodies > 1 || call.body != (bodies == 1) {
            return Err(problem("one body, and it to be passed"));
        }
        call.whole_body = call.whole_body.or(self.whole_body);
        if self.start.is_some() {
            return Err(problem("a loop over pages after the start of the cursor"));
        }
        for argument in &self.arguments {
            let name = argument.name.as_str();
            let used = call.whole_body.as_deref() == Some(name)
                || call.binary.as_deref() == Some(name)
                || call.path_arguments.iter().any(|used| used.name == name)
                || self.query.iter().chain(self.body.iter().flatten()).any(|field| field.python == name);
            if !used {
                return Err(problem(&format!("`{name}` to be used")));
            }
        }
        let text = docstring(&function.body).unwrap_or_default();
        let documented = |name: &str| Some((name.to_owned(), resource_name(text, name)?));
        Ok(Method {
            resource_names: call.path_arguments.iter().filter_map(|used| documented(&used.name)).collect(),
            deprecated: is_deprecated(text),
            site: self.module.site(&function.name),
            arguments: self.arguments,
            call,
            body: self.body,
            query: self.query,
            headers: self.headers,
            response_headers: self.response_headers,
            presets: self.presets,
            routing: self.routing,
            outcome: self.outcome,
            wait: self.wait,
            long_running: self.long_running,
        })
    }
}

/// Whether the SDK has a form for the type in a query: a value, repeated values, or an object flattened with dots.
fn is_query_value(kind: &Type) -> bool {
    let is_value =
        |kind: &Type| !matches!(kind, Type::Any | Type::Binary | Type::Array(_) | Type::Map(_) | Type::Object(_));
    match kind {
        Type::Array(item) => is_value(item),
        Type::Object(_) => true,
        other => is_value(other),
    }
}
