//! What an error answer means: the mapping of codes and statuses that the official SDKs agree on.

use http::Method;

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
    refusal.code.as_deref().and_then(by_code).unwrap_or_else(|| by_status(refusal.status))
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
