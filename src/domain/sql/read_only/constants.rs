//! What is known before a statement runs: its strings, and the values of its markers.

use std::collections::HashMap;

use sqlparser::ast::{BinaryOperator, Expr, Value};
use sqlparser::tokenizer::Token;

use crate::domain::sql::read_only::names::fold;

/// Bytes of a text that is looked at. Paths, options and schemas are shorter; parts of a text may be megabytes, and be
/// named again and again.
const LONGEST_TEXT: usize = 64 * 1024;

/// The strings of a statement and the values that its markers are given.
#[derive(Debug, Default)]
pub(super) struct Constants {
    strings: Vec<Option<String>>,
    /// Names of markers, folded, and what each stands for: `None` for NULL, or for several values.
    parameters: HashMap<String, Option<String>>,
}

/// What a marker stands for.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Marker<'a> {
    /// This text.
    Text(&'a str),
    /// Nothing: the statement fails when it is run.
    Unbound,
    /// NULL, or several values for names that differ by case.
    Unclear,
}

impl Constants {
    pub(super) fn new(strings: Vec<Option<String>>, parameters: &[(String, Option<String>)]) -> Self {
        let mut values: HashMap<String, Option<String>> = HashMap::new();
        for (name, value) in parameters {
            values.entry(fold(name)).and_modify(|known| *known = None).or_insert_with(|| value.clone());
        }
        Self { strings, parameters: values }
    }

    /// The value of a string of the plain statement.
    pub(super) fn string(&self, number: &str) -> Option<&str> {
        self.strings.get(usize::from_str_radix(number, 16).ok()?)?.as_deref()
    }

    /// The value of a marker, which is written `:name`.
    pub(super) fn marker(&self, marker: &str) -> Marker<'_> {
        let name = fold(marker.trim_start_matches(':').trim_matches('`'));
        match self.parameters.get(&name) {
            None => Marker::Unbound,
            Some(Some(value)) => Marker::Text(value),
            Some(None) => Marker::Unclear,
        }
    }

    /// The text that an expression stands for, if that is known and not longer than any that matters.
    pub(super) fn text(&self, expression: &Expr) -> Option<String> {
        // A chain of `||` leans to the left, as deep as it is long.
        let (mut first, mut others) = (expression, Vec::new());
        while let Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } = first {
            others.push(self.part(right)?);
            first = left;
        }
        let first = self.part(first)?;
        let length = first.len() + others.iter().map(|part| part.len()).sum::<usize>();
        (length <= LONGEST_TEXT).then(|| std::iter::once(first).chain(others.into_iter().rev()).collect())
    }

    fn part(&self, expression: &Expr) -> Option<&str> {
        match expression {
            Expr::Value(value) => match &value.value {
                Value::SingleQuotedString(number) => self.string(number),
                Value::Placeholder(marker) => match self.marker(marker) {
                    Marker::Text(text) => Some(text),
                    _ => None,
                },
                _ => None,
            },
            _ => None,
        }
    }

    /// The text of a token that is a string.
    pub(super) fn token(&self, token: &Token) -> Option<&str> {
        match token {
            Token::SingleQuotedString(number) => self.string(number),
            _ => None,
        }
    }
}
