//! A client for one place that is no workspace: an identity provider, or a collector of traces.

use std::time::Duration;

use crate::error::Error;
use crate::tls;

const CONNECT_PATIENCE: Duration = Duration::from_secs(5);

/// A client without retries and limits. It follows no redirect: one that leads elsewhere would take credentials along, or let
/// another host say whom to trust. For what runs on this machine it asks no proxy, which could not reach it.
pub(crate) fn client(is_local: bool) -> Result<reqwest::Client, Error> {
    let mut http = reqwest::Client::builder()
        .tls_backend_preconfigured(tls::client_config()?)
        .redirect(reqwest::redirect::Policy::none())
        .connect_timeout(CONNECT_PATIENCE);
    if is_local {
        http = http.no_proxy();
    }
    http.build()
        .map_err(|error| Error::configuration(format!("cannot set up the HTTP client: {}", error.without_url())))
}
