//! `github-oidc`: the OIDC token of a GitHub Actions job.

use std::sync::Arc;

use http::header::AUTHORIZATION;

use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::TokenRequest;
use crate::auth::token;
use crate::auth::token_exchange;
use crate::error::Error;
use crate::secret::Secret;

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    need_job(&context)?;
    context.need_host()?;
    Ok(token_exchange::credential(&context, id_token))
}

/// Whether this is a job that may ask for OIDC tokens.
pub(crate) fn need_job(context: &Context) -> Result<(), NotConfigured> {
    context.need_variable(URL)?;
    context.need_variable(TOKEN)?;
    Ok(())
}

/// The job's OIDC token for an audience.
pub(crate) async fn id_token(context: Arc<Context>, audience: String) -> Result<Secret, Error> {
    let variable = |name| context.environment.variable(name).unwrap_or_default();
    let request = TokenRequest::get(&variable(URL))?.query("audience", &audience);
    let request = request.secret_header(AUTHORIZATION, "Bearer", &variable(TOKEN))?;
    token::text(&context.identity.request(request).await?, "value")
}
