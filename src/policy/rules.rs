//! The rules of a policy, and how they decide: the most specific rule that applies to a call wins, and of two equally
//! specific rules the one that denies.
//!
//! A rule has conditions on the call (tools, toolsets, operations, risks, workspaces) and may name objects. One without
//! objects applies to calls whatever they name; one with objects applies to those objects alone, and wins over every rule
//! without. A call may go on if every object that it names is allowed. Where it names none, the rules without objects decide.

use super::pattern::{Kind, Object, Pattern, Precision};
use crate::globs;
use crate::risk::Risk;

/// Stands for the rule where none applies.
pub(crate) const DEFAULT: &str = "default";

/// What a rule does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Effect {
    Allow,
    Deny,
}

/// What is known of a call, or of one request of it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Act<'a> {
    pub(crate) tool: &'a str,
    pub(crate) toolset: &'a str,
    pub(crate) operation: Option<&'a str>,
    pub(crate) risk: Risk,
    pub(crate) workspace: &'a str,
}

/// One rule.
#[derive(Debug)]
pub(crate) struct Rule {
    pub(crate) name: String,
    pub(crate) effect: Effect,
    pub(crate) tools: Vec<String>,
    pub(crate) toolsets: Vec<String>,
    pub(crate) operations: Vec<globs::Pattern>,
    pub(crate) risks: Vec<Risk>,
    pub(crate) workspaces: Vec<globs::Pattern>,
    pub(crate) objects: Vec<Pattern>,
}

/// How precise a rule is for an act: by the object, then by what it says of the call.
type Weight = (Option<Precision>, u8, u8);

impl Rule {
    fn applies(&self, act: Act<'_>) -> bool {
        let is_one = |names: &[String], name: &str| names.is_empty() || names.iter().any(|known| known == name);
        let matches =
            |globs: &[globs::Pattern], name: &str| globs.is_empty() || globs.iter().any(|glob| glob.is_match(name));
        is_one(&self.tools, act.tool)
            && is_one(&self.toolsets, act.toolset)
            && (self.risks.is_empty() || self.risks.contains(&act.risk))
            && matches(&self.workspaces, act.workspace)
            && (self.operations.is_empty() || act.operation.is_some_and(|id| matches(&self.operations, id)))
    }

    /// Whether it names the tool or the operation, and not only a group of them.
    fn names_act(&self) -> bool {
        !self.tools.is_empty() || !self.operations.is_empty()
    }

    fn weight(&self, precision: Option<Precision>) -> Weight {
        let of_act = if self.names_act() { 2 } else { u8::from(!self.toolsets.is_empty()) };
        (precision, of_act, u8::from(!self.risks.is_empty()) + u8::from(!self.workspaces.is_empty()))
    }

    /// How precisely its patterns cover an object. One that denies covers also what holds such an object, unless the act
    /// only lists or shows what holds it.
    fn precision(&self, object: &Object, is_look: bool) -> Option<Precision> {
        let covers = |pattern: &&Pattern| match self.effect {
            Effect::Allow => pattern.covers(object, true),
            Effect::Deny => pattern.covers(object, false) || (!is_look && pattern.covers_part_of(object)),
        };
        self.objects.iter().filter(covers).map(Pattern::precision).max()
    }

    fn has(&self, kind: Kind) -> bool {
        self.objects.iter().any(|pattern| pattern.kind == kind)
    }
}

/// What a request names of a kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Named {
    /// These objects.
    Objects(Vec<Object>),
    /// It may touch any: nothing tells which. A rule without objects that names the tool or the operation allows it.
    Any,
    /// As `Any`, for a reason that no rule overcomes.
    Unclear(String),
}

/// All rules, and what holds where none applies.
#[derive(Debug)]
pub(crate) struct Rules {
    pub(crate) default: Effect,
    pub(crate) rules: Vec<Rule>,
}

/// The rule that decided, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Decision {
    pub(crate) effect: Effect,
    pub(crate) rule: String,
}

impl Rules {
    fn default(&self) -> Decision {
        Decision { effect: self.default, rule: DEFAULT.to_owned() }
    }

    /// The most precise of the rules that apply, each with its precision for the object.
    fn most_precise<'a>(&'a self, rules: impl Iterator<Item = (&'a Rule, Option<Precision>)>) -> Decision {
        let weighed = rules.map(|(rule, precision)| ((rule.weight(precision), rule.effect == Effect::Deny), rule));
        match weighed.max_by_key(|(weight, _)| *weight) {
            Some((_, rule)) => Decision { effect: rule.effect, rule: rule.name.clone() },
            None => self.default(),
        }
    }

    /// What the rules without objects say.
    pub(crate) fn of_act(&self, act: Act<'_>) -> Decision {
        let rules = self.rules.iter().filter(|rule| rule.objects.is_empty() && rule.applies(act));
        self.most_precise(rules.map(|rule| (rule, None)))
    }

    /// What the rules say of an act on an object.
    pub(crate) fn of_object(&self, act: Act<'_>, object: &Object) -> Decision {
        let is_look = act.risk == Risk::Read && act.operation.is_some_and(is_look);
        let rules =
            self.rules.iter().filter(|rule| rule.applies(act)).filter_map(|rule| match rule.objects.is_empty() {
                true => Some((rule, None)),
                false => Some((rule, Some(rule.precision(object, is_look)?))),
            });
        self.most_precise(rules)
    }

    /// What the rules say of an act that may touch any object of a kind.
    fn of_any(&self, act: Act<'_>, kind: Kind, is_unclear: bool) -> Decision {
        let denies = |rule: &&Rule| rule.effect == Effect::Deny && rule.has(kind) && rule.applies(act);
        let decision = self.of_act(act);
        let by_name = |rule: &Rule| rule.effect == Effect::Allow && rule.names_act() && rule.name == decision.rule;
        match self.rules.iter().find(denies) {
            Some(rule) if is_unclear || !self.rules.iter().any(by_name) => {
                Decision { effect: Effect::Deny, rule: rule.name.clone() }
            }
            Some(_) | None => decision,
        }
    }

    /// Whether a tool may be called at all: whatever it names may still be refused.
    pub(crate) fn of_call(&self, act: Act<'_>) -> Decision {
        let decision = self.of_act(act);
        let could_allow = |rule: &Rule| {
            let risks = [Risk::Read, Risk::Write, Risk::Destructive].into_iter().filter(|risk| *risk <= act.risk);
            rule.effect == Effect::Allow && !rule.objects.is_empty() && { risks }.any(|risk| {
                // A composite is asked about before its operations are known.
                let operation = act.operation.is_some() || rule.operations.is_empty();
                operation && rule.applies(Act { risk, ..act })
            })
        };
        match self.rules.iter().find(|rule| decision.effect == Effect::Deny && could_allow(rule)) {
            Some(rule) => Decision { effect: Effect::Allow, rule: rule.name.clone() },
            None => decision,
        }
    }

    /// Whether requests are asked about objects of a kind: where all is denied that no rule allows, about those of all kinds.
    pub(crate) fn asks_about(&self, kind: Kind) -> bool {
        self.default == Effect::Deny || self.rules.iter().any(|rule| rule.has(kind))
    }

    /// What the rules say of a request that names nothing. A tool of several requests also reads what helps it, such as the
    /// list of warehouses: that goes with the tool, where a rule allows it by its name.
    pub(crate) fn of_bare_request(&self, act: Act<'_>, is_one_of_several: bool) -> Decision {
        let decision = self.of_act(act);
        let names_tool = |rule: &&Rule| rule.effect == Effect::Allow && rule.tools.iter().any(|tool| tool == act.tool);
        match self.rules.iter().find(names_tool) {
            Some(rule) if is_one_of_several && act.risk == Risk::Read && decision.rule == DEFAULT => {
                Decision { effect: Effect::Allow, rule: rule.name.clone() }
            }
            _ => decision,
        }
    }

    /// What the rules say of a request, by what it names of a kind; with the name of what they deny.
    pub(crate) fn of_named(&self, act: Act<'_>, kind: Kind, named: &Named) -> Result<(), (Decision, String)> {
        let denied = |decision: Decision, what: String| match decision.effect {
            Effect::Allow => Ok(()),
            Effect::Deny => Err((decision, what)),
        };
        match named {
            Named::Objects(objects) => objects.iter().try_for_each(|object| {
                denied(self.of_object(act, object), format!("`{}` of {}", object.name, kind.name()))
            }),
            Named::Any => {
                denied(self.of_any(act, kind, false), format!("a call that may touch any of {}", kind.name()))
            }
            Named::Unclear(why) => denied(self.of_any(act, kind, true), format!("a call that is not clear: {why}")),
        }
    }
}

/// Whether an operation shows what it names and nothing of what is in it.
fn is_look(operation: &str) -> bool {
    let method = operation.rsplit('.').next().unwrap_or_default();
    ["list", "get", "exists"].iter().any(|look| method.starts_with(look))
}

#[cfg(test)]
mod tests;
