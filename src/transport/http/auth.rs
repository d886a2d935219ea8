//! How callers prove who they are: one mode a server, each in a file that says what it protects and what not.

mod app;
mod bearer;
mod none;
mod oauth;

pub(crate) use bearer::hash;
use clap::ValueEnum as _;
use http::request::Parts;

use crate::error::Error;
use crate::transport::http::grants::Grants;
use crate::transport::http::options::{AuthMode, HttpOptions};
use crate::transport::http::principal::{Denied, Principal};

/// The mode of a server.
#[derive(Debug)]
pub(crate) enum Auth {
    /// Nobody is asked.
    None,
    /// By shared keys.
    Bearer(bearer::Keys),
    /// By tokens of an issuer.
    Oauth(Box<oauth::Resource>),
    /// By the proxy of a Databricks App.
    App(Grants),
}

impl Auth {
    /// The mode that the options ask for.
    ///
    /// # Errors
    /// Where the options of the mode are incomplete, or would open the server to others than it protects from.
    pub(crate) fn open(options: &HttpOptions) -> Result<Self, Error> {
        let of_another_mode = [
            (AuthMode::Bearer, "--keys", options.keys.is_some()),
            (AuthMode::Oauth, "--oauth-issuer", options.oauth_issuer.is_some()),
        ];
        for (mode, flag, is_given) in of_another_mode {
            if is_given && mode != options.auth {
                let mode = mode.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
                return Err(Error::failed(format!("`{flag}` is given, and nobody is asked for what it is about"))
                    .with_hint(format!("add `--auth {mode}`, or leave it out")));
            }
        }
        match options.auth {
            AuthMode::None => none::check(options).map(|()| Self::None),
            AuthMode::Bearer => bearer::Keys::open(options).map(Self::Bearer),
            AuthMode::Oauth => oauth::Resource::open(options).map(|resource| Self::Oauth(Box::new(resource))),
            AuthMode::App => app::open(options).map(Self::App),
        }
    }

    /// Who sends a request.
    pub(crate) async fn principal(&self, request: &Parts) -> Result<Principal, Denied> {
        match self {
            Self::None => Ok(none::principal()),
            Self::Bearer(keys) => keys.principal(request),
            Self::Oauth(resource) => resource.principal(request).await,
            Self::App(grants) => app::principal(grants, request),
        }
    }

    /// What clients are told of where to get tokens (RFC 9728), if it is at this path.
    pub(crate) fn metadata(&self, path: &str) -> Option<serde_json::Value> {
        match self {
            Self::Oauth(resource) => resource.metadata(path),
            Self::None | Self::Bearer(_) | Self::App(_) => None,
        }
    }

    /// The challenge for a caller who needs more than they have: the scopes for a call of this risk.
    pub(crate) fn step_up(&self, risk: crate::risk::Risk) -> Option<String> {
        match self {
            Self::Oauth(resource) => Some(resource.step_up(risk)),
            Self::None | Self::Bearer(_) | Self::App(_) => None,
        }
    }
}

/// The token after `Bearer`, where there is one and one only.
fn bearer_token(request: &Parts) -> Result<&str, &'static str> {
    let mut values = request.headers.get_all(http::header::AUTHORIZATION).iter();
    let value = values.next().ok_or("the request has no `Authorization` header")?;
    if values.next().is_some() {
        return Err("the request has more than one `Authorization` header");
    }
    let value = value.to_str().map_err(|_| "the `Authorization` header is not text")?;
    let (scheme, token) = value.split_once(' ').unwrap_or((value, ""));
    match (scheme.eq_ignore_ascii_case("bearer"), token.trim()) {
        (true, "") => Err("the `Authorization` header has no token after `Bearer`"),
        (true, token) => Ok(token),
        (false, _) => Err("the `Authorization` header is not of the form `Bearer TOKEN`"),
    }
}
