//! The filters and orders of searches, as MLflow and pipelines take them: `metrics.auc > 0.8 AND params.depth = '5'`, `attributes.start_time DESC`.

use std::cmp::Ordering;

use regex::{Regex, RegexBuilder};
use serde_json::Value;

use crate::error::ApiError;

/// What a condition looks at: `metrics`, `params`, `tags`, `metadata` or `attributes`, and the name in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Key {
    pub(crate) scope: &'static str,
    pub(crate) name: String,
}

#[derive(Debug)]
enum Test {
    Compare(String, Value),
    Like(Regex),
    In(Vec<String>),
}

/// Conditions that all have to hold.
#[derive(Debug)]
pub(crate) struct Filter(Vec<(Key, Test)>);

#[derive(Debug, Clone, PartialEq)]
enum Token {
    Word(String),
    Text(String),
    Operator(String),
}

fn wrong(text: &str, why: &str) -> ApiError {
    ApiError::invalid_parameter(format!("Invalid filter string: {text}: {why}"))
}

fn tokens(text: &str) -> Option<Vec<Token>> {
    let mut tokens = Vec::new();
    let mut letters = text.chars().peekable();
    while let Some(letter) = letters.next() {
        match letter {
            letter if letter.is_whitespace() => {}
            '\'' | '"' => {
                let mut value = String::new();
                loop {
                    match letters.next()? {
                        end if end == letter => break,
                        inside => value.push(inside),
                    }
                }
                tokens.push(Token::Text(value));
            }
            '=' | '<' | '>' | '!' | '(' | ')' | ',' => {
                let mut operator = letter.to_string();
                if matches!(letter, '<' | '>' | '!') && letters.peek() == Some(&'=') {
                    operator.extend(letters.next());
                }
                tokens.push(Token::Operator(operator));
            }
            letter => {
                let mut word = String::new();
                let mut next = Some(letter);
                // A part of a name in backticks may hold anything.
                let mut is_quoted = false;
                while let Some(letter) = next {
                    match letter {
                        '`' => is_quoted = !is_quoted,
                        letter => word.push(letter),
                    }
                    let goes_on =
                        |letter: &char| is_quoted || !letter.is_whitespace() && !"=<>!(),'\"".contains(*letter);
                    next = letters.next_if(goes_on);
                }
                tokens.push(Token::Word(word));
            }
        }
    }
    Some(tokens)
}

fn key(word: &str) -> Option<Key> {
    let (scope, name) = word.split_once('.').unwrap_or(("attributes", word));
    let scope = match scope {
        "metric" | "metrics" => "metrics",
        "param" | "params" | "parameter" | "parameters" => "params",
        "tag" | "tags" => "tags",
        "attribute" | "attributes" | "attr" | "run" | "trace" => "attributes",
        "metadata" | "request_metadata" => "metadata",
        _ => return None,
    };
    (!name.is_empty()).then(|| Key { scope, name: name.to_owned() })
}

impl Filter {
    pub(crate) fn read(text: &str) -> Result<Self, ApiError> {
        let tokens = tokens(text).ok_or_else(|| wrong(text, "a quote is not closed"))?;
        let mut tokens = tokens.into_iter().peekable();
        let mut conditions = Vec::new();
        while let Some(token) = tokens.next() {
            let Token::Word(word) = token else {
                return Err(wrong(text, "expected the name of an attribute, metric, parameter or tag"));
            };
            let key = key(&word).ok_or_else(|| wrong(text, &format!("unknown entity in '{word}'")))?;
            let operator = match tokens.next() {
                Some(Token::Operator(operator))
                    if matches!(operator.as_str(), "=" | "!=" | "<" | "<=" | ">" | ">=") =>
                {
                    operator
                }
                Some(Token::Word(word)) if ["LIKE", "ILIKE", "IN"].contains(&word.to_uppercase().as_str()) => {
                    word.to_uppercase()
                }
                _ => return Err(wrong(text, "expected a comparison")),
            };
            let test = if operator == "IN" {
                let mut values = Vec::new();
                loop {
                    match tokens.next() {
                        Some(Token::Operator(end)) if end == ")" => break,
                        Some(Token::Operator(_)) => {}
                        Some(Token::Text(value) | Token::Word(value)) => values.push(value),
                        None => return Err(wrong(text, "the list is not closed")),
                    }
                }
                Test::In(values)
            } else {
                let value = match tokens.next() {
                    Some(Token::Text(value)) => Value::String(value),
                    Some(Token::Word(word)) => serde_json::from_str::<serde_json::Number>(&word)
                        .map(Value::Number)
                        .map_err(|_| wrong(text, &format!("'{word}' is neither a number nor quoted")))?,
                    _ => return Err(wrong(text, "expected a value")),
                };
                if key.scope == "metrics" && !value.is_number() {
                    return Err(wrong(text, "metrics are compared with numbers"));
                }
                match (operator.as_str(), &value) {
                    ("LIKE" | "ILIKE", Value::String(pattern)) => Test::Like(like(pattern, operator == "ILIKE")?),
                    ("LIKE" | "ILIKE", _) => return Err(wrong(text, "LIKE takes a quoted pattern")),
                    _ => Test::Compare(operator, value),
                }
            };
            conditions.push((key, test));
            match tokens.next() {
                None => break,
                Some(Token::Word(word)) if word.eq_ignore_ascii_case("and") => {}
                Some(_) => return Err(wrong(text, "conditions are joined by AND only")),
            }
        }
        Ok(Self(conditions))
    }

    /// Whether all conditions hold of what `look` finds.
    pub(crate) fn passes(&self, look: impl Fn(&Key) -> Option<Value>) -> bool {
        self.0.iter().all(|(key, test)| look(key).is_some_and(|value| test.holds(&value)))
    }
}

fn like(pattern: &str, ignores_case: bool) -> Result<Regex, ApiError> {
    let source = regex::escape(pattern).replace('%', ".*").replace('_', ".");
    let built = RegexBuilder::new(&format!("^{source}$")).case_insensitive(ignores_case).size_limit(1 << 20).build();
    built.map_err(|_| ApiError::invalid_parameter(format!("Invalid pattern: {pattern}")))
}

fn text(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

impl Test {
    fn holds(&self, value: &Value) -> bool {
        match self {
            Self::Like(pattern) => pattern.is_match(&text(value)),
            Self::In(values) => values.contains(&text(value)),
            Self::Compare(operator, other) => {
                let ordering = compare(value, other);
                match operator.as_str() {
                    "=" => ordering == Some(Ordering::Equal),
                    "!=" => ordering != Some(Ordering::Equal),
                    "<" => ordering == Some(Ordering::Less),
                    "<=" => matches!(ordering, Some(Ordering::Less | Ordering::Equal)),
                    ">" => ordering == Some(Ordering::Greater),
                    _ => matches!(ordering, Some(Ordering::Greater | Ordering::Equal)),
                }
            }
        }
    }
}

fn compare(a: &Value, b: &Value) -> Option<Ordering> {
    match (a.as_f64(), b.as_f64()) {
        (Some(a), Some(b)) => a.partial_cmp(&b),
        _ => Some(text(a).cmp(&text(b))),
    }
}

/// Sorts by keys such as `metrics.auc DESC`; what has no such value comes last.
pub(crate) fn sort<T>(
    items: &mut [T],
    orders: &[String],
    look: impl Fn(&T, &Key) -> Option<Value>,
) -> Result<(), ApiError> {
    // The first key counts most, and a stable sort keeps the order of what was sorted before.
    for order in orders.iter().rev() {
        let mut words = order.split_whitespace();
        let wrong = || ApiError::invalid_parameter(format!("Invalid order_by clause '{order}'"));
        let key = key(&words.next().unwrap_or_default().replace(['`', '"'], "")).ok_or_else(wrong)?;
        let descends = match words.next().map(str::to_uppercase).as_deref() {
            None | Some("ASC") => false,
            Some("DESC") => true,
            Some(_) => return Err(wrong()),
        };
        items.sort_by(|a, b| match (look(a, &key), look(b, &key)) {
            (Some(a), Some(b)) => {
                let ordering = compare(&a, &b).unwrap_or(Ordering::Equal);
                if descends { ordering.reverse() } else { ordering }
            }
            (a, b) => b.is_some().cmp(&a.is_some()),
        });
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn look(key: &Key) -> Option<Value> {
        match (key.scope, key.name.as_str()) {
            ("metrics", "auc score") => Some(json!(0.8)),
            ("params", "depth") => Some(json!("5")),
            ("attributes", "name") => Some(json!("Churn model")),
            _ => None,
        }
    }

    #[test]
    fn reads_conditions() {
        for (text, passes) in [
            ("", true),
            ("metrics.`auc score` > 0.5 AND params.depth = '5'", true),
            ("metrics.`auc score` >= 0.9", false),
            ("name LIKE 'Churn%'", true),
            ("name LIKE 'churn%'", false),
            ("attributes.name ILIKE 'churn%'", true),
            ("params.depth IN ('4', '5')", true),
            ("tags.x != 'y'", false),
        ] {
            assert_eq!(Filter::read(text).unwrap().passes(look), passes, "{text}");
        }
        for text in [
            "metrics.x > 'a'",
            "name = 'x",
            "name",
            "name = 'a' OR name = 'b'",
            "x.y = 'z'",
            "name = z",
            "params.a IN (",
        ] {
            assert!(Filter::read(text).is_err(), "{text}");
        }
    }

    #[test]
    fn sorts_by_several_keys() {
        let mut items = vec![("b", Some(1)), ("a", Some(1)), ("c", Some(2)), ("d", None)];
        let look = |item: &(&str, Option<i64>), key: &Key| match key.scope {
            "metrics" => item.1.map(|value| json!(value)),
            _ => Some(json!(item.0)),
        };
        sort(&mut items, &["metrics.m DESC".to_owned(), "attributes.name".to_owned()], look).unwrap();
        assert_eq!(items.map_names(), ["c", "a", "b", "d"]);
        assert!(sort(&mut items, &["metrics.m DOWN".to_owned()], look).is_err());
    }

    trait Names {
        fn map_names(&self) -> Vec<&str>;
    }

    impl Names for Vec<(&str, Option<i64>)> {
        fn map_names(&self) -> Vec<&str> {
            self.iter().map(|(name, _)| *name).collect()
        }
    }
}
