//! TLS at the door of a whole node: real handshakes over real sockets, against rustls, openssl and curl.
//! Never here: HTTP for its own sake.

#[path = "../support/mod.rs"]
mod support;

mod certificates;
mod clients;
mod doors;
mod drain;
mod handshakes;
mod programs;
mod proxied;
mod records;
mod reload;
mod resumption;

use support::node::TestNode;
use support::pki::{Authority, Pair, certificates};
use tidegate::shards::door::DoorKind;

/// A node with a TLS door beside the plain one.
pub fn node(pairs: &[&Pair], overrides: &[&str]) -> TestNode {
    let certificates = certificates(pairs);
    let mut all = vec!["tls.listen=127.0.0.1:0", certificates.as_str()];
    all.extend_from_slice(overrides);
    TestNode::start(&all)
}

/// A node with one certificate for `shop.example`.
pub fn simple(overrides: &[&str]) -> (Authority, TestNode) {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], support::pki::Algorithm::Ecdsa);
    let node = node(&[&pair], overrides);
    (authority, node)
}

pub fn door(node: &TestNode) -> std::net::SocketAddr {
    node.door(DoorKind::Tls)
}
