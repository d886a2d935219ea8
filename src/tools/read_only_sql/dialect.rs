//! The parser's Databricks dialect, with what it lacks: `DIV`, shifts, and samples before aliases.
//!
//! All of it belongs into the parser's own dialect and can be dropped here once it is there: upstream takes such
//! changes one flag at a time.

use std::any::TypeId;

use sqlparser::ast::{BinaryOperator, Expr};
use sqlparser::dialect::{DatabricksDialect, Dialect, Precedence};
use sqlparser::keywords::Keyword;
use sqlparser::parser::{Parser, ParserError};
use sqlparser::tokenizer::Token;

#[derive(Debug)]
pub(super) struct Databricks;

/// Answers with what the parser's own dialect of that name answers.
macro_rules! as_in_databricks {
    ($($question:ident)*) => { $(fn $question(&self) -> bool { DatabricksDialect.$question() })* };
}

impl Dialect for Databricks {
    // Some questions the parser asks by the type of the dialect.
    fn dialect(&self) -> TypeId {
        TypeId::of::<DatabricksDialect>()
    }

    fn is_delimited_identifier_start(&self, letter: char) -> bool {
        DatabricksDialect.is_delimited_identifier_start(letter)
    }

    fn is_identifier_start(&self, letter: char) -> bool {
        DatabricksDialect.is_identifier_start(letter)
    }

    fn is_identifier_part(&self, letter: char) -> bool {
        DatabricksDialect.is_identifier_part(letter)
    }

    as_in_databricks! {
        supports_numeric_prefix
        supports_filter_during_aggregation
        supports_group_by_expr
        supports_table_versioning
        supports_lambda_functions
        supports_struct_literal
        supports_select_wildcard_except
        supports_group_by_with_modifier
        supports_values_as_table_factor
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

    fn allow_extract_custom(&self) -> bool {
        true
    }

    fn supports_aliased_function_args(&self) -> bool {
        true
    }

    fn supports_table_sample_before_alias(&self) -> bool {
        true
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
