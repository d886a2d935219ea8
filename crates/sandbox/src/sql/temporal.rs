//! Dates as days and timestamps as microseconds since 1970: parts, truncation, differences.

use jiff::Span;
use jiff::civil::{Date, DateTime, Time};

use super::operators::DAY_MICROS;

const EPOCH: Date = Date::constant(1970, 1, 1);

pub(crate) fn date(days: i64) -> Option<Date> {
    let days = i32::try_from(days).ok().filter(|days| days.abs() < 4_000_000)?;
    EPOCH.checked_add(Span::new().try_days(days).ok()?).ok()
}

pub(crate) fn days(date: Date) -> i64 {
    EPOCH.until(date).map_or(0, |span| i64::from(span.get_days()))
}

pub(crate) fn instant(micros: i64) -> Option<DateTime> {
    let date = date(micros.div_euclid(DAY_MICROS))?;
    let rest = micros.rem_euclid(DAY_MICROS);
    let seconds = i32::try_from(rest / 1_000_000).ok()?;
    let nanos = i32::try_from(rest % 1_000_000).ok()?.checked_mul(1000)?;
    let part = |value: i32| i8::try_from(value).ok();
    let time = Time::new(part(seconds / 3600)?, part(seconds / 60 % 60)?, part(seconds % 60)?, nanos).ok()?;
    Some(date.to_datetime(time))
}

/// Reads `2024-3-1`; what follows a space or `T` is ignored, as Databricks does.
pub(crate) fn parse_date(text: &str) -> Option<i64> {
    let text = text.trim();
    let text = text.split(['T', ' ']).next()?;
    let mut parts = text.split('-');
    let year = parts.next().filter(|year| year.len() == 4)?.parse().ok()?;
    let month = parts.next().map_or(Some(1), |part| part.parse().ok())?;
    let day = parts.next().map_or(Some(1), |part| part.parse().ok())?;
    if parts.next().is_some() {
        return None;
    }
    Date::new(year, month, day).ok().map(days)
}

/// Reads a date with an optional time and zone offset.
pub(crate) fn parse_timestamp(text: &str) -> Option<i64> {
    let text = text.trim();
    let Some((day, time)) = text.split_once(['T', ' ']) else {
        return parse_date(text)?.checked_mul(DAY_MICROS);
    };
    let (time, offset) = zone(time.trim())?;
    let mut parts = time.split(':');
    let hour: i64 = parts.next()?.parse().ok()?;
    let minute: i64 = parts.next().map_or(Some(0), |part| part.parse().ok())?;
    let (second, fraction) = parts.next().map_or(("0", ""), |part| part.split_once('.').unwrap_or((part, "")));
    let second: i64 = second.parse().ok()?;
    if parts.next().is_some() || !(0..24).contains(&hour) || !(0..60).contains(&minute) || !(0..60).contains(&second) {
        return None;
    }
    let fraction: i64 = format!("{fraction:0<6}").get(..6)?.parse().ok()?;
    let seconds = (hour * 60 + minute) * 60 + second - offset;
    parse_date(day)?.checked_mul(DAY_MICROS)?.checked_add(seconds * 1_000_000 + fraction)
}

/// Splits a zone off a time; its offset is in seconds.
fn zone(time: &str) -> Option<(&str, i64)> {
    if let Some(time) = time.strip_suffix('Z').or_else(|| time.strip_suffix(" UTC")) {
        return Some((time.trim_end(), 0));
    }
    match time.rfind(['+', '-']) {
        None => Some((time, 0)),
        Some(at) => {
            let (time, offset) = time.split_at_checked(at)?;
            let sign = if offset.starts_with('-') { -1 } else { 1 };
            let (hours, minutes) = offset.get(1..)?.split_once(':').unwrap_or((offset.get(1..)?, "0"));
            let (hours, minutes): (i64, i64) = (hours.parse().ok()?, minutes.parse().ok()?);
            Some((time.trim_end(), sign * (hours * 3600 + minutes * 60)))
        }
    }
}

/// As a cast to STRING writes it: a fraction only where there is one.
pub(crate) fn timestamp_text(micros: i64) -> Option<String> {
    let text = instant(micros)?.strftime("%Y-%m-%d %H:%M:%S").to_string();
    Some(match micros.rem_euclid(1_000_000) {
        0 => text,
        fraction => format!("{text}.{}", format!("{fraction:06}").trim_end_matches('0')),
    })
}

pub(crate) fn part(name: &str, micros: i64) -> Option<i64> {
    let at = instant(micros)?;
    Some(match name {
        "year" => at.year().into(),
        "quarter" => i64::from((at.month() + 2) / 3),
        "month" => at.month().into(),
        "day" => at.day().into(),
        "dayofweek" => i64::from(at.weekday().to_sunday_one_offset()),
        "weekday" => i64::from(at.weekday().to_monday_zero_offset()),
        "dayofyear" => at.day_of_year().into(),
        "yearofweek" => at.date().iso_week_date().year().into(),
        "dayofweek_iso" => i64::from(at.weekday().to_monday_one_offset()),
        "weekofyear" => at.date().iso_week_date().week().into(),
        "hour" => at.hour().into(),
        "minute" => at.minute().into(),
        "second" => at.second().into(),
        _ => return None,
    })
}

pub(crate) fn truncate(unit: &str, micros: i64) -> Option<i64> {
    let at = instant(micros)?;
    let (year, month) = (at.year(), at.month());
    let start = |year, month, day| Date::new(year, month, day).ok().map(|date| days(date) * DAY_MICROS);
    let down = |step: i64| Some(micros - micros.rem_euclid(step));
    match unit.to_lowercase().as_str() {
        "year" | "yyyy" | "yy" => start(year, 1, 1),
        "quarter" => start(year, (month - 1) / 3 * 3 + 1, 1),
        "month" | "mm" | "mon" => start(year, month, 1),
        "week" => Some((days(at.date()) - i64::from(at.weekday().to_monday_zero_offset())) * DAY_MICROS),
        "day" | "dd" => down(DAY_MICROS),
        "hour" => down(3_600_000_000),
        "minute" => down(60_000_000),
        "second" => down(1_000_000),
        "millisecond" => down(1000),
        "microsecond" => Some(micros),
        _ => None,
    }
}

pub(crate) fn instant_plus_months(micros: i64, months: i64) -> Option<i64> {
    let (at, rest) = (date(micros.div_euclid(DAY_MICROS))?, micros.rem_euclid(DAY_MICROS));
    days(add_months(at, months)?).checked_mul(DAY_MICROS)?.checked_add(rest)
}

pub(crate) fn add_months(date: Date, months: i64) -> Option<Date> {
    date.checked_add(Span::new().try_months(i32::try_from(months).ok()?).ok()?).ok()
}

/// Whole units from one instant to another.
pub(crate) fn difference(unit: &str, from: i64, to: i64) -> Option<i64> {
    // A month has passed once the day and time of the first instant come again, as Java counts.
    let months = || {
        let (a, b) = (instant(from)?, instant(to)?);
        let whole = (i64::from(b.year()) - i64::from(a.year())) * 12 + i64::from(b.month()) - i64::from(a.month());
        let (first, second) = ((a.day(), a.time()), (b.day(), b.time()));
        Some(if whole > 0 && second < first {
            whole - 1
        } else if whole < 0 && second > first {
            whole + 1
        } else {
            whole
        })
    };
    let span = to.checked_sub(from)?;
    match unit {
        "year" => Some(months()? / 12),
        "quarter" => Some(months()? / 3),
        "month" => months(),
        "week" => Some(span / (7 * DAY_MICROS)),
        "day" => Some(span / DAY_MICROS),
        "hour" => Some(span / 3_600_000_000),
        "minute" => Some(span / 60_000_000),
        "second" => Some(span / 1_000_000),
        "millisecond" => Some(span / 1000),
        "microsecond" => Some(span),
        _ => None,
    }
}

/// Months with a fraction over months of 31 days; whole between same days and last days.
pub(crate) fn months_between(end: i64, start: i64) -> Option<f64> {
    let (a, b) = (instant(end)?, instant(start)?);
    let whole =
        f64::from((i32::from(a.year()) - i32::from(b.year())) * 12 + i32::from(a.month()) - i32::from(b.month()));
    let last = |at: DateTime| at.date() == at.date().last_of_month();
    if a.day() == b.day() || (last(a) && last(b)) {
        return Some(whole);
    }
    let seconds = |at: DateTime| {
        f64::from(
            i32::from(at.day()) * 86_400
                + i32::from(at.hour()) * 3600
                + i32::from(at.minute()) * 60
                + i32::from(at.second()),
        )
    };
    Some(whole + (seconds(a) - seconds(b)) / (31.0 * 86_400.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let at = parse_timestamp("2024-02-29T23:59:58.25+01:00").unwrap();
        assert_eq!(timestamp_text(at).unwrap(), "2024-02-29 22:59:58.25");
        assert_eq!(parse_date("2024-13-01"), None);
        assert_eq!(part("dayofweek", at), Some(5));
        assert_eq!(truncate("week", at).and_then(timestamp_text).unwrap(), "2024-02-26 00:00:00");
        assert_eq!(date(days(Date::constant(1815, 12, 10))), Some(Date::constant(1815, 12, 10)));
        assert_eq!(timestamp_text(-1).unwrap(), "1969-12-31 23:59:59.999999");
    }
}
