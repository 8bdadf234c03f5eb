//! TLS configuration: rustls with ring, and the root certificates to trust.
//!
//! The configuration is complete before reqwest gets it, so that it does not depend on a process-wide
//! crypto provider.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};

use crate::wechat::BuildError;

/// The TLS configuration of the client. `extra_root` is PEM with one or more certificates.
///
/// Trusts the system roots, including `SSL_CERT_FILE`, so that a company's gateway works wherever its CA is
/// installed. If the system has no roots, as in a minimal container, trusts Mozilla's roots instead.
pub(in crate::wechat) fn config(extra_root: Option<&[u8]>) -> Result<ClientConfig, BuildError> {
    let mut roots = RootCertStore::empty();
    let system = rustls_native_certs::load_native_certs();
    roots.add_parsable_certificates(system.certs);
    if roots.is_empty() {
        roots.extend(webpki_roots::TLS_SERVER_ROOTS.iter().cloned());
    }
    if let Some(pem) = extra_root {
        add(&mut roots, pem)?;
    }
    with_roots(roots)
}

fn add(roots: &mut RootCertStore, pem: &[u8]) -> Result<(), BuildError> {
    let before = roots.len();
    for certificate in CertificateDer::pem_slice_iter(pem) {
        let certificate = certificate.map_err(|_| BuildError::Root)?;
        roots.add(certificate).map_err(|_| BuildError::Root)?;
    }
    if roots.len() > before { Ok(()) } else { Err(BuildError::Root) }
}

/// The configuration for a server without TLS. Loads and trusts no roots.
pub(in crate::wechat) fn none() -> Result<ClientConfig, BuildError> {
    with_roots(RootCertStore::empty())
}

fn with_roots(roots: RootCertStore) -> Result<ClientConfig, BuildError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(BuildError::Tls)?
        .with_root_certificates(roots)
        .with_no_client_auth())
}
