//! SCIM's filters: `userName eq "a" and not displayName sw "b"`, as far as workspaces take them.

use serde_json::Value;

use crate::error::ApiError;
use crate::json::Members;

/// Alternatives, each of conditions that all have to hold.
#[derive(Debug)]
pub(super) struct Filter(Vec<Vec<Condition>>);

#[derive(Debug)]
struct Condition {
    path: String,
    operator: String,
    value: String,
}

fn wrong(text: &str) -> ApiError {
    ApiError::invalid_parameter(format!(
        "Invalid filter: {text}. Filters compare an attribute with eq, ne, co, sw or pr, and are joined by and, or"
    ))
}

/// Words and quoted texts, the latter without their quotes and marked as such.
fn tokens(text: &str) -> Option<Vec<(bool, String)>> {
    let mut tokens = Vec::new();
    let mut rest = text.trim_start();
    while !rest.is_empty() {
        if let Some(quoted) = rest.strip_prefix('"') {
            let mut value = String::new();
            let mut letters = quoted.char_indices();
            let end = loop {
                match letters.next()? {
                    (end, '"') => break end,
                    (_, '\\') => value.push(letters.next()?.1),
                    (_, letter) => value.push(letter),
                }
            };
            tokens.push((true, value));
            rest = quoted.get(end + 1..)?.trim_start();
        } else {
            let end = rest.find(char::is_whitespace).unwrap_or(rest.len());
            let (word, after) = rest.split_at_checked(end)?;
            tokens.push((false, word.to_owned()));
            rest = after.trim_start();
        }
    }
    Some(tokens)
}

impl Filter {
    pub(super) fn read(text: &str) -> Result<Self, ApiError> {
        let tokens = tokens(text).ok_or_else(|| wrong(text))?;
        let mut words = tokens.into_iter().peekable();
        let mut alternatives = vec![Vec::new()];
        loop {
            let (Some((false, path)), Some((false, operator))) = (words.next(), words.next()) else {
                return Err(wrong(text));
            };
            let operator = operator.to_lowercase();
            let value = match operator.as_str() {
                "pr" => String::new(),
                "eq" | "ne" | "co" | "sw" | "ew" => words.next().ok_or_else(|| wrong(text))?.1,
                _ => return Err(wrong(text)),
            };
            if let Some(conditions) = alternatives.last_mut() {
                conditions.push(Condition { path, operator, value: value.to_lowercase() });
            }
            match words.next() {
                None => return Ok(Self(alternatives)),
                Some((false, word)) if word.eq_ignore_ascii_case("and") => {}
                Some((false, word)) if word.eq_ignore_ascii_case("or") => alternatives.push(Vec::new()),
                Some(_) => return Err(wrong(text)),
            }
        }
    }

    pub(super) fn passes(&self, resource: &Value) -> bool {
        self.0.iter().any(|conditions| conditions.iter().all(|condition| condition.holds(resource)))
    }
}

impl Condition {
    fn holds(&self, resource: &Value) -> bool {
        let values = values(resource, &self.path);
        let any = |test: &dyn Fn(&str) -> bool| values.iter().any(|value| test(value));
        match self.operator.as_str() {
            "pr" => !values.is_empty(),
            "ne" => !any(&|value| value == self.value),
            "co" => any(&|value| value.contains(&self.value)),
            "sw" => any(&|value| value.starts_with(&self.value)),
            "ew" => any(&|value| value.ends_with(&self.value)),
            _ => any(&|value| value == self.value),
        }
    }
}

/// The texts that a path leads to, in lower case; of a list those of all its items.
fn values(resource: &Value, path: &str) -> Vec<String> {
    let mut found = vec![resource];
    for name in path.split('.') {
        let members = found.into_iter().flat_map(|value| match value.at(name) {
            Value::Array(items) => items.iter().collect(),
            Value::Null => Vec::new(),
            value => vec![value],
        });
        found = members.collect();
    }
    let text = |value: &Value| match value {
        Value::String(text) => text.to_lowercase(),
        Value::Object(_) => value.text_at("value").to_lowercase(),
        other => other.to_string(),
    };
    found.into_iter().map(text).collect()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn compares_and_joins() {
        let resource = json!({"userName": "Ada@example.test", "active": true, "emails": [{"value": "a@x.test"}], "name": {"givenName": "Ada"}});
        for (text, passes) in [
            ("userName eq \"ada@EXAMPLE.test\"", true),
            ("userName sw \"bob\"", false),
            ("userName sw \"bob\" or name.givenName co \"d\"", true),
            ("active eq true and emails.value ew \".test\"", true),
            ("emails eq \"a@x.test\"", true),
            ("externalId pr", false),
            ("userName ne \"x\"", true),
        ] {
            assert_eq!(Filter::read(text).unwrap().passes(&resource), passes, "{text}");
        }
        for text in ["userName", "userName is \"x\"", "userName eq", "userName eq \"x", "a eq b c"] {
            assert!(Filter::read(text).is_err(), "{text}");
        }
    }
}
