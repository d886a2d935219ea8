//! `github-oidc`: the OIDC token of a GitHub Actions job.

use std::sync::Arc;

use http::header::AUTHORIZATION;

use crate::auth::chain::Declined;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::Ask;
use crate::auth::token;
use crate::auth::token_exchange;
use crate::error::Error;
use crate::secret::Secret;

const URL: &str = "ACTIONS_ID_TOKEN_REQUEST_URL";
const TOKEN: &str = "ACTIONS_ID_TOKEN_REQUEST_TOKEN";

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, Declined> {
    need_job(&context)?;
    context.need_host()?;
    Ok(token_exchange::credential(&context, id_token))
}

/// Whether this is a job that may ask for OIDC tokens.
pub(crate) fn need_job(context: &Context) -> Result<(), Declined> {
    context.need_variable(URL)?;
    context.need_variable(TOKEN)?;
    Ok(())
}

/// The job's OIDC token for an audience.
pub(crate) async fn id_token(context: Arc<Context>, audience: String) -> Result<Secret, Error> {
    let variable = |name| context.environment.variable(name).unwrap_or_default();
    let ask = Ask::get(&variable(URL))?.query("audience", &audience);
    let ask = ask.secret_header(AUTHORIZATION, "Bearer", &variable(TOKEN))?;
    token::text(&context.identity.ask(ask).await?, "value")
}
