//! `none`: nobody is asked who calls.
//!
//! It protects from other machines, as the server then listens on loopback or a socket file only, and from web pages, as
//! `Host` and `Origin` are checked in every mode. It does not protect from other programs and users of this machine.

use crate::error::Error;
use crate::transport::http::options::HttpOptions;
use crate::transport::http::principal::{Grant, Principal};

/// Refuses what would open the server to other machines.
pub(super) fn check(options: &HttpOptions) -> Result<(), Error> {
    if options.grants.is_some() {
        return Err(Error::failed("`--grants` is about callers, and nobody is asked who calls")
            .with_hint("choose how callers prove who they are with `--auth`"));
    }
    if options.listen.is_local() {
        return Ok(());
    }
    let message =
        format!("`--listen {}` can be reached from other machines, and nobody is asked who calls", options.listen);
    Err(Error::failed(message).with_hint("choose how callers prove who they are with `--auth`, or listen on loopback"))
}

/// Whoever it is.
pub(super) fn principal() -> Principal {
    Principal { id: "none".into(), name: None, grant: Grant::default(), token: None }
}
