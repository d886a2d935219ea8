//! Times as callers give them.

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;

/// Reads ISO 8601, in UTC where it names no zone, a date, or milliseconds since 1970.
pub(crate) fn read(text: &str) -> Option<Timestamp> {
    let text = text.trim();
    if let Ok(milliseconds) = text.parse() {
        return Timestamp::from_millisecond(milliseconds).ok();
    }
    let of_day = || text.parse::<Date>().ok().map(|date| date.to_datetime(Time::midnight()));
    let in_utc = |time: DateTime| time.to_zoned(TimeZone::UTC).ok().map(|time| time.timestamp());
    text.parse().ok().or_else(|| text.parse().ok().or_else(of_day).and_then(in_utc))
}

#[cfg(test)]
mod tests {
    use super::read;

    #[test]
    fn every_usual_form_is_read() {
        for text in [
            "2026-02-28T06:00:00Z",
            "2026-02-28T07:00:00+01:00",
            "2026-02-28T06:00:00",
            "2026-02-28 06:00",
            "1772258400000",
        ] {
            assert_eq!(read(text).map(|time| time.as_millisecond()), Some(1_772_258_400_000), "{text}");
        }
        assert_eq!(read("2026-02-28").map(|time| time.as_millisecond()), Some(1_772_236_800_000));
        for text in ["", "yesterday", "2026-02-30", "99999999999999999999"] {
            assert_eq!(read(text), None, "{text}");
        }
    }
}
