//! Which tools and operations fit the words of a person.

use std::sync::OnceLock;

use serde_json::Value;

use super::{Registry, Tool, definition};
use crate::definition::{Action, ToolDefinition};
use crate::generated::{EXCLUDED, REACHABLE, TOOLS};
use crate::policy::Policy;
use crate::search::{Index, Synonyms, meaningful};

/// The longest name or id that is looked for as such, in bytes.
const LONGEST_NAME: usize = 200;
/// What has so much of the words fits, even if they do not name what it is about.
const ENOUGH: f64 = 0.6;

/// So many operations that are not exposed are shown.
const MOST_WITHHELD: usize = 2;

/// How much a tool counts beside an operation without one: what is made for people fits better, and people ask for it.
const WORTH_OF_TOOLS: f64 = 1.2;

/// Tools before operations, where they fit as well.
fn all() -> impl Iterator<Item = &'static ToolDefinition> {
    TOOLS.iter().chain(REACHABLE)
}

fn index() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = Index::default();
        for tool in all() {
            let mut parts = vec![(tool.name, 3.0), (tool.title, 1.0), (tool.keywords, 1.0)];
            parts.extend(own_clauses(tool.description).map(|clause| (clause, 1.0)));
            let arguments = arguments(tool);
            parts.extend(arguments.iter().map(|argument| (argument.as_str(), 0.3)));
            // The verb says what is done, to whatever it is.
            let things = tool.name.rsplit('.').next().unwrap_or_default();
            let things = things.split_once('_').map_or(things, |(_, things)| things);
            let worth = if definition(tool.name).is_ok() { WORTH_OF_TOOLS } else { 1.0 };
            index.add(things, &parts, worth);
        }
        index
    })
}

/// The names of the arguments.
fn arguments(tool: &ToolDefinition) -> Vec<String> {
    match tool.action {
        Action::Operation(plain) => plain.arguments.iter().map(|argument| argument.wire.to_owned()).collect(),
        Action::Composite(composite) => {
            let schema = (composite.schema)();
            let properties = schema.get("properties").and_then(Value::as_object);
            properties.into_iter().flat_map(|properties| properties.keys().cloned()).collect()
        }
    }
}

/// The clauses of a description that are about its own tool: those that name another one say what it is not for.
fn own_clauses(description: &str) -> impl Iterator<Item = &str> {
    let is_of_another = |clause: &&str| {
        let mut quoted = clause.split('`').skip(1).step_by(2);
        quoted.any(|name| TOOLS.iter().any(|tool| tool.name == name))
    };
    description.split(['.', ';']).filter(move |clause| !is_of_another(clause))
}

/// The tool or operation that a query names: by its name, also with blanks in it, or by the id of its operation.
fn exact(query: &str) -> Option<&'static str> {
    let query = query.trim();
    if query.len() > LONGEST_NAME {
        return None;
    }
    // With blanks, or nothing at all, between its words.
    let plain = |name: &str| name.chars().filter(|letter| letter.is_alphanumeric()).collect::<String>().to_lowercase();
    let (name, brief) = (plain(query), meaningful(query).map(plain).collect::<String>());
    let is_it = |tool: &&ToolDefinition| {
        let id = match tool.action {
            Action::Operation(plain) => plain.operation.id,
            Action::Composite(_) => "",
        };
        let own = plain(tool.name);
        own == name || own == brief || id == query
    };
    all().find(is_it).map(|tool| tool.name)
}

/// The names of what can be called, and after these of what is not exposed: the part of an id that says what it does.
fn names() -> &'static Index {
    static INDEX: OnceLock<Index> = OnceLock::new();
    INDEX.get_or_init(|| {
        let mut index = Index::default();
        for name in all().map(|tool| tool.name).chain(EXCLUDED.iter().map(|(id, _)| *id)) {
            let name = name.split_once('.').map_or(name, |(_, rest)| rest);
            index.add(name, &[(name, 1.0)], 1.0);
        }
        index
    })
}

fn synonyms() -> &'static Synonyms {
    static SYNONYMS: OnceLock<Synonyms> = OnceLock::new();
    SYNONYMS.get_or_init(|| Synonyms::parse(include_str!("synonyms.tsv")))
}

impl Registry {
    /// What is not exposed, with the reason, where its name has more of the words than the name of anything that is: nobody
    /// shall take a neighbour for it.
    pub(crate) fn withheld(words: &str) -> Vec<(&'static str, &'static str)> {
        let first = all().count();
        let hits = names().search(words, synonyms());
        let best = hits.iter().filter(|hit| hit.number < first).map(|hit| hit.share).fold(0.0, f64::max);
        let withheld = hits.iter().filter(|hit| hit.number >= first && hit.share > best && hit.share >= ENOUGH);
        withheld.filter_map(|hit| EXCLUDED.get(hit.number - first)).take(MOST_WITHHELD).copied().collect()
    }

    /// The names of all tools and operations that have any of the words, the best first; before all what has this very name
    /// or id.
    pub fn ranked(words: &str) -> impl Iterator<Item = &'static str> {
        Self::matches(words).map(|(name, _)| name)
    }

    /// The same, and whether the words fit well.
    pub fn matches(words: &str) -> impl Iterator<Item = (&'static str, bool)> {
        let exact = exact(words);
        let found = index().search(words, synonyms()).into_iter();
        let found = found.filter_map(|hit| Some((all().nth(hit.number)?.name, hit.is_about || hit.share >= ENOUGH)));
        exact.map(|name| (name, true)).into_iter().chain(found.filter(move |(name, _)| exact != Some(name)))
    }

    /// The tools and operations that [`Registry::reach`] gives and that fit the words best, the best first.
    pub(crate) fn search(&self, words: &str, policy: Policy) -> impl Iterator<Item = (Tool, bool)> {
        Self::matches(words).filter_map(move |(name, fits)| Some((self.reach(name, policy).ok()?, fits)))
    }
}

#[cfg(test)]
mod tests {
    use super::Registry;

    #[test]
    fn what_is_not_exposed_is_named_where_the_words_ask_for_it() {
        let first = |words| Registry::withheld(words).first().map(|(id, _)| *id);
        assert_eq!(first("create a token"), Some("settings.tokens.create"));
        for words in ["list dashboards", "run a job now", "who am I", "delete a cluster", "weather", ""] {
            assert_eq!(first(words), None, "{words}");
        }
    }
}
