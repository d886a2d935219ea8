//! Times, durations and attempts as people read them, instead of the API's bare numbers.
//!
//! The API counts times in milliseconds since 1970, durations in milliseconds without saying so, and attempts from
//! zero. The names of its fields say which is which, in the same way in every service.

use serde_json::Value;

/// Milliseconds since 1970 of all times from 1973 to 5138. No duration in milliseconds is as long.
const TIMES: std::ops::Range<i64> = 100_000_000_000..100_000_000_000_000;

/// The last words of fields that hold times.
const TIME_WORDS: [&str; 6] = ["time", "timestamp", "at", "modified", "date", "created"];

/// Makes the numbers of an answer readable. Fields at the paths in `raw` stay as the API gives them.
pub(super) fn make_readable(value: &mut Value, raw: &[String]) {
    walk(value, "", raw);
}

/// The name of a field in a readable answer, for the last name of a dotted path.
pub(super) fn readable_path(path: &str) -> String {
    let (parent, name) = path.rsplit_once('.').map_or(("", path), |(parent, name)| (parent, name));
    let name = match name {
        "attempt_number" => "attempt".to_owned(),
        name if is_duration(name) => format!("{name}_ms"),
        name if is_time(name) => plain(name).to_owned(),
        name => name.to_owned(),
    };
    join(parent, &name)
}

fn walk(value: &mut Value, path: &str, raw: &[String]) {
    match value {
        Value::Array(items) => items.iter_mut().for_each(|item| walk(item, path, raw)),
        Value::Object(fields) => {
            // Paths are needed for the comparison only.
            let path_of = |name: &str| if raw.is_empty() { String::new() } else { join(path, name) };
            for (name, field) in fields.iter_mut() {
                let path = path_of(name);
                if !raw.contains(&path) {
                    walk(field, &path, raw);
                }
            }
            // Most objects keep all their names.
            if fields.iter().any(|(name, field)| is_odd(name, field)) {
                let read = std::mem::take(fields).into_iter();
                *fields = read
                    .filter_map(|(name, field)| match is_odd(&name, &field) && !raw.contains(&path_of(&name)) {
                        true => one(name, field),
                        false => Some((name, field)),
                    })
                    .collect();
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

/// Whether a field may have another name or value in a readable answer.
fn is_odd(name: &str, field: &Value) -> bool {
    whole(field).is_some() && (is_time(name) || is_duration(name) || name == "attempt_number")
}

/// One field under its readable name; a time that has not come yet is left out.
fn one(name: String, field: Value) -> Option<(String, Value)> {
    let Some(number) = whole(&field) else { return Some((name, field)) };
    if is_time(&name) {
        if TIMES.contains(&number) {
            return Some((plain(&name).to_owned(), super::time(number)?));
        }
        // With its unit in the name, it may be a duration of nothing.
        return (number != 0 || name.ends_with("_ms")).then_some((name, field));
    }
    if is_duration(&name) {
        return Some((format!("{name}_ms"), field));
    }
    Some(("attempt".to_owned(), number.saturating_add(1).into()))
}

/// A whole number, or an int64 that came as text.
fn whole(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64(),
        Value::String(text) if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse().ok(),
        _ => None,
    }
}

fn is_time(name: &str) -> bool {
    plain(name).rsplit('_').next().is_some_and(|word| TIME_WORDS.contains(&word))
}

fn is_duration(name: &str) -> bool {
    name.rsplit('_').next() == Some("duration")
}

/// The name of a time without its unit.
fn plain(name: &str) -> &str {
    name.strip_suffix("_ms").unwrap_or(name)
}

fn join(parent: &str, name: &str) -> String {
    if parent.is_empty() { name.to_owned() } else { format!("{parent}.{name}") }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{make_readable, readable_path};

    #[test]
    fn numbers_say_what_they_mean() {
        let raw_value = || {
            json!({
                "created_time": 1_772_258_400_000_i64,
                "query_start_time_ms": "1772258400000",
                "end_time": 0,
                "run_duration": 5_000,
                "metrics": { "total_time_ms": 0, "execution_time_ms": 12_000 },
                "tasks": [{ "attempt_number": 1, "start_time": 1_772_258_400_000_i64 }],
                "update_time": "2026-02-28T06:00:00Z",
                "size": 1_772_258_400_000_i64,
            })
        };
        let shown = json!({
            "created_time": "2026-02-28T06:00:00Z",
            "query_start_time": "2026-02-28T06:00:00Z",
            "run_duration_ms": 5_000,
            "metrics": { "total_time_ms": 0, "execution_time_ms": 12_000 },
            "tasks": [{ "attempt": 2, "start_time": "2026-02-28T06:00:00Z" }],
            "update_time": "2026-02-28T06:00:00Z",
            "size": 1_772_258_400_000_i64,
        });
        let readable = |raw: &[&str]| {
            let mut value = raw_value();
            make_readable(&mut value, &raw.iter().map(|path| (*path).to_owned()).collect::<Vec<_>>());
            value
        };
        assert_eq!(readable(&[]), shown);
        let half = readable(&["tasks.start_time", "run_duration"]);
        assert_eq!((&half["run_duration"], &half["tasks"][0]["attempt"]), (&json!(5_000), &json!(2)));
        assert_eq!(half["tasks"][0]["start_time"], 1_772_258_400_000_i64);
    }

    #[test]
    fn paths_follow_the_names() {
        for (path, shown) in [
            ("run_duration", "run_duration_ms"),
            ("tasks.attempt_number", "tasks.attempt"),
            ("query_start_time_ms", "query_start_time"),
            ("settings.name", "settings.name"),
        ] {
            assert_eq!(readable_path(path), shown);
        }
    }
}
