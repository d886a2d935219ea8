//! The keyring of the operating system: the Keychain of macOS, the Credential Manager of Windows, the Secret Service of
//! Linux desktops. Each may ask the user to unlock it first, so a thread of its own accesses it, with a time limit.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use keyring_core::{CredentialStore, Entry};
use tokio::sync::oneshot;
use tokio::time::timeout;

use crate::error::{Error, plain_text};
use crate::secret::Secret;

/// Under which name the entries are kept; people see it in their keyring.
const SERVICE: &str = "databricks-mcp-server";
/// Somebody may have to type a password.
const PATIENCE: Duration = Duration::from_secs(60);

type Opened = keyring_core::Result<Arc<CredentialStore>>;

/// A keyring that is opened for each use.
#[derive(Clone)]
pub(crate) struct Keyring(Arc<dyn Fn() -> Opened + Send + Sync>);

impl Keyring {
    pub(crate) fn new(open: impl Fn() -> Opened + Send + Sync + 'static) -> Keyring {
        Keyring(Arc::new(open))
    }

    /// The one of this system.
    pub(crate) fn system() -> Keyring {
        Keyring::new(open)
    }

    /// An entry; `None` if there is none.
    pub(crate) async fn get(&self, name: &str) -> Result<Option<Secret>, Error> {
        match self.with_entry(name, |entry| entry.get_password()).await? {
            Ok(secret) => Ok(Some(secret.into())),
            Err(keyring_core::Error::NoEntry) => Ok(None),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Makes or replaces an entry. `false`: it is too long for this keyring.
    pub(crate) async fn set(&self, name: &str, secret: Secret) -> Result<bool, Error> {
        match self.with_entry(name, move |entry| entry.set_password(secret.expose())).await? {
            Ok(()) => Ok(true),
            Err(keyring_core::Error::TooLong(..)) => Ok(false),
            Err(error) => Err(refused(&error)),
        }
    }

    /// Removes an entry; `false` if there is none.
    pub(crate) async fn remove(&self, name: &str) -> Result<bool, Error> {
        match self.with_entry(name, |entry| entry.delete_credential()).await? {
            Ok(()) => Ok(true),
            Err(keyring_core::Error::NoEntry) => Ok(false),
            Err(error) => Err(refused(&error)),
        }
    }

    async fn with_entry<T: Send + 'static>(
        &self,
        name: &str,
        work: impl FnOnce(Entry) -> keyring_core::Result<T> + Send + 'static,
    ) -> Result<keyring_core::Result<T>, Error> {
        let (open, name) = (Arc::clone(&self.0), name.to_owned());
        let (sender, receiver) = oneshot::channel();
        // Not one of the runtime's threads: the runtime would wait at its end for a question that nobody answers.
        let thread = std::thread::Builder::new().name("keyring".to_owned()).spawn(move || {
            let result = open().and_then(|store| store.build(SERVICE, &name, None)).and_then(work);
            // Who asked may have given up.
            let _ = sender.send(result);
        });
        thread.map_err(|error| unreachable(&error))?;
        match timeout(PATIENCE, receiver).await {
            Ok(Ok(result)) => Ok(result),
            Ok(Err(_)) => Err(unreachable(&"it stopped unexpectedly")),
            Err(_) => Err(unreachable(&format!("no answer within {} s; is it locked?", PATIENCE.as_secs()))),
        }
    }
}

fn refused(error: &keyring_core::Error) -> Error {
    match error {
        // The innermost cause says most, and the others repeat it.
        keyring_core::Error::PlatformFailure(cause) | keyring_core::Error::NoStorageAccess(cause) => unreachable(cause),
        // These hold what was read.
        keyring_core::Error::BadEncoding(_) | keyring_core::Error::BadDataFormat(..) => {
            unreachable(&"it holds no text")
        }
        error => unreachable(error),
    }
}

fn unreachable(cause: &dyn fmt::Display) -> Error {
    Error::credentials(format!("the keyring of this system cannot be used: {}", plain_text(&cause.to_string())))
}

#[cfg(target_os = "linux")]
#[expect(clippy::disallowed_methods, reason = "where the D-Bus library looks as well")]
fn open() -> Opened {
    // Without this, the library would start programs to find a session.
    if std::env::var("DBUS_SESSION_BUS_ADDRESS").map_or(true, |address| address.is_empty()) {
        let cause = "this session has no D-Bus (DBUS_SESSION_BUS_ADDRESS is not set)";
        return Err(keyring_core::Error::NoStorageAccess(cause.into()));
    }
    Ok(dbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(target_os = "macos")]
fn open() -> Opened {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(windows)]
fn open() -> Opened {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(any(target_os = "linux", target_os = "macos", windows)))]
fn open() -> Opened {
    Err(keyring_core::Error::NotSupportedByStore("no supported keyring was found".to_owned()))
}

/// Not what is in it.
impl fmt::Debug for Keyring {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str("Keyring")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn entries_are_kept_and_removed() {
        let store = keyring_core::mock::Store::new().unwrap();
        let keyring = Keyring::new(move || Ok(store.clone()));
        assert!(keyring.get("a").await.unwrap().is_none());
        assert!(keyring.set("a", "one".into()).await.unwrap() && keyring.set("a", "two".into()).await.unwrap());
        assert_eq!(keyring.get("a").await.unwrap().unwrap().expose(), "two");
        assert!(keyring.get("b").await.unwrap().is_none());
        assert!(keyring.remove("a").await.unwrap() && !keyring.remove("a").await.unwrap());
    }

    #[tokio::test]
    async fn a_keyring_that_cannot_be_used_says_why_and_never_what_it_holds() {
        let failures: [fn() -> keyring_core::Error; 3] = [
            || keyring_core::Error::NoStorageAccess("the collection is locked".into()),
            || keyring_core::Error::BadEncoding(b"hunter2".to_vec()),
            || keyring_core::Error::NotSupportedByStore("none".to_owned()),
        ];
        for (failure, expected) in failures.into_iter().zip(["the collection is locked", "it holds no text", "none"]) {
            let error = Keyring::new(move || Err(failure())).get("a").await.unwrap_err();
            assert!(error.to_string().contains(expected), "{error}");
            assert!(!format!("{error:?}").contains("hunter2"));
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_question_that_nobody_answers_is_given_up() {
        let (_silent, question) = std::sync::mpsc::channel::<()>();
        let question = std::sync::Mutex::new(question);
        let keyring = Keyring::new(move || {
            let _ = question.lock().unwrap().recv();
            Err(keyring_core::Error::NoEntry)
        });
        let error = keyring.get("a").await.unwrap_err();
        assert!(error.to_string().contains("no answer within 60 s"), "{error}");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn without_a_session_there_is_no_keyring() {
        if std::env::var_os("DBUS_SESSION_BUS_ADDRESS").is_none() {
            assert!(open().err().unwrap().to_string().contains("DBUS_SESSION_BUS_ADDRESS"));
        }
    }
}
