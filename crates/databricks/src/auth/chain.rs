//! The authentication methods, in the order in which they are tried.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::credential::{AuthHeaders, Credential};
use crate::auth::settings::Source;
use crate::auth::{
    azure_cli, azure_client_secret, azure_devops_oidc, azure_msi, basic, databricks_cli, env_oidc, external_browser,
    file_oidc, github_oidc, github_oidc_azure, google_credentials, google_id, metadata_service, oauth_m2m, pat,
};
use crate::error::Error;
use crate::host::Host;
use crate::probe::DeclinedMethod;

/// Why a way of authenticating is not taken.
#[derive(Debug)]
pub(crate) enum NotConfigured {
    /// It is not set up.
    Lacks(String),
    /// It is set up and does not work.
    Failed(Error),
}

impl From<Error> for NotConfigured {
    fn from(error: Error) -> NotConfigured {
        NotConfigured::Failed(error)
    }
}

type Attempt = Pin<Box<dyn Future<Output = Result<Credential, NotConfigured>> + Send>>;

/// The way of authenticating that was taken.
#[derive(Debug)]
pub(crate) struct Chosen {
    pub(crate) name: &'static str,
    pub(crate) credential: Credential,
}

/// A way of authenticating.
struct Method {
    name: &'static str,
    /// Whether its tokens can be asked for in the role of a group.
    takes_group: bool,
    attempt: fn(Arc<Context>) -> Attempt,
}

macro_rules! method {
    ($name:literal, $module:ident, $takes_group:literal) => {
        Method { name: $name, takes_group: $takes_group, attempt: |context| Box::pin($module::configure(context)) }
    };
}

/// The order is the Go SDK's. The last one is ours; it takes part only where a login is kept.
static METHODS: [Method; 16] = [
    method!("pat", pat, false),
    method!("basic", basic, false),
    method!("oauth-m2m", oauth_m2m, true),
    method!("databricks-cli", databricks_cli, false),
    method!("metadata-service", metadata_service, false),
    method!("github-oidc", github_oidc, true),
    method!("azure-devops-oidc", azure_devops_oidc, true),
    method!("env-oidc", env_oidc, true),
    method!("file-oidc", file_oidc, true),
    method!("github-oidc-azure", github_oidc_azure, false),
    method!("azure-msi", azure_msi, false),
    method!("azure-client-secret", azure_client_secret, false),
    method!("azure-cli", azure_cli, false),
    method!("google-credentials", google_credentials, false),
    method!("google-id", google_id, false),
    method!("external-browser", external_browser, true),
];

impl Chosen {
    /// The headers for one attempt.
    pub(crate) async fn proof(&self, context: &Context) -> Result<AuthHeaders, Error> {
        self.credential.proof().await.map_err(|error| failed(context, self.name, error))
    }

    /// Says whose token was refused. A fixed one has its own advice.
    pub(crate) fn explain(&self, context: &Context, error: Error) -> Error {
        let advice = match (self.name, context.settings.source(Attribute::Token)) {
            ("pat", Some(Source::Profile(profile))) => format!(
                "check that `token` in the profile `{profile}` is a valid token of this workspace and has not expired"
            ),
            ("caller-token", _) => {
                "the token of the caller is not valid for this workspace, or has expired: present a \
                                     newer one"
                    .to_owned()
            }
            ("pat", _) => error.hint().unwrap_or_default().to_owned(),
            (name, _) => format!(
                "check that the identity of `{name}` belongs to this workspace, or choose another method with \
                 DATABRICKS_AUTH_TYPE"
            ),
        };
        error.with_hint(advice + &context.remarks())
    }

    /// Replaces what was refused. `false`: there is nothing to replace it with.
    pub(crate) async fn renew(&self, context: &Context, refused: &AuthHeaders) -> Result<bool, Error> {
        self.credential.renew(refused).await.map_err(|error| failed(context, self.name, error))
    }
}

/// An error of a way of authenticating, with what of the configuration file may be meant otherwise.
fn failed(context: &Context, name: &str, error: Error) -> Error {
    let error = error.within(&cannot(context, Some(name)));
    let remarks = context.remarks();
    if remarks.is_empty() {
        return error;
    }
    let hint = error.hint().unwrap_or("correct the file").to_owned();
    error.with_hint(hint + &remarks)
}

/// The first way that works, or the only one that the settings allow.
pub(crate) async fn choose(context: &Arc<Context>) -> Result<Chosen, Error> {
    if let Some(on_behalf) = &context.on_behalf {
        return Ok(on_behalf.choose(context));
    }
    context.settings.validate()?;
    if let Some(name) = context.settings.get(Attribute::AuthType) {
        let method = METHODS.iter().find(|method| method.name == name).ok_or_else(|| unknown(name))?;
        return match method.attempt(context).await {
            Ok(credential) => Ok(Chosen { name: method.name, credential }),
            Err(NotConfigured::Lacks(what)) => {
                let message = format!("{}: {what}{}", cannot(context, Some(name)), context.remarks());
                Err(Error::configuration(message).with_hint(if name == "external-browser" {
                    "log in with `databricks-mcp-server auth login`, or set DATABRICKS_AUTH_TYPE to another method"
                        .to_owned()
                } else {
                    format!("complete the settings of `{name}`, or set DATABRICKS_AUTH_TYPE to another method")
                }))
            }
            Err(NotConfigured::Failed(error)) => Err(failed(context, method.name, error)),
        };
    }
    let (mut declined, mut failure) = (Vec::new(), None);
    let chosen = first(context, &mut declined, &mut failure).await;
    let told = |declined: &DeclinedMethod| format!("\n  tried `{}`: {}", declined.method, declined.reason);
    let tried: String = declined.iter().map(told).collect();
    context.set_declined(declined);
    if let Some(chosen) = chosen? {
        return Ok(chosen);
    }
    let message = format!("{}: no credentials found{tried}{}", cannot(context, None), context.remarks());
    Err(match failure {
        Some(failure) => {
            let hint = failure.hint().unwrap_or("correct the settings of the method that failed").to_owned();
            let is_configuration = failure.is_configuration();
            (if is_configuration { Error::configuration(message) } else { Error::credentials(message) }).with_hint(hint)
        }
        None => Error::configuration(message).with_hint(
            "set DATABRICKS_TOKEN, or run `databricks-mcp-server auth login`, or name a profile that has credentials",
        ),
    })
}

/// The first way that works, after those that were declined and the first error among them.
async fn first(
    context: &Arc<Context>,
    declined: &mut Vec<DeclinedMethod>,
    failure: &mut Option<Error>,
) -> Result<Option<Chosen>, Error> {
    for method in &METHODS {
        match method.attempt(context).await {
            Ok(credential) => {
                tracing::debug!(method = method.name, "authenticating");
                return Ok(Some(Chosen { name: method.name, credential }));
            }
            // Somebody else's credential must not be taken because the network hiccupped.
            Err(NotConfigured::Failed(error)) if error.is_retryable() => {
                return Err(error.within(&cannot(context, Some(method.name))));
            }
            Err(NotConfigured::Failed(error)) => {
                tracing::debug!(method = method.name, %error, "cannot authenticate this way");
                let reason = error.message().into_owned();
                declined.push(DeclinedMethod { method: method.name, reason, failed: true });
                failure.get_or_insert(error);
            }
            Err(NotConfigured::Lacks(reason)) => {
                declined.push(DeclinedMethod { method: method.name, reason, failed: false });
            }
        }
    }
    Ok(None)
}

impl Method {
    /// Configures it and gets a first token, so that only what works is chosen.
    async fn attempt(&self, context: &Arc<Context>) -> Result<Credential, NotConfigured> {
        if context.settings.get(Attribute::GroupId).is_some() && !self.takes_group {
            return Err(NotConfigured::Lacks("it cannot take the role of a group (DATABRICKS_GROUP_ID)".to_owned()));
        }
        let credential = (self.attempt)(Arc::clone(context)).await?;
        credential.proof().await?;
        Ok(credential)
    }
}

fn cannot(context: &Context, method: Option<&str>) -> String {
    let host = context.host().map_or("the workspace", Host::as_str);
    match method {
        Some(method) => format!("cannot authenticate to `{host}` with `{method}`"),
        None => format!("cannot authenticate to `{host}`"),
    }
}

fn unknown(name: &str) -> Error {
    let known: Vec<_> = METHODS.iter().map(|method| format!("`{}`", method.name)).collect();
    Error::configuration(format!("there is no authentication method `{name}`"))
        .with_hint(format!("set DATABRICKS_AUTH_TYPE to one of {}", known.join(", ")))
}
