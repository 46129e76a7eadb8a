//! Whom we believe to be our Valkey over TLS, when that is not for the system to say.

use std::path::Path;
use std::sync::Arc;

use fred::types::config::TlsConnector;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::{ClientConfig, RootCertStore};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject;

use super::InvalidSettings;

/// TLS that trusts the authorities in a PEM file and no others.
pub(super) fn only(ca_file: &Path) -> Result<TlsConnector, InvalidSettings> {
    let unusable = |_| InvalidSettings::CaFile;
    let mut roots = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(ca_file).map_err(unusable)? {
        let certificate = certificate.map_err(unusable)?;
        roots.add(certificate).map_err(|_| InvalidSettings::CaFile)?;
    }
    if roots.is_empty() {
        return Err(InvalidSettings::CaFile);
    }
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()));
    let builder = builder.with_safe_default_protocol_versions().map_err(|_| InvalidSettings::Refused)?;
    Ok(builder.with_root_certificates(roots).with_no_client_auth().into())
}
