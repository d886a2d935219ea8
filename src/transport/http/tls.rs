//! TLS by a certificate from files, which are read again when they change.

use std::path::PathBuf;
use std::sync::Arc;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::error::Error;
use crate::reload::Reloading;
use crate::text_file;
use crate::transport::http::listen::AnyStream;
use crate::transport::http::options::HttpOptions;

const HTTP_2: &[u8] = b"h2";
const HTTP_1: &[u8] = b"http/1.1";

/// The server's side of TLS.
pub(crate) struct Tls(TlsAcceptor);

impl Tls {
    /// TLS as the options ask for it, if they do.
    ///
    /// # Errors
    /// Where certificate and key cannot be read, or do not belong together.
    pub(crate) fn open(options: &HttpOptions) -> Result<Option<Self>, Error> {
        let (Some(certificate), Some(key)) = (&options.tls_cert, &options.tls_key) else { return Ok(None) };
        let certificates = Certificates(Reloading::open(&[certificate, key], read)?);
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
        let config = config.map_err(|error| Error::failed(format!("TLS cannot be used: {error}")))?;
        let mut config = config.with_no_client_auth().with_cert_resolver(Arc::new(certificates));
        config.alpn_protocols = vec![HTTP_2.to_vec(), HTTP_1.to_vec()];
        Ok(Some(Self(TlsAcceptor::from(Arc::new(config)))))
    }

    /// Agrees on TLS with a client, and whether it speaks HTTP/2.
    pub(crate) async fn accept(&self, stream: AnyStream) -> std::io::Result<(AnyStream, bool)> {
        let stream: TlsStream<AnyStream> = self.0.accept(stream).await?;
        let is_http_2 = stream.get_ref().1.alpn_protocol() == Some(HTTP_2);
        Ok((Box::new(stream), is_http_2))
    }
}

/// The certificate as the files have it now.
#[derive(Debug)]
struct Certificates(Reloading<Arc<CertifiedKey>>);

impl ResolvesServerCert for Certificates {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.current()))
    }
}

fn read(paths: &[PathBuf]) -> Result<Arc<CertifiedKey>, Error> {
    let [certificate, key] = paths else { return Err(Error::failed("TLS needs a certificate and a key")) };
    let failed = |path: &PathBuf, error: &dyn std::fmt::Display| {
        Error::failed(format!("`{}` cannot be used for TLS: {error}", path.display()))
    };
    // A pipe or a device, which a handshake would wait for, is no such file.
    let text = |path: &PathBuf| text_file::read(path).map_err(|error| failed(path, &error));
    let chain = text(certificate)?;
    let chain = CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<Vec<_>, _>>();
    let chain = chain.map_err(|error| failed(certificate, &error))?;
    if chain.is_empty() {
        return Err(failed(certificate, &"it has no certificate in PEM"));
    }
    let private = PrivateKeyDer::from_pem_slice(text(key)?.as_bytes()).map_err(|error| failed(key, &error))?;
    let provider = rustls::crypto::ring::default_provider();
    let certified = CertifiedKey::from_der(chain, private, &provider);
    certified.map(Arc::new).map_err(|error| failed(key, &error))
}
