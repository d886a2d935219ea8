//! Names as SQL writes them, such as `` main.`sales data`.orders ``, where any part may be in quotes.

use serde_json::{Map, Value};

/// Arguments of tools that take the name of an object of Unity Catalog, besides those that end in `full_name`.
const ARGUMENTS: [&str; 9] = [
    "catalog",
    "catalog_name",
    "function_name",
    "index_name",
    "schema",
    "schema_name",
    "securable_name",
    "table_name",
    "volume_name",
];

/// Takes the quotes from names that were copied from SQL, as the REST API takes names without them.
pub(crate) fn unquote(arguments: &mut Map<String, Value>) {
    for (argument, value) in arguments {
        let is_name = argument.ends_with("full_name") || ARGUMENTS.contains(&argument.as_str());
        if let Value::String(text) = value
            && is_name
            && text.contains('`')
            && let Some(parts) = parts(text)
        {
            *text = parts.join(".");
        }
    }
}

/// A name as all readers compare it: full Unicode folding, so that no other letter passes for one of a known name.
pub(crate) fn fold(name: &str) -> String {
    name.to_uppercase().to_lowercase()
}

/// The parts of a name without their quotes, or nothing if it is not well-formed.
pub(crate) fn parts(text: &str) -> Option<Vec<String>> {
    let mut parts = Vec::new();
    let mut chars = text.trim().chars().peekable();
    loop {
        let mut part = String::new();
        if chars.next_if_eq(&'`').is_some() {
            loop {
                match chars.next()? {
                    '`' if chars.next_if_eq(&'`').is_none() => break,
                    char => part.push(char),
                }
            }
        } else {
            while let Some(char) = chars.next_if(|char| !matches!(char, '.' | '`')) {
                part.push(char);
            }
        }
        if part.is_empty() {
            return None;
        }
        parts.push(part);
        match chars.next() {
            None => return Some(parts),
            Some('.') => {}
            Some(_) => return None,
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn any_part_may_be_quoted() {
        for (given, expected) in [
            ("main.`s`.t", "main.s.t"),
            ("`main`.s.`t`", "main.s.t"),
            ("`main`.`s`.`t`", "main.s.t"),
            ("main.`a b`.`c``d`", "main.a b.c`d"),
            (" `main` ", "main"),
            ("main.s.t", "main.s.t"),
            // What is no name stays, so that the workspace says what it makes of it.
            ("main.`s.t", "main.`s.t"),
            ("main.`s`x.t", "main.`s`x.t"),
            ("main.``.t", "main.``.t"),
            ("`", "`"),
        ] {
            let Value::Object(mut arguments) = json!({ "full_name": given, "comment": given }) else { return };
            unquote(&mut arguments);
            assert_eq!(json!(arguments), json!({ "full_name": expected, "comment": given }), "{given}");
        }
    }
}
