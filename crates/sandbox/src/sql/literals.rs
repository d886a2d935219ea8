//! Literals, named parameters, and the names of columns without an alias.

use sqlparser::ast::{Expr, FunctionArguments, Value};

use super::compile::{Compiler, Typed, text_literal};
use super::error::SqlError;
use super::expr::{argument_exprs, boolean, text_typed};
use super::types::Type;

impl Compiler<'_> {
    pub(super) fn literal(&self, value: &Value) -> Result<Typed, SqlError> {
        match value {
            Value::Null => Ok(Typed::new("NULL", Type::Void)),
            Value::Boolean(flag) => Ok(boolean(u8::from(*flag).to_string())),
            Value::SingleQuotedString(text)
            | Value::DoubleQuotedString(text)
            | Value::SingleQuotedRawStringLiteral(text)
            | Value::DoubleQuotedRawStringLiteral(text)
            | Value::TripleSingleQuotedString(text)
            | Value::TripleDoubleQuotedString(text) => text_typed(text),
            Value::Number(digits, long) => number(digits, *long),
            Value::HexStringLiteral(digits) if digits.len().is_multiple_of(2) => {
                Ok(Typed::new(format!("x{}", text_literal(digits)), Type::Binary))
            }
            Value::Placeholder(name) => self.parameter(name),
            _ => Err(SqlError::unsupported(format!("the literal {value}"))),
        }
    }

    /// A named parameter, as a literal of its declared type.
    fn parameter(&self, name: &str) -> Result<Typed, SqlError> {
        let bare = name.trim_start_matches(':');
        let unbound = || {
            SqlError::new(
                "UNBOUND_SQL_PARAMETER",
                &format!(
                    "Found the unbound parameter: {bare}. Please, fix `args` and provide a mapping of the parameter to either a SQL literal or collection constructor functions such as `map()`, `array()`, `struct()`."
                ),
                "42P02",
            )
        };
        let (kind, value) = self.session.parameters.get(bare).ok_or_else(unbound)?;
        match value {
            None => Ok(Typed::new("NULL", kind.clone())),
            Some(text) => self.cast(text_typed(text)?, kind, false),
        }
    }
}

/// A literal whose type is a suffix: `5L`, `5S`, `5Y`, `5D`.
pub(super) fn suffixed(text: &str) -> Option<Typed> {
    let (digits, suffix) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if matches!(suffix, "D" | "d") {
        let value = digits.parse::<f64>().ok().filter(|value| value.is_finite())?;
        return Some(Typed::new(format!("{value:e}"), Type::Double));
    }
    let value = digits.parse::<i64>().ok()?;
    match suffix {
        "L" | "l" => Some(Typed::new(digits, Type::BigInt)),
        "S" | "s" => i16::try_from(value).ok().map(|value| Typed::new(value.to_string(), Type::SmallInt)),
        "Y" | "y" => i8::try_from(value).ok().map(|value| Typed::new(value.to_string(), Type::TinyInt)),
        _ => None,
    }
}

/// A numeric literal: INT, BIGINT, DECIMAL or, with an exponent, DOUBLE.
fn number(digits: &str, long: bool) -> Result<Typed, SqlError> {
    if let Ok(value) = digits.parse::<i64>() {
        let kind = if !long && i32::try_from(value).is_ok() { Type::Int } else { Type::BigInt };
        return Ok(Typed::new(digits, kind));
    }
    if digits.contains(['e', 'E']) {
        return match digits.parse::<f64>() {
            Ok(value) if value.is_finite() => Ok(Typed::new(format!("{value:e}"), Type::Double)),
            _ => Err(SqlError::unsupported(format!("the number {digits}"))),
        };
    }
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let unscaled = format!("{whole}{fraction}");
    let significant = unscaled.trim_start_matches('0').len().max(fraction.len()).max(1);
    match (unscaled.parse::<i64>(), u8::try_from(significant), u8::try_from(fraction.len())) {
        (Ok(value), Ok(precision), Ok(scale)) if precision <= 18 => {
            Ok(Typed::new(value.to_string(), Type::Decimal(precision, scale)))
        }
        _ => Err(SqlError::unsupported(format!("decimals of more than 18 digits, as {digits}"))),
    }
}

/// The name Databricks gives a column without an alias.
///
/// Derived: follows Spark's rules for the common expressions; others are printed as written.
pub(crate) fn display_name(expr: &Expr) -> String {
    match expr {
        Expr::Identifier(name) => name.value.clone(),
        Expr::CompoundIdentifier(names) => names.last().map(|name| name.value.clone()).unwrap_or_default(),
        Expr::Nested(inner) => display_name(inner),
        Expr::Value(value) => match &value.value {
            Value::SingleQuotedString(text) | Value::DoubleQuotedString(text) => text.clone(),
            Value::Boolean(flag) => flag.to_string(),
            value => value.to_string(),
        },
        Expr::BinaryOp { left, op, right } => format!("({} {op} {})", display_name(left), display_name(right)),
        Expr::Cast { expr, data_type, .. } => {
            format!(
                "CAST({} AS {})",
                display_name(expr),
                Type::from_ast(data_type).map_or_else(|| data_type.to_string(), |kind| kind.text())
            )
        }
        Expr::Function(function) if function.over.is_none() => {
            let name = function.name.to_string().to_lowercase();
            let distinct = match &function.args {
                FunctionArguments::List(list) if list.duplicate_treatment.is_some() => "DISTINCT ",
                _ => "",
            };
            match argument_exprs(&function.args) {
                Ok(arguments) if arguments.is_empty() && name == "count" => "count(1)".to_owned(),
                Ok(arguments) => {
                    let arguments: Vec<_> = arguments.into_iter().map(display_name).collect();
                    format!("{name}({distinct}{})", arguments.join(", "))
                }
                Err(_) => expr.to_string(),
            }
        }
        _ => expr.to_string(),
    }
}
