//! Control characters that move the cursor of a terminal or change the order of what is read: a name that holds some
//! hides what it says, from people and from models.

use std::borrow::Cow;

use serde_json::{Map, Value};

/// Whether a character is left out: C0 but tab and line breaks, delete, C1, and the controls of text direction.
fn is_hiding(letter: char) -> bool {
    match letter {
        '\t' | '\n' | '\r' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        letter => letter.is_control(),
    }
}

/// A text without the characters that hide it.
pub(crate) fn stripped(text: &str) -> Cow<'_, str> {
    // Nearly every text, and each of an answer is looked at.
    if is_plain(text) {
        return Cow::Borrowed(text);
    }
    if text.contains(is_hiding) { Cow::Owned(text.replace(is_hiding, "")) } else { Cow::Borrowed(text) }
}

/// Whether a text has nothing but the printable characters of ASCII.
fn is_plain(text: &str) -> bool {
    text.bytes().all(|byte| matches!(byte, b' '..=b'~'))
}

/// The same on one line, for a name among others.
pub(crate) fn on_one_line(text: &str) -> String {
    let is_break = |letter: char| matches!(letter, '\n' | '\r' | '\t');
    stripped(text).replace(is_break, " ")
}

/// The same as a terminal shows it: a carriage return alone would overwrite the line.
pub(crate) fn for_terminal(text: &str) -> String {
    let text = stripped(text);
    text.split("\r\n").map(|line| line.replace('\r', " ")).collect::<Vec<_>>().join("\r\n")
}

/// Strips every text and key of a value, and gives the number of characters that were left out.
pub(crate) fn strip(value: &mut Value) -> usize {
    match value {
        Value::String(text) => {
            let Cow::Owned(kept) = stripped(text) else { return 0 };
            let left_out = text.chars().count() - kept.chars().count();
            *text = kept;
            left_out
        }
        Value::Array(items) => items.iter_mut().map(strip).sum(),
        Value::Object(fields) => {
            let left_out: usize = fields.values_mut().map(strip).sum();
            if !fields.keys().any(|name| !is_plain(name) && name.contains(is_hiding)) {
                return left_out;
            }
            let mut in_names = 0;
            let renamed = std::mem::take(fields).into_iter().map(|(name, field)| {
                let kept = stripped(&name).into_owned();
                in_names += name.chars().count() - kept.chars().count();
                (kept, field)
            });
            *fields = renamed.collect::<Map<_, _>>();
            left_out + in_names
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use serde_json::json;

    use super::{for_terminal, on_one_line, strip, stripped};

    #[test]
    fn escapes_and_directions_are_left_out_and_text_stays() {
        for (text, kept) in [
            ("\u{1b}[2J\u{1b}]0;title\u{7}job", "[2J]0;titlejob"),
            ("\u{9b}31mred\u{7f}\u{0}", "31mred"),
            ("nightly\u{202e}gnp.exe\u{2066}\u{2069}\u{200f}\u{61c}", "nightlygnp.exe"),
            ("tab\tline\r\n", "tab\tline\r\n"),
            ("naïve 東京 👩‍👩‍👧 x\u{301}", "naïve 東京 👩‍👩‍👧 x\u{301}"),
        ] {
            assert_eq!(stripped(text), kept);
        }
        assert!(matches!(stripped("plain"), Cow::Borrowed("plain")));
        assert_eq!(on_one_line("a\n  fake  line\u{1b}"), "a   fake  line");
        assert_eq!(for_terminal("a\r\nb\rc"), "a\r\nb c");
    }

    #[test]
    fn values_are_stripped_everywhere_and_counted() {
        let mut value = json!({ "a\u{1b}": [{ "b": "\u{202e}x" }, 1, null], "c": "y\u{9b}\u{9b}" });
        assert_eq!(strip(&mut value), 4);
        assert_eq!(value, json!({ "a": [{ "b": "x" }, 1, null], "c": "y" }));
        assert_eq!(strip(&mut value), 0);
    }
}
