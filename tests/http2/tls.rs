//! HTTP/2 behind TLS, agreed upon by ALPN, as curl speaks it.

use std::process::Command;

use tidegate::shards::door::DoorKind;

use crate::peer::Peer;
use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, certificates};
use crate::support::tls::Dialer;

#[test]
fn curl_agrees_on_http2() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let certificates = certificates(&[&pair]);
    let node = TestNode::start(&["tls.listen=127.0.0.1:0", &certificates]);
    let url = format!("https://{}/echo", node.door(DoorKind::Tls));
    for (version, expect) in [("--http2", "200 2\n"), ("--http1.1", "200 1.1\n")] {
        let out = Command::new("curl")
            .args([
                version,
                "-sk",
                "-m",
                "30",
                "-o",
                "/dev/null",
                "-w",
                "%{http_code} %{http_version}\n",
                "-d",
                "{}",
                &url,
            ])
            .output()
            .expect("curl is installed");
        assert_eq!(String::from_utf8_lossy(&out.stdout), expect, "{version}");
    }
    assert_eq!(node.sum(|ledger| ledger.http2.opened.get()), 1);
}

/// New connections agree on HTTP/2 without a failed handshake, and streams go on, while certificates change.
#[test]
fn no_stream_is_lost_while_certificates_change() {
    let authority = Authority::new();
    let pair = authority.server("shop", &["shop.example"], Algorithm::Ecdsa);
    let node = TestNode::start(&["tls.listen=127.0.0.1:0", &certificates(&[&pair])]);
    let dialer =
        Dialer::new(&authority, "shop.example").adjusted(|config| config.alpn_protocols = vec![b"h2".to_vec()]);
    let begin = |dialer: &Dialer| Peer::over_tls(dialer.dial(node.door(DoorKind::Tls))).greet(&[]);
    let mut kept = begin(&dialer);
    let mut stream = 1;
    for _ in 0..8 {
        let reloads = node.reloads().0;
        let (chain, key) = authority.sign(&["shop.example"], Algorithm::Ecdsa);
        for (path, text) in [(&pair.chain, chain), (&pair.key, key)] {
            std::fs::write(path.with_extension("new"), text).expect("a writable folder");
            std::fs::rename(path.with_extension("new"), path).expect("one file system");
        }
        node.reload();
        // Also while the files are being read, and with a full handshake each second time.
        while node.reloads().0 == reloads {
            for dialer in [dialer.clone(), dialer.adjusted(|_| {})] {
                let mut fresh = begin(&dialer);
                fresh.get(1, "/item/1");
                assert_eq!(fresh.answer(1).status, 200);
            }
            kept.get(stream, "/item/1");
            assert_eq!(kept.answer(stream).status, 200);
            stream += 2;
        }
    }
    assert_eq!(node.sum(|ledger| ledger.tls.failed.get()), 0);
    assert_eq!(kept.goodbyes, []);
}
