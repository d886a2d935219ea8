//! Datetime patterns, as `yyyy-MM-dd'T'HH:mm`: writing instants by them, and reading.

use jiff::civil::Date;

use super::operators::DAY_MICROS;
use super::temporal::{days, instant};

const MONTHS: [&str; 12] = [
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
];

/// Splits a pattern into runs of one letter, and literal text.
fn runs(pattern: &str) -> Vec<(Option<char>, String)> {
    let mut runs: Vec<(Option<char>, String)> = Vec::new();
    let mut quoted = false;
    let mut letters = pattern.chars().peekable();
    while let Some(letter) = letters.next() {
        let is_quote = letter == '\'' && letters.next_if_eq(&'\'').is_some();
        if letter == '\'' && !is_quote {
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
        let most = |most: usize| (width <= most).then_some(());
        let piece = match letter {
            None => run,
            Some('y') if width == 2 => format!("{:02}", at.year() % 100),
            Some('y') => number(at.year().into()),
            Some('M' | 'L') if width == 4 => at.strftime("%B").to_string(),
            Some('M' | 'L') if width == 3 => at.strftime("%b").to_string(),
            Some('M' | 'L') => most(2).map(|()| number(at.month().into()))?,
            Some('d') => most(2).map(|()| number(at.day().into()))?,
            Some('D') => most(3).map(|()| number(at.day_of_year().into()))?,
            Some('H') => most(2).map(|()| number(at.hour().into()))?,
            Some('k') => most(2).map(|()| number(if at.hour() == 0 { 24 } else { at.hour().into() }))?,
            Some('K') => most(2).map(|()| number(i64::from(at.hour() % 12)))?,
            Some('h') => most(2).map(|()| number(i64::from((at.hour() + 11) % 12 + 1)))?,
            Some('m') => most(2).map(|()| number(at.minute().into()))?,
            Some('s') => most(2).map(|()| number(at.second().into()))?,
            Some('S') => format!("{:06}000", micros.rem_euclid(1_000_000)).get(..width.min(9))?.to_owned(),
            Some('a') => most(1).map(|()| if at.hour() < 12 { "AM" } else { "PM" })?.to_owned(),
            Some('E') if width == 4 => at.strftime("%A").to_string(),
            Some('E') => most(3).map(|()| at.strftime("%a").to_string())?,
            Some('Q' | 'q') => most(2).map(|()| number(i64::from((at.month() + 2) / 3)))?,
            Some('G') => most(3).map(|()| "AD".to_owned())?,
            // The session is in UTC.
            Some('z') => most(3).map(|()| "UTC".to_owned())?,
            Some('V') => (width == 2).then(|| "Etc/UTC".to_owned())?,
            Some('X') => most(3).map(|()| "Z".to_owned())?,
            Some('x') if width == 3 => "+00:00".to_owned(),
            Some('x') if width == 1 => "+00".to_owned(),
            Some('x') if width == 2 => "+0000".to_owned(),
            Some('Z') => most(3).map(|()| "+0000".to_owned())?,
            Some(_) => return None,
        };
        text.push_str(&piece);
    }
    Some(text)
}

/// What has been read of an instant.
#[derive(Default)]
struct Read {
    year: Option<i16>,
    month: Option<i8>,
    day: Option<i8>,
    hour: i64,
    /// Of twelve hours, and whether they are those after noon.
    half: Option<i64>,
    noon: bool,
    minute: i64,
    second: i64,
    fraction: i64,
    offset: i64,
}

impl Read {
    /// Takes what a run of a letter stands for off the text, and gives the rest.
    fn take<'a>(&mut self, letter: char, width: usize, text: &'a str) -> Option<&'a str> {
        match letter {
            'M' | 'L' if width >= 3 => {
                let name = |month: &&str| {
                    if width == 3 { month.get(..3).unwrap_or_default().to_owned() } else { (*month).to_owned() }
                };
                let (index, name) =
                    MONTHS.iter().map(name).enumerate().find(|(_, name)| text.starts_with(name.as_str()))?;
                self.month = i8::try_from(index + 1).ok();
                return text.strip_prefix(name.as_str());
            }
            'a' => {
                self.noon = text.starts_with("PM");
                return text.strip_prefix("PM").or_else(|| text.strip_prefix("AM"));
            }
            'X' | 'x' | 'Z' | 'z' | 'V' => return self.zone(text),
            _ => {}
        }
        // A single letter takes as many digits as there are, more letters exactly theirs.
        let longest = match (letter, width) {
            ('y', 1) => 4,
            (_, 1) => 2,
            (_, width) => width,
        };
        let digits = text.bytes().take(longest).take_while(u8::is_ascii_digit).count();
        if digits == 0 || (width > 1 && letter != 'S' && digits != width) {
            return None;
        }
        let (value, rest) = text.split_at_checked(digits)?;
        let number: i64 = value.parse().ok()?;
        let below = |most: i64| Some(number).filter(|number| *number < most);
        match letter {
            'y' if width == 2 => self.year = i16::try_from(2000 + number).ok(),
            'y' => self.year = i16::try_from(number).ok(),
            'M' | 'L' => self.month = i8::try_from(number).ok(),
            'd' => self.day = i8::try_from(number).ok(),
            'H' => self.hour = below(24)?,
            'h' => self.half = Some(below(13).filter(|hour| *hour > 0)? % 12),
            'm' => self.minute = below(60)?,
            's' => self.second = below(60)?,
            'S' => self.fraction = format!("{value:0<6}").get(..6)?.parse().ok()?,
            _ => return None,
        }
        Some(rest)
    }

    /// `Z`, `UTC` or an offset.
    fn zone<'a>(&mut self, text: &'a str) -> Option<&'a str> {
        for name in ["UTC", "GMT", "Etc/UTC", "Z"] {
            if let Some(rest) = text.strip_prefix(name) {
                return Some(rest);
            }
        }
        let sign = match text.chars().next()? {
            '+' => 1,
            '-' => -1,
            _ => return None,
        };
        let (hours, rest) = text.get(1..)?.split_at_checked(2)?;
        let rest = rest.strip_prefix(':').unwrap_or(rest);
        let minutes = rest.get(..2).filter(|minutes| minutes.bytes().all(|byte| byte.is_ascii_digit()));
        let rest = if minutes.is_some() { rest.get(2..)? } else { rest };
        let hours: i64 = hours.parse().ok()?;
        self.offset = sign * (hours * 3600 + minutes.map_or(Some(0), |minutes| minutes.parse::<i64>().ok())? * 60);
        Some(rest)
    }
}

/// Reads an instant by a pattern.
pub(crate) fn parse(text: &str, pattern: &str) -> Option<i64> {
    let mut read = Read::default();
    let mut rest = text;
    for (letter, run) in runs(pattern) {
        rest = match letter {
            Some(letter) => read.take(letter, run.len(), rest)?,
            None => rest.strip_prefix(run.as_str())?,
        };
    }
    if !rest.is_empty() {
        return None;
    }
    let date = Date::new(read.year.unwrap_or(1970), read.month.unwrap_or(1), read.day.unwrap_or(1)).ok()?;
    let hour = read.half.map_or(read.hour, |half| half + if read.noon { 12 } else { 0 });
    let seconds = (hour * 60 + read.minute) * 60 + read.second - read.offset;
    Some(days(date) * DAY_MICROS + seconds * 1_000_000 + read.fraction)
}

/// Whether [`parse`] knows every letter of the pattern.
pub(crate) fn parses(pattern: &str) -> bool {
    runs(pattern).iter().all(|(letter, run)| match letter {
        Some('M' | 'L') => run.len() <= 4,
        Some('y') => matches!(run.len(), 1 | 2 | 4),
        Some('S') => run.len() <= 9,
        Some(letter) => "dHhmsaXxZzV".contains(*letter) && run.len() <= 3,
        // An optional part in brackets.
        None => !run.contains(['[', ']']),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sql::temporal::{parse_timestamp, timestamp_text};

    #[test]
    fn reads_what_it_writes() {
        let at = parse_timestamp("2024-02-29T23:59:58.25+01:00").unwrap();
        assert_eq!(format(at, "yyyy/MM/dd'T'HH:mm EEE h a Q SSS").unwrap(), "2024/02/29T22:59 Thu 10 PM 1 250");
        let read = |text, pattern| parse(text, pattern).and_then(timestamp_text);
        assert_eq!(read("29.02.2024 07:05", "dd.MM.yyyy HH:mm").unwrap(), "2024-02-29 07:05:00");
        assert_eq!(read("3/1/24 3:04 PM", "M/d/yy h:mm a").unwrap(), "2024-03-01 15:04:00");
        assert_eq!(read("01 Mar 2024 12:00 +02:00", "dd MMM yyyy HH:mm XXX").unwrap(), "2024-03-01 10:00:00");
        assert_eq!(read("1/2/2024", "dd/MM/yyyy"), None);
    }
}
