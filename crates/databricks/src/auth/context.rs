//! What every authentication method starts from: the settings, the host and the environment.

use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::OnceCell;

use crate::auth::attribute::Attribute;
use crate::auth::cache::TokenCache;
use crate::auth::caller::OnBehalf;
use crate::auth::chain::NotConfigured;
use crate::auth::environment::Environment;
use crate::auth::identity::Identity;
use crate::auth::metadata::{Endpoints, Metadata};
use crate::auth::settings::Settings;
use crate::auth::token::Token;
use crate::config::Config;
use crate::error::Error;
use crate::host::Host;
use crate::mask::Mask;
use crate::probe::DeclinedMethod;
use crate::secret::Secret;
use crate::tls;

/// The ground that all ways of authenticating stand on.
#[derive(Debug)]
pub(crate) struct Context {
    pub(crate) settings: Settings,
    pub(crate) environment: Environment,
    pub(crate) identity: Identity,
    /// Set at the start, or once Azure has told it.
    host: OnceLock<Host>,
    account_id: Option<String>,
    metadata: OnceCell<Option<Metadata>>,
    endpoints: OnceCell<Endpoints>,
    /// The ways of authenticating that were not taken at the last choice, with the reasons.
    declined: Mutex<Vec<DeclinedMethod>>,
    remarks: Vec<String>,
    /// On whose behalf calls are made, where it is not as the settings say.
    pub(crate) on_behalf: Option<OnBehalf>,
}

impl Context {
    pub(crate) fn new(config: &Config, http: reqwest::Client) -> Context {
        let user_agent = config.user_agent.header(None);
        let settings = config.effective_settings();
        let mask = Mask::credentials(settings.secrets().cloned());
        Context {
            identity: Identity::new(http, user_agent, config.retry, config.environment.clone(), mask),
            settings,
            environment: config.environment.clone(),
            host: config.host.clone().map(OnceLock::from).unwrap_or_default(),
            account_id: config.known_account(),
            metadata: OnceCell::new(),
            endpoints: OnceCell::new(),
            declined: Mutex::default(),
            remarks: config.remarks.clone(),
            on_behalf: config.on_behalf.clone(),
        }
    }

    pub(crate) fn host(&self) -> Option<&Host> {
        self.host.get()
    }

    /// The host, for a way of authenticating that cannot do without.
    pub(crate) fn need_host(&self) -> Result<&Host, NotConfigured> {
        self.host().ok_or_else(|| NotConfigured::Lacks("DATABRICKS_HOST is not set".to_owned()))
    }

    /// The host's name without scheme and port; empty without a host.
    pub(crate) fn host_name(&self) -> &str {
        let name = self.host().map_or("", Host::as_str).split_once("://").map_or("", |(_, name)| name);
        name.split_once(':').map_or(name, |(name, _)| name)
    }

    pub(crate) fn learn_host(&self, host: Host) {
        // A second one says the same.
        let _ = self.host.set(host);
    }

    /// The account, as set or as the host has told already.
    pub(crate) fn account_id(&self) -> Option<&str> {
        self.account_id.as_deref().or_else(|| self.known_metadata()?.account_id.as_deref())
    }

    /// A setting that a way of authenticating cannot do without.
    pub(crate) fn need(&self, attribute: Attribute) -> Result<&str, NotConfigured> {
        self.settings.get(attribute).ok_or_else(|| {
            NotConfigured::Lacks(match attribute.variable() {
                Some(variable) => format!("{variable} is not set"),
                None => format!("`{}` is not set", attribute.key()),
            })
        })
    }

    /// A variable that a way of authenticating cannot do without.
    pub(crate) fn need_variable(&self, name: &str) -> Result<String, NotConfigured> {
        self.environment.variable(name).ok_or_else(|| NotConfigured::Lacks(format!("{name} is not set")))
    }

    /// What the host says of itself; it is asked once.
    pub(crate) async fn metadata(&self) -> Option<&Metadata> {
        self.metadata.get_or_init(|| Metadata::fetch(self)).await.as_ref()
    }

    /// The same, if it has been asked already.
    pub(crate) fn known_metadata(&self) -> Option<&Metadata> {
        self.metadata.get()?.as_ref()
    }

    /// The ways of authenticating that were not taken at the last choice, with the reasons.
    pub(crate) fn declined(&self) -> Vec<DeclinedMethod> {
        self.declined.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn set_declined(&self, declined: Vec<DeclinedMethod>) {
        *self.declined.lock().unwrap_or_else(PoisonError::into_inner) = declined;
    }

    /// What of the configuration file may be meant otherwise, as further lines of an error about what is missing.
    pub(crate) fn remarks(&self) -> String {
        self.remarks.iter().map(|remark| format!("\n  {remark}")).collect()
    }

    /// The host's OAuth endpoints.
    pub(crate) async fn endpoints(&self) -> Result<&Endpoints, Error> {
        self.endpoints.get_or_try_init(|| Endpoints::discover(self)).await
    }

    /// Whether the host serves an account rather than workspaces.
    pub(crate) fn is_account_host(&self) -> bool {
        let told = self.known_metadata().and_then(|metadata| metadata.host_type.as_deref()).unwrap_or_default();
        match told.to_ascii_lowercase().as_str() {
            "account" => true,
            "workspace" | "unified" => false,
            _ => self.is_named_account_host(),
        }
    }

    /// The same as its name tells.
    pub(crate) fn is_named_account_host(&self) -> bool {
        self.host_name().starts_with("accounts.") || self.host_name().starts_with("accounts-dod.")
    }

    /// Whether the host serves one workspace and no account; it is asked for that.
    pub(crate) async fn is_workspace_host(&self) -> bool {
        match self.metadata().await.and_then(|metadata| metadata.host_type.as_deref()) {
            Some(told) => told.eq_ignore_ascii_case("workspace"),
            // Older hosts tell nothing; workspaces of theirs have these names.
            None => ["dbc-", "adb-"].iter().any(|start| self.host_name().starts_with(start)),
        }
    }

    /// A cache for the tokens that `fetch` gets.
    pub(crate) fn cache<F>(&self, fetch: impl Fn(Option<Secret>) -> F + Send + Sync + 'static) -> TokenCache
    where
        F: Future<Output = Result<Token, Error>> + Send + 'static,
    {
        TokenCache::new(self.environment.clone(), fetch)
    }

    /// An HTTP client that uses no proxy, for what a proxy cannot reach.
    pub(crate) fn direct_http(self: &Arc<Context>) -> Result<reqwest::Client, Error> {
        reqwest::Client::builder()
            .tls_backend_preconfigured(tls::client_config()?)
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .build()
            .map_err(|error| Error::configuration(format!("cannot set up the HTTP client: {}", error.without_url())))
    }
}
