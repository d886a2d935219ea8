//! Certificates for one test, made when it runs: no key lies in the repository, and none outlives its test.

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair,
    KeyUsagePurpose,
};
use rustls::ServerConfig;
use rustls::pki_types::PrivatePkcs8KeyDer;
use tempfile::TempDir;

/// What the host's certificate is for.
const NAMES: [&str; 3] = ["acme.test", "localhost", "127.0.0.1"];

/// An authority that vouches for a host, another that does not, and what the host serves TLS with.
pub(crate) struct Certificates {
    directory: TempDir,
    server: ServerConfig,
}

impl Certificates {
    pub(crate) fn make() -> Result<Certificates, Box<dyn Error>> {
        let directory = tempfile::tempdir()?;
        let (authority, another) = (authority("Test authority")?, authority("Another authority")?);
        std::fs::write(directory.path().join("authority.pem"), authority.pem())?;
        std::fs::write(directory.path().join("another.pem"), another.pem())?;

        let key = KeyPair::generate()?;
        let mut host = CertificateParams::new(NAMES.map(str::to_owned))?;
        host.distinguished_name.push(DnType::CommonName, "Test host");
        host.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let certificate = host.signed_by(&key, &authority)?.der().clone();
        let server = ServerConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()?
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivatePkcs8KeyDer::from(key.serialize_der()).into())?;
        Ok(Certificates { directory, server })
    }

    /// The file of the authority that vouches for the host.
    pub(crate) fn authority(&self) -> PathBuf {
        self.directory.path().join("authority.pem")
    }

    /// The file of an authority that has nothing to do with the host.
    pub(crate) fn another(&self) -> PathBuf {
        self.directory.path().join("another.pem")
    }

    /// How the host serves TLS.
    pub(crate) fn server(&self) -> ServerConfig {
        self.server.clone()
    }
}

fn authority(name: &str) -> Result<CertifiedIssuer<'static, KeyPair>, rcgen::Error> {
    let mut authority = CertificateParams::default();
    // By its name the client finds the authority, so no two may share one.
    authority.distinguished_name.push(DnType::CommonName, name);
    authority.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    CertifiedIssuer::self_signed(authority, KeyPair::generate()?)
}
