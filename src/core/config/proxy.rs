//! Whether balancers say who connects, and which are believed: `[proxy_protocol]`, checked.

use crate::core::network::Network;

/// What a balancer in front says about the connections that it passes on.
#[derive(Debug)]
pub struct ProxyProtocol {
    pub mode: ProxyMode,
    /// Never empty unless the mode is `Off`.
    pub trusted: Vec<Network>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ProxyMode {
    /// A header is what it looks like to HTTP: malformed.
    Off,
    /// Who is trusted may send one; everybody else is a client of our own.
    Optional,
    /// Only who is trusted may connect, and each connection begins with one.
    Required,
}
