//! Patterns over Python syntax, written in Python: what the importer accepts reads like what the SDK contains.
//!
//! A pattern is a statement or an expression in which some names are holes: `N_x` stands for any identifier, `S_x` for
//! any string literal, `I_x` for any integer, `E_x` for any expression, `*E_x` for the remaining positional arguments
//! and `**E_x` for the remaining keyword arguments of a call. The same hole twice must be filled with the same text.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail};
use ruff_python_ast::{
    Arguments, ConversionFlag, ElifElseClause, Expr, FStringPart, InterpolatedStringElement, Keyword, Number, Stmt,
};

/// One pattern.
#[derive(Debug)]
pub(crate) struct Pattern(Stmt);

/// What the holes of a pattern were filled with.
#[derive(Debug, Default)]
pub(crate) struct Captures<'a>(BTreeMap<&'a str, Capture<'a>>);

#[derive(Debug, Clone)]
enum Capture<'a> {
    Text(String),
    Integer(i64),
    Expression(&'a Expr),
    Expressions(&'a [Expr]),
    Keywords(Vec<&'a Keyword>),
}

impl Pattern {
    /// Compiles a pattern of one statement; an expression is a statement too.
    pub(crate) fn new(text: &str) -> Result<Self> {
        let parsed = ruff_python_parser::parse_module(text).with_context(|| format!("pattern `{text}`"))?;
        let mut body = parsed.into_syntax().body.into_iter();
        match (body.next(), body.next()) {
            (Some(statement), None) => Ok(Self(statement)),
            _ => bail!("pattern `{text}` is not one statement"),
        }
    }

    /// Matches a statement.
    pub(crate) fn statement<'a>(&'a self, subject: &'a Stmt) -> Option<Captures<'a>> {
        let mut captures = Captures::default();
        captures.statement(&self.0, subject).then_some(captures)
    }

    /// Matches an expression.
    pub(crate) fn expression<'a>(&'a self, subject: &'a Expr) -> Option<Captures<'a>> {
        let mut captures = Captures::default();
        match &self.0 {
            Stmt::Expr(pattern) => captures.expression(&pattern.value, subject).then_some(captures),
            _ => None,
        }
    }
}

/// Patterns, each with what it means; the first that matches decides.
#[derive(Debug)]
pub(crate) struct Whitelist<K>(Vec<(K, Pattern)>);

impl<K: Copy> Whitelist<K> {
    /// Compiles the patterns.
    pub(crate) fn new<'t>(patterns: impl IntoIterator<Item = (K, &'t str)>) -> Result<Self> {
        let compile = |(meaning, text)| Ok((meaning, Pattern::new(text)?));
        patterns.into_iter().map(compile).collect::<Result<_>>().map(Self)
    }

    /// The meaning of a statement.
    pub(crate) fn statement<'a>(&'a self, subject: &'a Stmt) -> Option<(K, Captures<'a>)> {
        self.0.iter().find_map(|(meaning, pattern)| Some((*meaning, pattern.statement(subject)?)))
    }

    /// The meaning of an expression.
    pub(crate) fn expression<'a>(&'a self, subject: &'a Expr) -> Option<(K, Captures<'a>)> {
        self.0.iter().find_map(|(meaning, pattern)| Some((*meaning, pattern.expression(subject)?)))
    }
}

impl<'a> Captures<'a> {
    /// The text of an `N_` or `S_` hole; empty when the pattern has no such hole.
    pub(crate) fn text(&self, hole: &str) -> &str {
        match self.0.get(hole) {
            Some(Capture::Text(text)) => text,
            _ => "",
        }
    }

    /// The value of an `I_` hole.
    pub(crate) fn integer(&self, hole: &str) -> Option<i64> {
        match self.0.get(hole) {
            Some(Capture::Integer(value)) => Some(*value),
            _ => None,
        }
    }

    /// The expression of an `E_` hole.
    pub(crate) fn get(&self, hole: &str) -> Option<&'a Expr> {
        match self.0.get(hole) {
            Some(Capture::Expression(expression)) => Some(expression),
            _ => None,
        }
    }

    /// The positional arguments of an `*E_` hole.
    pub(crate) fn positional(&self, hole: &str) -> &'a [Expr] {
        match self.0.get(hole) {
            Some(Capture::Expressions(expressions)) => expressions,
            _ => &[],
        }
    }

    /// The keyword arguments of an `**E_` hole.
    pub(crate) fn keywords(&self, hole: &str) -> &[&'a Keyword] {
        match self.0.get(hole) {
            Some(Capture::Keywords(keywords)) => keywords,
            _ => &[],
        }
    }

    fn bind(&mut self, hole: &'a str, capture: Capture<'a>) -> bool {
        match (self.0.get(hole), &capture) {
            (None, _) => {
                self.0.insert(hole, capture);
                true
            }
            (Some(Capture::Text(bound)), Capture::Text(text)) => bound == text,
            _ => false,
        }
    }

    fn identifier(&mut self, pattern: &'a str, subject: &'a str) -> bool {
        if pattern.starts_with("N_") {
            self.bind(pattern, Capture::Text(subject.to_owned()))
        } else {
            pattern == subject
        }
    }

    fn body(&mut self, pattern: &'a [Stmt], subject: &'a [Stmt]) -> bool {
        let mut subject = super::python::statements(subject);
        pattern.iter().all(|pattern| subject.next().is_some_and(|subject| self.statement(pattern, subject)))
            && subject.next().is_none()
    }

    fn statement(&mut self, pattern: &'a Stmt, subject: &'a Stmt) -> bool {
        match (pattern, subject) {
            (Stmt::Expr(p), Stmt::Expr(s)) => self.expression(&p.value, &s.value),
            (Stmt::Assign(p), Stmt::Assign(s)) => {
                self.expressions(&p.targets, &s.targets) && self.expression(&p.value, &s.value)
            }
            (Stmt::AugAssign(p), Stmt::AugAssign(s)) => {
                p.op == s.op && self.expression(&p.target, &s.target) && self.expression(&p.value, &s.value)
            }
            (Stmt::Return(p), Stmt::Return(s)) => self.optional(p.value.as_deref(), s.value.as_deref()),
            (Stmt::Raise(p), Stmt::Raise(s)) => {
                self.optional(p.exc.as_deref(), s.exc.as_deref())
                    && self.optional(p.cause.as_deref(), s.cause.as_deref())
            }
            (Stmt::If(p), Stmt::If(s)) => {
                self.expression(&p.test, &s.test)
                    && self.body(&p.body, &s.body)
                    && self.clauses(&p.elif_else_clauses, &s.elif_else_clauses)
            }
            (Stmt::While(p), Stmt::While(s)) => {
                self.expression(&p.test, &s.test) && self.body(&p.body, &s.body) && self.body(&p.orelse, &s.orelse)
            }
            (Stmt::For(p), Stmt::For(s)) => {
                p.is_async == s.is_async
                    && self.expression(&p.target, &s.target)
                    && self.expression(&p.iter, &s.iter)
                    && self.body(&p.body, &s.body)
                    && self.body(&p.orelse, &s.orelse)
            }
            (Stmt::Continue(_), Stmt::Continue(_)) => true,
            _ => false,
        }
    }

    fn clauses(&mut self, pattern: &'a [ElifElseClause], subject: &'a [ElifElseClause]) -> bool {
        pattern.len() == subject.len()
            && pattern.iter().zip(subject).all(|(pattern, subject)| {
                self.optional(pattern.test.as_ref(), subject.test.as_ref()) && self.body(&pattern.body, &subject.body)
            })
    }

    fn optional(&mut self, pattern: Option<&'a Expr>, subject: Option<&'a Expr>) -> bool {
        match (pattern, subject) {
            (Some(pattern), Some(subject)) => self.expression(pattern, subject),
            (None, None) => true,
            _ => false,
        }
    }

    fn expressions(&mut self, pattern: &'a [Expr], subject: &'a [Expr]) -> bool {
        if let Some((Expr::Starred(rest), pattern)) = pattern.split_last()
            && let Expr::Name(hole) = &*rest.value
        {
            return subject.split_at_checked(pattern.len()).is_some_and(|(subject, rest)| {
                self.expressions(pattern, subject) && self.bind(&hole.id, Capture::Expressions(rest))
            });
        }
        pattern.len() == subject.len()
            && pattern.iter().zip(subject).all(|(pattern, subject)| self.expression(pattern, subject))
    }

    fn expression(&mut self, pattern: &'a Expr, subject: &'a Expr) -> bool {
        match (pattern, subject) {
            (Expr::Name(p), subject) if p.id.starts_with("E_") => self.bind(&p.id, Capture::Expression(subject)),
            (Expr::Name(p), Expr::StringLiteral(s)) if p.id.starts_with("S_") => {
                self.bind(&p.id, Capture::Text(s.value.to_str().to_owned()))
            }
            (Expr::Name(p), Expr::NumberLiteral(s)) if p.id.starts_with("I_") => match &s.value {
                Number::Int(value) => value.as_i64().is_some_and(|value| self.bind(&p.id, Capture::Integer(value))),
                _ => false,
            },
            (Expr::Name(p), Expr::Name(s)) => self.identifier(&p.id, &s.id),
            (Expr::Attribute(p), Expr::Attribute(s)) => {
                self.identifier(&p.attr, &s.attr) && self.expression(&p.value, &s.value)
            }
            (Expr::Subscript(p), Expr::Subscript(s)) => {
                self.expression(&p.value, &s.value) && self.expression(&p.slice, &s.slice)
            }
            (Expr::Call(p), Expr::Call(s)) => {
                self.expression(&p.func, &s.func) && self.arguments(&p.arguments, &s.arguments)
            }
            (Expr::Compare(p), Expr::Compare(s)) => {
                p.ops == s.ops && self.expression(&p.left, &s.left) && self.expressions(&p.comparators, &s.comparators)
            }
            (Expr::BoolOp(p), Expr::BoolOp(s)) => p.op == s.op && self.expressions(&p.values, &s.values),
            (Expr::UnaryOp(p), Expr::UnaryOp(s)) => p.op == s.op && self.expression(&p.operand, &s.operand),
            (Expr::BinOp(p), Expr::BinOp(s)) => {
                p.op == s.op && self.expression(&p.left, &s.left) && self.expression(&p.right, &s.right)
            }
            (Expr::If(p), Expr::If(s)) => {
                self.expression(&p.test, &s.test)
                    && self.expression(&p.body, &s.body)
                    && self.expression(&p.orelse, &s.orelse)
            }
            (Expr::Dict(p), Expr::Dict(s)) => {
                p.items.len() == s.items.len()
                    && p.items.iter().zip(&s.items).all(|(p, s)| {
                        self.optional(p.key.as_ref(), s.key.as_ref()) && self.expression(&p.value, &s.value)
                    })
            }
            (Expr::List(p), Expr::List(s)) => self.expressions(&p.elts, &s.elts),
            (Expr::Tuple(p), Expr::Tuple(s)) => self.expressions(&p.elts, &s.elts),
            (Expr::ListComp(p), Expr::ListComp(s)) => {
                p.generators.len() == s.generators.len()
                    && self.expression(&p.elt, &s.elt)
                    && p.generators.iter().zip(&s.generators).all(|(p, s)| {
                        p.is_async == s.is_async
                            && self.expression(&p.target, &s.target)
                            && self.expression(&p.iter, &s.iter)
                            && self.expressions(&p.ifs, &s.ifs)
                    })
            }
            (Expr::Yield(p), Expr::Yield(s)) => self.optional(p.value.as_deref(), s.value.as_deref()),
            (Expr::FString(p), Expr::FString(s)) => {
                let (p, s) = (p.value.as_slice(), s.value.as_slice());
                p.len() == s.len() && p.iter().zip(s).all(|(p, s)| self.string_part(p, s))
            }
            (Expr::StringLiteral(p), Expr::StringLiteral(s)) => p.value.to_str() == s.value.to_str(),
            (Expr::NumberLiteral(p), Expr::NumberLiteral(s)) => p.value == s.value,
            (Expr::BooleanLiteral(p), Expr::BooleanLiteral(s)) => p.value == s.value,
            (Expr::NoneLiteral(_), Expr::NoneLiteral(_)) => true,
            _ => false,
        }
    }

    fn arguments(&mut self, pattern: &'a Arguments, subject: &'a Arguments) -> bool {
        if !self.expressions(&pattern.args, &subject.args) {
            return false;
        }
        let named = pattern.keywords.iter().take_while(|keyword| keyword.arg.is_some()).count();
        let Some((given, rest)) = subject.keywords.split_at_checked(named) else { return false };
        let (named, hole) = pattern.keywords.split_at(named);
        let equal = named.iter().zip(given).all(|(pattern, subject)| match (&pattern.arg, &subject.arg) {
            (Some(p), Some(s)) => self.identifier(p, s) && self.expression(&pattern.value, &subject.value),
            _ => false,
        });
        equal
            && match hole.first().map(|keyword| &keyword.value) {
                Some(Expr::Name(hole)) => self.bind(&hole.id, Capture::Keywords(rest.iter().collect())),
                _ => rest.is_empty(),
            }
    }

    fn string_part(&mut self, pattern: &'a FStringPart, subject: &'a FStringPart) -> bool {
        match (pattern, subject) {
            (FStringPart::Literal(p), FStringPart::Literal(s)) => p.as_str() == s.as_str(),
            (FStringPart::FString(p), FStringPart::FString(s)) => {
                p.elements.len() == s.elements.len()
                    && p.elements.iter().zip(&s.elements).all(|(p, s)| match (p, s) {
                        (InterpolatedStringElement::Literal(p), InterpolatedStringElement::Literal(s)) => {
                            p.value == s.value
                        }
                        (InterpolatedStringElement::Interpolation(p), InterpolatedStringElement::Interpolation(s)) => {
                            s.conversion == ConversionFlag::None
                                && s.format_spec.is_none()
                                && self.expression(&p.expression, &s.expression)
                        }
                        _ => false,
                    })
            }
            _ => false,
        }
    }
}
