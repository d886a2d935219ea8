//! `file-oidc`: an OIDC token in a file, which is read again for each exchange.

use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::text_file;
use crate::auth::token_exchange;
use crate::error::Error;
use crate::secret::Secret;

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need(Attribute::OidcTokenFilepath)?;
    context.need_host()?;
    Ok(token_exchange::credential(&context, |context, _| read(context)))
}

async fn read(context: Arc<Context>) -> Result<Secret, Error> {
    let path = context.environment.expand(context.settings.get(Attribute::OidcTokenFilepath).unwrap_or_default());
    let token = text_file::read(&path)
        .map_err(|error| Error::credentials(format!("cannot read `{}`: {error}", path.display())))?;
    match token.trim() {
        "" => Err(Error::credentials(format!("`{}` is empty", path.display()))),
        token => Ok(token.into()),
    }
}
