//! Finding tools and operations by words: BM25 over their names and descriptions.

mod literals;

use std::collections::{HashMap, HashSet};

/// How much a word counts that comes again in the same text.
const SATURATION: f64 = 2.0;
/// How much the length of a text counts against it.
const LENGTH: f64 = 0.6;
/// How long a word is that may be misspelt, in characters.
const MISSPELT: std::ops::RangeInclusive<usize> = 5..=24;
/// How alike a misspelt word is to the one that is meant; 1 is equal.
const ALIKE: f64 = 0.9;
/// How much the meaning of a word counts beside the word itself.
const MEANT: f64 = 0.6;
/// How much the kind of a thing counts that a query names.
const NAMED: f64 = 0.7;
/// Characters of a query that are looked at.
const MOST_CHARACTERS: usize = 2_000;
/// Words of a query that are looked at.
const MOST_WORDS: usize = 32;
/// Words without meaning here, English and German.
const STOP_WORDS: &[&str] = &[
    "a",
    "all",
    "an",
    "and",
    "any",
    "are",
    "as",
    "by",
    "can",
    "databricks",
    "do",
    "does",
    "for",
    "from",
    "how",
    "i",
    "in",
    "is",
    "it",
    "its",
    "me",
    "my",
    "of",
    "on",
    "or",
    "our",
    "please",
    "the",
    "this",
    "to",
    "what",
    "with",
    "there",
    "was",
    "were",
    "be",
    "been",
    "have",
    "has",
    "had",
    "will",
    "would",
    "should",
    "could",
    "that",
    "these",
    "those",
    "we",
    "you",
    "your",
    "he",
    "she",
    "they",
    "them",
    "his",
    "her",
    "their",
    "need",
    "want",
    "just",
    "now",
    "right",
    "so",
    "if",
    "then",
    "than",
    "but",
    "not",
    "no",
    "yes",
    "ok",
    "also",
    "too",
    "very",
    "really",
    "some",
    "here",
    "der",
    "die",
    "das",
    "den",
    "dem",
    "des",
    "ein",
    "eine",
    "einen",
    "einem",
    "und",
    "oder",
    "für",
    "von",
    "mit",
    "auf",
    "im",
    "ist",
    "sind",
    "war",
    "es",
    "ich",
    "wir",
    "uns",
    "mir",
    "mein",
    "meine",
    "bitte",
    "mal",
    "nicht",
    "noch",
    "wie",
    "zu",
    "zum",
    "zur",
    "vom",
    "bei",
    "aus",
    "nach",
    "über",
];

/// An index of texts, each with weights for its parts.
#[derive(Debug, Default)]
pub(crate) struct Index {
    /// For each word the texts that have it, and how often.
    postings: HashMap<String, Vec<(usize, f64)>>,
    lengths: Vec<f64>,
    worths: Vec<f64>,
    /// For each text the words for what it is about.
    subjects: Vec<HashSet<String>>,
}

/// A text that has words of a query.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Hit {
    /// The number of the text.
    pub(crate) number: usize,
    /// Whether the query names what the text is about, and not only a word that stands somewhere in it.
    pub(crate) is_about: bool,
    /// How many of the words of the query, or of what they mean, the text has: 1 is all.
    pub(crate) share: f64,
}

impl Index {
    /// Adds a text: parts with their weights, the words for what it is about, and how much it counts beside others. Its number is
    /// the number of texts before it.
    pub(crate) fn add(&mut self, subject: &str, parts: &[(&str, f64)], worth: f64) {
        self.subjects.push(words(subject).collect());
        self.worths.push(worth);
        let number = self.lengths.len();
        let mut counts: HashMap<String, f64> = HashMap::new();
        for (part, weight) in parts {
            for word in words(part) {
                *counts.entry(word).or_default() += weight;
            }
        }
        self.lengths.push(counts.values().sum());
        for (word, count) in counts {
            self.postings.entry(word).or_default().push((number, count));
        }
    }

    /// The texts that have a word, or else the word that it probably is a misspelling of.
    fn texts(&self, word: &str) -> Option<&Vec<(usize, f64)>> {
        self.postings.get(word).or_else(|| {
            let length = word.chars().count();
            if !MISSPELT.contains(&length) {
                return None;
            }
            let alike = |known: &str| strsim::jaro_winkler(word, known);
            let near = self.postings.iter().map(|(known, texts)| (alike(known), known, texts));
            let near = near.filter(|(alike, ..)| *alike >= ALIKE);
            near.max_by(|one, other| one.0.total_cmp(&other.0).then(other.1.cmp(one.1))).map(|(.., texts)| texts)
        })
    }

    /// The texts that have words of the query, or what these mean, the best first.
    pub(crate) fn search(&self, query: &str, synonyms: &Synonyms) -> Vec<Hit> {
        let total = self.lengths.len() as f64;
        let average = self.lengths.iter().sum::<f64>() / total.max(1.0);
        let mut scores: HashMap<usize, f64> = HashMap::new();
        for (word, weight) in synonyms.spread(weighted(head(query)).take(MOST_WORDS)) {
            let Some(texts) = self.texts(&word) else { continue };
            let found = texts.len() as f64;
            let rarity = (1.0 + (total - found + 0.5) / (found + 0.5)).ln();
            for (number, count) in texts {
                let length = self.lengths.get(*number).copied().unwrap_or(average);
                let worth = self.worths.get(*number).copied().unwrap_or(1.0);
                let norm = 1.0 - LENGTH + LENGTH * length / average;
                *scores.entry(*number).or_default() +=
                    worth * weight * rarity * count * (SATURATION + 1.0) / (count + SATURATION * norm);
            }
        }
        let asked: Vec<_> = weighted(head(query)).take(MOST_WORDS).map(|(word, _)| synonyms.all(word)).collect();
        let mut shares: HashMap<usize, f64> = HashMap::new();
        for words in &asked {
            let having: HashSet<_> =
                words.iter().filter_map(|word| self.texts(word)).flatten().map(|(text, _)| *text).collect();
            having.into_iter().for_each(|text| *shares.entry(text).or_default() += 1.0 / asked.len() as f64);
        }
        let is_about = |number: &usize| {
            let subject = self.subjects.get(*number);
            asked.iter().flatten().any(|word| subject.is_some_and(|subject| subject.contains(word)))
        };
        let mut scores: Vec<_> = scores.into_iter().collect();
        scores.sort_by(|(one, best), (other, second)| second.total_cmp(best).then(one.cmp(other)));
        let hit = |(number, _)| Hit {
            number,
            is_about: is_about(&number),
            share: shares.get(&number).copied().unwrap_or_default(),
        };
        scores.into_iter().map(hit).collect()
    }
}

/// What words of people mean in the words of the texts.
#[derive(Debug, Default)]
pub(crate) struct Synonyms(HashMap<String, Vec<String>>);

impl Synonyms {
    /// Lines of a word of the texts, a tab, and words of people for it.
    pub(crate) fn parse(lines: &str) -> Self {
        let mut meanings: HashMap<String, Vec<String>> = HashMap::new();
        for (meaning, people) in lines.lines().filter_map(|line| line.split_once('\t')) {
            for word in people.split_whitespace() {
                meanings.entry(stem(&word.to_lowercase())).or_default().push(stem(meaning));
            }
        }
        Self(meanings)
    }

    /// A word and what it means.
    fn all(&self, word: String) -> Vec<String> {
        let mut all = self.0.get(&word).cloned().unwrap_or_default();
        all.push(word);
        all
    }

    /// The words and what they mean, each once, with its weight.
    fn spread(&self, words: impl Iterator<Item = (String, f64)>) -> Vec<(String, f64)> {
        let mut spread: Vec<(String, f64)> = Vec::new();
        let mut add = |word: &str, weight: f64| match spread.iter_mut().find(|(known, _)| known == word) {
            Some((_, known)) => *known = known.max(weight),
            None => spread.push((word.to_owned(), weight)),
        };
        for (word, weight) in words {
            let meanings = self.0.get(&word).map(Vec::as_slice).unwrap_or_default();
            meanings.iter().for_each(|meaning| add(meaning, MEANT * weight));
            add(&word, weight);
        }
        spread
    }
}

/// The words of a query, or for the name of a thing the words for its kind, with their weights.
fn weighted(query: &str) -> impl Iterator<Item = (String, f64)> {
    query.split_whitespace().flat_map(|word| {
        let (text, weight) = literals::named(word).map_or((word, 1.0), |kind| (kind, NAMED));
        words(text).map(move |word| (word, weight)).collect::<Vec<_>>()
    })
}

/// The words of a text that mean something, as they stand there.
pub(crate) fn meaningful(text: &str) -> impl Iterator<Item = &str> {
    text.split_whitespace().filter(|word| !STOP_WORDS.contains(&word.to_lowercase().as_str()))
}

/// As much of a query as is looked at.
fn head(query: &str) -> &str {
    query.char_indices().nth(MOST_CHARACTERS).and_then(|(end, _)| query.get(..end)).unwrap_or(query)
}

/// The words of a text or of a name in any case, in lower case and without endings of number and tense.
fn words(text: &str) -> impl Iterator<Item = String> {
    let mut words = Vec::new();
    let mut word = String::new();
    let mut was_lower = false;
    for character in text.chars() {
        if !character.is_alphanumeric() || (character.is_uppercase() && was_lower) {
            words.push(std::mem::take(&mut word));
        }
        if character.is_alphanumeric() {
            word.extend(character.to_lowercase());
        }
        was_lower = character.is_lowercase();
    }
    words.push(word);
    words.into_iter().filter(|word| !word.is_empty() && !STOP_WORDS.contains(&word.as_str())).map(|word| stem(&word))
}

/// A word without the commonest endings: `policies` and `policy`, `clusters` and `cluster`, `starting` and `start`.
fn stem(word: &str) -> String {
    let cut = |ending: &str, least: usize| word.strip_suffix(ending).filter(|stem| stem.chars().count() >= least);
    if let Some(stem) = cut("ies", 3) {
        return format!("{stem}y");
    }
    if let Some(stem) = cut("sses", 2) {
        return format!("{stem}ss");
    }
    if let Some(stem) = cut("ing", 4).or_else(|| cut("ed", 4)) {
        return stem.trim_end_matches('e').to_owned();
    }
    if let Some(stem) = cut("s", 3).filter(|stem| !stem.ends_with(['s', 'u'])) {
        return stem.trim_end_matches('e').to_owned();
    }
    word.strip_suffix('e').filter(|stem| stem.chars().count() >= 4).unwrap_or(word).to_owned()
}

#[cfg(test)]
mod tests {
    use super::{Index, Synonyms, words};

    #[test]
    fn forms_of_a_word_are_one() {
        for (one, other) in [
            ("policies", "policy"),
            ("clusters", "cluster"),
            ("starting", "start"),
            ("deleted", "delete"),
            ("deletes", "delete"),
            ("listWarehouses", "list_warehouse"),
            ("classes", "class"),
            ("status", "status"),
        ] {
            let (one, other): (Vec<_>, Vec<_>) = (words(one).collect(), words(other).collect());
            assert_eq!(one, other);
        }
        assert_eq!(words("the of a").count(), 0);
    }

    #[test]
    fn rare_words_and_names_come_first() {
        let mut index = Index::default();
        index.add("clusters", &[("list_clusters", 3.0), ("Lists the clusters of the workspace.", 1.0)], 1.0);
        index.add(
            "jobs",
            &[("list_jobs", 3.0), ("Lists the jobs of the workspace, with the clusters they use.", 1.0)],
            1.0,
        );
        index.add("table", &[("get_table", 3.0), ("Gets one table.", 1.0)], 1.0);
        let synonyms = Synonyms::parse("list\tshow\ncluster\tmachine box\n");
        let hits = |query: &str| index.search(query, &synonyms);
        let search = |query: &str| hits(query).iter().map(|hit| hit.number).collect::<Vec<_>>();
        assert_eq!(search("show my clusters").first(), Some(&0));
        assert_eq!(search("which jobs are in the workspace").first(), Some(&1));
        assert_eq!(search("show my clusetrs").first(), Some(&0), "misspelt");
        assert_eq!(search("show me the machines").first(), Some(&0), "by another word");
        assert!(search("nothing like that").is_empty());
        let first = |query: &str| hits(query).first().map(|hit| (hit.is_about, hit.share));
        assert_eq!(first("show my machines"), Some((true, 1.0)));
        assert_eq!(first("workspace coffee"), Some((false, 0.5)), "a word that says nothing of what is wanted");
        assert!(search("").is_empty() && Index::default().search("a job", &synonyms).is_empty());
    }
}
