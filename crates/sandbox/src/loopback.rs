//! Who may talk to a sandbox: programs of this machine, and no page of another site that runs in its browser.
//!
//! A page can bind its own name to 127.0.0.1 after it was loaded (DNS rebinding). The browser then takes the sandbox for
//! the page's own server, but it still sends the page's name as `Host` and, where it sends one, as `Origin`.

use std::net::IpAddr;

use axum::http::{HeaderMap, HeaderName, header};

use crate::error::ApiError;

/// Whether the value of a header is allowed.
type Test = fn(&str) -> bool;

/// Refuses a request that was meant for a host, or comes from a page, that is not on loopback.
pub(crate) fn check(headers: &HeaderMap) -> Result<(), ApiError> {
    let tests: [(HeaderName, Test); 2] = [(header::HOST, is_loopback), (header::ORIGIN, is_loopback_origin)];
    for (name, is_allowed) in tests {
        for value in headers.get_all(&name) {
            if !value.to_str().is_ok_and(is_allowed) {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                return Err(ApiError::new(
                    403,
                    "PERMISSION_DENIED",
                    format!("The sandbox answers on loopback only, and not where `{name}` is `{value}`"),
                ));
            }
        }
    }
    Ok(())
}

/// Whether `scheme://host:port` names this machine alone.
fn is_loopback_origin(origin: &str) -> bool {
    origin.split_once("://").is_some_and(|(_, authority)| is_loopback(authority))
}

/// Whether `host:port` names this machine alone.
pub(crate) fn is_loopback(authority: &str) -> bool {
    let host = match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.split(':').next().unwrap_or_default(),
    };
    host.eq_ignore_ascii_case("localhost") || host.parse().is_ok_and(|address: IpAddr| address.is_loopback())
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderValue;

    use super::*;

    #[test]
    fn only_hosts_and_origins_on_loopback_pass() {
        for (name, value, passes) in [
            ("host", "127.0.0.1:8443", true),
            ("host", "localhost", true),
            ("host", "LOCALHOST:1", true),
            ("host", "[::1]:80", true),
            ("host", "evil.test:8443", false),
            ("host", "127.0.0.1.evil.test", false),
            ("host", "localhost.evil.test", false),
            ("host", "10.0.0.1", false),
            ("host", "", false),
            ("origin", "http://127.0.0.1:3000", true),
            ("origin", "http://localhost", true),
            ("origin", "https://evil.test", false),
            ("origin", "null", false),
        ] {
            let headers = HeaderMap::from_iter([(
                HeaderName::from_static(if name == "host" { "host" } else { "origin" }),
                HeaderValue::from_static(value),
            )]);
            assert_eq!(check(&headers).is_ok(), passes, "{name}: {value}");
        }
        assert!(check(&HeaderMap::new()).is_ok());
    }
}
