//! `self._api.do(verb, url, …)` and `Wait(…)`: where the arguments of a method go.

use anyhow::Result;
use ruff_python_ast::{ConversionFlag, Expr, FStringPart, InterpolatedStringElement, Stmt};

use super::method::{Bound, Waiting};
use super::pattern::{Captures, Whitelist};
use super::python::{Found, Module, as_name, as_string};
use super::signature::Argument;
use super::types::Encoding;

/// One call of the API.
#[derive(Debug, Default)]
pub(crate) struct Call {
    pub(crate) verb: String,
    pub(crate) path: String,
    pub(crate) path_arguments: Vec<PathArgument>,
    pub(crate) account: bool,
    pub(crate) query: bool,
    pub(crate) body: bool,
    /// The argument that is the JSON body.
    pub(crate) whole_body: Option<String>,
    /// The argument that is the body as bytes.
    pub(crate) binary: Option<String>,
    pub(crate) raw: bool,
    pub(crate) response_headers: bool,
}

/// An argument that is a part of the path.
#[derive(Debug)]
pub(crate) struct PathArgument {
    pub(crate) name: String,
    pub(crate) multi_segment: bool,
}

/// The constructs of calls.
#[derive(Debug)]
pub(crate) struct Grammar {
    parts: Whitelist<Part>,
    bound: Whitelist<From>,
}

#[derive(Debug, Clone, Copy)]
enum Part {
    Argument,
    Enum,
    Account,
    MultiSegment,
}

#[derive(Debug, Clone, Copy)]
enum From {
    Response,
    Argument,
}

impl Grammar {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            parts: Whitelist::new([
                (Part::Argument, "N_argument"),
                (Part::Account, "self._api.account_id"),
                (Part::Enum, "N_argument.value"),
                (Part::MultiSegment, "_escape_multi_segment_path_parameter(N_argument)"),
            ])?,
            bound: Whitelist::new([(From::Response, "op_response[S_field]"), (From::Argument, "N_argument")])?,
        })
    }

    /// Reads the arguments of `self._api.do`.
    pub(crate) fn read(
        &self,
        module: &Module,
        statement: &Stmt,
        found: &Captures<'_>,
        arguments: &[Argument],
    ) -> Found<Call> {
        let mut call = Call::default();
        let [verb, url] = found.positional("E_arguments") else {
            return Err(module.problem(statement, "a verb and a URL"));
        };
        let verbs = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE"];
        match as_string(verb).filter(|verb| verbs.contains(verb)) {
            Some(verb) => verb.clone_into(&mut call.verb),
            None => return Err(module.problem(verb, "one of the HTTP methods")),
        }
        self.url(module, url, arguments, &mut call)?;
        let is_argument = |name: &str| arguments.iter().any(|argument| argument.name == name);
        for keyword in found.keywords("E_options") {
            let value = as_name(&keyword.value);
            match (keyword.arg.as_deref(), value, &keyword.value) {
                (Some("query"), Some("query"), _) => call.query = true,
                (Some("body"), Some("body"), _) => call.body = true,
                (Some("body"), Some(name), _) if is_argument(name) => {
                    call.body = true;
                    call.whole_body = Some(name.to_owned());
                }
                (Some("data"), Some(name), _) if is_argument(name) => call.binary = Some(name.to_owned()),
                (Some("headers"), Some("headers"), _) => {}
                (Some("response_headers"), Some("response_headers"), _) => call.response_headers = true,
                (Some("raw"), None, Expr::BooleanLiteral(raw)) => call.raw = raw.value,
                _ => return Err(module.problem(*keyword, "a known option of the call")),
            }
        }
        Ok(call)
    }

    /// Reads `Wait(self.waiter, …)`.
    pub(crate) fn waiting(&self, module: &Module, statement: &Stmt, found: &Captures<'_>) -> Found<Waiting> {
        let mut bind = Vec::new();
        for keyword in found.keywords("E_bind") {
            let bound = match self.bound.expression(&keyword.value) {
                Some((From::Response, value)) => Bound::Response(value.text("S_field").to_owned()),
                Some((From::Argument, value)) => Bound::Argument(value.text("N_argument").to_owned()),
                None => return Err(module.problem(*keyword, "an argument or a field of the response")),
            };
            match &keyword.arg {
                Some(name) => bind.push((name.to_string(), bound)),
                None => return Err(module.problem(statement, "named arguments")),
            }
        }
        Ok(Waiting { waiter: found.text("N_waiter").to_owned(), bind })
    }

    fn url(&self, module: &Module, url: &Expr, arguments: &[Argument], call: &mut Call) -> Found<()> {
        if let Some(path) = as_string(url) {
            path.clone_into(&mut call.path);
            return Ok(());
        }
        let Expr::FString(string) = url else {
            return Err(module.problem(url, "a URL known when the SDK was generated"));
        };
        for part in string.value.iter() {
            match part {
                FStringPart::Literal(literal) => call.path.push_str(literal.as_str()),
                FStringPart::FString(string) => {
                    for element in &string.elements {
                        self.url_element(module, element, arguments, call)?;
                    }
                }
            }
        }
        Ok(())
    }

    fn url_element(
        &self,
        module: &Module,
        element: &InterpolatedStringElement,
        arguments: &[Argument],
        call: &mut Call,
    ) -> Found<()> {
        let part = match element {
            InterpolatedStringElement::Literal(literal) => {
                call.path.push_str(&literal.value);
                return Ok(());
            }
            InterpolatedStringElement::Interpolation(part) => part,
        };
        let plain = part.conversion == ConversionFlag::None && part.format_spec.is_none();
        let Some((kind, found)) = self.parts.expression(&part.expression).filter(|_| plain) else {
            return Err(module.problem(part, "an argument, the account, or an escaped path"));
        };
        if matches!(kind, Part::Account) {
            call.account = true;
            call.path.push_str("{account_id}");
            return Ok(());
        }
        let name = found.text("N_argument");
        let Some(argument) = arguments.iter().find(|argument| argument.name == name) else {
            return Err(module.problem(part, format!("`{name}` to be an argument")));
        };
        if matches!(kind, Part::Enum) != (argument.kind.encoding() == Encoding::Enum) {
            return Err(module.problem(part, "`.value` on enums and only there"));
        }
        call.path.push_str(&format!("{{{name}}}"));
        let multi_segment = matches!(kind, Part::MultiSegment);
        call.path_arguments.push(PathArgument { name: name.to_owned(), multi_segment });
        Ok(())
    }
}
