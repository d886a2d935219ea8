//! `github-oidc-azure`: a service principal of Entra ID that trusts a GitHub Actions job.

use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::token::Token;
use crate::auth::{azure, cloud, github_oidc};
use crate::error::Error;

const AUDIENCE: &str = "api://AzureADTokenExchange";

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need(Attribute::AzureClientId)?;
    github_oidc::need_job(&context)?;
    context.need_host()?;
    azure::need_azure(&context).await?;
    let tenant = azure::tenant(&context).await?;
    let shared = Arc::clone(&context);
    let tokens = context.cache(move |_| {
        let (context, tenant) = (Arc::clone(&shared), tenant.clone());
        async move { fetch(context, &tenant).await }
    });
    Ok(azure::credential(&context, tokens, None))
}

async fn fetch(context: Arc<Context>, tenant: &str) -> Result<Token, Error> {
    let id_token = github_oidc::id_token(Arc::clone(&context), AUDIENCE.to_owned()).await?;
    let (_, application) = cloud::azure(&context);
    let proof = [
        ("client_assertion_type", "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"),
        ("client_assertion", id_token.expose()),
    ];
    azure::entra_token(&context, tenant, application, &proof).await
}
