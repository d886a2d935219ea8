//! API classes: which of their methods are operations, which are waiters, and which only wrap others.

use std::collections::BTreeMap;

use anyhow::Result;
use heck::ToSnakeCase as _;
use ruff_python_ast::{Stmt, StmtClassDef, StmtFunctionDef};

use super::method::{self, Method};
use super::pattern::{Pattern, Whitelist};
use super::python::{Module, Problem, statements};
use super::types::Index;
use super::waiter::{self, Waiter};

/// Methods that are left out, by package, class and name.
///
/// The data plane takes queries at a URL that an answer of the control plane names, with a token of its own; the
/// method of the same name in `ServingEndpointsAPI` reaches the same models through the workspace and is imported.
const EXCLUDED: [(&str, &str, &str); 3] = [
    ("serving", "ServingEndpointsDataPlaneAPI", "__init__"),
    ("serving", "ServingEndpointsDataPlaneAPI", "_data_plane_info_query"),
    ("serving", "ServingEndpointsDataPlaneAPI", "query"),
];

/// The constructs of API classes.
#[derive(Debug)]
pub(crate) struct Grammar {
    constructor: Whitelist<()>,
    accessor: Pattern,
    and_wait: Pattern,
    method: method::Grammar,
    waiter: waiter::Grammar,
}

/// What an API class holds.
#[derive(Debug, Default)]
pub(crate) struct Service {
    pub(crate) package: String,
    pub(crate) class: String,
    /// Operations by method name.
    pub(crate) methods: BTreeMap<String, Method>,
    pub(crate) waiters: BTreeMap<String, Waiter>,
}

impl Grammar {
    pub(crate) fn new() -> Result<Self> {
        Ok(Self {
            constructor: Whitelist::new([((), "self._api = api_client"), ((), "self.N_field = N_class(self._api)")])?,
            accessor: Pattern::new("return self.N_field")?,
            and_wait: Pattern::new("return self.N_method(**E_arguments).result(timeout=timeout)")?,
            method: method::Grammar::new()?,
            waiter: waiter::Grammar::new()?,
        })
    }

    /// Reads an API class; problems do not stop at the first.
    pub(crate) fn read(
        &self,
        module: &Module,
        index: &Index,
        class: &StmtClassDef,
        problems: &mut Vec<Problem>,
    ) -> Service {
        let mut service =
            Service { package: module.package.clone(), class: class.name.to_string(), ..Service::default() };
        for statement in statements(&class.body) {
            let Stmt::FunctionDef(function) = statement else {
                problems.push(module.problem(statement, "a method"));
                continue;
            };
            let name = function.name.as_str();
            if EXCLUDED.contains(&(module.package.as_str(), class.name.as_str(), name)) {
                continue;
            }
            if let Err(problem) = self.function(module, index, function, &mut service) {
                problems.push(problem);
            }
        }
        service
    }

    fn function(
        &self,
        module: &Module,
        index: &Index,
        function: &StmtFunctionDef,
        service: &mut Service,
    ) -> Result<(), Problem> {
        let name = function.name.to_string();
        let mut body = statements(&function.body);
        let only = body.next().filter(|_| body.next().is_none());
        let property = match &*function.decorator_list {
            [] => false,
            [decorator] if super::python::as_name(&decorator.expression) == Some("property") => true,
            [decorator, ..] => return Err(module.problem(decorator, "`@property` or no decorator")),
        };
        if property {
            return match only.and_then(|only| self.accessor.statement(only)) {
                Some(_) => Ok(()),
                None => Err(module.problem(&function.name, "a property that returns another API")),
            };
        }
        if name == "__init__" {
            let unknown = statements(&function.body).find(|statement| self.constructor.statement(statement).is_none());
            return match unknown {
                Some(statement) => Err(module.problem(statement, "`self._api = api_client` or the creation of an API")),
                None => Ok(()),
            };
        }
        if name.ends_with("_and_wait") && only.is_some_and(|only| self.and_wait.statement(only).is_some()) {
            return Ok(());
        }
        let twice = if name.starts_with("wait_") {
            let waiter = self.waiter.read(module, function)?;
            service.waiters.insert(name, waiter).is_some()
        } else {
            let method = self.method.read(module, index, function)?;
            service.methods.insert(name, method).is_some()
        };
        if twice {
            return Err(module.problem(&function.name, "one method of this name"));
        }
        Ok(())
    }
}

/// The name of an API class in operation ids.
pub(crate) fn service_name(class: &str) -> String {
    class.strip_suffix("API").unwrap_or(class).to_snake_case()
}
