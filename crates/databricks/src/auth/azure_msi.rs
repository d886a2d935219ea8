//! `azure-msi`: the managed identity of a machine on Azure.

use std::sync::Arc;

use http::HeaderName;

use crate::auth::attribute::Attribute;
use crate::auth::azure;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::TokenRequest;
use crate::auth::token::Token;
use crate::error::Error;

/// Azure's instance metadata service, on the machine's own link.
const URL: &str = "http://169.254.169.254/metadata/identity/oauth2/token";
const METADATA: HeaderName = HeaderName::from_static("metadata");

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    if !context.settings.is_on(Attribute::AzureUseMsi) {
        return Err(NotConfigured::Lacks("ARM_USE_MSI is not `true`".to_owned()));
    }
    azure::need_azure(&context).await?;
    let http = context.direct_http()?;
    azure::ensure_host(&context, async |resource| fetch(&context, &http, resource).await).await?;
    let (databricks, management) = azure::both(&context, move |context, resource| {
        let http = http.clone();
        async move { fetch(&context, &http, resource).await }
    });
    Ok(azure::credential(&context, databricks, Some(management)))
}

async fn fetch(context: &Context, http: &reqwest::Client, resource: &str) -> Result<Token, Error> {
    let mut request = TokenRequest::get(URL)?.query("api-version", "2018-02-01").query("resource", resource);
    if let Some(id) = context.settings.get(Attribute::AzureClientId) {
        request = request.query("client_id", id);
    }
    let asked = context.environment.now();
    Token::read(&context.identity.request_nearby(http, request.header(METADATA, "true")?).await?, asked)
}
