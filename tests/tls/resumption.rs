//! Tickets: valid on every shard, with a file of keys also on other nodes and after a restart.
//! Never here: how a ticket is sealed; that is tested beside it.

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use crate::support::client::get;
use crate::support::pki::{Algorithm, Authority};
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, node, simple};

/// Keys as `openssl rand -base64 32` makes them.
const OLD: &str = "MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY=";
const NEW: &str = "ZmVkY2JhOTg3NjU0MzIxMGZlZGNiYTk4NzY1NDMyMTA=";

fn kind(dialer: &Dialer, addr: std::net::SocketAddr) -> Option<HandshakeKind> {
    dialer.ask(addr, &get("/ping")).1.kind
}

#[test]
fn tickets_are_good_on_every_shard() {
    let (authority, node) = simple(&["server.shards=2"]);
    for version in [&TLS13, &TLS12] {
        let dialer = Dialer::with(&authority, "shop.example", &[version], None);
        let connections = 24;
        assert_eq!(kind(&dialer, door(&node)), Some(HandshakeKind::Full));
        for _ in 1..connections {
            assert_eq!(kind(&dialer, door(&node)), Some(HandshakeKind::Resumed), "{version:?}");
        }
    }
    assert_eq!(node.sum(|ledger| ledger.tls.full.get()), 2);
    assert!(node.ledgers().iter().all(|ledger| ledger.tls.resumed.get() > 0), "both shards had some");
}

#[test]
fn keys_in_a_file_outlive_the_node_and_are_shared() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let keys = authority.folder().join("tickets");
    let set = format!("tls.ticket_keys={}", keys.display());
    let dialer = Dialer::new(&authority, "shop.example");
    std::fs::write(&keys, OLD).expect("a writable folder");
    let first = node(&[&pair], &[&set]);
    assert_eq!(kind(&dialer, door(&first)), Some(HandshakeKind::Full));
    let second = node(&[&pair], &[&set]);
    assert_eq!(kind(&dialer, door(&second)), Some(HandshakeKind::Resumed), "another node");
    drop((first, second));
    let restarted = node(&[&pair], &[&set]);
    assert_eq!(kind(&dialer, door(&restarted)), Some(HandshakeKind::Resumed), "after a restart");

    // A rotation: the new key seals, the old one opens; then the old one goes.
    std::fs::write(&keys, format!("{NEW}\n{OLD}\n")).expect("a writable folder");
    restarted.reload();
    until("the keys are loaded", || restarted.reloads().0 >= 1);
    assert_eq!(kind(&dialer, door(&restarted)), Some(HandshakeKind::Resumed), "with the key before");
    let before = restarted.reloads().0;
    std::fs::write(&keys, NEW).expect("a writable folder");
    restarted.reload();
    until("the keys are loaded", || restarted.reloads().0 > before);
    assert_eq!(kind(&dialer, door(&restarted)), Some(HandshakeKind::Resumed), "the ticket was sealed with the new key");
    let before = restarted.reloads().0;
    std::fs::write(&keys, OLD).expect("a writable folder");
    restarted.reload();
    until("the keys are loaded", || restarted.reloads().0 > before);
    assert_eq!(kind(&dialer, door(&restarted)), Some(HandshakeKind::Full), "a key that is gone opens nothing");
}

#[test]
fn keys_of_the_process_end_with_it() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let dialer = Dialer::new(&authority, "shop.example");
    let first = node(&[&pair], &[]);
    kind(&dialer, door(&first));
    assert_eq!(kind(&dialer, door(&first)), Some(HandshakeKind::Resumed));
    drop(first);
    assert_eq!(kind(&dialer, door(&node(&[&pair], &[]))), Some(HandshakeKind::Full));
}
