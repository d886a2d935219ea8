//! Which host names a request may be addressed to, and which web pages may send one.
//!
//! A page in a browser can reach a server on loopback: under a name of its own that it lets point there (DNS rebinding), which
//! `Host` shows, or straight away, which `Origin` shows.

use std::time::Duration;

use http::header::{HOST, ORIGIN, RETRY_AFTER, WWW_AUTHENTICATE};
use http::uri::{Authority, Uri};
use http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode};
use tower_http::cors::{AllowHeaders, AllowOrigin, CorsLayer};

use crate::error::Error;
use crate::server::SESSION;
use crate::transport::http::options::{Address, HttpOptions};
use crate::transport::http::problem::Problem;

/// How long browsers need not ask again.
const PREFLIGHT: Duration = Duration::from_secs(3_600);
/// Names of this machine.
const LOOPBACK: [&str; 3] = ["localhost", "127.0.0.1", "[::1]"];

/// What is allowed.
#[derive(Debug)]
pub(crate) struct Allowed {
    /// Lower-case host names, with a port or without, which then is any.
    hosts: Vec<String>,
    /// Origins in lower case, with a port unless it is the default of the scheme.
    origins: Vec<String>,
    /// The scheme by which clients reach the server.
    scheme: String,
    /// Whether requests come by a socket file, where no name leads anywhere.
    is_socket: bool,
}

impl Allowed {
    /// What the options allow.
    ///
    /// # Errors
    /// For what is no host or origin.
    pub(crate) fn new(options: &HttpOptions) -> Result<Self, Error> {
        // No page has these in its name, and whoever is on this machine may use them.
        let mut hosts: Vec<String> = LOOPBACK.map(str::to_owned).into();
        if let Some(url) = &options.public_url {
            let uri = url.parse::<Uri>().ok();
            let is_web = uri.as_ref().is_some_and(|uri| matches!(uri.scheme_str(), Some("http" | "https")));
            let authority = uri.as_ref().and_then(Uri::authority).filter(|_| is_web);
            let host = authority.ok_or_else(|| {
                Error::failed(format!("`--public-url {url}` is no URL of a web server"))
                    .with_hint("give it as clients do: `https://mcp.acme.test/mcp`")
            })?;
            hosts.push(host.as_str().to_ascii_lowercase());
        }
        for host in options.allowed_hosts.iter().map(|host| host.trim()).filter(|host| !host.is_empty()) {
            let authority = host.parse::<Authority>().ok().filter(|authority| !authority.as_str().contains('@'));
            let host = authority.ok_or_else(|| {
                Error::failed(format!("`--allowed-host {host}` is no host name"))
                    .with_hint("give it as `mcp.acme.test`")
            })?;
            hosts.push(host.as_str().to_ascii_lowercase());
        }
        if hosts.len() == LOOPBACK.len() && !options.listen.is_local() {
            return Err(Error::failed("no host name is known under which clients address the server")
                .with_hint("give the URL by `--public-url https://mcp.acme.test/mcp`, or names by `--allowed-host`"));
        }
        let mut origins = Vec::new();
        for origin in options.allowed_origins.iter().map(|origin| origin.trim()).filter(|origin| !origin.is_empty()) {
            origins.push(normal(origin).ok_or_else(|| {
                Error::failed(format!("`--allowed-origin {origin}` is no origin"))
                    .with_hint("give scheme and host, and the port where it has one: `https://app.acme.test`")
            })?);
        }
        let public =
            options.public_url.as_ref().and_then(|url| url.parse::<Uri>().ok()?.scheme_str().map(str::to_owned));
        let scheme = public.unwrap_or_else(|| if options.tls_cert.is_some() { "https" } else { "http" }.to_owned());
        Ok(Self { hosts, origins, scheme, is_socket: matches!(options.listen, Address::Unix(_)) })
    }

    /// What tells browsers that the pages of the allowed origins may read answers; `None` where there are none.
    pub(crate) fn cors(&self) -> Option<CorsLayer> {
        let origins: Vec<_> = self.origins.iter().filter_map(|origin| HeaderValue::try_from(origin).ok()).collect();
        let shown = [HeaderName::from_static(SESSION), WWW_AUTHENTICATE, RETRY_AFTER];
        (!origins.is_empty()).then(|| {
            CorsLayer::new()
                .allow_origin(AllowOrigin::list(origins))
                .allow_methods([Method::GET, Method::POST, Method::DELETE])
                .allow_headers(AllowHeaders::mirror_request())
                .expose_headers(shown)
                .max_age(PREFLIGHT)
        })
    }

    /// Whether there are any.
    pub(crate) fn has_origins(&self) -> bool {
        !self.origins.is_empty()
    }

    /// Refuses a request that a page of a foreign site may have sent.
    pub(crate) fn check(&self, uri: &Uri, headers: &HeaderMap) -> Result<(), Problem> {
        let forbidden = |message: String| Err(Problem::new(StatusCode::FORBIDDEN, message));
        let mut values = headers.get_all(HOST).iter();
        let host = match (values.next(), values.next()) {
            (Some(host), None) => host.to_str().ok().and_then(|host| host.parse::<Authority>().ok()),
            // HTTP/2 has it in the request line.
            (None, None) => uri.authority().cloned(),
            (_, Some(_)) => None,
        };
        match &host {
            Some(host) if self.is_host(host) => {}
            None if self.is_socket => {}
            Some(host) => {
                return forbidden(format!(
                    "`Host: {host}` is none of the names of this server; whoever runs it can allow it by `--allowed-host`"
                ));
            }
            None => {
                return Err(Problem::new(StatusCode::BAD_REQUEST, "the request has no `Host` header that can be read"));
            }
        }
        let mut values = headers.get_all(ORIGIN).iter();
        let Some(origin) = values.next() else { return Ok(()) };
        let origin = origin.to_str().unwrap_or_default();
        // What comes from the server's own address is no foreign page. By a socket file, any name is taken, and none is its own.
        let own = host.filter(|host| self.is_known(host)).and_then(|host| normal(&format!("{}://{host}", self.scheme)));
        let known = normal(origin).filter(|origin| own.as_ref() == Some(origin) || self.origins.contains(origin));
        if known.is_some() && values.next().is_none() {
            return Ok(());
        }
        forbidden(format!(
            "web pages of `{}` may not call this server; whoever runs it can allow them by `--allowed-origin`",
            crate::nearest::shortened(origin)
        ))
    }

    fn is_host(&self, host: &Authority) -> bool {
        self.is_known(host) || (self.is_socket && !host.as_str().contains('@'))
    }

    fn is_known(&self, host: &Authority) -> bool {
        let (whole, name) = (host.as_str().to_ascii_lowercase(), host.host().to_ascii_lowercase());
        !whole.contains('@') && self.hosts.iter().any(|known| *known == whole || *known == name)
    }
}

/// An origin as it is compared; `None` for what is none.
fn normal(origin: &str) -> Option<String> {
    let uri: Uri = origin.parse().ok()?;
    let (scheme, authority) = (uri.scheme_str()?.to_ascii_lowercase(), uri.authority()?);
    let is_bare = matches!(uri.path(), "" | "/") && uri.query().is_none() && !authority.as_str().contains('@');
    let default = match scheme.as_str() {
        "http" => 80,
        "https" => 443,
        _ => return None,
    };
    let host = authority.host().to_ascii_lowercase();
    let port = authority.port_u16().filter(|port| *port != default).map(|port| format!(":{port}"));
    is_bare.then(|| format!("{scheme}://{host}{}", port.unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;
    use http::header::{HOST, ORIGIN};
    use http::{HeaderMap, HeaderValue, Uri};

    use super::Allowed;
    use crate::transport::http::options::HttpOptions;

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        options: HttpOptions,
    }

    fn allowed(arguments: &str) -> Allowed {
        let cli = Cli::parse_from(["http"].into_iter().chain(arguments.split_whitespace()));
        Allowed::new(&cli.options).expect("hosts and origins")
    }

    fn is_taken(allowed: &Allowed, host: &str, origin: Option<&str>) -> bool {
        let mut headers = HeaderMap::new();
        headers.insert(HOST, HeaderValue::try_from(host).expect("a value"));
        if let Some(origin) = origin {
            headers.insert(ORIGIN, HeaderValue::try_from(origin).expect("a value"));
        }
        allowed.check(&Uri::from_static("/mcp"), &headers).is_ok()
    }

    #[test]
    fn only_known_hosts_are_taken() {
        let local = allowed("");
        for host in ["localhost:8000", "127.0.0.1", "[::1]:8000", "LOCALHOST"] {
            assert!(is_taken(&local, host, None), "{host}");
        }
        for host in ["evil.test", "localhost.evil.test", "127.0.0.1.evil.test:8000", "a@localhost", "", "local host"] {
            assert!(!is_taken(&local, host, None), "{host}");
        }
        let public = allowed("--listen 0.0.0.0:80 --public-url https://MCP.acme.test/mcp --allowed-host b.test:81");
        for (host, expected) in [
            ("mcp.acme.test", true),
            ("mcp.acme.test:443", true),
            ("b.test:81", true),
            ("b.test", false),
            ("localhost", true),
        ] {
            assert_eq!(is_taken(&public, host, None), expected, "{host}");
        }
    }

    #[test]
    fn only_allowed_pages_are_taken() {
        let allowed = allowed("--allowed-origin https://app.acme.test,http://localhost:3000/");
        for (origin, expected) in [
            ("https://app.acme.test", true),
            ("https://APP.acme.test:443", true),
            ("http://localhost:3000", true),
            ("http://app.acme.test", false),
            ("https://app.acme.test:444", false),
            ("https://app.acme.test.evil.test", false),
            ("http://localhost", false),
            ("null", false),
            ("", false),
            ("https://app.acme.test/x", false),
        ] {
            assert_eq!(is_taken(&allowed, "localhost:8000", Some(origin)), expected, "{origin}");
        }
    }

    #[test]
    fn the_servers_own_origin_is_not_foreign() {
        let local = "";
        let tls = "--tls-cert a.pem --tls-key b.pem";
        let public = "--listen 0.0.0.0:80 --public-url https://mcp.acme.test/mcp";
        let socket = "--listen unix:/run/mcp.sock";
        for (options, host, origin, expected) in [
            (local, "127.0.0.1:8000", "http://127.0.0.1:8000", true),
            (local, "LOCALHOST:8000", "http://localhost:8000", true),
            (local, "[::1]:8000", "http://[::1]:8000", true),
            (local, "127.0.0.1:8000", "http://127.0.0.1:8001", false),
            (local, "127.0.0.1:8000", "http://localhost:8000", false),
            (local, "127.0.0.1:8000", "https://127.0.0.1:8000", false),
            (local, "evil.test:8000", "http://evil.test:8000", false),
            (tls, "localhost:8000", "https://localhost:8000", true),
            (tls, "localhost:8000", "http://localhost:8000", false),
            (public, "mcp.acme.test", "https://mcp.acme.test", true),
            (public, "mcp.acme.test:443", "https://mcp.acme.test", true),
            (public, "mcp.acme.test", "http://mcp.acme.test", false),
            (socket, "evil.test", "http://evil.test", false),
        ] {
            assert_eq!(is_taken(&allowed(options), host, Some(origin)), expected, "{options} {host} {origin}");
        }
    }

    #[test]
    fn two_hosts_are_one_too_many() {
        let mut headers = HeaderMap::new();
        headers.append(HOST, HeaderValue::from_static("localhost"));
        headers.append(HOST, HeaderValue::from_static("evil.test"));
        assert!(allowed("").check(&Uri::from_static("/mcp"), &headers).is_err());
        assert!(allowed("").check(&Uri::from_static("/mcp"), &HeaderMap::new()).is_err());
    }
}
