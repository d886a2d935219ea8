//! The part of Python that the sandbox runs, as a tree.

use std::collections::BTreeSet;
use std::sync::Arc;

use super::value::Value;

/// Why a source cannot be run, and the line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Problem {
    pub(super) class: &'static str,
    pub(super) message: String,
    pub(super) line: usize,
}

impl Problem {
    /// Python that the sandbox does not run.
    pub(super) fn refused(what: &str, line: usize) -> Self {
        Self { class: "NotImplementedError", message: refusal(what), line }
    }

    /// What no Python reads, as far as the sandbox can tell.
    pub(super) fn wrong(what: &str, line: usize) -> Self {
        Self { class: "SyntaxError", message: format!("the sandbox cannot read {what}"), line }
    }
}

pub(super) fn refusal(what: &str) -> String {
    format!("the sandbox runs a small part of Python only, and not {what}")
}

pub(super) type Block = Vec<Statement>;

#[derive(Debug, Clone)]
pub(super) struct Statement {
    pub(super) line: usize,
    pub(super) kind: Kind,
}

#[derive(Debug, Clone)]
pub(super) enum Kind {
    Pass,
    Break,
    Continue,
    Expression(Expr),
    /// `a = b = value`.
    Assign(Vec<Target>, Expr),
    Augment(Target, Operator, Expr),
    /// Names, and the modules or members of modules that they stand for.
    Import(Vec<(String, String)>),
    If(Vec<(Expr, Block)>, Block),
    For(Target, Expr, Block),
    While(Expr, Block),
    Define(Arc<Function>),
    Return(Option<Expr>),
    Assert(Expr, Option<Expr>),
    Raise(Option<Expr>),
    Try(Arc<Attempt>),
}

#[derive(Debug)]
pub(super) struct Function {
    pub(super) name: String,
    pub(super) parameters: Vec<(String, Option<Expr>)>,
    pub(super) body: Block,
    /// The names that its body binds: they are its own.
    pub(super) locals: BTreeSet<String>,
}

#[derive(Debug)]
pub(super) struct Attempt {
    pub(super) body: Block,
    pub(super) handlers: Vec<Handler>,
    pub(super) otherwise: Block,
    pub(super) finally: Block,
}

#[derive(Debug)]
pub(super) struct Handler {
    /// A class or a tuple of classes; none catches all.
    pub(super) class: Option<Expr>,
    pub(super) name: Option<String>,
    pub(super) body: Block,
}

/// What can stand left of `=`.
#[derive(Debug, Clone)]
pub(super) enum Target {
    Name(String),
    Item(Expr, Expr),
    Several(Vec<Target>),
}

#[derive(Debug, Clone)]
pub(super) enum Expr {
    Constant(Value),
    Name(String),
    Formatted(Vec<Piece>),
    List(Vec<Expr>),
    Tuple(Vec<Expr>),
    Dict(Vec<(Expr, Expr)>),
    Comprehension(Box<Comprehension>),
    /// A value, and the attributes, calls and indexes after it.
    Access(Box<Expr>, Vec<Step>),
    Negative(Box<Expr>),
    Not(Box<Expr>),
    /// Operators of one rank, from left to right.
    Chain(Box<Expr>, Vec<(Operator, Expr)>),
    Power(Box<Expr>, Box<Expr>),
    Compare(Box<Expr>, Vec<(Comparison, Expr)>),
    And(Vec<Expr>),
    Or(Vec<Expr>),
    /// `then if condition else otherwise`: condition, then, otherwise.
    Choice(Box<[Expr; 3]>),
}

/// A part of an f-string.
#[derive(Debug, Clone)]
pub(super) enum Piece {
    Text(String),
    Value { value: Expr, shown: bool, format: String },
}

#[derive(Debug, Clone)]
pub(super) struct Comprehension {
    pub(super) item: Expr,
    pub(super) target: Target,
    pub(super) items: Expr,
    pub(super) conditions: Vec<Expr>,
}

#[derive(Debug, Clone)]
pub(super) enum Step {
    Attribute(String),
    Call(Vec<(Option<String>, Expr)>),
    Index(Expr),
    Slice(Option<Expr>, Option<Expr>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Operator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Floor,
    Modulo,
    Power,
}

impl Operator {
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Add => "+",
            Self::Subtract => "-",
            Self::Multiply => "*",
            Self::Divide => "/",
            Self::Floor => "//",
            Self::Modulo => "%",
            Self::Power => "** or pow()",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Comparison {
    Equal,
    NotEqual,
    Less,
    AtMost,
    More,
    AtLeast,
    In,
    NotIn,
    Is,
    IsNot,
}

/// The names that statements bind.
pub(super) fn bound(block: &[Statement]) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for statement in block {
        match &statement.kind {
            Kind::Assign(targets, _) => targets.iter().for_each(|target| target.names(&mut names)),
            Kind::Augment(target, ..) => target.names(&mut names),
            Kind::Import(imported) => names.extend(imported.iter().map(|(name, _)| name.clone())),
            Kind::If(branches, otherwise) => {
                names.extend(branches.iter().flat_map(|(_, block)| bound(block)).chain(bound(otherwise)));
            }
            Kind::For(target, _, block) => {
                target.names(&mut names);
                names.append(&mut bound(block));
            }
            Kind::While(_, block) => names.append(&mut bound(block)),
            Kind::Define(function) => drop(names.insert(function.name.clone())),
            Kind::Try(attempt) => {
                let Attempt { body, handlers, otherwise, finally } = attempt.as_ref();
                names.extend([body, otherwise, finally].into_iter().flat_map(|block| bound(block)));
                for handler in handlers {
                    names.extend(handler.name.iter().cloned().chain(bound(&handler.body)));
                }
            }
            Kind::Pass
            | Kind::Break
            | Kind::Continue
            | Kind::Expression(_)
            | Kind::Return(_)
            | Kind::Assert(..)
            | Kind::Raise(_) => {}
        }
    }
    names
}

impl Target {
    fn names(&self, names: &mut BTreeSet<String>) {
        match self {
            Self::Name(name) => drop(names.insert(name.clone())),
            Self::Item(..) => {}
            Self::Several(targets) => targets.iter().for_each(|target| target.names(names)),
        }
    }
}
