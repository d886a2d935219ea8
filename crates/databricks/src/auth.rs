//! Databricks' unified authentication. The first call chooses the method, among those that the settings and the machine
//! offer.

mod attribute;
mod azure;
mod azure_cli;
mod azure_client_secret;
mod azure_devops_oidc;
mod azure_msi;
mod basic;
mod cache;
mod caller;
mod chain;
mod cloud;
mod config_file;
mod context;
mod credential;
mod databricks_cli;
mod env_oidc;
mod environment;
mod external_browser;
mod file_oidc;
mod github_oidc;
mod github_oidc_azure;
mod google;
mod google_credentials;
mod google_id;
mod identity;
mod keyring;
mod login;
mod logins;
mod metadata;
mod metadata_service;
mod oauth_m2m;
mod pat;
mod precedence;
mod private_file;
mod profile;
mod program;
mod settings;
mod single_flight;
mod text_file;
mod token;
mod token_exchange;

use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use crate::error::Error;
use crate::host::Host;
use crate::mask::Mask;

pub use attribute::Attribute;
pub use caller::{CallerToken, OnBehalf};
pub(crate) use chain::Chosen;
pub use config_file::profiles;
pub(crate) use context::Context;
pub(crate) use credential::AuthHeaders;
pub use environment::{Environment, ProgramOutput, Running};
pub use login::{LoggedIn, Login};
pub use logins::{KeptLogin, Storage};
pub(crate) use metadata::Metadata;
pub(crate) use precedence::{MissingProfile, resolve};
pub use settings::Settings;
use single_flight::Flight;

/// Authenticates the calls of a client.
pub(crate) struct Authenticator {
    context: Arc<Context>,
    /// The choice of a way of authenticating, under way or made.
    choice: Mutex<Option<Flight<Arc<Chosen>>>>,
    /// The credentials that were sent last, which may be none of the settings.
    sent: Mutex<Mask>,
}

/// So many credentials are remembered: those that are replaced while calls with them are under way.
const REMEMBERED: usize = 4;

impl Authenticator {
    pub(crate) fn new(context: Context) -> Authenticator {
        Authenticator { context: Arc::new(context), choice: Mutex::default(), sent: Mutex::default() }
    }

    /// What is known of the host.
    pub(crate) fn context(&self) -> &Context {
        &self.context
    }

    /// The way of authenticating. It is chosen once; a failure is told to all who wait for it and then forgotten, so
    /// that a later call tries again.
    pub(crate) async fn chosen(&self) -> Result<Arc<Chosen>, Error> {
        let single_flight = {
            let mut choice = self.choice.lock().unwrap_or_else(PoisonError::into_inner);
            match choice.as_ref().filter(|single_flight| single_flight.is_good()) {
                Some(single_flight) => single_flight.clone(),
                None => {
                    let context = Arc::clone(&self.context);
                    let single_flight = Flight::start(async move { chain::choose(&context).await.map(Arc::new) });
                    choice.insert(single_flight).clone()
                }
            }
        };
        single_flight.land().await
    }

    /// The host. Where only an Azure resource is named, Azure tells it on the way to a token.
    pub(crate) async fn host(&self) -> Result<Option<&Host>, Error> {
        let may_learn = self.context.settings.get(Attribute::AzureResourceId).is_some();
        if self.context.host().is_none() && may_learn {
            self.chosen().await?;
        }
        Ok(self.context.host())
    }

    /// Remembers the credentials of a request.
    pub(crate) fn remember(&self, sent: &Mask) {
        let mut all = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        *all = std::mem::take(&mut *all).and(sent);
        all.keep_newest(REMEMBERED);
    }

    /// Hides secret settings and credentials in what came from outside, should somebody have repeated them.
    pub(crate) fn mask(&self) -> Mask {
        let sent = self.sent.lock().unwrap_or_else(PoisonError::into_inner);
        self.context.identity.mask().clone().and(&sent)
    }
}

/// The settings, of which the secret ones are not shown.
impl fmt::Debug for Authenticator {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.debug_struct("Authenticator").field("settings", &self.context.settings).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests;
