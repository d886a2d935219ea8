//! Functions on numbers.

use sqlparser::ast::{BinaryOperator, Expr};

use crate::sql::compile::{Compiler, Typed};
use crate::sql::error::SqlError;
use crate::sql::types::Type::{self, BigInt, Decimal, Double, Int, String as Text};

use super::Answer;

impl Compiler<'_> {
    pub(super) fn number_function(&self, name: &str, arguments: &[Typed]) -> Answer {
        let doubles = [Double, Double];
        let place = Expr::Identifier(name.into());
        Some(match (name, arguments) {
            ("abs", [value]) => {
                self.numeric(value.clone(), &place).map(|value| Typed::new(format!("abs({})", value.sql), value.kind))
            }
            ("sign" | "signum", [value]) => self
                .numeric(value.clone(), &place)
                .map(|value| Typed::new(format!("CAST(sign({}) AS REAL)", value.sql), Double)),
            ("ceil" | "ceiling" | "floor", [value]) => {
                self.numeric(value.clone(), &place).and_then(|value| whole(name, value))
            }
            ("round", [value]) => self.round(value, 0),
            ("round", [value, digits]) => match digits.sql.trim_matches(['(', ')']).parse::<i64>() {
                Ok(digits) => self.round(value, digits),
                Err(_) => Err(SqlError::unsupported("round to a number of digits that is not a literal")),
            },
            (
                "sqrt" | "exp" | "ln" | "log2" | "log10" | "sin" | "cos" | "tan" | "asin" | "acos" | "atan" | "degrees"
                | "radians",
                [_],
            ) => self.call(&format!("dbx_{name}"), arguments, &doubles, Double),
            ("log", [_]) => self.call("dbx_ln", arguments, &doubles, Double),
            ("log", [_, _]) => self.call("dbx_log", arguments, &doubles, Double),
            ("power" | "pow", [_, _]) => self.call("dbx_power", arguments, &doubles, Double),
            ("pi", []) => Ok(Typed::new("3.141592653589793", Double)),
            ("e", []) => Ok(Typed::new("2.718281828459045", Double)),
            ("mod", [a, b]) => self.arithmetic(a.clone(), &BinaryOperator::Modulo, b.clone(), &place),
            ("pmod", [a, b]) if a.kind.is_integer() && b.kind.is_integer() => self
                .common(&a.kind, &b.kind, &place)
                .map(|kind| Typed::new(format!("dbx_pmod({}, {})", a.sql, b.sql), kind)),
            ("cbrt", [_]) => self.call("dbx_cbrt", arguments, &doubles, Double),
            ("negative", [value]) => {
                self.numeric(value.clone(), &place).map(|value| Typed::new(format!("(-{})", value.sql), value.kind))
            }
            ("positive", [value]) => self.numeric(value.clone(), &place),
            ("try_divide", [a, b]) => self
                .arithmetic(a.clone(), &BinaryOperator::Divide, b.clone(), &place)
                .map(|value| Typed::new(format!("(CASE WHEN {} <> 0 THEN {} END)", b.sql, value.sql), value.kind)),
            ("isnan", [value]) if value.kind.is_number() => Ok(Typed::new("0", Type::Boolean)),
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

    fn round(&self, value: &Typed, digits: i64) -> Result<Typed, SqlError> {
        let value = self.numeric(value.clone(), &Expr::Identifier("round".into()))?;
        match value.kind {
            Decimal(precision, scale) => {
                let target = u8::try_from(digits.clamp(0, i64::from(scale))).unwrap_or(scale);
                let cut = i64::from(scale) - digits.min(i64::from(scale));
                let grown = (precision - scale).saturating_add(target).saturating_add(1).min(38);
                let sql = format!("dbx_rescale({}, {cut}, {})", value.sql, (-digits).max(0));
                Ok(Typed::new(sql, Decimal(grown.max(1), target)))
            }
            ref kind if kind.is_integer() && digits >= 0 => Ok(value),
            ref kind if kind.is_integer() => {
                Ok(Typed::new(format!("dbx_rescale({}, {}, {})", value.sql, -digits, -digits), kind.clone()))
            }
            _ => Ok(Typed::new(format!("dbx_round({}, {digits})", value.sql), Double)),
        }
    }
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
