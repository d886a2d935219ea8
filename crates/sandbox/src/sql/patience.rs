//! An end of the parser's patience. The server's own dialect compiles this file too, as it does not need the sandbox.

use std::cell::Cell;

use sqlparser::ast::Expr;
use sqlparser::parser::ParserError;

/// The expressions that a token may make the parser begin, and those that are free.
///
/// The parser reads a form that could be one of two as the one, and once more as the other. Where such forms nest, as
/// `position(position(…` and `(x, y) -> (x, y) -> …` do, the work doubles with each level.
const EXPRESSIONS_OF_A_TOKEN: usize = 20;
const FREE_EXPRESSIONS: usize = 10_000;

/// How many expressions a parser may still begin.
#[derive(Debug, Default)]
pub(super) struct Patience(Cell<usize>);

impl Patience {
    /// That of a parser that reads so many tokens.
    pub(super) fn for_tokens(count: usize) -> Self {
        Self(Cell::new(FREE_EXPRESSIONS + EXPRESSIONS_OF_A_TOKEN * count))
    }

    /// Takes one more expression; at the end, the one error that the parser does not take for a reason to try something else.
    pub(super) fn take(&self) -> Option<Result<Expr, ParserError>> {
        match self.0.get().checked_sub(1) {
            Some(left) => {
                self.0.set(left);
                None
            }
            None => Some(Err(ParserError::RecursionLimitExceeded)),
        }
    }
}
