//! A login in the browser: OAuth with PKCE, and a redirect back to this machine.

mod callback;

use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::external_browser::client_id;
use crate::auth::identity::{Ask, urlencoded};
use crate::auth::token::Token;
use crate::auth::token_file::TokenFile;
use crate::config::Config;
use crate::error::Error;
use crate::secret::Secret;
use crate::transport;
use callback::Callback;

/// A login under way. The tokens it ends with are kept in a file of the home directory that only its owner can read,
/// for clients with the same host, profile and scopes.
///
/// ```no_run
/// # async fn example(config: databricks::Config) -> Result<(), databricks::Error> {
/// let login = databricks::Login::start(&config).await?;
/// println!("open {} in a browser", login.url());
/// login.finish().await?;
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Login {
    context: Arc<Context>,
    file: TokenFile,
    callback: Callback,
    url: String,
    state: String,
    verifier: Secret,
}

impl Login {
    /// Prepares a login to the host of `config`: finds its endpoints and listens for the browser's return.
    ///
    /// # Errors
    /// When no host is set, it does not tell its endpoints, or no port is free.
    pub async fn start(config: &Config) -> Result<Login, Error> {
        let context = context(config)?;
        let file = file(&context)?;
        let endpoints = context.endpoints().await?;
        let callback = Callback::listen(context.settings.get(Attribute::OauthCallbackPort)).await?;
        let (state, verifier) = (random::<16>()?, random::<64>()?);
        let challenge = URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes()));
        let (scopes, redirect) = (scopes(&context), callback.url());
        let mut fields = vec![
            ("response_type", "code"),
            ("client_id", client_id(&context)),
            ("redirect_uri", redirect.as_str()),
            ("scope", scopes.as_str()),
            ("state", state.as_str()),
            ("code_challenge", challenge.as_str()),
            ("code_challenge_method", "S256"),
        ];
        fields.extend(context.settings.get(Attribute::GroupId).map(|id| ("assume_group", id)));
        let url = format!("{}?{}", endpoints.authorization_endpoint, urlencoded(&fields));
        Ok(Login { context: Arc::clone(&context), file, callback, url, state, verifier: verifier.into() })
    }

    /// The page to open in the browser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// Waits for the browser's return and keeps the tokens. Dropping the future gives up.
    ///
    /// # Errors
    /// When the user refuses, the code is not taken, or the tokens cannot be kept.
    pub async fn finish(self) -> Result<(), Error> {
        let redirect = self.callback.url();
        let code = self.callback.code(&self.state).await?;
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", self.verifier.expose()),
            ("client_id", client_id(&self.context)),
        ];
        let asked = self.context.environment.now();
        // A code is good for one use.
        let ask = Ask::form(&self.context.endpoints().await?.token_endpoint, &fields)?.once();
        let token = Token::read(&self.context.identity.ask(ask).await?, asked)?;
        self.file.store(&token)
    }

    /// Whether a login is kept for this configuration.
    ///
    /// # Errors
    /// When no host is set or there is no home directory.
    pub fn is_kept(config: &Config) -> Result<bool, Error> {
        Ok(file(&*context(config)?)?.exists())
    }

    /// Forgets the login that is kept for this configuration; `false` if there is none.
    ///
    /// # Errors
    /// When no host is set, or the file cannot be removed.
    pub fn forget(config: &Config) -> Result<bool, Error> {
        file(&*context(config)?)?.remove()
    }
}

fn context(config: &Config) -> Result<Arc<Context>, Error> {
    if config.host.is_none() {
        return Err(transport::no_host());
    }
    Ok(Arc::new(Context::new(config, transport::http_client(config)?)))
}

fn file(context: &Context) -> Result<TokenFile, Error> {
    TokenFile::of(context).ok_or_else(|| Error::configuration("there is no home directory to keep a login in"))
}

fn scopes(context: &Context) -> String {
    let scopes = context.settings.scopes();
    if context.settings.is_on(Attribute::DisableOauthRefreshToken) {
        return scopes;
    }
    format!("offline_access {scopes}")
}

fn random<const N: usize>() -> Result<String, Error> {
    let mut bytes = [0; N];
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::credentials("this system gives no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
