//! HTTP/2 behind TLS, agreed upon by ALPN, as curl speaks it.

use std::process::Command;

use tidegate::shards::door::DoorKind;

use crate::support::node::TestNode;
use crate::support::pki::{Algorithm, Authority, certificates};

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
