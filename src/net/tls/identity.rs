//! What the node shows to clients and asks of them, made from files: one `rustls` configuration for all shards.
//! Never here: a change; when files change there is a new identity, and connections keep theirs.

use std::sync::Arc;

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::core::config::ConfigError;
use crate::core::config::tls::{ClientCertificates, Profile, Protocol, Tls};
use crate::core::time::UnixSeconds;
use crate::net::clock::unix_now;

use super::certificates::{self, Certificate};
use super::clients;
use super::names::Names;
use super::tickets::Tickets;

/// A phone comes back with one connection at a time, and each resumed connection brings the next ticket.
const TICKETS: usize = 1;
/// For clients that say how many they want (RFC 9149): as many as browsers open connections for.
const TICKETS_MAX: usize = 4;

pub struct Identity {
    pub config: Arc<ServerConfig>,
    names: Arc<Names>,
    /// When the first of the certificates ends.
    pub expires: UnixSeconds,
}

impl Identity {
    /// Reads the files. `offered`: the protocols to negotiate, the preferred one first.
    ///
    /// # Errors
    /// Every file that is not what it should be.
    pub(super) fn load(tls: &Tls, offered: &[Protocol], tickets: &Arc<Tickets>) -> Result<Self, Vec<ConfigError>> {
        let provider = Arc::new(provider());
        let certificates = load_all(tls, &provider)?;
        let verifier = clients::verifier(tls, &provider)?;
        let names = Arc::new(Names::new(&certificates));
        let mut config = ServerConfig::builder_with_provider(provider)
            .with_protocol_versions(versions(tls.profile))
            .expect("the provider has suites for both versions")
            .with_client_cert_verifier(verifier)
            .with_cert_resolver(names.clone());
        config.alpn_protocols = offered.iter().map(|protocol| protocol.name().as_bytes().to_vec()).collect();
        // Ours is the order, so that an old list in a client is no reason for less. Phones have AES in hardware since ARMv8.
        config.ignore_client_order = true;
        // Tickets are kept by clients; a table here would be one shard's, or a lock.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        if tls.clients == ClientCertificates::Off {
            config.ticketer = tickets.clone();
            config.send_tls13_tickets = TICKETS;
            config.max_tls13_tickets = TICKETS_MAX;
        } else {
            // A resumed session brings its certificate along, and nobody would look whether it is revoked by now.
            config.send_tls13_tickets = 0;
        }
        let expires = certificates.iter().map(|one| one.facts.not_after).min().unwrap_or_default();
        warn_of_dates(&certificates);
        Ok(Self { config: Arc::new(config), names, expires })
    }

    /// Whether a certificate covers this host.
    #[must_use]
    pub fn covers(&self, host: &str) -> bool {
        self.names.cover(host)
    }
}

/// Suites and groups of Mozilla's profiles in their order, with X25519MLKEM768 in front: it protects what is recorded today.
fn provider() -> CryptoProvider {
    use aws_lc_rs::{cipher_suite as suite, kx_group as group};
    CryptoProvider {
        cipher_suites: vec![
            suite::TLS13_AES_128_GCM_SHA256,
            suite::TLS13_AES_256_GCM_SHA384,
            suite::TLS13_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256,
            suite::TLS_ECDHE_ECDSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384,
            suite::TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305_SHA256,
            suite::TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256,
        ],
        kx_groups: vec![group::X25519MLKEM768, group::X25519, group::SECP256R1, group::SECP384R1],
        ..aws_lc_rs::default_provider()
    }
}

fn versions(profile: Profile) -> &'static [&'static SupportedProtocolVersion] {
    static INTERMEDIATE: [&SupportedProtocolVersion; 2] = [&TLS13, &TLS12];
    static MODERN: [&SupportedProtocolVersion; 1] = [&TLS13];
    match profile {
        Profile::Intermediate => &INTERMEDIATE,
        Profile::Modern => &MODERN,
    }
}

fn load_all(tls: &Tls, provider: &CryptoProvider) -> Result<Vec<Certificate>, Vec<ConfigError>> {
    let (mut loaded, mut errors) = (Vec::new(), Vec::new());
    for (index, files) in tls.certificates.iter().enumerate() {
        match certificates::load(index, files, provider) {
            Ok(certificate) => loaded.push(certificate),
            Err(error) => errors.push(error),
        }
    }
    if errors.is_empty() { Ok(loaded) } else { Err(errors) }
}

fn warn_of_dates(certificates: &[Certificate]) {
    let now = unix_now();
    for Certificate { facts, .. } in certificates {
        let name = facts.names.first().map_or("", String::as_str);
        if facts.not_after < now {
            tracing::warn!(name, "a certificate has expired, clients will refuse it");
        } else if facts.not_before > now {
            tracing::warn!(name, "a certificate is not valid yet, clients will refuse it");
        }
    }
}
