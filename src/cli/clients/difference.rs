//! A change as a person sees it before it is made: what goes and what comes, and nothing around it, as other lines may
//! hold the secrets of other servers.

use databricks::without_tokens;
use serde_json::Value;

use super::format;

/// Words in the keys of values that are not shown.
const SECRETS: [&str; 5] = ["token", "secret", "password", "key", "credential"];

/// What differs, line by line, marked with `-` and `+`.
pub(super) fn shown(before: &str, after: &str) -> String {
    let (start, end) = format::same(before, after);
    let parts = |text: &str| (start, text.len() - end);
    let ((from, old), (_, new)) = (parts(before), parts(after));
    let ((from, old), (start, new)) = match (from == old, start == new) {
        (true, _) => ((from, old), whole_lines(after, (start, new))),
        (_, true) => (whole_lines(before, (from, old)), (start, new)),
        _ => (lines_around(before, (from, old)), lines_around(after, (start, new))),
    };
    let first = if from == old { (after, start) } else { (before, from) };
    let line = first.0.get(..first.1).unwrap_or_default().matches('\n').count() + 1;
    let mut shown = format!("  line {line}:\n");
    for (mark, text, start, end) in [('-', before, from, old), ('+', after, start, new)] {
        for line in text.get(start..end).unwrap_or_default().lines().filter(|line| !line.trim().is_empty()) {
            shown.push_str(&format!("    {mark} {}\n", masked(line)));
        }
    }
    shown
}

/// What differs between two entries of the same server, whatever the format: its own keys, and nothing around them.
pub(super) fn of_entries(name: &str, old: &Value, new: &Value) -> String {
    let mut shown = format!("  its `{name}`:\n");
    let (Some(old), Some(new)) = (old.as_object(), new.as_object()) else { return shown };
    let mut keys: Vec<_> = old.keys().chain(new.keys().filter(|key| !old.contains_key(*key))).collect();
    keys.retain(|key| old.get(*key) != new.get(*key));
    for key in keys {
        for (mark, value) in [('-', old.get(key)), ('+', new.get(key))] {
            let value = value.map(|value| match value {
                // Variables may be somebody's secrets.
                Value::Object(map) => map.keys().map(String::as_str).collect::<Vec<_>>().join(", "),
                value => value.to_string(),
            });
            shown.extend(value.map(|value| format!("    {mark} {}\n", masked(&format!("{key}: {value}")))));
        }
    }
    shown
}

/// What is added or goes, moved back to the start of a line as far as what it passes is its own end: the same change,
/// in whole lines.
fn whole_lines(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    let head = text.get(..start).unwrap_or_default();
    let part = text.get(start..end).unwrap_or_default();
    let passed = head.chars().rev().zip(part.chars().rev()).take_while(|(left, right)| left == right && *left != '\n');
    let passed: usize = passed.map(|(letter, _)| letter.len_utf8()).sum();
    let is_line = text.get(..start - passed).is_some_and(|head| head.is_empty() || head.ends_with('\n'));
    if is_line { (start - passed, end - passed) } else { (start, end) }
}

/// The lines of what is replaced, which are all of one entry, unless everything is on one line.
fn lines_around(text: &str, (start, end): (usize, usize)) -> (usize, usize) {
    if !text.trim_end().contains('\n') {
        return (start, end);
    }
    let head = text.get(..start).and_then(|head| head.rfind('\n')).map_or(0, |line| line + 1);
    let tail = text.get(end..).and_then(|tail| tail.find('\n')).map_or(text.len(), |line| end + line);
    (head, tail)
}

/// A line without the value that its key says is secret, and without what looks like a token.
fn masked(line: &str) -> String {
    let is_secret = |key: &str| SECRETS.iter().any(|word| key.to_lowercase().contains(word));
    match line.split_once([':', '=']) {
        Some((key, value)) if is_secret(key) && !value.trim().is_empty() => format!("{key}: …"),
        _ => without_tokens(line).into_owned(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{of_entries, shown};

    #[test]
    fn what_differs_in_an_entry_is_its_keys() {
        let old = json!({ "command": "x", "args": ["--a"], "env": { "A_TOKEN": "x1" }, "gone": 1 });
        let new = json!({ "command": "x", "args": ["--b"], "env": { "A_TOKEN": "x1", "B": "2" } });
        let expected = "  its `d`:\n    - args: [\"--a\"]\n    + args: [\"--b\"]\n    - env: A_TOKEN\n    + env: A_TOKEN, B\n    \
                        - gone: 1\n";
        assert_eq!(of_entries("d", &old, &new), expected);
    }

    #[test]
    fn only_what_differs_is_shown_and_no_secret() {
        let before = "{\n  \"a\": {\n    \"TOKEN\": \"dapi-1\"\n  }\n}\n";
        let after = "{\n  \"a\": {\n    \"TOKEN\": \"dapi-1\"\n  },\n  \"b\": {\n    \"API_KEY\": \"x\"\n  }\n}\n";
        let expected = "  line 4:\n    +   },\n    +   \"b\": {\n    +     \"API_KEY\": …\n";
        assert_eq!(shown(before, after), expected);
        assert_eq!(shown(after, before), expected.replace('+', "-"));
        // The line that gets a comma is not shown, nor is the only one.
        let before = "{\n  \"a\": { \"env\": { \"TOKEN\": \"x1\" } }\n}\n";
        let after = "{\n  \"a\": { \"env\": { \"TOKEN\": \"x1\" } },\n  \"b\": { \"command\": \"x\" }\n}\n";
        assert_eq!(shown(before, after), "  line 2:\n    + ,\n    +   \"b\": { \"command\": \"x\" }\n");
        let (before, after) = (r#"{"a":{"TOKEN":"dapi-1"}}"#, r#"{"a":{"TOKEN":"dapi-1"},"b":{"command":"x"}}"#);
        assert_eq!(shown(before, after), "  line 1:\n    + ,\"b\":{\"command\":\"x\"}\n");
        assert_eq!(shown("a\n\n[tools]\n", "a\n\n[b]\nc = 1\n\n[tools]\n"), "  line 3:\n    + [b]\n    + c = 1\n");
        assert_eq!(shown("", "a: 1\n"), "  line 1:\n    + a: 1\n");
        let changed = shown("a: 1\nx: [\"--b\"]\nz: 1\n", "a: 1\nx: [\"--c\"]\nz: 1\n");
        assert_eq!(changed, "  line 2:\n    - x: [\"--b\"]\n    + x: [\"--c\"]\n");
        assert_eq!(shown("{\"TOKEN\":\"x1\",\"b\":1}", "{\"TOKEN\":\"x1\",\"b\":2}"), "  line 1:\n    - 1\n    + 2\n");
    }
}
