//! Certificates that change while the node runs: no handshake fails, no connection is lost.
//! Never here: what a certificate is good for.

use std::fs;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use crate::support::client::get;
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, Pair};
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, node};

/// As certbot does: a new file takes the name of the old one.
fn replace(pair: &Pair, (chain, key): &(String, String)) {
    for (path, text) in [(&pair.chain, chain), (&pair.key, key)] {
        let fresh = path.with_extension("new");
        fs::write(&fresh, text).expect("a writable folder");
        fs::rename(&fresh, path).expect("one file system");
    }
}

fn shown(dialer: &Dialer, node: &TestNode) -> Vec<u8> {
    dialer.adjusted(|_| {}).ask(door(node), &get("/ping")).1.certificate
}

/// No signal, no command: the files have changed, and that is all.
#[test]
fn files_that_change_are_noticed() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let node = node(&[&pair], &[]);
    let dialer = Dialer::new(&authority, "shop.example");
    let before = shown(&dialer, &node);
    let mut kept = dialer.connect(door(&node));
    assert_eq!(kept.ask(get("/ping")).status, 200);
    replace(&pair, &authority.sign(&["shop.example"], Algorithm::Ecdsa));
    until("the new certificate is shown", || shown(&dialer, &node) != before);
    assert_eq!(kept.ask(get("/ping")).status, 200, "a connection lives on with what it began with");
}

#[test]
fn files_that_do_not_fit_leave_everything_as_it_was() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let node = node(&[&pair], &[]);
    let dialer = Dialer::new(&authority, "shop.example");
    let before = shown(&dialer, &node);
    let (chain, key) = authority.sign(&["shop.example"], Algorithm::Ecdsa);
    // The middle of a renewal: the certificate is there, its key is not.
    fs::write(&pair.chain, &chain).expect("a writable folder");
    node.reload();
    until("it is noticed", || node.reloads().1 >= 1);
    assert_eq!(shown(&dialer, &node), before);
    fs::write(&pair.chain, &chain[..chain.len() / 3]).expect("a writable folder");
    let failed = node.reloads().1;
    node.reload();
    until("it is noticed", || node.reloads().1 > failed);
    assert_eq!(shown(&dialer, &node), before);
    replace(&pair, &(chain, key));
    until("the new certificate is shown", || shown(&dialer, &node) != before);
}

#[test]
fn no_handshake_fails_while_certificates_change() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let node = node(&[&pair], &["server.shards=2"]);
    let fresh: Vec<_> = (0..12).map(|_| authority.sign(&["shop.example"], Algorithm::Ecdsa)).collect();
    let (done, made) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let dialer = Dialer::new(&authority, "shop.example");
    let mut kept = dialer.connect(door(&node));
    let clients: Vec<_> = (0..2)
        .map(|_| {
            let (done, made, addr) = (done.clone(), made.clone(), door(&node));
            let dialer = dialer.clone();
            std::thread::spawn(move || {
                while !done.load(Ordering::Relaxed) {
                    // Every second one makes a full handshake.
                    for dialer in [dialer.clone(), dialer.adjusted(|_| {})] {
                        assert_eq!(dialer.ask(addr, &get("/ping")).0.status, 200);
                        made.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    for certificate in &fresh {
        let (reloads, handshakes) = (node.reloads().0, made.load(Ordering::Relaxed));
        replace(&pair, certificate);
        node.reload();
        until("the certificate is loaded", || node.reloads().0 > reloads);
        until("handshakes go on", || made.load(Ordering::Relaxed) >= handshakes + 4);
        assert_eq!(kept.ask(get("/ping")).status, 200);
    }
    done.store(true, Ordering::Relaxed);
    assert!(clients.into_iter().all(|client| client.join().is_ok()));
    assert_eq!(node.sum(|ledger| ledger.tls.failed.get()), 0);
    assert!(made.load(Ordering::Relaxed) >= 48);
}
