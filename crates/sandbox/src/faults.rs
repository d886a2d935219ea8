//! Faults on demand: rules that spoil answers of some routes, counted, seeded and repeatable.
//!
//! A rule names a route and a kind. The first rule in order that is due spoils a request; a rule that is not
//! due only counts it. So the same requests in the same order meet the same faults.

mod apply;
mod body;
mod control;
mod rule;
mod spoil;

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

pub(crate) use apply::{body, instead, named, names_of_new, on_json, undo_cursor};
pub(crate) use control::control;
pub(crate) use rule::Kind;
use rule::Rule;

use crate::Error;
use crate::ids::mix;
use crate::workspace::lock;

/// Rules for faults, read from JSON.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Faults {
    rules: Vec<Rule>,
}

impl Faults {
    /// Reads rules: a JSON list of them, an object with a list `faults`, or one rule.
    ///
    /// ```
    /// use databricks_sandbox::Faults;
    /// let faults = Faults::parse(r#"[{"route": "GET /api/2.2/jobs/*", "fault": "too_many_requests", "times": 2}]"#);
    /// assert!(faults.is_ok());
    /// ```
    ///
    /// # Errors
    /// When the text is not JSON or a rule makes no sense; the message names the rule and the field.
    pub fn parse(text: &str) -> Result<Self, Error> {
        let value =
            serde_json::from_str(text).map_err(|error| Error::faults(format!("faults are not JSON: {error}")))?;
        Self::read(&value).map_err(Error::faults)
    }

    fn read(value: &Value) -> Result<Self, String> {
        let rules = match value {
            Value::Array(rules) => rules.as_slice(),
            Value::Object(members) if members.contains_key("faults") => match members.get("faults") {
                Some(Value::Array(rules)) if members.len() == 1 => rules.as_slice(),
                Some(Value::Array(_)) => return Err("beside `faults` no other field is known".to_owned()),
                _ => return Err("`faults` must be a list of rules".to_owned()),
            },
            Value::Object(_) => std::slice::from_ref(value),
            _ => return Err("faults are a list of rules, or one rule".to_owned()),
        };
        let rules = rules
            .iter()
            .enumerate()
            .map(|(at, rule)| Rule::read(rule).map_err(|problem| format!("fault rule {}: {problem}", at + 1)));
        Ok(Self { rules: rules.collect::<Result<_, _>>()? })
    }
}

/// The rules of a workspace and how far they have come.
#[derive(Debug, Default)]
pub(crate) struct Active(Mutex<Vec<State>>);

#[derive(Debug)]
struct State {
    rule: Rule,
    /// Requests to its route so far.
    seen: u64,
    hits: u64,
    /// Requests it was due for, whose client went away before it was answered.
    abandoned: Arc<AtomicU64>,
    /// What was created and is not there yet: how often it is still to be missed.
    missing: BTreeMap<String, u64>,
}

impl State {
    fn new(rule: Rule) -> Self {
        Self { rule, seen: 0, hits: 0, abandoned: Arc::default(), missing: BTreeMap::new() }
    }

    /// Counts a request and says whether the fault is due.
    fn is_due(&mut self) -> bool {
        self.seen += 1;
        let is_chosen = match self.rule.probability {
            None => true,
            Some(millionths) => mix(self.rule.seed.wrapping_add(mix(self.seen))) % 1_000_000 < u64::from(millionths),
        };
        let is_due = self.seen > self.rule.after && self.rule.times.is_none_or(|times| self.hits < times) && is_chosen;
        self.hits += u64::from(is_due);
        is_due
    }

    fn json(&self) -> Value {
        let mut json = self.rule.source.clone();
        if let Value::Object(members) = &mut json {
            members.insert("seen".to_owned(), json!(self.seen));
            members.insert("hits".to_owned(), json!(self.hits));
            members.insert("abandoned".to_owned(), json!(self.abandoned.load(Relaxed)));
        }
        json
    }
}

/// A fault that a request meets.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) kind: Kind,
    /// Whether the request is carried out before its answer is lost.
    pub(crate) handled: bool,
    abandoned: Arc<AtomicU64>,
}

/// A request on its way, with its fault. Dropped before it is answered, it counts as abandoned.
#[derive(Debug, Default)]
pub(crate) struct UnderWay(Option<Due>);

impl UnderWay {
    pub(crate) fn meets(&mut self, due: Option<Due>) {
        self.0 = due;
    }

    pub(crate) fn answered(mut self) -> Option<Kind> {
        self.0.take().map(|due| due.kind)
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        if let Some(due) = &self.0 {
            due.abandoned.fetch_add(1, Relaxed);
        }
    }
}

/// What rules look at.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Target<'a> {
    pub(crate) method: &'a str,
    pub(crate) path: &'a str,
    /// The operation's id, where the specs have one.
    pub(crate) operation: Option<&'a str>,
}

impl Active {
    pub(crate) fn new(faults: &Faults) -> Self {
        Self(Mutex::new(faults.rules.iter().cloned().map(State::new).collect()))
    }

    /// The fault that is due for a request, if any.
    pub(crate) fn due(&self, target: Target) -> Option<Due> {
        let mut states = lock(&self.0);
        let mut matching = states.iter_mut().filter(|state| {
            !matches!(state.rule.kind, Kind::EventualConsistency { .. }) && state.rule.route.matches(target)
        });
        matching.find_map(|state| {
            state.is_due().then(|| Due {
                kind: state.rule.kind,
                handled: state.rule.handled,
                abandoned: Arc::clone(&state.abandoned),
            })
        })
    }

    /// What a read names and was created so lately that it is not found yet.
    pub(crate) fn not_there_yet<'a>(&self, target: Target, names: &'a [String]) -> Option<&'a str> {
        let mut states = lock(&self.0);
        let mut reads = states.iter_mut().filter(|state| {
            matches!(state.rule.kind, Kind::EventualConsistency { .. }) && state.rule.route.matches(target)
        });
        reads.find_map(|state| {
            let is_missed = |name: &&String| state.missing.get(*name).is_some_and(|left| *left > 0);
            let name = names.iter().find(is_missed)?;
            *state.missing.get_mut(name)? -= 1;
            state.hits += 1;
            Some(name.as_str())
        })
    }

    /// Remembers what a request created, for rules of eventual consistency.
    pub(crate) fn created(&self, target: Target, names: impl Fn() -> Vec<String>) {
        for state in lock(&self.0).iter_mut() {
            let Kind::EventualConsistency { reads } = state.rule.kind else { continue };
            if !state.rule.route.matches(target) {
                continue;
            }
            state.seen += 1;
            let is_over = state.rule.times.is_some_and(|times| state.seen > state.rule.after.saturating_add(times));
            if state.seen > state.rule.after && !is_over {
                state.missing.extend(names().into_iter().map(|name| (name, reads)));
            }
        }
    }

    /// Whether there is no rule at all, as on most workspaces.
    pub(crate) fn is_empty(&self) -> bool {
        lock(&self.0).is_empty()
    }

    fn add(&self, faults: Faults) {
        lock(&self.0).extend(faults.rules.into_iter().map(State::new));
    }

    fn clear(&self) {
        lock(&self.0).clear();
    }

    fn json(&self) -> Value {
        json!({"faults": lock(&self.0).iter().map(State::json).collect::<Vec<_>>()})
    }
}
