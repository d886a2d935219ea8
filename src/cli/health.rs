//! `health`: asks a running server whether it is alive or ready, for probes in images without a shell.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use clap::Args;
use clap::builder::TypedValueParser as _;
use http::Uri;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{CertificateError, ClientConfig, DigitallySignedStruct, SignatureScheme};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::cli::terminal::{note, print};
use crate::error::Error;
use crate::transport::http::{Address, HttpOptions};

/// The answer is a line.
const MOST_BYTES: u64 = 16 << 10;
/// A name that the server always has for whoever is on its machine.
const HERE: &str = "localhost";

/// What `health` takes. The options of `http` are among them, so that the variables that start a server also find it.
#[derive(Debug, Args)]
pub struct HealthOptions {
    /// Where the server is, e.g. `https://mcp.acme.test`. Without it, where `http` with the same variables and flags listens
    #[arg(value_name = "URL", conflicts_with = "unix")]
    pub url: Option<String>,
    /// The socket file of the server
    #[arg(long, value_name = "PATH", value_parser = clap::builder::OsStringValueParser::new().map(PathBuf::from))]
    pub unix: Option<PathBuf>,
    /// Ask whether it takes calls and its workspaces answer (`/readyz`), not only whether it runs (`/healthz`)
    #[arg(long)]
    pub ready: bool,
    /// How long the answer may take
    #[arg(long, value_name = "SECONDS", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=300))]
    pub timeout: u32,
    /// The options of `http`.
    #[command(flatten)]
    pub http: HttpOptions,
}

/// Where a server is asked.
#[derive(Debug, PartialEq, Eq)]
struct Target {
    place: Place,
    /// The value of `Host`.
    host: String,
    path: String,
    trust: Trust,
}

#[derive(Debug, PartialEq, Eq)]
enum Place {
    /// A host name or an address, and the port.
    Tcp(String, u16),
    Unix(PathBuf),
}

/// How the server proves who it is.
#[derive(Debug, PartialEq, Eq)]
enum Trust {
    NoTls,
    /// By a certificate that this system trusts.
    System,
    /// By the certificate of this file, which is its own.
    File(PathBuf),
}

/// Ends with 0 if the server says yes, with 1 if it says no or nothing.
pub(super) async fn ask(options: &HealthOptions) -> Result<ExitCode, Error> {
    let target = Target::of(options)?;
    let limit = Duration::from_secs(options.timeout.into());
    let asked = tokio::time::timeout(limit, target.ask()).await;
    let (status, said) = asked.map_err(|_| Error::failed(format!("no answer within {} s", limit.as_secs())))??;
    if status == 200 {
        print(&said)?;
        return Ok(ExitCode::SUCCESS);
    }
    note(&format!("status {status}: {said}"));
    Ok(ExitCode::FAILURE)
}

impl Target {
    fn of(options: &HealthOptions) -> Result<Self, Error> {
        let path = if options.ready { "/readyz" } else { "/healthz" };
        let http = &options.http;
        if let Some(url) = &options.url {
            return match url.parse() {
                Ok(Address::Unix(socket)) => Ok(Self::unix(socket, path)),
                Ok(Address::Tcp(_)) | Err(_) => Self::at(url, path),
            };
        }
        if let Some(socket) = &options.unix {
            return Ok(Self::unix(socket.clone(), path));
        }
        let (address, certificate) = match (&http.metrics_listen, &http.listen) {
            // It has no TLS and no limit of connections that callers could use up.
            (Some(address), _) => (*address, None),
            (None, Address::Tcp(address)) => (*address, http.tls_cert.clone()),
            (None, Address::Unix(socket)) => return Ok(Self::unix(socket.clone(), path)),
        };
        if address.port() == 0 {
            return Err(Error::failed("the port is 0, so it is a new one at each start").with_hint("give the URL"));
        }
        let trust = certificate.map_or(Trust::NoTls, Trust::File);
        let place = Place::Tcp(reachable(address).to_string(), address.port());
        Ok(Self { place, host: HERE.to_owned(), path: path.to_owned(), trust })
    }

    fn unix(socket: PathBuf, path: &str) -> Self {
        Self { place: Place::Unix(socket), host: HERE.to_owned(), path: path.to_owned(), trust: Trust::NoTls }
    }

    /// A server by its URL, or by that of `/mcp`, or by the whole one of what is asked.
    fn at(url: &str, path: &str) -> Result<Self, Error> {
        let wrong = || Error::failed(format!("`{url}` is no URL of a server, such as `http://127.0.0.1:8000`"));
        let uri: Uri = url.parse().map_err(|_| wrong())?;
        let authority = uri.authority().filter(|authority| !authority.as_str().contains('@')).ok_or_else(wrong)?;
        let (trust, port) = match uri.scheme_str() {
            Some("http") => (Trust::NoTls, 80),
            Some("https") => (Trust::System, 443),
            _ => return Err(wrong()),
        };
        let path = match uri.path() {
            "" | "/" | "/mcp" | "/mcp/" => path,
            given => given,
        };
        let name = authority.host().trim_start_matches('[').trim_end_matches(']').to_owned();
        let place = Place::Tcp(name, authority.port_u16().unwrap_or(port));
        Ok(Self { place, host: authority.as_str().to_owned(), path: path.to_owned(), trust })
    }

    async fn ask(&self) -> Result<(u16, String), Error> {
        let failed = |error: &dyn std::fmt::Display| Error::failed(format!("the server cannot be asked: {error}"));
        match &self.place {
            Place::Tcp(name, port) => {
                let stream = TcpStream::connect((name.as_str(), *port)).await.map_err(|error| failed(&error))?;
                let Some(config) = self.tls()? else { return self.exchange(stream).await };
                let server = if matches!(self.trust, Trust::File(_)) { HERE } else { name };
                let server = ServerName::try_from(server.to_owned()).map_err(|error| failed(&error))?;
                let stream = TlsConnector::from(Arc::new(config)).connect(server, stream).await;
                self.exchange(stream.map_err(|error| failed(&error))?).await
            }
            #[cfg(unix)]
            Place::Unix(path) => {
                let stream = tokio::net::UnixStream::connect(path).await.map_err(|error| failed(&error))?;
                self.exchange(stream).await
            }
            #[cfg(not(unix))]
            Place::Unix(_) => Err(failed(&"this system has no socket files")),
        }
    }

    fn tls(&self) -> Result<Option<ClientConfig>, Error> {
        let mut config = match &self.trust {
            Trust::NoTls => return Ok(None),
            Trust::System => databricks::tls_client_config()?,
            Trust::File(path) => pinned(path)?,
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Some(config))
    }

    async fn exchange(&self, mut stream: impl AsyncRead + AsyncWrite + Unpin) -> Result<(u16, String), Error> {
        let failed = |error: std::io::Error| Error::failed(format!("the server does not answer: {error}"));
        let Self { path, host, .. } = self;
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.map_err(failed)?;
        stream.flush().await.map_err(failed)?;
        let mut answer = Vec::new();
        stream.take(MOST_BYTES).read_to_end(&mut answer).await.map_err(failed)?;
        let answer = String::from_utf8_lossy(&answer);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
        let status = head.strip_prefix("HTTP/1.").and_then(|rest| rest.split(' ').nth(1)?.get(..3)?.parse().ok());
        let status = status.ok_or_else(|| Error::failed("what answers there is no HTTP server"))?;
        Ok((status, crate::controls::on_one_line(body.trim())))
    }
}

/// An address at which a server on this machine is reached that listens on another.
fn reachable(address: SocketAddr) -> IpAddr {
    match address.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// TLS with a server that has the first certificate of this file, whatever its name and whoever has issued it.
fn pinned(path: &Path) -> Result<ClientConfig, Error> {
    let failed = |error: &dyn std::fmt::Display| Error::failed(format!("`{}`: {error}", path.display()));
    let certificate = CertificateDer::from_pem_file(path).map_err(|error| failed(&error))?;
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let config = ClientConfig::builder_with_provider(Arc::clone(&provider)).with_safe_default_protocol_versions();
    let config = config.map_err(|error| failed(&error))?;
    let verifier = Arc::new(Pinned { certificate, provider });
    Ok(config.dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth())
}

#[derive(Debug)]
struct Pinned {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for Pinned {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _intermediates: &[CertificateDer<'_>],
        _name: &ServerName<'_>,
        _ocsp: &[u8],
        _now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        match *shown == self.certificate {
            true => Ok(ServerCertVerified::assertion()),
            false => Err(CertificateError::ApplicationVerificationFailure.into()),
        }
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.provider.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

#[cfg(test)]
mod tests {
    use clap::Parser as _;

    use super::{HealthOptions, Place, Target, Trust};

    #[derive(Debug, clap::Parser)]
    struct Cli {
        #[command(flatten)]
        options: HealthOptions,
    }

    fn target(arguments: &str) -> Result<(String, String, bool), String> {
        let arguments = ["health"].into_iter().chain(arguments.split_whitespace());
        let options = Cli::try_parse_from(arguments).map_err(|error| error.to_string())?.options;
        let target = Target::of(&options).map_err(|error| error.to_string())?;
        let place = match target.place {
            Place::Tcp(name, port) => format!("{name} {port}"),
            Place::Unix(path) => path.display().to_string(),
        };
        Ok((place, format!("{}{}", target.host, target.path), target.trust != Trust::NoTls))
    }

    #[test]
    fn the_options_that_start_a_server_find_it() {
        for (arguments, place, asked, is_tls) in [
            ("", "127.0.0.1 8000", "localhost/healthz", false),
            ("--ready --listen 0.0.0.0:81", "127.0.0.1 81", "localhost/readyz", false),
            ("--listen [::]:81", "::1 81", "localhost/healthz", false),
            ("--listen 192.0.2.1:81 --tls-cert c --tls-key k", "192.0.2.1 81", "localhost/healthz", true),
            ("--listen 0.0.0.0:81 --metrics-listen 0.0.0.0:82", "127.0.0.1 82", "localhost/healthz", false),
            ("http://127.0.0.1:81/mcp --ready", "127.0.0.1 81", "127.0.0.1:81/readyz", false),
            ("https://mcp.acme.test", "mcp.acme.test 443", "mcp.acme.test/healthz", true),
            ("http://[::1]:81/readyz", "::1 81", "[::1]:81/readyz", false),
        ] {
            let expected = (place.to_owned(), asked.to_owned(), is_tls);
            assert_eq!(target(arguments), Ok(expected), "{arguments}");
        }
        for wrong in
            ["--listen 127.0.0.1:0", "ftp://acme.test", "acme.test", "http://user@acme.test", "http://x --unix y"]
        {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    #[cfg(unix)]
    fn a_socket_file_is_found_by_all_its_names() {
        for arguments in ["--unix /run/x", "unix:/run/x", "--listen unix:/run/x"] {
            let found = target(arguments).map(|(place, asked, _)| (place, asked));
            assert_eq!(found, Ok(("/run/x".to_owned(), "localhost/healthz".to_owned())), "{arguments}");
        }
    }
}
