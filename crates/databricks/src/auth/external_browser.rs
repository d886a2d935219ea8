//! `external-browser`: the tokens of an earlier login in the browser, which [`Login`](crate::Login) has kept. Nothing
//! is asked here: a server has nobody to ask.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::attribute::Attribute;
use crate::auth::chain::Declined;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::Ask;
use crate::auth::token::Token;
use crate::auth::token_file::TokenFile;
use crate::error::Error;
use crate::secret::Secret;

/// The public client that Databricks has for programs on people's machines.
const CLIENT_ID: &str = "databricks-cli";
/// A kept token that ends sooner is refreshed.
const LEAD: Duration = Duration::from_secs(5 * 60);
const HINT: &str = "log in to the host again";

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, Declined> {
    context.need_host()?;
    let Some(file) = TokenFile::of(&context).filter(TokenFile::exists) else {
        return Err(Declined::Lacks("no login in the browser is kept for this host".to_owned()));
    };
    let (shared, file) = (Arc::clone(&context), Arc::new(file));
    Ok(Credential::bearer(context.cache(move |previous| {
        let (context, file) = (Arc::clone(&shared), Arc::clone(&file));
        async move { fetch(&context, &file, previous).await }
    })))
}

/// The client on whose behalf people log in.
pub(crate) fn client_id(context: &Context) -> &str {
    context.settings.get(Attribute::ClientId).unwrap_or(CLIENT_ID)
}

/// The kept token while it is good, else a new one by the refresh token.
async fn fetch(context: &Context, file: &TokenFile, previous: Option<Secret>) -> Result<Token, Error> {
    let kept = file.load()?;
    let soon = context.environment.now() + LEAD;
    let is_good = |token: &Token| token.expiry.is_none_or(|expiry| expiry > soon);
    if previous.as_ref() != Some(&kept.access) && is_good(&kept) {
        return Ok(kept);
    }
    let refreshed = match &kept.refresh {
        Some(refresh) => self::refresh(context, refresh).await,
        None => Err(Error::credentials("the login has ended, and it came without a refresh token").with_hint(HINT)),
    };
    match refreshed {
        Ok(mut token) => {
            token.refresh = token.refresh.or(kept.refresh);
            if let Err(error) = file.store(&token) {
                tracing::warn!(%error, "the refreshed login is not kept");
            }
            Ok(token)
        }
        // Another process may have been faster, and a refresh token is good for one use.
        Err(error) => match file.load() {
            Ok(other) if other.access != kept.access && is_good(&other) => Ok(other),
            _ => Err(error),
        },
    }
}

async fn refresh(context: &Context, refresh: &Secret) -> Result<Token, Error> {
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", refresh.expose()), ("client_id", client_id(context))];
    let asked = context.environment.now();
    let ask = Ask::form(&context.endpoints().await?.token_endpoint, &fields)?;
    let answer = context
        .identity
        .ask(ask)
        .await
        .map_err(|error| if error.is_retryable() { error } else { error.with_hint(HINT) })?;
    Token::read(&answer, asked)
}
