//! What is known before a statement runs: its strings, and the values of its markers.

use sqlparser::ast::{BinaryOperator, Expr, Value};
use sqlparser::tokenizer::Token;

use super::names::fold;

/// The strings of a statement and the values that its markers are given.
#[derive(Debug, Default)]
pub(super) struct Constants {
    strings: Vec<Option<String>>,
    /// Names of markers, folded, and their values.
    parameters: Vec<(String, Option<String>)>,
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
        let parameters = parameters.iter().map(|(name, value)| (fold(name), value.clone())).collect();
        Self { strings, parameters }
    }

    /// The value of a string of the plain statement.
    pub(super) fn string(&self, number: &str) -> Option<&str> {
        self.strings.get(usize::from_str_radix(number, 16).ok()?)?.as_deref()
    }

    /// The value of a marker, which is written `:name`.
    pub(super) fn marker(&self, marker: &str) -> Marker<'_> {
        let name = fold(marker.trim_start_matches(':').trim_matches('`'));
        let mut values = self.parameters.iter().filter(|(known, _)| *known == name).map(|(_, value)| value.as_deref());
        match (values.next(), values.next()) {
            (None, _) => Marker::Unbound,
            (Some(Some(value)), None) => Marker::Text(value),
            _ => Marker::Unclear,
        }
    }

    /// The text that an expression stands for, if that is known.
    pub(super) fn text(&self, expression: &Expr) -> Option<String> {
        // A chain of `||` leans to the left, as deep as it is long.
        let (mut first, mut others) = (expression, Vec::new());
        while let Expr::BinaryOp { left, op: BinaryOperator::StringConcat, right } = first {
            others.push(self.part(right)?);
            first = left;
        }
        let mut text = self.part(first)?.to_owned();
        text.extend(others.into_iter().rev());
        Some(text)
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
