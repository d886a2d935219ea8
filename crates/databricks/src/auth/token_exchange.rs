//! The exchange of somebody else's OIDC token for one of Databricks, common to all `…-oidc` methods.

use std::future::Future;
use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::TokenRequest;
use crate::auth::token::Token;
use crate::error::Error;
use crate::secret::Secret;

/// A credential from the OIDC tokens that `id_token` gets for an audience; a new one for each exchange.
pub(crate) fn credential<F>(
    context: &Arc<Context>,
    id_token: impl Fn(Arc<Context>, String) -> F + Send + Sync + 'static,
) -> Credential
where
    F: Future<Output = Result<Secret, Error>> + Send + 'static,
{
    let (shared, id_token) = (Arc::clone(context), Arc::new(id_token));
    Credential::bearer(context.cache(move |_| {
        let (context, id_token) = (Arc::clone(&shared), Arc::clone(&id_token));
        async move {
            let audience = audience(&context).await?;
            let id_token = id_token(Arc::clone(&context), audience).await?;
            exchange(&context, &id_token).await
        }
    }))
}

/// For whom the token must be made out: as set or told by the host; else the account, for an account; else the
/// endpoint that takes it.
async fn audience(context: &Context) -> Result<String, Error> {
    if let Some(audience) = context.settings.get(Attribute::TokenAudience) {
        return Ok(audience.to_owned());
    }
    let endpoints = context.endpoints().await?;
    let metadata = context.metadata().await;
    if let Some(audience) = metadata.and_then(|metadata| metadata.audience.as_ref()) {
        return Ok(audience.clone());
    }
    let is_workspace = metadata.map_or(!context.is_account_host(), |metadata| metadata.workspace_id.is_some());
    match context.account_id() {
        Some(account_id) if !is_workspace && (metadata.is_some() || context.is_account_host()) => {
            Ok(account_id.to_owned())
        }
        _ => Ok(endpoints.token_endpoint.clone()),
    }
}

async fn exchange(context: &Context, id_token: &Secret) -> Result<Token, Error> {
    let scopes = context.settings.scopes();
    let mut fields = vec![
        ("grant_type", "urn:ietf:params:oauth:grant-type:token-exchange"),
        ("subject_token_type", "urn:ietf:params:oauth:token-type:jwt"),
        ("subject_token", id_token.expose()),
        ("scope", scopes.as_str()),
    ];
    // Without it, the federation of the whole account applies.
    fields.extend(context.settings.get(Attribute::ClientId).map(|id| ("client_id", id)));
    fields.extend(context.settings.get(Attribute::GroupId).map(|id| ("assume_group", id)));
    let asked = context.environment.now();
    let endpoints = context.endpoints().await?;
    Token::read(&context.identity.request(TokenRequest::form(&endpoints.token_endpoint, &fields)?).await?, asked)
}
