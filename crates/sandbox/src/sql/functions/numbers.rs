//! Functions on numbers.

use sqlparser::ast::{BinaryOperator, Expr};

use crate::sql::compile::{Compiler, Typed, text_literal};
use crate::sql::error::SqlError;
use crate::sql::operators::fitting;
use crate::sql::types::NAN;
use crate::sql::types::Type::{self, BigInt, Decimal, Double, Int, String as Text};

use super::Answer;

impl Compiler<'_> {
    pub(super) fn number_function(&self, name: &str, arguments: &[Typed]) -> Answer {
        let doubles = [Double, Double];
        let place = Expr::Identifier(name.into());
        Some(match (name, arguments) {
            ("abs", [value]) if value.kind.is_interval() => {
                Ok(Typed::new(format!("abs({})", value.sql), value.kind.clone()))
            }
            ("abs", [value]) => self.numeric(value.clone(), &place).map(|value| match value.kind {
                ref kind if kind.is_integer() => fitting(&format!("abs({})", value.sql), kind.clone()),
                ref kind if kind.is_fractional() => Typed::new(format!("dbx_abs({})", value.sql), kind.clone()),
                _ => Typed::new(format!("abs({})", value.sql), value.kind),
            }),
            ("sign" | "signum", [value]) => self
                .numeric(value.clone(), &place)
                .and_then(|value| self.cast(value, &Double, false))
                .map(|value| Typed::new(format!("dbx_sign({})", value.sql), Double)),
            ("ceil" | "ceiling" | "floor", [value]) => {
                self.numeric(value.clone(), &place).and_then(|value| whole(name, value))
            }
            ("ceil" | "ceiling" | "floor", [value, digits]) => {
                self.numeric(value.clone(), &place).and_then(|value| cut(name, value, literal(digits)?))
            }
            ("round" | "bround", [value]) => self.round(name, value, 0),
            ("round" | "bround", [value, digits]) => literal(digits).and_then(|digits| self.round(name, value, digits)),
            (
                "sqrt" | "exp" | "ln" | "log2" | "log10" | "sin" | "cos" | "tan" | "asin" | "acos" | "atan" | "degrees"
                | "radians" | "sinh" | "cosh" | "tanh" | "cot" | "expm1" | "log1p" | "rint",
                [_],
            ) => self.call(&format!("dbx_{name}"), arguments, &doubles, Double),
            ("log", [_]) => self.call("dbx_ln", arguments, &doubles, Double),
            ("log", [_, _]) => self.call("dbx_log", arguments, &doubles, Double),
            ("power" | "pow", [_, _]) => self.call("dbx_power", arguments, &doubles, Double),
            ("atan2" | "hypot", [_, _]) => self.call(&format!("dbx_{name}"), arguments, &doubles, Double),
            ("factorial", [_]) => self.call("dbx_factorial", arguments, &[BigInt], BigInt),
            ("width_bucket", [_, _, _, _]) => {
                self.call("dbx_width_bucket", arguments, &[Double, Double, Double, BigInt], BigInt)
            }
            ("rand" | "random", []) => {
                Ok(Typed::new("((random() / 2 + 4611686018427387904) / 9223372036854775808.0)", Double))
            }
            ("uuid", []) => Ok(Typed::new("dbx_uuid(randomblob(16))", Text)),
            ("shiftleft" | "shiftright" | "shiftrightunsigned", [value, _]) if matches!(value.kind, Int | BigInt) => {
                let bits = if value.kind == Int { "32" } else { "64" };
                self.cast_all(arguments, &[BigInt, BigInt])
                    .map(|sql| Typed::new(format!("dbx_{name}({sql}, {bits})"), value.kind.clone()))
            }
            ("try_add" | "try_subtract" | "try_multiply", [a, b]) => {
                let op = match name {
                    "try_add" => BinaryOperator::Plus,
                    "try_subtract" => BinaryOperator::Minus,
                    _ => BinaryOperator::Multiply,
                };
                // What fails where it does not fit is NULL.
                self.arithmetic(a.clone(), &op, b.clone(), &place).map(|value| {
                    match value.sql.strip_prefix("dbx_fit(") {
                        Some(rest) if value.kind.is_integer() => Typed::new(format!("dbx_try_fit({rest}"), value.kind),
                        _ => value,
                    }
                })
            }
            ("try_mod", [a, b]) => self
                .arithmetic(a.clone(), &BinaryOperator::Modulo, b.clone(), &place)
                .map(|value| Typed::new(format!("(CASE WHEN {} <> 0 THEN {} END)", b.sql, value.sql), value.kind)),
            ("pi", []) => Ok(Typed::new("3.141592653589793", Double)),
            ("e", []) => Ok(Typed::new("2.718281828459045", Double)),
            ("mod", [a, b]) => self.arithmetic(a.clone(), &BinaryOperator::Modulo, b.clone(), &place),
            ("pmod", [a, b]) if a.kind.is_integer() && b.kind.is_integer() => self
                .common(&a.kind, &b.kind, &place)
                .map(|kind| Typed::new(format!("dbx_pmod({}, {})", a.sql, b.sql), kind)),
            ("pmod", [a, b]) => {
                self.arithmetic(a.clone(), &BinaryOperator::Modulo, b.clone(), &place).and_then(|rest| {
                    let (a, b) = (self.cast(a.clone(), &rest.kind, false)?, self.cast(b.clone(), &rest.kind, false)?);
                    Ok(Typed::new(format!("dbx_pmod({}, {})", a.sql, b.sql), rest.kind))
                })
            }
            ("cbrt", [_]) => self.call("dbx_cbrt", arguments, &doubles, Double),
            ("negative", [value]) => self.numeric(value.clone(), &place).map(|value| self.negative(value)),
            ("positive", [value]) => self.numeric(value.clone(), &place),
            ("try_divide", [a, b]) => self
                .arithmetic(a.clone(), &BinaryOperator::Divide, b.clone(), &place)
                .map(|value| Typed::new(format!("(CASE WHEN {} <> 0 THEN {} END)", b.sql, value.sql), value.kind)),
            ("isnan", [_]) => self.cast_all(arguments, &doubles).map(|value| Typed::new(is_nan(&value), Type::Boolean)),
            ("nanvl", [value, other]) => self.cast(value.clone(), &Double, false).and_then(|value| {
                let other = self.cast(other.clone(), &Double, false)?;
                let sql = format!("(CASE WHEN {} THEN {} ELSE {} END)", is_nan(&value.sql), other.sql, value.sql);
                Ok(Typed::new(sql, Double))
            }),
            ("conv", [_, _, _]) => self.call("dbx_conv", arguments, &[Text, BigInt, BigInt], Text),
            ("bin", [_]) => self.call("dbx_bin", arguments, &[BigInt], Text),
            ("format_number", [_, digits]) if digits.kind.is_integer() => {
                self.call("dbx_format_number", arguments, &[Double, BigInt], Text)
            }
            ("hex", [value]) if value.kind.is_integer() => Ok(Typed::new(format!("printf('%X', {})", value.sql), Text)),
            ("bit_count", [value]) if value.kind.is_integer() => {
                Ok(Typed::new(format!("dbx_bit_count({})", value.sql), Int))
            }
            _ => return None,
        })
    }

    fn round(&self, name: &str, value: &Typed, digits: i64) -> Result<Typed, SqlError> {
        let value = self.numeric(value.clone(), &Expr::Identifier(name.into()))?;
        // `bround` sends a half to the even neighbor.
        let even = if name == "bround" { "_even" } else { "" };
        match value.kind {
            Decimal(precision, scale) => {
                let target = u8::try_from(digits.clamp(0, i64::from(scale))).unwrap_or(scale);
                let cut = i64::from(scale) - digits.min(i64::from(scale));
                let grown = (precision - scale).saturating_add(target).saturating_add(1).min(38);
                let sql = format!("dbx_rescale{even}({}, {cut}, {})", value.sql, (-digits).max(0));
                Ok(Typed::new(sql, Decimal(grown.max(1), target)))
            }
            ref kind if kind.is_integer() && digits >= 0 => Ok(value),
            ref kind if kind.is_integer() => {
                Ok(fitting(&format!("dbx_rescale{even}({}, {}, {})", value.sql, -digits, -digits), kind.clone()))
            }
            _ => Ok(Typed::new(format!("dbx_round{even}({}, {digits})", value.sql), value.kind)),
        }
    }
}

/// Whether a double is NaN; false for NULL.
fn is_nan(sql: &str) -> String {
    format!("({sql} IS {})", text_literal(NAN))
}

/// A number of digits, which has to be written down.
fn literal(digits: &Typed) -> Result<i64, SqlError> {
    let parsed = digits.sql.trim_matches(['(', ')']).parse::<i64>();
    parsed.map_err(|_| SqlError::unsupported("rounding to a number of digits that is not a literal"))
}

fn whole(name: &str, value: Typed) -> Result<Typed, SqlError> {
    let name = if name == "floor" { "floor" } else { "ceil" };
    Ok(match value.kind {
        Decimal(precision, scale) => Typed::new(
            format!("dbx_{name}_decimal({}, {scale})", value.sql),
            Decimal((precision - scale + 1).min(38), 0),
        ),
        ref kind if kind.is_integer() => value,
        _ => Typed::new(format!("dbx_{name}({})", value.sql), BigInt),
    })
}

/// `ceil` and `floor` to some digits of a fraction.
fn cut(name: &str, value: Typed, digits: i64) -> Result<Typed, SqlError> {
    let name = if name == "floor" { "floor" } else { "ceil" };
    match (&value.kind, u8::try_from(digits)) {
        (Decimal(precision, scale), Ok(digits)) if digits <= *scale => Ok(Typed::new(
            format!("dbx_{name}_decimal({}, {})", value.sql, scale - digits),
            Decimal((precision - scale + digits + 1).min(38), digits),
        )),
        _ => Err(SqlError::unsupported(format!("`{name}` to this number of digits of \"{}\"", value.kind.text()))),
    }
}
