//! An access token and when it ends, read from the answers of identity providers.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::error::Error;
use crate::secret::Secret;

/// A token as it was given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Token {
    pub(crate) access: Secret,
    /// `None`: it does not end.
    pub(crate) expiry: Option<SystemTime>,
    /// What gets the next token without asking the user.
    pub(crate) refresh: Option<Secret>,
}

impl Token {
    /// Reads an OAuth token answer that was asked for at `asked`. Both `expires_in` and `expires_on` occur, each as a
    /// number or as text.
    pub(crate) fn read(answer: &Value, asked: SystemTime) -> Result<Token, Error> {
        let lifetime = seconds(answer, "expires_in").map(|lifetime| asked.checked_add(lifetime));
        let end = seconds(answer, "expires_on").map(|end| SystemTime::UNIX_EPOCH.checked_add(end));
        Ok(Token {
            access: text(answer, "access_token")?,
            expiry: lifetime.or(end).flatten(),
            refresh: text(answer, "refresh_token").ok(),
        })
    }

    /// A JSON web token, whose own claim says when it ends.
    pub(crate) fn from_jwt(jwt: Secret) -> Token {
        Token { expiry: jwt_expiry(&jwt), access: jwt, refresh: None }
    }
}

/// A text member that must be there. The answer is never part of the error: it may hold a token.
pub(crate) fn text(answer: &Value, member: &str) -> Result<Secret, Error> {
    match answer.get(member).and_then(Value::as_str) {
        Some(text) if !text.is_empty() => Ok(text.into()),
        _ => Err(Error::credentials(format!("the answer has no `{member}`"))),
    }
}

fn seconds(answer: &Value, member: &str) -> Option<Duration> {
    let seconds = match answer.get(member)? {
        Value::Number(number) => number.as_f64()?,
        Value::String(text) => text.trim().parse().ok()?,
        _ => return None,
    };
    Duration::try_from_secs_f64(seconds).ok()
}

/// The `exp` claim, not verified: the service does that.
pub(crate) fn jwt_expiry(jwt: &Secret) -> Option<SystemTime> {
    let payload = jwt.expose().split('.').nth(1)?;
    let claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?).ok()?;
    SystemTime::UNIX_EPOCH.checked_add(seconds(&claims, "exp")?)
}

/// A point in time as programs and services write it: RFC 3339, or without a zone, which then means UTC.
pub(crate) fn parse_time(text: &str) -> Option<SystemTime> {
    let text = text.trim();
    if let Ok(time) = text.parse::<jiff::Timestamp>() {
        return Some(time.into());
    }
    let time = text.parse::<jiff::civil::DateTime>().ok()?;
    Some(time.to_zoned(jiff::tz::TimeZone::UTC).ok()?.timestamp().into())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn at(seconds: u64) -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_secs(seconds)
    }

    #[test]
    fn every_form_of_expiry_is_read() {
        for (answer, expected) in [
            (json!({"access_token": "t", "expires_in": 60}), Some(at(1_060))),
            (json!({"access_token": "t", "expires_in": "60"}), Some(at(1_060))),
            (json!({"access_token": "t", "expires_on": 5_000}), Some(at(5_000))),
            (json!({"access_token": "t", "expires_on": "5000"}), Some(at(5_000))),
            (json!({"access_token": "t", "expires_in": 60, "expires_on": 5_000}), Some(at(1_060))),
            (json!({"access_token": "t", "expires_in": null}), None),
            (json!({"access_token": "t", "expires_in": -1}), None),
            (json!({"access_token": "t", "expires_in": 1e300}), None),
        ] {
            assert_eq!(Token::read(&answer, at(1_000)).unwrap().expiry, expected, "{answer}");
        }
    }

    #[test]
    fn an_answer_without_a_token_is_not_shown() {
        for answer in [json!({"token": "secret"}), json!({"access_token": ""}), json!(["secret"])] {
            let error = Token::read(&answer, at(0)).unwrap_err();
            assert_eq!(error.to_string(), "the answer has no `access_token`");
        }
    }

    #[test]
    fn times_are_read() {
        for (text, expected) in [
            ("2024-03-20T10:30:00Z", Some(at(1_710_930_600))),
            ("2024-03-20T11:30:00.0+01:00", Some(at(1_710_930_600))),
            ("2024-03-20 10:30:00", Some(at(1_710_930_600))),
            ("2024-03-20 10:30:00.000000", Some(at(1_710_930_600))),
            ("tomorrow", None),
        ] {
            assert_eq!(parse_time(text), expected, "{text}");
        }
    }

    #[test]
    fn a_jwt_tells_its_end() {
        let payload = URL_SAFE_NO_PAD.encode(json!({"exp": 5_000}).to_string());
        assert_eq!(Token::from_jwt(format!("h.{payload}.s").into()).expiry, Some(at(5_000)));
        assert_eq!(Token::from_jwt("opaque".into()).expiry, None);
    }
}
