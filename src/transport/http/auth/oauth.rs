//! `oauth`: callers have tokens of an issuer that are made out for this server, which is an OAuth 2.1 protected resource.
//!
//! It protects as far as the issuer does: whoever has a token is its caller until it expires, and a client that was granted a
//! scope has it. Nothing here issues tokens, and none that was made out for somebody else is taken, so that none can be used
//! here that was got elsewhere. The other way around, a token that was presented here is sent to no API (`caller.rs` of the
//! client exchanges it).

mod issuer;
mod json;
mod keys;
mod token;

use std::time::{SystemTime, UNIX_EPOCH};

use databricks::Secret;
use http::request::Parts;
use serde_json::{Value, json};

use self::issuer::{Doubt, Issuer};
use self::token::{Audience, Caller, Expected, comparable};
use crate::error::Error;
use crate::risk::Risk;
use crate::transport::http::auth::bearer_token;
use crate::transport::http::grants::{Grants, Rules};
use crate::transport::http::options::{CallAs, HttpOptions};
use crate::transport::http::principal::{Denied, Grant, Principal};

/// Where the metadata of a resource begins (RFC 9728); the path of the resource follows.
const WELL_KNOWN: &str = "/.well-known/oauth-protected-resource";
/// What people are told they give access to.
const NAME: &str = "Databricks MCP server";

/// This server as clients and its issuer see it.
#[derive(Debug)]
pub(crate) struct Resource {
    /// Its URL. What narrows it by a path, as `/mcp/readonly`, is a part of it and has the same tokens.
    url: String,
    /// The URL of its metadata.
    metadata_url: String,
    /// The path of the metadata, besides the one without a path of the resource.
    metadata_path: String,
    issuer: Issuer,
    expected: Expected,
    grants: Grants,
    scope_prefix: String,
    /// Whether tokens are exchanged for those of the workspace, and kept for it.
    exchanges: bool,
}

impl Resource {
    pub(super) fn open(options: &HttpOptions) -> Result<Self, Error> {
        let issuer = options.oauth_issuer.as_deref().ok_or_else(|| {
            Error::failed("`--auth oauth` needs `--oauth-issuer URL`").with_hint(
                "it is the `issuer` of the provider's metadata, for example `https://login.acme.test/realms/data`",
            )
        })?;
        let resource = Self::new(options, Issuer::new(issuer, options.oauth_jwks.as_deref())?, issuer)?;
        resource.issuer.prepare();
        Ok(resource)
    }

    fn new(options: &HttpOptions, issuer: Issuer, name: &str) -> Result<Self, Error> {
        let hint = "it is the URL by which clients reach the server, for example `https://mcp.acme.test/mcp`";
        let given = options.public_url.as_deref().ok_or_else(|| {
            Error::failed("`--auth oauth` needs `--public-url URL`: tokens are made out for it").with_hint(hint)
        })?;
        let wrong = |why: &str| Error::failed(format!("`--public-url {given}` {why}")).with_hint(hint);
        let url = comparable(given).ok_or_else(|| wrong("is no `http` URL without query and fragment"))?;
        let start = url.find("://").map_or(0, |index| index + 3);
        let (origin, path) =
            url.split_at(url.get(start..).and_then(|rest| rest.find('/')).map_or(url.len(), |at| start + at));
        if !origin.starts_with("https:") && !is_loopback(origin) {
            return Err(wrong("is not `https`, and whoever reads along would have the tokens of all callers"));
        }
        let audience = match options.oauth_audience.as_deref().map(str::trim) {
            Some("") => return Err(Error::failed("`--oauth-audience` is empty")),
            Some(name) => Audience::Named(name.to_owned()),
            None => Audience::Resource(url.clone()),
        };
        let scope_prefix = options.oauth_scope_prefix.clone().unwrap_or_default();
        if scope_prefix.contains(|character: char| !character.is_ascii_graphic() || matches!(character, '"' | '\\')) {
            return Err(Error::failed(format!("`--oauth-scope-prefix {scope_prefix}` cannot be a part of a scope")));
        }
        let (metadata_url, metadata_path) = (format!("{origin}{WELL_KNOWN}{path}"), format!("{WELL_KNOWN}{path}"));
        Ok(Self {
            metadata_url,
            metadata_path,
            url,
            issuer,
            expected: Expected { issuer: name.to_owned(), audience },
            grants: Grants::open(options.grants.as_deref())?,
            scope_prefix,
            exchanges: options.call_as == Some(CallAs::Exchange),
        })
    }

    pub(super) async fn principal(&self, request: &Parts) -> Result<Principal, Denied> {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |time| time.as_secs_f64());
        self.principal_at(request, now).await
    }

    /// Who sends a request at a time, in seconds since 1970.
    async fn principal_at(&self, request: &Parts, now: f64) -> Result<Principal, Denied> {
        let rules = self.grants.rules();
        let presented = bearer_token(request).map_err(|reason| self.unauthorized(&rules, reason, None))?;
        let invalid = |reason: String| self.unauthorized(&rules, &reason, Some("invalid_token"));
        let parts = token::Parts::of(presented).map_err(invalid)?;
        self.issuer.verify(&parts.signed()).await.map_err(|doubt| match doubt {
            Doubt::Wrong(reason) => invalid(reason.to_owned()),
            Doubt::NoKeys => Denied::Unavailable(
                "tokens cannot be verified at the moment, as the keys of their issuer are out of reach".to_owned(),
            ),
        })?;
        let caller = Caller::of(parts.claims().map_err(invalid)?, &self.expected, now).map_err(invalid)?;
        let scopes: Vec<_> = caller.scopes.iter().map(|scope| self.without_prefix(scope)).collect();
        let limits = rules.limits(&rules.subject(&caller.claims, &scopes))?;
        let Some(ceiling) = rules.ceiling(&scopes) else {
            let reason = "your token has none of the scopes of this server".to_owned();
            let challenge = Some(self.insufficient(&rules, Risk::Read, &reason));
            return Err(Denied::Forbidden { reason, challenge });
        };
        let attainable = rules.most();
        let grant = Grant { ceiling, attainable, ..Grant::default() }.within(limits.narrowing, limits.ceiling);
        Ok(Principal {
            // No issuer has a space in its URL.
            id: format!("oauth:{} {}", self.expected.issuer, caller.subject).into(),
            name: Some(caller.name.into()),
            grant,
            token: self.exchanges.then(|| Secret::from(presented)),
        })
    }

    /// The metadata of this server, where it is at this path.
    pub(super) fn metadata(&self, path: &str) -> Option<Value> {
        if path != WELL_KNOWN && path != self.metadata_path {
            return None;
        }
        let rules = self.grants.rules();
        Some(json!({
            "resource": self.url,
            "authorization_servers": [self.expected.issuer],
            "scopes_supported": self.scopes(&rules, rules.most()),
            "bearer_methods_supported": ["header"],
            "resource_name": NAME,
        }))
    }

    /// The challenge for a caller who needs the scopes for a call of this risk.
    pub(super) fn step_up(&self, risk: Risk) -> String {
        self.insufficient(&self.grants.rules(), risk, "the call needs more than the token allows")
    }

    fn insufficient(&self, rules: &Rules, risk: Risk, reason: &str) -> String {
        self.challenge(rules, Some(("insufficient_scope", reason)), risk)
    }

    fn unauthorized(&self, rules: &Rules, reason: &str, error: Option<&str>) -> Denied {
        let challenge = self.challenge(rules, error.map(|error| (error, reason)), Risk::Read);
        Denied::Unauthorized { reason: reason.to_owned(), challenge }
    }

    /// A challenge of RFC 6750 that leads to the metadata, with the scopes to ask for.
    fn challenge(&self, rules: &Rules, error: Option<(&str, &str)>, risk: Risk) -> String {
        let error = error.map_or_else(String::new, |(error, reason)| {
            format!("error=\"{error}\", error_description=\"{}\", ", quotable(reason))
        });
        let scopes = self.scopes(rules, risk).join(" ");
        format!("Bearer {error}resource_metadata=\"{}\", scope=\"{scopes}\"", self.metadata_url)
    }

    /// The scopes for a risk, as clients ask the issuer for them.
    fn scopes(&self, rules: &Rules, risk: Risk) -> Vec<String> {
        rules.needed(risk).map(|name| format!("{}{name}", self.scope_prefix)).collect()
    }

    fn without_prefix(&self, scope: &str) -> String {
        scope.strip_prefix(self.scope_prefix.as_str()).unwrap_or(scope).to_owned()
    }
}

/// Whether an origin is this machine.
fn is_loopback(origin: &str) -> bool {
    let host = origin.parse::<http::Uri>().ok().and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default();
    let address = host.trim_start_matches('[').trim_end_matches(']');
    host == "localhost" || address.parse::<std::net::IpAddr>().is_ok_and(|address| address.is_loopback())
}

/// A text as it may stand in the description of an error (RFC 6750).
fn quotable(text: &str) -> String {
    text.chars()
        .map(
            |character| {
                if matches!(character, ' '..='~' if character != '"' && character != '\\') { character } else { '\'' }
            },
        )
        .collect()
}

#[cfg(test)]
mod tests;
