//! JSON for people: what fits on one line stays on one line.

use serde_json::Value;

/// Longest line that holds more than one value.
const WIDTH: usize = 120;

/// A value as text, in the order of its fields.
pub(crate) fn pretty(value: &Value) -> String {
    let mut text = String::new();
    write(value, 0, 0, &mut text);
    text
}

/// Writes a value whose line begins `indent` deep and has `used` characters already.
fn write(value: &Value, indent: usize, used: usize, text: &mut String) {
    let flat = flat(value);
    let (open, close, entries): (_, _, Vec<(String, &Value)>) = match value {
        Value::Array(items) => ('[', ']', items.iter().map(|item| (String::new(), item)).collect()),
        Value::Object(fields) => {
            let named = |(name, field)| (format!("{}: ", Value::String(String::clone(name))), field);
            ('{', '}', fields.iter().map(named).collect())
        }
        _ => return text.push_str(&flat),
    };
    // The comma that may follow counts.
    if used + flat.chars().count() < WIDTH || entries.is_empty() {
        return text.push_str(&flat);
    }
    text.push(open);
    let last = entries.len() - 1;
    let deeper = indent + 2;
    for (index, (name, entry)) in entries.into_iter().enumerate() {
        text.push('\n');
        text.push_str(&" ".repeat(deeper));
        text.push_str(&name);
        write(entry, deeper, deeper + name.chars().count(), text);
        if index < last {
            text.push(',');
        }
    }
    text.push('\n');
    text.push_str(&" ".repeat(indent));
    text.push(close);
}

fn flat(value: &Value) -> String {
    match value {
        Value::Array(items) => format!("[{}]", items.iter().map(flat).collect::<Vec<_>>().join(", ")),
        Value::Object(fields) => {
            let field = |(name, field): (&String, &Value)| format!("{}: {}", Value::String(name.clone()), flat(field));
            format!("{{{}}}", fields.iter().map(field).collect::<Vec<_>>().join(", "))
        }
        scalar => scalar.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::pretty;

    #[test]
    fn what_fits_stands_on_one_line() {
        assert_eq!(pretty(&json!({ "a": [1, "b\n"], "c": {} })), r#"{"a": [1, "b\n"], "c": {}}"#);
        let rows: Vec<_> = (0..3).map(|row| json!([row, "x".repeat(50)])).collect();
        let x = "x".repeat(50);
        let expected =
            format!("{{\n  \"rows\": [\n    [0, \"{x}\"],\n    [1, \"{x}\"],\n    [2, \"{x}\"]\n  ],\n  \"n\": 3\n}}");
        assert_eq!(pretty(&json!({ "rows": rows, "n": 3 })), expected);
    }

    #[test]
    fn nothing_is_lost() {
        let value = json!({ "deep": [[[{ "text": "y".repeat(200) }]]], "none": null, "empty": [], "n": 1.5 });
        assert_eq!(serde_json::from_str::<Value>(&pretty(&value)).expect("JSON"), value);
    }
}
