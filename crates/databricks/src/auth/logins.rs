//! The logins that are kept: one file each that says for what, and the tokens, in the keyring or in that file.
//!
//! The file is there in any case, so that logins can be listed without unlocking a keyring. It is its owner's alone.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
use std::path::PathBuf;
use std::time::{Duration, SystemTime};

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};
use tokio::time::{Instant, sleep};

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::environment::Environment;
use crate::auth::external_browser::client_id;
use crate::auth::keyring::Keyring;
use crate::auth::private_file;
use crate::auth::token::{Token, parse_time};
use crate::error::Error;
use crate::host::Host;
use crate::secret::Secret;

/// Where the files are, in the home directory.
const DIRECTORY: &str = ".config/databricks-mcp-server/oauth";
/// Another process refreshes a token within this time, or something is wrong with it.
const LOCK_PATIENCE: Duration = Duration::from_secs(60);
const LOCK_PAUSE: Duration = Duration::from_millis(50);

/// Where the tokens of a login are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Storage {
    /// The keyring of the operating system.
    Keyring,
    /// A file of the home directory that only its owner can read.
    File,
}

/// What a login is for. A login serves whoever wants the same, the profile aside.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Purpose {
    host: String,
    /// Only where the host serves several accounts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    account_id: Option<String>,
    client_id: String,
    scopes: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    group_id: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    profile: Option<String>,
}

/// A login that is kept, without its tokens.
///
/// ```no_run
/// use databricks::{Environment, Login, Storage};
///
/// for login in Login::kept(&Environment::system())? {
///     let place = if login.storage() == Storage::Keyring { "keyring" } else { "file" };
///     println!("{} until {} in a {place}", login.host(), login.expires_at().unwrap_or("ever"));
/// }
/// # Ok::<(), databricks::Error>(())
/// ```
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptLogin {
    #[serde(flatten)]
    purpose: Purpose,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
    renews: bool,
    in_keyring: bool,
}

/// The file of a login.
#[derive(Serialize, Deserialize)]
struct Record {
    #[serde(flatten)]
    login: KeptLogin,
    /// In the keyring otherwise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokens>,
}

#[derive(Serialize, Deserialize)]
struct Tokens {
    /// Some keyrings have no room for it: the next process then refreshes first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    access_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
}

impl Purpose {
    /// What a context would log in for; `None` without a host.
    pub(crate) fn of(context: &Context) -> Option<Purpose> {
        let setting = |attribute| context.settings.get(attribute).map(str::to_owned);
        Some(Purpose {
            host: context.host().map(Host::to_string)?,
            account_id: context.account_id().filter(|_| context.is_named_account_host()).map(str::to_owned),
            client_id: client_id(context).to_owned(),
            scopes: context.settings.scopes(),
            group_id: setting(Attribute::GroupId),
            profile: setting(Attribute::Profile),
        })
    }

    /// The name of the file, and of the entry in the keyring after the host.
    fn name(&self) -> String {
        let key =
            serde_json::json!([self.host, self.account_id, self.client_id, self.scopes, self.group_id, self.profile]);
        let hash = digest(&SHA256, key.to_string().as_bytes());
        hash.as_ref().iter().take(16).map(|byte| format!("{byte:02x}")).collect()
    }

    fn entry(&self) -> String {
        format!("{} {}", self.host, self.name())
    }
}

impl KeptLogin {
    /// The host logged in to.
    pub fn host(&self) -> &str {
        &self.purpose.host
    }

    /// The account, where the host serves several.
    pub fn account_id(&self) -> Option<&str> {
        self.purpose.account_id.as_deref()
    }

    /// The profile that was logged in with.
    pub fn profile(&self) -> Option<&str> {
        self.purpose.profile.as_deref()
    }

    /// What the login allows.
    pub fn scopes(&self) -> &str {
        &self.purpose.scopes
    }

    /// When its token ends; `None` for one that does not.
    pub fn expiry(&self) -> Option<SystemTime> {
        Some(parse_time(self.expiry.as_deref()?).unwrap_or(SystemTime::UNIX_EPOCH))
    }

    /// The same as RFC 3339 has it.
    pub fn expires_at(&self) -> Option<&str> {
        self.expiry.as_deref()
    }

    /// Whether it gets further tokens by itself.
    pub fn renews(&self) -> bool {
        self.renews
    }

    /// Where its tokens are.
    pub fn storage(&self) -> Storage {
        if self.in_keyring { Storage::Keyring } else { Storage::File }
    }
}

/// All logins of a user.
#[derive(Debug, Clone)]
pub(crate) struct Logins {
    directory: PathBuf,
    keyring: Option<Keyring>,
}

impl Logins {
    /// `None` without a home directory.
    pub(crate) fn of(environment: &Environment) -> Option<Logins> {
        Some(Logins { directory: environment.in_home(DIRECTORY)?, keyring: environment.keyring() })
    }

    /// Every login, in order of host and profile. A file that cannot be read is passed over.
    pub(crate) fn all(&self) -> Vec<KeptLogin> {
        let files = fs::read_dir(&self.directory).into_iter().flatten().flatten().map(|entry| entry.path());
        let records = files.filter(|path| path.extension().is_some_and(|extension| extension == "json"));
        let mut logins: Vec<_> = records.filter_map(|path| Some(read(&path).ok()?.login)).collect();
        logins.sort_by(|one, other| {
            let key = |login: &KeptLogin| (login.purpose.host.clone(), login.purpose.profile.clone());
            key(one).cmp(&key(other))
        });
        logins
    }

    /// The login for a purpose: that of the same profile, else one without a profile. Who names no profile gets the
    /// only one there is for the host.
    pub(crate) fn find(&self, purpose: &Purpose) -> Result<Option<KeptLogin>, Error> {
        let with = |profile: &Option<String>| Purpose { profile: profile.clone(), ..purpose.clone() };
        let fitting: Vec<_> =
            self.all().into_iter().filter(|login| login.purpose == with(&login.purpose.profile)).collect();
        let of = |profile: &Option<String>| fitting.iter().find(|login| login.purpose.profile == *profile).cloned();
        if let Some(login) = of(&purpose.profile).or_else(|| of(&None)) {
            return Ok(Some(login));
        }
        match fitting.as_slice() {
            [] => Ok(None),
            _ if purpose.profile.is_some() => Ok(None),
            [login] => Ok(Some(login.clone())),
            several => {
                let names: Vec<_> =
                    several.iter().filter_map(KeptLogin::profile).map(|name| format!("`{name}`")).collect();
                Err(Error::credentials(format!("several logins are stored for this host: {}", names.join(", ")))
                    .with_hint("name one of their profiles with DATABRICKS_CONFIG_PROFILE"))
            }
        }
    }

    /// The tokens of a login.
    pub(crate) async fn tokens(&self, login: &KeptLogin) -> Result<Token, Error> {
        let record = read(&self.path(&login.purpose)).map_err(|error| self.failed("read", login, &error))?;
        let tokens = match record.tokens {
            Some(tokens) => tokens,
            None => {
                let secret = self.need_keyring()?.get(&login.purpose.entry()).await?;
                let secret = secret.ok_or_else(|| Error::credentials("the login is no longer in the keyring"))?;
                serde_json::from_str(secret.expose())
                    .map_err(|_| Error::credentials("the entry in the keyring is not a login"))?
            }
        };
        // A time that cannot be read counts as long past, and so does a token that is not there: it is refreshed.
        let long_past = || SystemTime::UNIX_EPOCH;
        let expiry = tokens.expiry.map(|expiry| parse_time(&expiry).unwrap_or_else(long_past));
        Ok(Token {
            expiry: if tokens.access_token.is_some() { expiry } else { Some(long_past()) },
            access: tokens.access_token.unwrap_or_default().into(),
            refresh: tokens.refresh_token.map(Into::into),
        })
    }

    /// Keeps a login in place of an earlier one for the same. Without a wish, that is in the keyring, and where that
    /// cannot be used, in the file; then the reason is told.
    pub(crate) async fn keep(
        &self,
        purpose: &Purpose,
        token: &Token,
        wish: Option<Storage>,
    ) -> Result<(KeptLogin, Option<Error>), Error> {
        let mut reason = None;
        let mut in_keyring = wish != Some(Storage::File);
        if in_keyring && let Err(error) = self.keep_in_keyring(purpose, token).await {
            if wish.is_some() {
                return Err(error.with_hint("unlock it, or store the login in a file with `--storage file`"));
            }
            in_keyring = false;
            reason = Some(error);
        }
        let expiry = expiry_text(token.expiry);
        let login = KeptLogin { purpose: purpose.clone(), expiry, renews: token.refresh.is_some(), in_keyring };
        let record = Record { tokens: (!in_keyring).then(|| Tokens::of(token)), login };
        let text = serde_json::to_vec(&record).map_err(io::Error::from);
        let directory = private_file::create_directory(&self.directory);
        let written = directory.and(text).and_then(|text| private_file::replace_secret(&self.path(purpose), &text));
        written.map_err(|error| self.failed("write", &record.login, &error))?;
        Ok((record.login, reason))
    }

    /// Keeps further tokens of a login where the others were, or else where they can be kept.
    pub(crate) async fn keep_again(&self, login: &KeptLogin, token: &Token) -> Result<(), Error> {
        let wish = (!login.in_keyring).then_some(Storage::File);
        let (_, reason) = self.keep(&login.purpose, token, wish).await?;
        if let Some(error) = reason {
            tracing::warn!(%error, "the login is now stored in a file");
        }
        Ok(())
    }

    async fn keep_in_keyring(&self, purpose: &Purpose, token: &Token) -> Result<(), Error> {
        let (keyring, entry) = (self.need_keyring()?, purpose.entry());
        let text = |tokens: &Tokens| serde_json::to_string(tokens).map(Secret::from).unwrap_or_else(|_| "".into());
        let tokens = Tokens::of(token);
        if keyring.set(&entry, text(&tokens)).await? {
            return Ok(());
        }
        // Windows takes 2,560 bytes.
        let short = Tokens { access_token: None, ..tokens };
        if token.refresh.is_some() && keyring.set(&entry, text(&short)).await? {
            return Ok(());
        }
        Err(Error::credentials("the tokens do not fit into the keyring of this system"))
    }

    /// Forgets a login; `false` if somebody else did before.
    pub(crate) async fn forget(&self, login: &KeptLogin) -> Result<bool, Error> {
        if login.in_keyring {
            self.need_keyring()?.remove(&login.purpose.entry()).await?;
        }
        // Whoever holds the lock goes on with its file; nothing is lost by removing the name.
        let _ = fs::remove_file(self.path(&login.purpose).with_extension("lock"));
        match fs::remove_file(self.path(&login.purpose)) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.failed("remove", login, &error)),
        }
    }

    /// Waits until no other process refreshes this login; `None` where that cannot be told. The lock is free again when
    /// the file is dropped, or its process ends.
    pub(crate) async fn lock(&self, login: &KeptLogin) -> Option<File> {
        let path = self.path(&login.purpose).with_extension("lock");
        let file = private_file::create(&path, OpenOptions::new().write(true).create(true).truncate(false)).ok()?;
        let start = Instant::now();
        while let Err(error) = file.try_lock() {
            match error {
                TryLockError::WouldBlock if start.elapsed() < LOCK_PATIENCE => sleep(LOCK_PAUSE).await,
                TryLockError::WouldBlock | TryLockError::Error(_) => return None,
            }
        }
        Some(file)
    }

    fn path(&self, purpose: &Purpose) -> PathBuf {
        self.directory.join(format!("{}.json", purpose.name()))
    }

    fn need_keyring(&self) -> Result<&Keyring, Error> {
        self.keyring.as_ref().ok_or_else(|| Error::credentials("there is no keyring here"))
    }

    fn failed(&self, verb: &str, login: &KeptLogin, error: &io::Error) -> Error {
        let path = self.path(&login.purpose);
        Error::credentials(format!("cannot {verb} the stored login `{}`: {error}", path.display()))
    }
}

impl Tokens {
    fn of(token: &Token) -> Tokens {
        Tokens {
            access_token: Some(token.access.expose().to_owned()),
            refresh_token: token.refresh.as_ref().map(|refresh| refresh.expose().to_owned()),
            expiry: expiry_text(token.expiry),
        }
    }
}

fn expiry_text(expiry: Option<SystemTime>) -> Option<String> {
    Some(jiff::Timestamp::try_from(expiry?).ok()?.to_string())
}

fn read(path: &std::path::Path) -> io::Result<Record> {
    // What is wrong with the text is not told: it may hold a token.
    let broken = |_| io::Error::new(io::ErrorKind::InvalidData, "it contains no login");
    serde_json::from_str(&fs::read_to_string(path)?).map_err(broken)
}
