//! A login in the browser: OAuth with PKCE, and a redirect back to this machine.

mod callback;

use std::path::PathBuf;
use std::sync::Arc;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use reqwest::Url;
use ring::digest::{SHA256, digest};
use ring::rand::{SecureRandom, SystemRandom};

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::environment::Environment;
use crate::auth::external_browser::client_id;
use crate::auth::identity::{TokenRequest, is_secure, urlencoded};
use crate::auth::logins::{KeptLogin, Logins, Purpose, Storage};
use crate::auth::profile::Draft;
use crate::auth::token::Token;
use crate::config::Config;
use crate::error::Error;
use crate::host::Host;
use crate::secret::Secret;
use crate::transport;
use callback::{Callback, Return};

/// Where people choose a workspace who do not know its address. The official Go SDK logs in through it.
const DISCOVERY: &str = "https://login.databricks.com/";

/// A login under way. The tokens it ends with are kept in the keyring, or in a file of the home directory that only its
/// owner can read, for clients with the same host and scopes.
///
/// ```no_run
/// # async fn example(config: databricks::Config) -> Result<(), databricks::Error> {
/// let login = databricks::Login::start(&config).await?;
/// println!("open {} in a browser", login.url());
/// let done = login.finish().await?;
/// println!("logged in to {}", done.login.host());
/// # Ok(())
/// # }
/// ```
#[derive(Debug)]
pub struct Login {
    context: Arc<Context>,
    logins: Logins,
    storage: Option<Storage>,
    draft: Option<Draft>,
    callback: Callback,
    url: String,
    state: String,
    verifier: Secret,
}

/// A login that has ended well.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub struct LoggedIn {
    /// What is kept.
    pub login: KeptLogin,
    /// Why the tokens are in a file, where the keyring would have been the first choice.
    pub keyring_failure: Option<Error>,
    /// The configuration file, if a profile in it was written.
    pub written: Option<PathBuf>,
}

impl Login {
    /// Prepares a login to the host of `config`: finds its endpoints and listens for the browser's return. Without a
    /// host, Databricks' own page asks for the workspace.
    ///
    /// A profile that the settings name explicitly need not exist, or may lack a host; at the end, the host is written
    /// into it, and no secret.
    ///
    /// # Errors
    /// When the host does not tell its endpoints, no port is free, or the profile has credentials for another host.
    pub async fn start(config: &Config) -> Result<Login, Error> {
        let context = context(config)?;
        let logins = logins(&config.environment)?;
        let draft = Draft::of(&context)?;
        let page = match context.host() {
            Some(_) => Some(context.endpoints().await?.authorization_endpoint.clone()),
            None => None,
        };
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
        let query = urlencoded(&fields);
        let url = match page {
            Some(page) => format!("{page}{}{query}", if page.contains('?') { '&' } else { '?' }),
            None => {
                let destination = format!("/oidc/v1/authorize?{query}");
                format!("{DISCOVERY}?{}", urlencoded(&[("destination_url", &destination)]))
            }
        };
        let verifier = verifier.into();
        Ok(Login { context: Arc::clone(&context), logins, storage: None, draft, callback, url, state, verifier })
    }

    /// Says where the tokens are to be kept. Without this, they go to the keyring, and where that cannot be used, to a
    /// file.
    #[must_use]
    pub fn keep_in(mut self, storage: Storage) -> Login {
        self.storage = Some(storage);
        self
    }

    /// The page to open in the browser.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The port of this machine that the browser comes back to.
    pub fn port(&self) -> u16 {
        self.callback.port()
    }

    /// Waits for the browser's return and keeps the tokens. Dropping the future gives up.
    ///
    /// # Errors
    /// When the user refuses, the code is not taken, or the tokens cannot be kept.
    pub async fn finish(self) -> Result<LoggedIn, Error> {
        let back = self.callback.wait(&self.state).await;
        // The browser waits too, and shows what came of it.
        let result = self.take(&back).await;
        back.close(&result).await;
        result
    }

    async fn take(&self, back: &Return) -> Result<LoggedIn, Error> {
        let code = back.code.clone()?;
        let token_endpoint = match (self.context.host(), &back.issuer) {
            (Some(_), _) => self.context.endpoints().await?.token_endpoint.clone(),
            (None, Some(issuer)) => {
                self.context.learn_host(host_of(issuer)?);
                format!("{}/v1/token", issuer.trim_end_matches('/'))
            }
            (None, None) => {
                return Err(Error::credentials("the browser returned without naming a workspace"));
            }
        };
        let redirect = self.callback.url();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", code.expose()),
            ("redirect_uri", redirect.as_str()),
            ("code_verifier", self.verifier.expose()),
            ("client_id", client_id(&self.context)),
        ];
        let asked = self.context.environment.now();
        // A code is good for one use.
        let request = TokenRequest::form(&token_endpoint, &fields)?.once();
        let token = Token::read(&self.context.identity.request(request).await?, asked)?;
        let purpose = Purpose::of(&self.context).ok_or_else(|| transport::no_host(&self.context))?;
        let (login, keyring_failure) = self.logins.keep(&purpose, &token, self.storage).await?;
        let written = self.draft.as_ref().map(|draft| draft.write(&self.context)).transpose()?.flatten();
        Ok(LoggedIn { login, keyring_failure, written })
    }

    /// The logins that are kept, in order of host and profile.
    ///
    /// # Errors
    /// When there is no home directory.
    pub fn kept(environment: &Environment) -> Result<Vec<KeptLogin>, Error> {
        Ok(logins(environment)?.all())
    }

    /// The login that serves a configuration, if one is kept.
    ///
    /// ```no_run
    /// use databricks::{Config, Environment, Login, Settings};
    ///
    /// let config = Config::resolve(Settings::default(), Environment::system())?;
    /// match Login::find(&config)? {
    ///     Some(login) => println!("logged in to {}", login.host()),
    ///     None => println!("log in first"),
    /// }
    /// # Ok::<(), databricks::Error>(())
    /// ```
    ///
    /// # Errors
    /// When no host is set, several logins would do, or there is no home directory.
    pub fn find(config: &Config) -> Result<Option<KeptLogin>, Error> {
        let context = context(config)?;
        logins(&config.environment)?.find(&Purpose::of(&context).ok_or_else(|| transport::no_host(&context))?)
    }

    /// Forgets a login; `false` if it has been forgotten meanwhile.
    ///
    /// ```no_run
    /// # async fn example() -> Result<(), databricks::Error> {
    /// use databricks::{Environment, Login};
    ///
    /// let environment = Environment::system();
    /// for login in Login::kept(&environment)? {
    ///     Login::forget(&login, &environment).await?;
    /// }
    /// # Ok(())
    /// # }
    /// ```
    ///
    /// # Errors
    /// When the keyring cannot be used, or the file not be removed.
    pub async fn forget(login: &KeptLogin, environment: &Environment) -> Result<bool, Error> {
        logins(environment)?.forget(login).await
    }
}

fn context(config: &Config) -> Result<Arc<Context>, Error> {
    Ok(Arc::new(Context::new(config, transport::http_client(config)?)))
}

fn logins(environment: &Environment) -> Result<Logins, Error> {
    Logins::of(environment).ok_or_else(|| {
        Error::configuration("there is no home directory in which to store a login").with_hint("set HOME")
    })
}

/// The host whose OAuth server has this name.
fn host_of(issuer: &str) -> Result<Host, Error> {
    let url = Url::parse(issuer).ok().filter(is_secure);
    let url = url.ok_or_else(|| Error::credentials("the browser returned from an address that is not `https`"))?;
    url.origin().ascii_serialization().parse()
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
    SystemRandom::new().fill(&mut bytes).map_err(|_| Error::credentials("this system provides no random numbers"))?;
    Ok(URL_SAFE_NO_PAD.encode(bytes))
}
