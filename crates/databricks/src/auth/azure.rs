//! What the authentication methods for Azure have in common.

use std::sync::Arc;

use http::HeaderName;
use http::header::AUTHORIZATION;
use reqwest::Url;
use serde_json::Value;

use crate::auth::attribute::Attribute;
use crate::auth::cache::TokenCache;
use crate::auth::chain::NotConfigured;
use crate::auth::cloud::{self, Cloud};
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::TokenRequest;
use crate::auth::token::Token;
use crate::error::Error;

const MANAGEMENT_TOKEN: HeaderName = HeaderName::from_static("x-databricks-azure-sp-management-token");
const RESOURCE_ID: HeaderName = HeaderName::from_static("x-databricks-azure-workspace-resource-id");

/// Passes only for a workspace on Azure.
pub(crate) async fn need_azure(context: &Context) -> Result<(), NotConfigured> {
    if context.settings.get(Attribute::AzureResourceId).is_some() {
        return Ok(());
    }
    context.need_host()?;
    match Cloud::of(context).await {
        Cloud::Azure => Ok(()),
        Cloud::Aws | Cloud::Gcp => Err(NotConfigured::Lacks("the host is not on Azure".to_owned())),
    }
}

/// The tenant, as set, or as the workspace's login page sends people to.
pub(crate) async fn tenant(context: &Context) -> Result<String, NotConfigured> {
    if let Some(tenant) = context.settings.get(Attribute::AzureTenantId) {
        return Ok(tenant.to_owned());
    }
    let Some(host) = context.host() else {
        return Err(NotConfigured::Lacks("ARM_TENANT_ID is not set".to_owned()));
    };
    let location = context.identity.location(&format!("{host}/aad/auth")).await?;
    let tenant = Url::parse(&location).ok().and_then(|url| {
        let tenant = url.path_segments()?.next()?.to_owned();
        (!tenant.is_empty()).then_some(tenant)
    });
    Ok(tenant.ok_or_else(|| Error::credentials("the login page of the host does not name its tenant"))?)
}

/// Asks Azure for the host of the workspace that the resource id names, where no host is set.
pub(crate) async fn ensure_host(
    context: &Context,
    fetch: impl AsyncFnOnce(&str) -> Result<Token, Error>,
) -> Result<(), Error> {
    let (None, Some(id)) = (context.host(), context.settings.get(Attribute::AzureResourceId)) else {
        return Ok(());
    };
    let (azure, _) = cloud::azure(context);
    let token = fetch(azure.resource_manager).await?;
    let url = format!("{}{id}", azure.resource_manager.trim_end_matches('/'));
    let request = TokenRequest::get(&url)?.query("api-version", "2018-04-01");
    let request = request.secret_header(AUTHORIZATION, "Bearer", token.access.expose())?;
    let answer = context.identity.request(request).await?;
    let host = answer.pointer("/properties/workspaceUrl").and_then(Value::as_str);
    let host = host.ok_or_else(|| Error::credentials("Azure does not return the workspace's URL"))?;
    context.learn_host(host.parse()?);
    Ok(())
}

/// Databricks' token with, for service principals and managed identities, the one for Azure's management.
pub(crate) fn credential(context: &Context, databricks: TokenCache, management: Option<TokenCache>) -> Credential {
    let mut credential = Credential::bearer(databricks);
    if let Some(management) = management {
        credential = credential.with_companion(MANAGEMENT_TOKEN, management, true);
    }
    match context.settings.get(Attribute::AzureResourceId) {
        Some(id) => credential.with_header(RESOURCE_ID, id),
        None => credential,
    }
}

/// A token of Entra ID, through its first version, whose audience is a resource.
pub(crate) async fn entra_token(
    context: &Context,
    tenant: &str,
    resource: &str,
    proof: &[(&str, &str)],
) -> Result<Token, Error> {
    let (azure, _) = cloud::azure(context);
    let mut fields = vec![("grant_type", "client_credentials"), ("resource", resource)];
    fields.extend(context.settings.get(Attribute::AzureClientId).map(|id| ("client_id", id)));
    fields.extend(proof);
    let asked = context.environment.now();
    let request = TokenRequest::form(&format!("{}{tenant}/oauth2/token", azure.login), &fields)?;
    Token::read(&context.identity.request(request).await?, asked)
}

/// Two caches of the same kind: for Databricks and for Azure's management.
pub(crate) fn both<F>(
    context: &Arc<Context>,
    fetch: impl Fn(Arc<Context>, &'static str) -> F + Send + Sync + Clone + 'static,
) -> (TokenCache, TokenCache)
where
    F: Future<Output = Result<Token, Error>> + Send + 'static,
{
    let (azure, application) = cloud::azure(context);
    let cache = |resource: &'static str| {
        let (shared, fetch) = (Arc::clone(context), fetch.clone());
        context.cache(move |_| fetch(Arc::clone(&shared), resource))
    };
    (cache(application), cache(azure.management))
}
