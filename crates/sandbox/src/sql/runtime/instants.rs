//! Dates and timestamps.

use rusqlite::types::Value;

use super::{Arguments, Definition, Outcome};
use crate::sql::error::SqlError;
use crate::sql::operators::DAY_MICROS;
use crate::sql::{datetime_patterns, temporal};

pub(super) const FUNCTIONS: &[Definition] = &[
    ("dbx_part", |a| number(temporal::part(a.text(0), a.integer(1)))),
    ("dbx_date_trunc", |a| number(temporal::truncate(a.text(0), a.integer(1)))),
    ("dbx_trunc", |a| match a.text(0).to_lowercase().as_str() {
        unit @ ("year" | "yyyy" | "yy" | "quarter" | "month" | "mm" | "mon" | "week") => number(
            a.integer(1)
                .checked_mul(DAY_MICROS)
                .and_then(|at| temporal::truncate(unit, at))
                .map(|at| at.div_euclid(DAY_MICROS)),
        ),
        _ => Ok(Value::Null),
    }),
    ("dbx_date_format", |a| match datetime_patterns::format(a.integer(0), a.text(1)) {
        Some(text) => Ok(Value::Text(text)),
        None => Err(SqlError::unsupported(format!("the datetime pattern '{}'", a.text(1)))),
    }),
    ("dbx_try_to_date", |a| {
        Ok(parse(a).ok().flatten().map_or(Value::Null, |at| Value::Integer(at.div_euclid(DAY_MICROS))))
    }),
    ("dbx_try_to_timestamp", |a| Ok(parse(a).ok().flatten().map_or(Value::Null, Value::Integer))),
    ("dbx_to_date", |a| number(parse(a)?.map(|at| at.div_euclid(DAY_MICROS)))),
    ("dbx_to_timestamp", |a| number(parse(a)?)),
    ("dbx_add_months", |a| {
        number(
            temporal::date(a.integer(0)).and_then(|date| temporal::add_months(date, a.integer(1))).map(temporal::days),
        )
    }),
    ("dbx_add_months_to_instant", |a| number(temporal::instant_plus_months(a.integer(0), a.integer(1)))),
    ("dbx_months_between", |a| match temporal::months_between(a.integer(0), a.integer(1)) {
        // Its third argument says whether to round to eight digits.
        Some(months) if a.len() > 2 && a.integer(2) == 0 => Ok(Value::Real(months)),
        Some(months) => Ok(Value::Real((months * 1e8).round() / 1e8)),
        None => Err(outside()),
    }),
    ("dbx_last_day", |a| number(temporal::date(a.integer(0)).map(|date| temporal::days(date.last_of_month())))),
    ("dbx_make_date", |a| {
        number(temporal::parse_date(&format!("{:04}-{}-{}", a.integer(0), a.integer(1), a.integer(2))))
    }),
    ("dbx_next_day", |a| {
        let names = ["mo", "tu", "we", "th", "fr", "sa", "su"];
        let wanted = a.text(1).trim().to_lowercase();
        let wanted = names.iter().position(|name| wanted.starts_with(name)).and_then(|day| i64::try_from(day).ok());
        // The first day of 1970 was a Thursday.
        Ok(wanted.map_or(Value::Null, |wanted| {
            let today = (a.integer(0) + 3).rem_euclid(7);
            Value::Integer(a.integer(0) + (wanted - today - 1).rem_euclid(7) + 1)
        }))
    }),
    ("dbx_make_timestamp", |a| {
        let date = temporal::parse_date(&format!("{:04}-{}-{}", a.integer(0), a.integer(1), a.integer(2)));
        let (hour, minute, micros) = (a.integer(3), a.integer(4), a.integer(5));
        let valid = (0..24).contains(&hour) && (0..60).contains(&minute) && (0..60_000_000).contains(&micros);
        number(
            date.filter(|_| valid)
                .and_then(|date| date.checked_mul(DAY_MICROS)?.checked_add((hour * 60 + minute) * 60_000_000 + micros)),
        )
    }),
    ("dbx_in_zone", |a| match zone::shifted(a.integer(0), a.text(1), a.text(2)) {
        Some(at) => Ok(Value::Integer(at)),
        None => Err(SqlError::unsupported(format!("the time zones '{}' and '{}' here", a.text(1), a.text(2)))),
    }),
    ("dbx_difference", |a| number(temporal::difference(a.text(0), a.integer(1), a.integer(2)))),
];

/// Times of day elsewhere, by fixed offsets alone: the sandbox knows no rules of zones.
mod zone {
    fn offset(name: &str) -> Option<i64> {
        if matches!(name, "UTC" | "Etc/UTC" | "GMT" | "Z") {
            return Some(0);
        }
        let (sign, rest) = match name.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':')?;
        let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
        Some(sign * (hours * 3600 + minutes * 60) * 1_000_000)
    }

    pub(super) fn shifted(at: i64, from: &str, to: &str) -> Option<i64> {
        at.checked_sub(offset(from)?)?.checked_add(offset(to)?)
    }
}

fn number(value: Option<i64>) -> Outcome {
    value.map(Value::Integer).ok_or_else(outside)
}

fn outside() -> SqlError {
    SqlError::new("DATETIME_FIELD_OUT_OF_BOUNDS", "A date, a timestamp or a unit is not valid.", "22023")
}

fn parse(a: &Arguments) -> Result<Option<i64>, SqlError> {
    if !datetime_patterns::parses(a.text(1)) {
        return Err(SqlError::unsupported(format!("the datetime pattern '{}'", a.text(1))));
    }
    match datetime_patterns::parse(a.text(0), a.text(1)) {
        Some(at) => Ok(Some(at)),
        None => Err(SqlError::new(
            "CANNOT_PARSE_TIMESTAMP",
            &format!(
                "Text '{}' could not be parsed with the pattern '{}'. Use `try_to_timestamp` to tolerate invalid input string and return NULL instead.",
                a.text(0),
                a.text(1)
            ),
            "22007",
        )),
    }
}
