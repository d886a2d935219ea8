//! Whether a person has to confirm a call: asked at the first request by which it would change something, so that whatever
//! leads to that request (a tool, another name of it, an executor, a composite) comes by here.

use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use databricks::{Error, Location, Outgoing};
use serde_json::{Map, Value};

use super::{CallWatch, STATEMENT, question, statement};
use crate::consent::{Consent, Means, WayOut};
use crate::definition::{Confirm, ToolDefinition};
use crate::domain::sql::read_only::{self, Destroys};
use crate::error;
use crate::policy::objects;
use crate::policy::pattern::{Kind, Object};
use crate::policy::rules::Named;
use crate::risk::Risk;

/// Stands for the pattern where it is not clear what is touched.
pub(super) const ANY: &str = "*";
/// Values of a request that are looked at as names.
const MOST_VALUES: usize = 10_000;
/// Characters of a name.
const LONGEST_NAME: usize = 1_000;

/// What is known of the consent to a call.
#[derive(Debug)]
pub(crate) struct Asking {
    pub(crate) consent: Consent,
    pub(crate) definition: &'static ToolDefinition,
    /// What the call can do with these arguments.
    pub(crate) risk: Risk,
    /// The arguments, without long texts.
    pub(crate) given: Map<String, Value>,
    /// The names of the arguments that are left out there.
    pub(crate) too_long: Vec<String>,
}

impl Asking {
    /// What a call can do: one that may overwrite something, and does not say so, destroys nothing.
    pub(crate) fn risk(
        definition: &ToolDefinition,
        risk: Risk,
        given: &Map<String, Value>,
        may_overwrite: bool,
    ) -> Risk {
        let overwrites = given.get("overwrite").and_then(Value::as_bool).unwrap_or_default();
        match may_overwrite && !overwrites && definition.confirm.is_none() {
            true => risk.min(Risk::Write),
            false => risk,
        }
    }
}

/// Why a person is asked.
#[derive(Debug, Default)]
pub(super) struct Reason {
    /// For what the tool is: `true` where nothing goes on without an answer.
    pub(super) by_tool: Option<bool>,
    /// For what the statement does.
    pub(super) destroys: Option<Destroys>,
    /// For what it touches: names, and the patterns of `--protect`.
    pub(super) protected: Vec<(String, String)>,
}

impl Reason {
    fn is_none(&self) -> bool {
        self.by_tool.is_none() && self.destroys.is_none() && self.protected.is_empty()
    }

    /// Whether nothing goes on where nobody can be asked.
    fn is_firm(&self) -> bool {
        self.by_tool == Some(true) || self.destroys.is_some() || !self.protected.is_empty()
    }

    /// For records.
    fn rule(&self) -> String {
        match (self.protected.first(), &self.destroys) {
            (Some((_, pattern)), _) => format!("confirm: --protect {pattern}"),
            (None, Some(_)) => "confirm: statement".to_owned(),
            (None, None) => "confirm: tool".to_owned(),
        }
    }
}

impl CallWatch {
    /// What ends the call before anything was changed: a question to a person, or that nobody can be asked.
    pub(crate) fn unconfirmed(&self) -> Option<error::Error> {
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner).take()
    }

    /// Whether a request may need somebody's consent.
    pub(super) fn may_ask(&self) -> bool {
        self.of.asking.as_ref().is_some_and(|asking| {
            let terms = asking.consent.terms();
            let is_quiet = !terms.asks_for_marked() && terms.protected().is_empty();
            !asking.consent.is_given() && !is_quiet && !self.of.policy.dry_run
        })
    }

    /// Holds a request back that a person has to confirm, and has not.
    pub(super) async fn confirm(&self, request: &Outgoing<'_>, risk: Risk) -> Result<(), Error> {
        let Some(asking) = self.of.asking.as_ref().filter(|_| self.may_ask() && risk != Risk::Read) else {
            return Ok(());
        };
        let held = || Err(Error::held_back("a person has to confirm this call first, and nothing was sent"));
        if self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner).is_some() {
            return held();
        }
        let reason = self.reason(asking, request, risk).await;
        if reason.is_none() {
            self.has_changed.store(true, Ordering::Relaxed);
            return Ok(());
        }
        let outcome = match asking.consent.means() {
            Means::Nobody(_) if !reason.is_firm() => {
                self.has_changed.store(true, Ordering::Relaxed);
                return Ok(());
            }
            Means::Nobody(way_out) => unasked(asking, &reason, way_out),
            // What has been sent would be sent again with the answer.
            Means::Ask if self.has_changed.load(Ordering::Relaxed) => half_way(asking, &reason),
            Means::Ask => {
                let about = question::About { asking, reason: &reason, request, host: &self.host };
                error::Error::question(question::text(&self.client, &about).await)
            }
        };
        self.unconfirmed.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(outcome);
        held()
    }

    async fn reason(&self, asking: &Asking, request: &Outgoing<'_>, risk: Risk) -> Reason {
        let terms = asking.consent.terms();
        let is_statement = request.operation.id == STATEMENT;
        let mut reason = Reason::default();
        match asking.definition.confirm {
            Some(Confirm::Never) => {}
            Some(Confirm::Always) => reason.by_tool = terms.asks_for_marked().then_some(true),
            Some(Confirm::SqlWrites) => {
                if is_statement && terms.asks_for_marked() {
                    reason.destroys = destroys(request).await;
                }
                if terms.asks_for_writes() {
                    reason.by_tool = Some(terms.is_firm());
                }
            }
            None => reason.by_tool = terms.asks_for(asking.risk).then(|| terms.is_firm()),
        }
        if !terms.protected().is_empty() {
            reason.protected = self.protected(asking, request, risk).await;
        }
        reason
    }

    /// What a request touches of what is protected.
    async fn protected(&self, asking: &Asking, request: &Outgoing<'_>, risk: Risk) -> Vec<(String, String)> {
        let protected = asking.consent.terms().protected();
        let mut found: Vec<(String, String)> = Vec::new();
        let mut look = |object: &Object| {
            if let Some(pattern) = protected.covering(object) {
                found.push((object.name.clone(), pattern.to_owned()));
            }
        };
        let mut unclear = None;
        for kind in crate::consent::PROTECTED {
            for (risk, named) in self.named(request, kind, risk).await {
                match named {
                    _ if risk == Risk::Read => {}
                    Named::Objects(objects) => objects.iter().for_each(&mut look),
                    Named::Any => values(request, kind).iter().for_each(&mut look),
                    Named::Unclear(why) if request.operation.id == STATEMENT => match mentioned(request).await {
                        Some(names) => names.into_iter().for_each(|parts| look(&Object::of_parts(parts))),
                        None => unclear = Some(why),
                    },
                    Named::Unclear(why) => unclear = Some(why),
                }
            }
        }
        if let Some(why) = unclear.filter(|_| found.is_empty()) {
            found.push((format!("what it touches, which is not clear ({why})"), ANY.to_owned()));
        }
        found.dedup();
        found
    }
}

/// The error of a call that has to be confirmed where nobody can be asked.
fn unasked(asking: &Asking, reason: &Reason, way_out: WayOut) -> error::Error {
    let name = asking.definition.name;
    let why = match (&reason.destroys, reason.protected.first()) {
        (_, Some((name, pattern))) if pattern == ANY => format!("it may touch {name}"),
        (_, Some((name, pattern))) => format!("it touches `{name}`, which is protected (`--protect {pattern}`)"),
        (Some(destroys), None) => format!("the statement {}", destroys.what),
        (None, None) => format!("it is {}", asking.definition.risk.name()),
    };
    let switch = match reason.protected.first() {
        Some((_, pattern)) => format!("with another `--protect` than one with `{pattern}`"),
        None => "with `--confirm never`".to_owned(),
    };
    let mut hint = way_out.advice.to_owned();
    if way_out.is_served {
        hint.push_str(&format!(", or have whoever runs this server start it {switch}"));
    }
    error::Error::failed(format!(
        "`{name}` needs the consent of a person, as {why}, and nobody can be asked; nothing was sent"
    ))
    .with_hint(hint)
    .refused_by(reason.rule())
}

/// The error of a call that comes to what has to be confirmed after it has changed something else.
fn half_way(asking: &Asking, reason: &Reason) -> error::Error {
    let name = asking.definition.name;
    let touched = reason.protected.first().map_or("something", |(name, _)| name.as_str());
    let message = format!(
        "`{name}` had made a first change when it came to `{touched}`, which a person has to confirm; that was not sent"
    );
    let hint = "make the changes one by one, each with its own tool, so that the person can be asked before each";
    error::Error::failed(message).with_hint(hint).refused_by(reason.rule())
}

/// What the statement of a request destroys.
async fn destroys(request: &Outgoing<'_>) -> Option<Destroys> {
    let (sql, circumstances) = statement(request)?;
    let schema = objects::value(request.arguments, "schema");
    match read_only::destroys(&sql, circumstances, schema).await {
        Ok(destroys) => destroys,
        // Nobody knows what it does.
        Err(error) => Some(Destroys { what: format!("cannot be checked: {}", error.message()), target: None }),
    }
}

/// Every name of a statement; `None` where it hides some.
async fn mentioned(request: &Outgoing<'_>) -> Option<Vec<Vec<String>>> {
    let (sql, circumstances) = statement(request)?;
    let schema = objects::value(request.arguments, "schema");
    read_only::mentioned(&sql, circumstances, schema).await.ok().flatten()
}

/// What a request may name of a kind, wherever that stands in it. A word alone names a catalog where it is said to; jobs have
/// numbers.
fn values(request: &Outgoing<'_>, kind: Kind) -> Vec<Object> {
    fn collect(key: &str, value: &Value, kind: Kind, found: &mut Vec<Object>) {
        match value {
            _ if found.len() >= MOST_VALUES => {}
            Value::String(text) if text.len() <= LONGEST_NAME => {
                let is_name = match kind {
                    Kind::Data => text.contains('.') || key.contains("catalog"),
                    Kind::Paths => true,
                    Kind::Jobs | Kind::Clusters | Kind::Warehouses => false,
                };
                found.extend(Object::new(kind, text).filter(|_| is_name));
            }
            Value::Array(items) => items.iter().for_each(|item| collect(key, item, kind, found)),
            Value::Object(fields) => fields.iter().for_each(|(key, field)| collect(key, field, kind, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    for location in [Location::Path, Location::Query, Location::Body] {
        request.arguments.values(location).iter().for_each(|(key, value)| collect(key, value, kind, &mut found));
    }
    found
}
