//! The parser's Databricks dialect, with what it lacks: `DIV`, shifts, samples before aliases, intervals in one text, and an
//! end of its patience.

use std::any::TypeId;

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{DatabricksDialect, Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

use super::patience::Patience;

/// The dialect of one parser, or of a tokenizer.
#[derive(Debug, Default)]
pub(crate) struct Databricks {
    patience: Patience,
}

impl Databricks {
    /// The dialect of a parser that reads so many tokens.
    pub(crate) fn for_tokens(count: usize) -> Self {
        Self { patience: Patience::for_tokens(count) }
    }
}

/// Hands the questions that the parser asks a dialect on to its own of that name.
macro_rules! as_databricks {
    ($($question:ident)*) => { $(fn $question(&self) -> bool { DatabricksDialect.$question() })* };
}

impl Dialect for Databricks {
    fn dialect(&self) -> TypeId {
        TypeId::of::<DatabricksDialect>()
    }

    fn is_delimited_identifier_start(&self, letter: char) -> bool {
        DatabricksDialect.is_delimited_identifier_start(letter)
    }

    fn identifier_quote_style(&self, identifier: &str) -> Option<char> {
        DatabricksDialect.identifier_quote_style(identifier)
    }

    fn is_identifier_start(&self, letter: char) -> bool {
        DatabricksDialect.is_identifier_start(letter)
    }

    fn is_identifier_part(&self, letter: char) -> bool {
        DatabricksDialect.is_identifier_part(letter)
    }

    as_databricks! {
        supports_numeric_prefix
        supports_filter_during_aggregation
        supports_group_by_expr
        supports_table_versioning
        supports_lambda_functions
        supports_select_wildcard_except
        supports_struct_literal
        supports_nested_comments
        supports_group_by_with_modifier
        supports_values_as_table_factor
        supports_optimize_table
        supports_bang_not_operator
        supports_cte_without_as
        supports_select_item_multi_column_alias
        supports_map_literal_with_angle_brackets
        supports_string_literal_backslash_escape
        supports_select_wildcard_replace
        supports_from_first_select
        supports_pipe_operator
    }

    fn supports_bitwise_shift_operators(&self) -> bool {
        true
    }

    fn supports_table_sample_before_alias(&self) -> bool {
        true
    }

    /// Ends the parser's work by the one error that it does not take for a reason to try something else.
    fn parse_prefix(&self, _: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.patience.take()
    }

    fn get_next_precedence(&self, parser: &Parser<'_>) -> Option<Result<u8, ParserError>> {
        is_div(&parser.peek_token_ref().token).then(|| Ok(self.prec_value(Precedence::MulDivModOp)))
    }

    fn parse_infix(&self, parser: &mut Parser<'_>, left: &Expr, precedence: u8) -> Option<Result<Expr, ParserError>> {
        if !is_div(&parser.peek_token_ref().token) {
            return None;
        }
        let _ = parser.next_token();
        Some(parser.parse_subexpr(precedence).map(|right| Expr::BinaryOp {
            left: Box::new(left.clone()),
            op: BinaryOperator::MyIntegerDivide,
            right: Box::new(right),
        }))
    }
}

fn is_div(token: &Token) -> bool {
    matches!(token, Token::Word(word) if word.keyword == Keyword::DIV && word.quote_style.is_none())
}
