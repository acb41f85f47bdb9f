//! What the configuration says of TLS: the door, the files, how clients prove who they are; and of the door that redirects.
//! Never here: what the files hold.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

#[derive(Clone, Debug)]
pub struct Tls {
    /// `None`: no TLS here.
    pub listen: Option<SocketAddr>,
    pub profile: Profile,
    /// In the order of our preference.
    pub alpn: Vec<Protocol>,
    /// From the connection to the end of the handshake.
    pub handshake_timeout: Duration,
    /// Per shard.
    pub handshakes_max: usize,
    /// The first is shown to clients that ask for no name, or for one that we do not have.
    pub certificates: Vec<CertificateFiles>,
    pub ticket_keys: TicketKeys,
    pub clients: ClientCertificates,
    /// Who may sign certificates of clients.
    pub client_ca: Option<PathBuf>,
    /// Which of them are revoked.
    pub client_crl: Option<PathBuf>,
}

/// Mozilla's recommendations, <https://wiki.mozilla.org/Security/Server_Side_TLS>.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Profile {
    /// TLS 1.3 and 1.2.
    Intermediate,
    /// TLS 1.3.
    Modern,
}

/// What may be spoken inside TLS (RFC 7301).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Protocol {
    Http11,
    Http2,
}

/// PEM files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// The certificate first, then those that lead to its root.
    pub chain: PathBuf,
    pub key: PathBuf,
}

/// What session tickets are sealed with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum TicketKeys {
    /// Keys of this process, changed every few hours.
    Random,
    /// The same on several nodes, and after a restart.
    File(PathBuf),
}

/// Whether clients show a certificate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ClientCertificates {
    Off,
    /// A client without one gets in; routes may still ask for it.
    Optional,
    Required,
}

impl Protocol {
    /// As ALPN names it.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Http11 => "http/1.1",
            Self::Http2 => "h2",
        }
    }
}

/// The door that sends clients on to https.
#[derive(Clone, Debug)]
pub struct Redirect {
    /// `None`: no such door.
    pub listen: Option<SocketAddr>,
    /// Where to; `None`: the host that the client asked for.
    pub host: Option<String>,
    /// Port of the https door as clients see it.
    pub port: u16,
}
