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
use std::sync::Arc;

use rustls::ClientConfig;
use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
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
    let mut config = match Verifier::new(Arc::clone(&provider)) {
        Ok(verifier) => versions(&provider)?
            .dangerous() // rustls' name for a verifier of one's own; this one is the system's
            .with_custom_certificate_verifier(Arc::new(verifier))
            .with_no_client_auth(),
        Err(error) => {
            tracing::warn!(%error, "no certificate store on this system; trusting the built-in list");
            versions(&provider)?.with_root_certificates(built_in_roots()).with_no_client_auth()
        }
    };
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

fn versions(
    provider: &Arc<CryptoProvider>,
) -> Result<rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier>, Error> {
    ClientConfig::builder_with_provider(Arc::clone(provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| Error::configuration(format!("cannot set up TLS: {error}")))
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
