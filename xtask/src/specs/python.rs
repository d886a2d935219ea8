//! One Python source file of the SDK: its syntax tree, and the place of every node in it.

use std::fmt;

use ruff_python_ast::{Expr, Stmt};
use ruff_text_size::Ranged;

/// A parsed module.
pub(crate) struct Module {
    /// The service package, i.e. the file's stem.
    pub(crate) package: String,
    file: String,
    source: String,
    body: Vec<Stmt>,
}

/// Where a construct stands.
#[derive(Debug, Clone, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Site {
    file: String,
    line: usize,
    construct: String,
}

/// A construct that the importer does not understand.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Problem {
    site: Site,
    expected: String,
}

impl Site {
    /// Reports what stands here as not understood.
    pub(crate) fn problem(&self, expected: impl Into<String>) -> Problem {
        Problem { site: self.clone(), expected: expected.into() }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { site: Site { file, line, construct }, expected } = self;
        write!(formatter, "{file}:{line}: `{construct}`: expected {expected}")
    }
}

/// What reading a piece of a module gives.
pub(crate) type Found<T> = Result<T, Problem>;

impl Module {
    /// Parses `source`; the file name is only for messages.
    pub(crate) fn parse(package: &str, file: &str, source: &str) -> Found<Self> {
        let mut module =
            Self { package: package.to_owned(), file: file.to_owned(), source: source.to_owned(), body: Vec::new() };
        match ruff_python_parser::parse_module(source) {
            Ok(parsed) => module.body = parsed.into_syntax().body.into_iter().collect(),
            Err(error) => return Err(module.problem(&error.location, format!("valid Python ({})", error.error))),
        }
        Ok(module)
    }

    /// The statements of the module.
    pub(crate) fn body(&self) -> &[Stmt] {
        &self.body
    }

    /// Reports `node` as not understood.
    pub(crate) fn problem(&self, node: &impl Ranged, expected: impl Into<String>) -> Problem {
        self.site(node).problem(expected)
    }

    /// The place of `node`.
    pub(crate) fn site(&self, node: &impl Ranged) -> Site {
        let range = node.range();
        let start = usize::from(range.start());
        let line = self.source.get(..start).unwrap_or_default().matches('\n').count() + 1;
        let text = self.source.get(start..usize::from(range.end())).unwrap_or_default();
        let mut construct = text.lines().next().unwrap_or_default().trim().to_owned();
        if text.lines().nth(1).is_some() {
            construct.push('…');
        }
        Site { file: self.file.clone(), line, construct }
    }
}

/// The docstring of a body, and whether `statement` is one.
pub(crate) fn docstring(body: &[Stmt]) -> Option<&str> {
    body.first().and_then(as_docstring)
}

/// The statements of a body without its string statements.
pub(crate) fn statements(body: &[Stmt]) -> impl Iterator<Item = &Stmt> {
    body.iter().filter(|statement| as_docstring(statement).is_none())
}

fn as_docstring(statement: &Stmt) -> Option<&str> {
    match statement {
        Stmt::Expr(statement) => as_string(&statement.value),
        _ => None,
    }
}

/// The value of a string literal.
pub(crate) fn as_string(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::StringLiteral(literal) => Some(literal.value.to_str()),
        _ => None,
    }
}

/// The identifier of a plain name.
pub(crate) fn as_name(expression: &Expr) -> Option<&str> {
    match expression {
        Expr::Name(name) => Some(name.id.as_str()),
        _ => None,
    }
}
