//! The arguments of a method.

use ruff_python_ast::{Expr, StmtFunctionDef};

use super::model::{Type, Width};
use super::python::{Found, Module};
use super::types::{Index, optional};

/// One argument.
#[derive(Debug, Clone)]
pub(crate) struct Argument {
    pub(crate) name: String,
    pub(crate) kind: Type,
    pub(crate) required: bool,
}

/// Reads the arguments of an operation, in order and without `self`.
pub(crate) fn read(module: &Module, index: &Index, function: &StmtFunctionDef) -> Found<Vec<Argument>> {
    let parameters = &function.parameters;
    let plain = parameters.posonlyargs.is_empty() && parameters.vararg.is_none() && parameters.kwarg.is_none();
    let (first, arguments) = parameters.args.split_first().unzip();
    if !plain || first.is_none_or(|first| first.parameter.name.as_str() != "self") {
        return Err(module.problem(&function.name, "`self` and named arguments"));
    }
    let mut read = Vec::new();
    for argument in arguments.unwrap_or_default().iter().chain(&parameters.kwonlyargs) {
        let name = argument.parameter.name.to_string();
        let Some(annotation) = argument.parameter.annotation.as_deref() else {
            return Err(module.problem(argument, "an annotated argument"));
        };
        let (annotation, required) = match (optional(annotation), argument.default.as_deref()) {
            (Some(annotation), Some(Expr::NoneLiteral(_))) => (annotation, false),
            (None, None) => (annotation, true),
            _ => return Err(module.problem(argument, "`name: type` or `name: Optional[type] = None`")),
        };
        read.push(Argument { name, kind: index.resolve(module, annotation, Width::Unknown)?, required });
    }
    Ok(read)
}
