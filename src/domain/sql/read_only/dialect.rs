//! The parser's Databricks dialect, with what it lacks: shifts, samples before aliases, and a limit on its work.
//!
//! All of it belongs into the parser's own dialect and can be dropped here once it is there: upstream takes such
//! changes one flag at a time.

use std::any::TypeId;

use sqlparser::ast::Expr;
use sqlparser::dialect::{DatabricksDialect, Dialect};
use sqlparser::parser::{Parser, ParserError};

use super::patience::Patience;

/// The dialect of one parser.
#[derive(Debug, Default)]
pub(super) struct Databricks {
    patience: Patience,
}

impl Databricks {
    /// The dialect of a parser that reads so many tokens.
    pub(super) fn for_tokens(count: usize) -> Self {
        Self { patience: Patience::for_tokens(count) }
    }
}

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

    /// Ends the parser's work by the one error that it does not take for a reason to try something else.
    fn parse_prefix(&self, _: &mut Parser<'_>) -> Option<Result<Expr, ParserError>> {
        self.patience.take()
    }
}
