//! `metadata-service`: a service on this machine that hands out tokens, as the Databricks extensions of editors run it.

use std::sync::Arc;

use http::HeaderName;
use reqwest::Url;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::TokenRequest;
use crate::auth::token::Token;
use crate::error::Error;
use crate::host::{Host, is_loopback};

const VERSION: HeaderName = HeaderName::from_static("x-databricks-metadata-version");
const HOST: HeaderName = HeaderName::from_static("x-databricks-host");

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    let url = context.need(Attribute::MetadataServiceUrl)?;
    context.need_host()?;
    if !Url::parse(url).is_ok_and(|url| is_loopback(&url)) {
        return Err(NotConfigured::Failed(
            Error::credentials("the metadata service is not on this machine")
                .with_hint("set DATABRICKS_METADATA_SERVICE_URL to a URL on `localhost`"),
        ));
    }
    let (shared, http) = (Arc::clone(&context), context.direct_http()?);
    Ok(Credential::bearer(context.cache(move |_| fetch(Arc::clone(&shared), http.clone()))))
}

async fn fetch(context: Arc<Context>, http: reqwest::Client) -> Result<Token, Error> {
    let request = TokenRequest::get(context.settings.get(Attribute::MetadataServiceUrl).unwrap_or_default())?
        .header(VERSION, "1")?
        .header(HOST, context.host().map_or("", Host::as_str))?;
    let asked = context.environment.now();
    Token::read(&context.identity.request_nearby(&http, request).await?, asked)
}
