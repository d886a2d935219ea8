//! The routes by which a test or a person steers the sandbox itself. They ask for the token like all others.

use serde_json::{Value, json};

use crate::clock::Speed;
use crate::error::ApiError;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::Outcome;
use crate::workspace::Workspace;

pub(crate) const FAULTS: &str = "/__sandbox/faults";
const CLOCK: &str = "/__sandbox/clock";
/// A clock is moved by at most this at a time: a year.
const FARTHEST_MS: u64 = 366 * 86_400_000;

/// Answers a request to a control route; nothing if the path is none.
pub(crate) fn control(workspace: &Workspace, method: &str, path: &str, request: &Request) -> Option<Outcome> {
    match path {
        FAULTS => Some(crate::faults::control(&workspace.faults, method, request)),
        CLOCK => Some(clock(workspace, method, request)),
        _ => None,
    }
}

pub(crate) fn is_control(path: &str) -> bool {
    matches!(path, FAULTS | CLOCK)
}

/// `GET` tells the time, `POST {"advance_ms": 1000}` moves it.
fn clock(workspace: &Workspace, method: &str, request: &Request) -> Outcome {
    match method {
        "GET" => {}
        "POST" => {
            let fields = request.fields()?;
            if let Some(unknown) = fields.0.keys().find(|name| *name != "advance_ms") {
                let message = format!("unknown field `{unknown}`; the clock is moved by `advance_ms`");
                return Err(ApiError::invalid_parameter(message));
            }
            let by = fields.get("advance_ms").and_then(Value::as_u64).filter(|by| *by <= FARTHEST_MS);
            let refused = || format!("`advance_ms` must be a whole number from 0 to {FARTHEST_MS}");
            let by = by.ok_or_else(|| ApiError::invalid_parameter(refused()))?;
            workspace.clock.advance(std::time::Duration::from_millis(by));
        }
        _ => return Err(ApiError::no_endpoint(method, CLOCK)),
    }
    let speed = match workspace.clock.speed() {
        Speed::Fast => "fast",
        Speed::Demo => "demo",
        Speed::Real => "real",
        Speed::Manual => "manual",
    };
    Ok(Reply::json(json!({"now": workspace.clock.now(), "speed": speed})))
}
