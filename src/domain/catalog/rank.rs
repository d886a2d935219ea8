//! How well a table fits the words that somebody looks for.

use std::collections::{BTreeMap, HashSet};

use serde_json::{Value, json};

use crate::shape;

/// Words that say nothing about a table.
const EMPTY: [&str; 19] = [
    "a", "about", "all", "an", "and", "any", "column", "columns", "data", "for", "in", "of", "or", "table", "tables",
    "the", "to", "where", "with",
];
/// Two words are alike from here on; 1 is equal.
const ALIKE: f64 = 0.78;
/// Columns that are named as a reason.
const MOST_REASONS: usize = 5;

/// What is looked for: words in lower case without plural endings.
#[derive(Debug)]
pub(crate) struct Words(Vec<String>);

impl Words {
    pub(crate) fn of(query: &str) -> Self {
        let mut known = HashSet::new();
        let distinct: Vec<String> = tokens(query).filter(|word| known.insert(word.clone())).collect();
        let telling: Vec<_> = distinct.iter().filter(|word| !EMPTY.contains(&word.as_str())).collect();
        let words = if telling.is_empty() { distinct.iter().collect() } else { telling };
        Self(words.into_iter().map(|word| stem(word)).collect())
    }

    pub(crate) fn count(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Parts of the words that one typo leaves whole: the database finds candidates by them.
    pub(crate) fn parts(&self) -> Vec<String> {
        let mut parts: Vec<String> = Vec::new();
        for word in &self.0 {
            parts.push(word.clone());
            let letters: Vec<char> = word.chars().collect();
            if letters.len() >= 6 {
                let half = letters.len() / 2;
                parts.push(letters.iter().take(half).collect());
                parts.push(letters.iter().skip(half).collect());
            }
        }
        parts.sort();
        parts.dedup();
        parts
    }
}

fn tokens(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

fn stem(word: &str) -> String {
    let is_long = word.chars().count() > 3;
    match word.strip_suffix("ies").filter(|_| is_long) {
        Some(stem) => format!("{stem}y"),
        None => word.strip_suffix('s').filter(|stem| is_long && !stem.ends_with('s')).unwrap_or(word).to_owned(),
    }
}

/// A table that may be meant.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Candidate {
    full_name: String,
    table_type: String,
    comment: String,
    /// Columns with their comments.
    columns: Vec<(String, String)>,
    matched: Vec<String>,
}

impl Candidate {
    pub(crate) fn of_table(full_name: String, table_type: &str, comment: &str) -> Self {
        Self { full_name, table_type: table_type.to_owned(), comment: comment.to_owned(), ..Self::default() }
    }

    pub(crate) fn of_column(full_name: String, column: &str, comment: &str) -> Self {
        Self { full_name, columns: vec![(column.to_owned(), comment.to_owned())], ..Self::default() }
    }

    /// The table as an answer tells it.
    pub(crate) fn into_json(self) -> Value {
        let mut told = json!({ "full_name": self.full_name, "matched": self.matched });
        for (name, text) in [("table_type", self.table_type), ("comment", self.comment)] {
            if !text.is_empty() {
                shape::put(&mut told, name, text);
            }
        }
        told
    }
}

/// One candidate per table.
pub(crate) fn merged(candidates: impl IntoIterator<Item = Candidate>) -> Vec<Candidate> {
    let mut tables: BTreeMap<String, Candidate> = BTreeMap::new();
    for found in candidates {
        let table = tables.entry(found.full_name.clone()).or_default();
        table.full_name = found.full_name;
        table.columns.extend(found.columns);
        for (known, new) in [(&mut table.table_type, found.table_type), (&mut table.comment, found.comment)] {
            if known.is_empty() {
                *known = new;
            }
        }
    }
    tables.into_values().collect()
}

/// Those that fit, best first, each with what fits.
pub(crate) fn ranked(candidates: Vec<Candidate>, words: &Words) -> Vec<Candidate> {
    let scored = candidates.into_iter().filter_map(|mut candidate| {
        let score = score(&mut candidate, words);
        (score > 0).then_some((score, candidate))
    });
    let mut scored: Vec<_> = scored.collect();
    // Of two that fit alike, the one whose name says less besides.
    let length = |candidate: &Candidate| candidate.full_name.rsplit('.').next().map_or(0, |name| tokens(name).count());
    let order = |candidate: &Candidate| (length(candidate), candidate.full_name.clone());
    scored.sort_by(|one, other| other.0.cmp(&one.0).then_with(|| order(&one.1).cmp(&order(&other.1))));
    scored.into_iter().map(|(_, candidate)| candidate).collect()
}

/// The sum over the words of where each fits best: in the name, then in a column, in a comment, in the names above.
fn score(candidate: &mut Candidate, words: &Words) -> u32 {
    let mut names = candidate.full_name.rsplitn(2, '.');
    let (name, above) = (names.next().unwrap_or_default(), names.next().unwrap_or_default());
    let (mut sum, mut fitting, mut reasons) = (0, 0, Vec::new());
    for word in &words.0 {
        let in_name = fit(name, word) * 10;
        let columns = candidate.columns.iter().map(|(column, comment)| {
            let score = (fit(column, word) * 5).max(u32::from(contains(comment, word)) * 10);
            (score, format!("column {column}"))
        });
        let in_columns = columns.max_by_key(|(score, _)| *score).unwrap_or_default();
        let in_comment = u32::from(contains(&candidate.comment, word)) * 12;
        let in_above = fit(above, word) * 3;
        let places = [
            (in_name, "name".to_owned()),
            in_columns,
            (in_comment, "comment".to_owned()),
            (in_above, "schema or catalog".to_owned()),
        ];
        let best = places.iter().map(|(score, _)| *score).max().unwrap_or_default();
        sum += best;
        fitting += u32::from(best > 0);
        reasons.extend(places.into_iter().filter(|(score, _)| *score > 0).map(|(_, reason)| reason));
    }
    reasons.sort();
    reasons.dedup();
    reasons.truncate(MOST_REASONS);
    candidate.matched = reasons;
    // A table that fits two words somewhat is rather meant than one that fits one of them well, and one of the
    // platform's own only if nothing else fits.
    let is_own = candidate.full_name.starts_with("system.") && !words.0.iter().any(|word| word == "system");
    sum.saturating_mul(fitting) / if is_own { 2 } else { 1 }
}

/// How well a word fits a name: 4 is one of its words, 3 begins one, 2 is within, 1 is alike one, 0 does not.
fn fit(name: &str, word: &str) -> u32 {
    let tokens: Vec<String> = tokens(name).map(|token| stem(&token)).collect();
    if tokens.iter().any(|token| token == word) {
        4
    } else if tokens.iter().any(|token| token.starts_with(word)) {
        3
    } else if word.chars().count() > 2 && contains(name, word) {
        2
    } else if word.chars().count() > 3
        && tokens.iter().any(|token| strsim::normalized_damerau_levenshtein(token, word) >= ALIKE)
    {
        1
    } else {
        0
    }
}

fn contains(text: &str, word: &str) -> bool {
    text.to_lowercase().contains(word)
}

#[cfg(test)]
mod tests {
    use super::{Candidate, Words, merged, ranked};

    fn found(query: &str) -> Vec<String> {
        let table = |name: &str, comment: &str| Candidate::of_table(name.to_owned(), "MANAGED", comment);
        let candidates = merged([
            table("main.sales.orders", "One row per order"),
            table("main.sales.order_items", "Positions"),
            table("main.sales.customers", "Who buys"),
            table("main.crm.contacts", "People at our customers"),
            table("main.web.events", ""),
            Candidate::of_column("main.web.events".into(), "customer_id", "who clicked"),
            Candidate::of_column("main.sales.orders".into(), "customer_id", ""),
        ]);
        ranked(candidates, &Words::of(query)).into_iter().map(|candidate| candidate.full_name).collect()
    }

    #[test]
    fn names_come_before_columns_and_comments() {
        assert_eq!(
            found("customers"),
            ["main.sales.customers", "main.sales.orders", "main.web.events", "main.crm.contacts"]
        );
        assert_eq!(found("customer orders").first().map(String::as_str), Some("main.sales.orders"));
        assert_eq!(found("the tables of web"), ["main.web.events"]);
    }

    #[test]
    fn typos_and_parts_are_found_and_nonsense_is_not() {
        assert_eq!(found("custmers").first().map(String::as_str), Some("main.sales.customers"));
        assert_eq!(found("item"), ["main.sales.order_items"]);
        assert!(found("weather").is_empty());
        assert!(Words::of("%_ !").is_empty());
        assert!(!Words::of("all the tables").is_empty(), "there is nothing else to go by");
    }

    #[test]
    fn a_typo_leaves_a_part_of_the_word_whole() {
        assert_eq!(Words::of("custmers").parts(), ["cus", "custmer", "tmer"]);
        assert_eq!(Words::of("day").parts(), ["day"]);
    }
}
