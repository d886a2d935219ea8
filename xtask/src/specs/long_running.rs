//! `…Operation`: the handle of a long-running operation.

use anyhow::Result;
use ruff_python_ast::{Stmt, StmtClassDef, StmtFunctionDef};

use super::model::SchemaId;
use super::pattern::{Pattern, Whitelist};
use super::python::{Found, Module, as_name, statements};
use super::types::Index;

/// The constructs of long-running operations.
#[derive(Debug)]
pub(crate) struct Grammar {
    statements: Whitelist<Meaning>,
    poll: Whitelist<Meaning>,
    argument: Pattern,
}

/// A handle as the class has it.
#[derive(Debug, Default)]
pub(crate) struct Handle {
    /// The API class that the handle polls.
    pub(crate) service: String,
    pub(crate) method: String,
    pub(crate) response: Option<SchemaId>,
    pub(crate) metadata: Option<SchemaId>,
}

#[derive(Debug, Clone, Copy)]
enum Meaning {
    Poll,
    Response,
    Metadata,
    Nothing,
}

impl Grammar {
    pub(crate) fn new() -> Result<Self> {
        let poll = "operation = self._impl.N_method(name=self._operation.name)";
        Ok(Self {
            statements: Whitelist::new([
                (Meaning::Poll, poll),
                (Meaning::Nothing, "self._impl = impl"),
                (Meaning::Nothing, "self._operation = operation"),
                (Meaning::Nothing, "return self._operation.name"),
                (Meaning::Nothing, "if self._operation.metadata is None:\n    return None"),
                (Meaning::Metadata, "return E_class.from_dict(self._operation.metadata)"),
                (Meaning::Nothing, "return operation.done"),
                (Meaning::Nothing, "self._impl.cancel_operation(name=self._operation.name)"),
                (Meaning::Nothing, "return poll(poll_operation, timeout=opts.timeout if opts is not None else None)"),
                (Meaning::Nothing, "poll(poll_operation, timeout=opts.timeout if opts is not None else None)"),
            ])?,
            poll: Whitelist::new([
                (Meaning::Poll, poll),
                (Meaning::Nothing, "self._operation = operation"),
                (
                    Meaning::Nothing,
                    "if not operation.done:\n    return None, RetryError.continues(\"operation still in progress\")",
                ),
                (
                    Meaning::Nothing,
                    "if operation.error:\n    \
                     error_msg = operation.error.message if operation.error.message else \"unknown error\"\n    \
                     if operation.error.error_code:\n        \
                     error_msg = f\"[{operation.error.error_code}] {error_msg}\"\n    \
                     return None, RetryError.halt(Exception(f\"operation failed: {error_msg}\"))",
                ),
                (
                    Meaning::Nothing,
                    "if operation.response is None:\n    \
                     return None, RetryError.halt(Exception(\"operation completed but no response available\"))",
                ),
                (Meaning::Response, "N_result = E_class.from_dict(operation.response)"),
                (Meaning::Nothing, "return N_result, None"),
                (Meaning::Nothing, "return {}, None"),
            ])?,
            argument: Pattern::new("N_service")?,
        })
    }

    /// Reads a handle.
    pub(crate) fn read(&self, module: &Module, index: &Index, class: &StmtClassDef) -> Found<Handle> {
        let mut handle = Handle::default();
        for statement in statements(&class.body) {
            let Stmt::FunctionDef(function) = statement else {
                return Err(module.problem(statement, "a method"));
            };
            if function.name.as_str() == "__init__" {
                handle.service = self.service(module, function)?;
            }
            for statement in statements(&function.body) {
                match statement {
                    Stmt::FunctionDef(nested) if nested.name.as_str() == "poll_operation" => {
                        for statement in statements(&nested.body) {
                            self.statement(module, index, &self.poll, statement, &mut handle)?;
                        }
                    }
                    _ => self.statement(module, index, &self.statements, statement, &mut handle)?,
                }
            }
        }
        if handle.method.is_empty() || handle.service.is_empty() {
            return Err(module.problem(&class.name, "`__init__` and a method that polls"));
        }
        Ok(handle)
    }

    fn statement(
        &self,
        module: &Module,
        index: &Index,
        whitelist: &Whitelist<Meaning>,
        statement: &Stmt,
        handle: &mut Handle,
    ) -> Found<()> {
        let Some((meaning, found)) = whitelist.statement(statement) else {
            return Err(module.problem(statement, "a statement that long-running operations are known to be made of"));
        };
        let class = found.get("E_class").map(|class| index.object(module, class)).transpose()?;
        match meaning {
            Meaning::Poll => found.text("N_method").clone_into(&mut handle.method),
            Meaning::Response => handle.response = class,
            Meaning::Metadata => handle.metadata = class,
            Meaning::Nothing => {}
        }
        Ok(())
    }

    /// The annotation of `impl`.
    fn service(&self, module: &Module, function: &StmtFunctionDef) -> Found<String> {
        let mut arguments = function.parameters.args.iter();
        arguments
            .find(|argument| argument.parameter.name.as_str() == "impl")
            .and_then(|argument| argument.parameter.annotation.as_deref())
            .filter(|annotation| self.argument.expression(annotation).is_some())
            .and_then(as_name)
            .map(str::to_owned)
            .ok_or_else(|| module.problem(&function.name, "`impl: …API`"))
    }
}
