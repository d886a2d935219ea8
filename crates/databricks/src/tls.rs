//! TLS: rustls with *ring*, and whom to trust.
//!
//! The operating system's verifier decides: it knows the certificate authorities of a company's network, and on Linux
//! it honours `SSL_CERT_FILE` and `SSL_CERT_DIR`. A bare container has no certificate store, and the verifier refuses
//! to start there; then, and only then, Mozilla's compiled-in list takes its place, so that the binary works in an
//! image without certificates. Always adding that list would overrule an administrator who removed an authority.
//!
//! The configuration is built here and handed to reqwest ready-made: installing a process-wide provider would be a
//! side effect on whoever embeds this crate.

use std::path::Path;
use std::sync::{Arc, OnceLock};

use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_platform_verifier::Verifier;

use crate::error::Error;

/// How a client of this process speaks TLS, and whom it trusts.
///
/// # Errors
/// When what the environment names cannot be used.
pub fn client_config() -> Result<ClientConfig, Error> {
    if let Some(path) = std::env::var_os("SSL_CERT_FILE") {
        check_file(Path::new(&path))?;
    }
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut config = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::configuration(format!("cannot set up TLS: {error}")))?
        .dangerous() // rustls' name for a verifier of one's own; this one is the system's
        .with_custom_certificate_verifier(Arc::new(OnFirstUse { provider, verifier: OnceLock::new() }))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Refuses what is there and no regular file: the verifier would wait for ever for what a named pipe gives. What is
/// missing is the verifier's to judge.
fn check_file(path: &Path) -> Result<(), Error> {
    match std::fs::metadata(path) {
        Ok(found) if !found.is_file() => {
            let message = format!("SSL_CERT_FILE is `{}`, which is not a regular file", path.display());
            Err(Error::configuration(message).with_hint("set it to a file of certificates in PEM form, or remove it"))
        }
        Ok(_) | Err(_) => Ok(()),
    }
}

/// Whose certificates are trusted.
pub(crate) fn store() -> &'static str {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    if Verifier::new(provider).is_ok() { "the system's certificate store" } else { "the built-in list of authorities" }
}

/// The system's verifier, made for the first connection that needs it: to read all certificates of a system takes longer
/// than everything else at the start of a program.
#[derive(Debug)]
struct OnFirstUse {
    provider: Arc<CryptoProvider>,
    verifier: OnceLock<Result<Arc<dyn ServerCertVerifier>, rustls::Error>>,
}

impl OnFirstUse {
    fn verifier(&self) -> Result<&dyn ServerCertVerifier, rustls::Error> {
        let made = self.verifier.get_or_init(|| match Verifier::new(Arc::clone(&self.provider)) {
            Ok(verifier) => Ok(Arc::new(verifier)),
            Err(error) => {
                tracing::warn!(%error, "no certificate store on this system; trusting the built-in list");
                let (roots, provider) = (Arc::new(built_in_roots()), Arc::clone(&self.provider));
                let verifier = WebPkiServerVerifier::builder_with_provider(roots, provider).build();
                verifier.map(|verifier| verifier as Arc<_>).map_err(|error| rustls::Error::General(error.to_string()))
            }
        });
        made.as_deref().map_err(Clone::clone)
    }
}

impl ServerCertVerifier for OnFirstUse {
    fn verify_server_cert(
        &self,
        end_entity: &CertificateDer<'_>,
        intermediates: &[CertificateDer<'_>],
        server_name: &ServerName<'_>,
        ocsp_response: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        self.verifier()?.verify_server_cert(end_entity, intermediates, server_name, ocsp_response, now)
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls12_signature(message, cert, dss)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        cert: &CertificateDer<'_>,
        dss: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        self.verifier()?.verify_tls13_signature(message, cert, dss)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

fn built_in_roots() -> RootCertStore {
    RootCertStore { roots: webpki_roots::TLS_SERVER_ROOTS.to_vec() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn offers_http2_and_works_without_a_system_store() {
        assert_eq!(client_config().unwrap().alpn_protocols.first().unwrap(), b"h2");
        assert!(!built_in_roots().is_empty());
    }

    #[test]
    fn what_is_no_regular_file_is_not_waited_for() {
        let folder = std::env::temp_dir();
        assert!(check_file(&folder).unwrap_err().to_string().contains("not a regular file"));
        assert!(check_file(&folder.join("databricks-mcp-server-has-no-such-file")).is_ok());
    }
}
