//! `app`: the server runs in a Databricks App, whose proxy has logged the user in and says who it is.
//!
//! The headers are believed only where nothing but the proxy reaches the server. That is so in a Databricks App, which sets
//! `DATABRICKS_APP_NAME`; elsewhere this mode is refused. It does not protect from other programs inside the app.

use databricks::Secret;
use http::request::Parts;

use crate::error::Error;
use crate::transport::http::grants::{Grants, Limits, Subject};
use crate::transport::http::options::HttpOptions;
use crate::transport::http::principal::{Denied, Grant, Principal};

/// Set by Databricks in every app.
const APP_NAME: &str = "DATABRICKS_APP_NAME";
const TOKEN: &str = "x-forwarded-access-token";
const USER: &str = "x-forwarded-user";
const EMAIL: &str = "x-forwarded-email";

/// The rules for users. The mode is refused outside of a Databricks App.
pub(super) fn open(options: &HttpOptions) -> Result<Grants, Error> {
    match std::env::var_os(APP_NAME) {
        Some(name) if !name.is_empty() => Grants::open(options.grants.as_deref()),
        Some(_) | None => Err(Error::failed(format!(
            "`--auth app` believes headers that only the proxy of a Databricks App can be trusted with, and {APP_NAME} is \
             not set"
        ))
        .with_hint("outside of Databricks Apps, use `--auth oauth` or `--auth bearer`")),
    }
}

/// The user that the proxy names.
pub(super) fn principal(grants: &Grants, request: &Parts) -> Result<Principal, Denied> {
    let header = |name: &str| {
        let mut values = request.headers.get_all(name).iter();
        let value = values.next().and_then(|value| value.to_str().ok()).filter(|value| !value.trim().is_empty());
        // A second one was not written by the proxy.
        value.filter(|_| values.next().is_none())
    };
    let (Some(user), token) = (header(USER), header(TOKEN)) else {
        let reason = format!("the request has no `{USER}` header, or more than one; it did not come through the proxy");
        return Err(Denied::Unauthorized { reason, challenge: "Bearer".to_owned() });
    };
    let email = header(EMAIL);
    let names = [Some(user), email].into_iter().flatten().collect();
    let Limits { narrowing, ceiling } = grants.rules().limits(&Subject { names, ..Subject::default() })?;
    Ok(Principal {
        id: format!("app:{user}").into(),
        name: Some(email.unwrap_or(user).into()),
        grant: Grant::default().within(narrowing, ceiling),
        token: token.map(Secret::from),
    })
}
