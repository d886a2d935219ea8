//! `google-credentials`: the key file of a Google service account.

use std::sync::Arc;

use crate::auth::attribute::Attribute;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::google::{self, ServiceAccount};
use crate::auth::text_file;
use crate::error::Error;

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    let given = context.need(Attribute::GoogleCredentials)?;
    google::need_google(&context).await?;
    let account = ServiceAccount::read(&read(&context, given)?)?;
    let cache = |access: bool| {
        let (shared, account) = (Arc::clone(&context), Arc::clone(&account));
        context.cache(move |_| {
            let (context, account) = (Arc::clone(&shared), Arc::clone(&account));
            async move { if access { account.access_token(&context).await } else { account.id_token(&context).await } }
        })
    };
    Ok(Credential::bearer(cache(false)).with_companion(google::ACCESS_TOKEN, cache(true), false))
}

/// The JSON itself, or the path of a file with it.
fn read(context: &Context, given: &str) -> Result<serde_json::Value, Error> {
    let json = if given.trim_start().starts_with('{') {
        given.to_owned()
    } else {
        // The path stays out of the message: it may be half of a key.
        text_file::read(&context.environment.expand(given)).map_err(|error| {
            Error::credentials(format!("the file that GOOGLE_CREDENTIALS names cannot be read: {error}"))
        })?
    };
    serde_json::from_str(&json)
        .map_err(|_| Error::credentials("GOOGLE_CREDENTIALS is neither JSON nor the path of JSON"))
}
