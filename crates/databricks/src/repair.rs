//! Replaces what makes a JSON text invalid, so that one odd value in one item does not make a whole list unreadable.
//! Each replacement is noted.

use std::str;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";
/// A number with fewer digits and no exponent is read as it is.
const LONG_NUMBER: usize = 20;
/// So many replacements are noted one by one.
const MOST_NOTES: usize = 5;

/// A JSON text in which everything can be read, and what was replaced for that.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Repaired {
    pub(crate) bytes: Vec<u8>,
    pub(crate) notes: Vec<String>,
}

/// Replaces what no JSON text may hold: halves of surrogate pairs and bytes that are not UTF-8 by `U+FFFD`, numbers beyond
/// every float and those that are none (`NaN`, `Infinity`) by their text, control characters in strings by their escapes,
/// others by blanks, and the backslash of an unknown escape by one that stands for itself. `None` where there is nothing
/// to replace.
pub(crate) fn repair(bytes: &[u8]) -> Option<Repaired> {
    let marked = bytes.strip_prefix(BYTE_ORDER_MARK);
    let text = marked.unwrap_or(bytes);
    let valid = str::from_utf8(text);
    if marked.is_none() && valid.is_ok() && !is_suspicious(text) {
        return None;
    }
    let mut notes = Vec::new();
    if valid.is_err() {
        notes.push("bytes that are not UTF-8".to_owned());
    }
    let text = String::from_utf8_lossy(text);
    let mut scanner = Scanner { text: &text, at: 0, written: String::with_capacity(text.len()), field: "", notes };
    scanner.run();
    let Scanner { written, notes, .. } = scanner;
    (marked.is_some() || !notes.is_empty()).then(|| Repaired { bytes: written.into_bytes(), notes })
}

/// Whether there may be anything to replace. Most texts hold nothing of the kind, and this pass is much faster than the one
/// that replaces.
fn is_suspicious(text: &[u8]) -> bool {
    let (mut is_in_text, mut digits) = (false, 0);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => is_in_text = !is_in_text,
            b'\\' => match bytes.next() {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => {}
                Some(b'u') if !matches!(bytes.as_slice(), [b'd' | b'D', ..]) && is_unit(bytes.as_slice()) => {}
                _ => return true,
            },
            0..=0x1F if is_in_text || !byte.is_ascii_whitespace() => return true,
            _ if is_in_text => {}
            // The letters of `NaN` and `Infinity`; those of `null`, `true` and `false` are small.
            b'N' | b'I' => return true,
            b'0'..=b'9' | b'.' | b'-' => {
                digits += 1;
                if digits >= LONG_NUMBER {
                    return true;
                }
                continue;
            }
            // An exponent: the letters of `true` and `false` follow no digit.
            b'e' | b'E' if digits > 0 => return true,
            _ => {}
        }
        digits = 0;
    }
    false
}

/// Whether a text begins with the four digits of an escape.
fn is_unit(text: &[u8]) -> bool {
    text.get(..4).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
}

/// Whether a byte is a control character that no JSON text may hold anywhere.
fn is_control(byte: u8) -> bool {
    byte < 0x20 && !matches!(byte, b'\t' | b'\n' | b'\r')
}

struct Scanner<'a> {
    text: &'a str,
    at: usize,
    written: String,
    /// The name of the field that was begun last.
    field: &'a str,
    notes: Vec<String>,
}

impl<'a> Scanner<'a> {
    fn run(&mut self) {
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => self.string(),
                b'N' | b'I' | b'-' | b'0'..=b'9' => self.number(),
                byte if is_control(byte) => self.replace(1, " ", "a control character"),
                _ => {
                    self.copy_until(|byte| matches!(byte, b'"' | b'-' | b'0'..=b'9' | b'N' | b'I') || is_control(byte))
                }
            }
        }
    }

    fn peek(&self, ahead: usize) -> Option<u8> {
        self.text.as_bytes().get(self.at + ahead).copied()
    }

    /// Copies at least one byte, and all up to the next that is meant.
    fn copy_until(&mut self, is_end: impl Fn(u8) -> bool) {
        let rest = self.text.as_bytes().get(self.at + 1..).unwrap_or_default();
        let length = 1 + rest.iter().position(|byte| is_end(*byte)).unwrap_or(rest.len());
        self.copy(length);
    }

    fn copy(&mut self, length: usize) {
        let end = self.text.len().min(self.at + length);
        self.written.push_str(self.text.get(self.at..end).unwrap_or_default());
        self.at = end;
    }

    fn string(&mut self) {
        self.copy(1);
        let start = self.at;
        while let Some(byte) = self.peek(0) {
            match byte {
                b'"' => break,
                b'\\' => self.escape(),
                0..=0x1F => self.replace(1, &format!("\\u{byte:04x}"), "a control character that is not escaped"),
                _ => self.copy_until(|byte| matches!(byte, b'"' | b'\\' | 0..=0x1F)),
            }
        }
        let content = self.text.get(start..self.at).unwrap_or_default();
        self.copy(1);
        let after = self.text.get(self.at..).unwrap_or_default();
        if after.trim_start().starts_with(':') {
            self.field = content;
        }
    }

    fn escape(&mut self) {
        match (self.unit(0), self.unit(6)) {
            (Some(0xD800..=0xDBFF), Some(0xDC00..=0xDFFF)) => self.copy(12),
            (Some(0xD800..=0xDFFF), _) => self.replace(6, "\\ufffd", "half of a surrogate pair"),
            (Some(_), _) => self.copy(6),
            (None, _) => match self.peek(1) {
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.copy(2),
                _ => self.replace(1, "\\\\", "an escape that JSON does not have"),
            },
        }
    }

    /// Writes another text in the place of the next bytes.
    fn replace(&mut self, length: usize, by: &str, what: &str) {
        self.written.push_str(by);
        self.at += length;
        self.note(what);
    }

    /// The UTF-16 unit of an escape.
    fn unit(&self, ahead: usize) -> Option<u16> {
        let start = self.at + ahead;
        let digits = self.text.get(start..start + 6)?.strip_prefix("\\u")?;
        u16::from_str_radix(digits, 16).ok().filter(|_| is_unit(digits.as_bytes()))
    }

    fn number(&mut self) {
        let rest = self.text.get(self.at..).unwrap_or_default();
        if let Some(number) = ["NaN", "Infinity", "-Infinity"].into_iter().find(|number| rest.starts_with(number)) {
            return self.replace(
                number.len(),
                &format!("\"{number}\""),
                "a number that JSON does not have, given as text",
            );
        }
        let rest = self.text.as_bytes().get(self.at..).unwrap_or_default();
        let is_part = |byte: &u8| matches!(byte, b'0'..=b'9' | b'+' | b'-' | b'.' | b'e' | b'E');
        let length = rest.iter().position(|byte| !is_part(byte)).unwrap_or(rest.len());
        let number = self.text.get(self.at..self.at + length).unwrap_or_default();
        let is_integer = number.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'-'));
        let is_exact = || number.parse::<u64>().is_ok() || number.parse::<i64>().is_ok();
        let is_out_of_range = number.parse::<f64>().is_ok_and(|read| read.is_infinite() || (is_integer && !is_exact()));
        if is_out_of_range {
            self.replace(length, &format!("\"{number}\""), "a number out of range, given as text");
        } else {
            // At least the letter that only seemed to begin a number.
            self.copy(length.max(1));
        }
    }

    fn note(&mut self, what: &str) {
        if self.notes.len() < MOST_NOTES {
            let place = if self.field.is_empty() { String::new() } else { format!(" in `{}`", self.field) };
            self.notes.push(format!("{what}{place}"));
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::repair;

    #[track_caller]
    fn check(bytes: &[u8], expected: &Value, notes: &[&str]) {
        let repaired = repair(bytes).unwrap();
        let value: Value = serde_json::from_slice(&repaired.bytes).unwrap();
        assert_eq!((&value, repaired.notes), (expected, notes.iter().map(|note| (*note).to_owned()).collect()));
    }

    #[test]
    fn what_no_json_holds_is_replaced_and_noted() {
        check(br#"[{"name":"a\ud83d"}]"#, &json!([{ "name": "a\u{fffd}" }]), &["half of a surrogate pair in `name`"]);
        check(br#"{"n": "\udc00\ud83d\ude00"}"#, &json!({ "n": "\u{fffd}😀" }), &["half of a surrogate pair in `n`"]);
        check(b"{\"name\":\"a\xff\"}", &json!({ "name": "a\u{fffd}" }), &["bytes that are not UTF-8"]);
        check(b"\xef\xbb\xbf{\"a\":1}", &json!({ "a": 1 }), &[]);
        check(
            br#"{"size" : 1e400, "n": -1E+999}"#,
            &json!({ "size": "1e400", "n": "-1E+999" }),
            &["a number out of range, given as text in `size`", "a number out of range, given as text in `n`"],
        );
        check(
            br#"[{"a": NaN, "b": -Infinity, "c": [Infinity,1]}]"#,
            &json!([{ "a": "NaN", "b": "-Infinity", "c": ["Infinity", 1] }]),
            &["a", "b", "c"]
                .map(|field| format!("a number that JSON does not have, given as text in `{field}`"))
                .each_ref()
                .map(String::as_str),
        );
        let raw = "a control character that is not escaped in `s`";
        check(b"{\"s\":\"a\x00b\tc\r\nd\x1f\"}", &json!({ "s": "a\0b\tc\r\nd\u{1f}" }), &[raw; 5]);
        check(b"[1]\0", &json!([1]), &["a control character"]);
        let unknown = "an escape that JSON does not have in `s`";
        check(br#"{"s":"a\qb\u12\x41\u+12f\\q\""}"#, &json!({ "s": "a\\qb\\u12\\x41\\u+12f\\q\"" }), &[unknown; 4]);
        check(br#"{"s":"C:\Users\\N"}"#, &json!({ "s": "C:\\Users\\N" }), &[unknown]);
        let noted = &["a number out of range, given as text"];
        for long in ["9".repeat(400), "18446744073709551616".to_owned(), "-9223372036854775809".to_owned()] {
            check(format!("[{long}]").as_bytes(), &json!([long]), noted);
        }
    }

    #[test]
    fn what_is_json_stays_as_it_is() {
        for text in [
            r#"{"a":"\ud83d\ude00","b":1e10,"c":"1e400 \\ud83d","d":[-0.5e-7]}"#,
            r#"{"e1": 18446744073709551615, "f":"e+5\"", "g": [-9223372036854775808, 0.12345678901234567890123]}"#,
            "{\"Name\": \"Infinity NaN \\u0000\\u001F \\/\\b\\f\",\r\n\t\"Id\": [null, false, -1]}",
            "",
            "[]",
        ] {
            assert_eq!(repair(text.as_bytes()), None, "{text}");
        }
    }

    #[test]
    fn nothing_that_is_no_json_is_a_panic() {
        for text in
            ["\"\\ud8", "\"\\é\\ud83d", "-", "\\", "\"", "1e9e9+-", "\"\\u12é\\uD800", "NaNI-Infinit\u{0}\"\u{1}\\q"]
        {
            for cut in 0..=text.len() {
                repair(&text.as_bytes()[..cut]);
            }
        }
    }

    #[test]
    fn many_odd_values_take_no_long_time() {
        let text = format!("[{}0]", r#""\ud83d","#.repeat(300_000));
        let repaired = repair(text.as_bytes()).unwrap();
        assert_eq!(repaired.notes.len(), 5);
        assert!(repaired.bytes.len() >= text.len());
    }
}
