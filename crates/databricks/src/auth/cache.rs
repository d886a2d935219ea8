//! A token cached until it must be replaced: one fetch for any number of callers, ahead of time if possible.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::auth::environment::Environment;
use crate::auth::single_flight::Flight;
use crate::auth::token::Token;
use crate::error::Error;
use crate::secret::Secret;

/// A token is not used this shortly before its end: Azure Databricks refuses it during the last 30 s.
pub(crate) const MARGIN: Duration = Duration::from_secs(40);
/// A token is replaced in the background at most this long before its end.
const LONGEST_LEAD: Duration = Duration::from_secs(20 * 60);
/// After a failure in the background, the next attempt there waits this long.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(60);
/// A fetch with all its attempts is given up after this long.
const PATIENCE: Duration = Duration::from_secs(90);

pub(crate) type Fetching = Pin<Box<dyn Future<Output = Result<Token, Error>> + Send>>;
/// Gets a token in place of another, or the first one.
pub(crate) type Fetch = Box<dyn Fn(Option<Secret>) -> Fetching + Send + Sync>;

/// The source of a token together with the last token it gave.
pub(crate) struct TokenCache(Arc<Shared>);

struct Shared {
    fetch: Fetch,
    environment: Environment,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    held: Option<Held>,
    /// No attempt in the background before.
    not_before: Option<SystemTime>,
    single_flight: Option<Flight<Held>>,
}

/// A token in use.
#[derive(Debug, Clone)]
pub(crate) struct Held {
    pub(crate) token: Secret,
    /// Counts the tokens, to tell which one was refused.
    pub(crate) generation: u64,
    end: Option<SystemTime>,
    stale_from: Option<SystemTime>,
}

impl Held {
    fn new(token: Token, generation: u64, now: SystemTime) -> Held {
        let lead = token.expiry.map(|expiry| {
            let lifetime = expiry.duration_since(now).unwrap_or_default();
            (lifetime / 2).min(LONGEST_LEAD)
        });
        let before = |lead: Duration| token.expiry.and_then(|expiry| expiry.checked_sub(lead));
        Held { end: before(MARGIN), stale_from: lead.and_then(before), token: token.access, generation }
    }

    fn is_over(&self, now: SystemTime) -> bool {
        self.end.is_some_and(|end| end < now)
    }

    fn is_stale(&self, now: SystemTime) -> bool {
        self.stale_from.is_some_and(|from| from < now)
    }
}

impl TokenCache {
    pub(crate) fn new<F>(
        environment: Environment,
        fetch: impl Fn(Option<Secret>) -> F + Send + Sync + 'static,
    ) -> TokenCache
    where
        F: Future<Output = Result<Token, Error>> + Send + 'static,
    {
        let fetch: Fetch = Box::new(move |previous| Box::pin(fetch(previous)));
        TokenCache(Arc::new(Shared { fetch, environment, state: Mutex::default() }))
    }

    /// The token to use now. One that just came is used even if this machine's clock takes it for expired: whether it
    /// is, the service decides.
    pub(crate) async fn token(&self) -> Result<Held, Error> {
        let now = self.0.environment.now();
        let single_flight = {
            let mut state = self.0.lock();
            match &state.held {
                Some(held) if !held.is_over(now) => {
                    let held = held.clone();
                    if held.is_stale(now) && state.not_before.is_none_or(|time| time <= now) {
                        join(&self.0, &mut state);
                    }
                    return Ok(held);
                }
                _ => join(&self.0, &mut state),
            }
        };
        single_flight.land().await
    }

    /// A token in place of a refused one. Where it has been replaced already, nothing is fetched.
    pub(crate) async fn renew(&self, refused: u64) -> Result<Held, Error> {
        let single_flight = {
            let mut state = self.0.lock();
            match &state.held {
                Some(held) if held.generation != refused => return Ok(held.clone()),
                _ => join(&self.0, &mut state),
            }
        };
        single_flight.land().await
    }

    /// Whether there was no token to be had a short while ago.
    pub(crate) fn failed_lately(&self) -> bool {
        let now = self.0.environment.now();
        self.0.lock().not_before.is_some_and(|time| now < time)
    }
}

impl Shared {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn land(&self, result: Result<Token, Error>) -> Result<Held, Error> {
        let now = self.environment.now();
        let mut state = self.lock();
        state.single_flight = None;
        let landed = result.map(|token| {
            let generation = state.held.as_ref().map_or(1, |held| held.generation + 1);
            Held::new(token, generation, now)
        });
        match &landed {
            Ok(held) => {
                state.held = Some(held.clone());
                state.not_before = None;
            }
            Err(error) => {
                tracing::debug!(%error, "no new token");
                state.not_before = now.checked_add(PAUSE_AFTER_FAILURE);
            }
        }
        landed
    }
}

/// The fetch under way, or a new one.
fn join(shared: &Arc<Shared>, state: &mut State) -> Flight<Held> {
    if let Some(single_flight) = state.single_flight.as_ref().filter(|single_flight| single_flight.is_good()) {
        return single_flight.clone();
    }
    let previous = state.held.as_ref().map(|held| held.token.clone());
    let shared = Arc::clone(shared);
    let single_flight = Flight::start(async move {
        let result = tokio::time::timeout(PATIENCE, (shared.fetch)(previous)).await;
        let late = |_| Err(Error::credentials("no token came in time").transient());
        shared.land(result.unwrap_or_else(late))
    });
    state.single_flight.insert(single_flight).clone()
}

/// Never the token.
impl fmt::Debug for TokenCache {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("TokenCache")
    }
}

#[cfg(test)]
mod tests;
