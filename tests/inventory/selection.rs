//! Whether the words of a tool lead to it: clients with many tools search names, descriptions and argument names.

use std::collections::{BTreeMap, BTreeSet};

use databricks_mcp_server::registry::{Registry, Tool};

/// Of so many prompts in a hundred the right tool is among the first three.
const SHARE: usize = 95;
/// The same of prompts that nobody looked at who chose words for tools: what people can expect.
const SHARE_OF_NEW: usize = 88;
/// The same among all tools and operations, where the right tool stands beside hundreds of operations that are like it.
const SHARE_OF_ALL: [usize; 2] = [93, 86];
/// The same of operations without a tool, by the first words of their summaries.
const SHARE_BY_SUMMARY: usize = 75;
/// The same by the textbook, with the keywords of a tool as part of its text: no words for others, no forms of words, no
/// misspellings, and not that a clause is about another tool.
const SHARE_BY_TEXTBOOK: [usize; 2] = [92, 82];
/// The same for clients, which do not get the keywords.
const SHARE_OF_CLIENTS: usize = 64;
const FIRST: usize = 3;

/// What people type, a tab, and the tool that does it.
const PROMPTS: &str = include_str!("prompts.tsv");

/// The same, by a person who knew neither the keywords nor the other prompts. Keep it so: choose no words by what misses here.
const NEW_PROMPTS: &str = include_str!("new_prompts.tsv");

fn prompts(lines: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    lines.lines().filter_map(|line| line.split_once('\t'))
}

fn words(text: &str) -> impl Iterator<Item = String> {
    text.split(|char: char| !char.is_alphanumeric()).filter(|word| !word.is_empty()).map(str::to_lowercase)
}

/// How often each word is in what clients search of a tool, and in more words for it.
fn document(tool: &Tool, more: &str) -> BTreeMap<String, f64> {
    let arguments = tool.input_schema.get("properties").and_then(|properties| properties.as_object());
    let arguments = arguments.into_iter().flat_map(|properties| properties.keys().map(String::as_str));
    let definition = tool.definition;
    let texts = [definition.name, definition.title, definition.description, more].into_iter().chain(arguments);
    let mut counts = BTreeMap::new();
    for word in texts.flat_map(words) {
        *counts.entry(word).or_insert(0.0) += 1.0;
    }
    counts
}

/// BM25 as in the textbook, with k1 = 1.2 and b = 0.75.
struct Index {
    documents: Vec<(&'static str, BTreeMap<String, f64>)>,
    mean: f64,
}

impl Index {
    fn new(tools: &[Tool], more: impl Fn(&Tool) -> &'static str) -> Self {
        let documents: Vec<_> = tools.iter().map(|tool| (tool.definition.name, document(tool, more(tool)))).collect();
        let length: f64 = documents.iter().flat_map(|(_, counts)| counts.values()).sum();
        Self { mean: length / documents.len() as f64, documents }
    }

    fn first(&self, prompt: &str) -> Vec<&'static str> {
        let all = self.documents.len() as f64;
        let mut scores: Vec<(f64, &str)> = self.documents.iter().map(|(name, _)| (0.0, *name)).collect();
        for word in words(prompt) {
            let having = self.documents.iter().filter(|(_, counts)| counts.contains_key(&word)).count() as f64;
            let rarity = (1.0 + (all - having + 0.5) / (having + 0.5)).ln();
            for ((score, _), (_, counts)) in scores.iter_mut().zip(&self.documents) {
                let count = counts.get(&word).copied().unwrap_or_default();
                let length: f64 = counts.values().sum();
                *score += rarity * count * 2.2 / (count + 1.2 * (0.25 + 0.75 * length / self.mean));
            }
        }
        scores.sort_by(|one, other| other.0.total_cmp(&one.0).then(one.1.cmp(other.1)));
        scores.into_iter().take(FIRST).map(|(_, name)| name).collect()
    }
}

/// How many prompts of a hundred lead to their tool, which is among the first three; the others are told, but not of the
/// prompts that no words may be chosen by.
fn share(lines: &'static str, first: impl Fn(&str) -> Vec<&'static str>) -> (usize, String) {
    let all = prompts(lines).count();
    let missed = prompts(lines).filter_map(|(prompt, name)| {
        let found = first(prompt);
        (!found.contains(&name)).then(|| format!("{name} for \"{prompt}\", but {}", found.join(", ")))
    });
    let missed: Vec<_> = missed.collect();
    let share = (all - missed.len()) * 100 / all;
    let missing = if lines == NEW_PROMPTS { "not to be looked at".to_owned() } else { missed.join("\n") };
    (share, format!("{} of {all} prompts found; missed:\n{missing}", all - missed.len()))
}

#[test]
fn the_search_of_this_server_finds_the_right_tool() {
    let tools: BTreeSet<_> = Registry::all().iter().map(|tool| tool.definition.name).collect();
    for (lines, least) in [(PROMPTS, SHARE), (NEW_PROMPTS, SHARE_OF_NEW)] {
        let first = |prompt: &str| Registry::ranked(prompt).filter(|name| tools.contains(name)).take(FIRST).collect();
        let (share, told) = share(lines, first);
        println!("{share} %: {told}");
        assert!(share >= least, "{share} %: {told}");
    }
}

#[test]
fn the_search_for_operations_finds_the_right_tool() {
    for (lines, least) in [PROMPTS, NEW_PROMPTS].into_iter().zip(SHARE_OF_ALL) {
        let (share, told) = share(lines, |prompt| Registry::ranked(prompt).take(FIRST).collect());
        println!("{share} %: {told}");
        assert!(share >= least, "{share} %: {told}");
    }
}

/// What is asked for in the words of an operation without a tool leads to it.
#[test]
fn the_search_for_operations_finds_them_by_their_summaries() {
    let operations = Registry::reachable();
    let brief = |text: &str| text.split_whitespace().take(7).collect::<Vec<_>>().join(" ");
    let is_found = |operation: &&Tool| {
        Registry::ranked(&brief(operation.definition.description))
            .take(FIRST)
            .any(|name| name == operation.definition.name)
    };
    let found = operations.iter().step_by(5).filter(is_found).count();
    let asked = operations.iter().step_by(5).count();
    assert!(found * 100 >= asked * SHARE_BY_SUMMARY, "{found} of {asked}");
}

#[test]
fn the_search_of_clients_finds_the_right_tool() {
    let tools = Registry::all();
    let index = Index::new(&tools, |_| "");
    let (share, told) = share(PROMPTS, |prompt| index.first(prompt));
    println!("{share} %: {told}");
    assert!(share >= SHARE_OF_CLIENTS, "{share} %: {told}");
}

#[test]
fn the_words_of_a_tool_and_its_keywords_lead_to_it_by_the_textbook() {
    let index = Index::new(&Registry::all(), |tool| tool.definition.keywords);
    for (lines, least) in [PROMPTS, NEW_PROMPTS].into_iter().zip(SHARE_BY_TEXTBOOK) {
        let (share, told) = share(lines, |prompt| index.first(prompt));
        println!("{share} %: {told}");
        assert!(share >= least, "{share} %: {told}");
    }
}

/// Keywords are words, each once; how often a word stands there must not decide what is found.
#[test]
fn no_keyword_stands_twice_for_a_tool() {
    for tool in Registry::all() {
        let mut seen = BTreeSet::new();
        let twice: Vec<_> = tool.definition.keywords.split_whitespace().filter(|word| !seen.insert(*word)).collect();
        assert!(twice.is_empty(), "{}: {twice:?}", tool.definition.name);
    }
}

/// A prompt that asks for a tool has words of its own: who copies it into the keywords, measures nothing.
#[test]
fn no_prompt_is_copied_into_the_keywords() {
    const IN_A_ROW: usize = 4;
    let tools = Registry::all();
    for (prompt, name) in prompts(PROMPTS).chain(prompts(NEW_PROMPTS)) {
        let keywords = tools.iter().find(|tool| tool.definition.name == name).map(|tool| tool.definition.keywords);
        let keywords = format!(" {} ", words(keywords.unwrap_or_default()).collect::<Vec<_>>().join(" "));
        let words: Vec<_> = words(prompt).collect();
        let copied = words.windows(IN_A_ROW).find(|part| keywords.contains(&format!(" {} ", part.join(" "))));
        assert!(copied.is_none(), "{name}: {copied:?} of \"{prompt}\"");
    }
}

#[test]
fn every_tool_is_asked_for_and_none_that_is_not_there() {
    let asked: BTreeSet<_> = prompts(PROMPTS).map(|(_, name)| name).collect();
    let all: BTreeSet<_> = Registry::all().iter().map(|tool| tool.definition.name).collect();
    assert!(prompts(NEW_PROMPTS).all(|(_, name)| all.contains(name)));
    let strayed: Vec<_> = asked.symmetric_difference(&all).collect();
    assert!(strayed.is_empty(), "not asked for, or not there: {strayed:?}");
}
