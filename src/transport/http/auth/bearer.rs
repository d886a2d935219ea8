//! `bearer`: each caller has a key, of which the server knows the SHA-256 only.
//!
//! A key is 32 random bytes, so that its hash cannot be guessed and needs no salt. It protects as long as the key is secret
//! on its way (use TLS) and where it is kept; whoever has it is the caller. It says which key calls, not which person.

use std::path::Path;

use http::request::Parts;
use serde::Deserialize;
use subtle::ConstantTimeEq as _;

use crate::digest::Sha256Hex;
use crate::error::Error;
use crate::registry::Narrowing;
use crate::reload::Reloading;
use crate::risk::Risk;
use crate::transport::http::auth::bearer_token;
use crate::transport::http::grants::{Grants, Subject};
use crate::transport::http::options::HttpOptions;
use crate::transport::http::principal::{Denied, Grant, Principal};

/// The keys of a file, which is read again when it changes.
#[derive(Debug)]
pub(crate) struct Keys {
    file: Reloading<Vec<Key>>,
    grants: Grants,
}

/// A file of keys.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    keys: Vec<Key>,
}

/// Who has a key, and what they may do with it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    name: String,
    sha256: String,
    #[serde(default)]
    read_only: bool,
    toolsets: Option<Vec<String>>,
    tools: Option<Vec<String>>,
}

impl Keys {
    pub(super) fn open(options: &HttpOptions) -> Result<Self, Error> {
        let path = options.keys.as_deref().ok_or_else(|| {
            Error::failed("`--auth bearer` needs `--keys FILE`")
                .with_hint("make a key and its entry for the file with `databricks-mcp-server keys new NAME`")
        })?;
        Ok(Self {
            file: Reloading::open(&[path], |paths| paths.first().map_or_else(|| Ok(Vec::new()), |path| read(path)))?,
            grants: Grants::open(options.grants.as_deref())?,
        })
    }

    pub(super) fn principal(&self, request: &Parts) -> Result<Principal, Denied> {
        let unauthorized = |reason: &str| Denied::Unauthorized {
            reason: format!("{reason}; send a key of this server as `Authorization: Bearer KEY`"),
            challenge: "Bearer".to_owned(),
        };
        let presented = hash(bearer_token(request).map_err(unauthorized)?);
        let keys = self.file.current();
        // Every key is compared, so that the time tells nothing of which one is near.
        let mut found = None;
        for key in keys.iter() {
            if bool::from(presented.as_bytes().ct_eq(key.sha256.as_bytes())) {
                found = Some(key);
            }
        }
        let key = found.ok_or_else(|| unauthorized("the key is not one of this server"))?;
        let narrowing =
            Narrowing { toolsets: key.toolsets.clone(), tools: key.tools.clone(), read_only: key.read_only };
        let ceiling = if key.read_only { Risk::Read } else { Risk::Destructive };
        let rules = self.grants.rules();
        let limits = rules.limits(&Subject { names: vec![&key.name], ..Subject::default() })?;
        Ok(Principal {
            id: format!("key:{}", key.name).into(),
            name: Some(key.name.as_str().into()),
            grant: Grant::default().within(narrowing, ceiling).within(limits.narrowing, limits.ceiling),
            token: None,
        })
    }
}

/// The SHA-256 of a key.
pub(crate) fn hash(key: &str) -> String {
    let mut digest = Sha256Hex::default();
    digest.add(key.as_bytes());
    digest.finish()
}

fn read(path: &Path) -> Result<Vec<Key>, Error> {
    let failed = |reason: &str| Error::failed(format!("the keys in `{}`: {reason}", path.display()));
    let text = crate::text_file::read(path).map_err(|error| failed(&error.to_string()))?;
    let File { mut keys } = serde_saphyr::from_str(&text).map_err(|error| failed(&error.to_string()))?;
    if keys.is_empty() {
        return Err(failed("there are none"));
    }
    for index in 0..keys.len() {
        let (before, rest) = keys.split_at_mut(index);
        let Some(key) = rest.first_mut() else { break };
        key.sha256 = key.sha256.trim().to_ascii_lowercase();
        let name = &key.name;
        if name.trim().is_empty() {
            return Err(failed("a key has no name"));
        }
        if key.sha256.len() != 64 || !key.sha256.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return Err(failed(&format!("`sha256` of `{name}` is no SHA-256: it has 64 hexadecimal digits")));
        }
        if before.iter().any(|other| other.name == *name) {
            return Err(failed(&format!("two keys have the name `{name}`")));
        }
        if let Some(other) = before.iter().find(|other| other.sha256 == key.sha256) {
            return Err(failed(&format!("`{}` and `{name}` have the same key", other.name)));
        }
        crate::registry::Registry::new(&Default::default())?
            .narrowed(&Narrowing { toolsets: key.toolsets.clone(), tools: key.tools.clone(), read_only: key.read_only })
            .map_err(|error| failed(&format!("`{name}`: {error}")))?;
    }
    Ok(keys)
}
