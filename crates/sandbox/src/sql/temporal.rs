//! Dates as days and timestamps as microseconds since 1970: parts, truncation, patterns.

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

pub(crate) fn add_months(date: Date, months: i64) -> Option<Date> {
    date.checked_add(Span::new().try_months(i32::try_from(months).ok()?).ok()?).ok()
}

/// Whole units from one instant to another.
pub(crate) fn difference(unit: &str, from: i64, to: i64) -> Option<i64> {
    let months = || {
        let (a, b) = (instant(from)?, instant(to)?);
        let whole = (i64::from(b.year()) - i64::from(a.year())) * 12 + i64::from(b.month()) - i64::from(a.month());
        // The last month counts once it is complete.
        let reached = a.checked_add(Span::new().try_months(i32::try_from(whole).ok()?).ok()?).ok()?;
        Some(if whole > 0 && reached > b {
            whole - 1
        } else if whole < 0 && reached < b {
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
    let value = whole + (seconds(a) - seconds(b)) / (31.0 * 86_400.0);
    Some((value * 1e8).round() / 1e8)
}

/// Splits a pattern like `yyyy-MM-dd'T'HH:mm` into runs of one letter and literal text.
fn runs(pattern: &str) -> Vec<(Option<char>, String)> {
    let mut runs: Vec<(Option<char>, String)> = Vec::new();
    let mut quoted = false;
    for letter in pattern.chars() {
        if letter == '\'' {
            quoted = !quoted;
            continue;
        }
        let kind = (letter.is_ascii_alphabetic() && !quoted).then_some(letter);
        match runs.last_mut() {
            Some((last, run)) if *last == kind => run.push(letter),
            _ => runs.push((kind, letter.to_string())),
        }
    }
    runs
}

/// Writes an instant by a pattern; `None` for a letter that is not known.
pub(crate) fn format(micros: i64, pattern: &str) -> Option<String> {
    let at = instant(micros)?;
    let mut text = String::new();
    for (letter, run) in runs(pattern) {
        let width = run.len();
        let number = |value: i64| format!("{value:0width$}");
        let piece = match letter {
            None => run,
            Some('y' | 'u') if width == 2 => format!("{:02}", at.year() % 100),
            Some('y' | 'u') => number(at.year().into()),
            Some('M' | 'L') if width >= 4 => at.strftime("%B").to_string(),
            Some('M' | 'L') if width == 3 => at.strftime("%b").to_string(),
            Some('M' | 'L') => number(at.month().into()),
            Some('d') => number(at.day().into()),
            Some('D') => number(at.day_of_year().into()),
            Some('H') => number(at.hour().into()),
            Some('h') => number(i64::from((at.hour() + 11) % 12 + 1)),
            Some('m') => number(at.minute().into()),
            Some('s') => number(at.second().into()),
            Some('S') => format!("{:06}000", micros.rem_euclid(1_000_000)).get(..width.min(9))?.to_owned(),
            Some('a') => if at.hour() < 12 { "AM" } else { "PM" }.to_owned(),
            Some('E') if width >= 4 => at.strftime("%A").to_string(),
            Some('E') => at.strftime("%a").to_string(),
            Some('Q' | 'q') => number(i64::from((at.month() + 2) / 3)),
            Some(_) => return None,
        };
        text.push_str(&piece);
    }
    Some(text)
}

/// Reads an instant by a pattern of `y M d H m s S` and literal text.
pub(crate) fn parse(text: &str, pattern: &str) -> Option<i64> {
    let (mut year, mut month, mut day, mut fraction) = (1970_i16, 1_i8, 1_i8, 0_i64);
    let (mut hour, mut minute, mut second) = (0_i64, 0_i64, 0_i64);
    let mut rest = text;
    for (letter, run) in runs(pattern) {
        let Some(letter) = letter else {
            rest = rest.strip_prefix(run.as_str())?;
            continue;
        };
        let longest = if run.len() == 1 { 2 } else { run.len() };
        let digits = rest.bytes().take(longest).take_while(u8::is_ascii_digit).count();
        let (value, after) = rest.split_at_checked(digits)?;
        rest = after;
        match letter {
            'y' | 'u' => year = value.parse().ok()?,
            'M' => month = value.parse().ok()?,
            'd' => day = value.parse().ok()?,
            'H' => hour = value.parse().ok().filter(|hour| *hour < 24)?,
            'm' => minute = value.parse().ok().filter(|minute| *minute < 60)?,
            's' => second = value.parse().ok().filter(|second| *second < 60)?,
            'S' => fraction = format!("{value:0<6}").get(..6)?.parse().ok()?,
            _ => return None,
        }
    }
    if !rest.is_empty() {
        return None;
    }
    let date = Date::new(year, month, day).ok()?;
    Some(days(date) * DAY_MICROS + ((hour * 60 + minute) * 60 + second) * 1_000_000 + fraction)
}

/// Whether [`parse`] knows every letter of the pattern.
pub(crate) fn parses(pattern: &str) -> bool {
    runs(pattern).iter().all(|(letter, run)| match letter {
        Some('M') => run.len() <= 2,
        Some(letter) => "yudHmsS".contains(*letter),
        None => true,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_and_writes() {
        let at = parse_timestamp("2024-02-29T23:59:58.25+01:00").unwrap();
        assert_eq!(timestamp_text(at).unwrap(), "2024-02-29 22:59:58.25");
        assert_eq!(format(at, "yyyy/MM/dd'T'HH:mm EEE h a Q SSS").unwrap(), "2024/02/29T22:59 Thu 10 PM 1 250");
        assert_eq!(
            parse("29.02.2024 07:05", "dd.MM.yyyy HH:mm").and_then(timestamp_text).unwrap(),
            "2024-02-29 07:05:00"
        );
        assert_eq!(parse_date("2024-13-01"), None);
        assert_eq!(part("dayofweek", at), Some(5));
        assert_eq!(truncate("week", at).and_then(timestamp_text).unwrap(), "2024-02-26 00:00:00");
        assert_eq!(date(days(Date::constant(1815, 12, 10))), Some(Date::constant(1815, 12, 10)));
        assert_eq!(timestamp_text(-1).unwrap(), "1969-12-31 23:59:59.999999");
    }
}
