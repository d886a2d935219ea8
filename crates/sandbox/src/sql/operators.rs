//! Operators and casts: arithmetic with Databricks' result types, comparisons, date intervals.

use sqlparser::ast::{BinaryOperator, DateTimeField, Expr};

use super::compile::{Compiler, Scope, Typed, text_literal};
use super::error::SqlError;
use super::expr::boolean;
use super::types::Type;

/// The largest scale of a quotient of which whole digits can be kept.
const QUOTIENT_SCALE: u8 = 14;
/// The digits behind the point that are kept of quotients whose scale is larger, so that a thousand million fits before.
const KEPT_SCALE: u8 = 9;
pub(crate) const DAY_MICROS: i64 = 86_400_000_000;

impl Compiler<'_> {
    pub(crate) fn binary(
        &self,
        left: &Expr,
        op: &BinaryOperator,
        right: &Expr,
        whole: &Expr,
        scope: &Scope<'_>,
    ) -> Result<Typed, SqlError> {
        let (a, b) = (self.expr(left, scope)?, self.expr(right, scope)?);
        if let Some(value) = self.with_interval(&a, op, &b) {
            return value;
        }
        match op {
            BinaryOperator::And | BinaryOperator::Or => {
                let (a, b) = (self.boolean(a, left)?, self.boolean(b, right)?);
                Ok(boolean(format!("({} {op} {})", a.sql, b.sql)))
            }
            BinaryOperator::Eq => self.compare(a, "=", b, whole),
            BinaryOperator::NotEq => self.compare(a, "<>", b, whole),
            BinaryOperator::Lt => self.compare(a, "<", b, whole),
            BinaryOperator::LtEq => self.compare(a, "<=", b, whole),
            BinaryOperator::Gt => self.compare(a, ">", b, whole),
            BinaryOperator::GtEq => self.compare(a, ">=", b, whole),
            BinaryOperator::Spaceship => self.compare(a, "IS", b, whole),
            BinaryOperator::StringConcat => {
                let (a, b) = (self.cast(a, &Type::String, false)?, self.cast(b, &Type::String, false)?);
                Ok(Typed::new(format!("({} || {})", a.sql, b.sql), Type::String))
            }
            BinaryOperator::Plus
            | BinaryOperator::Minus
            | BinaryOperator::Multiply
            | BinaryOperator::Divide
            | BinaryOperator::Modulo
            | BinaryOperator::MyIntegerDivide => self.arithmetic(a, op, b, whole),
            BinaryOperator::BitwiseAnd | BinaryOperator::BitwiseOr | BinaryOperator::BitwiseXor
                if a.kind.is_integer() && b.kind.is_integer() =>
            {
                let kind = self.common(&a.kind, &b.kind, whole)?;
                Ok(Typed::new(
                    match op {
                        BinaryOperator::BitwiseXor => format!("dbx_xor({}, {})", a.sql, b.sql),
                        _ => format!("({} {op} {})", a.sql, b.sql),
                    },
                    kind,
                ))
            }
            BinaryOperator::PGBitwiseShiftLeft => self.scalar("shiftleft", vec![a, b]),
            BinaryOperator::PGBitwiseShiftRight => self.scalar("shiftright", vec![a, b]),
            _ => Err(SqlError::unsupported(format!("the operator {op} on these types"))),
        }
    }

    /// Compares after bringing both sides to their common type.
    pub(crate) fn compare(&self, left: Typed, op: &str, right: Typed, expr: &Expr) -> Result<Typed, SqlError> {
        if matches!(op, "<" | "<=" | ">" | ">=") {
            ordered(&left)?;
        }
        let [left, right] = self.unified([left, right], expr)?;
        Ok(boolean(format!("({left} {op} {right})")))
    }

    /// The SQL of all values in their common type.
    pub(crate) fn unified<const N: usize>(&self, values: [Typed; N], expr: &Expr) -> Result<[String; N], SqlError> {
        let mut kind = Type::Void;
        for value in &values {
            kind = self.common(&kind, &value.kind, expr)?;
        }
        if matches!(kind, Type::Map(..)) {
            return Err(SqlError::mismatch(&expr.to_string(), "maps cannot be compared"));
        }
        let mut result = values.map(|value| self.cast(value, &kind, false));
        let mut failed = None;
        for value in &mut result {
            if let Err(error) = value {
                failed = Some(error.clone());
            }
        }
        match failed {
            Some(error) => Err(error),
            None => Ok(result.map(|value| value.map(|value| value.sql).unwrap_or_default())),
        }
    }

    pub(crate) fn arithmetic(
        &self,
        left: Typed,
        op: &BinaryOperator,
        right: Typed,
        expr: &Expr,
    ) -> Result<Typed, SqlError> {
        if left.kind == Type::Date
            && right.kind.is_integer()
            && matches!(op, BinaryOperator::Plus | BinaryOperator::Minus)
        {
            return Ok(Typed::new(format!("({} {op} {})", left.sql, right.sql), Type::Date));
        }
        if let Some(value) = self.with_interval(&left, op, &right) {
            return value;
        }
        // Beside an integer a string is a BIGINT, in other arithmetic a double.
        let beside = |value: Typed, other: &Type| match value.kind {
            Type::String if other.is_integer() => self.cast(value, &Type::BigInt, false),
            _ => Ok(value),
        };
        let (left, right) = (beside(left.clone(), &right.kind)?, beside(right, &left.kind)?);
        let (left, right) = (self.numeric(left, expr)?, self.numeric(right, expr)?);
        let (a, b) = match (literal_decimal(&left, &right), literal_decimal(&right, &left)) {
            (Some(a), None) => (a, right.kind.as_decimal().unwrap_or_default()),
            (None, Some(b)) => (left.kind.as_decimal().unwrap_or_default(), b),
            _ => (left.kind.as_decimal().unwrap_or_default(), right.kind.as_decimal().unwrap_or_default()),
        };
        let decimal = matches!(left.kind, Type::Decimal(..)) || matches!(right.kind, Type::Decimal(..));
        let fractional = left.kind.is_fractional() || right.kind.is_fractional();
        if *op == BinaryOperator::MyIntegerDivide {
            return self.whole_quotient(left, right);
        }
        if fractional || (*op == BinaryOperator::Divide && !decimal) {
            let is_float = *op != BinaryOperator::Divide && self.common(&left.kind, &right.kind, expr)? == Type::Float;
            let (left, right) = (self.cast(left, &Type::Double, false)?, self.cast(right, &Type::Double, false)?);
            let sql = match op {
                BinaryOperator::Divide => format!("dbx_divide({}, {})", left.sql, right.sql),
                BinaryOperator::Modulo => format!("dbx_modulo({}, {})", left.sql, right.sql),
                BinaryOperator::Plus => format!("dbx_add({}, {})", left.sql, right.sql),
                BinaryOperator::Minus => format!("dbx_subtract({}, {})", left.sql, right.sql),
                BinaryOperator::Multiply => format!("dbx_multiply({}, {})", left.sql, right.sql),
                _ => return Err(SqlError::unsupported(format!("the operator {op} on doubles"))),
            };
            return Ok(match is_float {
                true => Typed::new(format!("dbx_float({sql})"), Type::Float),
                false => Typed::new(sql, Type::Double),
            });
        }
        if decimal {
            return self.decimal(left, a, op, right, b);
        }
        let kind = self.common(&left.kind, &right.kind, expr)?;
        Ok(match op {
            BinaryOperator::Modulo => Typed::new(format!("dbx_modulo({}, {})", left.sql, right.sql), kind),
            _ => fitting(&format!("{} {op} {}", left.sql, right.sql), kind),
        })
    }

    /// `a DIV b`: a BIGINT, whatever it divides.
    fn whole_quotient(&self, left: Typed, right: Typed) -> Result<Typed, SqlError> {
        let quotient = match (left.kind.as_decimal(), right.kind.as_decimal()) {
            (Some((_, 0)), Some((_, 0))) => format!("dbx_div({}, {})", left.sql, right.sql),
            (Some((_, s1)), Some((_, s2))) => {
                let scale = s1.max(s2);
                let (a, b) = (rescaled_up(&left.sql, scale - s1), rescaled_up(&right.sql, scale - s2));
                format!("dbx_div({a}, {b})")
            }
            _ => return Err(SqlError::unsupported("`div` on doubles")),
        };
        Ok(Typed::new(quotient, Type::BigInt))
    }

    fn decimal(
        &self,
        left: Typed,
        (p1, s1): (u8, u8),
        op: &BinaryOperator,
        right: Typed,
        (p2, s2): (u8, u8),
    ) -> Result<Typed, SqlError> {
        let as_is = |value: Typed, scale: u8| match value.kind {
            Type::Decimal(..) => Ok(value),
            _ => self.cast(value, &Type::Decimal(38, scale), false),
        };
        let (left, right) = (as_is(left, s1)?, as_is(right, s2)?);
        let scale = s1.max(s2);
        match op {
            BinaryOperator::Multiply => Ok(bounded(&format!("{} * {}", left.sql, right.sql), p1 + p2 + 1, s1 + s2)),
            BinaryOperator::Divide => {
                let scale = (s1 + p2 + 1).max(6);
                let Type::Decimal(precision, scale) = adjusted(p1 - s1 + s2 + scale, scale) else {
                    return Err(SqlError::unsupported("this division"));
                };
                // Where the eighteen digits kept here would be fractions alone, the scale is smaller than Databricks'.
                let scale = if scale > QUOTIENT_SCALE { KEPT_SCALE } else { scale };
                Ok(Typed::new(
                    format!(
                        "dbx_decimal_divide({}, {}, {})",
                        left.sql,
                        right.sql,
                        i32::from(scale) - i32::from(s1) + i32::from(s2)
                    ),
                    Type::Decimal(precision, scale),
                ))
            }
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Modulo => {
                let (a, b) = (rescaled_up(&left.sql, scale - s1), rescaled_up(&right.sql, scale - s2));
                let whole = (p1 - s1).max(p2 - s2);
                Ok(match op {
                    BinaryOperator::Modulo => {
                        bounded(&format!("dbx_modulo({a}, {b})"), (p1 - s1).min(p2 - s2) + scale, scale)
                    }
                    _ => bounded(&format!("{a} {op} {b}"), whole + scale + 1, scale),
                })
            }
            _ => Err(SqlError::unsupported(format!("the operator {op} on decimals"))),
        }
    }

    pub(crate) fn numeric(&self, value: Typed, expr: &Expr) -> Result<Typed, SqlError> {
        match value.kind {
            Type::String => self.cast(value, &Type::Double, false),
            Type::Void => Ok(Typed::new(value.sql, Type::Int)),
            ref kind if kind.is_number() => Ok(value),
            kind => Err(SqlError::mismatch(
                &expr.to_string(),
                &format!("the operator requires numbers, not \"{}\"", kind.text()),
            )),
        }
    }

    /// The number with the other sign.
    pub(crate) fn negative(&self, value: Typed) -> Typed {
        match &value.kind {
            kind if kind.is_integer() && !is_literal(&value.sql) => fitting(&format!("-{}", value.sql), value.kind),
            kind if kind.is_fractional() && !is_literal(&value.sql) => {
                Typed::new(format!("dbx_negative({})", value.sql), value.kind)
            }
            _ => Typed::new(format!("(-{})", value.sql), value.kind),
        }
    }

    /// Moves a date or timestamp by an amount of a unit.
    pub(crate) fn shift(&self, value: Typed, unit: &str, amount: &str) -> Result<Typed, SqlError> {
        let calendar = matches!(unit, "month" | "quarter" | "year");
        let days = matches!(unit, "day" | "week");
        let factor: i64 = match unit {
            "quarter" => 3,
            "year" => 12,
            "week" => 7,
            "month" | "day" => 1,
            "hour" => 3_600_000_000,
            "minute" => 60_000_000,
            "second" => 1_000_000,
            "millisecond" => 1000,
            "microsecond" => 1,
            _ => return Err(SqlError::unsupported(format!("the unit {unit}"))),
        };
        let amount = format!("({amount}) * {factor}");
        match (&value.kind, calendar, days) {
            (Type::Void, ..) => Ok(value),
            (Type::Date, true, _) => Ok(Typed::new(format!("dbx_add_months({}, {amount})", value.sql), Type::Date)),
            (Type::Date, _, true) => Ok(Typed::new(format!("({} + {amount})", value.sql), Type::Date)),
            (Type::Date, ..) => Ok(Typed::new(format!("({} * {DAY_MICROS} + {amount})", value.sql), Type::Timestamp)),
            (Type::Timestamp | Type::TimestampNtz, true, _) => {
                Ok(Typed::new(format!("dbx_add_months_to_instant({}, {amount})", value.sql), value.kind))
            }
            (Type::Timestamp | Type::TimestampNtz, _, true) => {
                Ok(Typed::new(format!("({} + {amount} * {DAY_MICROS})", value.sql), value.kind))
            }
            (Type::Timestamp | Type::TimestampNtz, ..) => {
                Ok(Typed::new(format!("({} + {amount})", value.sql), value.kind))
            }
            (kind, ..) => Err(SqlError::mismatch(
                "interval",
                &format!("a date or timestamp is required, not \"{}\"", kind.text()),
            )),
        }
    }

    /// Converts a value; `tolerant` gives NULL where a cast would fail.
    pub(crate) fn cast(&self, value: Typed, target: &Type, tolerant: bool) -> Result<Typed, SqlError> {
        let Typed { sql, kind } = value;
        if kind == *target {
            return Ok(Typed::new(sql, kind));
        }
        let function = if tolerant { "dbx_try_cast" } else { "dbx_cast" };
        let general = format!("{function}({sql}, {}, {})", text_literal(&kind.text()), text_literal(&target.text()));
        let sql = match (&kind, target) {
            (Type::Void, _) => sql,
            (a, Type::BigInt) if a.is_integer() => sql,
            (Type::TinyInt | Type::SmallInt, Type::Int) | (Type::TinyInt, Type::SmallInt) => sql,
            (Type::Float, Type::Double) => sql,
            (Type::Double, Type::Float) => format!("dbx_float({sql})"),
            (Type::DayTime(..), Type::DayTime(..)) | (Type::YearMonth(..), Type::YearMonth(..)) => sql,
            (Type::Timestamp | Type::TimestampNtz, Type::Timestamp | Type::TimestampNtz) => sql,
            (Type::Boolean, b) if b.is_integer() => sql,
            (a, Type::Double) if a.is_integer() || *a == Type::Boolean => format!("CAST({sql} AS REAL)"),
            (a, Type::Float) if a.is_integer() || *a == Type::Boolean => format!("dbx_float(CAST({sql} AS REAL))"),
            (a, Type::Boolean) if a.is_number() => format!("({sql} <> 0)"),
            (Type::Decimal(_, scale), Type::Double) => format!("({sql} / 1e{scale})"),
            (Type::Decimal(_, scale), Type::Float) => format!("dbx_float({sql} / 1e{scale})"),
            (a, Type::Decimal(38, scale)) if a.is_integer() => rescaled_up(&sql, *scale),
            (Type::Decimal(p1, s1), Type::Decimal(p2, s2)) if s2 >= s1 && p2 - s2 >= p1 - s1 => {
                rescaled_up(&sql, s2 - s1)
            }
            (Type::Date, Type::Timestamp | Type::TimestampNtz) => format!("({sql} * {DAY_MICROS})"),
            (a, Type::String) if a.is_integer() => format!("CAST({sql} AS TEXT)"),
            (Type::Binary, Type::String) => format!("CAST({sql} AS TEXT)"),
            (Type::String, Type::Binary) => format!("CAST({sql} AS BLOB)"),
            (Type::Array(_) | Type::Map(..) | Type::Struct(_), b) if b.is_nested() && convertible(&kind, b) => sql,
            (a, Type::String) if a.is_nested() => format!("dbx_nested_text({sql}, {})", text_literal(&a.text())),
            (a, b) if castable(a, b) => general,
            (a, b) => {
                return Err(SqlError::new(
                    "DATATYPE_MISMATCH.CAST_WITHOUT_SUGGESTION",
                    &format!(
                        "Cannot resolve \"CAST(value AS {})\" due to data type mismatch: cannot cast \"{}\" to \"{}\".",
                        b.text(),
                        a.text(),
                        b.text()
                    ),
                    "42K09",
                ));
            }
        };
        Ok(Typed::new(sql, target.clone()))
    }
}

fn castable(from: &Type, to: &Type) -> bool {
    let plain = |kind: &Type| !kind.is_nested() && !kind.is_interval() && *kind != Type::Binary && *kind != Type::Void;
    match (from, to) {
        (_, Type::String) => true,
        (Type::Date, to) => matches!(to, Type::Timestamp | Type::TimestampNtz),
        (from, Type::Date) => matches!(from, Type::String | Type::Timestamp | Type::TimestampNtz),
        (from, to) => plain(from) && plain(to),
    }
}

/// Nested values keep their JSON where only empty parts differ in type.
fn convertible(from: &Type, to: &Type) -> bool {
    match (from, to) {
        (Type::Void, _) => true,
        (Type::Array(a), Type::Array(b)) => convertible(a, b),
        (Type::Map(a, c), Type::Map(b, d)) => convertible(a, b) && convertible(c, d),
        (Type::Struct(a), Type::Struct(b)) => {
            a.len() == b.len() && a.iter().zip(b).all(|((_, a), (_, b))| convertible(a, b))
        }
        (a, b) => a == b,
    }
}

/// An integer literal beside a decimal counts with its own digits only.
fn literal_decimal(value: &Typed, other: &Typed) -> Option<(u8, u8)> {
    if !value.kind.is_integer() || !matches!(other.kind, Type::Decimal(..)) {
        return None;
    }
    let digits = value.sql.trim_start_matches(['(', '-']).trim_end_matches(')');
    digits.bytes().all(|byte| byte.is_ascii_digit()).then(|| (u8::try_from(digits.len()).unwrap_or(20), 0))
}

/// Makes sure that the order of values is known here: nested ones are texts, which have another.
pub(crate) fn ordered(value: &Typed) -> Result<(), SqlError> {
    if value.kind.is_nested() {
        return Err(SqlError::unsupported(format!("the order of values of the type \"{}\"", value.kind.text())));
    }
    Ok(())
}

fn rescaled_up(sql: &str, by: u8) -> String {
    if by == 0 { sql.to_owned() } else { format!("({sql} * 1{})", "0".repeat(usize::from(by))) }
}

/// Databricks' rule for results of more than 38 digits.
fn adjusted(precision: u8, scale: u8) -> Type {
    if precision <= 38 {
        return Type::Decimal(precision, scale);
    }
    let whole = precision - scale;
    Type::Decimal(38, 38_u8.saturating_sub(whole).max(scale.min(6)))
}

/// A decimal result; where it would have more than 38 digits, some of its fraction are cut off, rounding.
fn bounded(sql: &str, precision: u8, scale: u8) -> Typed {
    match adjusted(precision, scale) {
        Type::Decimal(precision, kept) if kept < scale => {
            let exact = fitting(sql, Type::Decimal(38, scale)).sql;
            Typed::new(format!("dbx_rescale({exact}, {}, 0)", scale - kept), Type::Decimal(precision, kept))
        }
        kind => fitting(sql, kind),
    }
}

/// An integer result that fails where it leaves its type, also inside of an expression.
pub(crate) fn fitting(sql: &str, kind: Type) -> Typed {
    let bits = match kind {
        Type::TinyInt => 8,
        Type::SmallInt => 16,
        Type::Int => 32,
        _ => 64,
    };
    Typed::new(format!("dbx_fit({sql}, {bits})"), kind)
}

pub(crate) fn unit(field: &DateTimeField) -> Result<String, SqlError> {
    let name = field.to_string().to_lowercase();
    let name = name.strip_suffix('s').unwrap_or(&name);
    Ok(match name {
        "dd" => "day".to_owned(),
        name => name.to_owned(),
    })
}

/// Whether this is a number that is written down without a sign, so that its minus cannot overflow.
fn is_literal(sql: &str) -> bool {
    sql.starts_with(|first: char| first.is_ascii_digit()) && sql.parse::<f64>().is_ok()
}
