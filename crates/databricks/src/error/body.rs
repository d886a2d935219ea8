//! Reading error answers: every shape of body that Databricks and the gateways in front of it send.

use std::time::{Duration, SystemTime};

use http::header::{CONTENT_TYPE, DATE, HeaderMap, RETRY_AFTER};
use http::{Method, StatusCode};
use serde_json::{Map, Value};

use crate::mask::Mask;

/// A message is cut after this many characters.
const MESSAGE_LENGTH: usize = 2_000;
/// Details beyond this many bytes of JSON are dropped: they are for programs, not for reading.
const DETAILS_SIZE: usize = 16 * 1024;
/// A body that is not JSON is read up to this many bytes: what it says stands at its beginning.
const PAGE_SIZE: usize = 8 * 1024;

/// An error answer, read.
#[derive(Debug, Default)]
pub(crate) struct Refusal {
    pub(crate) method: Method,
    pub(crate) path: String,
    pub(crate) status: u16,
    pub(crate) code: Option<String>,
    pub(crate) message: String,
    pub(crate) request_id: Option<String>,
    pub(crate) retry_after: Option<Duration>,
    pub(crate) details: Vec<Value>,
}

impl Refusal {
    /// Reads an answer to `method` `path` that is not a success. `mask` hides the secrets that it repeats.
    pub(crate) fn read(
        method: &Method,
        path: &str,
        status: StatusCode,
        headers: &HeaderMap,
        body: &str,
        mask: &Mask,
    ) -> Refusal {
        let mut refusal = Refusal {
            method: method.clone(),
            path: path.to_owned(),
            status: status.as_u16(),
            request_id: text(headers, "x-request-id"),
            ..Refusal::default()
        };
        refusal.read_body(status, headers, body);
        if refusal.message.is_empty() {
            refusal.message = text(headers, "x-databricks-reason-phrase")
                .unwrap_or_else(|| status.canonical_reason().unwrap_or("no reason given").to_owned());
        }
        refusal.retry_after = retry_after(headers).max(retry_delay(&refusal.details));
        if refusal.request_id.is_none() {
            refusal.request_id = detail(&refusal.details, "RequestInfo", "request_id");
        }
        refusal.hide(mask);
        refusal
    }

    /// Takes secrets out of everything that the answer says, once it is decoded and before it is cut: a part of a secret would
    /// not be recognized.
    fn hide(&mut self, mask: &Mask) {
        self.message = plain_text(&mask.text(&self.message));
        for told in [&mut self.code, &mut self.request_id].into_iter().flatten() {
            *told = plain_text(&mask.text(told));
        }
        self.details.iter_mut().for_each(|detail| mask.json(detail));
    }

    fn read_body(&mut self, status: StatusCode, headers: &HeaderMap, body: &str) {
        let body = body.trim();
        if let Some(object) = read_object(body) {
            return self.read_json(object, body);
        }
        let body = body.get(..body.floor_char_boundary(PAGE_SIZE)).unwrap_or(body);
        if is_html(headers, body) {
            self.code = status.canonical_reason().map(|reason| reason.to_uppercase().replace([' ', '-'], "_"));
            self.message = html_text(body);
        } else if let Some((code, message)) = code_and_message(body) {
            self.code = Some(code.to_owned());
            self.message = message.to_owned();
        } else {
            self.message = body.to_owned();
        }
    }

    fn read_json(&mut self, mut object: Map<String, Value>, body: &str) {
        let details = object.remove("details").and_then(|details| match details {
            Value::Array(details) => Some(details),
            _ => None,
        });
        if let Some(details) = details.filter(|_| body.len() <= DETAILS_SIZE) {
            self.details = details;
        }
        self.code = scalar(&object, "error_code").or_else(|| scalar(&object, "errorCode"));
        if let Some(message) = scalar(&object, "message") {
            self.code = self.code.take().or_else(|| scalar(&object, "code"));
            self.message = message;
        } else if let Some(message) = scalar(&object, "error_description") {
            // OAuth, RFC 6749: the code is in `error`.
            self.code = self.code.take().or_else(|| scalar(&object, "error"));
            self.message = message;
        } else if let Some(message) = scalar(&object, "error") {
            self.message = message;
        } else if let Some(Value::Object(inner)) = object.get("error") {
            // Model servers behind an endpoint wrap their errors, and some call the code `code` or `type`.
            self.code = self.code.take().or_else(|| scalar(inner, "code")).or_else(|| scalar(inner, "type"));
            self.message = scalar(inner, "message").unwrap_or_else(|| body.to_owned());
        } else if object.contains_key("detail") || object.contains_key("scimType") {
            self.read_scim(&object);
        } else if self.code.is_none() && !object.is_empty() {
            self.message = body.to_owned();
        }
    }

    fn read_scim(&mut self, object: &Map<String, Value>) {
        let detail = match scalar(object, "detail").as_deref() {
            None | Some("null" | "") => "SCIM API Internal Error".to_owned(),
            Some(detail) => detail.to_owned(),
        };
        self.message = match scalar(object, "scimType") {
            Some(kind) => format!("{kind} {detail}"),
            None => detail,
        };
        let status = scalar(object, "status").unwrap_or_else(|| self.status.to_string());
        self.code.get_or_insert_with(|| format!("SCIM_{status}"));
    }
}

/// An object, which may be cut at its end: all of it that came whole, and the text in which it ends.
fn read_object(body: &str) -> Option<Map<String, Value>> {
    if let Ok(Value::Object(object)) = serde_json::from_str(body) {
        return Some(object);
    }
    let (mut open, mut is_in_text, mut is_escaped, mut last) = (Vec::new(), false, false, None);
    for (at, byte) in body.bytes().enumerate() {
        match byte {
            _ if is_escaped => is_escaped = false,
            b'\\' if is_in_text => is_escaped = true,
            b'"' => is_in_text = !is_in_text,
            _ if is_in_text => {}
            b'{' => open.push('}'),
            b'[' => open.push(']'),
            b'}' | b']' => _ = open.pop(),
            // All fields before this one are whole.
            b',' if open.len() == 1 => last = Some(at),
            _ => {}
        }
    }
    // An escape of a text that is cut may be cut itself, and is no longer than this.
    const LONGEST_ESCAPE: usize = 6;
    let closing: String = open.iter().rev().collect();
    let in_text = (0..=LONGEST_ESCAPE).filter(|_| is_in_text).filter_map(|less| {
        let kept = body.get(..body.len().checked_sub(less)?)?;
        Some(format!("{kept}\"{closing}"))
    });
    let closed = (!is_in_text).then(|| format!("{body}{closing}"));
    let before = last.and_then(|at| Some(format!("{}}}", body.get(..at)?)));
    in_text.chain(closed).chain(before).find_map(|whole| serde_json::from_str(&whole).ok())
}

/// Members of an error besides its code.
const ABOUT_ERRORS: [&str; 11] = [
    "code",
    "details",
    "error",
    "error_description",
    "message",
    "path",
    "request_id",
    "requestId",
    "status",
    "timestamp",
    "trace_id",
];

/// Whether an object is an error whatever the status says. No operation answers with an `error_code` of its own. Other
/// members that errors have may stand in an answer too, so these count only where there is nothing else.
pub(crate) fn is_error(object: &Map<String, Value>) -> bool {
    let is_code = |code: Option<&Value>| match code {
        Some(Value::String(code)) => !matches!(code.as_str(), "" | "0" | "OK" | "200"),
        Some(Value::Number(code)) => code.as_i64().is_some_and(|code| !matches!(code, 0 | 200..=299)),
        _ => false,
    };
    let names_error = || match object.get("error") {
        Some(Value::Object(error)) => ["code", "message", "type"].iter().any(|name| error.contains_key(*name)),
        Some(Value::String(error)) => !error.is_empty(),
        _ => is_code(object.get("code")) && object.get("message").is_some_and(Value::is_string),
    };
    let has_nothing_else = || object.keys().all(|name| ABOUT_ERRORS.contains(&name.as_str()));
    is_code(object.get("error_code")) || is_code(object.get("errorCode")) || (names_error() && has_nothing_else())
}

/// Whether an object of this text can be one that [`is_error`], by the names of its fields: most successes need not be read
/// for it.
pub(crate) fn may_be_error(text: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(text) else { return true };
    let has = |name: &str| text.contains(name);
    // A name can be written by escapes.
    has("\"error") || (has("\"code\"") && has("\"message\"")) || has("\\u")
}

/// Text or number as text. Real authentication failures carry `"error_code": 403`.
fn scalar(object: &Map<String, Value>, name: &str) -> Option<String> {
    match object.get(name)? {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

fn text(headers: &HeaderMap, name: &str) -> Option<String> {
    let value = headers.get(name)?.to_str().ok()?.trim();
    (!value.is_empty()).then(|| value.to_owned())
}

/// `CODE_IN_CAPITALS: the message`.
fn code_and_message(body: &str) -> Option<(&str, &str)> {
    let (code, message) = body.split_once(": ")?;
    let is_code = !code.is_empty() && code.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_');
    is_code.then_some((code, message))
}

/// Whether a body is a web page.
pub(crate) fn is_html(headers: &HeaderMap, body: &str) -> bool {
    let declared = headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.to_str().ok())
        .is_some_and(|media_type| media_type.trim_start().to_ascii_lowercase().starts_with("text/html"));
    let start: String = body.trim_start().chars().take(14).collect::<String>().to_ascii_lowercase();
    (declared && body.contains('<')) || start.starts_with("<!doctype html") || start.starts_with("<html")
}

/// The telling part of a web page: `<pre>`, else the title, else all its text.
fn html_text(page: &str) -> String {
    let telling = element(page, "pre").or_else(|| element(page, "title"));
    let text = without_tags(telling.unwrap_or(page));
    text.trim_matches(|character: char| character == '.' || character.is_whitespace()).to_owned()
}

fn element<'a>(page: &'a str, name: &str) -> Option<&'a str> {
    // ASCII lower-casing keeps every byte where it was.
    let lower = page.to_ascii_lowercase();
    let start = lower.find(&format!("<{name}>"))? + name.len() + 2;
    let length = lower.get(start..)?.find(&format!("</{name}>"))?;
    page.get(start..start + length).filter(|content| !content.trim().is_empty())
}

fn without_tags(html: &str) -> String {
    let mut text = String::new();
    let mut rest = html;
    while let Some((before, tag)) = rest.split_once('<') {
        text.push_str(before);
        text.push(' ');
        // The content of these two is not for reading. Where such an element does not end, neither does its content.
        let hidden = ["script", "style"]
            .iter()
            .find(|name| tag.get(..name.len()).is_some_and(|start| start.eq_ignore_ascii_case(name)));
        let tag = match hidden {
            Some(name) => tag.split_once(&format!("</{name}")).map_or("", |(_, after)| after),
            None => tag,
        };
        rest = tag.split_once('>').map_or("", |(_, after)| after);
    }
    text.push_str(rest);
    let text = text
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&nbsp;", " ")
        .replace("&amp;", "&");
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// Text fit for a message: trimmed, without control characters except line breaks and tabs, cut to a sane length.
pub(crate) fn plain_text(text: &str) -> String {
    let mut characters =
        text.trim().chars().filter(|character| matches!(character, '\n' | '\t') || !character.is_control());
    let mut plain: String = characters.by_ref().take(MESSAGE_LENGTH).collect();
    if characters.next().is_some() {
        plain.push('…');
    }
    plain
}

/// `Retry-After`, in seconds or as a date. The date is compared with the service's own clock where it tells it.
fn retry_after(headers: &HeaderMap) -> Option<Duration> {
    let value = headers.get(RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse::<f64>() {
        return Duration::try_from_secs_f64(seconds).ok();
    }
    let date = headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let until = httpdate::parse_http_date(value).ok()?;
    Some(until.duration_since(date.unwrap_or_else(SystemTime::now)).unwrap_or_default())
}

/// `RetryInfo`'s `retry_delay`, as `7.5s`.
fn retry_delay(details: &[Value]) -> Option<Duration> {
    let delay = detail(details, "RetryInfo", "retry_delay")?;
    let seconds = delay.strip_suffix('s')?.parse::<f64>().ok()?;
    Duration::try_from_secs_f64(seconds).ok()
}

fn detail(details: &[Value], kind: &str, field: &str) -> Option<String> {
    let found = details.iter().find(|detail| {
        let name = detail.get("@type").and_then(Value::as_str).unwrap_or_default();
        name.rsplit('.').next() == Some(kind)
    })?;
    found.get(field)?.as_str().filter(|text| !text.is_empty()).map(str::to_owned)
}
