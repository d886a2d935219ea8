//! Times, durations and attempts as people read them, instead of the API's bare numbers.
//!
//! The API counts times in milliseconds since 1970, durations in milliseconds without saying so, and attempts from
//! zero. The names of its fields say which is which, in the same way in every service.

use serde_json::{Map, Value};

/// Milliseconds since 1970 of all times from 1973 to 5138. No duration in milliseconds is as long.
const TIMES: std::ops::Range<i64> = 100_000_000_000..100_000_000_000_000;

/// The last words of fields that hold times.
const TIME_WORDS: [&str; 6] = ["time", "timestamp", "at", "modified", "date", "created"];

/// The answer with readable numbers. Fields at the paths in `raw` stay as the API gives them.
pub(super) fn readable(value: Value, raw: &[String]) -> Value {
    walk(value, "", raw)
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

fn walk(value: Value, path: &str, raw: &[String]) -> Value {
    match value {
        Value::Array(items) => items.into_iter().map(|item| walk(item, path, raw)).collect(),
        Value::Object(fields) => {
            let mut shown = Map::with_capacity(fields.len());
            for (name, field) in fields {
                let path = join(path, &name);
                if raw.contains(&path) {
                    shown.insert(name, field);
                } else if let Some((name, field)) = one(name, field, &path, raw) {
                    shown.insert(name, field);
                }
            }
            Value::Object(shown)
        }
        scalar => scalar,
    }
}

/// One field under its readable name; a time that has not come yet is left out.
fn one(name: String, field: Value, path: &str, raw: &[String]) -> Option<(String, Value)> {
    let Some(number) = whole(&field) else { return Some((name, walk(field, path, raw))) };
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
    if name == "attempt_number" {
        return Some(("attempt".to_owned(), number.saturating_add(1).into()));
    }
    Some((name, field))
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

    use super::{readable, readable_path};

    #[test]
    fn numbers_say_what_they_mean() {
        let raw = json!({
            "created_time": 1_772_258_400_000_i64,
            "query_start_time_ms": "1772258400000",
            "end_time": 0,
            "run_duration": 5_000,
            "metrics": { "total_time_ms": 0, "execution_time_ms": 12_000 },
            "tasks": [{ "attempt_number": 1, "start_time": 1_772_258_400_000_i64 }],
            "update_time": "2026-02-28T06:00:00Z",
            "size": 1_772_258_400_000_i64,
        });
        let shown = json!({
            "created_time": "2026-02-28T06:00:00Z",
            "query_start_time": "2026-02-28T06:00:00Z",
            "run_duration_ms": 5_000,
            "metrics": { "total_time_ms": 0, "execution_time_ms": 12_000 },
            "tasks": [{ "attempt": 2, "start_time": "2026-02-28T06:00:00Z" }],
            "update_time": "2026-02-28T06:00:00Z",
            "size": 1_772_258_400_000_i64,
        });
        assert_eq!(readable(raw.clone(), &[]), shown);
        let named = ["tasks.start_time", "run_duration"].map(str::to_owned);
        let half = readable(raw, &named);
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
