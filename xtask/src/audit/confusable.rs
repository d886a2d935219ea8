//! Tools that a search confuses: each is searched for by its own words, and close matches are reported.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::Value;

use super::surface::Surface;

/// How close the other must come, in hundredths of the tool's own score.
const CLOSE: u32 = 62;

/// A tool, and another that a search for the words of the first finds almost as well.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Pair {
    pub(super) tool: String,
    pub(super) other: String,
    /// The score of the other, in hundredths of the tool's own.
    pub(super) score: u32,
}

/// Every pair that comes close, the closest first. A pair stands there once.
pub(super) fn pairs(surface: &Surface) -> Vec<Pair> {
    let index = Index::new(surface.shown.iter().map(|(name, tool)| (name.as_str(), words_of(name, tool))));
    let mut pairs = BTreeMap::new();
    for (name, counts) in &index.documents {
        let own = index.score(counts, counts);
        let others = index.documents.iter().filter(|(other, _)| other != name);
        for (other, document) in others {
            let score = hundredths(index.score(counts, document), own);
            if score >= CLOSE {
                let key = if name < other { (*name, *other) } else { (*other, *name) };
                let known = pairs.entry(key).or_insert(score);
                *known = score.max(*known);
            }
        }
    }
    let mut pairs: Vec<_> = pairs
        .into_iter()
        .map(|((tool, other), score)| Pair { tool: tool.to_owned(), other: other.to_owned(), score })
        .collect();
    pairs.sort_by(|one, other| other.score.cmp(&one.score).then(one.tool.cmp(&other.tool)));
    pairs
}

#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "a share of a hundred, and scores are not negative"
)]
fn hundredths(score: f64, own: f64) -> u32 {
    if own > 0.0 { (score / own * 100.0).round() as u32 } else { 0 }
}

/// How often each word is in a name and a description. What comes after "not for", "instead of" or "use" is about others and
/// stays, as a search by words sees it too.
fn words_of(name: &str, tool: &Value) -> BTreeMap<String, f64> {
    let description = tool.get("description").and_then(Value::as_str).unwrap_or_default();
    let mut counts = BTreeMap::new();
    let words = [name, description].into_iter().flat_map(|text| text.split(|letter: char| !letter.is_alphanumeric()));
    for word in words.filter(|word| word.len() > 1) {
        *counts.entry(word.to_lowercase()).or_insert(0.0) += 1.0;
    }
    counts
}

/// BM25 as in the textbook, with k1 = 1.2 and b = 0.75.
struct Index<'a> {
    documents: Vec<(&'a str, BTreeMap<String, f64>)>,
    rarity: BTreeMap<String, f64>,
    mean: f64,
}

impl<'a> Index<'a> {
    fn new(documents: impl Iterator<Item = (&'a str, BTreeMap<String, f64>)>) -> Self {
        let documents: Vec<_> = documents.collect();
        let mut having: BTreeMap<String, f64> = BTreeMap::new();
        for word in documents.iter().flat_map(|(_, counts)| counts.keys()) {
            *having.entry(word.clone()).or_insert(0.0) += 1.0;
        }
        let all = documents.iter().map(|_| 1.0).sum::<f64>();
        let rarity = having.into_iter().map(|(word, count)| (word, (1.0 + (all - count + 0.5) / (count + 0.5)).ln()));
        let length: f64 = documents.iter().flat_map(|(_, counts)| counts.values()).sum();
        Self { rarity: rarity.collect(), mean: length / all.max(1.0), documents }
    }

    /// How well a document answers a query of these words.
    fn score(&self, query: &BTreeMap<String, f64>, document: &BTreeMap<String, f64>) -> f64 {
        let length: f64 = document.values().sum();
        let share = 1.2 * (0.25 + 0.75 * length / self.mean);
        let found = query.keys().filter_map(|word| Some((self.rarity.get(word)?, document.get(word)?)));
        found.map(|(rarity, count)| rarity * count * 2.2 / (count + share)).sum()
    }
}
