//! What an error answer means: the mapping of codes and statuses that the official SDKs agree on.

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

/// These lookups report a missing object as a bad request. Of events the official SDKs do not say so, but the service
/// words it alike.
const MISSING_AS_BAD_REQUEST: [(&str, &[[&str; 2]]); 4] = [
    ("/clusters/get", &[["Cluster ", " does not exist"]]),
    ("/clusters/events", &[["Cluster ", " does not exist"]]),
    ("/jobs/get", &[["Job ", " does not exist"]]),
    ("/jobs/runs/get", &[["Run ", " does not exist"], ["Run: ", " doesn't exist"]]),
];

pub(super) fn classify(refusal: &Refusal) -> Class {
    if is_missing_in_disguise(refusal) {
        return Class::NotFound;
    }
    if rejects_token(refusal) {
        return Class::Unauthenticated;
    }
    refusal.code.as_deref().and_then(by_code).unwrap_or_else(|| by_status(refusal.status))
}

/// A wrong or expired token is a 403 as well, which says nothing about what its owner may do.
fn rejects_token(refusal: &Refusal) -> bool {
    refusal.status == 403 && refusal.message.starts_with("Invalid access token")
}

fn is_missing_in_disguise(refusal: &Refusal) -> bool {
    refusal.status == 400
        && (refusal.method == http::Method::GET || refusal.path.ends_with("/clusters/events"))
        && refusal.code.as_deref() == Some("INVALID_PARAMETER_VALUE")
        && MISSING_AS_BAD_REQUEST.iter().any(|(path, patterns)| {
            is_versioned(&refusal.path, path)
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
        PRIVATE_LINK_CODE => Class::PermissionDenied,
        _ => return None,
    })
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

/// Said when something broke under way. The official clients repeat any call on these too; we repeat only what is safe.
const BROKE_UNDER_WAY: [&str; 4] =
    ["Unexpected error", "Please try again later or try a faster operation.", "Timed out after ", "deadline exceeded"];

pub(super) fn repeat(class: Class, status: u16, message: &str) -> Repeat {
    let says = |phrases: &[&str]| phrases.iter().any(|phrase| message.contains(phrase));
    if class == Class::RateLimited || matches!(status, 429 | 503) || says(&NOT_STARTED) {
        Repeat::Always
    } else if matches!(status, 502 | 504) || (status >= 500 && says(&BROKE_UNDER_WAY)) {
        Repeat::IfSafe
    } else {
        Repeat::Never
    }
}

pub(super) fn hint(class: Class, refusal: &Refusal) -> Option<&'static str> {
    if refusal.code.as_deref() == Some(PRIVATE_LINK_CODE) {
        return Some("call it from a network that the workspace's private link settings allow");
    }
    (class == Class::Unauthenticated)
        .then_some("check that DATABRICKS_TOKEN is a valid token of this workspace and has not expired")
}
