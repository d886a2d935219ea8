//! One rule: which requests it meets, what it does to them and when.

use serde_json::{Map, Value};

use super::Target;
use crate::contract::{Contract, nearest};
use crate::pattern::Pattern;

const FIELDS: [&str; 11] = [
    "after",
    "delay_ms",
    "fault",
    "handled",
    "probability",
    "reads",
    "retry_after",
    "route",
    "seed",
    "status",
    "times",
];
const METHODS: [&str; 6] = ["DELETE", "GET", "HEAD", "PATCH", "POST", "PUT"];
/// A fault waits no longer than this.
const LONGEST_DELAY_MS: u64 = 600_000;

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Rule {
    pub(super) route: Route,
    pub(super) kind: Kind,
    /// Never more often than this.
    pub(super) times: Option<u64>,
    /// Not the first so many.
    pub(super) after: u64,
    pub(super) seed: u64,
    /// Whether the request is carried out before its answer is lost.
    pub(super) handled: bool,
    /// In millionths.
    pub(super) probability: Option<u32>,
    /// As it was given.
    pub(super) source: Value,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    Path { method: Option<String>, path: Pattern },
    Operation(Pattern),
}

/// What happens to a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    TooManyRequests { retry_after: Option<u64> },
    InternalError,
    Unavailable { retry_after: Option<u64> },
    HtmlError { status: u16 },
    LoginPage,
    ConnectionReset,
    TruncatedBody,
    SlowHeaders { delay_ms: u64 },
    SlowBody { delay_ms: u64 },
    ExpiredToken { status: u16 },
    EventualConsistency { reads: u64 },
    UnknownEnums,
    Int64Strings,
    NullLists,
    ExtraFields,
    EmptyPage,
}

const LEAVING_OPEN: [&str; 4] = ["connection_reset", "html_error", "internal_error", "unavailable"];

impl Kind {
    /// Whether a client cannot know if its request was carried out.
    fn leaves_open(self) -> bool {
        matches!(self, Self::ConnectionReset | Self::HtmlError { .. } | Self::InternalError | Self::Unavailable { .. })
    }
}

const KINDS: [&str; 16] = [
    "connection_reset",
    "empty_page",
    "eventual_consistency",
    "expired_token",
    "extra_fields",
    "html_error",
    "int64_strings",
    "internal_error",
    "login_page",
    "null_lists",
    "slow_body",
    "slow_headers",
    "too_many_requests",
    "truncated_body",
    "unavailable",
    "unknown_enums",
];

impl Rule {
    pub(super) fn read(source: &Value) -> Result<Self, String> {
        let Value::Object(members) = source else { return Err("a rule is an object".to_owned()) };
        if let Some(unknown) = members.keys().find(|name| !FIELDS.contains(&name.as_str())) {
            return Err(format!("unknown field `{unknown}`{}", did_you_mean(unknown, FIELDS)));
        }
        let number = |name| number(members, name);
        let probability = match members.get("probability") {
            None => None,
            Some(value) => match value.as_f64().filter(|probability| (0.0..=1.0).contains(probability)) {
                Some(probability) => Some(millionths(probability)),
                None => return Err(format!("`probability` must be a number from 0 to 1, not `{value}`")),
            },
        };
        let kind = kind(members)?;
        Ok(Self {
            route: Route::read(text(members, "route")?)?,
            handled: handled(members, kind)?,
            kind,
            times: number("times")?,
            after: number("after")?.unwrap_or_default(),
            seed: number("seed")?.unwrap_or_default(),
            probability,
            source: source.clone(),
        })
    }
}

#[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss, reason = "the number is from 0 to 1")]
fn millionths(probability: f64) -> u32 {
    (probability * 1_000_000.0).round() as u32
}

fn text<'a>(members: &'a Map<String, Value>, name: &str) -> Result<&'a str, String> {
    match members.get(name) {
        Some(Value::String(text)) => Ok(text),
        Some(other) => Err(format!("`{name}` must be text, not `{other}`")),
        None => Err(format!("`{name}` is missing")),
    }
}

fn number(members: &Map<String, Value>, name: &str) -> Result<Option<u64>, String> {
    match members.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(value) => {
            value.as_u64().map(Some).ok_or_else(|| format!("`{name}` must be a whole number from 0, not `{value}`"))
        }
    }
}

fn did_you_mean<'a>(name: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    nearest(name, known).map(|known| format!("; did you mean `{known}`?")).unwrap_or_default()
}

/// The kind, with the options that belong to it and no others.
fn kind(members: &Map<String, Value>) -> Result<Kind, String> {
    let name = text(members, "fault")?;
    let delay_ms = number(members, "delay_ms")?.unwrap_or(1_000);
    if delay_ms > LONGEST_DELAY_MS {
        return Err(format!("`delay_ms` must be at most {LONGEST_DELAY_MS}, not `{delay_ms}`"));
    }
    let retry_after = number(members, "retry_after")?;
    let (kind, options): (_, &[&str]) = match name {
        "too_many_requests" => (Kind::TooManyRequests { retry_after }, &["retry_after"]),
        "internal_error" => (Kind::InternalError, &[]),
        "unavailable" => (Kind::Unavailable { retry_after }, &["retry_after"]),
        "html_error" => (Kind::HtmlError { status: status(members, 502, &(400..=599))? }, &["status"]),
        "login_page" => (Kind::LoginPage, &[]),
        "connection_reset" => (Kind::ConnectionReset, &[]),
        "truncated_body" => (Kind::TruncatedBody, &[]),
        "slow_headers" => (Kind::SlowHeaders { delay_ms }, &["delay_ms"]),
        "slow_body" => (Kind::SlowBody { delay_ms }, &["delay_ms"]),
        "expired_token" => match status(members, 403, &(401..=403))? {
            402 => return Err("`status` must be 401 or 403, not `402`".to_owned()),
            status => (Kind::ExpiredToken { status }, &["status"]),
        },
        "eventual_consistency" => {
            (Kind::EventualConsistency { reads: number(members, "reads")?.unwrap_or(1) }, &["reads"])
        }
        "unknown_enums" => (Kind::UnknownEnums, &[]),
        "int64_strings" => (Kind::Int64Strings, &[]),
        "null_lists" => (Kind::NullLists, &[]),
        "extra_fields" => (Kind::ExtraFields, &[]),
        "empty_page" => (Kind::EmptyPage, &[]),
        other => {
            let hint = did_you_mean(other, KINDS);
            return Err(format!("`fault` `{other}` is unknown{hint} (known: {})", KINDS.join(", ")));
        }
    };
    let foreign = ["delay_ms", "reads", "retry_after", "status"]
        .into_iter()
        .find(|option| members.contains_key(*option) && !options.contains(option));
    foreign.map_or(Ok(kind), |option| Err(format!("`{option}` does not belong to the fault `{name}`")))
}

/// Whether the request has its effect although its answer is lost: of the kinds that leave it open.
fn handled(members: &Map<String, Value>, kind: Kind) -> Result<bool, String> {
    match members.get("handled") {
        None | Some(Value::Bool(false)) => Ok(false),
        Some(Value::Bool(true)) if kind.leaves_open() => Ok(true),
        Some(Value::Bool(true)) => {
            Err(format!("`handled` belongs to faults that leave open what happened: {}", LEAVING_OPEN.join(", ")))
        }
        Some(other) => Err(format!("`handled` must be true or false, not `{other}`")),
    }
}

fn status(members: &Map<String, Value>, default: u16, range: &std::ops::RangeInclusive<u16>) -> Result<u16, String> {
    let Some(given) = number(members, "status")? else { return Ok(default) };
    let status = u16::try_from(given).ok().filter(|status| range.contains(status));
    status.ok_or_else(|| format!("`status` must be from {} to {}, not `{given}`", range.start(), range.end()))
}

impl Route {
    /// `METHOD /path/glob`, `/path/glob` or the id of an operation, which may be a glob too.
    fn read(text: &str) -> Result<Self, String> {
        let (method, rest) = match text.split_once(' ') {
            Some((method, rest)) => (Some(method), rest.trim()),
            None => (None, text),
        };
        if let Some(method) = method.filter(|method| !METHODS.contains(method)) {
            return Err(format!("`route` `{text}`: `{method}` is not a method (known: {})", METHODS.join(", ")));
        }
        if rest.starts_with('/') {
            return Ok(Self::Path { method: method.map(str::to_owned), path: Pattern::glob(rest) });
        }
        let pattern = Pattern::glob(rest);
        let mut operations = Contract::get().ids();
        if method.is_none() && operations.any(|id| pattern.matches(id)) {
            return Ok(Self::Operation(pattern));
        }
        let hint = did_you_mean(rest, Contract::get().ids());
        Err(format!("`route` `{text}` is neither a path from `/` nor the id of an operation{hint}"))
    }

    pub(super) fn matches(&self, target: Target) -> bool {
        match self {
            Self::Path { method, path } => {
                method.as_ref().is_none_or(|method| method == target.method) && path.matches(target.path)
            }
            Self::Operation(pattern) => target.operation.is_some_and(|id| pattern.matches(id)),
        }
    }
}
