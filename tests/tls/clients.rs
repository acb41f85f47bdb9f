//! Clients that show certificates.
//! Never here: certificates of the server.

use rustls::HandshakeKind;
use rustls::version::{TLS12, TLS13};

use crate::support::client::get;
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, ClientIdentity};
use crate::support::tls::Dialer;
use crate::support::until;
use crate::{door, node};

/// Behind the others in `node.toml`, so that it needs no file of its own.
const PRIVATE: &str = r##"route=[{ path = "/ping", method = "GET", auth = "none", action = { respond = { body = "{}" } } }, { path = "/private", method = "GET", auth = "none", client_certificate = "required", action = { respond = { body = "{}" } } }]"##;

struct Scene {
    authority: Authority,
    node: TestNode,
}

fn scene(mode: &str, more: impl FnOnce(&Authority) -> Vec<String>) -> Scene {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let (mode, ca) = (format!("tls.client_certificates={mode}"), format!("tls.client_ca={}", authority.ca().display()));
    let more = more(&authority);
    let mut overrides = vec![mode.as_str(), ca.as_str(), PRIVATE];
    overrides.extend(more.iter().map(String::as_str));
    let node = node(&[&pair], &overrides);
    Scene { authority, node }
}

impl Scene {
    /// Status of an answer; `None`: no session.
    fn ask(&self, identity: Option<&ClientIdentity>, path: &str) -> [Option<u16>; 2] {
        [&TLS13, &TLS12].map(|version| {
            let dialer = Dialer::with(&self.authority, "shop.example", &[version], identity);
            let mut tls = dialer.try_dial(door(&self.node)).ok()?;
            // A TLS 1.3 client learns that it was refused when it reads.
            std::io::Write::write_all(&mut tls, get(path).as_bytes()).ok()?;
            let mut start = [0; 12];
            std::io::Read::read_exact(&mut tls, &mut start).ok()?;
            std::str::from_utf8(start.get(9..)?).ok()?.parse().ok()
        })
    }
}

#[test]
fn optional_lets_all_in_and_routes_decide() {
    let scene = scene("optional", |_| Vec::new());
    let known = scene.authority.client(7);
    let stranger = Authority::new().client(7);
    let check =
        |identity, path: &str, expect: Option<u16>| assert_eq!(scene.ask(identity, path), [expect; 2], "{path}");
    check(None, "/ping", Some(200));
    check(None, "/private", Some(403));
    check(Some(&known), "/private", Some(200));
    check(Some(&known), "/ping", Some(200));
    check(Some(&stranger), "/ping", None);
}

#[test]
fn the_fault_has_a_code() {
    let scene = scene("optional", |_| Vec::new());
    let (answer, _) = Dialer::new(&scene.authority, "shop.example").ask(door(&scene.node), &get("/private"));
    assert_eq!((answer.error_code(), answer.closes()), (40302, false));
    assert_eq!(scene.node.connect().ask(get("/private")).error_code(), 40302, "in the clear nobody shows anything");
}

#[test]
fn required_lets_nobody_in_without() {
    let scene = scene("required", |_| Vec::new());
    let known = scene.authority.client(7);
    assert_eq!(scene.ask(None, "/ping"), [None; 2]);
    assert_eq!(scene.ask(Some(&known), "/private"), [Some(200); 2]);
    until("refusals are in the books", || scene.node.sum(|ledger| ledger.tls.failed.get()) == 2);
    scene.node.until_quiet();
}

#[test]
fn a_revoked_certificate_is_refused_from_the_next_reload_on() {
    let scene = scene("required", |authority| {
        let list = authority.revoke(&[&authority.client(8)]);
        vec![format!("tls.client_crl={}", list.display())]
    });
    let (kept, revoked) = (scene.authority.client(7), scene.authority.client(9));
    assert_eq!(scene.ask(Some(&kept), "/ping"), [Some(200); 2]);
    assert_eq!(scene.ask(Some(&revoked), "/ping"), [Some(200); 2]);
    scene.authority.revoke(&[&revoked]);
    scene.node.reload();
    until("the list is loaded", || scene.node.reloads().0 >= 1);
    assert_eq!(scene.ask(Some(&kept), "/ping"), [Some(200); 2]);
    assert_eq!(scene.ask(Some(&revoked), "/ping"), [None; 2]);
}

/// A session that is resumed is not verified again.
#[test]
fn there_are_no_tickets_where_certificates_are_asked_for() {
    let scene = scene("optional", |_| Vec::new());
    let known = scene.authority.client(7);
    for version in [&TLS13, &TLS12] {
        let dialer = Dialer::with(&scene.authority, "shop.example", &[version], Some(&known));
        for _ in 0..3 {
            let (_, agreed) = dialer.ask(door(&scene.node), &get("/private"));
            assert_eq!(agreed.kind, Some(HandshakeKind::Full));
        }
    }
}
