//! `env-oidc`: an OIDC token in an environment variable, which is read again for each exchange.

use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::token_exchange;
use crate::error::Error;
use crate::secret::Secret;

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need_variable(variable(&context))?;
    context.need_host()?;
    Ok(token_exchange::credential(&context, |context, _| read(context)))
}

fn variable(context: &Context) -> &str {
    context.settings.get(Attribute::OidcTokenEnv).unwrap_or("DATABRICKS_OIDC_TOKEN")
}

async fn read(context: Arc<Context>) -> Result<Secret, Error> {
    let name = variable(&context);
    let token = context.environment.variable(name);
    token.map(Secret::from).ok_or_else(|| Error::credentials(format!("{name} is no longer set")))
}
