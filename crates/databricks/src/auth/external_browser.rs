//! `external-browser`: the tokens of an earlier browser login, which [`Login`](crate::Login) has stored. This method
//! never asks the user: a server has nobody to ask.

use std::sync::Arc;
use std::time::Duration;

use crate::auth::attribute::Attribute;
use crate::auth::cache::MARGIN;
use crate::auth::chain::NotConfigured;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::identity::TokenRequest;
use crate::auth::logins::{KeptLogin, Logins, Purpose};
use crate::auth::token::Token;
use crate::error::Error;
use crate::secret::Secret;

/// The public client that Databricks has for programs on people's machines.
const CLIENT_ID: &str = "databricks-cli";
/// A kept token that ends sooner is refreshed.
const LEAD: Duration = Duration::from_secs(5 * 60);

pub(crate) async fn configure(context: Arc<Context>) -> Result<Credential, NotConfigured> {
    context.need_host()?;
    let none = || NotConfigured::Lacks("no browser login is stored for this host".to_owned());
    let logins = Logins::of(&context.environment).ok_or_else(none)?;
    let purpose = Purpose::of(&context).ok_or_else(none)?;
    let login = logins.find(&purpose)?.ok_or_else(none)?;
    let (shared, kept) = (Arc::clone(&context), Arc::new((logins, login)));
    Ok(Credential::bearer(context.cache(move |previous| {
        let (context, kept) = (Arc::clone(&shared), Arc::clone(&kept));
        async move {
            let (logins, login) = &*kept;
            fetch(&context, logins, login, previous).await
        }
    })))
}

/// The client on whose behalf people log in.
pub(crate) fn client_id(context: &Context) -> &str {
    context.settings.get(Attribute::ClientId).unwrap_or(CLIENT_ID)
}

/// The kept token while it is good, else a new one by the refresh token. A refresh token may be good for one use, and
/// using it again may end the login, so one process refreshes at a time, and the others take what it got.
async fn fetch(
    context: &Context,
    logins: &Logins,
    login: &KeptLogin,
    previous: Option<Secret>,
) -> Result<Token, Error> {
    let lasts = |token: &Token, time: Duration| {
        let until = context.environment.now() + time;
        token.expiry.is_none_or(|expiry| expiry > until)
    };
    let is_new = |token: &Token| previous.as_ref() != Some(&token.access);
    let kept = logins.tokens(login).await?;
    if is_new(&kept) && lasts(&kept, LEAD) {
        return Ok(kept);
    }
    let lock = logins.lock(login).await;
    let kept = if lock.is_some() { logins.tokens(login).await? } else { kept };
    if is_new(&kept) && lasts(&kept, LEAD) {
        return Ok(kept);
    }
    let refreshed = match &kept.refresh {
        Some(refresh) => self::refresh(context, refresh).await,
        None => Err(Error::credentials("the login has ended, and it came without a refresh token")
            .with_hint(log_in_again(context))),
    };
    match refreshed {
        Ok(mut token) => {
            token.refresh = token.refresh.or(kept.refresh);
            if let Err(error) = logins.keep_again(login, &token).await {
                tracing::warn!(%error, "the refreshed login was not stored");
            }
            Ok(token)
        }
        // What there is may be good for some minutes more, by when the provider may be well again. And where there are
        // no locks, another process may have been faster.
        Err(error) => match logins.tokens(login).await {
            Ok(other) if is_new(&other) && lasts(&other, MARGIN) => Ok(other),
            _ => Err(error),
        },
    }
}

async fn refresh(context: &Context, refresh: &Secret) -> Result<Token, Error> {
    let fields =
        [("grant_type", "refresh_token"), ("refresh_token", refresh.expose()), ("client_id", client_id(context))];
    let asked = context.environment.now();
    let request = TokenRequest::form(&context.endpoints().await?.token_endpoint, &fields)?;
    let answer = context
        .identity
        .request(request)
        .await
        .map_err(|error| if error.is_retryable() { error } else { error.with_hint(log_in_again(context)) })?;
    Token::read(&answer, asked)
}

fn log_in_again(context: &Context) -> String {
    match (context.settings.get(Attribute::Profile), context.host()) {
        (Some(profile), _) => format!("run `databricks-mcp-server auth login --profile {profile}`"),
        (None, Some(host)) => format!("run `databricks-mcp-server auth login --host {host}`"),
        (None, None) => "run `databricks-mcp-server auth login`".to_owned(),
    }
}
