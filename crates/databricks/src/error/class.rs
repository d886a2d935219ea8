//! What an error answer means: the mapping of codes and statuses that the official SDKs agree on.

use http::Method;
use serde_json::Value;

use super::{Refusal, Repeat};

/// The meaning of an error answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Class {
    BadRequest,
    Unauthenticated,
    PermissionDenied,
    NotFound,
    Conflict,
    RateLimited,
    Cancelled,
    Internal,
    NotImplemented,
    Unavailable,
    DeadlineExceeded,
    Other,
}

/// The official SDKs' name for a call that a private link refused.
pub(crate) const PRIVATE_LINK_CODE: &str = "PRIVATE_LINK_VALIDATION_ERROR";

const MISSING_CLUSTER: &[[&str; 2]] = &[["Cluster ", " does not exist"]];
const MISSING_JOB: &[[&str; 2]] = &[["Job ", " does not exist"]];
const MISSING_RUN: &[[&str; 2]] = &[["Run ", " does not exist"], ["Run: ", " doesn't exist"]];

/// These report a missing object as a bad request. Of the three lookups the official SDKs say so; the service words it
/// alike where the same object is to be changed.
const MISSING_AS_BAD_REQUEST: [(Method, &str, &[[&str; 2]]); 14] = [
    (Method::GET, "/clusters/get", MISSING_CLUSTER),
    (Method::POST, "/clusters/delete", MISSING_CLUSTER),
    (Method::POST, "/clusters/edit", MISSING_CLUSTER),
    (Method::POST, "/clusters/events", MISSING_CLUSTER),
    (Method::POST, "/clusters/permanent-delete", MISSING_CLUSTER),
    (Method::POST, "/clusters/restart", MISSING_CLUSTER),
    (Method::POST, "/clusters/start", MISSING_CLUSTER),
    (Method::GET, "/jobs/get", MISSING_JOB),
    (Method::POST, "/jobs/delete", MISSING_JOB),
    (Method::POST, "/jobs/run-now", MISSING_JOB),
    (Method::POST, "/jobs/update", MISSING_JOB),
    (Method::GET, "/jobs/runs/get", MISSING_RUN),
    (Method::POST, "/jobs/runs/cancel", MISSING_RUN),
    (Method::POST, "/jobs/runs/repair", MISSING_RUN),
];

pub(super) fn classify(refusal: &Refusal) -> Class {
    if is_missing_in_disguise(refusal) {
        return Class::NotFound;
    }
    if rejects_token(refusal) {
        return Class::Unauthenticated;
    }
    if is_private_link(refusal) {
        return Class::PermissionDenied;
    }
    let code = refusal.code.as_deref();
    // The status of a success says nothing about the error that its body carries.
    let by_status =
        if refusal.status < 300 { code.map_or(Class::Other, by_code_alone) } else { by_status(refusal.status) };
    code.and_then(by_code).unwrap_or(by_status)
}

/// Whether a private link refused the call: the redirect of the official clients, or an error of the API that has this
/// code as its own, as the reason of a detail, or in its text.
pub(super) fn is_private_link(refusal: &Refusal) -> bool {
    let is_reason = |detail: &Value| detail.get("reason").is_some_and(|reason| reason == PRIVATE_LINK_CODE);
    let is_refused = matches!(refusal.status, 300..=399 | 401 | 403);
    refusal.code.as_deref() == Some(PRIVATE_LINK_CODE)
        || refusal.details.iter().any(is_reason)
        || (is_refused && refusal.message.contains(PRIVATE_LINK_CODE))
}

/// A wrong or expired token is a 403 as well, which says nothing about what its owner may do.
fn rejects_token(refusal: &Refusal) -> bool {
    refusal.status == 403 && refusal.message.starts_with("Invalid access token")
}

fn is_missing_in_disguise(refusal: &Refusal) -> bool {
    refusal.status == 400
        && refusal.code.as_deref() == Some("INVALID_PARAMETER_VALUE")
        && MISSING_AS_BAD_REQUEST.iter().any(|(method, path, patterns)| {
            refusal.method == *method
                && is_versioned(&refusal.path, path)
                && patterns.iter().any(|[before, after]| {
                    refusal.message.split_once(before).is_some_and(|(_, rest)| rest.contains(after))
                })
        })
}

/// Whether `path` is `/api/2.<number>` followed by `tail`.
fn is_versioned(path: &str, tail: &str) -> bool {
    path.strip_prefix("/api/2.")
        .and_then(|rest| rest.strip_suffix(tail))
        .is_some_and(|minor| !minor.is_empty() && minor.bytes().all(|byte| byte.is_ascii_digit()))
}

fn by_code(code: &str) -> Option<Class> {
    Some(match code {
        "INVALID_STATE" | "INVALID_PARAMETER_VALUE" => Class::BadRequest,
        "RESOURCE_DOES_NOT_EXIST" => Class::NotFound,
        "ABORTED" | "ALREADY_EXISTS" | "RESOURCE_ALREADY_EXISTS" => Class::Conflict,
        "RESOURCE_EXHAUSTED" | "REQUEST_LIMIT_EXCEEDED" => Class::RateLimited,
        "UNKNOWN" | "DATA_LOSS" => Class::Internal,
        _ => return None,
    })
}

/// The codes that otherwise only go with a status of the same meaning.
fn by_code_alone(code: &str) -> Class {
    match code {
        "BAD_REQUEST" | "INVALID_ARGUMENT" | "MALFORMED_REQUEST" | "FAILED_PRECONDITION" => Class::BadRequest,
        "UNAUTHENTICATED" | "UNAUTHORIZED" | "401" => Class::Unauthenticated,
        "PERMISSION_DENIED" | "FORBIDDEN" | "403" => Class::PermissionDenied,
        "NOT_FOUND" | "RESOURCE_NOT_FOUND" | "404" => Class::NotFound,
        "RESOURCE_CONFLICT" | "409" => Class::Conflict,
        "TOO_MANY_REQUESTS" | "429" => Class::RateLimited,
        "INTERNAL_ERROR" | "500" => Class::Internal,
        "NOT_IMPLEMENTED" | "FEATURE_DISABLED" | "501" => Class::NotImplemented,
        "TEMPORARILY_UNAVAILABLE" | "SERVICE_UNDER_MAINTENANCE" | "503" => Class::Unavailable,
        "DEADLINE_EXCEEDED" | "504" => Class::DeadlineExceeded,
        _ => Class::Other,
    }
}

fn by_status(status: u16) -> Class {
    match status {
        400 => Class::BadRequest,
        401 => Class::Unauthenticated,
        403 => Class::PermissionDenied,
        404 => Class::NotFound,
        409 => Class::Conflict,
        429 => Class::RateLimited,
        499 => Class::Cancelled,
        500 => Class::Internal,
        501 => Class::NotImplemented,
        503 => Class::Unavailable,
        504 => Class::DeadlineExceeded,
        _ => Class::Other,
    }
}

/// Said when the call was turned away before anything was done; the official clients repeat any call on these.
const NOT_STARTED: [&str; 7] = [
    "REQUEST_LIMIT_EXCEEDED",
    "RPC token bucket limit has been exceeded",
    "UnknownWorkerEnvironmentException",
    "does not have any associated worker environments",
    "There is no worker environment with id",
    "Unknown worker environment",
    "ClusterNotReadyException",
];

/// Said when something broke under way. The official clients repeat any call on these, and on 503, too; we repeat only
/// what is safe.
const BROKE_UNDER_WAY: [&str; 4] =
    ["Unexpected error", "Please try again later or try a faster operation.", "Timed out after ", "deadline exceeded"];

pub(super) fn repeat(class: Class, status: u16, message: &str) -> Repeat {
    let broke = || BROKE_UNDER_WAY.iter().any(|phrase| message.contains(phrase));
    if is_not_started(class, message) {
        Repeat::Always
    } else if matches!(status, 502..=504) || class == Class::Unavailable || (status >= 500 && broke()) {
        Repeat::IfSafe
    } else {
        Repeat::Never
    }
}

fn is_not_started(class: Class, message: &str) -> bool {
    class == Class::RateLimited || NOT_STARTED.iter().any(|phrase| message.contains(phrase))
}

/// Whether an error answer leaves it open if the request was carried out. A gateway that gives up (502, 503, 504) does
/// not know what the service behind it does.
pub(super) fn leaves_open(class: Class, status: u16, message: &str) -> bool {
    if is_not_started(class, message) || class == Class::NotImplemented {
        return false;
    }
    match status {
        500.. | 408 => true,
        // A refusal, unless its code says that the service broke off.
        300..=499 => matches!(class, Class::Internal | Class::Cancelled | Class::DeadlineExceeded),
        _ => matches!(
            class,
            Class::Internal | Class::Cancelled | Class::DeadlineExceeded | Class::Unavailable | Class::Other
        ),
    }
}

pub(super) fn hint(class: Class, is_private_link: bool) -> Option<&'static str> {
    if is_private_link {
        return Some("call it from a network that the workspace's private link settings allow");
    }
    (class == Class::Unauthenticated)
        .then_some("check that DATABRICKS_TOKEN is a valid token of this workspace and has not expired")
}
