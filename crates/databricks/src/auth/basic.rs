//! `basic`: user name and password. Databricks no longer accepts passwords from users; some gateways still do.

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    let (username, password) = (context.need(Attribute::Username)?, context.need(Attribute::Password)?);
    context.need_host()?;
    Ok(Credential::fixed(format!("Basic {}", STANDARD.encode(format!("{username}:{password}")))))
}
