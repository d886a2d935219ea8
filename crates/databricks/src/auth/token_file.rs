//! The file that keeps the tokens of a login: readable by its owner alone, and replaced as a whole.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use ring::digest::{SHA256, digest};
use serde::{Deserialize, Serialize};

use crate::auth::attribute::Attribute;
use crate::auth::context::Context;
use crate::auth::external_browser::client_id;
use crate::auth::token::{Token, parse_time};
use crate::error::Error;
use crate::host::Host;

/// Where the files are, in the home directory.
const DIRECTORY: &str = ".config/databricks-mcp-server/oauth";

/// The file of one login.
#[derive(Debug)]
pub(crate) struct TokenFile(PathBuf);

#[derive(Serialize, Deserialize)]
struct Kept {
    access_token: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    refresh_token: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expiry: Option<String>,
}

impl TokenFile {
    /// The file for a host, client, scopes, profile and role; `None` without a home directory.
    pub(crate) fn of(context: &Context) -> Option<TokenFile> {
        let setting = |attribute| context.settings.get(attribute).unwrap_or_default();
        let key = serde_json::json!([
            context.host().map_or("", Host::as_str),
            client_id(context),
            context.settings.scopes(),
            setting(Attribute::Profile),
            setting(Attribute::GroupId),
        ]);
        let hash = digest(&SHA256, key.to_string().as_bytes());
        let name: String = hash.as_ref().iter().map(|byte| format!("{byte:02x}")).collect();
        Some(TokenFile(context.environment.in_home(DIRECTORY)?.join(format!("{name}.json"))))
    }

    pub(crate) fn exists(&self) -> bool {
        self.0.is_file()
    }

    pub(crate) fn load(&self) -> Result<Token, Error> {
        let text = fs::read_to_string(&self.0).map_err(|error| self.error("read", &error))?;
        let kept: Kept = serde_json::from_str(&text)
            .map_err(|_| self.error("read", &io::Error::new(io::ErrorKind::InvalidData, "it holds no token")))?;
        // A time that cannot be read counts as long past: the token is refreshed.
        let expiry = kept.expiry.map(|expiry| parse_time(&expiry).unwrap_or(SystemTime::UNIX_EPOCH));
        Ok(Token { access: kept.access_token.into(), refresh: kept.refresh_token.map(Into::into), expiry })
    }

    pub(crate) fn store(&self, token: &Token) -> Result<(), Error> {
        let expiry = token.expiry.and_then(|expiry| jiff::Timestamp::try_from(expiry).ok());
        let kept = Kept {
            access_token: token.access.expose().to_owned(),
            refresh_token: token.refresh.as_ref().map(|refresh| refresh.expose().to_owned()),
            expiry: expiry.map(|expiry| expiry.to_string()),
        };
        let text = serde_json::to_vec(&kept).map_err(|error| self.error("write", &error.into()))?;
        self.replace(&text).map_err(|error| self.error("write", &error))
    }

    /// Removes the file; `false` if there was none.
    pub(crate) fn remove(&self) -> Result<bool, Error> {
        match fs::remove_file(&self.0) {
            Ok(()) => Ok(true),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
            Err(error) => Err(self.error("remove", &error)),
        }
    }

    fn replace(&self, text: &[u8]) -> io::Result<()> {
        let directory = self.0.parent().unwrap_or(Path::new("."));
        create_private_directory(directory)?;
        let draft = self.0.with_extension(format!("{:x}.new", fastrand::u64(..)));
        let written = create_private(&draft).and_then(|mut file| {
            file.write_all(text)?;
            file.sync_all()
        });
        let replaced = written.and_then(|()| fs::rename(&draft, &self.0));
        if replaced.is_err() {
            // Nothing to be done if this fails as well.
            let _ = fs::remove_file(&draft);
        }
        replaced
    }

    fn error(&self, verb: &str, error: &io::Error) -> Error {
        Error::credentials(format!("cannot {verb} the kept login `{}`: {error}", self.0.display()))
    }
}

fn create_private(path: &Path) -> io::Result<File> {
    let mut options = OpenOptions::new();
    options.write(true).create_new(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options.open(path)
}

fn create_private_directory(path: &Path) -> io::Result<()> {
    let mut builder = fs::DirBuilder::new();
    builder.recursive(true);
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    builder.create(path)
}
