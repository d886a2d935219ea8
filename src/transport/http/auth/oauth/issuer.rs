//! The issuer of tokens: where its keys are (RFC 8414, OpenID Connect Discovery), and the keys as they were fetched last.
//!
//! Anybody can send a token that names a key nobody knows. That makes one fetch in a while, whoever sends how many, and a
//! fetch that was begun goes on when the one whose token it was for has gone: otherwise, somebody could keep new keys out.

use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use databricks::Documents;
use serde_json::Value;
use tokio::sync::Mutex;
use tokio::time::Instant;

use super::json;
use super::keys::{KeySet, Signed, Verdict};
use crate::error::Error;

/// Keys that are older are fetched again, beside the calls, so that one that the issuer has withdrawn goes.
const FRESH: Duration = Duration::from_secs(600);
/// Keys that are older are not believed, should the issuer have been out of reach all the time.
const KEPT: Duration = Duration::from_secs(24 * 3_600);
/// Between two fetches while there are keys, and while there are none.
const PAUSE: Duration = Duration::from_secs(10);
const PAUSE_WITHOUT_KEYS: Duration = Duration::from_secs(2);

const UNKNOWN_KEY: &str = "the token is not signed by a key of the issuer: no key has the `kid` that it names";

/// An issuer of tokens.
#[derive(Debug)]
pub(super) struct Issuer(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    url: String,
    /// Where the keys are, if that was set.
    jwks: Option<String>,
    documents: Documents,
    known: RwLock<Option<Known>>,
    /// The last fetch; whoever fetches holds the lock.
    last: Mutex<Option<Attempt>>,
}

/// Keys as they were fetched.
#[derive(Debug, Clone)]
struct Known {
    keys: Arc<KeySet>,
    since: Instant,
}

#[derive(Debug)]
struct Attempt {
    start: Instant,
    has_failed: bool,
}

/// There are no keys, and fetching them has failed.
#[derive(Debug)]
struct NoKeys;

/// Why a signature is not believed.
#[derive(Debug)]
pub(super) enum Doubt {
    /// It is not by the issuer: why.
    Wrong(&'static str),
    /// The issuer's keys are out of reach; the log says why.
    NoKeys,
}

impl Issuer {
    /// The issuer with this URL, and where its keys are if its metadata does not say it.
    ///
    /// # Errors
    /// Where others could answer in its place.
    pub(super) fn new(url: &str, jwks: Option<&str>) -> Result<Self, Error> {
        let refused = |error: &databricks::Error| {
            Error::failed(format!("the issuer of tokens cannot be used: {error}"))
                .with_hint("`--oauth-issuer` is the `issuer` of the provider's metadata, for example `https://login.acme.test/realms/data`")
        };
        // Keys that were set may be anywhere; those that the issuer names are where it is, as far as this machine goes.
        let documents = Documents::of(jwks.unwrap_or(url)).map_err(|error| refused(&error))?;
        if url.contains(['?', '#', '"', '\\']) || url.contains(|character: char| !character.is_ascii_graphic()) {
            return Err(Error::failed(format!("`--oauth-issuer {url}` is a URL without query and fragment")));
        }
        Documents::of(url).map_err(|error| refused(&error))?;
        let jwks = jwks.map(str::to_owned);
        Ok(Self(Arc::new(Inner {
            url: url.to_owned(),
            jwks,
            documents,
            known: RwLock::default(),
            last: Mutex::default(),
        })))
    }

    /// Fetches the keys before the first token comes, and says in the log what is wrong with them.
    pub(super) fn prepare(&self) {
        // What goes wrong is in the log.
        drop(tokio::spawn(Arc::clone(&self.0).fetched(None)));
    }

    /// Whether the issuer has signed this.
    ///
    /// # Errors
    /// Where it has not, or where that cannot be found out.
    pub(super) async fn verify(&self, signed: &Signed<'_>) -> Result<(), Doubt> {
        let known = self.0.known();
        if let Some(Known { keys, since }) = &known {
            match keys.verify(signed) {
                Verdict::Good => {
                    if since.elapsed() >= FRESH {
                        self.0.renew(*since);
                    }
                    return Ok(());
                }
                Verdict::Bad(why) => return Err(Doubt::Wrong(why)),
                Verdict::Unknown => {}
            }
        }
        let newer = tokio::spawn(Arc::clone(&self.0).fetched(known.map(|known| known.since))).await;
        let keys = match newer {
            Ok(Ok(Some(keys))) => keys,
            Ok(Ok(None)) => return Err(Doubt::Wrong(UNKNOWN_KEY)),
            // The second: the server is about to end.
            Ok(Err(NoKeys)) | Err(_) => return Err(Doubt::NoKeys),
        };
        match keys.verify(signed) {
            Verdict::Good => Ok(()),
            Verdict::Bad(why) => Err(Doubt::Wrong(why)),
            Verdict::Unknown => Err(Doubt::Wrong(UNKNOWN_KEY)),
        }
    }
}

impl Inner {
    /// The keys that are believed.
    fn known(&self) -> Option<Known> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner).clone();
        known.filter(|known| known.since.elapsed() < KEPT)
    }

    /// Has newer keys fetched beside, unless that is being done or was done just now.
    fn renew(self: &Arc<Self>, than: Instant) {
        if self.last.try_lock().is_ok_and(|last| last.as_ref().is_none_or(|last| last.start.elapsed() >= PAUSE)) {
            drop(tokio::spawn(Arc::clone(self).fetched(Some(than))));
        }
    }

    /// Keys that were fetched after others: `None` where there are none yet, as it is too soon to ask again or as asking
    /// has failed while there are keys.
    async fn fetched(self: Arc<Self>, than: Option<Instant>) -> Result<Option<Arc<KeySet>>, NoKeys> {
        let mut last = self.last.lock().await;
        let known = self.known();
        if let Some(known) = &known
            && than.is_none_or(|than| known.since > than)
        {
            return Ok(Some(Arc::clone(&known.keys)));
        }
        let pause = if known.is_some() { PAUSE } else { PAUSE_WITHOUT_KEYS };
        if let Some(Attempt { start, has_failed }) = &*last
            && start.elapsed() < pause
        {
            return if *has_failed && known.is_none() { Err(NoKeys) } else { Ok(None) };
        }
        let start = Instant::now();
        let found = self.fetch().await;
        *last = Some(Attempt { start, has_failed: found.is_err() });
        match found {
            Ok(keys) => {
                tracing::debug!(issuer = self.url, "fetched the issuer's keys");
                let keys = Arc::new(keys);
                let known = Known { keys: Arc::clone(&keys), since: start };
                *self.known.write().unwrap_or_else(PoisonError::into_inner) = Some(known);
                Ok(Some(keys))
            }
            Err(failure) => {
                tracing::warn!(issuer = self.url, failure, "the issuer's keys cannot be fetched");
                if known.is_some() { Ok(None) } else { Err(NoKeys) }
            }
        }
    }

    async fn fetch(&self) -> Result<KeySet, String> {
        let url = match &self.jwks {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let document = self.documents.get(&url).await.map_err(|error| format!("the keys: {error}"))?;
        KeySet::read(&document).map_err(|why| format!("the keys at `{url}`: {why}"))
    }

    /// Where the keys are, as the issuer's metadata says it.
    async fn discover(&self) -> Result<String, String> {
        let mut failures = Vec::new();
        for url in places(&self.url) {
            match self.metadata(&url).await {
                Ok(keys) => return Ok(keys),
                Err(failure) => failures.push(failure),
            }
        }
        Err(format!("no metadata of the issuer: {}", failures.join("; ")))
    }

    async fn metadata(&self, url: &str) -> Result<String, String> {
        let document = self.documents.get(url).await.map_err(|error| error.to_string())?;
        let metadata = json::object(&document).map_err(|error| format!("`{url}` cannot be read: {error}"))?;
        // Otherwise, whoever has a place of their own on a host that others share could be taken for them.
        if metadata.get("issuer").and_then(Value::as_str) != Some(&self.url) {
            return Err(format!("`{url}` is of another issuer than `{}`; the two must be the same text", self.url));
        }
        let keys = metadata.get("jwks_uri").and_then(Value::as_str);
        keys.map(str::to_owned).ok_or_else(|| format!("`{url}` has no `jwks_uri`"))
    }
}

/// Where the metadata of an issuer may be: before the path of its URL, as RFC 8414 has it, and after it, as OpenID Connect.
fn places(issuer: &str) -> Vec<String> {
    let start = issuer.find("://").map_or(0, |index| index + 3);
    let (scheme, rest) = issuer.split_at(start);
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let (origin, path) = (format!("{scheme}{authority}"), path.trim_end_matches('/'));
    let mut places = vec![
        format!("{origin}/.well-known/oauth-authorization-server{path}"),
        format!("{origin}{path}/.well-known/openid-configuration"),
    ];
    if !path.is_empty() {
        places.push(format!("{origin}/.well-known/openid-configuration{path}"));
        // Databricks has it there.
        places.push(format!("{origin}{path}/.well-known/oauth-authorization-server"));
    }
    places
}

#[cfg(test)]
mod tests {
    use super::{Issuer, places};

    #[test]
    fn metadata_is_looked_for_at_all_places() {
        assert_eq!(
            places("https://login.acme.test/realms/data/"),
            [
                "https://login.acme.test/.well-known/oauth-authorization-server/realms/data",
                "https://login.acme.test/realms/data/.well-known/openid-configuration",
                "https://login.acme.test/.well-known/openid-configuration/realms/data",
                "https://login.acme.test/realms/data/.well-known/oauth-authorization-server",
            ]
        );
        for issuer in ["https://acme.test", "https://acme.test/"] {
            assert_eq!(
                places(issuer),
                [
                    "https://acme.test/.well-known/oauth-authorization-server",
                    "https://acme.test/.well-known/openid-configuration",
                ]
            );
        }
    }

    #[test]
    fn others_cannot_answer_for_the_issuer() {
        for (issuer, jwks, is_usable) in [
            ("https://login.acme.test", None, true),
            ("http://127.0.0.1:8080/a", None, true),
            ("https://login.acme.test", Some("https://keys.acme.test/x"), true),
            ("http://login.acme.test", None, false),
            ("login.acme.test", None, false),
            ("https://login.acme.test?tenant=1", None, false),
            ("https://login.acme.test/\"", None, false),
            ("https://login.acme.test", Some("http://keys.acme.test/x"), false),
        ] {
            assert_eq!(Issuer::new(issuer, jwks).is_ok(), is_usable, "{issuer} {jwks:?}");
        }
    }
}
