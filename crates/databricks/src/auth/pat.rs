//! `pat`: a personal access token, or any other bearer token that somebody else has got.

use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    let token = context.need(Attribute::Token)?;
    context.need_host()?;
    Ok(Credential::fixed(format!("Bearer {token}")))
}
