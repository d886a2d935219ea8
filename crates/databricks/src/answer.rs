//! Receives a complete answer, and tells success from failure.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_TYPE, LOCATION};
use http::{HeaderMap, Method, StatusCode};
use serde::Deserialize;
use serde_json::{Map, Value};
use tokio::time::{Instant, timeout};

use crate::error::{Error, PRIVATE_LINK_CODE, Refusal, is_error, is_html, may_be_error};
use crate::mask::Mask;
use crate::operation::Response;
use crate::repair::{Repaired, repair};
use crate::weight::{Form, Room, Scale};

/// An error answer is read up to this size. What is longer is no JSON then, and its beginning is told.
const ERROR_BYTES: usize = 64 * 1024;
/// The slowest rate, in bytes a second, at which a body may come once the idle timeout has passed.
const SLOWEST_RATE: usize = 1024;
/// How long an answer waits for room, which other answers give back once they are read.
const ROOM_WAIT: Duration = Duration::from_secs(30);
/// So many bytes are set aside for an answer before they have come.
const MOST_EXPECTED: usize = 256 * 1024;
/// A web page is recognised by this many of its first bytes.
const START_BYTES: usize = 512;
/// A success longer than this is no error, unless it names the code of one: errors are a few lines.
const LARGEST_ERROR: usize = 64 * 1024;
/// So near to the beginning or the end of a long answer the code of an error stands.
const NEAR_END: usize = 4 * 1024;
/// The names of the field that holds the code of an error.
const CODES: [&str; 2] = ["error_code", "errorCode"];

/// An answer, of which only the code of an error is read.
#[derive(Deserialize)]
struct Coded {
    #[serde(alias = "errorCode")]
    error_code: Option<Value>,
}

/// What was asked, as far as it matters for the meaning of the answer.
#[derive(Debug)]
pub(crate) struct Question {
    pub(crate) method: Method,
    pub(crate) path: String,
    /// A web page in place of JSON is a login page.
    pub(crate) expected: Response,
}

/// An answer, whole.
#[derive(Debug)]
pub(crate) struct Answer {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) bytes: Bytes,
    /// Whether it may hold an integer that no reader takes as it is.
    pub(crate) is_odd: bool,
    /// The memory that it may take until it is read.
    pub(crate) _room: Room,
}

impl Answer {
    /// Reads a response to its end. Each part must come within `idle`, the whole must not come too slowly, and a success
    /// must not exceed `limit` bytes, nor the memory that there is for it.
    pub(crate) async fn receive(
        mut response: reqwest::Response,
        idle: Duration,
        limit: usize,
        form: Form,
    ) -> Result<Answer, Error> {
        let status = response.status();
        let limit = if status.is_success() { limit } else { ERROR_BYTES };
        let expected = response.content_length().and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        let mut bytes = BytesMut::with_capacity(expected.min(limit).min(MOST_EXPECTED));
        let (mut scale, mut room) = (Scale::new(form), Room::default());
        let start = Instant::now();
        while let Some(chunk) =
            timeout(idle, response.chunk()).await.map_err(|_| Error::timed_out(idle))?.map_err(Error::http)?
        {
            let allowed = idle.saturating_add(Duration::from_secs((bytes.len() / SLOWEST_RATE) as u64));
            if start.elapsed() > allowed {
                return Err(Error::too_slow(bytes.len(), start.elapsed()));
            }
            if bytes.len() + chunk.len() > limit {
                if status.is_success() {
                    return Err(Error::answer(format!("the answer is larger than {limit} bytes"))
                        .with_hint("ask for less at once: a smaller page, fewer fields or a part of the file"));
                }
                // What an error says first is worth having.
                bytes.extend_from_slice(chunk.get(..limit - bytes.len()).unwrap_or_default());
                break;
            }
            scale.add(&chunk);
            Room::check(&scale)?;
            timeout(ROOM_WAIT, room.grow(&scale)).await.map_err(|_| Error::no_room())??;
            bytes.extend_from_slice(&chunk);
        }
        let headers = std::mem::take(response.headers_mut());
        Ok(Answer { status, headers, bytes: bytes.freeze(), is_odd: scale.is_odd(), _room: room })
    }

    /// Replaces what makes a JSON answer invalid, and tells what that was; `None` where there is nothing to replace.
    pub(crate) fn repair(&mut self) -> Option<Vec<String>> {
        let Repaired { bytes, notes } = repair(&self.bytes)?;
        (self.bytes, self.is_odd) = (bytes.into(), false);
        Some(notes)
    }

    /// Lets a success pass and makes an error of everything else. `mask` takes credentials out of foreign text.
    pub(crate) fn judge(self, question: &Question, mask: &Mask) -> Result<Answer, Error> {
        if self.status.is_redirection() {
            return Err(self.redirected(question));
        }
        if !self.status.is_success() || self.carries_error(question) {
            let body = String::from_utf8_lossy(&self.bytes);
            let Question { method, path, .. } = question;
            return Err(Error::refused(Refusal::read(method, path, self.status, &self.headers, &body, mask)));
        }
        let may_be_page = matches!(question.expected, Response::Text | Response::Binary);
        let start = String::from_utf8_lossy(self.bytes.get(..START_BYTES).unwrap_or(&self.bytes));
        if !may_be_page && is_html(&self.headers, &start) {
            return Err(Error::login_page(self.status.as_u16()));
        }
        Ok(self)
    }

    /// Whether a success is an error all the same. What users store, which comes as text or bytes, may look like anything,
    /// and so may what the model of a serving endpoint answers.
    fn carries_error(&self, question: &Question) -> bool {
        if !matches!(question.expected, Response::Json | Response::Empty) || question.path.ends_with("/invocations") {
            return false;
        }
        if self.bytes.len() <= LARGEST_ERROR {
            return may_be_error(&self.bytes)
                && serde_json::from_slice(&self.bytes).is_ok_and(|body: Map<String, Value>| is_error(&body));
        }
        // A long one is read only where the code stands near an end of it, and then without what it does not need.
        let (head, tail) = (self.bytes.len().min(NEAR_END), self.bytes.len().saturating_sub(NEAR_END));
        let names_code =
            |end: &[u8]| CODES.iter().any(|code| end.windows(code.len()).any(|part| part == code.as_bytes()));
        if ![self.bytes.get(..head), self.bytes.get(tail..)].into_iter().flatten().any(names_code) {
            return false;
        }
        let code = serde_json::from_slice(&self.bytes).ok().and_then(|Coded { error_code }| error_code);
        code.is_some_and(|code| is_error(&Map::from_iter([("error_code".to_owned(), code)])))
    }

    /// The API itself never redirects: what comes is the way to a login page, or the refusal of a private link.
    fn redirected(&self, question: &Question) -> Error {
        let target = self.headers.get(LOCATION).and_then(|value| value.to_str().ok()).unwrap_or_default();
        if !target.contains("private-link-validation-error") {
            return Error::login_page(self.status.as_u16());
        }
        let mut refusal =
            Refusal::read(&question.method, &question.path, self.status, &self.headers, "", &Mask::default());
        refusal.code = Some(PRIVATE_LINK_CODE.to_owned());
        refusal.message =
            "the workspace accepts calls only over its private link, and this one came another way".to_owned();
        Error::refused(refusal)
    }

    /// The media type without parameters, in lower case.
    pub(crate) fn media_type(&self) -> String {
        let media_type = self.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        media_type.split(';').next().unwrap_or_default().trim().to_ascii_lowercase()
    }
}
