//! Percent-encoding and instants as text.

use jiff::Timestamp;
use jiff::fmt::rfc2822::DateTimeParser;

/// Decodes `%XX`; what is not UTF-8 afterwards is replaced, a lone `%` is kept.
pub(crate) fn percent_decode(text: &str) -> String {
    let mut decoded = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(byte) = bytes.next() {
        let mut ahead = bytes.clone();
        match (byte, ahead.next().and_then(hex), ahead.next().and_then(hex)) {
            (b'%', Some(high), Some(low)) => {
                decoded.push(high * 16 + low);
                bytes = ahead;
            }
            _ => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

/// Encodes everything but what is never special in an address.
pub(crate) fn percent_encode(text: &str) -> String {
    let encoded = text.bytes().map(|byte| match byte {
        byte if byte.is_ascii_alphanumeric() || b"-_.~".contains(&byte) => char::from(byte).to_string(),
        byte => format!("%{byte:02X}"),
    });
    encoded.collect()
}

fn hex(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

pub(crate) fn parse_query(query: &str) -> Vec<(String, String)> {
    query
        .split('&')
        .filter(|pair| !pair.is_empty())
        .map(|pair| {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            (percent_decode(&name.replace('+', " ")), percent_decode(&value.replace('+', " ")))
        })
        .collect()
}

/// RFC 3339 in UTC with milliseconds.
pub(crate) fn rfc3339(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(instant) => instant.strftime("%Y-%m-%dT%H:%M:%S%.3fZ").to_string(),
        Err(_) => String::new(),
    }
}

/// `Mon, 02 Mar 2026 09:00:00 GMT`.
pub(crate) fn http_date(millis: i64) -> String {
    match Timestamp::from_millisecond(millis) {
        Ok(instant) => instant.strftime("%a, %d %b %Y %H:%M:%S GMT").to_string(),
        Err(_) => String::new(),
    }
}

/// The time of a header, in milliseconds.
pub(crate) fn parse_http_date(text: &str) -> Option<i64> {
    let instant = DateTimeParser::new().parse_timestamp(text).ok()?;
    Some(instant.as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_headers_are_read_as_written() {
        assert_eq!(parse_http_date(&http_date(1_772_442_000_000)), Some(1_772_442_000_000));
        assert_eq!(parse_http_date("yesterday"), None);
    }

    #[test]
    fn decodes_what_is_encoded_and_keeps_what_is_not() {
        assert_eq!(percent_decode("a%20b%2Fc%"), "a b/c%");
        assert_eq!(percent_decode("%zz%4"), "%zz%4");
        assert_eq!(percent_decode("/Users/%C3%A9%20x/%23%3F"), "/Users/é x/#?");
        assert_eq!(
            parse_query("a=b+c&d&e=%26"),
            [("a".into(), "b c".into()), ("d".into(), String::new()), ("e".into(), "&".into())]
        );
    }

    #[test]
    fn writes_instants() {
        assert_eq!(rfc3339(crate::DEFAULT_EPOCH_MILLIS), "2026-03-02T09:00:00.000Z");
        assert_eq!(http_date(crate::DEFAULT_EPOCH_MILLIS), "Mon, 02 Mar 2026 09:00:00 GMT");
    }
}
