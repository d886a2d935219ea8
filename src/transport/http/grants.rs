//! What callers may do, by their groups, scopes or names: the rules of a file, which is read again when it changes.
//!
//! The first rule that fits decides. Rules take away: what a key or a token does not allow, no rule gives.

use std::path::{Path, PathBuf};

use serde_json::{Map, Value};

use crate::error::Error;
use crate::registry::{Narrowing, Registry};
use crate::reload::Reloading;
use crate::risk::Risk;
use crate::transport::http::principal::Denied;
use crate::yaml::{self, Mapping, Node, Problem};

const RISKS: [Risk; 3] = [Risk::Read, Risk::Write, Risk::Destructive];
/// The scopes of this server, unless the file names those of the issuer.
const SCOPES: [(&str, Risk); 3] =
    [("databricks.read", Risk::Read), ("databricks.write", Risk::Write), ("databricks.destructive", Risk::Destructive)];

/// The rules of a file, or none.
#[derive(Debug, Default)]
pub(crate) struct Grants(Option<Reloading<Rules>>);

/// What a file says.
#[derive(Debug)]
pub(crate) struct Rules {
    /// Scopes of tokens, and the highest risk that each allows, from the lowest on.
    scopes: Vec<(String, Risk)>,
    /// The claims that have groups.
    group_claims: Vec<String>,
    /// The claim that says whom a rule by `principal` names.
    principal_claim: String,
    rules: Vec<Rule>,
    /// For whomever no rule fits; without it, they are refused.
    default: Option<Limits>,
}

/// All that is said must be so.
#[derive(Debug)]
struct Rule {
    groups: Vec<String>,
    scopes: Vec<String>,
    principals: Vec<String>,
    limits: Limits,
}

/// What somebody is left.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Limits {
    pub(crate) narrowing: Narrowing,
    pub(crate) ceiling: Risk,
}

impl Default for Limits {
    fn default() -> Self {
        Self { narrowing: Narrowing::default(), ceiling: Risk::Destructive }
    }
}

/// Whom the rules are asked about.
#[derive(Debug, Default)]
pub(crate) struct Subject<'a> {
    /// What a rule may name them by.
    pub(crate) names: Vec<&'a str>,
    pub(crate) scopes: &'a [String],
    pub(crate) groups: Vec<&'a str>,
    /// They have groups that are not told.
    pub(crate) has_more_groups: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            scopes: SCOPES.map(|(name, risk)| (name.to_owned(), risk)).to_vec(),
            group_claims: vec!["groups".to_owned(), "roles".to_owned()],
            principal_claim: "sub".to_owned(),
            rules: Vec::new(),
            default: Some(Limits::default()),
        }
    }
}

impl Grants {
    /// The rules of a file, or no rules without one.
    ///
    /// # Errors
    /// Where the file cannot be read, with the line.
    pub(crate) fn open(path: Option<&Path>) -> Result<Self, Error> {
        let read = |paths: &[PathBuf]| paths.first().map_or_else(|| Ok(Rules::default()), |path| load(path));
        Ok(Self(path.map(|path| Reloading::open(&[path], read)).transpose()?))
    }

    /// The rules as they are now.
    pub(crate) fn rules(&self) -> std::sync::Arc<Rules> {
        self.0.as_ref().map_or_else(Default::default, Reloading::current)
    }
}

impl Rules {
    /// What is left to somebody.
    ///
    /// # Errors
    /// Where the rules leave nothing.
    pub(crate) fn limits(&self, subject: &Subject<'_>) -> Result<Limits, Denied> {
        let forbidden = |reason: &str| Denied::Forbidden { reason: reason.to_owned(), challenge: None };
        for rule in &self.rules {
            if rule.others_fit(subject) && !rule.groups.is_empty() {
                if rule.groups.iter().any(|group| subject.groups.contains(&group.as_str())) {
                    return Ok(rule.limits.clone());
                }
                // Whether it fits cannot be told, and a later rule may leave more.
                if subject.has_more_groups {
                    return Err(forbidden(
                        "your token does not list your groups, as they are too many for it; whoever runs this server can have \
                         the issuer list the groups of this application only, or write rules by roles",
                    ));
                }
            } else if rule.others_fit(subject) {
                return Ok(rule.limits.clone());
            }
        }
        let reason = "none of the rules for callers of this server is for you; whoever runs it can add one";
        self.default.clone().ok_or_else(|| forbidden(reason))
    }

    /// The highest risk that scopes allow; `None` where none of them is one of these.
    pub(crate) fn ceiling(&self, scopes: &[String]) -> Option<Risk> {
        let allowed = self.scopes.iter().filter(|(name, _)| scopes.contains(name)).map(|(_, risk)| *risk);
        allowed.max()
    }

    /// The scopes that somebody needs for a risk: each up to it, as an issuer does not know that one includes another.
    pub(crate) fn needed(&self, risk: Risk) -> impl Iterator<Item = &str> {
        let enough = self.scopes.iter().map(|(_, allowed)| *allowed).filter(|allowed| *allowed >= risk).min();
        let upto = enough.unwrap_or(risk);
        self.scopes.iter().filter(move |(_, allowed)| *allowed <= upto).map(|(name, _)| name.as_str())
    }

    /// The highest risk that any scope allows.
    pub(crate) fn most(&self) -> Risk {
        self.scopes.iter().map(|(_, risk)| *risk).max().unwrap_or(Risk::Read)
    }

    /// Whom claims are about, for the rules.
    pub(crate) fn subject<'a>(&self, claims: &'a Map<String, Value>, scopes: &'a [String]) -> Subject<'a> {
        let mut groups = Vec::new();
        for name in &self.group_claims {
            match claim(claims, name) {
                Some(Value::Array(list)) => groups.extend(list.iter().filter_map(Value::as_str)),
                Some(Value::String(text)) => groups.push(text.as_str()),
                _ => {}
            }
        }
        // Entra ID says so where somebody has more than fit into a token.
        let elsewhere = claims.get("_claim_names").and_then(Value::as_object);
        let has_more_groups = claims.get("hasgroups").and_then(Value::as_bool) == Some(true)
            || elsewhere.is_some_and(|names| self.group_claims.iter().any(|name| names.contains_key(name)));
        let name = claim(claims, &self.principal_claim).and_then(Value::as_str);
        Subject { names: name.into_iter().collect(), scopes, groups, has_more_groups }
    }
}

/// A claim by its name, or by a path to it as `realm_access.roles`: some names have dots, too.
fn claim<'a>(claims: &'a Map<String, Value>, name: &str) -> Option<&'a Value> {
    claims.get(name).or_else(|| {
        let (first, rest) = name.split_once('.')?;
        claim(claims.get(first)?.as_object()?, rest)
    })
}

impl Rule {
    /// Whether all but its groups is so.
    fn others_fit(&self, subject: &Subject<'_>) -> bool {
        let is_any =
            |wanted: &[String], has: &dyn Fn(&str) -> bool| wanted.is_empty() || wanted.iter().any(|name| has(name));
        is_any(&self.scopes, &|name| subject.scopes.iter().any(|scope| scope == name))
            && is_any(&self.principals, &|name| subject.names.contains(&name))
    }
}

fn load(path: &Path) -> Result<Rules, Error> {
    let shown = path.display().to_string();
    let text = crate::text_file::read(path)
        .map_err(|error| Error::failed(format!("cannot read the grants `{shown}`: {error}")))?;
    parse(&shown, &text).map_err(|problem| {
        Error::failed(format!("the grants are not usable: {problem}")).with_hint(
            "see `docs/oauth.md` for what they say; the server does not start with some that it does not understand",
        )
    })
}

fn parse(file: &str, text: &str) -> Result<Rules, Problem> {
    let mut given = yaml::parse(file, text)?.mapping("grants: `rules` and `default`")?;
    let usual = Rules::default();
    let scopes = match given.take("scopes") {
        Some(node) => scopes(node)?,
        None => usual.scopes,
    };
    let group_claims = match names(&mut given, "group_claims")? {
        claims if claims.is_empty() => usual.group_claims,
        claims => claims,
    };
    let principal_claim = given.optional_string("principal_claim")?.unwrap_or(usual.principal_claim);
    let mut rules = Vec::new();
    let everything = Registry::new(&crate::registry::Selection::default());
    let everything = everything.map_err(|error| given.position.problem(error.to_string()))?;
    for node in given.take("rules").map_or(Ok(Vec::new()), |node| node.sequence("a list of rules"))? {
        rules.push(rule(node.mapping("a rule with a `group`, a `scope` or a `principal`")?, &everything)?);
    }
    let default = given.take("default").map(|node| {
        let mut given =
            node.mapping("limits such as `read_only: true`; to refuse everybody else, leave `default` out")?;
        let limits = limits(&mut given, &everything)?;
        given.finish().map(|()| limits)
    });
    given.finish()?;
    Ok(Rules { scopes, group_claims, principal_claim, rules, default: default.transpose()? })
}

fn scopes(node: Node) -> Result<Vec<(String, Risk)>, Problem> {
    let position = node.position.clone();
    let mut scopes = Vec::new();
    for (key, node) in node.mapping("scopes with the ceiling of each, such as `all-apis: write`")?.into_entries() {
        // As RFC 6749 has it; others could not stand in a challenge.
        let is_token = key.text.bytes().all(|byte| matches!(byte, 0x21 | 0x23..=0x5b | 0x5d..=0x7e));
        if key.text.is_empty() || !is_token {
            return Err(key.position.problem(format!("`{}` is not the name of a scope", key.text)));
        }
        scopes.push((key.text, risk(node)?));
    }
    if scopes.is_empty() {
        return Err(position.problem("`scopes` is empty: leave it out, or name one"));
    }
    scopes.sort_by_key(|(_, risk)| *risk);
    Ok(scopes)
}

fn rule(mut given: Mapping, everything: &Registry) -> Result<Rule, Problem> {
    let (groups, scopes) = (names(&mut given, "group")?, names(&mut given, "scope")?);
    let principals = names(&mut given, "principal")?;
    if groups.is_empty() && scopes.is_empty() && principals.is_empty() {
        let message = "a rule names a `group`, a `scope` or a `principal`; what holds for everybody else is `default`";
        return Err(given.position.problem(message));
    }
    let limits = limits(&mut given, everything)?;
    given.finish()?;
    Ok(Rule { groups, scopes, principals, limits })
}

fn limits(given: &mut Mapping, everything: &Registry) -> Result<Limits, Problem> {
    let position = given.position.clone();
    let read_only = given.boolean("read_only", false)?;
    let ceiling = given.take("ceiling").map(risk).transpose()?;
    let some = |names: Vec<String>| if names.is_empty() { None } else { Some(names) };
    let (toolsets, tools) = (some(names(given, "toolsets")?), some(names(given, "tools")?));
    let narrowing = Narrowing { toolsets, tools, read_only };
    everything.narrowed(&narrowing).map_err(|error| position.problem(error.to_string()))?;
    let ceiling = ceiling.unwrap_or(Risk::Destructive);
    Ok(Limits { ceiling: if read_only { Risk::Read } else { ceiling }, narrowing })
}

fn risk(node: Node) -> Result<Risk, Problem> {
    let position = node.position.clone();
    let text = node.string()?;
    RISKS.into_iter().find(|risk| risk.name() == text).ok_or_else(|| {
        position.problem(format!("no ceiling is named `{text}`: it is `read`, `write` or `destructive`"))
    })
}

/// One name, or a list of some; nothing where the key is absent.
fn names(given: &mut Mapping, key: &'static str) -> Result<Vec<String>, Problem> {
    let Some(node) = given.take(key) else { return Ok(Vec::new()) };
    let position = node.position.clone();
    let nodes = match node.clone().sequence("a list of names") {
        Ok(nodes) if nodes.is_empty() => {
            return Err(position.problem(format!("`{key}` is empty: leave it out, or name something")));
        }
        Ok(nodes) => nodes,
        Err(_) => vec![node],
    };
    nodes.into_iter().map(|node| node.text(key)).collect()
}

#[cfg(test)]
mod tests;
