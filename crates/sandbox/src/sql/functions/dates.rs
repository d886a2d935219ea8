//! Functions on dates and timestamps.

use crate::sql::compile::{Compiler, Typed, text_literal};
use crate::sql::error::SqlError;
use crate::sql::types::Type::{self, BigInt, Date, Decimal, Double, Int, String as Text, Timestamp};

use super::Answer;

impl Compiler<'_> {
    pub(super) fn date_function(&self, name: &str, arguments: &[Typed]) -> Answer {
        Some(match (name, arguments) {
            (
                "year" | "quarter" | "month" | "day" | "dayofmonth" | "dayofweek" | "weekday" | "dayofyear"
                | "weekofyear" | "hour" | "minute" | "second" | "yearofweek",
                [value],
            ) => self.part(name, value),
            ("extract" | "date_part" | "datepart", [part, value]) => {
                let part = part.sql.trim_matches('\'').to_lowercase();
                if value.kind.is_interval() {
                    return Some(interval_part(&part, value));
                }
                match part.strip_suffix('s').unwrap_or(&part) {
                    // With its fraction, unlike the function `second`.
                    "second" => {
                        self.instant(value).map(|sql| Typed::new(format!("dbx_pmod({sql}, 60000000)"), Decimal(8, 6)))
                    }
                    part => self.part(part, value),
                }
            }
            ("date_trunc", [_, value]) => {
                let kind = if value.kind == Type::TimestampNtz { Type::TimestampNtz } else { Timestamp };
                self.call("dbx_date_trunc", arguments, &[Text, Timestamp], kind)
            }
            ("trunc", [value, unit]) => self.call("dbx_trunc", &[unit.clone(), value.clone()], &[Text, Date], Date),
            ("date_format", [_, _]) => self.call("dbx_date_format", arguments, &[Timestamp, Text], Text),
            ("to_date", [value]) => self.cast(value.clone(), &Date, false),
            ("try_to_date", [value]) => self.cast(value.clone(), &Date, true),
            ("to_timestamp", [value]) => self.cast(value.clone(), &Timestamp, false),
            ("try_to_timestamp", [value]) => self.cast(value.clone(), &Timestamp, true),
            ("to_date", [_, _]) => self.call("dbx_to_date", arguments, &[Text, Text], Date),
            ("to_timestamp", [_, _]) => self.call("dbx_to_timestamp", arguments, &[Text, Text], Timestamp),
            ("datediff" | "date_diff", [end, start]) => {
                self.dates([end, start]).map(|[end, start]| Typed::new(format!("({end} - {start})"), Int))
            }
            ("date_add" | "dateadd", [date, days]) => self.move_days(date, days, '+'),
            ("date_sub", [date, days]) => self.move_days(date, days, '-'),
            ("add_months", [_, _]) => self.call("dbx_add_months", arguments, &[Date, BigInt], Date),
            ("months_between", [_, _] | [_, _, _]) => {
                self.call("dbx_months_between", arguments, &[Timestamp, Timestamp, Type::Boolean], Double)
            }
            ("try_to_date", [_, _]) => self.call("dbx_try_to_date", arguments, &[Text, Text], Date),
            ("try_to_timestamp", [_, _]) => self.call("dbx_try_to_timestamp", arguments, &[Text, Text], Timestamp),
            ("from_utc_timestamp", [at, zone]) => self.in_zone(at, &Typed::new("'UTC'", Text), zone, Timestamp),
            ("to_utc_timestamp", [at, zone]) => self.in_zone(at, zone, &Typed::new("'UTC'", Text), Timestamp),
            ("convert_timezone", [zone, at]) => self.in_zone(at, &Typed::new("'UTC'", Text), zone, Type::TimestampNtz),
            ("convert_timezone", [from, to, at]) => self.in_zone(at, from, to, Type::TimestampNtz),
            ("make_dt_interval", [_, ..]) if arguments.len() <= 4 => self.parts_of_interval(arguments),
            ("make_ym_interval", [_] | [_, _]) => {
                let months = arguments.get(1).map_or("0", |months| months.sql.as_str());
                self.cast(arguments.first()?.clone(), &BigInt, false)
                    .map(|years| Typed::new(format!("({} * 12 + {months})", years.sql), Type::YearMonth(0, 1)))
            }
            ("timestamp_ntz", [value]) | ("to_timestamp_ntz", [value]) => {
                self.cast(value.clone(), &Type::TimestampNtz, false)
            }
            ("to_timestamp_ltz", [value]) => self.cast(value.clone(), &Timestamp, false),
            ("localtimestamp", []) => Ok(Typed::new(self.session.now_micros.to_string(), Type::TimestampNtz)),
            ("last_day", [_]) => self.call("dbx_last_day", arguments, &[Date], Date),
            ("make_date", [_, _, _]) => self.call("dbx_make_date", arguments, &[BigInt, BigInt, BigInt], Date),
            ("date_from_unix_date", [value]) if value.kind.is_integer() => Ok(Typed::new(value.sql.clone(), Date)),
            ("next_day", [_, _]) => self.call("dbx_next_day", arguments, &[Date, Text], Date),
            ("make_timestamp", [year, month, day, hour, minute, second]) => {
                self.cast_all(&[year.clone(), month.clone(), day.clone()], &[BigInt, BigInt, BigInt]).and_then(|date| {
                    let time = self.cast_all(&[hour.clone(), minute.clone()], &[BigInt, BigInt])?;
                    let second = self.cast(second.clone(), &Decimal(8, 6), false)?;
                    Ok(Typed::new(format!("dbx_make_timestamp({date}, {time}, {})", second.sql), Timestamp))
                })
            }
            ("unix_timestamp" | "to_unix_timestamp", [_, _]) => self
                .call("dbx_to_timestamp", arguments, &[Text, Text], Timestamp)
                .map(|value| Typed::new(format!("dbx_floor_div({}, 1000000)", value.sql), BigInt)),
            ("unix_timestamp" | "to_unix_timestamp", [value]) => {
                self.instant(value).map(|sql| Typed::new(format!("dbx_floor_div({sql}, 1000000)"), BigInt))
            }
            ("unix_seconds", [value]) => {
                self.instant(value).map(|sql| Typed::new(format!("dbx_floor_div({sql}, 1000000)"), BigInt))
            }
            ("unix_timestamp", []) => Ok(Typed::new((self.session.now_micros / 1_000_000).to_string(), BigInt)),
            ("unix_millis", [value]) => {
                self.instant(value).map(|sql| Typed::new(format!("dbx_floor_div({sql}, 1000)"), BigInt))
            }
            ("unix_micros", [value]) => self.instant(value).map(|sql| Typed::new(sql, BigInt)),
            ("unix_date", [value]) => self.cast(value.clone(), &Date, false).map(|value| Typed::new(value.sql, Int)),
            ("timestamp_seconds", [value]) if value.kind.is_integer() => {
                Ok(Typed::new(format!("({} * 1000000)", value.sql), Timestamp))
            }
            ("timestamp_millis", [value]) if value.kind.is_integer() => {
                Ok(Typed::new(format!("({} * 1000)", value.sql), Timestamp))
            }
            ("timestamp_micros", [value]) if value.kind.is_integer() => Ok(Typed::new(value.sql.clone(), Timestamp)),
            ("from_unixtime", [value]) => self.unix_text(value, "yyyy-MM-dd HH:mm:ss"),
            ("from_unixtime", [value, format]) => self.unix_text(value, format.sql.trim_matches('\'')),
            ("dayname", [_]) => self.call(
                "dbx_date_format",
                &[arguments.first()?.clone(), Typed::new("'EEE'", Text)],
                &[Timestamp, Text],
                Text,
            ),
            ("monthname", [_]) => self.call(
                "dbx_date_format",
                &[arguments.first()?.clone(), Typed::new("'MMM'", Text)],
                &[Timestamp, Text],
                Text,
            ),
            _ => return None,
        })
    }

    fn part(&self, part: &str, value: &Typed) -> Result<Typed, SqlError> {
        let name = match part {
            "dayofmonth" => "day",
            "dow" => "dayofweek",
            "dow_iso" => "dayofweek_iso",
            "doy" => "dayofyear",
            "week" => "weekofyear",
            part => part,
        };
        if !matches!(
            name,
            "year"
                | "quarter"
                | "month"
                | "day"
                | "dayofweek"
                | "weekday"
                | "yearofweek"
                | "dayofweek_iso"
                | "dayofyear"
                | "weekofyear"
                | "hour"
                | "minute"
                | "second"
        ) {
            return Err(SqlError::unsupported(format!("the date part {name}")));
        }
        let sql = self.instant(value)?;
        let sql = format!("dbx_part({}, {sql})", text_literal(name));
        Ok(Typed::new(sql, Int))
    }

    fn in_zone(&self, at: &Typed, from: &Typed, to: &Typed, kind: Type) -> Result<Typed, SqlError> {
        let arguments = [at.clone(), from.clone(), to.clone()];
        self.call("dbx_in_zone", &arguments, &[kind.clone(), Text, Text], kind)
    }

    /// `make_dt_interval(days, hours, minutes, seconds)`.
    fn parts_of_interval(&self, arguments: &[Typed]) -> Result<Typed, SqlError> {
        let units = [(BigInt, "86400000000"), (BigInt, "3600000000"), (BigInt, "60000000"), (Decimal(18, 6), "1")];
        let parts: Vec<_> = arguments
            .iter()
            .zip(&units)
            .map(|(part, (kind, unit))| Ok(format!("{} * {unit}", self.cast(part.clone(), kind, false)?.sql)))
            .collect::<Result<_, SqlError>>()?;
        Ok(Typed::new(format!("({})", parts.join(" + ")), Type::DayTime(0, 3)))
    }

    fn instant(&self, value: &Typed) -> Result<String, SqlError> {
        match value.kind {
            Type::TimestampNtz | Timestamp => Ok(value.sql.clone()),
            _ => Ok(self.cast(value.clone(), &Timestamp, false)?.sql),
        }
    }

    fn dates<const N: usize>(&self, values: [&Typed; N]) -> Result<[String; N], SqlError> {
        let mut failed = None;
        let dates = values.map(|value| match self.cast(value.clone(), &Date, false) {
            Ok(value) => value.sql,
            Err(error) => {
                failed = Some(error);
                String::new()
            }
        });
        failed.map_or(Ok(dates), Err)
    }

    fn move_days(&self, date: &Typed, days: &Typed, sign: char) -> Result<Typed, SqlError> {
        let date = self.cast(date.clone(), &Date, false)?;
        let days = self.cast(days.clone(), &Int, false)?;
        Ok(Typed::new(format!("({} {sign} {})", date.sql, days.sql), Date))
    }

    fn unix_text(&self, value: &Typed, format: &str) -> Result<Typed, SqlError> {
        if matches!(value.kind, Decimal(..)) {
            return Err(SqlError::unsupported("from_unixtime of a decimal"));
        }
        let value = self.cast(value.clone(), &BigInt, false)?;
        Ok(Typed::new(format!("dbx_date_format({} * 1000000, {})", value.sql, text_literal(format)), Text))
    }
}

/// A field of an interval.
fn interval_part(part: &str, value: &Typed) -> Result<Typed, SqlError> {
    let sql = &value.sql;
    let (sql, kind) = match (&value.kind, part.strip_suffix('s').unwrap_or(part)) {
        (Type::DayTime(..), "day") => (format!("({sql} / 86400000000)"), Int),
        (Type::DayTime(..), "hour") => (format!("({sql} / 3600000000 % 24)"), Type::TinyInt),
        (Type::DayTime(..), "minute") => (format!("({sql} / 60000000 % 60)"), Type::TinyInt),
        (Type::DayTime(..), "second") => (format!("({sql} % 60000000)"), Decimal(8, 6)),
        (Type::YearMonth(..), "year") => (format!("({sql} / 12)"), Int),
        (Type::YearMonth(..), "month") => (format!("({sql} % 12)"), Type::TinyInt),
        _ => return Err(SqlError::unsupported(format!("the field {part} of \"{}\"", value.kind.text()))),
    };
    Ok(Typed::new(sql, kind))
}
