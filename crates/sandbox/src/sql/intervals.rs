//! Intervals: literals, arithmetic with dates and timestamps, and their texts.
//!
//! Derived: a cell of a result has Hive's form (`1 02:03:04.000000000`, `1-2`), as Spark's own shell writes it.

use sqlparser::ast::{BinaryOperator, DateTimeField, Expr, Interval, UnaryOperator, Value};

use super::compile::{Compiler, Typed};
use super::error::SqlError;
use super::operators::{DAY_MICROS, fitting, unit};
use super::types::Type;

/// The microseconds of a DAY, HOUR, MINUTE and SECOND.
const UNITS: [i64; 4] = [DAY_MICROS, 3_600_000_000, 60_000_000, 1_000_000];

impl Compiler<'_> {
    /// An interval literal, as its months or microseconds.
    pub(super) fn interval(&self, interval: &Interval) -> Result<Typed, SqlError> {
        let wrong = || {
            SqlError::new(
                "INVALID_INTERVAL_FORMAT",
                &format!(
                    "Error parsing `{interval}` to interval: its value and its unit have to be literals that go together."
                ),
                "22006",
            )
        };
        let text = literal(&interval.value).ok_or_else(wrong)?;
        let (kind, amount) = match (&interval.leading_field, &interval.last_field) {
            (None, _) => several(&text),
            (Some(field), None) => single(&text, &unit(field)?),
            (Some(from), Some(to)) => ranged(&text, from, to),
        }
        .ok_or_else(wrong)?;
        Ok(Typed::new(if amount < 0 { format!("({amount})") } else { amount.to_string() }, kind))
    }

    /// Arithmetic that takes or gives an interval; `None` where it does not.
    pub(super) fn with_interval(
        &self,
        left: &Typed,
        op: &BinaryOperator,
        right: &Typed,
    ) -> Option<Result<Typed, SqlError>> {
        let (a, b) = (&left.kind, &right.kind);
        if a.is_temporal() && b.is_temporal() && *op == BinaryOperator::Minus {
            return Some(self.between(left, right));
        }
        if !a.is_interval() && !b.is_interval() {
            return None;
        }
        let product = |interval: &Typed, number: &Typed| {
            let sql = match number.kind {
                ref kind if kind.is_integer() => {
                    return Ok(fitting(&format!("{} * {}", interval.sql, number.sql), interval.kind.clone()));
                }
                _ => self.cast(number.clone(), &Type::Double, false)?.sql,
            };
            Ok(Typed::new(format!("dbx_scaled({}, {sql})", interval.sql), widest(&interval.kind)))
        };
        match op {
            BinaryOperator::Plus if b.is_interval() && !a.is_interval() && !a.is_number() => {
                Some(self.moved(left.clone(), right, "+"))
            }
            BinaryOperator::Plus if a.is_interval() && !b.is_interval() && !b.is_number() => {
                Some(self.moved(right.clone(), left, "+"))
            }
            BinaryOperator::Minus if b.is_interval() && !a.is_interval() && !a.is_number() => {
                Some(self.moved(left.clone(), right, "-"))
            }
            BinaryOperator::Plus | BinaryOperator::Minus if a.is_interval() && b.is_interval() => {
                Some(match a.common(b) {
                    Some(kind) => Ok(fitting(&format!("{} {op} {}", left.sql, right.sql), kind)),
                    None => Err(mismatch(left, right)),
                })
            }
            BinaryOperator::Multiply if b.is_number() => Some(product(left, right)),
            BinaryOperator::Multiply if a.is_number() => Some(product(right, left)),
            BinaryOperator::Divide if a.is_interval() && b.is_number() => {
                Some(self.cast(right.clone(), &Type::Double, false).map(|number| {
                    Typed::new(format!("dbx_scaled({}, dbx_divide(1.0, {}))", left.sql, number.sql), widest(a))
                }))
            }
            BinaryOperator::Plus | BinaryOperator::Minus | BinaryOperator::Multiply | BinaryOperator::Divide => {
                Some(Err(mismatch(left, right)))
            }
            _ => None,
        }
    }

    /// The time from one instant to another.
    fn between(&self, left: &Typed, right: &Typed) -> Result<Typed, SqlError> {
        if left.kind == Type::Date && right.kind == Type::Date {
            return Ok(Typed::new(format!("(({} - {}) * {DAY_MICROS})", left.sql, right.sql), Type::DayTime(0, 0)));
        }
        let (a, b) =
            (self.cast(left.clone(), &Type::Timestamp, false)?, self.cast(right.clone(), &Type::Timestamp, false)?);
        Ok(Typed::new(format!("({} - {})", a.sql, b.sql), Type::DayTime(0, 3)))
    }

    /// A date or timestamp, moved by an interval.
    fn moved(&self, value: Typed, by: &Typed, sign: &str) -> Result<Typed, SqlError> {
        let value = if value.kind == Type::String { self.cast(value, &Type::Timestamp, false)? } else { value };
        let amount = &by.sql;
        Ok(match (&value.kind, &by.kind) {
            (Type::Void, _) => value,
            (Type::Date, Type::YearMonth(..)) => {
                Typed::new(format!("dbx_add_months({}, {sign}{amount})", value.sql), Type::Date)
            }
            (Type::Timestamp | Type::TimestampNtz, Type::YearMonth(..)) => {
                Typed::new(format!("dbx_add_months_to_instant({}, {sign}{amount})", value.sql), value.kind)
            }
            (Type::Date, Type::DayTime(_, 0)) => {
                Typed::new(format!("({} {sign} {amount} / {DAY_MICROS})", value.sql), Type::Date)
            }
            (Type::Date, Type::DayTime(..)) => {
                Typed::new(format!("({} * {DAY_MICROS} {sign} {amount})", value.sql), Type::Timestamp)
            }
            (Type::Timestamp | Type::TimestampNtz, Type::DayTime(..)) => {
                Typed::new(format!("({} {sign} {amount})", value.sql), value.kind)
            }
            _ => return Err(mismatch(&value, by)),
        })
    }

    /// `sequence` of dates or timestamps; without a step it goes by days.
    pub(super) fn instants(&self, first: &Typed, last: &Typed, step: Option<&Typed>) -> Result<Typed, SqlError> {
        let place = Expr::Identifier("sequence".into());
        let kind = self.common(&first.kind, &last.kind, &place)?;
        let (from, to) = (self.cast(first.clone(), &kind, false)?, self.cast(last.clone(), &kind, false)?);
        let unit = if kind == Type::Date { DAY_MICROS } else { 1 };
        let day = Typed::new(DAY_MICROS.to_string(), Type::DayTime(0, 0));
        let down = format!("(CASE WHEN {} > {} THEN -1 ELSE 1 END)", from.sql, to.sql);
        let (months, micros) = match step.unwrap_or(&day) {
            Typed { sql, kind: Type::YearMonth(..) } => (sql.clone(), "0".to_owned()),
            Typed { sql, kind: Type::DayTime(..) } if step.is_some() => ("0".to_owned(), sql.clone()),
            Typed { sql, kind: Type::DayTime(..) } => ("0".to_owned(), format!("{sql} * {down}")),
            step => return Err(mismatch(first, step)),
        };
        let sql = format!("dbx_instants({}, {}, {months}, {micros}, {unit})", from.sql, to.sql);
        Ok(Typed::new(sql, Type::Array(Box::new(kind))))
    }
}

/// The result of a division has all fields.
fn widest(kind: &Type) -> Type {
    match kind {
        Type::YearMonth(..) => Type::YearMonth(0, 1),
        _ => Type::DayTime(0, 3),
    }
}

fn mismatch(left: &Typed, right: &Typed) -> SqlError {
    SqlError::mismatch(
        "interval",
        &format!("the types \"{}\" and \"{}\" do not go together", left.kind.text(), right.kind.text()),
    )
}

fn literal(expr: &Expr) -> Option<String> {
    match expr {
        Expr::Value(value) => match &value.value {
            Value::Number(text, _) | Value::SingleQuotedString(text) => Some(text.trim().to_owned()),
            _ => None,
        },
        Expr::UnaryOp { op: UnaryOperator::Minus, expr } => {
            let text = literal(expr)?;
            Some(text.strip_prefix('-').map_or_else(|| format!("-{text}"), str::to_owned))
        }
        Expr::UnaryOp { op: UnaryOperator::Plus, expr } => literal(expr),
        Expr::Nested(inner) => literal(inner),
        _ => None,
    }
}

/// `'3' DAY`; only seconds have a fraction.
fn single(text: &str, unit: &str) -> Option<(Type, i64)> {
    let whole = |factor: i64| text.parse::<i64>().ok()?.checked_mul(factor);
    let field = |index: u8, factor: i64| Some((Type::DayTime(index, index), whole(factor)?));
    match unit {
        "year" => Some((Type::YearMonth(0, 0), whole(12)?)),
        "quarter" => Some((Type::YearMonth(1, 1), whole(3)?)),
        "month" => Some((Type::YearMonth(1, 1), whole(1)?)),
        "week" => field(0, 7 * DAY_MICROS),
        "day" => field(0, DAY_MICROS),
        "hour" => field(1, 3_600_000_000),
        "minute" => field(2, 60_000_000),
        "second" => Some((Type::DayTime(3, 3), seconds(text)?)),
        "millisecond" => field(3, 1000),
        "microsecond" => field(3, 1),
        _ => None,
    }
}

/// The microseconds of `4.5`.
fn seconds(text: &str) -> Option<i64> {
    super::runtime::casts::decimal(text, 6)
}

/// `'1 day 2 hours'`.
fn several(text: &str) -> Option<(Type, i64)> {
    let lower = text.to_lowercase();
    let words: Vec<_> = lower.split_whitespace().skip_while(|word| *word == "interval").collect();
    let mut total: Option<(Type, i64)> = None;
    for pair in words.chunks(2) {
        let [amount, unit] = pair else { return None };
        let (kind, amount) = single(amount, unit.strip_suffix('s').unwrap_or(unit))?;
        total = Some(match total {
            None => (kind, amount),
            Some((before, sum)) => (before.common(&kind)?, sum.checked_add(amount)?),
        });
    }
    total
}

/// `'1 02:03:04' DAY TO SECOND`, `'1-2' YEAR TO MONTH`.
fn ranged(text: &str, from: &DateTimeField, to: &DateTimeField) -> Option<(Type, i64)> {
    let (sign, text) = match text.strip_prefix('-') {
        Some(text) => (-1, text),
        None => (1, text.strip_prefix('+').unwrap_or(text)),
    };
    let (from, to) = (unit(from).ok()?, unit(to).ok()?);
    if (from.as_str(), to.as_str()) == ("year", "month") {
        let (years, months) = text.split_once('-')?;
        let months = years.parse::<i64>().ok()?.checked_mul(12)?.checked_add(months.parse().ok()?)?;
        return Some((Type::YearMonth(0, 1), sign * months));
    }
    let names = ["day", "hour", "minute", "second"];
    let place = |name: &str| names.iter().position(|known| *known == name);
    let (first, last) = (place(&from)?, place(&to)?);
    let parts: Vec<_> = text.split([' ', ':']).filter(|part| !part.is_empty()).collect();
    if last < first || parts.len() != last - first + 1 {
        return None;
    }
    let mut micros = 0_i64;
    for (part, unit) in parts.iter().zip(UNITS.iter().skip(first)) {
        let value = if *unit == 1_000_000 { seconds(part)? } else { part.parse::<i64>().ok()?.checked_mul(*unit)? };
        micros = micros.checked_add(value)?;
    }
    Some((Type::DayTime(u8::try_from(first).ok()?, u8::try_from(last).ok()?), sign * micros))
}

/// As a cell of a result.
pub(super) fn cell(value: i64, kind: &Type) -> String {
    let (sign, size) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    match kind {
        Type::YearMonth(..) => format!("{sign}{}-{}", size / 12, size % 12),
        _ => format!(
            "{sign}{} {:02}:{:02}:{:02}.{:06}000",
            size / 86_400_000_000,
            size / 3_600_000_000 % 24,
            size / 60_000_000 % 60,
            size / 1_000_000 % 60,
            size % 1_000_000
        ),
    }
}

/// As a cast to STRING writes it: a literal.
pub(super) fn text(value: i64, kind: &Type) -> String {
    let (sign, size) = (if value < 0 { "-" } else { "" }, value.unsigned_abs());
    let body = match kind {
        Type::YearMonth(0, 0) => (size / 12).to_string(),
        Type::YearMonth(1, _) => size.to_string(),
        Type::YearMonth(..) => format!("{}-{}", size / 12, size % 12),
        Type::DayTime(from, to) => day_time(size, *from, *to),
        _ => size.to_string(),
    };
    format!("INTERVAL '{sign}{body}' {}", kind.text().trim_start_matches("INTERVAL "))
}

fn day_time(micros: u64, from: u8, to: u8) -> String {
    let mut rest = micros;
    let mut text = String::new();
    for (index, unit) in (0_u8..).zip(UNITS).filter(|(index, _)| (from..=to).contains(index)) {
        let unit = unit.unsigned_abs();
        let value = rest / unit;
        rest %= unit;
        let separator = match (index == from, index) {
            (true, _) => "",
            (_, 1) => " ",
            _ => ":",
        };
        text.push_str(separator);
        text.push_str(&if index == from { value.to_string() } else { format!("{value:02}") });
    }
    if to == 3 && rest > 0 {
        text.push('.');
        text.push_str(format!("{rest:06}").trim_end_matches('0'));
    }
    text
}
