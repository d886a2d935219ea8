//! How rows are ranked: texts by the words they share with a question, vectors by their angle; and which rows pass a
//! filter.
//!
//! Derived: the scores of texts. A real index compares embeddings; ranking by words makes a score that can be followed
//! by hand.

use serde_json::{Map, Value};

use crate::error::ApiError;

fn words(text: &str) -> Vec<String> {
    let split = text.split(|letter: char| !letter.is_alphanumeric()).filter(|word| !word.is_empty());
    split.map(|word| word.to_lowercase().trim_end_matches('s').to_owned()).collect()
}

/// Okapi BM25 with the usual constants, of each text for a query.
#[expect(clippy::cast_precision_loss, reason = "counts of a few words")]
pub(super) fn by_words(texts: &[String], asked: &str) -> Vec<f64> {
    let texts: Vec<_> = texts.iter().map(|text| words(text)).collect();
    let count = texts.len() as f64;
    let average = (texts.iter().map(Vec::len).sum::<usize>() as f64 / count.max(1.0)).max(1.0);
    let mut asked: Vec<_> = words(asked);
    asked.sort();
    asked.dedup();
    let rarity = |term: &String| {
        let holding = texts.iter().filter(|text| text.contains(term)).count() as f64;
        ((count - holding + 0.5) / (holding + 0.5) + 1.0).ln()
    };
    let asked: Vec<_> = asked.iter().map(|term| (term, rarity(term))).collect();
    texts
        .iter()
        .map(|text| {
            let terms = asked.iter().map(|(term, rarity)| {
                let times = text.iter().filter(|word| word == term).count() as f64;
                rarity * times * 2.2 / (times + 1.2 * (0.25 + 0.75 * text.len() as f64 / average))
            });
            terms.sum()
        })
        .collect()
}

/// The cosine of the angle between two vectors; nothing where they have not as many dimensions.
pub(super) fn cosine(a: &[f64], b: &[f64]) -> Option<f64> {
    let length = |vector: &[f64]| vector.iter().map(|part| part * part).sum::<f64>().sqrt();
    let product: f64 = a.iter().zip(b).map(|(a, b)| a * b).sum();
    let lengths = length(a) * length(b);
    (a.len() == b.len()).then(|| if lengths > 0.0 { product / lengths } else { 0.0 })
}

pub(super) fn vector(value: &Value) -> Vec<f64> {
    value.as_array().into_iter().flatten().filter_map(Value::as_f64).collect()
}

/// A condition of a filter: columns of which one has to fulfil it, what is asked, of which values.
struct Condition<'a> {
    columns: Vec<&'a str>,
    operator: &'a str,
    values: Vec<&'a Value>,
}

/// The filter of a query: `{"column": value}`, with an operator behind the name, and `a OR b` for either column.
pub(super) struct Filter<'a>(Vec<Condition<'a>>);

impl<'a> Filter<'a> {
    pub(super) fn read(filters: &'a Map<String, Value>, columns: &[String]) -> Result<Self, ApiError> {
        let mut conditions = Vec::new();
        for (key, value) in filters {
            let operators = [" NOT", " LIKE", " >=", " <=", " >", " <"];
            let found = operators.iter().find_map(|operator| Some((key.strip_suffix(operator)?, operator.trim())));
            let (names, operator) = found.unwrap_or((key, ""));
            let names: Vec<_> = names.split(" OR ").map(str::trim).collect();
            if let Some(unknown) = names.iter().find(|name| !columns.iter().any(|column| column == *name)) {
                return Err(ApiError::invalid_parameter(format!(
                    "Filter column '{unknown}' is not in the index: {} are.",
                    columns.join(", ")
                )));
            }
            let values = match value {
                Value::Array(values) => values.iter().collect(),
                value => vec![value],
            };
            conditions.push(Condition { columns: names, operator, values });
        }
        Ok(Self(conditions))
    }

    pub(super) fn passes(&self, row: &Value) -> bool {
        self.0.iter().all(|condition| {
            condition.columns.iter().enumerate().any(|(place, column)| {
                let cell = row.get(*column).unwrap_or(&Value::Null);
                // With several columns each has the value at its place.
                match condition.columns.len() {
                    1 => condition.holds(cell, &condition.values),
                    _ => condition.values.get(place).is_some_and(|value| condition.holds(cell, &[value])),
                }
            })
        })
    }
}

impl Condition<'_> {
    fn holds(&self, cell: &Value, values: &[&Value]) -> bool {
        let same = |value: &&&Value| match cell {
            Value::Array(cells) => cells.contains(value),
            cell => cell == **value,
        };
        let compare = |value: &Value| match (cell, value) {
            (Value::String(cell), Value::String(value)) => Some(cell.cmp(value)),
            (cell, value) => cell.as_f64()?.partial_cmp(&value.as_f64()?),
        };
        let ordering = values.first().and_then(|value| compare(value));
        match self.operator {
            "NOT" => !cell.is_null() && !values.iter().any(|value| same(&value)),
            "LIKE" => values.iter().any(|value| {
                let wanted = value.as_str().unwrap_or_default().to_lowercase();
                cell.as_str().is_some_and(|cell| cell.to_lowercase().contains(wanted.trim_matches('%')))
            }),
            ">" => ordering.is_some_and(std::cmp::Ordering::is_gt),
            ">=" => ordering.is_some_and(std::cmp::Ordering::is_ge),
            "<" => ordering.is_some_and(std::cmp::Ordering::is_lt),
            "<=" => ordering.is_some_and(std::cmp::Ordering::is_le),
            _ => values.iter().any(|value| same(&value)),
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn ranks_and_filters() {
        let texts = ["a red fox".to_owned(), "a blue whale".to_owned()];
        let scores = by_words(&texts, "whales");
        assert!(scores[1] > scores[0] && scores[0] == 0.0);
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), Some(0.0));
        assert_eq!(cosine(&[1.0], &[1.0, 2.0]), None);
        let columns = ["a".to_owned(), "b".to_owned()];
        let row = json!({"a": 3, "b": "Whale"});
        for (filter, passes) in [
            (json!({"a": 3}), true),
            (json!({"a": [1, 2]}), false),
            (json!({"a NOT": 3}), false),
            (json!({"a >=": 3, "a <": 4}), true),
            (json!({"b LIKE": "hal"}), true),
            (json!({"a OR b": [1, "Whale"]}), true),
        ] {
            let filter = filter.as_object().unwrap();
            assert_eq!(Filter::read(filter, &columns).unwrap().passes(&row), passes, "{filter:?}");
        }
        assert!(Filter::read(json!({"c": 1}).as_object().unwrap(), &columns).is_err());
    }
}
