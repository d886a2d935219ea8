//! Calling on behalf of somebody who has presented a token: with that token, or with one that it is exchanged for.

use std::fmt;
use std::sync::{Arc, PoisonError, RwLock};

use crate::auth::chain::Chosen;
use crate::auth::context::Context;
use crate::auth::credential::Credential;
use crate::auth::token_exchange;
use crate::error::Error;
use crate::secret::Secret;

/// The token that somebody presented last. Clones share it, so that a client goes on when its caller has a newer token.
#[derive(Clone, Default)]
pub struct CallerToken {
    current: Arc<RwLock<Option<Secret>>>,
}

impl CallerToken {
    /// A place for a token, which holds this one.
    pub fn new(token: impl Into<Secret>) -> CallerToken {
        CallerToken { current: Arc::new(RwLock::new(Some(token.into()))) }
    }

    /// Takes the place of the one before.
    pub fn set(&self, token: impl Into<Secret>) {
        *self.current.write().unwrap_or_else(PoisonError::into_inner) = Some(token.into());
    }

    /// The token that was presented last.
    pub(crate) fn get(&self) -> Result<Secret, Error> {
        let current = self.current.read().unwrap_or_else(PoisonError::into_inner);
        current.clone().ok_or_else(|| Error::credentials("the caller has presented no token"))
    }
}

/// The token is not shown.
impl fmt::Debug for CallerToken {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("CallerToken(***)")
    }
}

/// As whom a client calls, instead of as its configuration says.
#[derive(Debug, Clone)]
pub enum OnBehalf {
    /// The token is one of Databricks and is sent as it is.
    Token(CallerToken),
    /// The token is an OIDC token of somebody else, which Databricks exchanges for one of its own (RFC 8693).
    Exchange(CallerToken),
}

impl OnBehalf {
    /// The way of authenticating.
    pub(crate) fn choose(&self, context: &Arc<Context>) -> Chosen {
        let (name, credential) = match self {
            OnBehalf::Token(token) => ("caller-token", Credential::caller(token.clone())),
            OnBehalf::Exchange(token) => {
                let token = token.clone();
                ("caller-exchange", token_exchange::credential(context, move |_, _| std::future::ready(token.get())))
            }
        };
        Chosen { name, credential }
    }
}
