//! `azure-client-secret`: a service principal of Entra ID with a client secret.

use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::azure;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::token::Token;
use crate::error::Error;

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need(Attribute::AzureClientId)?;
    context.need(Attribute::AzureClientSecret)?;
    azure::need_azure(&context).await?;
    let tenant = azure::tenant(&context).await?;
    azure::ensure_host(&context, async |resource| fetch(&context, &tenant, resource).await).await?;
    let (databricks, management) = azure::both(&context, move |context, resource| {
        let tenant = tenant.clone();
        async move { fetch(&context, &tenant, resource).await }
    });
    Ok(azure::credential(&context, databricks, Some(management)))
}

async fn fetch(context: &Context, tenant: &str, resource: &str) -> Result<Token, Error> {
    let secret = context.settings.get(Attribute::AzureClientSecret).unwrap_or_default();
    azure::entra_token(context, tenant, resource, &[("client_secret", secret)]).await
}
