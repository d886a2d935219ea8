//! The service's clock, as its answers show it: this machine's clock may be wrong.

use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use http::HeaderMap;
use http::header::DATE;

/// What time it was there, and when that was told.
#[derive(Debug, Default)]
pub(crate) struct Clock {
    told: Mutex<Option<(SystemTime, Instant)>>,
}

impl Clock {
    /// Takes note of the time that an answer tells.
    pub(crate) fn hear(&self, headers: &HeaderMap) {
        let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
        if let Some(date) = date {
            *self.told.lock().unwrap_or_else(PoisonError::into_inner) = Some((date, Instant::now()));
        }
    }

    /// What time it is there.
    pub(crate) fn now(&self) -> Option<SystemTime> {
        let (date, told) = (*self.told.lock().unwrap_or_else(PoisonError::into_inner))?;
        date.checked_add(told.elapsed())
    }
}
