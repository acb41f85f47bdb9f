//! Which certificate a client is shown: by the name that it asks for (RFC 6066 §3) and the signatures that it can verify.
//! Never here: a name that no certificate holds.

use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::{SignatureAlgorithm, SignatureScheme};

use super::certificates::Certificate;

/// All certificates of the node by their names.
#[derive(Debug)]
pub(super) struct Names {
    /// In lower case; `*.shop.example` for a wildcard. Of one name the cheaper signature comes first.
    named: HashMap<String, Vec<Arc<CertifiedKey>>>,
    addresses: HashSet<IpAddr>,
    /// For clients that name nobody, or somebody else: some of them have only an address.
    default: Vec<Arc<CertifiedKey>>,
}

impl Names {
    pub fn new(certificates: &[Certificate]) -> Self {
        let mut named: HashMap<String, Vec<Arc<CertifiedKey>>> = HashMap::new();
        for Certificate { key, facts } in certificates {
            for name in &facts.names {
                let keys = named.entry(name.clone()).or_default();
                keys.push(key.clone());
                // RSA costs the server ten times as much as P-256.
                keys.sort_by_key(|key| key.key.algorithm() == SignatureAlgorithm::RSA);
            }
        }
        let addresses = certificates.iter().flat_map(|one| one.facts.addresses.iter().copied()).collect();
        let first = certificates.first();
        let siblings = first.and_then(|first| named.get(first.facts.names.first()?).cloned());
        let default = siblings.unwrap_or_else(|| first.map(|first| first.key.clone()).into_iter().collect());
        Self { named, addresses, default }
    }

    /// Whether a certificate covers this host: a name, an address, or an IPv6 address in brackets.
    pub fn cover(&self, host: &str) -> bool {
        let bare = host.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')).unwrap_or(host);
        match bare.parse::<IpAddr>() {
            Ok(address) => self.addresses.contains(&address),
            Err(_) => self.of(host).is_some(),
        }
    }

    fn of(&self, name: &str) -> Option<&[Arc<CertifiedKey>]> {
        let name = name.trim_end_matches('.').to_ascii_lowercase();
        // RFC 6125 §6.4.3: a wildcard stands for the whole first label and for nothing else.
        let wildcard = || self.named.get(&format!("*.{}", name.split_once('.')?.1));
        self.named.get(&name).or_else(wildcard).map(Vec::as_slice)
    }

    fn choose(&self, name: Option<&str>, schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        let keys = name.and_then(|name| self.of(name)).unwrap_or(&self.default);
        let fits = keys.iter().find(|key| key.key.choose_scheme(schemes).is_some());
        // Without a common signature the handshake fails whatever is chosen, and rustls says why.
        fits.or(keys.first()).cloned()
    }
}

impl ResolvesServerCert for Names {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.choose(hello.server_name(), hello.signature_schemes())
    }
}
