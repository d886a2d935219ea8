//! What a host says of itself, and where its OAuth endpoints are.

use std::time::Duration;

use reqwest::Url;
use serde::Deserialize;
use serde_json::Value;

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::identity::{TokenRequest, is_secure};
use crate::error::Error;
use crate::host::Host;

/// Metadata is a help, not a need: nobody waits long for it.
const PATIENCE: Duration = Duration::from_secs(5);

/// The answer of `/.well-known/databricks-config`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Metadata {
    oidc_endpoint: Option<String>,
    pub(crate) account_id: Option<String>,
    pub(crate) workspace_id: Option<String>,
    pub(crate) cloud: Option<String>,
    pub(crate) host_type: Option<String>,
    /// The audience for OIDC tokens that are to be exchanged.
    pub(crate) audience: Option<String>,
}

/// The endpoints of an OAuth server that are of use here.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Endpoints {
    pub(crate) authorization_endpoint: String,
    pub(crate) token_endpoint: String,
}

impl Metadata {
    /// Where a host tells it.
    pub(crate) const PATH: &str = "/.well-known/databricks-config";

    /// Asks the host. That it does not know, or does not answer, is no error.
    pub(crate) async fn fetch(context: &Context) -> Option<Metadata> {
        let url = format!("{}{}", context.host()?, Metadata::PATH);
        let request = TokenRequest::get(&url).ok()?.within(PATIENCE).once();
        match context.identity.request(request).await {
            Ok(answer) => Some(Metadata::read(&answer)),
            Err(error) => {
                tracing::debug!(%error, "no host metadata");
                None
            }
        }
    }

    pub(crate) fn read(answer: &Value) -> Metadata {
        // Ids are text today; nothing is lost by taking a number as well.
        let text = |pointer: &str| match answer.pointer(pointer)? {
            Value::String(text) if !text.is_empty() => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        };
        Metadata {
            oidc_endpoint: text("/oidc_endpoint"),
            account_id: text("/account_id"),
            workspace_id: text("/workspace_id"),
            cloud: text("/cloud"),
            host_type: text("/host_type"),
            audience: text("/token_federation_default_oidc_audiences/0"),
        }
    }

    /// Where the endpoints are described. A place that needs the account is of no use without one.
    fn discovery_url(&self, account_id: Option<&str>) -> Option<String> {
        let mut place = self.oidc_endpoint.clone()?;
        if place.contains("{account_id}") {
            place = place.replace("{account_id}", account_id.or(self.account_id.as_deref())?);
        }
        Some(format!("{}/.well-known/oauth-authorization-server", place.trim_end_matches('/')))
    }
}

impl Endpoints {
    /// As the setting says, else as the host's metadata says, else at the place that goes with the kind of host.
    pub(crate) async fn discover(context: &Context) -> Result<Endpoints, Error> {
        let host = context.host().ok_or_else(|| Error::credentials("no host is set"))?;
        let discovery_url = match context.settings.get(Attribute::DiscoveryUrl) {
            Some(url) => Some(url.to_owned()),
            None => context.metadata().await.and_then(|metadata| metadata.discovery_url(context.account_id())),
        };
        // By now the host may have told its account.
        let endpoints = match (discovery_url, context.account_id()) {
            (Some(url), _) => {
                need_secure(&url, "the addresses of the OAuth endpoints", host)?;
                Endpoints::fetch(context, &url).await?
            }
            (None, Some(account_id)) if context.is_account_host() => {
                let place = format!("{host}/oidc/accounts/{account_id}/v1");
                Endpoints {
                    authorization_endpoint: format!("{place}/authorize"),
                    token_endpoint: format!("{place}/token"),
                }
            }
            (None, None) if context.is_account_host() => {
                return Err(Error::credentials("the host is an account's, but DATABRICKS_ACCOUNT_ID is not set"));
            }
            (None, _) => {
                Endpoints::fetch(context, &format!("{host}/oidc/.well-known/oauth-authorization-server")).await?
            }
        };
        need_secure(&endpoints.token_endpoint, "the token endpoint that the host names", host)?;
        need_secure(&endpoints.authorization_endpoint, "the login page that the host names", host)?;
        Ok(endpoints)
    }

    async fn fetch(context: &Context, url: &str) -> Result<Endpoints, Error> {
        let answer = context.identity.request(TokenRequest::get(url)?).await?;
        serde_json::from_value(answer)
            .map_err(|_| Error::credentials("the description of the OAuth server lacks its endpoints"))
    }
}

/// Refuses an address where others could read a secret or say where to send it. Only a host on this machine may name
/// another address on this machine.
fn need_secure(url: &str, what: &str, host: &Host) -> Result<(), Error> {
    let secure = Url::parse(url).is_ok_and(|url| url.scheme() == "https" || (host.is_loopback() && is_secure(&url)));
    if secure { Ok(()) } else { Err(Error::credentials(format!("{what} is not `https`"))) }
}
