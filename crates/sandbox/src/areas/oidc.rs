//! The login by the browser: OAuth with PKCE, as the discovery document announces it.
//!
//! The sandbox has one user, so its login page asks nothing and goes straight back. It goes back to programs
//! of this machine only. Derived: the texts of refusals.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::error::ApiError;
use crate::ids::secret;
use crate::json::Members;
use crate::loopback::is_loopback;
use crate::reply::Reply;
use crate::request::Request;
use crate::router::{Outcome, Route, public};
use crate::store::Kind;
use crate::text::{parse_query, percent_encode};
use crate::workspace::Workspace;

pub(crate) const ROUTES: &[Route] =
    &[public("GET", "/oidc/v1/authorize", authorize), public("POST", "/oidc/v1/token", token)];

/// What was given out and may come back: codes, access tokens and refresh tokens.
const GRANTS: Kind = Kind { name: "grants of logins", missing: |_| ApiError::invalid_parameter("unknown grant") };
/// Of those, at most.
const KEPT: usize = 300;
/// How long an access token lives, in milliseconds.
const LIFE: i64 = 3_600_000;
/// How long a code lives, in milliseconds.
const CODE_LIFE: i64 = 600_000;

/// Whether this is an access token that a login has led to.
pub(crate) fn is_valid(workspace: &Workspace, value: &str) -> bool {
    GRANTS.find(workspace, value).is_some_and(|grant| lives(workspace, &grant, "access"))
}

fn lives(workspace: &Workspace, grant: &Value, kind: &str) -> bool {
    let expiry = grant.at("expiry").as_i64();
    grant.text_at("kind") == kind && expiry.is_none_or(|expiry| workspace.clock.now() < expiry)
}

pub(crate) fn give(workspace: &Workspace, grant: Value) -> Result<String, ApiError> {
    let value = secret().map_err(ApiError::no_secret)?;
    GRANTS.put_one_of(workspace, &value, grant, KEPT);
    Ok(value)
}

fn authorize(workspace: &Workspace, request: &Request) -> Outcome {
    let refused = |what: &str| Err(ApiError::invalid_parameter(format!("The login is refused: {what}")));
    let back = request.required_query("redirect_uri")?;
    let authority = back.strip_prefix("http://").and_then(|rest| rest.split(['/', '?', '#']).next());
    if !authority.is_some_and(is_loopback) || back.contains(['#', '@', '\r', '\n']) {
        return refused("redirect_uri must be an http address on loopback");
    }
    if request.required_query("response_type")? != "code" {
        return refused("response_type must be code");
    }
    if request.required_query("code_challenge_method")? != "S256" {
        return refused("code_challenge_method must be S256");
    }
    let grant = json!({
        "kind": "code", "expiry": workspace.clock.now() + CODE_LIFE, "client_id": request.required_query("client_id")?,
        "redirect_uri": back, "challenge": request.required_query("code_challenge")?,
        "scope": request.query("scope").unwrap_or("all-apis offline_access"),
    });
    let code = give(workspace, grant)?;
    let state = request.query("state").map(|state| format!("&state={}", percent_encode(state))).unwrap_or_default();
    let separator = if back.contains('?') { '&' } else { '?' };
    Ok(Reply::no_content().with_status(302).with_header("location", format!("{back}{separator}code={code}{state}")))
}

/// A refusal in the form of OAuth.
fn refusal(error: &str, description: &str) -> Outcome {
    Ok(Reply::json(json!({"error": error, "error_description": description})).with_status(400))
}

fn token(workspace: &Workspace, request: &Request) -> Outcome {
    let form = parse_query(&String::from_utf8_lossy(&request.body));
    let field = |name: &str| form.iter().find(|(known, _)| known == name).map_or("", |(_, value)| value.as_str());
    let (kind, value) = match field("grant_type") {
        "authorization_code" => ("code", field("code")),
        "refresh_token" => ("refresh", field("refresh_token")),
        _ => return refusal("unsupported_grant_type", "grant_type must be authorization_code or refresh_token"),
    };
    // A code and a refresh token are good for one time.
    let grant = GRANTS.find(workspace, value).filter(|grant| lives(workspace, grant, kind));
    let Some(grant) = grant.filter(|_| GRANTS.remove(workspace, value).is_ok()) else {
        return refusal("invalid_grant", "the code or refresh token is unknown, used or expired");
    };
    if kind == "code" {
        let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(field("code_verifier")));
        if challenge != grant.text_at("challenge") || field("redirect_uri") != grant.text_at("redirect_uri") {
            return refusal("invalid_grant", "code_verifier or redirect_uri does not belong to this code");
        }
    }
    let (client, scope) = (grant.text_at("client_id"), grant.text_at("scope"));
    if !field("client_id").is_empty() && field("client_id") != client {
        return refusal("invalid_client", "the client is not the one that logged in");
    }
    let expiry = workspace.clock.now() + LIFE;
    let access = give(workspace, json!({"kind": "access", "expiry": expiry}))?;
    let refresh = give(workspace, json!({"kind": "refresh", "client_id": client, "scope": scope}))?;
    Ok(Reply::json(json!({
        "access_token": access, "token_type": "Bearer", "expires_in": LIFE / 1000, "refresh_token": refresh, "scope": scope,
    })))
}
