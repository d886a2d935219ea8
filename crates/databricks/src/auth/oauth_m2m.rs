//! `oauth-m2m`: a service principal with a client secret of Databricks.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use http::header::AUTHORIZATION;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::{TokenRequest, urlencoded};
use crate::auth::token::Token;
use crate::error::Error;

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need(Attribute::ClientId)?;
    context.need(Attribute::ClientSecret)?;
    context.need_host()?;
    let shared = Arc::clone(&context);
    Ok(Credential::bearer(context.cache(move |_| fetch(Arc::clone(&shared)))))
}

async fn fetch(context: Arc<Context>) -> Result<Token, Error> {
    let setting = |attribute| context.settings.get(attribute).unwrap_or_default();
    let scopes = context.settings.scopes();
    let mut fields = vec![("grant_type", "client_credentials"), ("scope", scopes.as_str())];
    fields.extend(context.settings.get(Attribute::GroupId).map(|id| ("assume_group", id)));
    let asked = context.environment.now();
    let endpoints = context.endpoints().await?;
    // RFC 6749, 2.3.1: both are form-encoded before they are joined.
    let part = |attribute| urlencoded(&[("", setting(attribute))]).split_off(1);
    let pair = STANDARD.encode(format!("{}:{}", part(Attribute::ClientId), part(Attribute::ClientSecret)));
    let request =
        TokenRequest::form(&endpoints.token_endpoint, &fields)?.secret_header(AUTHORIZATION, "Basic", &pair)?;
    let answer = context.identity.request(request).await.map_err(|error| {
        if error.is_retryable() {
            return error;
        }
        error.with_hint(
            "check DATABRICKS_CLIENT_ID and DATABRICKS_CLIENT_SECRET; replace an expired secret in the settings of \
             the service principal",
        )
    })?;
    Token::read(&answer, asked)
}
