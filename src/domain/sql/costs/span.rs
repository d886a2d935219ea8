//! The period whose costs a call asks for.

use jiff::civil::Date;
use serde_json::Value;

use crate::domain::sql::costs::Period;
use crate::error::Error;
use crate::shape;

/// Days back where the call names none.
const DEFAULT_DAYS: u32 = 30;
/// A longer time than this the system tables need not keep.
const MOST_DAYS: u32 = 365;

/// A span of days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    /// So many days back from today, by the clock of the warehouse.
    Back(u32),
    /// From one day to another, both included; without an end, to today.
    Dates(Date, Option<Date>),
}

impl Span {
    /// The span that a call asks for in one of three ways.
    pub(super) fn of(period: &Period) -> Result<Self, Error> {
        let Period { days, month, start_date, end_date, .. } = period;
        match (days, month, start_date, end_date) {
            (days, None, None, None) => Ok(Self::Back(days.unwrap_or(DEFAULT_DAYS).min(MOST_DAYS))),
            (None, Some(month), None, None) => {
                let first = date("month", "2026-01", month, &format!("{month}-01"))?;
                Ok(Self::Dates(first, Some(first.last_of_month())))
            }
            (None, None, Some(start), end) => {
                let start = date("start_date", "2026-01-31", start, start)?;
                let end = end.as_ref().map(|end| date("end_date", "2026-01-31", end, end)).transpose()?;
                if end.is_some_and(|end| end < start) {
                    return Err(Error::failed("`end_date` is before `start_date`"));
                }
                Ok(Self::Dates(start, end))
            }
            _ => Err(Error::failed("the period is given in more than one way, or has no start")
                .with_hint("give `days`, or `month`, or `start_date` with or without `end_date`")),
        }
    }

    /// What holds for the column `usage_date` within the span.
    pub(super) fn condition(self) -> String {
        match self {
            Self::Back(days) => format!("u.usage_date >= date_sub(current_date(), {days})"),
            Self::Dates(start, None) => format!("u.usage_date >= DATE'{start}'"),
            Self::Dates(start, Some(end)) => format!("u.usage_date BETWEEN DATE'{start}' AND DATE'{end}'"),
        }
    }

    /// Says in an answer which days it is about.
    pub(super) fn put(self, answer: &mut Value) {
        match self {
            Self::Back(days) => shape::put(answer, "days", days),
            Self::Dates(start, end) => {
                shape::put(answer, "start_date", start.to_string());
                if let Some(end) = end {
                    shape::put(answer, "end_date", end.to_string());
                }
            }
        }
    }
}

/// The date of an argument. Only dates go into SQL, whatever text was given.
fn date(name: &str, example: &str, given: &str, text: &str) -> Result<Date, Error> {
    let is_plain = text.len() == "2026-01-31".len();
    text.parse().ok().filter(|_| is_plain).ok_or_else(|| {
        let given: String = given.chars().take(60).collect();
        Error::failed(format!("`{name}` is `{given}`, which does not exist or has another form"))
            .with_hint(format!("write it as `{example}`"))
    })
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::{Period, Span};

    fn of(period: Value) -> Result<Span, String> {
        let period: Period = serde_json::from_value(period).expect("a period");
        Span::of(&period).map_err(|error| error.to_string())
    }

    #[test]
    fn a_month_has_all_its_days() {
        let condition = |period| of(period).expect("a span").condition();
        assert_eq!(
            condition(json!({ "month": "2024-02" })),
            "u.usage_date BETWEEN DATE'2024-02-01' AND DATE'2024-02-29'"
        );
        assert_eq!(
            condition(json!({ "start_date": "2026-01-31", "end_date": "2026-01-31" })),
            "u.usage_date BETWEEN DATE'2026-01-31' AND DATE'2026-01-31'"
        );
        assert_eq!(condition(json!({ "start_date": "2025-12-01" })), "u.usage_date >= DATE'2025-12-01'");
        assert_eq!(condition(json!({})), "u.usage_date >= date_sub(current_date(), 30)");
        assert_eq!(condition(json!({ "days": 7 })), "u.usage_date >= date_sub(current_date(), 7)");
    }

    #[test]
    fn what_is_no_period_is_refused() {
        for (period, expected) in [
            (json!({ "month": "2026-13" }), "write it as `2026-01`"),
            (json!({ "month": "January" }), "write it as `2026-01`"),
            (json!({ "month": "2026-1" }), "write it as `2026-01`"),
            (json!({ "start_date": "2026-02-30" }), "write it as `2026-01-31`"),
            (json!({ "start_date": "2026-01-31' OR 1" }), "write it as `2026-01-31`"),
            (json!({ "start_date": "2026-01-31T10:00:00" }), "write it as `2026-01-31`"),
            (json!({ "end_date": "2026-01-31" }), "`start_date`"),
            (json!({ "days": 7, "month": "2026-01" }), "more than one way"),
            (json!({ "start_date": "2026-02-01", "end_date": "2026-01-31" }), "is before"),
        ] {
            let error = of(period.clone()).expect_err("no period");
            assert!(error.contains(expected), "{period}: {error}");
        }
    }
}
