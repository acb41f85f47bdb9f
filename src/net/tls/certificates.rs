//! One certificate with its key: read, matched, and asked for its names and dates.
//! Never here: which one a client is shown.

use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use x509_parser::extensions::GeneralName;
use x509_parser::prelude::{FromDer, X509Certificate};

use crate::core::config::ConfigError;
use crate::core::config::tls::CertificateFiles;
use crate::core::time::UnixSeconds;

use super::files::{complaint, items};

/// A chain and its key, ready to be shown.
pub(super) struct Certificate {
    pub key: Arc<CertifiedKey>,
    pub facts: Facts,
}

/// What the certificate says of itself.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Facts {
    /// DNS names in lower case, `*.` in front of a wildcard.
    pub names: Vec<String>,
    pub addresses: Vec<IpAddr>,
    pub not_before: UnixSeconds,
    pub not_after: UnixSeconds,
}

/// Reads the pair number `index` of the configuration.
///
/// # Errors
/// A file that is not what it should be, or a key of another certificate.
pub(super) fn load(
    index: usize,
    files: &CertificateFiles,
    provider: &CryptoProvider,
) -> Result<Certificate, ConfigError> {
    let keys = [format!("tls.certificate[{index}].chain"), format!("tls.certificate[{index}].key")];
    let chain: Vec<CertificateDer<'static>> = items(&keys[0], &files.chain, "CERTIFICATE")?;
    let key = items::<PrivateKeyDer<'static>>(&keys[1], &files.key, "PRIVATE KEY")?.swap_remove(0);
    let facts = chain.first().and_then(|first| read_facts(first)).ok_or_else(|| {
        complaint(&keys[0], &files.chain, "must begin with an X.509 certificate", "its own first, then those above it")
    })?;
    let key = CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => {
            let need = format!("must be the key of the first certificate in \"{}\"", files.chain.display());
            complaint(&keys[1], &files.key, need, "put both files in place before the server looks at them")
        }
        other => {
            let cure = "it must be RSA of 2048 bits and more, ECDSA P-256 or P-384, or Ed25519";
            complaint(&keys[1], &files.key, format!("must be a private key that can sign: {other}"), cure)
        }
    })?;
    Ok(Certificate { key: Arc::new(key), facts })
}

fn read_facts(der: &[u8]) -> Option<Facts> {
    let (_, certificate) = X509Certificate::from_der(der).ok()?;
    let seconds = |at: i64| UnixSeconds(u64::try_from(at).unwrap_or_default());
    let validity = certificate.validity();
    let (mut names, mut addresses) = (Vec::new(), Vec::new());
    if let Ok(Some(alternatives)) = certificate.subject_alternative_name() {
        for name in &alternatives.value.general_names {
            match name {
                GeneralName::DNSName(name) => names.push(name.to_ascii_lowercase()),
                GeneralName::IPAddress(bytes) => addresses.extend(address(bytes)),
                _ => {}
            }
        }
    }
    let (not_before, not_after) = (seconds(validity.not_before.timestamp()), seconds(validity.not_after.timestamp()));
    Some(Facts { names, addresses, not_before, not_after })
}

fn address(bytes: &[u8]) -> Option<IpAddr> {
    let v4 = || <[u8; 4]>::try_from(bytes).map(IpAddr::from);
    v4().or_else(|_| <[u8; 16]>::try_from(bytes).map(IpAddr::from)).ok()
}
