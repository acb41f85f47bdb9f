//! How clients prove who they are: authorities and revocation lists from files.
//! Never here: what a client with a certificate may do.

use std::path::Path;
use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, CertificateRevocationListDer};
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::core::config::ConfigError;
use crate::core::config::tls::{ClientCertificates, Tls};

use super::files::{complaint, items};

const CA: &str = "tls.client_ca";
const CRL: &str = "tls.client_crl";

/// # Errors
/// A file is not what it should be.
pub(super) fn verifier(
    tls: &Tls,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, Vec<ConfigError>> {
    let Some(path) = tls.client_ca.as_deref().filter(|_| tls.clients != ClientCertificates::Off) else {
        return Ok(WebPkiClientVerifier::no_client_auth());
    };
    let roots = Arc::new(roots(path)?);
    let mut verifier = WebPkiClientVerifier::builder_with_provider(roots, provider.clone());
    if let Some(path) = &tls.client_crl {
        let lists: Vec<CertificateRevocationListDer<'static>> = items(CRL, path, "X509 CRL").map_err(|e| vec![e])?;
        // The operator keeps the lists of who issues clients; authorities above them publish theirs elsewhere.
        verifier = verifier.with_crls(lists).only_check_end_entity_revocation();
    }
    if tls.clients == ClientCertificates::Optional {
        verifier = verifier.allow_unauthenticated();
    }
    let refused = |error: &dyn std::fmt::Display| {
        let (key, path) = tls.client_crl.as_deref().map_or((CA, path), |crl| (CRL, crl));
        vec![complaint(key, path, format!("must be what it says: {error}"), "is it the right file?")]
    };
    verifier.build().map_err(|error| refused(&error))
}

fn roots(path: &Path) -> Result<RootCertStore, Vec<ConfigError>> {
    let mut roots = RootCertStore::empty();
    for authority in items::<CertificateDer<'static>>(CA, path, "CERTIFICATE").map_err(|error| vec![error])? {
        roots.add(authority).map_err(|error| {
            vec![complaint(CA, path, format!("must hold authorities: {error}"), "each an X.509 certificate")]
        })?;
    }
    Ok(roots)
}
